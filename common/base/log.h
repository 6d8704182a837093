/*
 * The log. It cannot carry an address, an identity or a fine time: a line is
 * an event id from the table in log.c plus named counters, and its time is
 * rounded down to ten minutes. There is no function that takes a free string.
 *
 *   2026-11-24T01:50Z warning link-lost node=3 attempts=2
 */
#ifndef COMMON_BASE_LOG_H
#define COMMON_BASE_LOG_H

#include <stdint.h>
#include <stdio.h>

#include "common/base/clock.h"
#include "common/base/err.h"

enum log_level {
	LOG_DEBUG,   /* for developers */
	LOG_INFO,    /* what an operator understands */
	LOG_WARNING, /* not expected in normal operation */
	LOG_ALARM,   /* an operator must act; docs/operator.md lists each */
};

/*
 * Every event has an id, a level, a text and the names of up to three
 * counters, in one table (LOG_EVENTS in log_events.h).
 */
#define LOG_EVENT(id, level, name, a, b, c) id,
enum log_event {
#include "common/base/log_events.h"
	LOG_EVENT_COUNT
};
#undef LOG_EVENT

struct log {
	FILE *out; /* NULL: drop everything */
	const struct clock *clock;
	enum log_level threshold;
};

/*
 * Write one line. The number of counters used is the number of names that the
 * table gives the event; the others are ignored. l may be NULL (no log).
 */
void log_event(struct log *l, enum log_event e, uint64_t a, uint64_t b,
    uint64_t c);
/* "debug" .. "alarm" to level. */
RST_MUST_USE enum err log_level_parse(enum log_level *out, const char *s);

#endif

/*
 * The log. It cannot carry an address, an identity or a fine time: a line is
 * an event id from the table in log.c plus named counters, and its time is
 * rounded down to ten minutes. There is no function that takes a free string.
 *
 *   2026-11-24T01:50Z warning link-lost node=3 attempts=2
 */
#ifndef COMMON_BASE_LOG_H
#define COMMON_BASE_LOG_H

#include <stdbool.h>
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

#define LOG_COUNTERS 3

/* Told of every event, whatever the threshold, on the thread that logs it. */
typedef void log_observer(void *arg, enum log_event e, const uint64_t values[static LOG_COUNTERS]);

struct log {
	FILE *out; /* NULL: write nothing */
	const struct clock *clock;
	enum log_level threshold;
	log_observer *observer; /* NULL: none */
	void *observer_arg;
	unsigned failing; /* writers of a disk whose last write failed: log_disk */
};

/*
 * Write one line. The number of counters used is the number of names that the
 * table gives the event; the others are ignored. l may be NULL (no log).
 */
void log_event(struct log *l, enum log_event e, uint64_t a, uint64_t b,
    uint64_t c);
/*
 * What became of a write of one of several writers to the same disk, each of which has a
 * flag: one event when its writes begin to fail, and one when no writer's fail any more.
 */
void log_disk(struct log *l, bool *failing, enum err e);
/* What the table says of an event. */
const char *log_event_name(enum log_event e);
enum log_level log_event_level(enum log_event e);
/* A time as the log shows it: rounded down to ten minutes. */
int64_t log_rounded_ms(int64_t wall_ms);
/* "debug" .. "alarm" to level. */
RST_MUST_USE enum err log_level_parse(enum log_level *out, const char *s);

#endif

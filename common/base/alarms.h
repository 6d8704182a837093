/*
 * The alarms of a node: which conditions hold that an operator must look into.
 *
 * An alarm is an event of the log (log_events.h, level alarm), and it ends with
 * another event; a table in alarms.c says which. The set watches the log, so that
 * what raises an alarm does nothing but log it. docs/operator.md has each.
 *
 * What a peer or the gateway did in an epoch cannot end by itself: those alarms are
 * numbered by the epoch and end when it is over (alarms_epoch).
 *
 * One thread: the one that logs.
 */
#ifndef COMMON_BASE_ALARMS_H
#define COMMON_BASE_ALARMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/log.h"

#define ALARMS_MAX 384 /* conditions at a time; beyond, the log alone has them */

/* One row of the table. */
struct alarm_kind {
	enum log_event raise, clear;
	/*
	 * Which counter of `raise` numbers the condition: alarms with different
	 * numbers are different. `clear` has it as its first. -1: there is one
	 * condition only, and its number is the first counter.
	 */
	int counter;
	bool epoch; /* numbered by an epoch, and over with it */
};
/* The table; returns how many rows there are. */
size_t alarms_table(const struct alarm_kind **out);

/* A condition that holds. */
struct alarm {
	const struct alarm_kind *kind;
	uint64_t number, count; /* count: how often it was raised meanwhile */
	int64_t since_ms;	/* rounded down to ten minutes */
};

/* A condition began to hold, or ended. */
typedef void alarms_cb(void *arg, bool raised, const char *name, uint64_t number);

struct alarms {
	struct log *log;
	alarms_cb *changed;
	void *arg;
	size_t count;
	struct alarm held[ALARMS_MAX]; /* in the order in which they were raised */
};

/* Watch a log, which must outlive a; changed may be NULL. */
void alarms_init(struct alarms *a, struct log *log, alarms_cb *changed, void *arg);
/* Stop watching. */
void alarms_release(struct alarms *a);

/* Whether a condition of this event holds, with this number or (any) with whatever number. */
bool alarms_hold(const struct alarms *a, enum log_event raise, uint64_t number);
bool alarms_hold_any(const struct alarms *a, enum log_event raise);
/* End what is numbered by an epoch before this one, with a line of the log each. */
void alarms_epoch(struct alarms *a, uint32_t epoch);

#endif

/*
 * What happens in virtual time, in order: a binary heap by (time, sequence).
 * Events are embedded in what they belong to; scheduling one allocates nothing
 * after the heap has grown once. Pure but for what it holds.
 */
#ifndef EVALUATION_EVENTHEAP_H
#define EVALUATION_EVENTHEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/base/err.h"

struct world_host;

typedef void event_fire(void *arg);

struct event {
	event_fire *fire;
	void *arg;
	struct world_host *host; /* waits while this host is held up; NULL: never */
	int64_t at_us;
	size_t place;		 /* in the heap, or one of the values below */
	TAILQ_ENTRY(event) held; /* in a list of the owner's while EVENT_HELD */
};

#define EVENT_IDLE SIZE_MAX	  /* not scheduled */
#define EVENT_HELD (SIZE_MAX - 1) /* due, and kept aside by the owner of the heap */

/* The keys lie in the heap itself, so that sifting stays in few cache lines. */
struct eventheap_entry {
	int64_t at_us;
	uint64_t sequence;
	struct event *event;
};

struct eventheap {
	struct eventheap_entry *entries;
	size_t count, room;
	size_t events; /* that exist, scheduled or not: at most room */
	uint64_t next_sequence;
};

void eventheap_init(struct eventheap *h);
void eventheap_release(struct eventheap *h);

/*
 * Set an event up and reserve its place, so that scheduling never fails.
 * ERR_MEMORY. Given back by eventheap_leave, which also cancels.
 */
RST_MUST_USE enum err eventheap_join(struct eventheap *h, struct event *e, event_fire *fire,
    void *arg, struct world_host *host);
void eventheap_leave(struct eventheap *h, struct event *e);

/* (Re)schedule; behind everything that is scheduled for the same time. */
void eventheap_put(struct eventheap *h, struct event *e, int64_t at_us);
/* Take an event out of the heap, if it is in it. */
void eventheap_remove(struct eventheap *h, struct event *e);
/* The first event, taken out; NULL if there is none, or none until then. */
struct event *eventheap_pop(struct eventheap *h, int64_t until_us);
bool event_scheduled(const struct event *e);

#endif

/*
 * A binary heap of one-shot timers, ordered by due time, then by the order in
 * which they were armed. Shared by both loops; pure but for what it holds.
 *
 * Places are reserved when a timer is made, so that arming one never fails.
 */
#ifndef COMMON_NET_TIMERHEAP_H
#define COMMON_NET_TIMERHEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/net/loop.h"

struct timer {
	struct loop *loop;
	timer_cb *cb;
	void *arg;
	int64_t due_ms; /* boot time */
	uint64_t order;
	size_t at; /* index in the heap, or TIMERHEAP_NONE */
};

#define TIMERHEAP_NONE SIZE_MAX

struct timerheap {
	struct timer **heap;
	size_t count, room;
	size_t timers; /* that exist, armed or not: at most room */
	uint64_t next_order;
};

void timerheap_init(struct timerheap *h);
/* All timers must be freed before. */
void timerheap_release(struct timerheap *h);
/* A place for one more timer; ERR_MEMORY. Given back by timerheap_leave. */
RST_MUST_USE enum err timerheap_join(struct timerheap *h);
void timerheap_leave(struct timerheap *h);

/* Arm or re-arm; true if the earliest timer changed. */
bool timerheap_arm(struct timerheap *h, struct timer *t, int64_t due_ms);
/* Disarm, if armed; true if the earliest timer changed. */
bool timerheap_disarm(struct timerheap *h, struct timer *t);
/* The earliest due time; false if none is armed. */
bool timerheap_next(const struct timerheap *h, int64_t *due_ms);
/*
 * Disarm and return the first timer that is due at now and was armed before
 * `order` (a next_order read at the start of the turn: what a callback arms
 * waits for the next turn), or NULL.
 */
struct timer *timerheap_pop(struct timerheap *h, int64_t now_ms, uint64_t order);

#endif

/*
 * The real loop: libevent 2.1 with plain events and own buffers (bufferevents
 * cost four times as much per frame: docs/architecture.md).
 */
#ifndef COMMON_NET_LOOP_EVENT_H
#define COMMON_NET_LOOP_EVENT_H

#include "common/net/loop.h"

struct event_base;

/*
 * A loop over a libevent base. base NULL: make and own one (priorities set, so
 * that timers come before streams). A caller's base stays the caller's.
 * ERR_MEMORY, ERR_IO.
 */
RST_MUST_USE enum err loop_event_new(struct loop **out, struct event_base *base);
/* All timers, connections, listeners and queues must be freed before. */
void loop_event_free(struct loop *l);
/* Run until loop_event_stop. */
void loop_event_run(struct loop *l);
/* Return from loop_event_run after the running callback; before it, at once. */
void loop_event_stop(struct loop *l);
/* Call cb on the loop when a signal arrives (SIGTERM, SIGINT, SIGHUP). */
RST_MUST_USE enum err loop_event_signal(struct loop *l, int signal, void (*cb)(void *arg),
    void *arg);

/*
 * Where a loop's time comes from; tests pass their own. A timer is due by
 * clock, but the wait for it is a real one, of as many milliseconds as were
 * missing when the earliest timer was last looked at.
 */
struct loop_event_time {
	const struct clock *clock;
	/* Steady time that stands still while the machine sleeps. */
	int64_t (*awake_ms)(void *ctx);
	void *ctx;
};
RST_MUST_USE enum err loop_event_new_timed(struct loop **out, struct event_base *base,
    const struct loop_event_time *time);

#endif

/*
 * The real loop: libevent 2.1 with plain events and own buffers (bufferevents
 * cost four times as much per frame, shared facts: docs/architecture.md).
 */
#ifndef COMMON_NET_LOOP_EVENT_H
#define COMMON_NET_LOOP_EVENT_H

#include "common/net/loop.h"

struct event_base;

/*
 * A loop over a libevent base. base NULL: make and own one (priorities and
 * precise timers set). A caller's base stays the caller's.
 */
RST_MUST_USE enum err loop_event_new(struct loop **out, struct event_base *base);
/* All timers, connections, listeners and queues must be freed before. */
void loop_event_free(struct loop *l);
/* Run until loop_event_stop. */
void loop_event_run(struct loop *l);
void loop_event_stop(struct loop *l);
/* Call cb on the loop when a signal arrives (SIGTERM, SIGINT, SIGHUP). */
RST_MUST_USE enum err loop_event_signal(struct loop *l, int signal, void (*cb)(void *arg),
    void *arg);

#endif

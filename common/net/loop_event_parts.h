/*
 * What the files of the real loop share: loop_event.c (time, signals),
 * conn_event.c (streams), listener_event.c and workq_event.c. Internal.
 */
#ifndef COMMON_NET_LOOP_EVENT_PARTS_H
#define COMMON_NET_LOOP_EVENT_PARTS_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/net/conn.h"
#include "common/net/loop_event.h"
#include "common/net/timerheap.h"

#define LOOP_EVENT_READ_BYTES 65536
#define LOOP_EVENT_KEPT_BYTES 65536 /* in front of a read: what was kept of the last */
#define LOOP_EVENT_SCRATCH_BYTES (LOOP_EVENT_KEPT_BYTES + LOOP_EVENT_READ_BYTES)

struct conn_event {
	struct conn base;
	int fd; /* -1: none; then `failed` says why */
	struct event *read_event, *write_event;
	bool reading, writing; /* the events are added */
	bool eof;              /* the peer ended while we still send what is left */
	bool shut;             /* everything is sent, and we ended our direction */
	enum err failed;       /* to be told at the next turn, or ERR_OK */
	TAILQ_ENTRY(conn_event) kicks;
	bool kicked;   /* in loop_event.kicked */
	uint64_t turn; /* in which it was kicked */
};

struct loop_signal;

struct loop_event {
	struct loop base;
	struct event_base *events;
	bool own_events;
	bool stopping;
	struct timerheap timers;
	int timer_fd, clock_fd; /* boot time; wall clock, cancelled when it is set */
	struct event *timer_event, *clock_event;
	struct event *turn_event; /* runs what the callbacks of this turn left to do */
	bool in_turn, timers_stale;
	uint64_t turn;
	TAILQ_HEAD(, conn_event) kicked;
	uint8_t *scratch; /* LOOP_EVENT_SCRATCH_BYTES, of whichever connection reads */
	struct loop_signal *signals;
	struct loop_event_time time;
	struct evutil_monotonic_timer *monotonic; /* for the default awake_ms */
	int64_t wall_offset_ms, sleep_offset_ms;  /* wall - boot, boot - awake */
};

static inline struct loop_event *
loop_event_of(struct loop *l)
{
	/* loop_event.base is the first member. */
	return (struct loop_event *)(void *)l;
}

/* Have conn_event_turn or the timers looked at once the running callbacks are done. */
void loop_event_wake(struct loop_event *l);

/* conn_event.c */
enum err conn_event_open(struct conn **out, struct loop *l, const char *address);
/* Take over a connected socket (closed on failure). */
RST_MUST_USE enum err conn_event_adopt(struct conn **out, struct loop_event *l, int fd);
void conn_event_kick(struct conn *c);
void conn_event_detach(struct conn *c);
void conn_event_release(struct conn *c);
/* Do what was asked for since the last turn. */
void conn_event_turn(struct conn_event *c);

/* listener_event.c */
enum err listener_event_open(struct listener **out, struct loop *l, const char *address,
    listener_cb *cb, void *arg, struct diag *d);
void listener_event_free(struct listener *s);

/* workq_event.c */
struct workq *workq_event_new(struct loop *l, unsigned threads);
enum err workq_event_add(struct workq *q, void (*run)(void *arg), void (*done)(void *arg),
    void *arg);
size_t workq_event_backlog(const struct workq *q);
void workq_event_free(struct workq *q);

#endif

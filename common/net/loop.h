/*
 * The event loop behind an interface: timers, byte-stream connections and work
 * queues. Two implementations: loop_event.c (libevent; timers on one timerfd of
 * CLOCK_BOOTTIME) and evaluation/world.c (virtual time, simulated network), so
 * that the daemons' and the client's own modules run in both unchanged.
 *
 * One thread owns a loop; every callback runs on it, never inside the call
 * that set it up. Objects die only by their own free/close call.
 */
#ifndef COMMON_NET_LOOP_H
#define COMMON_NET_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/base/clock.h"
#include "common/base/err.h"

struct loop;
struct timer;
struct conn;
struct listener;
struct workq;
struct timerheap;

/* The loop's clock; `now` of everything that runs on it. */
const struct clock *loop_clock(const struct loop *l);
int64_t loop_wall_ms(const struct loop *l);
int64_t loop_boot_ms(const struct loop *l);

/*
 * Called when the wall clock was set, or the machine slept: |delta_ms| is how
 * far wall and boot clock moved against what the loop saw pass.
 */
typedef void loop_jump_cb(void *arg, int64_t delta_ms);
/* Register one more listener for jumps; ERR_MEMORY. loop_unwatch_jumps by arg. */
RST_MUST_USE enum err loop_watch_jumps(struct loop *l, loop_jump_cb *cb, void *arg);
void loop_unwatch_jumps(struct loop *l, void *arg);

/* ---- timers: one shot, on CLOCK_BOOTTIME ---- */

typedef void timer_cb(void *arg);
/* A timer that is not armed; NULL if there is no memory. */
struct timer *timer_new(struct loop *l, timer_cb *cb, void *arg);
void timer_free(struct timer *t);
/* (Re)arm to fire delay_ms from now (0: at the next turn of the loop). */
void timer_after(struct timer *t, int64_t delay_ms);
/*
 * (Re)arm to fire when the wall clock reaches wall_ms (at once if it has). It
 * is converted to boot time when armed: after a jump re-arm it.
 */
void timer_at_wall(struct timer *t, int64_t wall_ms);
void timer_cancel(struct timer *t);
bool timer_armed(const struct timer *t);

/* ---- connections: byte streams with own buffers ---- */

struct conn_events {
	/* The stream is up (outgoing only). */
	void (*opened)(void *arg);
	/*
	 * n bytes are there; return how many were consumed (the rest is kept and
	 * given again together with more, or after conn_pause(c, false)).
	 * Leaving a full buffer full (conn_limits) ends the connection with
	 * ERR_FULL, unless it is paused.
	 */
	size_t (*data)(void *arg, const uint8_t *p, size_t n);
	/* Everything written has left our buffer; may be NULL. */
	void (*drained)(void *arg);
	/*
	 * Ended by the peer, the system or a limit; call conn_free, now or later.
	 * Comes once at most, and no other callback follows. why: ERR_CLOSED (by
	 * the peer), ERR_NOT_FOUND (nobody listens there), ERR_TIMEOUT, ERR_FULL
	 * (in_max), ERR_MEMORY, ERR_IO.
	 */
	void (*closed)(void *arg, enum err why);
};

struct conn_limits {
	size_t in_max, out_max; /* bytes buffered in each direction */
};

/*
 * Start to connect to an address ("127.0.0.1:7000", "[::1]:7000",
 * "unix:/run/x"). ERR_USAGE for a malformed address; failure to connect comes
 * by `closed`.
 */
RST_MUST_USE enum err conn_open(struct conn **out, struct loop *l, const char *address,
    const struct conn_limits *limits, const struct conn_events *events, void *arg);
/* Adopt an accepted connection: set its callbacks. */
void conn_set_events(struct conn *c, const struct conn_events *events, void *arg,
    const struct conn_limits *limits);
/* Queue n bytes (copied); ERR_FULL at out_max (nothing queued), ERR_CLOSED. */
RST_MUST_USE enum err conn_write(struct conn *c, const void *p, size_t n);
/*
 * The same without a copy: room for n bytes inside the out buffer, to be filled
 * and then committed before anything else is done with c.
 */
RST_MUST_USE enum err conn_space(struct conn *c, uint8_t **out, size_t n);
void conn_commit(struct conn *c, size_t n);
/*
 * Inside a `data` callback: the same bytes as p, which must lie within what was
 * given, for decryption in place. The callee must then consume them.
 */
uint8_t *conn_own_bytes(struct conn *c, const uint8_t *p);
size_t conn_unsent(const struct conn *c);
/* Stop and resume reading (back-pressure). */
void conn_pause(struct conn *c, bool paused);
/*
 * Close when everything written has left and the peer has closed too, or after
 * linger_ms; no more callbacks. Frees c.
 */
void conn_finish(struct conn *c, int64_t linger_ms);
/* Close at once, drop what is unsent, wipe the buffers, free. NULL is a no-op. */
void conn_free(struct conn *c);

/* A new connection, to be adopted with conn_set_events (or freed) in the call. */
typedef void listener_cb(void *arg, struct conn *c);
/*
 * Listen on an address as above; a stale unix socket is replaced, its mode is
 * 0600. A socket that the process was started with for this address
 * (common/net/inherited.h) is used as it is. ERR_BUSY if the address is in use,
 * with a sentence. Accept failures (too many files) pause the listener for a second.
 */
RST_MUST_USE enum err listener_open(struct listener **out, struct loop *l, const char *address,
    listener_cb *cb, void *arg, struct diag *d);
void listener_free(struct listener *s);

/* ---- work queues: blocking work off the loop ---- */

/*
 * `threads` threads that take jobs in order (one thread: strictly one after
 * the other). In a simulated loop jobs run inline and `done` comes at the next
 * turn. NULL if there is no memory or thread.
 */
struct workq *workq_new(struct loop *l, unsigned threads);
/* run(arg) on a thread, then done(arg) on the loop. ERR_MEMORY, ERR_FULL (backlog 65536). */
RST_MUST_USE enum err workq_add(struct workq *q, void (*run)(void *arg), void (*done)(void *arg),
    void *arg);
/* Jobs added and not yet done. */
size_t workq_backlog(const struct workq *q);
/*
 * Run every queued job and its done callback, then end the threads. Blocks. Not
 * from within a done callback of q. NULL is a no-op.
 */
void workq_free(struct workq *q);

/*
 * ---- the implementation side ----
 *
 * Shared by both: timers (timerheap.h), the buffers, limits and life of a
 * connection (conn.h), the watchers of jumps. An implementation makes things
 * happen through these operations; `address` was checked by address_check.
 */

struct loop_ops {
	/* The earliest timer of l->timers may be another one now. */
	void (*timers_changed)(struct loop *l);
	/* A connection (conn_init) that is CONN_OPENING. */
	enum err (*conn_open)(struct conn **out, struct loop *l, const char *address);
	/* Call conn_turn(c), then send and read what c wants, at the next turn. */
	void (*conn_kick)(struct conn *c);
	/* Let go of the peer at once; nothing about c may be called any more. */
	void (*conn_detach)(struct conn *c);
	/* Free the memory of c, after conn_detach; the base part is released. */
	void (*conn_release)(struct conn *c);
	enum err (*listener_open)(struct listener **out, struct loop *l, const char *address,
	    listener_cb *cb, void *arg, struct diag *d);
	void (*listener_free)(struct listener *s);
	struct workq *(*workq_new)(struct loop *l, unsigned threads);
	enum err (*workq_add)(struct workq *q, void (*run)(void *arg), void (*done)(void *arg),
	    void *arg);
	size_t (*workq_backlog)(const struct workq *q);
	void (*workq_free)(struct workq *q);
};

struct loop_watch {
	loop_jump_cb *cb; /* NULL: a free place */
	void *arg;
};

/* An implementation embeds this as the first member of its own loop. */
struct loop {
	const struct loop_ops *ops;
	const struct clock *clock;
	struct timerheap *timers; /* own, or one for many loops on one clock */
	struct loop_watch *watches;
	size_t watch_count;
	LIST_HEAD(, conn) finishing; /* nobody else knows these any more */
	uint8_t *spare;              /* a buffer for the next burst, wiped; or NULL */
	size_t spare_room;
};

/* First members of an implementation's listener and work queue. */
struct listener {
	struct loop *loop;
};
struct workq {
	struct loop *loop;
};

void loop_init(struct loop *l, const struct loop_ops *ops, const struct clock *clock,
    struct timerheap *timers);
/*
 * Frees the connections that are still finishing and the list of watchers. To
 * be called while the operations still work; the timers are their owner's.
 */
void loop_release(struct loop *l);
/* Tell every watcher of a jump. */
void loop_jumped(struct loop *l, int64_t delta_ms);

#define WORKQ_BACKLOG_MAX 65536

#endif

/*
 * The part of a connection that both loops share: buffers, limits, who may
 * still be called. An implementation embeds struct conn as the first member of
 * its own and tells it what happens through the conn_* calls of this file.
 *
 * Each such call may run the owner's callbacks, and those may free the
 * connection: every call that returns bool says whether c is still to be used.
 * (The memory goes when the outermost call returns, never under a callback.)
 */
#ifndef COMMON_NET_CONN_H
#define COMMON_NET_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/net/loop.h"

/* A byte queue on the heap that gives its memory back when it is empty. */
struct conn_buf {
	uint8_t *data;
	size_t head, len, room; /* bytes are data[head .. head + len) */
};

enum conn_state {
	CONN_OPENING, /* outgoing, not yet connected */
	CONN_OPEN,
	CONN_ENDED, /* `closed` was called, or there is nobody to call */
};

struct conn {
	struct loop *loop;
	struct conn_events events;
	void *arg;
	struct conn_limits limits;
	struct conn_buf in, out;
	const uint8_t *given_at; /* what a running `data` callback was given */
	uint8_t *given;
	size_t given_len;
	struct timer *linger; /* set by conn_finish */
	LIST_ENTRY(conn) finishers;
	enum conn_state state;
	unsigned busy; /* depth of conn_* calls that run callbacks */
	bool adopted;  /* somebody set callbacks */
	bool paused;
	bool again; /* kept bytes are to be given again at the next turn */
	bool finishing;
	bool freed;
};

/* A fresh connection without callbacks; an accepted one starts CONN_OPEN. */
void conn_init(struct conn *c, struct loop *l, enum conn_state state);

/* An outgoing stream is up. */
bool conn_up(struct conn *c);
/* To be called at the turn after conn_kick: kept bytes are given again. */
bool conn_turn(struct conn *c);
/* How many bytes c takes now: none while paused, finishing or not open. */
size_t conn_wants(const struct conn *c);
/*
 * n bytes came (at most conn_wants). They may be overwritten; what is not
 * consumed is copied.
 */
bool conn_given(struct conn *c, uint8_t *p, size_t n);
/*
 * The same where `before` bytes in front of p may be overwritten, too: what was
 * kept is put there, which is cheaper than to put the new bytes behind it.
 */
bool conn_given_behind(struct conn *c, uint8_t *p, size_t n, size_t before);
/* The bytes to be sent; *n is 0 if there are none. */
const uint8_t *conn_to_send(const struct conn *c, size_t *n);
/* The first n of them have left. */
bool conn_sent(struct conn *c, size_t n);
/* The stream is over: calls `closed`, or frees c if it is finishing. */
bool conn_over(struct conn *c, enum err why);
/*
 * Hand an accepted connection to the listener's owner; frees it if nobody
 * adopted it.
 */
bool conn_accepted(struct conn *c, listener_cb *cb, void *arg);

#endif

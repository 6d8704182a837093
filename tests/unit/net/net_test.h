/*
 * What the tests of common/net share: a loop with a guard against hanging, one
 * end of a connection that records what happens to it, and raw sockets as
 * peers that do not behave.
 */
#ifndef TESTS_UNIT_NET_NET_TEST_H
#define TESTS_UNIT_NET_NET_TEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/bytes.h"
#include "common/net/loop_event.h"

/* A loop of its own base for a test; net_loop_free also checks the guard. */
struct loop *net_loop_new(void);
void net_loop_free(struct loop *l);
/* Run until loop_event_stop; fails the test after 20 seconds. */
void net_run(struct loop *l);
/* Run until *count is at least want; fails the test after 20 seconds. */
void net_wait(struct loop *l, const unsigned *count, unsigned want);
/* Run for ms; for what must not happen, not to wait for what must. */
void net_settle(struct loop *l, int64_t ms);

/* "unix:" and a fresh path in the test's directory. */
const char *net_unix_address(void);
/* "127.0.0.1:port" with a port that was free a moment ago. */
const char *net_tcp_address(void);

enum net_act { NET_NOTHING, NET_STOP, NET_FREE, NET_FINISH };

/* One end of a connection. Zero it, set the upper half, then use it. */
struct net_end {
	struct loop *loop;
	enum net_act on_opened, on_data, on_drained, on_closed;
	size_t want;    /* act on data once so many bytes were consumed; 0: at once */
	size_t consume; /* at most so many per call; 0: all */
	bool echo;

	struct conn *conn;
	unsigned opened, data, drained, closed;
	unsigned gone; /* freed or finished by NET_FREE or NET_FINISH */
	enum err why;
	struct buf got;
};

extern const struct conn_events net_end_events;
extern const struct conn_limits net_limits;

/* Dial with e as the owner; fails the test if that is refused. */
void net_end_open(struct net_end *e, struct loop *l, const char *address);
/* A listener_cb: arg is the struct net_end that adopts the connection. */
void net_end_accept(void *arg, struct conn *c);
void net_end_release(struct net_end *e);

/* A listener that fails the test if it cannot be opened. */
struct listener *net_listen(struct loop *l, const char *address, listener_cb *cb, void *arg);

/* Raw sockets. */
int net_raw_connect(const char *address);
int net_raw_listen(const char *address);
/* Read exactly n bytes (blocking); false at an early end. */
bool net_raw_read(int fd, void *p, size_t n);
void net_raw_write(int fd, const void *p, size_t n);

#endif

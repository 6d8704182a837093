/*
 * A message and its echo on the real loop while the n-th socket call fails, or the n-th
 * allocation, libevent's own included. Whoever dials does so again when a connection
 * ends, as links do; what cannot be set up is told, and set up again. The echo comes,
 * nothing hangs, and everything that was allocated is freed.
 */
#include "config.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/net/loop_event.h"
#include "tests/faults/memory.h"
#include "tests/faults/tally.h"
#include "tests/lib/test.h"

#define USUAL 1000 /* all of them: there are few, and they are quick */
#define SECONDS 20
#define BYTES 50000
#define AGAIN_MS 5
#define SERVED_MAX 16

/* ---- calls that fail ---- */

enum call { CALL_SOCKET = 1, CALL_CONNECT, CALL_ACCEPT, CALL_SEND, CALL_RECV, CALL_BIND, CALL_LISTEN,
	CALL_OPTION };

static struct {
	uint64_t at, count;
	enum call struck;
} calls;

int __real_socket(int domain, int type, int protocol);
int __wrap_socket(int domain, int type, int protocol);
int __real_connect(int fd, const struct sockaddr *to, socklen_t len);
int __wrap_connect(int fd, const struct sockaddr *to, socklen_t len);
int __real_accept4(int fd, struct sockaddr *from, socklen_t *len, int flags);
int __wrap_accept4(int fd, struct sockaddr *from, socklen_t *len, int flags);
ssize_t __real_send(int fd, const void *p, size_t n, int flags);
ssize_t __wrap_send(int fd, const void *p, size_t n, int flags);
ssize_t __real_recv(int fd, void *p, size_t n, int flags);
ssize_t __wrap_recv(int fd, void *p, size_t n, int flags);
int __real_bind(int fd, const struct sockaddr *at, socklen_t len);
int __wrap_bind(int fd, const struct sockaddr *at, socklen_t len);
int __real_listen(int fd, int backlog);
int __wrap_listen(int fd, int backlog);
int __real_getsockopt(int fd, int level, int name, void *value, socklen_t *len);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len);

static bool
strikes(enum call call, int error)
{
	if (++calls.count != calls.at)
		return false;
	calls.struck = call;
	errno = error;
	return true;
}

int
__wrap_socket(int domain, int type, int protocol)
{
	return strikes(CALL_SOCKET, EMFILE) ? -1 : __real_socket(domain, type, protocol);
}

int
__wrap_connect(int fd, const struct sockaddr *to, socklen_t len)
{
	return strikes(CALL_CONNECT, ECONNREFUSED) ? -1 : __real_connect(fd, to, len);
}

int
__wrap_accept4(int fd, struct sockaddr *from, socklen_t *len, int flags)
{
	return strikes(CALL_ACCEPT, EMFILE) ? -1 : __real_accept4(fd, from, len, flags);
}

ssize_t
__wrap_send(int fd, const void *p, size_t n, int flags)
{
	return strikes(CALL_SEND, ENOBUFS) ? -1 : __real_send(fd, p, n, flags);
}

ssize_t
__wrap_recv(int fd, void *p, size_t n, int flags)
{
	return strikes(CALL_RECV, ECONNRESET) ? -1 : __real_recv(fd, p, n, flags);
}

int
__wrap_bind(int fd, const struct sockaddr *at, socklen_t len)
{
	return strikes(CALL_BIND, EACCES) ? -1 : __real_bind(fd, at, len);
}

int
__wrap_listen(int fd, int backlog)
{
	return strikes(CALL_LISTEN, EADDRINUSE) ? -1 : __real_listen(fd, backlog);
}

int
__wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	return strikes(CALL_OPTION, ENOBUFS) ? -1 : __real_getsockopt(fd, level, name, value, len);
}

/* ---- libevent's memory is ours ---- */

static void *
event_malloc(size_t n)
{
	return malloc(n);
}

static void *
event_realloc(void *p, size_t n)
{
	return realloc(p, n);
}

static void
event_free_memory(void *p)
{
	free(p);
}

/* ---- a message and its echo ---- */

struct scene {
	char address[128];
	struct loop *loop;
	struct listener *listener;
	struct workq *queue;
	struct timer *again;
	struct conn *conn;
	struct conn *served[SERVED_MAX];
	size_t got;
	bool done, ran;
	unsigned dials, refused;
};

static const struct conn_limits limits = { .in_max = 2 * BYTES, .out_max = 2 * BYTES };
static uint8_t message[BYTES];

static void
give_up_conn(struct scene *s)
{
	conn_free(s->conn);
	s->conn = NULL;
	s->got = 0;
	timer_after(s->again, AGAIN_MS);
}

static void
on_opened(void *arg)
{
	struct scene *s = arg;

	if (conn_write(s->conn, message, BYTES) != ERR_OK)
		give_up_conn(s);
}

static size_t
on_data(void *arg, const uint8_t *p, size_t n)
{
	struct scene *s = arg;

	assert_true(s->got + n <= BYTES);
	assert_memory_equal(p, message + s->got, n);
	s->got += n;
	s->done = s->got == BYTES;
	if (s->done)
		loop_event_stop(s->loop);
	return n;
}

static void
on_closed(void *arg, enum err why)
{
	(void)why;
	give_up_conn(arg);
}

static const struct conn_events dialer_events = { .opened = on_opened, .data = on_data,
	.closed = on_closed };

static void
dial(void *arg)
{
	struct scene *s = arg;

	if (s->conn != NULL || s->done)
		return;
	s->dials++;
	if (conn_open(&s->conn, s->loop, s->address, &limits, &dialer_events, s) != ERR_OK) {
		s->conn = NULL;
		timer_after(s->again, AGAIN_MS);
	}
}

static size_t
on_served_data(void *arg, const uint8_t *p, size_t n)
{
	struct conn **c = arg;

	if (conn_write(*c, p, n) != ERR_OK) {
		conn_free(*c);
		*c = NULL;
	}
	return n;
}

static void
on_served_closed(void *arg, enum err why)
{
	struct conn **c = arg;

	(void)why;
	conn_free(*c);
	*c = NULL;
}

static const struct conn_events served_events = { .data = on_served_data,
	.closed = on_served_closed };

static void
on_accept(void *arg, struct conn *c)
{
	struct scene *s = arg;
	size_t i = 0;

	while (i < SERVED_MAX && s->served[i] != NULL)
		i++;
	assert_true(i < SERVED_MAX);
	s->served[i] = c;
	conn_set_events(c, &served_events, &s->served[i], &limits);
}

/* A job on the queue's thread; dialling begins when it is done. */
static void
work(void *arg)
{
	((struct scene *)arg)->ran = true;
}

/* ---- one run ---- */

static void
tear_down(struct scene *s)
{
	workq_free(s->queue);
	conn_free(s->conn);
	for (size_t i = 0; i < SERVED_MAX; i++)
		conn_free(s->served[i]);
	listener_free(s->listener);
	timer_free(s->again);
	loop_event_free(s->loop);
	s->queue = NULL;
	s->conn = NULL;
	memset(s->served, 0, sizeof(s->served));
	s->listener = NULL;
	s->again = NULL;
	s->loop = NULL;
}

static bool
set_up(struct scene *s)
{
	if (loop_event_new(&s->loop, NULL) != ERR_OK) {
		s->loop = NULL;
		return false;
	}
	s->again = timer_new(s->loop, dial, s);
	s->queue = workq_new(s->loop, 1);
	if (listener_open(&s->listener, s->loop, s->address, on_accept, s, NULL) != ERR_OK)
		s->listener = NULL;
	return s->again != NULL && s->queue != NULL && s->listener != NULL &&
	    workq_add(s->queue, work, dial, s) == ERR_OK;
}

static void
live(struct scene *s, struct tally_run *r)
{
	while (!set_up(s)) {
		tear_down(s);
		s->refused++;
		assert_true(s->refused < 4);
	}
	loop_event_run(s->loop);
	assert_true(s->done && s->ran);
	tear_down(s);
	r->outcome = s->refused > 0 ? TALLY_REFUSED : s->dials > 1 ? TALLY_LATE : TALLY_UNHARMED;
}

static void
run_call(void *arg, uint64_t n, struct tally_run *r)
{
	calls.count = 0;
	calls.at = n;
	live(arg, r);
	r->value = (int64_t)calls.count;
	r->where = calls.struck;
	if (n > 0 && calls.struck == 0)
		r->outcome = TALLY_NONE;
}

static void
run_memory(void *arg, uint64_t n, struct tally_run *r)
{
	int64_t before = memory_live();

	memory_tell(&r->where);
	memory_arm(n);
	live(arg, r);
	r->value = (int64_t)memory_disarm();
	r->where = memory_where();
	if (n > 0 && r->where == 0)
		r->outcome = TALLY_NONE;
	if (memory_live() > before) {
		r->outcome = TALLY_LEAK;
		r->value = memory_live() - before;
	}
}

/* Every n until one run has no failure. */
static bool
campaign(struct scene *s, unsigned number, const char *what,
    void (*job)(void *arg, uint64_t n, struct tally_run *run))
{
	static struct tally_run runs[USUAL];
	size_t n = 0, bad;

	do {
		tally_fork(&runs[n], job, s, n + 1, SECONDS);
	} while (runs[n++].outcome != TALLY_NONE && n < USUAL);
	bad = tally_print(runs, n);
	printf("%sok %u - one %s fails, in each of %zu runs\n", bad > 0 || n < 10 ? "not " : "", number,
	    what, n - 1);
	return bad == 0 && n >= 10;
}

int
main(void)
{
	static struct scene s;
	bool good;

	test_begin();
	event_set_mem_functions(event_malloc, event_realloc, event_free_memory);
	rng_bytes(test_rng(), message, sizeof(message));
	(void)snprintf(s.address, sizeof(s.address), "unix:%s/s", test_tmpdir());
	printf("1..2\n# part 1 socket, 2 connect, 3 accept, 4 send, 5 recv, 6 bind, 7 listen, 8 getsockopt\n");
	good = campaign(&s, 1, "socket call", run_call);
	good = campaign(&s, 2, "allocation, of ours or libevent's,", run_memory) && good;
	return good ? 0 : 1;
}

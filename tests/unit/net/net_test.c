#include "config.h"

#include "tests/unit/net/net_test.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/net/address.h"
#include "tests/lib/test.h"

#define GUARD_MS 20000

const struct conn_limits net_limits = {.in_max = 1 << 20, .out_max = 8 << 20};

struct loop *
net_loop_new(void)
{
	struct loop *l = NULL;

	assert_err_ok(loop_event_new(&l, NULL));
	return l;
}

void
net_loop_free(struct loop *l)
{
	loop_event_free(l);
}

static struct {
	struct loop *loop;
	bool hanging;
} guard;

static void
on_guard(void *arg)
{
	(void)arg;
	guard.hanging = true;
	loop_event_stop(guard.loop);
}

void
net_run(struct loop *l)
{
	struct timer *t = timer_new(l, on_guard, NULL);

	guard.loop = l;
	guard.hanging = false;
	assert_non_null(t);
	timer_after(t, GUARD_MS);
	alarm(2 * GUARD_MS / 1000); /* should the loop's own time stand still */
	loop_event_run(l);
	alarm(0);
	timer_free(t);
	if (guard.hanging)
		fail_msg("the loop was not stopped within %d ms", GUARD_MS);
}

static void
stop_loop(void *arg)
{
	loop_event_stop(arg);
}

void
net_settle(struct loop *l, int64_t ms)
{
	struct timer *t = timer_new(l, stop_loop, l);

	assert_non_null(t);
	timer_after(t, ms);
	net_run(l);
	timer_free(t);
}

void
net_wait(struct loop *l, const unsigned *count, unsigned want)
{
	for (int ms = 0; ms < GUARD_MS && *count < want; ms++)
		net_settle(l, 1);
	if (*count < want)
		fail_msg("only %u of %u within %d ms", *count, want, GUARD_MS);
}

const char *
net_unix_address(void)
{
	static char text[8][128];
	static unsigned count;
	char *out = text[count % 8];

	snprintf(out, sizeof(text[0]), "unix:%s/s%u", test_tmpdir(), count++);
	return out;
}

const char *
net_tcp_address(void)
{
	static char text[8][32];
	static unsigned count;
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char *out = text[count++ % 8];

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	close(fd);
	snprintf(out, sizeof(text[0]), "127.0.0.1:%u", (unsigned)ntohs(sin.sin_port));
	return out;
}

/* ---- an end that records ---- */

static void
act(struct net_end *e, enum net_act what)
{
	switch (what) {
	case NET_NOTHING:
		break;
	case NET_STOP:
		loop_event_stop(e->loop);
		break;
	case NET_FREE:
		conn_free(e->conn);
		e->conn = NULL;
		e->gone++;
		loop_event_stop(e->loop);
		break;
	case NET_FINISH:
		conn_finish(e->conn, GUARD_MS);
		e->conn = NULL;
		e->gone++;
		break;
	}
}

static void
end_opened(void *arg)
{
	struct net_end *e = arg;

	e->opened++;
	act(e, e->on_opened);
}

static size_t
end_data(void *arg, const uint8_t *p, size_t n)
{
	struct net_end *e = arg;
	size_t used = e->consume > 0 && e->consume < n ? e->consume : n;

	e->data++;
	if (buf_append(&e->got, p, used, SIZE_MAX) != ERR_OK)
		abort();
	if (e->echo && conn_write(e->conn, p, used) != ERR_OK)
		abort();
	if (e->got.len >= e->want)
		act(e, e->on_data);
	return used;
}

static void
end_drained(void *arg)
{
	struct net_end *e = arg;

	e->drained++;
	act(e, e->on_drained);
}

static void
end_closed(void *arg, enum err why)
{
	struct net_end *e = arg;

	e->closed++;
	e->why = why;
	act(e, e->on_closed);
}

const struct conn_events net_end_events = {
    .opened = end_opened,
    .data = end_data,
    .drained = end_drained,
    .closed = end_closed,
};

void
net_end_open(struct net_end *e, struct loop *l, const char *address)
{
	e->loop = l;
	assert_err_ok(conn_open(&e->conn, l, address, &net_limits, &net_end_events, e));
}

void
net_end_accept(void *arg, struct conn *c)
{
	struct net_end *e = arg;

	e->conn = c;
	conn_set_events(c, &net_end_events, e, &net_limits);
	e->opened++;
	act(e, e->on_opened);
}

void
net_end_release(struct net_end *e)
{
	conn_free(e->conn);
	e->conn = NULL;
	buf_release(&e->got);
}

struct listener *
net_listen(struct loop *l, const char *address, listener_cb *cb, void *arg)
{
	struct listener *s = NULL;
	struct diag d = {""};
	enum err e = listener_open(&s, l, address, cb, arg, &d);

	if (e != ERR_OK)
		fail_msg("%s", d.text);
	return s;
}

/* ---- raw sockets ---- */

static int
raw_socket(struct address *a, const char *text)
{
	int fd;

	assert_err_ok(address_parse(a, text));
	fd = socket(a->to.any.sa_family, SOCK_STREAM, 0);
	assert_true(fd >= 0);
	return fd;
}

int
net_raw_connect(const char *text)
{
	struct address a;
	int fd = raw_socket(&a, text);

	assert_int_equal(connect(fd, &a.to.any, a.len), 0);
	return fd;
}

int
net_raw_listen(const char *text)
{
	struct address a;
	int fd = raw_socket(&a, text);

	assert_int_equal(bind(fd, &a.to.any, a.len), 0);
	assert_int_equal(listen(fd, 16), 0);
	return fd;
}

bool
net_raw_read(int fd, void *p, size_t n)
{
	uint8_t *at = p;

	while (n > 0) {
		ssize_t got = read(fd, at, n);

		if (got <= 0)
			return false;
		at += got;
		n -= (size_t)got;
	}
	return true;
}

void
net_raw_write(int fd, const void *p, size_t n)
{
	assert_int_equal(send(fd, p, n, MSG_NOSIGNAL), (ssize_t)n);
}

#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/test.h"
#include "tests/unit/net/net_test.h"

#define BIG (4 << 20)

/* Two ends of one connection on one loop. */
struct pair {
	struct loop *loop;
	struct listener *listener;
	struct net_end dialer, acceptor;
};

static void
pair_listen(struct pair *p, const char *address)
{
	memset(p, 0, sizeof(*p));
	p->loop = net_loop_new();
	p->acceptor.loop = p->loop;
	p->listener = net_listen(p->loop, address, net_end_accept, &p->acceptor);
}

static void
pair_free(struct pair *p)
{
	net_end_release(&p->dialer);
	net_end_release(&p->acceptor);
	listener_free(p->listener);
	net_loop_free(p->loop);
}

/* Connect both ends and wait until they are. */
static void
pair_open(struct pair *p)
{
	const char *address = net_unix_address();

	pair_listen(p, address);
	p->acceptor.on_opened = NET_STOP;
	net_end_open(&p->dialer, p->loop, address);
	net_run(p->loop);
	net_wait(p->loop, &p->dialer.opened, 1);
	assert_int_equal(p->acceptor.opened, 1);
}

static uint8_t *
random_bytes(size_t n)
{
	uint8_t *p = malloc(n);

	assert_non_null(p);
	rng_bytes(test_rng(), p, n);
	return p;
}

/* ---- streams that work ---- */

static void
echo_over(const char *address)
{
	uint8_t *sent = random_bytes(BIG);
	struct pair p;

	pair_listen(&p, address);
	p.acceptor.echo = true;
	p.dialer.want = BIG;
	p.dialer.on_data = NET_STOP;
	net_end_open(&p.dialer, p.loop, address);
	/* Written before the stream is up, it waits. */
	assert_err_ok(conn_write(p.dialer.conn, sent, BIG));
	assert_int_equal(conn_unsent(p.dialer.conn), BIG);
	assert_int_equal(p.dialer.opened, 0);
	net_run(p.loop);
	assert_int_equal(p.dialer.opened, 1);
	assert_int_equal(p.dialer.got.len, BIG);
	assert_memory_equal(p.dialer.got.data, sent, BIG);
	assert_int_equal(conn_unsent(p.dialer.conn), 0);
	assert_int_equal(p.dialer.drained, 1);
	pair_free(&p);
	free(sent);
}

static void
test_echo_unix(void **state)
{
	(void)state;
	echo_over(net_unix_address());
}

static void
test_echo_ipv4(void **state)
{
	(void)state;
	echo_over(net_tcp_address());
}

static void
test_echo_ipv6(void **state)
{
	int fd = socket(AF_INET6, SOCK_STREAM, 0);
	char address[64];

	(void)state;
	if (fd < 0)
		return; /* a machine without IPv6 */
	close(fd);
	snprintf(address, sizeof(address), "[::1]:%s", strchr(net_tcp_address(), ':') + 1);
	echo_over(address);
}

/* What is left is given again together with more. */
static void
test_rest_is_given_again(void **state)
{
	struct pair p;

	(void)state;
	pair_open(&p);
	p.acceptor.consume = 3;
	p.acceptor.on_data = NET_STOP;
	assert_err_ok(conn_write(p.dialer.conn, "abcdefgh", 8));
	net_run(p.loop);
	net_settle(p.loop, 5);
	assert_int_equal(p.acceptor.data, 1); /* not again without more */
	assert_err_ok(conn_write(p.dialer.conn, "i", 1));
	net_run(p.loop);
	p.acceptor.consume = 0;
	assert_err_ok(conn_write(p.dialer.conn, "j", 1));
	net_run(p.loop);
	assert_int_equal(p.acceptor.data, 3);
	assert_int_equal(p.acceptor.got.len, 10);
	assert_memory_equal(p.acceptor.got.data, "abcdefghij", 10);
	pair_free(&p);
}

static size_t
decrypt_in_place(void *arg, const uint8_t *bytes, size_t n)
{
	struct pair *p = arg;
	uint8_t *own = conn_own_bytes(p->acceptor.conn, bytes + 1);

	assert_ptr_equal(own, bytes + 1);
	for (size_t i = 0; i + 1 < n; i++)
		own[i] ^= 0x20;
	assert_err_ok(buf_append(&p->acceptor.got, bytes, n, SIZE_MAX));
	loop_event_stop(p->loop);
	return n;
}

static void
ignore_closed(void *arg, enum err why)
{
	(void)arg;
	(void)why;
}

static void
test_own_bytes(void **state)
{
	static const struct conn_events events = {
	    .data = decrypt_in_place, .closed = ignore_closed};
	struct pair p;

	(void)state;
	pair_open(&p);
	conn_set_events(p.acceptor.conn, &events, &p, &net_limits);
	assert_err_ok(conn_write(p.dialer.conn, "abcd", 4));
	net_run(p.loop);
	assert_memory_equal(p.acceptor.got.data, "aBCD", 4);
	pair_free(&p);
}

/* What is written in pieces, some of it in place, leaves in order. */
static void
test_space_and_commit(void **state)
{
	struct pair p;
	uint8_t *space;

	(void)state;
	pair_open(&p);
	p.acceptor.want = 6;
	p.acceptor.on_data = NET_STOP;
	assert_err_ok(conn_write(p.dialer.conn, "ab", 2));
	assert_err_ok(conn_space(p.dialer.conn, &space, 2));
	memcpy(space, "cd", 2);
	conn_commit(p.dialer.conn, 2);
	assert_err_ok(conn_write(p.dialer.conn, "", 0));
	assert_err_ok(conn_write(p.dialer.conn, "ef", 2));
	net_run(p.loop);
	assert_memory_equal(p.acceptor.got.data, "abcdef", 6);
	assert_int_equal(p.acceptor.data, 1); /* one turn, one send */
	pair_free(&p);
}

/* ---- slow and silent peers ---- */

struct slow_reader {
	struct loop *loop;
	struct timer *timer;
	struct conn *conn;
	int fd;
	struct buf got;
	unsigned partial; /* times that only a part had left */
};

static void
read_some(void *arg)
{
	struct slow_reader *r = arg;
	uint8_t some[50000];
	ssize_t n = recv(r->fd, some, sizeof(some), MSG_DONTWAIT);

	if (n > 0)
		assert_err_ok(buf_append(&r->got, some, (size_t)n, SIZE_MAX));
	if (r->conn != NULL && conn_unsent(r->conn) > 0 && conn_unsent(r->conn) < BIG)
		r->partial++;
	if (r->got.len >= BIG)
		loop_event_stop(r->loop);
	else
		timer_after(r->timer, 0);
}

/* A reader slower than us: partial writes, nothing lost, drained once. */
static void
test_slow_peer(void **state)
{
	const char *address = net_unix_address();
	int listening = net_raw_listen(address);
	uint8_t *sent = random_bytes(BIG);
	struct slow_reader r = {.loop = net_loop_new()};
	struct net_end e = {0};

	(void)state;
	net_end_open(&e, r.loop, address);
	assert_err_ok(conn_write(e.conn, sent, BIG));
	r.fd = accept(listening, NULL, NULL);
	r.conn = e.conn;
	r.timer = timer_new(r.loop, read_some, &r);
	timer_after(r.timer, 0);
	net_run(r.loop);
	assert_true(r.partial > 0);
	assert_memory_equal(r.got.data, sent, BIG);
	assert_int_equal(e.drained, 1);
	assert_int_equal(e.closed, 0);
	net_end_release(&e);
	timer_free(r.timer);
	buf_release(&r.got);
	close(r.fd);
	close(listening);
	net_loop_free(r.loop);
	free(sent);
}

/* A peer that never reads costs us out_max and no more. */
static void
test_out_limit(void **state)
{
	static const struct conn_limits limits = {.in_max = 100, .out_max = 100000};
	const char *address = net_unix_address();
	int listening = net_raw_listen(address);
	struct loop *l = net_loop_new();
	struct net_end e = {.loop = l};
	uint8_t piece[10000] = {0};
	enum err err = ERR_OK;
	size_t before = 0;

	(void)state;
	assert_err_ok(conn_open(&e.conn, l, address, &limits, &net_end_events, &e));
	for (int i = 0; i < 1000 && err == ERR_OK; i++) {
		before = conn_unsent(e.conn);
		err = conn_write(e.conn, piece, sizeof(piece));
		net_settle(l, 0);
	}
	assert_err(err, ERR_FULL);
	assert_int_equal(conn_unsent(e.conn), before); /* nothing of it was queued */
	assert_true(before <= limits.out_max);
	assert_int_equal(e.closed, 0);
	net_end_release(&e);
	close(listening);
	net_loop_free(l);
}

static size_t
consume_nothing(void *arg, const uint8_t *bytes, size_t n)
{
	struct net_end *e = arg;

	(void)bytes;
	e->data++;
	e->got.len = n; /* only the number */
	return 0;
}

static void
note_closed(void *arg, enum err why)
{
	struct net_end *e = arg;

	e->closed++;
	e->why = why;
	loop_event_stop(e->loop);
}

static const struct conn_events deaf = {.data = consume_nothing, .closed = note_closed};

/* An owner that takes nothing, with a full buffer, is an end. */
static void
test_full_buffer_ends(void **state)
{
	static const struct conn_limits limits = {.in_max = 1000, .out_max = 10};
	uint8_t bytes[3000] = {0};
	struct pair p;

	(void)state;
	pair_open(&p);
	conn_set_events(p.acceptor.conn, &deaf, &p.acceptor, &limits);
	assert_err_ok(conn_write(p.dialer.conn, bytes, 999));
	net_settle(p.loop, 5);
	assert_int_equal(p.acceptor.closed, 0);
	assert_err_ok(conn_write(p.dialer.conn, bytes, sizeof(bytes)));
	net_run(p.loop);
	net_settle(p.loop, 5);
	assert_int_equal(p.acceptor.closed, 1);
	assert_err(p.acceptor.why, ERR_FULL);
	assert_int_equal(p.acceptor.got.len, 1000);
	assert_err(conn_write(p.acceptor.conn, "x", 1), ERR_CLOSED);
	p.acceptor.got.len = 0;
	pair_free(&p);
}

static void
test_pause(void **state)
{
	struct pair p;

	(void)state;
	pair_open(&p);
	conn_pause(p.acceptor.conn, true);
	assert_err_ok(conn_write(p.dialer.conn, "abc", 3));
	net_settle(p.loop, 10);
	assert_int_equal(p.acceptor.data, 0);
	p.acceptor.on_data = NET_STOP;
	conn_pause(p.acceptor.conn, false);
	assert_int_equal(p.acceptor.data, 0); /* not inside the call */
	net_run(p.loop);
	assert_memory_equal(p.acceptor.got.data, "abc", 3);
	pair_free(&p);
}

static size_t
consume_one_and_pause(void *arg, const uint8_t *bytes, size_t n)
{
	struct net_end *e = arg;

	(void)n;
	e->data++;
	assert_err_ok(buf_append(&e->got, bytes, 1, SIZE_MAX));
	conn_pause(e->conn, true);
	loop_event_stop(e->loop);
	return 1;
}

/* Kept bytes come again after a pause, without anything new from the peer. */
static void
test_resume_gives_kept_bytes(void **state)
{
	static const struct conn_events events = {
	    .data = consume_one_and_pause, .closed = note_closed};
	struct pair p;

	(void)state;
	pair_open(&p);
	conn_set_events(p.acceptor.conn, &events, &p.acceptor, &net_limits);
	assert_err_ok(conn_write(p.dialer.conn, "abc", 3));
	net_run(p.loop);
	for (unsigned i = 1; i < 3; i++) {
		net_settle(p.loop, 5);
		assert_int_equal(p.acceptor.data, i);
		conn_pause(p.acceptor.conn, false);
		net_run(p.loop);
	}
	assert_int_equal(p.acceptor.got.len, 3);
	assert_memory_equal(p.acceptor.got.data, "abc", 3);
	pair_free(&p);
}

/* Writer and reader that do as they like: no byte is lost, none is twice. */
struct walk {
	struct pair pair;
	struct timer *write, *resume;
	uint8_t *bytes;
	size_t sent;
	unsigned full, pauses;
};

static void
walk_write(void *arg)
{
	struct walk *w = arg;
	size_t n = rng_below(test_rng(), 60000);
	enum err e;

	if (n > BIG - w->sent)
		n = BIG - w->sent;
	e = conn_write(w->pair.dialer.conn, w->bytes + w->sent, n);
	if (e == ERR_OK)
		w->sent += n;
	else
		w->full++;
	if (w->sent < BIG)
		timer_after(w->write, 0);
}

static void
walk_resume(void *arg)
{
	struct walk *w = arg;

	conn_pause(w->pair.acceptor.conn, false);
}

static size_t
walk_read(void *arg, const uint8_t *p, size_t n)
{
	struct walk *w = arg;
	size_t used = rng_below(test_rng(), 3) == 0 ? rng_below(test_rng(), (uint32_t)n + 1) : n;

	if (buf_append(&w->pair.acceptor.got, p, used, SIZE_MAX) != ERR_OK)
		abort();
	if (used < n || rng_below(test_rng(), 4) == 0) {
		w->pauses++;
		conn_pause(w->pair.acceptor.conn, true);
		timer_after(w->resume, 0);
	}
	if (w->pair.acceptor.got.len == BIG)
		loop_event_stop(w->pair.loop);
	return used;
}

static void
test_random_walk(void **state)
{
	static const struct conn_events events = {.data = walk_read, .closed = ignore_closed};
	static const struct conn_limits narrow = {.in_max = 30000, .out_max = 200000};
	struct walk w = {.bytes = random_bytes(BIG)};

	(void)state;
	pair_open(&w.pair);
	conn_set_events(w.pair.acceptor.conn, &events, &w, &narrow);
	conn_set_events(w.pair.dialer.conn, &net_end_events, &w.pair.dialer, &narrow);
	w.write = timer_new(w.pair.loop, walk_write, &w);
	w.resume = timer_new(w.pair.loop, walk_resume, &w);
	timer_after(w.write, 0);
	net_run(w.pair.loop);
	assert_memory_equal(w.pair.acceptor.got.data, w.bytes, BIG);
	assert_true(w.full > 0 && w.pauses > 0);
	assert_int_equal(w.pair.dialer.closed, 0);
	timer_free(w.write);
	timer_free(w.resume);
	pair_free(&w.pair);
	free(w.bytes);
}

/* ---- ends ---- */

static void
refused(const char *address, enum err want)
{
	struct loop *l = net_loop_new();
	struct net_end e = {.on_closed = NET_STOP};

	net_end_open(&e, l, address);
	assert_int_equal(e.closed, 0); /* never inside conn_open */
	assert_err_ok(conn_write(e.conn, "x", 1));
	net_run(l);
	net_settle(l, 5);
	assert_int_equal(e.opened, 0);
	assert_int_equal(e.closed, 1);
	assert_err(e.why, want);
	assert_err(conn_write(e.conn, "x", 1), ERR_CLOSED);
	net_end_release(&e);
	net_loop_free(l);
}

static void
test_refused(void **state)
{
	const char *stale = net_unix_address();

	(void)state;
	refused(net_unix_address(), ERR_NOT_FOUND); /* no such path */
	refused(net_tcp_address(), ERR_NOT_FOUND);
	close(net_raw_listen(stale));
	refused(stale, ERR_NOT_FOUND);
}

static void
test_malformed_address(void **state)
{
	static const struct conn_limits none = {0, 0};
	struct loop *l = net_loop_new();
	struct net_end e = {0};

	(void)state;
	assert_err(
	    conn_open(&e.conn, l, "localhost:1", &net_limits, &net_end_events, &e), ERR_USAGE);
	assert_err(conn_open(&e.conn, l, "127.0.0.1:1", &none, &net_end_events, &e), ERR_USAGE);
	assert_null(e.conn);
	net_loop_free(l);
}

static void
test_peer_closes(void **state)
{
	struct pair p;

	(void)state;
	pair_open(&p);
	assert_err_ok(conn_write(p.dialer.conn, "last", 4));
	net_wait(p.loop, &p.acceptor.data, 1);
	conn_free(p.dialer.conn);
	p.dialer.conn = NULL;
	p.acceptor.on_closed = NET_STOP;
	net_run(p.loop);
	net_settle(p.loop, 5);
	assert_int_equal(p.acceptor.closed, 1);
	assert_err(p.acceptor.why, ERR_CLOSED);
	assert_memory_equal(p.acceptor.got.data, "last", 4);
	pair_free(&p);
}

static void
test_peer_resets(void **state)
{
	const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
	const char *address = net_tcp_address();
	struct pair p;
	int fd;

	(void)state;
	pair_listen(&p, address);
	p.acceptor.on_opened = NET_STOP;
	p.acceptor.on_closed = NET_STOP;
	fd = net_raw_connect(address);
	net_run(p.loop);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
	close(fd);
	net_run(p.loop);
	assert_int_equal(p.acceptor.closed, 1);
	assert_err(p.acceptor.why, ERR_CLOSED);
	pair_free(&p);
}

/* The peer says why and goes, and we find out by a failing write: why comes first. */
static void
test_last_words(void **state)
{
	const char *address = net_unix_address();
	struct pair p;
	int fd;

	(void)state;
	pair_listen(&p, address);
	p.acceptor.on_opened = NET_STOP;
	fd = net_raw_connect(address);
	net_run(p.loop);
	net_raw_write(fd, "because", 7);
	close(fd);
	/* The write fails in this turn, before the socket is looked at. */
	assert_err_ok(conn_write(p.acceptor.conn, "hello", 5));
	p.acceptor.on_closed = NET_STOP;
	net_run(p.loop);
	assert_int_equal(p.acceptor.closed, 1);
	assert_err(p.acceptor.why, ERR_CLOSED);
	assert_int_equal(p.acceptor.got.len, 7);
	assert_memory_equal(p.acceptor.got.data, "because", 7);
	pair_free(&p);
}

/* conn_free and conn_finish inside every callback. */
static void
free_in_callbacks(enum net_act what)
{
	for (int at = 0; at < 4; at++) {
		struct pair p;
		const char *address = net_unix_address();

		pair_listen(&p, address);
		p.acceptor.echo = true;
		p.dialer.on_opened = at == 0 ? what : NET_NOTHING;
		p.dialer.on_data = at == 1 ? what : NET_NOTHING;
		p.dialer.on_drained = at == 2 ? what : NET_NOTHING;
		p.dialer.on_closed = at == 3 ? what : NET_NOTHING;
		if (at == 3) {
			p.acceptor.echo = false;
			p.acceptor.on_data = NET_FINISH;
		}
		net_end_open(&p.dialer, p.loop, address);
		assert_err_ok(conn_write(p.dialer.conn, "abc", 3));
		net_wait(p.loop, &p.dialer.gone, 1);
		net_settle(p.loop, 2);
		assert_int_equal(p.dialer.closed, at == 3 ? 1 : 0);
		pair_free(&p);
	}
}

static void
test_free_in_callbacks(void **state)
{
	(void)state;
	free_in_callbacks(NET_FREE);
}

static void
test_finish_in_callbacks(void **state)
{
	(void)state;
	free_in_callbacks(NET_FINISH);
}

/* Freed with a kick pending, or while connecting: nothing comes later. */
static void
test_free_outside(void **state)
{
	struct pair p;

	(void)state;
	pair_open(&p);
	assert_err_ok(conn_write(p.dialer.conn, "abc", 3));
	net_end_release(&p.dialer);
	memset(&p.dialer, 0, sizeof(p.dialer));
	net_end_open(&p.dialer, p.loop, net_unix_address());
	net_end_release(&p.dialer);
	net_settle(p.loop, 5);
	assert_int_equal(p.dialer.closed, 0);
	assert_int_equal(p.acceptor.data, 0);
	pair_free(&p);
}

/* conn_finish: everything arrives, then the end; we hear no more. */
static void
test_finish_delivers(void **state)
{
	uint8_t *sent = random_bytes(BIG);
	struct pair p;

	(void)state;
	pair_open(&p);
	p.acceptor.want = BIG;
	p.acceptor.on_closed = NET_FREE;
	assert_err_ok(conn_write(p.acceptor.conn, "never heard", 11));
	assert_err_ok(conn_write(p.dialer.conn, sent, BIG));
	conn_finish(p.dialer.conn, 10000);
	p.dialer.conn = NULL;
	net_run(p.loop);
	assert_int_equal(p.acceptor.got.len, BIG);
	assert_memory_equal(p.acceptor.got.data, sent, BIG);
	assert_err(p.acceptor.why, ERR_CLOSED);
	net_settle(p.loop, 5);
	assert_int_equal(p.dialer.data, 0);
	assert_int_equal(p.dialer.closed, 0);
	pair_free(&p);
	free(sent);
}

/* The peer half-closed before we were done: it still gets the rest. */
static void
test_finish_after_half_close(void **state)
{
	const char *address = net_unix_address();
	uint8_t *sent = random_bytes(BIG);
	struct slow_reader r = {.loop = net_loop_new()};
	int listening = net_raw_listen(address);
	struct net_end e = {0};
	char last;

	(void)state;
	net_end_open(&e, r.loop, address);
	assert_err_ok(conn_write(e.conn, sent, BIG));
	conn_finish(e.conn, 10000);
	r.fd = accept(listening, NULL, NULL);
	assert_int_equal(shutdown(r.fd, SHUT_WR), 0);
	r.timer = timer_new(r.loop, read_some, &r);
	timer_after(r.timer, 0);
	net_run(r.loop);
	assert_memory_equal(r.got.data, sent, BIG);
	assert_int_equal(recv(r.fd, &last, 1, 0), 0); /* and the end */
	timer_free(r.timer);
	buf_release(&r.got);
	close(r.fd);
	close(listening);
	net_loop_free(r.loop);
	free(sent);
}

/* A peer that does not read holds a finished connection for linger_ms only. */
static void
test_linger_is_bounded(void **state)
{
	const char *address = net_unix_address();
	int listening = net_raw_listen(address);
	uint8_t *bytes = random_bytes(BIG);
	struct loop *l = net_loop_new();
	struct net_end e = {0};
	size_t got = 0;
	ssize_t n;
	int fd;

	(void)state;
	net_end_open(&e, l, address);
	assert_err_ok(conn_write(e.conn, bytes, BIG));
	fd = accept(listening, NULL, NULL);
	conn_finish(e.conn, 10);
	net_settle(l, 50);
	while ((n = recv(fd, bytes, BIG, 0)) > 0)
		got += (size_t)n;
	assert_int_equal(n, 0); /* closed, though not all had left */
	assert_true(got < BIG);
	close(fd);
	close(listening);
	net_loop_free(l);
	free(bytes);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_echo_unix),
    cmocka_unit_test(test_echo_ipv4),
    cmocka_unit_test(test_echo_ipv6),
    cmocka_unit_test(test_rest_is_given_again),
    cmocka_unit_test(test_own_bytes),
    cmocka_unit_test(test_space_and_commit),
    cmocka_unit_test(test_slow_peer),
    cmocka_unit_test(test_out_limit),
    cmocka_unit_test(test_full_buffer_ends),
    cmocka_unit_test(test_pause),
    cmocka_unit_test(test_resume_gives_kept_bytes),
    cmocka_unit_test(test_random_walk),
    cmocka_unit_test(test_refused),
    cmocka_unit_test(test_malformed_address),
    cmocka_unit_test(test_peer_closes),
    cmocka_unit_test(test_peer_resets),
    cmocka_unit_test(test_last_words),
    cmocka_unit_test(test_free_in_callbacks),
    cmocka_unit_test(test_finish_in_callbacks),
    cmocka_unit_test(test_free_outside),
    cmocka_unit_test(test_finish_delivers),
    cmocka_unit_test(test_finish_after_half_close),
    cmocka_unit_test(test_linger_is_bounded),
};

TEST_MAIN(tests)

#include "config.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/net/address.h"
#include "common/net/loop_event.h"
#include "evaluation/world.h"
#include "mix/desk.h"
#include "tests/lib/test.h"

#define START_MS INT64_C(1900000000000)
#define PLACE "unix:/run/desk"

/* ---- a desk in virtual time, and visitors that speak bytes ---- */

struct visitor {
	struct conn *conn;
	struct buf got;
	bool closed;
};

struct scene {
	struct world *world;
	struct world_host *host;
	struct desk *desk;
	unsigned ran;
	struct buf payload; /* of the last call */
	struct desk_call *held;
};

static size_t
visitor_data(void *arg, const uint8_t *p, size_t n)
{
	struct visitor *v = arg;

	assert_err_ok(buf_append(&v->got, p, n, 4u << 20));
	return n;
}

static void
visitor_closed(void *arg, enum err why)
{
	struct visitor *v = arg;

	(void)why;
	conn_free(v->conn);
	v->conn = NULL;
	v->closed = true;
}

static void
settle(struct scene *s)
{
	assert_err_ok(world_run_for(s->world, 100));
}

static void
visitor_come(struct scene *s, struct visitor *v)
{
	static const struct conn_events events = { .data = visitor_data,
		.closed = visitor_closed };
	static const struct conn_limits limits = { .in_max = 4u << 20, .out_max = 4u << 20 };

	memset(v, 0, sizeof(*v));
	assert_err_ok(conn_open(&v->conn, world_loop(s->host), PLACE, &limits, &events, v));
	settle(s);
}

static void
visitor_go(struct visitor *v)
{
	conn_free(v->conn);
	v->conn = NULL;
	buf_release(&v->got);
}

static void
visitor_say(struct scene *s, struct visitor *v, const void *p, size_t n)
{
	assert_err_ok(conn_write(v->conn, p, n));
	settle(s);
}

static void
visitor_ask(struct scene *s, struct visitor *v, const char *verb, const void *payload, size_t n)
{
	struct buf b;

	buf_init(&b);
	assert_err_ok(deskwire_put_request(&b, verb, payload, n));
	visitor_say(s, v, b.data, b.len);
	buf_release(&b);
}

/* The whole answer came, with this code and text. */
static void
check_answer(const struct visitor *v, enum err code, const char *text)
{
	enum err got = ERR_OK;
	size_t n = 0;

	assert_true(v->got.len >= DESKWIRE_ANSWER_HEAD);
	assert_err_ok(deskwire_head(&got, &n, v->got.data));
	assert_err(got, code);
	assert_int_equal(v->got.len, DESKWIRE_ANSWER_HEAD + n);
	assert_int_equal(n, strlen(text));
	assert_memory_equal(v->got.data + DESKWIRE_ANSWER_HEAD, text, n);
}

static void
run_echo(void *arg, struct desk_call *call, const uint8_t *payload, size_t n)
{
	struct scene *s = arg;

	s->ran++;
	desk_answer(call, ERR_OK, payload, n);
}

static void
run_refuse(void *arg, struct desk_call *call, const uint8_t *payload, size_t n)
{
	struct diag d;

	(void)payload;
	(void)n;
	((struct scene *)arg)->ran++;
	(void)diag_set(&d, ERR_EXISTS, "there is one already");
	desk_refuse(call, ERR_EXISTS, &d);
}

static void
run_hold(void *arg, struct desk_call *call, const uint8_t *payload, size_t n)
{
	struct scene *s = arg;

	(void)payload;
	(void)n;
	s->ran++;
	s->held = call;
}

static void
run_long(void *arg, struct desk_call *call, const uint8_t *payload, size_t n)
{
	char *text = calloc(1, DESK_TEXT_MAX + 1);

	(void)arg;
	(void)n;
	assert_non_null(text);
	desk_answer(call, ERR_OK, text, DESK_TEXT_MAX + (payload[0] == '+'));
	free(text);
}

static void
scene_begin(struct scene *s)
{
	const struct world_config cfg = { .seed = test_seed(), .wall_ms = START_MS };

	memset(s, 0, sizeof(*s));
	assert_err_ok(world_new(&s->world, &cfg));
	assert_err_ok(world_host_new(&s->host, s->world));
	assert_err_ok(desk_open(&s->desk, world_loop(s->host), PLACE, NULL));
	assert_err_ok(desk_serve(s->desk, "echo", run_echo, s));
	assert_err_ok(desk_serve(s->desk, "refuse", run_refuse, s));
	assert_err_ok(desk_serve(s->desk, "hold", run_hold, s));
	assert_err_ok(desk_serve(s->desk, "long", run_long, s));
}

static void
scene_end(struct scene *s)
{
	desk_free(s->desk);
	world_free(s->world);
}

/* ---- asking and answering ---- */

static void
test_answers(void **state)
{
	struct scene s;
	struct visitor v;

	(void)state;
	scene_begin(&s);
	visitor_come(&s, &v);
	visitor_ask(&s, &v, "echo", "hello", 5);
	check_answer(&v, ERR_OK, "hello");
	visitor_go(&v);
	visitor_come(&s, &v);
	visitor_ask(&s, &v, "echo", NULL, 0);
	check_answer(&v, ERR_OK, "");
	visitor_go(&v);
	visitor_come(&s, &v);
	visitor_ask(&s, &v, "refuse", NULL, 0);
	check_answer(&v, ERR_EXISTS, "there is one already");
	visitor_go(&v);
	assert_int_equal(s.ran, 3);
	scene_end(&s);
}

static void
test_unknown_verb(void **state)
{
	struct scene s;
	struct visitor v;

	(void)state;
	scene_begin(&s);
	visitor_come(&s, &v);
	visitor_ask(&s, &v, "ech", NULL, 0);
	assert_int_equal((int32_t)load_u32(v.got.data), ERR_VERSION);
	assert_int_equal(s.ran, 0);
	visitor_go(&v);
	assert_err(desk_serve(s.desk, "echo", run_echo, &s), ERR_EXISTS);
	assert_err(desk_serve(s.desk, "", run_echo, &s), ERR_USAGE);
	assert_err(desk_serve(s.desk, "a verb that is longer than thirty-two bytes", run_echo, &s),
	    ERR_USAGE);
	scene_end(&s);
}

/* The answer may come long after the question, and after the one who asked has gone. */
static void
test_answer_later(void **state)
{
	struct scene s;
	struct visitor v;

	(void)state;
	scene_begin(&s);
	visitor_come(&s, &v);
	visitor_ask(&s, &v, "hold", NULL, 0);
	assert_err_ok(world_run_for(s.world, 5 * DESK_PATIENCE_MS));
	assert_false(v.closed);
	assert_non_null(s.held);
	desk_answer(s.held, ERR_OK, "at last", 7);
	settle(&s);
	check_answer(&v, ERR_OK, "at last");
	visitor_go(&v);

	visitor_come(&s, &v);
	visitor_ask(&s, &v, "hold", NULL, 0);
	visitor_go(&v);
	settle(&s);
	desk_answer(s.held, ERR_OK, "to nobody", 9);
	settle(&s);

	visitor_come(&s, &v); /* one that waits when the daemon ends */
	visitor_ask(&s, &v, "hold", NULL, 0);
	desk_free(s.desk);
	s.desk = NULL;
	settle(&s);
	assert_true(v.closed);
	visitor_go(&v);
	scene_end(&s);
}

static void
test_long_answer(void **state)
{
	struct scene s;
	struct visitor v;

	(void)state;
	scene_begin(&s);
	visitor_come(&s, &v);
	visitor_ask(&s, &v, "long", "=", 1);
	assert_int_equal(v.got.len, DESKWIRE_ANSWER_HEAD + DESK_TEXT_MAX);
	visitor_go(&v);
	visitor_come(&s, &v);
	visitor_ask(&s, &v, "long", "+", 1);
	check_answer(&v, ERR_FULL, "the answer is too long for the desk");
	visitor_go(&v);
	scene_end(&s);
}

/* ---- visitors that do not behave ---- */

/* A request cut at every byte gets no answer, and the place is free again in time. */
static void
test_truncated(void **state)
{
	struct scene s;
	struct visitor v;
	struct buf b;

	(void)state;
	scene_begin(&s);
	buf_init(&b);
	assert_err_ok(deskwire_put_request(&b, "echo", "hello", 5));
	for (size_t n = 0; n < b.len; n++) {
		visitor_come(&s, &v);
		if (n > 0)
			visitor_say(&s, &v, b.data, n);
		assert_err_ok(world_run_for(s.world, DESK_PATIENCE_MS - 1000));
		assert_false(v.closed);
		assert_err_ok(world_run_for(s.world, 1000));
		assert_true(v.closed);
		assert_int_equal(v.got.len, 0);
		visitor_go(&v);
	}
	assert_int_equal(s.ran, 0);
	buf_release(&b);
	scene_end(&s);
}

/* Byte after byte is as good as at once. */
static void
test_bytewise(void **state)
{
	struct scene s;
	struct visitor v;
	struct buf b;

	(void)state;
	scene_begin(&s);
	buf_init(&b);
	assert_err_ok(deskwire_put_request(&b, "echo", "hello", 5));
	visitor_come(&s, &v);
	for (size_t n = 0; n < b.len; n++)
		visitor_say(&s, &v, b.data + n, 1);
	check_answer(&v, ERR_OK, "hello");
	visitor_go(&v);
	buf_release(&b);
	scene_end(&s);
}

static void
test_garbage(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
		enum err e;
	} cases[] = {
		{ "\0", 1, ERR_MALFORMED },
		{ "\x21", 1, ERR_RANGE },
		{ "\xff" "GET / HTTP/1.1\r\n", 17, ERR_RANGE },
		{ "\x04" "ec\no\0\0\0\0", 9, ERR_MALFORMED },
		{ "\x04" "echo\x01\x00\x10\x00", 9, ERR_RANGE },
		{ "\x04" "echo\xff\xff\xff\xff", 9, ERR_RANGE },
		{ "\x04" "echo\0\0\0\0x", 10, ERR_TRAILING },
	};
	struct scene s;
	struct visitor v;

	(void)state;
	scene_begin(&s);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		visitor_come(&s, &v);
		visitor_say(&s, &v, cases[i].bytes, cases[i].n);
		check_answer(&v, cases[i].e, err_text(cases[i].e));
		visitor_say(&s, &v, "and more of it", 14);
		visitor_go(&v);
	}
	assert_int_equal(s.ran, 0);
	scene_end(&s);
}

static void
test_largest(void **state)
{
	struct scene s;
	struct visitor v;
	uint8_t *payload = calloc(1, DESK_PAYLOAD_MAX);

	(void)state;
	assert_non_null(payload);
	scene_begin(&s);
	visitor_come(&s, &v);
	visitor_ask(&s, &v, "echo", payload, DESK_PAYLOAD_MAX);
	assert_int_equal(s.ran, 1);
	assert_int_equal(v.got.len, DESKWIRE_ANSWER_HEAD + DESK_PAYLOAD_MAX);
	visitor_go(&v);
	free(payload);
	scene_end(&s);
}

/* One that has its answer and stays is put out; so many at a time, and places come back. */
static void
test_many_visitors(void **state)
{
	struct scene s;
	struct visitor v[DESK_VISITORS_MAX], late;

	(void)state;
	scene_begin(&s);
	for (size_t i = 0; i < DESK_VISITORS_MAX; i++) {
		visitor_come(&s, &v[i]);
		if (i % 2 == 0)
			visitor_ask(&s, &v[i], "echo", "x", 1);
	}
	visitor_come(&s, &late);
	assert_true(late.closed);
	assert_int_equal(late.got.len, 0);
	visitor_go(&late);
	assert_err_ok(world_run_for(s.world, DESK_PATIENCE_MS + 1000));
	for (size_t i = 0; i < DESK_VISITORS_MAX; i++) {
		assert_true(v[i].closed);
		visitor_go(&v[i]);
	}
	visitor_come(&s, &late);
	visitor_ask(&s, &late, "echo", "x", 1);
	check_answer(&late, ERR_OK, "x");
	visitor_go(&late);
	scene_end(&s);
}

/* ---- the command's side: real sockets ---- */

struct daemon_thread {
	pthread_t thread;
	struct loop *loop;
	struct desk *desk;
	char address[128];
};

static void
run_stop(void *arg, struct desk_call *call, const uint8_t *payload, size_t n)
{
	struct daemon_thread *t = arg;

	(void)call; /* never answered */
	(void)payload;
	(void)n;
	loop_event_stop(t->loop);
}

static void *
daemon_main(void *arg)
{
	loop_event_run(((struct daemon_thread *)arg)->loop);
	return NULL;
}

static void
daemon_begin(struct daemon_thread *t, struct scene *s, const char *name)
{
	struct diag d = { "" };

	memset(s, 0, sizeof(*s));
	(void)snprintf(t->address, sizeof(t->address), "unix:%s/%s", test_tmpdir(), name);
	assert_err_ok(loop_event_new(&t->loop, NULL));
	assert_err_ok(desk_open(&t->desk, t->loop, t->address, &d));
	assert_err_ok(desk_serve(t->desk, "echo", run_echo, s));
	assert_err_ok(desk_serve(t->desk, "refuse", run_refuse, s));
	assert_err_ok(desk_serve(t->desk, "stop", run_stop, t));
	assert_int_equal(pthread_create(&t->thread, NULL, daemon_main, t), 0);
}

static void
daemon_end(struct daemon_thread *t)
{
	desk_free(t->desk);
	loop_event_free(t->loop);
}

static void
test_ask(void **state)
{
	struct daemon_thread t;
	struct scene s;
	struct buf out;
	struct diag d = { "" };
	struct stat st;
	uint8_t *payload = calloc(1, DESK_PAYLOAD_MAX + 1);

	(void)state;
	assert_non_null(payload);
	daemon_begin(&t, &s, "desk");
	assert_int_equal(stat(t.address + 5, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	buf_init(&out);
	assert_err_ok(buf_append(&out, "<", 1, 16));
	assert_err_ok(desk_ask(&out, t.address, "echo", "hello", 5, 10000, &d));
	assert_int_equal(out.len, 6);
	assert_memory_equal(out.data, "<hello", 6);
	assert_err_ok(desk_ask(&out, t.address, "echo", payload, DESK_PAYLOAD_MAX, 10000, &d));
	assert_int_equal(out.len, 6 + DESK_PAYLOAD_MAX);
	assert_err(desk_ask(&out, t.address, "echo", payload, DESK_PAYLOAD_MAX + 1, 10000, &d),
	    ERR_USAGE);
	assert_err(desk_ask(&out, t.address, "refuse", NULL, 0, 10000, &d), ERR_EXISTS);
	assert_string_equal(d.text, "there is one already");
	assert_err(desk_ask(&out, t.address, "nonsense", NULL, 0, 10000, &d), ERR_VERSION);
	assert_contains(d.text, "nonsense");
	/* the loop stands still: a daemon that hangs */
	assert_err(desk_ask(&out, t.address, "stop", NULL, 0, 50, &d), ERR_TIMEOUT);
	assert_int_equal(pthread_join(t.thread, NULL), 0);
	assert_err(desk_ask(&out, t.address, "echo", NULL, 0, 50, &d), ERR_TIMEOUT);
	daemon_end(&t);
	assert_err(desk_ask(&out, t.address, "echo", NULL, 0, 50, &d), ERR_NOT_FOUND);
	assert_contains(d.text, "no daemon listens");
	assert_int_equal(out.len, 6 + DESK_PAYLOAD_MAX);
	buf_release(&out);
	free(payload);
}

/* Something that is no daemon of ours: each answer cut, and a wrong one. */
static void
test_ask_stranger(void **state)
{
	static const uint8_t answer[] = { 0xfa, 0xff, 0xff, 0xff, 3, 0, 0, 0, 'a', 27, 'c' };
	static const uint8_t bad_code[] = { 1, 0, 0, 0, 0, 0, 0, 0 };
	static const uint8_t bad_length[] = { 0, 0, 0, 0, 1, 0, 16, 0 };
	char address[128];
	struct address a;
	struct diag d = { "" };
	struct buf out;
	int fd;

	(void)state;
	(void)snprintf(address, sizeof(address), "unix:%s/stranger", test_tmpdir());
	assert_err_ok(address_parse(&a, address));
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, &a.to.any, a.len), 0);
	assert_int_equal(listen(fd, 64), 0);
	buf_init(&out);
	for (size_t n = 0; n < sizeof(answer) + 3; n++) {
		const uint8_t *p = n <= sizeof(answer) ? answer
		    : n == sizeof(answer) + 1	       ? bad_code
						       : bad_length;
		size_t len = n <= sizeof(answer) ? n : 8;
		enum err want = n < sizeof(answer) ? ERR_CLOSED
		    : n == sizeof(answer)	   ? ERR_EXISTS
						   : ERR_MALFORMED;
		pid_t child = fork();

		assert_true(child >= 0);
		if (child == 0) {
			char request[64];
			int c = accept(fd, NULL, NULL);
			if (read(c, request, sizeof(request)) > 0 &&
			    (len == 0 || write(c, p, len) == (ssize_t)len))
				(void)close(c);
			_exit(0);
		}
		if (want == ERR_EXISTS)
			want = (enum err)-6; /* the code in `answer` */
		assert_err(desk_ask(&out, address, "echo", NULL, 0, 10000, &d), want);
		if (n == sizeof(answer))
			assert_string_equal(d.text, "a c");
		assert_int_equal(out.len, 0);
	}
	buf_release(&out);
	(void)close(fd);
}

static void
test_addresses(void **state)
{
	struct scene s;
	struct desk *k;
	struct diag d = { "" };
	struct buf out;

	(void)state;
	scene_begin(&s);
	assert_err(desk_open(&k, world_loop(s.host), "127.0.0.1:7000", &d), ERR_USAGE);
	assert_contains(d.text, "unix:");
	assert_err(desk_open(&k, world_loop(s.host), PLACE, &d), ERR_BUSY);
	buf_init(&out);
	assert_err(desk_ask(&out, "127.0.0.1:7000", "echo", NULL, 0, 50, &d), ERR_USAGE);
	assert_err(desk_ask(&out, "unix:relative", "echo", NULL, 0, 50, &d), ERR_USAGE);
	buf_release(&out);
	scene_end(&s);
}

/* What is put parses to the same. */
static void
test_request_round_trip(void **state)
{
	struct deskwire_request q;
	uint8_t payload[300];
	char verb[DESK_VERB_MAX + 1];
	struct buf b;

	(void)state;
	for (int run = 0; run < 200; run++) {
		size_t n = rng_below(test_rng(), sizeof(payload));
		size_t len = 1 + rng_below(test_rng(), DESK_VERB_MAX);

		rng_bytes(test_rng(), payload, n);
		for (size_t i = 0; i < len; i++)
			verb[i] = (char)(0x20 + rng_below(test_rng(), 0x5f));
		verb[len] = '\0';
		buf_init(&b);
		assert_err_ok(deskwire_put_request(&b, verb, payload, n));
		assert_err_ok(deskwire_request(&q, b.data, b.len));
		assert_string_equal(q.verb, verb);
		assert_int_equal(q.n, n);
		assert_memory_equal(q.payload, payload, n);
		buf_release(&b);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_answers),
	cmocka_unit_test(test_unknown_verb),
	cmocka_unit_test(test_answer_later),
	cmocka_unit_test(test_long_answer),
	cmocka_unit_test(test_truncated),
	cmocka_unit_test(test_bytewise),
	cmocka_unit_test(test_garbage),
	cmocka_unit_test(test_largest),
	cmocka_unit_test(test_many_visitors),
	cmocka_unit_test(test_ask),
	cmocka_unit_test(test_ask_stranger),
	cmocka_unit_test(test_addresses),
	cmocka_unit_test(test_request_round_trip),
};
TEST_MAIN(tests)

#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/crypto/hash.h"
#include "evaluation/world.h"
#include "tests/lib/test.h"

#define START_MS INT64_C(1900000000000)
#define PLACE "127.0.0.1:7000"

/* ---- what most tests need: a world with two hosts, and two ends of a connection ---- */

struct end {
	struct world *world;
	struct conn *conn;
	uint8_t *got; /* all bytes that came */
	size_t got_len, drained;
	int64_t got_ms; /* when the last came */
	bool opened, closed;
	enum err why;
	int64_t closed_ms;
	bool echo, free_on_data, refuse_all;
};

struct scene {
	struct world *world;
	struct world_host *a, *b;
	struct listener *listener;
	struct end client, server;
};

static const struct conn_limits limits = {.in_max = 1 << 20, .out_max = 1 << 21};

static void
on_opened(void *arg)
{
	struct end *e = arg;

	assert_false(e->opened);
	e->opened = true;
}

static size_t
on_data(void *arg, const uint8_t *p, size_t n)
{
	struct end *e = arg;

	if (e->free_on_data) {
		conn_free(e->conn);
		e->conn = NULL;
		return n;
	}
	e->got = realloc(e->got, e->got_len + n);
	assert_non_null(e->got);
	memcpy(e->got + e->got_len, p, n);
	e->got_len += n;
	e->got_ms = world_now_ms(e->world);
	if (e->echo)
		assert_err_ok(conn_write(e->conn, p, n));
	return n;
}

static void
on_drained(void *arg)
{
	((struct end *)arg)->drained++;
}

static void
on_closed(void *arg, enum err why)
{
	struct end *e = arg;

	assert_false(e->closed);
	e->closed = true;
	e->why = why;
	e->closed_ms = world_now_ms(e->world);
}

static const struct conn_events events = {
    .opened = on_opened, .data = on_data, .drained = on_drained, .closed = on_closed};

static void
on_accept(void *arg, struct conn *c)
{
	struct end *e = arg;

	if (e->refuse_all)
		return;
	e->conn = c;
	e->opened = true;
	conn_set_events(c, &events, e, &limits);
}

static void
scene_make(struct scene *s, const struct world_config *cfg)
{
	memset(s, 0, sizeof(*s));
	assert_err_ok(world_new(&s->world, cfg));
	assert_err_ok(world_host_new(&s->a, s->world));
	assert_err_ok(world_host_new(&s->b, s->world));
	s->client.world = s->world;
	s->server.world = s->world;
	assert_err_ok(
	    listener_open(&s->listener, world_loop(s->b), PLACE, on_accept, &s->server, NULL));
}

static void
scene_dial(struct scene *s)
{
	assert_err_ok(
	    conn_open(&s->client.conn, world_loop(s->a), PLACE, &limits, &events, &s->client));
}

static void
end_free(struct end *e)
{
	conn_free(e->conn);
	free(e->got);
}

static void
scene_free(struct scene *s)
{
	end_free(&s->client);
	end_free(&s->server);
	listener_free(s->listener);
	world_free(s->world);
}

static const struct world_config plain = {
    .seed = 1,
    .wall_ms = START_MS,
    .out = {.delay_us = 10000},
    .in = {.delay_us = 5000},
};

static void
run_for(struct scene *s, int64_t ms)
{
	assert_err_ok(world_run_for(s->world, ms));
}

/* ---- connections ---- */

static void
test_bytes_arrive_after_the_delay(void **state)
{
	struct scene s;

	(void)state;
	scene_make(&s, &plain);
	scene_dial(&s);
	assert_false(s.client.opened);
	run_for(&s, 100);
	assert_true(s.client.opened);
	assert_true(s.server.opened);
	assert_err_ok(conn_write(s.client.conn, "hello", 5));
	assert_err_ok(conn_write(s.client.conn, " there", 6));
	run_for(&s, 14);
	assert_int_equal(s.server.got_len, 0);
	run_for(&s, 1);
	assert_int_equal(s.server.got_len, 11);
	assert_memory_equal(s.server.got, "hello there", 11);
	assert_int_equal(s.client.drained, 1);
	scene_free(&s);
}

static void
test_what_was_sent_arrives_before_the_end(void **state)
{
	struct scene s;

	(void)state;
	scene_make(&s, &plain);
	scene_dial(&s);
	run_for(&s, 100);
	assert_err_ok(conn_write(s.client.conn, "last words", 10));
	conn_finish(s.client.conn, 1000);
	s.client.conn = NULL;
	run_for(&s, 100);
	assert_int_equal(s.server.got_len, 10);
	assert_true(s.server.closed);
	assert_err(s.server.why, ERR_CLOSED);
	scene_free(&s);
}

static void
test_large_amounts_wait_for_a_paused_reader(void **state)
{
	struct scene s;
	size_t n = (size_t)1 << 20;
	uint8_t *bytes = malloc(n);

	(void)state;
	assert_non_null(bytes);
	rng_bytes(test_rng(), bytes, n);
	scene_make(&s, &plain);
	scene_dial(&s);
	run_for(&s, 100);
	conn_pause(s.server.conn, true);
	assert_err_ok(conn_write(s.client.conn, bytes, n));
	run_for(&s, 5000);
	assert_int_equal(s.server.got_len, 0);
	assert_true(conn_unsent(s.client.conn) > n / 2);
	conn_pause(s.server.conn, false);
	run_for(&s, 5000);
	assert_int_equal(s.server.got_len, n);
	assert_memory_equal(s.server.got, bytes, n);
	assert_int_equal(conn_unsent(s.client.conn), 0);
	free(bytes);
	scene_free(&s);
}

static void
test_bandwidth_holds_back(void **state)
{
	static const struct world_line slow = {.bytes_per_s = 10000};
	static const struct world_line fast = {0};
	static const uint8_t bytes[20000];
	struct scene s;

	(void)state;
	scene_make(&s, &plain);
	world_set_lines(s.a, &slow, &fast);
	world_set_lines(s.b, &fast, &fast);
	scene_dial(&s);
	run_for(&s, 100);
	assert_err_ok(conn_write(s.client.conn, bytes, sizeof(bytes)));
	run_for(&s, 1999);
	assert_int_equal(s.server.got_len, 0);
	run_for(&s, 2);
	assert_int_equal(s.server.got_len, sizeof(bytes));
	scene_free(&s);
}

static void
test_nobody_listens(void **state)
{
	struct scene s;

	(void)state;
	scene_make(&s, &plain);
	listener_free(s.listener);
	s.listener = NULL;
	scene_dial(&s);
	run_for(&s, 1000);
	assert_true(s.client.closed);
	assert_err(s.client.why, ERR_NOT_FOUND);
	scene_free(&s);
}

static void
test_a_host_refuses(void **state)
{
	struct scene s;

	(void)state;
	scene_make(&s, &plain);
	world_refuse(s.b, true);
	scene_dial(&s);
	run_for(&s, 1000);
	assert_true(s.client.closed);
	assert_err(s.client.why, ERR_NOT_FOUND);
	scene_free(&s);
}

static void
test_an_unadopted_connection_closes(void **state)
{
	struct scene s;

	(void)state;
	scene_make(&s, &plain);
	s.server.refuse_all = true;
	scene_dial(&s);
	run_for(&s, 1000);
	assert_true(s.client.opened);
	assert_true(s.client.closed);
	assert_err(s.client.why, ERR_CLOSED);
	scene_free(&s);
}

static void
test_an_address_is_taken_once(void **state)
{
	struct listener *other;
	struct diag d;
	struct scene s;

	(void)state;
	scene_make(&s, &plain);
	assert_err(listener_open(&other, world_loop(s.a), PLACE, on_accept, NULL, &d), ERR_BUSY);
	assert_contains(d.text, PLACE);
	scene_free(&s);
}

static void
test_freed_inside_its_callback(void **state)
{
	struct scene s;

	(void)state;
	scene_make(&s, &plain);
	s.server.free_on_data = true;
	scene_dial(&s);
	run_for(&s, 100);
	assert_err_ok(conn_write(s.client.conn, "x", 1));
	run_for(&s, 100);
	assert_true(s.client.closed);
	assert_null(s.server.conn);
	scene_free(&s);
}

static void
test_connections_break(void **state)
{
	struct scene s;

	(void)state;
	scene_make(&s, &plain);
	scene_dial(&s);
	run_for(&s, 100);
	assert_err_ok(conn_write(s.client.conn, "lost", 4));
	world_break(s.a, s.b);
	run_for(&s, 100);
	assert_true(s.client.closed && s.server.closed);
	assert_int_equal(s.server.got_len, 0);
	scene_free(&s);
}

static void
test_connections_have_a_life(void **state)
{
	struct world_config cfg = plain;
	struct scene s;

	(void)state;
	cfg.conn_life_ms = 60000;
	scene_make(&s, &cfg);
	scene_dial(&s);
	run_for(&s, 100 * 60000);
	assert_true(s.client.closed && s.server.closed);
	scene_free(&s);
}

/* ---- cuts ---- */

static void
test_bytes_wait_while_cut_off(void **state)
{
	struct scene s;

	(void)state;
	scene_make(&s, &plain);
	scene_dial(&s);
	run_for(&s, 100);
	assert_err_ok(world_cut(s.a, s.b));
	assert_err_ok(conn_write(s.client.conn, "later", 5));
	run_for(&s, 60000);
	assert_int_equal(s.server.got_len, 0);
	assert_false(s.client.closed || s.server.closed);
	world_join(s.b, s.a);
	run_for(&s, 2000);
	assert_int_equal(s.server.got_len, 5);
	scene_free(&s);
}

static void
test_a_long_cut_ends_connections(void **state)
{
	struct scene s;

	(void)state;
	scene_make(&s, &plain);
	scene_dial(&s);
	run_for(&s, 100);
	assert_err_ok(world_cut(s.a, s.b));
	assert_err_ok(conn_write(s.client.conn, "never", 5));
	run_for(&s, 901 * 1000);
	assert_true(s.client.closed);
	assert_err(s.client.why, ERR_TIMEOUT);
	assert_false(s.server.closed);
	scene_free(&s);
}

static void
test_dialling_over_a_cut_times_out(void **state)
{
	struct scene s;

	(void)state;
	scene_make(&s, &plain);
	assert_err_ok(world_cut(s.a, s.b));
	scene_dial(&s);
	run_for(&s, 200000);
	assert_true(s.client.closed);
	assert_err(s.client.why, ERR_TIMEOUT);
	scene_free(&s);
}

/* ---- death ---- */

static void
count(void *arg)
{
	(*(unsigned *)arg)++;
}

static void
test_kill_silences_a_host(void **state)
{
	struct scene s;
	struct timer *timer;
	struct workq *queue;
	unsigned fired = 0, ran = 0;

	(void)state;
	scene_make(&s, &plain);
	scene_dial(&s);
	run_for(&s, 100);
	timer = timer_new(world_loop(s.b), count, &fired);
	queue = workq_new(world_loop(s.b), 1);
	assert_non_null(timer);
	assert_non_null(queue);
	timer_after(timer, 10);
	assert_err_ok(workq_add(queue, count, count, &ran));
	assert_err_ok(conn_write(s.client.conn, "x", 1));
	world_kill(s.b);
	assert_null(world_loop(s.b));
	run_for(&s, 1000);
	assert_int_equal(fired, 0);
	assert_int_equal(ran, 0);
	assert_int_equal(s.server.got_len, 0);
	assert_false(s.server.closed);
	assert_true(s.client.closed);
	assert_err(s.client.why, ERR_CLOSED);
	timer_free(timer);
	workq_free(queue);
	assert_int_equal(ran, 2);
	scene_free(&s);
}

static void
test_a_host_starts_again(void **state)
{
	struct scene s;

	(void)state;
	scene_make(&s, &plain);
	world_kill(s.b);
	scene_dial(&s);
	run_for(&s, 1000);
	assert_err(s.client.why, ERR_NOT_FOUND);
	end_free(&s.client);
	listener_free(s.listener);
	assert_err_ok(world_start(s.b));
	assert_int_equal(world_host_since_ms(s.b), START_MS + 1000);
	s.client = (struct end){.world = s.world};
	assert_err_ok(
	    listener_open(&s.listener, world_loop(s.b), PLACE, on_accept, &s.server, NULL));
	scene_dial(&s);
	run_for(&s, 1000);
	assert_true(s.client.opened && !s.client.closed);
	scene_free(&s);
}

static void
test_an_unplugged_host_leaves_half_open_peers(void **state)
{
	struct scene s;

	(void)state;
	scene_make(&s, &plain);
	scene_dial(&s);
	run_for(&s, 100);
	world_unplug(s.b);
	run_for(&s, 3600000);
	assert_false(s.client.closed);
	assert_err_ok(conn_write(s.client.conn, "anybody?", 8));
	run_for(&s, 899 * 1000);
	assert_false(s.client.closed);
	run_for(&s, 2000);
	assert_true(s.client.closed);
	assert_err(s.client.why, ERR_TIMEOUT);
	scene_free(&s);
}

/* ---- clocks ---- */

struct watch {
	struct loop *loop;
	int64_t jumped_ms;
	unsigned jumps, fired;
	int64_t fired_wall_ms, fired_boot_ms;
};

static void
on_jump(void *arg, int64_t delta_ms)
{
	struct watch *w = arg;

	w->jumps++;
	w->jumped_ms = delta_ms;
	assert_int_equal(w->fired, 0); /* told before timers that are due */
}

static void
on_watch_timer(void *arg)
{
	struct watch *w = arg;

	w->fired++;
	w->fired_wall_ms = loop_wall_ms(w->loop);
	w->fired_boot_ms = loop_boot_ms(w->loop);
}

static void
test_sleep(void **state)
{
	struct scene s;
	struct watch w = {0};
	struct timer *timer;
	int64_t boot_ms;

	(void)state;
	scene_make(&s, &plain);
	w.loop = world_loop(s.a);
	boot_ms = loop_boot_ms(w.loop);
	timer = timer_new(w.loop, on_watch_timer, &w);
	assert_non_null(timer);
	assert_err_ok(loop_watch_jumps(w.loop, on_jump, &w));
	timer_after(timer, 5000);
	assert_err_ok(world_sleep(s.a, 60000));
	run_for(&s, 59999);
	assert_int_equal(w.fired, 0);
	run_for(&s, 1);
	assert_int_equal(w.jumps, 1);
	assert_int_equal(w.jumped_ms, 60000);
	assert_int_equal(w.fired, 1);
	assert_int_equal(w.fired_boot_ms, boot_ms + 60000);
	assert_int_equal(w.fired_wall_ms, START_MS + 60000);
	timer_free(timer);
	scene_free(&s);
}

static void
test_a_clock_is_set(void **state)
{
	struct scene s;
	struct watch w = {0};
	struct timer *timer;

	(void)state;
	scene_make(&s, &plain);
	w.loop = world_loop(s.a);
	timer = timer_new(w.loop, on_watch_timer, &w);
	assert_non_null(timer);
	assert_err_ok(loop_watch_jumps(w.loop, on_jump, &w));
	timer_after(timer, 5000);
	world_set_clock(s.a, -3600000);
	assert_int_equal(w.jumps, 1);
	assert_int_equal(w.jumped_ms, -3600000);
	assert_int_equal(loop_wall_ms(w.loop), START_MS - 3600000);
	assert_int_equal(loop_wall_ms(world_loop(s.b)), START_MS);
	run_for(&s, 5000);
	assert_int_equal(w.fired, 1);
	assert_int_equal(w.fired_wall_ms, START_MS + 5000 - 3600000);
	timer_free(timer);
	scene_free(&s);
}

static void
test_a_held_process_goes_on_later(void **state)
{
	struct scene s;
	struct watch w = {0};

	(void)state;
	scene_make(&s, &plain);
	scene_dial(&s);
	run_for(&s, 100);
	assert_err_ok(loop_watch_jumps(world_loop(s.b), on_jump, &w));
	world_hold(s.b, true);
	assert_err_ok(conn_write(s.client.conn, "x", 1));
	run_for(&s, 10000);
	assert_int_equal(s.server.got_len, 0);
	world_hold(s.b, false);
	run_for(&s, 0);
	assert_int_equal(s.server.got_len, 1);
	assert_int_equal(w.jumps, 0);
	scene_free(&s);
}

/* ---- timers and work ---- */

struct mark {
	char *line;
	char letter;
	struct timer *timer;
	bool again;
};

static void
on_mark(void *arg)
{
	struct mark *m = arg;
	size_t n = strlen(m->line);

	m->line[n] = m->letter;
	m->line[n + 1] = '\0';
	if (m->again) {
		m->again = false;
		timer_after(m->timer, 0);
	}
}

static void
test_timers_fire_in_order(void **state)
{
	struct scene s;
	char line[16] = "";
	struct mark m[4] = {
	    {line, 'a', NULL, false},
	    {line, 'b', NULL, true},
	    {line, 'c', NULL, false},
	    {line, 'd', NULL, false},
	};
	static const int64_t delays[4] = {20, 10, 10, 30};

	(void)state;
	scene_make(&s, &plain);
	for (int i = 0; i < 4; i++) {
		m[i].timer = timer_new(world_loop(s.a), on_mark, &m[i]);
		assert_non_null(m[i].timer);
		timer_after(m[i].timer, delays[i]);
	}
	timer_cancel(m[3].timer);
	run_for(&s, 100);
	assert_string_equal(line, "bcba");
	for (int i = 0; i < 4; i++)
		timer_free(m[i].timer);
	scene_free(&s);
}

static void
test_jobs_come_back_at_a_later_turn(void **state)
{
	struct scene s;
	struct workq *queue;
	unsigned n = 0;

	(void)state;
	scene_make(&s, &plain);
	queue = workq_new(world_loop(s.a), 1);
	assert_non_null(queue);
	assert_err_ok(workq_add(queue, count, count, &n));
	assert_int_equal(workq_backlog(queue), 1);
	assert_int_equal(n, 0); /* never inside the call */
	run_for(&s, 0);
	assert_int_equal(n, 2);
	assert_int_equal(workq_backlog(queue), 0);
	workq_free(queue);
	scene_free(&s);
}

static void
run_mark(void *arg)
{
	on_mark(arg);
}

static void
no_mark(void *arg)
{
	(void)arg;
}

/* The order in which six jobs ran on so many threads. */
static void
job_order(char line[static 16], uint64_t seed, unsigned threads)
{
	struct world_config cfg = plain;
	struct mark m[6];
	struct workq *queue;
	struct scene s;

	line[0] = '\0';
	cfg.seed = seed;
	cfg.work_us_max = 50000;
	scene_make(&s, &cfg);
	queue = workq_new(world_loop(s.a), threads);
	assert_non_null(queue);
	for (int i = 0; i < 6; i++) {
		m[i] = (struct mark){line, (char)('a' + i), NULL, false};
		assert_err_ok(workq_add(queue, run_mark, no_mark, &m[i]));
	}
	run_for(&s, 10000);
	assert_int_equal(strlen(line), 6);
	workq_free(queue);
	scene_free(&s);
}

static void
test_jobs_of_one_thread_keep_their_order(void **state)
{
	char line[16];
	unsigned changed = 0;

	(void)state;
	for (uint64_t seed = 0; seed < 10; seed++) {
		job_order(line, seed, 1);
		assert_string_equal(line, "abcdef");
		job_order(line, seed, 3);
		changed += strcmp(line, "abcdef") != 0;
	}
	assert_true(changed > 5);
}

struct circle {
	struct timer *timer;
	uint64_t turns;
};

static void
on_circle(void *arg)
{
	struct circle *c = arg;

	c->turns++;
	timer_after(c->timer, 0);
}

static void
test_going_round_in_circles_is_noticed(void **state)
{
	struct circle c = {0};
	struct scene s;

	(void)state;
	scene_make(&s, &plain);
	c.timer = timer_new(world_loop(s.a), on_circle, &c);
	assert_non_null(c.timer);
	timer_after(c.timer, 5);
	assert_err(world_run_for(s.world, 10), ERR_STATE);
	timer_free(c.timer);
	scene_free(&s);
}

/* ---- repetition ---- */

struct trace {
	uint8_t hash[32];
	unsigned seen;
};

static void
on_seen(void *arg, const struct world_seen *seen)
{
	struct trace *t = arg;
	unsigned hosts[2] = {world_host_number(seen->from), world_host_number(seen->to)};
	const struct hash_part parts[] = {
	    {t->hash, sizeof(t->hash)},
	    {&seen->kind, sizeof(seen->kind)},
	    {&seen->at_us, sizeof(seen->at_us)},
	    {&seen->conn, sizeof(seen->conn)},
	    {hosts, sizeof(hosts)},
	    {seen->bytes, seen->n},
	};

	hash_parts(t->hash, sizeof(t->hash), parts, sizeof(parts) / sizeof(parts[0]));
	t->seen++;
}

/* An hour of echoes over bad lines; what an observer saw. */
static struct trace
echoes(uint64_t seed)
{
	struct world_config cfg = plain;
	struct trace t = {{0}, 0};
	uint8_t bytes[100];
	struct scene s;

	cfg.seed = seed;
	cfg.out.spread_us = 30000;
	cfg.conn_life_ms = 40000;
	scene_make(&s, &cfg);
	world_set_tap(s.world, on_seen, &t);
	s.server.echo = true;
	for (int i = 0; i < 3600; i++) {
		if (s.client.conn == NULL || s.client.closed) {
			end_free(&s.client);
			s.client = (struct end){.world = s.world};
			scene_dial(&s);
		}
		rng_bytes(world_rng(s.world), bytes, sizeof(bytes));
		assert_err_ok(conn_write(s.client.conn, bytes, sizeof(bytes)));
		run_for(&s, 1000);
		if (s.server.closed) {
			end_free(&s.server);
			s.server = (struct end){.world = s.world, .echo = true};
		}
	}
	scene_free(&s);
	return t;
}

static void
test_the_same_seed_gives_the_same_run(void **state)
{
	struct trace one = echoes(7), again = echoes(7), other = echoes(8);

	(void)state;
	assert_true(one.seen > 6000);
	assert_int_equal(one.seen, again.seen);
	assert_memory_equal(one.hash, again.hash, sizeof(one.hash));
	assert_memory_not_equal(one.hash, other.hash, sizeof(one.hash));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_bytes_arrive_after_the_delay),
    cmocka_unit_test(test_what_was_sent_arrives_before_the_end),
    cmocka_unit_test(test_large_amounts_wait_for_a_paused_reader),
    cmocka_unit_test(test_bandwidth_holds_back),
    cmocka_unit_test(test_nobody_listens),
    cmocka_unit_test(test_a_host_refuses),
    cmocka_unit_test(test_an_unadopted_connection_closes),
    cmocka_unit_test(test_an_address_is_taken_once),
    cmocka_unit_test(test_freed_inside_its_callback),
    cmocka_unit_test(test_connections_break),
    cmocka_unit_test(test_connections_have_a_life),
    cmocka_unit_test(test_bytes_wait_while_cut_off),
    cmocka_unit_test(test_a_long_cut_ends_connections),
    cmocka_unit_test(test_dialling_over_a_cut_times_out),
    cmocka_unit_test(test_kill_silences_a_host),
    cmocka_unit_test(test_a_host_starts_again),
    cmocka_unit_test(test_an_unplugged_host_leaves_half_open_peers),
    cmocka_unit_test(test_sleep),
    cmocka_unit_test(test_a_clock_is_set),
    cmocka_unit_test(test_a_held_process_goes_on_later),
    cmocka_unit_test(test_timers_fire_in_order),
    cmocka_unit_test(test_jobs_come_back_at_a_later_turn),
    cmocka_unit_test(test_jobs_of_one_thread_keep_their_order),
    cmocka_unit_test(test_going_round_in_circles_is_noticed),
    cmocka_unit_test(test_the_same_seed_gives_the_same_run),
};
TEST_MAIN(tests)

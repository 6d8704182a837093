#include "config.h"

#include "common/net/attend.h"

#include <string.h>

#include "common/charter/timing.h"
#include "tests/lib/test.h"
#include "tests/unit/net/fake_gateway.h"

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS (60 * MINUTE_MS)
/* A full hour of 2030. */
#define START_MS (INT64_C(1900000000000) / HOUR_MS * HOUR_MS)
#define RUNS_MAX 1024

struct scene {
	struct world *world;
	struct world_host *client, *gateway_host;
	struct network *network;
	struct fake_gateway gateway;
	struct attend *attend;
	unsigned slots[2]; /* by phase */
	unsigned sent[2];
	unsigned wrong_phase;
	unsigned opened, closed;
	enum err why;	/* of the last end */
	uint64_t last_run;
	uint32_t hours[RUNS_MAX]; /* of runs */
	bool free_in_state;
};

static bool
on_slot(void *arg, enum attend_phase phase, struct session_packet *out)
{
	struct scene *k = arg;

	k->slots[phase]++;
	out->first_mix = 1;
	out->epoch = phase;
	return true;
}

static void
on_sent(void *arg, enum attend_phase phase)
{
	((struct scene *)arg)->sent[phase]++;
}

static enum err
on_item(void *arg, uint64_t run, uint32_t hour, enum item_kind kind, const uint8_t *p, size_t n)
{
	const struct scene *k = arg;

	(void)kind;
	(void)p;
	(void)n;
	assert_int_equal(k->hours[run], hour);
	return ERR_OK;
}

static void
on_state(void *arg, uint64_t run, uint32_t hour, bool open, enum err why, enum frame_error error)
{
	struct scene *k = arg;

	(void)error;
	if (open) {
		assert_true(run > 0 && run < RUNS_MAX);
		k->last_run = run;
		k->hours[run] = hour;
		k->opened++;
	} else {
		k->closed++;
		k->why = why;
	}
	if (k->free_in_state) {
		attend_free(k->attend);
		k->attend = NULL;
	}
}

static const struct attend_events events = {
    .slot = on_slot, .sent = on_sent, .item = on_item, .state = on_state};

static void
scene_make(struct scene *k, int64_t at_ms, uint32_t time_scale)
{
	struct params p;
	const struct world_config cfg = {
	    .seed = rng_u64(test_rng()), .wall_ms = at_ms, .out = {.delay_us = 20000}};

	memset(k, 0, sizeof(*k));
	params_default(&p);
	p.time_scale = time_scale;
	if (time_scale > 1) {
		p.slot_ms = 500;
		p.round_ms = 1000;
		p.epoch_ms = 6 * HOUR_MS / time_scale;
		p.grace_ms = 60000;
	}
	assert_err_ok(world_new(&k->world, &cfg));
	assert_err_ok(world_host_new(&k->client, k->world));
	assert_err_ok(world_host_new(&k->gateway_host, k->world));
	k->network = network_new(&(struct network_config){.seed = 1, .params = &p});
	fake_gateway_start(&k->gateway, k->world, k->gateway_host, k->network);
	k->gateway.closes_at_mark = true;
}

static void
scene_attend_as(struct scene *k, bool held, bool unhurried)
{
	const struct attend_config cfg = {
	    .charter = k->network->charter,
	    .address = charter_gateway(k->network->charter)->entrance,
	    .held = held,
	    .unhurried = unhurried,
	    .rng = world_rng(k->world),
	    .keys = world_rng(k->world),
	};

	assert_err_ok(attend_new(&k->attend, world_loop(k->client), &cfg, &events, k));
}

static void
scene_attend(struct scene *k)
{
	scene_attend_as(k, false, false);
}

static void
run_for(struct scene *k, int64_t ms)
{
	assert_err_ok(world_run_for(k->world, ms));
}

static void
scene_free(struct scene *k)
{
	attend_free(k->attend);
	fake_gateway_stop(&k->gateway);
	network_free(k->network);
	world_free(k->world);
}

/* How long before (negative) its hour the i-th session was accepted, in ms. */
static int64_t
opened_at(const struct scene *k, size_t i)
{
	const struct fake_session *s = k->gateway.sessions[i];

	return s->accepted_ms - timing_hour_start(&k->network->charter->params, s->open.hour);
}

/* ---- ordinary hours ---- */

static void
check_day(struct scene *k, uint32_t scale)
{
	int64_t hour_ms = HOUR_MS / scale, slack_ms = 200;
	uint32_t first = timing_hour(&k->network->charter->params, world_now_ms(k->world));

	scene_attend(k);
	assert_false(attend_live(k->attend));
	for (int i = 0; i < 24 * 60; i++) {
		run_for(k, hour_ms / 60);
		assert_true(attend_live(k->attend));
	}
	run_for(k, 10000);
	/* The 25th and last hour's session has been open for a while. */
	assert_int_equal(k->gateway.count, 25);
	for (size_t i = 0; i < k->gateway.count; i++) {
		const struct fake_session *s = k->gateway.sessions[i];

		assert_int_equal(s->open.hour, first + i);
		assert_int_equal(s->open.read, FRAME_READ_LIVE);
		assert_int_equal(s->off_beat, 0);
		if (i == 0)
			continue;
		assert_true(opened_at(k, i) >= -11 * hour_ms / 60);
		assert_true(opened_at(k, i) <= -hour_ms / 60 + slack_ms);
	}
	assert_int_equal(k->closed, 24);
	assert_err(k->why, ERR_OK);
	assert_true(fake_gateway_live(&k->gateway) == 1);
}

static void
test_a_day(void **state)
{
	struct scene k;

	(void)state;
	scene_make(&k, START_MS, 1);
	check_day(&k, 1);
	/* 720 slots an hour; six minutes of cover before each mark on the average. */
	assert_in_range(k.slots[ATTEND_CURRENT], 24 * 720 - 60, 24 * 720 + 60);
	assert_in_range(k.slots[ATTEND_COMING], 24 * 12, 24 * 11 * 12);
	assert_in_range(
	    k.sent[ATTEND_CURRENT], k.slots[ATTEND_CURRENT] - 1, k.slots[ATTEND_CURRENT]);
	scene_free(&k);
}

static void
test_a_shortened_day(void **state)
{
	struct scene k;

	(void)state;
	scene_make(&k, START_MS, 60);
	check_day(&k, 60);
	scene_free(&k);
}

static void
test_openings_are_uniform(void **state)
{
	unsigned in[5] = {0};

	(void)state;
	for (int run = 0; run < 5; run++) {
		struct scene k;

		scene_make(&k, START_MS, 60);
		scene_attend(&k);
		run_for(&k, 40 * MINUTE_MS);
		for (size_t i = 1; i < k.gateway.count; i++) {
			int64_t before = -opened_at(&k, i) - 1000; /* 0 to 10 s of 11 to 1 */

			if (before < 0)
				before = 0;
			assert_true(before <= 10000);
			in[before / 2001]++;
		}
		scene_free(&k);
	}
	for (int i = 0; i < 5; i++) /* 40 expected, deviation 5.7 */
		assert_in_range(in[i], 10, 70);
}

static void
test_start_inside_the_window(void **state)
{
	(void)state;
	for (int64_t before = 30000; before < 11 * MINUTE_MS; before += 50000) {
		struct scene k;

		scene_make(&k, START_MS - before, 1);
		scene_attend(&k);
		run_for(&k, before + 10000);
		assert_int_equal(k.gateway.count, 2);
		assert_int_equal(
		    k.gateway.sessions[1]->open.hour, k.gateway.sessions[0]->open.hour + 1);
		assert_true(attend_live(k.attend));
		scene_free(&k);
	}
}

/* ---- failures ---- */

static void
test_waits_after_failures_are_uniform(void **state)
{
	struct scene k;
	unsigned in[3] = {0};
	int64_t before = 0;

	(void)state;
	scene_make(&k, START_MS, 60);
	scene_attend(&k);
	for (int i = 0; i < 120; i++) {
		const struct fake_session *s;

		while (fake_gateway_live(&k.gateway) == 0)
			run_for(&k, 10);
		s = k.gateway.sessions[k.gateway.count - 1];
		/* The running hour's sessions, while nothing else goes on. */
		if (before > 0 && s->accepted_ms % MINUTE_MS > 15000 &&
		    s->accepted_ms % MINUTE_MS < 49000) {
			int64_t wait = s->accepted_ms - before;

			assert_in_range(wait, 0, 15200);
			in[wait / 5100 < 3 ? wait / 5100 : 2]++;
		}
		world_break(k.client, NULL);
		run_for(&k, 10);
		before = world_now_ms(k.world);
	}
	for (int i = 0; i < 3; i++)
		assert_true(in[i] > 3);
	scene_free(&k);
}

static void
test_a_gateway_that_is_away_for_hours(void **state)
{
	struct scene k;

	(void)state;
	scene_make(&k, START_MS, 1);
	scene_attend(&k);
	run_for(&k, 30 * MINUTE_MS);
	assert_true(attend_live(k.attend));
	world_refuse(k.gateway_host, true);
	world_break(k.client, NULL);
	run_for(&k, 1000);
	assert_false(attend_live(k.attend));
	assert_int_equal(fake_gateway_live(&k.gateway), 0);
	run_for(&k, 5 * HOUR_MS);
	assert_int_equal(k.gateway.count, 1);
	world_refuse(k.gateway_host, false);
	run_for(&k, 15 * MINUTE_MS + 1000);
	assert_true(attend_live(k.attend));
	run_for(&k, 10 * HOUR_MS);
	assert_true(attend_live(k.attend));
	scene_free(&k);
}

static void
test_a_mark_long_before_its_time_is_a_failure(void **state)
{
	struct scene k;

	(void)state;
	scene_make(&k, START_MS + MINUTE_MS, 1);
	scene_attend(&k);
	k.gateway.error = FRAME_ERROR_MARK;
	run_for(&k, MINUTE_MS);
	assert_true(k.closed >= 1); /* more if it waited less than the rest of the minute */
	k.gateway.error = FRAME_ERROR_NONE;
	run_for(&k, 15 * MINUTE_MS + 1000);
	assert_true(attend_live(k.attend));
	scene_free(&k);
}

static void
test_a_gateway_that_closes_nothing(void **state)
{
	struct scene k;

	(void)state;
	scene_make(&k, START_MS, 1);
	k.gateway.closes_at_mark = false;
	scene_attend(&k);
	run_for(&k, HOUR_MS + 30000);
	assert_int_equal(fake_gateway_live(&k.gateway), 2);
	assert_int_equal(k.closed, 0);
	run_for(&k, 2 * MINUTE_MS);
	assert_int_equal(fake_gateway_live(&k.gateway), 1);
	assert_int_equal(k.closed, 1);
	assert_err(k.why, ERR_TIMEOUT);
	scene_free(&k);
}

static void
test_freed_in_its_callback(void **state)
{
	struct scene k;

	(void)state;
	scene_make(&k, START_MS, 1);
	scene_attend(&k);
	k.free_in_state = true;
	run_for(&k, MINUTE_MS);
	assert_null(k.attend);
	assert_int_equal(fake_gateway_live(&k.gateway), 0);
	k.free_in_state = false;
	scene_attend(&k);
	k.last_run = 0;
	run_for(&k, MINUTE_MS);
	k.free_in_state = true;
	world_set_clock(k.client, HOUR_MS);
	assert_null(k.attend);
	run_for(&k, MINUTE_MS);
	assert_int_equal(fake_gateway_live(&k.gateway), 0);
	scene_free(&k);
}

/* ---- clocks ---- */

static void
check_jump(int64_t by_ms)
{
	struct scene k;
	const struct params *p;

	scene_make(&k, START_MS + 20 * MINUTE_MS, 1);
	k.gateway.closes_at_mark = false; /* its clock is another one now */
	p = &k.network->charter->params;
	scene_attend(&k);
	run_for(&k, 10 * MINUTE_MS);
	world_set_clock(k.client, by_ms);
	assert_false(attend_live(k.attend));
	assert_int_equal(k.closed, 1);
	run_for(&k, 500);
	/* the former one is over; a new one may come at any time from now on */
	assert_true(fake_gateway_live(&k.gateway) == 0 || k.gateway.count > 1);
	run_for(&k, 15 * MINUTE_MS + 10000); /* the longest wait, and a slot to open in */
	assert_true(attend_live(k.attend));
	assert_int_equal(k.gateway.sessions[1]->open.hour,
	    timing_hour(p, START_MS + 40 * MINUTE_MS + by_ms));
	scene_free(&k);
}

static void
test_a_set_clock(void **state)
{
	(void)state;
	check_jump(HOUR_MS);
	check_jump(-HOUR_MS);
	check_jump(24 * HOUR_MS);
}

static void
test_sleep(void **state)
{
	struct scene k;

	(void)state;
	scene_make(&k, START_MS + 5 * MINUTE_MS, 1);
	scene_attend(&k);
	run_for(&k, MINUTE_MS);
	assert_err_ok(world_sleep(k.client, 7 * HOUR_MS));
	run_for(&k, 7 * HOUR_MS);
	run_for(&k, 15 * MINUTE_MS + 1000);
	assert_true(attend_live(k.attend));
	assert_int_equal(k.gateway.count, 2);
	scene_free(&k);
}

/* A client whose clock is 20 s behind or ahead of the gateway's loses nothing. */
static void
test_skewed_clocks(void **state)
{
	(void)state;
	for (int64_t skew = -20000; skew <= 20000; skew += 40000) {
		struct scene k;

		scene_make(&k, START_MS, 1);
		world_set_clock(k.client, skew);
		scene_attend(&k);
		for (int i = 0; i < 5 * 60; i++) {
			run_for(&k, MINUTE_MS);
			assert_true(attend_live(k.attend));
		}
		assert_int_equal(k.gateway.count, skew < 0 ? 7 : 6);
		scene_free(&k);
	}
}

static void
scene_attend_held(struct scene *k)
{
	scene_attend_as(k, true, false);
}

/* Nothing is dialled, over hours and marks, until the way is there; then at once. */
static void
test_held_from_the_start(void **state)
{
	struct scene k;

	(void)state;
	for (int i = 0; i < 20; i++) {
		scene_make(&k, START_MS, 1);
		scene_attend_held(&k);
		/* not close to a mark, behind which another session is the live one */
		run_for(&k, rng_between(test_rng(), 0, 3) * HOUR_MS +
		    rng_between(test_rng(), 0, 58 * MINUTE_MS));
		assert_int_equal(k.gateway.count, 0);
		attend_hold(k.attend, false);
		run_for(&k, 6000); /* a slot, and what tells that it is open */
		assert_true(attend_live(k.attend));
		assert_in_range(k.gateway.count, 1, 2); /* perhaps the coming one, too */
		run_for(&k, 3 * HOUR_MS);
		assert_true(attend_live(k.attend));
		scene_free(&k);
	}
}

/* Released within the window, the coming session keeps to it. */
static void
test_held_into_the_window(void **state)
{
	int64_t least = HOUR_MS, most = -HOUR_MS;
	struct scene k;

	(void)state;
	for (int i = 0; i < 60; i++) {
		scene_make(&k, START_MS + 30 * MINUTE_MS, 1);
		scene_attend_held(&k);
		run_for(&k, 28 * MINUTE_MS); /* two minutes before the hour: it is due by now */
		attend_hold(k.attend, false);
		run_for(&k, 2 * MINUTE_MS + 1000);
		assert_int_equal(k.gateway.count, 2);
		assert_true(opened_at(&k, 1) <= -MINUTE_MS + 200);
		least = opened_at(&k, 1) < least ? opened_at(&k, 1) : least;
		most = opened_at(&k, 1) > most ? opened_at(&k, 1) : most;
		scene_free(&k);
	}
	assert_true(least < -100000 && most > -80000); /* not all at the release */
}

/* What is open goes on; what ends meanwhile waits its time, and then for the release. */
static void
test_held_while_open(void **state)
{
	const struct frame_down store = {.type = FRAME_DOWN_ERROR, .error = FRAME_ERROR_STORE};
	struct scene k;

	(void)state;
	scene_make(&k, START_MS + MINUTE_MS, 1);
	scene_attend(&k);
	run_for(&k, MINUTE_MS);
	attend_hold(k.attend, true);
	run_for(&k, MINUTE_MS);
	assert_true(attend_live(k.attend));
	assert_in_range(k.slots[ATTEND_CURRENT], 22, 25); /* one opened it */
	fake_gateway_say(&k.gateway, 0, &store);
	run_for(&k, 16 * MINUTE_MS);
	assert_int_equal(k.gateway.count, 1);
	attend_hold(k.attend, false);
	run_for(&k, 6000);
	assert_true(attend_live(k.attend));
	/* a release without anything due opens nothing */
	attend_hold(k.attend, false);
	run_for(&k, MINUTE_MS);
	assert_int_equal(k.gateway.count, 2);
	scene_free(&k);
}

/*
 * Who is seen to start, or to have a way again, opens at a time of which that tells no more
 * than a quarter of an hour: uniform in it. (At a sixtieth: within 15 s.)
 */
static void
test_an_unhurried_start(void **state)
{
	(void)state;
	for (int released = 0; released < 2; released++) {
		unsigned in[3] = {0};

		for (int i = 0; i < 60; i++) {
			struct scene k;
			int64_t since, wait;

			scene_make(&k, START_MS + 10000, 60);
			scene_attend_as(&k, released == 1, true);
			run_for(&k, released == 1 ? 16000 : 0); /* it is due by then */
			assert_int_equal(k.gateway.count, 0);
			since = world_now_ms(k.world);
			attend_hold(k.attend, false);
			run_for(&k, 16000);
			assert_true(attend_live(k.attend));
			assert_int_equal(k.gateway.count, 1);
			wait = k.gateway.sessions[0]->accepted_ms - since;
			assert_in_range(wait, 0, 15200);
			in[wait / 5100 < 3 ? wait / 5100 : 2]++;
			scene_free(&k);
		}
		for (int i = 0; i < 3; i++) /* 20 expected, deviation 3.7 */
			assert_in_range(in[i], 3, 40);
	}
}

/* Behind the coming hour's window: not in the last minute, where others have opened. */
static void
test_an_unhurried_start_before_the_hour(void **state)
{
	unsigned before = 0;

	(void)state;
	for (int i = 0; i < 60; i++) {
		struct scene k;
		uint32_t hour;

		scene_make(&k, START_MS - 500, 60);
		hour = timing_hour(&k.network->charter->params, START_MS);
		scene_attend_as(&k, false, true);
		run_for(&k, 16000);
		assert_true(attend_live(k.attend));
		assert_int_equal(k.gateway.sessions[k.gateway.count - 1]->open.hour, hour);
		before += opened_at(&k, k.gateway.count - 1) < 0;
		scene_free(&k);
	}
	assert_in_range(before, 0, 12); /* 2 expected */
}

static void
test_hurry(void **state)
{
	struct scene k;

	(void)state;
	scene_make(&k, START_MS + 10000, 1);
	scene_attend_as(&k, true, true);
	attend_hurry(k.attend); /* held: not even then */
	run_for(&k, MINUTE_MS);
	assert_int_equal(k.gateway.count, 0);
	attend_hold(k.attend, false);
	attend_hurry(k.attend);
	run_for(&k, 6000);
	assert_true(attend_live(k.attend));
	attend_hurry(k.attend); /* it is open */
	run_for(&k, 16 * MINUTE_MS);
	assert_int_equal(k.gateway.count, 1);
	scene_free(&k);
}

static void
test_the_mark(void **state)
{
	struct params p;

	(void)state;
	params_default(&p);
	assert_int_equal(attend_mark_ms(&p, 500000), INT64_C(500000) * HOUR_MS - 11 * MINUTE_MS);
	p.time_scale = 60;
	assert_int_equal(attend_mark_ms(&p, 500000), INT64_C(500000) * MINUTE_MS - 11000);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_a_day),
    cmocka_unit_test(test_a_shortened_day),
    cmocka_unit_test(test_openings_are_uniform),
    cmocka_unit_test(test_start_inside_the_window),
    cmocka_unit_test(test_waits_after_failures_are_uniform),
    cmocka_unit_test(test_a_gateway_that_is_away_for_hours),
    cmocka_unit_test(test_a_mark_long_before_its_time_is_a_failure),
    cmocka_unit_test(test_a_gateway_that_closes_nothing),
    cmocka_unit_test(test_freed_in_its_callback),
    cmocka_unit_test(test_a_set_clock),
    cmocka_unit_test(test_sleep),
    cmocka_unit_test(test_skewed_clocks),
    cmocka_unit_test(test_held_from_the_start),
    cmocka_unit_test(test_held_into_the_window),
    cmocka_unit_test(test_held_while_open),
    cmocka_unit_test(test_an_unhurried_start),
    cmocka_unit_test(test_an_unhurried_start_before_the_hour),
    cmocka_unit_test(test_hurry),
    cmocka_unit_test(test_the_mark),
};
TEST_MAIN(tests)

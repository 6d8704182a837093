#include "config.h"

#include "tests/lib/test.h"

#include <stdlib.h>
#include <string.h>

#include "common/charter/timing.h"
#include "mix/visits.h"
#include "tests/unit/mix/town.h"

/* ---- tests ---- */

static void
test_packets_pass(void **state)
{
	struct town t;
	struct mix_status s;

	(void)state;
	town_up(&t, NULL);
	town_settle(&t);
	assert_true(t.announcements[0] > 0);
	town_send(&t, 500);
	town_run(&t, 300 * TOWN_SECOND);
	s = town_status(&t);
	assert_int_equal(s.received, 500);
	assert_int_equal(t.arrived + s.pooled, 500);
	assert_int_equal(s.pooled, 2); /* pool_min stays */
	assert_int_equal(s.held, s.pooled);
	assert_int_equal(s.released, t.arrived);
	assert_int_equal(t.wrong, 0);
	assert_true(t.batches > 2);
	assert_true(t.notes > 20); /* its sessions send them all the time */
	assert_int_equal(s.unwrapped.by[UNWRAP_PASSED], 500);
	town_down(&t);
}

/*
 * The gateway sees a mix start, and is not to see by that which sessions are its own. Only
 * where there is no sheet, and so nothing to protect, one of them goes for it at once.
 */
static void
test_a_start_does_not_show_the_sessions(void **state)
{
	size_t before, most = 0;
	struct town t;

	(void)state;
	town_up(&t, NULL);
	town_run(&t, 6 * TOWN_SECOND);
	assert_in_range(t.guest_count, 1, 2); /* another one, once in 150 */
	town_settle(&t);
	town_run(&t, 901 * TOWN_SECOND);
	town_kill_mix(&t);
	town_start_mix(&t);
	assert_true(town_status(&t).has_sheet);
	before = t.guest_count;
	for (int i = 0; i < 901; i++) {
		size_t was = t.guest_count;

		town_run(&t, TOWN_SECOND);
		if (t.guest_count - was > most)
			most = t.guest_count - was;
	}
	assert_true(t.guest_count >= before + VISITS_COUNT);
	assert_true(most <= 3);
	town_down(&t);
}

/* ---- every strategy ---- */

#define SOME 60

/* What goes in comes out but for what the strategy keeps, and not a second time. */
static void
check_strategy(const char *strategy, size_t kept)
{
	static uint8_t packet[SOME][ONION_PACKET_MAX];
	struct params p;
	struct mix_status s;
	struct town t;

	params_default(&p);
	for (unsigned i = 0; i < PARAMS_LAYERS_MAX; i++)
		assert_err_ok(strategy_parse(&p.strategy[i], strategy, "strategy", NULL));
	town_up(&t, &p);
	town_settle(&t);
	for (size_t i = 0; i < SOME; i++) {
		town_build(&t, packet[i]);
		town_pass_on(&t, packet[i]);
		town_run(&t, (int64_t)rng_below(test_rng(), 400));
	}
	town_run(&t, 400 * TOWN_SECOND);
	s = town_status(&t);
	if (s.pooled != kept)
		fail_msg("%s: %zu kept", strategy, s.pooled);
	assert_int_equal(s.unwrapped.by[UNWRAP_PASSED], SOME);
	assert_int_equal(t.arrived, SOME - kept);
	assert_int_equal(s.released, t.arrived);
	assert_int_equal(s.held, kept);
	assert_int_equal(t.wrong, 0);
	town_kill_mix(&t);
	town_start_mix(&t);
	town_run(&t, 60 * TOWN_SECOND);
	for (size_t i = 0; i < SOME; i++)
		town_pass_on(&t, packet[i]);
	town_run(&t, 400 * TOWN_SECOND);
	assert_true(t.arrived <= SOME); /* those that were lost with the pool may come now */
	assert_true(town_status(&t).unwrapped.by[UNWRAP_REPLAYED] >= SOME - kept);
	town_down(&t);
}

static void
test_every_strategy(void **state)
{
	(void)state;
	check_strategy("threshold packets=25", 10);
	check_strategy("timed", 0);
	check_strategy("threshold-or-timed packets=20", 0);
	check_strategy("threshold-and-timed packets=1", 0);
	check_strategy("threshold-and-timed packets=61", SOME);
	check_strategy("threshold-pool packets=10 min=12", 20);
	check_strategy("timed-pool min=7", 7);
	check_strategy("timed-dynamic-pool min=2 rate=0.6", 2);
	check_strategy("timed-dynamic-pool min=2 rate=0.6 rule=gmix", 3);
	check_strategy("binomial rate=0.9 mean=0 deviation=1", 0);
	check_strategy("stop-and-go mean=5s", 0);
}

/* Packets leave one by one when their time comes, at most one batch for each tick. */
static void
test_stop_and_go_batches(void **state)
{
	struct params p;
	struct town t;

	(void)state;
	params_default(&p);
	for (unsigned i = 0; i < PARAMS_LAYERS_MAX; i++)
		p.strategy[i] = (struct strategy){ .kind = STRATEGY_STOP_AND_GO, .mean_ms = 2000 };
	town_up(&t, &p);
	town_settle(&t);
	town_send(&t, 3000);
	town_run(&t, 10 * TOWN_SECOND);
	/* a hundred ticks; the replay tags were all on the disk with the first batch */
	assert_in_range(t.batches, 50, 100);
	assert_true(t.arrived > 2900); /* exp(-5) of them stay: 20 */
	town_run(&t, 40 * TOWN_SECOND);
	assert_int_equal(t.arrived, 3000);
	assert_int_equal(town_status(&t).held, 0);
	/* while the disk refuses, what is ready waits, and then leaves as one batch */
	t.plan = (struct disk_fault){ .at = 1, .err = ERR_FULL, .forever = true,
		.writes_only = true };
	town_send(&t, 500);
	town_run(&t, 50 * TOWN_SECOND);
	assert_int_equal(t.arrived, 3000);
	t.plan = (struct disk_fault){ 0 };
	town_run(&t, 70 * TOWN_SECOND);
	assert_int_equal(t.arrived, 3500);
	/* set back, the clock keeps nobody for longer than 16 means */
	town_send(&t, 500);
	town_run(&t, TOWN_SECOND);
	world_set_clock(t.host, -3600 * TOWN_SECOND / 6);
	town_run(&t, 45 * TOWN_SECOND);
	assert_int_equal(t.arrived, 4000);
	town_down(&t);
}

/* A sheet in a block counts if the gateway signed the block. */
static void
test_sheet_in_a_block(void **state)
{
	(void)state;
	for (int good = 0; good < 2; good++) {
		struct town t;

		town_up(&t, NULL);
		town_run(&t, 30 * TOWN_SECOND);
		town_serve_block(&t, TOWN_EPOCH, good == 1);
		town_run(&t, 1200 * TOWN_SECOND); /* in which every session came in anew */
		assert_int_equal(town_status(&t).has_sheet, good);
		assert_int_equal(town_logged(&t, "alarm chain-broken"), !good);
		assert_false(town_logged(&t, "clock-skew"));
		town_down(&t);
	}
}

static void
test_slow_clock_is_told(void **state)
{
	struct town t;

	(void)state;
	town_up(&t, NULL);
	town_run(&t, 1600 * TOWN_SECOND);
	town_serve_block(&t, TOWN_EPOCH, true);
	world_set_clock(t.host, -1500 * TOWN_SECOND);
	town_run(&t, 1200 * TOWN_SECOND); /* in which every session came in anew */
	assert_true(town_logged(&t, "warning clock-jump seconds=1500"));
	assert_true(town_logged(&t, "warning clock-skew seconds="));
	town_down(&t);
}

/* Announced until seen in a sheet, and no longer. */
static void
test_announces(void **state)
{
	struct town t;
	size_t n;

	(void)state;
	town_up(&t, NULL);
	town_run(&t, 300 * TOWN_SECOND);
	assert_true(t.announcements[0] >= 5);
	assert_int_equal(t.announcements[1], 0);
	town_settle(&t);
	n = t.announcements[0];
	town_run(&t, 300 * TOWN_SECOND);
	assert_int_equal(t.announcements[0], n);
	town_down(&t);
}

static void
test_no_sheet_no_packets(void **state)
{
	uint8_t packet[ONION_PACKET_MAX] = { 0 };
	struct town t;

	(void)state;
	town_up(&t, NULL);
	town_run(&t, 5 * TOWN_SECOND);
	assert_err_ok(links_send_packet(t.gateway.links, TOWN_MIX, TOWN_EPOCH, packet));
	town_settle(&t);
	assert_err_ok(links_send_packet(t.gateway.links, TOWN_MIX, TOWN_EPOCH - 1, packet));
	assert_err_ok(links_send_packet(t.gateway.links, TOWN_MIX, TOWN_EPOCH + 1, packet));
	town_run(&t, 60 * TOWN_SECOND);
	assert_int_equal(town_status(&t).dropped_epoch, 3);
	assert_int_equal(t.arrived + t.wrong, 0);
	town_down(&t);
}

/* What was released once is not released again, whatever happens in between. */
static void
test_replay_after_a_kill(void **state)
{
	uint8_t packet[20][ONION_PACKET_MAX];
	struct town t;
	size_t arrived;

	(void)state;
	town_up(&t, NULL);
	town_settle(&t);
	for (int i = 0; i < 20; i++) {
		town_build(&t, packet[i]);
		town_pass_on(&t, packet[i]);
	}
	town_run(&t, 100 * TOWN_SECOND);
	assert_int_equal(t.arrived, 18);
	town_kill_mix(&t);
	town_start_mix(&t);
	assert_true(town_status(&t).has_sheet); /* from the disk */
	town_run(&t, 60 * TOWN_SECOND);
	arrived = t.arrived;
	for (int i = 0; i < 20; i++)
		town_pass_on(&t, packet[i]);
	town_run(&t, 100 * TOWN_SECOND);
	assert_int_equal(town_status(&t).unwrapped.by[UNWRAP_REPLAYED], 20);
	assert_int_equal(t.arrived, arrived);
	town_send(&t, 20); /* and new ones pass */
	town_run(&t, 100 * TOWN_SECOND);
	assert_int_equal(t.arrived, arrived + 18);
	town_down(&t);
}

static void
test_full_disk_holds_everything(void **state)
{
	struct town t;

	(void)state;
	town_up(&t, NULL);
	town_settle(&t);
	t.plan = (struct disk_fault){ .at = 1, .err = ERR_FULL, .forever = true,
		.writes_only = true };
	town_send(&t, 50);
	town_run(&t, 300 * TOWN_SECOND);
	assert_int_equal(t.arrived, 0);
	assert_int_equal(town_status(&t).held, 50);
	assert_true(town_status(&t).failed_commits > 3);
	assert_true(town_logged(&t, "alarm disk-failed"));
	t.plan = (struct disk_fault){ 0 };
	town_run(&t, 200 * TOWN_SECOND);
	assert_int_equal(t.arrived, 48);
	assert_true(town_logged(&t, "info disk-recovered"));
	town_down(&t);
}

/* Any single failing write, at any place: all packets leave in the end, none twice. */
static void
test_every_single_fault(void **state)
{
	(void)state;
	for (uint64_t at = 1; at <= 6; at++) {
		struct town t;

		town_up(&t, NULL);
		town_settle(&t);
		t.plan = (struct disk_fault){ .at = at, .err = ERR_IO, .writes_only = true,
			.effect = DISK_FAULT_TORN, .keep = 17 * at };
		for (int i = 0; i < 3; i++) {
			town_send(&t, 10);
			town_run(&t, 20 * TOWN_SECOND);
		}
		town_run(&t, 200 * TOWN_SECOND);
		assert_true(t.plan.failed == 1);
		assert_int_equal(t.arrived, 28);
		town_kill_mix(&t); /* and what is on the disk loads */
		town_start_mix(&t);
		assert_true(town_status(&t).has_sheet);
		town_down(&t);
	}
}

static void
test_bounded(void **state)
{
	struct params p;
	struct town t;

	(void)state;
	params_default(&p);
	p.people = 50;
	p.pool_max = 400;
	p.pieces = params_least_pieces(&p);
	town_up(&t, &p);
	town_settle(&t);
	t.plan = (struct disk_fault){ .at = 1, .err = ERR_FULL, .forever = true };
	town_send(&t, 700);
	town_run(&t, 60 * TOWN_SECOND);
	assert_int_equal(town_status(&t).held, 400);
	assert_int_equal(town_status(&t).dropped_full, 300);
	town_down(&t);
}

static void
test_two_sheets_stop_it(void **state)
{
	struct town t;
	size_t arrived;

	(void)state;
	town_up(&t, NULL);
	town_settle(&t);
	town_send(&t, 50);
	town_run(&t, 15 * TOWN_SECOND);
	arrived = t.arrived;
	assert_true(town_status(&t).pooled > 0);
	town_serve_sheet(&t, TOWN_EPOCH); /* another one */
	town_run(&t, 20 * TOWN_SECOND);
	assert_true(town_status(&t).sits_out);
	assert_true(town_logged(&t, "alarm sheet-equivocation epoch="));
	assert_false(town_status(&t).has_sheet);
	assert_int_equal(town_status(&t).held, 0);
	arrived = t.arrived;
	town_send(&t, 50);
	town_run(&t, 100 * TOWN_SECOND);
	assert_int_equal(t.arrived, arrived);
	town_kill_mix(&t);
	town_start_mix(&t);
	town_run(&t, 60 * TOWN_SECOND);
	assert_true(town_status(&t).sits_out);
	town_down(&t);
}

static void
test_roll_back_stops_it(void **state)
{
	struct buf old;
	struct town t;
	size_t arrived;

	(void)state;
	town_up(&t, NULL);
	town_settle(&t);
	town_send(&t, 10);
	town_run(&t, 30 * TOWN_SECOND);
	buf_init(&old);
	assert_err_ok(disk_read(t.under, &old, "batches", 65536));
	town_send(&t, 10);
	town_run(&t, 60 * TOWN_SECOND);
	town_kill_mix(&t);
	assert_err_ok(disk_replace(t.under, "batches", old.data, old.len));
	town_start_mix(&t);
	town_run(&t, 60 * TOWN_SECOND);
	assert_true(town_status(&t).sits_out);
	assert_true(town_logged(&t, "alarm rolled-back node=2"));
	arrived = t.arrived;
	town_send(&t, 20);
	town_run(&t, 60 * TOWN_SECOND);
	assert_int_equal(t.arrived, arrived);
	assert_int_equal(town_status(&t).dropped_out, 20);
	buf_release(&old);
	town_down(&t);
}

static void
on_stopped(void *arg)
{
	((struct town *)arg)->stopped = true;
}

static void
test_stop_releases_nothing(void **state)
{
	struct town t;

	(void)state;
	town_up(&t, NULL);
	town_settle(&t);
	town_send(&t, 50);
	town_run(&t, 300);
	mix_stop(t.mix, 2000, on_stopped, &t);
	assert_false(t.stopped);
	town_run(&t, 30 * TOWN_SECOND);
	assert_true(t.stopped);
	assert_int_equal(t.arrived, 0);
	town_down(&t);
}

/* Into the next epoch: key, announcement, sheet; and the old key and its set are gone. */
static void
test_next_epoch(void **state)
{
	const struct charter *c;
	struct town t;

	(void)state;
	town_up(&t, NULL);
	c = t.net->charter;
	town_settle(&t);
	town_send(&t, 20);
	assert_err_ok(world_run_until(t.world, town_epoch_start(&t, TOWN_EPOCH + 1) - 3000 * TOWN_SECOND));
	assert_true(t.announcements[1] > 0);
	assert_int_equal(t.arrived, 18);
	town_serve_sheet(&t, TOWN_EPOCH + 1);
	assert_err_ok(world_run_until(t.world, town_epoch_start(&t, TOWN_EPOCH + 1) + 60 * TOWN_SECOND));
	assert_true(town_status(&t).has_sheet);
	town_send(&t, 20);
	town_run(&t, 100 * TOWN_SECOND);
	assert_true(t.arrived + t.wrong >= 36); /* what was left of the old ones does not open */
	assert_true(t.wrong <= 2);
	assert_err_ok(world_run_until(t.world,
	    town_epoch_start(&t, TOWN_EPOCH + 1) + c->params.grace_ms + 120 * TOWN_SECOND));
	for (int i = 0; i < 2; i++) {
		char name[32];
		struct buf b;

		(void)snprintf(name, sizeof(name), "%s-%08x", i == 0 ? "key" : "replay", TOWN_EPOCH);
		buf_init(&b);
		assert_err(disk_read(t.under, &b, name, 1u << 20), ERR_NOT_FOUND);
		buf_release(&b);
	}
	town_down(&t);
}

/* A clock that was set back or forward by some minutes: rounds go on by the new time. */
static void
test_clock_is_set(void **state)
{
	static const int64_t jumps[] = { 300 * TOWN_SECOND, -400 * TOWN_SECOND };
	struct town t;

	(void)state;
	town_up(&t, NULL);
	town_settle(&t);
	for (size_t i = 0; i < 2; i++) {
		size_t before = t.arrived + town_status(&t).pooled;

		world_set_clock(t.host, jumps[i]);
		town_run(&t, 30 * TOWN_SECOND);
		town_send(&t, 40);
		town_run(&t, 120 * TOWN_SECOND);
		assert_int_equal(t.arrived + town_status(&t).pooled, before + 40);
		assert_int_equal(town_status(&t).pooled, 2);
	}
	town_down(&t);
}

static void
test_wrong_keys_are_named(void **state)
{
	struct diag d = { "" };
	struct town t;

	(void)state;
	town_up(&t, NULL);
	mix_free(t.mix);
	t.mix = NULL;
	t.net->keys[network_index(t.net, TOWN_MIX)].identity_sk[40] ^= 1;
	assert_err(town_open_mix(&t, &d), ERR_NOT_FOUND);
	assert_contains(d.text, "identity key");
	disk_free(t.disk);
	town_down(&t);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_packets_pass),
	cmocka_unit_test(test_a_start_does_not_show_the_sessions),
	cmocka_unit_test(test_every_strategy),
	cmocka_unit_test(test_stop_and_go_batches),
	cmocka_unit_test(test_sheet_in_a_block),
	cmocka_unit_test(test_slow_clock_is_told),
	cmocka_unit_test(test_announces),
	cmocka_unit_test(test_no_sheet_no_packets),
	cmocka_unit_test(test_replay_after_a_kill),
	cmocka_unit_test(test_full_disk_holds_everything),
	cmocka_unit_test(test_every_single_fault),
	cmocka_unit_test(test_bounded),
	cmocka_unit_test(test_two_sheets_stop_it),
	cmocka_unit_test(test_roll_back_stops_it),
	cmocka_unit_test(test_stop_releases_nothing),
	cmocka_unit_test(test_next_epoch),
	cmocka_unit_test(test_clock_is_set),
	cmocka_unit_test(test_wrong_keys_are_named),
};

TEST_MAIN(tests)

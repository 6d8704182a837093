#include "config.h"

#include "common/net/session.h"

#include <sodium.h>
#include <string.h>

#include "common/charter/timing.h"
#include "tests/lib/test.h"
#include "tests/unit/net/fake_gateway.h"

#define START_MS INT64_C(1900000000000)

struct scene {
	struct world *world;
	struct world_host *client, *gateway_host;
	struct network *network;
	struct fake_gateway gateway;
	struct session_config cfg;
	struct session *session;
	/* what the events told */
	unsigned opened, slots, sent, items, ended;
	enum err why;
	enum frame_error error;
	enum err item_err; /* to answer items with */
	bool decline, free_in_slot, free_in_item;
	size_t item_bytes;
};

static void
on_opened(void *arg, struct session *s)
{
	(void)s;
	((struct scene *)arg)->opened++;
}

static bool
on_slot(void *arg, struct session *s, struct session_packet *out)
{
	struct scene *k = arg;

	k->slots++;
	if (k->free_in_slot) {
		session_free(s);
		k->session = NULL;
		return true;
	}
	out->first_mix = 1;
	out->epoch = k->slots;
	memset(out->packet, (int)k->slots, 32);
	return !k->decline;
}

static void
on_sent(void *arg, struct session *s)
{
	(void)s;
	((struct scene *)arg)->sent++;
}

static enum err
on_item(void *arg, struct session *s, enum item_kind kind, const uint8_t *p, size_t n)
{
	struct scene *k = arg;

	(void)kind;
	(void)p;
	k->items++;
	k->item_bytes += n;
	if (k->free_in_item) {
		session_free(s);
		k->session = NULL;
	}
	return k->item_err;
}

static void
on_ended(void *arg, struct session *s, enum err why, enum frame_error error)
{
	struct scene *k = arg;

	k->ended++;
	k->why = why;
	k->error = error;
	session_free(s);
	k->session = NULL;
}

static const struct session_events events = {
    .opened = on_opened, .slot = on_slot, .sent = on_sent, .item = on_item, .ended = on_ended};

static void
scene_make(struct scene *k)
{
	const struct world_config cfg = {
	    .seed = test_seed(), .wall_ms = START_MS, .out = {.delay_us = 20000}};

	memset(k, 0, sizeof(*k));
	assert_err_ok(world_new(&k->world, &cfg));
	assert_err_ok(world_host_new(&k->client, k->world));
	assert_err_ok(world_host_new(&k->gateway_host, k->world));
	k->network = network_new(&(struct network_config){.seed = 1});
	fake_gateway_start(&k->gateway, k->world, k->gateway_host, k->network);
	k->cfg = (struct session_config){
	    .charter = k->network->charter,
	    .address = charter_gateway(k->network->charter)->entrance,
	    .open = {.version = FRAME_OPEN_VERSION,
	        .mailbox = 0,
	        .hour = timing_hour(&k->network->charter->params, START_MS),
	        .read = FRAME_READ_LIVE},
	    .rng = world_rng(k->world),
	    .keys = world_rng(k->world),
	};
}

static void
scene_open(struct scene *k)
{
	assert_err_ok(session_open(&k->session, world_loop(k->client), &k->cfg, &events, k));
}

static void
run_for(struct scene *k, int64_t ms)
{
	assert_err_ok(world_run_for(k->world, ms));
}

static void
scene_free(struct scene *k)
{
	session_free(k->session);
	fake_gateway_stop(&k->gateway);
	network_free(k->network);
	world_free(k->world);
}

/* Bytes of a stream of items of these sizes. */
static void
make_stream(struct buf *out, const size_t *sizes, size_t n)
{
	static const uint8_t zeros[100000];

	buf_init(out);
	for (size_t i = 0; i < n; i++)
		assert_err_ok(item_append(out, ITEM_RECORDS, zeros, sizes[i], 1 << 20));
}

/* ---- slots ---- */

static void
test_one_frame_in_every_slot(void **state)
{
	struct scene k;
	const struct fake_session *s;

	(void)state;
	scene_make(&k);
	k.cfg.open.mailbox = 3;
	memset(k.cfg.open.ticket_proof, 0xff, sizeof(k.cfg.open.ticket_proof));
	scene_open(&k);
	assert_int_equal(session_is_open(k.session), false);
	run_for(&k, 3600 * 1000);
	assert_int_equal(k.ended, 0);
	assert_true(session_is_open(k.session));
	s = k.gateway.sessions[0];
	assert_int_equal(k.opened, 1);
	assert_int_equal(k.gateway.count, 1);
	assert_int_equal(s->open.mailbox, 3);
	assert_int_equal(s->open.hour, k.cfg.open.hour);
	assert_true(sodium_is_zero(s->open.ticket_proof, 32));
	assert_int_equal(s->off_beat, 0);
	assert_true(s->packets >= 718 && s->packets <= 719);
	assert_true(k.sent >= s->packets && k.sent <= s->packets + 1);
	assert_int_equal(s->last_mix, 1);
	assert_int_equal(s->last_epoch, s->packets);
	assert_int_equal(s->last_packet[31], (uint8_t)s->packets);
	scene_free(&k);
}

static void
test_the_phase_is_uniform(void **state)
{
	unsigned in[5] = {0};

	(void)state;
	for (int i = 0; i < 200; i++) {
		struct scene k;
		int64_t phase_ms;

		scene_make(&k);
		scene_open(&k);
		for (int j = 0; j < i; j++) /* another draw each time */
			(void)rng_u64(world_rng(k.world));
		run_for(&k, 6000);
		/* down of the handshake 20 ms, then the phase, then up 20 ms */
		phase_ms =
		    k.gateway.sessions[0]->first_ms - k.gateway.sessions[0]->accepted_ms - 40;
		assert_in_range(phase_ms, 0, 4999);
		in[phase_ms / 1000]++;
		scene_free(&k);
	}
	for (int i = 0; i < 5; i++) /* 40 expected, deviation 5.7 */
		assert_in_range(in[i], 10, 70);
}

static void
test_declined_slots_are_not_made_up_for(void **state)
{
	struct scene k;

	(void)state;
	scene_make(&k);
	scene_open(&k);
	run_for(&k, 60000);
	k.decline = true;
	run_for(&k, 20000);
	k.decline = false;
	run_for(&k, 60000);
	assert_int_equal(k.ended, 0);
	assert_int_equal(k.sent, k.slots - 4);
	assert_int_equal(k.gateway.sessions[0]->off_beat, 0);
	scene_free(&k);
}

static void
test_what_comes_down_does_not_move_the_slots(void **state)
{
	struct scene k;
	struct frame_down f = {.type = FRAME_DOWN_STREAM, .stream = (const uint8_t *)""};

	(void)state;
	scene_make(&k);
	scene_open(&k);
	run_for(&k, 10000);
	for (int i = 0; i < 2000; i++) {
		fake_gateway_say(&k.gateway, 0, &f);
		run_for(&k, (int64_t)rng_below(test_rng(), 100));
	}
	assert_int_equal(k.gateway.sessions[0]->off_beat, 0);
	assert_int_equal(k.ended, 0);
	scene_free(&k);
}

static void
test_missed_slots_are_skipped(void **state)
{
	struct scene k;
	const struct fake_session *s;
	unsigned before;

	(void)state;
	scene_make(&k);
	scene_open(&k);
	run_for(&k, 30000);
	s = k.gateway.sessions[0];
	/* Past the third slot from now by more than half a slot. */
	assert_err_ok(world_run_until(k.world, s->first_ms + 100000));
	before = k.slots;
	world_hold(k.client, true);
	run_for(&k, 18000);
	world_hold(k.client, false);
	run_for(&k, 1);
	assert_int_equal(k.slots, before);
	run_for(&k, 30000);
	assert_int_equal(k.slots, before + 6);
	assert_int_equal(s->off_beat, 0);
	assert_int_equal(k.ended, 0);
	scene_free(&k);
}

/* ---- the stream ---- */

static void
test_items_are_assembled(void **state)
{
	static const size_t sizes[] = {0, 1, 4095, 20000, 5};
	struct scene k;
	struct buf stream;

	(void)state;
	scene_make(&k);
	make_stream(&stream, sizes, 5);
	k.gateway.stream = stream.data;
	k.gateway.stream_len = stream.len;
	k.gateway.fill = 777;
	scene_open(&k);
	run_for(&k, 300 * 1000);
	assert_int_equal(k.items, 5);
	assert_int_equal(k.item_bytes, 24101);
	assert_int_equal(k.ended, 0);
	buf_release(&stream);
	scene_free(&k);
}

static void
test_a_refused_item_ends_the_session(void **state)
{
	static const size_t sizes[] = {10, 10, 10};
	struct scene k;
	struct buf stream;

	(void)state;
	scene_make(&k);
	make_stream(&stream, sizes, 3);
	k.gateway.stream = stream.data;
	k.gateway.stream_len = stream.len;
	k.gateway.fill = 1000;
	k.item_err = ERR_CHAIN;
	scene_open(&k);
	run_for(&k, 30000);
	assert_int_equal(k.items, 1);
	assert_int_equal(k.ended, 1);
	assert_err(k.why, ERR_CHAIN);
	assert_int_equal(fake_gateway_live(&k.gateway), 0);
	buf_release(&stream);
	scene_free(&k);
}

static void
test_freed_in_its_callbacks(void **state)
{
	static const size_t sizes[] = {10, 10, 10};
	struct scene k;
	struct buf stream;

	(void)state;
	scene_make(&k);
	make_stream(&stream, sizes, 3);
	k.gateway.stream = stream.data;
	k.gateway.stream_len = stream.len;
	k.gateway.fill = 1000;
	k.free_in_item = true;
	scene_open(&k);
	run_for(&k, 30000);
	assert_int_equal(k.items, 1);
	assert_int_equal(k.ended, 0);
	assert_null(k.session);
	k.gateway.stream_len = k.gateway.given;
	k.free_in_slot = true;
	scene_open(&k);
	run_for(&k, 30000);
	assert_int_equal(k.slots, 1);
	assert_int_equal(k.sent, 0);
	assert_int_equal(fake_gateway_live(&k.gateway), 0);
	buf_release(&stream);
	scene_free(&k);
}

static void
test_a_malformed_stream_ends_the_session(void **state)
{
	static const uint8_t bad[] = {9, 1, 0, 0, 0, 0};
	struct scene k;

	(void)state;
	scene_make(&k);
	k.gateway.stream = bad;
	k.gateway.stream_len = sizeof(bad);
	k.gateway.fill = sizeof(bad);
	scene_open(&k);
	run_for(&k, 30000);
	assert_int_equal(k.ended, 1);
	assert_err(k.why, ERR_MALFORMED);
	scene_free(&k);
}

/* ---- ends ---- */

static void
check_error(enum frame_error error, enum frame_read read, enum err want)
{
	struct scene k;

	scene_make(&k);
	k.cfg.open.read = read;
	k.cfg.open.day = read == FRAME_READ_DAY ? 4711 : 0;
	k.gateway.error = error;
	scene_open(&k);
	run_for(&k, 30000);
	assert_int_equal(k.ended, 1);
	assert_int_equal(k.error, error);
	assert_err(k.why, want);
	assert_int_equal(k.gateway.sessions[0]->open.day, k.cfg.open.day);
	scene_free(&k);
}

static void
test_what_the_gateway_says(void **state)
{
	(void)state;
	check_error(FRAME_ERROR_MARK, FRAME_READ_LIVE, ERR_OK);
	check_error(FRAME_ERROR_MARK, FRAME_READ_DAY, ERR_RANGE);
	check_error(FRAME_ERROR_COMPLETE, FRAME_READ_DAY, ERR_OK);
	check_error(FRAME_ERROR_COMPLETE, FRAME_READ_EPOCHS, ERR_OK);
	check_error(FRAME_ERROR_COMPLETE, FRAME_READ_LIVE, ERR_MALFORMED);
	check_error(FRAME_ERROR_VERSION, FRAME_READ_LIVE, ERR_VERSION);
	check_error(FRAME_ERROR_HOUR, FRAME_READ_LIVE, ERR_RANGE);
	check_error(FRAME_ERROR_MAILBOX, FRAME_READ_LIVE, ERR_NOT_FOUND);
	check_error(FRAME_ERROR_DAY, FRAME_READ_DAY, ERR_NOT_FOUND);
	check_error(FRAME_ERROR_BUSY, FRAME_READ_LIVE, ERR_BUSY);
	check_error(FRAME_ERROR_TICKET, FRAME_READ_LIVE, ERR_CRYPTO);
	check_error(FRAME_ERROR_NOT_READY, FRAME_READ_LIVE, ERR_STATE);
	check_error(FRAME_ERROR_STORE, FRAME_READ_LIVE, ERR_IO);
	check_error(FRAME_ERROR_RATE, FRAME_READ_LIVE, ERR_RANGE);
}

static void
test_silence_ends_the_session(void **state)
{
	struct scene k;

	(void)state;
	scene_make(&k);
	scene_open(&k);
	run_for(&k, 60000);
	k.gateway.silent = true;
	run_for(&k, 44000); /* a slot less than 4 slots and 30 s */
	assert_int_equal(k.ended, 0);
	run_for(&k, 7000);
	assert_int_equal(k.ended, 1);
	assert_err(k.why, ERR_TIMEOUT);
	scene_free(&k);
}

static void
test_a_half_open_gateway(void **state)
{
	struct scene k;

	(void)state;
	scene_make(&k);
	world_hold(k.gateway_host, true);
	scene_open(&k);
	run_for(&k, 59000);
	assert_int_equal(k.ended, 0);
	run_for(&k, 2000);
	assert_int_equal(k.ended, 1);
	assert_err(k.why, ERR_TIMEOUT);
	scene_free(&k);
}

static void
test_nobody_there(void **state)
{
	struct scene k;

	(void)state;
	scene_make(&k);
	k.cfg.address = "127.0.0.1:1";
	scene_open(&k);
	run_for(&k, 10000);
	assert_int_equal(k.ended, 1);
	assert_err(k.why, ERR_NOT_FOUND);
	k.cfg.address = "nowhere";
	assert_err(session_open(&k.session, world_loop(k.client), &k.cfg, &events, &k), ERR_USAGE);
	assert_null(k.session);
	scene_free(&k);
}

static void
test_a_wrong_gateway(void **state)
{
	struct scene k;
	struct network *other = network_new(&(struct network_config){.seed = 2});

	(void)state;
	scene_make(&k);
	k.cfg.charter = other->charter;
	scene_open(&k);
	run_for(&k, 10000);
	assert_int_equal(k.ended, 1);
	assert_err(k.why, ERR_CLOSED);
	assert_int_equal(k.opened, 0);
	network_free(other);
	scene_free(&k);
}

static void
test_jumps_end_it_cleanly(void **state)
{
	struct scene k;

	(void)state;
	scene_make(&k);
	scene_open(&k);
	run_for(&k, 60000);
	world_set_clock(k.client, 3600000);
	assert_int_equal(k.ended, 1);
	assert_err(k.why, ERR_CLOSED);
	scene_open(&k);
	run_for(&k, 60000);
	assert_err_ok(world_sleep(k.client, 100000));
	run_for(&k, 100001);
	assert_int_equal(k.ended, 2);
	assert_err(k.why, ERR_CLOSED);
	scene_free(&k);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_one_frame_in_every_slot),
    cmocka_unit_test(test_the_phase_is_uniform),
    cmocka_unit_test(test_declined_slots_are_not_made_up_for),
    cmocka_unit_test(test_what_comes_down_does_not_move_the_slots),
    cmocka_unit_test(test_missed_slots_are_skipped),
    cmocka_unit_test(test_items_are_assembled),
    cmocka_unit_test(test_a_refused_item_ends_the_session),
    cmocka_unit_test(test_freed_in_its_callbacks),
    cmocka_unit_test(test_a_malformed_stream_ends_the_session),
    cmocka_unit_test(test_what_the_gateway_says),
    cmocka_unit_test(test_silence_ends_the_session),
    cmocka_unit_test(test_a_half_open_gateway),
    cmocka_unit_test(test_nobody_there),
    cmocka_unit_test(test_a_wrong_gateway),
    cmocka_unit_test(test_jumps_end_it_cleanly),
};
TEST_MAIN(tests)

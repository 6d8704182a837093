#include "config.h"

#include "gateway/entry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/charter/timing.h"
#include "common/net/attend.h"
#include "evaluation/world.h"
#include "gateway/store_memory.h"
#include "tests/lib/network.h"
#include "tests/lib/test.h"
#include "tests/unit/gateway/caller.h"
#include "tests/unit/gateway/faults.h"

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)
#define START_MS (INT64_C(20000) * DAY_MS + 9 * HOUR_MS) /* nine in the morning */
#define EVERY_MS 30000 /* between two blocks */
#define SESSIONS_MAX 60
#define WAITING_MAX 30
#define CALLERS_MAX 100
#define BUSY 7	/* the mailbox that has records */
#define RECORDS 4096
#define ENTRANCE "unix:/entrance"

struct forwarded {
	uint16_t first_mix;
	uint32_t epoch;
};

/* A gateway's entry over a store in memory, in the virtual world. */
struct stand {
	struct world *world;
	struct world_host *host, *outside;
	struct network *network;
	const struct params *params;
	struct memory_journal *journal;
	struct faults faults;
	struct store *store;
	struct entry *entry;
	struct rng_seeded rng;
	uint64_t round; /* of the last block */
	struct forwarded forwarded[1000];
	size_t forwarded_count;
	struct caller *callers[CALLERS_MAX];
	size_t caller_count;
};

/* ---- the stand ---- */

static void
on_packet(void *arg, uint16_t first_mix, uint32_t epoch, const uint8_t *packet)
{
	struct stand *s = arg;

	(void)packet;
	assert_true(s->forwarded_count < 1000);
	s->forwarded[s->forwarded_count++] = (struct forwarded){ first_mix, epoch };
}

static void
open_entry(struct stand *s)
{
	static const struct entry_events events = { on_packet, NULL };
	const struct charter_node *own = charter_gateway(s->network->charter);
	struct entry_config cfg = {
		.loop = world_loop(s->host),
		.charter = s->network->charter,
		.link_sk = s->network->keys[network_index(s->network, own->number)].link_sk,
		.listen = ENTRANCE,
		.store = s->store,
		.rng = &s->rng.rng,
		.keys = &s->rng.rng,
		.sessions_max = SESSIONS_MAX,
		.waiting_max = WAITING_MAX,
	};

	assert_err_ok(entry_open(&s->entry, &cfg, &events, s, NULL));
}

static int
set_up(void **state)
{
	struct stand *s = calloc(1, sizeof(*s));
	struct world_config world = { .seed = test_seed(), .wall_ms = START_MS };
	struct network_config network = { .seed = test_seed() };
	struct params p;
	struct store *memory;

	assert_non_null(s);
	world.out.delay_us = world.in.delay_us = 100;
	params_default(&p);
	p.mailboxes = BUSY + 1;
	p.people = 50 * p.mailboxes;
	p.pieces = params_least_pieces(&p);
	network.params = &p;
	assert_err_ok(world_new(&s->world, &world));
	assert_err_ok(world_host_new(&s->host, s->world));
	assert_err_ok(world_host_new(&s->outside, s->world));
	s->network = network_new(&network);
	s->params = &s->network->charter->params;
	rng_seeded_init(&s->rng, test_seed());
	s->journal = memory_journal_new();
	assert_non_null(s->journal);
	assert_err_ok(store_memory_new(&memory, world_loop(s->host), s->journal));
	s->store = faults_new(memory, world_loop(s->host), &s->faults);
	open_entry(s);
	*state = s;
	return 0;
}

static int
tear_down(void **state)
{
	struct stand *s = *state;

	for (size_t i = 0; i < s->caller_count; i++)
		caller_free(s->callers[i]);
	entry_free(s->entry);
	store_free(s->store);
	memory_journal_free(s->journal);
	world_free(s->world);
	network_free(s->network);
	free(s);
	return 0;
}

static int64_t
now_ms(const struct stand *s)
{
	return world_now_ms(s->world);
}

static void
pass(struct stand *s, int64_t ms)
{
	assert_err_ok(world_run_for(s->world, ms));
}

static void
pass_until(struct stand *s, int64_t wall_ms)
{
	assert_err_ok(world_run_until(s->world, wall_ms));
}

static void
on_put(void *arg, enum err e)
{
	*(enum err *)arg = e;
}

/* A block of this time; its first 8 bytes are its round. */
static void
write_block(struct stand *s, int64_t wall_ms, bool epoch_block)
{
	static uint8_t records[RECORDS];
	uint8_t block[500] = {0};
	struct store_records r = { BUSY, records, sizeof(records) };
	struct store_round round = {
		.day = timing_day(s->params, wall_ms),
		.round = timing_round(s->params, wall_ms),
		.epoch_block = epoch_block,
		.block = block,
		.block_len = sizeof(block),
		.mailboxes = &r,
		.mailbox_count = !epoch_block,
		.state = block,
		.state_len = 8,
	};
	enum err e = ERR_STATE;

	store_u64(block, round.round);
	store_u64(records, round.round);
	assert_err_ok(store_put(s->store, &round, on_put, &e));
	while (e == ERR_STATE)
		assert_true(world_step(s->world));
	assert_err_ok(e);
	s->round = round.round;
	entry_published(s->entry, round.day, store_count(s->store, round.day) - 1, round.round,
	    block, sizeof(block), &r, round.mailbox_count);
}

/* A block every 30 s from then on until now. */
static void
write_since(struct stand *s, int64_t from_ms)
{
	for (int64_t t = from_ms; t <= now_ms(s); t += EVERY_MS)
		write_block(s, t, false);
}

/* Close the entry and open it again, with nothing in its cache. */
static void
forget(struct stand *s)
{
	entry_free(s->entry);
	open_entry(s);
}

static void
give_sheet(struct stand *s, uint32_t epoch, const char *text)
{
	assert_err_ok(entry_sheet(s->entry, epoch, (const uint8_t *)text, strlen(text)));
}

static struct caller *
call(struct stand *s)
{
	struct caller *k = caller_new(world_loop(s->outside), s->network->charter, ENTRANCE,
	    &s->rng.rng);

	assert_true(s->caller_count < CALLERS_MAX);
	s->callers[s->caller_count++] = k;
	while (!k->up && !k->ended)
		assert_true(world_step(s->world));
	return k;
}

static struct frame_open
live(struct stand *s)
{
	return (struct frame_open){
		.version = 1, .mailbox = BUSY, .hour = timing_hour(s->params, now_ms(s))
	};
}

static struct caller *
call_with(struct stand *s, const struct frame_open *open)
{
	struct caller *k = call(s);

	caller_open(k, open);
	return k;
}

static struct caller *
call_live(struct stand *s)
{
	struct frame_open open = live(s);

	return call_with(s, &open);
}

/* The round of the i-th block that came. */
static uint64_t
block_round(const struct caller *k, size_t i)
{
	for (size_t at = 0; at < k->count; at++)
		if (k->items[at].kind == ITEM_BLOCK && i-- == 0)
			return load_u64(k->items[at].head);
	fail();
	return 0;
}

/* Each block must be followed by its records, and come after the one before. */
static void
check_stream(const struct stand *s, const struct caller *k, int64_t first_ms)
{
	uint64_t last = 0;

	assert_true(block_round(k, 0) == timing_round(s->params, first_ms));
	for (size_t i = 0; i < k->count; i++) {
		if (k->items[i].kind == ITEM_SHEET)
			continue;
		if (k->items[i].kind == ITEM_BLOCK) {
			assert_true(load_u64(k->items[i].head) > last);
			last = load_u64(k->items[i].head);
		} else {
			assert_true(load_u64(k->items[i].head) == last);
			assert_int_equal(k->items[i].len, RECORDS);
			assert_true(k->items[i - 1].kind == ITEM_BLOCK);
		}
	}
	assert_true(last == s->round);
}

static int64_t
mark_ms(const struct stand *s, uint32_t hour)
{
	return timing_hour_start(s->params, hour) - 11 * MINUTE_MS;
}

static uint32_t
hour_now(const struct stand *s)
{
	return timing_hour(s->params, now_ms(s));
}

static struct entry_status
status(const struct stand *s)
{
	struct entry_status out;

	entry_get_status(s->entry, &out);
	return out;
}

/* ---- live sessions ---- */

static void
test_live(void **state)
{
	struct stand *s = *state;
	struct caller *k;
	unsigned frames;

	write_since(s, START_MS - 40 * MINUTE_MS);
	give_sheet(s, timing_epoch(s->params, START_MS), "running");
	give_sheet(s, timing_epoch(s->params, START_MS) + 1, "coming");
	k = call_live(s);
	pass(s, 20000);
	assert_int_equal(k->items[0].kind, ITEM_SHEET);
	assert_memory_equal(k->items[0].head, "running", 7);
	assert_memory_equal(k->items[1].head, "coming", 6);
	assert_int_equal(k->items[2].kind, ITEM_BLOCK);
	check_stream(s, k, mark_ms(s, hour_now(s)));
	assert_int_equal(caller_count(k, ITEM_RECORDS), caller_count(k, ITEM_BLOCK));
	/* From now on one frame for each frame up. */
	frames = k->frames;
	write_block(s, now_ms(s) + 10000, false);
	for (unsigned i = 1; i <= 20; i++) {
		caller_packet(k, 1, 5);
		pass(s, 5000);
		assert_int_equal(k->frames, frames + i);
	}
	check_stream(s, k, mark_ms(s, hour_now(s)));
	assert_int_equal(k->error, FRAME_ERROR_NONE);
	assert_false(k->ended);
}

/* One frame in 100 ms, not faster, until all is there. */
static void
test_catch_up(void **state)
{
	struct stand *s = *state;
	struct caller *k;

	write_since(s, START_MS - 20 * MINUTE_MS);
	forget(s);
	k = call_live(s);
	for (unsigned ms = 100; ms <= 1000; ms += 100) {
		pass(s, 100);
		assert_in_range(k->frames, 0, ms / 100 + 1);
	}
	pass(s, 10000);
	check_stream(s, k, mark_ms(s, hour_now(s)));
	assert_in_range(k->empty, 0, 3); /* frames of a quiet session, none to catch up */
}

/* Whenever it opens, a session of an hour reads from the same block. */
static void
test_same_start(void **state)
{
	struct stand *s = *state;
	uint32_t hour = hour_now(s) + 1;
	static const int64_t minutes[] = { -11, -10, -1, 0, 1, 30, 59 };
	int64_t written = START_MS - 5 * MINUTE_MS;

	for (size_t i = 0; i < sizeof(minutes) / sizeof(minutes[0]); i++) {
		struct frame_open open = { .version = 1, .mailbox = BUSY, .hour = hour };
		struct caller *k;

		pass_until(s, timing_hour_start(s->params, hour) + minutes[i] * MINUTE_MS);
		for (; written <= now_ms(s); written += EVERY_MS)
			write_block(s, written, false);
		k = call_with(s, &open);
		pass(s, 20000);
		check_stream(s, k, mark_ms(s, hour));
	}
}

static void
test_before_any_block(void **state)
{
	struct stand *s = *state;
	struct caller *k = call_live(s);

	pass(s, 11000);
	assert_int_equal(k->count, 0);
	assert_in_range(k->frames, 1, 3); /* it is told that the gateway lives */
	write_block(s, now_ms(s), true);
	pass(s, 11000);
	assert_int_equal(caller_count(k, ITEM_BLOCK), 1);
	assert_int_equal(k->error, FRAME_ERROR_NONE);
}

/* Over midnight, and over days on which nothing was written. */
static void
test_over_days(void **state)
{
	struct stand *s = *state;
	int64_t midnight = START_MS + 15 * HOUR_MS;
	struct frame_open open;
	struct caller *k;

	pass_until(s, midnight - 20 * MINUTE_MS);
	write_since(s, midnight - 40 * MINUTE_MS);
	pass_until(s, midnight - 5 * MINUTE_MS);
	open = live(s);
	open.hour++;
	k = call_with(s, &open);
	pass(s, 11000);
	assert_int_equal(caller_count(k, ITEM_BLOCK), 0); /* none after the mark yet */
	write_block(s, now_ms(s), false);
	write_block(s, midnight + 10000, true);
	write_block(s, midnight + 20000, false);
	pass_until(s, midnight + MINUTE_MS);
	assert_int_equal(caller_count(k, ITEM_BLOCK), 3);
	pass_until(s, midnight + 3 * DAY_MS);
	write_block(s, midnight + 3 * DAY_MS, false);
	k = call_live(s);
	pass(s, 11000);
	check_stream(s, k, midnight + 3 * DAY_MS);
}

static void
test_other_mailbox(void **state)
{
	struct stand *s = *state;
	struct frame_open open = live(s);
	struct caller *k;

	write_since(s, START_MS - 12 * MINUTE_MS);
	open.mailbox = 3;
	k = call_with(s, &open);
	pass(s, 10000);
	check_stream(s, k, mark_ms(s, hour_now(s)));
	assert_int_equal(caller_count(k, ITEM_RECORDS), 0);
}

/* Of the former hour's sessions none outlives the mark, of the coming one's all. */
static void
test_mark(void **state)
{
	struct stand *s = *state;
	int64_t next = timing_hour_start(s->params, hour_now(s) + 1);
	struct frame_open open;
	struct caller *former, *coming;

	pass_until(s, next - 5 * MINUTE_MS);
	write_since(s, next - 30 * MINUTE_MS);
	former = call_live(s);
	open = live(s);
	open.hour++;
	coming = call_with(s, &open);
	pass_until(s, next - 1000);
	assert_int_equal(former->error, FRAME_ERROR_NONE);
	assert_int_equal(status(s).sessions, 2);
	pass_until(s, next + 1000);
	assert_int_equal(former->error, FRAME_ERROR_MARK);
	assert_true(former->ended);
	assert_int_equal(coming->error, FRAME_ERROR_NONE);
	assert_int_equal(status(s).sessions, 1);
}

/* A client that sends nothing still learns what happens, at a quiet pace. */
static void
test_quiet_client(void **state)
{
	struct stand *s = *state;
	struct caller *k;
	unsigned frames;

	write_since(s, START_MS - 12 * MINUTE_MS);
	k = call_live(s);
	pass(s, 20000);
	frames = k->frames;
	pass(s, 100000);
	assert_in_range(k->frames - frames, 9, 11); /* in two slots of 5 s one */
	give_sheet(s, timing_epoch(s->params, now_ms(s)) + 1, "coming");
	give_sheet(s, timing_epoch(s->params, now_ms(s)), "late"); /* this one is waited for */
	pass(s, 200);
	assert_int_equal(caller_count(k, ITEM_SHEET), 2);
	write_block(s, now_ms(s), false);
	pass(s, 11000);
	assert_true(block_round(k, caller_count(k, ITEM_BLOCK) - 1) == s->round);
}

/* ---- packets ---- */

static void
test_packets(void **state)
{
	struct stand *s = *state;
	struct caller *k = call_live(s);

	for (uint16_t i = 0; i < 30; i++) {
		caller_packet(k, i, 77u + i);
		pass(s, 5000);
		assert_int_equal(s->forwarded_count, i + 1);
		assert_int_equal(s->forwarded[i].first_mix, i);
		assert_int_equal(s->forwarded[i].epoch, 77u + i);
	}
	assert_int_equal(k->error, FRAME_ERROR_NONE);
}

/* A network may bunch slots together, but nobody sends faster than the clock. */
static void
test_rate(void **state)
{
	struct stand *s = *state;
	struct caller *k = call_live(s);

	for (unsigned i = 0; i < 20; i++)
		caller_packet(k, 1, 1);
	pass(s, 1000);
	assert_int_equal(k->error, FRAME_ERROR_NONE);
	assert_int_equal(s->forwarded_count, 20);
	for (unsigned i = 0; i < 300; i++)
		caller_packet(k, 1, 1);
	pass(s, 10000);
	assert_int_equal(k->error, FRAME_ERROR_RATE);
	assert_true(k->ended);
	assert_in_range(s->forwarded_count, 20, 70);
}

/* ---- gaps ---- */

static void
test_earlier_day(void **state)
{
	struct stand *s = *state;
	struct frame_open open = live(s);
	struct caller *k;

	open.read = FRAME_READ_DAY;
	open.day = timing_day(s->params, START_MS) - 1;
	for (int64_t t = START_MS - DAY_MS; t < START_MS - DAY_MS + HOUR_MS; t += EVERY_MS)
		write_block(s, t, false);
	write_since(s, START_MS - 10 * MINUTE_MS);
	forget(s);
	k = call_with(s, &open);
	pass(s, 2 * MINUTE_MS);
	assert_int_equal(k->error, FRAME_ERROR_COMPLETE);
	assert_int_equal(caller_count(k, ITEM_BLOCK), 120);
	assert_true(block_round(k, 0) == timing_round(s->params, START_MS - DAY_MS));
	assert_true(k->ended);
}

/* Of the running day what came before the live session's part. */
static void
test_running_day(void **state)
{
	struct stand *s = *state;
	struct frame_open open = live(s);
	uint64_t from = timing_round(s->params, mark_ms(s, hour_now(s)));
	struct caller *k;

	write_since(s, START_MS - HOUR_MS);
	open.read = FRAME_READ_DAY;
	open.day = timing_day(s->params, START_MS);
	k = call_with(s, &open);
	pass(s, 2 * MINUTE_MS);
	assert_int_equal(k->error, FRAME_ERROR_COMPLETE);
	assert_true(block_round(k, 0) == timing_round(s->params, START_MS - HOUR_MS));
	assert_int_equal(block_round(k, caller_count(k, ITEM_BLOCK) - 1),
	    from - (uint64_t)(EVERY_MS / s->params->round_ms));
}

static void
test_epoch_blocks(void **state)
{
	struct stand *s = *state;
	struct frame_open open = live(s);
	struct caller *k;

	for (int64_t t = START_MS - 100 * DAY_MS; t <= START_MS; t += DAY_MS)
		write_block(s, t, true);
	open.read = FRAME_READ_EPOCHS;
	k = call_with(s, &open);
	pass(s, MINUTE_MS);
	assert_int_equal(k->error, FRAME_ERROR_COMPLETE);
	assert_int_equal(caller_count(k, ITEM_BLOCK), 101);
	assert_int_equal(caller_count(k, ITEM_RECORDS), 0);
	assert_true(block_round(k, 0) == timing_round(s->params, START_MS - 100 * DAY_MS));
}

/* Days and epoch blocks have an end too: one that does not read keeps no place for ever. */
static void
test_unread_ends(void **state)
{
	struct stand *s = *state;
	static const enum frame_read reads[] = { FRAME_READ_DAY, FRAME_READ_EPOCHS };
	int64_t end = timing_hour_start(s->params, hour_now(s) + 3);
	struct caller *k[2];

	for (int64_t t = START_MS - 100 * DAY_MS; t < START_MS; t += DAY_MS / 50)
		write_block(s, t, true);
	write_since(s, START_MS - 8 * HOUR_MS);
	for (size_t i = 0; i < 2; i++) {
		struct frame_open open = live(s);

		open.read = reads[i];
		open.day = reads[i] == FRAME_READ_DAY ? timing_day(s->params, START_MS) : 0;
		k[i] = call_with(s, &open);
		link_pause(k[i]->link, true);
	}
	while (now_ms(s) + MINUTE_MS < end) {
		for (size_t i = 0; i < 2; i++)
			caller_packet(k[i], 1, 1);
		pass(s, MINUTE_MS);
		assert_int_equal(status(s).members, 2);
	}
	pass(s, 2 * MINUTE_MS);
	assert_int_equal(status(s).members, 0);
	for (size_t i = 0; i < 2; i++)
		link_pause(k[i]->link, false);
	pass(s, MINUTE_MS);
	assert_int_equal(status(s).sessions, 0);
	for (size_t i = 0; i < 2; i++)
		assert_true(k[i]->ended);
}

/* ---- refusals ---- */

static void
refused(struct stand *s, const struct frame_open *open, enum frame_error want)
{
	struct caller *k = call_with(s, open);
	size_t sessions = status(s).sessions;

	pass(s, 10000);
	assert_int_equal(k->error, want);
	assert_true(k->ended);
	assert_int_equal(k->frames, 0);
	assert_int_equal(status(s).sessions, sessions - 1);
}

static void
test_refusals(void **state)
{
	struct stand *s = *state;
	struct frame_open open = live(s);

	write_since(s, START_MS - 10 * MINUTE_MS);
	open.mailbox = BUSY + 1;
	refused(s, &open, FRAME_ERROR_MAILBOX);
	open.mailbox = UINT16_MAX;
	refused(s, &open, FRAME_ERROR_MAILBOX);
	open = live(s);
	open.read = FRAME_READ_DAY;
	refused(s, &open, FRAME_ERROR_DAY);
	open.day = timing_day(s->params, START_MS) + 1;
	refused(s, &open, FRAME_ERROR_DAY);
	open = live(s);
	open.version = 2;
	refused(s, &open, FRAME_ERROR_VERSION);
	assert_int_equal(status(s).refused, 5);
}

static void
test_hours(void **state)
{
	struct stand *s = *state;
	uint32_t hour = hour_now(s);
	struct frame_open open = live(s);
	static const int64_t wrong[] = { -1, 1, 2, -1000 };

	write_since(s, START_MS - 10 * MINUTE_MS);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		open.hour = (uint32_t)(hour + wrong[i]);
		refused(s, &open, FRAME_ERROR_HOUR);
	}
	open.hour = hour + 1;
	pass_until(s, mark_ms(s, hour + 1) - MINUTE_MS);
	refused(s, &open, FRAME_ERROR_HOUR);
	pass_until(s, mark_ms(s, hour + 1));
	assert_int_equal(call_with(s, &open)->error, FRAME_ERROR_NONE);
	pass(s, 5000);
	assert_int_equal(status(s).opened, 1);
}

static void
test_malformed(void **state)
{
	struct stand *s = *state;
	size_t bytes = params_up_frame_bytes(s->params);
	uint8_t *frame = calloc(1, bytes);
	struct frame_open open = live(s);
	struct caller *k = call(s);

	assert_non_null(frame);
	caller_packet(k, 1, 1); /* before it was opened */
	pass(s, 1000);
	assert_true(k->ended);
	k = call_live(s);
	caller_open(k, &open); /* twice */
	pass(s, 1000);
	assert_true(k->ended);
	k = call(s);
	memset(frame, 0xff, bytes);
	caller_raw(k, frame);
	pass(s, 1000);
	assert_true(k->ended);
	assert_int_equal(s->forwarded_count, 0);
	assert_int_equal(status(s).malformed, 3);
	assert_int_equal(status(s).sessions, 0);
	free(frame);
}

static void
test_too_many(void **state)
{
	struct stand *s = *state;
	struct caller *k;

	write_since(s, START_MS - MINUTE_MS);
	for (unsigned i = 0; i < SESSIONS_MAX; i++)
		(void)call_live(s);
	pass(s, 5000);
	assert_int_equal(status(s).sessions, SESSIONS_MAX);
	k = call_live(s);
	pass(s, 5000);
	assert_int_equal(k->error, FRAME_ERROR_BUSY);
	caller_free(s->callers[0]);
	s->callers[0] = s->callers[--s->caller_count];
	pass(s, 1000);
	k = call_live(s);
	pass(s, 5000);
	assert_int_equal(k->error, FRAME_ERROR_NONE);
	assert_true(k->frames > 0);
}

/* ---- peers that hang ---- */

struct silent {
	struct conn *conn;
	bool closed;
};

static void
nothing_opened(void *arg)
{
	(void)arg;
}

static size_t
nothing_taken(void *arg, const uint8_t *p, size_t n)
{
	(void)arg;
	(void)p;
	return n;
}

static void
silent_closed(void *arg, enum err why)
{
	struct silent *k = arg;

	(void)why;
	k->closed = true;
	conn_free(k->conn);
	k->conn = NULL;
}

static void
test_no_handshake(void **state)
{
	static const struct conn_events events = {
		.opened = nothing_opened, .data = nothing_taken, .closed = silent_closed
	};
	static const struct conn_limits limits = { 65536, 65536 };
	struct stand *s = *state;
	struct silent k = { NULL, false };

	assert_err_ok(conn_open(&k.conn, world_loop(s->outside), ENTRANCE, &limits, &events, &k));
	pass(s, 2 * MINUTE_MS);
	assert_true(k.closed);
	assert_int_equal(status(s).sessions, 0);
}

static void
test_no_open_frame(void **state)
{
	struct stand *s = *state;
	struct caller *k = call(s);

	pass(s, 2 * MINUTE_MS);
	assert_true(k->ended);
	assert_int_equal(k->error, FRAME_ERROR_NONE);
	assert_int_equal(status(s).sessions, 0);
}

/* ---- floods ---- */

static struct silent *
be_silent(struct stand *s)
{
	static const struct conn_events events = {
		.opened = nothing_opened, .data = nothing_taken, .closed = silent_closed
	};
	static const struct conn_limits limits = { 65536, 65536 };
	struct silent *k = calloc(1, sizeof(*k));

	assert_non_null(k);
	assert_err_ok(conn_open(&k->conn, world_loop(s->outside), ENTRANCE, &limits, &events, k));
	pass(s, 10);
	return k;
}

static void
end_silent(struct silent *k)
{
	conn_free(k->conn);
	free(k);
}

/* More strangers than there are places: the oldest goes, and whoever calls is served. */
static void
test_strangers(void **state)
{
	struct stand *s = *state;
	struct silent *strangers[3 * SESSIONS_MAX];
	struct caller *before, *k;

	write_since(s, START_MS - MINUTE_MS);
	before = call_live(s);
	for (size_t i = 0; i < 3 * SESSIONS_MAX; i++)
		strangers[i] = be_silent(s);
	assert_int_equal(status(s).sessions, WAITING_MAX + 1);
	assert_int_equal(status(s).pushed_out, 3 * SESSIONS_MAX - WAITING_MAX);
	for (size_t i = 0; i < 3 * SESSIONS_MAX; i++)
		assert_int_equal(strangers[i]->closed, i < 3 * SESSIONS_MAX - WAITING_MAX);
	k = call_live(s);
	pass(s, 5000);
	assert_true(k->frames > 0);
	assert_false(before->ended || k->ended);
	assert_int_equal(status(s).members, 2);
	for (size_t i = 0; i < 3 * SESSIONS_MAX; i++)
		end_silent(strangers[i]);
}

/* The same of those who shake hands and go no further, or are refused and stay. */
static void
callers(struct stand *s, bool refused)
{
	struct frame_open open = live(s);
	struct caller *before, *k;
	size_t first;

	write_since(s, START_MS - MINUTE_MS);
	before = call_live(s);
	open.mailbox = BUSY + 1;
	first = s->caller_count;
	for (size_t i = 0; i < 2 * WAITING_MAX; i++) {
		k = call(s);
		if (refused)
			caller_open(k, &open);
		pass(s, 10);
	}
	assert_int_equal(status(s).sessions, WAITING_MAX + 1);
	for (size_t i = 0; i < 2 * WAITING_MAX; i++)
		assert_int_equal(s->callers[first + i]->ended, i < WAITING_MAX);
	k = call_live(s);
	pass(s, 10000);
	assert_true(k->frames > 0);
	assert_false(before->ended || k->ended);
	assert_int_equal(status(s).members, 2);
	assert_int_equal(status(s).pushed_out, WAITING_MAX + 1);
}

static void
test_callers(void **state)
{
	callers(*state, false);
}

static void
test_callers_refused(void **state)
{
	struct stand *s = *state;

	callers(s, true);
	assert_int_equal(status(s).sessions, 2); /* their time to linger is over */
}

/* Who reads the notices pays nothing, and has no member's place, however slowly he reads. */
static void
test_readers_of_notices(void **state)
{
	struct stand *s = *state;
	struct frame_open open = live(s);
	struct caller *k;

	write_since(s, START_MS - MINUTE_MS);
	open.read = FRAME_READ_NOTICES;
	for (size_t i = 0; i < SESSIONS_MAX + 10; i++) {
		k = call_with(s, &open);
		link_pause(k->link, true);
	}
	assert_int_equal(status(s).members, 0);
	assert_in_range(status(s).sessions, 1, WAITING_MAX);
	k = call_live(s);
	pass(s, 5000);
	assert_true(k->frames > 0 && !k->ended);
	assert_int_equal(status(s).members, 1);
}

/* A session that has said nothing for a quarter of an hour is nobody's any more. */
static void
test_silent_session(void **state)
{
	struct stand *s = *state;
	struct caller *k;

	write_since(s, START_MS - MINUTE_MS);
	k = call_live(s);
	pass(s, 14 * MINUTE_MS);
	assert_false(k->ended);
	pass(s, 2 * MINUTE_MS);
	assert_true(k->ended);
	assert_int_equal(k->error, FRAME_ERROR_NONE);
	assert_int_equal(status(s).sessions, 0);
}

/* A client that reads nothing falls behind; what waits for it is bounded. */
static void
test_slow_reader(void **state)
{
	struct stand *s = *state;
	struct caller *k, *other;

	write_since(s, START_MS - 40 * MINUTE_MS);
	k = call_live(s);
	link_pause(k->link, true);
	pass(s, MINUTE_MS);
	other = call_live(s);
	pass(s, MINUTE_MS);
	check_stream(s, other, mark_ms(s, hour_now(s)));
	assert_int_equal(k->frames, 0);
	link_pause(k->link, false);
	pass(s, MINUTE_MS);
	check_stream(s, k, mark_ms(s, hour_now(s)));
}

/* A client that goes while the store is being asked for it. */
static void
test_gone_meanwhile(void **state)
{
	struct stand *s = *state;

	write_since(s, START_MS - 40 * MINUTE_MS);
	for (unsigned steps = 1; steps < 60; steps++) {
		struct caller *k;

		forget(s);
		k = call_live(s);
		for (unsigned i = 0; i < steps; i++)
			assert_true(world_step(s->world));
		caller_free(k);
		s->caller_count--;
		pass(s, 1000);
		assert_int_equal(status(s).sessions, 0);
	}
}

/* The entry is closed while the store is being asked, which answers later. */
static void
test_closed_meanwhile(void **state)
{
	struct stand *s = *state;
	unsigned reads = 0;

	write_since(s, START_MS - 40 * MINUTE_MS);
	for (unsigned steps = 1; steps < 60; steps++) {
		unsigned before = s->faults.reads;
		struct caller *k;

		forget(s);
		k = call_live(s);
		for (unsigned i = 0; i < steps; i++)
			assert_true(world_step(s->world));
		entry_free(s->entry);
		s->entry = NULL;
		reads += s->faults.reads - before;
		pass(s, 1000);
		caller_free(k);
		s->caller_count--;
		open_entry(s);
	}
	assert_true(reads > 0);
}

/* ---- the store ---- */

static void
test_store_fails(void **state)
{
	struct stand *s = *state;
	struct caller *k;

	write_since(s, START_MS - 20 * MINUTE_MS);
	forget(s);
	s->faults.find = ERR_IO;
	k = call_live(s);
	pass(s, 5000);
	assert_int_equal(k->error, FRAME_ERROR_STORE);
	s->faults.find = ERR_OK;
	s->faults.read = ERR_IO;
	k = call_live(s);
	pass(s, 5000);
	assert_int_equal(k->error, FRAME_ERROR_STORE);
	s->faults.read = ERR_OK;
	k = call_live(s);
	pass(s, 20000);
	check_stream(s, k, mark_ms(s, hour_now(s)));
}

/* Many sessions ask the store not more than one does. */
static void
test_shared_reads(void **state)
{
	struct stand *s = *state;
	unsigned alone;

	write_since(s, START_MS - 40 * MINUTE_MS);
	forget(s);
	(void)call_live(s);
	pass(s, 20000);
	alone = s->faults.reads;
	assert_true(alone > 0);
	forget(s);
	for (unsigned i = 0; i < 50; i++)
		(void)call_live(s);
	pass(s, 20000);
	assert_in_range(s->faults.reads - alone, 1, alone);
	for (size_t i = 1; i < s->caller_count; i++)
		check_stream(s, s->callers[i], mark_ms(s, hour_now(s)));
}

#define STAND(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static const struct CMUnitTest tests[] = {
	STAND(test_live),
	STAND(test_catch_up),
	STAND(test_same_start),
	STAND(test_before_any_block),
	STAND(test_over_days),
	STAND(test_other_mailbox),
	STAND(test_mark),
	STAND(test_quiet_client),
	STAND(test_packets),
	STAND(test_rate),
	STAND(test_earlier_day),
	STAND(test_running_day),
	STAND(test_epoch_blocks),
	STAND(test_unread_ends),
	STAND(test_refusals),
	STAND(test_hours),
	STAND(test_malformed),
	STAND(test_too_many),
	STAND(test_no_handshake),
	STAND(test_no_open_frame),
	STAND(test_strangers),
	STAND(test_callers),
	STAND(test_callers_refused),
	STAND(test_readers_of_notices),
	STAND(test_silent_session),
	STAND(test_slow_reader),
	STAND(test_gone_meanwhile),
	STAND(test_closed_meanwhile),
	STAND(test_store_fails),
	STAND(test_shared_reads),
};

TEST_MAIN(tests)

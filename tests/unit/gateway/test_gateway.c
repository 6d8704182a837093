/*
 * A whole gateway in virtual time, with a stand-in for the network's only mix and
 * clients that read and verify what it publishes.
 */
#include "config.h"

#include "gateway/gateway.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/disk_fault.h"
#include "common/charter/path.h"
#include "common/charter/timing.h"
#include "common/journal/chain.h"
#include "evaluation/world.h"
#include "gateway/spent_memory.h"
#include "gateway/store_memory.h"
#include "mix/links.h"
#include "tests/lib/network.h"
#include "tests/lib/test.h"
#include "tests/unit/gateway/caller.h"
#include "tests/unit/gateway/faults.h"

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)
#define START_MS (INT64_C(20000) * DAY_MS + 2 * MINUTE_MS)
#define ROUND_MS 10000
#define MIX 1 /* its number */
#define SEEN_MAX 4096
#define POOL 900 /* of a small one: little more than the charter must allow */

struct stand {
	struct world *world;
	struct network *network;
	const struct charter *charter;
	const struct params *params;
	struct rng_seeded rng;
	/* the gateway */
	struct world_host *host;
	struct memory_journal *journal;
	struct memory_spent *spent;
	struct disk *medium, *disk;
	struct disk_fault plan; /* of its disk */
	struct faults faults;	/* of its store */
	struct store *store;
	struct gateway *gateway;
	bool stopped;
	struct log log;
	size_t lines[LOG_EVENT_COUNT]; /* how often each event was logged */
	uint64_t said[LOG_EVENT_COUNT]; /* its first counter */
	/* the mix */
	struct world_host *mix_host;
	struct disk *mix_disk;
	struct workq *mix_queue;
	struct links *mix;
	uint8_t mix_sk[32], mix_pk[32]; /* one epoch key for all epochs */
	size_t mix_packets;
	uint64_t mix_batch; /* the last number the gateway gave */
	/* a reader */
	struct world_host *outside;
	struct caller *reader;
	struct chain *chain;
	struct chain_segment *segment;
	struct sheet *sheet; /* the last seen */
	size_t blocks, records;
	struct chain_point last;
	uint8_t seen[SEEN_MAX][BLOCK_DIGEST_BYTES]; /* digests */
	size_t seen_count;
	struct block block;
};

/* ---- the mix ---- */

static void
mix_packet(void *arg, uint16_t from, uint32_t epoch, uint8_t *packet)
{
	struct stand *s = arg;

	(void)from;
	(void)epoch;
	(void)packet;
	s->mix_packets++;
}

static void
mix_batch(void *arg, uint16_t from, uint64_t number)
{
	struct stand *s = arg;

	(void)from;
	assert_true(number > s->mix_batch);
	s->mix_batch = number;
}

static void
open_mix(struct stand *s)
{
	const struct network_keys *keys = &s->network->keys[network_index(s->network, MIX)];
	const struct links_events events = { .packet = mix_packet, .batch = mix_batch };
	struct links_config cfg = {
		.loop = world_loop(s->mix_host),
		.charters = s->network->charters,
		.own = MIX,
		.link_sk = keys->link_sk,
		.rng = &s->rng.rng,
		.keys = &s->rng.rng,
		.queue_max = 1000,
	};

	s->mix_queue = workq_new(cfg.loop, 1);
	cfg.queue = s->mix_queue;
	cfg.disk = s->mix_disk;
	assert_err_ok(links_open(&s->mix, &cfg, &events, s, NULL));
	assert_err_ok(links_start(s->mix, NULL));
}

static void
close_mix(struct stand *s)
{
	workq_free(s->mix_queue);
	links_free(s->mix);
}

static void
announce(struct stand *s, uint32_t epoch)
{
	const struct network_keys *keys = &s->network->keys[network_index(s->network, MIX)];
	struct announcement a = { .node = MIX, .epoch = epoch, .suite = ONION_SUITE_X25519 };
	uint8_t bytes[ANNOUNCEMENT_BYTES];

	memcpy(a.pk, s->mix_pk, 32);
	announcement_sign(&a, s->charter->network_id, keys->identity_sk);
	announcement_encode(bytes, &a);
	assert_err_ok(links_send_announcement(s->mix, charter_gateway(s->charter)->number, bytes));
}

/* ---- the gateway ---- */

static void
on_log(void *arg, enum log_event e, const uint64_t values[static LOG_COUNTERS])
{
	struct stand *s = arg;

	s->lines[e]++;
	s->said[e] = values[0];
}

static void
open_gateway(struct stand *s)
{
	const struct charter_node *own = charter_gateway(s->charter);
	const struct network_keys *keys = &s->network->keys[network_index(s->network, own->number)];
	struct gateway_config cfg = {
		.loop = world_loop(s->host),
		.disk = s->disk,
		.charter = s->charter,
		.identity_sk = keys->identity_sk,
		.link_sk = keys->link_sk,
		.rng = &s->rng.rng,
		.keys = &s->rng.rng,
		.log = &s->log,
		.threads = 1,
		.sessions_max = 100,
		.waiting_max = 100,
	};
	struct diag d = { "" };
	struct store *memory;
	enum err e;

	s->log = (struct log){ .clock = loop_clock(cfg.loop), .observer = on_log,
		.observer_arg = s };
	assert_err_ok(store_memory_new(&memory, cfg.loop, s->journal));
	s->store = faults_new(memory, cfg.loop, &s->faults);
	cfg.store = s->store;
	assert_err_ok(spent_memory_new(&cfg.spent, cfg.loop, s->spent));
	e = gateway_new(&s->gateway, &cfg, &d);
	if (e != ERR_OK)
		print_error("%s\n", d.text);
	assert_err_ok(e);
}

static void
pass(struct stand *s, int64_t ms)
{
	assert_err_ok(world_run_for(s->world, ms));
}

static int64_t
now_ms(const struct stand *s)
{
	return world_now_ms(s->world);
}

static uint32_t
epoch_now(const struct stand *s)
{
	return timing_epoch(s->params, now_ms(s));
}

static int
set_up_with(void **state, uint32_t pool_max)
{
	struct stand *s = calloc(1, sizeof(*s));
	struct world_config world = { .seed = test_seed(), .wall_ms = START_MS };
	struct network_config network = { .seed = test_seed() };
	struct params p;

	assert_non_null(s);
	world.out.delay_us = world.in.delay_us = 100;
	world.work_us_max = 500;
	params_default(&p);
	p.layers = 1;
	p.retention_ms = 2 * DAY_MS;
	p.pool_max = pool_max > 0 ? pool_max : p.pool_max;
	network.params = &p;
	assert_err_ok(world_new(&s->world, &world));
	assert_err_ok(world_host_new(&s->host, s->world));
	assert_err_ok(world_host_new(&s->mix_host, s->world));
	assert_err_ok(world_host_new(&s->outside, s->world));
	s->network = network_new(&network);
	s->charter = s->network->charter;
	s->params = &s->charter->params;
	rng_seeded_init(&s->rng, test_seed());
	rng_bytes(&s->rng.rng, s->mix_sk, 32);
	assert_int_equal(crypto_scalarmult_base(s->mix_pk, s->mix_sk), 0);
	s->journal = memory_journal_new();
	s->spent = memory_spent_new();
	assert_non_null(s->spent);
	s->medium = disk_memory();
	s->disk = disk_fault_new(s->medium, &s->plan);
	s->mix_disk = disk_memory();
	assert_non_null(s->journal);
	assert_non_null(s->disk);
	assert_non_null(s->mix_disk);
	open_mix(s);
	open_gateway(s);
	*state = s;
	return 0;
}

static int
set_up(void **state)
{
	return set_up_with(state, 0);
}

static int
set_up_small(void **state)
{
	return set_up_with(state, POOL);
}

static void
close_reader(struct stand *s)
{
	if (s->reader != NULL)
		caller_free(s->reader);
	chain_segment_free(s->segment);
	chain_free(s->chain);
	sheet_free(s->sheet);
	s->reader = NULL;
	s->segment = NULL;
	s->chain = NULL;
	s->sheet = NULL;
}

static int
tear_down(void **state)
{
	struct stand *s = *state;

	close_reader(s);
	gateway_free(s->gateway);
	close_mix(s);
	memory_journal_free(s->journal);
	memory_spent_free(s->spent);
	disk_free(s->disk);
	disk_free(s->medium);
	disk_free(s->mix_disk);
	world_free(s->world);
	network_free(s->network);
	free(s);
	return 0;
}

static struct gateway_status
status(const struct stand *s)
{
	struct gateway_status out;

	gateway_get_status(s->gateway, &out);
	return out;
}

/* ---- a reader ---- */

static void
take_sheet(struct stand *s, const uint8_t *p, size_t n)
{
	sheet_free(s->sheet);
	assert_err_ok(sheet_decode(&s->sheet, p, n - SHEET_SIGNATURE_BYTES, s->charter, NULL));
}

static void
take_block(struct stand *s, const uint8_t *p, size_t n)
{
	const uint8_t *signature = p + n - BLOCK_SIGNATURE_BYTES;

	assert_err_ok(chain_segment_add(s->segment, &s->block, p, n - BLOCK_SIGNATURE_BYTES,
	    signature));
	for (size_t i = 0; i < s->block.entry_count; i++)
		if (s->block.entries[i].kind == BLOCK_SHEET)
			take_sheet(s, s->block.entries[i].data, s->block.entries[i].len);
	for (size_t i = 0; i < s->block.digest_count; i++) {
		assert_true(s->seen_count < SEEN_MAX);
		memcpy(s->seen[s->seen_count++], s->block.digests + i * BLOCK_DIGEST_BYTES,
		    BLOCK_DIGEST_BYTES);
	}
	assert_true(chain_segment_last(s->segment, &s->last));
	s->blocks++;
}

static void
each_item(void *arg, enum item_kind kind, const uint8_t *p, size_t n)
{
	struct stand *s = arg;

	switch (kind) {
	case ITEM_SHEET:
		take_sheet(s, p, n);
		break;
	case ITEM_BLOCK:
		take_block(s, p, n);
		break;
	case ITEM_CHARTER:
	case ITEM_NOTICE:
		break;
	case ITEM_RECORDS:
		s->records += n / s->params->record_size;
		break;
	}
}

/* A new reader of the running hour, from its mark on. */
static void
read_live(struct stand *s)
{
	const struct frame_open open = {
		.version = 1, .hour = timing_hour(s->params, now_ms(s))
	};

	close_reader(s);
	s->blocks = s->records = s->seen_count = 0;
	s->chain = chain_new(s->charter, NULL);
	s->segment = chain_segment_new(s->chain);
	s->reader = caller_new(world_loop(s->outside), s->charter,
	    charter_gateway(s->charter)->entrance, &s->rng.rng);
	s->reader->each = each_item;
	s->reader->arg = s;
	while (!s->reader->up)
		assert_true(world_step(s->world));
	caller_open(s->reader, &open);
	pass(s, 5000);
}

/* How often a digest was listed. */
static size_t
listed(const struct stand *s, const uint8_t digest[static BLOCK_DIGEST_BYTES])
{
	size_t n = 0;

	for (size_t i = 0; i < s->seen_count; i++)
		n += memcmp(s->seen[i], digest, BLOCK_DIGEST_BYTES) == 0;
	return n;
}

/* A network that runs: founded, with a sheet, and a reader. */
static void
found(struct stand *s)
{
	pass(s, ROUND_MS);
	announce(s, epoch_now(s));
	pass(s, 3 * ROUND_MS);
	read_live(s);
	assert_non_null(s->sheet);
	assert_int_equal(s->sheet->epoch, epoch_now(s));
	assert_true(chain_segment_verified(s->segment));
}

/* ---- packets ---- */

/* What the mix sends on: a packet with one layer left. */
struct parcel {
	uint32_t epoch;
	uint8_t packet[ONION_PACKET_MAX];
	uint8_t digest[BLOCK_DIGEST_BYTES];
};

static struct parcel *
make_parcel(struct stand *s, const struct onion_command *command)
{
	struct onion_geometry g = params_geometry(s->params);
	struct parcel *p = calloc(1, sizeof(*p));
	uint8_t *whole = calloc(1, ONION_PACKET_MAX);
	struct path path = { .hops = 2, .node = { MIX, charter_gateway(s->charter)->number } };
	struct onion_node_key key = { .epoch = s->sheet->epoch, .sk = s->mix_sk };
	struct onion_job job = { .packet = whole };

	assert_non_null(p);
	assert_non_null(whole);
	assert_err_ok(path_packet(whole, &path, s->sheet, s->params, command, &s->rng.rng,
	    &s->rng.rng));
	memcpy(key.pk, s->mix_pk, 32);
	memcpy(key.sheet_hash, s->sheet->hash, 32);
	onion_derive(&job, 1, &g, &key);
	onion_open(&job, 1, &g, &key);
	assert_int_equal(job.verdict, ONION_OPENED);
	memcpy(p->packet, job.inner, onion_packet_bytes(&g, 1));
	p->epoch = s->sheet->epoch;
	free(whole);
	return p;
}

static struct parcel *
make_deposit(struct stand *s)
{
	uint8_t *record = calloc(1, s->params->record_size);
	struct onion_command c = { .kind = ONION_DEPOSIT, .body = record };
	struct parcel *p;

	assert_non_null(record);
	rng_bytes(&s->rng.rng, record, s->params->record_size);
	p = make_parcel(s, &c);
	block_record_digest(p->digest, record, s->params->record_size);
	free(record);
	return p;
}

static struct parcel *
make_note(struct stand *s)
{
	uint8_t *body = calloc(1, s->params->record_size);
	struct onion_command c = { .kind = ONION_NOTE, .body = body };
	struct parcel *p;

	assert_non_null(body);
	rng_bytes(&s->rng.rng, body, BLOCK_DIGEST_BYTES);
	p = make_parcel(s, &c);
	memcpy(p->digest, body, BLOCK_DIGEST_BYTES);
	free(body);
	return p;
}

static void
deliver(struct stand *s, const struct parcel *p)
{
	assert_err_ok(links_send_packet(s->mix, charter_gateway(s->charter)->number, p->epoch,
	    p->packet));
	pass(s, 100);
}

/* ---- what it does ---- */

static void
test_sheet_and_deposits(void **state)
{
	struct stand *s = *state;
	struct parcel *sent[20];

	found(s);
	for (size_t i = 0; i < 20; i++) {
		sent[i] = i % 2 == 0 ? make_deposit(s) : make_note(s);
		deliver(s, sent[i]);
	}
	pass(s, 3 * ROUND_MS);
	read_live(s);
	assert_int_equal(s->records, 10);
	for (size_t i = 0; i < 20; i++) {
		assert_int_equal(listed(s, sent[i]->digest), 1);
		free(sent[i]);
	}
	assert_int_equal(status(s).exit.by_kind[ONION_DEPOSIT], 10);
}

/* Replayed packets leave no trace, also those that came before a restart. */
static void
test_replays(void **state)
{
	struct stand *s = *state;
	struct parcel *p;

	found(s);
	p = make_deposit(s);
	deliver(s, p);
	deliver(s, p);
	pass(s, 3 * ROUND_MS);
	deliver(s, p);
	pass(s, 3 * ROUND_MS);
	assert_int_equal(listed(s, p->digest), 1);
	gateway_free(s->gateway);
	open_gateway(s);
	pass(s, MINUTE_MS); /* the mix dials again */
	deliver(s, p);
	pass(s, 3 * ROUND_MS);
	read_live(s);
	assert_int_equal(listed(s, p->digest), 1);
	assert_int_equal(s->records, 1);
	assert_int_equal(status(s).unwrapped.by[UNWRAP_REPLAYED], 1);
	free(p);
}

static void
test_forged(void **state)
{
	struct stand *s = *state;
	struct parcel *p;
	size_t n = onion_packet_bytes(&(struct onion_geometry){ s->params->record_size, 1 }, 1);

	found(s);
	p = make_deposit(s);
	for (size_t i = 0; i < 200; i++) {
		size_t at = rng_below(test_rng(), (uint32_t)n);

		p->packet[at] ^= 0x10;
		deliver(s, p);
		p->packet[at] ^= 0x10;
	}
	p->epoch++;
	deliver(s, p);
	p->epoch -= 2;
	deliver(s, p);
	pass(s, 3 * ROUND_MS);
	assert_int_equal(s->seen_count, 0);
	assert_int_equal(status(s).exit.dropped_epoch, 2);
	assert_int_equal(status(s).exit.by_kind[ONION_DEPOSIT], 0);
	free(p);
}

/* A block is at most 30 s after the one before, also when nothing happens. */
static void
test_silence(void **state)
{
	struct stand *s = *state;
	uint64_t last;

	found(s);
	pass(s, MINUTE_MS);
	last = s->last.round;
	for (int i = 0; i < 15; i++) {
		pass(s, 45000); /* it takes two slots until a quiet client hears of it */
		assert_true(s->last.round > last);
		last = s->last.round;
	}
}

/* Packets go up at once; numbers of batches follow when they are durable. */
static void
test_forwarding(void **state)
{
	struct stand *s = *state;

	found(s);
	for (unsigned i = 1; i <= 12; i++) {
		caller_packet(s->reader, MIX, epoch_now(s));
		pass(s, 5000);
		assert_int_equal(s->mix_packets, i);
	}
	pass(s, 2 * ROUND_MS);
	assert_in_range(s->mix_batch, 5, 7);
	caller_packet(s->reader, 2, epoch_now(s)); /* the gateway's own number */
	caller_packet(s->reader, MIX, epoch_now(s) + 1);
	pass(s, 1000);
	assert_int_equal(s->mix_packets, 12);
	assert_int_equal(status(s).dropped_in, 2);
	assert_int_equal(status(s).forwarded, 12);
}

/* ---- more than there is room for ---- */

#define BEYOND 30

static void
deliver_at_once(struct stand *s, struct parcel *p)
{
	assert_err_ok(links_send_packet(s->mix, charter_gateway(s->charter)->number, p->epoch,
	    p->packet));
	free(p);
}

/* More packets in a round than `pool-max`: they are dropped, and the operator is told. */
static void
test_pool_is_full(void **state)
{
	struct stand *s = *state;

	found(s);
	for (unsigned i = 0; i < POOL + BEYOND; i++)
		deliver_at_once(s, make_note(s));
	pass(s, 2 * ROUND_MS);
	assert_int_equal(status(s).exit.dropped_full, BEYOND);
	assert_int_equal(status(s).exit.by_kind[ONION_NOTE], POOL);
	assert_int_equal(s->lines[LOG_POOL_FULL], 1);
	assert_int_equal(s->said[LOG_POOL_FULL], BEYOND);
	deliver_at_once(s, make_note(s));
	pass(s, 3 * ROUND_MS);
	assert_int_equal(status(s).exit.by_kind[ONION_NOTE], POOL + 1);
	assert_int_equal(s->lines[LOG_POOL_FULL], 1);
}

/* ---- the store fails ---- */

static void
nothing_lost(struct stand *s, enum err e, bool takes_effect)
{
	struct parcel *p, *later;

	found(s);
	p = make_deposit(s);
	later = make_deposit(s);
	s->faults.put = e;
	s->faults.put_done = takes_effect;
	deliver(s, p);
	pass(s, 5 * MINUTE_MS);
	assert_int_equal(listed(s, p->digest), 0); /* nothing is shown that is not safe */
	assert_true(status(s).storing_failed);
	assert_in_range(s->faults.puts, 6, 40); /* it is tried again, with patience */
	deliver(s, later);
	s->faults.put = ERR_OK;
	pass(s, 3 * MINUTE_MS);
	assert_false(status(s).storing_failed);
	assert_int_equal(listed(s, p->digest), 1);
	assert_int_equal(listed(s, later->digest), 1);
	assert_int_equal(s->records, 2);
	free(p);
	free(later);
}

static void
test_full_disk(void **state)
{
	nothing_lost(*state, ERR_FULL, false);
}

static void
test_lost_answer(void **state)
{
	nothing_lost(*state, ERR_IO, true);
}

/* A record is published after its replay tag is on the disk, not before. */
static void
test_tags_first(void **state)
{
	struct stand *s = *state;
	struct parcel *p;

	found(s);
	p = make_deposit(s);
	s->plan = (struct disk_fault){
		.at = 1, .err = ERR_FULL, .forever = true, .writes_only = true
	};
	deliver(s, p);
	pass(s, 5 * MINUTE_MS);
	assert_int_equal(listed(s, p->digest), 0);
	assert_true(status(s).exit.failed_commits > 0);
	s->plan = (struct disk_fault){ .at = 0 };
	pass(s, 2 * MINUTE_MS);
	assert_int_equal(listed(s, p->digest), 1);
	free(p);
}

/* ---- restarts ---- */

/* Killed at any moment, the gateway goes on with the same chain. */
static void
test_killed(void **state)
{
	struct stand *s = *state;

	found(s);
	for (unsigned i = 0; i < 25; i++) {
		struct parcel *p = make_deposit(s);

		deliver(s, p);
		pass(s, rng_between(test_rng(), 0, 2 * ROUND_MS));
		world_kill(s->host);
		gateway_free(s->gateway);
		assert_err_ok(world_start(s->host));
		open_gateway(s);
		pass(s, MINUTE_MS);
		free(p);
	}
	read_live(s); /* asserts that each block follows the one before */
	assert_true(s->blocks > 50);
	assert_true(chain_segment_verified(s->segment));
}

/* A sheet that was decided before a restart is the epoch's sheet after it. */
static void
test_sheet_survives(void **state)
{
	struct stand *s = *state;
	uint8_t hash[32];

	found(s);
	memcpy(hash, s->sheet->hash, 32);
	gateway_free(s->gateway);
	open_gateway(s);
	rng_bytes(&s->rng.rng, s->mix_sk, 32); /* the mix announces another key */
	assert_int_equal(crypto_scalarmult_base(s->mix_pk, s->mix_sk), 0);
	pass(s, MINUTE_MS);
	announce(s, epoch_now(s));
	pass(s, MINUTE_MS);
	read_live(s);
	assert_memory_equal(s->sheet->hash, hash, 32);
}

static void
on_stopped(void *arg)
{
	struct stand *s = arg;

	s->stopped = true;
}

static void
test_stop(void **state)
{
	struct stand *s = *state;

	found(s);
	gateway_stop(s->gateway, 2000, on_stopped, s);
	assert_false(s->stopped);
	pass(s, 3000);
	assert_true(s->stopped);
}

/* ---- days and epochs ---- */

/* Announce as a mix does: for the running epoch and the coming one. */
static void
live_on(struct stand *s, int64_t ms)
{
	for (int64_t end = now_ms(s) + ms; now_ms(s) < end; pass(s, 10 * MINUTE_MS)) {
		announce(s, epoch_now(s));
		announce(s, epoch_now(s) + 1);
	}
}

static void
test_epochs(void **state)
{
	struct stand *s = *state;

	found(s);
	live_on(s, 2 * s->params->epoch_ms);
	read_live(s);
	assert_true(status(s).has_sheet);
	assert_int_equal(s->sheet->epoch, epoch_now(s));
	assert_int_equal(store_epoch_count(s->store), 3);
	pass(s, timing_epoch_start(s->params, epoch_now(s) + 1) - 50 * MINUTE_MS - now_ms(s));
	announce(s, epoch_now(s) + 1);
	pass(s, MINUTE_MS);
	read_live(s); /* the coming epoch's sheet is there in time */
	assert_int_equal(s->sheet->epoch, epoch_now(s) + 1);
}

/* Packets of an epoch are taken until it is over and grace has passed, then never. */
static void
test_grace(void **state)
{
	struct stand *s = *state;
	struct parcel *in_time, *late;
	int64_t end;

	found(s);
	end = timing_epoch_start(s->params, epoch_now(s) + 1);
	in_time = make_deposit(s);
	late = make_deposit(s);
	live_on(s, end - now_ms(s));
	pass(s, end + s->params->grace_ms - MINUTE_MS - now_ms(s));
	deliver(s, in_time);
	pass(s, 2 * MINUTE_MS);
	assert_int_equal(status(s).exit.dropped_epoch, 0);
	deliver(s, late);
	pass(s, MINUTE_MS);
	read_live(s);
	assert_int_equal(listed(s, in_time->digest), 1);
	assert_int_equal(listed(s, late->digest), 0);
	assert_int_equal(status(s).exit.dropped_epoch, 1);
	free(in_time);
	free(late);
}

/* What is older than the retention goes; the epoch blocks stay, and verify. */
static void
test_expiry(void **state)
{
	struct stand *s = *state;
	uint32_t days[8];
	size_t n;

	found(s);
	live_on(s, 4 * DAY_MS);
	n = store_days(s->store, days, 8);
	assert_int_equal(n, 3);
	assert_int_equal(days[n - 1], timing_day(s->params, now_ms(s)));
	assert_int_equal(days[0], days[n - 1] - 2);
	assert_int_equal(store_epoch_count(s->store), 4 * 4 + 1);
	for (size_t i = 0; i < store_epoch_count(s->store); i++) {
		const uint8_t *p;
		size_t len;
		struct block b;

		if (i == 0) {
			close_reader(s);
			s->chain = chain_new(s->charter, NULL);
		}
		store_epoch(s->store, i, &p, &len);
		len -= BLOCK_SIGNATURE_BYTES;
		assert_err_ok(chain_epoch_add(s->chain, &b, p, len, p + len));
	}
	assert_err_ok(chain_epochs_done(s->chain));
}

static void
test_expiry_fails(void **state)
{
	struct stand *s = *state;
	uint32_t days[8];

	found(s);
	s->faults.expire = ERR_IO;
	live_on(s, 4 * DAY_MS);
	assert_int_equal(store_days(s->store, days, 8), 5);
	s->faults.expire = ERR_OK;
	pass(s, MINUTE_MS);
	assert_int_equal(store_days(s->store, days, 8), 3);
}

/* ---- clocks ---- */

static void
test_clock_set(void **state)
{
	struct stand *s = *state;
	uint64_t head;

	found(s);
	world_set_clock(s->host, -HOUR_MS);
	head = status(s).round;
	pass(s, 30 * MINUTE_MS);
	assert_true(status(s).round == head); /* rounds never go back */
	world_set_clock(s->host, HOUR_MS);
	pass(s, MINUTE_MS);
	assert_true(status(s).round > head + 180);
	world_set_clock(s->host, HOUR_MS);
	pass(s, MINUTE_MS);
	world_set_clock(s->host, -HOUR_MS);
	head = status(s).round;
	pass(s, 59 * MINUTE_MS);
	assert_true(status(s).round == head);
	pass(s, 5 * MINUTE_MS); /* the time has come again */
	assert_true(status(s).round > head);
}

/* ---- old state ---- */

/* A mix that has seen more of our batches than we know of: the epoch is sat out. */
static void
test_rolled_back(void **state)
{
	struct stand *s = *state;
	struct buf old;
	struct parcel *p;

	found(s);
	buf_init(&old);
	caller_packet(s->reader, MIX, epoch_now(s));
	pass(s, MINUTE_MS);
	assert_err_ok(disk_read(s->medium, &old, "batches", 65536));
	for (unsigned i = 0; i < 12; i++) {
		caller_packet(s->reader, MIX, epoch_now(s));
		pass(s, 5000);
	}
	pass(s, MINUTE_MS);
	assert_true(s->mix_batch > 2);
	gateway_free(s->gateway);
	assert_err_ok(disk_replace(s->medium, "batches", old.data, old.len));
	buf_release(&old);
	open_gateway(s);
	pass(s, MINUTE_MS);
	read_live(s); /* the journal goes on */
	p = make_deposit(s);
	deliver(s, p);
	s->mix_packets = 0;
	caller_packet(s->reader, MIX, epoch_now(s));
	pass(s, MINUTE_MS);
	assert_int_equal(s->mix_packets, 0);
	assert_int_equal(listed(s, p->digest), 0);
	free(p);
	live_on(s, s->params->epoch_ms);
	read_live(s);
	p = make_deposit(s);
	deliver(s, p);
	caller_packet(s->reader, MIX, epoch_now(s));
	pass(s, MINUTE_MS);
	assert_int_equal(s->mix_packets, 1);
	assert_int_equal(listed(s, p->digest), 1);
	free(p);
}

#define STAND(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static const struct CMUnitTest tests[] = {
	STAND(test_sheet_and_deposits),
	STAND(test_replays),
	STAND(test_forged),
	STAND(test_silence),
	STAND(test_forwarding),
	cmocka_unit_test_setup_teardown(test_pool_is_full, set_up_small, tear_down),
	STAND(test_full_disk),
	STAND(test_lost_answer),
	STAND(test_tags_first),
	STAND(test_killed),
	STAND(test_sheet_survives),
	STAND(test_stop),
	STAND(test_epochs),
	STAND(test_grace),
	STAND(test_expiry),
	STAND(test_expiry_fails),
	STAND(test_clock_set),
	STAND(test_rolled_back),
};

TEST_MAIN(tests)

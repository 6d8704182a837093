/*
 * A whole gateway in virtual time whose charter has a registrar: seeds, notices, tickets
 * at the entry and stamps at the exit, over restarts and failures of the disk. The
 * registrar and the only mix are stand-ins; who knows the seed can make any token.
 */
#include "config.h"

#include "gateway/gateway.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/disk_fault.h"
#include "common/charter/path.h"
#include "common/charter/timing.h"
#include "common/token/notice.h"
#include "evaluation/world.h"
#include "gateway/spent_memory.h"
#include "gateway/stamps.h"
#include "gateway/store_memory.h"
#include "mix/links.h"
#include "tests/lib/network.h"
#include "tests/lib/test.h"
#include "tests/unit/gateway/caller.h"

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS (60 * MINUTE_MS)
#define START_MS (INT64_C(480000) * HOUR_MS + 2 * MINUTE_MS) /* an epoch begins with it */
#define ROUND_MS 10000
#define MIX 1
#define GATEWAY 2
#define REGISTRAR 3
#define DIGESTS_MAX 200
#define TABLE_MAX 500

struct node {
	struct world_host *host;
	struct disk *disk;
	struct workq *queue;
	struct links *links;
};

struct table_entry {
	uint32_t epoch;
	struct spent_mark mark;
};

struct stand {
	struct world *world;
	struct network *network;
	const struct charter *charter;
	const struct params *params;
	struct rng_seeded rng;
	struct world_host *host, *outside;
	struct memory_journal *journal;
	struct memory_spent *spent;
	struct disk *medium, *disk;
	struct disk_fault plan; /* of the gateway's disk */
	bool flaky;		/* another spent store: */
	enum err spending;	/* what its writes come to, if not ERR_OK; */
	bool takes_effect;	/* though they do */
	size_t writes, table_count;
	struct table_entry table[TABLE_MAX];
	struct gateway *gateway;
	struct log log;
	size_t refusals; /* of seeds, in the log */
	struct node mix, registrar;
	uint8_t mix_sk[32], mix_pk[32];
	size_t forwarded;
	/* of what the last reader was shown */
	struct caller *reader;
	struct notice notices[16];
	size_t notice_count, block_notices;
	struct sheet *sheet;
	size_t records;
	uint8_t digests[DIGESTS_MAX][BLOCK_DIGEST_BYTES];
	size_t digest_count;
};

/* ---- a spent store whose writes fail on demand ---- */

static void
table_insert(struct stand *s, uint32_t epoch, struct spent_mark *m)
{
	size_t i = 0;

	while (i < s->table_count && (s->table[i].epoch != epoch ||
	    memcmp(s->table[i].mark.mark, m->mark, SPENT_MARK_BYTES) != 0))
		i++;
	assert_true(i < TABLE_MAX);
	if (i == s->table_count)
		s->table[s->table_count++] = (struct table_entry){ epoch, *m };
	m->fresh = memcmp(s->table[i].mark.claim, m->claim, SPENT_CLAIM_BYTES) == 0;
}

static enum err
flaky_insert(void *ctx, uint32_t epoch, struct spent_mark *const *marks, size_t n)
{
	struct stand *s = ctx;

	s->writes++;
	for (size_t i = 0; i < n && (s->spending == ERR_OK || s->takes_effect); i++)
		table_insert(s, epoch, marks[i]);
	return s->spending;
}

static enum err
flaky_drop(void *ctx, uint32_t epoch)
{
	(void)epoch;
	return ((struct stand *)ctx)->spending;
}

static void
flaky_free(void *ctx)
{
	(void)ctx;
}

static enum err
open_spent(struct spent **out, struct stand *s, struct loop *l)
{
	static const struct spent_ops flaky = { flaky_insert, flaky_drop, flaky_free };

	return s->flaky ? spent_new(out, l, &flaky, s, NULL, 0) : spent_memory_new(out, l, s->spent);
}

/* ---- nodes ---- */

static void
on_log(void *arg, enum log_event e, const uint64_t values[static LOG_COUNTERS])
{
	(void)values;
	((struct stand *)arg)->refusals += e == LOG_SEED_REFUSED;
}

static void
open_gateway(struct stand *s)
{
	const struct network_keys *keys = &s->network->keys[network_index(s->network, GATEWAY)];
	struct gateway_config cfg = {
		.loop = world_loop(s->host),
		.disk = s->disk,
		.charter = s->charter,
		.identity_sk = keys->identity_sk,
		.link_sk = keys->link_sk,
		.rng = &s->rng.rng,
		.keys = &s->rng.rng,
		.log = &s->log,
		.threads = 2,
		.sessions_max = 100,
		.waiting_max = 100,
	};
	struct diag d = { "" };
	enum err e;

	s->log = (struct log){ .clock = loop_clock(cfg.loop), .observer = on_log,
		.observer_arg = s };
	assert_err_ok(store_memory_new(&cfg.store, cfg.loop, s->journal));
	assert_err_ok(open_spent(&cfg.spent, s, cfg.loop));
	e = gateway_new(&s->gateway, &cfg, &d);
	if (e != ERR_OK)
		print_error("%s\n", d.text);
	assert_err_ok(e);
}

static void
packet_came(void *arg, uint16_t from, uint32_t epoch, uint8_t *packet)
{
	struct stand *s = arg;

	(void)from;
	(void)epoch;
	(void)packet;
	s->forwarded++;
}

static void
open_node(struct stand *s, struct node *n, uint16_t number)
{
	const struct links_events events = { .packet = packet_came };
	struct links_config cfg = {
		.charters = s->network->charters,
		.own = number,
		.link_sk = s->network->keys[network_index(s->network, number)].link_sk,
		.rng = &s->rng.rng,
		.keys = &s->rng.rng,
		.queue_max = 1000,
	};

	assert_err_ok(world_host_new(&n->host, s->world));
	cfg.loop = world_loop(n->host);
	n->disk = disk_memory();
	n->queue = workq_new(cfg.loop, 1);
	cfg.disk = n->disk;
	cfg.queue = n->queue;
	assert_err_ok(links_open(&n->links, &cfg, &events, s, NULL));
	assert_err_ok(links_start(n->links, NULL));
}

static void
close_node(struct node *n)
{
	workq_free(n->queue);
	links_free(n->links);
	disk_free(n->disk);
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

static uint32_t
hour_now(const struct stand *s)
{
	return timing_hour(s->params, now_ms(s));
}

static struct gateway_status
status(const struct stand *s)
{
	struct gateway_status out;

	gateway_get_status(s->gateway, &out);
	return out;
}

static int
set_up(void **state)
{
	struct stand *s = calloc(1, sizeof(*s));
	struct world_config world = { .seed = test_seed(), .wall_ms = START_MS };
	struct network_config network = { .seed = test_seed(), .registrar = true };
	struct params p;

	assert_non_null(s);
	world.out.delay_us = world.in.delay_us = 100;
	world.work_us_max = 500;
	params_default(&p);
	p.layers = 1;
	network.params = &p;
	assert_err_ok(world_new(&s->world, &world));
	assert_err_ok(world_host_new(&s->host, s->world));
	assert_err_ok(world_host_new(&s->outside, s->world));
	s->network = network_new(&network);
	s->charter = s->network->charter;
	s->params = &s->charter->params;
	rng_seeded_init(&s->rng, test_seed());
	rng_bytes(&s->rng.rng, s->mix_sk, 32);
	assert_int_equal(crypto_scalarmult_base(s->mix_pk, s->mix_sk), 0);
	s->journal = memory_journal_new();
	s->spent = memory_spent_new();
	s->medium = disk_memory();
	s->disk = disk_fault_new(s->medium, &s->plan);
	open_node(s, &s->mix, MIX);
	open_node(s, &s->registrar, REGISTRAR);
	open_gateway(s);
	*state = s;
	return 0;
}

static void
close_reader(struct stand *s)
{
	if (s->reader != NULL)
		caller_free(s->reader);
	sheet_free(s->sheet);
	s->reader = NULL;
	s->sheet = NULL;
	s->notice_count = s->block_notices = s->records = s->digest_count = 0;
}

static int
tear_down(void **state)
{
	struct stand *s = *state;

	close_reader(s);
	gateway_free(s->gateway);
	close_node(&s->mix);
	close_node(&s->registrar);
	memory_journal_free(s->journal);
	memory_spent_free(s->spent);
	disk_free(s->disk);
	disk_free(s->medium);
	world_free(s->world);
	network_free(s->network);
	free(s);
	return 0;
}

static void
restart(struct stand *s)
{
	gateway_free(s->gateway);
	open_gateway(s);
	pass(s, 2 * ROUND_MS);
}

static void
break_disk(struct stand *s)
{
	s->plan.at = s->plan.count + 1;
	s->plan.err = ERR_IO;
	s->plan.forever = true;
}

/* ---- the registrar and its members ---- */

/* Every epoch's seed follows from its number. */
static void
seed_of(uint8_t seed[static 32], uint32_t epoch)
{
	memset(seed, 0x5a, 32);
	store_u32(seed, epoch);
}

static void
give_seed(struct stand *s, uint32_t epoch)
{
	uint8_t seed[32];

	seed_of(seed, epoch);
	assert_err_ok(links_send_seed(s->registrar.links, GATEWAY, epoch, seed));
	pass(s, 1000);
}

static struct issuer *
issuer_of(const struct stand *s, uint32_t epoch)
{
	struct issuer *k;
	uint8_t seed[32];

	seed_of(seed, epoch);
	assert_err_ok(issuer_new(&k, s->params, epoch, seed));
	return k;
}

/* The output of a fresh nonce, as its owner has it. */
static void
make_token(uint8_t output[static VOPRF_OUTPUT_BYTES], struct stand *s, const struct voprf_key *k,
    uint8_t nonce[static TOKEN_NONCE_BYTES])
{
	rng_bytes(&s->rng.rng, nonce, TOKEN_NONCE_BYTES);
	assert_err_ok(voprf_output(output, k, nonce, TOKEN_NONCE_BYTES));
}

struct ticket {
	uint8_t nonce[TOKEN_NONCE_BYTES], output[VOPRF_OUTPUT_BYTES];
};

static struct ticket
make_ticket(struct stand *s, uint32_t hour)
{
	uint32_t epoch = timing_epoch(s->params, timing_hour_start(s->params, hour));
	uint32_t first = timing_hour(s->params, timing_epoch_start(s->params, epoch));
	struct issuer *k = issuer_of(s, epoch);
	struct ticket t;

	make_token(t.output, s, issuer_ticket_key(k, hour - first), t.nonce);
	issuer_free(k);
	return t;
}

static void
make_stamp(uint8_t stamp[static TOKEN_SPENT_BYTES], struct stand *s, uint32_t epoch,
    const uint8_t *record)
{
	struct issuer *k = issuer_of(s, epoch);
	uint8_t output[VOPRF_OUTPUT_BYTES];

	make_token(output, s, issuer_stamp_key(k), stamp);
	token_stamp_proof(stamp + TOKEN_NONCE_BYTES, output, record, s->params->record_size);
	issuer_free(k);
}

/* ---- readers ---- */

static void
take_notice(struct stand *s, const uint8_t *p, size_t n)
{
	assert_true(s->notice_count < 16);
	assert_err_ok(notice_decode(&s->notices[s->notice_count++], p, n, s->charter));
}

static void
take_sheet(struct stand *s, const uint8_t *p, size_t n)
{
	sheet_free(s->sheet);
	assert_err_ok(sheet_decode(&s->sheet, p, n - SHEET_SIGNATURE_BYTES, s->charter, NULL));
}

static void
take_block(struct stand *s, const uint8_t *p, size_t n)
{
	struct block b;

	assert_err_ok(block_decode(&b, p, n - BLOCK_SIGNATURE_BYTES));
	for (size_t i = 0; i < b.entry_count; i++)
		s->block_notices += b.entries[i].kind == BLOCK_ISSUER;
	for (size_t i = 0; i < b.digest_count; i++) {
		assert_true(s->digest_count < DIGESTS_MAX);
		memcpy(s->digests[s->digest_count++], b.digests + i * BLOCK_DIGEST_BYTES,
		    BLOCK_DIGEST_BYTES);
	}
}

static void
each_item(void *arg, enum item_kind kind, const uint8_t *p, size_t n)
{
	struct stand *s = arg;

	if (kind == ITEM_NOTICE)
		take_notice(s, p, n);
	else if (kind == ITEM_SHEET)
		take_sheet(s, p, n);
	else if (kind == ITEM_BLOCK)
		take_block(s, p, n);
	else if (kind == ITEM_RECORDS)
		s->records += n / s->params->record_size;
}

static void
dial(struct stand *s)
{
	close_reader(s);
	s->reader = caller_new(world_loop(s->outside), s->charter,
	    charter_gateway(s->charter)->entrance, &s->rng.rng);
	s->reader->each = each_item;
	s->reader->arg = s;
	while (!s->reader->up)
		assert_true(world_step(s->world));
}

/* A new reader opens a session of an hour with a ticket, or with none. */
static void
come(struct stand *s, uint32_t hour, const struct ticket *t)
{
	struct frame_open open = { .version = 1, .hour = hour };

	dial(s);
	if (t != NULL) {
		memcpy(open.ticket_nonce, t->nonce, sizeof(open.ticket_nonce));
		token_ticket_proof(open.ticket_proof, t->output, link_hash(s->reader->link));
	}
	caller_open(s->reader, &open);
	pass(s, 7000);
}

static void
read_live(struct stand *s)
{
	const struct ticket t = make_ticket(s, hour_now(s));

	come(s, hour_now(s), &t);
	assert_false(s->reader->ended);
}

/* ---- a network that runs ---- */

static void
announce(struct stand *s, uint32_t epoch)
{
	const struct network_keys *keys = &s->network->keys[network_index(s->network, MIX)];
	struct announcement a = { .node = MIX, .epoch = epoch, .suite = ONION_SUITE_X25519 };
	uint8_t bytes[ANNOUNCEMENT_BYTES];

	memcpy(a.pk, s->mix_pk, 32);
	announcement_sign(&a, s->charter->network_id, keys->identity_sk);
	announcement_encode(bytes, &a);
	assert_err_ok(links_send_announcement(s->mix.links, GATEWAY, bytes));
}

static void
found(struct stand *s)
{
	pass(s, 2 * ROUND_MS);
	announce(s, epoch_now(s));
	for (uint32_t i = 0; i <= ISSUER_AHEAD; i++)
		give_seed(s, epoch_now(s) + i);
	pass(s, 3 * ROUND_MS);
	read_live(s);
	assert_non_null(s->sheet);
}

/* ---- deposits ---- */

static void
deliver(struct stand *s, const uint8_t *record, const uint8_t *stamp)
{
	struct onion_geometry g = params_geometry(s->params);
	struct onion_command c = { .kind = ONION_DEPOSIT, .body = record };
	struct path path = { .hops = 2, .node = { MIX, GATEWAY } };
	struct onion_node_key key = { .epoch = s->sheet->epoch, .sk = s->mix_sk };
	uint8_t *whole = calloc(1, ONION_PACKET_MAX);
	struct onion_job job = { .packet = whole };

	assert_non_null(whole);
	if (stamp != NULL)
		memcpy(c.stamp, stamp, sizeof(c.stamp));
	assert_err_ok(path_packet(whole, &path, s->sheet, s->params, &c, &s->rng.rng, &s->rng.rng));
	memcpy(key.pk, s->mix_pk, 32);
	memcpy(key.sheet_hash, s->sheet->hash, 32);
	onion_derive(&job, 1, &g, &key);
	onion_open(&job, 1, &g, &key);
	assert_int_equal(job.verdict, ONION_OPENED);
	assert_err_ok(links_send_packet(s->mix.links, GATEWAY, s->sheet->epoch, job.inner));
	free(whole);
	pass(s, 100);
}

/* A deposit of a fresh record whose stamp is of this epoch. */
static void
deposit(struct stand *s, uint32_t epoch)
{
	uint8_t stamp[TOKEN_SPENT_BYTES], *record = calloc(1, s->params->record_size);

	assert_non_null(record);
	rng_bytes(&s->rng.rng, record, s->params->record_size);
	make_stamp(stamp, s, epoch, record);
	deliver(s, record, stamp);
	free(record);
}

/* What the journal has got of this hour. */
static size_t
stored(struct stand *s)
{
	pass(s, 3 * ROUND_MS);
	read_live(s);
	return s->records;
}

/* ---- seeds and notices ---- */

static void
test_notices(void **state)
{
	struct stand *s = *state;
	struct issuer *k;

	found(s);
	assert_int_equal(s->notice_count, 5);
	for (uint32_t i = 0; i < 5; i++) {
		k = issuer_of(s, epoch_now(s) + i);
		assert_memory_equal(&s->notices[i].keys, issuer_keys(k), sizeof(struct issuer_keys));
		issuer_free(k);
	}
	assert_true(issuer_keys_in_sheet(s->sheet, &s->notices[0].keys));
	assert_int_equal(status(s).seeds, 5);
	assert_true(status(s).registrar);
	/* another seed for an epoch that has one, or not its turn, changes nothing */
	assert_err_ok(links_send_seed(s->registrar.links, GATEWAY, epoch_now(s) + 1, s->mix_sk));
	give_seed(s, epoch_now(s) + ISSUER_AHEAD + 1);
	give_seed(s, epoch_now(s) - 1);
	pass(s, 2 * ROUND_MS);
	restart(s);
	assert_int_equal(status(s).seeds, 5);
	read_live(s);
	assert_int_equal(s->notice_count, 5);
	k = issuer_of(s, epoch_now(s) + 1);
	assert_memory_equal(&s->notices[1].keys, issuer_keys(k), sizeof(struct issuer_keys));
	issuer_free(k);
}

/* Without its keys an epoch has no sheet; they are there in one block when they come. */
static void
test_no_seed(void **state)
{
	struct stand *s = *state;

	pass(s, 2 * ROUND_MS);
	announce(s, epoch_now(s));
	pass(s, 3 * ROUND_MS);
	assert_false(status(s).has_sheet);
	give_seed(s, epoch_now(s));
	pass(s, 2 * ROUND_MS);
	assert_true(status(s).has_sheet);
}

/* A notice that is published is the only one, though its seed be lost. */
static void
test_lost_seed(void **state)
{
	struct stand *s = *state;
	char name[32];

	found(s);
	gateway_free(s->gateway);
	(void)snprintf(name, sizeof(name), "seed-%08x", (unsigned)epoch_now(s) + 2);
	assert_err_ok(disk_remove(s->medium, name));
	open_gateway(s);
	pass(s, 40000);
	assert_int_equal(status(s).seeds, 4);
	assert_err_ok(links_send_seed(s->registrar.links, GATEWAY, epoch_now(s) + 2, s->mix_sk));
	pass(s, ROUND_MS);
	assert_int_equal(status(s).seeds, 4);
	give_seed(s, epoch_now(s) + 2);
	pass(s, ROUND_MS);
	assert_int_equal(status(s).seeds, 5);
}

/* A registrar that offers other seeds over and over fills neither memory nor the log. */
static void
test_seeds_over_and_over(void **state)
{
	struct stand *s = *state;

	found(s);
	for (unsigned i = 0; i < 200; i++) {
		assert_err_ok(links_send_seed(s->registrar.links, GATEWAY,
		    epoch_now(s) + i % ISSUER_AHEAD, s->mix_sk));
		pass(s, 100);
	}
	assert_int_equal(status(s).seeds, 5);
	assert_int_equal(s->refusals, 8);
	pass(s, s->params->epoch_ms);
	assert_err_ok(links_send_seed(s->registrar.links, GATEWAY, epoch_now(s) + 1, s->mix_sk));
	pass(s, 1000);
	assert_int_equal(s->refusals, 9);
}

static void
with_stamps(struct charter *c, void *arg)
{
	c->params.stamps = *(const uint32_t *)arg;
}

static void
published(void *arg, enum err e)
{
	(void)arg;
	assert_err_ok(e);
}

static enum err
publish(struct stand *s, uint32_t from_epoch, uint32_t stamps, struct diag *d)
{
	struct charter *next = network_next(s->network, from_epoch, with_stamps, &stamps);
	struct buf text;
	enum err e;

	buf_init(&text);
	assert_err_ok(charter_print_signed(&text, next));
	e = gateway_publish(s->gateway, text.data, text.len, published, s, d);
	buf_release(&text);
	charter_free(next);
	return e;
}

/* Members fetched for epochs that have keys: how many stamps those have is settled. */
static void
test_stamps_of_begun_epochs(void **state)
{
	struct stand *s = *state;
	uint32_t stamps = s->network->charter->params.stamps, now;
	struct diag d = { "" };

	found(s);
	now = epoch_now(s);
	assert_err(publish(s, now + 2, stamps + 1, &d), ERR_EPOCH);
	assert_contains(d.text, "number of stamps");
	assert_err(publish(s, now + ISSUER_AHEAD, stamps - 1, &d), ERR_EPOCH);
	assert_err_ok(publish(s, now + ISSUER_AHEAD + 1, stamps + 1, &d));
	pass(s, ROUND_MS);
}

/* Whatever write fails, a seed is durable before anything is told of it. */
static void
test_seed_needs_the_disk(void **state)
{
	struct stand *s = *state;

	pass(s, 2 * ROUND_MS);
	break_disk(s);
	give_seed(s, epoch_now(s));
	pass(s, 5 * ROUND_MS);
	assert_int_equal(status(s).seeds, 0);
	s->plan = (struct disk_fault){ .at = 0 };
	pass(s, 2 * ROUND_MS);
	assert_int_equal(status(s).seeds, 1);
}

/*
 * With an epoch go, after its grace, its seed, and, when the registrar has gone on too,
 * what was spent in it.
 */
static void
test_destroyed(void **state)
{
	struct stand *s = *state;
	uint32_t first = epoch_now(s);
	int64_t end = timing_epoch_start(s->params, first + 1);
	struct buf b;
	char name[32];

	found(s);
	assert_int_equal(memory_spent_count(s->spent, first), 1);
	(void)snprintf(name, sizeof(name), "seed-%08x", (unsigned)first);
	buf_init(&b);
	assert_err_ok(disk_read(s->medium, &b, name, 1000));
	pass(s, end + s->params->grace_ms - now_ms(s) - ROUND_MS);
	buf_release(&b);
	assert_err_ok(disk_read(s->medium, &b, name, 1000));
	assert_int_equal(memory_spent_count(s->spent, first), 1);
	pass(s, 4 * ROUND_MS);
	buf_release(&b);
	assert_err(disk_read(s->medium, &b, name, 1000), ERR_NOT_FOUND);
	buf_release(&b);
	assert_int_equal(status(s).seeds, 4);
	assert_int_equal(memory_spent_count(s->spent, first), 1);
	give_seed(s, first + 1 + ISSUER_AHEAD);
	pass(s, 4 * ROUND_MS);
	assert_int_equal(memory_spent_count(s->spent, first), 0);
}

/* A clock that is ahead for a while: seeds go and come back, what was spent stays spent. */
static void
test_wrong_clock(void **state)
{
	struct stand *s = *state;
	uint32_t first = epoch_now(s);
	int64_t ahead = 2 * (timing_epoch_start(s->params, first + 1) -
	    timing_epoch_start(s->params, first));
	struct ticket t;

	found(s);
	t = make_ticket(s, hour_now(s));
	come(s, hour_now(s), &t);
	assert_false(s->reader->ended);
	world_set_clock(s->host, ahead);
	pass(s, 10 * ROUND_MS);
	assert_int_equal(status(s).seeds, 3);
	world_set_clock(s->host, -ahead);
	pass(s, 10 * ROUND_MS);
	give_seed(s, first);
	give_seed(s, first + 1);
	pass(s, 10 * ROUND_MS);
	assert_int_equal(status(s).seeds, 5);
	come(s, hour_now(s), &t);
	assert_true(s->reader->ended && s->reader->error == FRAME_ERROR_TICKET);
	assert_int_equal(status(s).tickets.spent, 1);
	t = make_ticket(s, hour_now(s));
	come(s, hour_now(s), &t);
	assert_false(s->reader->ended);
}

/* ---- tickets ---- */

static void
test_tickets(void **state)
{
	struct stand *s = *state;
	struct ticket t, other;

	found(s);
	t = make_ticket(s, hour_now(s));
	come(s, hour_now(s), &t);
	assert_false(s->reader->ended);
	/* packets of a session that is open go on */
	caller_packet(s->reader, MIX, epoch_now(s));
	pass(s, 1000);
	assert_int_equal(s->forwarded, 1);
	/* once, and not after a restart either */
	come(s, hour_now(s), &t);
	assert_true(s->reader->ended && s->reader->error == FRAME_ERROR_TICKET);
	restart(s);
	come(s, hour_now(s), &t);
	assert_true(s->reader->ended && s->reader->error == FRAME_ERROR_TICKET);
	assert_int_equal(status(s).tickets.spent, 1);
	/* of another hour, or damaged */
	other = make_ticket(s, hour_now(s) + 1);
	come(s, hour_now(s), &other);
	assert_true(s->reader->ended && s->reader->error == FRAME_ERROR_TICKET);
	t = make_ticket(s, hour_now(s));
	t.output[0] ^= 1;
	come(s, hour_now(s), &t);
	assert_true(s->reader->ended && s->reader->error == FRAME_ERROR_TICKET);
	assert_int_equal(status(s).tickets.forged, 2);
	assert_int_equal(s->notice_count, 0);
	/* that harmed neither */
	t.output[0] ^= 1;
	come(s, hour_now(s), &t);
	assert_false(s->reader->ended);
}

/* Who has none may read the notices, and no more. */
static void
test_look(void **state)
{
	struct stand *s = *state;
	struct frame_open open = { .version = 1, .read = FRAME_READ_NOTICES };

	found(s);
	come(s, hour_now(s), NULL);
	assert_true(s->reader->ended && s->reader->error == FRAME_ERROR_TICKET);
	assert_int_equal(s->notice_count, 0);
	assert_int_equal(status(s).tickets.none, 1);
	s->forwarded = 0;
	dial(s);
	open.hour = hour_now(s);
	caller_open(s->reader, &open);
	caller_packet(s->reader, MIX, epoch_now(s));
	pass(s, 10000);
	assert_true(s->reader->ended && s->reader->error == FRAME_ERROR_COMPLETE);
	assert_int_equal(s->notice_count, 5);
	assert_int_equal(caller_count(s->reader, ITEM_BLOCK), 0);
	assert_int_equal(status(s).entry.looked, 1);
	assert_int_equal(s->forwarded, 0);
}

/* So many checks in a second, whoever sends them; members come through again after. */
static void
test_limited(void **state)
{
	struct stand *s = *state;
	struct tickets *limit;
	struct ticket t;
	struct frame_open open = { .version = 1, .ticket_proof = { 1 } };
	uint8_t hash[TOKEN_HANDSHAKE_BYTES] = { 0 };
	size_t busy = 0;

	found(s);
	limit = gateway_tickets(s->gateway);
	open.hour = hour_now(s);
	for (size_t i = 0; i < TICKETS_CHECKS_BURST + 100; i++)
		busy += tickets_redeem(limit, &open, hash, NULL, NULL) == ERR_BUSY;
	assert_true(busy >= 90 && busy <= 100);
	t = make_ticket(s, hour_now(s));
	pass(s, 1000);
	come(s, hour_now(s), &t);
	assert_false(s->reader->ended);
	assert_int_equal(status(s).tickets.limited, busy);
}

/* The coming hour's session, over the end of an epoch too, is opened with its ticket. */
static void
test_coming_epoch(void **state)
{
	struct stand *s = *state;
	int64_t end = timing_epoch_start(s->params, epoch_now(s) + 1);
	uint32_t coming = timing_hour(s->params, end);
	struct ticket t;

	found(s);
	pass(s, end - 5 * MINUTE_MS - now_ms(s));
	t = make_ticket(s, coming);
	come(s, coming, &t);
	assert_false(s->reader->ended);
	assert_int_equal(memory_spent_count(s->spent, epoch_now(s) + 1), 1);
}

/* From now on with a store that can fail. */
static void
use_flaky(struct stand *s)
{
	found(s);
	close_reader(s);
	s->flaky = true;
	restart(s);
}

/* What cannot be written opens no session, whether it took effect or not. */
static void
test_ticket_needs_the_store(void **state)
{
	struct stand *s = *state;
	struct ticket t;

	use_flaky(s);
	t = make_ticket(s, hour_now(s));
	s->spending = ERR_FULL;
	come(s, hour_now(s), &t);
	assert_true(s->reader->ended && s->reader->error == FRAME_ERROR_STORE);
	assert_int_equal(status(s).tickets.failed, 1);
	assert_int_equal(status(s).entry.opened, 0);
	s->spending = ERR_OK;
	come(s, hour_now(s), &t);
	assert_false(s->reader->ended);
	t = make_ticket(s, hour_now(s));
	s->spending = ERR_IO;
	s->takes_effect = true;
	come(s, hour_now(s), &t);
	assert_true(s->reader->ended && s->reader->error == FRAME_ERROR_STORE);
	s->spending = ERR_OK;
	come(s, hour_now(s), &t); /* it is lost, and nothing else */
	assert_true(s->reader->ended && s->reader->error == FRAME_ERROR_TICKET);
}

/* A restart between the mark and the answer costs the ticket, and opens nothing twice. */
static void
test_ticket_crash(void **state)
{
	struct stand *s = *state;
	size_t opened = 0;
	struct ticket t;

	found(s);
	t = make_ticket(s, hour_now(s));
	for (size_t steps = 0; steps < 40; steps++) {
		struct frame_open open = { .version = 1, .hour = hour_now(s) };

		close_reader(s);
		s->reader = caller_new(world_loop(s->outside), s->charter,
		    charter_gateway(s->charter)->entrance, &s->rng.rng);
		while (!s->reader->up)
			assert_true(world_step(s->world));
		memcpy(open.ticket_nonce, t.nonce, sizeof(open.ticket_nonce));
		token_ticket_proof(open.ticket_proof, t.output, link_hash(s->reader->link));
		caller_open(s->reader, &open);
		for (size_t i = 0; i < steps; i++)
			assert_true(world_step(s->world));
		opened += status(s).entry.opened;
		gateway_free(s->gateway);
		open_gateway(s);
		pass(s, 100);
	}
	assert_true(opened <= 1);
	come(s, hour_now(s), &t);
	assert_true(s->reader->ended && s->reader->error == FRAME_ERROR_TICKET);
}

/* ---- stamps ---- */

static void
test_stamps(void **state)
{
	struct stand *s = *state;
	uint8_t stamp[TOKEN_SPENT_BYTES], *a, *b;

	found(s);
	a = calloc(2, s->params->record_size);
	assert_non_null(a);
	b = a + s->params->record_size;
	rng_bytes(&s->rng.rng, a, 2 * (size_t)s->params->record_size);
	deliver(s, a, NULL); /* without a stamp */
	deliver(s, b, NULL);
	make_stamp(stamp, s, epoch_now(s), a);
	deliver(s, b, stamp); /* with the stamp of another record */
	assert_int_equal(stored(s), 0);
	assert_int_equal(status(s).stamps.forged, 3);
	deliver(s, a, stamp);
	deliver(s, a, stamp); /* two in one round */
	assert_int_equal(stored(s), 1);
	deliver(s, a, stamp); /* and in a later one */
	assert_int_equal(stored(s), 1);
	restart(s);
	deliver(s, a, stamp);
	assert_int_equal(stored(s), 1);
	for (size_t i = 0; i < 40; i++)
		deposit(s, epoch_now(s));
	pass(s, 5 * MINUTE_MS); /* that many take some rounds */
	assert_int_equal(stored(s), 41);
	assert_int_equal(status(s).exit.unpaid, 1);
	assert_int_equal(status(s).stamps.paid, 40);
	assert_int_equal(status(s).stamps.spent, 1);
	free(a);
}

/* A stamp is good for its epoch and the grace behind it; one of the next is not yet. */
static void
test_stamp_epochs(void **state)
{
	struct stand *s = *state;
	uint32_t first = epoch_now(s);
	int64_t end = timing_epoch_start(s->params, first + 1);

	found(s);
	deposit(s, first + 1);
	assert_int_equal(stored(s), 0);
	pass(s, end - 20 * MINUTE_MS - now_ms(s));
	announce(s, first + 1);
	pass(s, end + 2 * MINUTE_MS - now_ms(s));
	read_live(s);
	assert_int_equal(s->sheet->epoch, first + 1);
	deposit(s, first);
	deposit(s, first + 1);
	assert_int_equal(stored(s), 2);
	pass(s, end + s->params->grace_ms + 2 * ROUND_MS - now_ms(s));
	deposit(s, first);
	assert_int_equal(stored(s), 2);
}

/* While nothing can be written deposits wait; then each is there once. */
static void
test_stamps_need_the_disk(void **state)
{
	struct stand *s = *state;

	found(s);
	for (size_t i = 0; i < 10; i++)
		deposit(s, epoch_now(s));
	break_disk(s); /* the replay tags */
	pass(s, 5 * ROUND_MS);
	s->plan = (struct disk_fault){ .at = 0 };
	assert_int_equal(stored(s), 10);
	assert_int_equal(memory_spent_count(s->spent, epoch_now(s)), 10 + 2);
}

/* The same while the spent store fails, its write having taken effect or not. */
static void
check_failing_store(struct stand *s, bool takes_effect)
{
	size_t before = stored(s), writes = s->writes;

	s->spending = ERR_IO;
	s->takes_effect = takes_effect;
	for (size_t i = 0; i < 10; i++)
		deposit(s, epoch_now(s));
	pass(s, 5 * ROUND_MS);
	assert_true(s->writes > writes + 2);
	s->spending = ERR_OK;
	assert_int_equal(stored(s), before + 10);
}

static void
test_stamps_need_the_store(void **state)
{
	struct stand *s = *state;

	use_flaky(s);
	check_failing_store(s, false);
	check_failing_store(s, true);
	assert_int_equal(status(s).stamps.spent, 0);
	assert_int_equal(status(s).stamps.paid, 20);
}

/*
 * A restart at any step of a round: whatever became of a deposit, its stamp pays for one
 * at most.
 */
static void
test_stamp_crash(void **state)
{
	struct stand *s = *state;
	uint8_t stamp[TOKEN_SPENT_BYTES], *record = calloc(1, s->params->record_size);
	size_t n;

	assert_non_null(record);
	found(s);
	rng_bytes(&s->rng.rng, record, s->params->record_size);
	make_stamp(stamp, s, epoch_now(s), record);
	for (size_t steps = 0; steps < 30; steps++) {
		deliver(s, record, stamp);
		pass(s, timing_round_start(s->params, timing_round(s->params, now_ms(s)) + 1) -
		    now_ms(s) - 1);
		for (size_t i = 0; i < steps; i++)
			assert_true(world_step(s->world));
		restart(s);
		pass(s, 40000); /* the mix comes back */
	}
	n = stored(s);
	assert_true(n <= 1);
	free(record);
}

/* ---- a batch that is larger than what the spent store takes at a time ---- */

static enum err
count_marks(void *ctx, uint32_t epoch, struct spent_mark *const *marks, size_t n)
{
	(void)epoch;
	for (size_t i = 0; i < n; i++)
		marks[i]->fresh = true;
	*(size_t *)ctx += n;
	return ERR_OK;
}

static enum err
drop_none(void *ctx, uint32_t epoch)
{
	(void)ctx;
	(void)epoch;
	return ERR_OK;
}

static void
came_to(void *arg, enum err e)
{
	*(enum err *)arg = e;
}

/* Genuine ones, as after a failure of the store: how they are checked does not matter here. */
static void
judge_many(struct stand *s, struct stamps *k, size_t n)
{
	struct stamp *stamps = calloc(n, sizeof(*stamps)), **list = calloc(n, sizeof(struct stamp *));
	enum err e = ERR_STATE;

	assert_true(stamps != NULL && list != NULL);
	for (size_t i = 0; i < n; i++) {
		stamps[i].epoch = 7;
		stamps[i].spent_epoch = i % 3 == 0 ? 6 : 7;
		stamps[i].verdict = STAMP_GENUINE;
		store_u64(stamps[i].mark.mark, i);
		list[i] = &stamps[i];
	}
	assert_err_ok(stamps_judge(k, list, n, came_to, &e));
	while (e == ERR_STATE)
		assert_true(world_step(s->world));
	assert_err_ok(e);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(stamps[i].verdict, STAMP_PAID);
	free(list);
	free(stamps);
}

static void
test_many_stamps(void **state)
{
	static const struct spent_ops counting = { count_marks, drop_none, flaky_free };
	struct stand *s = *state;
	size_t n = 2 * SPENT_WAITING_MAX + 100, marks = 0;
	struct disk *disk = disk_memory();
	struct issuers_config keys = { .disk = disk, .charters = s->network->charters };
	struct issuers *issuers;
	struct stamps_config cfg = { .loop = world_loop(s->outside),
		.charters = s->network->charters,
		.keys = &s->rng.rng,
		.threads = 2 };
	struct stamps *k;

	assert_non_null(disk);
	assert_err_ok(issuers_open(&issuers, &keys, NULL));
	assert_err_ok(spent_new(&cfg.spent, cfg.loop, &counting, &marks, NULL, 0));
	cfg.issuers = issuers;
	assert_err_ok(stamps_new(&k, &cfg));
	judge_many(s, k, n);
	assert_int_equal(marks, n);
	spent_free(cfg.spent);
	stamps_free(k);
	issuers_free(issuers);
	disk_free(disk);
}

#define test(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

static const struct CMUnitTest tests[] = {
	test(test_notices),
	test(test_no_seed),
	test(test_lost_seed),
	test(test_seeds_over_and_over),
	test(test_stamps_of_begun_epochs),
	test(test_seed_needs_the_disk),
	test(test_destroyed),
	test(test_wrong_clock),
	test(test_tickets),
	test(test_look),
	test(test_limited),
	test(test_coming_epoch),
	test(test_ticket_needs_the_store),
	test(test_ticket_crash),
	test(test_stamps),
	test(test_stamp_epochs),
	test(test_stamps_need_the_disk),
	test(test_stamps_need_the_store),
	test(test_stamp_crash),
	test(test_many_stamps),
};

TEST_MAIN(tests)

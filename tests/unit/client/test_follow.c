#include "config.h"

#include "client-lib/follow.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/bytes.h"
#include "common/charter/timing.h"
#include "common/crypto/hash.h"
#include "tests/lib/network.h"
#include "tests/lib/test.h"

#define EPOCH 1000
#define BLOCKS 20
#define MAILBOX 0

/* One block in each round from an epoch's start on; every third has records. */
struct item {
	struct buf block, records;
	uint8_t hash[32];
	unsigned count;
};

static struct network *network;
static const struct params *params;
static struct item items[BLOCKS];

static void
make_records(struct item *x, struct block *b, uint8_t *line, unsigned count)
{
	struct block_mailbox m = { .mailbox = MAILBOX, .count = (uint16_t)count };
	uint8_t *p;

	x->count = count;
	assert_err_ok(buf_reserve(&x->records, (size_t)count * params->record_size, SIZE_MAX, &p));
	rng_bytes(test_rng(), p, (size_t)count * params->record_size);
	x->records.len = (size_t)count * params->record_size;
	hash_256(m.hash, x->records.data, x->records.len);
	block_mailbox_put(line, &m);
	b->mailboxes = line;
	b->mailbox_count = 1;
}

static void
make_item(size_t i)
{
	const struct charter_node *gateway = charter_gateway(network->charter);
	struct item *x = &items[i];
	struct block b = { .gateway = gateway->number,
		.round = timing_round(params, timing_epoch_start(params, EPOCH)) + i };
	uint8_t line[BLOCK_MAILBOX_BYTES], signature[BLOCK_SIGNATURE_BYTES];

	buf_init(&x->block);
	buf_init(&x->records);
	if (i > 0)
		memcpy(b.previous, items[i - 1].hash, 32);
	if (i % 3 == 1)
		make_records(x, &b, line, (unsigned)(1 + i / 6));
	assert_err_ok(block_encode(&x->block, &b));
	block_sign(signature, &b, network->charter->network_id,
	    network->keys[network_index(network, gateway->number)].identity_sk);
	assert_err_ok(buf_append(&x->block, signature, sizeof(signature), SIZE_MAX));
	memcpy(x->hash, b.hash, 32);
}

static int
set_up(void **state)
{
	const struct network_config cfg = { .seed = test_seed() };

	(void)state;
	network = network_new(&cfg);
	params = &network->charter->params;
	for (size_t i = 0; i < BLOCKS; i++)
		make_item(i);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	for (size_t i = 0; i < BLOCKS; i++) {
		buf_release(&items[i].block);
		buf_release(&items[i].records);
	}
	network_free(network);
	return 0;
}

/* What was handed on, in order. */
struct taken {
	size_t blocks, next, sheets, seen;
	size_t records;
	enum err err; /* what the owner answers */
};

static enum err
on_sheet(void *arg, const uint8_t *p, size_t n)
{
	struct taken *t = arg;

	assert_memory_equal(p, "sheet", n);
	t->sheets++;
	return t->err;
}

static void
on_seen(void *arg, uint64_t round)
{
	(void)round;
	((struct taken *)arg)->seen++;
}

static enum err
on_block(void *arg, const struct block *b, const uint8_t *records, size_t count)
{
	struct taken *t = arg;
	const struct item *x = &items[t->next];

	if (t->err != ERR_OK)
		return t->err;
	assert_memory_equal(b->hash, x->hash, 32);
	assert_int_equal(count, x->count);
	if (count > 0)
		assert_memory_equal(records, x->records.data, x->records.len);
	t->next++;
	t->blocks++;
	t->records += count;
	return ERR_OK;
}

static const struct follow_events events = { .sheet = on_sheet, .seen = on_seen,
	.block = on_block };

static enum err
give(struct follow *f, size_t from, size_t to)
{
	enum err e = ERR_OK;

	for (size_t i = from; i < to && e == ERR_OK; i++) {
		e = follow_item(f, ITEM_BLOCK, items[i].block.data, items[i].block.len);
		if (e == ERR_OK && items[i].count > 0)
			e = follow_item(f, ITEM_RECORDS, items[i].records.data,
			    items[i].records.len);
	}
	return e;
}

static void
test_from_the_founding(void **state)
{
	struct taken t = { 0 };
	struct chain *k = chain_new(network->charter, NULL);
	struct follow *f = follow_new(FOLLOW_BLOCKS, k, network->charter, MAILBOX, &events, &t);

	(void)state;
	assert_false(follow_verified(f));
	assert_err_ok(follow_item(f, ITEM_SHEET, (const uint8_t *)"sheet", 5));
	assert_err_ok(give(f, 0, BLOCKS));
	assert_true(follow_verified(f));
	assert_int_equal(t.blocks, BLOCKS);
	assert_int_equal(t.seen, BLOCKS);
	assert_int_equal(t.sheets, 1);
	assert_true(t.records > 7);
	assert_true(follow_blocks(f) == BLOCKS);
	assert_int_equal(follow_waiting(f), 0);
	assert_err_ok(follow_done(f));
	follow_free(f);
	chain_free(k);
}

/* Nothing is handed on before the run is tied; then all of it, by another run's doing. */
static void
test_waits_for_the_tie(void **state)
{
	struct taken t = { .next = 10 }, first = { 0 };
	struct chain *k = chain_new(network->charter, NULL);
	struct follow *f = follow_new(FOLLOW_BLOCKS, k, network->charter, MAILBOX, &events, &t);
	struct follow *day = follow_new(FOLLOW_BLOCKS, k, network->charter, MAILBOX, &events,
	    &first);

	(void)state;
	assert_err_ok(give(f, 10, 15));
	assert_int_equal(t.blocks, 0);
	assert_int_equal(t.seen, 5);
	assert_false(follow_verified(f));
	assert_true(follow_waiting(f) > 2 * params->record_size);
	assert_err_ok(follow_poll(f));
	assert_int_equal(t.blocks, 0);
	assert_err_ok(give(day, 0, 10));
	assert_err_ok(follow_poll(f));
	assert_int_equal(t.blocks, 5);
	assert_true(follow_verified(f));
	assert_int_equal(follow_waiting(f), 0);
	assert_err_ok(give(f, 15, BLOCKS));
	assert_int_equal(t.blocks, 10);
	follow_free(day);
	follow_free(f);
	chain_free(k);
}

/* Give all up to item 4 (a block with records), then something wrong. */
static enum err
wrong(enum item_kind kind, const void *p, size_t n, bool after_its_block)
{
	struct taken t = { 0 };
	struct chain *k = chain_new(network->charter, NULL);
	struct follow *f = follow_new(FOLLOW_BLOCKS, k, network->charter, MAILBOX, &events, &t);
	enum err e = give(f, 0, 4);

	assert_err_ok(e);
	if (after_its_block)
		assert_err_ok(follow_item(f, ITEM_BLOCK, items[4].block.data, items[4].block.len));
	e = follow_item(f, kind, p, n);
	assert_int_equal(t.blocks, 4); /* the fourth was not handed on */
	follow_free(f);
	chain_free(k);
	return e;
}

static void
test_wrong_records(void **state)
{
	struct buf r;

	(void)state;
	buf_init(&r);
	assert_err_ok(buf_append(&r, items[4].records.data, items[4].records.len, SIZE_MAX));
	assert_err_ok(wrong(ITEM_SHEET, "sheet", 5, true)); /* the harness itself is right */
	assert_err(wrong(ITEM_RECORDS, r.data, r.len - 1, true), ERR_CHAIN);
	assert_err(wrong(ITEM_RECORDS, r.data, 0, true), ERR_CHAIN);
	assert_err(wrong(ITEM_RECORDS, items[7].records.data, items[7].records.len, true),
	    ERR_CHAIN);
	assert_err(wrong(ITEM_RECORDS, r.data, r.len, false), ERR_CHAIN);
	for (size_t i = 0; i < r.len; i += 97) {
		r.data[i] ^= 4;
		assert_err(wrong(ITEM_RECORDS, r.data, r.len, true), ERR_CHAIN);
		r.data[i] ^= 4;
	}
	/* a block where its predecessor's records should be: they are withheld */
	assert_err(wrong(ITEM_BLOCK, items[5].block.data, items[5].block.len, true), ERR_CHAIN);
	buf_release(&r);
}

static void
test_wrong_blocks(void **state)
{
	const struct buf *next = &items[4].block;
	struct buf b;
	unsigned broken = 0;

	(void)state;
	buf_init(&b);
	assert_err_ok(buf_append(&b, next->data, next->len, SIZE_MAX));
	for (size_t i = 0; i < b.len; i++) {
		enum err e;
		b.data[i] ^= 1;
		e = wrong(ITEM_BLOCK, b.data, b.len, false);
		assert_int_not_equal(e, ERR_OK);
		broken += follow_is_broken(e);
		b.data[i] ^= 1;
		assert_int_not_equal(wrong(ITEM_BLOCK, b.data, i, false), ERR_OK);
	}
	assert_int_equal(broken, b.len);
	assert_err(wrong(ITEM_BLOCK, items[5].block.data, items[5].block.len, false), ERR_CHAIN);
	buf_release(&b);
}

/* An error of the owner's ends the run, and is not taken for a broken journal. */
static void
test_owner_fails(void **state)
{
	struct taken t = { .err = ERR_MEMORY };
	struct chain *k = chain_new(network->charter, NULL);
	struct follow *f = follow_new(FOLLOW_BLOCKS, k, network->charter, MAILBOX, &events, &t);

	(void)state;
	assert_err(give(f, 0, 1), ERR_MEMORY);
	assert_false(follow_is_broken(ERR_MEMORY));
	assert_false(follow_is_broken(ERR_FULL));
	follow_free(f);
	chain_free(k);
}

/* Of the epoch blocks only the latest is handed on, at the end; records have no place there. */
static void
test_epoch_blocks(void **state)
{
	struct taken t = { 0 };
	struct chain *k = chain_new(network->charter, NULL);
	struct follow *f = follow_new(FOLLOW_EPOCHS, k, network->charter, MAILBOX, &events, &t);

	(void)state;
	assert_err(follow_done(f), ERR_CHAIN); /* there is no journal without a founding block */
	assert_err_ok(give(f, 0, 1));
	assert_int_equal(t.blocks, 0);
	assert_err(follow_item(f, ITEM_RECORDS, items[1].records.data, items[1].records.len),
	    ERR_CHAIN);
	assert_err_ok(follow_done(f));
	assert_int_equal(t.blocks, 1);
	assert_false(follow_verified(f)); /* it is no run of blocks */
	assert_true(chain_latest_epoch(k, &(struct chain_point){ 0 }, NULL));
	follow_free(f);
	f = follow_new(FOLLOW_EPOCHS, k, network->charter, MAILBOX, &events, &t);
	assert_err(give(f, 1, 2), ERR_CHAIN); /* not an epoch block */
	follow_free(f);
	chain_free(k);
}

/* A run that is never tied does not fill the memory. */
static void
test_too_much_waits(void **state)
{
	struct taken t = { .next = 1 };
	const struct chain_point other = { .round = 1, .hash = { 1 } };
	struct chain *k = chain_new(network->charter, &other);
	struct follow *f = follow_new(FOLLOW_BLOCKS, k, network->charter, MAILBOX, &events, &t);
	const struct charter_node *gateway = charter_gateway(network->charter);
	size_t count = 4000, size = count * params->record_size;
	uint8_t *records = calloc(1, size), line[BLOCK_MAILBOX_BYTES];
	struct block_mailbox m = { .mailbox = MAILBOX, .count = (uint16_t)count };
	struct block b = { .gateway = gateway->number,
		.round = timing_round(params, timing_epoch_start(params, EPOCH)) + 1,
		.mailboxes = line, .mailbox_count = 1 };
	enum err e = ERR_OK;
	size_t given = 0;

	(void)state;
	assert_non_null(records);
	hash_256(m.hash, records, size);
	block_mailbox_put(line, &m);
	memset(b.previous, 7, 32);
	while (e == ERR_OK && given < 100) {
		uint8_t signature[BLOCK_SIGNATURE_BYTES];
		struct buf bytes;
		buf_init(&bytes);
		assert_err_ok(block_encode(&bytes, &b));
		block_sign(signature, &b, network->charter->network_id,
		    network->keys[network_index(network, gateway->number)].identity_sk);
		assert_err_ok(buf_append(&bytes, signature, sizeof(signature), SIZE_MAX));
		assert_err_ok(follow_item(f, ITEM_BLOCK, bytes.data, bytes.len));
		e = follow_item(f, ITEM_RECORDS, records, size);
		assert_true(follow_waiting(f) <= FOLLOW_WAITING_MAX);
		memcpy(b.previous, b.hash, 32);
		b.round++;
		given++;
		buf_release(&bytes);
	}
	assert_err(e, ERR_FULL);
	assert_int_equal(given, FOLLOW_WAITING_MAX / size + 1);
	assert_int_equal(t.blocks, 0);
	free(records);
	follow_free(f);
	chain_free(k);
}

#define FRESH(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
static const struct CMUnitTest tests[] = {
	FRESH(test_from_the_founding),
	FRESH(test_waits_for_the_tie),
	FRESH(test_wrong_records),
	FRESH(test_wrong_blocks),
	FRESH(test_owner_fails),
	FRESH(test_epoch_blocks),
	FRESH(test_too_much_waits),
};

TEST_MAIN(tests)

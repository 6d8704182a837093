#include "config.h"

#include "gateway/journal.h"

#include <stdlib.h>
#include <string.h>

#include "common/charter/timing.h"
#include "common/crypto/hash.h"
#include "common/journal/chain.h"
#include "tests/lib/network.h"
#include "tests/lib/test.h"

#define RECORD 1024
#define MAILBOXES 3

/* A journal, and a reader that verifies all it publishes. */
struct desk {
	struct network *network;
	const struct params *params;
	const uint8_t *identity_sk;
	struct journal *journal;
	struct chain *chain;
	struct chain_segment *segment;
	uint64_t first; /* the first round of an epoch */
	struct buf state;
};

static int
set_up(void **state)
{
	struct desk *k = calloc(1, sizeof(*k));
	struct params p;
	struct network_config cfg = { .seed = test_seed(), .params = &p };
	const struct charter *c;

	assert_non_null(k);
	params_default(&p);
	p.record_size = RECORD;
	p.mailboxes = MAILBOXES;
	p.people = 50 * MAILBOXES;
	p.pieces = params_least_pieces(&p);
	k->network = network_new(&cfg);
	c = k->network->charter;
	k->params = &c->params;
	k->identity_sk = k->network->keys[network_index(k->network,
	    charter_gateway(c)->number)].identity_sk;
	assert_err_ok(journal_new(&k->journal, k->network->charters, k->identity_sk));
	k->chain = chain_new(c, NULL);
	k->segment = chain_segment_new(k->chain);
	k->first = timing_round(k->params, timing_epoch_start(k->params, 80000));
	buf_init(&k->state);
	*state = k;
	return 0;
}

static int
tear_down(void **state)
{
	struct desk *k = *state;

	journal_free(k->journal);
	chain_segment_free(k->segment);
	chain_free(k->chain);
	network_free(k->network);
	buf_release(&k->state);
	free(k);
	return 0;
}

/* Build a round; its block must be one that a reader takes. */
static struct journal_round *
build(struct desk *k, struct block *b, uint64_t round)
{
	struct journal_round *r = NULL;
	size_t len;

	assert_err_ok(journal_build(&r, k->journal, round, test_rng()));
	len = r->put.block_len - BLOCK_SIGNATURE_BYTES;
	assert_err_ok(chain_segment_add(k->segment, b, r->put.block, len, r->put.block + len));
	assert_true(chain_segment_verified(k->segment));
	assert_true(r->put.round == round && b->round == round);
	assert_int_equal(r->put.epoch_block, b->epoch_block);
	assert_int_equal(r->put.mailbox_count, b->mailbox_count);
	for (size_t i = 0; i < b->mailbox_count; i++) {
		struct block_mailbox m;
		uint8_t hash[32];

		block_mailbox_at(&m, b, i);
		assert_int_equal(m.mailbox, r->put.mailboxes[i].mailbox);
		assert_int_equal(m.count * RECORD, r->put.mailboxes[i].len);
		hash_256(hash, r->put.mailboxes[i].data, r->put.mailboxes[i].len);
		assert_memory_equal(hash, m.hash, 32);
	}
	return r;
}

static void
advance(struct desk *k, struct journal_round *r)
{
	journal_advance(k->journal, r);
	k->state.len = 0;
	assert_err_ok(buf_append(&k->state, r->put.state, r->put.state_len, SIZE_MAX));
	journal_round_free(r);
}

/* A round as a matter of course. */
static void
turn(struct desk *k, uint64_t round)
{
	struct block b;

	advance(k, build(k, &b, round));
}

static void
record_of(uint8_t out[static RECORD], uint64_t number)
{
	uint8_t key[32] = {0};

	store_u64(key, number);
	memset(out, 0, RECORD);
	hash_256(out, key, sizeof(key));
}

static void
deposit(struct desk *k, uint16_t mailbox, uint64_t number)
{
	uint8_t record[RECORD];

	record_of(record, number);
	assert_err_ok(journal_deposit(k->journal, mailbox, record));
}

static void
test_founding(void **state)
{
	struct desk *k = *state;
	struct block b;
	uint64_t head;

	assert_false(journal_head(k->journal, &head));
	assert_true(journal_due(k->journal, k->first + 5));
	deposit(k, 0, 1); /* it must wait */
	advance(k, build(k, &b, k->first + 5));
	assert_true(b.epoch_block);
	assert_int_equal(b.entry_count, 1);
	assert_true(journal_head(k->journal, &head));
	assert_true(head == k->first + 5);
	assert_int_equal(journal_waiting(k->journal), 1);
}

/* The charter in force is in every epoch block, signatures and all. */
static void
test_charter_entry(void **state)
{
	struct desk *k = *state;
	struct journal_round *r;
	const struct block_entry *entry;
	struct charter *c;
	struct block b;

	r = build(k, &b, k->first);
	entry = block_entry_find(&b, BLOCK_CHARTER);
	assert_non_null(entry);
	assert_err_ok(charter_parse(&c, entry->data, entry->len, NULL));
	assert_memory_equal(c->hash, k->network->charter->hash, 32);
	charter_free(c);
	advance(k, r);
}

static void
test_deposits_and_notes(void **state)
{
	struct desk *k = *state;
	struct journal_round *r;
	uint8_t record[RECORD], digest[8], note[8];
	struct block b;

	turn(k, k->first);
	for (uint64_t i = 0; i < 60; i++)
		deposit(k, i % 4 == 0 ? 2 : 0, i);
	for (uint8_t i = 0; i < 10; i++) {
		memset(note, i, sizeof(note));
		assert_err_ok(journal_note(k->journal, note));
	}
	assert_int_equal(journal_waiting(k->journal), 70);
	r = build(k, &b, k->first + 1);
	assert_int_equal(journal_waiting(k->journal), 0);
	assert_int_equal(r->deposits, 60);
	assert_int_equal(r->notes, 10);
	assert_int_equal(b.mailbox_count, 2);
	assert_int_equal(b.digest_count, 70);
	assert_int_equal(r->put.mailboxes[0].len, 45 * RECORD);
	assert_int_equal(r->put.mailboxes[1].mailbox, 2);
	assert_int_equal(r->put.mailboxes[1].len, 15 * RECORD);
	for (uint64_t i = 0; i < 60; i++) {
		record_of(record, i);
		block_record_digest(digest, record, RECORD);
		assert_true(block_has_digest(&b, digest));
		assert_non_null(memmem(r->put.mailboxes[i % 4 == 0].data,
		    r->put.mailboxes[i % 4 == 0].len, record, RECORD));
	}
	memset(note, 9, sizeof(note));
	assert_true(block_has_digest(&b, note));
	advance(k, r);
}

/* Where a record stands says nothing of when it came: each place is as likely. */
static void
test_shuffled(void **state)
{
	struct desk *k = *state;
	unsigned first_at[5] = {0};
	uint8_t record[RECORD];
	struct block b;

	turn(k, k->first);
	for (uint64_t round = 1; round <= 500; round++) {
		struct journal_round *r;

		for (uint64_t i = 0; i < 5; i++)
			deposit(k, 1, 10 * round + i);
		r = build(k, &b, k->first + round);
		record_of(record, 10 * round);
		for (size_t i = 0; i < 5; i++)
			first_at[i] += memcmp(r->put.mailboxes[0].data + i * RECORD, record,
			    RECORD) == 0;
		advance(k, r);
	}
	/* 100 each; five standard deviations */
	for (size_t i = 0; i < 5; i++)
		assert_in_range(first_at[i], 55, 145);
}

static void
test_duplicates(void **state)
{
	struct desk *k = *state;
	uint8_t note[8] = { 5 };
	struct journal_round *r;
	struct block b;

	turn(k, k->first);
	deposit(k, 0, 1);
	deposit(k, 0, 2);
	deposit(k, 0, 1);
	deposit(k, 0, 1);
	deposit(k, 1, 1); /* another mailbox */
	assert_err_ok(journal_note(k->journal, note));
	assert_err_ok(journal_note(k->journal, note));
	r = build(k, &b, k->first + 1);
	assert_int_equal(r->put.mailboxes[0].len, 2 * RECORD);
	assert_int_equal(r->put.mailboxes[1].len, RECORD);
	assert_int_equal(b.digest_count, 3); /* none is listed twice */
	advance(k, r);
}

static void
test_refused(void **state)
{
	struct desk *k = *state;
	uint8_t record[RECORD] = {0}, note[8] = {0};
	struct journal_round *r;
	struct block b;

	assert_err(journal_deposit(k->journal, MAILBOXES, record), ERR_NOT_FOUND);
	for (uint32_t i = 0; i < BLOCK_DIGESTS_MAX; i++) {
		store_u32(note, i);
		assert_err_ok(journal_note(k->journal, note));
	}
	assert_err(journal_note(k->journal, note), ERR_FULL);
	assert_err(journal_deposit(k->journal, 0, record), ERR_FULL);
	turn(k, k->first);
	assert_err(journal_note(k->journal, note), ERR_FULL); /* they still wait */
	r = build(k, &b, k->first + 1);
	assert_int_equal(b.digest_count, BLOCK_DIGESTS_MAX);
	assert_err(journal_build(&r, k->journal, k->first + 2, test_rng()), ERR_STATE);
	advance(k, r);
	assert_err(journal_build(&r, k->journal, k->first + 1, test_rng()), ERR_STATE);
}

/* A round shows so much of one mailbox and no more; who fills it harms no other mailbox. */
static void
test_a_full_mailbox(void **state)
{
	struct desk *k = *state;
	uint8_t record[RECORD];
	struct journal_round *r;
	struct block b;

	turn(k, k->first);
	for (uint64_t i = 0; i < ITEM_RECORDS_MAX / RECORD; i++)
		deposit(k, 1, i);
	record_of(record, UINT64_MAX);
	assert_err(journal_deposit(k->journal, 1, record), ERR_FULL);
	deposit(k, 0, UINT64_MAX);
	r = build(k, &b, k->first + 1);
	assert_int_equal(r->put.mailboxes[0].len, RECORD);
	assert_int_equal(r->put.mailboxes[1].len, ITEM_RECORDS_MAX);
	advance(k, r);
	deposit(k, 1, UINT64_MAX); /* the next round has room again */
	r = build(k, &b, k->first + 2);
	assert_int_equal(r->put.mailboxes[0].len, RECORD);
	advance(k, r);
}

/* At most 30 s between two blocks, and none without a reason before. */
static void
test_due(void **state)
{
	struct desk *k = *state;
	uint64_t silence = (uint64_t)(30000 / k->params->round_ms);
	uint8_t note[8] = {0};

	turn(k, k->first);
	assert_false(journal_due(k->journal, k->first));
	assert_false(journal_due(k->journal, k->first - 1));
	for (uint64_t i = 1; i < silence; i++)
		assert_false(journal_due(k->journal, k->first + i));
	assert_true(journal_due(k->journal, k->first + silence));
	assert_err_ok(journal_note(k->journal, note));
	assert_true(journal_due(k->journal, k->first + 1));
	assert_false(journal_due(k->journal, k->first)); /* rounds only go up */
}

static struct sheet *
sheet_for(struct desk *k, uint32_t epoch)
{
	struct network_epoch *e = network_epoch_new(k->network, epoch);
	struct sheet *s = malloc(sizeof(*s));

	assert_non_null(s);
	*s = *e->sheet;
	network_epoch_free(e);
	return s;
}

/* A sheet is written once, repeated in its epoch's block, and forgotten later. */
static void
test_sheets(void **state)
{
	struct desk *k = *state;
	uint64_t next = k->first + (uint64_t)(k->params->epoch_ms / k->params->round_ms);
	uint64_t last = next + (next - k->first);
	struct journal_round *r;
	struct block b;

	turn(k, k->first);
	assert_err_ok(journal_sheet(k->journal, sheet_for(k, 80000))); /* the founding sheet */
	assert_err_ok(journal_sheet(k->journal, sheet_for(k, 80001)));
	assert_err(journal_sheet(k->journal, sheet_for(k, 80001)), ERR_EXISTS);
	assert_true(journal_has_sheet(k->journal, 80000));
	assert_null(journal_sheet_of(k->journal, 80000)); /* not written yet */
	assert_true(journal_due(k->journal, k->first + 1));
	r = build(k, &b, k->first + 1);
	assert_int_equal(b.entry_count, 2);
	assert_null(journal_sheet_of(k->journal, 80000)); /* nor durable */
	advance(k, r);
	assert_int_equal(journal_sheet_of(k->journal, 80000)->epoch, 80000);
	assert_non_null(journal_sheet_bytes(k->journal, 80001));
	r = build(k, &b, k->first + 2);
	assert_int_equal(b.entry_count, 0);
	advance(k, r);
	r = build(k, &b, next);
	assert_true(b.epoch_block);
	assert_int_equal(b.entry_count, 2);
	assert_non_null(block_entry_find(&b, BLOCK_CHARTER));
	assert_int_equal(load_u32(block_entry_find(&b, BLOCK_SHEET)->data), 80001);
	advance(k, r);
	assert_non_null(journal_sheet_of(k->journal, 80000)); /* for packets within grace */
	r = build(k, &b, last);
	assert_int_equal(b.entry_count, 1); /* this epoch has none */
	advance(k, r);
	assert_false(journal_has_sheet(k->journal, 80000));
	/* by a clock that was set back: it would be the second one for its epoch */
	assert_err(journal_sheet(k->journal, sheet_for(k, 80000)), ERR_EPOCH);
	assert_false(journal_has_sheet(k->journal, 80000));
}

/* Nor is one written that was not in time, whatever the clock was when it was made. */
static void
test_a_sheet_that_was_passed(void **state)
{
	struct desk *k = *state;
	uint64_t epoch = (uint64_t)(k->params->epoch_ms / k->params->round_ms);
	struct journal_round *r;
	struct block b;

	turn(k, k->first);
	assert_err_ok(journal_sheet(k->journal, sheet_for(k, 80000)));
	turn(k, k->first + epoch);
	assert_false(journal_due(k->journal, k->first + epoch + 1));
	r = build(k, &b, k->first + epoch + 1);
	assert_int_equal(b.entry_count, 0);
	advance(k, r);
}

/* A store whose epoch blocks were signed otherwise is not gone on with. */
static void
test_epoch_blocks_of_another_version(void **state)
{
	struct desk *k = *state;
	struct journal_round *r;
	struct diag d = { "" };
	struct buf bytes;
	struct block b;

	buf_init(&bytes);
	r = build(k, &b, k->first);
	assert_err_ok(buf_append(&bytes, r->put.block, r->put.block_len, SIZE_MAX));
	assert_err_ok(journal_check_epoch(k->journal, bytes.data, bytes.len, &d));
	/* as those that were signed like every other block */
	b.epoch_block = false;
	block_sign(bytes.data + bytes.len - BLOCK_SIGNATURE_BYTES, &b,
	    k->network->charter->network_id, k->identity_sk);
	assert_err(journal_check_epoch(k->journal, bytes.data, bytes.len, &d), ERR_SIGNATURE);
	assert_contains(d.text, "found the network anew");
	assert_err(journal_check_epoch(k->journal, bytes.data, 3, &d), ERR_TRUNCATED);
	buf_release(&bytes);
	advance(k, r);
}

/* A journal that goes on from the stored state writes what the first would have. */
static void
test_go_on(void **state)
{
	struct desk *k = *state;
	struct diag d;

	turn(k, k->first);
	assert_err_ok(journal_sheet(k->journal, sheet_for(k, 80000)));
	for (uint64_t i = 1; i < 20; i++) {
		uint64_t head = 0;

		turn(k, k->first + i);
		journal_free(k->journal);
		assert_err_ok(journal_new(&k->journal, k->network->charters, k->identity_sk));
		assert_err_ok(journal_load(k->journal, k->state.data, k->state.len, &d));
		assert_true(journal_head(k->journal, &head));
		assert_true(head == k->first + i);
		assert_non_null(journal_sheet_of(k->journal, 80000));
	}
	/* the next epoch block still names the one before */
	turn(k, k->first + (uint64_t)(k->params->epoch_ms / k->params->round_ms));
}

/* The charters that a block has, as bits of their versions. */
static unsigned
charters_in(const struct block *b)
{
	unsigned versions = 0;

	for (size_t i = 0; i < b->entry_count; i++) {
		uint32_t version;
		uint8_t hash[32];

		if (b->entries[i].kind != BLOCK_CHARTER)
			continue;
		assert_err_ok(charter_peek(&version, hash, b->entries[i].data, b->entries[i].len));
		versions |= 1u << version;
	}
	return versions;
}

/* The charters of the block of a round. */
static unsigned
told_in(struct desk *k, uint64_t round)
{
	struct block b;
	struct journal_round *r = build(k, &b, round);
	unsigned versions = charters_in(&b);

	advance(k, r);
	return versions;
}

/* Told once, and again by every epoch block until it is followed by another. */
static void
test_succession(void **state)
{
	struct desk *k = *state;
	uint64_t epoch = (uint64_t)(k->params->epoch_ms / k->params->round_ms);
	uint32_t now = timing_epoch(k->params, timing_round_start(k->params, k->first));
	struct diag d;

	assert_int_equal(told_in(k, k->first), 1u << 1);
	(void)network_succeed(k->network, NULL, now + 2, NULL, NULL);
	(void)network_succeed(k->network, NULL, now + 3, NULL, NULL);
	assert_true(journal_due(k->journal, k->first + 1));
	/* a crash before the block */
	journal_free(k->journal);
	assert_err_ok(journal_new(&k->journal, k->network->charters, k->identity_sk));
	assert_err_ok(journal_load(k->journal, k->state.data, k->state.len, &d));
	assert_true(journal_due(k->journal, k->first + 1));
	assert_int_equal(told_in(k, k->first + 1), 1u << 2 | 1u << 3);
	assert_false(journal_due(k->journal, k->first + 2));
	journal_free(k->journal);
	assert_err_ok(journal_new(&k->journal, k->network->charters, k->identity_sk));
	assert_err_ok(journal_load(k->journal, k->state.data, k->state.len, &d));
	assert_false(journal_due(k->journal, k->first + 2));
	assert_int_equal(told_in(k, k->first + epoch), 1u << 1 | 1u << 2 | 1u << 3);
	assert_int_equal(told_in(k, k->first + 2 * epoch), 1u << 2 | 1u << 3);
	assert_int_equal(told_in(k, k->first + 3 * epoch), 1u << 3);
	/* the gateway sleeps through the whole time of two versions */
	(void)network_succeed(k->network, NULL, now + 5, NULL, NULL);
	(void)network_succeed(k->network, NULL, now + 6, NULL, NULL);
	assert_int_equal(told_in(k, k->first + 9 * epoch), 1u << 4 | 1u << 5);
}

/* What a version before this one wrote knew of one charter only. */
static void
test_state_without_charters(void **state)
{
	struct desk *k = *state;
	size_t at = 8 + 32 + 8 + 32 + 32;
	struct diag d;

	turn(k, k->first);
	memmove(k->state.data + at, k->state.data + at + 8, k->state.len - at - 8);
	k->state.len -= 8 + 1; /* nor had it notices */
	store_u16(k->state.data + 6, 1);
	(void)network_succeed(k->network, NULL, 90000, NULL, NULL);
	journal_free(k->journal);
	assert_err_ok(journal_new(&k->journal, k->network->charters, k->identity_sk));
	assert_err_ok(journal_load(k->journal, k->state.data, k->state.len, &d));
	assert_true(journal_due(k->journal, k->first + 1));
	assert_int_equal(told_in(k, k->first + 1), 1u << 2);
}

static void
test_bad_state(void **state)
{
	struct desk *k = *state;
	struct journal *other;
	struct diag d;

	turn(k, k->first);
	assert_err_ok(journal_sheet(k->journal, sheet_for(k, 80000)));
	turn(k, k->first + 1);
	for (size_t n = 1; n < k->state.len; n += 3) {
		assert_err_ok(journal_new(&other, k->network->charters, k->identity_sk));
		assert_int_not_equal(journal_load(other, k->state.data, n, &d), ERR_OK);
		journal_free(other);
	}
	k->state.data[8] ^= 1; /* network id */
	assert_err_ok(journal_new(&other, k->network->charters, k->identity_sk));
	assert_err(journal_load(other, k->state.data, k->state.len, &d), ERR_MALFORMED);
	assert_contains(d.text, "network");
	store_u16(k->state.data + 6, 4);
	assert_err(journal_load(other, k->state.data, k->state.len, &d), ERR_VERSION);
	journal_free(other);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(test_founding, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_charter_entry, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_deposits_and_notes, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_shuffled, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_duplicates, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_a_full_mailbox, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_due, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_sheets, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_a_sheet_that_was_passed, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_epoch_blocks_of_another_version, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_go_on, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_bad_state, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_succession, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_state_without_charters, set_up, tear_down),
};

TEST_MAIN(tests)

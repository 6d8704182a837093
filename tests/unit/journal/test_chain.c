#include "config.h"

#include "common/journal/chain.h"

#include <string.h>

#include "common/crypto/hash.h"
#include "tests/lib/test.h"
#include "tests/unit/journal/blocks.h"

#define PER_EPOCH 120 /* rounds, by the parameters of blocks_network */
#define EPOCH 1000
#define BLOCKS (5 * PER_EPOCH + 7)

static struct network *network;
static struct blocks *journal, *forked; /* the same up to block FORK */
#define FORK (3 * PER_EPOCH + 5)

static int
set_up(void **state)
{
	(void)state;
	network = blocks_network();
	journal = blocks_new(network, EPOCH, BLOCKS, SIZE_MAX, 0);
	forked = blocks_new(network, EPOCH, BLOCKS, FORK, 77777);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	blocks_free(journal);
	blocks_free(forked);
	network_free(network);
	return 0;
}

static const struct chain_point *
epoch_point(size_t i)
{
	assert_true(journal->at[i * PER_EPOCH].epoch_block);
	return &journal->at[i * PER_EPOCH].point;
}

static enum err
add(struct chain_segment *s, const struct blocks *from, size_t i)
{
	const struct blocks_one *one = &from->at[i];
	struct block b;

	return chain_segment_add(s, &b, one->bytes.data, one->bytes.len, one->signature);
}

/* A run of the blocks [from, to). */
static struct chain_segment *
run(struct chain *k, const struct blocks *blocks, size_t from, size_t to)
{
	struct chain_segment *s = chain_segment_new(k);

	assert_non_null(s);
	for (size_t i = from; i < to; i++)
		assert_err_ok(add(s, blocks, i));
	return s;
}

static enum err
add_epoch(struct chain *k, const struct blocks *from, size_t i)
{
	const struct blocks_one *one = &from->at[i * PER_EPOCH];
	struct block b;

	return chain_epoch_add(k, &b, one->bytes.data, one->bytes.len, one->signature);
}

static void
read_epochs(struct chain *k, size_t n)
{
	for (size_t i = 0; i < n; i++)
		assert_err_ok(add_epoch(k, journal, i));
	assert_err_ok(chain_epochs_done(k));
}

static void
test_from_the_founding(void **state)
{
	struct chain *k = chain_new(network->charter, NULL);
	struct chain_segment *s = run(k, journal, 0, BLOCKS);
	struct chain_point point;
	uint8_t signature[64];

	(void)state;
	assert_true(chain_segment_verified(s));
	assert_true(chain_segment_first(s, &point));
	assert_true(point.round == journal->at[0].point.round);
	assert_true(chain_segment_last(s, &point));
	assert_memory_equal(point.hash, journal->at[BLOCKS - 1].point.hash, 32);
	assert_true(chain_latest_epoch(k, &point, signature));
	assert_memory_equal(point.hash, epoch_point(5)->hash, 32);
	assert_memory_equal(signature, journal->at[5 * PER_EPOCH].signature, 64);
	chain_segment_free(s);
	chain_free(k);
}

static void
test_anchor_in_the_run(void **state)
{
	struct chain *k = chain_new(network->charter, epoch_point(2));
	struct chain_segment *s = run(k, journal, 2 * PER_EPOCH - 9, 2 * PER_EPOCH);

	(void)state;
	assert_false(chain_segment_verified(s));
	assert_err_ok(add(s, journal, 2 * PER_EPOCH)); /* the anchor itself */
	assert_true(chain_segment_verified(s));
	chain_segment_free(s);
	chain_free(k);
}

static void
test_next_epoch_by_its_link(void **state)
{
	struct chain *k = chain_new(network->charter, epoch_point(2));
	struct chain_segment *s = run(k, journal, 3 * PER_EPOCH - 4, 3 * PER_EPOCH + 1);
	struct chain_segment *far = run(k, journal, 5 * PER_EPOCH - 4, 5 * PER_EPOCH + 1);

	(void)state;
	assert_true(chain_segment_verified(s));
	assert_false(chain_segment_verified(far)); /* one is missing */
	chain_segment_free(far);
	chain_segment_free(s);
	chain_free(k);
}

static void
test_epochs_tie_a_run(void **state)
{
	struct chain *k = chain_new(network->charter, epoch_point(1));
	struct chain_segment *s = run(k, journal, 5 * PER_EPOCH - 4, 5 * PER_EPOCH + 1);
	struct chain_segment *middle = run(k, journal, 4 * PER_EPOCH + 4, 4 * PER_EPOCH + 9);

	(void)state;
	for (size_t i = 0; i < 6; i++)
		assert_err_ok(add_epoch(k, journal, i));
	assert_false(chain_segment_verified(s));
	assert_err_ok(chain_epochs_done(k));
	assert_true(chain_segment_verified(s));
	assert_false(chain_segment_verified(middle)); /* holds no epoch block */
	chain_segment_free(middle);
	chain_segment_free(s);
	chain_free(k);
}

/* Sessions overlap by eleven minutes; a gap is closed by a day's read. */
static void
test_runs_tie_each_other(void **state)
{
	struct chain *k = chain_new(network->charter, epoch_point(3));
	size_t start = 3 * PER_EPOCH;
	struct chain_segment *first = run(k, journal, start, start + 30);
	struct chain_segment *next = run(k, journal, start + 20, start + 40);
	struct chain_segment *late = run(k, journal, start + 60, start + 80);
	struct chain_segment *adjacent = run(k, journal, start + 40, start + 41);
	struct chain_segment *day;

	(void)state;
	assert_true(chain_segment_verified(next));
	assert_true(chain_segment_verified(adjacent));
	assert_false(chain_segment_verified(late));
	day = run(k, journal, start - 10, start + 65);
	assert_true(chain_segment_verified(day));
	assert_true(chain_segment_verified(late));
	chain_segment_free(day);
	chain_segment_free(adjacent);
	chain_segment_free(late);
	chain_segment_free(next);
	chain_segment_free(first);
	chain_free(k);
}

/* As a day's read and the live one: the later run was there first. */
static void
test_a_run_is_tied_by_what_it_follows(void **state)
{
	struct chain *k = chain_new(network->charter, epoch_point(1));
	struct chain_segment *live = run(k, journal, PER_EPOCH + 20, PER_EPOCH + 25);
	struct chain_segment *later = run(k, journal, PER_EPOCH + 27, PER_EPOCH + 30);
	struct chain_segment *day = run(k, journal, PER_EPOCH - 3, PER_EPOCH + 19);

	(void)state;
	assert_true(chain_segment_verified(day));
	assert_false(chain_segment_verified(live));
	assert_err_ok(add(day, journal, PER_EPOCH + 19));
	assert_true(chain_segment_verified(live));
	assert_false(chain_segment_verified(later));
	chain_segment_free(day);
	chain_segment_free(later);
	chain_segment_free(live);
	chain_free(k);
}

static void
test_does_not_follow(void **state)
{
	struct chain *k = chain_new(network->charter, NULL);
	struct chain_segment *s = run(k, journal, 0, 5);

	(void)state;
	assert_err(add(s, journal, 6), ERR_CHAIN);
	assert_err(add(s, journal, 4), ERR_CHAIN);
	assert_err(add(s, journal, 0), ERR_CHAIN);
	assert_err_ok(add(s, journal, 5)); /* an error changes nothing */
	chain_segment_free(s);
	chain_free(k);
}

/* Encode block i anew with another content, and sign it. */
static enum err
add_changed(struct chain_segment *s, size_t i, void (*change)(struct block *b))
{
	struct blocks_one one = journal->at[i];
	struct block b;
	enum err e;

	assert_err_ok(block_decode(&b, journal->at[i].bytes.data, journal->at[i].bytes.len));
	change(&b);
	buf_init(&one.bytes);
	assert_err_ok(block_encode(&one.bytes, &b));
	blocks_sign(&one, network);
	e = chain_segment_add(s, &b, one.bytes.data, one.bytes.len, one.signature);
	buf_release(&one.bytes);
	return e;
}

static void
make_epoch_block(struct block *b)
{
	b->digest_count = 0;
	memcpy(b->previous_epoch, journal->at[0].point.hash, 32);
}

static void
make_plain_block(struct block *b)
{
	memset(b->previous_epoch, 0, 32);
}

static void
make_others_block(struct block *b)
{
	b->gateway = 1;
}

static void
make_wrong_epoch(struct block *b)
{
	memcpy(b->previous_epoch, journal->at[2].point.hash, 32);
}

static void
test_epoch_blocks_where_they_belong(void **state)
{
	struct chain *k = chain_new(network->charter, NULL);
	struct chain_segment *s = run(k, journal, 0, 5);

	(void)state;
	assert_err(add_changed(s, 5, make_epoch_block), ERR_CHAIN);
	for (size_t i = 5; i < PER_EPOCH; i++)
		assert_err_ok(add(s, journal, i));
	assert_err(add_changed(s, PER_EPOCH, make_plain_block), ERR_CHAIN);
	assert_err(add_changed(s, PER_EPOCH, make_wrong_epoch), ERR_CHAIN);
	assert_err_ok(add(s, journal, PER_EPOCH));
	chain_segment_free(s);
	chain_free(k);
}

static void
test_signatures(void **state)
{
	struct chain *k = chain_new(network->charter, NULL);
	struct chain_segment *s = run(k, journal, 0, 5);
	struct blocks_one *one = &journal->at[5];
	uint8_t bad[64];
	struct block b;

	(void)state;
	memcpy(bad, one->signature, 64);
	bad[0] ^= 1;
	assert_err(chain_segment_add(s, &b, one->bytes.data, one->bytes.len, bad), ERR_SIGNATURE);
	assert_err(chain_segment_add(s, &b, one->bytes.data, one->bytes.len - 1, one->signature),
	    ERR_MALFORMED);
	assert_err(add_changed(s, 5, make_others_block), ERR_SIGNATURE);
	assert_err(chain_epoch_add(k, &b, one->bytes.data, one->bytes.len, bad), ERR_SIGNATURE);
	assert_err(add_epoch(k, journal, 1), ERR_CHAIN); /* not from the founding on */
	assert_err(chain_epoch_add(k, &b, one->bytes.data, one->bytes.len, one->signature),
	    ERR_CHAIN); /* no epoch block */
	chain_segment_free(s);
	chain_free(k);
}

/* Two journals that differ are told apart wherever they meet. */
static void
test_forks(void **state)
{
	struct chain *k = chain_new(network->charter, epoch_point(2));
	struct chain_segment *s = run(k, journal, 2 * PER_EPOCH, BLOCKS);
	struct chain_segment *other = chain_segment_new(k);
	struct chain *with_epochs;

	(void)state;
	assert_err(add(other, forked, FORK), ERR_CHAIN);
	assert_err(add(other, forked, BLOCKS - 1), ERR_CHAIN);
	assert_err(add(other, forked, 4 * PER_EPOCH), ERR_CHAIN);
	assert_err_ok(add(other, forked, FORK - 1)); /* before they part */
	for (size_t i = 0; i < 4; i++)
		assert_err_ok(add_epoch(k, forked, i));
	assert_err(add_epoch(k, forked, 4), ERR_CHAIN);
	chain_segment_free(other);
	chain_segment_free(s);
	chain_free(k);

	with_epochs = chain_new(network->charter, &forked->at[4 * PER_EPOCH].point);
	for (size_t i = 0; i < 4; i++)
		assert_err_ok(add_epoch(with_epochs, journal, i));
	assert_err(add_epoch(with_epochs, journal, 4), ERR_CHAIN); /* not the anchor */
	chain_free(with_epochs);
}

/* The evidence that a refused block left, verified; what it proves. */
static enum evidence_lie
proven(struct chain *k, uint64_t *number)
{
	struct evidence e;

	if (!chain_take_evidence(k, &e))
		return EVIDENCE_NO_LIE;
	assert_false(chain_take_evidence(k, &e)); /* once */
	assert_err_ok(evidence_verify(&e, network->charter, NULL));
	return evidence_lie(&e, &network->charter->params, number);
}

/* Wherever two journals meet, the gateway's own signatures are kept. */
static void
test_forks_are_proven(void **state)
{
	struct chain *k = chain_new(network->charter, epoch_point(2)), *again;
	struct chain_segment *s = run(k, journal, 2 * PER_EPOCH, BLOCKS);
	struct chain_segment *other = chain_segment_new(k);
	struct blocks_one late = forked->at[4 * PER_EPOCH];
	struct buf saved;
	struct diag d;
	uint64_t number;

	(void)state;
	assert_int_equal(proven(k, &number), EVIDENCE_NO_LIE);
	assert_err(add(other, forked, BLOCKS - 1), ERR_CHAIN);
	assert_int_equal(proven(k, &number), EVIDENCE_TWO_BLOCKS);
	assert_true(number == journal->at[BLOCKS - 1].point.round);
	assert_err(add(other, forked, 4 * PER_EPOCH), ERR_CHAIN);
	assert_int_equal(proven(k, &number), EVIDENCE_TWO_BLOCKS);
	late.signature[3] ^= 1; /* somebody else's word is no evidence */
	assert_int_equal(chain_segment_add(other, &(struct block){ 0 }, late.bytes.data,
	    late.bytes.len, late.signature), ERR_SIGNATURE);
	assert_int_equal(proven(k, &number), EVIDENCE_NO_LIE);
	buf_init(&saved);
	assert_err_ok(chain_save(k, &saved));
	again = chain_new(network->charter, epoch_point(2));
	assert_err_ok(chain_load(again, saved.data, saved.len, &d)); /* signatures outlive it */
	chain_segment_free(other);
	other = chain_segment_new(again);
	assert_err(add(other, forked, BLOCKS - 1), ERR_CHAIN);
	assert_int_equal(proven(again, &number), EVIDENCE_TWO_BLOCKS);
	buf_release(&saved);
	chain_segment_free(other);
	chain_segment_free(s);
	chain_free(again);
	chain_free(k);
}

/*
 * A gateway that never uses one round in both journals has two epoch blocks in an
 * epoch all the same, and an epoch has one.
 */
static void
test_other_rounds(void **state)
{
	struct chain *k = chain_new(network->charter, NULL);
	struct chain_segment *s = run(k, journal, 0, PER_EPOCH + 2), *other;
	struct blocks *later = blocks_new(network, EPOCH, 2 * PER_EPOCH, SIZE_MAX, 4711);
	struct blocks_one *one = &later->at[PER_EPOCH];
	struct block b;
	uint64_t number;

	(void)state;
	assert_err_ok(block_decode(&b, one->bytes.data, one->bytes.len));
	store_u64(one->bytes.data + 3, b.round + 3);
	blocks_sign(one, network);
	other = chain_segment_new(k);
	assert_err(add(other, later, PER_EPOCH), ERR_CHAIN);
	assert_int_equal(proven(k, &number), EVIDENCE_TWO_EPOCH_BLOCKS);
	assert_int_equal(number, EPOCH + 1);
	chain_segment_free(other);
	chain_segment_free(s);
	blocks_free(later);
	chain_free(k);
}

/* What came since: in order, with signatures; an anchor has none. */
static void
test_next_epoch(void **state)
{
	struct chain *k = chain_new(network->charter, epoch_point(0));
	struct chain_point point;
	uint8_t signature[64];
	uint64_t after = 0;

	(void)state;
	assert_false(chain_next_epoch(k, 0, &point, signature));
	read_epochs(k, 4);
	for (size_t i = 0; i < 4; i++) {
		assert_true(chain_next_epoch(k, after, &point, signature));
		assert_memory_equal(point.hash, epoch_point(i)->hash, 32);
		assert_memory_equal(signature, journal->at[i * PER_EPOCH].signature, 64);
		after = point.round;
	}
	assert_false(chain_next_epoch(k, after, &point, signature));
	assert_false(chain_next_epoch(k, UINT64_MAX, &point, signature));
	chain_free(k);
}

static void
test_epochs_without_the_anchor(void **state)
{
	struct chain *k = chain_new(network->charter, epoch_point(3));
	struct chain_point point;
	uint8_t signature[64];

	(void)state;
	assert_err(chain_epochs_done(k), ERR_CHAIN); /* nothing was read */
	for (size_t i = 0; i < 3; i++)
		assert_err_ok(add_epoch(k, journal, i));
	assert_err(chain_epochs_done(k), ERR_CHAIN);
	assert_false(chain_latest_epoch(k, &point, signature)); /* the anchor came unsigned */
	assert_true(chain_latest_epoch(k, &point, NULL));
	read_epochs(k, 5); /* a second reading starts at the founding block */
	assert_true(chain_latest_epoch(k, &point, signature));
	assert_true(point.round == epoch_point(4)->round);
	chain_free(k);
}

static void
test_epochs_must_link(void **state)
{
	struct chain *k = chain_new(network->charter, NULL);

	(void)state;
	assert_err_ok(add_epoch(k, journal, 0));
	assert_err(add_epoch(k, journal, 2), ERR_CHAIN);
	assert_err_ok(add_epoch(k, journal, 1));
	assert_err(add_epoch(k, journal, 1), ERR_CHAIN);
	assert_err_ok(chain_epochs_done(k));
	chain_free(k);
}

static void
test_save_and_load(void **state)
{
	struct chain *k = chain_new(network->charter, epoch_point(1)), *again;
	struct chain_segment *s = run(k, journal, PER_EPOCH, 2 * PER_EPOCH + 50);
	struct chain_point point;
	uint8_t signature[64];
	struct diag d;
	struct buf saved;

	(void)state;
	buf_init(&saved);
	assert_err_ok(chain_save(k, &saved));
	assert_true(saved.len <= CHAIN_STATE_BYTES_MAX);
	again = chain_new(network->charter, epoch_point(1));
	assert_err_ok(chain_load(again, saved.data, saved.len, &d));
	assert_true(chain_latest_epoch(again, &point, signature));
	assert_memory_equal(point.hash, epoch_point(2)->hash, 32);
	chain_segment_free(s);
	s = run(again, journal, 2 * PER_EPOCH + 40, 2 * PER_EPOCH + 41);
	assert_true(chain_segment_verified(s));
	chain_segment_free(s);
	chain_free(again);
	again = chain_new(network->charter, &forked->at[4 * PER_EPOCH].point);
	assert_err_ok(chain_load(again, saved.data, saved.len, &d)); /* later than all */
	chain_free(again);
	chain_free(k);
	buf_release(&saved);
}

static size_t
saved_bytes(const struct chain *k)
{
	struct buf saved;
	size_t n;

	buf_init(&saved);
	assert_err_ok(chain_save(k, &saved));
	n = saved.len;
	buf_release(&saved);
	return n;
}

/* Of a long run the latest blocks are kept, and every epoch block. */
static void
test_bounded_state(void **state)
{
	struct blocks *many = blocks_new(network, 100, 3000, 3000, 7);
	struct chain *k = chain_new(network->charter, NULL);
	struct chain_segment *s = run(k, many, 0, 2600);
	size_t before = saved_bytes(k), epochs = 0;

	(void)state;
	for (size_t i = 2600; i < 3000; i++) {
		assert_err_ok(add(s, many, i));
		epochs += many->at[i].epoch_block;
	}
	assert_true(chain_segment_verified(s));
	assert_in_range(epochs, 1, 100);
	assert_in_range(saved_bytes(k) - before, 1, (epochs + 1) * (8 + 32 + 64));
	chain_segment_free(s);
	chain_free(k);
	blocks_free(many);
}

static void
test_bad_state(void **state)
{
	struct chain *k = chain_new(network->charter, NULL);
	struct chain_segment *s = run(k, journal, 0, 3);
	struct chain_point wrong = *epoch_point(0);
	struct chain *other;
	struct diag d;
	struct buf saved;

	(void)state;
	buf_init(&saved);
	assert_err_ok(chain_save(k, &saved));
	for (size_t n = 0; n < saved.len; n++)
		assert_int_not_equal(chain_load(k, saved.data, n, &d), ERR_OK);
	wrong.hash[0] ^= 1;
	other = chain_new(network->charter, &wrong);
	assert_err(chain_load(other, saved.data, saved.len, &d), ERR_CHAIN);
	assert_contains(d.text, "remove it");
	chain_free(other);
	store_u16(saved.data + 6, 3);
	assert_err(chain_load(k, saved.data, saved.len, &d), ERR_VERSION);
	store_u16(saved.data + 6, 2);
	for (size_t i = 8; i < saved.len; i++) {
		saved.data[i] ^= 1;
		assert_err(chain_load(k, saved.data, saved.len, &d), ERR_MALFORMED);
		saved.data[i] ^= 1;
	}
	store_u32(saved.data + 40, UINT32_MAX);
	hash_parts(saved.data + saved.len - 16, 16,
	    &(struct hash_part){ saved.data, saved.len - 16 }, 1);
	assert_err(chain_load(k, saved.data, saved.len, &d), ERR_RANGE);
	assert_true(chain_segment_verified(s));
	buf_release(&saved);
	chain_segment_free(s);
	chain_free(k);
}

/* What somebody quotes is held against what was verified. */
static void
test_quoted_epoch_blocks(void **state)
{
	struct chain *k = chain_new(network->charter, NULL);
	struct chain_point forged = *epoch_point(2), between = *epoch_point(2);

	(void)state;
	forged.hash[31] ^= 1;
	between.round++;
	assert_int_equal(chain_judge(k, epoch_point(2)), CHAIN_OPEN);
	read_epochs(k, 4);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(chain_judge(k, epoch_point(i)), CHAIN_SAME);
	assert_int_equal(chain_judge(k, epoch_point(4)), CHAIN_OPEN);
	assert_int_equal(chain_judge(k, &forged), CHAIN_OTHER);
	assert_int_equal(chain_judge(k, &between), CHAIN_OTHER);
	chain_free(k);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(test_from_the_founding, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_anchor_in_the_run, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_next_epoch_by_its_link, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_epochs_tie_a_run, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_runs_tie_each_other, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_a_run_is_tied_by_what_it_follows, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_does_not_follow, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_epoch_blocks_where_they_belong, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_signatures, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_forks, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_forks_are_proven, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_other_rounds, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_next_epoch, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_epochs_without_the_anchor, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_epochs_must_link, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_quoted_epoch_blocks, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_save_and_load, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_bounded_state, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_bad_state, set_up, tear_down),
};

TEST_MAIN(tests)

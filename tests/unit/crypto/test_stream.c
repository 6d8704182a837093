/*
 * Streams: the window's edges, any order within it, skipped keys and their end,
 * and that nothing that is not authentic moves anything.
 */
#include "config.h"

#include "tests/lib/test.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/crypto/ratchet.h"
#include "common/crypto/record.h"
#include "common/crypto/stream.h"

#define SIZE 512
#define PLAIN (SIZE - RECORD_OVERHEAD)
#define EXPIRES 1000

struct pair {
	struct stream_writer *w;
	struct stream_reader *r;
	uint8_t secret[32];
};

static struct pair
pair_new(void)
{
	struct pair p;

	rng_bytes(test_rng(), p.secret, sizeof(p.secret));
	p.w = stream_writer_new(p.secret);
	p.r = stream_reader_new(p.secret, test_rng());
	assert_non_null(p.w);
	assert_non_null(p.r);
	return p;
}

static void
pair_free(struct pair *p)
{
	stream_writer_free(p->w);
	stream_reader_free(p->r);
}

/* The next record; its plaintext begins with its index. */
static void
seal(struct pair *p, uint8_t record[SIZE])
{
	uint8_t plain[PLAIN] = { 0 };

	store_u64(plain, stream_writer_index(p->w));
	assert_err_ok(stream_seal(p->w, record, SIZE, plain, test_rng()));
}

/* Records from the writer's index on: n times SIZE bytes. */
static uint8_t *
seal_many(struct pair *p, size_t n)
{
	uint8_t *all = malloc(n * SIZE);

	assert_non_null(all);
	for (size_t i = 0; i < n; i++)
		seal(p, all + i * SIZE);
	return all;
}

static void
skip_to(struct pair *p, uint64_t index)
{
	uint8_t record[SIZE];

	while (stream_writer_index(p->w) < index)
		seal(p, record);
}

static void
opens_as(struct stream_reader *r, const uint8_t *record, uint64_t want)
{
	uint8_t plain[PLAIN];
	uint64_t index = UINT64_MAX;

	assert_err_ok(stream_open(r, plain, &index, record, SIZE, EXPIRES));
	assert_int_equal(index, want);
	assert_int_equal(load_u64(plain), want);
}

static void
is_not_ours(struct stream_reader *r, const uint8_t *record)
{
	uint8_t plain[PLAIN];

	assert_err(stream_open(r, plain, NULL, record, SIZE, EXPIRES), ERR_NOT_FOUND);
}

static void
records_open_once_in_order(void **state)
{
	struct pair p = pair_new();
	uint8_t record[SIZE];

	(void)state;
	for (uint64_t i = 0; i < 100; i++) {
		assert_int_equal(stream_writer_index(p.w), i);
		assert_int_equal(stream_reader_seen(p.r), i);
		seal(&p, record);
		opens_as(p.r, record, i);
		is_not_ours(p.r, record);
	}
	assert_int_equal(stream_reader_skipped(p.r), 0);
	pair_free(&p);
}

static void
the_window_has_2000_indices(void **state)
{
	uint8_t record[SIZE], last[SIZE], beyond[SIZE];
	struct pair p = pair_new();

	(void)state;
	skip_to(&p, 1999);
	seal(&p, last);
	seal(&p, beyond);
	is_not_ours(p.r, beyond); /* index 2000 */
	opens_as(p.r, last, 1999);
	assert_int_equal(stream_reader_seen(p.r), 2000);
	assert_int_equal(stream_reader_skipped(p.r), 1999);
	opens_as(p.r, beyond, 2000);
	skip_to(&p, 2001 + 1999);
	seal(&p, record);
	opens_as(p.r, record, 4000);
	skip_to(&p, 4001 + 2000);
	seal(&p, record);
	is_not_ours(p.r, record);
	pair_free(&p);
}

static void
any_order_within_the_window_opens_all(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 8; round++) {
		struct pair p = pair_new();
		size_t n = 1 + rng_below(test_rng(), STREAM_WINDOW);
		uint8_t *all = seal_many(&p, n);
		rng_shuffle(test_rng(), all, n, SIZE);
		for (size_t i = 0; i < n; i++) {
			uint8_t plain[PLAIN];
			uint64_t index;
			assert_err_ok(stream_open(p.r, plain, &index, all + i * SIZE, SIZE, EXPIRES));
			assert_int_equal(load_u64(plain), index);
		}
		assert_int_equal(stream_reader_seen(p.r), n);
		assert_int_equal(stream_reader_skipped(p.r), 0);
		for (size_t i = 0; i < n; i++)
			is_not_ours(p.r, all + i * SIZE);
		free(all);
		pair_free(&p);
	}
}

static void
skipped_keys_expire(void **state)
{
	struct pair p = pair_new();
	uint8_t *all = seal_many(&p, 10), plain[PLAIN];

	(void)state;
	assert_err_ok(stream_open(p.r, plain, NULL, all + 4 * SIZE, SIZE, 100));
	assert_err_ok(stream_open(p.r, plain, NULL, all + 9 * SIZE, SIZE, 200));
	assert_int_equal(stream_reader_skipped(p.r), 8);
	stream_reader_expire(p.r, 99);
	assert_int_equal(stream_reader_skipped(p.r), 8);
	opens_as(p.r, all + 2 * SIZE, 2);
	stream_reader_expire(p.r, 100);
	assert_int_equal(stream_reader_skipped(p.r), 4);
	is_not_ours(p.r, all + 3 * SIZE);
	opens_as(p.r, all + 7 * SIZE, 7);
	stream_reader_expire(p.r, INT64_MAX);
	assert_int_equal(stream_reader_skipped(p.r), 0);
	is_not_ours(p.r, all + 8 * SIZE);
	free(all);
	pair_free(&p);
}

/* Jumps of a whole window fill the table; then the oldest keys give way. */
static void
the_oldest_skipped_keys_give_way(void **state)
{
	struct pair p = pair_new();
	uint8_t first[SIZE], young[SIZE], record[SIZE];

	(void)state;
	seal(&p, first);
	for (unsigned jump = 1; jump <= 3; jump++) {
		if (jump == 3)
			seal(&p, young);
		skip_to(&p, stream_reader_seen(p.r) + STREAM_WINDOW - 1);
		seal(&p, record);
		opens_as(p.r, record, stream_writer_index(p.w) - 1);
		assert_true(stream_reader_skipped(p.r) <= STREAM_SKIPPED_MAX);
	}
	assert_int_equal(stream_reader_skipped(p.r), STREAM_SKIPPED_MAX);
	is_not_ours(p.r, first);
	opens_as(p.r, young, 4000);
	assert_int_equal(stream_reader_skipped(p.r), STREAM_SKIPPED_MAX - 1);
	pair_free(&p);
}

static void
forgeries_consume_nothing(void **state)
{
	struct pair p = pair_new();
	uint8_t *all = seal_many(&p, 300), plain[PLAIN], bad[SIZE];

	(void)state;
	opens_as(p.r, all + 200 * SIZE, 200);
	for (unsigned i = 0; i < 500; i++) {
		size_t which = rng_below(test_rng(), 300), at = RECORD_E_BYTES + RECORD_TAG_BYTES +
		    rng_below(test_rng(), SIZE - RECORD_E_BYTES - RECORD_TAG_BYTES);
		if (which == 200)
			continue;
		memcpy(bad, all + which * SIZE, SIZE);
		bad[at] ^= 1;
		assert_err(stream_open(p.r, plain, NULL, bad, SIZE, EXPIRES), ERR_CRYPTO);
		assert_true(sodium_is_zero(plain, sizeof(plain)));
	}
	assert_int_equal(stream_reader_seen(p.r), 201);
	assert_int_equal(stream_reader_skipped(p.r), 200);
	for (size_t i = 0; i < 300; i++)
		if (i != 200)
			opens_as(p.r, all + i * SIZE, i);
	free(all);
	pair_free(&p);
}

static void
another_stream_is_not_ours(void **state)
{
	struct pair a = pair_new(), b = pair_new();
	uint8_t record[SIZE];

	(void)state;
	for (unsigned i = 0; i < 50; i++) {
		seal(&a, record);
		is_not_ours(b.r, record);
	}
	pair_free(&a);
	pair_free(&b);
}

/* ---- save and load ---- */

static void
reload(struct pair *p)
{
	struct buf saved;
	struct reader in;

	buf_init(&saved);
	assert_err_ok(stream_writer_save(p->w, &saved, SIZE_MAX));
	assert_err_ok(stream_reader_save(p->r, &saved, SIZE_MAX));
	stream_writer_free(p->w);
	stream_reader_free(p->r);
	reader_init(&in, saved.data, saved.len);
	assert_err_ok(stream_writer_load(&p->w, &in, true));
	assert_err_ok(stream_reader_load(&p->r, &in, true, test_rng()));
	assert_err_ok(reader_end(&in));
	buf_release(&saved);
}

static void
saves_at_any_point_change_nothing(void **state)
{
	struct pair p = pair_new();
	uint8_t *held[64];
	uint64_t index[64];
	size_t count = 0;

	(void)state;
	for (unsigned step = 0; step < 1500; step++) {
		uint8_t *record = malloc(SIZE);
		assert_non_null(record);
		index[count] = stream_writer_index(p.w);
		seal(&p, record);
		held[count++] = record;
		while (count == 64 || (count > 0 && rng_below(test_rng(), 3) == 0)) {
			size_t i = rng_below(test_rng(), (uint32_t)count);
			opens_as(p.r, held[i], index[i]);
			free(held[i]);
			held[i] = held[--count];
			index[i] = index[count];
		}
		if (rng_below(test_rng(), 50) == 0)
			reload(&p);
	}
	while (count-- > 0) {
		opens_as(p.r, held[count], index[count]);
		free(held[count]);
	}
	assert_int_equal(stream_reader_skipped(p.r), 0);
	pair_free(&p);
}

static void
truncated_saves_are_refused(void **state)
{
	struct pair p = pair_new();
	struct stream_reader *back;
	struct stream_writer *again;
	struct buf saved;
	struct reader in;
	uint8_t record[SIZE];

	(void)state;
	skip_to(&p, 3);
	seal(&p, record);
	opens_as(p.r, record, 3);
	buf_init(&saved);
	assert_err_ok(stream_reader_save(p.r, &saved, SIZE_MAX));
	for (size_t n = 0; n < saved.len; n++) {
		reader_init(&in, saved.data, n);
		assert_err(stream_reader_load(&back, &in, true, test_rng()), ERR_TRUNCATED);
	}
	buf_release(&saved);
	assert_err_ok(stream_writer_save(p.w, &saved, SIZE_MAX));
	for (size_t n = 0; n < saved.len; n++) {
		reader_init(&in, saved.data, n);
		assert_err(stream_writer_load(&again, &in, true), ERR_TRUNCATED);
	}
	buf_release(&saved);
	pair_free(&p);
}

static void
impossible_saves_are_refused(void **state)
{
	struct pair p = pair_new();
	struct stream_reader *back;
	struct buf saved;
	struct reader in;
	uint8_t record[SIZE];

	(void)state;
	skip_to(&p, 2);
	seal(&p, record);
	opens_as(p.r, record, 2);
	buf_init(&saved);
	assert_err_ok(stream_reader_save(p.r, &saved, SIZE_MAX));
	store_u32(saved.data + 40, STREAM_SKIPPED_MAX + 1);
	reader_init(&in, saved.data, saved.len);
	assert_err(stream_reader_load(&back, &in, true, test_rng()), ERR_RANGE);
	store_u32(saved.data + 40, 2);
	store_u64(saved.data, UINT64_MAX);
	reader_init(&in, saved.data, saved.len);
	assert_err(stream_reader_load(&back, &in, true, test_rng()), ERR_RANGE);
	store_u64(saved.data, 3);
	store_u64(saved.data + 44, 3); /* a skipped index that is not below the window */
	reader_init(&in, saved.data, saved.len);
	assert_err(stream_reader_load(&back, &in, true, test_rng()), ERR_MALFORMED);
	store_u64(saved.data + 44, 0);
	memcpy(saved.data + 44 + 64 + 16, saved.data + 44 + 16, 16); /* one tag twice */
	reader_init(&in, saved.data, saved.len);
	assert_err(stream_reader_load(&back, &in, true, test_rng()), ERR_MALFORMED);
	buf_release(&saved);
	pair_free(&p);
}

/* ---- renewal ---- */

#define GENERATION ((uint64_t)1 << 32)

/* The writer announces, the reader follows: both know the next generation. */
static void
announce(struct pair *p)
{
	uint8_t sk[32], renewal[32], fresh[32];

	rng_bytes(test_rng(), sk, sizeof(sk));
	assert_int_equal(crypto_scalarmult_base(renewal, sk), 0);
	assert_err_ok(stream_writer_announce(p->w, fresh, renewal, test_rng()));
	assert_true(stream_writer_announced(p->w));
	assert_err_ok(stream_reader_follow(p->r, fresh, sk, renewal));
	assert_true(stream_reader_followed(p->r));
	assert_err(stream_writer_announce(p->w, fresh, renewal, test_rng()), ERR_STATE);
	assert_err(stream_reader_follow(p->r, fresh, sk, renewal), ERR_STATE);
}

/* The next record, with a header that says how many the generation before had. */
static void
seal_telling(struct pair *p, uint8_t record[SIZE], uint64_t before)
{
	struct record_header h = { .type = RECORD_ACK };
	uint8_t plain[PLAIN];

	store_u64(h.peer_renewal_id, before);
	assert_err_ok(record_encode(plain, SIZE, &h, NULL));
	assert_err_ok(stream_seal(p->w, record, SIZE, plain, test_rng()));
}

static void
opens_at(struct stream_reader *r, const uint8_t *record, uint64_t want)
{
	uint8_t plain[PLAIN];
	uint64_t index = UINT64_MAX;

	assert_err_ok(stream_open(r, plain, &index, record, SIZE, EXPIRES));
	assert_int_equal(index, want);
}

static void
late_records_of_the_old_generation_open(void **state)
{
	struct pair p = pair_new();
	uint8_t *old = seal_many(&p, 30), first[SIZE], second[SIZE];

	(void)state;
	opens_as(p.r, old + 5 * SIZE, 5);
	announce(&p);
	opens_as(p.r, old + 7 * SIZE, 7); /* it is still the running one */
	stream_writer_renew(p.w);
	assert_int_equal(stream_writer_index(p.w), GENERATION);
	assert_int_equal(stream_writer_before(p.w), 30);
	seal_telling(&p, first, 30);
	seal_telling(&p, second, 30);
	opens_at(p.r, second, GENERATION + 1);
	assert_false(stream_reader_followed(p.r));
	assert_int_equal(stream_reader_seen(p.r), GENERATION + 2);
	assert_int_equal(stream_reader_skipped(p.r), 28 + 1);
	for (size_t i = 0; i < 30; i++)
		if (i != 5 && i != 7)
			opens_as(p.r, old + i * SIZE, i);
	opens_at(p.r, first, GENERATION);
	assert_int_equal(stream_reader_skipped(p.r), 0);
	free(old);
	pair_free(&p);
}

/* Looking consumes nothing, however often; consuming is all that opening does besides. */
static void
looks_then_consumes(struct stream_reader *r, const uint8_t *record, uint64_t want)
{
	uint8_t plain[PLAIN];
	struct buf before, after;
	uint64_t index = 0;

	buf_init(&before);
	buf_init(&after);
	assert_err_ok(stream_reader_save(r, &before, SIZE_MAX));
	for (unsigned i = 0; i < 3; i++) {
		memset(plain, 0, sizeof(plain));
		assert_err_ok(stream_look(r, plain, &index, record, SIZE));
		assert_int_equal(index, want);
	}
	assert_err_ok(stream_reader_save(r, &after, SIZE_MAX));
	assert_int_equal(after.len, before.len);
	assert_memory_equal(after.data, before.data, before.len);
	stream_consume(r, index, plain, SIZE, EXPIRES);
	is_not_ours(r, record);
	buf_release(&before);
	buf_release(&after);
}

static void
looking_consumes_no_key(void **state)
{
	struct pair p = pair_new();
	uint8_t *old = seal_many(&p, 12), first[SIZE], second[SIZE];

	(void)state;
	looks_then_consumes(p.r, old, 0);
	looks_then_consumes(p.r, old + 5 * SIZE, 5); /* ahead */
	looks_then_consumes(p.r, old + 3 * SIZE, 3); /* skipped */
	assert_int_equal(stream_reader_seen(p.r), 6);
	assert_int_equal(stream_reader_skipped(p.r), 3);
	announce(&p);
	stream_writer_renew(p.w);
	seal_telling(&p, first, 12);
	seal_telling(&p, second, 12);
	looks_then_consumes(p.r, second, GENERATION + 1); /* the next generation's first */
	assert_false(stream_reader_followed(p.r));
	assert_int_equal(stream_reader_seen(p.r), GENERATION + 2);
	assert_int_equal(stream_reader_skipped(p.r), 3 + 6 + 1);
	looks_then_consumes(p.r, first, GENERATION);
	opens_as(p.r, old + 11 * SIZE, 11);
	free(old);
	pair_free(&p);
}

/* A writer that stayed in the old generation: nothing of it is taken beyond its end. */
static void
the_old_chain_is_gone(void **state)
{
	struct pair p = pair_new(), stale = { 0 };
	uint8_t record[SIZE], first[SIZE];
	struct buf saved;
	struct reader in;

	(void)state;
	skip_to(&p, 10);
	buf_init(&saved);
	assert_err_ok(stream_writer_save(p.w, &saved, SIZE_MAX));
	reader_init(&in, saved.data, saved.len);
	assert_err_ok(stream_writer_load(&stale.w, &in, true));
	announce(&p);
	stream_writer_renew(p.w);
	seal_telling(&p, first, 10);
	opens_at(p.r, first, GENERATION);
	for (unsigned i = 0; i < STREAM_WINDOW + 10; i++) {
		seal(&stale, record);
		is_not_ours(p.r, record);
	}
	stream_writer_free(stale.w);
	buf_release(&saved);
	pair_free(&p);
}

/* What an honest writer never says of the generation before keeps no key of it. */
static void
impossible_ends_keep_nothing(void **state)
{
	static const uint64_t told[] = { 4, STREAM_WINDOW + 6, UINT64_MAX };

	(void)state;
	for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
		struct pair p = pair_new();
		uint8_t *old = seal_many(&p, 10), record[SIZE];

		opens_as(p.r, old + 4 * SIZE, 4);
		announce(&p);
		stream_writer_renew(p.w);
		seal_telling(&p, record, told[i]);
		opens_at(p.r, record, GENERATION);
		assert_int_equal(stream_reader_skipped(p.r), 4); /* those before the fifth */
		is_not_ours(p.r, old + 5 * SIZE);
		free(old);
		pair_free(&p);
	}
}

static void
forgeries_renew_nothing(void **state)
{
	struct pair p = pair_new();
	uint8_t first[SIZE], bad[SIZE], plain[PLAIN];

	(void)state;
	announce(&p);
	stream_writer_renew(p.w);
	seal_telling(&p, first, 0);
	memcpy(bad, first, SIZE);
	bad[SIZE - 1] ^= 1;
	assert_err(stream_open(p.r, plain, NULL, bad, SIZE, EXPIRES), ERR_CRYPTO);
	assert_true(stream_reader_followed(p.r));
	assert_int_equal(stream_reader_seen(p.r), 0);
	opens_at(p.r, first, GENERATION);
	pair_free(&p);
}

static void
renewals_over_saves_change_nothing(void **state)
{
	struct pair p = pair_new();
	uint8_t record[SIZE], late[SIZE];

	(void)state;
	for (uint64_t g = 0; g < 12; g++) {
		uint64_t at = stream_writer_index(p.w);

		seal_telling(&p, late, stream_writer_before(p.w));
		seal_telling(&p, record, stream_writer_before(p.w));
		reload(&p);
		announce(&p);
		reload(&p);
		opens_at(p.r, record, at + 1);
		stream_writer_renew(p.w);
		reload(&p);
		seal_telling(&p, record, stream_writer_before(p.w));
		assert_int_equal(stream_writer_before(p.w), 2 + (g > 0));
		opens_at(p.r, record, (g + 1) * GENERATION);
		reload(&p);
		opens_at(p.r, late, at);
		assert_int_equal(stream_reader_skipped(p.r), 0);
	}
	pair_free(&p);
}

/* Both halves of either key, and the root, are in the result. */
static void
a_renewal_needs_all_of_its_secrets(void **state)
{
	uint8_t root[32], a[32], b[32], one[32], two[32];
	struct ratchet_renewal t = { .generation = 3 };

	(void)state;
	rng_bytes(test_rng(), root, 32);
	rng_bytes(test_rng(), a, 32);
	rng_bytes(test_rng(), b, 32);
	assert_int_equal(crypto_scalarmult_base(t.fresh, a), 0);
	assert_int_equal(crypto_scalarmult_base(t.renewal, b), 0);
	assert_err_ok(ratchet_renew(one, root, a, t.renewal, &t));
	assert_err_ok(ratchet_renew(two, root, b, t.fresh, &t));
	assert_memory_equal(one, two, 32);
	t.generation = 4;
	assert_err_ok(ratchet_renew(two, root, a, t.renewal, &t));
	assert_memory_not_equal(one, two, 32);
	t.generation = 3;
	root[0] ^= 1;
	assert_err_ok(ratchet_renew(two, root, a, t.renewal, &t));
	assert_memory_not_equal(one, two, 32);
	root[0] ^= 1;
	t.fresh[5] ^= 1;
	assert_err_ok(ratchet_renew(two, root, a, t.renewal, &t));
	assert_memory_not_equal(one, two, 32);
	memset(t.renewal, 0, 32);
	assert_err(ratchet_renew(two, root, a, t.renewal, &t), ERR_CRYPTO);
}

static void
a_state_without_renewal_is_never_renewed(void **state)
{
	struct pair p = pair_new();
	uint8_t renewal[32] = { 9 }, fresh[32], record[SIZE];
	struct buf saved;
	struct reader in;

	(void)state;
	seal(&p, record);
	opens_as(p.r, record, 0);
	buf_init(&saved);
	assert_err_ok(stream_writer_save(p.w, &saved, SIZE_MAX));
	stream_writer_free(p.w);
	reader_init(&in, saved.data, 40);
	assert_err_ok(stream_writer_load(&p.w, &in, false));
	assert_err_ok(reader_end(&in));
	buf_release(&saved);
	assert_err_ok(stream_reader_save(p.r, &saved, SIZE_MAX));
	stream_reader_free(p.r);
	reader_init(&in, saved.data, 44);
	assert_err_ok(stream_reader_load(&p.r, &in, false, test_rng()));
	assert_err_ok(reader_end(&in));
	buf_release(&saved);
	assert_false(stream_writer_rooted(p.w));
	assert_err(stream_writer_announce(p.w, fresh, renewal, test_rng()), ERR_STATE);
	assert_err(stream_reader_follow(p.r, renewal, renewal, renewal), ERR_STATE);
	seal(&p, record);
	opens_as(p.r, record, 1);
	pair_free(&p);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(late_records_of_the_old_generation_open),
	cmocka_unit_test(looking_consumes_no_key),
	cmocka_unit_test(the_old_chain_is_gone),
	cmocka_unit_test(impossible_ends_keep_nothing),
	cmocka_unit_test(forgeries_renew_nothing),
	cmocka_unit_test(renewals_over_saves_change_nothing),
	cmocka_unit_test(a_renewal_needs_all_of_its_secrets),
	cmocka_unit_test(a_state_without_renewal_is_never_renewed),
	cmocka_unit_test(records_open_once_in_order),
	cmocka_unit_test(the_window_has_2000_indices),
	cmocka_unit_test(any_order_within_the_window_opens_all),
	cmocka_unit_test(skipped_keys_expire),
	cmocka_unit_test(the_oldest_skipped_keys_give_way),
	cmocka_unit_test(forgeries_consume_nothing),
	cmocka_unit_test(another_stream_is_not_ours),
	cmocka_unit_test(saves_at_any_point_change_nothing),
	cmocka_unit_test(truncated_saves_are_refused),
	cmocka_unit_test(impossible_saves_are_refused),
};

TEST_MAIN(tests)

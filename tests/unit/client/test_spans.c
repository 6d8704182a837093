#include "config.h"

#include "client-lib/spans.h"

#include <stdlib.h>
#include <string.h>

#include "tests/lib/test.h"

/* Blocks start at every 10; the block at t is named t, and follows t - 10. */
static struct span
blocks(int64_t from, int64_t to)
{
	struct span x = { .from_ms = from, .to_ms = to, .blocks = true };
	int64_t first = (from + 9) / 10 * 10, last = (to - 1) / 10 * 10, before = first - 10;

	x.first_ms = first;
	x.last_ms = last;
	memcpy(x.before, &before, sizeof(before));
	memcpy(x.last, &last, sizeof(last));
	return x;
}

static struct span
empty(int64_t from, int64_t to)
{
	return (struct span){ .from_ms = from, .to_ms = to };
}

static void
add(struct spans *s, struct span x)
{
	assert_err_ok(spans_add(s, &x));
}

static void
test_separate_and_joined(void **state)
{
	struct spans s = { 0 };

	(void)state;
	add(&s, blocks(100, 200));
	add(&s, blocks(300, 400));
	add(&s, blocks(10, 50));
	assert_int_equal(s.count, 3);
	assert_true(spans_cover(&s, 100, 200) && spans_cover(&s, 120, 130));
	assert_false(spans_cover(&s, 100, 201));
	assert_false(spans_cover(&s, 99, 100));
	assert_false(spans_cover(&s, 150, 350));
	assert_true(spans_cover(&s, 250, 250));
	add(&s, blocks(200, 300));
	assert_int_equal(s.count, 2);
	assert_true(spans_cover(&s, 100, 400));
	add(&s, blocks(0, 1000));
	assert_int_equal(s.count, 1);
	assert_true(spans_cover(&s, 0, 1000));
}

/* The first block of what comes after is left out, the last of what comes before. */
static void
test_withheld_at_the_seam(void **state)
{
	struct spans s = { 0 };
	struct span x;

	(void)state;
	add(&s, blocks(100, 200));
	x = blocks(210, 300);
	x.from_ms = 200;
	assert_err(spans_add(&s, &x), ERR_CHAIN);
	x = blocks(0, 90);
	x.to_ms = 100;
	assert_err(spans_add(&s, &x), ERR_CHAIN);
	assert_int_equal(s.count, 3);
	assert_true(spans_cover(&s, 0, 81) && spans_cover(&s, 100, 191));
	assert_true(spans_cover(&s, 210, 300));
	assert_false(spans_cover(&s, 81, 90)); /* what is between them is missing */
	assert_false(spans_cover(&s, 200, 210));
	/* and heals when it comes */
	add(&s, blocks(0, 300));
	assert_int_equal(s.count, 1);
}

/* What overlaps, and leaves blocks out right after what is known. */
static void
test_withheld_under_an_overlap(void **state)
{
	struct spans s = { 0 };
	struct span x = blocks(220, 300);

	(void)state;
	add(&s, blocks(100, 200));
	x.from_ms = 150;
	assert_err(spans_add(&s, &x), ERR_CHAIN);
	assert_true(spans_cover(&s, 100, 191));
	assert_false(spans_cover(&s, 195, 220));
	assert_true(spans_cover(&s, 220, 300));
}

/* Something is said to be empty that is not: found out when the other side is known. */
static void
test_denied(void **state)
{
	struct spans s = { 0 };
	struct span x = empty(0, 300);

	(void)state;
	add(&s, blocks(0, 100));
	add(&s, empty(100, 200));
	assert_true(spans_cover(&s, 0, 200));
	x = blocks(200, 400);
	assert_err(spans_add(&s, &x), ERR_CHAIN);
	assert_true(spans_cover(&s, 0, 91) && spans_cover(&s, 200, 400));
	assert_false(spans_cover(&s, 100, 200));
	/* again, now that both sides and a part of it are known */
	x = empty(0, 300);
	assert_err(spans_add(&s, &x), ERR_CHAIN);
	assert_false(spans_cover(&s, 100, 200));
	add(&s, blocks(0, 300));
	assert_int_equal(s.count, 1);
}

/* A stretch in which truly nothing was written. */
static void
test_pauses(void **state)
{
	struct spans s = { 0 };
	struct span x = blocks(300, 400), y = blocks(100, 200);

	(void)state;
	memcpy(x.before, y.last, sizeof(x.before));
	add(&s, y);
	add(&s, empty(200, 300));
	add(&s, x);
	assert_int_equal(s.count, 1);
	assert_true(spans_cover(&s, 100, 400));
	/* the same in another order */
	memset(&s, 0, sizeof(s));
	add(&s, x);
	add(&s, y);
	add(&s, empty(200, 300));
	assert_true(spans_cover(&s, 100, 400));
	/* a new client's past is empty, whatever its first block follows */
	memset(&s, 0, sizeof(s));
	add(&s, empty(0, 100));
	add(&s, y);
	assert_true(spans_cover(&s, 0, 200));
}

static void
test_forget(void **state)
{
	struct spans s = { 0 };

	(void)state;
	add(&s, blocks(0, 100));
	add(&s, blocks(200, 300));
	spans_forget(&s, 99);
	assert_int_equal(s.count, 2);
	spans_forget(&s, 100);
	assert_int_equal(s.count, 1);
	assert_true(spans_cover(&s, 200, 300));
	spans_forget(&s, 1000);
	assert_int_equal(s.count, 0);
}

/* Against a bitmap, with pieces of one true journal in any order. */
static void
test_random_pieces(void **state)
{
	(void)state;
	for (int run = 0; run < 200; run++) {
		struct spans s = { 0 };
		bool known[64] = { 0 };

		for (int i = 0; i < 40; i++) {
			int64_t from = rng_below(test_rng(), 63);
			int64_t to = from + 1 + rng_below(test_rng(), (uint32_t)(63 - from));
			add(&s, blocks(from * 10, to * 10));
			for (int64_t k = from; k < to; k++)
				known[k] = true;
			from = rng_below(test_rng(), 63);
			to = from;
			while (to < 64 && known[to])
				to++;
			assert_true(spans_cover(&s, from * 10, to * 10));
			assert_false(spans_cover(&s, from * 10, to * 10 + 1));
		}
		for (size_t i = 1; i < s.count; i++)
			assert_true(s.at[i - 1].to_ms < s.at[i].from_ms);
	}
}

static void
test_too_many(void **state)
{
	struct spans s = { 0 };

	(void)state;
	for (int64_t i = 1; i <= SPANS_MAX + 10; i++)
		add(&s, blocks(i * 100, i * 100 + 50));
	assert_int_equal(s.count, SPANS_MAX);
	assert_false(spans_cover(&s, 100, 150)); /* the oldest went */
	assert_true(spans_cover(&s, (SPANS_MAX + 10) * 100, (SPANS_MAX + 10) * 100 + 50));
	add(&s, blocks(10, 20)); /* older than all: not taken */
	assert_int_equal(s.count, SPANS_MAX);
	assert_false(spans_cover(&s, 10, 20));
}

static void
test_save_and_load(void **state)
{
	struct spans s = { 0 }, back;
	uint8_t bytes[SPANS_BYTES];
	struct writer w;
	struct reader r;

	(void)state;
	for (int64_t i = 1; i <= SPANS_MAX; i++)
		add(&s, i % 3 ? blocks(i * 100, i * 100 + 50) : empty(i * 100, i * 100 + 50));
	writer_init(&w, bytes, sizeof(bytes));
	spans_put(&w, &s);
	assert_err_ok(writer_end(&w));
	assert_int_equal(w.used, SPANS_BYTES);
	reader_init(&r, bytes, w.used);
	spans_get(&r, &back);
	assert_err_ok(reader_end(&r));
	assert_int_equal(back.count, s.count);
	for (size_t i = 0; i < s.count; i++) {
		assert_true(back.at[i].from_ms == s.at[i].from_ms);
		assert_true(back.at[i].to_ms == s.at[i].to_ms);
		assert_true(back.at[i].blocks == s.at[i].blocks);
		assert_true(back.at[i].first_ms == s.at[i].first_ms);
		assert_true(back.at[i].last_ms == s.at[i].last_ms);
		assert_memory_equal(back.at[i].before, s.at[i].before, 32);
		assert_memory_equal(back.at[i].last, s.at[i].last, 32);
	}
	for (size_t n = 0; n < w.used; n++) {
		reader_init(&r, bytes, n);
		spans_get(&r, &back);
		assert_false(reader_ok(&r));
		assert_int_equal(back.count, 0);
	}
	store_u64(bytes + 2 + 8, load_u64(bytes + 2)); /* ends where it begins */
	reader_init(&r, bytes, w.used);
	spans_get(&r, &back);
	assert_err(r.err, ERR_MALFORMED);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_separate_and_joined),
	cmocka_unit_test(test_withheld_at_the_seam),
	cmocka_unit_test(test_withheld_under_an_overlap),
	cmocka_unit_test(test_denied),
	cmocka_unit_test(test_pauses),
	cmocka_unit_test(test_forget),
	cmocka_unit_test(test_random_pieces),
	cmocka_unit_test(test_too_many),
	cmocka_unit_test(test_save_and_load),
};

TEST_MAIN(tests)

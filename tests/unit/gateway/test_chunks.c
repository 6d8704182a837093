#include "config.h"

#include "gateway/chunks.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/bytes.h"
#include "common/journal/item.h"
#include "tests/lib/test.h"

static struct chunk *
make(uint32_t day, uint32_t index, uint16_t mailbox, size_t n)
{
	uint8_t *bytes = calloc(1, n + 1);
	struct chunk *c;

	assert_non_null(bytes);
	memset(bytes, (int)index, n);
	c = chunk_new(bytes, n, NULL, 0);
	assert_non_null(c);
	c->day = day;
	c->index = index;
	c->mailbox = mailbox;
	free(bytes);
	return c;
}

static void
keep(struct chunks *k, uint32_t day, uint32_t index, uint16_t mailbox, size_t n)
{
	struct chunk *c = make(day, index, mailbox, n);

	chunks_add(k, c);
	chunk_drop(c);
}

static bool
has(struct chunks *k, uint32_t day, uint32_t index, uint16_t mailbox)
{
	struct chunk *c = chunks_find(k, day, index, mailbox);
	bool found = c != NULL;

	if (found) {
		assert_int_equal(c->day, day);
		assert_int_equal(c->index, index);
		assert_int_equal(c->mailbox, mailbox);
	}
	chunk_drop(c);
	return found;
}

static void
test_items(void **state)
{
	struct chunk *c = chunk_new((const uint8_t *)"block", 5, (const uint8_t *)"records", 7);

	(void)state;
	assert_non_null(c);
	assert_int_equal(c->len, 5 + 5 + 5 + 7);
	assert_int_equal(c->bytes[0], ITEM_BLOCK);
	assert_int_equal(load_u32(c->bytes + 1), 5);
	assert_memory_equal(c->bytes + 5, "block", 5);
	assert_int_equal(c->bytes[10], ITEM_RECORDS);
	assert_memory_equal(c->bytes + 15, "records", 7);
	chunk_drop(c);
	c = chunk_new((const uint8_t *)"block", 5, NULL, 0);
	assert_int_equal(c->len, 10); /* no item without records */
	chunk_drop(c);
	c = chunk_item(ITEM_SHEET, (const uint8_t *)"sheet", 5);
	assert_int_equal(c->bytes[0], ITEM_SHEET);
	assert_true(c->apart);
	chunk_drop(c);
	chunk_drop(NULL);
}

static void
test_places(void **state)
{
	struct chunks *k = chunks_new(test_rng(), 1 << 20, 100);

	(void)state;
	keep(k, 1, 2, 3, 10);
	assert_true(has(k, 1, 2, 3));
	assert_false(has(k, 2, 1, 3));
	assert_false(has(k, 1, 2, 4));
	keep(k, 1, 2, 3, 10); /* the same again */
	assert_true(has(k, 1, 2, 3));
	chunks_free(k);
}

static void
test_bounded_by_count(void **state)
{
	struct chunks *k = chunks_new(test_rng(), 1 << 20, 10);

	(void)state;
	for (uint32_t i = 0; i < 1000; i++) {
		keep(k, 7, i, 0, 10);
		assert_true(has(k, 7, i, 0));
		assert_int_equal(has(k, 7, i - 9, 0), i >= 9);
		assert_false(has(k, 7, i - 10, 0));
	}
	chunks_free(k);
}

static void
test_bounded_by_bytes(void **state)
{
	struct chunks *k = chunks_new(test_rng(), 1000, 100);

	(void)state;
	for (uint32_t i = 0; i < 100; i++)
		keep(k, 7, i, 0, 295);
	assert_true(has(k, 7, 99, 0));
	assert_true(has(k, 7, 97, 0));
	assert_false(has(k, 7, 96, 0));
	keep(k, 7, 200, 0, 5000); /* larger than all that may be kept */
	assert_false(has(k, 7, 200, 0));
	assert_true(has(k, 7, 99, 0));
	chunks_free(k);
}

/* What somebody is sending outlives its place in the cache, and the cache. */
static void
test_in_use(void **state)
{
	struct chunks *k = chunks_new(test_rng(), 1 << 20, 2);
	struct chunk *held;

	(void)state;
	keep(k, 1, 5, 0, 100);
	held = chunks_find(k, 1, 5, 0);
	assert_non_null(held);
	keep(k, 1, 6, 0, 100);
	keep(k, 1, 7, 0, 100);
	assert_false(has(k, 1, 5, 0));
	chunks_free(k);
	assert_int_equal(held->bytes[ITEM_HEADER_BYTES + 99], 5);
	chunk_drop(held);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_items),
	cmocka_unit_test(test_places),
	cmocka_unit_test(test_bounded_by_count),
	cmocka_unit_test(test_bounded_by_bytes),
	cmocka_unit_test(test_in_use),
};

TEST_MAIN(tests)

/* What holds of every store, whatever its engine. */
#include "config.h"

#include "gateway/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/test.h"
#include "tests/unit/gateway/stores.h"

#define DAY 20000
#define FIRST 1000 /* a round */

static int
memory_set_up(void **state)
{
	*state = stores_new(ENGINE_MEMORY);
	return 0;
}

static int
leveldb_set_up(void **state)
{
	*state = stores_new(ENGINE_LEVELDB);
	return 0;
}

static int
tear_down(void **state)
{
	stores_free(*state);
	return 0;
}

/* Rounds FIRST, FIRST + 3, ...: rounds are not one after the other. */
static void
put_many(struct stores *s, uint32_t day, uint64_t first, size_t n)
{
	for (size_t i = 0; i < n; i++)
		assert_err_ok(stores_put(s, day, first + 3 * i, i == 0));
}

static void
state_is(struct stores *s, uint64_t round)
{
	char want[64];
	const uint8_t *state;
	size_t n;

	store_state(s->store, &state, &n);
	snprintf(want, sizeof(want), "<state %llu for 0>", (unsigned long long)round);
	assert_true(n >= strlen(want));
	assert_memory_equal(state, want, strlen(want));
}

static void
test_empty(void **state)
{
	struct stores *s = *state;
	struct stores_read *r = stores_read(s, DAY, 0, 0, 1000);
	uint32_t index;
	const uint8_t *p;
	size_t n;

	assert_err(r->err, ERR_NOT_FOUND);
	stores_read_free(r);
	assert_err(stores_find(s, &index, DAY, 1), ERR_NOT_FOUND);
	assert_int_equal(store_days(s->store, &index, 1), 0);
	assert_int_equal(store_count(s->store, DAY), 0);
	assert_int_equal(store_epoch_count(s->store), 0);
	store_state(s->store, &p, &n);
	assert_int_equal(n, 0);
	assert_err_ok(stores_expire(s, DAY));
}

static void
test_put_and_read(void **state)
{
	struct stores *s = *state;
	struct stores_read *r;

	put_many(s, DAY, FIRST, 20);
	assert_int_equal(store_count(s->store, DAY), 20);
	state_is(s, FIRST + 3 * 19);
	for (uint16_t mailbox = 0; mailbox < 8; mailbox += 7)
		for (uint32_t i = 0; i < 20; i++) {
			r = stores_read(s, DAY, i, mailbox, 1);
			assert_err_ok(r->err);
			assert_int_equal(r->count, 1);
			stores_check(r, 0, FIRST + 3 * i, mailbox);
			stores_read_free(r);
		}
	r = stores_read(s, DAY, 4, 3, 1); /* a mailbox without records */
	stores_check(r, 0, FIRST + 12, 3);
	stores_read_free(r);
}

static void
test_read_many(void **state)
{
	struct stores *s = *state;
	struct stores_read *r;

	put_many(s, DAY, FIRST, 20);
	r = stores_read(s, DAY, 5, 7, SIZE_MAX);
	assert_err_ok(r->err);
	assert_int_equal(r->count, 15);
	for (size_t i = 0; i < r->count; i++)
		stores_check(r, i, FIRST + 3 * (5 + i), 7);
	stores_read_free(r);
	r = stores_read(s, DAY, 0, 0, 10000);
	assert_err_ok(r->err);
	assert_in_range(r->count, 2, 6);
	stores_read_free(r);
	r = stores_read(s, DAY, 20, 0, 10000); /* past the end */
	assert_err_ok(r->err);
	assert_int_equal(r->count, 0);
	stores_read_free(r);
}

static void
test_find(void **state)
{
	struct stores *s = *state;
	uint32_t index;

	put_many(s, DAY, FIRST, 20);
	for (uint64_t round = FIRST - 1; round <= FIRST + 60; round++) {
		uint32_t want = round <= FIRST ? 0 : (uint32_t)((round - FIRST + 2) / 3);

		assert_err_ok(stores_find(s, &index, DAY, round));
		assert_int_equal(index, want > 20 ? 20 : want);
	}
}

static void
test_days(void **state)
{
	struct stores *s = *state;
	uint32_t days[8];
	struct stores_read *r;

	put_many(s, DAY, FIRST, 3);
	put_many(s, DAY + 2, FIRST + 100, 2);
	assert_err(stores_put(s, DAY, FIRST + 200, false), ERR_RANGE);
	assert_int_equal(store_days(s->store, days, 8), 2);
	assert_int_equal(days[0], DAY);
	assert_int_equal(days[1], DAY + 2);
	assert_int_equal(store_count(s->store, DAY), 3);
	assert_int_equal(store_count(s->store, DAY + 1), 0);
	assert_int_equal(store_count(s->store, DAY + 2), 2);
	r = stores_read(s, DAY + 2, 1, 0, 1);
	stores_check(r, 0, FIRST + 103, 0);
	stores_read_free(r);
	assert_err_ok(stores_expire(s, DAY));
	assert_int_equal(store_days(s->store, days, 8), 1);
	assert_int_equal(days[0], DAY + 2);
	r = stores_read(s, DAY, 0, 0, 1);
	assert_err(r->err, ERR_NOT_FOUND);
	stores_read_free(r);
}

static void
epoch_is(struct stores *s, size_t i, uint64_t round)
{
	struct buf want;
	const uint8_t *p;
	size_t n;

	stores_block(&want, round);
	store_epoch(s->store, i, &p, &n);
	assert_int_equal(n, want.len);
	assert_memory_equal(p, want.data, n);
	buf_release(&want);
}

/* What is kept for ever: the epoch blocks, and what the journal needs to go on. */
static void
test_for_ever(void **state)
{
	struct stores *s = *state;

	put_many(s, DAY, FIRST, 3);
	put_many(s, DAY + 1, FIRST + 100, 3);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(store_epoch_count(s->store), 2);
		epoch_is(s, 0, FIRST);
		epoch_is(s, 1, FIRST + 100);
		state_is(s, FIRST + 106);
		if (i == 0)
			assert_err_ok(stores_expire(s, DAY));
		if (i == 1)
			assert_err_ok(stores_expire(s, DAY + 1));
		stores_close(s);
		stores_open(s);
	}
	assert_int_equal(store_count(s->store, DAY + 1), 0);
	put_many(s, DAY + 9, FIRST + 200, 1);
	assert_int_equal(store_epoch_count(s->store), 3);
	state_is(s, FIRST + 200);
}

static void
test_open_again(void **state)
{
	struct stores *s = *state;
	struct stores_read *r;

	for (size_t i = 0; i < 12; i++) {
		assert_err_ok(stores_put(s, DAY + (uint32_t)i / 5, FIRST + i, i % 4 == 0));
		stores_close(s);
		stores_open(s);
		assert_int_equal(store_count(s->store, DAY + (uint32_t)i / 5), i % 5 + 1);
		assert_int_equal(store_epoch_count(s->store), i / 4 + 1);
		state_is(s, FIRST + i);
	}
	for (uint32_t i = 0; i < 12; i++) {
		r = stores_read(s, DAY + i / 5, i % 5, 7, 1);
		stores_check(r, 0, FIRST + i, 7);
		stores_read_free(r);
	}
}

/* A round that was put twice, because its answer was lost, is there once. */
static void
test_put_again(void **state)
{
	struct stores *s = *state;

	put_many(s, DAY, FIRST, 2);
	assert_err_ok(stores_put(s, DAY, FIRST + 3, false));
	assert_int_equal(store_count(s->store, DAY), 2);
	stores_close(s);
	stores_open(s);
	assert_err_ok(stores_put(s, DAY, FIRST + 3, false));
	assert_int_equal(store_count(s->store, DAY), 2);
	assert_err_ok(stores_put(s, DAY + 1, FIRST + 50, true));
	assert_err_ok(stores_put(s, DAY + 1, FIRST + 50, true));
	assert_int_equal(store_epoch_count(s->store), 2);
}

static void
ignore(void *arg, enum err e)
{
	*(enum err *)arg = e;
}

static void
test_one_at_a_time(void **state)
{
	struct stores *s = *state;
	enum err first = ERR_STATE, second = ERR_STATE;
	struct buf block;
	struct store_round r = { .day = DAY, .round = FIRST };

	stores_block(&block, FIRST);
	r.block = block.data;
	r.block_len = block.len;
	r.state = block.data;
	r.state_len = 8;
	assert_err_ok(store_put(s->store, &r, ignore, &first));
	assert_err(store_put(s->store, &r, ignore, &second), ERR_BUSY);
	stores_close(s); /* its last callbacks still come */
	assert_err_ok(first);
	assert_err(second, ERR_STATE);
	stores_open(s);
	assert_int_equal(store_count(s->store, DAY), 1);
	buf_release(&block);
}

#define BOTH(test)                                                                                 \
	cmocka_unit_test_setup_teardown(test, memory_set_up, tear_down),                           \
	    cmocka_unit_test_setup_teardown(test, leveldb_set_up, tear_down)

static const struct CMUnitTest tests[] = {
	BOTH(test_empty),
	BOTH(test_put_and_read),
	BOTH(test_read_many),
	BOTH(test_find),
	BOTH(test_days),
	BOTH(test_for_ever),
	BOTH(test_open_again),
	BOTH(test_put_again),
	BOTH(test_one_at_a_time),
};

TEST_MAIN(tests)

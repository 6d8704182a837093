#include "config.h"

#include "tests/lib/test.h"

#include <string.h>

#include "registrar/seeds.h"
#include "tests/lib/network.h"

#define EPOCH 83124

static struct network *n;
static uint16_t own;

static int
set_up(void **state)
{
	struct network_config cfg = { .seed = 9, .registrar = true };

	(void)state;
	n = network_new(&cfg);
	own = charter_registrar(n->charter)->number;
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	network_free(n);
	return 0;
}

static bool
look(struct seeds *s, uint32_t epoch, bool sure)
{
	struct seeds next;
	bool changed = seeds_next(&next, s, n->charters, own, epoch, sure, test_rng());

	*s = next;
	for (size_t i = 1; i < s->count; i++)
		assert_true(s->list[i - 1].epoch < s->list[i].epoch);
	return changed;
}

static bool
turn(struct seeds *s, uint32_t epoch)
{
	return look(s, epoch, true);
}

/* All that before has is in s. */
static void
kept(const struct seeds *s, const struct seeds *before)
{
	for (size_t i = 0; i < before->count; i++) {
		const struct seed *x = seeds_of(s, before->list[i].epoch);

		assert_non_null(x);
		assert_memory_equal(x->bytes, before->list[i].bytes, 32);
	}
}

static void
test_four_ahead(void **state)
{
	struct seeds s = { 0 }, before;

	(void)state;
	assert_true(turn(&s, EPOCH));
	assert_int_equal(s.count, 5);
	assert_int_equal(s.list[0].epoch, EPOCH);
	assert_int_equal(s.list[4].epoch, EPOCH + 4);
	for (size_t i = 1; i < 5; i++)
		assert_memory_not_equal(s.list[i].bytes, s.list[i - 1].bytes, 32);
	before = s;
	assert_false(turn(&s, EPOCH));
	assert_memory_equal(&s, &before, sizeof(s));
	assert_true(turn(&s, EPOCH + 1));
	kept(&s, &before); /* the former one too */
	assert_non_null(seeds_of(&s, EPOCH + 5));
	assert_true(turn(&s, EPOCH + 2));
	assert_null(seeds_of(&s, EPOCH));
	assert_int_equal(s.count, 6);
	assert_true(turn(&s, EPOCH + 100)); /* it was away for long */
	assert_int_equal(s.count, 5);
}

/* A clock that is not sure destroys nothing, as long as there are places. */
static void
test_wrong_clock(void **state)
{
	static const int wrong[] = { 1, -1, 2, -3, 1000, -1000 };

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct seeds s = { 0 }, before;

		assert_true(turn(&s, EPOCH));
		before = s;
		assert_true(look(&s, (uint32_t)(EPOCH + wrong[i]), false));
		kept(&s, &before);
		for (uint32_t k = 0; k <= ISSUER_AHEAD; k++)
			assert_non_null(seeds_of(&s, (uint32_t)(EPOCH + wrong[i]) + k));
		(void)look(&s, EPOCH, false);
		kept(&s, &before);
		/* what a clock behind drew goes, what one ahead drew waits for its time */
		(void)turn(&s, EPOCH);
		kept(&s, &before);
		for (size_t k = 0; k < s.count; k++)
			assert_true(s.list[k].epoch + 1 >= EPOCH);
	}
}

/* Without a sure clock places are what ends a seed: the oldest goes, or what is far ahead. */
static void
test_places(void **state)
{
	struct seeds s = { 0 }, before;

	(void)state;
	for (uint32_t i = 0; i < 100; i++) {
		before = s;
		assert_true(look(&s, EPOCH + i, false));
		for (size_t k = 0; k < before.count; k++)
			if (before.list[k].epoch + 1 >= EPOCH + i)
				assert_memory_equal(seeds_of(&s, before.list[k].epoch)->bytes,
				    before.list[k].bytes, 32);
	}
	assert_int_equal(s.count, SEEDS_MAX);
	assert_int_equal(s.list[SEEDS_MAX - 1].epoch, EPOCH + 99 + ISSUER_AHEAD);
	memset(&s, 0, sizeof(s));
	for (uint32_t i = 20; i > 0; i--)
		assert_true(look(&s, EPOCH + 10 * i, false));
	before = s;
	assert_true(look(&s, EPOCH, false));
	assert_int_equal(s.count, SEEDS_MAX);
	for (uint32_t k = 0; k <= ISSUER_AHEAD; k++)
		assert_non_null(seeds_of(&s, EPOCH + k));
	assert_memory_equal(&s.list[ISSUER_AHEAD + 1], &before.list[0], sizeof(s.list[0]));
	assert_true(look(&s, UINT32_MAX - 1, false));
	assert_non_null(seeds_of(&s, UINT32_MAX));
}

static void
remove_registrar(struct charter *next, void *arg)
{
	(void)arg;
	assert_err_ok(charter_remove_node(next, charter_registrar(next)->number));
}

/* Only for epochs whose charter has us. */
static void
test_charters(void **state)
{
	struct seeds s = { 0 };

	(void)state;
	(void)network_succeed(n, NULL, EPOCH + 3, remove_registrar, NULL);
	assert_true(turn(&s, EPOCH));
	assert_int_equal(s.count, 3);
	assert_int_equal(s.list[2].epoch, EPOCH + 2);
	assert_true(turn(&s, EPOCH + 3));
	assert_int_equal(s.count, 1);
	assert_true(turn(&s, EPOCH + 4));
	assert_int_equal(s.count, 0);
	assert_false(turn(&s, EPOCH + 5));
	own = 1; /* a mix */
	assert_false(turn(&s, EPOCH));
}

static void
test_file(void **state)
{
	struct disk *disk = disk_memory();
	struct seeds s = { 0 }, again;
	struct buf bytes;
	struct diag d;

	(void)state;
	assert_err_ok(seeds_load(&again, disk, &d));
	assert_int_equal(again.count, 0);
	assert_true(turn(&s, EPOCH));
	assert_err_ok(seeds_save(disk, &s));
	assert_err_ok(seeds_load(&again, disk, &d));
	assert_memory_equal(&again, &s, sizeof(s));
	buf_init(&bytes);
	assert_err_ok(disk_read(disk, &bytes, SEEDS_FILE, 4096));
	for (size_t i = 0; i < bytes.len; i++) {
		bytes.data[i] ^= (uint8_t)(1u << rng_below(test_rng(), 8));
		assert_err_ok(disk_replace(disk, SEEDS_FILE, bytes.data, bytes.len));
		assert_true(seeds_load(&again, disk, &d) != ERR_OK);
		assert_int_equal(again.count, 0);
		assert_err_ok(disk_replace(disk, SEEDS_FILE, bytes.data, i));
		assert_true(seeds_load(&again, disk, &d) != ERR_OK);
		buf_release(&bytes);
		assert_err_ok(seeds_save(disk, &s));
		assert_err_ok(disk_read(disk, &bytes, SEEDS_FILE, 4096));
	}
	buf_release(&bytes);
	disk_free(disk);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
static const struct CMUnitTest tests[] = {
	CASE(test_four_ahead),
	CASE(test_wrong_clock),
	CASE(test_places),
	CASE(test_charters),
	CASE(test_file),
};
TEST_MAIN(tests)

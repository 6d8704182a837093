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
turn(struct seeds *s, uint32_t epoch)
{
	struct seeds next;
	bool changed = seeds_next(&next, s, n->charters, own, epoch, test_rng());

	*s = next;
	return changed;
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
	assert_null(seeds_of(&s, EPOCH));
	assert_memory_equal(seeds_of(&s, EPOCH + 4)->bytes, before.list[4].bytes, 32);
	assert_non_null(seeds_of(&s, EPOCH + 5));
	assert_true(turn(&s, EPOCH + 100)); /* it was away for long */
	assert_int_equal(s.count, 5);
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
	assert_int_equal(s.count, 0);
	assert_false(turn(&s, EPOCH + 4));
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
	CASE(test_charters),
	CASE(test_file),
};
TEST_MAIN(tests)

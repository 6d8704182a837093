#include "config.h"

#include <string.h>

#include "common/base/disk_fault.h"
#include "tests/lib/test.h"

struct bench {
	struct disk *under, *k;
	struct disk_fault plan;
};

static void
bench_init(struct bench *b)
{
	memset(b, 0, sizeof(*b));
	b->under = disk_memory();
	assert_non_null(b->under);
	b->k = disk_fault_new(b->under, &b->plan);
	assert_non_null(b->k);
}

static void
bench_clear(struct bench *b)
{
	disk_free(b->k);
	disk_free(b->under);
}

static void
check_file(struct disk *k, const char *name, const char *want)
{
	struct buf b;

	buf_init(&b);
	if (want == NULL) {
		assert_err(disk_read(k, &b, name, 1000), ERR_NOT_FOUND);
	} else {
		assert_err_ok(disk_read(k, &b, name, 1000));
		assert_int_equal(b.len, strlen(want));
		if (b.len > 0)
			assert_memory_equal(b.data, want, b.len);
	}
	buf_release(&b);
}

static void
test_fails_the_nth(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b);
	b.plan.at = 3;
	b.plan.err = ERR_FULL;
	assert_err_ok(disk_append(b.k, "a", "1", 1));
	assert_err_ok(disk_append(b.k, "a", "2", 1));
	assert_err(disk_append(b.k, "a", "3", 1), ERR_FULL);
	assert_err_ok(disk_append(b.k, "a", "4", 1));
	check_file(b.k, "a", "124");
	assert_int_equal(b.plan.count, 5);
	assert_int_equal(b.plan.failed, 1);
	bench_clear(&b);
}

static int
never(void *arg, const char *name)
{
	(void)arg;
	(void)name;
	fail();
	return 0;
}

static void
test_fails_from_then_on(void **state)
{
	struct bench b;
	struct buf out;

	(void)state;
	bench_init(&b);
	buf_init(&out);
	b.plan = (struct disk_fault){.at = 2, .err = ERR_IO, .forever = true};
	assert_err_ok(disk_replace(b.k, "a", "1", 1));
	assert_err(disk_replace(b.k, "a", "2", 1), ERR_IO);
	assert_err(disk_append(b.k, "a", "2", 1), ERR_IO);
	assert_err(disk_truncate(b.k, "a", 0), ERR_IO);
	assert_err(disk_remove(b.k, "a"), ERR_IO);
	assert_err(disk_read(b.k, &out, "a", 9), ERR_IO);
	assert_err(disk_list(b.k, never, NULL), ERR_IO);
	check_file(b.under, "a", "1");
	assert_int_equal(b.plan.failed, 6);
	b.plan.at = 0; /* mended */
	check_file(b.k, "a", "1");
	bench_clear(&b);
}

static void
test_counts_writes_only(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b);
	b.plan = (struct disk_fault){.at = 2, .err = ERR_IO, .writes_only = true};
	assert_err_ok(disk_append(b.k, "a", "1", 1));
	check_file(b.k, "a", "1");
	check_file(b.k, "b", NULL);
	assert_int_equal(b.plan.count, 1);
	assert_err(disk_remove(b.k, "a"), ERR_IO);
	check_file(b.k, "a", "1");
	bench_clear(&b);
}

static void
test_what_is_left_behind(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b);
	assert_err_ok(disk_append(b.under, "a", "old", 3));
	b.plan = (struct disk_fault){.at = 1, .err = ERR_IO, .effect = DISK_FAULT_TORN, .keep = 2};
	assert_err(disk_append(b.k, "a", "12345", 5), ERR_IO);
	check_file(b.under, "a", "old12");
	b.plan = (struct disk_fault){.at = 1, .err = ERR_IO, .effect = DISK_FAULT_TORN, .keep = 2};
	assert_err(disk_replace(b.k, "a", "12345", 5), ERR_IO);
	check_file(b.under, "a", "old12");
	b.plan = (struct disk_fault){.at = 1, .err = ERR_IO, .effect = DISK_FAULT_DONE};
	assert_err(disk_replace(b.k, "a", "new", 3), ERR_IO);
	check_file(b.under, "a", "new");
	b.plan =
	    (struct disk_fault){.at = 1, .err = ERR_IO, .effect = DISK_FAULT_DONE, .forever = true};
	assert_err(disk_truncate(b.k, "a", 1), ERR_IO);
	assert_err(disk_remove(b.k, "a"), ERR_IO);
	check_file(b.under, "a", "n");
	bench_clear(&b);
}

/*
 * The use it is made for: a counter that is kept in a file, crashed at every
 * point in every manner, never goes back behind what it has answered.
 */
static enum err
count_up(struct disk *k, uint8_t *counter)
{
	uint8_t next = (uint8_t)(*counter + 1);
	enum err e = disk_replace(k, "counter", &next, 1);

	if (e == ERR_OK)
		*counter = next;
	return e;
}

static void
test_crash_at_every_point(void **state)
{
	static const enum disk_fault_effect effects[] = {
	    DISK_FAULT_NOTHING, DISK_FAULT_TORN, DISK_FAULT_DONE};

	(void)state;
	for (size_t i = 0; i < 3; i++)
		for (uint64_t at = 1; at <= 5; at++) {
			struct bench b;
			struct buf out;
			uint8_t counter = 0;

			bench_init(&b);
			buf_init(&out);
			b.plan = (struct disk_fault){
			    .at = at, .err = ERR_IO, .forever = true, .effect = effects[i]};
			while (count_up(b.k, &counter) == ERR_OK)
				;
			assert_int_equal(counter, at - 1);
			if (counter > 0 || effects[i] == DISK_FAULT_DONE) {
				assert_err_ok(disk_read(b.under, &out, "counter", 1));
				assert_int_equal(
				    out.data[0], counter + (effects[i] == DISK_FAULT_DONE));
			}
			buf_release(&out);
			bench_clear(&b);
		}
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_fails_the_nth),
    cmocka_unit_test(test_fails_from_then_on),
    cmocka_unit_test(test_counts_writes_only),
    cmocka_unit_test(test_what_is_left_behind),
    cmocka_unit_test(test_crash_at_every_point),
};
TEST_MAIN(tests)

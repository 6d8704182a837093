/* What LevelDB's store leaves on the disk, and what it makes of a disk that fails. */
#include "config.h"

#include "gateway/store_leveldb.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/epochlog.h"
#include "tests/lib/test.h"
#include "tests/unit/gateway/stores.h"

#define DAY 0x4e20
#define FIRST 1000

static int
set_up(void **state)
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

static void
put_many(struct stores *s, uint32_t day, uint64_t first, size_t n)
{
	for (size_t i = 0; i < n; i++)
		assert_err_ok(stores_put(s, day, first + i, i == 0));
}

static void
path_below(char out[static 8192], const struct stores *s, const char *name)
{
	snprintf(out, 8192, "%s/%s", s->path, name);
}

static bool
exists(const struct stores *s, const char *name)
{
	char path[8192];
	struct stat st;

	path_below(path, s, name);
	return stat(path, &st) == 0;
}

/* Of a day on the disk nothing can be read: not its blocks, records or state. */
static void
test_all_sealed(void **state)
{
	struct stores *s = *state;

	put_many(s, DAY, FIRST, 6);
	assert_false(stores_holds(s, "records", 7));
	assert_false(stores_holds(s, "<state", 6));
	assert_false(stores_holds(s, "<block 1002", 11));
	assert_true(stores_holds(s, "<block 1000", 11)); /* the epoch block, for ever */
	stores_close(s);
	stores_open(s); /* LevelDB wrote its tables anew */
	assert_false(stores_holds(s, "records", 7));
	assert_false(stores_holds(s, "<block 1002", 11));
}

/* LevelDB's own log, with its times and sizes, is not kept. */
static void
test_no_logs(void **state)
{
	struct stores *s = *state;

	put_many(s, DAY, FIRST, 3);
	stores_close(s);
	stores_open(s);
	put_many(s, DAY, FIRST + 10, 3);
	assert_true(exists(s, "day-00004e20/CURRENT"));
	assert_false(exists(s, "day-00004e20/LOG"));
	assert_false(exists(s, "day-00004e20/LOG.old"));
}

static void
test_expiry_leaves_nothing(void **state)
{
	struct stores *s = *state;

	put_many(s, DAY, FIRST, 6);
	put_many(s, DAY + 1, FIRST + 100, 6);
	assert_err_ok(stores_expire(s, DAY));
	assert_false(exists(s, "day-00004e20"));
	assert_false(exists(s, "key-00004e20"));
	assert_int_equal(stores_files(s, "day-00004e20"), 0);
	assert_true(exists(s, "key-00004e21"));
	assert_false(stores_holds(s, "records", 7));
}

static void
test_day_without_key(void **state)
{
	struct stores *s = *state;
	char path[8192];

	put_many(s, DAY, FIRST, 3);
	put_many(s, DAY + 1, FIRST + 100, 3);
	stores_close(s);
	path_below(path, s, "key-00004e20");
	assert_int_equal(unlink(path), 0);
	stores_open(s);
	assert_int_equal(store_count(s->store, DAY), 0);
	assert_int_equal(store_count(s->store, DAY + 1), 3);
	assert_false(exists(s, "day-00004e20"));
}

static void
test_key_without_day(void **state)
{
	struct stores *s = *state;
	char path[8192], other[8192];

	put_many(s, DAY, FIRST, 3);
	stores_close(s);
	path_below(path, s, "day-00004e20");
	path_below(other, s, "elsewhere");
	assert_int_equal(rename(path, other), 0);
	stores_open(s);
	assert_int_equal(store_count(s->store, DAY), 0);
	assert_false(exists(s, "key-00004e20"));
	assert_false(exists(s, "day-00004e20"));
}

static void
flip(struct stores *s, const char *name, long at)
{
	char path[8192];
	FILE *f;
	int c;

	path_below(path, s, name);
	f = fopen(path, "r+b");
	assert_non_null(f);
	assert_int_equal(fseek(f, at, at < 0 ? SEEK_END : SEEK_SET), 0);
	c = fgetc(f);
	assert_int_equal(fseek(f, -1, SEEK_CUR), 0);
	assert_int_not_equal(fputc(c ^ 1, f), EOF);
	fclose(f);
}

static void
test_damaged_key(void **state)
{
	struct stores *s = *state;
	struct diag d;

	put_many(s, DAY, FIRST, 3);
	stores_close(s);
	flip(s, "key-00004e20", 20);
	assert_err(stores_try_open(s, &d), ERR_MALFORMED);
	flip(s, "key-00004e20", 20);
	flip(s, "key-00004e20", 6); /* version */
	assert_err(stores_try_open(s, &d), ERR_MALFORMED);
	assert_contains(d.text, "key-00004e20");
	flip(s, "key-00004e20", 6);
	stores_open(s);
	assert_int_equal(store_count(s->store, DAY), 3);
}

static void
copy_file(const struct stores *s, const char *from, const char *to, long bytes)
{
	char a[8192], b[8192];
	FILE *in, *out;

	path_below(a, s, from);
	path_below(b, s, to);
	in = fopen(a, "rb");
	out = fopen(b, "wb");
	assert_non_null(in);
	assert_non_null(out);
	for (int c; bytes-- != 0 && (c = fgetc(in)) != EOF;)
		assert_int_not_equal(fputc(c, out), EOF);
	fclose(in);
	fclose(out);
}

static long
size_of(const struct stores *s, const char *name)
{
	char path[8192];
	struct stat st;

	path_below(path, s, name);
	assert_int_equal(stat(path, &st), 0);
	return (long)st.st_size;
}

/* A crash while an epoch block was appended: at every length the file recovers. */
static void
test_torn_epochs(void **state)
{
	struct stores *s = *state;
	long before, after;

	put_many(s, DAY, FIRST, 2);
	before = size_of(s, "epochs");
	put_many(s, DAY, FIRST + 10, 2);
	after = size_of(s, "epochs");
	stores_close(s);
	copy_file(s, "epochs", "whole", -1);
	for (long n = before; n < after; n += 7) {
		copy_file(s, "whole", "epochs", n);
		stores_open(s);
		assert_int_equal(store_epoch_count(s->store), 2);
		stores_close(s);
		assert_int_equal(size_of(s, "epochs"), after);
	}
	stores_open(s);
	put_many(s, DAY, FIRST + 20, 1);
	assert_int_equal(store_epoch_count(s->store), 3);
}

/* What is appended can be read again: the file never grows beyond that. */
static void
test_bounded_epochs(void **state)
{
	uint8_t block[100] = { 1 };
	struct buf out;
	size_t n;

	(void)state;
	buf_init(&out);
	assert_err_ok(epochlog_encode(&out, block, sizeof(block), 1000));
	n = out.len;
	assert_err(epochlog_encode(&out, block, sizeof(block), EPOCHLOG_BYTES_MAX - n + 1),
	    ERR_FULL);
	assert_err(epochlog_encode(&out, block, sizeof(block), EPOCHLOG_BYTES_MAX + 1), ERR_FULL);
	assert_err_ok(epochlog_encode(&out, block, sizeof(block), EPOCHLOG_BYTES_MAX - n));
	assert_int_equal(out.len, 2 * n);
	buf_release(&out);
}

static void
test_damaged_epochs(void **state)
{
	struct stores *s = *state;
	struct diag d;

	for (uint64_t i = 0; i < 3; i++)
		assert_err_ok(stores_put(s, DAY, FIRST + i, true));
	stores_close(s);
	flip(s, "epochs", 20); /* in the first of three */
	assert_err(stores_try_open(s, &d), ERR_MALFORMED);
	assert_contains(d.text, "backup");
	flip(s, "epochs", 20);
	flip(s, "epochs", 6);
	assert_int_not_equal(stores_try_open(s, &d), ERR_OK);
	flip(s, "epochs", 6);
	stores_open(s);
	assert_int_equal(store_epoch_count(s->store), 3);
}

/* A full disk: the put fails, nothing before it is lost, and it succeeds later. */
static void
test_full_disk(void **state)
{
	struct stores *s = *state;
	struct rlimit old, small;
	enum err e = ERR_OK;
	uint64_t i = 0;

	put_many(s, DAY, FIRST, 4);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = (struct rlimit){ 6000, old.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	while (e == ERR_OK && i < 40)
		e = stores_put(s, DAY, FIRST + 4 + i++, false);
	assert_int_not_equal(e, ERR_OK);
	assert_int_not_equal(stores_put(s, DAY, FIRST + 4 + i - 1, false), ERR_OK);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_err_ok(stores_put(s, DAY, FIRST + 4 + i - 1, false));
	assert_int_equal(store_count(s->store, DAY), 4 + i);
	stores_close(s);
	stores_open(s);
	assert_int_equal(store_count(s->store, DAY), 4 + i);
	for (uint32_t k = 0; k < 4 + i; k++) {
		struct stores_read *r = stores_read(s, DAY, k, 7, 1);

		stores_check(r, 0, FIRST + k, 7);
		stores_read_free(r);
	}
}

/* The same when the day cannot even be begun, and for the epoch block's file. */
static void
test_full_at_every_size(void **state)
{
	struct stores *s = *state;
	struct rlimit old, small;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	for (uint32_t i = 0; i < 40; i++) {
		enum err e;

		small = (struct rlimit){ i * 25, old.rlim_max };
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
		e = stores_put(s, DAY + i, FIRST + i, true);
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
		if (e != ERR_OK)
			assert_err_ok(stores_put(s, DAY + i, FIRST + i, true));
		assert_int_equal(store_epoch_count(s->store), i + 1);
	}
	stores_close(s);
	stores_open(s);
	assert_int_equal(store_epoch_count(s->store), 40);
	assert_int_equal(store_days(s->store, NULL, 0), 40);
}

/* More days than are kept open at a time. */
static void
test_many_days(void **state)
{
	struct stores *s = *state;

	for (uint32_t i = 0; i < 12; i++)
		put_many(s, DAY + i, FIRST + 100 * i, 2);
	for (uint32_t pass = 0; pass < 2; pass++)
		for (uint32_t i = 0; i < 12; i++) {
			uint32_t day = pass == 0 ? i : 11 - i;
			struct stores_read *r = stores_read(s, DAY + day, 1, 0, 1);

			stores_check(r, 0, FIRST + 100 * day + 1, 0);
			stores_read_free(r);
		}
}

/* So many days and no more; one that expires makes room. */
static void
test_all_days(void **state)
{
	struct stores *s = *state;

	for (uint32_t i = 0; i < STORE_DAYS_MAX; i++)
		put_many(s, DAY + i, FIRST + 100 * i, 1);
	assert_int_equal(store_days(s->store, NULL, 0), STORE_DAYS_MAX);
	assert_err(stores_put(s, DAY + STORE_DAYS_MAX, FIRST + 100 * STORE_DAYS_MAX, false),
	    ERR_FULL);
	assert_err_ok(stores_expire(s, DAY));
	put_many(s, DAY + STORE_DAYS_MAX, FIRST + 100 * STORE_DAYS_MAX, 1);
	assert_int_equal(store_days(s->store, NULL, 0), STORE_DAYS_MAX);
	stores_close(s);
	stores_open(s);
	assert_int_equal(store_days(s->store, NULL, 0), STORE_DAYS_MAX);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(test_all_sealed, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_no_logs, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_expiry_leaves_nothing, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_day_without_key, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_key_without_day, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_damaged_key, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_torn_epochs, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_bounded_epochs, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_damaged_epochs, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_full_disk, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_full_at_every_size, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_many_days, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_all_days, set_up, tear_down),
};

TEST_MAIN(tests)

/*
 * The backup file: what is put in comes out, in memory of one item; whatever is cut,
 * changed or added is noticed; a file that is there is not replaced.
 */
#include "config.h"

#include "tests/lib/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client-lib/backup.h"
#include "client-lib/witness.h"

#define BIG ((size_t)65536 * 3)

static const struct vault_unlock words = { "a passphrase", 12, false, VAULT_COST_TEST };
static const struct vault_unlock other = { "a passphrasf", 12, false, VAULT_COST_TEST };

static char directory[] = "/tmp/rstbackup.XXXXXX";
static char path[64], part[72];

static int
setup(void **state)
{
	(void)state;
	(void)snprintf(directory, sizeof(directory), "/tmp/rstbackup.XXXXXX");
	if (mkdtemp(directory) == NULL)
		return -1;
	(void)snprintf(path, sizeof(path), "%s/file", directory);
	(void)snprintf(part, sizeof(part), "%s.part", path);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	(void)unlink(path);
	(void)unlink(part);
	return rmdir(directory);
}

/* Items of lengths about the edges of pieces. */
static const size_t lengths[] = { 0, 1, 65536 - 9 - 1 - 10, 65536, BIG, 5 };
#define ITEMS (sizeof(lengths) / sizeof(lengths[0]))

static void
write_one(void)
{
	struct backup_writer *w;
	uint8_t *p = calloc(1, BIG);
	struct diag d = { "" };

	assert_non_null(p);
	memset(p, 7, BIG);
	assert_err_ok(backup_create(&w, path, &words, test_rng(), &d));
	for (size_t i = 0; i < ITEMS; i++)
		assert_err_ok(backup_put(w, BACKUP_VALUE, &i, 1, p, lengths[i], &d));
	assert_int_equal(access(path, F_OK), -1); /* no name before it is whole */
	assert_err_ok(backup_finish(w, &d));
	backup_writer_free(w);
	assert_int_equal(access(part, F_OK), -1);
	free(p);
}

/* All items; the first error otherwise, with a sentence. */
static enum err
read_one(size_t *count)
{
	struct backup_reader *r;
	struct backup_item item = { .kind = BACKUP_FILE };
	struct diag d = { "" };
	enum err e = backup_open(&r, path, &words, &d);

	*count = 0;
	if (e == ERR_OK) {
		while (e == ERR_OK && item.kind != BACKUP_END) {
			e = backup_next(r, &item, &d);
			if (e != ERR_OK)
				break;
			if (item.kind != BACKUP_END) {
				assert_int_equal(item.value.len, lengths[*count]);
				assert_int_equal(item.key[0], *count);
				++*count;
			}
			buf_release(&item.value);
		}
		backup_reader_free(r);
	}
	assert_true(e == ERR_OK || d.text[0] != '\0');
	return e;
}

static void
what_goes_in_comes_out(void **state)
{
	struct backup_reader *r;
	struct diag d = { "" };
	size_t n;

	(void)state;
	write_one();
	assert_err_ok(read_one(&n));
	assert_int_equal(n, ITEMS);
	assert_err(backup_open(&r, path, &other, &d), ERR_PASSPHRASE);
	assert_contains(d.text, "wrong passphrase");
}

static void
nothing_is_replaced_and_nothing_is_left(void **state)
{
	struct backup_writer *w;
	struct diag d = { "" };

	(void)state;
	write_one();
	assert_err(backup_create(&w, path, &words, test_rng(), &d), ERR_EXISTS);
	assert_contains(d.text, "exists already");
	assert_int_equal(unlink(path), 0);
	assert_err_ok(backup_create(&w, path, &words, test_rng(), &d));
	backup_writer_free(w); /* not finished */
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(access(part, F_OK), -1);
	/* what a killed one left is in nobody's way */
	assert_err_ok(backup_create(&w, path, &words, test_rng(), &d));
	int fd = open(part, O_RDONLY);
	assert_true(fd >= 0);
	(void)close(fd);
	backup_writer_free(w);
	fd = open(part, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	(void)close(fd);
	write_one();
}

static void
nobody_elses_part_is_removed(void **state)
{
	struct backup_writer *w, *other_one;
	struct diag d = { "" };
	char is[8];
	int fd;

	(void)state;
	fd = open(part, O_CREAT | O_RDWR, 0600);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, "symphony", 8, 0), 8);
	assert_err(backup_create(&w, path, &words, test_rng(), &d), ERR_EXISTS);
	assert_contains(d.text, "no backup");
	assert_int_equal(pread(fd, is, 8, 0), 8);
	assert_memory_equal(is, "symphony", 8);
	(void)close(fd);
	assert_int_equal(unlink(part), 0);
	/* two at once: the second neither stops the first nor gives it half a file */
	assert_err_ok(backup_create(&w, path, &words, test_rng(), &d));
	assert_err(backup_create(&other_one, path, &words, test_rng(), &d), ERR_BUSY);
	assert_contains(d.text, "another backup");
	/* and what came there meanwhile is not replaced */
	fd = open(path, O_CREAT | O_RDWR, 0600);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, "symphony", 8, 0), 8);
	assert_err(backup_finish(w, &d), ERR_EXISTS);
	backup_writer_free(w);
	assert_int_equal(pread(fd, is, 8, 0), 8);
	assert_memory_equal(is, "symphony", 8);
	(void)close(fd);
	assert_int_equal(access(part, F_OK), -1);
}

static void
damage_is_noticed_everywhere(void **state)
{
	struct stat st;
	uint8_t byte;
	size_t n;
	int fd;

	(void)state;
	write_one();
	fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	for (unsigned i = 0; i < 200; i++) {
		off_t at = i < 60 ? (off_t)i : (off_t)rng_below(test_rng(), (uint32_t)st.st_size);
		if (at >= 9 && at < 21) /* what the lock costs: tested with the vault */
			continue;
		assert_int_equal(pread(fd, &byte, 1, at), 1);
		byte ^= 1;
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
		assert_int_not_equal(read_one(&n), ERR_OK);
		byte ^= 1;
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	}
	byte = 0;
	assert_int_equal(pwrite(fd, &byte, 1, st.st_size), 1);
	assert_int_not_equal(read_one(&n), ERR_OK);
	for (off_t cut = st.st_size; cut > 0; cut -= cut > 2000 ? 9973 : 101) {
		assert_int_equal(ftruncate(fd, cut < st.st_size ? cut : st.st_size - 1), 0);
		assert_int_not_equal(read_one(&n), ERR_OK);
	}
	(void)close(fd);
}

static void
a_witness_counts_or_says_nothing(void **state)
{
	uint64_t n = 9;
	int fd;

	(void)state;
	assert_err_ok(witness_read(&n, path));
	assert_int_equal(n, 0);
	assert_err_ok(witness_write(path, 77));
	assert_err_ok(witness_write(path, 78));
	assert_err_ok(witness_read(&n, path));
	assert_int_equal(n, 78);
	fd = open(path, O_WRONLY);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, "x", 1, 9), 1);
	(void)close(fd);
	assert_err_ok(witness_read(&n, path)); /* torn */
	assert_int_equal(n, 0);
}

/* The commonest rollback: a backup of the whole home, put back with the witness in it. */
static void
a_witness_that_was_put_back_is_another_file(void **state)
{
	struct witness_place is = { .saves = 7, .directory = 70 }, found = is;
	char kept[80];
	uint64_t n;

	(void)state;
	assert_int_equal(witness_inode(path), 0);
	assert_err_ok(witness_write(path, 7));
	is.witness = found.witness = witness_inode(path);
	assert_true(is.witness != 0);
	assert_err_ok(witness_write(path, 7)); /* in place */
	assert_int_equal(witness_inode(path), is.witness);
	assert_false(witness_says_old(&is, &found));
	(void)snprintf(kept, sizeof(kept), "%s.kept", path);
	assert_int_equal(rename(path, kept), 0);
	assert_err_ok(witness_write(path, 7)); /* as a tool puts it back: as a new file */
	assert_err_ok(witness_read(&n, path));
	assert_int_equal(n, 7);
	found.witness = witness_inode(path);
	assert_true(witness_says_old(&is, &found));
	assert_int_equal(unlink(kept), 0);
}

static void
a_witness_says_what_is_old(void **state)
{
	const struct witness_place is = { 7, 50, 70 }, early = { 0, 0, 0 };
	struct witness_place found = is;

	(void)state;
	found.saves = 8; /* the state alone was put back */
	assert_true(witness_says_old(&is, &found));
	assert_true(witness_says_old(&early, &found)); /* of a version that did not count */
	found = is;
	found.saves = 6; /* the witness is written later, and not synced */
	assert_false(witness_says_old(&is, &found));
	found = is;
	found.directory = 71; /* restored beside: the witness is the same and counts as much */
	assert_false(witness_says_old(&is, &found));
	found.saves = found.witness = 0; /* another machine */
	assert_true(witness_says_old(&is, &found));
	found.directory = 70; /* it was removed */
	assert_false(witness_says_old(&is, &found));
	assert_false(witness_says_old(&early, &found)); /* new */
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(what_goes_in_comes_out, setup, teardown),
	cmocka_unit_test_setup_teardown(nothing_is_replaced_and_nothing_is_left, setup, teardown),
	cmocka_unit_test_setup_teardown(nobody_elses_part_is_removed, setup, teardown),
	cmocka_unit_test_setup_teardown(damage_is_noticed_everywhere, setup, teardown),
	cmocka_unit_test_setup_teardown(a_witness_counts_or_says_nothing, setup, teardown),
	cmocka_unit_test_setup_teardown(a_witness_that_was_put_back_is_another_file, setup, teardown),
	cmocka_unit_test(a_witness_says_what_is_old),
};

TEST_MAIN(tests);

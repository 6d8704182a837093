#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/disk.h"
#include "tests/lib/test.h"

static struct disk *
open_at(const char *path)
{
	struct disk *k = NULL;
	struct diag d;

	assert_err_ok(disk_open(&k, path, &d));
	return k;
}

/* The first tests get a disk as their state: a directory, then memory. */
static int
setup_directory(void **state)
{
	*state = open_at(test_tmpdir());
	return *state != NULL ? 0 : -1;
}

static int
setup_memory(void **state)
{
	*state = disk_memory();
	return *state != NULL ? 0 : -1;
}

static int
teardown(void **state)
{
	disk_free(*state);
	return 0;
}

#define ON_DIRECTORY(test)                                                                         \
	{                                                                                          \
#test " (directory)", test, setup_directory, teardown, NULL                        \
	}
#define IN_MEMORY(test)                                                                            \
	{                                                                                          \
#test " (memory)", test, setup_memory, teardown, NULL                              \
	}

static void
check_file(struct disk *k, const char *name, const char *want)
{
	struct buf b;

	buf_init(&b);
	assert_err_ok(disk_read(k, &b, name, 1000000));
	assert_int_equal(b.len, strlen(want));
	if (b.len > 0)
		assert_memory_equal(b.data, want, b.len);
	buf_release(&b);
}

static void
check_absent(struct disk *k, const char *name)
{
	struct buf b;

	buf_init(&b);
	assert_err(disk_read(k, &b, name, 1000), ERR_NOT_FOUND);
	assert_int_equal(b.len, 0);
	buf_release(&b);
}

static void
test_write_and_read(void **state)
{
	struct disk *k = *state;

	check_absent(k, "a");
	assert_err_ok(disk_replace(k, "a", "one", 3));
	check_file(k, "a", "one");
	assert_err_ok(disk_replace(k, "a", "longer", 6));
	check_file(k, "a", "longer");
	assert_err_ok(disk_append(k, "a", " still", 6));
	check_file(k, "a", "longer still");
	assert_err_ok(disk_append(k, "b", "new", 3));
	check_file(k, "b", "new");
	assert_err_ok(disk_append(k, "b", "", 0));
	check_file(k, "b", "new");
	assert_err_ok(disk_replace(k, "b", "", 0));
	check_file(k, "b", "");
}

static void
test_read_bounds(void **state)
{
	struct disk *k = *state;
	struct buf b;

	buf_init(&b);
	assert_err_ok(disk_replace(k, "a", "12345", 5));
	assert_err(disk_read(k, &b, "a", 4), ERR_RANGE);
	assert_int_equal(b.len, 0);
	assert_err_ok(disk_read(k, &b, "a", 5));
	assert_err_ok(disk_read(k, &b, "a", 5)); /* appends */
	assert_int_equal(b.len, 10);
	assert_memory_equal(b.data, "1234512345", 10);
	buf_release(&b);
}

static void
test_truncate_and_remove(void **state)
{
	struct disk *k = *state;

	assert_err(disk_truncate(k, "a", 0), ERR_NOT_FOUND);
	assert_err_ok(disk_remove(k, "a"));
	assert_err_ok(disk_append(k, "a", "12345", 5));
	assert_err(disk_truncate(k, "a", 6), ERR_RANGE);
	assert_err_ok(disk_truncate(k, "a", 5));
	assert_err_ok(disk_truncate(k, "a", 2));
	check_file(k, "a", "12");
	assert_err_ok(disk_append(k, "a", "x", 1));
	check_file(k, "a", "12x");
	assert_err_ok(disk_remove(k, "a"));
	check_absent(k, "a");
}

static void
test_names(void **state)
{
	char longest[DISK_NAME_MAX + 2];
	struct disk *k = *state;
	static const char *const bad[] = {"", ".", "..", ".hidden", "a/b", "/a", "../a", "lock"};
	struct buf b;

	memset(longest, 'x', sizeof(longest));
	buf_init(&b);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_err(disk_read(k, &b, bad[i], 10), ERR_USAGE);
		assert_err(disk_replace(k, bad[i], "x", 1), ERR_USAGE);
		assert_err(disk_append(k, bad[i], "x", 1), ERR_USAGE);
		assert_err(disk_truncate(k, bad[i], 0), ERR_USAGE);
		assert_err(disk_remove(k, bad[i]), ERR_USAGE);
	}
	longest[DISK_NAME_MAX + 1] = '\0';
	assert_err(disk_replace(k, longest, "x", 1), ERR_USAGE);
	longest[DISK_NAME_MAX] = '\0';
	assert_err_ok(disk_replace(k, longest, "x", 1));
}

struct listing {
	unsigned seen, calls, stop_after;
};

static int
note_name(void *arg, const char *name)
{
	struct listing *l = arg;

	assert_true(name[0] >= 'a' && name[0] <= 'e' && name[1] == '\0');
	l->seen |= 1U << (name[0] - 'a');
	return ++l->calls == l->stop_after;
}

static void
test_list(void **state)
{
	struct disk *k = *state;
	struct listing l = {0}, first = {.stop_after = 1};

	assert_err_ok(disk_list(k, note_name, &l));
	assert_int_equal(l.calls, 0);
	for (char c = 'a'; c <= 'e'; c++)
		assert_err_ok(disk_replace(k, (char[]){c, '\0'}, "x", 1));
	assert_err_ok(disk_remove(k, "c"));
	assert_err_ok(disk_list(k, note_name, &l));
	assert_int_equal(l.seen, 0x1b);
	assert_int_equal(l.calls, 4);
	assert_err_ok(disk_list(k, note_name, &first));
	assert_int_equal(first.calls, 1);
}

/* The two disks do the same under any sequence of operations. */
static enum err
random_step(struct disk *k, unsigned what, const char *name, const uint8_t *p, size_t n)
{
	switch (what) {
	case 0:
		return disk_replace(k, name, p, n);
	case 1:
	case 2:
		return disk_append(k, name, p, n);
	case 3:
		return disk_truncate(k, name, n);
	default:
		return disk_remove(k, name);
	}
}

static void
test_both_disks_agree(void **state)
{
	struct disk *a = open_at(test_tmpdir()), *b = disk_memory();
	uint8_t p[50];

	(void)state;
	for (int i = 0; i < 400; i++) {
		char name[] = {(char)('a' + rng_below(test_rng(), 3)), '\0'};
		unsigned what = rng_below(test_rng(), 5);
		size_t n = rng_below(test_rng(), sizeof(p));
		struct buf x, y;
		enum err e;

		buf_init(&x);
		buf_init(&y);
		rng_bytes(test_rng(), p, sizeof(p));
		e = random_step(a, what, name, p, n);
		assert_err(random_step(b, what, name, p, n), e);
		e = disk_read(a, &x, name, 1000000);
		assert_err(disk_read(b, &y, name, 1000000), e);
		assert_int_equal(x.len, y.len);
		if (x.len > 0)
			assert_memory_equal(x.data, y.data, x.len);
		buf_release(&x);
		buf_release(&y);
	}
	disk_free(a);
	disk_free(b);
}

/* From here on: the directory only. */

static const char *
path_in(const char *dir, const char *name)
{
	static char path[700];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void
put_file(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	(void)close(fd);
}

static void
test_persists(void **state)
{
	const char *dir = test_tmpdir();
	struct disk *k = open_at(dir);

	(void)state;
	assert_err_ok(disk_replace(k, "a", "kept", 4));
	assert_err_ok(disk_append(k, "b", "too", 3));
	disk_free(k);
	k = open_at(dir);
	check_file(k, "a", "kept");
	check_file(k, "b", "too");
	disk_free(k);
	disk_free(NULL);
}

static void
test_creates_directory_and_modes(void **state)
{
	char dir[600];
	struct stat st;
	struct disk *k;
	mode_t old = umask(0);

	(void)state;
	(void)snprintf(dir, sizeof(dir), "%s/state", test_tmpdir());
	k = open_at(dir);
	assert_err_ok(disk_replace(k, "a", "x", 1));
	assert_err_ok(disk_append(k, "b", "x", 1));
	(void)umask(old);
	assert_int_equal(stat(dir, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(stat(path_in(dir, "a"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(stat(path_in(dir, "b"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(stat(path_in(dir, "lock"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	disk_free(k);
}

static void
test_refuses_bad_directories(void **state)
{
	const char *dir = test_tmpdir();
	struct disk *k = NULL;
	struct diag d;

	(void)state;
	assert_int_equal(chmod(dir, 0750), 0);
	assert_err(disk_open(&k, dir, &d), ERR_USAGE);
	assert_contains(d.text, "mode 0750");
	assert_contains(d.text, "run: chmod 700");
	assert_int_equal(chmod(dir, 0700), 0);
	assert_err(disk_open(&k, path_in(dir, "no/such"), &d), ERR_IO);
	assert_contains(d.text, "cannot create the directory");
	put_file(path_in(dir, "file"), "x", 0600);
	assert_err(disk_open(&k, path_in(dir, "file"), &d), ERR_IO);
	assert_contains(d.text, "cannot open the directory");
	assert_null(k);
}

static void
test_one_owner(void **state)
{
	const char *dir = test_tmpdir();
	struct disk *k = open_at(dir), *other = NULL;
	struct diag d;

	(void)state;
	assert_err(disk_open(&other, dir, &d), ERR_BUSY);
	assert_contains(d.text, "another process uses the directory");
	assert_err(disk_open(&other, dir, NULL), ERR_BUSY);
	assert_null(other);
	disk_free(k);
	other = open_at(dir);
	disk_free(other);
}

/* A link planted in the directory must not lead our writes or reads elsewhere. */
static void
test_links_are_not_followed(void **state)
{
	const char *dir = test_tmpdir(), *elsewhere = test_tmpdir();
	struct disk *k = open_at(elsewhere);
	char target[600];
	struct buf b;

	(void)state;
	buf_init(&b);
	assert_err_ok(disk_replace(k, "target", "mine", 4));
	disk_free(k);
	(void)snprintf(target, sizeof(target), "%s/target", elsewhere);
	k = open_at(dir);
	assert_int_equal(symlink(target, path_in(dir, "a")), 0);
	assert_err(disk_read(k, &b, "a", 100), ERR_IO);
	assert_err(disk_append(k, "a", "x", 1), ERR_IO);
	assert_err(disk_truncate(k, "a", 0), ERR_IO);
	assert_err_ok(disk_replace(k, "a", "new", 3)); /* the link goes, not its target */
	check_file(k, "a", "new");
	assert_int_equal(unlink(path_in(dir, "a")), 0);
	assert_int_equal(symlink(target, path_in(dir, "a")), 0);
	assert_err_ok(disk_remove(k, "a"));
	disk_free(k);
	k = open_at(elsewhere);
	check_file(k, "target", "mine");
	disk_free(k);
	buf_release(&b);
}

static void
test_directories_and_pipes_are_not_files(void **state)
{
	const char *dir = test_tmpdir();
	struct disk *k = open_at(dir);
	struct listing l = {0};
	struct buf b;

	(void)state;
	buf_init(&b);
	assert_int_equal(mkdir(path_in(dir, "a"), 0700), 0);
	assert_int_equal(mkfifo(path_in(dir, "b"), 0600), 0);
	assert_err(disk_read(k, &b, "a", 100), ERR_IO);
	assert_err(disk_read(k, &b, "b", 100), ERR_IO); /* and does not block */
	assert_err(disk_append(k, "b", "x", 1), ERR_IO);
	assert_err(disk_remove(k, "a"), ERR_IO);
	assert_int_equal(access(path_in(dir, "a"), F_OK), 0); /* under its name still */
	assert_err_ok(disk_list(k, note_name, &l));
	assert_int_equal(l.calls, 0);
	buf_release(&b);
	disk_free(k);
}

/* What a crash in the middle of a replacement leaves is gone at the next start. */
static void
test_leftovers_are_removed(void **state)
{
	const char *dir = test_tmpdir();
	struct stat st;
	struct disk *k;

	(void)state;
	put_file(path_in(dir, ".new-state"), "half of a secret", 0600);
	put_file(path_in(dir, ".old-key"), "a removal that was cut off", 0600);
	put_file(path_in(dir, "state"), "old", 0600);
	put_file(path_in(dir, ".other"), "not ours", 0600);
	k = open_at(dir);
	assert_int_equal(stat(path_in(dir, ".new-state"), &st), -1);
	assert_int_equal(stat(path_in(dir, ".old-key"), &st), -1);
	assert_int_equal(stat(path_in(dir, ".other"), &st), 0);
	check_file(k, "state", "old");
	disk_free(k);
}

static void
check_zeros(int fd, size_t n)
{
	uint8_t content[16], zeros[16] = {0};

	assert_true(n <= sizeof(content));
	assert_int_equal(pread(fd, content, n, 0), n);
	assert_memory_equal(content, zeros, n);
}

/* A descriptor that was opened before still shows the file that has no name. */
static void
test_old_content_is_overwritten(void **state)
{
	const char *dir = test_tmpdir();
	struct disk *k = open_at(dir);
	int removed, replaced, linked;

	(void)state;
	put_file(path_in(dir, "a"), "secret", 0600);
	put_file(path_in(dir, "b"), "secret", 0600);
	put_file(path_in(dir, "c"), "backup", 0600);
	removed = open(path_in(dir, "a"), O_RDONLY | O_CLOEXEC);
	replaced = open(path_in(dir, "b"), O_RDONLY | O_CLOEXEC);
	assert_err_ok(disk_remove(k, "a"));
	assert_err_ok(disk_replace(k, "b", "new", 3));
	check_zeros(removed, 6);
	check_zeros(replaced, 6);
	check_file(k, "b", "new");
	linked = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(linkat(linked, "c", linked, "copy", 0), 0);
	assert_err_ok(disk_replace(k, "c", "new", 3));
	check_file(k, "copy", "backup"); /* somebody else's name for it */
	(void)close(removed);
	(void)close(replaced);
	(void)close(linked);
	disk_free(k);
}

static bool no_room;

/* A file system that needs a block for another name, and has none; in place of libc's. */
int
renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	if (no_room) {
		errno = ENOSPC;
		return -1;
	}
	return (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, 0);
}

/* Removing is what makes room, and what forgets a key. */
static void
test_a_full_disk_removes(void **state)
{
	const char *dir = test_tmpdir();
	struct disk *k = open_at(dir);
	int removed;

	(void)state;
	put_file(path_in(dir, "a"), "secret", 0600);
	removed = open(path_in(dir, "a"), O_RDONLY | O_CLOEXEC);
	no_room = true;
	assert_err_ok(disk_remove(k, "a"));
	assert_err(disk_replace(k, "b", "new", 3), ERR_FULL);
	no_room = false;
	check_zeros(removed, 6);
	check_absent(k, "a");
	(void)close(removed);
	disk_free(k);
}

/* A removal that failed half-way is done by the next one, before another takes its place. */
static void
test_a_removal_half_done_is_finished(void **state)
{
	const char *dir = test_tmpdir();
	struct disk *k = open_at(dir);
	int half;

	(void)state;
	put_file(path_in(dir, ".old-a"), "secret", 0600);
	half = open(path_in(dir, ".old-a"), O_RDONLY | O_CLOEXEC);
	assert_err_ok(disk_remove(k, "a")); /* asked again: the name is gone already */
	check_zeros(half, 6);
	assert_int_equal(access(path_in(dir, ".old-a"), F_OK), -1);
	(void)close(half);
	put_file(path_in(dir, ".old-a"), "secret", 0600);
	put_file(path_in(dir, "a"), "newer", 0600);
	half = open(path_in(dir, ".old-a"), O_RDONLY | O_CLOEXEC);
	assert_err_ok(disk_remove(k, "a"));
	check_zeros(half, 6);
	check_absent(k, "a");
	assert_int_equal(access(path_in(dir, ".old-a"), F_OK), -1);
	(void)close(half);
	disk_free(k);
}

/*
 * A file size limit stands for the full disk: the write that crosses it is cut
 * short, the next one fails. In a child, because the limit is the process's.
 */
static int
append_over_limit(const char *dir)
{
	const struct rlimit limit = {10, 10};
	struct disk *k = NULL;
	enum err e;

	(void)signal(SIGXFSZ, SIG_IGN);
	if (disk_open(&k, dir, NULL) != ERR_OK || setrlimit(RLIMIT_FSIZE, &limit) != 0)
		return 1;
	e = disk_append(k, "a", "12345678", 8);
	if (e != ERR_IO)
		return 2;
	if (disk_append(k, "new", "12345678901", 11) != ERR_IO)
		return 3;
	if (disk_replace(k, "a", "12345678901", 11) != ERR_IO)
		return 4;
	disk_free(k);
	return 0;
}

static void
test_partial_append_is_rolled_back(void **state)
{
	const char *dir = test_tmpdir();
	struct stat st;
	struct disk *k;
	int status;
	pid_t child;

	(void)state;
	put_file(path_in(dir, "a"), "12345", 0600);
	(void)fflush(NULL);
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(append_over_limit(dir));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(stat(path_in(dir, ".new-a"), &st), -1);
	k = open_at(dir);
	check_file(k, "a", "12345");
	check_absent(k, "new");
	disk_free(k);
}

/* Writers of new files that are killed at any moment: old or new, never a mix. */
static void
write_for_ever(const char *dir)
{
	static char content[60000];
	struct disk *k = NULL;

	if (disk_open(&k, dir, NULL) != ERR_OK)
		_exit(1);
	for (unsigned i = 0;; i++) {
		memset(content, 'a' + (int)(i % 26), sizeof(content));
		if (disk_replace(k, "state", content, sizeof(content) - i % 100) != ERR_OK)
			_exit(1);
	}
}

static void
check_whole(struct disk *k)
{
	struct buf b;

	buf_init(&b);
	assert_err_ok(disk_read(k, &b, "state", 100000));
	assert_true(b.len > 59900);
	for (size_t i = 0; i < b.len; i++)
		assert_int_equal(b.data[i], b.data[0]);
	buf_release(&b);
}

static void
test_killed_writer_leaves_whole_files(void **state)
{
	const char *dir = test_tmpdir();

	(void)state;
	for (int round = 0; round < 10; round++) {
		struct stat st;
		struct disk *k;
		int status;
		pid_t child;

		(void)fflush(NULL);
		child = fork();
		assert_true(child >= 0);
		if (child == 0)
			write_for_ever(dir);
		do /* until it is in the middle of its work */
			assert_int_equal(waitpid(child, &status, WNOHANG), 0);
		while (stat(path_in(dir, "state"), &st) != 0 || rng_below(test_rng(), 2000) != 0);
		assert_int_equal(kill(child, SIGKILL), 0);
		assert_int_equal(waitpid(child, &status, 0), child);
		k = open_at(dir); /* the lock went with the process */
		check_whole(k);
		disk_free(k);
	}
}

static const struct CMUnitTest tests[] = {
    ON_DIRECTORY(test_write_and_read),
    IN_MEMORY(test_write_and_read),
    ON_DIRECTORY(test_read_bounds),
    IN_MEMORY(test_read_bounds),
    ON_DIRECTORY(test_truncate_and_remove),
    IN_MEMORY(test_truncate_and_remove),
    ON_DIRECTORY(test_names),
    IN_MEMORY(test_names),
    ON_DIRECTORY(test_list),
    IN_MEMORY(test_list),
    cmocka_unit_test(test_both_disks_agree),
    cmocka_unit_test(test_persists),
    cmocka_unit_test(test_creates_directory_and_modes),
    cmocka_unit_test(test_refuses_bad_directories),
    cmocka_unit_test(test_one_owner),
    cmocka_unit_test(test_links_are_not_followed),
    cmocka_unit_test(test_directories_and_pipes_are_not_files),
    cmocka_unit_test(test_leftovers_are_removed),
    cmocka_unit_test(test_old_content_is_overwritten),
    cmocka_unit_test(test_a_full_disk_removes),
    cmocka_unit_test(test_a_removal_half_done_is_finished),
    cmocka_unit_test(test_partial_append_is_rolled_back),
    cmocka_unit_test(test_killed_writer_leaves_whole_files),
};
TEST_MAIN(tests)

#include "config.h"

#include "client-lib/archive.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/secret.h"
#include "tests/lib/test.h"

static uint8_t key[32] = "an archive key of 32 bytes, test";

static struct post_write
put(uint64_t id, const char *text)
{
	struct post_write w;

	post_key_message(&w, id);
	w.len = strlen(text);
	w.data = malloc(w.len + 1);
	assert_non_null(w.data);
	memcpy(w.data, text, w.len);
	return w;
}

static struct post_write
erase(uint64_t id)
{
	struct post_write w;

	post_key_message(&w, id);
	w.data = NULL;
	w.len = 0;
	return w;
}

static void
write_one(struct archive *a, struct post_write w)
{
	assert_err_ok(archive_write(a, &w, 1));
	free(w.data);
}

static void
assert_value(struct archive *a, uint64_t id, const char *text)
{
	struct post_write w;
	struct buf b;

	buf_init(&b);
	post_key_message(&w, id);
	if (text == NULL) {
		assert_err(archive_read(a, &b, &w, 1000), ERR_NOT_FOUND);
	} else {
		assert_err_ok(archive_read(a, &b, &w, 1000));
		assert_int_equal(b.len, strlen(text));
		assert_memory_equal(b.data, text, b.len);
	}
	buf_release(&b);
}

static const char *
fresh_path(void)
{
	static char path[4096];

	(void)snprintf(path, sizeof(path), "%s/archive", test_tmpdir());
	return path;
}

static struct archive *
open_at(const char *path)
{
	struct archive *a;
	struct diag d = { "" };
	enum err e = archive_open(&a, path, key, test_rng(), &d);

	if (e != ERR_OK)
		print_error("%s\n", d.text);
	assert_err_ok(e);
	return a;
}

/* The same for both stores. */
static void
use(struct archive *a)
{
	struct post_write batch[4] = { put(1, "one"), put(2, ""), put(3, "three"), erase(9) };
	struct buf b;

	assert_err_ok(archive_write(a, batch, 4));
	for (size_t i = 0; i < 3; i++)
		free(batch[i].data);
	assert_value(a, 1, "one");
	assert_value(a, 2, "");
	assert_value(a, 3, "three");
	assert_value(a, 9, NULL);
	write_one(a, put(1, "uno"));
	write_one(a, erase(3));
	assert_value(a, 1, "uno");
	assert_value(a, 3, NULL);
	buf_init(&b);
	post_key_message(&batch[0], 1);
	assert_err(archive_read(a, &b, &batch[0], 2), ERR_RANGE);
	assert_int_equal(b.len, 0);
	/* later operations of a batch win */
	batch[0] = put(5, "first");
	batch[1] = put(5, "second");
	assert_err_ok(archive_write(a, batch, 2));
	free(batch[0].data);
	free(batch[1].data);
	assert_value(a, 5, "second");
	assert_err_ok(archive_write(a, NULL, 0));
}

static void
test_memory(void **state)
{
	struct archive *a = archive_memory();

	(void)state;
	assert_non_null(a);
	use(a);
	for (uint64_t i = 100; i < 400; i++)
		write_one(a, put(i * 7919 % 1000, "many"));
	for (uint64_t i = 100; i < 400; i++)
		assert_value(a, i * 7919 % 1000, "many");
	archive_free(a);
}

static void
test_database(void **state)
{
	const char *path = fresh_path();
	struct archive *a = open_at(path);

	(void)state;
	use(a);
	archive_free(a);
	a = open_at(path);
	assert_value(a, 1, "uno");
	assert_value(a, 5, "second");
	assert_value(a, 3, NULL);
	archive_free(a);
}

/* Every byte of every file; also that they are ours alone. */
static bool
directory_has(const char *path, const void *needle, size_t n, unsigned *files)
{
	DIR *d = opendir(path);
	const struct dirent *x;
	bool found = false;

	assert_non_null(d);
	*files = 0;
	while ((x = readdir(d)) != NULL) {
		char name[4400];
		static uint8_t bytes[1 << 20];
		struct stat st;
		FILE *f;
		size_t len;

		if (x->d_name[0] == '.')
			continue;
		assert_string_not_equal(x->d_name, "LOG");
		assert_string_not_equal(x->d_name, "LOG.old");
		(void)snprintf(name, sizeof(name), "%s/%s", path, x->d_name);
		assert_int_equal(stat(name, &st), 0);
		assert_int_equal(st.st_mode & 077, 0);
		f = fopen(name, "re");
		assert_non_null(f);
		len = fread(bytes, 1, sizeof(bytes), f);
		(void)fclose(f);
		found = found || memmem(bytes, len, needle, n) != NULL;
		++*files;
	}
	(void)closedir(d);
	return found;
}

static void
test_nothing_plain_on_disk(void **state)
{
	const char *path = fresh_path();
	struct post_write w = put(77, "the plain words of a message");
	struct archive *a;
	unsigned files;

	(void)state;
	assert_err_ok(secret_setup());
	a = open_at(path);
	assert_err_ok(archive_write(a, &w, 1));
	for (int i = 0; i < 2; i++) {
		assert_false(directory_has(path, w.data, w.len, &files));
		assert_false(directory_has(path, w.key, w.key_len, &files));
		assert_true(files >= 3);
		/* the version is plain, and found: the search works */
		assert_true(directory_has(path, "RSTARC", 6, &files));
		if (i == 0)
			archive_free(a);
	}
	free(w.data);
}

/* A deleted message is not in the files any more, not even sealed. */
static void
test_deleting_erases(void **state)
{
	const char *path = fresh_path();
	struct rng_seeded rng, twin;
	struct post_write w = put(5, "to be forgotten");
	uint8_t nonce[24];
	struct archive *a;
	unsigned files;

	(void)state;
	rng_seeded_init(&rng, 7);
	rng_seeded_init(&twin, 7);
	assert_err_ok(archive_open(&a, path, key, &rng.rng, NULL));
	rng_bytes(&twin.rng, nonce, sizeof(nonce)); /* of the version */
	rng_bytes(&twin.rng, nonce, sizeof(nonce)); /* of the value: it begins with it */
	assert_err_ok(archive_write(a, &w, 1));
	write_one(a, put(4, "stays"));
	write_one(a, put(6, "stays"));
	assert_true(directory_has(path, nonce, sizeof(nonce), &files));
	archive_free(a); /* so that it is in a table, not only in the log */
	a = open_at(path);
	assert_true(directory_has(path, nonce, sizeof(nonce), &files));
	assert_err_ok(archive_tidy(a)); /* nothing was deleted */
	assert_true(directory_has(path, nonce, sizeof(nonce), &files));
	write_one(a, erase(5));
	assert_err_ok(archive_tidy(a));
	assert_false(directory_has(path, nonce, sizeof(nonce), &files));
	assert_value(a, 5, NULL);
	assert_value(a, 4, "stays");
	assert_value(a, 6, "stays");
	archive_free(a);
	free(w.data);
}

static void
test_another_key(void **state)
{
	const char *path = fresh_path();
	uint8_t other[32] = { 1 };
	struct archive *a = open_at(path);
	struct diag d;

	(void)state;
	archive_free(a);
	a = NULL;
	assert_err(archive_open(&a, path, other, test_rng(), &d), ERR_CRYPTO);
	assert_contains(d.text, "not of this `vault`");
	assert_null(a);
}

static void
test_two_users(void **state)
{
	const char *path = fresh_path();
	struct archive *a = open_at(path), *b = NULL;
	struct diag d;

	(void)state;
	assert_err(archive_open(&b, path, key, test_rng(), &d), ERR_BUSY);
	assert_contains(d.text, "another process");
	write_one(a, put(1, "still here"));
	assert_value(a, 1, "still here");
	archive_free(a);
}

static void
test_no_directory(void **state)
{
	struct archive *a = NULL;
	struct diag d;
	char path[4200];

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/not/there", test_tmpdir());
	assert_err(archive_open(&a, path, key, test_rng(), &d), ERR_IO);
	assert_contains(d.text, "cannot be opened");
}

static void
limit_files(rlim_t bytes)
{
	struct rlimit r;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &r), 0);
	r.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &r), 0);
}

/* No room in the middle of a write: the error says so, and all works again once there is. */
static void
test_full_and_not_full(void **state)
{
	const char *path = fresh_path();
	struct archive *a = open_at(path);
	struct post_write big;

	(void)state;
	(void)signal(SIGXFSZ, SIG_IGN);
	write_one(a, put(1, "before"));
	post_key_message(&big, 2);
	big.len = 200000;
	big.data = calloc(1, big.len);
	assert_non_null(big.data);
	limit_files(50000);
	assert_err(archive_write(a, &big, 1), ERR_FULL);
	assert_err(archive_write(a, &big, 1), ERR_FULL);
	assert_value(a, 1, "before");
	limit_files(RLIM_INFINITY);
	assert_value(a, 2, NULL);
	assert_err_ok(archive_write(a, &big, 1));
	free(big.data);
	write_one(a, put(3, "after"));
	archive_free(a);
	a = open_at(path);
	assert_value(a, 1, "before");
	assert_value(a, 3, "after");
	archive_free(a);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_memory),
	cmocka_unit_test(test_database),
	cmocka_unit_test(test_nothing_plain_on_disk),
	cmocka_unit_test(test_deleting_erases),
	cmocka_unit_test(test_another_key),
	cmocka_unit_test(test_two_users),
	cmocka_unit_test(test_no_directory),
	cmocka_unit_test(test_full_and_not_full),
};

TEST_MAIN(tests)

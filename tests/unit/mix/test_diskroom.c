#include "config.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mix/diskroom.h"
#include "tests/lib/test.h"

static void
write_file(const char *dir, const char *name, size_t bytes)
{
	char path[1024], block[4096];
	FILE *f;

	memset(block, 'x', sizeof(block));
	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	for (size_t at = 0; at < bytes; at += sizeof(block))
		assert_int_equal(fwrite(block, 1, sizeof(block), f), sizeof(block));
	assert_int_equal(fsync(fileno(f)), 0);
	assert_int_equal(fclose(f), 0);
}

static void
test_counts(void **state)
{
	char state_dir[900], sub[1000], day[1020];
	struct diskroom before, after;

	(void)state;
	(void)snprintf(state_dir, sizeof(state_dir), "%s/state", test_tmpdir());
	(void)snprintf(sub, sizeof(sub), "%s/journal", state_dir);
	(void)snprintf(day, sizeof(day), "%s/day", sub);
	assert_int_equal(mkdir(state_dir, 0700) | mkdir(sub, 0700) | mkdir(day, 0700), 0);
	assert_err_ok(diskroom_measure(&before, state_dir));
	assert_true(before.used_bytes < 1 << 20);
	assert_true(before.free_bytes > 0);
	write_file(state_dir, "batches", 1 << 20);
	write_file(day, "000001.log", 2 << 20);
	assert_err_ok(diskroom_measure(&after, state_dir));
	assert_true(after.used_bytes >= before.used_bytes + (3u << 20));
	assert_true(after.used_bytes < before.used_bytes + (4u << 20));
}

/* Somebody else's directories behind a link are not ours. */
static void
test_links(void **state)
{
	char at[900], link[1000];
	struct diskroom room;

	(void)state;
	(void)snprintf(at, sizeof(at), "%s/linked", test_tmpdir());
	(void)snprintf(link, sizeof(link), "%s/elsewhere", at);
	assert_int_equal(mkdir(at, 0700) | symlink("/usr", link), 0);
	assert_err_ok(diskroom_measure(&room, at));
	assert_true(room.used_bytes < 1 << 20);
	(void)snprintf(at, sizeof(at), "%s/absent", test_tmpdir());
	assert_err(diskroom_measure(&room, at), ERR_IO);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_counts),
	cmocka_unit_test(test_links),
};
TEST_MAIN(tests)

#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "evaluation/partial.h"
#include "tests/lib/test.h"

/* Each gets a name of its own, and what is there stays as it is. */
static void
test_names(void **state)
{
	static const char *const wanted[] = { ".partial", ".partial-2", ".partial-3" };
	char place[512], path[600];
	struct stat st;

	(void)state;
	(void)snprintf(place, sizeof(place), "%s/x", test_tmpdir());
	for (size_t i = 0; i < 3; i++) {
		FILE *f = NULL;

		if (i == 1)
			assert_err_ok(partial_directory(path, sizeof(path), place, NULL));
		else
			assert_err_ok(partial_file(&f, path, sizeof(path), place, NULL));
		assert_memory_equal(path, place, strlen(place));
		assert_string_equal(path + strlen(place), wanted[i]);
		if (f != NULL) {
			(void)fputs("table", f);
			assert_int_equal(fclose(f), 0);
		}
	}
	(void)snprintf(path, sizeof(path), "%s.partial", place);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 5);
	/* a link to nothing is something, too */
	(void)snprintf(place, sizeof(place), "%s/y", test_tmpdir());
	(void)snprintf(path, sizeof(path), "%s.partial", place);
	assert_int_equal(symlink("nowhere", path), 0);
	assert_err_ok(partial_directory(path, sizeof(path), place, NULL));
	assert_non_null(strstr(path, "y.partial-2"));
}

static void
test_refusals(void **state)
{
	char place[512], path[600];
	struct diag d = { "" };
	FILE *f = NULL;

	(void)state;
	assert_err(partial_directory(path, sizeof(path), "/nowhere/x", &d), ERR_IO);
	assert_non_null(strstr(d.text, "/nowhere/x.partial"));
	assert_err(partial_file(&f, path, sizeof(path), "/dev/null/x", &d), ERR_IO);
	assert_null(f);
	(void)snprintf(place, sizeof(place), "%s/long", test_tmpdir());
	assert_err(partial_file(&f, path, strlen(place) + sizeof(".partial") - 1, place, &d), ERR_RANGE);
	assert_err_ok(partial_file(&f, path, strlen(place) + sizeof(".partial"), place, &d));
	assert_int_equal(fclose(f), 0);
}

/* There is an end to it. */
static void
test_all_taken(void **state)
{
	char place[512], path[600];
	struct diag d = { "" };

	(void)state;
	(void)snprintf(place, sizeof(place), "%s/many", test_tmpdir());
	for (int i = 0; i < PARTIAL_MAX; i++)
		assert_err_ok(partial_directory(path, strlen(place) + PARTIAL_SUFFIX_BYTES, place, NULL));
	assert_err(partial_directory(path, sizeof(path), place, &d), ERR_EXISTS);
	assert_non_null(strstr(d.text, "remove"));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_names),
	cmocka_unit_test(test_refusals),
	cmocka_unit_test(test_all_taken),
};
TEST_MAIN(tests)

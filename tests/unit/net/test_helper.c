#include "config.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/landlock.h"
#include "common/net/helper.h"
#include "tests/lib/test.h"

#define LOOK_MS 20
#define GUARD_MS 20000

static const char *
here(void)
{
	static const char *directory;

	if (directory == NULL)
		directory = test_tmpdir();
	return directory;
}

/* A script of this body; its path into out. */
static void
make_script(char out[static 1024], const char *name, const char *body)
{
	FILE *f;

	(void)snprintf(out, 1024, "%s/%s", here(), name);
	f = fopen(out, "w");
	assert_non_null(f);
	(void)fprintf(f, "#!/bin/sh\ncd %s\n%s\n", here(), body);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(out, 0700), 0);
}

static bool
is_there(const char *name)
{
	char path[1024];

	(void)snprintf(path, sizeof(path), "%s/%s", here(), name);
	return access(path, F_OK) == 0;
}

static bool
is_gone(const char *name)
{
	return !is_there(name);
}

static void
wait_until(bool (*come)(const char *name), const char *name)
{
	for (int ms = 0; !come(name); ms += LOOK_MS) {
		assert_true(ms < GUARD_MS);
		(void)poll(NULL, 0, LOOK_MS);
	}
}

/* Until it has ended; returns waitpid's status. */
static int
status_of(struct helper *h, size_t program)
{
	int status = 0;

	for (int ms = 0; helper_runs(h, program, &status); ms += LOOK_MS) {
		assert_true(ms < GUARD_MS);
		(void)poll(NULL, 0, LOOK_MS);
	}
	return status;
}

static void
test_runs(void **state)
{
	static const char *const words[] = { "raised", "disk-low", "7" };
	char one[1024], two[1024];
	const struct helper_program programs[] = { { .argv = { one, "fixed" }, .words_max = 3 },
		{ .argv = { two } } };
	struct helper *h;
	int why;

	(void)state;
	make_script(one, "one", "[ \"$*\" = 'fixed raised disk-low 7' ] && exit 3");
	make_script(two, "two", "kill -9 $$");
	assert_err_ok(helper_new(&h, programs, 2, NULL));
	assert_err_ok(helper_run(h, 0, words, 3, &why));
	assert_err_ok(helper_run(h, 1, NULL, 0, &why));
	assert_int_equal(WEXITSTATUS(status_of(h, 0)), 3);
	assert_int_equal(WTERMSIG(status_of(h, 1)), SIGKILL);
	helper_free(h);
}

/* Who has taken the daemon over chooses words, and nothing but words. */
static void
test_refuses(void **state)
{
	static const char *const bad[] = { "", "-x", "Raised", "a b", "../x", "a;b", "/bin/sh" };
	static const char *const good[] = { "a", "b", "c" };
	char one[1024], longest[HELPER_WORD_BYTES + 1];
	const struct helper_program program = { .argv = { one }, .words_max = 1 };
	const char *word;
	struct helper *h;
	int why;

	(void)state;
	make_script(one, "quick", "exit 0");
	assert_err_ok(helper_new(&h, &program, 1, NULL));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_err(helper_run(h, 0, &bad[i], 1, &why), ERR_USAGE);
	memset(longest, 'a', sizeof(longest));
	longest[HELPER_WORD_BYTES] = '\0';
	word = longest;
	assert_err(helper_run(h, 0, &word, 1, &why), ERR_USAGE);
	assert_err(helper_run(h, 0, good, 2, &why), ERR_USAGE);
	assert_err_ok(helper_run(h, 0, good, 1, &why));
	(void)status_of(h, 0);
	/* no such place in the table: it ends rather than guess */
	assert_err(helper_run(h, 1, NULL, 0, &why), ERR_CLOSED);
	assert_err(helper_run(h, 0, good, 1, &why), ERR_CLOSED);
	helper_free(h);
}

static void
test_not_started(void **state)
{
	const struct helper_program program = { .argv = { "/nowhere/x" } };
	struct helper *h;
	int why = 0;

	(void)state;
	assert_err_ok(helper_new(&h, &program, 1, NULL));
	assert_err(helper_run(h, 0, NULL, 0, &why), ERR_IO);
	assert_int_equal(why, 2); /* ENOENT */
	helper_free(h);
}

/* One at a time; it is ended by force, and with its daemon. */
static void
test_ends(void **state)
{
	char one[1024];
	const struct helper_program program = { .argv = { one } };
	struct helper *h;
	int why, status = 0;

	(void)state;
	make_script(one, "long", "trap 'rm -f runs; exit' TERM; touch runs\n"
	    "while :; do sleep 0.05; done");
	assert_err_ok(helper_new(&h, &program, 1, NULL));
	assert_err_ok(helper_run(h, 0, NULL, 0, &why));
	assert_err(helper_run(h, 0, NULL, 0, &why), ERR_BUSY);
	wait_until(is_there, "runs");
	assert_true(helper_runs(h, 0, &status));
	helper_end(h, 0);
	assert_false(helper_runs(h, 0, &status));
	assert_true(is_gone("runs"));
	assert_err_ok(helper_run(h, 0, NULL, 0, &why));
	wait_until(is_there, "runs");
	helper_free(h); /* as when the daemon ends: the socket closes */
	assert_true(is_gone("runs"));
}

/* It writes in its directory and nowhere else; the control has no such limit. */
static void
test_confined(void **state)
{
	char one[1024], directory[1024];
	const struct helper_program programs[] = { { .argv = { one }, .writes = directory },
		{ .argv = { one } } };
	struct helper *h;
	int why;

	(void)state;
	if (landlock_abi() == 0)
		skip();
	make_script(one, "writes", "touch own/in && touch out; exit 0");
	(void)snprintf(directory, sizeof(directory), "%s/own", here());
	assert_int_equal(mkdir(directory, 0700), 0);
	assert_err_ok(helper_new(&h, programs, 2, NULL));
	assert_err_ok(helper_run(h, 0, NULL, 0, &why));
	(void)status_of(h, 0);
	assert_true(is_there("own/in"));
	assert_false(is_there("out"));
	assert_err_ok(helper_run(h, 1, NULL, 0, &why));
	(void)status_of(h, 1);
	assert_true(is_there("out"));
	helper_free(h);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_runs),
	cmocka_unit_test(test_refuses),
	cmocka_unit_test(test_not_started),
	cmocka_unit_test(test_ends),
	cmocka_unit_test(test_confined),
};
TEST_MAIN(tests)

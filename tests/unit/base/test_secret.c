#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/secret.h"
#include "tests/lib/test.h"

static void
test_setup(void **state)
{
	struct rlimit core;
	mode_t mask;

	(void)state;
	assert_err_ok(secret_setup());
	assert_err_ok(secret_setup());
	assert_int_equal(getrlimit(RLIMIT_CORE, &core), 0);
	assert_int_equal(core.rlim_cur, 0);
	assert_int_equal(core.rlim_max, 0);
	mask = umask(022);
	assert_int_equal(mask, 077);
}

static void
test_new_is_zero(void **state)
{
	static const uint8_t zeros[100];

	(void)state;
	for (size_t n = 0; n <= sizeof(zeros); n++) {
		uint8_t *p = secret_new(n);

		assert_non_null(p);
		assert_memory_equal(p, zeros, n);
		memset(p, 1, n);
		secret_free(p);
	}
	secret_free(NULL);
}

static void
test_wipe(void **state)
{
	uint8_t p[5] = {1, 2, 3, 4, 5};

	(void)state;
	secret_wipe(p, 4);
	assert_memory_equal(p, "\0\0\0\0\5", 5);
	secret_wipe(NULL, 0);
}

/* One byte too far is not a leak but a dead process. */
static void
test_guard_page(void **state)
{
	int status;
	pid_t child;

	(void)state;
	(void)fflush(NULL);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		volatile uint8_t *p = secret_new(32);

		(void)signal(SIGSEGV, SIG_DFL);
		(void)p[32];
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSEGV);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_setup),
    cmocka_unit_test(test_new_is_zero),
    cmocka_unit_test(test_wipe),
    cmocka_unit_test(test_guard_page),
};
TEST_MAIN(tests)

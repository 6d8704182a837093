/*
 * What every unit test program needs. docs/hacking.md, "Tests".
 *
 *   static const struct CMUnitTest tests[] = {
 *       cmocka_unit_test(test_something),
 *   };
 *   TEST_MAIN(tests)
 */
#ifndef TESTS_LIB_TEST_H
#define TESTS_LIB_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/rng.h"

/*
 * The main function: one group, TAP on stdout, exit code 0 or 1 whatever the
 * number of failures (cmocka returns the number, and automake takes 77 for a
 * skip). The seed is printed; RESTANTE_TEST_SEED=n repeats a run, and
 * RESTANTE_TEST_ONLY=pattern (* and ?) runs only the tests of such names.
 */
#define TEST_MAIN(tests)                                                                           \
	int main(void)                                                                             \
	{                                                                                          \
		test_begin();                                                                      \
		return test_end(cmocka_run_group_tests(tests, NULL, NULL));                        \
	}

void test_begin(void);
int test_end(int failed);

/* The source that property tests draw from: one stream per run, from the seed. */
const struct rng *test_rng(void);
uint64_t test_seed(void);
/* Exponential with the given mean; by log1p(), whose last bit differs between machines. */
double test_exponential(const struct rng *r, double mean);

/* A clock that stands still until a test moves it; pass &c.clock. */
struct test_clock {
	struct clock clock; /* points into this struct */
	int64_t wall_ms, boot_ms;
};
/* boot_ms starts at one hour. */
void test_clock_init(struct test_clock *c, int64_t wall_ms);
/* Move both clocks; to let the wall clock jump, set wall_ms. */
void test_clock_advance(struct test_clock *c, int64_t ms);

/*
 * A fresh, empty directory (mode 0700) under TMPDIR, or /tmp. The path stays
 * valid, and the directory is removed with all it holds, until the program ends.
 */
const char *test_tmpdir(void);

/* Fail with the error's text unless e is the wanted one. */
#define assert_err(e, want) test_check_err((e), (want), __FILE__, __LINE__)
#define assert_err_ok(e) assert_err(e, ERR_OK)
void test_check_err(enum err got, enum err want, const char *file, int line);

/* Fail unless the haystack holds the needle; for sentences of a struct diag. */
#define assert_contains(haystack, needle)                                                          \
	test_check_contains((haystack), (needle), __FILE__, __LINE__)
void test_check_contains(const char *haystack, const char *needle, const char *file, int line);

#endif

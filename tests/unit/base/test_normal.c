#include "config.h"

#include "common/base/normal.h"

#include <math.h>

#include "tests/lib/test.h"

static double
error_at(int64_t x, int64_t mean, uint32_t deviation)
{
	double z = (double)(x - mean) / deviation;
	double v = (double)normal_cdf(x, mean, deviation) / NORMAL_ONE;

	return fabs(v - 0.5 * erfc(-z / sqrt(2))) * NORMAL_ONE;
}

/* Against the mathematical library, all over and where the tables join. */
static void
test_error_is_bounded(void **state)
{
	(void)state;
	for (int64_t x = -7000000; x <= 7000000; x += 37)
		assert_true(error_at(x, 0, 1000000) < 8);
	for (int64_t quarter = -26; quarter <= 26; quarter++)
		for (int64_t d = -3; d <= 3; d++) {
			assert_true(error_at(quarter * 250000 + d, 0, 1000000) < 8);
			assert_true(error_at(quarter * 250000 + 125000 + d, 0, 1000000) < 8);
		}
	for (int i = 0; i < 100000; i++)
		assert_true(error_at(rng_below(test_rng(), 10000000),
		    rng_below(test_rng(), 1000000), 1 + rng_below(test_rng(), 1000000)) < 8);
}

static void
test_symmetry_and_ends(void **state)
{
	(void)state;
	assert_int_equal(normal_cdf(5, 5, 1), NORMAL_ONE / 2);
	assert_int_equal(normal_cdf(625, 0, 100), NORMAL_ONE);
	assert_int_equal(normal_cdf(-625, 0, 100), 0);
	assert_int_equal(normal_cdf(INT64_C(1) << 40, 0, 1), NORMAL_ONE);
	assert_int_equal(normal_cdf(-(INT64_C(1) << 40), 0, 1000000000), 0);
	for (int64_t x = 0; x <= 7000; x++) {
		uint32_t up = normal_cdf(x, 0, 1000), down = normal_cdf(-x, 0, 1000);

		assert_int_equal(up + down, NORMAL_ONE);
		assert_true(up >= NORMAL_ONE / 2);
	}
}

/* The very same numbers everywhere. */
static void
test_values(void **state)
{
	(void)state;
	assert_int_equal(normal_cdf(1, 0, 1), 903387042);
	assert_int_equal(normal_cdf(77, 80, 37), 502176957);
	assert_int_equal(normal_cdf(1, 0, 3), 677057206);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_error_is_bounded),
	cmocka_unit_test(test_symmetry_and_ends),
	cmocka_unit_test(test_values),
};

TEST_MAIN(tests)

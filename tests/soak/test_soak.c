/*
 * A few hours of the soak, and that it repeats from its seed.
 */
#include "config.h"

#include <string.h>

#include "tests/lib/test.h"
#include "tests/soak/soak.h"

#define HOURS 3

static struct soak soak;

static uint64_t
any_seed(void)
{
	uint64_t seed = rng_u64(test_rng());

	print_message("# soak seed %llu\n", (unsigned long long)seed);
	return seed;
}

/* Twice the same, byte for byte, and nothing is left of the first; another seed is another. */
static void
test_hours(void **state)
{
	uint64_t seed = any_seed();
	struct soak_figures one, two;
	uint8_t first[32];

	(void)state;
	soak_life(&soak, seed, HOURS);
	memcpy(first, soak.digest, sizeof(first));
	soak_figures(&soak, &one);
	assert_true(one.said > 0 && one.heard >= one.promised && one.repeated > 0);
	soak_life(&soak, seed, HOURS);
	assert_memory_equal(first, soak.digest, sizeof(first));
	soak_figures(&soak, &two);
	assert_int_equal(two.lives, 2);
	assert_int_equal(two.steps, 2 * one.steps);
	assert_int_equal(two.heard, 2 * one.heard);
	soak_life(&soak, seed + 1, 1);
	assert_memory_not_equal(first, soak.digest, sizeof(first));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_hours),
};
TEST_MAIN(tests)

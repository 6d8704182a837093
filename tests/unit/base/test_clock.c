#include "config.h"

#include "common/base/clock.h"
#include "tests/lib/test.h"

static void
test_system(void **state)
{
	const struct clock *c = clock_system();
	int64_t boot = clock_boot_ms(c), wall = clock_wall_ms(c);

	(void)state;
	assert_true(wall > 1704067200000); /* 2024 */
	assert_true(boot > 0);
	for (int i = 0; i < 1000; i++) {
		int64_t next = clock_boot_ms(c);

		assert_true(next >= boot);
		boot = next;
	}
}

static void
test_fake(void **state)
{
	struct test_clock c;

	(void)state;
	test_clock_init(&c, 1000);
	assert_true(clock_wall_ms(&c.clock) == 1000);
	assert_true(clock_boot_ms(&c.clock) == 3600000);
	test_clock_advance(&c, 500);
	assert_true(clock_wall_ms(&c.clock) == 1500);
	assert_true(clock_boot_ms(&c.clock) == 3600500);
	c.wall_ms = 7; /* somebody set the clock */
	assert_true(clock_wall_ms(&c.clock) == 7);
	assert_true(clock_boot_ms(&c.clock) == 3600500);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_system),
    cmocka_unit_test(test_fake),
};
TEST_MAIN(tests)

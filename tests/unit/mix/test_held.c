#include "config.h"

#include "tests/lib/test.h"

#include <stdbool.h>
#include <stdlib.h>

#include "mix/held.h"

#define MANY 1000

/* Packets come and go at random; a number always stands for the packet it was given for. */
static void
test_numbers_stand_for_packets(void **state)
{
	const struct rng *r = test_rng();
	uint32_t handle[MANY];
	bool in[MANY] = { false };
	struct held h;

	(void)state;
	held_init(&h);
	for (int step = 0; step < 20 * MANY; step++) {
		uint16_t i = (uint16_t)rng_below(r, MANY);
		struct held_packet p = { .epoch = 7, .next = i };

		if (in[i]) {
			assert_int_equal(held_get(&h, handle[i])->next, i);
			held_drop(&h, handle[i]);
		} else {
			p.bytes = malloc(3);
			p.inner = p.bytes;
			assert_non_null(p.bytes);
			assert_err_ok(held_put(&h, &handle[i], &p));
			assert_true(handle[i] < 2 * MANY); /* numbers are given again */
		}
		in[i] = !in[i];
	}
	held_release(&h); /* frees what is left; the leak checker watches */
}

static void
test_numbers_differ(void **state)
{
	bool given[MANY] = { false };
	struct held h;

	(void)state;
	held_init(&h);
	for (int i = 0; i < MANY; i++) {
		struct held_packet p = { .bytes = malloc(1) };
		uint32_t handle;

		assert_non_null(p.bytes);
		assert_err_ok(held_put(&h, &handle, &p));
		assert_true(handle < MANY && !given[handle]);
		given[handle] = true;
	}
	held_release(&h);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_numbers_stand_for_packets),
	cmocka_unit_test(test_numbers_differ),
};

TEST_MAIN(tests)

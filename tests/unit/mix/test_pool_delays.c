#include "config.h"

#include "tests/lib/test.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "tests/unit/mix/pool_test.h"

/* The two strategies that draw for each packet: binomial and stop-and-go. */

/* ---- binomial ---- */

static size_t
binomial_flush(const char *strategy, uint32_t held, const struct rng *rng)
{
	struct params p = params_with(strategy);
	struct pool *k = pool_with(&p, 0);
	uint32_t out[128];
	size_t n;

	add_many(k, 0, held, START_MS);
	n = pool_flush(k, out, pool_due(k), rng);
	pool_free(k);
	return n;
}

/*
 * Of 100 packets each leaves with probability 0.8 * Phi(0) = 0.4: mean 40, variance 24.
 * Limits of 6.2 deviations: below 10^-9.
 */
static void
test_binomial_mean_and_variance(void **state)
{
	double n = 20000, sum = 0, squares = 0, mean, variance;

	(void)state;
	for (int i = 0; i < (int)n; i++) {
		double v = (double)binomial_flush("binomial rate=0.8 mean=100 deviation=40", 100,
		    test_rng());

		sum += v;
		squares += (v - 40) * (v - 40);
	}
	mean = sum / n;
	variance = squares / n;
	assert_true(fabs(mean - 40) < 6.2 * sqrt(24 / n));
	assert_true(fabs(variance - 24) < 6.2 * 24 * sqrt(2 / n));
}

/* Each packet is as likely as any other to be among those that leave. */
static void
test_binomial_is_fair(void **state)
{
	struct params p = params_with("binomial rate=0.5 mean=0 deviation=1");
	unsigned left[16] = { 0 }, tries = 40000;
	double chi = 0;

	(void)state;
	for (unsigned i = 0; i < tries; i++) {
		struct pool *k = pool_with(&p, 0);
		uint32_t out[16];

		add_many(k, 0, 16, START_MS);
		for (size_t n = pool_flush(k, out, pool_due(k), test_rng()); n-- > 0;)
			left[out[n]]++;
		pool_free(k);
	}
	for (size_t i = 0; i < 16; i++) /* independent: 16 degrees of freedom */
		chi += pow(left[i] - tries / 2.0, 2) / (tries / 4.0);
	assert_true(chi < 80); /* exceeded less than once in 10^9 runs */
}

static void
test_binomial_certainties(void **state)
{
	(void)state;
	assert_int_equal(binomial_flush("binomial rate=1 mean=10 deviation=1", 100, test_rng()), 100);
	assert_int_equal(binomial_flush("binomial rate=1 mean=200 deviation=10", 100, test_rng()), 0);
	assert_int_equal(binomial_flush("binomial rate=1 mean=0 deviation=1", 0, test_rng()), 0);
}

/* The same on every machine; the numbers are another implementation's. */
static void
test_binomial_repeats_everywhere(void **state)
{
	static const size_t want[] = { 28, 20, 33, 25, 25, 29 };
	struct rng_seeded r;

	(void)state;
	rng_seeded_init(&r, 1);
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(binomial_flush("binomial rate=0.65 mean=80 deviation=37", 77,
		    &r.rng), want[i]);
}

/* ---- stop-and-go ---- */

#define SOON 10000
#define MANY 100000u

static int64_t
tick_after(int64_t ms)
{
	return (ms + STRATEGY_TICK_MS - 1) / STRATEGY_TICK_MS * STRATEGY_TICK_MS;
}

/* In random order, and each at the first tick after its delay. */
static void
test_each_leaves_at_its_tick(void **state)
{
	struct params p = params_with("stop-and-go mean=10s");
	struct pool *k = pool_with(&p, 0);
	int64_t *want = calloc(MANY, sizeof(*want)), due, last = 0;
	uint32_t *out = calloc(MANY, sizeof(*out));
	size_t left = 0;

	(void)state;
	assert_true(want != NULL && out != NULL);
	assert_int_equal(pool_due(k), POOL_NEVER);
	for (uint32_t i = 0; i < MANY; i++) {
		uint32_t delay = rng_below(test_rng(), 160001);

		want[i] = tick_after(START_MS + delay);
		assert_err_ok(pool_add(k, i, delay, START_MS));
	}
	assert_err(pool_add(k, 0, 0, START_MS), ERR_FULL);
	while ((due = pool_due(k)) != POOL_NEVER) {
		size_t n;

		assert_true(due > last);
		assert_int_equal(pool_flush(k, out, due - 1, test_rng()), 0);
		n = pool_flush(k, out, due, test_rng());
		assert_true(n > 0);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(want[out[i]], due);
		left += n;
		last = due;
	}
	assert_int_equal(left, MANY);
	assert_int_equal(pool_count(k), 0);
	free(want);
	free(out);
	pool_free(k);
}

/* Those of one tick are shuffled: of two that came one after the other half are swapped. */
static void
test_one_tick_is_shuffled(void **state)
{
	struct params p = params_with("stop-and-go mean=10s");
	struct pool *k = pool_with(&p, 0);
	int64_t now = tick_after(START_MS);
	unsigned swapped = 0, tries = 20000;

	(void)state;
	for (unsigned i = 0; i < tries; i++, now += STRATEGY_TICK_MS) {
		uint32_t out[2];

		assert_err_ok(pool_add(k, 0, 1, now));
		assert_err_ok(pool_add(k, 1, 2, now));
		assert_int_equal(pool_flush(k, out, now + STRATEGY_TICK_MS, test_rng()), 2);
		swapped += out[0] == 1;
	}
	assert_true(fabs(swapped - tries / 2.0) < 6.2 * sqrt(tries / 4.0));
	pool_free(k);
}

/* A flush that was held up: what came meanwhile does not put it off, and all that is late goes. */
static void
test_late_flush(void **state)
{
	struct params p = params_with("stop-and-go mean=10s");
	struct pool *k = pool_with(&p, 0);
	int64_t now = tick_after(START_MS);
	uint32_t out[8];

	(void)state;
	assert_err_ok(pool_add(k, 0, 50, now));
	assert_err_ok(pool_add(k, 1, 150, now));
	assert_err_ok(pool_add(k, 2, 5000, now));
	assert_err_ok(pool_add(k, 3, 0, now + 230));
	assert_int_equal(pool_due(k), now + 100);
	assert_int_equal(pool_flush(k, out, now + 230, test_rng()), 3);
	assert_int_equal(pool_due(k), now + 5000);
	assert_err_ok(pool_add(k, 4, 0, now + 230)); /* without a delay: at the next tick */
	assert_int_equal(pool_due(k), now + 300);
	pool_rearm(k, now + 301);
	assert_int_equal(pool_due(k), now + 400);
	assert_int_equal(pool_flush(k, out, now + 400, test_rng()), 1);
	pool_free(k);
}

/* Set back by a day, nothing waits for longer than packets may; set forward, all leave. */
static void
test_clock_is_set(void **state)
{
	struct params p = params_with("stop-and-go mean=10s");
	struct pool *k = pool_with(&p, 0);
	int64_t most = params_delay_max_ms(&p, 0), back = tick_after(START_MS) - 86400000;
	uint32_t out[100];

	(void)state;
	assert_int_equal(most, 160000);
	for (uint32_t i = 0; i < 100; i++)
		assert_err_ok(pool_add(k, i, rng_below(test_rng(), SOON), START_MS));
	pool_rearm(k, back);
	assert_int_equal(pool_due(k), back + most);
	assert_err_ok(pool_add(k, 100, 0, back));
	assert_int_equal(pool_flush(k, out, back, test_rng()), 1);
	pool_rearm(k, START_MS + 86400000);
	assert_int_equal(pool_due(k), tick_after(START_MS + 86400000));
	assert_int_equal(pool_flush(k, out, pool_due(k), test_rng()), 100);
	pool_free(k);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_binomial_mean_and_variance),
	cmocka_unit_test(test_binomial_is_fair),
	cmocka_unit_test(test_binomial_certainties),
	cmocka_unit_test(test_binomial_repeats_everywhere),
	cmocka_unit_test(test_each_leaves_at_its_tick),
	cmocka_unit_test(test_one_tick_is_shuffled),
	cmocka_unit_test(test_late_flush),
	cmocka_unit_test(test_clock_is_set),
};

TEST_MAIN(tests)

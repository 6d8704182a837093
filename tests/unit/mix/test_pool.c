#include "config.h"

#include "tests/lib/test.h"

#include <stdbool.h>
#include <string.h>

#include "common/charter/timing.h"
#include "mix/pool.h"

#define START_MS ((int64_t)1700000000123)
#define HANDLES 400

static struct params
params_of(struct strategy s)
{
	struct params p;

	params_default(&p);
	for (unsigned i = 0; i < PARAMS_LAYERS_MAX; i++)
		p.strategy[i] = s;
	return p;
}

static struct pool *
pool_with(const struct params *p, unsigned layer)
{
	struct pool *k;

	assert_err_ok(pool_new(&k, p, layer, START_MS));
	return k;
}

static void
add_many(struct pool *k, uint32_t first, uint32_t n, int64_t now)
{
	for (uint32_t i = 0; i < n; i++)
		assert_err_ok(pool_add(k, first + i, 0, now));
}

/* Add what arrives in each round, flush at its end, and say how many left. */
static void
play(struct strategy s, const uint32_t *arrivals, const size_t *sent, size_t rounds)
{
	struct params p = params_of(s);
	struct pool *k = pool_with(&p, 0);
	uint32_t out[HANDLES], next = 0;

	for (size_t i = 0; i < rounds; i++) {
		int64_t due = pool_due(k);

		add_many(k, next, arrivals[i], due - 1);
		next += arrivals[i];
		assert_int_equal(pool_flush(k, out, due - 1, test_rng()), 0);
		assert_int_equal(pool_flush(k, out, due, test_rng()), sent[i]);
		assert_int_equal(pool_due(k), due + p.round_ms);
	}
	pool_free(k);
}

static void
test_published_traces(void **state)
{
	static const uint32_t arrivals[] = { 5, 2, 0, 8, 3 };
	/* Mixminion's rule, pool 3, rate 0.6, by hand */
	static const size_t mixminion[] = { 2, 2, 0, 6, 4 };
	static const size_t pool_of_four[] = { 1, 2, 0, 8, 3 };
	static const size_t timed[] = { 5, 2, 0, 8, 3 };

	(void)state;
	play((struct strategy){ STRATEGY_TIMED_DYNAMIC_POOL, 0, 3, 600000 }, arrivals, mixminion,
	    5);
	play((struct strategy){ STRATEGY_TIMED_POOL, 0, 4, 0 }, arrivals, pool_of_four, 5);
	play((struct strategy){ STRATEGY_TIMED, 0, 0, 0 }, arrivals, timed, 5);
}

static void
test_dynamic_sends_one_at_least(void **state)
{
	static const uint32_t arrivals[] = { 1, 1, 1, 0 };
	static const size_t sent[] = { 0, 0, 1, 0 };

	(void)state;
	play((struct strategy){ STRATEGY_TIMED_DYNAMIC_POOL, 0, 2, 1 }, arrivals, sent, 4);
}

static void
test_threshold(void **state)
{
	struct params p = params_of((struct strategy){ STRATEGY_THRESHOLD, 10, 0, 0 });
	struct pool *k = pool_with(&p, 0);
	uint32_t out[HANDLES];

	(void)state;
	assert_int_equal(pool_due(k), POOL_NEVER);
	add_many(k, 0, 9, START_MS);
	assert_int_equal(pool_due(k), POOL_NEVER);
	assert_int_equal(pool_flush(k, out, START_MS + 1000000, test_rng()), 0);
	add_many(k, 9, 1, START_MS + 5);
	assert_true(pool_due(k) <= START_MS + 5);
	add_many(k, 10, 14, START_MS + 6); /* the flush was late */
	assert_int_equal(pool_flush(k, out, START_MS + 7, test_rng()), 10);
	assert_true(pool_due(k) <= START_MS + 7);
	assert_int_equal(pool_flush(k, out, START_MS + 7, test_rng()), 10);
	assert_int_equal(pool_due(k), POOL_NEVER);
	assert_int_equal(pool_count(k), 4);
	pool_free(k);
}

static void
test_threshold_after_drain(void **state)
{
	struct params p = params_of((struct strategy){ STRATEGY_THRESHOLD, 3, 0, 0 });
	struct pool *k = pool_with(&p, 0);
	uint32_t out[8];

	(void)state;
	add_many(k, 0, 3, START_MS);
	assert_int_equal(pool_drain(k, out), 3);
	assert_int_equal(pool_flush(k, out, START_MS + 1, test_rng()), 0);
	assert_int_equal(pool_due(k), POOL_NEVER);
	pool_free(k);
}

static void
test_layers_flush_by_the_clock(void **state)
{
	struct params p = params_of((struct strategy){ STRATEGY_TIMED, 0, 0, 0 });

	(void)state;
	for (unsigned layer = 0; layer < p.layers; layer++) {
		struct pool *k = pool_with(&p, layer);

		assert_int_equal(pool_due(k), timing_next_flush(&p, layer, START_MS));
		/* the clock was set back by an hour */
		pool_rearm(k, START_MS - 3600000);
		assert_int_equal(pool_due(k), timing_next_flush(&p, layer, START_MS - 3600000));
		pool_free(k);
	}
}

static void
test_missed_rounds_are_not_made_up(void **state)
{
	struct params p = params_of((struct strategy){ STRATEGY_TIMED_POOL, 0, 0, 0 });
	struct pool *k = pool_with(&p, 1);
	int64_t late = pool_due(k) + 10 * p.round_ms + 1;
	uint32_t out[4];

	(void)state;
	add_many(k, 0, 2, START_MS);
	assert_int_equal(pool_flush(k, out, late, test_rng()), 2);
	assert_int_equal(pool_due(k), timing_next_flush(&p, 1, late));
	pool_free(k);
}

static void
test_bounded(void **state)
{
	struct params p = params_of((struct strategy){ STRATEGY_TIMED, 0, 0, 0 });
	uint32_t out[HANDLES];
	struct pool *k;

	(void)state;
	p.pool_max = 100;
	k = pool_with(&p, 0);
	add_many(k, 0, 100, START_MS);
	assert_err(pool_add(k, 100, 0, START_MS), ERR_FULL);
	assert_int_equal(pool_count(k), 100);
	assert_int_equal(pool_flush(k, out, pool_due(k), test_rng()), 100);
	assert_err_ok(pool_add(k, 100, 0, START_MS));
	pool_free(k);
}

/* The most that a flush may send: computed apart from the strategies' code. */
static size_t
allowed(const struct strategy *s, size_t held)
{
	size_t share = (size_t)((double)held * s->rate_ppm / 1e6);

	if (s->kind == STRATEGY_THRESHOLD)
		return held >= s->threshold ? s->threshold : 0;
	if (s->kind == STRATEGY_TIMED)
		return held;
	if (held <= s->pool_min)
		return 0;
	if (s->kind == STRATEGY_TIMED_POOL)
		return held - s->pool_min;
	share = share > 0 ? share : 1;
	return share < held - s->pool_min ? share : held - s->pool_min;
}

static struct strategy
random_strategy(const struct rng *r)
{
	struct strategy s = { .kind = (enum strategy_kind)rng_below(r, 4) };

	s.threshold = 1 + rng_below(r, 40);
	s.pool_min = rng_below(r, 30);
	s.rate_ppm = 1 + rng_below(r, 1000000);
	return s;
}

/* Every packet that goes in is in the pool or came out exactly once. */
static void
test_conserves(void **state)
{
	const struct rng *r = test_rng();

	(void)state;
	for (int run = 0; run < 200; run++) {
		struct strategy s = random_strategy(r);
		struct params p = params_of(s);
		struct pool *k = pool_with(&p, 0);
		bool in[HANDLES] = { false };
		uint32_t next = 0, out[HANDLES];
		int64_t now = START_MS;

		while (next < HANDLES) {
			size_t held, n;

			now += (int64_t)rng_below(r, 9000);
			for (uint32_t i = rng_below(r, 12); i > 0 && next < HANDLES; i--) {
				in[next] = true;
				assert_err_ok(pool_add(k, next++, 0, now));
			}
			held = pool_count(k);
			n = pool_flush(k, out, now, r);
			assert_true(n == 0 || n == allowed(&s, held));
			assert_int_equal(pool_count(k), held - n);
			for (size_t i = 0; i < n; i++) {
				assert_true(in[out[i]]);
				in[out[i]] = false;
			}
		}
		for (size_t i = pool_drain(k, out); i-- > 0;) {
			assert_true(in[out[i]]);
			in[out[i]] = false;
		}
		for (size_t i = 0; i < HANDLES; i++)
			assert_false(in[i]);
		pool_free(k);
	}
}

#define CELLS 8
#define TRIES 40000

/*
 * Chi-square over where each of 8 packets ends: at one of the places of the
 * batch, or kept. With 64 cells in 8 rows, 56 degrees of freedom at most: 110
 * is exceeded once in 100000 runs.
 */
static void
check_uniform(struct strategy s, size_t leaves)
{
	struct params p = params_of(s);
	size_t counts[CELLS][CELLS] = { { 0 } };
	double chi = 0, expected, kept = (double)(CELLS - leaves);

	for (int i = 0; i < TRIES; i++) {
		struct pool *k = pool_with(&p, 0);
		uint32_t out[CELLS], rest[CELLS];
		size_t n;

		add_many(k, 0, CELLS, START_MS);
		n = pool_flush(k, out, pool_due(k), test_rng());
		assert_int_equal(n, leaves);
		for (size_t at = 0; at < n; at++)
			counts[out[at]][at]++;
		for (size_t left = pool_drain(k, rest); left-- > 0;)
			counts[rest[left]][CELLS - 1] += leaves < CELLS;
		pool_free(k);
	}
	for (size_t packet = 0; packet < CELLS; packet++) {
		for (size_t at = 0; at < leaves + (leaves < CELLS); at++) {
			double d;

			expected = TRIES / (double)CELLS * (at < leaves ? 1 : kept);
			d = (double)counts[packet][at < leaves ? at : CELLS - 1] - expected;
			chi += d * d / expected;
		}
	}
	if (chi > 110)
		fail_msg("chi-square %.1f", chi);
}

static void
test_uniform_choice_and_order(void **state)
{
	(void)state;
	check_uniform((struct strategy){ STRATEGY_TIMED, 0, 0, 0 }, CELLS);
	check_uniform((struct strategy){ STRATEGY_THRESHOLD, CELLS, 0, 0 }, CELLS);
	check_uniform((struct strategy){ STRATEGY_TIMED_POOL, 0, 3, 0 }, 5);
	check_uniform((struct strategy){ STRATEGY_TIMED_DYNAMIC_POOL, 0, 2, 500000 }, 4);
}

static void
test_same_seed_same_flushes(void **state)
{
	struct params p = params_of((struct strategy){ STRATEGY_TIMED_DYNAMIC_POOL, 0, 2, 600000 });
	uint32_t out[2][HANDLES];
	size_t n[2];

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct pool *k = pool_with(&p, 2);
		struct rng_seeded r;

		rng_seeded_init(&r, 42);
		add_many(k, 0, 100, START_MS);
		n[i] = pool_flush(k, out[i], pool_due(k), &r.rng);
		pool_free(k);
	}
	assert_int_equal(n[0], 60);
	assert_int_equal(n[1], 60);
	assert_memory_equal(out[0], out[1], 60 * sizeof(out[0][0]));
}

static void
test_names(void **state)
{
	static const char *const names[] = {
		"threshold", "timed", "timed pool", "timed dynamic pool"
	};

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct params p = params_of((struct strategy){ (enum strategy_kind)i, 1, 1, 1 });
		struct pool *k = pool_with(&p, 0);

		assert_string_equal(pool_strategy_name(k), names[i]);
		pool_free(k);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_published_traces),
	cmocka_unit_test(test_dynamic_sends_one_at_least),
	cmocka_unit_test(test_threshold),
	cmocka_unit_test(test_threshold_after_drain),
	cmocka_unit_test(test_layers_flush_by_the_clock),
	cmocka_unit_test(test_missed_rounds_are_not_made_up),
	cmocka_unit_test(test_bounded),
	cmocka_unit_test(test_conserves),
	cmocka_unit_test(test_uniform_choice_and_order),
	cmocka_unit_test(test_same_seed_same_flushes),
	cmocka_unit_test(test_names),
};

TEST_MAIN(tests)

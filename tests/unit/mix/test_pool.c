#include "config.h"

#include "tests/lib/test.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "common/charter/timing.h"
#include "tests/unit/mix/pool_test.h"

#define HANDLES 400

/* Add what arrives in each round, flush at its end, and say how many left. */
static void
play(const char *strategy, const uint32_t *arrivals, const size_t *sent, size_t rounds)
{
	struct params p = params_with(strategy);
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
	static const size_t gmix[] = { 1, 1, 1, 5, 4 };
	static const size_t four_at_once[] = { 5, 0, 0, 10, 0 };
	static const size_t pool_of_four[] = { 1, 2, 0, 8, 3 };
	static const size_t timed[] = { 5, 2, 0, 8, 3 };

	(void)state;
	play("timed-dynamic-pool min=3 rate=0.6", arrivals, mixminion, 5);
	play("timed-dynamic-pool min=3 rate=0.6 rule=gmix", arrivals, gmix, 5);
	play("timed-pool min=4", arrivals, pool_of_four, 5);
	play("timed", arrivals, timed, 5);
	play("threshold-or-timed packets=100", arrivals, timed, 5);
	play("threshold-and-timed packets=4", arrivals, four_at_once, 5);
}

static void
test_dynamic_sends_one_at_least(void **state)
{
	static const uint32_t arrivals[] = { 1, 1, 1, 0 };
	static const size_t sent[] = { 0, 0, 1, 0 };

	(void)state;
	play("timed-dynamic-pool min=2 rate=0.000001", arrivals, sent, 4);
}

/* The other rule may send none. */
static void
test_gmix_sends_whole_shares(void **state)
{
	static const uint32_t arrivals[] = { 3, 1, 1, 0 };
	static const size_t sent[] = { 0, 1, 1, 0 };

	(void)state;
	play("timed-dynamic-pool min=2 rate=0.5 rule=gmix", arrivals, sent, 4);
}

static void
test_threshold(void **state)
{
	struct params p = params_with("threshold packets=10");
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
test_threshold_pool(void **state)
{
	struct params p = params_with("threshold-pool packets=10 min=5");
	struct pool *k = pool_with(&p, 0);
	uint32_t out[HANDLES];

	(void)state;
	add_many(k, 0, 14, START_MS);
	assert_int_equal(pool_due(k), POOL_NEVER);
	add_many(k, 14, 1, START_MS + 5);
	assert_int_equal(pool_due(k), START_MS + 5);
	assert_int_equal(pool_flush(k, out, START_MS + 5, test_rng()), 10);
	assert_int_equal(pool_due(k), POOL_NEVER);
	add_many(k, 15, 22, START_MS + 6); /* the flush was late */
	assert_int_equal(pool_flush(k, out, START_MS + 7, test_rng()), 10);
	assert_int_equal(pool_flush(k, out, START_MS + 7, test_rng()), 10);
	assert_int_equal(pool_due(k), POOL_NEVER);
	assert_int_equal(pool_count(k), 7);
	pool_free(k);
}

/* Full before its time, and again; the round's end stays where it is. */
static void
test_threshold_or_timed(void **state)
{
	struct params p = params_with("threshold-or-timed packets=10");
	struct pool *k = pool_with(&p, 0);
	uint32_t out[HANDLES];
	int64_t end = pool_due(k);

	(void)state;
	assert_int_equal(end, timing_next_flush(&p, 0, START_MS));
	for (uint32_t i = 0; i < 3; i++) {
		add_many(k, 12 * i, 9, START_MS);
		assert_int_equal(pool_due(k), end);
		add_many(k, 12 * i + 9, 3, START_MS + 5 + i);
		assert_int_equal(pool_due(k), START_MS + 5 + i);
		assert_int_equal(pool_flush(k, out, START_MS + 5 + i, test_rng()), 12);
		assert_int_equal(pool_due(k), end);
	}
	add_many(k, 36, 1, START_MS + 50);
	assert_int_equal(pool_flush(k, out, end, test_rng()), 1);
	assert_int_equal(pool_due(k), end + p.round_ms);
	pool_free(k);
}

static void
test_threshold_after_drain(void **state)
{
	struct params p = params_with("threshold packets=3");
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
	struct params p = params_with("timed");

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
	struct params p = params_with("timed-pool min=0");
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
	struct params p = params_with("timed");
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

/* Whether a flush may send n of `held`: computed apart from the strategies' code. */
static bool
allowed(const struct strategy *s, size_t held, size_t n, size_t ready)
{
	size_t min = s->pool_min < held ? s->pool_min : held, left = held - min;
	size_t share = (size_t)((double)held * s->rate_ppm / 1e6);

	switch (s->kind) {
	case STRATEGY_THRESHOLD:
	case STRATEGY_THRESHOLD_POOL:
		return n == s->threshold && held >= s->threshold + s->pool_min;
	case STRATEGY_TIMED:
	case STRATEGY_THRESHOLD_OR_TIMED:
		return n == held;
	case STRATEGY_THRESHOLD_AND_TIMED:
		return n == held && held >= s->threshold;
	case STRATEGY_TIMED_POOL:
		return n == left;
	case STRATEGY_TIMED_DYNAMIC_POOL:
		if (s->rule == STRATEGY_GMIX)
			return n == (size_t)((double)left * s->rate_ppm / 1e6);
		share = share > 0 ? share : 1;
		return n == (share < left ? share : left);
	case STRATEGY_BINOMIAL:
		return n <= held;
	case STRATEGY_STOP_AND_GO:
		return n == ready;
	}
	return false;
}

static struct strategy
random_strategy(const struct rng *r)
{
	struct strategy s = { .kind = (enum strategy_kind)rng_below(r, STRATEGY_KINDS) };

	s.threshold = 1 + rng_below(r, 40);
	s.pool_min = s.kind == STRATEGY_THRESHOLD ? 0 : rng_below(r, 30);
	s.rate_ppm = 1 + rng_below(r, 1000000);
	s.rule = rng_below(r, 2);
	s.mean = rng_below(r, 30);
	s.deviation = 1 + rng_below(r, 20);
	s.mean_ms = 100 + rng_below(r, 20000);
	return s;
}

/* What is known of packets apart from the pool. */
struct ledger {
	bool in[HANDLES];
	int64_t ready_ms[HANDLES];
	uint32_t next;
};

static void
some_arrive(struct ledger *l, struct pool *k, const struct strategy *s, int64_t now)
{
	for (uint32_t i = rng_below(test_rng(), 12); i > 0 && l->next < HANDLES; i--) {
		uint32_t delay = strategy_delay_max_ms(s);

		if (delay > 0)
			delay = rng_exponential_ms(test_rng(), s->mean_ms, delay);
		l->in[l->next] = true;
		l->ready_ms[l->next] = now + delay;
		assert_err_ok(pool_add(k, l->next++, delay, now));
	}
}

static void
check_flush(struct ledger *l, struct pool *k, const struct strategy *s, int64_t now)
{
	size_t held = pool_count(k), ready = 0, n;
	bool due = pool_due(k) <= now;
	uint32_t out[HANDLES];

	for (size_t i = 0; i < l->next; i++)
		ready += l->in[i] && l->ready_ms[i] <= now;
	n = pool_flush(k, out, now, test_rng());
	assert_true(due ? n == 0 || allowed(s, held, n, ready) : n == 0);
	assert_int_equal(pool_count(k), held - n);
	for (size_t i = 0; i < n; i++) {
		assert_true(l->in[out[i]]);
		assert_true(s->kind != STRATEGY_STOP_AND_GO || l->ready_ms[out[i]] <= now);
		l->in[out[i]] = false;
	}
}

/* Under a stop-and-go strategy with shorter delays. */
static void
shorten(struct ledger *l, const struct strategy *s, int64_t now)
{
	int64_t last = now + strategy_delay_max_ms(s);

	for (size_t i = 0; i < l->next && s->kind == STRATEGY_STOP_AND_GO; i++)
		l->ready_ms[i] = l->ready_ms[i] < last ? l->ready_ms[i] : last;
}

/*
 * Every packet that goes in is in the pool or came out exactly once, whatever the
 * strategy, and whatever the strategy is changed to.
 */
static void
test_conserves(void **state)
{
	const struct rng *r = test_rng();
	struct params p = params_with("timed");

	(void)state;
	for (int run = 0; run < 600; run++) {
		struct ledger l = { .next = 0 };
		int64_t now = START_MS;
		uint32_t out[HANDLES];
		struct pool *k;

		p.strategy[0] = random_strategy(r);
		k = pool_with(&p, 0);
		while (l.next < HANDLES) {
			now += (int64_t)rng_below(r, 9000);
			some_arrive(&l, k, &p.strategy[0], now);
			check_flush(&l, k, &p.strategy[0], now);
			if (run % 2 == 0 || rng_below(r, 20) > 0)
				continue;
			p.strategy[0] = random_strategy(r);
			pool_change(k, &p, 0, now);
			shorten(&l, &p.strategy[0], now);
		}
		for (size_t i = pool_drain(k, out); i-- > 0;) {
			assert_true(l.in[out[i]]);
			l.in[out[i]] = false;
		}
		for (size_t i = 0; i < HANDLES; i++)
			assert_false(l.in[i]);
		pool_free(k);
	}
}

#define CELLS 8
#define TRIES 40000

/*
 * Chi-square over where each of 8 packets ends: at one of the places of the
 * batch, or kept. With 64 cells in 8 rows, 56 degrees of freedom at most: 150
 * is exceeded less than once in 10^9 runs.
 */
static void
check_uniform(const char *strategy, size_t leaves)
{
	struct params p = params_with(strategy);
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
	if (chi > 150)
		fail_msg("chi-square %.1f", chi);
}

static void
test_uniform_choice_and_order(void **state)
{
	(void)state;
	check_uniform("timed", CELLS);
	check_uniform("threshold packets=8", CELLS);
	check_uniform("threshold-or-timed packets=9", CELLS);
	check_uniform("threshold-and-timed packets=8", CELLS);
	check_uniform("threshold-pool packets=5 min=3", 5);
	check_uniform("binomial rate=1 mean=0 deviation=1", CELLS);
	check_uniform("stop-and-go mean=1s", CELLS);
	check_uniform("timed-dynamic-pool min=2 rate=0.5 rule=gmix", 3);
	check_uniform("timed-pool min=3", 5);
	check_uniform("timed-dynamic-pool min=2 rate=0.5", 4);
}

static void
test_same_seed_same_flushes(void **state)
{
	struct params p = params_with("timed-dynamic-pool min=2 rate=0.6");
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
	static const char *const texts[][2] = {
		{ "threshold packets=1", "threshold" }, { "timed", "timed" },
		{ "threshold-or-timed packets=1", "threshold or timed" },
		{ "threshold-and-timed packets=1", "threshold and timed" },
		{ "threshold-pool packets=1 min=1", "threshold pool" },
		{ "timed-pool min=1", "timed pool" },
		{ "timed-dynamic-pool min=1 rate=0.5", "timed dynamic pool" },
		{ "binomial rate=1 mean=1 deviation=1", "binomial" },
		{ "stop-and-go mean=1s", "stop-and-go" },
	};

	(void)state;
	for (size_t i = 0; i < STRATEGY_KINDS; i++) {
		struct params p = params_with(texts[i][0]);
		struct pool *k = pool_with(&p, 0);

		assert_string_equal(pool_strategy_name(k), texts[i][1]);
		pool_free(k);
	}
}

/* ---- another strategy for a pool that is filled ---- */

static void
test_change_keeps_packets(void **state)
{
	struct params before = params_with("timed-pool min=20");
	struct params after = params_with("threshold packets=10");
	struct pool *k = pool_with(&before, 0);
	uint32_t out[HANDLES];

	(void)state;
	add_many(k, 0, 15, START_MS);
	after.pool_max = 100;
	pool_change(k, &after, 1, START_MS + 7);
	assert_string_equal(pool_strategy_name(k), "threshold");
	assert_int_equal(pool_due(k), START_MS + 7); /* full enough already */
	assert_int_equal(pool_flush(k, out, START_MS + 7, test_rng()), 10);
	assert_int_equal(pool_count(k), 5);
	add_many(k, 20, 95, START_MS + 8);
	assert_err(pool_add(k, 200, 0, START_MS + 8), ERR_FULL);
	pool_change(k, &before, 0, START_MS + 9);
	assert_int_equal(pool_due(k), timing_next_flush(&before, 0, START_MS + 9));
	assert_int_equal(pool_flush(k, out, pool_due(k), test_rng()), 80);
	pool_free(k);
}

static void
test_change_keeps_ready_times(void **state)
{
	struct params own = params_with("stop-and-go mean=10s"), timed = params_with("timed");
	int64_t start = START_MS - START_MS % STRATEGY_TICK_MS;
	struct pool *k = pool_with(&own, 0);
	uint32_t out[4];

	(void)state;
	assert_err_ok(pool_add(k, 0, 9000, start));
	assert_err_ok(pool_add(k, 1, 5000, start));
	assert_err_ok(pool_add(k, 2, 1000, start));
	pool_change(k, &timed, 0, start + 10);
	assert_int_equal(pool_due(k), timing_next_flush(&timed, 0, start + 10));
	pool_change(k, &own, 0, start + 20);
	assert_int_equal(pool_due(k), start + 1000);
	assert_int_equal(pool_flush(k, out, start + 1000, test_rng()), 1);
	assert_int_equal(out[0], 2);
	assert_int_equal(pool_due(k), start + 5000);
	pool_change(k, &timed, 0, start + 5001); /* the flush was late */
	pool_change(k, &own, 0, start + 5001);
	assert_int_equal(pool_due(k), start + 5100); /* at the next tick, and not before */
	assert_int_equal(pool_flush(k, out, start + 5100, test_rng()), 1);
	pool_change(k, &timed, 0, start + 5200);
	assert_int_equal(pool_flush(k, out, pool_due(k), test_rng()), 1);
	pool_free(k);
}

/* ---- packets that are only counted ---- */

static void
test_which_count(void **state)
{
	struct params p = params_with("timed");

	(void)state;
	for (unsigned i = 0; i < STRATEGY_KINDS; i++) {
		enum strategy_kind kind = (enum strategy_kind)i;
		struct pool *k;

		p.strategy[0] = random_strategy(test_rng());
		p.strategy[0].kind = kind;
		k = pool_with(&p, 0);
		assert_int_equal(pool_counts(k),
		    kind == STRATEGY_TIMED || kind == STRATEGY_TIMED_POOL ||
		    kind == STRATEGY_TIMED_DYNAMIC_POOL ||
		    kind == STRATEGY_THRESHOLD_AND_TIMED || kind == STRATEGY_BINOMIAL);
		pool_free(k);
	}
}

/* What is said to leave of so many is what a flush takes of a pool that holds them. */
static void
test_counted_as_flushed(void **state)
{
	const struct rng *r = test_rng();
	struct params p = params_with("timed");
	uint32_t out[HANDLES];
	unsigned checked = 0;

	(void)state;
	for (unsigned run = 0; run < 5000; run++) {
		struct pool *k;
		uint32_t held = rng_below(r, rng_below(r, 2) ? 50 : HANDLES);
		size_t leaving;

		p.strategy[0] = random_strategy(r);
		k = pool_with(&p, 0);
		if (pool_counts(k) && p.strategy[0].kind != STRATEGY_BINOMIAL) {
			leaving = pool_leaving(k, held, r); /* of a pool that is empty itself */
			add_many(k, 0, held, START_MS);
			assert_int_equal(pool_leaving(k, held, r), leaving);
			assert_int_equal(pool_count(k), held);
			assert_int_equal(pool_flush(k, out, pool_due(k), r), leaving);
			assert_true(leaving == 0 || allowed(&p.strategy[0], held, leaving, 0));
			checked++;
		}
		pool_free(k);
	}
	assert_true(checked > 1000);
}

/* Each of `held` by itself: mean and variance of the number are the binomial law's. */
static void
test_binomial_counts(void **state)
{
	enum { DRAWS = 4000 };
	struct params p = params_with("binomial rate=1 mean=0 deviation=1");

	(void)state;
	for (unsigned run = 0; run < 20; run++) {
		uint32_t held = 20 + rng_below(test_rng(), 180);
		struct pool *k;
		double chance, variance, fourth, sum = 0, squares = 0;

		p.strategy[0].mean = rng_below(test_rng(), 2 * held);
		p.strategy[0].deviation = 1 + rng_below(test_rng(), held);
		p.strategy[0].rate_ppm = 1 + rng_below(test_rng(), 1000000);
		k = pool_with(&p, 0);
		chance = p.strategy[0].rate_ppm / 1e6 / 2 * erfc((p.strategy[0].mean -
		    (double)held) / p.strategy[0].deviation / sqrt(2));
		variance = held * chance * (1 - chance);
		for (unsigned i = 0; i < DRAWS; i++) {
			size_t n = pool_leaving(k, held, test_rng());
			double off = (double)n - held * chance;

			assert_true(n <= held);
			sum += off;
			squares += off * off;
		}
		pool_free(k);
		/* the chance itself is right to 2^-27 */
		assert_true(fabs(sum / DRAWS) < 6 * sqrt(variance / DRAWS) + held * 0x1p-26);
		if (variance < 1)
			continue;
		fourth = variance * (1 + 3 * (held - 2) * chance * (1 - chance));
		assert_true(fabs(squares / DRAWS - variance) <
		    6 * sqrt((fourth - variance * variance) / DRAWS));
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_published_traces),
	cmocka_unit_test(test_dynamic_sends_one_at_least),
	cmocka_unit_test(test_gmix_sends_whole_shares),
	cmocka_unit_test(test_threshold),
	cmocka_unit_test(test_threshold_pool),
	cmocka_unit_test(test_threshold_or_timed),
	cmocka_unit_test(test_threshold_after_drain),
	cmocka_unit_test(test_layers_flush_by_the_clock),
	cmocka_unit_test(test_missed_rounds_are_not_made_up),
	cmocka_unit_test(test_bounded),
	cmocka_unit_test(test_conserves),
	cmocka_unit_test(test_uniform_choice_and_order),
	cmocka_unit_test(test_same_seed_same_flushes),
	cmocka_unit_test(test_names),
	cmocka_unit_test(test_change_keeps_packets),
	cmocka_unit_test(test_change_keeps_ready_times),
	cmocka_unit_test(test_which_count),
	cmocka_unit_test(test_counted_as_flushed),
	cmocka_unit_test(test_binomial_counts),
};

TEST_MAIN(tests)

#include "config.h"

#include "tests/lib/test.h"

#include <math.h>

#include "tests/unit/mix/pool_test.h"

/*
 * The published anonymity of the strategies, from the real pool: sender entropy by the
 * exact recursion over what arrived and what left (Serjantov and Danezis 2002, Serjantov
 * and Newman 2003, Diaz and Serjantov 2003, Danezis 2004).
 */

#define ROUND_MS 10000.0

/* ---- one trace, by hand ---- */

static double
plogp(double p)
{
	return p > 0 ? -p * log2(p) : 0;
}

/* Each message that leaves in a round has entropy h. */
static void
check_trace(const char *strategy, uint32_t own, const size_t *sent, const double *h)
{
	static const uint32_t arrivals[] = { 5, 2, 0, 8, 3 };
	struct params p = params_with(strategy);
	struct pool *k = pool_with(&p, 0);
	double entropy = own > 0 ? log2(own) : 0;
	uint32_t out[64], next = own;

	add_many(k, 0, own, START_MS); /* distinct dummies of the mix's own */
	for (size_t i = 0; i < 5; i++) {
		double a = arrivals[i], r = (double)pool_count(k), t = r + a;
		int64_t due = pool_due(k);

		add_many(k, next, arrivals[i], due - 1);
		next += arrivals[i];
		if (a > 0)
			entropy = plogp(r / t) + plogp(a / t) + a / t * log2(a) + r / t * entropy;
		assert_int_equal(pool_flush(k, out, due - 1, test_rng()), 0);
		assert_int_equal(pool_flush(k, out, due, test_rng()), sent[i]);
		if (fabs(entropy - h[i]) > 1e-6)
			fail_msg("%s, round %zu: %.6f, not %.6f", strategy, i, entropy, h[i]);
	}
	pool_free(k);
}

static void
test_traces(void **state)
{
	(void)state;
	check_trace("timed-dynamic-pool min=3 rate=0.6", 0, (size_t[]){ 2, 2, 0, 6, 4 },
	    (double[]){ 2.321928, 2.764107, 2.764107, 3.781017, 3.911930 });
	check_trace("timed-dynamic-pool min=3 rate=0.6 rule=gmix", 0, (size_t[]){ 1, 1, 1, 5, 4 },
	    (double[]){ 2.321928, 2.799581, 2.799581, 3.851490, 4.052822 });
	check_trace("timed-pool min=4", 4, (size_t[]){ 5, 2, 0, 8, 3 },
	    (double[]){ 3.169925, 3.364913, 3.364913, 4.039933, 3.973031 });
}

/* ---- long runs ---- */

/*
 * Means over many rounds of Poisson traffic. The tolerances are more than four
 * deviations of these means, as 60 seeds gave them (of what a pool keeps, six), and a
 * tenth of what tells the two dynamic rules apart.
 */
struct published {
	const char *strategy;
	uint32_t people; /* two arrivals in a round from each */
	double entropy;
	double extra; /* rounds that packets stay beyond their own; <0: not given */
	double kept;  /* packets after a flush; <0: not given */
};

static void
check_published(const struct published *p)
{
	struct yield y = run_feed(&(struct feed){ p->strategy, p->people, ARRIVE_POISSON,
	    200000 });
	double extra = y.delay_ms / ROUND_MS - 0.5; /* half of its own round on average */

	if (fabs(y.entropy - p->entropy) > 0.03)
		fail_msg("%s: entropy %.4f, not %.3f", p->strategy, y.entropy, p->entropy);
	if (p->extra >= 0 && fabs(extra - p->extra) > 0.02 + 0.02 * p->extra)
		fail_msg("%s: extra delay %.4f, not %.3f", p->strategy, extra, p->extra);
	if (p->kept >= 0 && fabs(y.kept - p->kept) > 0.02 * p->kept)
		fail_msg("%s: keeps %.2f, not %.1f", p->strategy, y.kept, p->kept);
}

static void
test_published_means(void **state)
{
	static const struct published all[] = {
		{ "timed-pool min=10", 5, 5.358, 1, 10 },
		{ "timed-pool min=20", 5, 6.101, 2, 20 },
		{ "timed-pool min=25", 25, 7.031, 0.5, 25 },
		{ "timed-pool min=10", 10, 5.723, 0.5, 10 },
		{ "timed", 1, 1.410953, 0, 0 }, { "timed", 5, 3.395421, 0, 0 },
		{ "timed", 50, 6.651082, 0, 0 },
		{ "timed-dynamic-pool min=45 rate=0.65", 10, 7.227, 2.25, -1 },
		{ "timed-dynamic-pool min=45 rate=0.65", 50, 8.096, 0.546, -1 },
		{ "timed-dynamic-pool min=5 rate=0.6", 25, 7.287, 0.681, -1 },
		{ "timed-dynamic-pool min=45 rate=0.65 rule=gmix", 10, 7.501, 2.825, -1 },
		{ "timed-dynamic-pool min=45 rate=0.65 rule=gmix", 50, 8.644, 0.996, -1 },
		{ "timed-dynamic-pool min=5 rate=0.6 rule=gmix", 25, 7.410, 0.780, -1 },
		{ "binomial rate=0.8 mean=100 deviation=40", 25, 7.791, 1.152, 57.6 },
		{ "binomial rate=0.8 mean=100 deviation=40", 50, 7.936, 0.448, 44.8 },
		{ "binomial rate=0.8 mean=100 deviation=40", 10, 7.570, 2.993, 59.9 },
		{ "threshold packets=100", 50, 6.643856, -1, -1 },
		{ "threshold-pool packets=100 min=10", 50, 7.127303, -1, -1 },
		{ "threshold-pool packets=100 min=50", 50, 8.021300, -1, -1 },
		{ "threshold-pool packets=20 min=20", 50, 6.321928, -1, -1 },
		{ "threshold-pool packets=10 min=90", 50, 8.011884, -1, -1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		check_published(&all[i]);
}

/*
 * Stop-and-go mixing, the adversary knowing when packets came and left: the mean delay is
 * `mean`, so large here that the ticks do not count, and people * 2 / 10 s come.
 */
static void
test_published_means_of_stop_and_go(void **state)
{
	static const struct published all[] = {
		{ "stop-and-go mean=10s", 1, 2.410, -1, -1 },  /* rho 2 */
		{ "stop-and-go mean=25s", 1, 3.754, -1, -1 },  /* 5 */
		{ "stop-and-go mean=50s", 1, 4.765, -1, -1 },  /* 10 */
		{ "stop-and-go mean=250s", 1, 7.088, -1, -1 }, /* 50 */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		check_published(&all[i]);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_traces),
	cmocka_unit_test(test_published_means),
	cmocka_unit_test(test_published_means_of_stop_and_go),
};

TEST_MAIN(tests)

#include "config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "evaluation/score.h"
#include "evaluation/tally.h"
#include "tests/lib/test.h"

#define assert_near(value, wanted, by) assert_true(fabs((value) - (wanted)) <= (by))

/*
 * A batch of n packets of `persons` people in turn; the first exit is the target, and
 * in truth the packet that came at `position`.
 */
static void
score_one(struct score *out, uint32_t n, uint32_t persons, uint32_t position, bool messages,
    bool users)
{
	struct score_target target = { .exit = 0, .person = position % persons,
		.position = position };
	struct scorer *s;
	struct view *v;
	view_origin batch;

	assert_err_ok(view_new(&v, 1, persons));
	for (uint32_t i = 0; i < n; i++)
		assert_err_ok(view_arrived(v, 0, VIEW_PERSONS + i % persons, i + 1));
	assert_err_ok(view_left(v, &batch, 0, n, n));
	for (uint32_t i = 0; i < n; i++) {
		uint32_t exit;

		assert_err_ok(view_exited(v, &exit, batch));
	}
	assert_err_ok(scorer_new(&s, persons, messages, users));
	assert_err_ok(scorer_run(s, out, v, &target, 1));
	scorer_free(s);
	view_free(v);
}

static void
score_batch(struct score *out, uint32_t n, uint32_t persons, bool messages, bool users)
{
	score_one(out, n, persons, 0, messages, users);
}

/* 100 packets of 50 people: log2 100 and log2 50 bits, a half of all to be guessed. */
static void
test_uniform_batch(void **state)
{
	struct score s;

	(void)state;
	score_batch(&s, 100, 50, true, true);
	assert_near(s.lost, 0, 1e-12);
	assert_near(s.message.entropy, log2(100), 1e-9);
	assert_near(s.message.min_entropy, log2(100), 1e-9);
	assert_near(s.message.guessing, 50.5, 1e-9);
	assert_near(s.message.effective, 100, 1e-6);
	assert_near(s.message.truth, 0.01, 1e-12);
	assert_near(s.message.greatest, 0.01, 1e-12);
	assert_near(s.message.rank, 50.5, 0);
	assert_near(s.user.entropy, log2(50), 1e-9);
	assert_near(s.user.guessing, 25.5, 1e-9);
	assert_near(s.user.truth, 0.02, 1e-12);
	assert_near(s.user.rank, 25.5, 1e-9);
}

/* All packets of a batch are alike, whichever was the true one, and be 1 / n a power of 2. */
static void
test_ranks_of_alike(void **state)
{
	static const uint32_t sizes[] = { 2, 3, 64, 100, 128, 1024 };

	(void)state;
	for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
		uint32_t n = sizes[k];

		for (uint32_t position = 0; position < n; position++) {
			struct score s;

			score_one(&s, n, 2, position, true, false);
			assert_near(s.message.rank, (n + 1) / 2.0, 0);
			assert_near(s.message.guessing, (n + 1) / 2.0, 1e-9 * n);
			position += n > 128 ? rng_below(test_rng(), 16) : 0;
		}
	}
}

static void
test_levels(void **state)
{
	struct score s;

	(void)state;
	score_batch(&s, 20, 10, false, true);
	assert_near(s.user.entropy, log2(10), 1e-9);
	assert_near(s.message.entropy, 0, 0);
	score_batch(&s, 20, 10, true, false);
	assert_near(s.message.entropy, log2(20), 1e-9);
	assert_near(s.user.entropy, 0, 0);
	score_batch(&s, 1, 2, true, true);
	assert_near(s.message.entropy, 0, 0);
	assert_near(s.user.entropy, 0, 0);
	assert_near(s.user.guessing, 1, 0);
	assert_near(s.message.rank, 1, 0);
}

static int
ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/*
 * Random arrivals and departures of one pool: entropy, guesses and truth among packets
 * are those of the posterior that the counts give, sorted and summed up by hand.
 */
static void
test_against_sorting(void **state)
{
	enum { N = 400 };
	double left[N], p[N], mass = 1, entropy = 0, guessing = 0, truth;
	struct score_target target = { .exit = 0 };
	uint32_t held = 0, helds[2 * N], kinds[2 * N], steps = 0, arrivals = 0, rounds = 0;
	struct scorer *s;
	struct score score;
	struct view *v;
	view_origin batch = 0;
	size_t n = 0, position = 0;

	(void)state;
	assert_err_ok(view_new(&v, 1, N));
	for (; arrivals < N; steps++) {
		bool leave = held > 3 && rng_below(test_rng(), 5) == 0;
		uint32_t few = leave ? 1 + rng_below(test_rng(), held / 2) : 0;

		if (leave) {
			assert_err_ok(view_left(v, &batch, 0, few, held));
			rounds++;
		} else {
			assert_err_ok(view_arrived(v, 0, VIEW_PERSONS + arrivals++, held + 1));
		}
		kinds[steps] = leave;
		helds[steps] = leave ? held : ++held;
		held -= few;
	}
	assert_true(rounds > 0);
	assert_err_ok(view_left(v, &batch, 0, 1, held));
	{
		uint32_t exit;

		assert_err_ok(view_exited(v, &exit, batch));
	}
	for (size_t i = steps; i > 0; i--)
		if (kinds[i - 1] == 0) {
			left[n++] = mass / helds[i - 1];
			mass -= mass / helds[i - 1];
		}
	truth = left[n / 2];
	for (size_t i = 0, k = 0; i < steps; i++)
		if (kinds[i] == 0 && k++ == n - 1 - n / 2)
			position = i;
	target.person = (uint32_t)(n - 1 - n / 2);
	target.position = position;
	memcpy(p, left, sizeof(p));
	qsort(p, n, sizeof(p[0]), ascending);
	for (size_t i = 0; i < n; i++)
		if (p[n - 1 - i] > 0) {
			entropy -= p[n - 1 - i] * log2(p[n - 1 - i]);
			guessing += (double)(i + 1) * p[n - 1 - i];
		}
	assert_err_ok(scorer_new(&s, N, true, true));
	assert_err_ok(scorer_run(s, &score, v, &target, 1));
	assert_near(score.message.entropy, entropy, 1e-9);
	assert_near(score.message.guessing, guessing, 0.005 * guessing + 0.01);
	assert_near(score.message.truth, truth, 1e-12);
	assert_near(score.user.truth, truth, 1e-12);
	assert_near(score.user.guessing, guessing, 1e-9 * guessing);
	scorer_free(s);
	view_free(v);
}

/* With a million people a pass takes fewer targets, and at least one. */
static void
test_room(void **state)
{
	struct scorer *s;

	(void)state;
	assert_err_ok(scorer_new(&s, 100, true, true));
	assert_int_equal(scorer_targets(s), VIEW_TARGETS);
	scorer_free(s);
	assert_err_ok(scorer_new(&s, 1000000, false, true));
	assert_int_equal(scorer_targets(s), 8);
	scorer_free(s);
}

/* ---- tallies ---- */

static void
test_tally_against_sorting(void **state)
{
	enum { N = 20000 };
	static double values[N];
	struct tally t;
	struct summary wanted, got;

	(void)state;
	assert_err_ok(tally_init(&t));
	assert_err(tally_summary(&got, &t), ERR_RANGE);
	for (size_t i = 0; i < N; i++) {
		int64_t v = rng_exponential_long(test_rng(), 40000);

		values[i] = (double)v;
		tally_add(&t, v);
	}
	assert_err_ok(summary_of(&wanted, values, N));
	assert_err_ok(tally_summary(&got, &t));
	assert_int_equal(got.n, N);
	assert_near(got.mean, wanted.mean, 1e-6 * wanted.mean);
	assert_near(got.least, wanted.least, 0);
	assert_near(got.greatest, wanted.greatest, 0);
	assert_near(got.p1, wanted.p1, 0.001 * wanted.p1);
	assert_near(got.p25, wanted.p25, 0.001 * wanted.p25);
	assert_near(got.p50, wanted.p50, 0.001 * wanted.p50);
	assert_near(got.p99, wanted.p99, 0.001 * wanted.p99);
	assert_true(got.has_interval && got.low < got.mean && got.mean < got.high);
	/* standard error: 40000 / sqrt N */
	assert_near(got.high - got.low, 4 * 40000 / sqrt(N), 0.5 * 4 * 40000 / sqrt(N));
	tally_release(&t);
}

static void
test_tally_extremes(void **state)
{
	struct tally t;
	struct summary s;

	(void)state;
	assert_err_ok(tally_init(&t));
	tally_add(&t, 0);
	assert_err_ok(tally_summary(&s, &t));
	assert_false(s.has_interval);
	assert_near(s.p50, 0, 0);
	tally_add(&t, INT64_MAX);
	assert_near(tally_percentile(&t, 1), (double)INT64_MAX, 0);
	for (int64_t v = 4000; v < 4200; v++)
		tally_add(&t, v);
	assert_near(tally_percentile(&t, 0.5), 4099, 0.6);
	tally_release(&t);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_uniform_batch),
	cmocka_unit_test(test_ranks_of_alike),
	cmocka_unit_test(test_levels),
	cmocka_unit_test(test_against_sorting),
	cmocka_unit_test(test_room),
	cmocka_unit_test(test_tally_against_sorting),
	cmocka_unit_test(test_tally_extremes),
};
TEST_MAIN(tests)

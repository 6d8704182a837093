#include "config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "evaluation/closed.h"
#include "evaluation/metrics.h"
#include "evaluation/reference.h"
#include "evaluation/verify.h"
#include "evaluation/verify_parts.h"
#include "tests/lib/test.h"

#define SEED 1

struct count {
	size_t ok, failed;
	bool tell;
};

static void
count_line(void *arg, const struct verify_line *l)
{
	struct count *n = arg;

	n->ok += l->ok ? 1 : 0;
	n->failed += l->ok ? 0 : 1;
	if (!l->ok && n->tell)
		print_message("%s: %f, not %f +- %f\n", l->c->name, l->value, l->v->reference,
		    l->tolerance);
}

static struct count
run(const struct verify_case *c, bool tell)
{
	struct count n = { .tell = tell };

	verify_one(c, SEED, count_line, &n);
	return n;
}

static const struct verify_case *
find(const char *name)
{
	for (size_t i = 0; i < verify_table_count; i++)
		if (strcmp(verify_table[i].name, name) == 0)
			return &verify_table[i];
	fail_msg("no case %s", name);
	return NULL;
}

static size_t
values_of(const struct verify_case *c)
{
	size_t n = 0;

	while (n < VERIFY_VALUES && c->values[n].quantity != VERIFY_NONE)
		n++;
	return n;
}

/* ---- the table ---- */

static void
test_the_table_is_whole(void **state)
{
	(void)state;
	for (size_t i = 0; i < verify_table_count; i++) {
		const struct verify_case *c = &verify_table[i];

		assert_non_null(c->run);
		assert_true(c->name[0] != '\0' && c->source[0] != '\0' && values_of(c) > 0);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(c->name, verify_table[j].name);
		for (size_t j = 0; j < values_of(c); j++) {
			const struct verify_value *v = &c->values[j];

			assert_true(v->index < VERIFY_INDEXES && isfinite(v->reference));
			assert_true(v->most == 0 || v->most > v->tolerance);
			/* a tolerance that lets anything pass would be none */
			assert_true(v->tolerance < 0.2 * fabs(v->reference) + 0.15);
		}
	}
}

static void
test_names_match_by_words(void **state)
{
	const struct verify_case c = { .name = "2.10 two mixes" };

	(void)state;
	assert_true(verify_matches(&c, "2.10") && verify_matches(&c, "2.10 two"));
	assert_true(verify_matches(&c, "2.") && verify_matches(&c, ""));
	assert_false(verify_matches(&c, "2.1"));
	assert_false(verify_matches(&c, "2.10 two mixes more"));
}

/* The quick half, as it is. */
static void
test_quick_cases_hold(void **state)
{
	size_t cases = 0;

	(void)state;
	for (size_t i = 0; i < verify_table_count; i++) {
		if (verify_table[i].slow)
			continue;
		assert_int_equal(run(&verify_table[i], true).failed, 0);
		cases++;
	}
	assert_true(cases > 100);
}

/* ---- what is wrong is found ---- */

/* Every reference of a case, moved by more than its tolerance can be, fails. */
static void
assert_moved_references_fail(const char *name)
{
	struct verify_case c = *find(name);
	size_t n = values_of(&c);

	for (size_t i = 0; i < n; i++) {
		struct verify_value *v = &c.values[i];

		v->reference += v->most > 0 ? 2 * v->most : 3 * v->tolerance + 1e-5;
	}
	assert_int_equal(run(&c, false).ok, 0);
}

static void
test_wrong_references_fail(void **state)
{
	(void)state;
	assert_moved_references_fail("1.3 half and 100 alike");
	assert_moved_references_fail("2.1 recursion, binomial");
	assert_moved_references_fail("2.2 threshold pool 100/50");
	assert_moved_references_fail("2.3 timed pool 10/10");
	assert_moved_references_fail("2.4 gMix, given arrivals");
	assert_moved_references_fail("2.5 binomial, 20 a round");
	assert_moved_references_fail("2.6 threshold 64, 16 users");
	assert_moved_references_fail("2.7 stop-and-go, rho 10");
	assert_moved_references_fail("2.8 3 mixes a layer, 200/s, 0.1 s");
	assert_moved_references_fail("2.9 mu 1");
	assert_moved_references_fail("2.10 two mixes of 64");
	assert_moved_references_fail("2.13 1 after the start");
	assert_moved_references_fail("2.14 10 of 100 corrupt, 2 layers");
}

/* A case run with another setup than its references are of. */
static void
assert_setup_fails(const char *name, const char *strategy, double load)
{
	struct verify_case c = *find(name);

	if (strategy != NULL)
		c.setup.strategy = strategy;
	c.setup.load *= load;
	assert_true(run(&c, false).failed > 0);
}

static void
test_wrong_strategies_fail(void **state)
{
	(void)state;
	assert_setup_fails("2.2 threshold pool 100/50", "threshold-pool packets=100 min=51", 1);
	assert_setup_fails("2.3 timed pool 10/10", "timed-pool min=11", 1);
	assert_setup_fails("2.3 timed pool, given arrivals", "timed-pool min=3", 1);
	assert_setup_fails("2.4 Mixminion, given arrivals",
	    "timed-dynamic-pool min=3 rate=0.6 rule=gmix", 1);
	assert_setup_fails("2.4 gMix, given arrivals", "timed-dynamic-pool min=3 rate=0.6", 1);
	assert_setup_fails("2.4 Mixminion 5/45/0.65", "timed-dynamic-pool min=40 rate=0.65", 1);
	assert_setup_fails("2.5 binomial, 20 a round", "binomial rate=0.7 mean=100 deviation=40", 1);
	assert_setup_fails("2.6 threshold 64, 16 users", "threshold packets=60", 1);
	assert_setup_fails("2.7 stop-and-go, rho 10", NULL, 1.1);
	assert_setup_fails("2.7 stop-and-go, rho 10", "stop-and-go mean=66min", 1);
	assert_setup_fails("2.8 3 mixes a layer, 200/s, 0.1 s", "stop-and-go mean=50min", 1);
	assert_setup_fails("2.10 two mixes of 64", "threshold packets=63", 1);
}

/* Nothing can be told from few samples: that is no success. */
static void
test_too_few_samples_fail(void **state)
{
	struct verify_case c = *find("2.3 timed pool 10/10");

	(void)state;
	c.setup.samples = 64;
	assert_int_equal(run(&c, false).ok, 0);
	c.setup.strategy = "timed-pool";
	assert_int_equal(run(&c, false).ok, 0); /* it cannot be run at all */
}

static enum err
run_with(struct verify_outcome *out, const char *name, const char *strategy, double load)
{
	struct verify_case c = *find(name);

	memset(out, 0, sizeof(*out));
	c.setup.strategy = strategy;
	c.setup.load = load;
	return c.run(out, &c.setup, SEED);
}

/* Where no batch leaves while one is waited for, there is no entropy of one. */
static void
test_no_batch_is_told(void **state)
{
	struct verify_outcome out;

	(void)state;
	assert_err(run_with(&out, "2.2 threshold pool 100/50", "threshold-pool packets=100 min=50",
	    5), ERR_RANGE);
	assert_err(run_with(&out, "2.3 timed pool 10/10, 200 000 rounds", "timed-pool min=10000",
	    0.001), ERR_RANGE);
	assert_err_ok(run_with(&out, "2.3 timed pool, given arrivals", "timed-pool min=1000", 4));
	assert_true(out.of[VERIFY_SENT][0].known);
	for (unsigned i = 0; i < VERIFY_INDEXES; i++)
		assert_false(out.of[VERIFY_ENTROPY][i].known);
}

/* ---- what it is computed with ---- */

static void
test_entropy_alone_is_that_of_the_metrics(void **state)
{
	double w[500], h;
	struct metrics m;

	(void)state;
	for (size_t i = 0; i < 500; i++)
		w[i] = i % 3 == 0 ? 0 : rng_unit(test_rng());
	assert_err_ok(metrics_of(&m, w, 500, 500));
	assert_err_ok(metrics_shannon(&h, w, 500));
	assert_true(fabs(h - m.shannon) < 1e-9);
	memset(w, 0, sizeof(w));
	assert_int_equal(metrics_shannon(&h, w, 500), ERR_RANGE);
	w[3] = 2;
	assert_err_ok(metrics_shannon(&h, w, 500));
	assert_true(h == 0);
	w[4] = -1;
	assert_int_equal(metrics_shannon(&h, w, 500), ERR_RANGE);
}

/* Packet by packet, and summed up where a person has several, without being told which. */
static void
assert_entropies_are_those_of_the_metrics(uint32_t persons, enum reference_input input)
{
	const struct reference_config cfg = { .strategy = "timed-pool min=20", .layers = 2,
		.width = 2, .input = input, .interval_ms = REFERENCE_ROUND_MS / 20.0,
		.persons = persons, .seed = SEED };
	struct metrics m[100];
	struct reference *r;
	size_t exits[100], n;
	double h[100];

	assert_err_ok(reference_new(&r, &cfg));
	assert_err_ok(reference_run(r, 60 * (int64_t)REFERENCE_ROUND_MS));
	(void)reference_exits(r, &n);
	assert_true(n > 500);
	for (size_t i = 0; i < 100; i++)
		exits[i] = n - 300 + 3 * i;
	assert_err_ok(reference_entropy(r, h, exits, 100));
	assert_err_ok(reference_metrics(r, m, exits, 100));
	for (size_t i = 0; i < 100; i++)
		assert_true(m[i].shannon > 2 && fabs(h[i] - m[i].shannon) < 1e-9);
	reference_free(r);
}

static void
test_entropies_are_those_of_the_metrics(void **state)
{
	(void)state;
	assert_entropies_are_those_of_the_metrics(3000, REFERENCE_POISSON); /* one packet each */
	assert_entropies_are_those_of_the_metrics(25, REFERENCE_POISSON);
	assert_entropies_are_those_of_the_metrics(200, REFERENCE_OWN);
}

/* The recursion over sums is the entropy of the weights themselves. */
static void
test_isolated_is_that_of_its_weights(void **state)
{
	struct closed_isolated sums = { 0, 0 };
	double ages[200], w[200], h;

	(void)state;
	for (size_t n = 0; n < 200; n++) {
		double wait = rng_unit(test_rng()) / 20;

		for (size_t i = 0; i < n; i++)
			ages[i] += wait;
		ages[n] = 0;
		closed_isolated_wait(&sums, wait);
		closed_isolated_arrival(&sums);
	}
	for (size_t i = 0; i < 200; i++)
		w[i] = exp(-ages[i]);
	assert_err_ok(metrics_shannon(&h, w, 200));
	assert_true(fabs(h - closed_isolated(&sums)) < 1e-9);
	assert_true(fabs(closed_epoch(50, 40) - closed_exponential(50)) < 1e-9);
	assert_true(fabs(closed_epoch(50, INFINITY) - closed_exponential(50)) < 1e-12);
}

/* A posterior that reaches back before what is known is no result. */
static void
test_a_short_memory_is_told(void **state)
{
	const struct reference_config cfg = { .strategy = "timed-pool min=50", .layers = 1,
		.width = 1, .input = REFERENCE_EVEN, .interval_ms = REFERENCE_ROUND_MS / 10.0,
		.persons = 5000, .seed = SEED };
	struct reference *r;
	size_t n, exit = 0;
	double h;

	(void)state;
	assert_err_ok(reference_new(&r, &cfg));
	assert_err_ok(reference_run(r, 100 * (int64_t)REFERENCE_ROUND_MS));
	reference_forget(r);
	assert_err_ok(reference_run(r, 3 * (int64_t)REFERENCE_ROUND_MS));
	(void)reference_exits(r, &n);
	assert_true(n > 0);
	assert_int_equal(reference_entropy(r, &h, &exit, 1), ERR_RANGE);
	reference_free(r);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_the_table_is_whole),
	cmocka_unit_test(test_names_match_by_words),
	cmocka_unit_test(test_quick_cases_hold),
	cmocka_unit_test(test_wrong_references_fail),
	cmocka_unit_test(test_wrong_strategies_fail),
	cmocka_unit_test(test_too_few_samples_fail),
	cmocka_unit_test(test_no_batch_is_told),
	cmocka_unit_test(test_entropy_alone_is_that_of_the_metrics),
	cmocka_unit_test(test_entropies_are_those_of_the_metrics),
	cmocka_unit_test(test_isolated_is_that_of_its_weights),
	cmocka_unit_test(test_a_short_memory_is_told),
};
TEST_MAIN(tests)

#include "config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "evaluation/closed.h"
#include "evaluation/metrics.h"
#include "evaluation/view.h"
#include "tests/lib/test.h"

#define PERSONS 64
#define assert_near(value, wanted, by) assert_true(fabs((value) - (wanted)) <= (by))

/* Feed one round of a pool mix to a view: arrivals of new persons, then n leave. */
struct feed {
	struct view *view;
	uint32_t persons, held;
	uint32_t exit; /* the first of the last round */
};

static void
feed_round(struct feed *f, unsigned arrivals, unsigned leave)
{
	view_origin batch;

	for (unsigned i = 0; i < arrivals; i++)
		assert_err_ok(view_arrived(f->view, 0, VIEW_PERSONS + f->persons++, ++f->held));
	if (leave == 0)
		return;
	assert_err_ok(view_left(f->view, &batch, 0, leave, f->held));
	f->held -= leave;
	for (unsigned i = 0; i < leave; i++) {
		uint32_t exit;

		assert_err_ok(view_exited(f->view, &exit, batch));
		if (i == 0)
			f->exit = exit;
	}
}

static struct metrics
of_senders(const struct view *v, uint32_t exit)
{
	double weights[PERSONS], lost;
	struct metrics m;

	assert_err_ok(view_senders(v, weights, &lost, &exit, 1));
	assert_near(lost, 0, 1e-12);
	assert_err_ok(metrics_of(&m, weights, PERSONS, PERSONS));
	return m;
}

/*
 * A timed pool mix that keeps 4, with 4 own messages at the start, arrivals
 * 5, 2, 0, 8, 3: entropies after each round as in the literature's recursion.
 */
static void
test_timed_pool_trace(void **state)
{
	static const unsigned arrivals[] = { 5, 2, 0, 8, 3 };
	static const double shannon[] = { 3.169925, 3.364913, 3.364913, 4.039933, 3.973031 };
	static const double least[] = { 3.169925, 2.584963, 2.584963, 3.584963, 2.807355 };
	struct feed f = { 0 };
	double h = 2; /* of the four at the start */

	(void)state;
	assert_err_ok(view_new(&f.view, 1, PERSONS));
	feed_round(&f, 4, 0);
	for (size_t i = 0; i < 5; i++) {
		struct metrics m;

		feed_round(&f, arrivals[i], arrivals[i]);
		h = closed_pool_round(h, 4, arrivals[i]);
		assert_near(h, shannon[i], 1e-6);
		if (arrivals[i] == 0)
			continue; /* nobody left */
		m = of_senders(f.view, f.exit);
		assert_near(m.shannon, shannon[i], 1e-6);
		assert_near(m.min_entropy, least[i], 1e-6);
	}
	view_free(f.view);
}

/* The same against an explicit enumeration of what each packet may be. */
static void
test_backward_equals_enumeration(void **state)
{
	double pool[PERSONS] = { 0 }, sent[PERSONS], weights[PERSONS], lost;
	struct feed f = { 0 };

	(void)state;
	assert_err_ok(view_new(&f.view, 1, PERSONS));
	for (unsigned round = 0; round < 6; round++) {
		unsigned arrivals = 1 + rng_below(test_rng(), 8), held = f.held + arrivals;
		unsigned leave = 1 + rng_below(test_rng(), held);

		for (unsigned i = 0; i < arrivals; i++)
			pool[f.persons + i] = 1;
		feed_round(&f, arrivals, leave);
		/* each packet that leaves is any of those inside alike */
		for (size_t i = 0; i < PERSONS; i++) {
			sent[i] = pool[i] / held;
			pool[i] -= pool[i] * leave / held;
		}
		assert_err_ok(view_senders(f.view, weights, &lost, &f.exit, 1));
		for (size_t i = 0; i < PERSONS; i++)
			assert_near(weights[i], sent[i], 1e-12);
	}
	view_free(f.view);
}

struct seen {
	double shares[256];
};

static void
on_exit_seen(void *arg, uint32_t exit, const double *shares)
{
	struct seen *s = arg;

	assert_true(exit < 256);
	s->shares[exit] += shares[0];
}

/* Forward through two mixes in a row: shares of exits, and what has not left. */
static void
test_forward(void **state)
{
	struct seen s = { { 0 } };
	view_origin first, second;
	size_t position = 0;
	double lost, sum = 0;
	struct view *v;

	(void)state;
	assert_err_ok(view_new(&v, 2, PERSONS));
	for (uint32_t i = 0; i < 4; i++)
		assert_err_ok(view_arrived(v, 0, VIEW_PERSONS + i, i + 1));
	assert_err_ok(view_left(v, &first, 0, 3, 4));
	for (uint32_t i = 0; i < 3; i++)
		assert_err_ok(view_arrived(v, 1, first, i + 1));
	assert_err_ok(view_left(v, &second, 1, 2, 3));
	for (uint32_t i = 0; i < 2; i++) {
		uint32_t exit;
		assert_err_ok(view_exited(v, &exit, second));
	}
	assert_err_ok(view_exits_of(v, &lost, &position, 1, on_exit_seen, &s));
	for (size_t i = 0; i < 256; i++)
		sum += s.shares[i];
	assert_near(sum, 0.75 * 2 / 3, 1e-12); /* left the first, and the second mix */
	assert_near(s.shares[0], 0.25, 1e-12);
	assert_near(s.shares[1], 0.25, 1e-12);
	assert_near(lost, 0.5, 1e-12);
	view_free(v);
}

/* A packet whose origin is its sender still, after corrupt mixes only, is known. */
static void
test_corrupt_way(void **state)
{
	struct metrics m;
	struct view *v;
	uint32_t exit;

	(void)state;
	assert_err_ok(view_new(&v, 1, PERSONS));
	assert_err_ok(view_exited(v, &exit, VIEW_PERSONS + 5));
	m = of_senders(v, exit);
	assert_int_equal(m.candidates, 1);
	assert_near(m.shannon, 0, 1e-12);
	view_free(v);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_timed_pool_trace),
	cmocka_unit_test(test_backward_equals_enumeration),
	cmocka_unit_test(test_forward),
	cmocka_unit_test(test_corrupt_way),
};
TEST_MAIN(tests)

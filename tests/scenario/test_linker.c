/*
 * Who links sessions: a month of them by the client's own modules, and the linker,
 * against chance. RESTANTE_LINKER_MONTH=1 runs the whole month that the documents
 * quote (`make sessions-month`); otherwise a few days are enough.
 */
#include "config.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/charter/timing.h"
#include "common/net/attend.h"
#include "tests/lib/test.h"
#include "tests/scenario/month.h"
#include "tests/scenario/script.h"

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS (60 * MINUTE_MS)

struct size {
	unsigned members, days, lessons; /* lessons: months that the linker learns from */
};

static struct size
size(void)
{
	const char *month = getenv("RESTANTE_LINKER_MONTH");

	if (month != NULL && month[0] != '\0')
		return (struct size){60, 30, 8};
	return (struct size){20, 5, 3};
}

/* ---- the table ---- */

static void
print_share(const struct linker_share *s)
{
	printf("  %5.1f (%5.1f .. %5.1f)", 100 * s->value, 100 * s->low, 100 * s->high);
}

static void
print_scores(const char *title, const struct linker_score *score)
{
	printf("# %s: right, in percent, with 95 %% intervals\n", title);
	printf("# %-18s %8s  %-6s  %-22s  %-22s  %-22s  %s\n", "before the session", "sessions",
	       "chance", "crowd", "linker", "more than crowd", "claimed");
	for (size_t i = 0; i < LINKER_SITUATIONS; i++) {
		if (score[i].sessions == 0)
			continue;
		printf("# %-18s %8" PRIu64, linker_situation_name((enum linker_situation)i),
		       score[i].sessions);
		printf("   %5.1f", 100 * score[i].chance.value);
		print_share(&score[i].crowd);
		print_share(&score[i].right);
		print_share(&score[i].excess);
		printf("  %5.1f\n", 100 * score[i].claimed);
	}
}

/* ---- a study ---- */

/* The linker learns from months like the one that is judged. */
static void
study(struct linker_score score[static LINKER_SITUATIONS], enum month_leak leak)
{
	struct size n = size();
	struct month_config cfg = {.members = n.members, .days = n.days, .leak = leak};
	struct linker *l;
	struct params p;
	struct month m;

	month_params(&p);
	assert_err_ok(linker_new(&l, &p, n.members));
	for (unsigned i = 0; i <= n.lessons; i++) {
		cfg.seed = rng_u64(test_rng());
		month_run(&m, &cfg);
		if (i < n.lessons) {
			assert_err_ok(linker_learn(l, m.log, m.count));
		} else {
			linker_fit(l);
			assert_err_ok(linker_judge(score, l, m.log, m.count, test_rng()));
		}
		month_release(&m);
	}
	linker_free(l);
}

/*
 * Over all live sessions the linker gets right what it says that it will: nothing is left
 * in what it looks at. (Not in one situation, which it does not know.)
 */
static void
check_calibration(const struct linker_score *score)
{
	double n = 0, right = 0, claimed = 0;

	for (size_t i = 0; i < LINKER_GAP_EPOCHS; i++) {
		n += (double)score[i].sessions;
		right += (double)score[i].sessions * score[i].right.value;
		claimed += (double)score[i].sessions * score[i].claimed;
	}
	printf("# of all live sessions %.1f %% right, %.1f %% claimed\n", 100 * right / n,
	       100 * claimed / n);
	assert_true(fabs(right - claimed) < 0.05 * n);
}

static void
check_honest(const struct linker_score *score)
{
	const struct linker_score *turn = &score[LINKER_TURN], *failed = &score[LINKER_FAILED];

	check_calibration(score);
	assert_true(turn->sessions > 1000);
	assert_true(fabs(turn->excess.value) < 0.03); /* the rule of hours holds */
	assert_true(failed->right.value < 0.85); /* 0.60 in the mean of 45 seeds, deviation 0.07 */
	for (size_t i = 0; i < LINKER_SITUATIONS; i++)
		assert_true(score[i].chance.value <= score[i].crowd.value);
}

static void
test_honest_clients(void **state)
{
	struct linker_score score[LINKER_SITUATIONS];

	(void)state;
	study(score, MONTH_HONEST);
	print_scores("honest clients", score);
	check_honest(score);
}

/*
 * Leaks that are there are found. Over 45 seeds what is asked is five standard deviations
 * away and more.
 */
static void
test_controls(void **state)
{
	static const char *const names[] = {"", "control: reads on from where it ended",
					    "control: comes back at once",
					    "control: comes back after a fixed wait"};

	(void)state;
	for (int leak = MONTH_POSITION; leak <= MONTH_FIXED; leak++) {
		struct linker_score score[LINKER_SITUATIONS];

		study(score, (enum month_leak)leak);
		print_scores(names[leak], score);
		assert_true(score[LINKER_FAILED].right.value > 0.72);
		assert_true(score[LINKER_FAILED].excess.low > 0.15);
		if (leak == MONTH_POSITION) {
			assert_true(score[LINKER_TURN].excess.low > 0.05);
			assert_true(score[LINKER_NAP].right.low > 0.7);
		}
	}
}

/* ---- sessions that break together ---- */

/* Live sessions of two hours of one member that ended at one moment, and nobody else's did. */
static unsigned
broken_pairs(const struct month *m)
{
	unsigned pairs = 0;

	for (size_t i = 0; i < m->count; i++) {
		const struct linker_session *a = &m->log[i];
		unsigned own = 0, others = 0;

		for (size_t k = i + 1; k < m->count && m->log[k].start_ms < a->end_ms; k++) {
			const struct linker_session *b = &m->log[k];
			bool together = b->end_ms == a->end_ms;

			own += together && b->member == a->member && b->hour > a->hour &&
			       b->read == LINKER_LIVE;
			others += together && b->member != a->member;
		}
		pairs += a->read == LINKER_LIVE && own > 0 && others == 0;
	}
	return pairs;
}

/* A line that breaks before the hour's turn names two sessions: not often, and not never. */
static void
test_sessions_that_break_together(void **state)
{
	struct size n = size();
	struct month_config cfg = {
	    .seed = rng_u64(test_rng()), .members = n.members, .days = n.days};
	struct month m;
	unsigned live = 0, pairs;

	(void)state;
	month_run(&m, &cfg);
	pairs = broken_pairs(&m);
	for (size_t i = 0; i < m.count; i++)
		live += m.log[i].read == LINKER_LIVE;
	printf("# %u of %u live sessions broke together with their successor (%.2f %%)\n", pairs,
	       live, 100.0 * pairs / live);
	assert_true(pairs > 0 && pairs < live / 50);
	month_release(&m);
}

/* ---- the generator's laws ---- */

#define SAMPLES_MAX 4096

struct samples {
	double at[SAMPLES_MAX];
	size_t n;
};

static void
take(struct samples *s, double x)
{
	if (s->n < SAMPLES_MAX)
		s->at[s->n++] = x;
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Kolmogorov and Smirnov's distance from the uniform law on [lo, hi], times sqrt(n). */
static double
distance(struct samples *s, double lo, double hi)
{
	double most = 0, n = (double)s->n;

	qsort(s->at, s->n, sizeof(s->at[0]), by_value);
	for (size_t i = 0; i < s->n; i++) {
		double f = fmin(1, fmax(0, (s->at[i] - lo) / (hi - lo)));

		most = fmax(most, fmax(f - (double)i / n, (double)(i + 1) / n - f));
	}
	return most * sqrt(n);
}

/* The session of the same member and hour that comes after a failed one. */
static const struct linker_session *
successor(const struct month *m, size_t i)
{
	const struct linker_session *a = &m->log[i];

	for (size_t k = i + 1; k < m->count && m->log[k].start_ms < a->end_ms + HOUR_MS; k++)
		if (m->log[k].member == a->member && m->log[k].read == LINKER_LIVE &&
		    m->log[k].hour == a->hour && m->log[k].start_ms >= a->end_ms)
			return &m->log[k];
	return NULL;
}

/*
 * As the log has them: the hour's openings of those who were in session all along, and
 * the waits after a circuit that broke early in its hour, so that none is cut off by the
 * hour's end. What reaching the gateway takes is added to both: about four seconds.
 */
static void
test_laws(void **state)
{
	struct samples openings = {.n = 0}, waits = {.n = 0};
	struct month_config cfg = {.seed = rng_u64(test_rng()), .members = 40, .days = 6};
	struct params p;
	struct month m;

	(void)state;
	month_params(&p);
	month_run(&m, &cfg);
	for (size_t i = 0; i < m.count; i++) {
		const struct linker_session *s = &m.log[i], *next;
		int64_t hour = timing_hour_start(&p, s->hour);

		if (s->read != LINKER_LIVE)
			continue;
		if (s->start_ms < hour - 30000 && s->end == LINKER_MARK)
			take(&openings, (double)(s->start_ms - attend_mark_ms(&p, s->hour)));
		if (s->end != LINKER_CLOSED || s->off || s->end_ms - hour > 30 * MINUTE_MS ||
		    s->end_ms < hour)
			continue;
		next = successor(&m, i);
		if (next != NULL && next->start_ms - s->end_ms < 16 * MINUTE_MS)
			take(&waits, (double)(next->start_ms - s->end_ms));
	}
	printf("# %zu openings, %zu waits\n", openings.n, waits.n);
	assert_true(openings.n > 2000 && waits.n > 30);
	assert_true(distance(&openings, 2000, 10 * MINUTE_MS + 5000) < 2.5);
	assert_true(distance(&waits, 2000, 15 * MINUTE_MS + 5000) < 2);
	month_release(&m);
}

/* The doubles do what whole clients do (test_sessions). */
static void
test_script(void **state)
{
	struct month_config cfg = {.seed = rng_u64(test_rng()), .members = 20, .scripted = true};
	struct params p;
	struct month m;

	(void)state;
	month_params(&p);
	month_run(&m, &cfg);
	for (unsigned member = 0; member < cfg.members; member++) {
		struct script_session of[32];
		size_t n = 0;

		for (size_t i = 0; i < m.count; i++) {
			if (m.log[i].member != member)
				continue;
			assert_true(n < 32);
			of[n++] =
			    (struct script_session){m.log[i].start_ms - m.from_ms, m.log[i].read,
						    m.log[i].hour - timing_hour(&p, m.from_ms)};
		}
		script_check(of, n);
	}
	month_release(&m);
}

/* ---- the linker by itself ---- */

/*
 * n members open one session each at rates of their own. Over all orders in which they can,
 * the probability that a member is the first is what the linker says.
 */
static double
first_by_orders(const double *rate, unsigned used, size_t n, size_t first)
{
	double sum = 0, p = 0;

	for (size_t i = 0; i < n; i++)
		sum += (used & 1u << i) != 0 ? 0 : rate[i];
	if (sum == 0)
		return 1;
	for (size_t i = 0; i < n; i++)
		if ((used & 1u << i) == 0 && (used != 0 || i == first))
			p += rate[i] / sum * first_by_orders(rate, used | 1u << i, n, first);
	return p;
}

static void
test_posterior(void **state)
{
	static const double none[] = {0, 0, 0};
	double p[6], rate[6];

	(void)state;
	for (int run = 0; run < 50; run++) {
		size_t n = 1 + rng_below(test_rng(), 6);

		for (size_t i = 0; i < n; i++)
			rate[i] = 0.01 + rng_unit(test_rng());
		linker_posterior(p, rate, n);
		for (size_t i = 0; i < n; i++)
			assert_true(fabs(p[i] - first_by_orders(rate, 0, n, i)) < 1e-12);
	}
	linker_posterior(p, none, 3);
	assert_true(fabs(p[2] - 1.0 / 3) < 1e-12);
	assert_true(fabs(linker_hit(p, 3, 1) - 1.0 / 3) < 1e-12);
	assert_true(linker_hit((const double[]){0.5, 0.3, 0.2}, 3, 0) > 0.99);
	assert_true(linker_hit((const double[]){0.5, 0.3, 0.2}, 3, 1) < 0.01);
}

#define CHOICES 4000
/* Choices that are made by known weights: the fit finds their ratios. */
static void
test_fit(void **state)
{
	static const double truth[] = {1, 3, 10, 0.2};
	static struct linker_choice choices[CHOICES];
	static uint16_t cell[CHOICES * 4];
	double w[4];

	(void)state;
	for (size_t c = 0; c < CHOICES; c++) {
		uint16_t *at = cell + 4 * c;
		double sum = 0, u;
		size_t k = 0;

		for (size_t i = 0; i < 4; i++) {
			at[i] = (uint16_t)rng_below(test_rng(), 4);
			sum += truth[at[i]];
		}
		for (u = rng_unit(test_rng()) * sum; k < 3 && u >= truth[at[k]]; k++)
			u -= truth[at[k]];
		choices[c] = (struct linker_choice){.first = 4 * c, .n = 4, .truth = k};
	}
	linker_weights(w, 4, choices, CHOICES, cell, 200);
	for (size_t i = 1; i < 4; i++)
		assert_true(fabs(log(w[i] / w[0]) - log(truth[i] / truth[0])) < 0.35);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_posterior),
    cmocka_unit_test(test_fit),
    cmocka_unit_test(test_script),
    cmocka_unit_test(test_laws),
    cmocka_unit_test(test_sessions_that_break_together),
    cmocka_unit_test(test_honest_clients),
    cmocka_unit_test(test_controls),
};
TEST_MAIN(tests)

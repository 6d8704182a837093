/* The estimators of the attacks by themselves: on small inputs whose answer is known. */
#include "config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "evaluation/attack/attack.h"
#include "evaluation/attack/disclosure.h"
#include "evaluation/attack/flow.h"
#include "evaluation/attack/intersection.h"
#include "evaluation/attack/pseudonym.h"
#include "evaluation/attack/roc.h"
#include "evaluation/attack/trace.h"
#include "evaluation/verify.h"
#include "evaluation/verify_parts.h"
#include "tests/lib/test.h"

#define assert_near(a, b, by)                                                                      \
	do {                                                                                       \
		if (!(fabs((a) - (b)) <= (by)))                                                    \
			fail_msg("%s is %.9g, not %.9g", #a, (double)(a), (double)(b));            \
	} while (0)

/* ---- values ---- */

/* Newcombe 1998 (Statistics in Medicine 17), table I, has these of 81 of 263 and others. */
static void
test_intervals_of_shares(void **state)
{
	struct attack_value v = attack_share(81, 263);

	(void)state;
	assert_near(v.low, .2553, 5e-5);
	assert_near(v.high, .3662, 5e-5);
	v = attack_share_exact(81, 263);
	assert_near(v.low, .2527, 5e-5);
	assert_near(v.high, .3676, 5e-5);
	v = attack_share(0, 20);
	assert_near(v.low, 0, 0);
	assert_near(v.high, .1611, 5e-5);
	v = attack_share_exact(0, 20);
	assert_near(v.high, .1684, 5e-5);
	assert_false(attack_share(0, 0).known);
	assert_false(attack_share_exact(0, 0).known);
}

static void
test_intervals_of_means(void **state)
{
	struct attack_value v = attack_mean(1 + 2 + 3 + 4, 1 + 4 + 9 + 16, 4);

	(void)state;
	assert_near(v.value, 2.5, 1e-12);
	assert_near(v.high - v.value, 3.18245 * sqrt(5 / 3.0 / 4), 1e-3);
	assert_false(attack_mean(3, 9, 1).has_interval);
	assert_true(attack_mean(3, 9, 1).known);
	assert_false(attack_mean(0, 0, 0).known);
	v = attack_scaled(attack_share(10, 10), -2, 1);
	assert_true(v.low <= v.value && v.value <= v.high);
	assert_near(v.value, -1, 1e-12);
}

/* ---- disclosure ---- */

#define SENDERS 6
#define RECEIVERS 5
#define ROUNDS 400

struct made {
	double profile[SENDERS * RECEIVERS], sent[ROUNDS * SENDERS], received[ROUNDS * RECEIVERS];
	struct disclosure d;
};

/* What is received is exactly what the profiles give. */
static void
make(struct made *m, bool alike)
{
	const struct rng *r = test_rng();

	memset(m, 0, sizeof(*m));
	for (size_t s = 0; s < SENDERS; s++) {
		double sum = 0;

		for (size_t i = 0; i < RECEIVERS; i++)
			sum += m->profile[s * RECEIVERS + i] = rng_unit(r) < 0.5 ? 0 : rng_unit(r);
		m->profile[s * RECEIVERS] += 0.1;
		for (size_t i = 0; i < RECEIVERS; i++)
			m->profile[s * RECEIVERS + i] /= sum + 0.1;
	}
	for (size_t k = 0; k < ROUNDS; k++)
		for (size_t s = 0; s < SENDERS; s++) {
			double n = alike ? 2 : rng_below(r, 4);

			m->sent[k * SENDERS + s] = n;
			for (size_t i = 0; i < RECEIVERS; i++)
				m->received[k * RECEIVERS + i] += n * m->profile[s * RECEIVERS + i];
		}
	m->d = (struct disclosure){ SENDERS, RECEIVERS, ROUNDS, m->sent, m->received };
}

static double
worst(const double *a, const double *b, size_t n)
{
	double most = 0;

	for (size_t i = 0; i < n; i++)
		most = fabs(a[i] - b[i]) > most ? fabs(a[i] - b[i]) : most;
	return most;
}

static void
test_least_squares_is_exact_without_noise(void **state)
{
	double out[SENDERS * RECEIVERS];
	struct made m;

	(void)state;
	make(&m, false);
	assert_err_ok(disclosure_least_squares(out, &m.d, 0));
	assert_true(worst(out, m.profile, SENDERS * RECEIVERS) < 1e-9);
	m.received[7]++; /* and not with some */
	assert_err_ok(disclosure_least_squares(out, &m.d, 0));
	assert_true(worst(out, m.profile, SENDERS * RECEIVERS) > 1e-6);
}

/* Who always sends alike gives nothing away. */
static void
test_constant_senders_show_nothing(void **state)
{
	double out[SENDERS * RECEIVERS];
	struct made m;

	(void)state;
	make(&m, true);
	assert_err(disclosure_least_squares(out, &m.d, 0), ERR_RANGE);
	for (size_t s = 0; s < SENDERS; s++) {
		disclosure_sda(out, &m.d, s);
		for (size_t i = 0; i < RECEIVERS; i++)
			assert_near(out[i], 0, 0);
	}
}

/*
 * What the attack on a population comes to: it takes the sender for one of the others, of
 * whom there are few here. In a round with any the sender has 2 of them, all 1.5 on average.
 */
static double
in_population(const struct made *m, size_t sender, size_t receiver)
{
	double own = m->profile[sender * RECEIVERS + receiver], others = 0;

	for (size_t s = 0; s < SENDERS; s++)
		others += s != sender ? m->profile[s * RECEIVERS + receiver] : 0;
	return own + 1.5 / 2 * (SENDERS - 1) / SENDERS * (others / (SENDERS - 1) - own);
}

static void
test_sda_finds_profiles(void **state)
{
	double all[SENDERS * RECEIVERS], one[RECEIVERS], wanted[RECEIVERS];
	struct made m;

	(void)state;
	make(&m, false);
	for (size_t s = 0; s < SENDERS; s++) {
		disclosure_sda(all + s * RECEIVERS, &m.d, s);
		disclosure_sda_population(one, &m.d, s);
		for (size_t i = 0; i < RECEIVERS; i++)
			wanted[i] = in_population(&m, s, i);
		/* the others' chance draws: deviation below 0.06 each, five of them */
		assert_true(worst(all + s * RECEIVERS, m.profile + s * RECEIVERS, RECEIVERS) < 0.5);
		assert_true(worst(one, wanted, RECEIVERS) < 0.5);
	}
	disclosure_normalise(all, &m.d);
	for (size_t s = 0; s < SENDERS; s++) {
		double sum = 0;

		for (size_t i = 0; i < RECEIVERS; i++) {
			assert_true(all[s * RECEIVERS + i] >= 0);
			sum += all[s * RECEIVERS + i];
		}
		assert_near(sum, 1, 1e-9);
	}
	assert_true(worst(all, m.profile, SENDERS * RECEIVERS) < 0.5);
}

static void
test_top_of_values(void **state)
{
	const double v[] = { 3, 1, 5, 2 };
	const uint8_t right[] = { 1, 0, 1, 0 }, wrong[] = { 1, 0, 0, 1 }, tie[] = { 1, 0, 1, 0 };
	const double tied[] = { 2, 1, 5, 2 };

	(void)state;
	assert_true(disclosure_top_is(v, right, 4, 2));
	assert_false(disclosure_top_is(v, wrong, 4, 2));
	assert_false(disclosure_top_is(v, right, 4, 3));
	assert_false(disclosure_top_is(tied, tie, 4, 2));
}

/* ---- intersection ---- */

static void
test_intersection_steps(void **state)
{
	uint8_t suspected[4] = { 1, 1, 1, 1 };
	const uint8_t first[4] = { 1, 0, 1, 1 }, second[4] = { 1, 1, 0, 1 };

	(void)state;
	assert_int_equal(intersection_step(suspected, first, 4), 3);
	assert_int_equal(intersection_step(suspected, second, 4), 2);
	assert_true(suspected[0] && !suspected[1] && !suspected[2] && suspected[3]);
	assert_near(intersection_times(1, 0.5), 1, 1e-9); /* nobody else: known before the first */
	assert_near(intersection_times(2, 0.5), 1 + 1, 1e-9);
}

/* ---- ROC ---- */

static void
test_roc(void **state)
{
	const double right[] = { 5, 4, 2, 1 }, wrong[] = { 3, 0, -1, 4 };
	const double same[] = { 1, 1, 1 };
	struct roc r;

	(void)state;
	assert_err_ok(roc_new(&r, right, 4, wrong, 4));
	/* 5 beats 4 of them, 4 three and a tie, 2 and 1 two each */
	assert_near(roc_area(&r), (4 + 2.5 + 1 + 2 + 2) / 16.0, 1e-12);
	assert_int_equal(roc_taken(&r, 0), 1);	  /* above 4 */
	assert_int_equal(roc_taken(&r, 0.25), 2); /* above 3 */
	assert_int_equal(roc_taken(&r, 0.5), 4);  /* above 0 */
	assert_int_equal(roc_taken(&r, 1), 4);
	assert_near(roc_equal_error(&r), 0.5, 0.26);
	roc_release(&r);
	assert_err_ok(roc_new(&r, same, 3, same, 3));
	assert_near(roc_area(&r), 0.5, 1e-12);
	assert_near(roc_equal_error(&r), 0.5, 1e-12);
	assert_int_equal(roc_taken(&r, 0.01), 0);
	roc_release(&r);
	assert_err_ok(roc_new(&r, right, 2, wrong + 1, 2));
	assert_near(roc_equal_error(&r), 0, 1e-12);
	assert_near(roc_area(&r), 1, 1e-12);
	roc_release(&r);
	assert_err(roc_new(&r, right, 0, wrong, 4), ERR_RANGE);
	assert_err(roc_new(&r, &(double){ NAN }, 1, wrong, 4), ERR_RANGE);
}

static void
test_flows_in_order(void **state)
{
	const double in[] = { 0, 1 }, out[] = { 1, 3 }, early[] = { -1, 3 };

	(void)state;
	/* Erlang(2): ln d - d */
	assert_near(flow_in_order(in, out, 2, 2), (0 - 1) + (log(2) - 2), 1e-12);
	assert_true(flow_in_order(in, early, 2, 2) <= FLOW_IMPOSSIBLE + 10);
}

/* ---- delays ---- */

static void
test_delays(void **state)
{
	int64_t delays[1000];
	struct attack_delay a;
	double sum = 0;

	(void)state;
	for (int i = 0; i < 1000; i++)
		delays[i] = (int64_t)i * 10;
	assert_err_ok(attack_delay_of(&a, delays, 1000));
	assert_int_equal(a.mean_ms, 4995);
	assert_int_equal(a.p999_ms, 9980);
	assert_near(attack_delay_cdf(&a, -1), 0, 0);
	assert_near(attack_delay_cdf(&a, 5000), 0.5, 0.003);
	assert_near(attack_delay_cdf(&a, 1e6), 1, 0);
	assert_near(attack_delay_density(&a, -1), 0, 0);
	assert_near(attack_delay_density(&a, 1e6), 0, 0);
	for (int i = 0; i < 10000; i++)
		sum += attack_delay_density(&a, i);
	assert_near(sum, 1, 0.002);
	assert_err(attack_delay_of(&a, delays, 0), ERR_RANGE);
}

static void
test_steps(void **state)
{
	static const size_t want[] = { 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000 };

	(void)state;
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		assert_int_equal(pseudonym_step(i), want[i]);
}

/* ---- references that are wrong are found ---- */

static void
count_ok(void *arg, const struct verify_line *l)
{
	*(size_t *)arg += l->ok;
}

static void
assert_moved(const char *name, double by)
{
	for (size_t i = 0; i < verify_table_count; i++) {
		struct verify_case c = verify_table[i];
		size_t ok = 0;

		if (strcmp(c.name, name) != 0)
			continue;
		verify_one(&c, 1, count_ok, &ok);
		assert_true(ok > 0);
		for (size_t k = 0; k < VERIFY_VALUES && c.values[k].quantity != VERIFY_NONE; k++)
			c.values[k].reference += by;
		ok = 0;
		verify_one(&c, 1, count_ok, &ok);
		assert_int_equal(ok, 0);
		return;
	}
	fail_msg("no case %s", name);
}

static void
test_wrong_references_fail(void **state)
{
	(void)state;
	assert_moved("2.12 SDA rounds, 10 of 1000, batch 50", 1);
	assert_moved("2.12 SDA test, 5 of 100, 3 deviations", .003);
	assert_moved("2.12 SDA, threshold mix, 200 rounds", .2);
	assert_moved("2.12 SDA, pool, 400 rounds", .2);
	assert_moved("2.12 LSDA, SDA, 20 users, 500 rounds", .003);
	assert_moved("2.12 intersection, 100 people, 0.5", .3);
	assert_moved("2.15 flows, rate 2, 20 packets", .08);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_intervals_of_shares),
	cmocka_unit_test(test_intervals_of_means),
	cmocka_unit_test(test_least_squares_is_exact_without_noise),
	cmocka_unit_test(test_constant_senders_show_nothing),
	cmocka_unit_test(test_sda_finds_profiles),
	cmocka_unit_test(test_top_of_values),
	cmocka_unit_test(test_intersection_steps),
	cmocka_unit_test(test_roc),
	cmocka_unit_test(test_flows_in_order),
	cmocka_unit_test(test_delays),
	cmocka_unit_test(test_steps),
	cmocka_unit_test(test_wrong_references_fail),
};
TEST_MAIN(tests)

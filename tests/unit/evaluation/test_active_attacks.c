/*
 * The attacks inside the simulation: their pure parts against what is known, and each
 * defence against its absence.
 */
#include "config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "evaluation/attack/active.h"
#include "evaluation/attack/attack.h"
#include "evaluation/attack/blending.h"
#include "evaluation/attack/blending_chain.h"
#include "evaluation/attack/duel.h"
#include "evaluation/attack/people.h"
#include "evaluation/attack/presence.h"
#include "evaluation/attack/trace.h"
#include "evaluation/attack/watermark.h"
#include "tests/lib/test.h"

#define assert_near(value, wanted, by) assert_true(fabs((value) - (wanted)) <= (by))
#define DAYS 364
#define PEOPLE 100

static void
scenario_of(struct scenario *s, const char *text)
{
	struct diag d = { "" };

	assert_err_ok(scenario_parse(s, "test", text, strlen(text), &d));
}

static struct people *
agency(uint64_t seed)
{
	const struct people_config cfg = { .count = PEOPLE, .seed = seed,
		.begins_ms = SCENARIO_MONDAY_MS, .days = DAYS, .messages_per_day = 50,
		.percent = { 25, 25, 25, 25 }, .silent_one_in = 5 };
	struct people *p;

	assert_err_ok(people_new(&p, &cfg));
	return p;
}

static double
online_share(const struct people_person *p)
{
	return (double)people_within(p->online, p->online_count, SCENARIO_MONDAY_MS,
		   SCENARIO_MONDAY_MS + DAYS * PEOPLE_DAY_MS) /
	    ((double)DAYS * PEOPLE_DAY_MS);
}

/* ---- people ---- */

static void
test_the_calendar(void **state)
{
	uint32_t days = 0;

	(void)state;
	for (uint32_t day = 0; day < DAYS; day++)
		days += people_works(day) ? 1 : 0;
	assert_int_equal(days, 52 * 5 - 10);
	assert_false(people_works(5) || people_works(6) || people_works(88));
	assert_true(people_works(0) && people_works(87));
}

/* Nobody writes on a day off, and who is online only to talk never for another reason. */
static void
test_habits(void **state)
{
	struct people *p = agency(rng_u64(test_rng()));
	double messages = 0, writers = 0;

	(void)state;
	for (uint32_t i = 0; i < PEOPLE; i++) {
		const struct people_person *of = people_get(p, i);

		assert_int_equal(of->habit, i / 25);
		assert_int_equal(of->silent, i % 5 == 0);
		assert_int_equal(of->written_count > 0, !of->silent);
		for (size_t k = 0; k < of->written_count; k++) {
			int64_t day = (of->written_ms[k] - SCENARIO_MONDAY_MS) / PEOPLE_DAY_MS;

			assert_true(people_works((uint32_t)day));
			if (of->habit == PEOPLE_TALKS)
				assert_int_equal(people_within(of->online, of->online_count,
				    of->written_ms[k], of->written_ms[k] + 300000), 300000);
		}
		for (size_t k = 1; k < of->online_count; k++)
			assert_true(of->online[k - 1].to_ms < of->online[k].from_ms);
		messages += (double)of->written_count;
		writers += of->silent ? 0 : 1;
		switch (of->habit) {
		case PEOPLE_STEADY:
			assert_near(online_share(of), 0.9995, 0.0005);
			break;
		case PEOPLE_STAYS:
			assert_near(online_share(of), 0.995, 0.002);
			break;
		case PEOPLE_OFFICE:
			assert_near(online_share(of), 0.21, 0.04);
			break;
		case PEOPLE_TALKS:
			assert_near(online_share(of), 0.12, 0.04);
			break;
		case PEOPLE_HABITS:
			fail();
		}
	}
	/* 250 working days, 25 of leave, some 10 of illness */
	assert_near(messages / writers / 50 / (7.0 / 5), 215, 15);
	people_free(p);
}

static void
test_lives_repeat(void **state)
{
	struct people *a = agency(7), *b = agency(7), *c = agency(8);

	(void)state;
	for (uint32_t i = 1; i < PEOPLE; i += 7) {
		const struct people_person *x = people_get(a, i), *y = people_get(b, i);

		assert_int_equal(x->written_count, y->written_count);
		assert_memory_equal(x->online, y->online, x->online_count * sizeof(*x->online));
	}
	assert_true(people_get(a, 1)->written_ms[0] != people_get(c, 1)->written_ms[0]);
	people_free(a);
	people_free(b);
	people_free(c);
}

/* ---- presence ---- */

static void
test_mass_is_the_delay_s(void **state)
{
	const int64_t delays[] = { 10000, 20000, 30000, 40000 };
	const struct people_span all[] = { { 0, 1000000 } }, two[] = { { 0, 475000 }, { 485000, 489000 } };
	struct attack_delay law;

	(void)state;
	assert_err_ok(attack_delay_of(&law, delays, 4));
	assert_near(presence_mass(all, 1, &law, 500000), 1, 1e-9);
	assert_near(presence_mass(all, 1, &law, 2000000), 0, 1e-9);
	/* sent at 460, 470, 480 or 490: the first two only */
	assert_near(presence_mass(two, 2, &law, 500000), 0.5, 1e-9);
	assert_near(presence_mass(NULL, 0, &law, 500000), 0, 1e-9);
}

/* A day on which somebody was not there rules him out, with and without a message. */
static void
test_a_day_tells(void **state)
{
	const int64_t delays[] = { 10000 };
	struct people_span span = { 36000000, 72000000 };
	struct people_person p = { .habit = PEOPLE_OFFICE, .online = &span, .online_count = 1 };
	struct presence_law law = { .writes = 0.999, .day_ms = 36000000 };
	struct attack_delay delay;
	double might;

	(void)state;
	for (size_t i = 0; i < PRESENCE_PARTS; i++)
		law.profile[i] = 1;
	assert_err_ok(attack_delay_of(&delay, delays, 1));
	might = presence_might_ms(&p, &law, 0, true);
	assert_near(might, 36000000, 1);
	assert_near(presence_day(&p, &law, &delay, 0, might, 50000000), log(0.999 * 2.4), 1e-3);
	assert_near(presence_day(&p, &law, &delay, 0, might, 80000000), log(PRESENCE_DOUBT), 1e-9);
	assert_near(presence_day(&p, &law, &delay, 0, might, -1), log(PRESENCE_DOUBT), 1e-9);
	assert_near(presence_day(&p, &law, &delay, 0, 0, -1), 0, 1e-9);
}

/* Three people by turns, counts without noise: the rates come out. */
static void
test_rates(void **state)
{
	const double truth[3] = { 40, 0, 90 };
	struct presence_rates *r;
	double rates[3];

	(void)state;
	assert_err_ok(presence_rates_new(&r, 3, 50, 50));
	for (unsigned t = 0; t < 3000; t++) {
		uint32_t who[3];
		double x[3], came = 0;
		size_t k = 0;

		for (uint32_t i = 0; i < 3; i++)
			if (rng_below(test_rng(), 2) == 0) {
				who[k] = i;
				x[k++] = 0.5;
				came += 0.5 * truth[i];
			}
		presence_rates_add(r, who, x, k, came);
	}
	assert_err_ok(presence_rates_solve(r, rates));
	for (unsigned i = 0; i < 3; i++)
		assert_near(rates[i], truth[i], 0.5);
	presence_rates_free(r);
}

static void
test_duels(void **state)
{
	struct duel d;
	struct attack_value v;

	(void)state;
	assert_err_ok(duel_init(&d, 20));
	assert_false(duel_value(&d).known);
	for (size_t i = 0; i < 10; i++)
		for (size_t k = 10; k < 20; k++)
			duel_add(&d, i, k, 1);
	v = duel_value(&d);
	assert_near(v.value, 1, 1e-12);
	assert_true(v.low < 0.5 && v.low > 0); /* ten that never lost, not a hundred */
	duel_release(&d);
	assert_err_ok(duel_init(&d, 20));
	for (size_t i = 0; i < 10; i++)
		for (size_t k = 10; k < 20; k++)
			duel_add(&d, i, k, i < 5 ? 1 : i < 6 ? 0 : -1);
	v = duel_value(&d);
	assert_near(v.value, 0.1, 1e-12);
	assert_true(v.has_interval && v.low < 0 && v.high > 0.5);
	duel_release(&d);
}

/* ---- n-1 ---- */

static void
test_chains(void **state)
{
	struct blending_chain c;

	(void)state;
	assert_err_ok(blending_flush(&c, 2, 1, 1)); /* half stays: geometric */
	assert_near(c.mean, 2, 1e-9);
	assert_int_equal(c.rounds99, 7);
	assert_err_ok(blending_flush(&c, 10, 0, 10));
	assert_near(c.mean, 1, 1e-9);
	assert_err_ok(blending_flush(&c, 10, 5, 0));
	assert_near(c.mean, 0, 1e-9);
	/* of two of three one stays: both gone only after both have gone */
	assert_err_ok(blending_flush(&c, 3, 1, 2));
	assert_near(c.mean, 1 + 2.0 / 3 * 1.5, 1e-9);
	assert_int_equal(blending_flush(&c, 3, 3, 1), ERR_RANGE);
	assert_int_equal(blending_flush(&c, 3, 1, 4), ERR_RANGE);
	/* the mean as the integral of its law */
	for (double rho = 0.5; rho < 60; rho *= 3) {
		double sum = 0;

		for (double t = 0.0005; t < 40; t += 0.001)
			sum += 0.001 * (1 - exp(-rho * exp(-t)));
		assert_near(blending_empty_mean(rho), sum, 1e-5);
	}
}

/* Alone after a while; the mixes' notes end it, and never stop what nobody attacks. */
static void
test_notes_end_it(void **state)
{
	struct scenario s;
	struct blending_trial b;
	struct attack_delay delay;
	struct params p;
	double sum = 0;

	(void)state;
	scenario_of(&s, "restante-scenario 1\npeople = 20\ncontacts = 5\n");
	scenario_params(&p, &s);
	assert_err_ok(attack_delay_learn(&delay, &s, NULL));
	for (unsigned i = 0; i < 32; i++) {
		int64_t stop_ms;
		uint64_t seed = rng_u64(test_rng());

		assert_err_ok(blending_network(&b, &s, 20, seed));
		assert_true(b.alone && b.alone_ms > 10000 && b.alone_ms < 600000);
		assert_true(b.sent > 20 && b.held > 20);
		assert_err_ok(blending_stop(&stop_ms, &p, &delay, 1, 0, seed));
		/* a term of some five minutes, then nine to eleven notes of 6.7 s */
		assert_true(stop_ms > 200000 && stop_ms < 700000);
		sum += (double)stop_ms;
		assert_err_ok(blending_stop(&stop_ms, &p, &delay, 3, 1, seed));
		assert_true(stop_ms == INT64_MAX);
	}
	assert_near(sum / 32, 350000, 60000);
	p.note_one_in = 0;
	{
		int64_t stop_ms = 0;

		assert_err_ok(blending_stop(&stop_ms, &p, &delay, 3, 0, 1));
		assert_true(stop_ms == INT64_MAX);
	}
}

/* ---- watermark ---- */

static void
test_waves(void **state)
{
	struct scenario s, plain;
	struct watermark_trial t;
	double slow, fast, none, error;

	(void)state;
	scenario_of(&s, "restante-scenario 1\npeople = 10\ncontacts = 5\n");
	scenario_of(&plain, "restante-scenario 1\npeople = 10\ncontacts = 5\n"
			       "strategy = threshold packets=1\n");
	assert_err_ok(watermark_gain(&slow, &error, &s, 480000, 32, 1));
	assert_err_ok(watermark_gain(&fast, &error, &s, 40000, 128, 1));
	assert_err_ok(watermark_gain(&none, &error, &plain, 40000, 32, 1));
	assert_near(none, 1, 1e-6);
	assert_true(slow > 0.85 && slow < 1 && fast < 0.6);
	for (uint32_t writer = 0; writer < 2; writer++) {
		struct watermark_config cfg = { .scenario = &plain, .period_ms = 120000,
			.per_hour = 200, .writer = writer, .delay_ms = 200, .seed = 5,
			.looks_ms = { 600000, 1200000, 3600000, 7200000, 14400000 } };

		assert_err_ok(watermark_run(&t, &cfg));
		assert_true(writer == 0 ? t.score[4] > 100 : t.score[4] < -100);
		assert_true(t.held > 0 && t.deposits > 500);
	}
}

/* ---- single packets ---- */

enum deed { NOTHING, TAG, REPLAY };

/* How many records came out, and how many twice, and marks; of 20 packets. */
static void
pass_packets(unsigned weakness, enum deed deed, size_t *came, size_t *twice, size_t *marks)
{
	const struct active_exit *x;
	struct scenario s;
	struct active *a;
	uint32_t packet[20], copy[20];
	size_t n;

	scenario_of(&s, "restante-scenario 1\nstrategy = timed\n");
	assert_err_ok(active_new(&a, &s, weakness, rng_u64(test_rng())));
	for (uint32_t i = 0; i < 20; i++) {
		assert_err_ok(active_build(&packet[i], a, i, true));
		assert_err_ok(active_copy(&copy[i], a, packet[i]));
		if (deed == TAG)
			active_tag(a, packet[i], weakness == ACTIVE_SOUND && i % 2 == 0);
		assert_err_ok(active_send(a, packet[i]));
	}
	assert_err_ok(active_run(a, active_now(a) + 100000));
	for (uint32_t i = 0; i < 20 && deed == REPLAY; i++)
		assert_err_ok(active_send(a, copy[i]));
	assert_err_ok(active_run(a, active_now(a) + 100000));
	x = active_exits(a, &n);
	*came = n;
	*twice = *marks = 0;
	for (size_t i = 0; i < n; i++) {
		*marks += x[i].marked ? 1 : 0;
		for (size_t k = 0; k < i; k++)
			*twice += memcmp(x[i].digest, x[k].digest, sizeof(x[i].digest)) == 0; /* public */
	}
	active_free(a);
}

static void
test_single_packets(void **state)
{
	size_t came, twice, marks;

	(void)state;
	pass_packets(ACTIVE_SOUND, NOTHING, &came, &twice, &marks);
	assert_true(came == 20 && twice == 0 && marks == 0);
	pass_packets(ACTIVE_SOUND, TAG, &came, &twice, &marks);
	assert_true(came == 0);
	pass_packets(ACTIVE_OPENS_ALL, TAG, &came, &twice, &marks);
	assert_true(came == 20 && marks == 20);
	pass_packets(ACTIVE_SOUND, REPLAY, &came, &twice, &marks);
	assert_true(came == 20 && twice == 0);
	pass_packets(ACTIVE_FORGETS, REPLAY, &came, &twice, &marks);
	assert_true(came == 40 && twice == 20);
	pass_packets(ACTIVE_NUMBERS, NOTHING, &came, &twice, &marks);
	assert_true(came == 20 && marks == 0);
}

/* ---- as attacks ---- */

static const struct attack_figure *
figure_of(const struct attack_result *r, const char *name)
{
	for (size_t i = 0; i < r->figure_count; i++)
		if (strcmp(r->figures[i].name, name) == 0)
			return &r->figures[i];
	fail_msg("there is no figure %s", name);
	return NULL;
}

/* Two weeks of a small agency, with a fixed seed: talkers are found, who stays online is not. */
static void
test_weeks_at_the_gateway(void **state)
{
	struct attack_result *r = calloc(1, sizeof(*r));
	struct scenario s;
	struct attack_input in = { .scenario = &s, .trials = 1 };
	const struct attack_figure *talks, *steady;

	(void)state;
	assert_non_null(r);
	scenario_of(&s, "restante-scenario 1\npeople = 60\nduration = 14d\ncover = counted\n");
	assert_err_ok(attack_find("gateway")->run(r, &in, NULL));
	assert_contains(r->finding, "told from another");
	assert_true(r->finding[strlen(r->finding) - 1] == '.' && strlen(r->adversary) + 1 < sizeof(r->adversary));
	talks = figure_of(r, "contact_two_talks_14_days");
	steady = figure_of(r, "contact_two_steady_14_days");
	assert_true(talks->v.value > 0.8 && talks->v.has_interval);
	assert_true(steady->v.value < 0.3 && steady->v.low <= 0);
	assert_int_equal(r->curve_count, 12);
	assert_true(r->cost.observed > 1000);
	attack_release(r);
	memset(r, 0, sizeof(*r));
	s.duration_ms = 3600000; /* too short */
	assert_int_equal(attack_find("gateway")->run(r, &in, NULL), ERR_RANGE);
	attack_release(r);
	free(r);
}

static void
test_each_says_what_it_needs(void **state)
{
	static const char *const names[] = { "gateway", "blending", "watermark" };
	struct attack_result *r = calloc(1, sizeof(*r));
	struct scenario s;
	struct attack_input in = { .scenario = &s, .trials = 1 };

	(void)state;
	assert_non_null(r);
	scenario_of(&s, "restante-scenario 1\nsending = poisson\nduration = 14d\n");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct diag d = { "" };

		assert_int_equal(attack_find(names[i])->run(r, &in, &d), ERR_RANGE);
		assert_non_null(strstr(d.text, "'sending = slots'"));
		attack_release(r);
		memset(r, 0, sizeof(*r));
	}
	free(r);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_the_calendar),
	cmocka_unit_test(test_habits),
	cmocka_unit_test(test_lives_repeat),
	cmocka_unit_test(test_mass_is_the_delay_s),
	cmocka_unit_test(test_a_day_tells),
	cmocka_unit_test(test_rates),
	cmocka_unit_test(test_duels),
	cmocka_unit_test(test_chains),
	cmocka_unit_test(test_notes_end_it),
	cmocka_unit_test(test_waves),
	cmocka_unit_test(test_single_packets),
	cmocka_unit_test(test_weeks_at_the_gateway),
	cmocka_unit_test(test_each_says_what_it_needs),
};

TEST_MAIN(tests)

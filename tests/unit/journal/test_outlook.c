#include "config.h"

#include "tests/lib/test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/rng.h"
#include "common/charter/path.h"
#include "common/journal/block.h"
#include "common/journal/outlook.h"

/* Few enough messages that nobody's wait for each other, and nearly every round has one. */
#define SELDOM 0.001

static void
setup(struct params *p, const char *key, const char *value)
{
	params_default(p);
	if (key != NULL)
		assert_err_ok(params_set(p, key, value, NULL));
	p->pieces = params_least_pieces(p);
}

/* ---- the law, drawn message by message ---- */

#define DRAWS 200000

static double
tosses(const struct rng *r, double share)
{
	double n = 0;

	while (rng_unit(r) >= share)
		n++;
	return n;
}

/*
 * Written at any time of an epoch; slots of a phase of one's own; around the epoch's ends
 * nothing real; three flushes a third of a round apart, of which each takes `share`; the end of
 * the round; the reader's slot. Nothing of the module that is tested.
 */
static double
draw(const struct params *p, double share, const struct rng *r)
{
	double slot = (double)p->slot_ms, round = (double)p->round_ms, epoch = (double)p->epoch_ms;
	double written = rng_unit(r) * epoch, quiet = (double)params_scaled(p, 120000);
	double t = written + rng_unit(r) * slot;
	double phase = rng_unit(r) * slot;

	while (fmod(t, epoch) < quiet || fmod(t, epoch) >= epoch - quiet ||
	    rng_below(r, p->note_one_in) == 0)
		t += slot;
	for (int l = 0; l < 3; l++) {
		double offset = l * round / 3;

		t = ceil((t - offset) / round) * round + offset;
		t += round * tosses(r, share) + 1e-6;
	}
	t = ceil(t / round) * round;
	return phase + ceil((t - phase) / slot) * slot - written;
}

static int
ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void
check_against_draws(const struct params *p)
{
	double arrivals = outlook_sessions(p) * (double)p->round_ms / (double)p->slot_ms;
	double share = arrivals / strategy_pool(&p->strategy[0], arrivals, p->round_ms);
	double *drawn = calloc(DRAWS, sizeof(*drawn)), sum = 0;
	struct outlook_delay o;

	assert_non_null(drawn);
	assert_err_ok(outlook_delay(&o, p, SELDOM, 0, NULL));
	for (size_t i = 0; i < DRAWS; i++) {
		drawn[i] = draw(p, share, test_rng());
		sum += drawn[i];
	}
	qsort(drawn, DRAWS, sizeof(*drawn), ascending);
	/* The standard deviation is some 30 s, so six errors of the mean are 0.3 s. */
	assert_true(fabs(sum / DRAWS - o.mean_ms) < 0.01 * o.mean_ms + 100);
	assert_true(fabs(drawn[DRAWS / 2] - o.p50_ms) < 0.015 * o.p50_ms + 100);
	assert_true(fabs(drawn[DRAWS * 95 / 100] - o.p95_ms) < 0.015 * o.p95_ms + 100);
	assert_true(fabs(drawn[DRAWS * 99 / 100] - o.p99_ms) < 0.04 * o.p99_ms + 100);
	free(drawn);
}

static void
delay_is_that_of_messages_drawn_one_by_one(void **state)
{
	struct params p;

	(void)state;
	setup(&p, NULL, NULL);
	check_against_draws(&p);
	setup(&p, "slot", "3s");
	check_against_draws(&p);
	setup(&p, "note-one-in", "2");
	check_against_draws(&p);
	setup(&p, "round", "6s");
	check_against_draws(&p);
}

static void
parts_add_up(void **state)
{
	struct outlook_delay o;
	struct params p;

	(void)state;
	setup(&p, NULL, NULL);
	assert_err_ok(outlook_delay(&o, &p, OUTLOOK_MESSAGES_PER_DAY, 0, NULL));
	assert_true(fabs(o.slot_ms + o.mixes_ms + o.round_ms + o.fetch_ms - o.mean_ms) < 1e-6);
	/* half a round to the first flush, two thirds to the last, 2/3 of a round kept by each */
	assert_true(fabs(o.mixes_ms - (5000 + 20000.0 / 3 + 20000)) < 60);
	assert_true(o.p50_ms < o.mean_ms && o.mean_ms < o.p95_ms && o.p95_ms < o.p99_ms);
	assert_true(o.p99_ms < (double)params_forecast_ms(&p) + 2 * PATH_BOUNDARY_MS);
}

/* One server, messages at any time, one slot after the other: a queue drawn step by step. */
static void
own_messages_wait_for_each_other(void **state)
{
	const double per_day = 6000, slots = 4000000;
	struct outlook_delay o, seldom;
	double waited = 0, came = 0, arrivals;
	struct params p;
	uint64_t queue = 0;

	(void)state;
	setup(&p, "pieces", "15");
	p.pieces = 15;
	p.people = 1; /* so that the journal is nearly empty */
	assert_err_ok(outlook_delay(&seldom, &p, SELDOM, 0, NULL));
	assert_err_ok(outlook_delay(&o, &p, per_day, 0, NULL));
	arrivals = per_day * OUTLOOK_DEPOSITS_PER_MESSAGE * 5 / 86400;
	for (double i = 0; i < slots; i++) {
		double n = -1, t = 0;

		for (; t < arrivals; n++)
			t -= log((1 - rng_unit(test_rng())));
		queue += (uint64_t)n;
		came += n;
		if (queue > 0 && rng_below(test_rng(), p.note_one_in) != 0)
			queue--;
		waited += (double)queue; /* each one slot more */
	}
	/* Little: what waits, by what comes; seven standard errors */
	assert_true(fabs((o.slot_ms - seldom.slot_ms) - (waited / came - 1.0 / 7) * 5000) < 500);
}

/* The latest of a message's own time and of what is left of those before it, drawn in a row. */
static void
texts_are_shown_in_order(void **state)
{
	const double per_day = 14400; /* to one: every 6 s, as tests/system/measured.sh has it */
	double *shown = calloc(DRAWS, sizeof(*shown)), at = 0, last = 0, sum = 0, share, arrivals;
	struct outlook_delay o, alone;
	struct params p;

	(void)state;
	assert_non_null(shown);
	setup(&p, "slot", "1500ms");
	assert_err_ok(params_set(&p, "round", "3s", NULL));
	assert_err_ok(outlook_delay(&o, &p, SELDOM, per_day, NULL));
	assert_err_ok(outlook_delay(&alone, &p, SELDOM, 0, NULL));
	assert_true(fabs(alone.shown_mean_ms - alone.mean_ms) < 1e-3 && alone.shown_p95_ms == alone.p95_ms);
	assert_true(o.mean_ms == alone.mean_ms && o.p95_ms == alone.p95_ms);
	arrivals = outlook_sessions(&p) * (double)p.round_ms / (double)p.slot_ms;
	share = arrivals / strategy_pool(&p.strategy[0], arrivals, p.round_ms);
	for (size_t i = 0; i < DRAWS; i++) {
		at -= 86400000 / per_day * log(1 - rng_unit(test_rng()));
		last = fmax(last, at + draw(&p, share, test_rng()));
		shown[i] = last - at;
		sum += shown[i];
	}
	qsort(shown, DRAWS, sizeof(*shown), ascending);
	/* Deviation 20 s, and some ten in a row wait for the same one: six errors are a second. */
	assert_true(o.shown_mean_ms > 1.1 * o.mean_ms);
	assert_true(fabs(sum / DRAWS - o.shown_mean_ms) < 0.02 * o.shown_mean_ms + 1000);
	assert_true(fabs(shown[DRAWS / 2] - o.shown_p50_ms) < 0.02 * o.shown_p50_ms + 500);
	assert_true(fabs(shown[DRAWS * 95 / 100] - o.shown_p95_ms) < 0.05 * o.shown_p95_ms + 1000);
	free(shown);
}

/* ---- what cannot be ---- */

static void
overload_is_refused(void **state)
{
	struct outlook_delay o = { .p50_ms = 7 };
	struct diag d = { "" };
	struct params p;

	(void)state;
	setup(&p, NULL, NULL);
	assert_err(outlook_delay(&o, &p, 1000, 0, &d), ERR_RANGE);
	assert_non_null(strstr(d.text, "the journal takes"));
	p.people = 1;
	p.pieces = 15;
	assert_err(outlook_delay(&o, &p, 8000, 0, &d), ERR_RANGE);
	assert_non_null(strstr(d.text, "shorter slot"));
	assert_true(o.p50_ms == 7);
}

/* ---- among how many ---- */

static void
whole_slots_leave_everybody_alike(void **state)
{
	struct outlook_anonymity a;
	struct params p;

	(void)state;
	setup(&p, NULL, NULL);
	outlook_anonymity(&a, &p);
	assert_true(a.known);
	assert_true(fabs(a.people.effective - 125) < 1e-6 && fabs(a.people.least - 125) < 1e-6);
	assert_true(a.crowd == 125 && outlook_least_people(&a) <= 125 + 1e-6);
	assert_err_ok(params_set(&p, "slot", "20s", NULL));
	outlook_anonymity(&a, &p);
	assert_true(a.people.least < a.people.effective && a.people.effective < 125);
	assert_true(a.people_one.least < a.people.least);
}

/* A slot of two rounds: who sends in the even ones, who in the odd ones. One mix of q. */
static void
two_classes_of_people_are_exact(void **state)
{
	struct outlook_anonymity a;
	struct params p;
	double q, even, bits;

	(void)state;
	setup(&p, "slot", "20s");
	outlook_anonymity(&a, &p);
	q = outlook_sessions(&p) / 2 / strategy_pool(&p.strategy[0], outlook_sessions(&p) / 2, 10000);
	even = 1 / (2 - q); /* the sum of q (1 - q)^2k */
	bits = -even * log2(even) - (1 - even) * log2(1 - even);
	assert_true(fabs(a.people_one.least - 62.5 / even) < 1e-6);
	assert_true(fabs(log2(a.people_one.effective) - log2(62.5) - bits) < 1e-6);
}

static void
other_strategies_are_not_known(void **state)
{
	struct outlook_anonymity a;
	struct outlook_delay o;
	struct params p;

	(void)state;
	setup(&p, "strategy.1", "stop-and-go mean=10s");
	outlook_anonymity(&a, &p);
	assert_false(a.known);
	assert_true(outlook_least_people(&a) == a.crowd);
	assert_err_ok(outlook_delay(&o, &p, SELDOM, 0, NULL));
	/* twice half a round and the third of one to the end, the delay, half a tick */
	assert_true(fabs(o.mixes_ms + o.round_ms - (2 * (5000 + 20000.0 / 3) + 10050 + 10000.0 / 3)) < 100);
}

/* ---- sizes ---- */

static void
blocks_have_the_size_that_is_encoded(void **state)
{
	struct params p;
	struct buf b;
	struct block empty = { .round = 7, .previous = { 1 } };

	(void)state;
	setup(&p, NULL, NULL);
	p.people = 1;
	p.note_one_in = 64;
	p.slot_ms = 600000;
	buf_init(&b);
	assert_err_ok(block_encode(&b, &empty));
	assert_true(fabs(outlook_block_bytes(&p, 0) - (double)b.len - BLOCK_SIGNATURE_BYTES - 5) < 1);
	buf_release(&b);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(delay_is_that_of_messages_drawn_one_by_one),
	cmocka_unit_test(parts_add_up),
	cmocka_unit_test(own_messages_wait_for_each_other),
	cmocka_unit_test(texts_are_shown_in_order),
	cmocka_unit_test(overload_is_refused),
	cmocka_unit_test(whole_slots_leave_everybody_alike),
	cmocka_unit_test(two_classes_of_people_are_exact),
	cmocka_unit_test(other_strategies_are_not_known),
	cmocka_unit_test(blocks_have_the_size_that_is_encoded),
};

TEST_MAIN(tests)

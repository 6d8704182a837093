/*
 * The note test: what is judged when, and how often honest loss alone makes it fail,
 * computed and measured beside each other.
 */
#include "config.h"

#include "common/journal/notetest.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/bytes.h"
#include "common/charter/timing.h"
#include "tests/lib/test.h"

struct bench {
	struct notetest *test;
	struct params params;
	uint64_t notes;	  /* sent so far: their bytes */
	int64_t now_ms, from_ms;
};

static void
begin(struct bench *b, const struct notetest_rule *rule)
{
	memset(b, 0, sizeof(*b));
	params_default(&b->params);
	b->test = notetest_new(rule);
	assert_non_null(b->test);
	b->from_ms = b->now_ms = 1000 * b->params.round_ms;
}

static uint64_t
send(struct bench *b)
{
	uint8_t bytes[BLOCK_DIGEST_BYTES];

	store_u64(bytes, ++b->notes);
	notetest_sent(b->test, bytes, b->now_ms, &b->params);
	return b->notes;
}

/* The block of a round, with this note (0: without any); it comes now. */
static void
show_round(struct bench *b, int64_t start_ms, uint64_t note)
{
	struct block block;
	uint8_t bytes[BLOCK_DIGEST_BYTES];

	memset(&block, 0, sizeof(block));
	store_u64(bytes, note);
	block.digests = bytes;
	block.digest_count = note != 0;
	notetest_block(b->test, &block, b->from_ms, start_ms, start_ms + b->params.round_ms,
	    b->now_ms, test_rng());
}

/* The one in which `now` lies. */
static void
show(struct bench *b, uint64_t note)
{
	show_round(b, b->now_ms - b->now_ms % b->params.round_ms, note);
}

static struct notetest_status
status(const struct bench *b)
{
	struct notetest_status s;

	notetest_get_status(b->test, &s);
	return s;
}

static void
end(struct bench *b)
{
	notetest_free(b->test);
}

/* ---- what is judged ---- */

static void
test_a_note_is_judged_one_term_after_sending(void **state)
{
	int64_t term;
	struct bench b;

	(void)state;
	begin(&b, &notetest_client);
	term = notetest_term_ms(&b.params);
	assert_true(term == params_forecast_ms(&b.params) + b.params.round_ms);
	(void)send(&b);
	b.now_ms += term - 2 * b.params.round_ms;
	show(&b, 0);
	assert_int_equal(status(&b).judged, 0);
	assert_int_equal(status(&b).open, 1);
	b.now_ms += 2 * b.params.round_ms;
	show(&b, 0);
	assert_int_equal(status(&b).judged, 1);
	assert_int_equal(status(&b).returned, 0);
	end(&b);
}

static void
test_a_listed_note_has_returned(void **state)
{
	struct bench b;

	(void)state;
	begin(&b, &notetest_client);
	uint64_t first = send(&b), second = send(&b);
	b.now_ms += 3 * b.params.round_ms;
	show(&b, second);
	b.now_ms += notetest_term_ms(&b.params);
	show(&b, first); /* of a round after its term */
	assert_int_equal(status(&b).judged, 2);
	assert_int_equal(status(&b).returned, 1);
	assert_int_equal(status(&b).window_judged, 2);
	assert_int_equal(status(&b).window_returned, 1);
	end(&b);
}

/* What is not shown in time is lost, whether nothing comes at all or what is after a gap. */
static void
test_a_gap_helps_nobody(void **state)
{
	struct bench b;
	int64_t in_time;

	(void)state;
	begin(&b, &notetest_client);
	in_time = notetest_term_ms(&b.params) + notetest_late_ms(&b.params);
	for (unsigned i = 0; i < 12; i++)
		(void)send(&b);
	b.now_ms += in_time;
	b.from_ms = b.now_ms - b.params.round_ms;
	show(&b, 0);
	notetest_look(b.test, b.now_ms, test_rng());
	assert_int_equal(status(&b).judged, 0);
	b.now_ms++;
	notetest_look(b.test, b.now_ms, test_rng());
	assert_int_equal(status(&b).judged, 12);
	assert_int_equal(status(&b).returned, 0);
	assert_int_equal(status(&b).unjudged, 0);
	end(&b);
}

/*
 * A block says of itself of which round it is. So the rounds of the term alone would let
 * somebody list today what it held back, as if it had come long ago.
 */
static void
test_a_backdated_block_is_late(void **state)
{
	uint64_t held[3];
	int64_t first;
	struct bench b;

	(void)state;
	begin(&b, &notetest_client);
	first = b.now_ms;
	for (size_t i = 0; i < 3; i++) {
		held[i] = send(&b);
		b.now_ms += b.params.round_ms;
	}
	/* the last moment for the second, too late for the first */
	b.now_ms = first + b.params.round_ms + notetest_term_ms(&b.params) +
	    notetest_late_ms(&b.params);
	for (size_t i = 0; i < 3; i++)
		show_round(&b, first + (int64_t)(i + 3) * b.params.round_ms, held[i]);
	b.now_ms += 3 * b.params.round_ms;
	notetest_look(b.test, b.now_ms, test_rng());
	assert_int_equal(status(&b).judged, 3);
	assert_int_equal(status(&b).returned, 2);
	end(&b);
}

/* While it is borne that no block comes, late ones are good; then no more. */
static void
test_what_is_borne_is_not_late(void **state)
{
	int64_t first, until;
	struct bench b;

	(void)state;
	begin(&b, &notetest_mix);
	first = b.now_ms;
	until = first + 60 * 60000;
	uint64_t one = send(&b), two = send(&b);
	notetest_bear(b.test, until);
	b.now_ms = until;
	notetest_look(b.test, b.now_ms, test_rng());
	show_round(&b, first + b.params.round_ms, one);
	assert_int_equal(status(&b).judged, 0);
	b.now_ms++;
	show_round(&b, first + 2 * b.params.round_ms, two);
	assert_int_equal(status(&b).judged, 2);
	assert_int_equal(status(&b).returned, 1);
	end(&b);
}

static void
test_the_latest_can_be_forgotten(void **state)
{
	int64_t since;
	struct bench b;

	(void)state;
	begin(&b, &notetest_mix);
	(void)send(&b);
	since = ++b.now_ms;
	(void)send(&b);
	b.now_ms++;
	(void)send(&b);
	notetest_forget_since(b.test, since);
	assert_int_equal(status(&b).open, 1);
	assert_int_equal(status(&b).unjudged, 2);
	b.now_ms += notetest_term_ms(&b.params);
	show(&b, 1);
	assert_int_equal(status(&b).judged, 1);
	end(&b);
}

/* Two sessions: one that began late is as good, once the other has shown what was before. */
static void
test_runs_complete_each_other(void **state)
{
	struct bench b;
	int64_t before;

	(void)state;
	begin(&b, &notetest_client);
	before = b.from_ms;
	b.now_ms += b.params.round_ms;
	(void)send(&b);
	b.now_ms += b.params.round_ms;
	show(&b, 0);
	b.from_ms = b.now_ms + b.params.round_ms; /* its first block comes next */
	b.now_ms += notetest_term_ms(&b.params);
	show(&b, 0);
	assert_int_equal(status(&b).judged, 1);
	/* and one that reads again from further back changes nothing */
	b.from_ms = before;
	b.now_ms = before;
	show(&b, 1);
	assert_int_equal(status(&b).judged, 1);
	assert_int_equal(status(&b).returned, 0);
	end(&b);
}

static void
test_a_set_clock_forgets_what_waits(void **state)
{
	struct bench b;

	(void)state;
	begin(&b, &notetest_client);
	(void)send(&b);
	show(&b, 0);
	notetest_forget(b.test);
	b.now_ms += notetest_term_ms(&b.params);
	show(&b, 0);
	assert_int_equal(status(&b).judged, 0);
	assert_int_equal(status(&b).unjudged, 1);
	end(&b);
}

/* More notes than ever wait: the oldest give way, the others are judged. */
static void
test_notes_that_wait_are_bounded(void **state)
{
	struct bench b;

	(void)state;
	begin(&b, &notetest_client);
	for (unsigned i = 0; i < NOTETEST_OPEN_MAX + 100; i++)
		(void)send(&b);
	assert_int_equal(status(&b).open, NOTETEST_OPEN_MAX);
	assert_int_equal(status(&b).unjudged, 100);
	b.now_ms += notetest_term_ms(&b.params);
	show(&b, NOTETEST_OPEN_MAX + 100);
	assert_int_equal(status(&b).judged, NOTETEST_OPEN_MAX);
	assert_int_equal(status(&b).returned, 1);
	end(&b);
}

/* ---- the rules ---- */

/* One note, judged at once: time passes by more than a term. */
static void
judge(struct bench *b, bool lost)
{
	uint64_t note = send(b);

	show(b, lost ? 0 : note);
	b->now_ms += notetest_term_ms(&b->params) + b->params.round_ms;
	show(b, 0);
}

static void
test_a_client_stops_at_the_thirteenth_loss_and_goes_on_by_itself(void **state)
{
	struct bench b;

	(void)state;
	begin(&b, &notetest_client);
	for (unsigned i = 0; i < 30; i++)
		judge(&b, false);
	for (unsigned i = 0; i < 12; i++)
		judge(&b, true);
	assert_true(status(&b).passes);
	judge(&b, true);
	assert_false(status(&b).passes);
	/* the next 11 that return push out 11 that had returned before */
	for (unsigned i = 0; i < 11; i++) {
		judge(&b, false);
		assert_false(status(&b).passes);
	}
	judge(&b, false); /* the first loss leaves the window */
	assert_true(status(&b).passes);
	end(&b);
}

/* At once after a start as well; never before 9 are lost, always with 11. */
static void
test_a_mix_notices_between_nine_and_eleven_losses(void **state)
{
	unsigned at[13] = { 0 };

	(void)state;
	for (unsigned run = 0; run < 300; run++) {
		struct bench b;
		unsigned n = 0;

		begin(&b, &notetest_mix);
		while (status(&b).passes && n < 12) {
			judge(&b, true);
			n++;
		}
		at[n]++;
		end(&b);
	}
	assert_int_equal(at[9] + at[10] + at[11], 300);
	/* a third at each: drawn anew for each note */
	assert_in_range(at[9], 60, 140);
	assert_in_range(at[10], 90, 180);
	assert_in_range(at[11], 30, 100);
}

/* ---- false alarms: computed ---- */

static double
choose(unsigned n, unsigned k)
{
	double c = 1;

	for (unsigned i = 0; i < k; i++)
		c = c * (n - i) / (i + 1);
	return c;
}

/* Exactly k of n return if each is lost with probability q. */
static double
exactly(unsigned n, unsigned k, double q)
{
	return choose(n, k) * pow(1 - q, k) * pow(q, n - k);
}

/*
 * Mixes. The chance that the next note makes a mix stop that has run for long, by the
 * whole chain of windows (a bit for each of the last 12): the share of those that have not
 * stopped by now and do with the next note. It converges within some windows.
 */
static double
mix_rate(double q)
{
	enum { STATES = 1 << 12, NOTES = 120 };
	static double now[STATES], next[STATES];
	double hazard = 0;

	memset(now, 0, sizeof(now));
	now[0] = 1; /* none is lost */
	for (unsigned i = 0; i < NOTES; i++) {
		double stopped = 0, left = 0;

		memset(next, 0, sizeof(next));
		for (unsigned s = 0; s < STATES; s++) {
			for (unsigned lost = 0; lost < 2; lost++) {
				unsigned t = (s << 1 | lost) & (STATES - 1);
				unsigned back = 12 - (unsigned)__builtin_popcount(t);
				double p = now[s] * (lost ? q : 1 - q);
				/* of the thresholds 2, 3, 4 those above `back` */
				double fails = back >= 4 ? 0 : back < 2 ? 1 : (4.0 - back) / 3;

				stopped += p * fails;
				next[t] += p * (1 - fails);
			}
		}
		for (unsigned s = 0; s < STATES; s++)
			left += next[s];
		hazard = stopped / (stopped + left);
		for (unsigned s = 0; s < STATES; s++)
			now[s] = next[s] / left;
	}
	return hazard;
}

/* The bound: the chance that the test does not pass after a note, whatever was before. */
static double
mix_bound(double q)
{
	double sum = 0;

	for (unsigned least = 2; least <= 4; least++)
		for (unsigned k = 0; k < least; k++)
			sum += exactly(12, k, q) / 3;
	return sum;
}

/*
 * Clients, in closed form. A note begins a time without real traffic if of the 23 before
 * it 11 have returned, it is lost, and the one that leaves the window had returned.
 */
static double
client_rate(double q)
{
	return exactly(23, 11, q) * q * (1 - q);
}

/* ---- false alarms: measured ---- */

/* How many of `notes` end in a stop, after which a mix begins anew and a client goes on. */
static double
measured(const struct notetest_rule *rule, double q, unsigned notes)
{
	bool passed = true;
	unsigned stops = 0;
	struct bench b;

	begin(&b, rule);
	for (unsigned i = 0; i < notes; i++) {
		judge(&b, rng_unit(test_rng()) < q);
		if (!status(&b).passes && passed) {
			stops++;
			if (rule == &notetest_mix)
				notetest_clear(b.test);
		}
		passed = status(&b).passes;
	}
	end(&b);
	return stops;
}

struct expectation {
	double loss;
	double mix_day, client_day; /* at most so many in a day, by the defaults */
};

/* docs/protocol.md, section 7, has these numbers: what changes one changes the other. */
static const struct expectation expectations[] = {
	{ 0.01, 1e-12, 3e-17 },
	{ 0.05, 2e-6, 2e-8 },
	{ 0.10, 7e-4, 2e-4 },
};

/* A slot is 5 s, a note goes in one of eight; a mix has six sessions. */
#define MIX_NOTES_DAY (6 * 17280.0 / 8)
#define CLIENT_NOTES_DAY (17280.0 / 8)

static void
test_honest_loss_raises_no_alarm(void **state)
{
	enum { NOTES = 200000 };

	(void)state;
	for (size_t i = 0; i < sizeof(expectations) / sizeof(expectations[0]); i++) {
		const struct expectation *x = &expectations[i];
		double mix = mix_rate(x->loss) * MIX_NOTES_DAY;
		double client = client_rate(x->loss) * CLIENT_NOTES_DAY;

		print_message("# loss %2.0f %%: mix stops %.2g a day, client %.2g a day\n",
		    100 * x->loss, mix, client);
		assert_true(mix > 0 && mix <= mix_bound(x->loss) * MIX_NOTES_DAY);
		assert_true(mix <= x->mix_day && mix > x->mix_day / 10);
		assert_true(client > 0 && client <= x->client_day && client > x->client_day / 10);
		/* nothing of the kind in days of notes */
		assert_true(measured(&notetest_mix, x->loss, NOTES) == 0);
		assert_true(measured(&notetest_client, x->loss, NOTES) == 0);
	}
}

/*
 * Where stops are frequent enough to count them, as many come as were computed: within
 * five standard deviations of a Poisson number (a mix's first window is a little better
 * than the rest, which is far less).
 */
static void
check_measured(const struct notetest_rule *rule, double q, double rate)
{
	enum { NOTES = 300000 };
	double expected = rate * NOTES, got = measured(rule, q, NOTES);

	print_message("# loss %2.0f %%, window %u: %.0f stops, computed %.1f\n", 100 * q,
	    rule->window, got, expected);
	assert_true(expected > 30);
	assert_true(fabs(got - expected) < 5 * sqrt(expected) + expected / 10);
}

static void
test_measured_is_as_computed(void **state)
{
	(void)state;
	check_measured(&notetest_mix, 0.35, mix_rate(0.35));
	check_measured(&notetest_mix, 0.40, mix_rate(0.40));
	check_measured(&notetest_client, 0.30, client_rate(0.30));
	check_measured(&notetest_client, 0.40, client_rate(0.40));
}

/* Half of the sessions cut off: mixes notice, which is what stops a bisection. */
static void
test_half_of_the_sessions(void **state)
{
	double rate = mix_rate(0.5);

	(void)state;
	print_message("# half lost: a mix stops after %.0f notes in the mean\n", 1 / rate);
	assert_true(1 / rate < 100);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_a_note_is_judged_one_term_after_sending),
	cmocka_unit_test(test_a_listed_note_has_returned),
	cmocka_unit_test(test_a_gap_helps_nobody),
	cmocka_unit_test(test_a_backdated_block_is_late),
	cmocka_unit_test(test_what_is_borne_is_not_late),
	cmocka_unit_test(test_the_latest_can_be_forgotten),
	cmocka_unit_test(test_runs_complete_each_other),
	cmocka_unit_test(test_a_set_clock_forgets_what_waits),
	cmocka_unit_test(test_notes_that_wait_are_bounded),
	cmocka_unit_test(test_a_client_stops_at_the_thirteenth_loss_and_goes_on_by_itself),
	cmocka_unit_test(test_a_mix_notices_between_nine_and_eleven_losses),
	cmocka_unit_test(test_honest_loss_raises_no_alarm),
	cmocka_unit_test(test_measured_is_as_computed),
	cmocka_unit_test(test_half_of_the_sessions),
};

TEST_MAIN(tests)

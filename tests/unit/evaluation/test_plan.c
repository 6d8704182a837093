#include "config.h"

#include "tests/lib/test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "evaluation/closed.h"
#include "evaluation/figures.h"
#include "evaluation/plan.h"
#include "evaluation/run.h"

#define assert_near(value, wanted, by) assert_true(fabs((value) - (wanted)) <= (by))

static void
ask(struct plan_question *q, uint32_t people)
{
	memset(q, 0, sizeof(*q));
	params_default(&q->params);
	q->params.people = people;
	q->params.mailboxes = plan_least_mailboxes(&q->params);
	q->messages_per_day = 50;
	plan_fit(&q->params, q->messages_per_day);
	q->online = 1;
	q->contacts = 10;
	q->unwrap_us = 40;
	q->seal_us_per_kib = 0.75;
}

static double
value(const struct plan *p, const char *group, const char *name)
{
	for (size_t i = 0; i < p->count; i++)
		if (strcmp(p->figures[i].group, group) == 0 &&
		    strcmp(p->figures[i].name, name) == 0) {
			assert_null(p->figures[i].reason);
			return p->figures[i].value;
		}
	fail_msg("no figure %s %s", group, name);
	return 0;
}

/* ---- bytes, counted by hand from docs/protocol.md at the defaults ---- */

static void
a_clients_bytes(void **state)
{
	struct plan_question q;
	struct plan p;
	double up, down;

	(void)state;
	ask(&q, 125);
	assert_err_ok(plan_of(&p, &q, NULL));
	/* 24 sessions of 66 minutes in the mean, a frame every 5 s, handshake and open */
	up = 24 * (66 * 12 + 2);
	assert_near(value(&p, "client", "up_frames"), up, 1e-6);
	assert_near(value(&p, "client", "up_records"), up * 4096, 1e-3);
	assert_near(value(&p, "client", "up_headers"), up * (4388 - 4096), 1e-3);
	assert_near(value(&p, "client", "up_noise"), up * 16, 1e-3);
	/* 4404 bytes are 9 cells of 498, 514 on the wire */
	assert_near(value(&p, "client", "up_tor"), up * (9 * 514 - 4404), 1e-3);
	assert_near(value(&p, "client", "up_bytes"), up * 9 * 514, 1e-3);
	/* down: 8 + 2 * 4224 + 16 bytes, 18 cells; and what catching up takes */
	down = value(&p, "client", "down_frames");
	assert_true(down > up && down < 1.05 * up);
	assert_near(value(&p, "client", "down_bytes"), down * 18 * 514, 1e-3);
	assert_near(p.client_bytes, up * 9 * 514 + down * 18 * 514, 1e-3);
	q.online = 0.25;
	assert_err_ok(plan_of(&p, &q, NULL));
	assert_near(value(&p, "client", "up_frames"), up / 4, 1e-6);
	/* the gateway must bear everybody at once all the same */
	assert_near(value(&p, "gateway", "session_bytes_in"), up * 143 * 4404, 1);
}

static void
a_nodes_load(void **state)
{
	struct plan_question q;
	struct plan p;

	(void)state;
	ask(&q, 125);
	assert_err_ok(plan_of(&p, &q, NULL));
	assert_near(value(&p, "gateway", "sessions"), 125 + 3 * 6, 1e-9);
	/* 143 packets in 5 s, and a batch frame for each of 8640 rounds, of 4380 + 8 + 16 bytes */
	assert_near(value(&p, "mix", "link_bytes_in"), (143.0 * 17280 + 8640) * 4404, 1);
	assert_near(value(&p, "gateway", "link_bytes_in"), (143.0 * 17280 + 8640) * (4404 - 3 * 56), 1);
	assert_near(value(&p, "gateway", "deposits"), 125 * 50 * 2, 1e-6);
	assert_near(value(&p, "gateway", "disk_replay"), 2 * 143.0 / 5 * 21600 * 16, 1);
	assert_true(value(&p, "gateway", "disk_day") > 12500 * 4096.0 &&
	    value(&p, "gateway", "disk_day") < 12500 * 4096 + 8640 * 1000.0);
	assert_near(value(&p, "gateway", "disk_kept"), 14 * value(&p, "gateway", "disk_day"), 1);
	/* 28.6 packets a second of 40 us */
	assert_true(value(&p, "mix", "processor") > 28.6 * 40e-6 &&
	    value(&p, "mix", "processor") < 1.3 * 28.6 * 40e-6);
}

/* ---- against the mixes' own code ---- */

static struct run *
simulate(struct scenario *s, uint32_t people)
{
	char text[512];
	struct run_options options = { .trace = NULL };
	struct diag d = { "" };
	struct run *r;

	(void)snprintf(text, sizeof(text), "restante-scenario 1\nseed = 4\npeople = %u\n"
	    "messages-per-day = 400\nduration = 12h\nwarm-up = 30min\ntarget-rule = any\n"
	    "cover = counted\n", people);
	if (scenario_parse(s, "test", text, strlen(text), &d) != ERR_OK ||
	    run_scenario(&r, s, &options, &d) != ERR_OK)
		fail_msg("%s", d.text);
	return r;
}

/*
 * The simulation has no sessions of mixes, so it has as many people more. What it calls the
 * delay of a message ends with the round. Its seed is fixed: the same bytes everywhere.
 */
static void
the_simulation_agrees(void **state)
{
	struct plan_question q;
	struct scenario s;
	struct figures f;
	struct plan p;
	struct run *r;
	double delay;

	(void)state;
	ask(&q, 60);
	q.messages_per_day = 200; /* two deposits for each */
	q.params.pieces = PARAMS_PIECES_MAX;
	assert_err_ok(plan_of(&p, &q, NULL));
	r = simulate(&s, 60 + 18);
	assert_err_ok(figures_of(&f, &s, r));
	delay = figures_find(&f, "message_delay", "message")->s.mean;
	assert_near(delay, p.delay.slot_ms + p.delay.mixes_ms + p.delay.round_ms, 0.03 * delay);
	assert_near(figures_find(&f, "network_delay", "message")->s.mean, p.delay.mixes_ms,
	    0.02 * p.delay.mixes_ms);
	assert_near(figures_find(&f, "entropy", "message")->s.mean,
	    log2(p.anonymity.packets.effective), 0.01);
	assert_near(figures_find(&f, "min_entropy", "message")->s.mean,
	    log2(p.anonymity.packets.least), 0.02);
	assert_near(figures_find(&f, "effective_size", "user")->s.mean, 60 + 18, 0.1);
	assert_near(p.anonymity.people.effective, 60, 1e-6);
	run_free(r);
}

/* ---- attacks ---- */

static void
closed_forms_have_their_reference_values(void **state)
{
	(void)state;
	/* threshold pools (N, n): n unknown ones, of which N of N + n leave (evaluation, 2.11) */
	assert_near(closed_blending_mean(10, 10.0 / 20), 4.828, 0.11);
	assert_near(closed_intersection(100, 0.5), 7.9694, 5e-5);
	assert_near(closed_intersection(1000, 0.5), 11.2978, 5e-5);
	assert_near(closed_intersection(1000, 0.9), 71.54, 5e-3);
	assert_near(closed_intersection(10000, 0.8), 44.36, 5e-3);
	assert_near(closed_disclosure(10, 50, 1000, 2), 141.1, 0.05);
	assert_near(closed_disclosure(20, 50, 1000, 2), 452.5, 0.05);
	assert_near(closed_disclosure(5, 10, 100, 2), 63.6, 0.05);
	assert_near(closed_disclosure(20, 1000, 20000, 2), 459.1, 0.05);
}

/* The rule of common/journal/notetest.h, note by note. */
static double
drawn_notes(unsigned window, unsigned least, unsigned most, double lost)
{
	bool was_lost[64] = { false };
	unsigned bad = 0;

	for (unsigned k = 0;; k++) {
		unsigned least_now = least + rng_below(test_rng(), most - least + 1);

		bad -= was_lost[k % window];
		was_lost[k % window] = rng_unit(test_rng()) < lost;
		bad += was_lost[k % window];
		if (window - bad < least_now)
			return k + 1;
	}
}

static void
notes_are_lost_as_drawn(void **state)
{
	enum { TRIALS = 20000 };
	double sum = 0;

	(void)state;
	for (int i = 0; i < TRIALS; i++)
		sum += drawn_notes(12, 2, 4, 0.7);
	/* near geometric: the deviation is as large as the mean, and six of its errors 4 % */
	assert_near(closed_notes_lost(12, 2, 4, 0.7), sum / TRIALS, 0.05 * sum / TRIALS);
	assert_near(closed_notes_lost(12, 2, 4, 1), 9 / 3.0 + 10 * 4 / 9.0 + 11 * 2 / 9.0, 1e-9);
	assert_near(closed_notes_lost(24, 12, 12, 1), 13, 1e-9);
	assert_true(isinf(closed_notes_lost(24, 12, 12, 0.9)));
}

/* ---- targets ---- */

static void
a_target_is_reached_or_said_why_not(void **state)
{
	struct plan_target t = { .delay_p95_ms = 60000, .people = 100, .client_bytes = 300e6 };
	char why[PLAN_SENTENCES_BYTES], changes[PLAN_SENTENCES_BYTES];
	struct plan_question q;
	struct plan p, found;

	(void)state;
	ask(&q, 200);
	assert_err_ok(plan_brief(&p, &q, NULL));
	assert_false(plan_meets(&p, &t));
	assert_true(plan_search(&found, why, &q, &t));
	assert_true(plan_meets(&found, &t));
	assert_err_ok(params_check(&found.question.params, NULL));
	plan_changes(changes, &q.params, &found.question.params);
	assert_contains(changes, "round");
	/* what it names is what it found */
	assert_err_ok(plan_brief(&p, &found.question, NULL));
	assert_true(plan_meets(&p, &t));
	t.people = 201;
	assert_false(plan_search(&found, why, &q, &t));
	assert_contains(why, "only 200 people");
	t = (struct plan_target){ .delay_p95_ms = 3000, .client_bytes = 20e6 };
	assert_false(plan_search(&found, why, &q, &t));
	assert_contains(why, "at least");
}

static void
one_change_is_preferred_to_two(void **state)
{
	struct plan_target t = { .client_bytes = 250e6 };
	char why[PLAN_SENTENCES_BYTES], changes[PLAN_SENTENCES_BYTES];
	struct plan_question q;
	struct plan found;

	(void)state;
	ask(&q, 200);
	assert_true(plan_search(&found, why, &q, &t));
	plan_changes(changes, &q.params, &found.question.params);
	assert_contains(changes, "slot");
	assert_null(strstr(changes, "round"));
	assert_null(strstr(changes, "layers"));
}

static void
every_size_of_network_has_a_plan(void **state)
{
	static const uint32_t sizes[] = { 1, 2, 20, 49, 50, 99, 200, 2000, 20000, 30000 };
	struct diag too_many = { "" };
	struct plan_question q;
	struct plan p;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct diag d = { "" };

		ask(&q, sizes[i]);
		if (plan_of(&p, &q, &d) != ERR_OK)
			fail_msg("%u people: %s", sizes[i], d.text);
		for (size_t k = 0; k < p.count; k++)
			assert_true(isfinite(p.figures[k].value) && p.figures[k].value >= 0);
		assert_true(p.anonymity.people.least >= 1 && p.anonymity.people.least <= sizes[i] + 1e-6);
	}
	/* a slow slot needs more pieces than the charter's rule asks for */
	ask(&q, 20000);
	q.params.slot_ms = 15000;
	plan_fit(&q.params, 50);
	assert_err(plan_of(&p, &q, &too_many), ERR_RANGE);
	q.params.mailboxes = 200;
	plan_fit(&q.params, 50);
	assert_err_ok(plan_of(&p, &q, NULL));
	assert_true(q.params.pieces > params_least_pieces(&q.params));
	/* the digests of so many notes alone are more than frames have room for */
	ask(&q, 50000);
	assert_err(plan_of(&p, &q, &too_many), ERR_RANGE);
	assert_contains(too_many.text, "pieces");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_clients_bytes),
	cmocka_unit_test(a_nodes_load),
	cmocka_unit_test(the_simulation_agrees),
	cmocka_unit_test(closed_forms_have_their_reference_values),
	cmocka_unit_test(notes_are_lost_as_drawn),
	cmocka_unit_test(a_target_is_reached_or_said_why_not),
	cmocka_unit_test(one_change_is_preferred_to_two),
	cmocka_unit_test(every_size_of_network_has_a_plan),
};

TEST_MAIN(tests)

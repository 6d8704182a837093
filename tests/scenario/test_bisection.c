/*
 * A gateway that withholds a record, and drops the packets of half of the sessions whenever
 * it may come back: whose is it? And who sees that? Thousands of trials in numbers
 * (rehearsal.h), and a few of the real clients, mixes and gateway, which agree with them.
 */
#include "config.h"

#include <string.h>

#include "evaluation/metrics.h"
#include "tests/lib/test.h"
#include "tests/scenario/crowd.h"
#include "tests/scenario/odds.h"
#include "tests/scenario/rehearsal.h"

#define SHORT 16 /* steps of two forecasts each */
#define LONG BISECTOR_STEPS
#define OFTEN_MS (3 * MINUTE_MS)
#define SELDOM_MS (20 * MINUTE_MS)
#define SETTLE_MS (30 * MINUTE_MS)

/* ---- in numbers ---- */

struct study {
	struct odds_row row;
	int64_t mean_ms; /* of each one's writing */
	unsigned weakness, steps;
	bool spares_mixes;
	unsigned seen, stops; /* trials in which a client alarmed, a mix stopped */
};

static void
tell(const struct study *s)
{
	print_message("# %u steps: a client alarmed in %u of %u, a mix stopped in %u\n", s->steps,
	    s->seen, s->row.tried, s->stops);
}

static void
rehearse(struct study *s, unsigned n)
{
	static struct bisector_law law;
	struct rehearsal_result result;
	struct rehearsal_config cfg = {.mean_ms = s->mean_ms, .weakness = s->weakness,
	    .spares_mixes = s->spares_mixes, .steps = s->steps, .rng = test_rng()};
	struct params p;

	fixture_params(&p);
	cfg.params = &p;
	s->row.chance = 1.0 / BISECTOR_PEOPLE;
	s->row.control = s->weakness != CROWD_SOUND;
	rehearsal_learn(&law, &cfg);
	for (s->row.tried = 0; s->row.tried < n; s->row.tried++) {
		rehearsal_run(&result, &law, &cfg);
		s->row.found += result.guess == result.target;
		s->seen += result.alarmed > 0;
		s->stops += result.stopped;
	}
	odds_judge(&s->row);
	tell(s);
}

static void
test_all_write_often(void **state)
{
	struct study real = {.row = {.attack = "withhold, drop halves; all write often",
	    .client = "as it is", .most = 0.2}, .mean_ms = OFTEN_MS, .steps = SHORT,
	    .spares_mixes = true};
	struct study same = real, longer = real;

	(void)state;
	same.row.client = "the same bytes, on time";
	same.weakness = CROWD_REPEATS | CROWD_RESEALS_ON_TIME;
	longer.steps = LONG;
	rehearse(&real, odds_trials(200));
	rehearse(&same, odds_trials(200));
	rehearse(&longer, odds_trials(50));
}

static void
test_all_write_seldom(void **state)
{
	struct study real = {.row = {.attack = "withhold, drop halves; all write seldom",
	    .client = "as it is", .most = 0.3}, .mean_ms = SELDOM_MS, .steps = SHORT,
	    .spares_mixes = true};
	struct study timed = real, longer = real;

	(void)state;
	timed.row.client = "reseals on time";
	timed.weakness = CROWD_RESEALS_ON_TIME;
	longer.steps = LONG;
	rehearse(&real, odds_trials(200));
	rehearse(&timed, odds_trials(200));
	rehearse(&longer, odds_trials(50));
}

/* Nothing hides who writes alone: what comes out while he is dropped is nobody's. */
static void
test_one_writes_alone(void **state)
{
	struct study real = {.row = {.attack = "withhold, drop halves; one writes",
	    .client = "as it is", .most = 0.5}, .steps = SHORT, .spares_mixes = true};
	struct study longer = real;

	(void)state;
	longer.steps = LONG;
	longer.row.most = 0.7;
	rehearse(&real, odds_trials(200));
	rehearse(&longer, odds_trials(50));
}

/* Who cannot tell the mixes' sessions from others drops half of them, too. */
static void
test_the_mixes_see_it(void **state)
{
	struct study blind = {.row = {.attack = "the same, the mixes' sessions too; one writes",
	    .client = "as it is", .most = 1}, .steps = SHORT};
	struct study longer = blind;

	(void)state;
	longer.steps = LONG;
	rehearse(&blind, odds_trials(100));
	rehearse(&longer, odds_trials(100));
	assert_true(longer.stops > longer.row.tried / 2);
}

/* ---- real clients, mixes and gateway ---- */

struct siege {
	struct crowd *crowd;
	struct bisector_law law;
	struct bisector attack;
	struct study *study;
	bool armed, runs;
	unsigned target;
	uint64_t record;
	int64_t from_ms;
	unsigned alarmed; /* bits of people */
	unsigned returns; /* of the record, that were seen */
};

static int64_t
round_of(const struct siege *x)
{
	int64_t round_ms = x->crowd->f.params->round_ms;

	return crowd_now(x->crowd) / round_ms - x->from_ms / round_ms;
}

static enum crowd_verdict
siege_packet(void *arg, unsigned who)
{
	const struct siege *x = arg;

	if (who == CROWD_MIX) {
		if (x->study->spares_mixes)
			return CROWD_PASS;
		who = rng_below(test_rng(), BISECTOR_PEOPLE);
	}
	return x->runs && bisector_drops(&x->attack, round_of(x), who) ? CROWD_DROP : CROWD_PASS;
}

/* A packet takes one to three rounds, mostly two. */
static bool
was_dropped(const struct siege *x, unsigned who)
{
	for (int64_t lag = 0; lag < 5; lag++)
		if (!bisector_drops(&x->attack, round_of(x) - lag, who))
			return false;
	return true;
}

/* The first one is withheld, and all that may be its return. */
static enum crowd_fate
siege_deposit(void *arg, unsigned who, uint32_t epoch, uint64_t record)
{
	struct siege *x = arg;

	(void)epoch;
	if (x->armed) {
		x->armed = false;
		x->runs = true;
		x->target = who; /* for the score */
		x->record = record;
		x->from_ms = crowd_now(x->crowd);
		return CROWD_WITHHELD;
	}
	if (x->runs && record == x->record) {
		x->returns++;
		assert_false(was_dropped(x, who));
	}
	return x->runs && bisector_takes(&x->attack, round_of(x), record == x->record)
	    ? CROWD_WITHHELD
	    : CROWD_WRITTEN;
}

/* People write at random times, each once in mean_ms. */
static void
live(struct siege *x, int64_t ms)
{
	const int64_t tick = 10000;
	struct client_status s;

	for (int64_t t = 0; t < ms; t += tick) {
		fixture_run_for(&x->crowd->f, tick);
		for (unsigned i = 0; i < BISECTOR_PEOPLE; i++) {
			client_status(x->crowd->people[i].client, &s);
			if ((s.alarms & CLIENT_ALARM_NOTES) != 0)
				x->alarmed |= 1U << i;
			if (rng_unit(test_rng()) * (double)x->study->mean_ms < (double)tick &&
			    x->study->mean_ms > 0)
				crowd_say(x->crowd, i);
		}
	}
}

static void
siege_trial(struct siege *x)
{
	double weights[BISECTOR_PEOPLE];
	uint64_t stops = crowd_stops(x->crowd);
	struct study *s = x->study;
	int64_t waited = 0;

	bisector_begin(&x->attack, &x->law, rehearsal_step(x->crowd->f.params), s->steps,
	    (s->weakness & CROWD_REPEATS) != 0, test_rng());
	x->alarmed = x->returns = 0;
	x->armed = true;
	if (s->mean_ms == 0)
		crowd_say(x->crowd, rng_below(test_rng(), BISECTOR_PEOPLE));
	for (; !x->runs && waited < HOUR_MS; waited += 10000)
		live(x, 10000);
	assert_true(x->runs);
	live(x, (int64_t)bisector_length(&x->attack) * x->crowd->f.params->round_ms);
	x->runs = false;
	x->attack.end = bisector_length(&x->attack);
	bisector_weigh(&x->attack, weights);
	s->row.found += odds_most_likely(weights, BISECTOR_PEOPLE) == x->target;
	s->seen += x->alarmed != 0;
	s->stops += crowd_stops(x->crowd) > stops;
	fixture_run_until_true(&x->crowd->f, crowd_mixes_run, x->crowd, 3 * HOUR_MS);
	live(x, SETTLE_MS);
}

/*
 * Of few trials only what cannot fail by chance: the record came back, and its sender was
 * let pass when it did (siege_deposit). What was found is judged with more.
 */
static void
judge_siege(struct study *s, unsigned returns)
{
	bool few = s->row.tried < 8;

	s->row.control = s->row.control && !few;
	s->row.most = few ? 1 : s->row.most;
	odds_judge(&s->row);
	tell(s);
	assert_true(returns > 0 || s->weakness == CROWD_SOUND);
	assert_true(s->stops == 0 || !s->spares_mixes);
}

/* A fresh crowd every some trials: what was withheld from it is still on its way. */
#define TRIALS_OF_A_CROWD 8

static void
siege_begin(struct siege *x, struct crowd *c, struct study *s)
{
	*x = (struct siege){.crowd = c, .study = s};
	crowd_begin(c, BISECTOR_PEOPLE, s->weakness, NULL);
	crowd_pair(c);
	rehearsal_learn(&x->law, &(struct rehearsal_config){.params = c->f.params,
	    .weakness = s->weakness, .rng = test_rng()});
	c->attack = (struct crowd_attack){siege_packet, siege_deposit, x};
	live(x, 10 * MINUTE_MS);
}

static void
besiege(struct study *s, unsigned n)
{
	static struct crowd c;
	static struct siege x;
	unsigned returns = 0;

	s->row.chance = 1.0 / BISECTOR_PEOPLE;
	s->row.control = s->weakness != CROWD_SOUND;
	for (s->row.tried = 0; s->row.tried < n; s->row.tried++) {
		if (s->row.tried % TRIALS_OF_A_CROWD == 0)
			siege_begin(&x, &c, s);
		siege_trial(&x);
		returns += x.returns;
		if (s->row.tried % TRIALS_OF_A_CROWD == TRIALS_OF_A_CROWD - 1 ||
		    s->row.tried + 1 == n)
			crowd_end(&c);
	}
	judge_siege(s, returns);
}

static void
test_real_same(void **state)
{
	struct study s = {.row = {.attack = "real modules; all write often",
	    .client = "the same bytes, on time"}, .mean_ms = OFTEN_MS, .steps = SHORT,
	    .spares_mixes = true, .weakness = CROWD_REPEATS | CROWD_RESEALS_ON_TIME};

	(void)state;
	besiege(&s, odds_trials(2));
}

static void
test_real_alone(void **state)
{
	struct study s = {.row = {.attack = "real modules, mixes too; one writes",
	    .client = "as it is", .most = 0.5}, .steps = SHORT};

	(void)state;
	if (odds_trials(0) > 0) /* many minutes: for the documents */
		besiege(&s, odds_trials(8));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_all_write_often),
    cmocka_unit_test(test_all_write_seldom),
    cmocka_unit_test(test_one_writes_alone),
    cmocka_unit_test(test_the_mixes_see_it),
    cmocka_unit_test(test_real_same),
    cmocka_unit_test(test_real_alone),
};
TEST_MAIN(tests)

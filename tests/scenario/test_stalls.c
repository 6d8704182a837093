/*
 * A gateway that stalls half of the downlinks and waits, with a contact, for an
 * acknowledgement: who is the contact's contact? And one that holds a session's packets over
 * the end of an epoch: did it say anything?
 */
#include "config.h"

#include <string.h>

#include "common/charter/timing.h"
#include "tests/lib/test.h"
#include "tests/scenario/crowd.h"
#include "tests/scenario/odds.h"

#define PEOPLE 8
#define STALL_MOST 0.125 /* what docs/threat-model.md admits */

/* ---- half of the downlinks are stalled: who acknowledges? ---- */

#define TRANSIT_MS 25000 /* from the door to the exit, about */
#define STALL_MS 90000	 /* a client gives a silent session up after 110 s */
#define ROUNDS 3
#define ANSWER_MS 130000 /* from the stall's begin, the latest that tells something */

/*
 * The first half of the crowd has contacts in league with the gateway, the other half,
 * i with i + PEOPLE. Whose contact is whose the gateway does not know.
 */
struct stall {
	struct crowd *crowd;
	bool half[PEOPLE], armed, asked[PEOPLE];
	int64_t from_ms, answered_ms[PEOPLE]; /* 0: not yet */
};

static enum crowd_fate
stall_deposit(void *arg, unsigned who, uint32_t epoch, uint64_t record)
{
	struct stall *x = arg;

	(void)epoch;
	(void)record;
	if (who >= PEOPLE) {
		x->asked[who - PEOPLE] = true;
		if (!x->armed)
			return CROWD_WRITTEN;
		x->armed = false;
		x->from_ms = crowd_now(x->crowd);
		memcpy(x->crowd->stalled, x->half, sizeof(x->half));
	} else if (x->asked[who] && x->answered_ms[who] == 0) {
		x->answered_ms[who] = crowd_now(x->crowd); /* its contact opens it */
	}
	return CROWD_WRITTEN;
}

/*
 * An answer within the stall's reach comes from a client that was not stalled. None makes
 * the stalled ones likelier, by as much as an answer in that time was to be expected.
 */
static void
stall_weigh(const struct stall *x, double weights[PEOPLE], unsigned of, bool at_once)
{
	double expected = at_once ? 0.9 : (double)(ANSWER_MS - TRANSIT_MS) / HOUR_MS / 2;
	bool answered =
	    x->answered_ms[of] != 0 && x->answered_ms[of] - x->from_ms < ANSWER_MS;

	for (unsigned i = 0; i < PEOPLE; i++) {
		if (answered)
			weights[i] *= x->half[i] ? 0.001 : 1;
		else
			weights[i] *= x->half[i] ? 1 : 1 - expected;
	}
}

/* Not about the hour's turn, where sessions come and go. */
static void
wait_for_the_middle(struct crowd *c)
{
	int64_t into = crowd_now(c) % HOUR_MS;

	if (into < 10 * MINUTE_MS || into > 40 * MINUTE_MS)
		fixture_run_for(&c->f, (HOUR_MS + 10 * MINUTE_MS - into) % HOUR_MS);
}

static bool
has_begun(void *arg)
{
	return !((struct stall *)arg)->armed;
}

static bool
all_answered(void *arg)
{
	const struct stall *x = arg;

	for (unsigned i = 0; i < PEOPLE; i++)
		if (x->answered_ms[i] == 0)
			return false;
	return true;
}

/* All contacts write at once; half of the others are stalled. */
static void
stall_round(struct stall *x, double weights[PEOPLE][PEOPLE], bool at_once)
{
	wait_for_the_middle(x->crowd);
	memset(x->asked, 0, sizeof(x->asked));
	memset(x->answered_ms, 0, sizeof(x->answered_ms));
	x->armed = true;
	for (unsigned i = 0; i < PEOPLE; i++)
		crowd_say(x->crowd, i + PEOPLE);
	fixture_run_until_true(&x->crowd->f, has_begun, x, HOUR_MS);
	fixture_run_until(&x->crowd->f, x->from_ms + STALL_MS);
	memset(x->crowd->stalled, 0, sizeof(x->crowd->stalled));
	fixture_run_until(&x->crowd->f, x->from_ms + ANSWER_MS);
	for (unsigned i = 0; i < PEOPLE; i++)
		stall_weigh(x, weights[i], i, at_once);
	fixture_run_until_true(&x->crowd->f, all_answered, x, 8 * HOUR_MS);
}

/* Three halves that tell eight people apart. Returns how many were found. */
static unsigned
stall_trial(struct stall *x, bool at_once)
{
	double weights[PEOPLE][PEOPLE];
	unsigned order[PEOPLE], found = 0;

	for (unsigned i = 0; i < PEOPLE; i++) {
		order[i] = i;
		for (unsigned k = 0; k < PEOPLE; k++)
			weights[i][k] = 1;
	}
	rng_shuffle(test_rng(), order, PEOPLE, sizeof(order[0]));
	for (unsigned k = 0; k < ROUNDS; k++) {
		for (unsigned i = 0; i < PEOPLE; i++)
			x->half[order[i]] = (i >> k & 1) != 0;
		stall_round(x, weights, at_once);
	}
	for (unsigned i = 0; i < PEOPLE; i++)
		found += odds_most_likely(weights[i], PEOPLE) == i;
	return found;
}

static void
stall_row(struct odds_row *r, unsigned n, unsigned weakness)
{
	static struct crowd c;
	struct stall x = {.crowd = &c};

	r->attack = "stall half of the downlinks for 90 s, 3 times";
	r->control = weakness != CROWD_SOUND;
	r->client = r->control ? "acknowledges at once" : "as it is";
	r->chance = 1.0 / PEOPLE;
	crowd_begin(&c, 2 * PEOPLE, weakness, NULL);
	crowd_pair(&c);
	c.attack = (struct crowd_attack){NULL, stall_deposit, &x};
	for (; r->tried < n; r->tried += PEOPLE)
		r->found += stall_trial(&x, r->control);
	crowd_end(&c);
	odds_judge(r);
}

/* ---- one session's packets are held over the end of an epoch ---- */

#define LATE_MS 30000 /* after the end, when they are let go */

struct turn {
	struct crowd *crowd;
	unsigned victim;
	uint32_t epoch; /* that ends */
	bool holds, gone; /* gone: let go; what comes out of the old epoch now was held */
	unsigned late, late_ever;
};

static enum crowd_verdict
turn_packet(void *arg, unsigned who)
{
	const struct turn *x = arg;

	return x->holds && who == x->victim ? CROWD_HOLD : CROWD_PASS;
}

static enum crowd_fate
turn_deposit(void *arg, unsigned who, uint32_t epoch, uint64_t record)
{
	struct turn *x = arg;

	(void)who;
	(void)record;
	x->late += x->gone && epoch == x->epoch;
	return CROWD_WRITTEN;
}

/* Half of all write as the hold begins; does the victim? */
static bool
turn_trial(struct turn *x, int64_t hold_ms)
{
	const struct params *p = x->crowd->f.params;
	bool writes[PEOPLE], guess;
	int64_t end;

	x->epoch = timing_epoch(p, crowd_now(x->crowd));
	x->victim = rng_below(test_rng(), PEOPLE);
	x->late = 0;
	end = timing_epoch_start(p, x->epoch + 1);
	fixture_run_until(&x->crowd->f, end - hold_ms);
	x->holds = true;
	for (unsigned i = 0; i < PEOPLE; i++) {
		writes[i] = rng_chance(test_rng(), 1, 2);
		if (writes[i])
			crowd_say(x->crowd, i);
	}
	fixture_run_until(&x->crowd->f, end + LATE_MS);
	x->holds = false;
	x->gone = true;
	crowd_let_go(x->crowd);
	fixture_run_until(&x->crowd->f, end + LATE_MS + 3 * MINUTE_MS);
	x->gone = false;
	x->late_ever += x->late;
	guess = x->late > 0;
	return guess == writes[x->victim];
}

static void
turn_row(struct odds_row *r, unsigned n, unsigned weakness, int64_t hold_ms)
{
	static struct crowd c;
	struct turn x = {.crowd = &c};
	struct params p;

	fixture_params(&p);
	p.epoch_ms = HOUR_MS;
	r->attack = hold_ms < 2 * MINUTE_MS ? "hold a session for 100 s up to a turn"
			     : "hold a session for 200 s up to a turn";
	r->control = weakness != CROWD_SOUND;
	r->client = r->control ? "writes to the end" : "as it is";
	r->chance = 0.5;
	crowd_begin(&c, PEOPLE, weakness, &p);
	crowd_pair(&c);
	c.attack = (struct crowd_attack){turn_packet, turn_deposit, &x};
	for (r->tried = 0; r->tried < n; r->tried++)
		r->found += turn_trial(&x, hold_ms);
	crowd_end(&c);
	odds_judge(r);
	if (hold_ms < 2 * MINUTE_MS && !r->control)
		assert_int_equal(x.late_ever, 0); /* there is nothing to guess from */
}

static void
test_stalled_downlinks(void **state)
{
	struct odds_row real = {.most = STALL_MOST}, control = {.tried = 0};

	(void)state;
	stall_row(&real, odds_trials(8), CROWD_SOUND);
	stall_row(&control, odds_trials(16), CROWD_ANSWERS_AT_ONCE);
}

static void
test_held_over_a_turn(void **state)
{
	struct odds_row real = {.most = 0.5}, control = {.tried = 0};

	(void)state;
	turn_row(&real, odds_trials(8), CROWD_SOUND, 100000);
	turn_row(&control, odds_trials(12), CROWD_WRITES_AT_TURNS, 100000);
}

/* A hold of more than the two minutes in which everybody sends cover alone does tell. */
static void
test_held_for_long(void **state)
{
	struct odds_row real = {.most = 1};

	(void)state;
	turn_row(&real, odds_trials(4), CROWD_SOUND, 200000);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_stalled_downlinks),
    cmocka_unit_test(test_held_over_a_turn),
    cmocka_unit_test(test_held_for_long),
};
TEST_MAIN(tests)

/*
 * A crowd in numbers, for thousands of trials: of the clients there are slots, notes, the
 * real clocks by which a record is sealed anew (client-lib/outbox.h) and the real note test
 * (common/journal/notetest.h), of the mixes their sessions' notes and the real note test.
 * A packet comes out two rounds after its slot, and a block lists what came in its round.
 * All slots are in the same rounds: when a record came out tells nothing of whose it is,
 * for what mixes make of that is another matter.
 *
 * It begins when a record is withheld. It ends when the attack does, or when a mix stops.
 */
#ifndef TESTS_SCENARIO_REHEARSAL_H
#define TESTS_SCENARIO_REHEARSAL_H

#include "common/charter/params.h"
#include "tests/scenario/bisector.h"

struct rehearsal_config {
	const struct params *params;
	int64_t mean_ms;   /* each writes once in so long; 0: one writes, once */
	unsigned weakness; /* as in crowd.h: CROWD_RESEALS_ON_TIME, CROWD_REPEATS */
	bool spares_mixes; /* the attacker knows the mixes' sessions, and lets them pass */
	unsigned steps;
	const struct rng *rng;
};

struct rehearsal_result {
	unsigned target, guess;
	unsigned alarmed; /* clients whose note test failed, at some time */
	bool stopped;	  /* a mix's did */
};

void rehearsal_learn(struct bisector_law *l, const struct rehearsal_config *cfg);
void rehearsal_run(struct rehearsal_result *out, const struct bisector_law *l,
    const struct rehearsal_config *cfg);
/* Rounds of a step: two forecasts. */
unsigned rehearsal_step(const struct params *p);

#endif

/*
 * An attacker in the gateway's place who withholds a record, from then on drops the packets
 * of half of the sessions by turns and withholds what comes out, and reckons from that whose
 * the record is. Pure: a network, real (crowd.h) or in numbers (rehearsal.h), tells him what
 * happens. All times are in rounds since the record came out.
 */
#ifndef TESTS_SCENARIO_BISECTOR_H
#define TESTS_SCENARIO_BISECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/rng.h"

#define BISECTOR_PEOPLE 8
#define BISECTOR_ROUNDS 640 /* the longest attack */
#define BISECTOR_STEPS 64
#define BISECTOR_RETURNS 24
#define BISECTOR_WAITS 6 /* beyond, each wait is as the last one */

/* What is known of a record that is withheld for ever, from records of one's own. */
struct bisector_law {
	/* How likely the next return comes so many rounds after the k-th; last: or later. */
	double next[BISECTOR_WAITS][BISECTOR_ROUNDS + 1];
	double later[BISECTOR_WAITS][BISECTOR_ROUNDS + 1]; /* ... not within so many */
	double rate[BISECTOR_ROUNDS]; /* returns in this round, expected */
	double greatest;	      /* of these */
};

struct bisector {
	const struct bisector_law *law;
	unsigned step_rounds, steps;
	bool recognises; /* the record is known when it comes back */
	bool half[BISECTOR_STEPS][BISECTOR_PEOPLE];
	unsigned events[BISECTOR_ROUNDS]; /* records that came out and may be it */
	unsigned end;			  /* rounds that were seen */
};

/* From n samples, each the gaps between returns, BISECTOR_WAITS of them. */
void bisector_learn(struct bisector_law *l, const unsigned (*gaps)[BISECTOR_WAITS], size_t n);
/* Draws the halves. */
void bisector_begin(struct bisector *x, const struct bisector_law *l, unsigned step_rounds,
    unsigned steps, bool recognises, const struct rng *r);
unsigned bisector_length(const struct bisector *x);
/* Whether this one's packets are dropped at the door in that round. */
bool bisector_drops(const struct bisector *x, int64_t round, unsigned who);
/* A record came out in that round. Returns whether it is withheld. */
bool bisector_takes(struct bisector *x, int64_t round, bool is_it);
/*
 * How likely what came out is if the record is each one's, up to a factor: returns by the
 * law, unseen while he is dropped, and others' records at random times.
 */
void bisector_weigh(const struct bisector *x, double weights[static BISECTOR_PEOPLE]);

#endif

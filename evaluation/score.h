/*
 * What an adversary's posterior over the senders of a packet is worth: up to
 * VIEW_TARGETS targets in one pass over a view, among packets (the level of
 * messages) and among people (the level of users). Entropies are in bits.
 */
#ifndef EVALUATION_SCORE_H
#define EVALUATION_SCORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "evaluation/view.h"

/* One target at one level. The posterior is what of it is known, divided by its sum. */
struct score_level {
	double entropy, min_entropy;
	double guessing;   /* expected guesses, best first; of packets to 0.2 %, see score.c */
	double effective;  /* 2 to the power of the entropy */
	double greatest;   /* greatest probability */
	double truth;	   /* that of the true packet or person */
	double rank;	   /* its place, best first, the middle one of those that are alike */
};

struct score {
	struct score_level message, user;
	double lost; /* the share of the posterior that goes back before what is known */
};

/* What a target is: its exit, and the truth. */
struct score_target {
	uint32_t exit, person;
	size_t position; /* as in struct watch_exit */
};

struct scorer;

/* messages, users: which levels are wanted; the other one's fields are 0. ERR_MEMORY. */
RST_MUST_USE enum err scorer_new(struct scorer **out, size_t persons, bool messages, bool users);
void scorer_free(struct scorer *s);
/* How many targets a pass takes: fewer than VIEW_TARGETS where there are very many people. */
size_t scorer_targets(const struct scorer *s);
/* Score n <= scorer_targets targets. ERR_MEMORY, ERR_RANGE. */
RST_MUST_USE enum err scorer_run(struct scorer *s, struct score *out, const struct view *v,
    const struct score_target *targets, size_t n);

#endif

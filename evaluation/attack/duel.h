/*
 * Duels: somebody who did it against somebody who did not, and whom the adversary thinks
 * likelier. Each has many, so duels are not independent; the interval of their mean has
 * the variance between those of either side (DeLong, DeLong and Clarke-Pearson 1988). Pure.
 */
#ifndef EVALUATION_ATTACK_DUEL_H
#define EVALUATION_ATTACK_DUEL_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "evaluation/attack/attack.h"

struct duel_side {
	double *sum;
	uint32_t *n;
};

struct duel {
	struct duel_side did, others;
	size_t room;
};

/* Of so many people. ERR_MEMORY. */
RST_MUST_USE enum err duel_init(struct duel *d, size_t people);
void duel_release(struct duel *d);
/* ahead: of his likelihood, or whatever; less than 1e-9 apart is undecided. */
void duel_add(struct duel *d, size_t did, size_t other, double ahead);
/* The advantage, 2 * accuracy - 1: 0 of guesses. Unknown if there was no duel. */
struct attack_value duel_value(const struct duel *d);

#endif

/*
 * The n-1 attack on one mix in closed form: of the packets that it holds, some are unknown to
 * the attacker, who blocks all others and fills up with its own. A mix that keeps `kept`
 * of `held` packets of every round, drawn uniformly, is a Markov chain of how many
 * unknown ones are left (hypergeometric steps). Serjantov, Dingledine and Syverson 2002 and
 * O'Connor 2005 describe the attack; the chain is exact. Pure.
 */
#ifndef EVALUATION_ATTACK_BLENDING_CHAIN_H
#define EVALUATION_ATTACK_BLENDING_CHAIN_H

#include <stddef.h>

#include "common/base/err.h"

struct blending_chain {
	double mean;	 /* rounds until no unknown packet is left */
	size_t rounds99; /* rounds after which that is so with 99 % */
};
/* 0 <= unknown <= held, kept < held. ERR_RANGE, ERR_MEMORY. */
RST_MUST_USE enum err blending_flush(struct blending_chain *out, size_t held, size_t kept,
    size_t unknown);
/*
 * Exponential delays, rho packets inside, all blocked: time in mean delays until it is empty
 * with probability p, and in the mean.
 */
double blending_empty(double rho, double p);
double blending_empty_mean(double rho);
/* P(fewer than `least` of Poisson(mean)): an alarm by what comes back of loops or notes. */
double blending_fewer(double mean, unsigned least);

#endif

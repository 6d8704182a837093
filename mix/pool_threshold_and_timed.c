#include "config.h"

#include "mix/pool_strategy.h"

/*
 * Threshold and timed mix: at the end of a round it sends all that it holds, if these
 * are at least n packets ("threshold and timed mix" in Serjantov, Dingledine and
 * Syverson 2002).
 */

static size_t
leaving(const struct pool *k, size_t held, const struct rng *rng)
{
	(void)rng;
	return held >= k->params.threshold ? held : 0;
}

const struct pool_strategy pool_threshold_and_timed = {
	.name = "threshold and timed", .arm = pool_arm_round, .leaving = leaving
};

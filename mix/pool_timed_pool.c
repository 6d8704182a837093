#include "config.h"

#include "mix/pool_strategy.h"

/*
 * Timed pool mix: at the end of every round it keeps pool_min packets, drawn
 * uniformly, and sends the others ("timed pool mix" in Serjantov, Dingledine and
 * Syverson 2002; its anonymity in Serjantov and Newman 2003).
 */

static size_t
leaving(const struct pool *k, size_t held, const struct rng *rng)
{
	(void)rng;
	return held > k->params.pool_min ? held - k->params.pool_min : 0;
}

const struct pool_strategy pool_timed_pool = {
	.name = "timed pool", .arm = pool_arm_round, .leaving = leaving
};

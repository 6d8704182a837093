#include "config.h"

#include "mix/pool_strategy.h"

/*
 * Timed mix: at the end of every round it sends all that it holds ("timed mix"
 * in Serjantov, Dingledine and Syverson 2002).
 */

static size_t
leaving(const struct pool *k, size_t held, const struct rng *rng)
{
	(void)k;
	(void)rng;
	return held;
}

const struct pool_strategy pool_timed = {
	.name = "timed", .arm = pool_arm_round, .leaving = leaving
};

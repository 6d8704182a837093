#include "config.h"

#include "mix/pool_strategy.h"

/*
 * Timed mix: at the end of every round it sends all that it holds ("timed mix"
 * in Serjantov, Dingledine and Syverson 2002).
 */

static size_t
choose(struct pool *k, int64_t now_ms, const struct rng *rng)
{
	(void)now_ms;
	(void)rng;
	return k->count;
}

const struct pool_strategy pool_timed = {
	.name = "timed", .arm = pool_arm_round, .choose = choose
};

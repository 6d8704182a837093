#include "config.h"

#include "mix/pool_strategy.h"

/*
 * Threshold and timed mix: at the end of a round it sends all that it holds, if these
 * are at least n packets ("threshold and timed mix" in Serjantov, Dingledine and
 * Syverson 2002).
 */

static size_t
choose(struct pool *k, int64_t now_ms, const struct rng *rng)
{
	return k->count >= k->params.threshold ? pool_choose_all(k, now_ms, rng) : 0;
}

const struct pool_strategy pool_threshold_and_timed = {
	.name = "threshold and timed", .arm = pool_arm_round, .choose = choose
};

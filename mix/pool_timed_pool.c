#include "config.h"

#include "mix/pool_strategy.h"

/*
 * Timed pool mix: at the end of every round it keeps pool_min packets, drawn
 * uniformly, and sends the others ("timed pool mix" in Serjantov, Dingledine and
 * Syverson 2002; its anonymity in Serjantov and Newman 2003).
 */

static size_t
choose(struct pool *k, int64_t now_ms, const struct rng *rng)
{
	(void)now_ms;
	if (k->count <= k->params.pool_min)
		return 0;
	return pool_choose_any(k, k->count - k->params.pool_min, rng);
}

const struct pool_strategy pool_timed_pool = {
	.name = "timed pool", .arm = pool_arm_round, .choose = choose
};

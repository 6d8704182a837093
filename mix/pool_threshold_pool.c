#include "config.h"

#include "mix/pool_strategy.h"

/*
 * Threshold pool mix: as soon as it holds n + pool_min packets it sends n of them,
 * drawn uniformly ("threshold pool mix" in Serjantov, Dingledine and Syverson 2002;
 * its anonymity in Serjantov and Danezis, "Towards an Information Theoretic Metric for
 * Anonymity", Privacy Enhancing Technologies 2002). If a flush was late and more came
 * in, the others wait for the next batch.
 */

static void
arm(struct pool *k, int64_t now_ms)
{
	size_t full = (size_t)k->params.threshold + k->params.pool_min;

	k->due_ms = k->count >= full ? now_ms : POOL_NEVER;
}

static size_t
choose(struct pool *k, int64_t now_ms, const struct rng *rng)
{
	(void)now_ms;
	if (k->count < (size_t)k->params.threshold + k->params.pool_min)
		return 0;
	return pool_choose_any(k, k->params.threshold, rng);
}

const struct pool_strategy pool_threshold_pool = {
	.name = "threshold pool", .arm = arm, .added = arm, .choose = choose
};

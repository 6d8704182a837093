#include "config.h"

#include "mix/pool_strategy.h"

/*
 * Threshold mix: as soon as it holds n packets it sends n of them (Chaum 1981;
 * "threshold mix" in Serjantov, Dingledine and Syverson, "From a Trickle to a
 * Flood", Information Hiding 2002). Normally these are all; if a flush was late
 * and more came in, the others wait for the next batch.
 */

static void
arm(struct pool *k, int64_t now_ms)
{
	k->due_ms = k->count >= k->params.threshold ? now_ms : POOL_NEVER;
}

static size_t
choose(struct pool *k, int64_t now_ms, const struct rng *rng)
{
	(void)now_ms;
	if (k->count < k->params.threshold)
		return 0;
	return pool_choose_any(k, k->params.threshold, rng);
}

const struct pool_strategy pool_threshold = {
	.name = "threshold", .arm = arm, .added = arm, .choose = choose
};

#include "config.h"

#include "mix/pool_strategy.h"

/*
 * Timed dynamic pool mix, "Cottrell mix": at the end of every round it sends a
 * share of what it holds, but always keeps pool_min packets. The rule is that of
 * Mixminion's server (ServerQueue.py; Danezis, Dingledine and Mathewson 2003):
 * of T packets it sends min(T - pool_min, max(1, floor(T * rate))), and none
 * while T <= pool_min. (gMix's floor(rate * (T - pool_min)) is another rule.)
 */

#define MILLION 1000000u

static size_t
choose(struct pool *k, int64_t now_ms, const struct rng *rng)
{
	size_t share = (size_t)((uint64_t)k->count * k->params.rate_ppm / MILLION);
	size_t most;

	(void)now_ms;
	if (k->count <= k->params.pool_min)
		return 0;
	most = k->count - k->params.pool_min;
	if (share == 0)
		share = 1;
	return pool_choose_any(k, share < most ? share : most, rng);
}

const struct pool_strategy pool_timed_dynamic_pool = {
	.name = "timed dynamic pool", .arm = pool_arm_round, .choose = choose
};

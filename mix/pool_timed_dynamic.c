#include "config.h"

#include "mix/pool_strategy.h"

/*
 * Timed dynamic pool mix, "Cottrell mix" (in Serjantov, Dingledine and Syverson 2002):
 * at the end of every round it sends a share of what it holds, but always keeps
 * pool_min packets, and sends none while T <= pool_min. Two rules are published under
 * this name:
 *
 *   mixminion  min(T - pool_min, max(1, floor(T * rate))), of Mixminion's server
 *              (ServerQueue.py; Danezis, Dingledine and Mathewson 2003)
 *   gmix       floor(rate * (T - pool_min)), of the gMix framework
 *              (TimedDynamicPool.java)
 */

#define MILLION 1000000u

static size_t
share_of(const struct pool *k, size_t n)
{
	return (size_t)((uint64_t)n * k->params.rate_ppm / MILLION);
}

static size_t
choose(struct pool *k, int64_t now_ms, const struct rng *rng)
{
	size_t most, share;

	(void)now_ms;
	if (k->count <= k->params.pool_min)
		return 0;
	most = k->count - k->params.pool_min;
	if (k->params.rule == STRATEGY_GMIX)
		return pool_choose_any(k, share_of(k, most), rng);
	share = share_of(k, k->count);
	if (share == 0)
		share = 1;
	return pool_choose_any(k, share < most ? share : most, rng);
}

const struct pool_strategy pool_timed_dynamic_pool = {
	.name = "timed dynamic pool", .arm = pool_arm_round, .choose = choose
};

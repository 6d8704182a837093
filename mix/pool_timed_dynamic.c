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
leaving(const struct pool *k, size_t held, const struct rng *rng)
{
	size_t most, share;

	(void)rng;
	if (held <= k->params.pool_min)
		return 0;
	most = held - k->params.pool_min;
	if (k->params.rule == STRATEGY_GMIX)
		return share_of(k, most);
	share = share_of(k, held);
	if (share == 0)
		share = 1;
	return share < most ? share : most;
}

const struct pool_strategy pool_timed_dynamic_pool = {
	.name = "timed dynamic pool", .arm = pool_arm_round, .leaving = leaving
};

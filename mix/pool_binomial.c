#include "config.h"

#include "common/base/normal.h"
#include "mix/pool_strategy.h"

/*
 * Binomial mix: at the end of every round each of the T packets that it holds leaves
 * with probability P(T), independently of the others, so that their number is drawn
 * too and tells less about T (Diaz and Serjantov, "Generalising Mixes", Privacy
 * Enhancing Technologies 2003, section 4). P is rate * Phi((T - mean) / deviation),
 * Phi being the normal distribution as normal.h computes it; the tosses are exact for
 * the value computed. They say how many leave; which ones is a uniform draw, which comes
 * to the same.
 */

static size_t
leaving(const struct pool *k, size_t held, const struct rng *rng)
{
	uint32_t chance = strategy_chance(&k->params, held);
	size_t n = 0;

	for (size_t i = 0; i < held; i++)
		n += rng_chance(rng, chance, NORMAL_ONE);
	return n;
}

const struct pool_strategy pool_binomial = {
	.name = "binomial", .arm = pool_arm_round, .leaving = leaving
};

#include "config.h"

#include "common/base/normal.h"
#include "mix/pool_strategy.h"

/*
 * Binomial mix: at the end of every round each of the T packets that it holds leaves
 * with probability P(T), independently of the others, so that their number is drawn
 * too and tells less about T (Diaz and Serjantov, "Generalising Mixes", Privacy
 * Enhancing Technologies 2003, section 4). P is rate * Phi((T - mean) / deviation),
 * Phi being the normal distribution as normal.h computes it; the tosses are exact for
 * the value computed.
 */

static size_t
choose(struct pool *k, int64_t now_ms, const struct rng *rng)
{
	uint32_t chance = strategy_chance(&k->params, k->count);
	size_t stays = k->count;

	(void)now_ms;
	/* From the end, so that each is tossed once wherever it is moved. */
	for (size_t i = k->count; i-- > 0;) {
		struct pool_item item = k->items[i];

		if (!rng_chance(rng, chance, NORMAL_ONE))
			continue;
		k->items[i] = k->items[--stays];
		k->items[stays] = item;
	}
	return k->count - stays;
}

/* As many tosses; which ones leave is a uniform draw then, for all had the same chance. */
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
	.name = "binomial", .arm = pool_arm_round, .leaving = leaving,
	.choose = choose
};

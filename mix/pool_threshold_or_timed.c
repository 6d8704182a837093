#include "config.h"

#include "mix/pool_strategy.h"

/*
 * Threshold or timed mix: it sends all that it holds at the end of every round, and
 * before that as soon as it holds n packets ("threshold or timed mix" in Serjantov,
 * Dingledine and Syverson 2002). The rounds follow the wall clock: a batch that was
 * full before its time does not put off the next one.
 */

static void
added(struct pool *k, int64_t now_ms)
{
	if (k->count >= k->params.threshold && now_ms < k->round_ms)
		k->due_ms = now_ms;
}

static void
arm(struct pool *k, int64_t now_ms)
{
	pool_arm_round(k, now_ms);
	added(k, now_ms); /* packets of another strategy may be there already */
}

const struct pool_strategy pool_threshold_or_timed = {
	.name = "threshold or timed", .arm = arm, .added = added, .choose = pool_choose_all
};

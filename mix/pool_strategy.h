/*
 * What a batching strategy is made of; for pool.c and the pool_*.c of the
 * strategies only. A new strategy is one more object of this kind and one more
 * line in pool.c.
 */
#ifndef MIX_POOL_STRATEGY_H
#define MIX_POOL_STRATEGY_H

#include "mix/pool.h"

struct pool_item {
	uint32_t handle;
	int64_t ready_ms; /* arrival + the packet's own delay */
};

struct pool {
	const struct pool_strategy *strategy;
	struct strategy params; /* of the layer */
	struct params network;
	unsigned layer;
	int64_t due_ms;
	int64_t round_ms; /* strategies with rounds: the end of the running one */
	size_t count, room;
	struct pool_item *items; /* in the order that the strategy keeps, if any */
};

struct pool_strategy {
	const char *name;
	/*
	 * Items came from another strategy, or the clock was set: bring them into
	 * order. `arm` follows. May be NULL.
	 */
	void (*adopt)(struct pool *k, int64_t now_ms);
	/* Set due_ms: at the start, after a flush, and after `adopt`. */
	void (*arm)(struct pool *k, int64_t now_ms);
	/* items[count - 1] came in: due_ms may have to be nearer. May be NULL. */
	void (*added)(struct pool *k, int64_t now_ms);
	/*
	 * Strategies that flush by the round and look at nothing but how many packets
	 * there are: how many of `held` leave. Which ones is drawn uniformly. NULL: others.
	 */
	size_t (*leaving)(const struct pool *k, size_t held, const struct rng *rng);
	/*
	 * Choose who leaves: bring them to the end of items, return how many they
	 * are. Their order does not matter, it is drawn afterwards. NULL: as many as
	 * `leaving` says, any of them.
	 */
	size_t (*choose)(struct pool *k, int64_t now_ms, const struct rng *rng);
};

extern const struct pool_strategy pool_threshold, pool_timed, pool_threshold_or_timed,
    pool_threshold_and_timed, pool_threshold_pool, pool_timed_pool, pool_timed_dynamic_pool,
    pool_binomial, pool_stop_and_go;

/* Bring n items, drawn uniformly without replacement, to the end; returns n. */
size_t pool_choose_any(struct pool *k, size_t n, const struct rng *rng);
/* All of them leave. */
size_t pool_choose_all(struct pool *k, int64_t now_ms, const struct rng *rng);
/* due_ms = the layer's next flush instant: the `arm` of all timed strategies. */
void pool_arm_round(struct pool *k, int64_t now_ms);

#endif

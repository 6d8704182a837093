#include "config.h"

#include "mix/pool.h"

#include <stdlib.h>

#include "common/charter/timing.h"
#include "mix/pool_strategy.h"

#define FIRST_ROOM 64

static const struct pool_strategy *const strategies[STRATEGY_KINDS] = {
	[STRATEGY_THRESHOLD] = &pool_threshold,
	[STRATEGY_TIMED] = &pool_timed,
	[STRATEGY_TIMED_POOL] = &pool_timed_pool,
	[STRATEGY_TIMED_DYNAMIC_POOL] = &pool_timed_dynamic_pool,
	[STRATEGY_THRESHOLD_OR_TIMED] = &pool_threshold_or_timed,
	[STRATEGY_THRESHOLD_AND_TIMED] = &pool_threshold_and_timed,
	[STRATEGY_THRESHOLD_POOL] = &pool_threshold_pool,
	[STRATEGY_BINOMIAL] = &pool_binomial,
	[STRATEGY_STOP_AND_GO] = &pool_stop_and_go,
};

void
pool_change(struct pool *k, const struct params *p, unsigned layer, int64_t now_ms)
{
	k->strategy = strategies[p->strategy[layer].kind];
	k->params = p->strategy[layer];
	k->network = *p;
	k->layer = layer;
	pool_rearm(k, now_ms);
}

enum err
pool_new(struct pool **out, const struct params *p, unsigned layer, int64_t now_ms)
{
	struct pool *k = calloc(1, sizeof(*k));

	if (k == NULL)
		return ERR_MEMORY;
	pool_change(k, p, layer, now_ms);
	*out = k;
	return ERR_OK;
}

void
pool_free(struct pool *k)
{
	if (k == NULL)
		return;
	free(k->items);
	free(k);
}

static enum err
grow(struct pool *k)
{
	size_t room = k->room == 0 ? FIRST_ROOM : k->room * 2;
	struct pool_item *items = realloc(k->items, room * sizeof(*items));

	if (items == NULL)
		return ERR_MEMORY;
	k->items = items;
	k->room = room;
	return ERR_OK;
}

enum err
pool_add(struct pool *k, uint32_t handle, uint32_t delay_ms, int64_t now_ms)
{
	enum err e = ERR_OK;

	if (k->count >= k->network.pool_max)
		return ERR_FULL;
	if (k->count == k->room)
		e = grow(k);
	if (e != ERR_OK)
		return e;
	k->items[k->count++] = (struct pool_item){ handle, now_ms + delay_ms };
	if (k->strategy->added != NULL)
		k->strategy->added(k, now_ms);
	return ERR_OK;
}

int64_t
pool_due(const struct pool *k)
{
	return k->due_ms;
}

bool
pool_counts(const struct pool *k)
{
	return k->strategy->leaving != NULL;
}

size_t
pool_leaving(const struct pool *k, size_t held, const struct rng *rng)
{
	return k->strategy->leaving(k, held, rng);
}

static size_t
choose(struct pool *k, int64_t now_ms, const struct rng *rng)
{
	size_t n;

	if (k->strategy->choose != NULL)
		return k->strategy->choose(k, now_ms, rng);
	n = k->strategy->leaving(k, k->count, rng);
	return n < k->count ? pool_choose_any(k, n, rng) : n;
}

size_t
pool_flush(struct pool *k, uint32_t *out, int64_t now_ms, const struct rng *rng)
{
	size_t n;

	if (now_ms < k->due_ms)
		return 0;
	n = choose(k, now_ms, rng);
	k->count -= n;
	for (size_t i = 0; i < n; i++)
		out[i] = k->items[k->count + i].handle;
	rng_shuffle(rng, out, n, sizeof(out[0]));
	k->strategy->arm(k, now_ms);
	return n;
}

void
pool_rearm(struct pool *k, int64_t now_ms)
{
	if (k->strategy->adopt != NULL)
		k->strategy->adopt(k, now_ms);
	k->strategy->arm(k, now_ms);
}

size_t
pool_drain(struct pool *k, uint32_t *out)
{
	size_t n = k->count;

	for (size_t i = 0; i < n; i++)
		out[i] = k->items[i].handle;
	k->count = 0;
	return n;
}

size_t
pool_count(const struct pool *k)
{
	return k->count;
}

const char *
pool_strategy_name(const struct pool *k)
{
	return k->strategy->name;
}

/* ---- for the strategies ---- */

size_t
pool_choose_any(struct pool *k, size_t n, const struct rng *rng)
{
	/* A partial Fisher-Yates shuffle from the end. */
	for (size_t left = k->count; left > k->count - n; left--) {
		size_t i = rng_below(rng, (uint32_t)left);
		struct pool_item chosen = k->items[i];

		k->items[i] = k->items[left - 1];
		k->items[left - 1] = chosen;
	}
	return n;
}

size_t
pool_choose_all(struct pool *k, int64_t now_ms, const struct rng *rng)
{
	(void)now_ms;
	(void)rng;
	return k->count;
}

void
pool_arm_round(struct pool *k, int64_t now_ms)
{
	k->round_ms = timing_next_flush(&k->network, k->layer, now_ms);
	k->due_ms = k->round_ms;
}

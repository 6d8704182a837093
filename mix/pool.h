/*
 * The pool: packets that a mix holds back, and the strategy that says when how
 * many of them leave. docs/protocol.md, "Mixing". Pure: time and randomness are
 * arguments, packets are handles of the caller's. The daemon and the evaluation
 * use the same object.
 *
 * A caller adds packets as they come, asks pool_due() when the strategy wants to
 * be flushed, and calls pool_flush() then. All times are wall-clock ms.
 */
#ifndef MIX_POOL_H
#define MIX_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/rng.h"
#include "common/charter/params.h"

#define POOL_NEVER INT64_MAX

struct pool;

/*
 * An empty pool with the strategy of `layer` in params (copied), which holds at
 * most params->pool_max packets. ERR_MEMORY.
 */
RST_MUST_USE enum err pool_new(struct pool **out, const struct params *p, unsigned layer,
    int64_t now_ms);
void pool_free(struct pool *k);

/*
 * Go on with the strategy of `layer` in other params (copied), from now_ms on: a
 * later charter came into force. All packets stay, with the times at which their own
 * delays end, even if there are more of them than the new pool_max.
 */
void pool_change(struct pool *k, const struct params *p, unsigned layer, int64_t now_ms);

/*
 * Put a packet in. delay_ms is the packet's own delay, at most
 * params_delay_max_ms(): stop-and-go mixing heeds it, it is 0 elsewhere. ERR_FULL at
 * pool_max.
 */
RST_MUST_USE enum err pool_add(struct pool *k, uint32_t handle, uint32_t delay_ms, int64_t now_ms);

/* When the strategy wants the next flush; at or before now: at once. POOL_NEVER. */
int64_t pool_due(const struct pool *k);

/*
 * Flush: moves the packets that leave to out (room for pool_count(k) handles) and
 * returns how many they are. Which ones and in which order are unbiased draws
 * from rng. Nothing leaves before pool_due(). A round that was missed is not made
 * up for.
 */
size_t pool_flush(struct pool *k, uint32_t *out, int64_t now_ms, const struct rng *rng);

/*
 * For an evaluation that counts packets which are alike instead of following each: whether
 * the strategy flushes by the round alone and heeds nothing but how many packets it
 * holds, and how many of `held` packets leave then. Which ones is a uniform draw.
 */
bool pool_counts(const struct pool *k);
size_t pool_leaving(const struct pool *k, size_t held, const struct rng *rng);

/*
 * The wall clock was set, or a flush was missed: take the next flush time from
 * now_ms. Nothing waits longer than its longest delay from there.
 */
void pool_rearm(struct pool *k, int64_t now_ms);

/* Empty the pool without mixing; out as for pool_flush. */
size_t pool_drain(struct pool *k, uint32_t *out);

size_t pool_count(const struct pool *k);
/* The strategy's name in the literature: "timed dynamic pool". */
const char *pool_strategy_name(const struct pool *k);

#endif

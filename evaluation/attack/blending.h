/*
 * The n-1 attack on the network of a scenario, by whoever holds the gateway: it lets through one
 * session alone (trickle), or that one and many of its own (flood), and waits until
 * nobody else's packet is left in any mix. Against it stand the mixes' notes: each mix
 * judges those of its six sessions by the daemons' own test (common/journal/notetest.h),
 * and stops.
 */
#ifndef EVALUATION_ATTACK_BLENDING_H
#define EVALUATION_ATTACK_BLENDING_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "evaluation/attack/trace.h"
#include "evaluation/scenario.h"

#define BLENDING_SESSIONS 6 /* of a mix */

struct blending_trial {
	bool alone;	     /* it came to that within BLENDING_LIMIT_MS */
	int64_t alone_ms;    /* from the block on */
	uint64_t sent, held; /* by the attacker; of others, until then */
};
#define BLENDING_LIMIT_MS INT64_C(3600000)

/*
 * One attack; `flood` sessions of the attacker's own, each a packet in every slot.
 * ERR_MEMORY, ERR_RANGE.
 */
RST_MUST_USE enum err blending_network(struct blending_trial *out, const struct scenario *s,
    uint32_t flood, uint64_t seed);
/*
 * How long after the block the first of `mixes` mixes stops, if `passing` of its sessions'
 * packets still pass (0: none). Blocks come each round. ERR_MEMORY.
 */
RST_MUST_USE enum err blending_stop(int64_t *stop_ms, const struct params *p,
    const struct attack_delay *delay, unsigned mixes, double passing, uint64_t seed);

#endif

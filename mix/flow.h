/*
 * The way of the packets through a mix:
 *
 *   flow_take -> intake -> unwrap -> pool -> (flush) -> commit -> links
 *
 * At a flush everything that came before its instant is unwrapped first. The
 * batch that the pool gives out waits until its replay tags and its number are on
 * the disk: one synced append and one synced replacement for each batch, whatever
 * its size, and a tag that an earlier batch has stored is not stored again. If the
 * disk refuses, that is tried again with growing intervals, and no other batch is
 * flushed meanwhile: what becomes due leaves with the next one.
 *
 * One bound holds over all stages together: pool_max packets in memory.
 */
#ifndef MIX_FLOW_H
#define MIX_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/log.h"
#include "common/base/rng.h"
#include "common/charter/succession.h"
#include "common/net/loop.h"
#include "mix/epochkeys.h"
#include "mix/links.h"
#include "mix/replay.h"
#include "mix/sheets.h"
#include "mix/unwrap.h"

struct flow;

struct flow_config {
	struct loop *loop;
	const struct succession *charters; /* borrowed, as all that follows */
	unsigned layer;		       /* our own */
	const struct epochkeys *keys;
	const struct sheets *sheets;
	struct replay *replay;
	struct links *links;
	const struct rng *rng; /* for the pool alone, so that its draws can be repeated */
	struct log *log;
	unsigned threads;
};

struct flow_status {
	size_t held, pooled;
	uint64_t received, released, flushes, failed_commits;
	uint64_t dropped_epoch, dropped_full, dropped_out, dropped_link;
};

RST_MUST_USE enum err flow_new(struct flow **out, const struct flow_config *cfg);
/*
 * After flow_stop; the disk's queue, which brings the last callbacks of a commit,
 * must be freed before.
 */
void flow_free(struct flow *f);

/* A packet of our layer, copied. */
void flow_take(struct flow *f, uint32_t epoch, const uint8_t *packet);
/* Drop every packet in memory: the epoch is sat out. */
void flow_discard(struct flow *f);
/* Drop every packet in memory, and while it is shut every one that comes. */
void flow_shut(struct flow *f, bool shut);
/* Another charter may be in force now. */
void flow_turn(struct flow *f);
/* The wall clock was set. */
void flow_clock_jumped(struct flow *f);
/* Take and release nothing more. */
void flow_stop(struct flow *f);

/* Whether the replay set of an epoch is in use at this moment: it must stay. */
bool flow_uses(const struct flow *f, uint32_t epoch);
/* Whether packets of an epoch may pass. */
bool flow_sits_out(const struct flow *f, uint32_t epoch);
void flow_get_status(const struct flow *f, struct flow_status *out);
const struct unwrap_counts *flow_unwrapped(const struct flow *f);

#endif

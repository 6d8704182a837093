/*
 * Unwrapping: a batch of packets in, the survivors out. docs/protocol.md, "The
 * onion packet", "At a node": KEM and KDF, replay look-up, AEAD, next node, and
 * the tag staged. Every failure is a silent drop and one aggregate counter.
 *
 * unwrap_batch() is the pure core. struct unwrap spreads batches over worker
 * threads; the replay sets stay with the loop's thread, so that there are no
 * locks, and survivors keep the order of arrival.
 */
#ifndef MIX_UNWRAP_H
#define MIX_UNWRAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/charter/charter.h"
#include "common/crypto/onion.h"
#include "common/net/loop.h"
#include "mix/replay.h"

/* The largest batch that is worth its latency. Larger ones work. */
#define UNWRAP_BATCH 1024

enum unwrap_cause {
	UNWRAP_PASSED,
	UNWRAP_POINT,	 /* degenerate KEM ciphertext */
	UNWRAP_REPLAYED, /* tag known */
	UNWRAP_FORGED,	 /* AEAD: damaged, or of another sheet, epoch, layer or node */
	UNWRAP_RESERVED, /* reserved bytes not zero, or a delay that the layer does not allow */
	UNWRAP_NEXT,	 /* next node is not in the next layer */
	UNWRAP_NO_ROOM,	 /* the replay set cannot take another tag */
	UNWRAP_CAUSES
};

struct unwrap_counts {
	uint64_t by[UNWRAP_CAUSES];
};

/* What a batch is unwrapped under. All that it points to outlives the batch. */
struct unwrap_ground {
	const struct charter *charter; /* geometry and next layer */
	struct onion_node_key key;     /* key.layer: our own */
	struct replay_set *replay;     /* of key.epoch */
};

/*
 * Unwrap n packets (job.packet is set, the rest is not read). Returns the number
 * of survivors: they are jobs[0..], in their order; those dropped are behind
 * them, so that the caller can free their memory. Survivors' tags are staged.
 * counts is added to.
 */
size_t unwrap_batch(struct onion_job *jobs, size_t n, const struct unwrap_ground *g,
    struct unwrap_counts *counts);

/* The name of a cause, as in docs/operator.md. */
const char *unwrap_cause_name(enum unwrap_cause cause);

struct unwrap;

/* `threads` workers (at least 1) on the loop. ERR_MEMORY. */
RST_MUST_USE enum err unwrap_new(struct unwrap **out, struct loop *l, unsigned threads);
/*
 * Ends the workers, then frees. A batch under way is abandoned: its callback
 * does not come, the jobs are the caller's again.
 */
void unwrap_free(struct unwrap *u);

typedef void unwrap_done_cb(void *arg, size_t survivors);

/*
 * The same as unwrap_batch, on the workers: done comes on the loop, never from
 * inside the call. jobs are borrowed until then, g is copied. One batch at a
 * time: ERR_BUSY. ERR_MEMORY, ERR_FULL: nothing was begun.
 */
RST_MUST_USE enum err unwrap_start(struct unwrap *u, struct onion_job *jobs, size_t n,
    const struct unwrap_ground *g, unwrap_done_cb *done, void *arg);
bool unwrap_busy(const struct unwrap *u);
/* What became of all packets so far. */
const struct unwrap_counts *unwrap_counts(const struct unwrap *u);

#endif

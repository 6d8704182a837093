/*
 * Batch numbers: how many batches a node gave each peer, and the highest number
 * it had from each, durable in the file "batches". By them a node notices that it
 * runs on old state. docs/protocol.md, "Mixing", "Files on disk".
 *
 * The queue must be freed before this object.
 */
#ifndef MIX_BATCHES_H
#define MIX_BATCHES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/disk.h"
#include "common/base/err.h"
#include "common/charter/charter.h"
#include "common/net/loop.h"

/* No honest node ever comes near: a higher figure is malformed. */
#define BATCHES_NUMBER_MAX ((uint64_t)1 << 62)

struct batches;

#define BATCHES_NODES_MAX (4 * CHARTER_NODES_MAX)

/* Load (blocks). ERR_MALFORMED, ERR_VERSION, ERR_IO, ERR_MEMORY, with a sentence. */
RST_MUST_USE enum err batches_open(struct batches **out, struct disk *disk, struct workq *queue,
    struct diag *d);
void batches_free(struct batches *b);
/*
 * From now on numbers are kept for these nodes, and for no others. What is known of a
 * node that goes is forgotten with the next commit.
 */
void batches_keep(struct batches *b, const uint16_t *nodes, size_t n);

/* The last number given to a node; the highest had from it. 0: none. */
uint64_t batches_sent(const struct batches *b, uint16_t node);
uint64_t batches_had(const struct batches *b, uint16_t node);
/* A batch of the node came in whole. Saved by the next commit. */
void batches_received(struct batches *b, uint16_t node, uint64_t number);

/*
 * The node says that it had `figure` from us. True if we never gave it so many:
 * the figure is adopted, `epoch` is to be sat out, and both are being saved.
 */
bool batches_told(struct batches *b, uint16_t node, uint64_t figure, uint32_t epoch);
bool batches_sits_out(const struct batches *b, uint32_t epoch);

typedef void batches_done_cb(void *arg, enum err e);
/*
 * Give each of n nodes its next number: durable when done comes, on the loop,
 * never from inside the call. After a failure no number was given. ERR_BUSY while
 * one is under way, ERR_MEMORY.
 */
RST_MUST_USE enum err batches_commit(struct batches *b, const uint16_t *nodes, size_t n,
    batches_done_cb *done, void *arg);

#endif

/*
 * Chunks: the stream items of one block for one mailbox, encoded once and shared
 * by all sessions that read it. A bounded cache; what is in use stays alive.
 */
#ifndef GATEWAY_CHUNKS_H
#define GATEWAY_CHUNKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/rng.h"
#include "common/journal/item.h"

/* Bytes of the journal stream; reference counted. */
struct chunk {
	unsigned references;
	uint32_t day, index;
	uint16_t mailbox;
	uint64_t round;
	bool apart; /* has no place in the journal */
	size_t len;
	uint8_t bytes[];
};

/*
 * A chunk of a block (with its signature) and the mailbox's records (none: len
 * 0). One reference is the caller's. NULL if there is no memory.
 */
struct chunk *chunk_new(const uint8_t *block, size_t block_len, const uint8_t *records,
    size_t records_len);
/* A chunk of one item that stands apart: a sheet, a charter. */
struct chunk *chunk_item(enum item_kind kind, const uint8_t *p, size_t len);
struct chunk *chunk_hold(struct chunk *c);
/* NULL is a no-op. */
void chunk_drop(struct chunk *c);

struct chunks;

/* A cache of at most max_bytes and max_count chunks. NULL if there is no memory. */
struct chunks *chunks_new(const struct rng *rng, size_t max_bytes, size_t max_count);
void chunks_free(struct chunks *k);
/* A new reference to the chunk of this place, or NULL. */
struct chunk *chunks_find(struct chunks *k, uint32_t day, uint32_t index, uint16_t mailbox);
/* Keep a chunk (with its place filled in); the oldest give way. Without memory it is not kept. */
void chunks_add(struct chunks *k, struct chunk *c);

#endif

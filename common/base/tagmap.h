/*
 * A hash map from 16-byte tags to u64, for replay tags and stream tags.
 *
 * Open addressing under a secret random SipHash key, so that nobody who can
 * choose tags can make it slow. Not constant time: a tag is the output of a
 * PRF over a packet that its sender already knows.
 */
#ifndef COMMON_BASE_TAGMAP_H
#define COMMON_BASE_TAGMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/rng.h"

#define TAG_BYTES 16

struct tagmap;

/* An empty map that may hold up to max tags; NULL if there is no memory. */
struct tagmap *tagmap_new(const struct rng *key_source, size_t max);
void tagmap_free(struct tagmap *m);
/*
 * Insert; *fresh says whether the tag was absent (a present tag keeps its
 * value). ERR_FULL at max, ERR_MEMORY.
 */
RST_MUST_USE enum err tagmap_insert(struct tagmap *m, bool *fresh,
    const uint8_t tag[static TAG_BYTES], uint64_t value);
/* Whether tag is present; value may be NULL. */
bool tagmap_find(const struct tagmap *m, uint64_t *value,
    const uint8_t tag[static TAG_BYTES]);
bool tagmap_remove(struct tagmap *m, const uint8_t tag[static TAG_BYTES]);
size_t tagmap_count(const struct tagmap *m);

#endif

/*
 * The epoch blocks, from the founding on, in memory and as the bytes of the
 * append-only file that keeps them for ever. Pure. docs/protocol.md, "Files on
 * disk".
 */
#ifndef GATEWAY_EPOCHLOG_H
#define GATEWAY_EPOCHLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/bytes.h"
#include "common/base/err.h"

#define EPOCHLOG_BYTES_MAX ((size_t)1 << 30) /* a century of epochs, and more */

struct epochlog {
	struct buf *blocks; /* each with its signature */
	size_t count, room;
};

void epochlog_init(struct epochlog *k);
void epochlog_release(struct epochlog *k);
/* Add a block (copied) at the end. ERR_MEMORY. */
RST_MUST_USE enum err epochlog_add(struct epochlog *k, const uint8_t *block, size_t len);
/* Whether the last block is this one. */
bool epochlog_ends_with(const struct epochlog *k, const uint8_t *block, size_t len);

/*
 * Append what the file gets for a block behind the bytes that it has; behind none the header
 * comes first. ERR_FULL beyond EPOCHLOG_BYTES_MAX, ERR_RANGE, ERR_MEMORY.
 */
RST_MUST_USE enum err epochlog_encode(struct buf *out, const uint8_t *block, size_t len,
    size_t before);
/*
 * Read a whole file into an empty log. *good is the length of its sound part: a
 * torn last entry is left out, and is to be cut off. ERR_VERSION, ERR_MALFORMED for
 * damage before the end, ERR_MEMORY, with a sentence.
 */
RST_MUST_USE enum err epochlog_parse(struct epochlog *k, size_t *good, const void *p, size_t n,
    struct diag *d);

#endif

/*
 * The stores under the archive: sealed values under keyed names of 32 bytes.
 * A LevelDB, or memory. Internal to archive*.c.
 */
#ifndef CLIENT_LIB_ARCHIVE_STORE_H
#define CLIENT_LIB_ARCHIVE_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/bytes.h"
#include "common/base/err.h"

#define ARCHIVE_NAME_BYTES 32

struct archive_item {
	uint8_t name[ARCHIVE_NAME_BYTES];
	uint8_t *value; /* NULL: delete */
	size_t len;
};

struct archive_store {
	/* All of the batch, durably, or nothing. */
	enum err (*write)(void *ctx, const struct archive_item *items, size_t n);
	/* Append the value to out; ERR_NOT_FOUND, ERR_RANGE over max. */
	enum err (*read)(void *ctx, struct buf *out, const uint8_t name[static ARCHIVE_NAME_BYTES],
	    size_t max);
	/* Leave nothing of what was deleted in the files; NULL: there are none. */
	enum err (*tidy)(void *ctx);
	void (*free)(void *ctx);
	void *ctx;
};

/* ERR_BUSY, ERR_FULL, ERR_IO, ERR_MEMORY with a sentence. */
RST_MUST_USE enum err archive_store_leveldb(struct archive_store *out, const char *path,
    struct diag *d);
RST_MUST_USE enum err archive_store_memory(struct archive_store *out);

#endif

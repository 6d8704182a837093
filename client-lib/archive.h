/*
 * The archive: messages and queued plaintexts in a LevelDB under keyed names
 * and sealed values. Blocking; call it on a work queue. Also a memory version.
 */
#ifndef CLIENT_LIB_ARCHIVE_H
#define CLIENT_LIB_ARCHIVE_H

#include <stddef.h>
#include <stdint.h>

#include "client-lib/post.h"
#include "common/base/bytes.h"
#include "common/base/err.h"
#include "common/base/rng.h"

struct archive;

/*
 * Open or create the database directory at path. key: 32 bytes, copied to
 * secret memory. ERR_BUSY, ERR_VERSION, ERR_CRYPTO (of another vault, or
 * damaged), ERR_FULL, ERR_IO, with a sentence.
 */
RST_MUST_USE enum err archive_open(struct archive **out, const char *path,
    const uint8_t key[static 32], const struct rng *keys, struct diag *d);
struct archive *archive_memory(void);
void archive_free(struct archive *a);
/*
 * One synced batch. ERR_FULL, ERR_IO, ERR_MEMORY: all of it or nothing took
 * effect; write it again. The database is then opened anew by the next call.
 */
RST_MUST_USE enum err archive_write(struct archive *a, const struct post_write *w, size_t n);
/*
 * Erase what was deleted since the last call, as far as the medium allows: a
 * deleted value otherwise stays in the files until LevelDB happens to rewrite
 * them. Does nothing if nothing was deleted; may take seconds.
 */
RST_MUST_USE enum err archive_tidy(struct archive *a);
/* Append the value to out; ERR_NOT_FOUND, ERR_CRYPTO (damaged), ERR_RANGE (over max). */
RST_MUST_USE enum err archive_read(struct archive *a, struct buf *out,
    const struct post_write *key, size_t max);

#endif

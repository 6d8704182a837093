/*
 * Files of restante-charter: read whole, created anew, or replaced atomically.
 */
#ifndef COMMON_CHARTER_TOOL_FILE_H
#define COMMON_CHARTER_TOOL_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/bytes.h"
#include "common/base/err.h"

#define FILE_PUBLIC 0644
#define FILE_SECRET 0600

/*
 * Append a file of at most max bytes to out. ERR_NOT_FOUND, ERR_IO, ERR_RANGE
 * if it is longer, each with a sentence that names the file (as all of these).
 */
RST_MUST_USE enum err file_read(struct buf *out, const char *path, size_t max, struct diag *d);
/*
 * Read a secret file of exactly n bytes into `secret`. Refused with a sentence
 * if anybody but the owner may read it (ERR_STATE) or its length differs
 * (ERR_MALFORMED).
 */
RST_MUST_USE enum err file_read_secret(void *secret, size_t n, const char *path, struct diag *d);
/* Create a file that must not exist (ERR_EXISTS), and sync it; nothing is left on failure. */
RST_MUST_USE enum err file_create(const char *path, unsigned mode, const void *p, size_t n,
    struct diag *d);
/* Put new content in a file's place: the old or the new one is there, never a mix. */
RST_MUST_USE enum err file_replace(const char *path, unsigned mode, const void *p, size_t n,
    struct diag *d);

#endif

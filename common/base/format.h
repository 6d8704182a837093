/*
 * The first 8 bytes of every file of ours: 6 bytes of magic, u16 version. A
 * program reads its own version and all older ones, and says so when it meets
 * a newer one.
 */
#ifndef COMMON_BASE_FORMAT_H
#define COMMON_BASE_FORMAT_H

#include <stdint.h>

#include "common/base/bytes.h"
#include "common/base/err.h"

#define FORMAT_MAGIC_BYTES 6
#define FORMAT_BYTES 8

/* Write the header. Versions count from 1. */
void format_put(struct writer *w, const char magic[static FORMAT_MAGIC_BYTES], uint16_t version);

/*
 * Read the header; *version (may be NULL) is then 1..newest. `what` names the
 * file in the sentence. ERR_TRUNCATED, ERR_MALFORMED for another magic or
 * version 0, ERR_VERSION for a newer version; the reader fails with it.
 */
RST_MUST_USE enum err format_check(struct reader *r, uint16_t *version,
    const char magic[static FORMAT_MAGIC_BYTES], uint16_t newest, const char *what, struct diag *d);

#endif

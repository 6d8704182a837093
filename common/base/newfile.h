/*
 * A new file that a command writes for its user: it must not exist, is synced, and
 * nothing is left of it on failure. Blocks.
 */
#ifndef COMMON_BASE_NEWFILE_H
#define COMMON_BASE_NEWFILE_H

#include <stddef.h>

#include "common/base/err.h"

/* ERR_EXISTS, ERR_IO, ERR_FULL, with a sentence that names the file. */
RST_MUST_USE enum err newfile_write(const char *path, unsigned mode, const void *p, size_t n,
    struct diag *d);

#endif

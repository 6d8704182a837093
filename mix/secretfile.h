/*
 * A file of the configuration that holds one secret line, and must be its owner's alone.
 * Blocks.
 */
#ifndef MIX_SECRETFILE_H
#define MIX_SECRETFILE_H

#include <stddef.h>

#include "common/base/err.h"

#define SECRETFILE_BYTES 1024

/*
 * What is in it, at most SECRETFILE_BYTES - 1 bytes, and a NUL: secret memory, secret_free.
 * ERR_NOT_FOUND, ERR_IO, ERR_USAGE with a sentence that begins with `what`.
 */
RST_MUST_USE enum err secretfile_read(char **out, size_t *len, const char *path,
    const char *what, struct diag *d);

#endif

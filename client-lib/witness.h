/*
 * A witness of the state's age, kept apart from it: a small file outside of the
 * directory that counts how often the state was written. A state that counts less is
 * an old copy. docs/protocol.md, "Files on disk". Blocking.
 */
#ifndef CLIENT_LIB_WITNESS_H
#define CLIENT_LIB_WITNESS_H

#include <stdint.h>

#include "common/base/err.h"

/* *count is 0 if there is none, or if it was torn. ERR_IO. */
RST_MUST_USE enum err witness_read(uint64_t *count, const char *path);
/* Not synced: one that is behind says nothing. ERR_IO. */
RST_MUST_USE enum err witness_write(const char *path, uint64_t count);

#endif

/*
 * A directory that a restore has begun and not ended: a marker file stands in it from
 * before the first of its files until after the last, so that a restore that was cut
 * off can be asked again, and no client runs on half of a backup. docs/protocol.md,
 * "Files on disk". Blocking.
 */
#ifndef CLIENT_LIB_UNFINISHED_H
#define CLIENT_LIB_UNFINISHED_H

#include "common/base/disk.h"
#include "common/base/err.h"

/*
 * Whether a restore may begin there: there is no such directory, it is empty, or
 * unfinished. Changes nothing. ERR_EXISTS with a sentence, ERR_IO.
 */
RST_MUST_USE enum err unfinished_may_begin(const char *directory, struct diag *d);
/* The same with the directory locked; then mark it, and remove what an earlier restore left. */
RST_MUST_USE enum err unfinished_begin(const char *directory, struct disk *k, struct diag *d);
/* All is there: the directory is a client's. */
RST_MUST_USE enum err unfinished_end(struct disk *k, struct diag *d);
/* ERR_STATE with a sentence if the directory is unfinished. */
RST_MUST_USE enum err unfinished_refuse(const char *directory, struct disk *k, struct diag *d);

#endif

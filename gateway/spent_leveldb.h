/*
 * The spent store on LevelDB: one database directory per epoch, spent-XXXXXXXX with
 * the epoch in hexadecimal, in a thread of its own. docs/protocol.md, "The gateway's
 * store". In a database: mark -> claim.
 */
#ifndef GATEWAY_SPENT_LEVELDB_H
#define GATEWAY_SPENT_LEVELDB_H

#include "common/base/err.h"
#include "common/net/loop.h"
#include "gateway/spent.h"

/*
 * In an existing directory of ours (an absolute path), whose other files are left alone.
 * ERR_USAGE, ERR_FULL, ERR_IO, ERR_MEMORY with a sentence.
 */
RST_MUST_USE enum err spent_leveldb_open(struct spent **out, struct loop *l, const char *path,
    struct diag *d);

#endif

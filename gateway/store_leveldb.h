/*
 * The store on LevelDB: one database directory per day under a key of its own, in
 * a thread of its own. docs/protocol.md, "The gateway's store".
 *
 * In the directory: key-XXXXXXXX and day-XXXXXXXX/ for each day (number in
 * hexadecimal), epochs (the epoch blocks, for ever), state (what the journal needs
 * when no day is left).
 */
#ifndef GATEWAY_STORE_LEVELDB_H
#define GATEWAY_STORE_LEVELDB_H

#include "common/base/disk.h"
#include "common/base/err.h"
#include "common/base/rng.h"
#include "common/net/loop.h"
#include "gateway/store.h"

struct store_leveldb_config {
	struct loop *loop;
	/* An absolute path, and the same directory as a disk: borrowed, used by nobody else. */
	const char *path;
	struct disk *disk;
	const struct rng *keys; /* day keys and nonces; drawn on the loop's thread */
};

/*
 * Open what is there (blocks). A day without its key, and a key without its day, are
 * removed; an epoch block that a crash kept from its file is put there. ERR_VERSION,
 * ERR_MALFORMED, ERR_CRYPTO, ERR_FULL, ERR_IO with a sentence.
 */
RST_MUST_USE enum err store_leveldb_open(struct store **out,
    const struct store_leveldb_config *cfg, struct diag *d);

#endif

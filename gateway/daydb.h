/*
 * One day of the journal in a LevelDB database of its own. Blocks; runs on the
 * store's thread. docs/protocol.md, "The gateway's store".
 *
 *   name of a value = keyed BLAKE2b-256 under the day key
 *   value           = nonce 24 || XChaCha20-Poly1305 under a key derived from it, name as data
 *
 * Nothing else of ours is in the database: a day whose key is destroyed holds random
 * bytes and their sizes.
 */
#ifndef GATEWAY_DAYDB_H
#define GATEWAY_DAYDB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/bytes.h"
#include "common/base/err.h"
#include "gateway/store.h"

#define DAYDB_KEY_BYTES 32
#define DAYDB_NONCE_BYTES 24
#define DAYDB_NONE UINT32_MAX

struct daydb;

/* What is written anew with every round. */
struct daydb_head {
	uint32_t count;	      /* blocks */
	uint32_t epoch_index; /* of the day's last epoch block, or DAYDB_NONE */
	struct buf state;     /* of the journal */
};

/*
 * Open or create the database in the directory `path` under a day key. ERR_FULL,
 * ERR_IO, ERR_MALFORMED for a damaged database.
 */
RST_MUST_USE enum err daydb_open(struct daydb **out, const char *path,
    const uint8_t key[static DAYDB_KEY_BYTES]);
/* Close and wipe the keys; the files stay. */
void daydb_close(struct daydb *k);

/* An empty head if nothing was written yet. ERR_CRYPTO for a value that was changed. */
RST_MUST_USE enum err daydb_head(struct daydb *k, struct daydb_head *out);
/* The block and signature at a position, and its round. ERR_NOT_FOUND. out is empty before. */
RST_MUST_USE enum err daydb_block(struct daydb *k, struct buf *out, uint64_t *round,
    uint32_t index);
/* The records of a mailbox; none: out stays empty. */
RST_MUST_USE enum err daydb_records(struct daydb *k, struct buf *out, uint32_t index,
    uint16_t mailbox);
/* Sealed values in a round: its mailboxes, the block and the head. */
size_t daydb_nonces(const struct store_round *r);
/*
 * Write a round at position head->count - 1 with its head: one synced batch, ordered
 * by name. nonces: daydb_nonces(r) of them, fresh. After a failure the database must
 * be closed and opened again.
 */
RST_MUST_USE enum err daydb_put(struct daydb *k, const struct store_round *r,
    const struct daydb_head *head, const uint8_t *nonces);

/* Remove a closed database's directory and everything in it. */
RST_MUST_USE enum err daydb_remove(const char *path);

#endif

/*
 * The file `state.key`: the key of the state file, and for a moment two of
 * them. Blocking. docs/protocol.md, "Files on disk".
 *
 * Replacing a key takes three durable steps, and a crash between any two of
 * them leaves a ring that opens the state file that is there:
 *   1. keyring_renew writes a ring of the old and a new key,
 *   2. the caller writes the state under the new key,
 *   3. keyring_settle writes a ring of the new key alone; the old one is
 *      overwritten where the medium allows.
 */
#ifndef CLIENT_LIB_KEYRING_H
#define CLIENT_LIB_KEYRING_H

#include <stdint.h>

#include "common/base/disk.h"
#include "common/base/err.h"
#include "common/base/rng.h"

#define KEYRING_ID_BYTES 8
#define KEYRING_FILE "state.key"
#define KEYRING_AGE_MS ((int64_t)3600000)

struct keyring;

/* A ring of one fresh key, sealed under `under` (borrowed); written to the disk. */
RST_MUST_USE enum err keyring_create(struct keyring **out, struct disk *k, const uint8_t *under,
    const struct rng *keys, struct diag *d);
/* ERR_NOT_FOUND, ERR_MALFORMED, ERR_CRYPTO, ERR_VERSION with a sentence. */
RST_MUST_USE enum err keyring_open(struct keyring **out, struct disk *k, const uint8_t *under,
    const struct rng *keys, struct diag *d);
void keyring_free(struct keyring *r);

/* Step 1, if the key is older than an hour or from the future. */
RST_MUST_USE enum err keyring_renew(struct keyring *r, int64_t now_ms);
/* The key (32 bytes) to seal under; fills its id. */
const uint8_t *keyring_newest(const struct keyring *r, uint8_t id[static KEYRING_ID_BYTES]);
/* The key of that id, or NULL. */
const uint8_t *keyring_find(const struct keyring *r, const uint8_t id[static KEYRING_ID_BYTES]);
/* Step 3, if there are two keys. On failure both stay. */
RST_MUST_USE enum err keyring_settle(struct keyring *r);

#endif

/*
 * The key of the gateway's onion service, for life: made by `init`, kept in the
 * file "onionkey" of the state directory. Its address is in the charter.
 * docs/protocol.md, "Files on disk".
 */
#ifndef GATEWAY_ONIONKEY_H
#define GATEWAY_ONIONKEY_H

#include <stdint.h>

#include "common/base/disk.h"
#include "common/base/err.h"
#include "common/base/rng.h"
#include "common/crypto/hsid.h"

/* In secret memory. */
struct onionkey {
	uint8_t seed[32], pk[32]; /* Ed25519 */
	char id[HSID_SIZE];	  /* the address, without ".onion" */
};

/*
 * The key in the directory, or one made and stored now: a key is never replaced.
 * Each error with a sentence.
 */
RST_MUST_USE enum err onionkey_make(struct onionkey **out, struct disk *disk,
    const struct rng *keys, struct diag *d);
/* ERR_NOT_FOUND, ERR_MALFORMED, ERR_VERSION, ERR_IO, ERR_MEMORY, with a sentence. */
RST_MUST_USE enum err onionkey_load(struct onionkey **out, struct disk *disk, struct diag *d);
/* Wipe and free. */
void onionkey_free(struct onionkey *k);

#endif

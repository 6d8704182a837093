/*
 * The client authorization for the gateway's onion service, in the client's
 * directory: the file `entry.key`, sealed under a key of the vault. Blocking.
 * docs/protocol.md, "Files on disk".
 */
#ifndef CLIENT_LIB_ENTRYKEY_H
#define CLIENT_LIB_ENTRYKEY_H

#include "client-lib/vault.h"
#include "common/base/disk.h"
#include "common/base/err.h"
#include "common/base/rng.h"
#include "common/crypto/clientauth.h"

#define ENTRYKEY_FILE "entry.key"

/* Replace the file. Errors as of disk_replace, with a sentence. */
RST_MUST_USE enum err entrykey_save(const struct clientauth *a, struct disk *k,
    const struct vault *v, const struct rng *keys, struct diag *d);
/* Wipe out after use. ERR_NOT_FOUND without a sentence if there is none; else with one. */
RST_MUST_USE enum err entrykey_load(struct clientauth *out, struct disk *k, const struct vault *v,
    struct diag *d);

#endif

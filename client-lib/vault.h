/*
 * The vault: the client's directory, locked by a passphrase (Argon2id) or a
 * key file, and the two files that are sealed: `vault` (the archive key, under
 * the passphrase's key) and `state` (under a state key that is replaced every
 * hour). Blocking; call it on a work queue. docs/protocol.md, "Files on disk".
 */
#ifndef CLIENT_LIB_VAULT_H
#define CLIENT_LIB_VAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/bytes.h"
#include "common/base/disk.h"
#include "common/base/err.h"
#include "common/base/rng.h"

struct vault;

enum vault_cost { VAULT_COST_NORMAL, VAULT_COST_TEST }; /* Argon2id moderate; least (tests) */

/* How it is unlocked: a passphrase, or the bytes of a key file (at least 32). */
struct vault_unlock {
	const void *secret;
	size_t len;
	bool key_file;
	enum vault_cost cost; /* used by vault_create only; recorded in the file */
};

/* Make a new vault on an empty disk; ERR_EXISTS. The disk is borrowed. */
RST_MUST_USE enum err vault_create(struct vault **out, struct disk *k,
    const struct vault_unlock *u, const struct rng *keys, struct diag *d);
/* ERR_PASSPHRASE with a sentence; ERR_VERSION; ERR_NOT_FOUND (not initialised). */
RST_MUST_USE enum err vault_open(struct vault **out, struct disk *k,
    const struct vault_unlock *u, const struct rng *keys, struct diag *d);
void vault_free(struct vault *v);
/* Change the passphrase or key file; atomic. */
RST_MUST_USE enum err vault_rekey(struct vault *v, const struct vault_unlock *u, struct diag *d);
/* The archive's key (32 bytes, secret memory, owned by v). */
const uint8_t *vault_archive_key(const struct vault *v);
/* The key of the wallet's files and of the enrolment code (enrolkey.h); likewise. */
const uint8_t *vault_wallet_key(const struct vault *v);
/* The key of the sealed client authorization (entrykey.h); likewise. */
const uint8_t *vault_entry_key(const struct vault *v);

/*
 * Replace the state file. The state key is replaced when it is older than an
 * hour (by now_ms); the old one is overwritten before this returns.
 */
RST_MUST_USE enum err vault_write_state(struct vault *v, const void *p, size_t n, int64_t now_ms);
/* Append the state's plain bytes to out (wipe after use); ERR_NOT_FOUND if there is none yet. */
RST_MUST_USE enum err vault_read_state(struct vault *v, struct buf *out, struct diag *d);

#endif

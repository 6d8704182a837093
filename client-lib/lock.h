/*
 * A lock: from a passphrase (Argon2id) or a key file to a key. Its plain half
 * stands at the head of what it locks: the vault, a backup.
 */
#ifndef CLIENT_LIB_LOCK_H
#define CLIENT_LIB_LOCK_H

#include <stdint.h>

#include "client-lib/vault.h"
#include "common/base/bytes.h"

#define LOCK_SALT_BYTES 16
#define LOCK_BYTES (1 + 4 + 8 + LOCK_SALT_BYTES)

enum lock_kind { LOCK_PASSPHRASE = 1, LOCK_KEY_FILE = 2 };

struct lock {
	enum lock_kind kind;
	uint32_t ops;
	uint64_t memory;
	uint8_t salt[LOCK_SALT_BYTES];
};

/* A new one, with a fresh salt. ERR_USAGE with a sentence: an empty or too short secret. */
RST_MUST_USE enum err lock_choose(struct lock *l, const struct vault_unlock *u,
    const struct rng *keys, struct diag *d);
void lock_put(struct writer *w, const struct lock *l);
/* ERR_MALFORMED also for what would cost too much. */
RST_MUST_USE enum err lock_get(struct lock *l, struct reader *r);
/* ERR_PASSPHRASE (it is locked the other way), ERR_MEMORY; `what` is locked. */
RST_MUST_USE enum err lock_key(uint8_t out[static 32], const struct lock *l,
    const struct vault_unlock *u, const char *what, struct diag *d);

#endif

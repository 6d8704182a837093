#include "config.h"

#include "client-lib/lock.h"

#include <sodium.h>
#include <string.h>

#include "common/crypto/hash.h"

#define KEY_FILE_MIN 32

/* What a damaged file may make Argon2id cost at most. */
#define OPS_MAX 16
#define MEMORY_MAX ((uint64_t)1 << 30)

_Static_assert(LOCK_SALT_BYTES == crypto_pwhash_SALTBYTES, "the salt is Argon2id's");

enum err
lock_choose(struct lock *l, const struct vault_unlock *u, const struct rng *keys, struct diag *d)
{
	if (u->key_file && u->len < KEY_FILE_MIN)
		return diag_set(d, ERR_USAGE,
		    "a key file has at least %d random bytes; "
		    "make one with: head -c 32 /dev/urandom",
		    KEY_FILE_MIN);
	if (!u->key_file && u->len == 0)
		return diag_set(d, ERR_USAGE, "the passphrase is empty; choose one");
	memset(l, 0, sizeof(*l));
	l->kind = u->key_file ? LOCK_KEY_FILE : LOCK_PASSPHRASE;
	if (!u->key_file && u->cost == VAULT_COST_TEST) {
		l->ops = crypto_pwhash_OPSLIMIT_MIN;
		l->memory = crypto_pwhash_MEMLIMIT_MIN;
	} else if (!u->key_file) {
		l->ops = crypto_pwhash_OPSLIMIT_MODERATE;
		l->memory = crypto_pwhash_MEMLIMIT_MODERATE;
	}
	rng_bytes(keys, l->salt, sizeof(l->salt));
	return ERR_OK;
}

void
lock_put(struct writer *w, const struct lock *l)
{
	writer_u8(w, (uint8_t)l->kind);
	writer_u32(w, l->ops);
	writer_u64(w, l->memory);
	writer_copy(w, l->salt, sizeof(l->salt));
}

enum err
lock_get(struct lock *l, struct reader *r)
{
	uint8_t kind = reader_u8(r);

	l->ops = reader_u32(r);
	l->memory = reader_u64(r);
	reader_copy(r, l->salt, sizeof(l->salt));
	if (!reader_ok(r) || (kind != LOCK_PASSPHRASE && kind != LOCK_KEY_FILE) ||
	    l->ops > OPS_MAX || l->memory > MEMORY_MAX)
		return ERR_MALFORMED;
	l->kind = kind;
	return ERR_OK;
}

enum err
lock_key(uint8_t out[static 32], const struct lock *l, const struct vault_unlock *u,
    const char *what, struct diag *d)
{
	const struct hash_part parts[] = { { "restante/vault/key-file", 23 },
		{ l->salt, sizeof(l->salt) }, { u->secret, u->len } };

	if (u->key_file != (l->kind == LOCK_KEY_FILE))
		return diag_set(d, ERR_PASSPHRASE, "this %s is locked by a %s; give that", what,
		    u->key_file ? "passphrase" : "key file");
	if (u->key_file) {
		hash_parts(out, 32, parts, 3);
		return ERR_OK;
	}
	if (crypto_pwhash(out, 32, u->secret, u->len, l->salt, l->ops, (size_t)l->memory,
		crypto_pwhash_ALG_ARGON2ID13) != 0)
		return diag_set(d, ERR_MEMORY,
		    "there is not enough memory to check the passphrase (%u MiB are needed)",
		    (unsigned)(l->memory >> 20));
	return ERR_OK;
}

#include "config.h"

#include "client-lib/vault.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "client-lib/keyring.h"
#include "client-lib/lock.h"
#include "common/base/format.h"
#include "common/base/secret.h"
#include "common/crypto/hash.h"

#define VAULT_FILE "vault"
#define VAULT_MAGIC "RSTVLT"
#define VAULT_VERSION 1
#define STATE_FILE "state"
#define STATE_MAGIC "RSTSTA"
#define STATE_VERSION 1
#define STATE_BYTES_MAX ((size_t)96 << 20)

#define NONCE_BYTES crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG_SIZE crypto_aead_xchacha20poly1305_ietf_ABYTES
#define VAULT_HEAD_BYTES (FORMAT_BYTES + LOCK_BYTES)
#define VAULT_BYTES (VAULT_HEAD_BYTES + NONCE_BYTES + 32 + TAG_SIZE)
#define STATE_HEAD_BYTES (FORMAT_BYTES + KEYRING_ID_BYTES)

struct vault {
	struct disk *disk;
	const struct rng *keys;
	struct keyring *ring;
	uint8_t master[32];
	uint8_t archive[32];
	uint8_t ring_key[32];
	uint8_t entry[32];
	uint8_t wallet[32];
};

/* ---- the file `vault` ---- */

static enum err
vault_write(struct vault *v, const struct lock *l, const struct vault_unlock *u, struct diag *d)
{
	uint8_t file[VAULT_BYTES], key[32];
	struct writer w;
	uint8_t *nonce;
	enum err e = lock_key(key, l, u, "directory", d);

	if (e != ERR_OK)
		return e;
	writer_init(&w, file, sizeof(file));
	format_put(&w, VAULT_MAGIC, VAULT_VERSION);
	lock_put(&w, l);
	nonce = writer_space(&w, NONCE_BYTES);
	rng_bytes(v->keys, nonce, NONCE_BYTES);
	(void)crypto_aead_xchacha20poly1305_ietf_encrypt(nonce + NONCE_BYTES, NULL, v->master, 32,
	    file, VAULT_HEAD_BYTES, NULL, nonce, key);
	sodium_memzero(key, sizeof(key));
	e = disk_replace(v->disk, VAULT_FILE, file, sizeof(file));
	if (e != ERR_OK)
		(void)diag_set(d, e, VAULT_FILE ": cannot be written (%s)", err_text(e));
	return e;
}

static enum err
vault_unseal(struct vault *v, const struct buf *file, const struct vault_unlock *u,
    struct diag *d)
{
	const uint8_t *nonce;
	uint8_t key[32];
	struct lock l;
	struct reader r;
	enum err e;

	reader_init(&r, file->data, file->len);
	e = format_check(&r, NULL, VAULT_MAGIC, VAULT_VERSION, VAULT_FILE, d);
	if (e == ERR_OK && (lock_get(&l, &r) != ERR_OK ||
		r.left != VAULT_BYTES - VAULT_HEAD_BYTES))
		e = diag_set(d, ERR_MALFORMED, VAULT_FILE ": damaged; restore a backup");
	if (e == ERR_OK)
		e = lock_key(key, &l, u, "directory", d);
	if (e != ERR_OK)
		return e;
	nonce = file->data + VAULT_HEAD_BYTES;
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(v->master, NULL, NULL, nonce + NONCE_BYTES,
		32 + TAG_SIZE, file->data, VAULT_HEAD_BYTES, nonce, key) != 0)
		e = diag_set(d, ERR_PASSPHRASE, "wrong %s",
		    u->key_file ? "key file" : "passphrase");
	sodium_memzero(key, sizeof(key));
	return e;
}

static void
vault_derive(struct vault *v)
{
	hash_derive(v->archive, v->master, "restante/vault/archive", NULL, 0);
	hash_derive(v->ring_key, v->master, "restante/vault/state-key", NULL, 0);
	hash_derive(v->entry, v->master, "restante/vault/entry-key", NULL, 0);
	hash_derive(v->wallet, v->master, "restante/vault/wallet-key", NULL, 0);
}

/* ---- life ---- */

static struct vault *
vault_alloc(struct disk *k, const struct rng *keys)
{
	struct vault *v = secret_new(sizeof(*v));

	if (v == NULL)
		return NULL;
	v->disk = k;
	v->keys = keys;
	return v;
}

/* ERR_EXISTS if the disk holds a file of that name. */
static enum err
vault_absent(struct disk *k, const char *name, struct diag *d)
{
	struct buf b;
	enum err e;

	buf_init(&b);
	e = disk_read(k, &b, name, STATE_BYTES_MAX);
	buf_release(&b);
	if (e == ERR_NOT_FOUND)
		return ERR_OK;
	if (e != ERR_OK && e != ERR_RANGE)
		return diag_set(d, e, "%s: cannot be read (%s)", name, err_text(e));
	return diag_set(d, ERR_EXISTS,
	    "there is a client in this directory already (file `%s`); choose an empty one", name);
}

/* The file `vault` comes last: a directory without it holds no client. */
enum err
vault_create(struct vault **out, struct disk *k, const struct vault_unlock *u,
    const struct rng *keys, struct diag *d)
{
	struct vault *v = vault_alloc(k, keys);
	struct lock l;
	enum err e = v != NULL ? vault_absent(k, VAULT_FILE, d) : ERR_MEMORY;

	if (e == ERR_OK)
		e = vault_absent(k, STATE_FILE, d);
	if (e == ERR_OK)
		e = lock_choose(&l, u, keys, d);
	if (e == ERR_OK) {
		rng_bytes(keys, v->master, sizeof(v->master));
		vault_derive(v);
		e = keyring_create(&v->ring, k, v->ring_key, keys, d);
	}
	if (e == ERR_OK)
		e = vault_write(v, &l, u, d);
	if (e != ERR_OK) {
		vault_free(v);
		return e;
	}
	*out = v;
	return ERR_OK;
}

static enum err
vault_load(struct vault *v, const struct vault_unlock *u, struct diag *d)
{
	struct buf file;
	enum err e;

	buf_init(&file);
	e = disk_read(v->disk, &file, VAULT_FILE, 4096);
	if (e == ERR_NOT_FOUND)
		(void)diag_set(d, e, "there is no client in this directory; run: restante init");
	else if (e != ERR_OK)
		(void)diag_set(d, e, VAULT_FILE ": cannot be read (%s)", err_text(e));
	else
		e = vault_unseal(v, &file, u, d);
	buf_release(&file);
	if (e != ERR_OK)
		return e;
	vault_derive(v);
	return keyring_open(&v->ring, v->disk, v->ring_key, v->keys, d);
}

enum err
vault_open(struct vault **out, struct disk *k, const struct vault_unlock *u,
    const struct rng *keys, struct diag *d)
{
	struct vault *v = vault_alloc(k, keys);
	enum err e = v != NULL ? vault_load(v, u, d) : ERR_MEMORY;

	if (e != ERR_OK) {
		vault_free(v);
		return e;
	}
	*out = v;
	return ERR_OK;
}

void
vault_free(struct vault *v)
{
	if (v == NULL)
		return;
	keyring_free(v->ring);
	secret_free(v);
}

enum err
vault_rekey(struct vault *v, const struct vault_unlock *u, struct diag *d)
{
	struct lock l;
	enum err e = lock_choose(&l, u, v->keys, d);

	return e == ERR_OK ? vault_write(v, &l, u, d) : e;
}

const uint8_t *
vault_archive_key(const struct vault *v)
{
	return v->archive;
}

const uint8_t *
vault_wallet_key(const struct vault *v)
{
	return v->wallet;
}

const uint8_t *
vault_entry_key(const struct vault *v)
{
	return v->entry;
}

/* ---- the file `state` ---- */

static enum err
state_seal(uint8_t *file, const struct vault *v, const void *p, size_t n)
{
	struct writer w;
	const uint8_t *key;
	uint8_t *nonce;

	writer_init(&w, file, STATE_HEAD_BYTES + NONCE_BYTES);
	format_put(&w, STATE_MAGIC, STATE_VERSION);
	key = keyring_newest(v->ring, writer_space(&w, KEYRING_ID_BYTES));
	nonce = writer_space(&w, NONCE_BYTES);
	rng_bytes(v->keys, nonce, NONCE_BYTES);
	(void)crypto_aead_xchacha20poly1305_ietf_encrypt(nonce + NONCE_BYTES, NULL, p, n, file,
	    STATE_HEAD_BYTES, NULL, nonce, key);
	return writer_end(&w);
}

/*
 * The new key is durable before the state that needs it, and the old one goes
 * only after that state is durable.
 */
enum err
vault_write_state(struct vault *v, const void *p, size_t n, int64_t now_ms)
{
	size_t len = STATE_HEAD_BYTES + NONCE_BYTES + n + TAG_SIZE;
	uint8_t *file;
	enum err e;

	if (n > STATE_BYTES_MAX - STATE_HEAD_BYTES - NONCE_BYTES - TAG_SIZE)
		return ERR_RANGE;
	file = malloc(len);
	if (file == NULL)
		return ERR_MEMORY;
	e = keyring_renew(v->ring, now_ms);
	if (e == ERR_OK)
		e = state_seal(file, v, p, n);
	if (e == ERR_OK)
		e = disk_replace(v->disk, STATE_FILE, file, len);
	free(file);
	return e == ERR_OK ? keyring_settle(v->ring) : e;
}

static enum err
state_open(const struct vault *v, struct buf *out, const struct buf *file, struct diag *d)
{
	const uint8_t *id, *nonce, *key;
	uint8_t *plain;
	struct reader r;
	enum err e;

	reader_init(&r, file->data, file->len);
	e = format_check(&r, NULL, STATE_MAGIC, STATE_VERSION, STATE_FILE, d);
	if (e != ERR_OK)
		return e;
	id = reader_view(&r, KEYRING_ID_BYTES);
	nonce = reader_view(&r, NONCE_BYTES);
	key = id != NULL ? keyring_find(v->ring, id) : NULL;
	if (nonce == NULL || r.left < TAG_SIZE || key == NULL)
		return diag_set(d, ERR_MALFORMED,
		    STATE_FILE ": damaged, or not of this `state.key`; restore a backup of both");
	e = buf_reserve(out, r.left, STATE_BYTES_MAX, &plain);
	if (e != ERR_OK)
		return e;
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(plain, NULL, NULL, r.at, r.left, file->data,
		STATE_HEAD_BYTES, nonce, key) != 0)
		return diag_set(d, ERR_CRYPTO, STATE_FILE ": damaged; restore a backup");
	out->len += r.left - TAG_SIZE;
	return ERR_OK;
}

enum err
vault_read_state(struct vault *v, struct buf *out, struct diag *d)
{
	struct buf file;
	enum err e;

	buf_init(&file);
	e = disk_read(v->disk, &file, STATE_FILE, STATE_BYTES_MAX);
	if (e == ERR_OK)
		e = state_open(v, out, &file, d);
	else if (e != ERR_NOT_FOUND)
		(void)diag_set(d, e, STATE_FILE ": cannot be read (%s)", err_text(e));
	buf_release(&file);
	return e;
}

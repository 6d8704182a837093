#include "config.h"

#include "client-lib/keyring.h"

#include <sodium.h>
#include <string.h>

#include "common/base/format.h"
#include "common/base/secret.h"

#define RING_MAGIC "RSTSTK"
#define RING_VERSION 1
#define RING_KEYS 2

#define NONCE_BYTES crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG_SIZE crypto_aead_xchacha20poly1305_ietf_ABYTES
#define ENTRY_BYTES (KEYRING_ID_BYTES + 8 + 32)
#define PLAIN_BYTES (1 + RING_KEYS * ENTRY_BYTES)
#define FILE_BYTES (FORMAT_BYTES + NONCE_BYTES + PLAIN_BYTES + TAG_SIZE)

struct entry {
	uint8_t id[KEYRING_ID_BYTES];
	int64_t made_ms; /* 0: not used yet */
	uint8_t key[32];
};

struct keyring {
	struct disk *disk;
	const uint8_t *under;
	const struct rng *keys;
	size_t count;
	struct entry entries[RING_KEYS]; /* the newest last */
};

static struct keyring *
ring_alloc(struct disk *k, const uint8_t *under, const struct rng *keys)
{
	struct keyring *r = secret_new(sizeof(*r));

	if (r == NULL)
		return NULL;
	r->disk = k;
	r->under = under;
	r->keys = keys;
	return r;
}

void
keyring_free(struct keyring *r)
{
	secret_free(r);
}

/* ---- the file ---- */

static void
put_plain(uint8_t plain[static PLAIN_BYTES], const struct keyring *r)
{
	struct writer w;

	writer_init(&w, plain, PLAIN_BYTES);
	writer_u8(&w, (uint8_t)r->count);
	for (size_t i = 0; i < r->count; i++) {
		writer_copy(&w, r->entries[i].id, KEYRING_ID_BYTES);
		writer_u64(&w, (uint64_t)r->entries[i].made_ms);
		writer_copy(&w, r->entries[i].key, 32);
	}
	writer_pad(&w);
}

static enum err
ring_write(const struct keyring *r)
{
	uint8_t file[FILE_BYTES], plain[PLAIN_BYTES];
	struct writer w;
	uint8_t *nonce;

	put_plain(plain, r);
	writer_init(&w, file, sizeof(file));
	format_put(&w, RING_MAGIC, RING_VERSION);
	nonce = writer_space(&w, NONCE_BYTES);
	rng_bytes(r->keys, nonce, NONCE_BYTES);
	(void)crypto_aead_xchacha20poly1305_ietf_encrypt(nonce + NONCE_BYTES, NULL, plain,
	    sizeof(plain), file, FORMAT_BYTES, NULL, nonce, r->under);
	sodium_memzero(plain, sizeof(plain));
	return disk_replace(r->disk, KEYRING_FILE, file, sizeof(file));
}

static enum err
get_plain(struct keyring *ring, const uint8_t plain[static PLAIN_BYTES])
{
	struct reader r;

	reader_init(&r, plain, PLAIN_BYTES);
	ring->count = reader_u8(&r);
	if (ring->count < 1 || ring->count > RING_KEYS)
		return ERR_MALFORMED;
	for (size_t i = 0; i < ring->count; i++) {
		reader_copy(&r, ring->entries[i].id, KEYRING_ID_BYTES);
		ring->entries[i].made_ms = (int64_t)reader_u64(&r);
		reader_copy(&r, ring->entries[i].key, 32);
	}
	reader_zeros(&r, r.left);
	return reader_end(&r);
}

static enum err
ring_unseal(struct keyring *ring, const struct buf *file, struct diag *d)
{
	uint8_t plain[PLAIN_BYTES];
	const uint8_t *nonce;
	struct reader r;
	enum err e;

	reader_init(&r, file->data, file->len);
	e = format_check(&r, NULL, RING_MAGIC, RING_VERSION, KEYRING_FILE, d);
	if (e != ERR_OK)
		return e;
	if (file->len != FILE_BYTES)
		return diag_set(d, ERR_MALFORMED, KEYRING_FILE ": damaged; restore a backup");
	nonce = file->data + FORMAT_BYTES;
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(plain, NULL, NULL, nonce + NONCE_BYTES,
		PLAIN_BYTES + TAG_SIZE, file->data, FORMAT_BYTES, nonce, ring->under) != 0)
		return diag_set(d, ERR_CRYPTO,
		    KEYRING_FILE ": damaged, or not of this `vault`; restore a backup of both");
	e = get_plain(ring, plain);
	sodium_memzero(plain, sizeof(plain));
	if (e != ERR_OK)
		return diag_set(d, e, KEYRING_FILE ": not what this program writes (%s); restore a "
		    "backup", err_text(e));
	return ERR_OK;
}

/* ---- keys ---- */

static void
add_key(struct keyring *r, int64_t now_ms)
{
	struct entry *k = &r->entries[r->count++];

	rng_bytes(r->keys, k->id, sizeof(k->id));
	rng_bytes(r->keys, k->key, sizeof(k->key));
	k->made_ms = now_ms;
}

static void
drop_key(struct keyring *r, size_t i)
{
	if (i == 0)
		r->entries[0] = r->entries[1];
	sodium_memzero(&r->entries[1], sizeof(r->entries[1]));
	r->count = 1;
}

enum err
keyring_create(struct keyring **out, struct disk *k, const uint8_t *under,
    const struct rng *keys, struct diag *d)
{
	struct keyring *r = ring_alloc(k, under, keys);
	enum err e;

	if (r == NULL)
		return ERR_MEMORY;
	add_key(r, 0);
	e = ring_write(r);
	if (e != ERR_OK) {
		keyring_free(r);
		return diag_set(d, e, KEYRING_FILE ": cannot be written (%s)", err_text(e));
	}
	*out = r;
	return ERR_OK;
}

enum err
keyring_open(struct keyring **out, struct disk *k, const uint8_t *under, const struct rng *keys,
    struct diag *d)
{
	struct keyring *r = ring_alloc(k, under, keys);
	struct buf file;
	enum err e;

	if (r == NULL)
		return ERR_MEMORY;
	buf_init(&file);
	e = disk_read(k, &file, KEYRING_FILE, 4096);
	if (e != ERR_OK)
		(void)diag_set(d, e, KEYRING_FILE ": cannot be read (%s); restore a backup",
		    err_text(e));
	else
		e = ring_unseal(r, &file, d);
	buf_release(&file);
	if (e != ERR_OK) {
		keyring_free(r);
		return e;
	}
	*out = r;
	return ERR_OK;
}

/*
 * A key is as old as its first use. While two keys are there the newest stays:
 * the ring has room for no third, and the state may be under either.
 */
enum err
keyring_renew(struct keyring *r, int64_t now_ms)
{
	int64_t made_ms = r->entries[r->count - 1].made_ms;
	enum err e;

	if (r->count == RING_KEYS || (now_ms >= made_ms && now_ms - made_ms < KEYRING_AGE_MS))
		return ERR_OK;
	add_key(r, now_ms);
	e = ring_write(r);
	if (e != ERR_OK)
		drop_key(r, 1);
	return e;
}

const uint8_t *
keyring_newest(const struct keyring *r, uint8_t id[static KEYRING_ID_BYTES])
{
	const struct entry *k = &r->entries[r->count - 1];

	memcpy(id, k->id, sizeof(k->id));
	return k->key;
}

const uint8_t *
keyring_find(const struct keyring *r, const uint8_t id[static KEYRING_ID_BYTES])
{
	for (size_t i = 0; i < r->count; i++)
		if (memcmp(r->entries[i].id, id, KEYRING_ID_BYTES) == 0) /* public */
			return r->entries[i].key;
	return NULL;
}

enum err
keyring_settle(struct keyring *r)
{
	struct entry old = r->entries[0];
	enum err e;

	if (r->count < RING_KEYS)
		return ERR_OK;
	drop_key(r, 0);
	e = ring_write(r);
	if (e != ERR_OK) {
		r->entries[1] = r->entries[0];
		r->entries[0] = old;
		r->count = RING_KEYS;
	}
	sodium_memzero(&old, sizeof(old));
	return e;
}

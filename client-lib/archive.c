#include "config.h"

#include "client-lib/archive.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "client-lib/archive_store.h"
#include "common/base/format.h"
#include "common/base/secret.h"
#include "common/crypto/hash.h"

#define ARCHIVE_MAGIC "RSTARC"
#define ARCHIVE_VERSION 1

#define NONCE_BYTES crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG_SIZE crypto_aead_xchacha20poly1305_ietf_ABYTES
#define SEAL_BYTES (NONCE_BYTES + TAG_SIZE)

struct archive {
	struct archive_store store;
	const struct rng *keys;
	uint8_t name_key[32], value_key[32];
};

/* ---- names and values ---- */

static void
item_name(uint8_t name[static ARCHIVE_NAME_BYTES], const struct archive *a,
    const struct post_write *key)
{
	const struct hash_part part = { key->key, key->key_len };

	hash_parts_keyed(name, ARCHIVE_NAME_BYTES, a->name_key, &part, 1);
}

/* The plain key goes into the seal, so that values cannot change places. */
static enum err
item_seal(struct archive_item *out, const struct archive *a, const struct post_write *w)
{
	out->value = NULL;
	out->len = 0;
	item_name(out->name, a, w);
	if (w->data == NULL)
		return ERR_OK;
	out->value = malloc(w->len + SEAL_BYTES);
	if (out->value == NULL)
		return ERR_MEMORY;
	out->len = w->len + SEAL_BYTES;
	rng_bytes(a->keys, out->value, NONCE_BYTES);
	(void)crypto_aead_xchacha20poly1305_ietf_encrypt(out->value + NONCE_BYTES, NULL, w->data,
	    w->len, w->key, w->key_len, NULL, out->value, a->value_key);
	return ERR_OK;
}

static enum err
item_open(const struct archive *a, struct buf *out, const struct post_write *key,
    const struct buf *sealed)
{
	uint8_t *plain;
	enum err e;

	if (sealed->len < SEAL_BYTES)
		return ERR_CRYPTO;
	e = buf_reserve(out, sealed->len, SIZE_MAX, &plain);
	if (e != ERR_OK)
		return e;
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(plain, NULL, NULL,
		sealed->data + NONCE_BYTES, sealed->len - NONCE_BYTES, key->key, key->key_len,
		sealed->data, a->value_key) != 0)
		return ERR_CRYPTO;
	out->len += sealed->len - SEAL_BYTES;
	return ERR_OK;
}

static void
items_free(struct archive_item *items, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(items[i].value);
	free(items);
}

enum err
archive_write(struct archive *a, const struct post_write *w, size_t n)
{
	struct archive_item *items;
	enum err e = ERR_OK;

	if (n == 0)
		return ERR_OK;
	items = calloc(n, sizeof(*items));
	if (items == NULL)
		return ERR_MEMORY;
	for (size_t i = 0; i < n && e == ERR_OK; i++)
		e = item_seal(&items[i], a, &w[i]);
	if (e == ERR_OK)
		e = a->store.write(a->store.ctx, items, n);
	items_free(items, n);
	return e;
}

enum err
archive_read(struct archive *a, struct buf *out, const struct post_write *key, size_t max)
{
	uint8_t name[ARCHIVE_NAME_BYTES];
	struct buf sealed;
	enum err e;

	buf_init(&sealed);
	item_name(name, a, key);
	e = a->store.read(a->store.ctx, &sealed, name,
	    max > SIZE_MAX - SEAL_BYTES ? SIZE_MAX : max + SEAL_BYTES);
	if (e == ERR_OK)
		e = item_open(a, out, key, &sealed);
	buf_release(&sealed);
	return e;
}

enum err
archive_tidy(struct archive *a)
{
	return a->store.tidy != NULL ? a->store.tidy(a->store.ctx) : ERR_OK;
}

/* ---- the version, under a name that needs no key ---- */

static enum err
version_write(struct archive *a)
{
	uint8_t value[FORMAT_BYTES + SEAL_BYTES];
	struct archive_item item = { .name = "restante-archive", .value = value,
		.len = sizeof(value) };
	struct writer w;

	writer_init(&w, value, sizeof(value));
	format_put(&w, ARCHIVE_MAGIC, ARCHIVE_VERSION);
	rng_bytes(a->keys, value + FORMAT_BYTES, NONCE_BYTES);
	(void)crypto_aead_xchacha20poly1305_ietf_encrypt(value + FORMAT_BYTES + NONCE_BYTES, NULL,
	    NULL, 0, value, FORMAT_BYTES, NULL, value + FORMAT_BYTES, a->value_key);
	return a->store.write(a->store.ctx, &item, 1);
}

static enum err
version_check(struct archive *a, const struct buf *value, struct diag *d)
{
	struct reader r;
	enum err e;

	reader_init(&r, value->data, value->len);
	e = format_check(&r, NULL, ARCHIVE_MAGIC, ARCHIVE_VERSION, "archive", d);
	if (e != ERR_OK)
		return e;
	if (r.left != SEAL_BYTES ||
	    crypto_aead_xchacha20poly1305_ietf_decrypt(NULL, NULL, NULL, r.at + NONCE_BYTES,
		TAG_SIZE, value->data, FORMAT_BYTES, r.at, a->value_key) != 0)
		return diag_set(d, ERR_CRYPTO,
		    "archive: damaged, or not of this `vault`; restore a backup of both");
	return ERR_OK;
}

static enum err
version_settle(struct archive *a, struct diag *d)
{
	static const uint8_t name[ARCHIVE_NAME_BYTES] = "restante-archive";
	struct buf value;
	enum err e;

	buf_init(&value);
	e = a->store.read(a->store.ctx, &value, name, 4096);
	if (e == ERR_NOT_FOUND)
		e = version_write(a);
	else if (e == ERR_OK)
		e = version_check(a, &value, d);
	buf_release(&value);
	if (e == ERR_FULL || e == ERR_IO)
		(void)diag_set(d, e, "archive: cannot be used (%s)", err_text(e));
	return e;
}

/* ---- life ---- */

static struct archive *
archive_alloc(const uint8_t key[static 32], const struct rng *keys)
{
	struct archive *a = secret_new(sizeof(*a));

	if (a == NULL)
		return NULL;
	a->keys = keys;
	hash_derive(a->name_key, key, "restante/archive/name", NULL, 0);
	hash_derive(a->value_key, key, "restante/archive/value", NULL, 0);
	return a;
}

enum err
archive_open(struct archive **out, const char *path, const uint8_t key[static 32],
    const struct rng *keys, struct diag *d)
{
	struct archive *a = archive_alloc(key, keys);
	enum err e = ERR_MEMORY;

	if (a != NULL)
		e = archive_store_leveldb(&a->store, path, d);
	if (e == ERR_OK)
		e = version_settle(a, d);
	if (e != ERR_OK) {
		archive_free(a);
		return e;
	}
	*out = a;
	return ERR_OK;
}

struct archive *
archive_memory(void)
{
	static const uint8_t key[32];
	struct archive *a = archive_alloc(key, rng_system());

	if (a != NULL && archive_store_memory(&a->store) != ERR_OK) {
		secret_free(a);
		return NULL;
	}
	return a;
}

void
archive_free(struct archive *a)
{
	if (a == NULL)
		return;
	if (a->store.free != NULL)
		a->store.free(a->store.ctx);
	secret_free(a);
}

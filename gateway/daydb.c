#include "config.h"

#include "gateway/daydb.h"

#include <assert.h>
#include <leveldb/c.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/secret.h"
#include "common/crypto/hash.h"
#include "gateway/database.h"

#define NAME_BYTES 32
#define WRITE_BUFFER_BYTES ((size_t)64 << 20)
#define SEAL_BYTES (DAYDB_NONCE_BYTES + crypto_aead_xchacha20poly1305_ietf_ABYTES)
#define FIXED_BYTES 8

static_assert(DAYDB_NONCE_BYTES == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, "XChaCha20");

struct daydb {
	leveldb_t *db;
	uint8_t *keys; /* secret memory: for names, for values */
};

/* One sealed value of a batch. */
struct sealed {
	uint8_t name[NAME_BYTES];
	uint8_t *value;
	size_t len;
};

/* ---- names and values ---- */

static void
name_of(uint8_t out[static NAME_BYTES], const struct daydb *k, const char *what, uint32_t index,
    uint16_t mailbox)
{
	uint8_t numbers[4 + 2];
	const struct hash_part parts[] = { { what, strlen(what) }, { numbers, sizeof(numbers) } };

	store_u32(numbers, index);
	store_u16(numbers + 4, mailbox);
	hash_parts_keyed(out, NAME_BYTES, k->keys, parts, 2);
}

static void
head_name(uint8_t out[static NAME_BYTES], const struct daydb *k)
{
	name_of(out, k, "head", 0, 0);
}

static void
block_name(uint8_t out[static NAME_BYTES], const struct daydb *k, uint32_t index)
{
	name_of(out, k, "block", index, 0);
}

static void
records_name(uint8_t out[static NAME_BYTES], const struct daydb *k, uint32_t index,
    uint16_t mailbox)
{
	name_of(out, k, "records", index, mailbox);
}

/* Seal p and, behind it, a number: a block's round, what a head counts. */
static enum err
seal(struct sealed *s, const struct daydb *k, uint64_t fixed, const uint8_t *p, size_t n,
    const uint8_t nonce[static DAYDB_NONCE_BYTES])
{
	uint8_t *body;

	s->len = SEAL_BYTES + FIXED_BYTES + n;
	s->value = malloc(s->len);
	if (s->value == NULL)
		return ERR_MEMORY;
	memcpy(s->value, nonce, DAYDB_NONCE_BYTES);
	body = s->value + DAYDB_NONCE_BYTES;
	if (n > 0)
		memcpy(body, p, n);
	store_u64(body + n, fixed);
	crypto_aead_xchacha20poly1305_ietf_encrypt(body, NULL, body, FIXED_BYTES + n, s->name,
	    NAME_BYTES, NULL, nonce, k->keys + DAYDB_KEY_BYTES);
	return ERR_OK;
}

/* Open a sealed value of n bytes into out. */
static enum err
unseal(struct buf *out, uint64_t *fixed, const struct daydb *k,
    const uint8_t name[static NAME_BYTES], const uint8_t *value, size_t n)
{
	uint8_t *plain;
	size_t len;
	enum err e;

	if (n < SEAL_BYTES + FIXED_BYTES || n > STORE_VALUE_MAX)
		return ERR_CRYPTO;
	len = n - SEAL_BYTES;
	e = buf_reserve(out, len, len, &plain);
	if (e != ERR_OK)
		return e;
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(plain, NULL, NULL,
		value + DAYDB_NONCE_BYTES, n - DAYDB_NONCE_BYTES, name, NAME_BYTES, value,
		k->keys + DAYDB_KEY_BYTES) != 0)
		return ERR_CRYPTO;
	out->len = len - FIXED_BYTES;
	*fixed = load_u64(plain + out->len);
	return ERR_OK;
}

/* ERR_NOT_FOUND if there is no such value. */
static enum err
get(struct buf *out, uint64_t *fixed, struct daydb *k, const uint8_t name[static NAME_BYTES])
{
	leveldb_readoptions_t *options = leveldb_readoptions_create();
	char *text = NULL, *value;
	size_t n = 0;
	enum err e;

	leveldb_readoptions_set_verify_checksums(options, 1);
	value = leveldb_get(k->db, options, (const char *)name, NAME_BYTES, &n, &text);
	leveldb_readoptions_destroy(options);
	if (text != NULL)
		return database_error(text);
	if (value == NULL)
		return ERR_NOT_FOUND;
	e = unseal(out, fixed, k, name, (const uint8_t *)value, n);
	leveldb_free(value);
	return e;
}

/* ---- open and close ---- */

enum err
daydb_open(struct daydb **out, const char *path, const uint8_t key[static DAYDB_KEY_BYTES])
{
	struct daydb *k = calloc(1, sizeof(*k));
	enum err e = ERR_MEMORY;

	if (k == NULL)
		return ERR_MEMORY;
	k->keys = secret_new(2 * (size_t)DAYDB_KEY_BYTES);
	if (k->keys != NULL) {
		memcpy(k->keys, key, DAYDB_KEY_BYTES);
		hash_derive(k->keys + DAYDB_KEY_BYTES, key, "restante/store/value", NULL, 0);
		e = database_open(&k->db, path, WRITE_BUFFER_BYTES, NULL);
	}
	if (e != ERR_OK) {
		daydb_close(k);
		return e;
	}
	*out = k;
	return ERR_OK;
}

void
daydb_close(struct daydb *k)
{
	if (k == NULL)
		return;
	if (k->db != NULL)
		leveldb_close(k->db);
	secret_free(k->keys);
	free(k);
}

/* ---- reading ---- */

enum err
daydb_head(struct daydb *k, struct daydb_head *out)
{
	uint8_t name[NAME_BYTES];
	uint64_t fixed = 0;
	enum err e;

	buf_init(&out->state);
	head_name(name, k);
	e = get(&out->state, &fixed, k, name);
	out->count = (uint32_t)fixed;
	out->epoch_index = (uint32_t)(fixed >> 32);
	if (e == ERR_NOT_FOUND) {
		out->count = 0;
		out->epoch_index = DAYDB_NONE;
		return ERR_OK;
	}
	if (e != ERR_OK)
		buf_release(&out->state);
	return e;
}

enum err
daydb_block(struct daydb *k, struct buf *out, uint64_t *round, uint32_t index)
{
	uint8_t name[NAME_BYTES];

	block_name(name, k, index);
	return get(out, round, k, name);
}

enum err
daydb_records(struct daydb *k, struct buf *out, uint32_t index, uint16_t mailbox)
{
	uint8_t name[NAME_BYTES];
	uint64_t fixed;
	enum err e;

	records_name(name, k, index, mailbox);
	e = get(out, &fixed, k, name);
	return e == ERR_NOT_FOUND ? ERR_OK : e;
}

/* ---- writing ---- */

static int
by_name(const void *a, const void *b)
{
	const struct sealed *x = a, *y = b;

	return memcmp(x->name, y->name, NAME_BYTES); /* public */
}

size_t
daydb_nonces(const struct store_round *r)
{
	return r->mailbox_count + 2;
}

/* Seal everything into list, which has daydb_nonces(r) places. */
static enum err
seal_all(struct sealed *list, struct daydb *k, const struct store_round *r,
    const struct daydb_head *head, const uint8_t *nonces)
{
	uint64_t fixed = (uint64_t)head->epoch_index << 32 | head->count;
	uint32_t index = head->count - 1;
	enum err e;

	head_name(list[0].name, k);
	e = seal(&list[0], k, fixed, head->state.data, head->state.len, nonces);
	block_name(list[1].name, k, index);
	if (e == ERR_OK)
		e = seal(&list[1], k, r->round, r->block, r->block_len, nonces + DAYDB_NONCE_BYTES);
	for (size_t i = 0; i < r->mailbox_count && e == ERR_OK; i++) {
		struct sealed *s = &list[i + 2];
		const struct store_records *m = &r->mailboxes[i];

		records_name(s->name, k, index, m->mailbox);
		e = seal(s, k, 0, m->data, m->len, nonces + (i + 2) * DAYDB_NONCE_BYTES);
	}
	return e;
}

/* Ordered by name: LevelDB numbers the entries of a batch. */
static enum err
write_all(struct daydb *k, struct sealed *list, size_t n)
{
	leveldb_writeoptions_t *options = leveldb_writeoptions_create();
	leveldb_writebatch_t *batch = leveldb_writebatch_create();
	char *text = NULL;

	qsort(list, n, sizeof(list[0]), by_name);
	for (size_t i = 0; i < n; i++)
		leveldb_writebatch_put(batch, (const char *)list[i].name, NAME_BYTES,
		    (const char *)list[i].value, list[i].len);
	leveldb_writeoptions_set_sync(options, 1);
	leveldb_write(k->db, options, batch, &text);
	leveldb_writebatch_destroy(batch);
	leveldb_writeoptions_destroy(options);
	return text == NULL ? ERR_OK : database_error(text);
}

enum err
daydb_put(struct daydb *k, const struct store_round *r, const struct daydb_head *head,
    const uint8_t *nonces)
{
	size_t n = daydb_nonces(r);
	struct sealed *list = calloc(n, sizeof(list[0]));
	enum err e;

	if (list == NULL)
		return ERR_MEMORY;
	e = seal_all(list, k, r, head, nonces);
	if (e == ERR_OK)
		e = write_all(k, list, n);
	for (size_t i = 0; i < n; i++)
		free(list[i].value);
	free(list);
	return e;
}

/* ---- removing ---- */

enum err
daydb_remove(const char *path)
{
	return database_remove(path);
}

#include "config.h"

#include "common/crypto/stream.h"

#include <sodium.h>
#include <string.h>

#include "common/base/secret.h"
#include "common/base/tagmap.h"
#include "common/crypto/hash.h"

_Static_assert(TAG_BYTES == RECORD_TAG_BYTES, "stream tags are kept in a tagmap");

#define INDEX_MAX (UINT64_MAX / 4) /* of a saved state: sums never overflow */

/* Everything that one index yields. */
struct link_keys {
	uint8_t tag[RECORD_TAG_BYTES];
	uint8_t key[32];
};

static void
derive_tag(uint8_t tag[static RECORD_TAG_BYTES], const uint8_t c[static 32])
{
	static const char label[] = "restante/stream/tag";
	const struct hash_part part = { label, sizeof(label) - 1 };

	hash_parts_keyed(tag, RECORD_TAG_BYTES, c, &part, 1);
}

static void
derive_key(uint8_t key[static 32], const uint8_t c[static 32])
{
	hash_derive(key, c, "restante/stream/message", NULL, 0);
}

/* C_i becomes C_{i+1}; C_i is gone. */
static void
advance(uint8_t c[static 32])
{
	uint8_t next[32];

	hash_derive(next, c, "restante/stream/next", NULL, 0);
	memcpy(c, next, sizeof(next));
	sodium_memzero(next, sizeof(next));
}

/* ---- writer ---- */

struct stream_writer {
	uint64_t index;
	uint8_t chain[32];
};

struct stream_writer *
stream_writer_new(const uint8_t secret[static 32])
{
	struct stream_writer *w = secret_new(sizeof(*w));

	if (w != NULL)
		memcpy(w->chain, secret, sizeof(w->chain));
	return w;
}

void
stream_writer_free(struct stream_writer *w)
{
	secret_free(w);
}

uint64_t
stream_writer_index(const struct stream_writer *w)
{
	return w->index;
}

enum err
stream_seal(struct stream_writer *w, uint8_t *record, size_t record_size,
    const uint8_t *plaintext, const struct rng *keys)
{
	struct link_keys k;
	enum err e;

	derive_tag(k.tag, w->chain);
	derive_key(k.key, w->chain);
	advance(w->chain);
	w->index++;
	e = record_seal(record, record_size, k.tag, k.key, plaintext, keys);
	sodium_memzero(&k, sizeof(k));
	return e;
}

enum err
stream_writer_save(const struct stream_writer *w, struct buf *out, size_t max)
{
	uint8_t bytes[8 + 32];
	enum err e;

	store_u64(bytes, w->index);
	memcpy(bytes + 8, w->chain, sizeof(w->chain));
	e = buf_append(out, bytes, sizeof(bytes), max);
	sodium_memzero(bytes, sizeof(bytes));
	return e;
}

enum err
stream_writer_load(struct stream_writer **out, struct reader *r)
{
	uint64_t index = reader_u64(r);
	const uint8_t *chain = reader_view(r, 32);
	struct stream_writer *w;

	if (chain == NULL)
		return ERR_TRUNCATED;
	if (index > INDEX_MAX)
		return ERR_RANGE;
	w = stream_writer_new(chain);
	if (w == NULL)
		return ERR_MEMORY;
	w->index = index;
	*out = w;
	return ERR_OK;
}

/* ---- reader ---- */

struct skipped {
	uint64_t index;
	int64_t expires_ms;
	struct link_keys keys;
};

/*
 * base is the lowest index of the window (highest seen plus one). The chain is
 * kept at both ends: at `base` to make keys, and behind the window's last tag
 * to lengthen it.
 */
struct stream_reader {
	uint64_t base;
	uint8_t chain[32];    /* C_base */
	uint64_t reach;	      /* tags below this index are in the table */
	uint8_t frontier[32]; /* C_reach; reach is base + STREAM_WINDOW */
	struct tagmap *tags;  /* tag -> index: window and skipped */
	struct skipped *skipped; /* secret memory; grows to STREAM_SKIPPED_MAX */
	size_t skipped_count, skipped_room;
};

/* Put the tags of a window that starts at base into the table. */
static enum err
lengthen(struct stream_reader *s, uint64_t base)
{
	uint8_t tag[RECORD_TAG_BYTES];
	bool fresh;

	for (; s->reach < base + STREAM_WINDOW; s->reach++) {
		derive_tag(tag, s->frontier);
		enum err e = tagmap_insert(s->tags, &fresh, tag, s->reach);
		if (e != ERR_OK)
			return e;
		advance(s->frontier);
	}
	return ERR_OK;
}

static struct stream_reader *
reader_at(const uint8_t chain[static 32], uint64_t base, const struct rng *r)
{
	struct stream_reader *s = secret_new(sizeof(*s));

	if (s == NULL)
		return NULL;
	s->base = base;
	s->reach = base;
	memcpy(s->chain, chain, sizeof(s->chain));
	memcpy(s->frontier, chain, sizeof(s->frontier));
	s->tags = tagmap_new(r, 2 * STREAM_WINDOW + STREAM_SKIPPED_MAX);
	if (s->tags == NULL || lengthen(s, base) != ERR_OK) {
		stream_reader_free(s);
		return NULL;
	}
	return s;
}

struct stream_reader *
stream_reader_new(const uint8_t secret[static 32], const struct rng *r)
{
	return reader_at(secret, 0, r);
}

void
stream_reader_free(struct stream_reader *s)
{
	if (s == NULL)
		return;
	tagmap_free(s->tags);
	secret_free(s->skipped);
	secret_free(s);
}

static struct skipped *
skipped_find(struct stream_reader *s, uint64_t index)
{
	for (size_t i = 0; i < s->skipped_count; i++)
		if (s->skipped[i].index == index)
			return &s->skipped[i];
	return NULL;
}

static void
skipped_drop(struct stream_reader *s, struct skipped *k)
{
	(void)tagmap_remove(s->tags, k->keys.tag);
	*k = s->skipped[--s->skipped_count];
	sodium_memzero(&s->skipped[s->skipped_count], sizeof(*k));
}

/* Room for n more skipped keys, as far as STREAM_SKIPPED_MAX allows. */
static enum err
skipped_reserve(struct stream_reader *s, size_t n)
{
	size_t room = s->skipped_room > 0 ? s->skipped_room : 16;
	size_t want = s->skipped_count + n;
	struct skipped *grown;

	if (want > STREAM_SKIPPED_MAX)
		want = STREAM_SKIPPED_MAX;
	if (want <= s->skipped_room)
		return ERR_OK;
	while (room < want)
		room *= 2;
	grown = secret_new(room * sizeof(*grown));
	if (grown == NULL)
		return ERR_MEMORY;
	if (s->skipped_count > 0)
		memcpy(grown, s->skipped, s->skipped_count * sizeof(*grown));
	secret_free(s->skipped);
	s->skipped = grown;
	s->skipped_room = room;
	return ERR_OK;
}

/* The oldest index gives way when the table of skipped keys is full. */
static void
skipped_make_way(struct stream_reader *s)
{
	struct skipped *oldest = &s->skipped[0];

	if (s->skipped_count < STREAM_SKIPPED_MAX)
		return;
	for (size_t i = 1; i < s->skipped_count; i++)
		if (s->skipped[i].index < oldest->index)
			oldest = &s->skipped[i];
	skipped_drop(s, oldest);
}

/* Keep the keys of [base, index) as skipped, erase those of index, slide the window. */
static enum err
slide(struct stream_reader *s, uint64_t index, const uint8_t tag[static RECORD_TAG_BYTES],
    int64_t expires_ms)
{
	enum err e = skipped_reserve(s, (size_t)(index - s->base));

	if (e == ERR_OK)
		e = lengthen(s, index + 1);
	if (e != ERR_OK)
		return e;
	for (; s->base < index; s->base++) {
		skipped_make_way(s);
		struct skipped *k = &s->skipped[s->skipped_count++];
		k->index = s->base;
		k->expires_ms = expires_ms;
		derive_tag(k->keys.tag, s->chain);
		derive_key(k->keys.key, s->chain);
		advance(s->chain);
	}
	advance(s->chain);
	s->base = index + 1;
	(void)tagmap_remove(s->tags, tag);
	return ERR_OK;
}

static enum err
open_skipped(struct stream_reader *s, uint8_t *plaintext, uint64_t index, const uint8_t *record,
    size_t record_size)
{
	struct skipped *k = skipped_find(s, index);
	enum err e;

	if (k == NULL)
		return ERR_NOT_FOUND;
	e = record_open(plaintext, record, record_size, k->keys.key);
	if (e == ERR_OK)
		skipped_drop(s, k);
	return e;
}

static enum err
open_ahead(struct stream_reader *s, uint8_t *plaintext, uint64_t index, const uint8_t *record,
    size_t record_size, int64_t expires_ms)
{
	uint8_t chain[32], key[32], tag[RECORD_TAG_BYTES];
	enum err e;

	memcpy(chain, s->chain, sizeof(chain));
	for (uint64_t i = s->base; i < index; i++)
		advance(chain);
	derive_key(key, chain);
	e = record_open(plaintext, record, record_size, key);
	if (e == ERR_OK) {
		memcpy(tag, record_tag(record), sizeof(tag));
		e = slide(s, index, tag, expires_ms);
	}
	sodium_memzero(chain, sizeof(chain));
	sodium_memzero(key, sizeof(key));
	return e;
}

enum err
stream_open(struct stream_reader *s, uint8_t *plaintext, uint64_t *index, const uint8_t *record,
    size_t record_size, int64_t expires_ms)
{
	uint64_t found;
	enum err e;

	/* after a failure for want of memory the table may hold more than the window */
	if (!tagmap_find(s->tags, &found, record_tag(record)) || found >= s->base + STREAM_WINDOW)
		return ERR_NOT_FOUND;
	if (found < s->base)
		e = open_skipped(s, plaintext, found, record, record_size);
	else
		e = open_ahead(s, plaintext, found, record, record_size, expires_ms);
	if (e == ERR_OK && index != NULL)
		*index = found;
	return e;
}

uint64_t
stream_reader_seen(const struct stream_reader *s)
{
	return s->base;
}

void
stream_reader_expire(struct stream_reader *s, int64_t now_ms)
{
	for (size_t i = 0; i < s->skipped_count;) {
		if (s->skipped[i].expires_ms <= now_ms)
			skipped_drop(s, &s->skipped[i]);
		else
			i++;
	}
}

size_t
stream_reader_skipped(const struct stream_reader *s)
{
	return s->skipped_count;
}

enum err
stream_reader_save(const struct stream_reader *s, struct buf *out, size_t max)
{
	const size_t each = 8 + 8 + RECORD_TAG_BYTES + 32;
	size_t n = 8 + 32 + 4 + s->skipped_count * each;
	struct writer w;
	uint8_t *space;
	enum err e = buf_reserve(out, n, max, &space);

	if (e != ERR_OK)
		return e;
	writer_init(&w, space, n);
	writer_u64(&w, s->base);
	writer_copy(&w, s->chain, sizeof(s->chain));
	writer_u32(&w, (uint32_t)s->skipped_count);
	for (size_t i = 0; i < s->skipped_count; i++) {
		writer_u64(&w, s->skipped[i].index);
		writer_u64(&w, (uint64_t)s->skipped[i].expires_ms);
		writer_copy(&w, s->skipped[i].keys.tag, RECORD_TAG_BYTES);
		writer_copy(&w, s->skipped[i].keys.key, 32);
	}
	e = writer_end(&w);
	if (e == ERR_OK)
		out->len += n;
	return e;
}

static enum err
load_skipped(struct stream_reader *s, struct reader *r, uint32_t count)
{
	enum err e = skipped_reserve(s, count);
	bool fresh;

	for (uint32_t i = 0; i < count && e == ERR_OK; i++) {
		struct skipped *k = &s->skipped[i];
		k->index = reader_u64(r);
		k->expires_ms = (int64_t)reader_u64(r);
		reader_copy(r, k->keys.tag, RECORD_TAG_BYTES);
		reader_copy(r, k->keys.key, 32);
		if (!reader_ok(r))
			return ERR_TRUNCATED;
		s->skipped_count++;
		if (k->index >= s->base)
			return ERR_MALFORMED;
		e = tagmap_insert(s->tags, &fresh, k->keys.tag, k->index);
		if (e == ERR_OK && !fresh)
			return ERR_MALFORMED;
	}
	return e;
}

enum err
stream_reader_load(struct stream_reader **out, struct reader *r, const struct rng *rng)
{
	uint64_t base = reader_u64(r);
	const uint8_t *chain = reader_view(r, 32);
	uint32_t count = reader_u32(r);
	struct stream_reader *s;
	enum err e;

	if (!reader_ok(r))
		return ERR_TRUNCATED;
	if (count > STREAM_SKIPPED_MAX || base > INDEX_MAX)
		return ERR_RANGE;
	s = reader_at(chain, base, rng);
	if (s == NULL)
		return ERR_MEMORY;
	e = load_skipped(s, r, count);
	if (e != ERR_OK) {
		stream_reader_free(s);
		return e;
	}
	*out = s;
	return ERR_OK;
}

#include "config.h"

#include "common/crypto/stream.h"

#include <sodium.h>
#include <string.h>

#include "common/base/secret.h"
#include "common/base/tagmap.h"
#include "common/crypto/ratchet.h"

_Static_assert(TAG_BYTES == RECORD_TAG_BYTES, "stream tags are kept in a tagmap");

#define INDEX_MAX (UINT64_MAX / 4) /* of a saved state: sums never overflow */
#define GENERATION_STEP ((uint64_t)1 << 32)
#define GENERATION_MAX STREAM_GENERATION_MAX

/* Everything that one index yields. */
struct link_keys {
	uint8_t tag[RECORD_TAG_BYTES];
	uint8_t key[32];
};

/* ---- writer ---- */

struct stream_writer {
	uint64_t index;
	uint8_t chain[32];
	bool rooted; /* false: of a state that knew no renewal */
	uint8_t root[32];
	bool announced;
	uint8_t next[32]; /* secret of the generation that is announced */
	uint32_t before;  /* indices of the generation before this one */
};

/* A generation begins: its root and its chain come from its secret. */
static void
writer_begin(struct stream_writer *w, const uint8_t secret[static 32])
{
	w->rooted = true;
	ratchet_root(w->root, secret);
	memcpy(w->chain, secret, sizeof(w->chain));
}

struct stream_writer *
stream_writer_new_at(const uint8_t secret[static 32], uint32_t generation)
{
	struct stream_writer *w = secret_new(sizeof(*w));

	if (w != NULL) {
		w->index = (uint64_t)generation * GENERATION_STEP;
		writer_begin(w, secret);
	}
	return w;
}

struct stream_writer *
stream_writer_new(const uint8_t secret[static 32])
{
	return stream_writer_new_at(secret, 0);
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

	if ((uint32_t)w->index == UINT32_MAX)
		return ERR_FULL;
	ratchet_tag(k.tag, w->chain);
	ratchet_message_key(k.key, w->chain);
	ratchet_advance(w->chain);
	w->index++;
	e = record_seal(record, record_size, k.tag, k.key, plaintext, keys);
	sodium_memzero(&k, sizeof(k));
	return e;
}

/* ---- the writer's renewal ---- */

bool
stream_writer_rooted(const struct stream_writer *w)
{
	return w->rooted;
}

bool
stream_writer_announced(const struct stream_writer *w)
{
	return w->announced;
}

uint32_t
stream_writer_before(const struct stream_writer *w)
{
	return w->before;
}

enum err
stream_writer_announce(struct stream_writer *w, uint8_t fresh[static 32],
    const uint8_t renewal[static 32], const struct rng *keys)
{
	struct ratchet_renewal t = { .generation = stream_generation(w->index) + 1 };
	uint8_t sk[32];
	enum err e = ERR_CRYPTO;

	if (!w->rooted || w->announced || t.generation > GENERATION_MAX)
		return ERR_STATE;
	rng_bytes(keys, sk, sizeof(sk));
	memcpy(t.renewal, renewal, sizeof(t.renewal));
	if (crypto_scalarmult_base(t.fresh, sk) == 0)
		e = ratchet_renew(w->next, w->root, sk, renewal, &t);
	sodium_memzero(sk, sizeof(sk));
	if (e != ERR_OK)
		return e;
	memcpy(fresh, t.fresh, sizeof(t.fresh));
	w->announced = true;
	return ERR_OK;
}

void
stream_writer_renew(struct stream_writer *w)
{
	if (!w->announced)
		return;
	w->before = (uint32_t)w->index;
	w->index = stream_generation_start(w->index) + GENERATION_STEP;
	writer_begin(w, w->next);
	sodium_memzero(w->next, sizeof(w->next));
	w->announced = false;
}

/* ---- the writer's save and load ---- */

enum err
stream_writer_save(const struct stream_writer *w, struct buf *out, size_t max)
{
	uint8_t bytes[8 + 32 + 1 + 32 + 1 + 32 + 4];
	struct writer to;
	enum err e;

	writer_init(&to, bytes, sizeof(bytes));
	writer_u64(&to, w->index);
	writer_copy(&to, w->chain, sizeof(w->chain));
	writer_u8(&to, w->rooted);
	writer_copy(&to, w->root, sizeof(w->root));
	writer_u8(&to, w->announced);
	writer_copy(&to, w->next, sizeof(w->next));
	writer_u32(&to, w->before);
	e = writer_end(&to);
	if (e == ERR_OK)
		e = buf_append(out, bytes, sizeof(bytes), max);
	sodium_memzero(bytes, sizeof(bytes));
	return e;
}

/* What renewal added to a saved state, on either side. */
static void
get_renewal(struct reader *r, bool *rooted, uint8_t root[static 32], bool *next,
    uint8_t secret[static 32])
{
	uint8_t flags[2];

	flags[0] = reader_u8(r);
	reader_copy(r, root, 32);
	flags[1] = reader_u8(r);
	reader_copy(r, secret, 32);
	if (flags[0] > 1 || flags[1] > flags[0])
		reader_fail(r, ERR_MALFORMED);
	*rooted = flags[0] != 0;
	*next = flags[1] != 0;
}

static void
writer_get(struct stream_writer *w, struct reader *r, bool renewals)
{
	w->index = reader_u64(r);
	reader_copy(r, w->chain, sizeof(w->chain));
	if (renewals) {
		get_renewal(r, &w->rooted, w->root, &w->announced, w->next);
		w->before = reader_u32(r);
	}
	if (w->index > INDEX_MAX)
		reader_fail(r, ERR_RANGE);
}

enum err
stream_writer_load(struct stream_writer **out, struct reader *r, bool renewals)
{
	struct stream_writer *w = secret_new(sizeof(*w));

	if (w == NULL)
		return ERR_MEMORY;
	writer_get(w, r, renewals);
	if (!reader_ok(r)) {
		stream_writer_free(w);
		return r->err;
	}
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
 * The indices of one generation that a record may bear. The chain is kept at
 * both ends: at `base` to make keys, and behind the last tag to lengthen it.
 */
struct window {
	uint64_t base;	      /* the lowest index: highest seen plus one */
	uint8_t chain[32];    /* C_base */
	uint64_t reach;	      /* tags below this index are in the table */
	uint8_t frontier[32]; /* C_reach; reach is base + STREAM_WINDOW */
};

/* `next` is the generation that was announced, until a record of it has come. */
struct stream_reader {
	struct window now, next;
	bool followed; /* there is a next one; its chain is at its first index */
	bool rooted;   /* false: of a state that knew no renewal */
	uint8_t root[32];
	struct tagmap *tags;	 /* tag -> index: windows and skipped */
	struct skipped *skipped; /* secret memory; grows to STREAM_SKIPPED_MAX */
	size_t skipped_count, skipped_room;
};

/* Put the tags of a window that starts at base into the table. */
static enum err
lengthen(struct stream_reader *s, struct window *w, uint64_t base)
{
	uint8_t tag[RECORD_TAG_BYTES];
	bool fresh;

	for (; w->reach < base + STREAM_WINDOW; w->reach++) {
		ratchet_tag(tag, w->frontier);
		enum err e = tagmap_insert(s->tags, &fresh, tag, w->reach);
		if (e != ERR_OK)
			return e;
		ratchet_advance(w->frontier);
	}
	return ERR_OK;
}

static enum err
window_init(struct stream_reader *s, struct window *w, const uint8_t chain[static 32],
    uint64_t base)
{
	w->base = base;
	w->reach = base;
	memcpy(w->chain, chain, sizeof(w->chain));
	memcpy(w->frontier, chain, sizeof(w->frontier));
	return lengthen(s, w, base);
}

static struct stream_reader *
reader_at(const uint8_t chain[static 32], uint64_t base, const struct rng *r)
{
	struct stream_reader *s = secret_new(sizeof(*s));

	if (s == NULL)
		return NULL;
	s->tags = tagmap_new(r, 4 * STREAM_WINDOW + STREAM_SKIPPED_MAX);
	if (s->tags == NULL || window_init(s, &s->now, chain, base) != ERR_OK) {
		stream_reader_free(s);
		return NULL;
	}
	return s;
}

struct stream_reader *
stream_reader_new(const uint8_t secret[static 32], const struct rng *r)
{
	return stream_reader_new_at(secret, 0, r);
}

struct stream_reader *
stream_reader_new_at(const uint8_t secret[static 32], uint32_t generation, const struct rng *r)
{
	struct stream_reader *s = reader_at(secret, (uint64_t)generation * GENERATION_STEP, r);

	if (s != NULL) {
		s->rooted = true;
		ratchet_root(s->root, secret);
	}
	return s;
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

/* Keep the keys of [base, end) as skipped: the window begins at end. There is room. */
static void
skip(struct stream_reader *s, struct window *w, uint64_t end, int64_t expires_ms)
{
	for (; w->base < end; w->base++) {
		skipped_make_way(s);
		struct skipped *k = &s->skipped[s->skipped_count++];
		k->index = w->base;
		k->expires_ms = expires_ms;
		ratchet_tag(k->keys.tag, w->chain);
		ratchet_message_key(k->keys.key, w->chain);
		ratchet_advance(w->chain);
	}
}

/* The record at index was opened: skip to it, erase its keys, slide the window. */
static void
slide(struct stream_reader *s, struct window *w, uint64_t index, int64_t expires_ms)
{
	uint8_t tag[RECORD_TAG_BYTES];

	skip(s, w, index, expires_ms);
	ratchet_tag(tag, w->chain);
	(void)tagmap_remove(s->tags, tag);
	ratchet_advance(w->chain);
	w->base = index + 1;
}

/* Room and tags for slide(), so that it cannot fail; `more` is skipped before. */
static enum err
prepare(struct stream_reader *s, struct window *w, uint64_t index, size_t more)
{
	enum err e = skipped_reserve(s, more + (size_t)(index - w->base));

	return e == ERR_OK ? lengthen(s, w, index + 1) : e;
}

static enum err
look_skipped(struct stream_reader *s, uint8_t *plaintext, uint64_t index, const uint8_t *record,
    size_t record_size)
{
	struct skipped *k = skipped_find(s, index);

	return k != NULL ? record_open(plaintext, record, record_size, k->keys.key) : ERR_NOT_FOUND;
}

/* Decrypt with the key of an index of a window; nothing changes. */
static enum err
open_at(const struct window *w, uint8_t *plaintext, uint64_t index, const uint8_t *record,
    size_t record_size)
{
	uint8_t chain[32], key[32];
	enum err e;

	memcpy(chain, w->chain, sizeof(chain));
	for (uint64_t i = w->base; i < index; i++)
		ratchet_advance(chain);
	ratchet_message_key(key, chain);
	e = record_open(plaintext, record, record_size, key);
	sodium_memzero(chain, sizeof(chain));
	sodium_memzero(key, sizeof(key));
	return e;
}

static enum err
look_ahead(struct stream_reader *s, uint8_t *plaintext, uint64_t index, const uint8_t *record,
    size_t record_size)
{
	enum err e = open_at(&s->now, plaintext, index, record, record_size);

	return e == ERR_OK ? prepare(s, &s->now, index, 0) : e;
}

/*
 * Where the running generation ended, as a record of the next one says. An
 * honest writer stays within the window; of one that says nothing, or something
 * else, no key is kept (its records are sealed anew, for we acknowledge none).
 */
static uint64_t
end_told(const struct stream_reader *s, const uint8_t *plaintext, size_t record_size)
{
	uint64_t end = s->now.base;
	struct record_header h;
	const uint8_t *content;

	if (record_decode(&h, &content, plaintext, record_size) == ERR_OK) {
		if (sodium_is_zero(h.fresh, sizeof(h.fresh)))
			end = stream_generation_start(end) + load_u64(h.peer_renewal_id);
		sodium_memzero(&h, sizeof(h));
	}
	return end >= s->now.base && end <= s->now.base + STREAM_WINDOW ? end : s->now.base;
}

/* Nothing of this window will come any more: its chain is erased, its tags are taken out. */
static void
window_close(struct stream_reader *s, struct window *w)
{
	uint8_t tag[RECORD_TAG_BYTES];

	for (; w->base < w->reach; w->base++) {
		ratchet_tag(tag, w->chain);
		(void)tagmap_remove(s->tags, tag);
		ratchet_advance(w->chain);
	}
	sodium_memzero(w, sizeof(*w));
}

static enum err
look_next(struct stream_reader *s, uint8_t *plaintext, uint64_t index, const uint8_t *record,
    size_t record_size)
{
	enum err e = open_at(&s->next, plaintext, index, record, record_size);
	uint64_t end;

	if (e != ERR_OK)
		return e;
	end = end_told(s, plaintext, record_size);
	return prepare(s, &s->next, index, (size_t)(end - s->now.base));
}

/* The first record of the next generation: the one that ran is over, but for single keys. */
static void
pass_over(struct stream_reader *s, uint64_t end, int64_t expires_ms)
{
	skip(s, &s->now, end, expires_ms);
	window_close(s, &s->now);
	ratchet_root(s->root, s->next.chain);
	s->now = s->next;
	sodium_memzero(&s->next, sizeof(s->next));
	s->followed = false;
}

/* After a failure for want of memory the table may hold more than a window. */
static bool
within(const struct window *w, uint64_t index)
{
	return index >= w->base && index < w->base + STREAM_WINDOW;
}

enum err
stream_look(struct stream_reader *s, uint8_t *plaintext, uint64_t *index, const uint8_t *record,
    size_t record_size)
{
	uint64_t found;
	enum err e = ERR_NOT_FOUND;

	if (!tagmap_find(s->tags, &found, record_tag(record)))
		return ERR_NOT_FOUND;
	if (found < s->now.base)
		e = look_skipped(s, plaintext, found, record, record_size);
	else if (within(&s->now, found))
		e = look_ahead(s, plaintext, found, record, record_size);
	else if (s->followed && within(&s->next, found))
		e = look_next(s, plaintext, found, record, record_size);
	if (e == ERR_OK)
		*index = found;
	return e;
}

void
stream_consume(struct stream_reader *s, uint64_t index, const uint8_t *plaintext,
    size_t record_size, int64_t expires_ms)
{
	if (index < s->now.base) {
		skipped_drop(s, skipped_find(s, index));
		return;
	}
	if (!within(&s->now, index))
		pass_over(s, end_told(s, plaintext, record_size), expires_ms);
	slide(s, &s->now, index, expires_ms);
}

enum err
stream_open(struct stream_reader *s, uint8_t *plaintext, uint64_t *index, const uint8_t *record,
    size_t record_size, int64_t expires_ms)
{
	uint64_t found;
	enum err e = stream_look(s, plaintext, &found, record, record_size);

	if (e != ERR_OK)
		return e;
	stream_consume(s, found, plaintext, record_size, expires_ms);
	if (index != NULL)
		*index = found;
	return ERR_OK;
}

/* ---- the reader's renewal ---- */

static enum err
next_begin(struct stream_reader *s, const uint8_t secret[static 32])
{
	enum err e = window_init(s, &s->next, secret,
	    stream_generation_start(s->now.base) + GENERATION_STEP);

	if (e == ERR_OK)
		s->followed = true;
	else
		window_close(s, &s->next);
	return e;
}

bool
stream_reader_followed(const struct stream_reader *s)
{
	return s->followed;
}

enum err
stream_reader_follow(struct stream_reader *s, const uint8_t fresh[static 32],
    const uint8_t renewal_sk[static 32], const uint8_t renewal[static 32])
{
	struct ratchet_renewal t = { .generation = stream_generation(s->now.base) + 1 };
	uint8_t secret[32];
	enum err e;

	if (!s->rooted || s->followed || t.generation > GENERATION_MAX)
		return ERR_STATE;
	memcpy(t.fresh, fresh, sizeof(t.fresh));
	memcpy(t.renewal, renewal, sizeof(t.renewal));
	e = ratchet_renew(secret, s->root, renewal_sk, fresh, &t);
	if (e == ERR_OK)
		e = next_begin(s, secret);
	sodium_memzero(secret, sizeof(secret));
	return e;
}

/* ---- what the reader knows ---- */

uint64_t
stream_reader_seen(const struct stream_reader *s)
{
	return s->now.base;
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
	size_t n = 8 + 32 + 4 + s->skipped_count * each + 1 + 32 + 1 + 32;
	struct writer w;
	uint8_t *space;
	enum err e = buf_reserve(out, n, max, &space);

	if (e != ERR_OK)
		return e;
	writer_init(&w, space, n);
	writer_u64(&w, s->now.base);
	writer_copy(&w, s->now.chain, sizeof(s->now.chain));
	writer_u32(&w, (uint32_t)s->skipped_count);
	for (size_t i = 0; i < s->skipped_count; i++) {
		writer_u64(&w, s->skipped[i].index);
		writer_u64(&w, (uint64_t)s->skipped[i].expires_ms);
		writer_copy(&w, s->skipped[i].keys.tag, RECORD_TAG_BYTES);
		writer_copy(&w, s->skipped[i].keys.key, 32);
	}
	writer_u8(&w, s->rooted);
	writer_copy(&w, s->root, sizeof(s->root));
	writer_u8(&w, s->followed);
	writer_copy(&w, s->next.chain, sizeof(s->next.chain));
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
		if (k->index >= s->now.base)
			return ERR_MALFORMED;
		e = tagmap_insert(s->tags, &fresh, k->keys.tag, k->index);
		if (e == ERR_OK && !fresh)
			return ERR_MALFORMED;
	}
	return e;
}

static enum err
load_renewal(struct stream_reader *s, struct reader *r)
{
	uint8_t secret[32];
	bool next;
	enum err e = ERR_OK;

	get_renewal(r, &s->rooted, s->root, &next, secret);
	if (!reader_ok(r))
		e = r->err;
	else if (next)
		e = next_begin(s, secret);
	sodium_memzero(secret, sizeof(secret));
	return e;
}

enum err
stream_reader_load(struct stream_reader **out, struct reader *r, bool renewals,
    const struct rng *rng)
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
	if (e == ERR_OK && renewals)
		e = load_renewal(s, r);
	if (e != ERR_OK) {
		stream_reader_free(s);
		return e;
	}
	*out = s;
	return ERR_OK;
}

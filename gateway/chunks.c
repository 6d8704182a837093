#include "config.h"

#include "gateway/chunks.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/bytes.h"
#include "common/base/tagmap.h"

static struct chunk *
chunk_of(const struct buf *items)
{
	struct chunk *c = malloc(sizeof(*c) + items->len);

	if (c == NULL)
		return NULL;
	memset(c, 0, sizeof(*c));
	c->references = 1;
	c->len = items->len;
	memcpy(c->bytes, items->data, items->len);
	return c;
}

struct chunk *
chunk_new(const uint8_t *block, size_t block_len, const uint8_t *records, size_t records_len)
{
	size_t max = 2 * ITEM_HEADER_BYTES + block_len + records_len;
	struct chunk *c = NULL;
	struct buf items;
	enum err e;

	buf_init(&items);
	e = item_append(&items, ITEM_BLOCK, block, block_len, max);
	if (e == ERR_OK && records_len > 0)
		e = item_append(&items, ITEM_RECORDS, records, records_len, max);
	if (e == ERR_OK)
		c = chunk_of(&items);
	buf_release(&items);
	return c;
}

struct chunk *
chunk_item(enum item_kind kind, const uint8_t *p, size_t len)
{
	struct chunk *c = NULL;
	struct buf items;

	buf_init(&items);
	if (item_append(&items, kind, p, len, ITEM_HEADER_BYTES + len) == ERR_OK)
		c = chunk_of(&items);
	if (c != NULL)
		c->apart = true;
	buf_release(&items);
	return c;
}

struct chunk *
chunk_hold(struct chunk *c)
{
	c->references++;
	return c;
}

void
chunk_drop(struct chunk *c)
{
	if (c != NULL && --c->references == 0)
		free(c);
}

/* ---- the cache: a ring in order of arrival, and a map from place to ring position ---- */

struct chunks {
	struct tagmap *places;
	struct chunk **ring;
	size_t first, count, max_count;
	size_t bytes, max_bytes;
};

static void
place_tag(uint8_t tag[static TAG_BYTES], uint32_t day, uint32_t index, uint16_t mailbox)
{
	memset(tag, 0, TAG_BYTES);
	store_u32(tag, day);
	store_u32(tag + 4, index);
	store_u16(tag + 8, mailbox);
}

struct chunks *
chunks_new(const struct rng *rng, size_t max_bytes, size_t max_count)
{
	struct chunks *k = calloc(1, sizeof(*k));

	if (k == NULL)
		return NULL;
	k->max_bytes = max_bytes;
	k->max_count = max_count;
	k->places = tagmap_new(rng, max_count);
	k->ring = calloc(max_count, sizeof(struct chunk *));
	if (k->places == NULL || k->ring == NULL) {
		chunks_free(k);
		return NULL;
	}
	return k;
}

static void
drop_oldest(struct chunks *k)
{
	struct chunk *c = k->ring[k->first];
	uint8_t tag[TAG_BYTES];

	place_tag(tag, c->day, c->index, c->mailbox);
	(void)tagmap_remove(k->places, tag);
	k->ring[k->first] = NULL;
	k->first = (k->first + 1) % k->max_count;
	k->count--;
	k->bytes -= c->len;
	chunk_drop(c);
}

void
chunks_free(struct chunks *k)
{
	if (k == NULL)
		return;
	while (k->count > 0)
		drop_oldest(k);
	tagmap_free(k->places);
	free(k->ring);
	free(k);
}

struct chunk *
chunks_find(struct chunks *k, uint32_t day, uint32_t index, uint16_t mailbox)
{
	uint8_t tag[TAG_BYTES];
	uint64_t at;

	place_tag(tag, day, index, mailbox);
	return tagmap_find(k->places, &at, tag) ? chunk_hold(k->ring[at]) : NULL;
}

void
chunks_add(struct chunks *k, struct chunk *c)
{
	uint8_t tag[TAG_BYTES];
	bool fresh;
	size_t at;

	if (c->len > k->max_bytes)
		return;
	while (k->count == k->max_count || k->bytes + c->len > k->max_bytes)
		drop_oldest(k);
	at = (k->first + k->count) % k->max_count;
	place_tag(tag, c->day, c->index, c->mailbox);
	if (tagmap_insert(k->places, &fresh, tag, at) != ERR_OK || !fresh)
		return;
	k->ring[at] = chunk_hold(c);
	k->count++;
	k->bytes += c->len;
}

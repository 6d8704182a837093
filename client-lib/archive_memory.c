#include "config.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "client-lib/archive_store.h"

/* Items sorted by name. */
struct memory {
	struct archive_item *items;
	size_t count, room;
};

/* The place of a name, or where it would go. */
static bool
memory_find(const struct memory *m, size_t *at, const uint8_t *name)
{
	size_t lo = 0, hi = m->count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int order = memcmp(m->items[mid].name, name, ARCHIVE_NAME_BYTES); /* public */

		if (order == 0) {
			*at = mid;
			return true;
		}
		if (order < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	*at = lo;
	return false;
}

static void
memory_delete(struct memory *m, size_t at)
{
	free(m->items[at].value);
	m->count--;
	memmove(&m->items[at], &m->items[at + 1], (m->count - at) * sizeof(*m->items));
}

static void
memory_put(struct memory *m, const struct archive_item *item, uint8_t *value)
{
	size_t at;

	if (memory_find(m, &at, item->name)) {
		free(m->items[at].value);
	} else {
		memmove(&m->items[at + 1], &m->items[at], (m->count - at) * sizeof(*m->items));
		m->count++;
		m->items[at] = *item;
	}
	m->items[at].value = value;
	m->items[at].len = item->len;
}

static enum err
memory_reserve(struct memory *m, size_t more)
{
	size_t room = m->room * 2 > m->count + more ? m->room * 2 : m->count + more;
	struct archive_item *grown;

	if (m->count + more <= m->room)
		return ERR_OK;
	grown = realloc(m->items, room * sizeof(*grown));
	if (grown == NULL)
		return ERR_MEMORY;
	m->items = grown;
	m->room = room;
	return ERR_OK;
}

/* All copies are made before the first takes effect. */
static enum err
copy_values(uint8_t **copies, const struct archive_item *items, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (items[i].value == NULL)
			continue;
		copies[i] = malloc(items[i].len);
		if (copies[i] == NULL)
			return ERR_MEMORY;
		memcpy(copies[i], items[i].value, items[i].len);
	}
	return ERR_OK;
}

static enum err
memory_write(void *ctx, const struct archive_item *items, size_t n)
{
	struct memory *m = ctx;
	uint8_t **copies = calloc(n, sizeof(*copies));
	enum err e = copies != NULL ? memory_reserve(m, n) : ERR_MEMORY;
	size_t at;

	if (e == ERR_OK)
		e = copy_values(copies, items, n);
	for (size_t i = 0; i < n && copies != NULL; i++) {
		if (e != ERR_OK)
			free(copies[i]);
		else if (copies[i] != NULL)
			memory_put(m, &items[i], copies[i]);
		else if (memory_find(m, &at, items[i].name))
			memory_delete(m, at);
	}
	free(copies);
	return e;
}

static enum err
memory_read(void *ctx, struct buf *out, const uint8_t name[static ARCHIVE_NAME_BYTES], size_t max)
{
	const struct memory *m = ctx;
	size_t at;

	if (!memory_find(m, &at, name))
		return ERR_NOT_FOUND;
	if (m->items[at].len > max)
		return ERR_RANGE;
	return buf_append(out, m->items[at].value, m->items[at].len, SIZE_MAX);
}

static void
memory_free(void *ctx)
{
	struct memory *m = ctx;

	for (size_t i = 0; i < m->count; i++)
		free(m->items[i].value);
	free(m->items);
	free(m);
}

enum err
archive_store_memory(struct archive_store *out)
{
	struct memory *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return ERR_MEMORY;
	*out = (struct archive_store){ memory_write, memory_read, NULL, memory_free, m };
	return ERR_OK;
}

#include "config.h"

#include "common/journal/item.h"

#include <assert.h>
#include <stdlib.h>

#include "common/charter/sheet.h"
#include "common/journal/block.h"
#include "common/token/notice.h"

#define KEEP_BYTES (1u << 20) /* room that is kept from one item to the next */

struct item_assembler {
	item_each *each;
	void *arg;
	uint8_t header[ITEM_HEADER_BYTES];
	size_t header_len;
	enum item_kind kind; /* once the header is complete */
	size_t len;
	struct buf body;
	enum err err; /* sticky */
};

/* 0 for a kind that does not exist. */
static size_t
longest(uint8_t kind)
{
	switch ((enum item_kind)kind) {
	case ITEM_SHEET:
		return SHEET_SHOWN_MAX;
	case ITEM_BLOCK:
		return BLOCK_BYTES_MAX + BLOCK_SIGNATURE_BYTES;
	case ITEM_RECORDS:
		return ITEM_RECORDS_MAX;
	case ITEM_CHARTER:
		return CHARTER_BYTES_MAX;
	case ITEM_NOTICE:
		return NOTICE_BYTES_MAX;
	}
	return 0;
}

enum err
item_append(struct buf *out, enum item_kind kind, const void *p, size_t n, size_t max)
{
	uint8_t *space;
	struct writer w;
	enum err e;

	if (n > longest((uint8_t)kind))
		return ERR_RANGE;
	e = buf_reserve(out, ITEM_HEADER_BYTES + n, max, &space);
	if (e != ERR_OK)
		return e;
	writer_init(&w, space, ITEM_HEADER_BYTES + n);
	writer_u8(&w, (uint8_t)kind);
	writer_u32(&w, (uint32_t)n);
	writer_copy(&w, p, n);
	assert(writer_ok(&w));
	out->len += ITEM_HEADER_BYTES + n;
	return ERR_OK;
}

struct item_assembler *
item_assembler_new(item_each *each, void *arg)
{
	struct item_assembler *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	a->each = each;
	a->arg = arg;
	buf_init(&a->body);
	return a;
}

void
item_assembler_free(struct item_assembler *a)
{
	if (a == NULL)
		return;
	buf_release(&a->body);
	free(a);
}

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Take header bytes; the header is judged when it is whole. */
static enum err
take_header(struct item_assembler *a, const uint8_t **p, size_t *n)
{
	while (*n > 0 && a->header_len < ITEM_HEADER_BYTES) {
		a->header[a->header_len++] = *(*p)++;
		(*n)--;
	}
	if (a->header_len < ITEM_HEADER_BYTES)
		return ERR_OK;
	if (longest(a->header[0]) == 0)
		return ERR_MALFORMED;
	a->kind = (enum item_kind)a->header[0];
	a->len = load_u32(a->header + 1);
	return a->len > longest(a->header[0]) ? ERR_RANGE : ERR_OK;
}

/* Hand out the whole item and make ready for the next one. */
static enum err
deliver(struct item_assembler *a)
{
	static const uint8_t nothing[1];
	enum err e = a->each(a->arg, a->kind, a->len > 0 ? a->body.data : nothing, a->len);

	if (a->body.room > KEEP_BYTES)
		buf_release(&a->body);
	a->body.len = 0;
	a->header_len = 0;
	return e;
}

/* One step: a header or a part of a body. Memory grows with what has come. */
static enum err
take(struct item_assembler *a, const uint8_t **p, size_t *n)
{
	enum err e = ERR_OK;
	size_t part;

	if (a->header_len < ITEM_HEADER_BYTES)
		e = take_header(a, p, n);
	if (e != ERR_OK || a->header_len < ITEM_HEADER_BYTES)
		return e;
	part = least(*n, a->len - a->body.len);
	e = buf_append(&a->body, *p, part, a->len);
	if (e != ERR_OK)
		return e;
	*p += part;
	*n -= part;
	return a->body.len == a->len ? deliver(a) : ERR_OK;
}

enum err
item_feed(struct item_assembler *a, const uint8_t *p, size_t n)
{
	while (n > 0 && a->err == ERR_OK)
		a->err = take(a, &p, &n);
	return a->err;
}

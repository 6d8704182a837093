#include "config.h"

#include "common/base/bytes.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

uint16_t
load_u16(const uint8_t p[static 2])
{
	return (uint16_t)(p[0] | (unsigned)p[1] << 8);
}

uint32_t
load_u32(const uint8_t p[static 4])
{
	return (uint32_t)load_u16(p) | (uint32_t)load_u16(p + 2) << 16;
}

uint64_t
load_u64(const uint8_t p[static 8])
{
	return (uint64_t)load_u32(p) | (uint64_t)load_u32(p + 4) << 32;
}

void
store_u16(uint8_t p[static 2], uint16_t v)
{
	p[0] = (uint8_t)(v & 0xff);
	p[1] = (uint8_t)(v >> 8);
}

void
store_u32(uint8_t p[static 4], uint32_t v)
{
	store_u16(p, (uint16_t)(v & 0xffff));
	store_u16(p + 2, (uint16_t)(v >> 16));
}

void
store_u64(uint8_t p[static 8], uint64_t v)
{
	store_u32(p, (uint32_t)(v & 0xffffffff));
	store_u32(p + 4, (uint32_t)(v >> 32));
}

void
reader_init(struct reader *r, const void *p, size_t len)
{
	r->at = p;
	r->left = len;
	r->err = ERR_OK;
}

void
reader_fail(struct reader *r, enum err e)
{
	if (r->err == ERR_OK)
		r->err = e;
}

const uint8_t *
reader_view(struct reader *r, size_t n)
{
	/* an empty view of an empty input must still be told from a failure */
	static const uint8_t nothing[1];
	const uint8_t *p = r->at;

	if (r->err != ERR_OK)
		return NULL;
	if (n > r->left) {
		r->err = ERR_TRUNCATED;
		return NULL;
	}
	if (n == 0)
		return p != NULL ? p : nothing;
	r->at += n;
	r->left -= n;
	return p;
}

uint8_t
reader_u8(struct reader *r)
{
	const uint8_t *p = reader_view(r, 1);

	return p != NULL ? *p : 0;
}

uint16_t
reader_u16(struct reader *r)
{
	const uint8_t *p = reader_view(r, 2);

	return p != NULL ? load_u16(p) : 0;
}

uint32_t
reader_u32(struct reader *r)
{
	const uint8_t *p = reader_view(r, 4);

	return p != NULL ? load_u32(p) : 0;
}

uint64_t
reader_u64(struct reader *r)
{
	const uint8_t *p = reader_view(r, 8);

	return p != NULL ? load_u64(p) : 0;
}

void
reader_copy(struct reader *r, void *out, size_t n)
{
	const uint8_t *p = reader_view(r, n);

	if (n == 0)
		return;
	if (p != NULL)
		memcpy(out, p, n);
	else
		memset(out, 0, n);
}

void
reader_zeros(struct reader *r, size_t n)
{
	const uint8_t *p = reader_view(r, n);

	if (p != NULL && n > 0 && !sodium_is_zero(p, n))
		r->err = ERR_MALFORMED;
}

bool
reader_ok(const struct reader *r)
{
	return r->err == ERR_OK;
}

enum err
reader_end(const struct reader *r)
{
	if (r->err != ERR_OK)
		return r->err;
	return r->left == 0 ? ERR_OK : ERR_TRAILING;
}

void
writer_init(struct writer *w, void *p, size_t size)
{
	w->base = p;
	w->used = 0;
	w->size = size;
	w->err = ERR_OK;
}

uint8_t *
writer_space(struct writer *w, size_t n)
{
	static uint8_t nothing[1];
	uint8_t *p;

	if (w->err != ERR_OK)
		return NULL;
	if (n > w->size - w->used) {
		w->err = ERR_FULL;
		return NULL;
	}
	if (w->base == NULL) /* then size and n are 0 */
		return nothing;
	p = w->base + w->used;
	w->used += n;
	return p;
}

void
writer_u8(struct writer *w, uint8_t v)
{
	uint8_t *p = writer_space(w, 1);

	if (p != NULL)
		*p = v;
}

void
writer_u16(struct writer *w, uint16_t v)
{
	uint8_t *p = writer_space(w, 2);

	if (p != NULL)
		store_u16(p, v);
}

void
writer_u32(struct writer *w, uint32_t v)
{
	uint8_t *p = writer_space(w, 4);

	if (p != NULL)
		store_u32(p, v);
}

void
writer_u64(struct writer *w, uint64_t v)
{
	uint8_t *p = writer_space(w, 8);

	if (p != NULL)
		store_u64(p, v);
}

void
writer_copy(struct writer *w, const void *p, size_t n)
{
	uint8_t *to = writer_space(w, n);

	if (to != NULL && n > 0)
		memcpy(to, p, n);
}

void
writer_zeros(struct writer *w, size_t n)
{
	uint8_t *to = writer_space(w, n);

	if (to != NULL && n > 0)
		memset(to, 0, n);
}

void
writer_pad(struct writer *w)
{
	writer_zeros(w, w->size - w->used);
}

bool
writer_ok(const struct writer *w)
{
	return w->err == ERR_OK;
}

enum err
writer_end(const struct writer *w)
{
	return w->err;
}

void
buf_init(struct buf *b)
{
	b->data = NULL;
	b->len = 0;
	b->room = 0;
}

/* Not realloc: it could leave a copy of the old bytes behind. */
static enum err
buf_grow(struct buf *b, size_t room)
{
	uint8_t *data = malloc(room);

	if (data == NULL)
		return ERR_MEMORY;
	if (b->len > 0)
		memcpy(data, b->data, b->len);
	if (b->data != NULL)
		sodium_memzero(b->data, b->room);
	free(b->data);
	b->data = data;
	b->room = room;
	return ERR_OK;
}

enum err
buf_reserve(struct buf *b, size_t n, size_t max, uint8_t **out)
{
	size_t need, room;
	enum err e;

	if (b->len > max || n > max - b->len)
		return ERR_FULL;
	need = b->len + n;
	if (need > b->room || b->data == NULL) {
		room = b->room < max / 2 ? 2 * b->room : max;
		if (room < need)
			room = need;
		if (room < 64)
			room = 64;
		e = buf_grow(b, room);
		if (e != ERR_OK)
			return e;
	}
	*out = b->data + b->len;
	return ERR_OK;
}

enum err
buf_append(struct buf *b, const void *p, size_t n, size_t max)
{
	uint8_t *to;
	enum err e = buf_reserve(b, n, max, &to);

	if (e != ERR_OK)
		return e;
	if (n > 0)
		memcpy(to, p, n);
	b->len += n;
	return ERR_OK;
}

void
buf_consume(struct buf *b, size_t n)
{
	if (n >= b->len) {
		b->len = 0;
		return;
	}
	memmove(b->data, b->data + n, b->len - n);
	b->len -= n;
}

void
buf_release(struct buf *b)
{
	if (b->data != NULL)
		sodium_memzero(b->data, b->room);
	free(b->data);
	buf_init(b);
}

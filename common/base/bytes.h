/*
 * Bounded readers and writers with a sticky error, little-endian.
 *
 * After the first short read (or write) every later call does nothing and
 * yields zeros, so that a parser reads straight through and tests once, with
 * reader_end(), that everything was there and nothing was left over.
 */
#ifndef COMMON_BASE_BYTES_H
#define COMMON_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

struct reader {
	const uint8_t *at;
	size_t left;
	enum err err; /* the first failure, sticky */
};

/* Start reading len bytes at p, which must outlive the reader. */
void reader_init(struct reader *r, const void *p, size_t len);
uint8_t reader_u8(struct reader *r);
uint16_t reader_u16(struct reader *r);
uint32_t reader_u32(struct reader *r);
uint64_t reader_u64(struct reader *r);
/* Copy n bytes to out; on failure out is all zero. */
void reader_copy(struct reader *r, void *out, size_t n);
/* A view of the next n bytes, or NULL on failure. */
const uint8_t *reader_view(struct reader *r, size_t n);
/* Demand that the next n bytes are zero (ERR_MALFORMED otherwise). */
void reader_zeros(struct reader *r, size_t n);
/* Mark the input as bad for a reason of the caller's. Keeps an earlier error. */
void reader_fail(struct reader *r, enum err e);
bool reader_ok(const struct reader *r);
/* The sticky error, or ERR_TRAILING if bytes are left, or ERR_OK. */
RST_MUST_USE enum err reader_end(const struct reader *r);

struct writer {
	uint8_t *base;
	size_t used, size;
	enum err err; /* ERR_FULL once something did not fit, sticky */
};

/* Write into the caller's size bytes at p. */
void writer_init(struct writer *w, void *p, size_t size);
void writer_u8(struct writer *w, uint8_t v);
void writer_u16(struct writer *w, uint16_t v);
void writer_u32(struct writer *w, uint32_t v);
void writer_u64(struct writer *w, uint64_t v);
void writer_copy(struct writer *w, const void *p, size_t n);
void writer_zeros(struct writer *w, size_t n);
/* Zeros up to the end of the buffer. */
void writer_pad(struct writer *w);
/* Reserve n bytes and return them to be filled, or NULL on failure. */
uint8_t *writer_space(struct writer *w, size_t n);
bool writer_ok(const struct writer *w);
/* The sticky error or ERR_OK. */
RST_MUST_USE enum err writer_end(const struct writer *w);

uint16_t load_u16(const uint8_t p[static 2]);
uint32_t load_u32(const uint8_t p[static 4]);
uint64_t load_u64(const uint8_t p[static 8]);
void store_u16(uint8_t p[static 2], uint16_t v);
void store_u32(uint8_t p[static 4], uint32_t v);
void store_u64(uint8_t p[static 8], uint64_t v);

/*
 * A growing byte string on the heap with an upper bound, for blocks, files and
 * output buffers. buf_release() wipes what it held.
 */
struct buf {
	uint8_t *data;
	size_t len, room;
};

void buf_init(struct buf *b);
/* Append n bytes; ERR_FULL if the length would pass max, ERR_MEMORY. */
RST_MUST_USE enum err buf_append(struct buf *b, const void *p, size_t n,
    size_t max);
/* Make room for n more bytes and return them (the length is not changed). */
RST_MUST_USE enum err buf_reserve(struct buf *b, size_t n, size_t max,
    uint8_t **out);
/* Drop n bytes from the front. */
void buf_consume(struct buf *b, size_t n);
void buf_release(struct buf *b);

#endif

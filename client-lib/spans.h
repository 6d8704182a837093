/*
 * Which times of the journal were read, verified and given to the post. Pure.
 *
 * A span is a stretch of time of which every block is known, with the link to
 * what comes before its first block and the hash of its last one: two spans
 * that meet must fit together, or blocks were withheld in between.
 */
#ifndef CLIENT_LIB_SPANS_H
#define CLIENT_LIB_SPANS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/bytes.h"
#include "common/base/err.h"

#define SPANS_MAX 64

/* Blocks whose rounds start in [from_ms, to_ms). */
struct span {
	int64_t from_ms, to_ms;
	bool blocks;	    /* false: there are none in it, and the rest is unused */
	int64_t first_ms, last_ms; /* starts of the rounds of the first and last block */
	uint8_t before[32]; /* the hash that the first block follows */
	uint8_t last[32];   /* the hash of the last block */
};

struct spans {
	size_t count;
	struct span at[SPANS_MAX]; /* by time; none touches the next */
};

/*
 * Add what was read. ERR_CHAIN: it does not follow what is known before it, or is
 * not followed by what is known after it; then both are only held to cover up to
 * their own blocks, and what is between them is missing again.
 */
RST_MUST_USE enum err spans_add(struct spans *s, const struct span *x);
/* Whether all of [from_ms, to_ms) is known; an empty stretch is. */
bool spans_cover(const struct spans *s, int64_t from_ms, int64_t to_ms);
/* Forget what ended before. */
void spans_forget(struct spans *s, int64_t before_ms);

void spans_put(struct writer *w, const struct spans *s);
/* Strict; the reader fails with ERR_MALFORMED otherwise. */
void spans_get(struct reader *r, struct spans *s);
#define SPANS_BYTES (2 + SPANS_MAX * (8 + 8 + 1 + 8 + 8 + 32 + 32))

#endif

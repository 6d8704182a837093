/*
 * A heap of numbered things by time: which of n comes next. Each thing 0..n-1 is in
 * it at most once; equal times come out in the order of their numbers, so that a
 * run repeats. Pure.
 */
#ifndef EVALUATION_TIMEHEAP_H
#define EVALUATION_TIMEHEAP_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

#define TIMEHEAP_NEVER INT64_MAX

struct timeheap {
	uint32_t *heap;	 /* numbers */
	uint32_t *place; /* of a number in heap */
	int64_t *at;	 /* by number */
	uint32_t count;
};

/* n things, all of them at TIMEHEAP_NEVER. ERR_MEMORY. */
RST_MUST_USE enum err timeheap_init(struct timeheap *h, uint32_t n);
void timeheap_release(struct timeheap *h);
void timeheap_set(struct timeheap *h, uint32_t number, int64_t at);
/* The next one and its time; TIMEHEAP_NEVER if there is none. */
static inline int64_t
timeheap_next(const struct timeheap *h, uint32_t *number)
{
	if (h->count == 0)
		return TIMEHEAP_NEVER;
	*number = h->heap[0];
	return h->at[h->heap[0]];
}

#endif

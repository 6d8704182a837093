#include "config.h"

#include "evaluation/timeheap.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define WAYS 4 /* a flat heap has fewer cache misses */

enum err
timeheap_init(struct timeheap *h, uint32_t n)
{
	size_t room = n > 0 ? n : 1;

	memset(h, 0, sizeof(*h));
	h->heap = calloc(room, sizeof(h->heap[0]));
	h->place = calloc(room, sizeof(h->place[0]));
	h->at = calloc(room, sizeof(h->at[0]));
	if (h->heap == NULL || h->place == NULL || h->at == NULL) {
		timeheap_release(h);
		return ERR_MEMORY;
	}
	h->count = n;
	for (uint32_t i = 0; i < n; i++) {
		h->heap[i] = h->place[i] = i;
		h->at[i] = TIMEHEAP_NEVER;
	}
	return ERR_OK;
}

void
timeheap_release(struct timeheap *h)
{
	free(h->heap);
	free(h->place);
	free(h->at);
	memset(h, 0, sizeof(*h));
}

static bool
before(const struct timeheap *h, uint32_t a, uint32_t b)
{
	return h->at[a] < h->at[b] || (h->at[a] == h->at[b] && a < b);
}

static void
put(struct timeheap *h, uint32_t place, uint32_t number)
{
	h->heap[place] = number;
	h->place[number] = place;
}

static void
sift_up(struct timeheap *h, uint32_t number)
{
	uint32_t i = h->place[number];

	while (i > 0 && before(h, number, h->heap[(i - 1) / WAYS])) {
		put(h, i, h->heap[(i - 1) / WAYS]);
		i = (i - 1) / WAYS;
	}
	put(h, i, number);
}

static uint32_t
least_child(const struct timeheap *h, uint32_t i)
{
	uint32_t first = i * WAYS + 1, least = first;

	for (uint32_t c = first + 1; c < first + WAYS && c < h->count; c++)
		if (before(h, h->heap[c], h->heap[least]))
			least = c;
	return least;
}

static void
sift_down(struct timeheap *h, uint32_t number)
{
	uint32_t i = h->place[number];

	while (i * WAYS + 1 < h->count) {
		uint32_t c = least_child(h, i);

		if (!before(h, h->heap[c], number))
			break;
		put(h, i, h->heap[c]);
		i = c;
	}
	put(h, i, number);
}

void
timeheap_set(struct timeheap *h, uint32_t number, int64_t at)
{
	int64_t old = h->at[number];

	h->at[number] = at;
	if (at < old)
		sift_up(h, number);
	else if (at > old)
		sift_down(h, number);
}

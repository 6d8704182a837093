#include "config.h"

#include "common/net/timerheap.h"

#include <assert.h>
#include <stdlib.h>

void
timerheap_init(struct timerheap *h)
{
	*h = (struct timerheap){0};
}

void
timerheap_release(struct timerheap *h)
{
	assert(h->timers == 0);
	free(h->heap);
	timerheap_init(h);
}

enum err
timerheap_join(struct timerheap *h)
{
	if (h->timers == h->room) {
		size_t room = h->room > 0 ? h->room * 2 : 16;
		struct timer **heap = reallocarray(h->heap, room, sizeof(*heap));

		if (heap == NULL)
			return ERR_MEMORY;
		h->heap = heap;
		h->room = room;
	}
	h->timers++;
	return ERR_OK;
}

void
timerheap_leave(struct timerheap *h)
{
	assert(h->timers > h->count);
	h->timers--;
}

static bool
before(const struct timer *a, const struct timer *b)
{
	return a->due_ms < b->due_ms || (a->due_ms == b->due_ms && a->order < b->order);
}

static void
put(struct timerheap *h, struct timer *t, size_t at)
{
	h->heap[at] = t;
	t->at = at;
}

/* Move t from the place `at` towards the top as far as it belongs. */
static size_t
rise(struct timerheap *h, struct timer *t, size_t at)
{
	while (at > 0) {
		size_t parent = (at - 1) / 2;

		if (!before(t, h->heap[parent]))
			break;
		put(h, h->heap[parent], at);
		at = parent;
	}
	return at;
}

/* The same towards the bottom. */
static size_t
sink(struct timerheap *h, struct timer *t, size_t at)
{
	for (;;) {
		size_t child = 2 * at + 1;

		if (child >= h->count)
			return at;
		if (child + 1 < h->count && before(h->heap[child + 1], h->heap[child]))
			child++;
		if (!before(h->heap[child], t))
			return at;
		put(h, h->heap[child], at);
		at = child;
	}
}

bool
timerheap_arm(struct timerheap *h, struct timer *t, int64_t due_ms)
{
	bool was_first = timerheap_disarm(h, t);

	assert(h->count < h->timers);
	t->due_ms = due_ms;
	t->order = h->next_order++;
	h->count++;
	put(h, t, rise(h, t, h->count - 1));
	return was_first || t->at == 0;
}

bool
timerheap_disarm(struct timerheap *h, struct timer *t)
{
	size_t at = t->at;
	struct timer *last;

	if (at == TIMERHEAP_NONE)
		return false;
	assert(at < h->count && h->heap[at] == t);
	h->count--;
	last = h->heap[h->count];
	if (last != t) {
		size_t up = rise(h, last, at);

		put(h, last, up != at ? up : sink(h, last, at));
	}
	t->at = TIMERHEAP_NONE;
	return at == 0;
}

bool
timerheap_next(const struct timerheap *h, int64_t *due_ms)
{
	if (h->count == 0)
		return false;
	*due_ms = h->heap[0]->due_ms;
	return true;
}

struct timer *
timerheap_pop(struct timerheap *h, int64_t now_ms, uint64_t order)
{
	struct timer *t = h->count > 0 ? h->heap[0] : NULL;

	if (t == NULL || t->due_ms > now_ms || t->order >= order)
		return NULL;
	timerheap_disarm(h, t);
	return t;
}

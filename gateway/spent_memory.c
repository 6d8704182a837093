#include "config.h"

#include "gateway/spent_memory.h"

#include <stdlib.h>
#include <string.h>

struct shelf {
	uint32_t epoch;
	struct spent_mark *marks; /* in the order of their marks */
	size_t count, room;
};

struct memory_spent {
	struct shelf shelves[SPENT_EPOCHS_MAX];
	size_t count;
};

struct memory_spent *
memory_spent_new(void)
{
	return calloc(1, sizeof(struct memory_spent));
}

void
memory_spent_free(struct memory_spent *m)
{
	if (m == NULL)
		return;
	for (size_t i = 0; i < m->count; i++)
		free(m->shelves[i].marks);
	free(m);
}

static struct shelf *
find_shelf(const struct memory_spent *m, uint32_t epoch)
{
	for (size_t i = 0; i < m->count; i++)
		if (m->shelves[i].epoch == epoch)
			return (struct shelf *)(uintptr_t)&m->shelves[i];
	return NULL;
}

size_t
memory_spent_count(const struct memory_spent *m, uint32_t epoch)
{
	const struct shelf *f = find_shelf(m, epoch);

	return f != NULL ? f->count : 0;
}

static struct shelf *
use_shelf(struct memory_spent *m, uint32_t epoch)
{
	struct shelf *f = find_shelf(m, epoch);

	if (f == NULL && m->count < SPENT_EPOCHS_MAX) {
		f = &m->shelves[m->count++];
		*f = (struct shelf){ .epoch = epoch };
	}
	return f;
}

/* Room for n more, before anything is changed. */
static enum err
reserve(struct shelf *f, size_t n)
{
	size_t room = f->room > 0 ? f->room : 64;
	struct spent_mark *marks;

	while (room < f->count + n)
		room *= 2;
	if (room == f->room)
		return ERR_OK;
	marks = realloc(f->marks, room * sizeof(*marks));
	if (marks == NULL)
		return ERR_MEMORY;
	f->marks = marks;
	f->room = room;
	return ERR_OK;
}

static void
insert_one(struct shelf *f, struct spent_mark *m)
{
	size_t low = 0, high = f->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = memcmp(f->marks[middle].mark, m->mark, SPENT_MARK_BYTES); /* public */

		if (order == 0) {
			m->fresh = memcmp(f->marks[middle].claim, m->claim,
			    SPENT_CLAIM_BYTES) == 0; /* public */
			return;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	memmove(&f->marks[low + 1], &f->marks[low], (f->count - low) * sizeof(f->marks[0]));
	m->fresh = true;
	f->marks[low] = *m;
	f->count++;
}

static enum err
memory_insert(void *ctx, uint32_t epoch, struct spent_mark *const *marks, size_t n)
{
	struct shelf *f = use_shelf(ctx, epoch);
	enum err e = f != NULL ? reserve(f, n) : ERR_FULL;

	for (size_t i = 0; i < n && e == ERR_OK; i++)
		insert_one(f, marks[i]);
	return e;
}

static enum err
memory_drop(void *ctx, uint32_t epoch)
{
	struct memory_spent *m = ctx;
	struct shelf *f = find_shelf(m, epoch);

	if (f == NULL)
		return ERR_OK;
	free(f->marks);
	*f = m->shelves[--m->count];
	return ERR_OK;
}

static void
memory_free(void *ctx)
{
	(void)ctx;
}

enum err
spent_memory_new(struct spent **out, struct loop *l, struct memory_spent *m)
{
	static const struct spent_ops ops = { memory_insert, memory_drop, memory_free };
	uint32_t epochs[SPENT_EPOCHS_MAX];

	for (size_t i = 0; i < m->count; i++)
		epochs[i] = m->shelves[i].epoch;
	return spent_new(out, l, &ops, m, epochs, m->count);
}

#include "config.h"

#include "client-lib/spans.h"

#include <string.h>

/*
 * Whether two spans that touch agree: if all blocks of one are before the other's,
 * then there is none in between, and they must be linked.
 */
static bool
fits(const struct span *a, const struct span *b)
{
	if (!a->blocks || !b->blocks)
		return true;
	if (a->last_ms < b->first_ms)
		return memcmp(a->last, b->before, sizeof(a->last)) == 0; /* public */
	if (b->last_ms < a->first_ms)
		return memcmp(b->last, a->before, sizeof(b->last)) == 0; /* public */
	return true;
}

/* u becomes the union of two spans that touch. */
static void
join(struct span *u, const struct span *x)
{
	if (x->from_ms < u->from_ms)
		u->from_ms = x->from_ms;
	if (x->to_ms > u->to_ms)
		u->to_ms = x->to_ms;
	if (!x->blocks)
		return;
	if (!u->blocks || x->first_ms < u->first_ms) {
		u->first_ms = x->first_ms;
		memcpy(u->before, x->before, sizeof(u->before));
	}
	if (!u->blocks || x->last_ms > u->last_ms) {
		u->last_ms = x->last_ms;
		memcpy(u->last, x->last, sizeof(u->last));
	}
	u->blocks = true;
}

/* Take back what a span claims beyond its own blocks, on the side of another one. */
static void
part(struct span *a, struct span *b)
{
	struct span *first = a->last_ms < b->first_ms ? a : b;
	struct span *second = first == a ? b : a;

	first->to_ms = first->last_ms + 1;
	second->from_ms = second->first_ms;
}

static void
remove_at(struct spans *s, size_t i)
{
	memmove(&s->at[i], &s->at[i + 1], (--s->count - i) * sizeof(s->at[0]));
}

static void
insert(struct spans *s, const struct span *x)
{
	size_t i = 0;

	while (i < s->count && s->at[i].from_ms < x->from_ms)
		i++;
	if (s->count == SPANS_MAX) {
		/* the oldest is forgotten: it will be read again, or expire */
		if (i == 0)
			return;
		remove_at(s, 0);
		i--;
	}
	memmove(&s->at[i + 1], &s->at[i], (s->count++ - i) * sizeof(s->at[0]));
	s->at[i] = *x;
}

static bool
touch(const struct span *a, const struct span *b)
{
	return a->from_ms <= b->to_ms && b->from_ms <= a->to_ms;
}

enum err
spans_add(struct spans *s, const struct span *x)
{
	struct span u = *x;
	enum err e = ERR_OK;

	if (x->from_ms >= x->to_ms)
		return ERR_OK;
	for (size_t i = 0; i < s->count;) {
		if (!touch(&s->at[i], &u)) {
			i++;
		} else if (fits(&s->at[i], &u)) {
			join(&u, &s->at[i]);
			remove_at(s, i);
		} else {
			part(&s->at[i++], &u);
			e = ERR_CHAIN;
		}
	}
	insert(s, &u);
	return e;
}

bool
spans_cover(const struct spans *s, int64_t from_ms, int64_t to_ms)
{
	if (from_ms >= to_ms)
		return true;
	for (size_t i = 0; i < s->count; i++)
		if (s->at[i].from_ms <= from_ms && s->at[i].to_ms >= to_ms)
			return true;
	return false;
}

void
spans_forget(struct spans *s, int64_t before_ms)
{
	size_t n = 0;

	while (n < s->count && s->at[n].to_ms <= before_ms)
		n++;
	s->count -= n;
	memmove(&s->at[0], &s->at[n], s->count * sizeof(s->at[0]));
}

void
spans_put(struct writer *w, const struct spans *s)
{
	writer_u16(w, (uint16_t)s->count);
	for (size_t i = 0; i < s->count; i++) {
		const struct span *x = &s->at[i];
		writer_u64(w, (uint64_t)x->from_ms);
		writer_u64(w, (uint64_t)x->to_ms);
		writer_u8(w, x->blocks);
		writer_u64(w, (uint64_t)x->first_ms);
		writer_u64(w, (uint64_t)x->last_ms);
		writer_copy(w, x->before, sizeof(x->before));
		writer_copy(w, x->last, sizeof(x->last));
	}
}

void
spans_get(struct reader *r, struct spans *s)
{
	size_t count = reader_u16(r);
	int64_t end_ms = INT64_MIN;

	memset(s, 0, sizeof(*s));
	if (count > SPANS_MAX)
		reader_fail(r, ERR_MALFORMED);
	for (size_t i = 0; i < count && reader_ok(r); i++) {
		struct span *x = &s->at[i];
		x->from_ms = (int64_t)reader_u64(r);
		x->to_ms = (int64_t)reader_u64(r);
		x->blocks = reader_u8(r) != 0;
		x->first_ms = (int64_t)reader_u64(r);
		x->last_ms = (int64_t)reader_u64(r);
		reader_copy(r, x->before, sizeof(x->before));
		reader_copy(r, x->last, sizeof(x->last));
		if (x->from_ms <= end_ms || x->to_ms <= x->from_ms)
			reader_fail(r, ERR_MALFORMED);
		end_ms = x->to_ms;
	}
	if (reader_ok(r))
		s->count = count;
}

#include "config.h"

#include "client-lib/spans.h"

#include <string.h>

/* Whether b, the later one, follows a as far as both have blocks. */
static bool
fits(const struct span *a, const struct span *b)
{
	if (!a->blocks || !b->blocks || b->first_ms < a->to_ms)
		return true;
	return memcmp(a->last, b->before, sizeof(a->last)) == 0; /* public */
}

/* The union of two spans that touch; a begins first. */
static struct span
join(const struct span *a, const struct span *b)
{
	struct span u = *a;

	if (!a->blocks && b->blocks) {
		u = *b;
		u.from_ms = a->from_ms;
	}
	if (b->to_ms > a->to_ms) {
		u.to_ms = b->to_ms;
		if (b->blocks)
			memcpy(u.last, b->last, sizeof(u.last));
	} else {
		u.to_ms = a->to_ms;
	}
	return u;
}

/* Spans [*lo, *hi) touch x. */
static void
touching(const struct spans *s, const struct span *x, size_t *lo, size_t *hi)
{
	*lo = 0;
	while (*lo < s->count && s->at[*lo].to_ms < x->from_ms)
		++*lo;
	*hi = *lo;
	while (*hi < s->count && s->at[*hi].from_ms <= x->to_ms)
		++*hi;
}

static enum err
merge(struct span *u, const struct spans *s, size_t lo, size_t hi)
{
	for (size_t i = lo; i < hi; i++) {
		const struct span *o = &s->at[i];
		bool first = o->from_ms <= u->from_ms;
		const struct span *a = first ? o : u, *b = first ? u : o;

		if (!fits(a, b))
			return ERR_CHAIN;
		*u = join(a, b);
	}
	return ERR_OK;
}

enum err
spans_add(struct spans *s, const struct span *x)
{
	struct span u = *x;
	size_t lo, hi;
	enum err e;

	if (x->from_ms >= x->to_ms)
		return ERR_OK;
	touching(s, x, &lo, &hi);
	e = merge(&u, s, lo, hi);
	if (e != ERR_OK)
		return e;
	if (lo == hi && s->count == SPANS_MAX) {
		/* the oldest is forgotten: it will be read again, or expire */
		if (lo == 0)
			return ERR_OK;
		memmove(&s->at[0], &s->at[1], --s->count * sizeof(s->at[0]));
		lo = --hi;
	}
	memmove(&s->at[lo + 1], &s->at[hi], (s->count - hi) * sizeof(s->at[0]));
	s->count = s->count - (hi - lo) + 1;
	s->at[lo] = u;
	return ERR_OK;
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
		reader_copy(r, x->before, sizeof(x->before));
		reader_copy(r, x->last, sizeof(x->last));
		if (x->from_ms <= end_ms || x->to_ms <= x->from_ms)
			reader_fail(r, ERR_MALFORMED);
		end_ms = x->to_ms;
	}
	if (reader_ok(r))
		s->count = count;
}

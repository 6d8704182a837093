#include "config.h"

#include "tests/scenario/seen.h"

#include <stdlib.h>

#include "tests/lib/test.h"

static size_t
find_place(const struct seen *s, uint64_t digest)
{
	size_t i = (size_t)(digest % s->size);

	while (s->counts[i] > 0 && s->digests[i] != digest)
		i = (i + 1) % s->size;
	return i;
}

static void
grow(struct seen *s)
{
	struct seen bigger = {.size = s->size > 0 ? s->size * 2 : 1024, .used = s->used};

	bigger.digests = calloc(bigger.size, sizeof(*bigger.digests));
	bigger.counts = calloc(bigger.size, sizeof(*bigger.counts));
	assert_non_null(bigger.digests);
	assert_non_null(bigger.counts);
	for (size_t i = 0; i < s->size; i++) {
		if (s->counts[i] > 0) {
			size_t place = find_place(&bigger, s->digests[i]);

			bigger.digests[place] = s->digests[i];
			bigger.counts[place] = s->counts[i];
		}
	}
	free(s->digests);
	free(s->counts);
	*s = bigger;
}

unsigned
seen_add(struct seen *s, uint64_t digest)
{
	size_t place;

	if (s->used * 2 >= s->size)
		grow(s);
	place = find_place(s, digest);
	s->used += s->counts[place] == 0;
	s->digests[place] = digest;
	return ++s->counts[place];
}

unsigned
seen_count(const struct seen *s, uint64_t digest)
{
	return s->size > 0 ? s->counts[find_place(s, digest)] : 0;
}

void
seen_release(struct seen *s)
{
	free(s->digests);
	free(s->counts);
	*s = (struct seen){0};
}

#include "config.h"

#include "evaluation/stream.h"

#include <string.h>

static void
fill(void *ctx, void *out, size_t n)
{
	struct stream *s = ctx;
	uint8_t *p = out;

	while (n > 0) {
		size_t some = sizeof(s->bytes) - s->used;

		if (some > n)
			some = n;
		memcpy(p, s->bytes + s->used, some);
		s->used += some;
		p += some;
		n -= some;
		if (n > 0) {
			rng_bytes(&s->seeded.rng, s->bytes, sizeof(s->bytes));
			s->used = 0;
		}
	}
}

/* Seeds that belong together without being near each other (splitmix64). */
static uint64_t
seed_of(uint64_t seed, uint64_t number)
{
	uint64_t z = seed + (number + 1) * UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

void
stream_init(struct stream *s, uint64_t seed, uint64_t number)
{
	rng_seeded_init(&s->seeded, seed_of(seed, number));
	s->used = sizeof(s->bytes);
	s->rng = (struct rng){ fill, s };
}

#include "config.h"

#include "evaluation/stream.h"

#include "evaluation/draws.h"
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

void
stream_init(struct stream *s, uint64_t seed, uint64_t number)
{
	/* seeds that belong together without being near each other */
	rng_seeded_init(&s->seeded, draws_scramble(seed + (number + 1) * DRAWS_STEP));
	s->used = sizeof(s->bytes);
	s->rng = (struct rng){ fill, s };
}

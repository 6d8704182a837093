/*
 * Streams of randomness that a run draws from, many for one seed: what one part of
 * the simulation draws changes nothing of the others' draws.
 */
#ifndef EVALUATION_STREAM_H
#define EVALUATION_STREAM_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/rng.h"

#define STREAM_BYTES 1024

/* Makes its bytes in larger pieces, for speed. */
struct stream {
	struct rng rng; /* pass &s->rng; points into this struct */
	struct rng_seeded seeded;
	size_t used;
	uint8_t bytes[STREAM_BYTES];
};

/* Stream `number` of a run with this seed. */
void stream_init(struct stream *s, uint64_t seed, uint64_t number);

#endif

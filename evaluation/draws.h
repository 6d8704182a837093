/*
 * Random numbers that depend on a seed, a person and a purpose alone (splitmix64; Steele,
 * Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014): no draw
 * shifts another one's, and any of them can be made without those before it. For
 * simulations only.
 */
#ifndef EVALUATION_DRAWS_H
#define EVALUATION_DRAWS_H

#include <stddef.h>
#include <stdint.h>

/* What is drawn for each person apart. */
enum draws_purpose {
	DRAWS_WRITING,	/* when messages are written, and to whom */
	DRAWS_BEING,	/* turns online and offline */
	DRAWS_OFFICE,	/* the person's own office hours */
	DRAWS_CONTACTS,
	DRAWS_PHASES,	/* of slots, an hour each */
	DRAWS_SLOTS,	/* what a slot carries, and by which way */
};

/* A counter under a key. */
struct draws {
	uint64_t key, counter;
};

#define DRAWS_STEP UINT64_C(0x9e3779b97f4a7c15)

static inline uint64_t
draws_scramble(uint64_t z)
{
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static inline struct draws
draws_of(uint64_t seed, uint32_t person, enum draws_purpose purpose)
{
	uint64_t key = draws_scramble(draws_scramble(seed) + (uint64_t)purpose);

	return (struct draws){ draws_scramble(key + person), 0 };
}

/* Those that belong to a number, a time say, under the same key. */
static inline struct draws
draws_at(uint64_t key, uint64_t number)
{
	return (struct draws){ draws_scramble(key + number * DRAWS_STEP), 0 };
}

static inline uint64_t
draws_next(struct draws *d)
{
	return draws_scramble(d->key + ++d->counter * DRAWS_STEP);
}

/* In [0, 1) with 53 bits. */
static inline double
draws_unit(struct draws *d)
{
	return (double)(draws_next(d) >> 11) * 0x1p-53;
}

/* Unbiased in [0, bound); bound > 0 (Lemire, ACM TOMACS 29(1), 2019). */
static inline uint32_t
draws_below(struct draws *d, uint32_t bound)
{
	uint64_t product = (draws_next(d) >> 32) * bound;

	if ((uint32_t)product < bound) {
		uint32_t least = -bound % bound;

		while ((uint32_t)product < least)
			product = (draws_next(d) >> 32) * bound;
	}
	return (uint32_t)(product >> 32);
}

/* As the fill of a struct rng with such draws for its ctx. */
void draws_fill(void *ctx, void *out, size_t n);

#endif

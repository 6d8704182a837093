/*
 * The random source: one interface, replaceable. Only rng.c calls randombytes.
 */
#ifndef COMMON_BASE_RNG_H
#define COMMON_BASE_RNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rng {
	void (*fill)(void *ctx, void *out, size_t n); /* never fails */
	void *ctx;
};

/* The operating system's generator through libsodium. Thread safe. */
const struct rng *rng_system(void);

/* A deterministic source for simulations and tests: ChaCha20 under a seed. */
struct rng_seeded {
	struct rng rng; /* pass &s->rng; points into this struct */
	uint8_t key[32];
	uint64_t counter;
};
void rng_seeded_init(struct rng_seeded *s, uint64_t seed);

void rng_bytes(const struct rng *r, void *out, size_t n);
uint64_t rng_u64(const struct rng *r);
/* Unbiased in [0, bound); bound > 0. */
uint32_t rng_below(const struct rng *r, uint32_t bound);
/* Unbiased in [lo, hi], both inclusive; lo <= hi. For durations. */
int64_t rng_between(const struct rng *r, int64_t lo, int64_t hi);
/* Uniform in [0, 1) with 53 bits. */
double rng_unit(const struct rng *r);
/* True with probability part / whole exactly; whole > 0. */
bool rng_chance(const struct rng *r, uint32_t part, uint32_t whole);
/*
 * Exponential in whole milliseconds: k with probability (1 - q) q^k, q = exp(-1/mean),
 * what is left of an exponential draw when its fraction is cut off; draws above
 * max_ms are drawn again. mean_ms > 0, max_ms >= mean_ms. In whole numbers, so that
 * a seed gives the same delays on every machine.
 */
uint32_t rng_exponential_ms(const struct rng *r, uint32_t mean_ms, uint32_t max_ms);
/* The same without a greatest value, for long times: mean_ms from 1 to 2^53. */
int64_t rng_exponential_long(const struct rng *r, int64_t mean_ms);
/* Fisher-Yates over n elements of size bytes each (size <= 8192). */
void rng_shuffle(const struct rng *r, void *base, size_t n, size_t size);

#endif

#include "config.h"

#include "common/base/rng.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "common/base/bytes.h"

static void
system_fill(void *ctx, void *out, size_t n)
{
	(void)ctx;
	randombytes_buf(out, n);
}

const struct rng *
rng_system(void)
{
	static const struct rng system = {.fill = system_fill};

	return &system;
}

/* Each call is a stream of its own: the nonce is the number of the call. */
static void
seeded_fill(void *ctx, void *out, size_t n)
{
	struct rng_seeded *s = ctx;
	uint8_t nonce[crypto_stream_chacha20_NONCEBYTES];

	_Static_assert(sizeof(nonce) == 8, "the nonce is the counter");
	store_u64(nonce, s->counter++);
	(void)crypto_stream_chacha20(out, n, nonce, s->key);
}

void
rng_seeded_init(struct rng_seeded *s, uint64_t seed)
{
	_Static_assert(sizeof(s->key) == crypto_stream_chacha20_KEYBYTES, "key size");
	memset(s->key, 0, sizeof(s->key));
	store_u64(s->key, seed);
	s->counter = 0;
	s->rng.fill = seeded_fill;
	s->rng.ctx = s;
}

void
rng_bytes(const struct rng *r, void *out, size_t n)
{
	if (n > 0)
		r->fill(r->ctx, out, n);
}

uint64_t
rng_u64(const struct rng *r)
{
	uint8_t b[8];

	r->fill(r->ctx, b, sizeof(b));
	return load_u64(b);
}

/*
 * Unbiased in [0, bound): values below 2^64 mod bound are drawn again, because
 * only above them does every remainder occur equally often.
 */
static uint64_t
below_u64(const struct rng *r, uint64_t bound)
{
	uint64_t least = (0 - bound) % bound, v;

	do
		v = rng_u64(r);
	while (v < least);
	return v % bound;
}

uint32_t
rng_below(const struct rng *r, uint32_t bound)
{
	assert(bound > 0);
	return (uint32_t)below_u64(r, bound);
}

int64_t
rng_between(const struct rng *r, int64_t lo, int64_t hi)
{
	uint64_t span;

	assert(lo <= hi);
	span = (uint64_t)hi - (uint64_t)lo;
	if (span == UINT64_MAX)
		return (int64_t)rng_u64(r);
	return (int64_t)((uint64_t)lo + below_u64(r, span + 1));
}

double
rng_unit(const struct rng *r)
{
	return (double)(rng_u64(r) >> 11) * 0x1p-53;
}

bool
rng_chance(const struct rng *r, uint32_t part, uint32_t whole)
{
	return rng_below(r, whole) < part;
}

/* floor(fraction / 2^64 * n) */
static uint32_t
share_of(uint64_t fraction, uint32_t n)
{
	uint64_t low = (fraction & UINT32_MAX) * n >> 32;

	return (uint32_t)(((fraction >> 32) * n + low) >> 32);
}

/*
 * Von Neumann's comparisons ("Various techniques used in connection with random
 * digits", 1951): of uniform draws u1 > u2 > ... the run ends with the first that is
 * not below the one before. If it had an odd number of members, u1 is the fraction
 * of a draw of mean 1; each even run before it adds one to the whole part. With
 * 64-bit draws the law is exact but for ties, to less than 2^-60.
 */
static uint64_t
exponential(const struct rng *r, uint64_t *fraction)
{
	for (uint64_t whole = 0;; whole++) {
		uint64_t first = rng_u64(r), last = first, next = rng_u64(r);
		bool odd = true;

		for (; next < last; next = rng_u64(r)) {
			last = next;
			odd = !odd;
		}
		if (odd) {
			*fraction = first;
			return whole;
		}
	}
}

uint32_t
rng_exponential_ms(const struct rng *r, uint32_t mean_ms, uint32_t max_ms)
{
	uint64_t whole, fraction;

	assert(mean_ms > 0 && max_ms >= mean_ms);
	for (;;) {
		whole = exponential(r, &fraction);
		/* a whole part that large is above every max_ms */
		if (whole <= UINT32_MAX / mean_ms &&
		    whole * mean_ms + share_of(fraction, mean_ms) <= max_ms)
			return (uint32_t)(whole * mean_ms + share_of(fraction, mean_ms));
	}
}

int64_t
rng_exponential_long(const struct rng *r, int64_t mean_ms)
{
	uint64_t whole, fraction, high, low;

	assert(mean_ms > 0 && mean_ms <= INT64_C(1) << 53);
	/* a whole part above 512 does not happen: exp(-512) */
	do
		whole = exponential(r, &fraction);
	while (whole > 512);
	/* fraction / 2^64 * mean, by halves of the mean; exact below 2^32, else to 1 ms */
	high = (fraction >> 32) * ((uint64_t)mean_ms >> 32);
	low = share_of(fraction, (uint32_t)mean_ms) +
	    ((fraction & UINT32_MAX) * ((uint64_t)mean_ms >> 32) >> 32);
	return (int64_t)(whole * (uint64_t)mean_ms + high + low);
}

static void
swap_bytes(uint8_t *a, uint8_t *b, size_t n)
{
	uint8_t t[512];

	while (n > 0) {
		size_t step = n < sizeof(t) ? n : sizeof(t);

		memcpy(t, a, step);
		memcpy(a, b, step);
		memcpy(b, t, step);
		a += step;
		b += step;
		n -= step;
	}
	sodium_memzero(t, sizeof(t));
}

void
rng_shuffle(const struct rng *r, void *base, size_t n, size_t size)
{
	uint8_t *p = base;

	assert(size <= 8192);
	for (size_t i = n; i > 1; i--) {
		size_t j = (size_t)below_u64(r, i);

		if (j != i - 1)
			swap_bytes(p + j * size, p + (i - 1) * size, size);
	}
}

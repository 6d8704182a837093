#include "config.h"

#include "common/crypto/sha3.h"

#include <string.h>

#include "common/base/bytes.h"

#define LANES 25
#define ROUNDS 24
#define RATE 136 /* bytes a block: 1600 bits less twice the output */

/* FIPS 202, 3.2.5: the constants of iota. */
static const uint64_t round_constants[ROUNDS] = {
	0x0000000000000001, 0x0000000000008082, 0x800000000000808a, 0x8000000080008000,
	0x000000000000808b, 0x0000000080000001, 0x8000000080008081, 0x8000000000008009,
	0x000000000000008a, 0x0000000000000088, 0x0000000080008009, 0x000000008000000a,
	0x000000008000808b, 0x800000000000008b, 0x8000000000008089, 0x8000000000008003,
	0x8000000000008002, 0x8000000000000080, 0x000000000000800a, 0x800000008000000a,
	0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008,
};

static uint64_t
rotate(uint64_t v, unsigned n)
{
	return v << n | v >> (-n & 63);
}

static void
theta(uint64_t a[static LANES])
{
	uint64_t c[5];

	for (unsigned x = 0; x < 5; x++)
		c[x] = a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20];
	for (unsigned i = 0; i < LANES; i++)
		a[i] ^= c[(i + 4) % 5] ^ rotate(c[(i + 1) % 5], 1);
}

/* Lane (x, y) goes to (y, 2x + 3y), rotated by the triangular numbers along that walk. */
static void
rho_and_pi(uint64_t a[static LANES])
{
	unsigned x = 1, y = 0;
	uint64_t moving = a[1];

	for (unsigned t = 1; t < LANES; t++) {
		unsigned to = (2 * x + 3 * y) % 5;
		uint64_t there;

		x = y;
		y = to;
		there = a[x + 5 * y];
		a[x + 5 * y] = rotate(moving, t * (t + 1) / 2 % 64);
		moving = there;
	}
}

static void
chi(uint64_t a[static LANES])
{
	for (unsigned y = 0; y < LANES; y += 5) {
		uint64_t row[5];

		memcpy(row, a + y, sizeof(row));
		for (unsigned x = 0; x < 5; x++)
			a[y + x] = row[x] ^ (~row[(x + 1) % 5] & row[(x + 2) % 5]);
	}
}

static void
keccak_f(uint64_t a[static LANES])
{
	for (unsigned r = 0; r < ROUNDS; r++) {
		theta(a);
		rho_and_pi(a);
		chi(a);
		a[0] ^= round_constants[r];
	}
}

static void
absorb(uint64_t a[static LANES], const uint8_t block[static RATE])
{
	for (unsigned i = 0; i < RATE / 8; i++)
		a[i] ^= load_u64(block + 8 * (size_t)i);
	keccak_f(a);
}

void
sha3_256(uint8_t out[static SHA3_256_BYTES], const void *p, size_t len)
{
	uint64_t a[LANES] = { 0 };
	uint8_t last[RATE] = { 0 };
	const uint8_t *in = p;

	for (; len >= RATE; in += RATE, len -= RATE)
		absorb(a, in);
	if (len > 0)
		memcpy(last, in, len);
	last[len] = 0x06; /* SHA-3's two bits, and the first of the padding */
	last[RATE - 1] |= 0x80;
	absorb(a, last);
	for (unsigned i = 0; i < SHA3_256_BYTES / 8; i++)
		store_u64(out + 8 * (size_t)i, a[i]);
}

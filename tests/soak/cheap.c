#include "config.h"

#include "tests/soak/cheap.h"

#include <stdint.h>
#include <string.h>

__extension__ typedef unsigned __int128 wide;

/* Of 2^255 - 19; limbs of 64 bits, least first. */
struct element {
	uint64_t limb[4];
};

static bool is_cheap;

int __real_crypto_scalarmult(uint8_t *q, const uint8_t *n, const uint8_t *p);
int __wrap_crypto_scalarmult(uint8_t *q, const uint8_t *n, const uint8_t *p);
int __real_crypto_scalarmult_curve25519(uint8_t *q, const uint8_t *n, const uint8_t *p);
int __wrap_crypto_scalarmult_curve25519(uint8_t *q, const uint8_t *n, const uint8_t *p);
int __real_crypto_scalarmult_base(uint8_t *q, const uint8_t *n);
int __wrap_crypto_scalarmult_base(uint8_t *q, const uint8_t *n);

void
cheap_use(bool cheap)
{
	is_cheap = cheap;
}

/* Bit 255 and what lies above it comes back in 19 times. */
static void
fold(struct element *e, uint64_t above)
{
	wide carry = (wide)19 * ((above << 1) | (e->limb[3] >> 63));

	e->limb[3] &= UINT64_MAX >> 1;
	for (size_t i = 0; i < 4; i++) {
		carry += e->limb[i];
		e->limb[i] = (uint64_t)carry;
		carry >>= 64;
	}
}

/* The one representative below the modulus, so that both sides get the same bytes. */
static void
reduce(struct element *e)
{
	fold(e, 0);
	if (e->limb[3] == UINT64_MAX >> 1 && e->limb[2] == UINT64_MAX &&
	    e->limb[1] == UINT64_MAX && e->limb[0] >= UINT64_MAX - 18)
		*e = (struct element){{e->limb[0] - (UINT64_MAX - 18)}};
}

static void
multiply(struct element *out, const struct element *a, const struct element *b)
{
	uint64_t product[8] = {0};
	wide carry;

	for (size_t i = 0; i < 4; i++) {
		carry = 0;
		for (size_t k = 0; k < 4; k++) {
			carry += (wide)a->limb[i] * b->limb[k] + product[i + k];
			product[i + k] = (uint64_t)carry;
			carry >>= 64;
		}
		product[i + 4] = (uint64_t)carry;
	}
	carry = 0;
	for (size_t i = 0; i < 4; i++) {
		carry += (wide)product[i + 4] * 38 + product[i];
		out->limb[i] = (uint64_t)carry;
		carry >>= 64;
	}
	fold(out, (uint64_t)carry);
	reduce(out);
}

/* -1 for zero, as for a point of low order. */
static int
cheap(uint8_t *q, const uint8_t *n, const uint8_t *p)
{
	static const struct element zero;
	struct element a, b, c;

	memcpy(&a, n, sizeof(a));
	memcpy(&b, p, sizeof(b));
	multiply(&c, &a, &b);
	memcpy(q, &c, sizeof(c));
	return memcmp(&c, &zero, sizeof(c)) == 0 ? -1 : 0; /* of no strength anyhow */
}

int
__wrap_crypto_scalarmult(uint8_t *q, const uint8_t *n, const uint8_t *p)
{
	return is_cheap ? cheap(q, n, p) : __real_crypto_scalarmult(q, n, p);
}

int
__wrap_crypto_scalarmult_curve25519(uint8_t *q, const uint8_t *n, const uint8_t *p)
{
	return is_cheap ? cheap(q, n, p) : __real_crypto_scalarmult_curve25519(q, n, p);
}

int
__wrap_crypto_scalarmult_base(uint8_t *q, const uint8_t *n)
{
	static const uint8_t base[32] = {9};

	return is_cheap ? cheap(q, n, base) : __real_crypto_scalarmult_base(q, n);
}

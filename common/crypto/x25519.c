#include "config.h"

#include "common/crypto/x25519.h"

#include <sodium.h>
#include <string.h>

_Static_assert(crypto_scalarmult_curve25519_BYTES == 32, "X25519 has 32-byte elements");

void
x25519_batch(uint8_t (*out)[32], bool *ok, const uint8_t *const *scalars,
    const uint8_t *const *points, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		ok[i] = crypto_scalarmult_curve25519(out[i], scalars[i], points[i]) == 0;
		if (!ok[i])
			memset(out[i], 0, sizeof(out[i]));
	}
}

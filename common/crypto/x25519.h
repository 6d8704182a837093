/*
 * X25519 over arrays, behind one function: the portable form loops over
 * libsodium, a later backend may do eight at a time.
 */
#ifndef COMMON_CRYPTO_X25519_H
#define COMMON_CRYPTO_X25519_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * out[i] = scalars[i] * points[i] for n elements. ok[i] is false (and out[i]
 * zero) where the result is all zero: a point of low order.
 */
void x25519_batch(uint8_t (*out)[32], bool *ok, const uint8_t *const *scalars,
    const uint8_t *const *points, size_t n);

#endif

/*
 * SHA3-256 (FIPS 202), for the checksum of onion addresses alone. Everything
 * else of ours is BLAKE2b.
 */
#ifndef COMMON_CRYPTO_SHA3_H
#define COMMON_CRYPTO_SHA3_H

#include <stddef.h>
#include <stdint.h>

#define SHA3_256_BYTES 32

/* The hash of len bytes at p. Public data only: the state is not wiped. */
void sha3_256(uint8_t out[static SHA3_256_BYTES], const void *p, size_t len);

#endif

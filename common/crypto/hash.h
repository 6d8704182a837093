/*
 * BLAKE2b helpers: multi-part hashes and labelled key derivation.
 */
#ifndef COMMON_CRYPTO_HASH_H
#define COMMON_CRYPTO_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_BYTES 32

/* One part of a multi-part input. */
struct hash_part {
	const void *data;
	size_t len;
};

/* BLAKE2b of out_len bytes (8..64) over the concatenation of n parts. */
void hash_parts(uint8_t *out, size_t out_len, const struct hash_part *parts, size_t n);

/* The same, keyed (32-byte key). */
void hash_parts_keyed(uint8_t *out, size_t out_len, const uint8_t key[static 32],
    const struct hash_part *parts, size_t n);

/* The same with a key of 64 bytes, the longest that BLAKE2b takes. */
void hash_parts_keyed_64(uint8_t *out, size_t out_len, const uint8_t key[static 64],
    const struct hash_part *parts, size_t n);

/* BLAKE2b-256 of one string. */
void hash_256(uint8_t out[static HASH_BYTES], const void *p, size_t len);

/*
 * Derive a 32-byte key: keyed BLAKE2b-256(key, label || context). The label is
 * an ASCII constant of this protocol, for example "restante/stream/next".
 */
void hash_derive(uint8_t out[static 32], const uint8_t key[static 32], const char *label,
    const void *context, size_t len);

#endif

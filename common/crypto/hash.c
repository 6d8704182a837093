#include "config.h"

#include "common/crypto/hash.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

static void
blake2b(uint8_t *out, size_t out_len, const uint8_t *key, size_t key_len,
    const struct hash_part *parts, size_t n)
{
	crypto_generichash_blake2b_state s;

	/* Nothing below fails but for lengths out of range. */
	assert(out_len >= 8 && out_len <= crypto_generichash_blake2b_BYTES_MAX);
	(void)crypto_generichash_blake2b_init(&s, key, key_len, out_len);
	for (size_t i = 0; i < n; i++)
		(void)crypto_generichash_blake2b_update(&s, parts[i].data, parts[i].len);
	(void)crypto_generichash_blake2b_final(&s, out, out_len);
	sodium_memzero(&s, sizeof(s));
}

void
hash_parts(uint8_t *out, size_t out_len, const struct hash_part *parts, size_t n)
{
	blake2b(out, out_len, NULL, 0, parts, n);
}

void
hash_parts_keyed(uint8_t *out, size_t out_len, const uint8_t key[static 32],
    const struct hash_part *parts, size_t n)
{
	blake2b(out, out_len, key, 32, parts, n);
}

void
hash_parts_keyed_64(uint8_t *out, size_t out_len, const uint8_t key[static 64],
    const struct hash_part *parts, size_t n)
{
	blake2b(out, out_len, key, 64, parts, n);
}

void
hash_256(uint8_t out[static HASH_BYTES], const void *p, size_t len)
{
	const struct hash_part part = { p, len };

	blake2b(out, HASH_BYTES, NULL, 0, &part, 1);
}

void
hash_derive(uint8_t out[static 32], const uint8_t key[static 32], const char *label,
    const void *context, size_t len)
{
	const struct hash_part parts[] = { { label, strlen(label) }, { context, len } };

	blake2b(out, 32, key, 32, parts, 2);
}

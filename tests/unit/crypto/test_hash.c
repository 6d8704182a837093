#include "config.h"

#include "tests/lib/test.h"

#include <sodium.h>
#include <string.h>

#include "common/base/encode.h"
#include "common/crypto/hash.h"

static void
assert_hex(const uint8_t *got, size_t len, const char *want)
{
	char text[2 * 64 + 1];

	encode_hex(text, got, len);
	assert_string_equal(text, want);
}

/* BLAKE2b-512 of "abc": RFC 7693, appendix A. */
static void
test_blake2b_abc(void **state)
{
	uint8_t out[64];
	const struct hash_part parts[] = { { "a", 1 }, { "", 0 }, { "bc", 2 } };

	(void)state;
	hash_parts(out, sizeof(out), parts, 3);
	assert_hex(out, sizeof(out),
	    "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
	    "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923");
}

/* However the input is cut, it is what libsodium makes of it in one go. */
static void
test_keyed_is_generichash(void **state)
{
	uint8_t key[32], text[300], got[32], want[32];

	(void)state;
	rng_bytes(test_rng(), key, sizeof(key));
	rng_bytes(test_rng(), text, sizeof(text));
	for (size_t len = 0; len <= sizeof(text); len++) {
		size_t cut = rng_below(test_rng(), (uint32_t)len + 1);
		const struct hash_part parts[] = { { text, cut }, { text + cut, len - cut } };

		crypto_generichash(want, sizeof(want), text, len, key, sizeof(key));
		hash_parts_keyed(got, sizeof(got), key, parts, 2);
		assert_memory_equal(got, want, sizeof(want));
		crypto_generichash(want, sizeof(want), text, len, NULL, 0);
		hash_256(got, text, len);
		assert_memory_equal(got, want, sizeof(want));
	}
}

/* Every output length is a hash of its own, not a prefix of a longer one. */
static void
test_output_lengths(void **state)
{
	const struct hash_part part = { "restante", 8 };
	uint8_t longest[64], out[64];

	(void)state;
	hash_parts(longest, sizeof(longest), &part, 1);
	for (size_t len = 8; len < sizeof(out); len++) {
		memset(out, 0xa5, sizeof(out));
		hash_parts(out, len, &part, 1);
		assert_memory_not_equal(out, longest, len);
		assert_int_equal(out[len], 0xa5);
	}
}

static void
test_derive(void **state)
{
	uint8_t key[32] = { 7 }, a[32], b[32];
	const struct hash_part whole = { "labelcontext", 12 };

	(void)state;
	hash_derive(a, key, "label", "context", 7);
	hash_parts_keyed(b, sizeof(b), key, &whole, 1);
	assert_memory_equal(a, b, sizeof(a));
	hash_derive(b, key, "labels", "context", 7);
	assert_memory_not_equal(a, b, sizeof(a));
	hash_derive(b, key, "label", "contest", 7);
	assert_memory_not_equal(a, b, sizeof(a));
	key[31] = 1;
	hash_derive(b, key, "label", "context", 7);
	assert_memory_not_equal(a, b, sizeof(a));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_blake2b_abc),
	cmocka_unit_test(test_keyed_is_generichash),
	cmocka_unit_test(test_output_lengths),
	cmocka_unit_test(test_derive),
};
TEST_MAIN(tests)

#include "config.h"

#include "tests/lib/test.h"

#include <sodium.h>
#include <string.h>

#include "common/base/encode.h"
#include "common/crypto/hsid.h"
#include "common/crypto/sha3.h"

#define SEED_00_TO_1F "aoqqpp7tzyil4hlq3umoos6atft6jvrqtosq2xy53sdgiesvgg4bqead"

static void
assert_sha3(const void *p, size_t n, const char *want)
{
	uint8_t out[SHA3_256_BYTES];
	char text[ENCODE_HEX_SIZE(sizeof(out))];

	sha3_256(out, p, n);
	encode_hex(text, out, sizeof(out));
	assert_string_equal(text, want);
}

/* NIST's examples of FIPS 202: no bits, "abc", 1600 bits of a3. */
static void
test_sha3_published(void **state)
{
	uint8_t a3[200];

	(void)state;
	memset(a3, 0xa3, sizeof(a3));
	assert_sha3(NULL, 0, "a7ffc6f8bf1ed76651c14756a061d662f580ff4de43b49fa82d80a4b80f8434a");
	assert_sha3("abc", 3, "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532");
	assert_sha3(a3, sizeof(a3),
	    "79f38adec5c20307a98ef76e8324afbfd46cfd81b22e3973c65fa1bd9de31787");
}

/* A million times 'a', and the lengths around a block's 136 bytes. */
static void
test_sha3_lengths(void **state)
{
	size_t n = 1000000;
	char *a = malloc(n);

	(void)state;
	assert_non_null(a);
	memset(a, 'a', n);
	assert_sha3(a, n, "5c8875ae474a3634ba4fd55ec85bffd661f32aca75c6d699d0cdcb6c115891c1");
	assert_sha3(a, 135, "8094bb53c44cfb1e67b7c30447f9a1c33696d2463ecc1d9c92538913392843c9");
	assert_sha3(a, 136, "3fc5559f14db8e453a0a3091edbd2bc25e11528d81c66fa570a4efdcc2695ee1");
	assert_sha3(a, 137, "f8d6846cedd2ccfadf15c5879ef95af724d799eed7391fb1c91f95344e738614");
	free(a);
}

/* What tor 0.4.9.11 made of this key. */
static void
test_address_of_tor(void **state)
{
	uint8_t seed[32], pk[32], sk[64], back[32];
	char text[HSID_SIZE];

	(void)state;
	for (uint8_t i = 0; i < sizeof(seed); i++)
		seed[i] = i;
	assert_int_equal(crypto_sign_seed_keypair(pk, sk, seed), 0);
	hsid_from_key(text, pk);
	assert_string_equal(text, SEED_00_TO_1F);
	assert_err_ok(hsid_parse(back, text));
	assert_memory_equal(back, pk, sizeof(pk));
}

/* The expanded secret has the seed's public key, and is clamped. */
static void
test_expand(void **state)
{
	uint8_t seed[32], pk[32], sk[64], expanded[64], again[32];

	(void)state;
	for (int i = 0; i < 100; i++) {
		rng_bytes(test_rng(), seed, sizeof(seed));
		assert_int_equal(crypto_sign_seed_keypair(pk, sk, seed), 0);
		hsid_expand(expanded, seed);
		assert_int_equal(expanded[0] & 7, 0);
		assert_int_equal(expanded[31] & 0xc0, 0x40);
		assert_int_equal(crypto_scalarmult_ed25519_base_noclamp(again, expanded), 0);
		assert_memory_equal(again, pk, sizeof(pk));
	}
}

/* Every change of one character is seen. */
static void
test_spelling(void **state)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";
	uint8_t key[32];
	char text[HSID_SIZE], other[HSID_SIZE];

	(void)state;
	rng_bytes(test_rng(), key, sizeof(key));
	hsid_from_key(text, key);
	for (size_t at = 0; at < HSID_CHARS; at++)
		for (size_t i = 0; i < sizeof(letters) - 1; i++) {
			uint8_t got[32];
			memcpy(other, text, sizeof(other));
			other[at] = letters[i];
			if (hsid_parse(got, other) == ERR_OK) /* 1 of 65536 passes */
				assert_int_equal(other[at] == text[at],
				    memcmp(got, key, sizeof(key)) == 0);
			else
				assert_int_not_equal(other[at], text[at]);
		}
	memcpy(other, text, sizeof(other));
	other[55] = 'e'; /* version 4 */
	assert_err(hsid_parse(NULL, other), ERR_MALFORMED);
	other[55] = 'D';
	assert_err(hsid_parse(NULL, other), ERR_MALFORMED);
	text[55] = '\0';
	assert_err(hsid_parse(NULL, text), ERR_MALFORMED);
	assert_err(hsid_parse(NULL, ""), ERR_MALFORMED);
}

static void
test_address_form(void **state)
{
	static const char *const good[] = { ".onion:80", ".onion:1", ".onion:65535" };
	static const char *const bad[] = { "", ".onion", ".onion:", ".onion:0", ".onion:080",
		".onion:65536", ".onion:99999", ".onion:123456", ".onion:8 ", ".onion:+8",
		".ONION:80", ":80", "a.onion:80", ".onion.:80", ".onion:80:80" };
	char text[128];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		(void)snprintf(text, sizeof(text), "%s%s", SEED_00_TO_1F, good[i]);
		assert_true(hsid_is_address(text));
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		(void)snprintf(text, sizeof(text), "%s%s", SEED_00_TO_1F, bad[i]);
		assert_false(hsid_is_address(text));
	}
	assert_false(hsid_is_address("www." SEED_00_TO_1F ".onion:80"));
	assert_false(hsid_is_address("127.0.0.1:80"));
	assert_false(hsid_is_address("unix:/run/x"));
}

static void
test_host_in_onion(void **state)
{
	(void)state;
	assert_true(hsid_is_onion(SEED_00_TO_1F ".onion:80"));
	assert_true(hsid_is_onion("a.OnIon:80"));
	assert_true(hsid_is_onion(".onion:80"));
	assert_false(hsid_is_onion("a.onion"));
	assert_false(hsid_is_onion("onion:80"));
	assert_false(hsid_is_onion("a.onion.org:80"));
	assert_false(hsid_is_onion("unix:/run/a.onion:80"));
	assert_false(hsid_is_onion("[::1]:80"));
	assert_false(hsid_is_onion(""));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_sha3_published),
	cmocka_unit_test(test_sha3_lengths),
	cmocka_unit_test(test_address_of_tor),
	cmocka_unit_test(test_expand),
	cmocka_unit_test(test_spelling),
	cmocka_unit_test(test_address_form),
	cmocka_unit_test(test_host_in_onion),
};

TEST_MAIN(tests)

#include "config.h"

#include "tests/lib/test.h"

#include <sodium.h>
#include <string.h>

#include "common/base/encode.h"
#include "common/crypto/x25519.h"
#include "tests/unit/crypto/low_order.h"

#define BATCH 40

static void
from_hex(uint8_t out[static 32], const char *text)
{
	assert_err_ok(encode_from_hex(out, 32, text, strlen(text)));
}

/* RFC 7748: section 5.2, both vectors, and section 6.1. */
static const char *const vectors[][3] = {
	{ "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
	    "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
	    "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552" },
	{ "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
	    "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
	    "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957" },
	{ "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
	    "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
	    "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742" },
};
#define VECTORS (sizeof(vectors) / sizeof(vectors[0]))

static void
test_vectors(void **state)
{
	uint8_t scalar[VECTORS][32], point[VECTORS][32], out[VECTORS][32], want[32];
	const uint8_t *scalars[VECTORS], *points[VECTORS];
	bool ok[VECTORS];

	(void)state;
	for (size_t i = 0; i < VECTORS; i++) {
		from_hex(scalar[i], vectors[i][0]);
		from_hex(point[i], vectors[i][1]);
		scalars[i] = scalar[i];
		points[i] = point[i];
	}
	x25519_batch(out, ok, scalars, points, VECTORS);
	for (size_t i = 0; i < VECTORS; i++) {
		from_hex(want, vectors[i][2]);
		assert_true(ok[i]);
		assert_memory_equal(out[i], want, sizeof(want));
	}
}

/* A point of low order fails in its own place and leaves the others alone. */
static void
test_low_order_in_a_batch(void **state)
{
	uint8_t scalar[32], point[BATCH][32], out[BATCH + 1][32], want[32];
	const uint8_t *scalars[BATCH], *points[BATCH];
	bool ok[BATCH + 1], bad[BATCH] = { false };

	(void)state;
	rng_bytes(test_rng(), scalar, sizeof(scalar));
	for (size_t i = 0; i < BATCH; i++) {
		rng_bytes(test_rng(), point[i], sizeof(point[i]));
		scalars[i] = scalar;
		points[i] = point[i];
	}
	for (size_t k = 0; k < LOW_ORDER_COUNT; k++) {
		size_t i = 5 * k + rng_below(test_rng(), 5);

		from_hex(point[i], low_order_points[k]);
		point[i][31] |= (uint8_t)(rng_below(test_rng(), 2) << 7); /* ignored bit */
		bad[i] = true;
	}
	memset(out, 0xa5, sizeof(out));
	x25519_batch(out, ok, scalars, points, BATCH);
	for (size_t i = 0; i < BATCH; i++) {
		assert_int_equal(ok[i], !bad[i]);
		if (bad[i])
			memset(want, 0, sizeof(want));
		else
			assert_int_equal(crypto_scalarmult(want, scalar, point[i]), 0);
		assert_memory_equal(out[i], want, sizeof(want));
	}
	assert_int_equal(out[BATCH][0], 0xa5);
	x25519_batch(out + BATCH, ok, scalars, points, 0);
	assert_int_equal(out[BATCH][0], 0xa5);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_vectors),
	cmocka_unit_test(test_low_order_in_a_batch),
};
TEST_MAIN(tests)

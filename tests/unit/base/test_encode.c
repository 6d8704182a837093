#include "config.h"

#include <string.h>

#include "common/base/encode.h"
#include "tests/lib/test.h"

static void
test_known_texts(void **state)
{
	char text[64];

	(void)state;
	encode_hex(text, "\x00\x0f\xff", 3);
	assert_string_equal(text, "000fff");
	encode_base64(text, "\xff\xef\xbe", 3);
	assert_string_equal(text, "_---");
	encode_base64(text, "f", 1);
	assert_string_equal(text, "Zg");
	encode_base64(text, "fo", 2);
	assert_string_equal(text, "Zm8");
	encode_base64(text, "", 0);
	assert_string_equal(text, "");
	encode_hex(text, "", 0);
	assert_string_equal(text, "");
	/* RFC 4648, section 10, in lower case and without padding */
	encode_base32(text, "foobar", 6);
	assert_string_equal(text, "mzxw6ytboi");
	encode_base32(text, "foob", 4);
	assert_string_equal(text, "mzxw6yq");
	encode_base32(text, "fo", 2);
	assert_string_equal(text, "mzxq");
	encode_base32(text, "", 0);
	assert_string_equal(text, "");
}

static void
test_round_trip(void **state)
{
	uint8_t in[200], out[200];
	char hex[ENCODE_HEX_SIZE(200)], b64[ENCODE_BASE64_SIZE(200)], b32[ENCODE_BASE32_SIZE(200)];

	(void)state;
	for (size_t n = 0; n <= sizeof(in); n++) {
		rng_bytes(test_rng(), in, n);
		encode_hex(hex, in, n);
		assert_int_equal(strlen(hex) + 1, ENCODE_HEX_SIZE(n));
		assert_err_ok(encode_from_hex(out, n, hex, strlen(hex)));
		assert_memory_equal(in, out, n);
		encode_base64(b64, in, n);
		assert_int_equal(strlen(b64) + 1, ENCODE_BASE64_SIZE(n));
		assert_int_equal(encode_base64_bytes(strlen(b64)), n);
		assert_err_ok(encode_from_base64(out, n, b64, strlen(b64)));
		assert_memory_equal(in, out, n);
		encode_base32(b32, in, n);
		assert_int_equal(strlen(b32) + 1, ENCODE_BASE32_SIZE(n));
		memset(out, 0x55, n);
		assert_err_ok(encode_from_base32(out, n, b32, strlen(b32)));
		assert_memory_equal(in, out, n);
	}
}

/* One text for one byte string: a changed character changes the bytes, or is refused. */
static void
test_every_other_text_differs(void **state)
{
	uint8_t in[70], out[70];
	char text[ENCODE_BASE64_SIZE(70)];
	size_t len;

	(void)state;
	rng_bytes(test_rng(), in, sizeof(in));
	encode_base64(text, in, sizeof(in));
	len = strlen(text);
	for (size_t i = 0; i < len; i++)
		for (int c = 0; c < 256; c++) {
			char old = text[i];

			if ((char)c == old)
				continue;
			text[i] = (char)c;
			memset(out, 0x55, sizeof(out));
			if (encode_from_base64(out, sizeof(out), text, len) == ERR_OK)
				assert_memory_not_equal(out, in, sizeof(in));
			else
				assert_true(out[0] == 0x55 && out[69] == 0x55);
			text[i] = old;
		}
}

static void
test_base32_has_one_text(void **state)
{
	uint8_t in[33], out[33];
	char text[ENCODE_BASE32_SIZE(33)];
	size_t len;

	(void)state;
	rng_bytes(test_rng(), in, sizeof(in));
	encode_base32(text, in, sizeof(in));
	len = strlen(text);
	assert_int_equal(encode_from_base32(out, sizeof(out), text, len - 1), ERR_TRUNCATED);
	assert_int_equal(encode_from_base32(out, sizeof(out) - 1, text, len), ERR_TRAILING);
	for (size_t i = 0; i < len; i++)
		for (int c = 0; c < 256; c++) {
			char old = text[i], again[ENCODE_BASE32_SIZE(33)];

			text[i] = (char)c;
			memset(out, 0x55, sizeof(out));
			if (encode_from_base32(out, sizeof(out), text, len) == ERR_OK) {
				encode_base32(again, out, sizeof(out));
				assert_string_equal(again, text);
			} else {
				assert_int_equal(out[0], 0x55);
				assert_true(c != old);
			}
			text[i] = old;
		}
}

static void
test_refused(void **state)
{
	uint8_t out[3] = {7, 7, 7};

	(void)state;
	assert_err(encode_from_hex(out, 3, "000f", 4), ERR_TRUNCATED);
	assert_err(encode_from_hex(out, 3, "000fff0", 7), ERR_TRAILING);
	assert_err(encode_from_hex(out, 3, "000fFF", 6), ERR_MALFORMED);
	assert_err(encode_from_hex(out, 3, "000f g", 6), ERR_MALFORMED);
	assert_err(encode_from_hex(out, 3, "00:fff", 6), ERR_MALFORMED);
	assert_err(encode_from_base64(out, 1, "Zh", 2), ERR_MALFORMED); /* loose bits */
	assert_err(encode_from_base64(out, 1, "Zg==", 4), ERR_TRAILING);
	assert_err(encode_from_base64(out, 3, "_+--", 4), ERR_MALFORMED);
	assert_err(encode_from_base64(out, 3, "_--", 3), ERR_TRUNCATED);
	assert_err(encode_from_base64(out, 3, "_-\0-", 4), ERR_MALFORMED);
	assert_err(encode_from_base64(out, 3, "_- -", 4), ERR_MALFORMED);
	assert_memory_equal(out, "\7\7\7", 3);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_known_texts),
    cmocka_unit_test(test_round_trip),
    cmocka_unit_test(test_every_other_text_differs),
    cmocka_unit_test(test_base32_has_one_text),
    cmocka_unit_test(test_refused),
};
TEST_MAIN(tests)

#include "config.h"

#include "tests/lib/test.h"

#include <stdio.h>
#include <string.h>

#include "common/token/enrolment.h"

static const uint8_t network[32] = { 1, 2, 3, 4, 5, 6, 7, 8, 9 }, other[32] = { 1, 2, 3, 4, 5, 6, 7, 9 };

static void
make(uint8_t secret[static 32], char text[static ENROLMENT_TEXT_BYTES])
{
	rng_bytes(test_rng(), secret, 32);
	enrolment_encode(text, secret, network);
}

static void
test_there_and_back(void **state)
{
	uint8_t secret[32], got[32];
	char text[ENROLMENT_TEXT_BYTES], spread[2 * ENROLMENT_TEXT_BYTES];

	(void)state;
	for (int i = 0; i < 50; i++) {
		make(secret, text);
		assert_int_equal(strncmp(text, "restante-code:", 14), 0);
		assert_err_ok(enrolment_decode(got, text, network, NULL));
		assert_memory_equal(got, secret, 32);
	}
	(void)snprintf(spread, sizeof(spread), " %.20s\r\n\t%s \n", text, text + 20);
	assert_err_ok(enrolment_decode(got, spread, network, NULL));
	assert_memory_equal(got, secret, 32);
}

static void
test_any_slip_is_told(void **state)
{
	uint8_t secret[32], got[32];
	char text[ENROLMENT_TEXT_BYTES], bad[2 * ENROLMENT_TEXT_BYTES];
	struct diag d;

	(void)state;
	make(secret, text);
	for (size_t i = 0; i < strlen(text); i++) {
		memcpy(bad, text, sizeof(text));
		bad[i] = bad[i] == 'A' ? 'B' : 'A';
		assert_true(enrolment_decode(got, bad, network, &d) != ERR_OK);
		assert_null(strstr(d.text, text + 14));
		memcpy(bad, text, sizeof(text));
		bad[i] = '\0';
		assert_true(enrolment_decode(got, bad, network, &d) != ERR_OK);
		assert_contains(d.text, "copy it anew");
	}
	(void)snprintf(bad, sizeof(bad), "%s%s", text, text);
	assert_err(enrolment_decode(got, bad, network, &d), ERR_MALFORMED);
}

static void
test_another_network(void **state)
{
	uint8_t secret[32], got[32] = { 9 };
	char text[ENROLMENT_TEXT_BYTES];
	struct diag d;

	(void)state;
	make(secret, text);
	assert_err(enrolment_decode(got, text, other, &d), ERR_DENIED);
	assert_contains(d.text, "another network");
	assert_int_equal(got[0], 9);
}

static void
test_what_is_kept(void **state)
{
	uint8_t secret[32], a[32], b[32];

	(void)state;
	rng_bytes(test_rng(), secret, 32);
	enrolment_id(a, secret, network);
	enrolment_id(b, secret, network);
	assert_memory_equal(a, b, 32);
	enrolment_id(b, secret, other);
	assert_memory_not_equal(a, b, 32);
	secret[0] ^= 1;
	enrolment_id(b, secret, network);
	assert_memory_not_equal(a, b, 32);
	assert_memory_not_equal(b, secret, 32);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_there_and_back),
	cmocka_unit_test(test_any_slip_is_told),
	cmocka_unit_test(test_another_network),
	cmocka_unit_test(test_what_is_kept),
};
TEST_MAIN(tests)

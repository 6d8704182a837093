/*
 * The line of a client authorization.
 */
#include "config.h"

#include "tests/lib/test.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "common/base/encode.h"
#include "common/crypto/clientauth.h"

/* The service of tor's test key, and the private key 00 01 .. 1f. */
#define SERVICE "aoqqpp7tzyil4hlq3umoos6atft6jvrqtosq2xy53sdgiesvgg4bqead"
#define KEY "aaaqeayeaudaocajbifqydiob4ibceqtcqkrmfyydenbwha5dypq"
#define LINE SERVICE ":descriptor:x25519:" KEY

static void
a_line_is_read(void **state)
{
	struct clientauth a;
	char line[CLIENTAUTH_LINE_SIZE];

	(void)state;
	assert_err_ok(clientauth_parse(&a, LINE, strlen(LINE), NULL));
	assert_string_equal(a.service, SERVICE);
	for (uint8_t i = 0; i < 32; i++)
		assert_int_equal(a.secret[i], i);
	clientauth_print(line, &a);
	assert_string_equal(line, LINE);
	assert_int_equal(strlen(LINE), CLIENTAUTH_LINE_SIZE - 1);
}

/* As tor's own files have it: capitals, a line end. */
static void
blanks_and_capitals_do_not_matter(void **state)
{
	char text[256];
	struct clientauth a;

	(void)state;
	(void)snprintf(text, sizeof(text), " \t%s\r\n\n", LINE);
	for (char *p = strrchr(text, ':'); *p != '\0'; p++)
		if (*p >= 'a' && *p <= 'z')
			*p = (char)(*p - 'a' + 'A');
	assert_err_ok(clientauth_parse(&a, text, strlen(text), NULL));
	assert_int_equal(a.secret[31], 31);
}

static void
refused(const char *line, const char *why)
{
	struct clientauth a, before;
	struct diag d = { "" };

	memset(&a, 7, sizeof(a));
	before = a;
	assert_err(clientauth_parse(&a, line, strlen(line), &d), ERR_MALFORMED);
	assert_contains(d.text, why);
	assert_null(strstr(d.text, "dypq"));
	assert_memory_equal(&a, &before, sizeof(a));
}

static void
mistakes_are_named(void **state)
{
	(void)state;
	refused("", "one line of 127 characters");
	refused(SERVICE, "one line");
	refused(LINE "a", "one line");
	refused(SERVICE ":descriptor:x25519:" KEY ":", "one line");
	refused(SERVICE ":descriptor;x25519:" KEY, "no client authorization");
	refused("b" "oqqpp7tzyil4hlq3umoos6atft6jvrqtosq2xy53sdgiesvgg4bqead:descriptor:x25519:" KEY,
	    "address in this client authorization is misspelt");
	/* the last of 52 characters has one bit that counts */
	refused(SERVICE ":descriptor:x25519:aaaqeayeaudaocajbifqydiob4ibceqtcqkrmfyydenbwha5dypr",
	    "key in this client authorization is misspelt");
	refused(SERVICE ":descriptor:x25519:aaaqeayeaudaocajbifqydiob4ibceqtcqkrmfyydenbwha5dyp1",
	    "key in this client authorization is misspelt");
}

/* Whatever characters stand in it: read and printed again it is the same, in small letters. */
static void
each_key_comes_back(void **state)
{
	struct clientauth a, b;
	char line[CLIENTAUTH_LINE_SIZE];

	(void)state;
	for (int i = 0; i < 200; i++) {
		clientauth_make(&a, SERVICE, test_rng());
		clientauth_print(line, &a);
		assert_err_ok(clientauth_parse(&b, line, strlen(line), NULL));
		assert_memory_equal(&a, &b, sizeof(a));
	}
}

static void
a_fresh_key_has_its_public_one(void **state)
{
	uint8_t pk[32], want[32];
	char text[CLIENTAUTH_KEY_SIZE];
	struct clientauth a;

	(void)state;
	clientauth_make(&a, SERVICE ".onion:80", test_rng());
	assert_string_equal(a.service, SERVICE);
	clientauth_public(text, &a);
	assert_err_ok(encode_from_base32(pk, sizeof(pk), text, strlen(text)));
	assert_int_equal(crypto_scalarmult_base(want, a.secret), 0);
	assert_memory_equal(pk, want, sizeof(pk));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_line_is_read),
	cmocka_unit_test(blanks_and_capitals_do_not_matter),
	cmocka_unit_test(mistakes_are_named),
	cmocka_unit_test(each_key_comes_back),
	cmocka_unit_test(a_fresh_key_has_its_public_one),
};

TEST_MAIN(tests)

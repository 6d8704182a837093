/*
 * How far a tor has come.
 */
#include "config.h"

#include "tests/lib/test.h"

#include <string.h>

#include "common/net/bootstrap.h"

static enum err
parse(struct bootstrap *b, const char *text)
{
	return bootstrap_parse(b, text, strlen(text));
}

static void
what_tor_says(void **state)
{
	struct bootstrap b;

	(void)state;
	assert_err_ok(parse(&b, "NOTICE BOOTSTRAP PROGRESS=100 TAG=done SUMMARY=\"Done\""));
	assert_int_equal(b.progress, 100);
	assert_string_equal(b.tag, "done");
	assert_false(b.trouble);
	assert_err_ok(parse(&b, "NOTICE BOOTSTRAP PROGRESS=0 TAG=starting"));
	assert_int_equal(b.progress, 0);
	assert_string_equal(b.tag, "starting");
	assert_err_ok(parse(&b, "WARN BOOTSTRAP PROGRESS=5 TAG=conn SUMMARY=\"Connecting to a relay\" "
	    "WARNING=\"No route to host\" REASON=NOROUTE COUNT=3 RECOMMENDATION=warn"));
	assert_int_equal(b.progress, 5);
	assert_true(b.trouble);
}

static void
what_is_about_something_else(void **state)
{
	struct bootstrap b;

	(void)state;
	assert_err(parse(&b, ""), ERR_NOT_FOUND);
	assert_err(parse(&b, "NOTICE"), ERR_NOT_FOUND);
	assert_err(parse(&b, "NOTICE CIRCUIT_ESTABLISHED"), ERR_NOT_FOUND);
	assert_err(parse(&b, "INFO BOOTSTRAP PROGRESS=1 TAG=x"), ERR_NOT_FOUND);
	assert_err(parse(&b, "NOTICE BOOTSTRAPPED PROGRESS=1 TAG=x"), ERR_NOT_FOUND);
}

static void
what_has_another_form(void **state)
{
	static const char *const bad[] = { "", " ", " PROGRESS=5", " TAG=x PROGRESS=5", " PROGRESS=",
		" PROGRESS= TAG=x", " PROGRESS=101 TAG=x", " PROGRESS=1000 TAG=x",
		" PROGRESS=-1 TAG=x", " PROGRESS=5a TAG=x", " PROGRESS=5 TAG=", " PROGRESS=5  TAG=x",
		" PROGRESS=5 TAG=\x1b[31m", " PROGRESS=5 TAG=Done",
		" PROGRESS=5 TAG=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" };
	struct bootstrap b = { .progress = 77, .tag = "kept" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char text[128] = "NOTICE BOOTSTRAP";

		memcpy(text + strlen(text), bad[i], strlen(bad[i]) + 1);
		assert_err(parse(&b, text), ERR_MALFORMED);
	}
	assert_int_equal(b.progress, 77);
	assert_string_equal(b.tag, "kept");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(what_tor_says),
	cmocka_unit_test(what_is_about_something_else),
	cmocka_unit_test(what_has_another_form),
};

TEST_MAIN(tests)

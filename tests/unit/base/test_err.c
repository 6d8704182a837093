#include "config.h"

#include <string.h>

#include "tests/lib/test.h"

static void
test_texts(void **state)
{
	(void)state;
	for (int e = -100; e <= 1; e++)
		assert_true(strlen(err_text((enum err)e)) > 0);
	assert_string_equal(err_text(ERR_OK), "success");
	assert_string_equal(err_text(ERR_STATE), "not possible now");
	assert_string_equal(err_text((enum err)1), "unknown error");
}

static void
test_diag(void **state)
{
	struct diag d = {"before"};
	char much[2000];

	(void)state;
	assert_err(diag_set(NULL, ERR_IO, "%d", 1), ERR_IO);
	assert_err(diag_set(&d, ERR_RANGE, "%s %d", "value", 7), ERR_RANGE);
	assert_string_equal(d.text, "value 7");
	memset(much, 'x', sizeof(much));
	much[sizeof(much) - 1] = '\0';
	(void)diag_set(&d, ERR_RANGE, "%s", much);
	assert_int_equal(strlen(d.text), sizeof(d.text) - 1);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_texts),
    cmocka_unit_test(test_diag),
};
TEST_MAIN(tests)

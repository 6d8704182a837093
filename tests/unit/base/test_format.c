#include "config.h"

#include <string.h>

#include "common/base/format.h"
#include "tests/lib/test.h"

static enum err
check(const void *p, size_t n, uint16_t newest, struct diag *d)
{
	struct reader r;
	uint16_t version = 99;
	enum err e, end;

	reader_init(&r, p, n);
	e = format_check(&r, &version, "rsttst", newest, "state", d);
	end = reader_end(&r);
	assert_true(e == ERR_OK ? version <= newest : version == 99 && end == e);
	return e;
}

static void
test_versions(void **state)
{
	uint8_t head[FORMAT_BYTES];
	struct writer w;
	struct diag d;

	(void)state;
	writer_init(&w, head, sizeof(head));
	format_put(&w, "rsttst", 2);
	assert_err_ok(writer_end(&w));
	assert_int_equal(w.used, FORMAT_BYTES);
	assert_err_ok(check(head, sizeof(head), 2, &d));
	assert_err_ok(check(head, sizeof(head), 3, &d));
	assert_err(check(head, sizeof(head), 1, &d), ERR_VERSION);
	assert_string_equal(d.text, "state: written by a newer version (format 2, this program "
				    "knows 1); upgrade this program");
	assert_err(check(head, sizeof(head), 1, NULL), ERR_VERSION);
}

static void
test_refused(void **state)
{
	struct diag d;

	(void)state;
	for (size_t n = 0; n < FORMAT_BYTES; n++)
		assert_err(check("rsttst\1", n, 1, &d), ERR_TRUNCATED);
	assert_err(check("rsttsu\1\0", 8, 1, &d), ERR_MALFORMED);
	assert_contains(d.text, "state: ");
	assert_err(check("rsttst\0\0", 8, 1, &d), ERR_MALFORMED);
	assert_err(check("rsttst\1\0", 8, 1, &d), ERR_OK);
	assert_err(check("rsttst\0\1", 8, 255, &d), ERR_VERSION);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_versions),
    cmocka_unit_test(test_refused),
};
TEST_MAIN(tests)

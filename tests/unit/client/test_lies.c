#include "config.h"

#include "client-lib/lies.h"

#include "tests/lib/test.h"

static struct evidence
two_sheets(uint32_t epoch)
{
	return (struct evidence){ .gateway = 4,
		.said = { { .kind = EVIDENCE_SHEET, .number = epoch, .hash = { 1 } },
		    { .kind = EVIDENCE_SHEET, .number = epoch, .hash = { 2 } } } };
}

/* One for an epoch, and the first ones: a gateway that goes on lying fills no disk. */
static void
the_first_ones_are_kept(void **state)
{
	struct lies k = { 0 };
	struct params p;
	struct evidence e;

	(void)state;
	params_default(&p);
	for (uint32_t i = 0; i < 4 * LIES_MAX; i++) {
		e = two_sheets(1000 - i);
		assert_int_equal(lies_add(&k, &e, &p), i < LIES_MAX);
		assert_false(lies_add(&k, &e, &p)); /* known, or no room */
	}
	assert_int_equal(k.count, LIES_MAX);
	for (size_t i = 0; i < LIES_MAX; i++)
		assert_int_equal(evidence_epoch(&k.at[i], &p), 1000 - LIES_MAX + 1 + i);
}

static void
more_than_are_kept_are_not_loaded(void **state)
{
	uint8_t bytes[LIES_BYTES];
	struct lies k = { 0 };
	struct params p;
	struct writer w;
	struct reader r;

	(void)state;
	params_default(&p);
	for (uint32_t i = 0; i < LIES_MAX; i++) {
		struct evidence e = two_sheets(i);

		assert_true(lies_add(&k, &e, &p));
	}
	writer_init(&w, bytes, sizeof(bytes));
	assert_err_ok(lies_put(&w, &k));
	assert_true(writer_ok(&w));
	reader_init(&r, bytes, w.used);
	lies_get(&r, &k);
	assert_err_ok(reader_end(&r));
	assert_int_equal(k.count, LIES_MAX);
	bytes[0]++;
	reader_init(&r, bytes, w.used);
	lies_get(&r, &k);
	assert_false(reader_ok(&r));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(the_first_ones_are_kept),
	cmocka_unit_test(more_than_are_kept_are_not_loaded),
};
TEST_MAIN(tests)

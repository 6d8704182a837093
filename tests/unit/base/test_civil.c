#include "config.h"

#include <stdbool.h>
#include <string.h>

#include "common/base/civil.h"
#include "tests/lib/test.h"

static bool
is_leap(int64_t y)
{
	return y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
}

/* Walk 2000 years by the rule of the calendar and compare each day. */
static void
test_walk_the_calendar(void **state)
{
	static const unsigned lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	struct civil c = {1000, 1, 1};
	int64_t days = civil_days(&c);

	(void)state;
	for (; c.year < 3000; c.year++)
		for (c.month = 1; c.month <= 12; c.month++) {
			unsigned n = lengths[c.month - 1] + (c.month == 2 && is_leap(c.year));

			for (c.day = 1; c.day <= n; c.day++) {
				struct civil back = civil_date(days);

				assert_true(civil_days(&c) == days);
				assert_true(back.year == c.year);
				assert_true(back.month == c.month && back.day == c.day);
				days++;
			}
		}
}

static void
test_known_days(void **state)
{
	(void)state;
	assert_true(civil_days(&(struct civil){1970, 1, 1}) == 0);
	assert_true(civil_days(&(struct civil){1969, 12, 31}) == -1);
	assert_true(civil_days(&(struct civil){2000, 2, 29}) == 11016);
	assert_true(civil_days(&(struct civil){0, 1, 1}) == -719528);
	assert_true(civil_days(&(struct civil){10000, 1, 1}) == 2932897);
}

static void
check_text(int64_t wall_ms, const char *want)
{
	char text[CIVIL_TEXT_BYTES];

	civil_text(text, wall_ms);
	assert_string_equal(text, want);
}

static void
test_text(void **state)
{
	(void)state;
	check_text(0, "1970-01-01T00:00Z");
	check_text(-1, "1969-12-31T23:59Z");
	check_text(1795485059999, "2026-11-24T01:50Z");
	check_text(1795485060000, "2026-11-24T01:51Z");
	check_text(INT64_MAX, "9999-12-31T23:59Z");
	check_text(INT64_MIN, "0000-01-01T00:00Z");
}

static void
test_text_round_trip(void **state)
{
	char text[CIVIL_TEXT_BYTES];
	int64_t back;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		int64_t ms = rng_between(test_rng(), -62167219200000, 253402300799999);
		int64_t over = (ms % 60000 + 60000) % 60000;

		civil_text(text, ms);
		assert_err_ok(civil_parse(&back, text, strlen(text)));
		assert_true(back == ms - over);
	}
}

static void
test_parse(void **state)
{
	static const struct {
		const char *text;
		enum err want;
	} cases[] = {
	    {"2026-11-24T01:50Z", ERR_OK},
	    {"2026-11-24", ERR_OK},
	    {"2024-02-29", ERR_OK},
	    {"2026-02-29", ERR_RANGE},
	    {"2026-04-31", ERR_RANGE},
	    {"2026-00-10", ERR_RANGE},
	    {"2026-13-10", ERR_RANGE},
	    {"2026-01-00", ERR_RANGE},
	    {"2026-01-01T24:00Z", ERR_RANGE},
	    {"2026-01-01T00:60Z", ERR_RANGE},
	    {"2026-01-01T00:00", ERR_MALFORMED},
	    {"2026-01-01 00:00Z", ERR_MALFORMED},
	    {"2026-1-01", ERR_MALFORMED},
	    {"", ERR_MALFORMED},
	    {"2026-01-01T00:00Z ", ERR_MALFORMED},
	    {"+026-01-01", ERR_MALFORMED},
	};
	int64_t out = 42;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		out = 42;
		assert_err(civil_parse(&out, cases[i].text, strlen(cases[i].text)), cases[i].want);
		assert_true((out == 42) == (cases[i].want != ERR_OK));
	}
	assert_err_ok(civil_parse(&out, "1970-01-02 and more", 10));
	assert_true(out == CIVIL_DAY_MS);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_walk_the_calendar),
    cmocka_unit_test(test_known_days),
    cmocka_unit_test(test_text),
    cmocka_unit_test(test_text_round_trip),
    cmocka_unit_test(test_parse),
};
TEST_MAIN(tests)

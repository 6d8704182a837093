#include "config.h"

#include "common/base/civil.h"

#include <string.h>

#define MINUTE_MS ((int64_t)60 * 1000)
#define ERA_DAYS 146097 /* 400 years */
#define YEAR_0_MS (-719528 * CIVIL_DAY_MS)
#define YEAR_10000_MS (2932897 * CIVIL_DAY_MS)

static int64_t
floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/*
 * Years are counted from March, so that the leap day is the last of its year;
 * (153 * month + 2) / 5 gives the days before a month (Howard Hinnant,
 * chrono-Compatible Low-Level Date Algorithms).
 */
int64_t
civil_days(const struct civil *c)
{
	int64_t y = c->year - (c->month <= 2);
	int64_t era = floor_div(y, 400);
	int64_t year = y - era * 400;
	int64_t month = (c->month + 9) % 12;
	int64_t day = (153 * month + 2) / 5 + c->day - 1;

	return era * ERA_DAYS + year * 365 + year / 4 - year / 100 + day - 719468;
}

struct civil
civil_date(int64_t days)
{
	int64_t z = days + 719468;
	int64_t era = floor_div(z, ERA_DAYS);
	int64_t n = z - era * ERA_DAYS;
	int64_t year = (n - n / 1460 + n / 36524 - n / 146096) / 365;
	int64_t day = n - (365 * year + year / 4 - year / 100);
	int64_t month = (5 * day + 2) / 153;
	struct civil c;

	c.day = (unsigned)(day - (153 * month + 2) / 5 + 1);
	c.month = (unsigned)(month < 10 ? month + 3 : month - 9);
	c.year = year + era * 400 + (c.month <= 2);
	return c;
}

static void
put_digits(char *out, unsigned n, unsigned v)
{
	while (n-- > 0) {
		out[n] = (char)('0' + v % 10);
		v /= 10;
	}
}

void
civil_text(char out[static CIVIL_TEXT_BYTES], int64_t wall_ms)
{
	int64_t days, minutes;
	struct civil c;

	if (wall_ms < YEAR_0_MS)
		wall_ms = YEAR_0_MS;
	if (wall_ms >= YEAR_10000_MS)
		wall_ms = YEAR_10000_MS - 1;
	days = floor_div(wall_ms, CIVIL_DAY_MS);
	minutes = (wall_ms - days * CIVIL_DAY_MS) / MINUTE_MS;
	c = civil_date(days);
	memcpy(out, "0000-00-00T00:00Z", CIVIL_TEXT_BYTES);
	put_digits(out, 4, (unsigned)c.year);
	put_digits(out + 5, 2, c.month);
	put_digits(out + 8, 2, c.day);
	put_digits(out + 11, 2, (unsigned)(minutes / 60));
	put_digits(out + 14, 2, (unsigned)(minutes % 60));
}

/* Whether text has the form of pattern, in which 0 stands for any digit. */
static int
has_form(const char *text, const char *pattern, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		int digit = text[i] >= '0' && text[i] <= '9';

		if (pattern[i] == '0' ? !digit : text[i] != pattern[i])
			return 0;
	}
	return 1;
}

static unsigned
get_digits(const char *p, unsigned n)
{
	unsigned v = 0;

	while (n-- > 0)
		v = v * 10 + (unsigned)(*p++ - '0');
	return v;
}

enum err
civil_parse(int64_t *wall_ms, const char *text, size_t len)
{
	static const char form[] = "0000-00-00T00:00Z";
	struct civil c, back;
	unsigned hour = 0, minute = 0;
	int64_t days;

	if ((len != 10 && len != sizeof(form) - 1) || !has_form(text, form, len))
		return ERR_MALFORMED;
	c.year = get_digits(text, 4);
	c.month = get_digits(text + 5, 2);
	c.day = get_digits(text + 8, 2);
	if (len > 10) {
		hour = get_digits(text + 11, 2);
		minute = get_digits(text + 14, 2);
	}
	if (c.month < 1 || c.month > 12 || c.day < 1 || hour > 23 || minute > 59)
		return ERR_RANGE;
	days = civil_days(&c);
	back = civil_date(days);
	if (back.month != c.month || back.day != c.day)
		return ERR_RANGE;
	*wall_ms = days * CIVIL_DAY_MS + ((int64_t)hour * 60 + minute) * MINUTE_MS;
	return ERR_OK;
}

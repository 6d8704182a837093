/*
 * Dates without the C library: days since 1970-01-01 to year, month, day and
 * back, in the proleptic Gregorian calendar, and the text of a minute in UTC.
 * No time zone database, no environment, no static buffer.
 */
#ifndef COMMON_BASE_CIVIL_H
#define COMMON_BASE_CIVIL_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

#define CIVIL_DAY_MS (24 * 60 * 60 * (int64_t)1000)
#define CIVIL_TEXT_BYTES sizeof("2026-11-24T01:50Z")

struct civil {
	int64_t year;
	unsigned month, day; /* from 1 */
};

/* Days since 1970-01-01 of a date; |year| up to 10^9. */
int64_t civil_days(const struct civil *c);
/* The date of a day. */
struct civil civil_date(int64_t days);

/*
 * "2026-11-24T01:50Z": the minute that holds wall_ms. Times outside the years
 * 0000 to 9999 are shown as the nearest minute inside.
 */
void civil_text(char out[static CIVIL_TEXT_BYTES], int64_t wall_ms);

/*
 * The inverse: exactly "YYYY-MM-DDTHH:MMZ" or "YYYY-MM-DD" (midnight).
 * ERR_MALFORMED for another form, ERR_RANGE for a date that does not exist.
 */
RST_MUST_USE enum err civil_parse(int64_t *wall_ms, const char *text, size_t len);

#endif

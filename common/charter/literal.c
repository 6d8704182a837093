#include "config.h"

#include "common/charter/literal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct unit {
	const char *name;
	int64_t ms;
} units[] = { /* largest first */
	{ "d", 86400000 }, { "h", 3600000 }, { "min", 60000 }, { "s", 1000 }, { "ms", 1 }
};
#define UNIT_COUNT (sizeof(units) / sizeof(units[0]))

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The number at *s, which moves past it: 1 to max digits, no leading zero. */
static bool
scan_count(uint64_t *out, const char **s, size_t max)
{
	const char *p = *s;
	uint64_t v = 0;
	size_t n = 0;

	while (is_digit(p[n])) {
		if (n == max)
			return false;
		v = v * 10 + (uint64_t)(p[n] - '0');
		n++;
	}
	if (n == 0 || (n > 1 && p[0] == '0'))
		return false;
	*out = v;
	*s = p + n;
	return true;
}

bool
literal_count(uint64_t *out, const char *s)
{
	uint64_t v;

	if (!scan_count(&v, &s, 18) || *s != '\0')
		return false;
	*out = v;
	return true;
}

bool
literal_duration(int64_t *out, const char *s)
{
	uint64_t v;

	if (!scan_count(&v, &s, 10)) /* 10 digits of days stay far below 2^63 ms */
		return false;
	for (size_t i = 0; i < UNIT_COUNT; i++) {
		if (strcmp(s, units[i].name) == 0) {
			*out = (int64_t)v * units[i].ms;
			return true;
		}
	}
	return false;
}

void
literal_duration_print(char out[static LITERAL_BYTES], int64_t ms)
{
	size_t i = 0;

	if (ms == 0) {
		(void)snprintf(out, LITERAL_BYTES, "0s");
		return;
	}
	while (ms % units[i].ms != 0)
		i++;
	(void)snprintf(out, LITERAL_BYTES, "%" PRId64 "%s", ms / units[i].ms, units[i].name);
}

bool
literal_share(uint32_t *ppm, const char *s)
{
	uint32_t v = 0, unit = LITERAL_SHARE_ONE;

	if (strcmp(s, "1") == 0) {
		*ppm = LITERAL_SHARE_ONE;
		return true;
	}
	if (s[0] != '0' || s[1] != '.' || s[2] == '\0')
		return false;
	for (s += 2; *s != '\0'; s++) {
		unit /= 10;
		if (unit == 0 || !is_digit(*s))
			return false;
		v += (uint32_t)(*s - '0') * unit;
	}
	*ppm = v;
	return true;
}

void
literal_share_print(char out[static LITERAL_BYTES], uint32_t ppm)
{
	size_t n;

	(void)snprintf(out, LITERAL_BYTES, "%u.%06u", ppm / LITERAL_SHARE_ONE,
	    ppm % LITERAL_SHARE_ONE);
	n = strlen(out);
	while (out[n - 1] == '0')
		n--;
	if (out[n - 1] == '.')
		n--;
	out[n] = '\0';
}

#include "config.h"

#include "common/config/value.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct unit {
	const char *name;
	int64_t factor;
};

/* From the largest to the smallest: the printers take the first that divides. */
static const struct unit duration_units[] = {
    {"d", 86400000},
    {"h", 3600000},
    {"min", 60000},
    {"s", 1000},
    {"ms", 1},
};
static const struct unit size_units[] = {
    {"GiB", (int64_t)1 << 30},
    {"MiB", (int64_t)1 << 20},
    {"KiB", (int64_t)1 << 10},
    {"", 1},
};
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum err
config_bool(bool *out, const char *s)
{
	bool yes = strcmp(s, "yes") == 0;

	if (!yes && strcmp(s, "no") != 0)
		return ERR_MALFORMED;
	*out = yes;
	return ERR_OK;
}

/* Digits without a leading zero; *end points behind them. At most INT64_MAX. */
static enum err
digits(int64_t *out, const char *s, const char **end)
{
	const char *p = s;
	int64_t v = 0;
	bool fits = true;

	for (; *p >= '0' && *p <= '9'; p++) {
		int64_t digit = *p - '0';

		fits = fits && v <= (INT64_MAX - digit) / 10;
		v = fits ? v * 10 + digit : 0;
	}
	if (p == s || (*s == '0' && p != s + 1))
		return ERR_MALFORMED;
	*end = p;
	*out = v;
	return fits ? ERR_OK : ERR_RANGE;
}

enum err
config_integer(int64_t *out, const char *s)
{
	bool negative = *s == '-';
	const char *end = s;
	int64_t v;
	enum err e = digits(&v, s + negative, &end);

	if (*end != '\0' || e == ERR_MALFORMED || (negative && s[1] == '0'))
		return ERR_MALFORMED;
	if (e == ERR_OK)
		*out = negative ? -v : v;
	return e;
}

enum err
config_decimal(int64_t *milli, const char *s)
{
	const char *end = s;
	int64_t v, unit = 100;
	enum err e = digits(&v, s, &end);

	if (e == ERR_MALFORMED)
		return e;
	if (e != ERR_OK || v > INT64_MAX / 1000 - 1)
		return ERR_RANGE;
	v *= 1000;
	if (*end == '.') {
		if (end[1] == '\0')
			return ERR_MALFORMED;
		for (end++; *end >= '0' && *end <= '9' && unit > 0; end++, unit /= 10)
			v += (*end - '0') * unit;
	}
	if (*end != '\0')
		return ERR_MALFORMED;
	*milli = v;
	return ERR_OK;
}

static enum err
with_unit(int64_t *out, const char *s, const struct unit *units, size_t n)
{
	const char *end = s;
	int64_t v;
	enum err e = digits(&v, s, &end);

	if (e == ERR_MALFORMED)
		return e;
	for (size_t i = 0; i < n; i++) {
		if (strcmp(end, units[i].name) != 0)
			continue;
		if (e != ERR_OK || v > INT64_MAX / units[i].factor)
			return ERR_RANGE;
		*out = v * units[i].factor;
		return ERR_OK;
	}
	return ERR_MALFORMED;
}

enum err
config_duration(int64_t *ms, const char *s)
{
	return with_unit(ms, s, duration_units, COUNT(duration_units));
}

enum err
config_size(int64_t *bytes, const char *s)
{
	return with_unit(bytes, s, size_units, COUNT(size_units));
}

void
config_decimal_text(char out[static CONFIG_VALUE_BYTES], int64_t milli)
{
	int n = snprintf(out, CONFIG_VALUE_BYTES, "%" PRId64 ".%03d", milli / 1000,
	    (int)(milli % 1000));

	while (out[n - 1] == '0')
		out[--n] = '\0';
	if (out[n - 1] == '.')
		out[n - 1] = '\0';
}

static void
unit_text(char out[static CONFIG_VALUE_BYTES], int64_t v, const struct unit *units, size_t n)
{
	size_t i = v == 0 ? n - 1 : 0;

	while (i < n - 1 && v % units[i].factor != 0)
		i++;
	(void)snprintf(
	    out, CONFIG_VALUE_BYTES, "%" PRId64 "%s", v / units[i].factor, units[i].name);
}

void
config_duration_text(char out[static CONFIG_VALUE_BYTES], int64_t ms)
{
	unit_text(out, ms, duration_units, COUNT(duration_units));
}

void
config_size_text(char out[static CONFIG_VALUE_BYTES], int64_t bytes)
{
	unit_text(out, bytes, size_units, COUNT(size_units));
}

/* Bytes above 0x7f may be UTF-8: a path is for the file system, not for us. */
static bool
is_printable(const char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return false;
	return true;
}

enum err
config_path(const char *s)
{
	return *s == '/' && is_printable(s) ? ERR_OK : ERR_MALFORMED;
}

static enum err
check_port(const char *s)
{
	int64_t port = 0;
	enum err e = config_integer(&port, s);

	if (e != ERR_OK)
		return e;
	return port >= 1 && port <= 65535 ? ERR_OK : ERR_RANGE;
}

enum err
config_address(const char *s)
{
	static const char alnum[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	size_t n;

	if (strncmp(s, "unix:", 5) == 0)
		return config_path(s + 5);
	if (*s == '[') {
		n = strspn(s + 1, "0123456789abcdefABCDEF:.");
		return n >= 2 && strncmp(s + 1 + n, "]:", 2) == 0 ? check_port(s + n + 3)
								  : ERR_MALFORMED;
	}
	for (n = 0; s[n] != '\0' && strchr(alnum, s[n]) != NULL;) {
		n++;
		while (s[n] == '-' || s[n] == '.') /* inside a host name only */
			n++;
	}
	if (n == 0 || s[n] != ':' || strchr(alnum, s[n - 1]) == NULL)
		return ERR_MALFORMED;
	return check_port(s + n + 1);
}

#define SIMILAR_MAX 32
#define SIMILAR_DISTANCE 2

/* Levenshtein's distance, one row at a time; strings shorter than SIMILAR_MAX. */
static size_t
distance(const char *a, const char *b)
{
	size_t row[SIMILAR_MAX], bn = strlen(b);

	for (size_t j = 0; j <= bn; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1] != '\0'; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= bn; j++) {
			size_t best = diagonal + (a[i - 1] != b[j - 1]);

			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			diagonal = row[j];
			row[j] = best;
		}
	}
	return row[bn];
}

const char *
config_similar(
    const char *s, size_t n, const char *(*name)(const void *arg, size_t i), const void *arg)
{
	size_t least = SIMILAR_DISTANCE + 1;
	const char *found = NULL;

	if (strlen(s) >= SIMILAR_MAX)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		const char *other = name(arg, i);
		size_t away = strlen(other) < SIMILAR_MAX ? distance(s, other) : least;

		/* two changes make any two short words alike */
		if (away < least && away < strlen(other)) {
			least = away;
			found = other;
		}
	}
	return found;
}

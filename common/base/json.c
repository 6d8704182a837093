#include "config.h"

#include "common/base/json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static void
put_n(struct json *j, const char *s, size_t n)
{
	if (j->err == ERR_OK)
		j->err = buf_append(j->out, s, n, j->max);
}

static void
put(struct json *j, const char *s)
{
	put_n(j, s, strlen(s));
}

static void
fail(struct json *j)
{
	if (j->err == ERR_OK)
		j->err = ERR_STATE;
}

static uint32_t
level_bit(const struct json *j)
{
	return j->depth == 0 ? 0 : (uint32_t)1 << (j->depth - 1);
}

static bool
in_object(const struct json *j)
{
	return (j->objects & level_bit(j)) != 0;
}

static void
separate(struct json *j)
{
	if ((j->nonempty & level_bit(j)) != 0)
		put(j, ",");
	j->nonempty |= level_bit(j);
}

/* Every value passes here: an object wants a key first, an array a comma. */
static void
before_value(struct json *j)
{
	if (j->done || (in_object(j) && !j->keyed))
		fail(j);
	if (!j->keyed)
		separate(j);
	j->keyed = false;
	j->done = j->depth == 0;
}

void
json_init(struct json *j, struct buf *out, size_t max)
{
	memset(j, 0, sizeof(*j));
	j->out = out;
	j->max = max;
}

static void
open_level(struct json *j, bool object)
{
	before_value(j);
	j->done = false;
	if (j->depth == JSON_DEPTH_MAX)
		fail(j);
	if (j->err != ERR_OK)
		return;
	j->depth++;
	j->nonempty &= ~level_bit(j);
	j->objects &= ~level_bit(j);
	if (object)
		j->objects |= level_bit(j);
	put(j, object ? "{" : "[");
}

void
json_object(struct json *j)
{
	open_level(j, true);
}

void
json_array(struct json *j)
{
	open_level(j, false);
}

void
json_close(struct json *j)
{
	if (j->depth == 0 || j->keyed)
		fail(j);
	if (j->err != ERR_OK)
		return;
	put(j, in_object(j) ? "}" : "]");
	j->depth--;
	j->done = j->depth == 0;
}

/*
 * The length of the UTF-8 sequence at s, and its code point; 0 if there is none
 * (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF).
 */
static size_t
utf8_at(uint32_t *point, const char *s, size_t left)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	uint8_t first = (uint8_t)s[0];
	size_t n = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
	uint32_t v = n == 1 ? first : first & (0x7fU >> n);

	if (n == 0 || first > 0xf4 || n > left)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if (((uint8_t)s[i] & 0xc0) != 0x80)
			return 0;
		v = v << 6 | ((uint8_t)s[i] & 0x3f);
	}
	if (v < least[n] || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
		return 0;
	*point = v;
	return n;
}

static void
put_char(struct json *j, const char *s, size_t n, uint32_t point)
{
	char escape[8];

	if (point == '"' || point == '\\') {
		put(j, "\\");
		put_n(j, s, n);
	} else if (point == '\n') {
		put(j, "\\n");
	} else if (point < 0x20 || (point >= 0x7f && point < 0xa0)) {
		(void)snprintf(escape, sizeof(escape), "\\u%04x", (unsigned)(point & 0xffff));
		put(j, escape);
	} else {
		put_n(j, s, n);
	}
}

static void
put_string(struct json *j, const char *s, size_t n)
{
	uint32_t point = 0;

	put(j, "\"");
	while (n > 0) {
		size_t step = utf8_at(&point, s, n);

		if (step == 0) {
			put(j, "\xef\xbf\xbd");
			step = 1;
		} else {
			put_char(j, s, step, point);
		}
		s += step;
		n -= step;
	}
	put(j, "\"");
}

void
json_key(struct json *j, const char *key)
{
	if (!in_object(j) || j->keyed)
		fail(j);
	separate(j);
	put_string(j, key, strlen(key));
	put(j, ":");
	j->keyed = true;
}

void
json_string_n(struct json *j, const char *s, size_t n)
{
	before_value(j);
	put_string(j, s, n);
}

void
json_string(struct json *j, const char *s)
{
	json_string_n(j, s, strlen(s));
}

void
json_i64(struct json *j, int64_t v)
{
	char text[24];

	before_value(j);
	(void)snprintf(text, sizeof(text), "%" PRId64, v);
	put(j, text);
}

void
json_u64(struct json *j, uint64_t v)
{
	char text[24];

	before_value(j);
	(void)snprintf(text, sizeof(text), "%" PRIu64, v);
	put(j, text);
}

void
json_double(struct json *j, double v)
{
	char text[32], *comma;

	before_value(j);
	if (!isfinite(v)) {
		put(j, "null");
		return;
	}
	(void)snprintf(text, sizeof(text), "%.17g", v);
	comma = strchr(text, ','); /* of a locale that somebody set */
	if (comma != NULL)
		*comma = '.';
	put(j, text);
}

void
json_bool(struct json *j, bool v)
{
	before_value(j);
	put(j, v ? "true" : "false");
}

void
json_null(struct json *j)
{
	before_value(j);
	put(j, "null");
}

void
json_newline(struct json *j)
{
	put(j, "\n");
	if (j->depth == 0)
		j->done = false;
}

enum err
json_end(const struct json *j)
{
	if (j->err != ERR_OK)
		return j->err;
	return j->depth == 0 ? ERR_OK : ERR_STATE;
}

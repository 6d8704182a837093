#include "config.h"

#include "evaluation/jsonread.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct jsonread {
	char *text; /* strings are decoded in it */
	struct jsonread_value *values;
	size_t count, room;
};

struct parser {
	struct jsonread *j;
	char *at, *end; /* *end is a NUL */
	unsigned depth;
	enum err err;
};

static void
fail(struct parser *p, enum err e)
{
	if (p->err == ERR_OK)
		p->err = e;
}

static void
skip_blanks(struct parser *p)
{
	while (*p->at == ' ' || *p->at == '\t' || *p->at == '\r' || *p->at == '\n')
		p->at++;
}

static bool
take(struct parser *p, char c)
{
	skip_blanks(p);
	if (p->at == p->end || *p->at != c)
		return false;
	p->at++;
	return true;
}

/* A new value's place; 0 after a failure. */
static size_t
add(struct parser *p, enum jsonread_type type)
{
	struct jsonread *j = p->j;
	struct jsonread_value *values;
	size_t room = j->room * 2;

	if (j->count == j->room) {
		if (room > JSONREAD_VALUES_MAX) {
			fail(p, ERR_FULL);
			return 0;
		}
		values = realloc(j->values, room * sizeof(*values));
		if (values == NULL) {
			fail(p, ERR_MEMORY);
			return 0;
		}
		j->values = values;
		j->room = room;
	}
	j->values[j->count] = (struct jsonread_value){ .type = type };
	return j->count++;
}

/* ---- strings ---- */

static bool
hex4(uint32_t *out, const char *s, const char *end)
{
	static const char digits[] = "0123456789abcdef";

	if (end - s < 4)
		return false;
	*out = 0;
	for (int i = 0; i < 4; i++) {
		char c = s[i] >= 'A' && s[i] <= 'F' ? (char)(s[i] + 32) : s[i];
		const char *d = c != '\0' ? strchr(digits, c) : NULL;

		if (d == NULL)
			return false;
		*out = *out << 4 | (uint32_t)(d - digits);
	}
	return true;
}

static char *
put_utf8(char *to, uint32_t c)
{
	if (c < 0x80) {
		*to++ = (char)c;
		return to;
	}
	if (c < 0x800) {
		*to++ = (char)(0xc0 | c >> 6);
	} else {
		if (c < 0x10000) {
			*to++ = (char)(0xe0 | c >> 12);
		} else {
			*to++ = (char)(0xf0 | c >> 18);
			*to++ = (char)(0x80 | (c >> 12 & 0x3f));
		}
		*to++ = (char)(0x80 | (c >> 6 & 0x3f));
	}
	*to++ = (char)(0x80 | (c & 0x3f));
	return to;
}

/* The six or twelve characters behind a backslash's u; at most as many bytes come of them. */
static char *
unicode(struct parser *p, char *to)
{
	uint32_t c, low;

	if (!hex4(&c, p->at, p->end) || c == 0 || (c >= 0xdc00 && c < 0xe000)) {
		fail(p, ERR_MALFORMED);
		return to;
	}
	p->at += 4;
	if (c >= 0xd800 && c < 0xdc00) {
		if (p->end - p->at < 6 || p->at[0] != '\\' || p->at[1] != 'u' ||
		    !hex4(&low, p->at + 2, p->end) || low < 0xdc00 || low >= 0xe000) {
			fail(p, ERR_MALFORMED);
			return to;
		}
		p->at += 6;
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	}
	return put_utf8(to, c);
}

static char *
escape(struct parser *p, char *to)
{
	static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
	char c = p->at < p->end ? *p->at++ : '\0';
	const char *place = c != '\0' ? strchr(from, c) : NULL;

	if (c == 'u')
		return unicode(p, to);
	if (place == NULL) {
		fail(p, ERR_MALFORMED);
		return to;
	}
	*to++ = into[place - from];
	return to;
}

/* Behind its opening quote. It never grows, so it is decoded where it stands. */
static const char *
string(struct parser *p)
{
	char *begin = p->at, *to = p->at;

	while (p->err == ERR_OK) {
		if (p->at == p->end || (unsigned char)*p->at < 0x20) {
			fail(p, ERR_MALFORMED);
		} else if (*p->at == '"') {
			p->at++;
			*to = '\0';
			return begin;
		} else if (*p->at == '\\') {
			p->at++;
			to = escape(p, to);
		} else {
			*to++ = *p->at++;
		}
	}
	return NULL;
}

/* ---- numbers: -? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)? ---- */

static const char *
digits(const char *s)
{
	while (*s >= '0' && *s <= '9')
		s++;
	return s;
}

static const char *
number_end(const char *s)
{
	const char *begin, *at;

	s += *s == '-';
	begin = s;
	s = digits(s);
	if (s == begin || (*begin == '0' && s > begin + 1))
		return NULL;
	if (*s == '.') {
		at = digits(s + 1);
		if (at == s + 1)
			return NULL;
		s = at;
	}
	if (*s == 'e' || *s == 'E') {
		at = s + 1 + (s[1] == '+' || s[1] == '-');
		s = digits(at);
		if (s == at)
			return NULL;
	}
	return s;
}

static size_t
number(struct parser *p)
{
	const char *end = number_end(p->at);
	size_t i;

	if (end == NULL) {
		fail(p, ERR_MALFORMED);
		return 0;
	}
	i = add(p, JSONREAD_NUMBER);
	if (i > 0)
		p->j->values[i].number = strtod(p->at, NULL);
	if (i > 0 && !isfinite(p->j->values[i].number))
		fail(p, ERR_MALFORMED);
	p->at += end - p->at;
	return i;
}

/* ---- values ---- */

static size_t value(struct parser *p);

static size_t
word(struct parser *p, const char *text, enum jsonread_type type, double v)
{
	size_t n = strlen(text), i;

	if ((size_t)(p->end - p->at) < n || memcmp(p->at, text, n) != 0) { /* public */
		fail(p, ERR_MALFORMED);
		return 0;
	}
	p->at += n;
	i = add(p, type);
	if (i > 0)
		p->j->values[i].number = v;
	return i;
}

static const char *
key(struct parser *p)
{
	const char *k = take(p, '"') ? string(p) : NULL;

	if (k == NULL || !take(p, ':'))
		fail(p, ERR_MALFORMED);
	return k;
}

/* Behind the opening bracket. */
static size_t
members(struct parser *p, enum jsonread_type type, char close)
{
	size_t self = add(p, type), last = 0;

	if (++p->depth > JSONREAD_DEPTH_MAX)
		fail(p, ERR_MALFORMED);
	if (p->err == ERR_OK && !take(p, close)) {
		do {
			const char *name = type == JSONREAD_OBJECT ? key(p) : NULL;
			size_t i = p->err == ERR_OK ? value(p) : 0;

			if (p->err != ERR_OK)
				return 0;
			p->j->values[i].key = name;
			if (last == 0)
				p->j->values[self].child = i;
			else
				p->j->values[last].next = i;
			last = i;
		} while (take(p, ','));
		if (!take(p, close))
			fail(p, ERR_MALFORMED);
	}
	p->depth--;
	return self;
}

static size_t
value(struct parser *p)
{
	size_t i;

	skip_blanks(p);
	switch (*p->at) {
	case '{':
		p->at++;
		return members(p, JSONREAD_OBJECT, '}');
	case '[':
		p->at++;
		return members(p, JSONREAD_ARRAY, ']');
	case '"':
		p->at++;
		i = add(p, JSONREAD_STRING);
		if (i > 0)
			p->j->values[i].text = string(p);
		return i;
	case 't':
		return word(p, "true", JSONREAD_BOOL, 1);
	case 'f':
		return word(p, "false", JSONREAD_BOOL, 0);
	case 'n':
		return word(p, "null", JSONREAD_NULL, 0);
	default:
		return number(p);
	}
}

enum err
jsonread_parse(struct jsonread **out, const void *text, size_t len, struct diag *d)
{
	struct jsonread *j = calloc(1, sizeof(*j));
	struct parser p = { .j = j };

	if (j == NULL)
		return ERR_MEMORY;
	j->text = malloc(len + 1);
	j->values = calloc(64, sizeof(*j->values));
	if (j->text == NULL || j->values == NULL) {
		jsonread_free(j);
		return ERR_MEMORY;
	}
	if (len > 0)
		memcpy(j->text, text, len);
	j->text[len] = '\0';
	j->room = 64;
	j->count = 1; /* place 0 is none */
	p.at = j->text;
	p.end = j->text + len;
	(void)value(&p);
	skip_blanks(&p);
	if (p.at != p.end)
		fail(&p, ERR_MALFORMED);
	if (p.err != ERR_OK) {
		(void)diag_set(d, p.err, "byte %zu is not as JSON must be", (size_t)(p.at - j->text));
		jsonread_free(j);
		return p.err;
	}
	*out = j;
	return ERR_OK;
}

void
jsonread_free(struct jsonread *j)
{
	if (j == NULL)
		return;
	free(j->text);
	free(j->values);
	free(j);
}

/* ---- looking up ---- */

const struct jsonread_value *
jsonread_root(const struct jsonread *j)
{
	return &j->values[1];
}

const struct jsonread_value *
jsonread_child(const struct jsonread *j, const struct jsonread_value *v)
{
	return v != NULL && v->child > 0 ? &j->values[v->child] : NULL;
}

const struct jsonread_value *
jsonread_next(const struct jsonread *j, const struct jsonread_value *v)
{
	return v != NULL && v->next > 0 ? &j->values[v->next] : NULL;
}

const struct jsonread_value *
jsonread_get(const struct jsonread *j, const struct jsonread_value *object, const char *name)
{
	const struct jsonread_value *v = NULL;

	if (object != NULL && object->type == JSONREAD_OBJECT)
		v = jsonread_child(j, object);
	while (v != NULL && strcmp(v->key, name) != 0)
		v = jsonread_next(j, v);
	return v;
}

const char *
jsonread_text(const struct jsonread *j, const struct jsonread_value *object, const char *name)
{
	const struct jsonread_value *v = jsonread_get(j, object, name);

	return v != NULL && v->text != NULL ? v->text : "";
}

bool
jsonread_number(double *out, const struct jsonread *j, const struct jsonread_value *object,
    const char *name)
{
	const struct jsonread_value *v = jsonread_get(j, object, name);

	if (v == NULL || v->type != JSONREAD_NUMBER)
		return false;
	*out = v->number;
	return true;
}

#include "config.h"

#include "common/net/torreply.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/bytes.h"

#define CODE_CHARS 4 /* three digits and what separates them from the text */
#define NO_DATA SIZE_MAX

/* A line by its places in the bytes, which move while they grow. */
struct place {
	size_t text, len;
	size_t data, data_len; /* data: NO_DATA if there is no block */
};

struct torreply {
	struct buf bytes;     /* texts and data of the reply, then the line that is coming */
	size_t line;	      /* where that line begins */
	struct buf places;    /* struct place */
	struct buf lines;     /* struct control_line, once whole */
	struct control_reply reply;
	bool in_data;
	bool event;
	bool whole; /* given out; to be forgotten at the next call */
	enum err err;
};

/* ---- life ---- */

struct torreply *
torreply_new(void)
{
	return calloc(1, sizeof(struct torreply));
}

void
torreply_reset(struct torreply *t)
{
	buf_release(&t->bytes);
	buf_release(&t->places);
	buf_release(&t->lines);
	*t = (struct torreply){0};
}

void
torreply_free(struct torreply *t)
{
	if (t == NULL)
		return;
	torreply_reset(t);
	free(t);
}

/* ---- lines ---- */

static size_t
count(const struct torreply *t)
{
	return t->places.len / sizeof(struct place);
}

/* The last line that has begun; buf's memory is malloc's, so it is aligned. */
static struct place *
last_place(struct torreply *t)
{
	return (struct place *)(void *)t->places.data + count(t) - 1;
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The code of a line; 0 if there is none. */
static unsigned
code_of(const char *line, size_t n)
{
	if (n < CODE_CHARS || line[0] < '2' || line[0] > '6' || !is_digit(line[1]) ||
	    !is_digit(line[2]))
		return 0;
	return (unsigned)(line[0] - '0') * 100 + (unsigned)(line[1] - '0') * 10 +
	    (unsigned)(line[2] - '0');
}

static enum err
add_place(struct torreply *t, size_t n, bool data)
{
	const struct place p = {
	    .text = t->line + CODE_CHARS,
	    .len = n - CODE_CHARS,
	    .data = data ? t->line + n : NO_DATA,
	};

	if (count(t) >= CONTROL_LINES_MAX)
		return ERR_FULL;
	return buf_append(&t->places, &p, sizeof(p), CONTROL_LINES_MAX * sizeof(p));
}

/* The places become pointers, now that the bytes move no more. */
static enum err
finish(struct torreply *t, unsigned code)
{
	const struct place *p = (const struct place *)(const void *)t->places.data;
	const char *bytes = (const char *)t->bytes.data;
	size_t n = count(t);

	for (size_t i = 0; i < n; i++) {
		struct control_line line = {.text = bytes + p[i].text, .len = p[i].len};
		enum err e;

		if (p[i].data != NO_DATA) {
			line.data = bytes + p[i].data;
			line.data_len = p[i].data_len;
		}
		e = buf_append(&t->lines, &line, sizeof(line), n * sizeof(line));
		if (e != ERR_OK)
			return e;
	}
	t->reply = (struct control_reply){
	    .code = code,
	    .count = n,
	    .lines = (const struct control_line *)(const void *)t->lines.data,
	};
	t->whole = true;
	return ERR_OK;
}

/* A line of the reply itself: n characters at t->line, the line's end is off. */
static enum err
take_line(struct torreply *t, size_t n)
{
	const char *line = (const char *)t->bytes.data + t->line;
	unsigned code = code_of(line, n);
	bool event = code >= TORREPLY_EVENT_CODE;
	char kind;
	enum err e;

	if (code == 0 || (count(t) > 0 && event != t->event))
		return ERR_MALFORMED;
	kind = line[3];
	if (kind != ' ' && kind != '-' && kind != '+')
		return ERR_MALFORMED;
	t->event = event;
	e = add_place(t, n, kind == '+');
	if (e != ERR_OK)
		return e;
	t->line += n;
	t->in_data = kind == '+';
	return kind == ' ' ? finish(t, code) : ERR_OK;
}

/* A line of a data block: kept with its \n, a dot in front undone; "." ends it. */
static void
take_data(struct torreply *t, size_t n)
{
	char *line = (char *)t->bytes.data + t->line;

	if (n == 1 && line[0] == '.') {
		t->bytes.len = t->line;
		t->in_data = false;
		last_place(t)->data_len = t->line - last_place(t)->data;
		return;
	}
	if (n > 0 && line[0] == '.') {
		memmove(line, line + 1, n - 1);
		n--;
	}
	line[n] = '\n'; /* over the line's own end */
	t->bytes.len = t->line + n + 1;
	t->line = t->bytes.len;
}

/* A line has come whole, its LF included. */
static enum err
end_line(struct torreply *t)
{
	const char *line = (const char *)t->bytes.data + t->line;
	size_t n = t->bytes.len - t->line - 1;

	if (n > 0 && line[n - 1] == '\r')
		n--;
	if (memchr(line, '\0', n) != NULL)
		return ERR_MALFORMED;
	if (t->in_data) {
		take_data(t, n);
		return ERR_OK;
	}
	t->bytes.len = t->line + n;
	return take_line(t, n);
}

enum err
torreply_feed(struct torreply *t, const struct control_reply **out, size_t *used,
    const uint8_t *p, size_t n)
{
	size_t at = 0;

	if (t->whole)
		torreply_reset(t);
	while (at < n && !t->whole && t->err == ERR_OK) {
		const uint8_t *lf = memchr(p + at, '\n', n - at);
		size_t take = lf != NULL ? (size_t)(lf - p) + 1 - at : n - at;

		if (t->bytes.len - t->line + take > CONTROL_LINE_MAX)
			t->err = ERR_FULL;
		else
			t->err = buf_append(&t->bytes, p + at, take, CONTROL_REPLY_MAX);
		at += take;
		if (t->err == ERR_OK && lf != NULL)
			t->err = end_line(t);
	}
	if (t->err != ERR_OK)
		return t->err;
	*used = at;
	*out = t->whole ? &t->reply : NULL;
	return ERR_OK;
}

/* ---- words ---- */

/* Behind the quote that ends the string at p; NULL if none does. */
static const char *
skip_quoted(const char *p, const char *end)
{
	for (p++; p < end; p++) {
		if (*p == '"')
			return p + 1;
		if (*p == '\\' && ++p == end)
			break;
	}
	return NULL;
}

static const char *
skip_plain(const char *p, const char *end, char also)
{
	while (p < end && *p != ' ' && *p != also)
		p++;
	return p;
}

enum err
torreply_word(struct torreply_word *out, const char **at, const char *end)
{
	struct torreply_word w = {0};
	const char *p = *at;

	while (p < end && *p == ' ')
		p++;
	if (p >= end)
		return ERR_NOT_FOUND;
	w.key = p;
	p = skip_plain(p, end, '=');
	w.key_len = (size_t)(p - w.key);
	if (p < end && *p == '=') {
		w.value = ++p;
		p = p < end && *p == '"' ? skip_quoted(p, end) : skip_plain(p, end, ' ');
		if (p == NULL || (p < end && *p != ' '))
			return ERR_MALFORMED;
		w.value_len = (size_t)(p - w.value);
	}
	*at = p;
	*out = w;
	return ERR_OK;
}

bool
torreply_word_is(const struct torreply_word *w, const char *key)
{
	return w->key_len == strlen(key) && memcmp(w->key, key, w->key_len) == 0; /* public */
}

enum err
torreply_find(struct torreply_word *out, const char *text, size_t len, const char *key)
{
	const char *at = text;
	struct torreply_word w;
	enum err e;

	while ((e = torreply_word(&w, &at, text + len)) == ERR_OK) {
		if (torreply_word_is(&w, key)) {
			*out = w;
			return ERR_OK;
		}
	}
	return e;
}

/* What stands behind a backslash: *p is moved over it. -1 if it is nothing. */
static int
unescape(const char **p, const char *end)
{
	int v = 0;

	if (*p >= end)
		return -1;
	switch (**p) {
	case 'n':
		(*p)++;
		return '\n';
	case 't':
		(*p)++;
		return '\t';
	case 'r':
		(*p)++;
		return '\r';
	case '"':
	case '\\':
	case '\'':
		return *(*p)++;
	default:
		break;
	}
	for (int i = 0; i < 3; i++, (*p)++) {
		if (*p >= end || **p < '0' || **p > '7')
			return i > 0 ? v : -1;
		v = v * 8 + (**p - '0');
	}
	return v;
}

enum err
torreply_unquote(char *out, size_t size, const char *p, size_t n)
{
	const char *end = p + n;
	bool quoted = n > 0 && *p == '"';
	size_t used = 0;

	if (quoted) {
		if (skip_quoted(p, end) != end)
			return ERR_MALFORMED;
		p++;
		end--;
	}
	while (p < end) {
		int c = (unsigned char)*p++;

		if (quoted && c == '\\')
			c = unescape(&p, end);
		if (c < 0x20 || c == 0x7f || c > 0xff)
			return ERR_MALFORMED;
		if (used + 1 >= size)
			return ERR_FULL;
		out[used++] = (char)c;
	}
	if (size == 0)
		return ERR_FULL;
	out[used] = '\0';
	return ERR_OK;
}

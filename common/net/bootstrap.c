#include "config.h"

#include "common/net/bootstrap.h"

#include <string.h>

/* A word: what is before the next blank. Moves on behind that. */
struct words {
	const char *at;
	size_t left;
};

static bool
next_word(struct words *w, const char **word, size_t *n)
{
	const char *blank;

	if (w->left == 0)
		return false;
	blank = memchr(w->at, ' ', w->left);
	*word = w->at;
	*n = blank != NULL ? (size_t)(blank - w->at) : w->left;
	w->at += *n;
	w->left -= *n;
	if (w->left > 0) {
		w->at++;
		w->left--;
	}
	return true;
}

static bool
word_is(const char *word, size_t n, const char *want)
{
	return n == strlen(want) && memcmp(word, want, n) == 0; /* public */
}

/* The value of "key=value", or NULL. */
static const char *
value_of(const char *word, size_t n, const char *key, size_t *len)
{
	size_t k = strlen(key);

	if (n < k || memcmp(word, key, k) != 0) /* public */
		return NULL;
	*len = n - k;
	return word + k;
}

static bool
read_percent(unsigned *out, const char *p, size_t n)
{
	unsigned v = 0;

	if (n < 1 || n > 3)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (p[i] < '0' || p[i] > '9')
			return false;
		v = v * 10 + (unsigned)(p[i] - '0');
	}
	*out = v;
	return v <= 100;
}

static bool
read_tag(char out[static BOOTSTRAP_TAG_SIZE], const char *p, size_t n)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";

	if (n < 1 || n >= BOOTSTRAP_TAG_SIZE)
		return false;
	for (size_t i = 0; i < n; i++)
		if (p[i] == '\0' || strchr(allowed, p[i]) == NULL)
			return false;
	memcpy(out, p, n);
	out[n] = '\0';
	return true;
}

enum err
bootstrap_parse(struct bootstrap *out, const char *text, size_t n)
{
	struct bootstrap b = { .trouble = false };
	struct words w = { text, n };
	const char *word, *value;
	size_t len, value_len;

	if (!next_word(&w, &word, &len))
		return ERR_NOT_FOUND;
	b.trouble = word_is(word, len, "WARN") || word_is(word, len, "ERR");
	if (!b.trouble && !word_is(word, len, "NOTICE"))
		return ERR_NOT_FOUND;
	if (!next_word(&w, &word, &len) || !word_is(word, len, "BOOTSTRAP"))
		return ERR_NOT_FOUND;
	/* the rest may have blanks in quotes; these two come before it */
	if (!next_word(&w, &word, &len) ||
	    (value = value_of(word, len, "PROGRESS=", &value_len)) == NULL ||
	    !read_percent(&b.progress, value, value_len))
		return ERR_MALFORMED;
	if (!next_word(&w, &word, &len) ||
	    (value = value_of(word, len, "TAG=", &value_len)) == NULL ||
	    !read_tag(b.tag, value, value_len))
		return ERR_MALFORMED;
	*out = b;
	return ERR_OK;
}

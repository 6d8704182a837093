#include "config.h"

#include "gateway/toronion.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "common/base/encode.h"
#include "common/base/secret.h"

#define EXPANDED_TEXT sodium_base64_ENCODED_LEN(64, sodium_base64_VARIANT_ORIGINAL)

/* ---- ADD_ONION ---- */

struct line {
	char *at;
	size_t left; /* the NUL included; 0 once something did not fit */
};

static void
put(struct line *l, const char *text)
{
	size_t n = strlen(text);

	if (n >= l->left) {
		l->left = 0;
		return;
	}
	memcpy(l->at, text, n + 1);
	l->at += n;
	l->left -= n;
}

static void
put_number(struct line *l, const char *before, unsigned n)
{
	char text[16];

	(void)snprintf(text, sizeof(text), "%u", n);
	put(l, before);
	put(l, text);
}

static void
put_client(struct line *l, const uint8_t key[static 32])
{
	char text[ENCODE_BASE32_SIZE(32)];

	encode_base32(text, key, 32);
	put(l, " ClientAuthV3=");
	put(l, text);
}

/* Base64 as tor reads it: the standard letters, padded. */
static enum err
put_key(struct line *l, const struct onionkey *k)
{
	struct {
		uint8_t bytes[64];
		char text[EXPANDED_TEXT];
	} *expanded = secret_new(sizeof(*expanded));

	if (expanded == NULL)
		return ERR_MEMORY;
	hsid_expand(expanded->bytes, k->seed);
	(void)sodium_bin2base64(expanded->text, sizeof(expanded->text), expanded->bytes,
	    sizeof(expanded->bytes), sodium_base64_VARIANT_ORIGINAL);
	put(l, expanded->text);
	secret_free(expanded);
	return ERR_OK;
}

enum err
toronion_add(char *out, size_t size, const struct toronion_service *s)
{
	struct line l = { out, size };
	enum err e;

	put(&l, "ADD_ONION ED25519-V3:");
	e = put_key(&l, s->key);
	if (e != ERR_OK)
		return e;
	put(&l, " Flags=V3Auth");
	put_number(&l, " MaxStreams=", s->streams);
	if (s->pow)
		put(&l, " PoWDefensesEnabled=1");
	put_number(&l, " Port=", s->port);
	put(&l, ",");
	put(&l, s->target);
	put_client(&l, s->probe_pk);
	for (size_t i = 0; i < s->members->count; i++)
		put_client(&l, s->members->list[i].key);
	return l.left > 0 ? ERR_OK : ERR_FULL;
}

bool
toronion_target_ok(const char *target)
{
	return strncmp(target, "unix:/", 6) == 0 && target[6] != '\0' &&
	    target[strspn(target, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				  ":/._+-")] == '\0';
}

/* ---- what tor says ---- */

struct word {
	const char *p;
	size_t n;
};

/* The next word of [*at, end); an empty one at the end. */
static struct word
next_word(const char **at, const char *end)
{
	struct word w;

	while (*at < end && **at == ' ')
		++*at;
	w.p = *at;
	while (*at < end && **at != ' ')
		++*at;
	w.n = (size_t)(*at - w.p);
	return w;
}

static bool
is(struct word w, const char *text)
{
	return w.n == strlen(text) && memcmp(w.p, text, w.n) == 0; /* public */
}

enum toronion_event
toronion_hs_desc(const char *text, size_t len, const char *id)
{
	const char *at = text, *end = text + len;
	struct word what;

	if (!is(next_word(&at, end), "HS_DESC"))
		return TORONION_OTHER;
	what = next_word(&at, end);
	if (!is(next_word(&at, end), id))
		return TORONION_OTHER;
	if (is(what, "UPLOAD"))
		return TORONION_UPLOAD;
	if (is(what, "UPLOADED"))
		return TORONION_UPLOADED;
	if (is(what, "RECEIVED"))
		return TORONION_RECEIVED;
	/* A fetch that failed, of our own probe, says NO_AUTH there. */
	return is(what, "FAILED") && is(next_word(&at, end), "UNKNOWN") ? TORONION_FAILED
									: TORONION_OTHER;
}

/* Decimal digits, all of w; false for more than nine. */
static bool
number(uint32_t *out, struct word w)
{
	uint32_t v = 0;

	if (w.n == 0 || w.n > 9)
		return false;
	for (size_t i = 0; i < w.n; i++) {
		if (w.p[i] < '0' || w.p[i] > '9')
			return false;
		v = v * 10 + (uint32_t)(w.p[i] - '0');
	}
	*out = v;
	return true;
}

/* The value of a word "key=value". */
static bool
value(struct word *out, struct word w, const char *key)
{
	size_t n = strlen(key);

	if (w.n <= n || memcmp(w.p, key, n) != 0 || w.p[n] != '=') /* public */
		return false;
	*out = (struct word){ w.p + n + 1, w.n - n - 1 };
	return true;
}

bool
toronion_bootstrap(unsigned *percent, const char *text, size_t len)
{
	const char *at = text, *end = text + len;
	struct word w = { NULL, 0 }, v;
	uint32_t n;

	for (bool bootstrap = false; at < end; bootstrap = bootstrap || is(w, "BOOTSTRAP")) {
		w = next_word(&at, end);
		if (!bootstrap || !value(&v, w, "PROGRESS"))
			continue;
		if (!number(&n, v) || n > 100)
			return false;
		*percent = n;
		return true;
	}
	return false;
}

const char *
toronion_line(size_t *len, const char **at, const char *end)
{
	const char *start = *at, *lf;

	if (start == NULL || start >= end)
		return NULL;
	lf = memchr(start, '\n', (size_t)(end - start));
	*at = lf != NULL ? lf + 1 : end;
	*len = (size_t)((lf != NULL ? lf : end) - start);
	return start;
}

bool
toronion_rendezvous(uint32_t *circuit, const char *line, size_t len, const char *id)
{
	const char *at = line, *end = line + len;
	bool rendezvous = false, ours = false;
	struct word v;
	uint32_t n;

	if (!number(&n, next_word(&at, end)))
		return false;
	while (at < end) {
		struct word w = next_word(&at, end);

		if (value(&v, w, "PURPOSE"))
			rendezvous = is(v, "HS_SERVICE_REND");
		else if (value(&v, w, "REND_QUERY"))
			ours = is(v, id);
	}
	if (rendezvous && ours)
		*circuit = n;
	return rendezvous && ours;
}

/*
 * The charter's text. The printer defines the canonical form; the parser reads
 * the same lines in the same order and at the end demands that printing what it
 * read gives the same bytes, so that one charter has one text and one hash.
 */
#include "config.h"

#include "common/charter/charter.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/base/civil.h"
#include "common/base/encode.h"
#include "common/charter/nodeline.h"
#include "common/config/value.h"
#include "common/crypto/hash.h"

#define MAGIC "restante-charter "
#define FORMAT 1
#define LINE_BYTES 640 /* a node line is the longest */

/* ---- print ---- */

struct printer {
	struct buf *out;
	size_t max;
	enum err err; /* sticky */
};

static void
put(struct printer *pr, const char *fmt, ...) RST_PRINTF(2, 3);

/* One line. */
static void
put(struct printer *pr, const char *fmt, ...)
{
	char line[LINE_BYTES];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line) - 1, fmt, ap);
	va_end(ap);
	if (pr->err != ERR_OK)
		return;
	if (n < 0 || (size_t)n >= sizeof(line) - 1) {
		pr->err = ERR_RANGE;
		return;
	}
	line[n++] = '\n';
	pr->err = buf_append(pr->out, line, (size_t)n, pr->max);
}

static void
put_key(struct printer *pr, const char *name, const uint8_t key[static 32])
{
	char hex[ENCODE_HEX_SIZE(32)];

	encode_hex(hex, key, 32);
	put(pr, "%s = %s", name, hex);
}

static void
put_authorities(struct printer *pr, unsigned threshold, const uint8_t (*keys)[32], size_t count)
{
	put(pr, "threshold = %u", threshold);
	for (size_t i = 0; i < count; i++)
		put_key(pr, "authority", keys[i]);
}

static void
put_params(struct printer *pr, const struct params *p)
{
	char key[PARAMS_KEY_BYTES], value[PARAMS_VALUE_BYTES];

	for (size_t i = 0; params_key(key, p, i); i++)
		if (params_get(value, p, key) == ERR_OK)
			put(pr, "%s = %s", key, value);
}

static void
put_node(struct printer *pr, const struct charter_node *n)
{
	char body[NODELINE_BYTES];

	nodeline_print_body(body, n);
	if (n->role == CHARTER_MIX)
		put(pr, "node = %u layer=%u %s", n->number, n->layer, body);
	else
		put(pr, "node = %u %s", n->number, body);
}

static void
put_network(struct printer *pr, const struct charter *c)
{
	char time[CIVIL_TEXT_BYTES];

	civil_text(time, c->not_after_ms);
	put(pr, "\n[network]");
	put(pr, "name = %.*s", CHARTER_NAME_MAX - 1, c->name);
	put(pr, "version = %" PRIu32, c->version);
	put(pr, "not-after = %s", time);
	if (c->version == 1)
		return;
	put(pr, "\n[predecessor]");
	put_key(pr, "network", c->network_id);
	put_key(pr, "charter", c->previous);
	put(pr, "from-epoch = %" PRIu32, c->from_epoch);
	put_authorities(pr, c->former_threshold, c->former, c->former_count);
}

enum err
charter_print(struct buf *out, const struct charter *c)
{
	struct printer pr = { .out = out, .max = out->len + CHARTER_BYTES_MAX };

	put(&pr, MAGIC "%d", FORMAT);
	put_network(&pr, c);
	put(&pr, "\n[parameters]");
	put_params(&pr, &c->params);
	put(&pr, "\n[authorities]");
	put_authorities(&pr, c->threshold, c->authorities, c->authority_count);
	put(&pr, "\n[nodes]");
	put(&pr, "last-number = %u", c->last_number);
	for (size_t i = 0; i < c->node_count; i++)
		put_node(&pr, &c->nodes[i]);
	put(&pr, "\n[signatures]");
	return pr.err;
}

enum err
charter_print_signed(struct buf *out, const struct charter *c)
{
	struct printer pr = { .out = out, .max = out->len + CHARTER_BYTES_MAX };
	char authority[ENCODE_HEX_SIZE(32)], signature[ENCODE_HEX_SIZE(64)];

	pr.err = charter_print(out, c);
	for (size_t i = 0; i < c->held_count; i++) {
		encode_hex(authority, c->held[i].authority, 32);
		encode_hex(signature, c->held[i].signature, 64);
		put(&pr, "signature = %s %s", authority, signature);
	}
	return pr.err;
}

/* ---- the parser's lines ---- */

struct parser {
	const char *text;  /* all of it */
	size_t len, next;  /* next: where the line after `line` starts */
	size_t start;	   /* where `line` starts */
	unsigned number;   /* of `line`, from 1 */
	bool ended;	   /* the text is used up; line is empty */
	char line[LINE_BYTES];
	enum err err;	   /* sticky; the sentence is in d */
	struct diag *d;
};

static void fail(struct parser *ps, enum err e, const char *fmt, ...) RST_PRINTF(3, 4);

static void
fail(struct parser *ps, enum err e, const char *fmt, ...)
{
	char why[sizeof(ps->d->text)];
	va_list ap;

	if (ps->err != ERR_OK)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	ps->err = diag_set(ps->d, e, "line %u: %.480s", ps->number, why);
}

/* Go to the next line: printable ASCII, ended by a line feed. */
static void
advance(struct parser *ps)
{
	const char *at = ps->text + ps->next, *end;
	size_t left = ps->len - ps->next, n;

	ps->start = ps->next;
	ps->number++;
	ps->line[0] = '\0';
	ps->ended = left == 0;
	if (ps->ended || ps->err != ERR_OK)
		return;
	end = memchr(at, '\n', left);
	n = end != NULL ? (size_t)(end - at) : left;
	if (n >= sizeof(ps->line)) {
		fail(ps, ERR_MALFORMED, "longer than %zu characters", sizeof(ps->line) - 1);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		if (at[i] < 0x20 || at[i] > 0x7e) {
			fail(ps, ERR_MALFORMED, "column %zu is not a printable ASCII character",
			    i + 1);
			return;
		}
	}
	if (end == NULL) {
		fail(ps, ERR_TRUNCATED, "the text ends within this line: fetch the file anew");
		return;
	}
	memcpy(ps->line, at, n);
	ps->line[n] = '\0';
	ps->next += n + 1;
}

/* Say what was expected instead of this line. */
static void
unexpected(struct parser *ps, const char *what)
{
	if (ps->ended)
		fail(ps, ERR_TRUNCATED, "the text ends where %s must follow", what);
	else
		fail(ps, ERR_MALFORMED,
		    "%s is expected here, not \"%.60s\" (nothing may be missing, added, repeated "
		    "or in another order)",
		    what, ps->line);
}

/* This line must be exactly s. */
static void
take_line(struct parser *ps, const char *s)
{
	char what[64];

	if (ps->err != ERR_OK)
		return;
	if (!ps->ended && strcmp(ps->line, s) == 0) {
		advance(ps);
		return;
	}
	(void)snprintf(what, sizeof(what), "\"%s\"", s);
	unexpected(ps, s[0] == '\0' ? "an empty line" : what);
}

static void
take_heading(struct parser *ps, const char *s)
{
	take_line(ps, "");
	take_line(ps, s);
}

/* The value of this line if its key is `key`, else NULL. */
static const char *
value_of(const struct parser *ps, const char *key)
{
	size_t n = strlen(key);

	if (ps->err != ERR_OK || strncmp(ps->line, key, n) != 0 ||
	    strncmp(ps->line + n, " = ", 3) != 0)
		return NULL;
	return ps->line + n + 3;
}

/* The same, where nothing else may stand: fails instead of NULL. */
static const char *
demand(struct parser *ps, const char *key)
{
	const char *value = value_of(ps, key);
	char what[PARAMS_KEY_BYTES + 16];

	if (value == NULL && ps->err == ERR_OK) {
		(void)snprintf(what, sizeof(what), "\"%.*s = \"", PARAMS_KEY_BYTES - 1, key);
		unexpected(ps, what);
	}
	return value;
}

/* A count from min to max, then the next line. */
static uint32_t
take_count(struct parser *ps, const char *key, uint32_t min, uint32_t max)
{
	const char *value = demand(ps, key);
	int64_t v = 0;
	enum err e;

	if (value == NULL)
		return 0;
	e = config_integer(&v, value);
	if (e == ERR_MALFORMED)
		fail(ps, ERR_MALFORMED, "%s is not a whole number", key);
	else if (e != ERR_OK || v < (int64_t)min || v > (int64_t)max)
		fail(ps, ERR_RANGE, "%s must be %" PRIu32 " to %" PRIu32, key, min, max);
	advance(ps);
	return (uint32_t)v;
}

static void
take_key(struct parser *ps, uint8_t out[static 32], const char *key)
{
	const char *value = demand(ps, key);

	if (value == NULL)
		return;
	if (encode_from_hex(out, 32, value, strlen(value)) != ERR_OK)
		fail(ps, ERR_MALFORMED, "%s must be 64 lower-case hexadecimal digits", key);
	advance(ps);
}

/* ---- the parser's sections ---- */

static void
parse_format(struct parser *ps)
{
	const char *number = ps->line + strlen(MAGIC);
	int64_t format;

	if (ps->err != ERR_OK)
		return;
	if (ps->ended || strncmp(ps->line, MAGIC, strlen(MAGIC)) != 0 ||
	    config_integer(&format, number) != ERR_OK || format <= 0)
		fail(ps, ERR_MALFORMED, "not a charter: it begins with \"" MAGIC "%d\"", FORMAT);
	else if (format > FORMAT)
		fail(ps, ERR_VERSION,
		    MAGIC "%s: made by a newer version of restante; update this one to read it",
		    number);
	advance(ps);
}

static size_t
parse_authorities(struct parser *ps, uint8_t *threshold, uint8_t (*keys)[32])
{
	size_t count = 0;

	*threshold = (uint8_t)take_count(ps, "threshold", 1, CHARTER_AUTHORITIES_MAX);
	while (value_of(ps, "authority") != NULL) {
		if (count == CHARTER_AUTHORITIES_MAX) {
			fail(ps, ERR_FULL, "more than %d authorities", CHARTER_AUTHORITIES_MAX);
			break;
		}
		take_key(ps, keys[count++], "authority");
	}
	return count;
}

static void
parse_network(struct parser *ps, struct charter *c)
{
	const char *value;

	take_heading(ps, "[network]");
	if ((value = demand(ps, "name")) != NULL) {
		if (strlen(value) >= sizeof(c->name))
			fail(ps, ERR_RANGE, "name is longer than %zu characters",
			    sizeof(c->name) - 1);
		else
			memcpy(c->name, value, strlen(value) + 1);
		advance(ps);
	}
	c->version = take_count(ps, "version", 1, UINT32_MAX);
	if ((value = demand(ps, "not-after")) != NULL) {
		if (civil_parse(&c->not_after_ms, value, strlen(value)) != ERR_OK)
			fail(
			    ps, ERR_MALFORMED, "not-after is not a time such as 2027-11-24T00:00Z");
		advance(ps);
	}
	if (ps->err != ERR_OK || c->version == 1)
		return;
	take_heading(ps, "[predecessor]");
	take_key(ps, c->network_id, "network");
	take_key(ps, c->previous, "charter");
	c->from_epoch = take_count(ps, "from-epoch", 1, UINT32_MAX);
	c->former_count = parse_authorities(ps, &c->former_threshold, c->former);
}

static void
parse_params(struct parser *ps, struct params *p)
{
	char key[PARAMS_KEY_BYTES];
	struct diag why;
	const char *value;
	enum err e;

	take_heading(ps, "[parameters]");
	for (size_t i = 0; ps->err == ERR_OK && params_key(key, p, i); i++) {
		value = demand(ps, key);
		if (value == NULL)
			return;
		e = params_set(p, key, value, &why);
		if (e != ERR_OK)
			fail(ps, e, "%s", why.text);
		advance(ps);
	}
}

/* The digits at *s and one space after them; *s moves behind. */
static bool
next_number(uint32_t *out, const char **s, uint32_t max)
{
	size_t n = strspn(*s, "0123456789");
	char digits[8];
	int64_t v;

	if (n >= sizeof(digits) || (*s)[n] != ' ')
		return false;
	memcpy(digits, *s, n);
	digits[n] = '\0';
	if (config_integer(&v, digits) != ERR_OK || v > max)
		return false;
	*out = (uint32_t)v;
	*s += n + 1;
	return true;
}

/* "NUMBER layer=L mix ...", "NUMBER gateway ..." or "NUMBER registrar ..." */
static void
parse_node(struct parser *ps, struct charter_node *out, unsigned layers, const char *value)
{
	uint32_t number = 0, layer = layers;
	bool layered = false;
	struct diag why;
	enum err e;

	if (!next_number(&number, &value, UINT16_MAX) || number == 0) {
		fail(ps, ERR_MALFORMED, "a node begins with its number, 1 to %d", UINT16_MAX);
		return;
	}
	if (strncmp(value, "layer=", 6) == 0) {
		layered = true;
		value += 6;
		if (!next_number(&layer, &value, layers - 1)) {
			fail(ps, ERR_RANGE, "node %u: layers go from 0 to %u", number, layers - 1);
			return;
		}
	}
	e = nodeline_parse_body(out, value, &why);
	if (e != ERR_OK)
		fail(ps, e, "node %u: %s", number, why.text);
	else if ((out->role == CHARTER_MIX) != layered)
		fail(ps, ERR_MALFORMED, "node %u: a mix has a layer=, no other node does", number);
	out->number = (uint16_t)number;
	out->layer = out->role == CHARTER_REGISTRAR ? CHARTER_NO_LAYER : (uint8_t)layer;
}

static void
parse_nodes(struct parser *ps, struct charter *c)
{
	const char *value;

	take_heading(ps, "[nodes]");
	c->last_number = (uint16_t)take_count(ps, "last-number", 0, UINT16_MAX);
	while ((value = value_of(ps, "node")) != NULL) {
		if (c->node_count == CHARTER_NODES_MAX) {
			fail(ps, ERR_FULL, "more than %d nodes", CHARTER_NODES_MAX);
			return;
		}
		parse_node(ps, &c->nodes[c->node_count++], c->params.layers, value);
		advance(ps);
	}
}

/* The first `len` bytes of the text must be what charter_print makes of c. */
static void
check_canonical(struct parser *ps, const struct charter *c, size_t len)
{
	struct buf text;
	size_t same = 0;
	enum err e;

	buf_init(&text);
	e = charter_print(&text, c);
	if (e != ERR_OK) {
		fail(ps, e, "too large");
	} else if (text.len != len || memcmp(text.data, ps->text, len) != 0) {
		while (same < len && same < text.len && text.data[same] == (uint8_t)ps->text[same])
			same++;
		ps->number = 1;
		for (size_t i = 0; i < same; i++)
			ps->number += ps->text[i] == '\n' ? 1 : 0;
		fail(ps, ERR_MALFORMED,
		    "not in canonical form: let restante-charter write the file");
	}
	buf_release(&text);
}

/* One "signature = AUTHORITY SIGNATURE" line over the first `len` bytes. */
static void
parse_signature(struct parser *ps, struct charter *c, size_t len, const char *value)
{
	size_t n = strlen(value);
	struct charter_signature s;

	if (n < 65 || value[64] != ' ' || encode_from_hex(s.authority, 32, value, 64) != ERR_OK ||
	    encode_from_hex(s.signature, 64, value + 65, n - 65) != ERR_OK) {
		fail(ps, ERR_MALFORMED,
		    "a signature has 64 hexadecimal digits of the signer's key, a space, and 128 "
		    "digits of the signature");
		return;
	}
	if (!charter_is_authority(c, s.authority) && !charter_is_former(c, s.authority))
		fail(ps, ERR_SIGNATURE, "the signer %.16s... is not an authority of this charter",
		    value);
	else if (crypto_sign_verify_detached(s.signature, (const uint8_t *)ps->text, len,
	    s.authority) != 0)
		fail(ps, ERR_SIGNATURE,
		    "the signature of %.16s... does not verify: the text or the signature was "
		    "changed",
		    value);
	else if (charter_hold(c, &s) != ERR_OK)
		fail(ps, ERR_FULL, "more than %d signatures", CHARTER_SIGNATURES_MAX);
}

/* The last heading ends the signed bytes; hash them, then verify what follows. */
static void
parse_signatures(struct parser *ps, struct charter *c)
{
	const char *value;
	size_t len;

	take_line(ps, "");
	if (ps->err != ERR_OK)
		return;
	len = ps->next; /* the end of the heading's line */
	take_line(ps, "[signatures]");
	if (ps->err != ERR_OK)
		return;
	check_canonical(ps, c, len);
	hash_256(c->hash, ps->text, len);
	if (c->version == 1)
		memcpy(c->network_id, c->hash, sizeof(c->network_id));
	while ((value = value_of(ps, "signature")) != NULL) {
		parse_signature(ps, c, len, value);
		advance(ps);
	}
	if (ps->err == ERR_OK && !ps->ended)
		fail(ps, ERR_TRAILING, "only \"signature = \" lines may follow here, not \"%.60s\"",
		    ps->line);
}

/* Allocate and parse; what the checks of charter.h say is not asked here. */
static enum err
parse(struct charter **out, const void *text, size_t len, struct diag *d)
{
	struct diag unused;
	struct parser ps = { .text = text, .len = len, .d = d != NULL ? d : &unused };
	struct charter *c;

	if (len > CHARTER_BYTES_MAX)
		return diag_set(
		    d, ERR_RANGE, "larger than %d bytes: not a charter", CHARTER_BYTES_MAX);
	c = charter_new();
	if (c == NULL)
		return diag_set(d, ERR_MEMORY, "out of memory");
	advance(&ps);
	parse_format(&ps);
	parse_network(&ps, c);
	parse_params(&ps, &c->params);
	take_heading(&ps, "[authorities]");
	c->authority_count = parse_authorities(&ps, &c->threshold, c->authorities);
	parse_nodes(&ps, c);
	charter_derive(c);
	parse_signatures(&ps, c);
	if (ps.err != ERR_OK) {
		charter_free(c);
		return ps.err;
	}
	*out = c;
	return ERR_OK;
}

enum err
charter_parse_draft(struct charter **out, const void *text, size_t len, struct diag *d)
{
	struct charter *c;
	enum err e = parse(&c, text, len, d);

	if (e != ERR_OK)
		return e;
	e = charter_check_draft(c, d);
	if (e != ERR_OK) {
		charter_free(c);
		return e;
	}
	*out = c;
	return ERR_OK;
}

enum err
charter_parse(struct charter **out, const void *text, size_t len, struct diag *d)
{
	struct charter *c;
	enum err e = parse(&c, text, len, d);

	if (e != ERR_OK)
		return e;
	e = charter_check(c, d);
	if (e == ERR_OK)
		e = charter_check_signatures(c, d);
	if (e != ERR_OK) {
		charter_free(c);
		return e;
	}
	*out = c;
	return ERR_OK;
}

/* Where a line begins in the text, behind the line feed before it; NULL. */
static const char *
find_line(const char *text, size_t len, const char *line)
{
	size_t n = strlen(line);

	for (size_t i = 0; i + n < len; i++)
		if (text[i] == '\n' && memcmp(text + i + 1, line, n) == 0) /* public */
			return text + i + 1;
	return NULL;
}

enum err
charter_peek(uint32_t *version, uint8_t hash[static 32], const void *text, size_t len)
{
	static const char key[] = "version = ", end[] = "[signatures]\n";
	const char *t = text;
	const char *v = len <= CHARTER_BYTES_MAX ? find_line(t, len, key) : NULL;
	const char *s = v != NULL ? find_line(v, len - (size_t)(v - t), end) : NULL;
	uint64_t n = 0;

	if (s == NULL)
		return ERR_MALFORMED;
	v += sizeof(key) - 1;
	for (; v < s && *v >= '0' && *v <= '9' && n <= UINT32_MAX; v++)
		n = 10 * n + (uint64_t)(*v - '0');
	if (*v != '\n' || n == 0 || n > UINT32_MAX)
		return ERR_MALFORMED;
	*version = (uint32_t)n;
	hash_256(hash, text, (size_t)(s - t) + sizeof(end) - 1);
	return ERR_OK;
}

#include "config.h"

#include "common/journal/evidence.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/encode.h"
#include "common/charter/sheet.h"
#include "common/charter/timing.h"
#include "common/crypto/hash.h"
#include "common/journal/block.h"

#define HEAD "restante-evidence 1\n"
#define HEAD_ANY "restante-evidence "
#define CHECK_BYTES 16
#define LINE_MAX_BYTES 256

static const char *const kind_names[] = { "block", "epoch-block", "sheet", "notice" };
#define KINDS (sizeof(kind_names) / sizeof(kind_names[0]))

/* ---- what two statements say ---- */

static int
order(const struct evidence_statement *a, const struct evidence_statement *b)
{
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	if (a->number != b->number)
		return a->number < b->number ? -1 : 1;
	return memcmp(a->hash, b->hash, sizeof(a->hash)); /* public */
}

bool
evidence_of_round(enum evidence_kind k)
{
	return k == EVIDENCE_BLOCK || k == EVIDENCE_EPOCH_BLOCK;
}

const char *
evidence_kind_name(enum evidence_kind k)
{
	return kind_names[k];
}

enum evidence_about
evidence_about(const struct evidence *e)
{
	enum evidence_kind k = e->said[0].kind;

	return k == EVIDENCE_SHEET ? EVIDENCE_ABOUT_SHEETS :
	    k == EVIDENCE_NOTICE ? EVIDENCE_ABOUT_NOTICES : EVIDENCE_ABOUT_BLOCKS;
}

static uint32_t
epoch_of(const struct evidence_statement *s, const struct params *p)
{
	if (!evidence_of_round(s->kind))
		return (uint32_t)s->number;
	if (s->number > (uint64_t)(INT64_MAX / p->round_ms))
		return UINT32_MAX;
	return timing_epoch(p, timing_round_start(p, s->number));
}

uint32_t
evidence_epoch(const struct evidence *e, const struct params *p)
{
	return epoch_of(&e->said[0], p);
}

enum evidence_lie
evidence_lie(const struct evidence *e, const struct params *p, uint64_t *number)
{
	const struct evidence_statement *a = &e->said[0], *b = &e->said[1];
	bool blocks = evidence_of_round(a->kind);

	*number = a->number;
	if (blocks != evidence_of_round(b->kind) || (!blocks && a->kind != b->kind) ||
	    memcmp(a->hash, b->hash, sizeof(a->hash)) == 0) /* public */
		return EVIDENCE_NO_LIE;
	if (a->number == b->number)
		return blocks ? EVIDENCE_TWO_BLOCKS :
		    a->kind == EVIDENCE_SHEET ? EVIDENCE_TWO_SHEETS : EVIDENCE_TWO_NOTICES;
	*number = epoch_of(a, p);
	if (a->kind == EVIDENCE_EPOCH_BLOCK && b->kind == EVIDENCE_EPOCH_BLOCK &&
	    epoch_of(b, p) == epoch_of(a, p))
		return EVIDENCE_TWO_EPOCH_BLOCKS;
	return EVIDENCE_NO_LIE;
}

const char *
evidence_lie_name(enum evidence_lie l)
{
	switch (l) {
	case EVIDENCE_NO_LIE:
		return "nothing";
	case EVIDENCE_TWO_BLOCKS:
		return "blocks";
	case EVIDENCE_TWO_EPOCH_BLOCKS:
		return "epoch-blocks";
	case EVIDENCE_TWO_SHEETS:
		return "sheets";
	case EVIDENCE_TWO_NOTICES:
		return "notices";
	}
	return "nothing";
}

void
evidence_sentence(char out[static EVIDENCE_SENTENCE_BYTES], const struct evidence *e,
    const struct charter *c)
{
	static const char *const what[] = { "two statements for one", "two blocks for round",
		"two epoch blocks for epoch", "two sheets for epoch",
		"two notices of issuer keys for epoch" };
	char one[ENCODE_HEX_SIZE(32)], other[ENCODE_HEX_SIZE(32)];
	uint64_t number;
	enum evidence_lie lie = evidence_lie(e, &c->params, &number);

	encode_hex(one, e->said[0].hash, 32);
	encode_hex(other, e->said[1].hash, 32);
	(void)snprintf(out, EVIDENCE_SENTENCE_BYTES,
	    "The gateway of the network \"%s\" (node %u) lied: it signed %s %" PRIu64
	    " where there may be one. One has the hash %s, the other %s.",
	    c->name, e->gateway, what[lie], number, one, other);
}

/* ---- signatures ---- */

static enum err
verify_statement(const struct evidence_statement *s, const struct charter *c,
    const struct charter_node *gateway)
{
	if (!evidence_of_round(s->kind) && s->number > UINT32_MAX)
		return ERR_SIGNATURE;
	if (s->kind == EVIDENCE_SHEET)
		return sheet_verify(gateway->number, (uint32_t)s->number, s->hash, s->signature,
		    c->network_id, gateway->identity);
	if (s->kind == EVIDENCE_NOTICE)
		return notice_verify(gateway->number, (uint32_t)s->number, s->hash, s->signature,
		    c->network_id, gateway->identity);
	return block_verify(s->kind == EVIDENCE_EPOCH_BLOCK, gateway->number, s->number, s->hash,
	    s->signature, c->network_id, gateway->identity);
}

enum err
evidence_verify(const struct evidence *e, const struct charter *c, struct diag *d)
{
	const struct charter_node *gateway = charter_gateway(c);
	uint64_t number;

	if (memcmp(e->network_id, c->network_id, 32) != 0) /* public */
		return diag_set(d, ERR_STATE, "it is about another network: get that network's "
		    "charter");
	if (gateway == NULL || gateway->number != e->gateway)
		return diag_set(d, ERR_NOT_FOUND, "node %u, which it accuses, is not the gateway of "
		    "this charter", e->gateway);
	if (evidence_lie(e, &c->params, &number) == EVIDENCE_NO_LIE)
		return diag_set(d, ERR_STATE, "its two statements do not contradict each other");
	for (size_t i = 0; i < 2; i++)
		if (verify_statement(&e->said[i], c, gateway) != ERR_OK)
			return diag_set(d, ERR_SIGNATURE, "the gateway's signature of its %s "
			    "statement does not verify", i == 0 ? "first" : "second");
	return ERR_OK;
}

enum err
evidence_make(struct evidence *out, const struct charter *c, const struct evidence_statement *a,
    const struct evidence_statement *b)
{
	const struct charter_node *gateway = charter_gateway(c);
	bool ascending = order(a, b) < 0;
	struct evidence e = { .said = { ascending ? *a : *b, ascending ? *b : *a } };
	enum err err;

	if (gateway == NULL)
		return ERR_NOT_FOUND;
	memcpy(e.network_id, c->network_id, sizeof(e.network_id));
	e.gateway = gateway->number;
	err = evidence_verify(&e, c, NULL);
	if (err == ERR_OK)
		*out = e;
	return err;
}

static struct evidence_statement
said_in(const struct notice *n)
{
	struct evidence_statement s = { .kind = EVIDENCE_NOTICE, .number = n->keys.epoch };

	memcpy(s.hash, n->hash, sizeof(s.hash));
	memcpy(s.signature, n->signature, sizeof(s.signature));
	return s;
}

enum err
evidence_of_notices(struct evidence *out, const struct charter *c, const struct notice *a,
    const struct notice *b)
{
	const struct evidence_statement one = said_in(a), other = said_in(b);

	return evidence_make(out, c, &one, &other);
}

/* ---- text ---- */

static enum err
put_line(struct buf *out, const char *line)
{
	return buf_append(out, line, strlen(line), SIZE_MAX);
}

static enum err
put_statement(struct buf *out, const struct evidence_statement *s)
{
	char hash[ENCODE_HEX_SIZE(32)], signature[ENCODE_HEX_SIZE(64)], line[LINE_MAX_BYTES];

	encode_hex(hash, s->hash, sizeof(s->hash));
	encode_hex(signature, s->signature, sizeof(s->signature));
	(void)snprintf(line, sizeof(line), "%s = %" PRIu64 " %s %s\n", kind_names[s->kind],
	    s->number, hash, signature);
	return put_line(out, line);
}

/* The last line: BLAKE2b-128 of all before it. */
static enum err
put_check(struct buf *out, size_t from)
{
	struct hash_part part = { out->data + from, out->len - from };
	char hex[ENCODE_HEX_SIZE(CHECK_BYTES)], line[LINE_MAX_BYTES];
	uint8_t check[CHECK_BYTES];

	hash_parts(check, sizeof(check), &part, 1);
	encode_hex(hex, check, sizeof(check));
	(void)snprintf(line, sizeof(line), "check = %s\n", hex);
	return put_line(out, line);
}

enum err
evidence_encode(struct buf *out, const struct evidence *e)
{
	char hex[ENCODE_HEX_SIZE(32)], line[LINE_MAX_BYTES];
	size_t from = out->len;
	enum err err;

	encode_hex(hex, e->network_id, sizeof(e->network_id));
	(void)snprintf(line, sizeof(line), HEAD "network = %s\ngateway = %u\n", hex, e->gateway);
	err = put_line(out, line);
	if (err == ERR_OK)
		err = put_statement(out, &e->said[0]);
	if (err == ERR_OK)
		err = put_statement(out, &e->said[1]);
	if (err == ERR_OK)
		err = put_check(out, from);
	if (err != ERR_OK)
		out->len = from;
	return err;
}

/* What is still to be read. */
struct text {
	const char *at;
	size_t left;
	bool bad;
};

static void
expect(struct text *t, const char *s)
{
	size_t n = strlen(s);

	if (t->bad || t->left < n || memcmp(t->at, s, n) != 0) { /* public */
		t->bad = true;
		return;
	}
	t->at += n;
	t->left -= n;
}

static void
get_hex(struct text *t, uint8_t *out, size_t n)
{
	if (t->bad || t->left < 2 * n || encode_from_hex(out, n, t->at, 2 * n) != ERR_OK) {
		t->bad = true;
		return;
	}
	t->at += 2 * n;
	t->left -= 2 * n;
}

/* Any digits; that there were not too many zeros is seen when it is written again. */
static uint64_t
get_number(struct text *t, uint64_t max)
{
	uint64_t v = 0;

	for (; !t->bad && t->left > 0 && *t->at >= '0' && *t->at <= '9'; t->at++, t->left--) {
		uint64_t digit = (uint64_t)(*t->at - '0');

		if (v > (max - digit) / 10)
			t->bad = true;
		else
			v = 10 * v + digit;
	}
	return v;
}

static void
get_statement(struct text *t, struct evidence_statement *s)
{
	size_t kind = 0;

	while (kind < KINDS && (t->left <= strlen(kind_names[kind]) ||
	    memcmp(t->at, kind_names[kind], strlen(kind_names[kind])) != 0)) /* public */
		kind++;
	if (kind == KINDS) {
		t->bad = true;
		return;
	}
	s->kind = (enum evidence_kind)kind;
	expect(t, kind_names[kind]);
	expect(t, " = ");
	s->number = get_number(t, evidence_of_round(s->kind) ? UINT64_MAX : UINT32_MAX);
	expect(t, " ");
	get_hex(t, s->hash, sizeof(s->hash));
	expect(t, " ");
	get_hex(t, s->signature, sizeof(s->signature));
	expect(t, "\n");
}

/* Whether the text is the very one that e would be written as. */
static enum err
is_text_of(const struct evidence *e, const void *text, size_t len)
{
	struct buf again;
	enum err err;

	buf_init(&again);
	err = evidence_encode(&again, e);
	if (err == ERR_OK && (again.len != len || memcmp(again.data, text, len) != 0)) /* public */
		err = ERR_MALFORMED;
	buf_release(&again);
	return err;
}

static enum err
judge_head(const struct text *t, struct diag *d)
{
	size_t n = strlen(HEAD_ANY);

	if (t->left >= strlen(HEAD) && memcmp(t->at, HEAD, strlen(HEAD)) == 0) /* public */
		return ERR_OK;
	if (t->left > n + 1 && memcmp(t->at, HEAD_ANY, n) == 0 && /* public */
	    t->at[n] >= '1' && t->at[n] <= '9')
		return diag_set(d, ERR_VERSION, "the evidence has a newer format: use a newer version "
		    "of this program");
	return diag_set(d, ERR_MALFORMED, "this is no evidence: it does not begin with \"%s\"",
	    "restante-evidence 1");
}

enum err
evidence_parse(struct evidence *out, const void *text, size_t len, struct diag *d)
{
	struct text t = { .at = text, .left = len };
	struct evidence e = { .gateway = 0 };
	uint8_t check[CHECK_BYTES];
	enum err err = judge_head(&t, d);

	if (err != ERR_OK)
		return err;
	expect(&t, HEAD "network = ");
	get_hex(&t, e.network_id, sizeof(e.network_id));
	expect(&t, "\ngateway = ");
	e.gateway = (uint16_t)get_number(&t, UINT16_MAX);
	expect(&t, "\n");
	get_statement(&t, &e.said[0]);
	get_statement(&t, &e.said[1]);
	expect(&t, "check = ");
	get_hex(&t, check, sizeof(check));
	expect(&t, "\n");
	if (t.bad || t.left > 0 || order(&e.said[0], &e.said[1]) > 0)
		err = ERR_MALFORMED;
	if (err == ERR_OK)
		err = is_text_of(&e, text, len);
	if (err != ERR_OK)
		return diag_set(d, err, err == ERR_MALFORMED ? "the evidence is damaged, or was "
		    "changed: get an exact copy" : "out of memory");
	*out = e;
	return ERR_OK;
}

size_t
evidence_length(const char *text, size_t n)
{
	static const char last[] = "\ncheck = ";
	const char *at = memmem(text, n, last, sizeof(last) - 1);
	const char *end = at != NULL ? memchr(at + 1, '\n', n - (size_t)(at + 1 - text)) : NULL;

	return end != NULL ? (size_t)(end + 1 - text) : n;
}

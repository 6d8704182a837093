/* The commands that make and change a draft. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/civil.h"
#include "common/base/clock.h"
#include "common/charter/nodeline.h"
#include "common/charter/timing.h"
#include "common/charter/tool/file.h"
#include "common/charter/tool/keyfile.h"
#include "common/charter/tool/tool.h"

#define YEAR_DAYS 365
#define CEREMONY_MS ((int64_t)3600000) /* for signing, until the charter is published */

/* ---- create ---- */

/* The time given, or midnight a year from now. */
static enum err
take_not_after(struct charter *ch, const char *text, struct diag *d)
{
	int64_t now = clock_wall_ms(clock_system());

	if (text[0] == '\0') {
		ch->not_after_ms = (now / CIVIL_DAY_MS + YEAR_DAYS) * CIVIL_DAY_MS;
		return ERR_OK;
	}
	if (civil_parse(&ch->not_after_ms, text, strlen(text)) != ERR_OK)
		return diag_set(d, ERR_MALFORMED,
		    "not-after is not a time such as 2027-11-24 or 2027-11-24T06:00Z (UTC)");
	if (ch->not_after_ms <= now)
		return diag_set(d, ERR_RANGE, "not-after has passed already");
	return ERR_OK;
}

int
tool_run_create(const struct call *c)
{
	const struct tool_create_options *o = c->own;
	struct charter *ch = charter_new();
	struct diag d = { "" };
	enum err e;
	int code;

	if (ch == NULL) {
		(void)diag_set(&d, ERR_MEMORY, "out of memory");
		return tool_complain(c, TOOL_REFUSED, NULL, &d);
	}
	memcpy(ch->name, o->name, sizeof(ch->name));
	ch->threshold = (uint8_t)o->threshold;
	e = take_not_after(ch, o->not_after, &d);
	if (e == ERR_OK)
		e = charter_check_draft(ch, &d);
	code = e == ERR_OK ? tool_create(c, c->operands[0], ch) :
			     tool_complain(c, TOOL_REFUSED, NULL, &d);
	charter_free(ch);
	return code;
}

/* ---- nodes ---- */

/* Where a node goes: its number, and the layer that its role demands. */
static enum err
place_node(struct charter_node *n, const struct charter *ch, int64_t layer, struct diag *d)
{
	if (ch->last_number == UINT16_MAX)
		return diag_set(d, ERR_FULL, "all node numbers are used up: found a new network");
	n->number = (uint16_t)(ch->last_number + 1);
	if (n->role != CHARTER_MIX && layer >= 0)
		return diag_set(d, ERR_USAGE, "this is a %s's line: a %s has no --layer",
		    charter_role_text(n->role), charter_role_text(n->role));
	if (n->role != CHARTER_MIX)
		return ERR_OK; /* charter_derive says which */
	if (layer < 0 || layer >= ch->params.layers)
		return diag_set(d, ERR_USAGE, "a mix needs --layer from 0 (first) to %u (last)",
		    ch->params.layers - 1u);
	n->layer = (uint8_t)layer;
	return ERR_OK;
}

int
tool_run_add_node(const struct call *c)
{
	const struct tool_node_options *o = c->own;
	struct charter_node n;
	struct tool_draft t;
	struct diag d = { "" };
	char line[NODELINE_BYTES];
	enum err e;
	int code = tool_line(line, sizeof(line), c, 1);

	if (code != TOOL_OK)
		return code;
	if (nodeline_parse(&n, line, &d) != ERR_OK)
		return tool_complain(c, TOOL_REFUSED, NULL, &d);
	code = tool_open(&t, c, c->operands[0]);
	if (code != TOOL_OK)
		return code;
	e = place_node(&n, t.charter, o->layer, &d);
	if (e == ERR_OK) {
		e = charter_add_node(t.charter, &n);
		if (e != ERR_OK)
			(void)diag_set(&d, e,
			    "the node cannot be added: a charter has room for %d nodes",
			    CHARTER_NODES_MAX);
	}
	if (e != ERR_OK) {
		code = tool_abandon(&t, c, &d);
		return e == ERR_USAGE ? TOOL_USAGE : code;
	}
	code = tool_commit(&t, c);
	if (code == TOOL_OK)
		(void)fprintf(c->out, "node %u\n", n.number);
	return code;
}

int
tool_run_remove_node(const struct call *c)
{
	struct tool_draft t;
	struct diag d;
	int64_t number;
	int code;

	if (config_integer(&number, c->operands[1]) != ERR_OK || number < 1 ||
	    number > UINT16_MAX) {
		(void)diag_set(&d, ERR_USAGE, "a node's number is 1 to %d", UINT16_MAX);
		return tool_complain(c, TOOL_USAGE, NULL, &d);
	}
	code = tool_open(&t, c, c->operands[0]);
	if (code != TOOL_OK)
		return code;
	if (charter_remove_node(t.charter, (uint16_t)number) != ERR_OK) {
		(void)diag_set(&d, ERR_NOT_FOUND, "there is no node %d: see restante-charter show",
		    (int)number);
		return tool_abandon(&t, c, &d);
	}
	return tool_commit(&t, c);
}

/* What a node's line says anew of the node with the same identity. */
int
tool_run_change_node(const struct call *c)
{
	struct charter_node n;
	struct tool_draft t;
	struct diag d = { "" };
	char line[NODELINE_BYTES];
	int code = tool_line(line, sizeof(line), c, 1);

	if (code != TOOL_OK)
		return code;
	if (nodeline_parse(&n, line, &d) != ERR_OK)
		return tool_complain(c, TOOL_REFUSED, NULL, &d);
	code = tool_open(&t, c, c->operands[0]);
	if (code != TOOL_OK)
		return code;
	if (charter_change_node(t.charter, &n) != ERR_OK) {
		(void)diag_set(&d, ERR_NOT_FOUND, "no node of this kind has this identity: see "
		    "restante-charter show, or add it with add-node");
		return tool_abandon(&t, c, &d);
	}
	return tool_commit(&t, c);
}

/* ---- authorities ---- */

typedef enum err change_authorities(struct charter *ch, const uint8_t pk[static 32]);

static int
with_authority(const struct call *c, change_authorities *change)
{
	char line[KEYFILE_PUBLIC_BYTES];
	struct tool_draft t;
	struct diag d = { "" };
	uint8_t pk[32];
	enum err e;
	int code = tool_line(line, sizeof(line), c, 1);

	if (code != TOOL_OK)
		return code;
	if (keyfile_parse_public(pk, line, &d) != ERR_OK)
		return tool_complain(c, TOOL_REFUSED, NULL, &d);
	code = tool_open(&t, c, c->operands[0]);
	if (code != TOOL_OK)
		return code;
	e = change(t.charter, pk);
	if (e == ERR_OK)
		return tool_commit(&t, c);
	(void)diag_set(&d, e, "%s", e == ERR_EXISTS ? "this authority is there already" :
	    e == ERR_NOT_FOUND ? "there is no such authority: see restante-charter show" :
	    e == ERR_FULL ? "a charter has room for 32 authorities" : err_text(e));
	return tool_abandon(&t, c, &d);
}

int
tool_run_add_authority(const struct call *c)
{
	return with_authority(c, charter_add_authority);
}

int
tool_run_remove_authority(const struct call *c)
{
	return with_authority(c, charter_remove_authority);
}

/* ---- set ---- */

static enum err
set_threshold(struct charter *ch, const char *value, struct diag *d)
{
	int64_t v;

	if (config_integer(&v, value) != ERR_OK || v < 1 || v > CHARTER_AUTHORITIES_MAX)
		return diag_set(d, ERR_RANGE, "threshold must be 1 to %d", CHARTER_AUTHORITIES_MAX);
	ch->threshold = (uint8_t)v;
	return ERR_OK;
}

static enum err
set_name(struct charter *ch, const char *value, struct diag *d)
{
	if (strlen(value) >= sizeof(ch->name))
		return diag_set(
		    d, ERR_RANGE, "name is longer than %zu characters", sizeof(ch->name) - 1);
	memset(ch->name, 0, sizeof(ch->name));
	memcpy(ch->name, value, strlen(value));
	return ERR_OK;
}

static enum err
set_from_epoch(struct charter *ch, const char *value, struct diag *d)
{
	int64_t v;

	if (ch->version == 1)
		return diag_set(d, ERR_STATE, "a founding charter has no from-epoch");
	if (config_integer(&v, value) != ERR_OK || v < 1 || v > UINT32_MAX)
		return diag_set(d, ERR_RANGE, "from-epoch must be 1 to %" PRIu32, UINT32_MAX);
	ch->from_epoch = (uint32_t)v;
	return ERR_OK;
}

static enum err
set_one(struct charter *ch, const char *key, const char *value, struct diag *d)
{
	if (strcmp(key, "name") == 0)
		return set_name(ch, value, d);
	if (strcmp(key, "not-after") == 0)
		return take_not_after(ch, value, d);
	if (strcmp(key, "threshold") == 0)
		return set_threshold(ch, value, d);
	if (strcmp(key, "from-epoch") == 0)
		return set_from_epoch(ch, value, d);
	return params_set(&ch->params, key, value, d);
}

/* Whether one of the names that are set is `key`. */
static bool
names(const struct call *c, const char *key)
{
	for (size_t i = 1; i < c->operand_count; i += 2)
		if (strcmp(c->operands[i], key) == 0)
			return true;
	return false;
}

/*
 * The pieces follow from the crowd unless they are set too, or fixed because the
 * network runs already; whether they changed.
 */
static bool
derive_pieces(const struct call *c, struct charter *ch)
{
	struct params *p = &ch->params;
	uint32_t least = params_least_pieces(p);

	if (ch->version > 1 || (!names(c, "people") && !names(c, "mailboxes")) ||
	    names(c, "pieces") ||
	    least > PARAMS_PIECES_MAX || least == p->pieces)
		return false;
	p->pieces = least;
	return true;
}

int
tool_run_set(const struct call *c)
{
	struct tool_draft t;
	struct diag d = { "" };
	uint32_t pieces;
	bool derived;
	int code;

	if (c->operand_count % 2 == 0) {
		(void)diag_set(&d, ERR_USAGE, "each name needs a value (quote values with spaces)");
		return tool_complain(c, TOOL_USAGE, NULL, &d);
	}
	code = tool_open(&t, c, c->operands[0]);
	if (code != TOOL_OK)
		return code;
	for (size_t i = 1; i < c->operand_count; i += 2)
		if (set_one(t.charter, c->operands[i], c->operands[i + 1], &d) != ERR_OK)
			return tool_abandon(&t, c, &d);
	derived = derive_pieces(c, t.charter);
	pieces = t.charter->params.pieces;
	code = tool_commit(&t, c);
	if (code == TOOL_OK && derived)
		(void)fprintf(c->out, "pieces = %" PRIu32 "\n", pieces);
	return code;
}

/* ---- next ---- */

int
tool_run_next(const struct call *c)
{
	const struct tool_next_options *o = c->own;
	struct charter *ch, *next;
	struct diag d = { "" };
	uint32_t from;
	enum err e;
	int code = tool_load(&ch, c, c->operands[0], TOOL_CHARTER);

	if (code != TOOL_OK)
		return code;
	from = timing_first_change(&ch->params,
	    clock_wall_ms(clock_system()) + params_scaled(&ch->params, CEREMONY_MS));
	if (o->from_epoch > 0)
		from = (uint32_t)o->from_epoch;
	e = charter_successor(&next, ch, from);
	if (e == ERR_OK) {
		e = charter_follows(next, ch, &d);
		code = e == ERR_OK ? tool_create(c, c->operands[1], next) :
				     tool_complain(c, TOOL_REFUSED, NULL, &d);
		charter_free(next);
	} else {
		(void)diag_set(&d, e, "%s", err_text(e));
		code = tool_complain(c, TOOL_REFUSED, NULL, &d);
	}
	if (code == TOOL_OK)
		(void)fprintf(
		    c->out, "version %" PRIu32 " from epoch %" PRIu32 "\n", ch->version + 1, from);
	charter_free(ch);
	return code;
}

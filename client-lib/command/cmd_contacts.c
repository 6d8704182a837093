#include "config.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "client-lib/command/commands.h"
#include "client-lib/command/show.h"
#include "client-lib/command/talk.h"
#include "client-lib/invite.h"

struct invite_options {
	int64_t valid_ms;
	bool qr;
};
static const struct config_key invite_keys[] = {
	{ "valid", CONFIG_DURATION, 1000, INT64_C(90) * 86400000, "7d", NULL,
	    "how long the invitation can be accepted", NULL,
	    CONFIG_FIELD(struct invite_options, valid_ms), NULL, false, 0 },
	{ "qr", CONFIG_BOOL, 0, 0, "no", NULL, "also draw it as a QR code", NULL,
	    CONFIG_FIELD(struct invite_options, qr), NULL, false, 'q' },
};
const struct config_schema cmd_invite_schema = {
	.keys = invite_keys,
	.count = sizeof(invite_keys) / sizeof(invite_keys[0]),
	.size = sizeof(struct invite_options),
};

static void
each_invitation(void *arg, const struct wire *a)
{
	const struct call *c = arg;
	const struct invite_options *o = c->own;

	if (a->type == WIRE_IS_INVITATION)
		show_invitation(c->out, a->text, o->qr, talk_json(c));
}

int
cmd_invite(const struct call *c)
{
	const struct invite_options *o = c->own;
	struct wire q = { .type = WIRE_INVITE, .text = "", .number = (uint64_t)o->valid_ms / 1000 };
	struct diag d;
	enum err e = talk_name(&q, c->operands[0], &d);

	if (e != ERR_OK)
		return options_fail(c, e, &d);
	return talk_once(c, &q, each_invitation, (void *)(uintptr_t)c);
}

/* The invitation is an operand, or all of standard input; it may be cut into lines. */
int
cmd_accept(const struct call *c)
{
	struct wire q = { .type = WIRE_ACCEPT };
	char text[2 * INVITE_TEXT_MAX];
	struct diag d;
	int rc;
	enum err e = talk_name(&q, c->operands[0], &d);

	if (e != ERR_OK)
		return options_fail(c, e, &d);
	q.text = c->operands[1];
	if (q.text == NULL || strcmp(q.text, "-") == 0) {
		text[fread(text, 1, sizeof(text) - 1, stdin)] = '\0';
		if (text[0] == '\0')
			return options_fail(c,
			    diag_set(&d, ERR_USAGE, "no invitation was given on standard input"), &d);
		q.text = text;
	}
	q.text_len = strlen(q.text);
	rc = talk_once(c, &q, NULL, NULL);
	sodium_memzero(text, sizeof(text));
	if (rc == OPTIONS_EXIT_OK && !talk_json(c))
		(void)fputs("accepted; compare safety numbers before you trust this contact "
			    "(`restante contacts`)\n", c->out);
	return rc;
}

static void
each_contact(void *arg, const struct wire *a)
{
	const struct call *c = arg;

	if (a->type == WIRE_IS_CONTACT)
		show_contact(c->out, &a->contact, talk_json(c));
}

static const struct {
	const char *verb;
	enum wire_change change;
	size_t operands;
} verbs[] = {
	{ "rename", WIRE_RENAME, 3 },
	{ "verify", WIRE_VERIFY, 2 },
	{ "unverify", WIRE_UNVERIFY, 2 },
	{ "block", WIRE_BLOCK, 2 },
	{ "unblock", WIRE_UNBLOCK, 2 },
	{ "remove", WIRE_REMOVE, 2 },
	{ "restart", WIRE_RESTART, 2 },
};

static int
change(const struct call *c, enum wire_change what)
{
	struct wire q = { .type = WIRE_CHANGE, .number = what, .text = "" };
	struct diag d;
	enum err e = talk_name(&q, c->operands[1], &d);

	if (e != ERR_OK)
		return options_fail(c, e, &d);
	if (what == WIRE_RENAME) {
		q.text = c->operands[2];
		q.text_len = strlen(q.text);
	}
	return talk_once(c, &q, NULL, NULL);
}

int
cmd_contacts(const struct call *c)
{
	const struct wire list = { .type = WIRE_CONTACTS, .text = "" };
	struct diag d;

	if (c->operand_count == 0 ||
	    (c->operand_count == 1 && strcmp(c->operands[0], "list") == 0))
		return talk_once(c, &list, each_contact, (void *)(uintptr_t)c);
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strcmp(c->operands[0], verbs[i].verb) != 0)
			continue;
		if (c->operand_count == verbs[i].operands)
			return change(c, verbs[i].change);
		return options_fail(c,
		    diag_set(&d, ERR_USAGE, "contacts %s takes %s", verbs[i].verb,
			verbs[i].operands == 3 ? "a name and a new name" : "a name"), &d);
	}
	return options_fail(c,
	    diag_set(&d, ERR_USAGE, "contacts can list, rename, verify, unverify, block, unblock, "
				    "restart and remove; not \"%s\"", c->operands[0]), &d);
}

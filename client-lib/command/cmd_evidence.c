#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "client-lib/command/commands.h"
#include "client-lib/command/place.h"
#include "client-lib/command/show.h"
#include "client-lib/command/talk.h"
#include "common/base/newfile.h"

#define EVIDENCE_MODE 0644 /* it is for everybody */

struct evidence_options {
	char output[PLACE_PATH_MAX];
};
static const struct config_key evidence_keys[] = {
	{ "output", CONFIG_STRING, 0, 0, "", "FILE", "export: a new file, instead of standard output",
	    NULL, CONFIG_FIELD(struct evidence_options, output), NULL, false, 'o' },
};
const struct config_schema cmd_evidence_schema = {
	.keys = evidence_keys,
	.count = sizeof(evidence_keys) / sizeof(evidence_keys[0]),
	.size = sizeof(struct evidence_options),
};

/* What the agent has: counted, and the one that is wanted. */
struct evidence_seen {
	const struct call *call;
	uint64_t count, wanted; /* from 1; 0: the only one */
	bool list;
	struct restante_evidence one;
};

static void
each_evidence(void *arg, const struct wire *a)
{
	struct evidence_seen *s = arg;

	if (a->type != WIRE_IS_EVIDENCE)
		return;
	s->count++;
	if (s->list)
		show_evidence(s->call->out, s->count, &a->evidence, talk_json(s->call));
	if (s->count == s->wanted || s->wanted == 0)
		s->one = a->evidence;
}

static int
list(const struct call *c)
{
	const struct wire q = { .type = WIRE_EVIDENCE, .text = "" };
	struct evidence_seen seen = { .call = c, .list = true };
	int rc = talk_once(c, &q, each_evidence, &seen);

	if (rc == OPTIONS_EXIT_OK && seen.count == 0 && !talk_json(c))
		(void)fputs("there is no evidence against the gateway\n", c->out);
	return rc;
}

static enum err
choose(const struct evidence_seen *s, struct diag *d)
{
	if (s->count == 0)
		return diag_set(d, ERR_NOT_FOUND, "there is no evidence against the gateway");
	if (s->wanted == 0 && s->count > 1)
		return diag_set(d, ERR_USAGE, "there are %" PRIu64 " pieces of evidence; name one by "
		    "its number (`restante evidence list`)", s->count);
	if (s->wanted > s->count)
		return diag_set(d, ERR_NOT_FOUND, "there is no evidence %" PRIu64 "; `restante "
		    "evidence list` shows what there is", s->wanted);
	return ERR_OK;
}

static int
export(const struct call *c, uint64_t wanted)
{
	const struct evidence_options *o = c->own;
	const struct wire q = { .type = WIRE_EVIDENCE, .text = "" };
	struct evidence_seen seen = { .call = c, .wanted = wanted };
	struct diag d = { "" };
	int rc = talk_once(c, &q, each_evidence, &seen);
	enum err e;

	if (rc != OPTIONS_EXIT_OK)
		return rc;
	e = choose(&seen, &d);
	if (e == ERR_OK && o->output[0] != '\0')
		e = newfile_write(o->output, EVIDENCE_MODE, seen.one.text,
		    strlen(seen.one.text), &d);
	else if (e == ERR_OK)
		(void)fputs(seen.one.text, c->out);
	return e == ERR_OK ? OPTIONS_EXIT_OK : options_fail(c, e, &d);
}

/* A number from 1; 0: it is none. */
static uint64_t
parse_number(const char *s)
{
	char *end;
	unsigned long long v = strtoull(s, &end, 10);

	return *s >= '1' && *s <= '9' && *end == '\0' ? v : 0;
}

int
cmd_evidence(const struct call *c)
{
	size_t n = c->operand_count;
	struct diag d;

	if (n == 0 || (n == 1 && strcmp(c->operands[0], "list") == 0))
		return list(c);
	if (strcmp(c->operands[0], "export") == 0 && n == 1)
		return export(c, 0);
	if (strcmp(c->operands[0], "export") == 0 && parse_number(c->operands[1]) > 0)
		return export(c, parse_number(c->operands[1]));
	return options_fail(c, diag_set(&d, ERR_USAGE,
	    "evidence can list, or export a number that list shows"), &d);
}

/* The commands of the ceremony: keys, signatures, and bringing them together. */
#include "config.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "common/base/rng.h"
#include "common/base/secret.h"
#include "common/charter/tool/keyfile.h"
#include "common/charter/tool/tool.h"

int
tool_run_keygen(const struct call *c)
{
	char line[KEYFILE_PUBLIC_BYTES];
	struct diag d = { "" };
	uint8_t pk[32];
	enum err e = keyfile_create(pk, c->operands[0], rng_system(), &d);

	if (e != ERR_OK)
		return tool_complain(
		    c, e == ERR_MEMORY ? TOOL_REFUSED : TOOL_CANNOT_CREATE, NULL, &d);
	keyfile_print_public(line, pk);
	(void)fprintf(c->out, "%s\n", line);
	return TOOL_OK;
}

/* How far the ceremony is. */
static void
print_progress(const struct call *c, const struct charter *ch)
{
	(void)fprintf(c->out, "%zu of %u signatures\n", ch->signature_count, ch->threshold);
	if (ch->version > 1)
		(void)fprintf(c->out, "%zu of %u signatures of the predecessor's authorities\n",
		    ch->former_signature_count, ch->former_threshold);
}

static enum err
sign_with(struct charter *ch, const uint8_t sk[static 64], struct diag *d)
{
	enum err e = charter_check(ch, d);

	if (e != ERR_OK)
		return e;
	e = charter_sign(ch, sk);
	if (e == ERR_NOT_FOUND)
		return diag_set(d, e,
		    "this key is not one of the charter's authorities: add its public line with "
		    "add-authority first");
	if (e == ERR_EXISTS)
		return diag_set(d, e, "this authority has signed already");
	return e == ERR_OK ? ERR_OK : diag_set(d, e, "%s", err_text(e));
}

int
tool_run_sign(const struct call *c)
{
	const struct tool_sign_options *o = c->own;
	const char *path = c->operands[0];
	struct charter *ch;
	struct diag d = { "" };
	uint8_t *sk;
	enum err e = keyfile_read(&sk, o->key, &d);
	int code;

	if (e != ERR_OK)
		return tool_complain(
		    c, e == ERR_NOT_FOUND || e == ERR_IO ? TOOL_NO_INPUT : TOOL_REFUSED, NULL, &d);
	code = tool_load(&ch, c, path, TOOL_DRAFT);
	if (code == TOOL_OK) {
		e = sign_with(ch, sk, &d);
		code = e == ERR_OK ? tool_replace(c, path, ch) :
				     tool_complain(c, TOOL_REFUSED, path, &d);
		if (code == TOOL_OK)
			print_progress(c, ch);
		charter_free(ch);
	}
	secret_free(sk);
	return code;
}

/* Take over the signatures of another copy of the same draft. */
static int
merge(const struct call *c, struct charter *ch, const char *path)
{
	struct charter *other;
	struct diag d;
	enum err e = ERR_OK;
	int code = tool_load(&other, c, path, TOOL_DRAFT);

	if (code != TOOL_OK)
		return code;
	if (sodium_memcmp(ch->hash, other->hash, sizeof(ch->hash)) != 0) {
		(void)diag_set(&d, ERR_MALFORMED,
		    "not the same draft as %.300s: all must sign the same text", c->operands[0]);
		code = tool_complain(c, TOOL_REFUSED, path, &d);
	}
	for (size_t i = 0; code == TOOL_OK && e == ERR_OK && i < other->held_count; i++)
		e = charter_hold(ch, &other->held[i]);
	if (e != ERR_OK) {
		(void)diag_set(&d, e, "%s", err_text(e));
		code = tool_complain(c, TOOL_REFUSED, path, &d);
	}
	charter_free(other);
	return code;
}

int
tool_run_combine(const struct call *c)
{
	const struct tool_combine_options *o = c->own;
	struct charter *ch;
	int code = tool_load(&ch, c, c->operands[0], TOOL_DRAFT);

	if (code != TOOL_OK)
		return code;
	for (size_t i = 1; code == TOOL_OK && i < c->operand_count; i++)
		code = merge(c, ch, c->operands[i]);
	if (code == TOOL_OK)
		code = tool_create(c, o->output, ch);
	if (code == TOOL_OK)
		print_progress(c, ch);
	charter_free(ch);
	return code;
}

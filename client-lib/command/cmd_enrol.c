#include "config.h"

#include <string.h>

#include "client-lib/command/commands.h"
#include "client-lib/command/place.h"
#include "client-lib/command/talk.h"
#include "common/base/secret.h"

#define CODE_MAX 1024

static enum err
enrol(const char *directory, const struct restante_unlock *u, const char *code, struct diag *d)
{
	struct restante *r;
	enum err e = talk_code(restante_open(&r, directory, u, NULL, d->text));

	if (e == ERR_BUSY)
		return diag_set(d, e, "the agent is running; stop it first with `restante stop`");
	if (e != ERR_OK)
		return e;
	e = talk_code(restante_enrol(r, code));
	if (e != ERR_OK)
		(void)diag_set(d, e, "%s", restante_explain(r));
	restante_close(r);
	return e;
}

enum err
enrol_import(const char *directory, const struct restante_unlock *u, const char *path,
    struct diag *d)
{
	char *code = secret_new(CODE_MAX);
	uint8_t *p;
	size_t n;
	enum err e;

	if (code == NULL)
		return ERR_MEMORY;
	e = place_read(&p, &n, strcmp(path, "-") == 0 ? "/dev/stdin" : path, d);
	if (e == ERR_OK) {
		if (n < CODE_MAX) {
			memcpy(code, p, n);
			code[n] = '\0';
			e = enrol(directory, u, code, d);
		} else {
			e = diag_set(d, ERR_RANGE, "%s: too long for an enrolment code", path);
		}
		secret_free(p);
	}
	secret_free(code);
	return e;
}

/* The code as an argument is seen by whoever may list processes: a file or "-" is better. */
static enum err
enrol_given(const char *directory, const struct restante_unlock *u, const char *given,
    struct diag *d)
{
	if (strncmp(given, "restante-code:", strlen("restante-code:")) == 0)
		return enrol(directory, u, given, d);
	return enrol_import(directory, u, given, d);
}

int
cmd_enrol(const struct call *c)
{
	const struct place_keys *keys = c->own;
	const char *given = c->operand_count > 0 ? c->operands[0] : "-";
	char directory[PLACE_PATH_MAX];
	struct restante_unlock u = { 0 };
	struct diag d = { "" };
	enum err e = place_directory(directory, c->options, &d);

	if (e == ERR_OK)
		e = place_unlock(&u, keys, "Passphrase: ", false, &d);
	if (e == ERR_OK)
		e = enrol_given(directory, &u, given, &d);
	place_unlock_free(&u);
	if (e != ERR_OK)
		return options_fail(c, e, &d);
	if (!talk_json(c))
		(void)fputs("enrolled: the agent fetches tickets and stamps from its next start on\n",
		    c->out);
	return OPTIONS_EXIT_OK;
}

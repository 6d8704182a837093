#include "config.h"

#include <sodium.h>
#include <string.h>

#include "client-lib/command/commands.h"
#include "client-lib/command/place.h"
#include "client-lib/command/show.h"
#include "client-lib/command/talk.h"
#include "common/base/secret.h"

struct authorize_options {
	struct place_keys keys;
	bool make;
};

static const struct config_key authorize_keys[] = {
	PLACE_KEY_ROWS(struct authorize_options, keys),
	{ "public", CONFIG_BOOL, 0, 0, "no", NULL,
	    "make a key here, and print what the operator may know of it", NULL,
	    CONFIG_FIELD(struct authorize_options, make), NULL, false, 0 },
};
const struct config_schema cmd_authorize_schema = {
	.keys = authorize_keys,
	.count = sizeof(authorize_keys) / sizeof(authorize_keys[0]),
	.size = sizeof(struct authorize_options),
};

/* "-" is standard input. */
static enum err
import(struct restante *r, const char *path, struct diag *d)
{
	uint8_t *p;
	size_t n;
	enum err e = place_read(&p, &n, strcmp(path, "-") == 0 ? "/dev/stdin" : path, d);
	int rc;

	if (e != ERR_OK)
		return e;
	rc = restante_authorize(r, (const char *)p, n);
	secret_free(p);
	return rc == RESTANTE_OK ? ERR_OK : diag_set(d, talk_code(rc), "%s", restante_explain(r));
}

static enum err
with_directory(struct restante **r, const struct call *c, const struct place_keys *keys,
    struct diag *d)
{
	char directory[PLACE_PATH_MAX];
	struct restante_unlock u = { 0 };
	enum err e = place_directory(directory, c->options, d);

	if (e == ERR_OK)
		e = place_unlock(&u, keys, "Passphrase: ", false, d);
	if (e == ERR_OK)
		e = talk_code(restante_open(r, directory, &u, NULL, d->text));
	place_unlock_free(&u);
	if (e == ERR_BUSY)
		(void)diag_set(d, e, "the agent is running; stop it first with `restante stop`");
	return e;
}

enum err
authorize_import(const char *directory, const struct restante_unlock *u, const char *path,
    struct diag *d)
{
	struct restante *r;
	enum err e = talk_code(restante_open(&r, directory, u, NULL, d->text));

	if (e != ERR_OK)
		return e;
	e = import(r, path, d);
	restante_close(r);
	return e;
}

int
cmd_authorize(const struct call *c)
{
	const struct authorize_options *o = c->own;
	const char *path = c->operand_count > 0 ? c->operands[0] : "-";
	char key[RESTANTE_PUBLIC_KEY_SIZE] = "";
	struct restante *r = NULL;
	struct diag d = { "" };
	enum err e = ERR_OK;

	if (o->make && c->operand_count > 0)
		e = diag_set(&d, ERR_USAGE, "--public makes a key, and takes no file");
	if (e == ERR_OK)
		e = with_directory(&r, c, &o->keys, &d);
	if (e == ERR_OK && !o->make)
		e = import(r, path, &d);
	if (e == ERR_OK && o->make) {
		e = talk_code(restante_make_authorization(r, key));
		if (e != ERR_OK)
			(void)diag_set(&d, e, "%s", restante_explain(r));
	}
	restante_close(r);
	if (e != ERR_OK)
		return options_fail(c, e, &d);
	show_authorization(c->out, o->make ? key : NULL, talk_json(c));
	return OPTIONS_EXIT_OK;
}

#include "config.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client-lib/command/commands.h"
#include "client-lib/command/place.h"
#include "client-lib/command/show.h"
#include "client-lib/command/talk.h"
#include "client-lib/include/restante/backup.h"
#include "common/base/encode.h"
#include "common/base/secret.h"

struct backup_options {
	struct place_keys keys, backup;
};

static const struct config_key backup_keys[] = {
	PLACE_KEY_ROWS(struct backup_options, keys),
	{ "backup-passphrase-file", CONFIG_STRING, 0, 0, "", "PATH",
	    "take the backup's passphrase from this file's first line", NULL,
	    CONFIG_FIELD(struct backup_options, backup.passphrase_file), NULL, false, 0 },
	{ "backup-key-file", CONFIG_STRING, 0, 0, "", "PATH",
	    "a file of at least 32 random bytes that locks the backup", NULL,
	    CONFIG_FIELD(struct backup_options, backup.key_file), NULL, false, 0 },
};
const struct config_schema cmd_backup_schema = {
	.keys = backup_keys,
	.count = sizeof(backup_keys) / sizeof(backup_keys[0]),
	.size = sizeof(struct backup_options),
};

/* The agent has another working directory. */
static enum err
absolute(char out[static PLACE_PATH_MAX], const char *path, struct diag *d)
{
	char here[PLACE_PATH_MAX] = "";

	if (path[0] != '/' && getcwd(here, sizeof(here)) == NULL)
		return diag_set(d, ERR_IO, "the working directory is gone: %m");
	if (snprintf(out, PLACE_PATH_MAX, "%s%s%s", here, path[0] == '/' ? "" : "/", path) >=
	    PLACE_PATH_MAX)
		return diag_set(d, ERR_RANGE, "the path of the backup is too long");
	return ERR_OK;
}

/* The agent writes it: only it knows what is durable. */
static enum err
backup_by_agent(struct remote *r, const char *path, const struct restante_unlock *u,
    struct diag *d)
{
	size_t hex = 2 * u->len, n = strlen(path);
	char *text = secret_new(hex + 1 + n + 1);
	struct wire q = { .type = WIRE_BACKUP, .number = (uint64_t)u->is_key_file, .text = text };
	enum err e;

	if (text == NULL)
		return ERR_MEMORY;
	encode_hex(text, u->secret, u->len);
	text[hex] = ' ';
	memcpy(text + hex + 1, path, n + 1);
	q.text_len = hex + 1 + n;
	e = talk_ask(r, &q, NULL, NULL, d);
	secret_free(text);
	return e;
}

static enum err
backup_by_ourselves(const struct call *c, const struct place_keys *keys, const char *path,
    const struct restante_unlock *u, struct diag *d)
{
	char directory[PLACE_PATH_MAX];
	struct restante_unlock own = { 0 };
	struct restante *r;
	enum err e = place_directory(directory, c->options, d);

	if (e == ERR_OK)
		e = place_unlock(&own, keys, "Passphrase of the directory: ", false, d);
	if (e != ERR_OK)
		return e;
	e = talk_code(restante_open(&r, directory, &own, NULL, d->text));
	place_unlock_free(&own);
	if (e != ERR_OK)
		return e;
	e = talk_code(restante_backup(r, path, u, NULL, NULL));
	if (e != ERR_OK)
		(void)diag_set(d, e, "%s", restante_explain(r));
	restante_close(r);
	return e;
}

int
cmd_backup(const struct call *c)
{
	const struct backup_options *o = c->own;
	char path[PLACE_PATH_MAX];
	struct restante_unlock u = { 0 };
	struct diag d = { "" }, none = { "" };
	struct remote r;
	enum err e = absolute(path, c->operands[0], &d);

	if (e == ERR_OK)
		e = place_unlock(&u, &o->backup, "New passphrase of the backup: ", true, &d);
	if (e == ERR_OK && talk_open(&r, c, &none) == ERR_OK) {
		e = backup_by_agent(&r, path, &u, &d);
		remote_close(&r);
	} else if (e == ERR_OK) {
		e = backup_by_ourselves(c, &o->keys, path, &u, &d);
	}
	place_unlock_free(&u);
	if (e != ERR_OK)
		return options_fail(c, e, &d);
	show_backup(c->out, path, talk_json(c));
	return OPTIONS_EXIT_OK;
}

int
cmd_restore(const struct call *c)
{
	const struct backup_options *o = c->own;
	char directory[PLACE_PATH_MAX];
	struct restante_unlock own = { 0 }, theirs = { 0 };
	struct restante_restored restored;
	struct diag d = { "" };
	enum err e = place_directory(directory, c->options, &d);

	if (e == ERR_OK)
		e = place_unlock(&theirs, &o->backup, "Passphrase of the backup: ", false, &d);
	if (e == ERR_OK)
		e = place_unlock(&own, &o->keys, "New passphrase of the directory: ", true, &d);
	if (e == ERR_OK)
		e = place_parents(directory, &d);
	if (e == ERR_OK)
		e = talk_code(restante_restore(directory, c->operands[0], &theirs, &own, &restored,
		    d.text));
	place_unlock_free(&own);
	place_unlock_free(&theirs);
	if (e != ERR_OK)
		return options_fail(c, e, &d);
	show_restored(c->out, directory, &restored, talk_json(c));
	return OPTIONS_EXIT_OK;
}

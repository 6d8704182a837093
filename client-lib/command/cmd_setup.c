#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "client-lib/command/agent.h"
#include "client-lib/command/commands.h"
#include "client-lib/command/place.h"
#include "client-lib/command/show.h"
#include "client-lib/command/talk.h"

/* ---- options ---- */

struct init_options {
	char charter[PLACE_PATH_MAX];
	char authorization[PLACE_PATH_MAX];
	char enrolment[PLACE_PATH_MAX];
	int64_t mailbox;
	struct place_keys keys;
};

static const struct config_key init_keys[] = {
	{ "charter", CONFIG_STRING, 1, 0, NULL, "PATH", "the network's signed charter", NULL,
	    CONFIG_FIELD(struct init_options, charter), NULL, false, 'c' },
	{ "mailbox", CONFIG_INTEGER, 0, UINT16_MAX, "0", "NUMBER",
	    "the mailbox that the operator assigned", NULL,
	    CONFIG_FIELD(struct init_options, mailbox), NULL, false, 'm' },
	{ "authorize", CONFIG_STRING, 0, 0, "", "FILE",
	    "the client authorization that the operator gave you", NULL,
	    CONFIG_FIELD(struct init_options, authorization), NULL, false, 0 },
	{ "enrol", CONFIG_STRING, 0, 0, "", "FILE",
	    "the enrolment code that the registrar's operator gave you", NULL,
	    CONFIG_FIELD(struct init_options, enrolment), NULL, false, 0 },
	PLACE_KEY_ROWS(struct init_options, keys),
};
const struct config_schema cmd_init_schema = {
	.keys = init_keys,
	.count = sizeof(init_keys) / sizeof(init_keys[0]),
	.size = sizeof(struct init_options),
};

struct unlock_options {
	struct place_keys keys;
};
static const struct config_key unlock_keys[] = { PLACE_KEY_ROWS(struct unlock_options, keys) };
const struct config_schema cmd_unlock_schema = {
	.keys = unlock_keys,
	.count = sizeof(unlock_keys) / sizeof(unlock_keys[0]),
	.size = sizeof(struct unlock_options),
};

struct passphrase_options {
	struct place_keys keys, fresh;
};
static const struct config_key passphrase_keys[] = {
	PLACE_KEY_ROWS(struct passphrase_options, keys),
	{ "new-passphrase-file", CONFIG_STRING, 0, 0, "", "PATH",
	    "take the new passphrase from this file's first line", NULL,
	    CONFIG_FIELD(struct passphrase_options, fresh.passphrase_file), NULL, false, 0 },
	{ "new-key-file", CONFIG_STRING, 0, 0, "", "PATH", "lock with this key file from now on",
	    NULL, CONFIG_FIELD(struct passphrase_options, fresh.key_file), NULL, false, 0 },
};
const struct config_schema cmd_passphrase_schema = {
	.keys = passphrase_keys,
	.count = sizeof(passphrase_keys) / sizeof(passphrase_keys[0]),
	.size = sizeof(struct passphrase_options),
};

/* ---- commands ---- */

/* The directory is there by now, and stays: the sentence says how to go on. */
static enum err
authorize_new(const char *directory, const struct restante_unlock *u, const char *path,
    struct diag *d)
{
	struct diag why = { "" };
	enum err e = authorize_import(directory, u, path, &why);

	if (e == ERR_OK)
		return ERR_OK;
	return diag_set(d, e, "the directory is made, but not authorized: %.300s. Go on with "
	    "`restante authorize`", why.text);
}

static enum err
enrol_new(const char *directory, const struct restante_unlock *u, const char *path,
    struct diag *d)
{
	struct diag why = { "" };
	enum err e = enrol_import(directory, u, path, &why);

	if (e == ERR_OK)
		return ERR_OK;
	return diag_set(d, e, "the directory is made, but not enrolled: %.300s. Go on with "
	    "`restante enrol`", why.text);
}

int
cmd_init(const struct call *c)
{
	const struct init_options *o = c->own;
	char directory[PLACE_PATH_MAX];
	struct restante_unlock u = { 0 };
	struct diag d = { "" };
	enum err e = place_directory(directory, c->options, &d);

	if (e == ERR_OK)
		e = place_parents(directory, &d);
	if (e == ERR_OK)
		e = place_unlock(&u, &o->keys, "New passphrase: ", true, &d);
	if (e == ERR_OK)
		e = talk_code(restante_init(directory, o->charter, (uint16_t)o->mailbox, &u,
		    d.text));
	if (e == ERR_OK && o->authorization[0] != '\0')
		e = authorize_new(directory, &u, o->authorization, &d);
	if (e == ERR_OK && o->enrolment[0] != '\0')
		e = enrol_new(directory, &u, o->enrolment, &d);
	place_unlock_free(&u);
	if (e != ERR_OK)
		return options_fail(c, e, &d);
	show_directory(c->out, directory, talk_json(c));
	return OPTIONS_EXIT_OK;
}

int
cmd_agent(const struct call *c)
{
	const struct unlock_options *o = c->own;
	char directory[PLACE_PATH_MAX], socket[PLACE_PATH_MAX];
	struct restante_unlock u = { 0 };
	struct diag d = { "" };
	enum err e = place_directory(directory, c->options, &d);

	if (e == ERR_OK)
		e = place_socket(socket, directory, &d);
	if (e == ERR_OK)
		e = place_unlock(&u, &o->keys, "Passphrase: ", false, &d);
	if (e == ERR_OK)
		e = agent_run(directory, socket, &u, &d);
	place_unlock_free(&u);
	return e == ERR_OK ? OPTIONS_EXIT_OK : options_fail(c, e, &d);
}

static enum err
change_unlock(const char *directory, const struct restante_unlock *old,
    const struct restante_unlock *fresh, struct diag *d)
{
	struct restante *r;
	int rc = restante_open(&r, directory, old, NULL, d->text);

	if (rc != RESTANTE_OK)
		return talk_code(rc);
	rc = restante_change_unlock(r, fresh);
	if (rc != RESTANTE_OK)
		(void)diag_set(d, ERR_IO, "%s", restante_explain(r));
	restante_close(r);
	return talk_code(rc);
}

int
cmd_passphrase(const struct call *c)
{
	const struct passphrase_options *o = c->own;
	char directory[PLACE_PATH_MAX];
	struct restante_unlock old = { 0 }, fresh = { 0 };
	struct diag d = { "" };
	enum err e = place_directory(directory, c->options, &d);

	if (e == ERR_OK)
		e = place_unlock(&old, &o->keys, "Present passphrase: ", false, &d);
	if (e == ERR_OK)
		e = place_unlock(&fresh, &o->fresh, "New passphrase: ", true, &d);
	if (e == ERR_OK)
		e = change_unlock(directory, &old, &fresh, &d);
	place_unlock_free(&old);
	place_unlock_free(&fresh);
	if (e == ERR_BUSY)
		(void)diag_set(&d, e, "the agent is running; stop it first with `restante stop`");
	if (e != ERR_OK)
		return options_fail(c, e, &d);
	if (!talk_json(c))
		(void)fputs("the directory is locked with the new passphrase or key now\n", c->out);
	return OPTIONS_EXIT_OK;
}

int
cmd_charter(const struct call *c)
{
	char directory[PLACE_PATH_MAX];
	struct diag d = { "" };
	enum err e = place_directory(directory, c->options, &d);

	if (e == ERR_OK)
		e = talk_code(restante_install_charter(directory, c->operands[0], d.text));
	if (e == ERR_BUSY)
		(void)diag_set(&d, e, "the agent is running; stop it first with `restante stop`");
	if (e != ERR_OK)
		return options_fail(c, e, &d);
	if (!talk_json(c))
		(void)fprintf(c->out, "%s\n", d.text);
	return OPTIONS_EXIT_OK;
}

int
cmd_stop(const struct call *c)
{
	const struct wire q = { .type = WIRE_STOP, .text = "" };

	return talk_once(c, &q, NULL, NULL);
}

struct status_seen {
	const struct call *call;
	unsigned alarms;
};

static void
each_status(void *arg, const struct wire *a)
{
	struct status_seen *s = arg;

	if (a->type != WIRE_IS_STATUS)
		return;
	show_status(s->call->out, &a->status, a->through_tor ? &a->tor : NULL,
	    talk_json(s->call));
	s->alarms = a->status.alarms;
}

/* Exit code 1 when there is an alarm, so that a script can ask. */
int
cmd_status(const struct call *c)
{
	const struct wire q = { .type = WIRE_STATUS, .text = "" };
	struct status_seen seen = { c, 0 };
	int rc = talk_once(c, &q, each_status, &seen);

	return rc == OPTIONS_EXIT_OK && seen.alarms != 0 ? OPTIONS_EXIT_FAILURE : rc;
}

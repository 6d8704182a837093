#include "config.h"

#include "gateway/publish.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "mix/charterfile.h"
#include "mix/daemon.h"

#define VERB "charter-publish"
#define PATIENCE_MS 60000 /* until it is on the daemon's disk */

struct options {
	char config[DAEMON_PATH_BYTES];
};
static const struct config_key keys[] = {
	{ .name = "config", .type = CONFIG_STRING, .min = 1, .unit = "FILE", .letter = 'c',
	    .help = "the running gateway's configuration file",
	    CONFIG_FIELD(struct options, config) },
};
const struct config_schema publish_schema = { keys, sizeof(keys) / sizeof(keys[0]),
	sizeof(struct options) };

/* ---- in the daemon ---- */

static void
on_published(void *arg, enum err e)
{
	struct publish *p = arg;
	struct desk_call *call = p->call;
	struct gateway_status s;
	char text[160];
	int n;

	p->call = NULL;
	if (e != ERR_OK) {
		desk_refuse(call, e, NULL);
		return;
	}
	gateway_get_status(p->gateway, &s);
	n = snprintf(text, sizeof(text), "version %" PRIu32 " is published; it will be in force from "
	    "epoch %" PRIu32 " (now %" PRIu32 ")\n", s.latest_charter, s.latest_epoch, s.epoch);
	desk_answer(call, ERR_OK, text, (size_t)n);
}

static void
on_publish(void *arg, struct desk_call *call, const uint8_t *payload, size_t n)
{
	struct publish *p = arg;
	struct diag d = { "" };
	enum err e = ERR_BUSY;

	if (p->call == NULL)
		e = gateway_publish(p->gateway, payload, n, on_published, p, &d);
	if (e == ERR_OK)
		p->call = call;
	else
		desk_refuse(call, e, &d);
}

enum err
publish_serve(struct publish *p, struct desk *k, struct gateway *g)
{
	*p = (struct publish){ .gateway = g };
	return desk_serve(k, VERB, on_publish, p);
}

/* ---- the command ---- */

/* The daemon judges; here only what is no charter at all is refused. */
static enum err
publish(const struct call *c, const struct daemon_settings *settings, struct diag *d)
{
	char address[CHARTER_ADDRESS_MAX];
	struct charter *charter = NULL;
	struct buf text, out;
	enum err e;

	buf_init(&text);
	buf_init(&out);
	e = charterfile_load(&charter, c->operands[1], d);
	if (e == ERR_OK)
		e = charter_print_signed(&text, charter);
	if (e == ERR_OK)
		e = daemon_desk(address, settings, d);
	if (e == ERR_OK)
		e = desk_ask(&out, address, VERB, text.data, text.len, PATIENCE_MS, d);
	if (e == ERR_OK)
		(void)fwrite(out.data, 1, out.len, c->out);
	charter_free(charter);
	buf_release(&text);
	buf_release(&out);
	return e;
}

int
publish_run(const struct call *c, const struct config_schema *schema, void *settings)
{
	const struct options *o = c->own;
	struct diag d = { "" };
	enum err e;
	int code;

	if (strcmp(c->operands[0], "publish") != 0) {
		e = diag_set(&d, ERR_USAGE, "charter %s: there is only `charter publish FILE`",
		    c->operands[0]);
		return options_fail(c, e, &d);
	}
	code = daemon_settings_load(c, schema, settings, o->config);
	if (code != OPTIONS_EXIT_OK)
		return code;
	e = publish(c, settings, &d);
	return e == ERR_OK ? OPTIONS_EXIT_OK : daemon_ask_failed(c, e, &d);
}

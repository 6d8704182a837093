/* restante-registrar: the registrar of a Restante network. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "common/crypto/hsid.h"
#include "gateway/door.h"
#include "gateway/membercmd.h"
#include "gateway/onionkey.h"
#include "mix/daemon.h"
#include "registrar/enrolcmd.h"
#include "registrar/registrar.h"

#define OTHER_FILES 256 /* open beside the visitors: the ledger, the link, the desk */
#define LEDGER "ledger" /* under the state directory */
#define GROUP_BYTES 64

#define SCHEMA(keys, type) { keys, sizeof(keys) / sizeof(keys[0]), sizeof(type) }

/* ---- tables ---- */

enum transport { TRANSPORT_TOR, TRANSPORT_LOOPBACK };

struct settings {
	struct daemon_settings common;
	int64_t visitors, streams;
	enum transport transport;
	char tor_control[CHARTER_ADDRESS_MAX], tor_socks[CHARTER_ADDRESS_MAX];
	char tor_cookie[DAEMON_PATH_BYTES], entrance_group[GROUP_BYTES];
	bool pow;
};

static const char *const transports[] = { "tor", "loopback", NULL };

static const struct config_key setting_keys[] = {
	{ .name = "state", .type = CONFIG_PATH, .unit = "DIRECTORY",
	    .help = "the directory that init made: keys, seeds, the roll, the ledger",
	    CONFIG_FIELD(struct settings, common.state) },
	{ .name = "charter", .type = CONFIG_PATH, .unit = "FILE",
	    .help = "the network's signed charter", CONFIG_FIELD(struct settings, common.charter) },
	{ .name = "entrance", .type = CONFIG_ADDRESS, .fallback = "",
	    .help = "tor: the unix socket that it delivers to, required; loopback: where members "
		    "fetch, if not at our entrance in the charter",
	    CONFIG_FIELD(struct settings, common.entrance) },
	{ .name = "visitors", .type = CONFIG_INTEGER, .min = 1, .max = 10000, .fallback = "256",
	    .unit = "connections", .help = "at the entrance at a time, at most",
	    CONFIG_FIELD(struct settings, visitors) },
	{ .name = "transport", .type = CONFIG_ENUM, .choices = transports, .fallback = "tor",
	    .help = "how members reach the entrance: our onion service, or this machine only",
	    CONFIG_FIELD(struct settings, transport) },
	{ .name = "entrance-group", .type = CONFIG_STRING, .fallback = "", .unit = "GROUP",
	    .help = "the group that may use the entrance's socket: tor's; else nobody but us",
	    CONFIG_FIELD(struct settings, entrance_group) },
	{ .name = "tor-control", .type = CONFIG_ADDRESS, .fallback = "unix:/run/tor/control",
	    .help = "tor's control port", CONFIG_FIELD(struct settings, tor_control) },
	{ .name = "tor-cookie", .type = CONFIG_PATH, .fallback = "", .unit = "FILE",
	    .help = "its cookie, if not the file that tor names",
	    CONFIG_FIELD(struct settings, tor_cookie) },
	{ .name = "tor-socks", .type = CONFIG_ADDRESS, .fallback = "unix:/run/tor/socks",
	    .help = "the same tor's SOCKS port, for trying our own address",
	    CONFIG_FIELD(struct settings, tor_socks) },
	{ .name = "pow", .type = CONFIG_BOOL, .fallback = "yes",
	    .help = "proof-of-work defence of the onion service, if this tor has it",
	    CONFIG_FIELD(struct settings, pow) },
	{ .name = "streams", .type = CONFIG_INTEGER, .min = 1, .max = 65535, .fallback = "4",
	    .unit = "streams", .help = "open at a time on one circuit, at most",
	    CONFIG_FIELD(struct settings, streams) },
	DAEMON_ROWS(struct settings, common),
};
static const struct config_schema settings_schema = SCHEMA(setting_keys, struct settings);

struct init_options {
	char dir[DAEMON_PATH_BYTES], entrance[CHARTER_ADDRESS_MAX];
	int64_t onion_port;
};

static const struct config_key init_keys[] = {
	{ .name = "dir", .type = CONFIG_STRING, .min = 1, .unit = "DIRECTORY", .letter = 'd',
	    .help = "the state directory, made if absent", CONFIG_FIELD(struct init_options, dir) },
	{ .name = "entrance", .type = CONFIG_ADDRESS, .fallback = "", .unit = "ADDRESS",
	    .letter = 'e', .help = "where members fetch, on this machine; without it an onion "
				   "service's key is made",
	    CONFIG_FIELD(struct init_options, entrance) },
	{ .name = "onion-port", .type = CONFIG_INTEGER, .min = 1, .max = 65535, .fallback = "80",
	    .unit = "PORT", .help = "of the onion address",
	    CONFIG_FIELD(struct init_options, onion_port) },
};
static const struct config_schema init_schema = SCHEMA(init_keys, struct init_options);

/* ---- the registrar on its daemon ---- */

struct registrar_daemon {
	struct settings settings;
	struct registrar *registrar;
	struct door *door;		 /* NULL without an onion service */
	gid_t group;			 /* of the entrance, if it is given away */
	struct registrar_status counted; /* at the last count of traffic */
};

/* Without an onion service members come from this machine only. */
static enum err
check_loopback(const char *address, struct diag *d)
{
	static const char *const local[] = { "unix:", "127.", "[::1]:" };

	for (size_t i = 0; i < sizeof(local) / sizeof(local[0]); i++)
		if (strncmp(address, local[i], strlen(local[i])) == 0)
			return ERR_OK;
	return diag_set(d, ERR_USAGE, "entrance %s: with transport = loopback it must be a unix "
	    "socket or a loopback address", address);
}

static struct door_settings
door_settings(const struct settings *s)
{
	return (struct door_settings){ .entrance = daemon_given(s->common.entrance),
		.group = daemon_given(s->entrance_group),
		.control = s->tor_control,
		.socks = s->tor_socks,
		.cookie = daemon_given(s->tor_cookie),
		.pow = s->pow,
		.streams = (unsigned)s->streams };
}

/* What the configuration and the charter show by themselves. */
static enum err
check(void *arg, const struct daemon *m, struct diag *d)
{
	const struct registrar_daemon *x = arg;
	const struct door_settings door = door_settings(&x->settings);
	const struct charter_node *own = charter_registrar(m->charter);

	if (own == NULL)
		return diag_set(d, ERR_NOT_FOUND, "the charter has no registrar: have our node line "
		    "added to it");
	if (x->settings.transport == TRANSPORT_TOR)
		return door_check(&door, own->entrance, d);
	return check_loopback(door.entrance != NULL ? door.entrance : own->entrance, d);
}

static enum err
needs(void *arg, const struct daemon *m, struct daemon_needs *n, struct diag *d)
{
	struct registrar_daemon *x = arg;
	const struct door_settings door = door_settings(&x->settings);

	(void)m;
	return x->settings.transport == TRANSPORT_TOR ? door_needs(&x->group, &door, n->sandbox, d) :
							ERR_OK;
}

static void
linked(void *arg, const uint8_t *hash)
{
	struct registrar_daemon *x = arg;

	if (x->door != NULL)
		door_saw(x->door, hash);
}

static void
evict(void *arg)
{
	struct registrar_daemon *x = arg;

	registrar_close_visits(x->registrar);
}

static enum err
open_registrar(struct registrar_daemon *x, struct daemon *m, struct diag *d)
{
	const char *given = daemon_given(m->settings->entrance);
	char ledger[DAEMON_PATH_BYTES + sizeof(LEDGER) + 1];
	const struct registrar_config cfg = { .loop = m->loop,
		.disk = m->disk,
		.charter = m->charter,
		.own = m->own->number,
		.link_sk = m->keys->link_sk,
		.listen = given != NULL ? given : m->own->entrance,
		.ledger = ledger,
		.rng = rng_system(),
		.keys = rng_system(),
		.log = &m->log,
		.visitors_max = (size_t)x->settings.visitors,
		.linked = linked,
		.linked_arg = x };

	(void)snprintf(ledger, sizeof(ledger), "%s/" LEDGER, m->settings->state);
	(void)daemon_want_files((uint64_t)x->settings.visitors + OTHER_FILES);
	return registrar_new(&x->registrar, &cfg, d);
}

static enum err
start(void *arg, struct daemon *m, struct diag *d)
{
	struct registrar_daemon *x = arg;
	struct door_settings door = door_settings(&x->settings);
	bool tor = x->settings.transport == TRANSPORT_TOR;
	enum err e;

	door.group_id = x->group;
	e = tor ? door_open(&x->door, m, &door, d) : ERR_OK;
	if (e == ERR_OK)
		e = open_registrar(x, m, d);
	if (e == ERR_OK)
		e = enrolcmd_serve(m->desk, x->registrar);
	if (e == ERR_OK && tor) {
		const struct door_house house = { registrar_queue(x->registrar), evict, x };

		return door_start(x->door, &house, d);
	}
	if (e == ERR_OK)
		daemon_ready(m);
	return e;
}

static void
stop(void *arg, int64_t linger_ms, void (*stopped)(void *arg), void *stopped_arg)
{
	struct registrar_daemon *x = arg;

	(void)linger_ms; /* who waits for an answer asks again, and gets the same */
	registrar_stop(x->registrar);
	stopped(stopped_arg);
}

static void
end(void *arg)
{
	struct registrar_daemon *x = arg;

	door_stop(x->door);
	registrar_free(x->registrar);
	door_free(x->door);
}

/* ---- for status and alarms ---- */

static void
look(void *arg, struct watch_view *v)
{
	const struct registrar_daemon *x = arg;
	struct registrar_status s;

	registrar_get_status(x->registrar, &s);
	v->epoch = s.epoch;
	v->charter = s.charter;
	v->coming_charter = s.coming_charter;
	v->coming_epoch = s.coming_epoch;
	v->serves = s.serves;
	v->has_place = s.has_place;
	v->link_count = registrar_links(x->registrar, v->links, CHARTER_NODES_MAX);
}

static void
count(void *arg)
{
	struct registrar_daemon *x = arg;

	registrar_get_status(x->registrar, &x->counted);
}

static void
report(void *arg, struct report *r)
{
	const struct registrar_daemon *x = arg;
	struct registrar_status now;

	registrar_get_status(x->registrar, &now);
	report_section(r, "issuing");
	report_u64(r, "members", now.members);
	report_u64(r, "seeds", now.seeds);
	report_u64(r, "given_to_epoch", now.given);
	report_bool(r, "writing_fails", now.counter.failed);
	report_section(r, "requests");
	report_count(r, "answered", x->counted.counter.answered);
	report_count(r, "refused", x->counted.counter.refused);
	report_count(r, "turned_away", x->counted.counter.turned_away);
	if (x->door != NULL)
		door_report(x->door, r);
}

/* ---- commands ---- */

/* Without an entrance on this machine: an onion service. */
static enum err
entrance(void *arg, char out[static CHARTER_ADDRESS_MAX], struct disk *disk, struct diag *d)
{
	const struct init_options *o = arg;
	struct onionkey *key;
	enum err e;

	if (o->entrance[0] != '\0') {
		(void)snprintf(out, CHARTER_ADDRESS_MAX, "%s", o->entrance);
		return ERR_OK;
	}
	e = onionkey_make(&key, disk, rng_system(), d);
	if (e != ERR_OK)
		return e;
	(void)snprintf(out, CHARTER_ADDRESS_MAX, "%s.onion:%d", key->id, (int)o->onion_port);
	onionkey_free(key);
	return ERR_OK;
}

static int
run_init(const struct call *c)
{
	struct init_options o = *(const struct init_options *)c->own;
	struct diag d;

	if (hsid_is_onion(o.entrance)) {
		(void)diag_set(&d, ERR_USAGE, "--entrance is an address on this machine; without it "
		    "the registrar gets an onion address of its own");
		return options_fail(c, ERR_USAGE, &d);
	}
	return daemon_init(c, o.dir, CHARTER_REGISTRAR, "", entrance, &o);
}

static int
run_run(const struct call *c)
{
	static const struct daemon_node node = { CHARTER_REGISTRAR, start, stop, end,
		{ look, count, report }, check, needs };
	struct registrar_daemon x = { .registrar = NULL, .door = NULL };

	return daemon_run(c, &settings_schema, &x.settings, &node, &x);
}

static int
run_status(const struct call *c)
{
	struct settings settings;

	return daemon_status(c, &settings_schema, &settings);
}

static int
run_enrol(const struct call *c)
{
	struct settings settings;

	return enrolcmd_enrol(c, &settings_schema, &settings);
}

static int
run_revoke(const struct call *c)
{
	struct settings settings;

	return enrolcmd_revoke(c, &settings_schema, &settings);
}

static int
run_list(const struct call *c)
{
	struct settings settings;

	return enrolcmd_list(c, &settings_schema, &settings);
}

static int
run_member(const struct call *c)
{
	struct settings settings;

	return membercmd_run(c, &settings_schema, &settings);
}

static const struct command commands[] = {
	{ .name = "init", .options = &init_schema, .run = run_init,
	    .summary = "Make the registrar's keys and print its public line for the charter" },
	{ .name = "run", .options = &daemon_run_schema, .run = run_run,
	    .summary = "Run the registrar" },
	{ .name = "status", .options = &daemon_status_schema, .run = run_status,
	    .summary = "Show how the running registrar stands" },
	{ .name = "enrol", .operands = "NAME", .operands_min = 1, .operands_max = 1,
	    .options = &enrolcmd_schema, .run = run_enrol,
	    .summary = "Enrol a member and print the code to hand over" },
	{ .name = "revoke", .operands = "NAME", .operands_min = 1, .operands_max = 1,
	    .options = &enrolcmd_schema, .run = run_revoke,
	    .summary = "Revoke a member's code: it fetches nothing any more" },
	{ .name = "list", .options = &enrolcmd_list_schema, .run = run_list,
	    .summary = "List who is enrolled" },
	{ .name = "member", .operands = "add NAME | remove NAME | list", .operands_min = 1,
	    .operands_max = 2, .options = &membercmd_schema, .run = run_member,
	    .summary = "Say which groups of members may reach the onion service" },
};

static const struct program program = {
	.name = "restante-registrar",
	.summary = "The registrar of a Restante network",
	.config = &settings_schema,
	.commands = commands,
	.command_count = sizeof(commands) / sizeof(commands[0]),
};

int
main(int argc, char **argv)
{
	return options_main(&program, argc, argv);
}

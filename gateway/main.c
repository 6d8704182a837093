/* restante-gateway: the gateway of a Restante network. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "common/base/civil.h"
#include "common/charter/timing.h"
#include "common/crypto/hsid.h"
#include "gateway/door.h"
#include "gateway/gateway.h"
#include "gateway/membercmd.h"
#include "gateway/publish.h"
#include "gateway/onionkey.h"
#include "gateway/spent_leveldb.h"
#include "gateway/store_leveldb.h"
#include "mix/daemon.h"

#define WAITING 1024	   /* connections without a handshake, and as many without a session */
#define OTHER_FILES 3072 /* open beside the sessions: those, databases, links */
#define JOURNAL "journal" /* under the state directory */
#define GROUP_BYTES 64

#define SCHEMA(keys, type) { keys, sizeof(keys) / sizeof(keys[0]), sizeof(type) }

/* ---- tables ---- */

enum transport { TRANSPORT_TOR, TRANSPORT_LOOPBACK };

struct settings {
	struct daemon_settings common;
	int64_t sessions, streams;
	enum transport transport;
	char tor_control[CHARTER_ADDRESS_MAX], tor_socks[CHARTER_ADDRESS_MAX];
	char tor_cookie[DAEMON_PATH_BYTES], entrance_group[GROUP_BYTES];
	bool pow;
};

static const char *const transports[] = { "tor", "loopback", NULL };

static const struct config_key setting_keys[] = {
	{ .name = "state", .type = CONFIG_PATH, .unit = "DIRECTORY",
	    .help = "the directory that init made: keys, replay sets, the journal",
	    CONFIG_FIELD(struct settings, common.state) },
	{ .name = "charter", .type = CONFIG_PATH, .unit = "FILE",
	    .help = "the network's signed charter", CONFIG_FIELD(struct settings, common.charter) },
	{ .name = "listen", .type = CONFIG_ADDRESS, .fallback = "",
	    .help = "where to accept other nodes, if not at our address in the charter",
	    CONFIG_FIELD(struct settings, common.listen) },
	{ .name = "entrance", .type = CONFIG_ADDRESS, .fallback = "",
	    .help = "tor: the unix socket that it delivers to, required; loopback: where clients "
		    "come in, if not at our entrance in the charter",
	    CONFIG_FIELD(struct settings, common.entrance) },
	{ .name = "threads", .type = CONFIG_INTEGER, .min = 1, .max = 64, .fallback = "2",
	    .help = "threads that unwrap packets", CONFIG_FIELD(struct settings, common.threads) },
	{ .name = "sessions", .type = CONFIG_INTEGER, .min = 1, .max = 100000, .fallback = "4096",
	    .unit = "sessions", .help = "open at a time, at most",
	    CONFIG_FIELD(struct settings, sessions) },
	{ .name = "transport", .type = CONFIG_ENUM, .choices = transports, .fallback = "tor",
	    .help = "how clients reach the entrance: our onion service, or this machine only",
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
	char dir[DAEMON_PATH_BYTES], address[CHARTER_ADDRESS_MAX], entrance[CHARTER_ADDRESS_MAX];
	int64_t onion_port;
};

static const struct config_key init_keys[] = {
	{ .name = "dir", .type = CONFIG_STRING, .min = 1, .unit = "DIRECTORY", .letter = 'd',
	    .help = "the state directory, made if absent", CONFIG_FIELD(struct init_options, dir) },
	{ .name = "address", .type = CONFIG_ADDRESS, .unit = "ADDRESS", .letter = 'a',
	    .help = "where mixes reach the gateway",
	    CONFIG_FIELD(struct init_options, address) },
	{ .name = "entrance", .type = CONFIG_ADDRESS, .fallback = "", .unit = "ADDRESS",
	    .letter = 'e', .help = "where clients come in, on this machine; without it an onion "
				   "service's key is made",
	    CONFIG_FIELD(struct init_options, entrance) },
	{ .name = "onion-port", .type = CONFIG_INTEGER, .min = 1, .max = 65535, .fallback = "80",
	    .unit = "PORT", .help = "of the onion address",
	    CONFIG_FIELD(struct init_options, onion_port) },
};
static const struct config_schema init_schema = SCHEMA(init_keys, struct init_options);

/* ---- the gateway on its daemon ---- */

struct gateway_daemon {
	struct settings settings;
	struct disk *journal;
	struct gateway *gateway;
	struct door *door; /* NULL without an onion service */
	gid_t group;	   /* of the entrance, if it is given away */
	const struct params *params;
	size_t sessions_max, waiting_max;
	struct gateway_status counted; /* at the last count of traffic */
	struct publish publish;
};

/* Without an onion service clients come from this machine only. */
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

static enum err
open_stores(struct gateway_config *out, struct gateway_daemon *x, struct daemon *m, struct diag *d)
{
	char path[DAEMON_PATH_BYTES + sizeof(JOURNAL) + 1];
	struct store_leveldb_config cfg = { .loop = m->loop, .path = path, .keys = rng_system() };
	enum err e;

	(void)snprintf(path, sizeof(path), "%s/" JOURNAL, m->settings->state);
	e = disk_open(&x->journal, path, d);
	cfg.disk = x->journal;
	if (e == ERR_OK)
		e = store_leveldb_open(&out->store, &cfg, d);
	if (e != ERR_OK)
		return e;
	e = spent_leveldb_open(&out->spent, m->loop, path, d);
	if (e != ERR_OK)
		store_free(out->store);
	return e;
}

/*
 * Strangers at the entrance must not use up the descriptors with which the
 * journal is written.
 */
static void
limit_sessions(struct gateway_daemon *x, struct log *l)
{
	size_t sessions = (size_t)x->settings.sessions;
	uint64_t wanted = sessions + OTHER_FILES, files = daemon_want_files(wanted);

	x->sessions_max = sessions;
	x->waiting_max = WAITING;
	if (files >= wanted)
		return;
	if (files > 2 * OTHER_FILES) {
		x->sessions_max = (size_t)files - OTHER_FILES;
	} else {
		x->sessions_max = (size_t)files / 2;
		x->waiting_max = (size_t)files / 8;
	}
	log_event(l, LOG_SESSIONS_LIMITED, x->sessions_max, files, 0);
}

static void
linked(void *arg, const uint8_t *hash)
{
	struct gateway_daemon *x = arg;

	if (x->door != NULL)
		door_saw(x->door, hash);
}

static void
evict(void *arg)
{
	struct gateway_daemon *x = arg;

	gateway_close_sessions(x->gateway);
}

static enum err
start_door(struct gateway_daemon *x, struct diag *d)
{
	const struct door_house house = { gateway_queue(x->gateway), evict, x };

	return door_start(x->door, &house, d);
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
	const struct gateway_daemon *x = arg;
	const struct door_settings door = door_settings(&x->settings);
	const char *chartered = charter_gateway(m->charter)->entrance;

	if (x->settings.transport == TRANSPORT_TOR)
		return door_check(&door, chartered, d);
	return check_loopback(door.entrance != NULL ? door.entrance : chartered, d);
}

static enum err
needs(void *arg, const struct daemon *m, struct daemon_needs *n, struct diag *d)
{
	struct gateway_daemon *x = arg;
	const struct door_settings door = door_settings(&x->settings);

	(void)m;
	return x->settings.transport == TRANSPORT_TOR ? door_needs(&x->group, &door, n->sandbox, d) :
							ERR_OK;
}

/* What else must be right before anything listens. */
static enum err
open_entrance(struct gateway_daemon *x, struct daemon *m, struct diag *d)
{
	struct door_settings door = door_settings(&x->settings);

	door.group_id = x->group;
	if (x->settings.transport != TRANSPORT_TOR)
		return ERR_OK;
	return door_open(&x->door, m, &door, d);
}

static enum err
start(void *arg, struct daemon *m, struct diag *d)
{
	struct gateway_daemon *x = arg;
	struct gateway_config cfg = {
		.loop = m->loop,
		.disk = m->disk,
		.charter = m->charter,
		.identity_sk = m->keys->identity_sk,
		.link_sk = m->keys->link_sk,
		.listen = daemon_given(m->settings->listen),
		.entrance = daemon_given(m->settings->entrance),
		.rng = rng_system(),
		.keys = rng_system(),
		.log = &m->log,
		.threads = (unsigned)m->settings->threads,
		.linked = linked,
		.linked_arg = x,
	};
	enum err e = open_entrance(x, m, d);

	limit_sessions(x, &m->log);
	cfg.sessions_max = x->sessions_max;
	cfg.waiting_max = x->waiting_max;
	if (e == ERR_OK)
		e = open_stores(&cfg, x, m, d);
	if (e == ERR_OK)
		e = gateway_new(&x->gateway, &cfg, d);
	x->params = &m->charter->params;
	if (e == ERR_OK)
		e = publish_serve(&x->publish, m->desk, x->gateway);
	if (e == ERR_OK && x->door != NULL)
		e = start_door(x, d);
	else if (e == ERR_OK)
		daemon_ready(m);
	return e;
}

static void
stop(void *arg, int64_t linger_ms, void (*stopped)(void *arg), void *stopped_arg)
{
	struct gateway_daemon *x = arg;

	gateway_stop(x->gateway, linger_ms, stopped, stopped_arg);
}

static void
end(void *arg)
{
	struct gateway_daemon *x = arg;

	door_stop(x->door);
	gateway_free(x->gateway);
	door_free(x->door);
	disk_free(x->journal);
}

/* ---- for status and alarms ---- */

static void
look(void *arg, struct watch_view *v)
{
	struct gateway_daemon *x = arg;
	struct gateway_status s;

	gateway_get_status(x->gateway, &s);
	v->epoch = s.epoch;
	v->has_sheet = s.has_sheet;
	v->sheet_nodes = s.sheet_nodes;
	v->sits_out = s.sits_out;
	v->charter = s.charter;
	v->coming_charter = s.coming_charter;
	v->coming_epoch = s.coming_epoch;
	v->serves = v->has_place = true;
	v->journal = s.founded;
	v->blocks = s.blocks;
	v->link_count = gateway_links(x->gateway, v->links, CHARTER_NODES_MAX);
}

static void
count(void *arg)
{
	struct gateway_daemon *x = arg;

	gateway_get_status(x->gateway, &x->counted);
}

static void
report_journal(struct report *r, const struct gateway_daemon *x)
{
	const struct gateway_status *s = &x->counted;
	char last[CIVIL_TEXT_BYTES];

	report_section(r, "journal");
	report_count(r, "blocks", s->blocks);
	report_u64(r, "days", s->days);
	civil_text(last, log_rounded_ms(timing_round_start(x->params, s->round)));
	report_text(r, "last_block", s->founded ? last : NULL);
	report_bool(r, "writing_fails", s->storing_failed);
	report_count(r, "deposits_waiting", s->turnstile.waiting);
	report_count(r, "deposits_held", s->turnstile.held);
	report_count(r, "deposits_dropped", s->turnstile.dropped);
}

/* Nothing without a registrar: nobody needs tickets and stamps then. Keys are counted now. */
static void
report_tokens(struct report *r, const struct gateway_daemon *x)
{
	const struct gateway_status *s = &x->counted;
	struct gateway_status now;

	gateway_get_status(x->gateway, &now);
	if (!now.registrar)
		return;
	report_section(r, "tickets");
	report_u64(r, "epochs_with_keys", now.seeds);
	report_count(r, "redeemed", s->tickets.redeemed);
	report_count(r, "none", s->tickets.none);
	report_count(r, "not_genuine", s->tickets.forged);
	report_count(r, "spent_before", s->tickets.spent);
	report_count(r, "limited", s->tickets.limited);
	report_count(r, "failed_writes", s->tickets.failed);
	report_section(r, "stamps");
	report_count(r, "paid", s->stamps.paid);
	report_count(r, "not_genuine", s->stamps.forged);
	report_count(r, "spent_before", s->stamps.spent);
}

static void
report(void *arg, struct report *r)
{
	const struct gateway_daemon *x = arg;
	const struct gateway_status *s = &x->counted;

	report_section(r, "packets");
	report_count(r, "forwarded", s->forwarded);
	report_count(r, "received", s->exit.received);
	report_count(r, "failed_writes", s->exit.failed_commits);
	report_section(r, "drops");
	for (unsigned cause = UNWRAP_PASSED + 1; cause < UNWRAP_CAUSES; cause++)
		report_count(r, unwrap_cause_name(cause), s->unwrapped.by[cause]);
	report_count(r, "wrong_epoch", s->exit.dropped_epoch);
	report_count(r, "full", s->exit.dropped_full);
	report_count(r, "malformed", s->exit.malformed);
	report_count(r, "unpaid", s->exit.unpaid);
	report_count(r, "not_forwarded", s->dropped_in);
	report_count(r, "not_written", s->dropped_journal);
	report_journal(r, x);
	report_section(r, "sessions");
	report_count(r, "open", s->entry.members);
	report_count(r, "waiting", s->entry.sessions - s->entry.members);
	report_u64(r, "most", (uint64_t)x->settings.sessions);
	report_count(r, "opened", s->entry.opened);
	report_count(r, "refused", s->entry.refused);
	report_count(r, "pushed_out", s->entry.pushed_out);
	report_count(r, "read_notices", s->entry.looked);
	report_tokens(r, x);
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
		    "the gateway gets an onion address of its own");
		return options_fail(c, ERR_USAGE, &d);
	}
	return daemon_init(c, o.dir, CHARTER_GATEWAY, o.address, entrance, &o);
}

static int
run_run(const struct call *c)
{
	static const struct daemon_node node = { CHARTER_GATEWAY, start, stop, end,
		{ look, count, report }, check, needs };
	struct gateway_daemon x = { .gateway = NULL, .door = NULL };

	return daemon_run(c, &settings_schema, &x.settings, &node, &x);
}

static int
run_status(const struct call *c)
{
	struct settings settings;

	return daemon_status(c, &settings_schema, &settings);
}

static int
run_member(const struct call *c)
{
	struct settings settings;

	return membercmd_run(c, &settings_schema, &settings);
}

static int
run_charter(const struct call *c)
{
	struct settings settings;

	return publish_run(c, &settings_schema, &settings);
}

static const struct command commands[] = {
	{ .name = "init", .options = &init_schema, .run = run_init,
	    .summary = "Make the gateway's keys and print its public line for the charter" },
	{ .name = "run", .options = &daemon_run_schema, .run = run_run,
	    .summary = "Run the gateway" },
	{ .name = "status", .options = &daemon_status_schema, .run = run_status,
	    .summary = "Show how the running gateway stands" },
	{ .name = "charter", .operands = "publish FILE", .operands_min = 2, .operands_max = 2,
	    .options = &publish_schema, .run = run_charter,
	    .summary = "Publish a new version of the charter in the running network" },
	{ .name = "member", .operands = "add NAME | remove NAME | list", .operands_min = 1,
	    .operands_max = 2, .options = &membercmd_schema, .run = run_member,
	    .summary = "Say which groups of members may reach the onion service" },
};

static const struct program program = {
	.name = "restante-gateway",
	.summary = "The gateway of a Restante network",
	.config = &settings_schema,
	.commands = commands,
	.command_count = sizeof(commands) / sizeof(commands[0]),
};

int
main(int argc, char **argv)
{
	return options_main(&program, argc, argv);
}

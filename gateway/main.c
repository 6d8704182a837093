/* restante-gateway: the gateway of a Restante network. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "common/base/civil.h"
#include "common/charter/timing.h"
#include "gateway/gateway.h"
#include "gateway/store_leveldb.h"
#include "mix/daemon.h"

#define OTHER_FILES 1536 /* open beside the sessions: databases, links, strangers */
#define JOURNAL "journal" /* under the state directory */

#define SCHEMA(keys, type) { keys, sizeof(keys) / sizeof(keys[0]), sizeof(type) }

/* ---- tables ---- */

struct settings {
	struct daemon_settings common;
	int64_t sessions;
	int transport;
};

static const char *const transports[] = { "loopback", NULL };

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
	    .help = "where clients come in, if not at our entrance in the charter",
	    CONFIG_FIELD(struct settings, common.entrance) },
	{ .name = "threads", .type = CONFIG_INTEGER, .min = 1, .max = 64, .fallback = "2",
	    .help = "threads that unwrap packets", CONFIG_FIELD(struct settings, common.threads) },
	{ .name = "sessions", .type = CONFIG_INTEGER, .min = 1, .max = 100000, .fallback = "4096",
	    .unit = "sessions", .help = "open at a time, at most",
	    CONFIG_FIELD(struct settings, sessions) },
	{ .name = "transport", .type = CONFIG_ENUM, .choices = transports, .fallback = "loopback",
	    .help = "how clients reach the entrance: a unix socket or a loopback port",
	    CONFIG_FIELD(struct settings, transport) },
	{ .name = "desk", .type = CONFIG_ADDRESS, .fallback = "",
	    .help = "the unix socket at which the running daemon is asked; else STATE/desk",
	    CONFIG_FIELD(struct settings, common.desk) },
	{ .name = "alarm-command", .type = CONFIG_PATH, .fallback = "", .unit = "PROGRAM",
	    .help = "run with raised|cleared, the name and the number of each alarm",
	    CONFIG_FIELD(struct settings, common.alarm_command) },
	{ .name = "disk-low", .type = CONFIG_SIZE, .min = 0, .max = (int64_t)1 << 50,
	    .fallback = "256MiB", .help = "less free space than this is an alarm",
	    CONFIG_FIELD(struct settings, common.disk_low) },
	{ .name = "log-level", .type = CONFIG_ENUM, .choices = daemon_levels, .fallback = "info",
	    .help = "the least level that is logged, on standard error",
	    CONFIG_FIELD(struct settings, common.log_level) },
};
static const struct config_schema settings_schema = SCHEMA(setting_keys, struct settings);

struct init_options {
	char dir[DAEMON_PATH_BYTES], address[CHARTER_ADDRESS_MAX], entrance[CHARTER_ADDRESS_MAX];
};

static const struct config_key init_keys[] = {
	{ .name = "dir", .type = CONFIG_STRING, .min = 1, .unit = "DIRECTORY", .letter = 'd',
	    .help = "the state directory, made if absent", CONFIG_FIELD(struct init_options, dir) },
	{ .name = "address", .type = CONFIG_ADDRESS, .unit = "ADDRESS", .letter = 'a',
	    .help = "where mixes reach the gateway",
	    CONFIG_FIELD(struct init_options, address) },
	{ .name = "entrance", .type = CONFIG_ADDRESS, .unit = "ADDRESS", .letter = 'e',
	    .help = "where clients come in", CONFIG_FIELD(struct init_options, entrance) },
};
static const struct config_schema init_schema = SCHEMA(init_keys, struct init_options);

/* ---- the gateway on its daemon ---- */

struct gateway_daemon {
	struct settings settings;
	struct disk *journal;
	struct gateway *gateway;
	const struct params *params;
	struct gateway_status counted; /* at the last count of traffic */
};

/* Until there is an onion service, clients come from this machine only. */
static enum err
check_entrance(const char *address, struct diag *d)
{
	static const char *const local[] = { "unix:", "127.", "[::1]:" };

	for (size_t i = 0; i < sizeof(local) / sizeof(local[0]); i++)
		if (strncmp(address, local[i], strlen(local[i])) == 0)
			return ERR_OK;
	return diag_set(d, ERR_USAGE, "entrance %s: with transport = loopback it must be a unix "
	    "socket or a loopback address", address);
}

static enum err
open_store(struct store **out, struct gateway_daemon *x, struct daemon *m, struct diag *d)
{
	char path[DAEMON_PATH_BYTES + sizeof(JOURNAL) + 1];
	struct store_leveldb_config cfg = { .loop = m->loop, .path = path, .keys = rng_system() };
	enum err e;

	(void)snprintf(path, sizeof(path), "%s/" JOURNAL, m->settings->state);
	e = disk_open(&x->journal, path, d);
	cfg.disk = x->journal;
	return e == ERR_OK ? store_leveldb_open(out, &cfg, d) : e;
}

/*
 * Strangers at the entrance must not use up the descriptors with which the
 * journal is written.
 */
static size_t
sessions_allowed(struct log *l, size_t sessions)
{
	uint64_t wanted = sessions + OTHER_FILES, files = daemon_want_files(wanted);

	if (files >= wanted)
		return sessions;
	sessions = files > 2 * OTHER_FILES ? (size_t)files - OTHER_FILES : (size_t)files / 2;
	log_event(l, LOG_SESSIONS_LIMITED, sessions, files, 0);
	return sessions;
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
		.sessions_max = sessions_allowed(&m->log, (size_t)x->settings.sessions),
	};
	enum err e = check_entrance(cfg.entrance != NULL ? cfg.entrance : m->own->entrance, d);

	if (e == ERR_OK)
		e = open_store(&cfg.store, x, m, d);
	if (e == ERR_OK)
		e = gateway_new(&x->gateway, &cfg, d);
	x->params = &m->charter->params;
	if (e == ERR_OK)
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

	gateway_free(x->gateway);
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
	report_count(r, "not_forwarded", s->dropped_in);
	report_journal(r, x);
	report_section(r, "sessions");
	report_count(r, "open", s->entry.sessions);
	report_u64(r, "most", (uint64_t)x->settings.sessions);
	report_count(r, "opened", s->entry.opened);
	report_count(r, "refused", s->entry.refused);
}

static int
run_init(const struct call *c)
{
	const struct init_options *o = c->own;

	return daemon_init(c, o->dir, CHARTER_GATEWAY, o->address, o->entrance);
}

static int
run_run(const struct call *c)
{
	static const struct daemon_node node = { CHARTER_GATEWAY, start, stop, end,
		{ look, count, report } };
	struct gateway_daemon x = { .gateway = NULL };

	return daemon_run(c, &settings_schema, &x.settings, &node, &x);
}

static int
run_status(const struct call *c)
{
	struct settings settings;

	return daemon_status(c, &settings_schema, &settings);
}

static const struct command commands[] = {
	{ .name = "init", .options = &init_schema, .run = run_init,
	    .summary = "Make the gateway's keys and print its public line for the charter" },
	{ .name = "run", .options = &daemon_run_schema, .run = run_run,
	    .summary = "Run the gateway" },
	{ .name = "status", .options = &daemon_status_schema, .run = run_status,
	    .summary = "Show how the running gateway stands" },
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

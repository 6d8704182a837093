/* restante-mix: one mix of a Restante network. */
#include "config.h"

#include "mix/daemon.h"
#include "mix/mix.h"

#define SCHEMA(keys, type) { keys, sizeof(keys) / sizeof(keys[0]), sizeof(type) }

/* ---- tables ---- */

static const struct config_key setting_keys[] = {
	{ .name = "state", .type = CONFIG_PATH, .unit = "DIRECTORY",
	    .help = "the directory that init made: keys, replay sets, sheets",
	    CONFIG_FIELD(struct daemon_settings, state) },
	{ .name = "charter", .type = CONFIG_PATH, .unit = "FILE",
	    .help = "the network's signed charter", CONFIG_FIELD(struct daemon_settings, charter) },
	{ .name = "listen", .type = CONFIG_ADDRESS, .fallback = "",
	    .help = "where to accept other nodes, if not at our address in the charter",
	    CONFIG_FIELD(struct daemon_settings, listen) },
	{ .name = "entrance", .type = CONFIG_ADDRESS, .fallback = "",
	    .help = "where our own sessions enter, if not at the gateway's entrance in the charter",
	    CONFIG_FIELD(struct daemon_settings, entrance) },
	{ .name = "threads", .type = CONFIG_INTEGER, .min = 1, .max = 64, .fallback = "2",
	    .help = "threads that unwrap packets", CONFIG_FIELD(struct daemon_settings, threads) },
	{ .name = "desk", .type = CONFIG_ADDRESS, .fallback = "",
	    .help = "the unix socket at which the running daemon is asked; else STATE/desk",
	    CONFIG_FIELD(struct daemon_settings, desk) },
	{ .name = "alarm-command", .type = CONFIG_PATH, .fallback = "", .unit = "PROGRAM",
	    .help = "run with raised|cleared, the name and the number of each alarm",
	    CONFIG_FIELD(struct daemon_settings, alarm_command) },
	{ .name = "disk-low", .type = CONFIG_SIZE, .min = 0, .max = (int64_t)1 << 50,
	    .fallback = "256MiB", .help = "less free space than this is an alarm",
	    CONFIG_FIELD(struct daemon_settings, disk_low) },
	{ .name = "log-level", .type = CONFIG_ENUM, .choices = daemon_levels, .fallback = "info",
	    .help = "the least level that is logged, on standard error",
	    CONFIG_FIELD(struct daemon_settings, log_level) },
};
static const struct config_schema settings_schema = SCHEMA(setting_keys, struct daemon_settings);

struct init_options {
	char dir[DAEMON_PATH_BYTES], address[CHARTER_ADDRESS_MAX];
};

static const struct config_key init_keys[] = {
	{ .name = "dir", .type = CONFIG_STRING, .min = 1, .unit = "DIRECTORY", .letter = 'd',
	    .help = "the state directory, made if absent", CONFIG_FIELD(struct init_options, dir) },
	{ .name = "address", .type = CONFIG_ADDRESS, .unit = "ADDRESS", .letter = 'a',
	    .help = "where other nodes reach this mix",
	    CONFIG_FIELD(struct init_options, address) },
};
static const struct config_schema init_schema = SCHEMA(init_keys, struct init_options);

/* ---- the mix on its daemon ---- */

struct mix_daemon {
	struct daemon_settings settings;
	struct mix *mix;
	struct mix_status counted; /* at the last count of traffic */
};

static enum err
start(void *arg, struct daemon *m, struct diag *d)
{
	struct mix_daemon *x = arg;
	const struct mix_config cfg = {
		.loop = m->loop,
		.disk = m->disk,
		.charter = m->charter,
		.number = m->own->number,
		.identity_sk = m->keys->identity_sk,
		.link_sk = m->keys->link_sk,
		.listen = daemon_given(m->settings->listen),
		.entrance = daemon_given(m->settings->entrance),
		.rng = rng_system(),
		.keys = rng_system(),
		.log = &m->log,
		.threads = (unsigned)m->settings->threads,
	};
	enum err e = mix_new(&x->mix, &cfg, d);

	if (e == ERR_OK)
		daemon_ready(m);
	return e;
}

static void
stop(void *arg, int64_t linger_ms, void (*stopped)(void *arg), void *stopped_arg)
{
	struct mix_daemon *x = arg;

	mix_stop(x->mix, linger_ms, stopped, stopped_arg);
}

static void
end(void *arg)
{
	struct mix_daemon *x = arg;

	mix_free(x->mix);
}

/* ---- for status and alarms ---- */

static void
look(void *arg, struct watch_view *v)
{
	struct mix_daemon *x = arg;
	struct mix_status s;

	mix_get_status(x->mix, &s);
	v->epoch = s.epoch;
	v->has_sheet = s.has_sheet;
	v->sheet_nodes = s.sheet_nodes;
	v->sits_out = s.sits_out;
	v->struck = s.struck;
	v->link_count = mix_links(x->mix, v->links, CHARTER_NODES_MAX);
}

static void
count(void *arg)
{
	struct mix_daemon *x = arg;

	mix_get_status(x->mix, &x->counted);
}

static void
report(void *arg, struct report *r)
{
	const struct mix_status *s = &((struct mix_daemon *)arg)->counted;

	report_section(r, "packets");
	report_count(r, "held", s->held);
	report_count(r, "pooled", s->pooled);
	report_count(r, "received", s->received);
	report_count(r, "released", s->released);
	report_count(r, "flushes", s->flushes);
	report_count(r, "failed_writes", s->failed_commits);
	report_section(r, "drops");
	for (unsigned cause = UNWRAP_PASSED + 1; cause < UNWRAP_CAUSES; cause++)
		report_count(r, unwrap_cause_name(cause), s->unwrapped.by[cause]);
	report_count(r, "wrong_epoch", s->dropped_epoch);
	report_count(r, "full", s->dropped_full);
	report_count(r, "sat_out", s->dropped_out);
	report_count(r, "link_full", s->dropped_link);
}

static int
run_init(const struct call *c)
{
	const struct init_options *o = c->own;

	return daemon_init(c, o->dir, CHARTER_MIX, o->address, NULL);
}

static int
run_run(const struct call *c)
{
	static const struct daemon_node node = { CHARTER_MIX, start, stop, end,
		{ look, count, report } };
	struct mix_daemon x = { .mix = NULL };

	return daemon_run(c, &settings_schema, &x.settings, &node, &x);
}

static int
run_status(const struct call *c)
{
	struct daemon_settings settings;

	return daemon_status(c, &settings_schema, &settings);
}

static const struct command commands[] = {
	{ .name = "init", .options = &init_schema, .run = run_init,
	    .summary = "Make this mix's keys and print its public line for the charter" },
	{ .name = "run", .options = &daemon_run_schema, .run = run_run, .summary = "Run the mix" },
	{ .name = "status", .options = &daemon_status_schema, .run = run_status,
	    .summary = "Show how the running mix stands" },
};

static const struct program program = {
	.name = "restante-mix",
	.summary = "One mix of a Restante network",
	.config = &settings_schema,
	.commands = commands,
	.command_count = sizeof(commands) / sizeof(commands[0]),
};

int
main(int argc, char **argv)
{
	return options_main(&program, argc, argv);
}

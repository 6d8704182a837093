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

	return mix_new(&x->mix, &cfg, d);
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

static int
run_init(const struct call *c)
{
	const struct init_options *o = c->own;

	return daemon_init(c, o->dir, CHARTER_MIX, o->address, NULL);
}

static int
run_run(const struct call *c)
{
	static const struct daemon_node node = { CHARTER_MIX, start, stop, end };
	struct mix_daemon x = { .mix = NULL };

	return daemon_run(c, &settings_schema, &x.settings, &node, &x);
}

static const struct command commands[] = {
	{ .name = "init", .options = &init_schema, .run = run_init,
	    .summary = "Make this mix's keys and print its public line for the charter" },
	{ .name = "run", .options = &daemon_run_schema, .run = run_run, .summary = "Run the mix" },
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

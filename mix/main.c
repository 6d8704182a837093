/* restante-mix: one mix of a Restante network. */
#include "config.h"

#include <signal.h>
#include <stdio.h>

#include "common/base/clock.h"
#include "common/charter/nodeline.h"
#include "common/config/options.h"
#include "common/net/address.h"
#include "common/net/loop_event.h"
#include "mix/charterfile.h"
#include "mix/mix.h"
#include "mix/nodekeys.h"

#define LINGER_MS 2000
#define PATH_BYTES 1024

#define SCHEMA(keys, type) { keys, sizeof(keys) / sizeof(keys[0]), sizeof(type) }

/* ---- tables ---- */

struct settings {
	char state[PATH_BYTES], charter[PATH_BYTES];
	char listen[CHARTER_ADDRESS_MAX], entrance[CHARTER_ADDRESS_MAX];
	int64_t threads;
	enum log_level log_level;
};

static const char *const levels[] = { "debug", "info", "warning", "alarm", NULL };

static const struct config_key setting_keys[] = {
	{ .name = "state", .type = CONFIG_PATH, .unit = "DIRECTORY",
	    .help = "the directory that init made: keys, replay sets, sheets",
	    CONFIG_FIELD(struct settings, state) },
	{ .name = "charter", .type = CONFIG_PATH, .unit = "FILE",
	    .help = "the network's signed charter", CONFIG_FIELD(struct settings, charter) },
	{ .name = "listen", .type = CONFIG_ADDRESS, .fallback = "",
	    .help = "where to accept other nodes, if not at our address in the charter",
	    CONFIG_FIELD(struct settings, listen) },
	{ .name = "entrance", .type = CONFIG_ADDRESS, .fallback = "",
	    .help = "where our own sessions enter, if not at the gateway's entrance in the charter",
	    CONFIG_FIELD(struct settings, entrance) },
	{ .name = "threads", .type = CONFIG_INTEGER, .min = 1, .max = 64, .fallback = "2",
	    .help = "threads that unwrap packets", CONFIG_FIELD(struct settings, threads) },
	{ .name = "log-level", .type = CONFIG_ENUM, .choices = levels, .fallback = "info",
	    .help = "the least level that is logged, on standard error",
	    CONFIG_FIELD(struct settings, log_level) },
};
static const struct config_schema settings_schema = SCHEMA(setting_keys, struct settings);

struct init_options {
	char dir[PATH_BYTES], address[CHARTER_ADDRESS_MAX];
};

static const struct config_key init_keys[] = {
	{ .name = "dir", .type = CONFIG_STRING, .min = 1, .unit = "DIRECTORY", .letter = 'd',
	    .help = "the state directory, made if absent", CONFIG_FIELD(struct init_options, dir) },
	{ .name = "address", .type = CONFIG_ADDRESS, .unit = "ADDRESS", .letter = 'a',
	    .help = "where other nodes reach this mix",
	    CONFIG_FIELD(struct init_options, address) },
};
static const struct config_schema init_schema = SCHEMA(init_keys, struct init_options);

struct run_options {
	char config[PATH_BYTES];
	bool check;
};

static const struct config_key run_keys[] = {
	{ .name = "config", .type = CONFIG_STRING, .min = 1, .unit = "FILE", .letter = 'c',
	    .help = "the configuration file", CONFIG_FIELD(struct run_options, config) },
	{ .name = "check-config", .type = CONFIG_BOOL, .fallback = "no",
	    .help = "check the configuration and the charter, and exit",
	    CONFIG_FIELD(struct run_options, check) },
};
static const struct config_schema run_schema = SCHEMA(run_keys, struct run_options);

/* ---- init ---- */

static int
run_init(const struct call *c)
{
	const struct init_options *o = c->own;
	char line[NODELINE_BYTES];
	struct charter_node node;
	struct diag d = { "" };
	struct nodekeys *keys = NULL;
	struct disk *disk = NULL;
	enum err e = ERR_OK;

	if (address_check(o->address) != ERR_OK)
		e = diag_set(&d, ERR_USAGE, "--address: nodes resolve no names: give numbers, such "
		    "as 192.0.2.7:7001 or [2001:db8::7]:7001, or unix:/path");
	if (e == ERR_OK)
		e = disk_open(&disk, o->dir, &d);
	if (e == ERR_OK)
		e = nodekeys_create(&keys, disk, rng_system(), &d);
	if (e == ERR_OK) {
		nodekeys_public(&node, keys, CHARTER_MIX);
		(void)snprintf(node.address, sizeof(node.address), "%s", o->address);
		nodeline_print(line, &node);
		(void)fprintf(c->out, "%s\n", line);
	}
	nodekeys_free(keys);
	disk_free(disk);
	return e == ERR_OK ? OPTIONS_EXIT_OK : options_fail(c, e, &d);
}

/* ---- run ---- */

struct daemon {
	struct settings settings;
	struct log log;
	struct charter *charter;
	struct disk *disk;
	struct nodekeys *keys;
	struct loop *loop;
	struct mix *mix;
};

static void
on_stopped(void *arg)
{
	struct daemon *m = arg;

	loop_event_stop(m->loop);
}

static void
on_signal(void *arg)
{
	struct daemon *m = arg;

	mix_stop(m->mix, LINGER_MS, on_stopped, m);
}

static enum err
watch_signals(struct daemon *m)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP };
	enum err e = ERR_OK;

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]) && e == ERR_OK; i++)
		e = loop_event_signal(m->loop, signals[i], on_signal, m);
	return e;
}

static const char *
given(const char *s)
{
	return s[0] != '\0' ? s : NULL;
}

static enum err
start_mix(struct daemon *m, struct diag *d)
{
	const struct charter_node *own;
	enum err e = nodekeys_find(&own, m->keys, m->charter, CHARTER_MIX, d);
	struct mix_config cfg = {
		.loop = m->loop,
		.disk = m->disk,
		.charter = m->charter,
		.identity_sk = m->keys->identity_sk,
		.link_sk = m->keys->link_sk,
		.listen = given(m->settings.listen),
		.entrance = given(m->settings.entrance),
		.rng = rng_system(),
		.keys = rng_system(),
		.log = &m->log,
		.threads = (unsigned)m->settings.threads,
	};

	if (e != ERR_OK)
		return e;
	cfg.number = own->number;
	return mix_new(&m->mix, &cfg, d);
}

static enum err
run(struct daemon *m, struct diag *d)
{
	enum err e = disk_open(&m->disk, m->settings.state, d);

	if (e == ERR_OK)
		e = nodekeys_load(&m->keys, m->disk, d);
	if (e == ERR_OK)
		e = loop_event_new(&m->loop, NULL);
	if (e == ERR_OK)
		e = start_mix(m, d);
	if (e == ERR_OK)
		e = watch_signals(m);
	if (e == ERR_OK)
		loop_event_run(m->loop);
	return e;
}

static void
end(struct daemon *m)
{
	mix_free(m->mix);
	if (m->loop != NULL)
		loop_event_free(m->loop);
	nodekeys_free(m->keys);
	disk_free(m->disk);
	charter_free(m->charter);
}

static int
run_run(const struct call *c)
{
	const struct run_options *o = c->own;
	struct daemon m = { .log = { .out = c->err, .clock = clock_system() } };
	struct diag d = { "" };
	enum err e = config_load(&m.settings, &settings_schema, o->config, &d);

	if (e != ERR_OK) {
		(void)options_fail(c, e, &d);
		return OPTIONS_EXIT_CONFIG;
	}
	m.log.threshold = m.settings.log_level;
	e = charterfile_load(&m.charter, m.settings.charter, clock_wall_ms(clock_system()), &d);
	if (e == ERR_OK && !o->check)
		e = run(&m, &d);
	end(&m);
	return e == ERR_OK ? OPTIONS_EXIT_OK : options_fail(c, e, &d);
}

static const struct command commands[] = {
	{ .name = "init", .options = &init_schema, .run = run_init,
	    .summary = "Make this mix's keys and print its public line for the charter" },
	{ .name = "run", .options = &run_schema, .run = run_run, .summary = "Run the mix" },
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

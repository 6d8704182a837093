/* restante-gateway: the gateway of a Restante network. */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/charter/nodeline.h"
#include "common/config/options.h"
#include "common/net/loop_event.h"
#include "gateway/gateway.h"
#include "gateway/store_leveldb.h"
#include "mix/charterfile.h"
#include "mix/nodekeys.h"

#define LINGER_MS 2000
#define PATH_BYTES 1024
#define JOURNAL "journal" /* under the state directory */

#define SCHEMA(keys, type) { keys, sizeof(keys) / sizeof(keys[0]), sizeof(type) }

/* ---- tables ---- */

struct settings {
	char state[PATH_BYTES], charter[PATH_BYTES];
	char listen[CHARTER_ADDRESS_MAX], entrance[CHARTER_ADDRESS_MAX];
	int64_t threads, sessions;
	int transport;
	enum log_level log_level;
};

static const char *const transports[] = { "loopback", NULL };
static const char *const levels[] = { "debug", "info", "warning", "alarm", NULL };

static const struct config_key setting_keys[] = {
	{ .name = "state", .type = CONFIG_PATH, .unit = "DIRECTORY",
	    .help = "the directory that init made: keys, replay sets, the journal",
	    CONFIG_FIELD(struct settings, state) },
	{ .name = "charter", .type = CONFIG_PATH, .unit = "FILE",
	    .help = "the network's signed charter", CONFIG_FIELD(struct settings, charter) },
	{ .name = "listen", .type = CONFIG_ADDRESS, .fallback = "",
	    .help = "where to accept other nodes, if not at our address in the charter",
	    CONFIG_FIELD(struct settings, listen) },
	{ .name = "entrance", .type = CONFIG_ADDRESS, .fallback = "",
	    .help = "where clients come in, if not at our entrance in the charter",
	    CONFIG_FIELD(struct settings, entrance) },
	{ .name = "threads", .type = CONFIG_INTEGER, .min = 1, .max = 64, .fallback = "2",
	    .help = "threads that unwrap packets", CONFIG_FIELD(struct settings, threads) },
	{ .name = "sessions", .type = CONFIG_INTEGER, .min = 1, .max = 100000, .fallback = "4096",
	    .unit = "sessions", .help = "open at a time, at most",
	    CONFIG_FIELD(struct settings, sessions) },
	{ .name = "transport", .type = CONFIG_ENUM, .choices = transports, .fallback = "loopback",
	    .help = "how clients reach the entrance: a unix socket or a loopback port",
	    CONFIG_FIELD(struct settings, transport) },
	{ .name = "log-level", .type = CONFIG_ENUM, .choices = levels, .fallback = "info",
	    .help = "the least level that is logged, on standard error",
	    CONFIG_FIELD(struct settings, log_level) },
};
static const struct config_schema settings_schema = SCHEMA(setting_keys, struct settings);

struct init_options {
	char dir[PATH_BYTES], address[CHARTER_ADDRESS_MAX], entrance[CHARTER_ADDRESS_MAX];
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
	enum err e = disk_open(&disk, o->dir, &d);

	if (e == ERR_OK)
		e = nodekeys_create(&keys, disk, rng_system(), &d);
	if (e == ERR_OK) {
		nodekeys_public(&node, keys, CHARTER_GATEWAY);
		(void)snprintf(node.address, sizeof(node.address), "%s", o->address);
		(void)snprintf(node.entrance, sizeof(node.entrance), "%s", o->entrance);
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
	struct disk *disk, *journal;
	struct nodekeys *keys;
	struct loop *loop;
	struct gateway *gateway;
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

	gateway_stop(m->gateway, LINGER_MS, on_stopped, m);
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
open_store(struct store **out, struct daemon *m, struct diag *d)
{
	char path[PATH_BYTES + sizeof(JOURNAL) + 1];
	struct store_leveldb_config cfg = { .loop = m->loop, .path = path, .keys = rng_system() };
	enum err e;

	(void)snprintf(path, sizeof(path), "%s/" JOURNAL, m->settings.state);
	e = disk_open(&m->journal, path, d);
	cfg.disk = m->journal;
	return e == ERR_OK ? store_leveldb_open(out, &cfg, d) : e;
}

static enum err
start_gateway(struct daemon *m, struct diag *d)
{
	const struct charter_node *own;
	struct gateway_config cfg = {
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
		.sessions_max = (size_t)m->settings.sessions,
	};
	enum err e = nodekeys_find(&own, m->keys, m->charter, CHARTER_GATEWAY, d);

	if (e == ERR_OK)
		e = check_entrance(cfg.entrance != NULL ? cfg.entrance : own->entrance, d);
	if (e == ERR_OK)
		e = open_store(&cfg.store, m, d);
	return e == ERR_OK ? gateway_new(&m->gateway, &cfg, d) : e;
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
		e = start_gateway(m, d);
	if (e == ERR_OK)
		e = watch_signals(m);
	if (e == ERR_OK)
		loop_event_run(m->loop);
	return e;
}

static void
end(struct daemon *m)
{
	gateway_free(m->gateway);
	if (m->loop != NULL)
		loop_event_free(m->loop);
	nodekeys_free(m->keys);
	disk_free(m->journal);
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
	(void)signal(SIGXFSZ, SIG_IGN); /* a limit on files is a full disk, which we survive */
	e = charterfile_load(&m.charter, m.settings.charter, clock_wall_ms(clock_system()), &d);
	if (e == ERR_OK && !o->check)
		e = run(&m, &d);
	end(&m);
	return e == ERR_OK ? OPTIONS_EXIT_OK : options_fail(c, e, &d);
}

static const struct command commands[] = {
	{ .name = "init", .options = &init_schema, .run = run_init,
	    .summary = "Make the gateway's keys and print its public line for the charter" },
	{ .name = "run", .options = &run_schema, .run = run_run, .summary = "Run the gateway" },
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

#include "config.h"

#include "mix/daemon.h"

#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

#include "common/base/clock.h"
#include "common/charter/nodeline.h"
#include "common/net/address.h"
#include "common/net/loop_event.h"
#include "mix/charterfile.h"

#define LINGER_MS 2000

const char *const daemon_levels[] = { "debug", "info", "warning", "alarm", NULL };

static const struct config_key run_keys[] = {
	{ .name = "config", .type = CONFIG_STRING, .min = 1, .unit = "FILE", .letter = 'c',
	    .help = "the configuration file", CONFIG_FIELD(struct daemon_run_options, config) },
	{ .name = "check-config", .type = CONFIG_BOOL, .fallback = "no",
	    .help = "check the configuration and the charter, and exit",
	    CONFIG_FIELD(struct daemon_run_options, check) },
};
const struct config_schema daemon_run_schema = {
	.keys = run_keys,
	.count = sizeof(run_keys) / sizeof(run_keys[0]),
	.size = sizeof(struct daemon_run_options),
};

const char *
daemon_given(const char *s)
{
	return s[0] != '\0' ? s : NULL;
}

uint64_t
daemon_want_files(uint64_t wanted)
{
	struct rlimit r = { 0 };

	if (getrlimit(RLIMIT_NOFILE, &r) != 0)
		return wanted;
	if (r.rlim_cur < wanted) {
		struct rlimit raised = { r.rlim_max < wanted ? r.rlim_max : wanted, r.rlim_max };
		if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
			r = raised;
	}
	return r.rlim_cur;
}

/* ---- init ---- */

static enum err
check_address(const char *address, struct diag *d)
{
	if (address_check(address) == ERR_OK)
		return ERR_OK;
	return diag_set(d, ERR_USAGE, "%s: nodes resolve no names: give numbers, such as "
	    "192.0.2.7:7001 or [2001:db8::7]:7001, or unix:/path", address);
}

static void
print_public(const struct call *c, const struct nodekeys *keys, enum charter_role role,
    const char *address, const char *entrance)
{
	char line[NODELINE_BYTES];
	struct charter_node node;

	nodekeys_public(&node, keys, role);
	(void)snprintf(node.address, sizeof(node.address), "%s", address);
	if (entrance != NULL)
		(void)snprintf(node.entrance, sizeof(node.entrance), "%s", entrance);
	nodeline_print(line, &node);
	(void)fprintf(c->out, "%s\n", line);
}

int
daemon_init(const struct call *c, const char *dir, enum charter_role role,
    const char *address, const char *entrance)
{
	struct diag d = { "" };
	struct nodekeys *keys = NULL;
	struct disk *disk = NULL;
	enum err e = check_address(address, &d);

	if (e == ERR_OK)
		e = disk_open(&disk, dir, &d);
	if (e == ERR_OK)
		e = nodekeys_create(&keys, disk, rng_system(), &d);
	if (e == ERR_OK)
		print_public(c, keys, role, address, entrance);
	nodekeys_free(keys);
	disk_free(disk);
	return e == ERR_OK ? OPTIONS_EXIT_OK : options_fail(c, e, &d);
}

/* ---- run ---- */

/* A daemon with what runs on it, for the signals. */
struct running {
	struct daemon m;
	const struct daemon_node *node;
	void *arg;
};

static void
on_stopped(void *arg)
{
	struct running *r = arg;

	loop_event_stop(r->m.loop);
}

static void
on_signal(void *arg)
{
	struct running *r = arg;

	r->node->stop(r->arg, LINGER_MS, on_stopped, r);
}

static enum err
watch_signals(struct running *r)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP };
	enum err e = ERR_OK;

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]) && e == ERR_OK; i++)
		e = loop_event_signal(r->m.loop, signals[i], on_signal, r);
	return e;
}

static enum err
run(struct running *r, struct diag *d)
{
	struct daemon *m = &r->m;
	enum err e = disk_open(&m->disk, m->settings->state, d);

	if (e == ERR_OK)
		e = nodekeys_load(&m->keys, m->disk, d);
	if (e == ERR_OK)
		e = nodekeys_find(&m->own, m->keys, m->charter, r->node->role, d);
	if (e == ERR_OK)
		e = loop_event_new(&m->loop, NULL);
	if (e == ERR_OK)
		e = r->node->start(r->arg, m, d);
	if (e == ERR_OK)
		e = watch_signals(r);
	if (e == ERR_OK)
		loop_event_run(m->loop);
	return e;
}

static void
end(struct running *r)
{
	r->node->free(r->arg);
	if (r->m.loop != NULL)
		loop_event_free(r->m.loop);
	nodekeys_free(r->m.keys);
	disk_free(r->m.disk);
	charter_free(r->m.charter);
}

/* For --check-config; what runs asks the charter that is in force by then. */
static enum err
check_date(const struct charter *c, const char *path, struct diag *d)
{
	if (charter_in_force(c, clock_wall_ms(clock_system())))
		return ERR_OK;
	return diag_set(d, ERR_RANGE, "%s: its not-after has passed; get the network's present "
	    "charter, or set this machine's clock", path);
}

int
daemon_run(const struct call *c, const struct config_schema *schema, void *settings,
    const struct daemon_node *node, void *arg)
{
	const struct daemon_run_options *o = c->own;
	struct running r = { .m = { .settings = settings,
				 .log = { .out = c->err, .clock = clock_system() } },
		.node = node,
		.arg = arg };
	struct diag d = { "" };
	enum err e = config_load(settings, schema, o->config, &d);

	if (e != ERR_OK) {
		(void)options_fail(c, e, &d);
		return OPTIONS_EXIT_CONFIG;
	}
	(void)signal(SIGXFSZ, SIG_IGN); /* a limit on files is a full disk, which we survive */
	r.m.log.threshold = r.m.settings->log_level;
	e = charterfile_load(&r.m.charter, r.m.settings->charter, &d);
	if (e == ERR_OK)
		e = o->check ? check_date(r.m.charter, r.m.settings->charter, &d) : run(&r, &d);
	end(&r);
	return e == ERR_OK ? OPTIONS_EXIT_OK : options_fail(c, e, &d);
}

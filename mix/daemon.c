#include "config.h"

#include "mix/daemon.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "common/base/clock.h"
#include "common/charter/nodeline.h"
#include "common/net/address.h"
#include "common/net/loop_event.h"
#include "mix/charterfile.h"

#define LINGER_MS 2000
#define ASK_MS 15000 /* for a daemon to answer */

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

static const struct config_key status_keys[] = {
	{ .name = "config", .type = CONFIG_STRING, .min = 1, .unit = "FILE", .letter = 'c',
	    .help = "the running daemon's configuration file",
	    CONFIG_FIELD(struct daemon_status_options, config) },
	{ .name = "json", .type = CONFIG_BOOL, .fallback = "no",
	    .help = "print one JSON object, for programs",
	    CONFIG_FIELD(struct daemon_status_options, json) },
};
const struct config_schema daemon_status_schema = {
	.keys = status_keys,
	.count = sizeof(status_keys) / sizeof(status_keys[0]),
	.size = sizeof(struct daemon_status_options),
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
    const char *address, const char entrance[static CHARTER_ADDRESS_MAX])
{
	char line[NODELINE_BYTES];
	struct charter_node node;

	nodekeys_public(&node, keys, role);
	(void)snprintf(node.address, sizeof(node.address), "%s", address);
	memcpy(node.entrance, entrance, sizeof(node.entrance));
	nodeline_print(line, &node);
	(void)fprintf(c->out, "%s\n", line);
}

int
daemon_init(const struct call *c, const char *dir, enum charter_role role,
    const char *address, daemon_entrance_cb *entrance, void *arg)
{
	char enter[CHARTER_ADDRESS_MAX] = "";
	struct diag d = { "" };
	struct nodekeys *keys = NULL;
	struct disk *disk = NULL;
	enum err e = charter_has_address(role) ? check_address(address, &d) : ERR_OK;

	if (e == ERR_OK)
		e = disk_open(&disk, dir, &d);
	if (e == ERR_OK)
		e = nodekeys_create(&keys, disk, rng_system(), &d);
	if (e == ERR_OK && entrance != NULL)
		e = entrance(arg, enter, disk, &d);
	if (e == ERR_OK)
		print_public(c, keys, role, address, enter);
	nodekeys_free(keys);
	disk_free(disk);
	return e == ERR_OK ? OPTIONS_EXIT_OK : options_fail(c, e, &d);
}

/* ---- status ---- */

#define STATUS_VERB "status"
#define STATUS_JSON "json"

enum err
daemon_desk(char out[static CHARTER_ADDRESS_MAX], const struct daemon_settings *s, struct diag *d)
{
	const char *given = daemon_given(s->desk);
	int n = given != NULL ? snprintf(out, CHARTER_ADDRESS_MAX, "%s", given)
			      : snprintf(out, CHARTER_ADDRESS_MAX, "unix:%s/desk", s->state);

	if (n > 0 && n < CHARTER_ADDRESS_MAX && address_check(out) == ERR_OK)
		return ERR_OK;
	return diag_set(d, ERR_USAGE, "the path of the desk is too long for a socket: give a "
	    "shorter one, such as desk = unix:/run/restante/desk");
}

/* Answer with '1' (ready, no alarm) or '0', then the text. */
static void
on_status(void *arg, struct desk_call *call, const uint8_t *payload, size_t n)
{
	struct daemon *m = arg;
	bool json = n == sizeof(STATUS_JSON) - 1 && memcmp(payload, STATUS_JSON, n) == 0;
	bool good = false;
	struct buf out;
	enum err e;

	buf_init(&out);
	e = buf_append(&out, "0", 1, REPORT_MAX);
	if (e == ERR_OK)
		e = watch_status(m->watch, &out, &good, json);
	if (e == ERR_OK && good)
		out.data[0] = '1';
	if (e == ERR_OK)
		desk_answer(call, ERR_OK, out.data, out.len);
	else
		desk_refuse(call, e, NULL);
	buf_release(&out);
}

int
daemon_settings_load(const struct call *c, const struct config_schema *schema, void *settings,
    const char *config)
{
	struct diag d = { "" };
	enum err e = config_load(settings, schema, config, &d);

	if (e == ERR_OK)
		return OPTIONS_EXIT_OK;
	(void)options_fail(c, e, &d);
	return OPTIONS_EXIT_CONFIG;
}

int
daemon_ask_failed(const struct call *c, enum err e, const struct diag *d)
{
	int code = options_fail(c, e, d);

	if (e == ERR_NOT_FOUND)
		return DAEMON_EXIT_UNAVAILABLE;
	return e == ERR_TIMEOUT || e == ERR_CLOSED ? OPTIONS_EXIT_BUSY : code;
}

int
daemon_status(const struct call *c, const struct config_schema *schema, void *settings)
{
	const struct daemon_status_options *o = c->own;
	char address[CHARTER_ADDRESS_MAX];
	struct diag d = { "" };
	struct buf out;
	int code = daemon_settings_load(c, schema, settings, o->config);
	enum err e;

	if (code != OPTIONS_EXIT_OK)
		return code;
	buf_init(&out);
	e = daemon_desk(address, settings, &d);
	if (e == ERR_OK)
		e = desk_ask(&out, address, STATUS_VERB, o->json ? STATUS_JSON : "",
		    o->json ? sizeof(STATUS_JSON) - 1 : 0, ASK_MS, &d);
	if (e == ERR_OK && out.len == 0)
		e = diag_set(&d, ERR_MALFORMED, "the daemon's answer is empty; it is another "
		    "version than this command");
	if (e == ERR_OK)
		(void)fwrite(out.data + 1, 1, out.len - 1, c->out);
	code = e != ERR_OK ? daemon_ask_failed(c, e, &d)
	    : out.data[0] == '1' ? OPTIONS_EXIT_OK
				 : DAEMON_EXIT_ALARM;
	buf_release(&out);
	return code;
}

/* ---- run ---- */

void
daemon_ready(struct daemon *m)
{
	watch_ready(m->watch, NULL);
}

void
daemon_unready(struct daemon *m, const char *why)
{
	watch_ready(m->watch, why);
}

/* A daemon with what runs on it, for the signals. */
struct running {
	struct daemon m;
	const struct daemon_node *node;
	void *arg;
	const char *program;
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

	watch_stopping(r->m.watch);
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
open_watch(struct running *r)
{
	struct daemon *m = &r->m;
	const struct watch_config cfg = { .loop = m->loop,
		.log = &m->log,
		.program = r->program,
		.charter = m->charter,
		.own = m->own,
		.state = m->settings->state,
		.disk_low = m->settings->disk_low,
		.alarm_helper = daemon_given(m->settings->alarm_command) != NULL ? m->helper : NULL,
		.alarm_program = DAEMON_ALARM_COMMAND,
		.sandbox = m->sandbox,
		.node = &r->node->watch,
		.arg = r->arg };

	return watch_new(&m->watch, &cfg);
}

static enum err
open_desk(struct running *r, struct diag *d)
{
	char address[CHARTER_ADDRESS_MAX];
	struct daemon *m = &r->m;
	enum err e = daemon_desk(address, m->settings, d);

	if (e == ERR_OK)
		e = desk_open(&m->desk, m->loop, address, d);
	if (e == ERR_OK)
		e = desk_serve(m->desk, STATUS_VERB, on_status, m);
	return e;
}

/* Before the keys, so that the helper has none; what it may run is said here, once. */
static enum err
start_helper(struct daemon *m, const struct daemon_needs *n, struct diag *d)
{
	struct helper_program programs[] = {
		[DAEMON_ALARM_COMMAND] = { .argv = { m->settings->alarm_command }, .words_max = 3 },
		[DAEMON_TOR] = n->tor,
	};

	if (daemon_given(m->settings->alarm_command) == NULL && !n->runs_tor)
		return ERR_OK;
	return helper_new(&m->helper, programs, n->runs_tor ? 2 : 1, d);
}

static enum err
meet_needs(struct running *r, struct diag *d)
{
	struct daemon_needs needs = { .sandbox = r->m.sandbox };
	enum err e = r->node->needs != NULL ? r->node->needs(r->arg, &r->m, &needs, d) : ERR_OK;

	return e == ERR_OK ? start_helper(&r->m, &needs, d) : e;
}

/* Unix sockets are made and removed where our addresses are. */
static enum err
close_files(struct daemon *m, struct diag *d)
{
	char desk[CHARTER_ADDRESS_MAX];
	const char *addresses[] = { desk, m->settings->listen, m->own->address,
		m->own->role != CHARTER_MIX ? m->settings->entrance : "", m->own->entrance };
	enum err e = daemon_desk(desk, m->settings, d);

	if (e == ERR_OK)
		e = sandbox_allow(m->sandbox, SANDBOX_STATE, m->settings->state);
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]) && e == ERR_OK; i++)
		e = sandbox_allow_socket(m->sandbox, addresses[i]);
	return e == ERR_OK ? sandbox_files(m->sandbox, d) : e;
}

static enum err
run(struct running *r, struct diag *d)
{
	struct daemon *m = &r->m;
	enum err e = meet_needs(r, d);

	if (e == ERR_OK)
		e = disk_open(&m->disk, m->settings->state, d);
	if (e == ERR_OK)
		e = nodekeys_load(&m->keys, m->disk, d);
	if (e == ERR_OK)
		e = nodekeys_find(&m->own, m->keys, m->charter, r->node->role, d);
	if (e == ERR_OK)
		e = close_files(m, d);
	if (e == ERR_OK)
		e = loop_event_new(&m->loop, NULL);
	if (e == ERR_OK)
		e = open_watch(r);
	if (e == ERR_OK)
		e = open_desk(r, d);
	if (e == ERR_OK)
		e = r->node->start(r->arg, m, d);
	if (e == ERR_OK)
		e = watch_signals(r);
	if (e == ERR_OK)
		e = sandbox_calls(m->sandbox, &m->log, d);
	if (e != ERR_OK)
		return e;
	watch_begin(m->watch);
	loop_event_run(m->loop);
	watch_end(m->watch);
	return ERR_OK;
}

static void
end(struct running *r)
{
	r->node->free(r->arg);
	desk_free(r->m.desk);
	watch_free(r->m.watch);
	if (r->m.loop != NULL)
		loop_event_free(r->m.loop);
	helper_free(r->m.helper);
	nodekeys_free(r->m.keys);
	disk_free(r->m.disk);
	charter_free(r->m.charter);
}

/* For --check-config; what runs asks the charter that is in force by then. */
static enum err
check_date(const struct charter *c, const char *path, struct diag *d)
{
	if (clock_wall_ms(clock_system()) <= c->not_after_ms)
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
		.arg = arg,
		.program = c->program->name };
	struct sandbox sandbox;
	struct diag d = { "" };
	int code = daemon_settings_load(c, schema, settings, o->config);
	enum err e;

	if (code != OPTIONS_EXIT_OK)
		return code;
	sandbox_init(&sandbox, !r.m.settings->sandbox);
	r.m.sandbox = &sandbox;
	(void)signal(SIGXFSZ, SIG_IGN); /* a limit on files is a full disk, which we survive */
	r.m.log.threshold = r.m.settings->log_level;
	e = sandbox_become(r.m.settings->user, &d);
	if (e == ERR_OK)
		e = charterfile_load(&r.m.charter, r.m.settings->charter, &d);
	if (e == ERR_OK && node->check != NULL && node->check(arg, &r.m, &d) != ERR_OK) {
		charter_free(r.m.charter);
		(void)options_fail(c, ERR_USAGE, &d);
		return OPTIONS_EXIT_CONFIG;
	}
	if (e == ERR_OK)
		e = o->check ? check_date(r.m.charter, r.m.settings->charter, &d) : run(&r, &d);
	end(&r);
	return e == ERR_OK ? OPTIONS_EXIT_OK : options_fail(c, e, &d);
}

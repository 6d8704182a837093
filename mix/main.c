/* restante-mix: one mix of a Restante network. */
#include "config.h"

#include "common/base/secret.h"
#include "mix/daemon.h"
#include "mix/evidencecmd.h"
#include "mix/front.h"
#include "mix/mix.h"
#include "mix/purses.h"
#include "mix/secretfile.h"

#define JUDGED_LEAST 12 /* notes, before there is a percentage of them */
#define SCHEMA(keys, type) { keys, sizeof(keys) / sizeof(keys[0]), sizeof(type) }

/* ---- tables ---- */

struct settings {
	struct daemon_settings common;
	struct torsettings tor;
	char authorization[DAEMON_PATH_BYTES], enrolment[DAEMON_PATH_BYTES];
	char registrar[CHARTER_ADDRESS_MAX];
};

static const struct config_key setting_keys[] = {
	{ .name = "state", .type = CONFIG_PATH, .unit = "DIRECTORY",
	    .help = "the directory that init made: keys, replay sets, sheets",
	    CONFIG_FIELD(struct settings, common.state) },
	{ .name = "charter", .type = CONFIG_PATH, .unit = "FILE",
	    .help = "the network's signed charter", CONFIG_FIELD(struct settings, common.charter) },
	{ .name = "listen", .type = CONFIG_ADDRESS, .fallback = "",
	    .help = "where to accept other nodes, if not at our address in the charter",
	    CONFIG_FIELD(struct settings, common.listen) },
	{ .name = "entrance", .type = CONFIG_ADDRESS, .fallback = "",
	    .help = "where our own sessions enter, if not at the gateway's entrance in the charter",
	    CONFIG_FIELD(struct settings, common.entrance) },
	{ .name = "threads", .type = CONFIG_INTEGER, .min = 1, .max = 64, .fallback = "2",
	    .help = "threads that unwrap packets", CONFIG_FIELD(struct settings, common.threads) },
	DAEMON_ROWS(struct settings, common),
	TORSETTINGS_ROWS(struct settings, tor),
	{ .name = "authorization", .type = CONFIG_PATH, .fallback = "", .unit = "FILE",
	    .help = "the client authorization that lets our sessions in at the gateway",
	    CONFIG_FIELD(struct settings, authorization) },
	{ .name = "enrolment", .type = CONFIG_PATH, .fallback = "", .unit = "FILE",
	    .help = "the enrolment codes, one a session, by which they get their tickets",
	    CONFIG_FIELD(struct settings, enrolment) },
	{ .name = "registrar", .type = CONFIG_ADDRESS, .fallback = "",
	    .help = "where the registrar is reached, if not at its entrance in the charter",
	    CONFIG_FIELD(struct settings, registrar) },
};
static const struct config_schema settings_schema = SCHEMA(setting_keys, struct settings);

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
	struct settings settings;
	struct front *front;
	struct mix *mix;
	struct mix_status counted; /* at the last count of traffic */
};

static struct front_config
front_of(const struct settings *s, const struct charter *charter)
{
	const char *entrance = daemon_given(s->common.entrance);
	const char *registrar = daemon_given(s->registrar);

	if (registrar == NULL && charter_registrar(charter) != NULL)
		registrar = charter_registrar(charter)->entrance;
	return (struct front_config){ .settings = &s->tor,
		.entrance = entrance != NULL ? entrance : charter_gateway(charter)->entrance,
		.registrar = registrar,
		.state = s->common.state,
		.authorization = s->authorization };
}

/* *codes stays NULL if there are none. Secret memory. */
static enum err
load_codes(uint8_t **codes, const struct settings *s, const struct charter *charter, struct diag *d)
{
	struct diag why = { "" };
	char *text;
	size_t n;
	enum err e;

	if (s->enrolment[0] == '\0')
		return ERR_OK;
	e = secretfile_read(&text, &n, s->enrolment, "enrolment", d);
	if (e != ERR_OK)
		return e;
	e = purses_read_codes(codes, text, charter->network_id, &why);
	secret_free(text);
	return e == ERR_OK ? e : diag_set(d, e, "enrolment: %.400s", why.text);
}

static enum err
check(void *arg, const struct daemon *m, struct diag *d)
{
	const struct mix_daemon *x = arg;
	const struct front_config cfg = front_of(&x->settings, m->charter);

	uint8_t *codes = NULL;
	enum err e = front_check(&cfg, d);

	if (e == ERR_OK)
		e = load_codes(&codes, &x->settings, m->charter, d);
	secret_free(codes);
	return e;
}

static enum err
needs(void *arg, const struct daemon *m, struct daemon_needs *n, struct diag *d)
{
	struct mix_daemon *x = arg;
	const struct front_config cfg = front_of(&x->settings, m->charter);
	enum err e = ERR_OK;

	if (x->settings.enrolment[0] != '\0')
		e = sandbox_allow(n->sandbox, SANDBOX_READ, x->settings.enrolment);
	return e == ERR_OK ? front_needs(&cfg, n->sandbox, &n->runs_tor, &n->tor, &n->tor_strings, d) :
			     e;
}

static void
on_front(void *arg, bool open)
{
	struct mix_daemon *x = arg;

	if (x->mix != NULL)
		mix_hold(x->mix, !open);
}

static enum err
open_front(struct mix_daemon *x, struct daemon *m, struct diag *d)
{
	struct front_config cfg = front_of(&x->settings, m->charter);

	cfg.loop = m->loop;
	cfg.log = &m->log;
	cfg.helper = m->helper;
	cfg.helper_program = DAEMON_TOR;
	return front_new(&x->front, &cfg, on_front, x, d);
}

static enum err
open_mix(struct mix_daemon *x, struct daemon *m, struct diag *d)
{
	struct mix_config cfg = {
		.loop = m->loop,
		.disk = m->disk,
		.charter = m->charter,
		.number = m->own->number,
		.identity_sk = m->keys->identity_sk,
		.link_sk = m->keys->link_sk,
		.listen = daemon_given(m->settings->listen),
		.entrance = daemon_given(m->settings->entrance),
		.socks = front_socks(x->front),
		.registrar = daemon_given(x->settings.registrar),
		.held = !front_is_open(x->front),
		.rng = rng_system(),
		.keys = rng_system(),
		.log = &m->log,
		.threads = (unsigned)m->settings->threads,
	};

	uint8_t *codes = NULL;
	enum err e = load_codes(&codes, &x->settings, m->charter, d);

	cfg.codes = codes;
	if (e == ERR_OK)
		e = mix_new(&x->mix, &cfg, d);
	secret_free(codes);
	return e;
}

static void
on_evidence(void *arg, struct desk_call *call, const uint8_t *payload, size_t n)
{
	const struct mix_daemon *x = arg;

	(void)payload;
	(void)n;
	evidencecmd_answer(call, mix_proofs(x->mix));
}

static enum err
start(void *arg, struct daemon *m, struct diag *d)
{
	struct mix_daemon *x = arg;
	enum err e = open_front(x, m, d);

	if (e == ERR_OK)
		e = open_mix(x, m, d);
	if (e == ERR_OK)
		e = desk_serve(m->desk, EVIDENCE_VERB, on_evidence, x);
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
	x->mix = NULL;
	front_free(x->front);
}

/* ---- for status and alarms ---- */

static const char *
why_it_stands(enum heartbeat_state s)
{
	switch (s) {
	case HEARTBEAT_BEGINS:
	case HEARTBEAT_RUNS:
		break;
	case HEARTBEAT_STOPPED:
		return "stopped: its own packets do not come back";
	case HEARTBEAT_BLIND:
		return "stopped: it sees nothing of the journal";
	}
	return NULL;
}

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
	v->stands = why_it_stands(s.heartbeat.state);
	v->charter = s.charter;
	v->coming_charter = s.coming_charter;
	v->coming_epoch = s.coming_epoch;
	v->serves = s.serves;
	v->has_place = s.has_place;
	v->evidence = s.evidence;
	v->lied_epoch = s.lied_epoch;
	v->link_count = mix_links(x->mix, v->links, CHARTER_NODES_MAX);
}

static void
count(void *arg)
{
	struct mix_daemon *x = arg;

	mix_get_status(x->mix, &x->counted);
}

/* Of the notes that were judged since the last count. They are all our own. */
static void
report_heartbeat(const struct mix_daemon *x, struct report *r)
{
	const struct heartbeat_status *was = &x->counted.heartbeat;
	struct mix_status now;
	uint64_t judged, returned;

	mix_get_status(x->mix, &now);
	judged = now.heartbeat.judged - was->judged;
	returned = now.heartbeat.returned - was->returned;
	report_section(r, "heartbeat");
	report_text(r, "state", heartbeat_state_name(now.heartbeat.state));
	report_time(r, "starts_again", now.heartbeat.until_ms);
	if (judged >= JUDGED_LEAST)
		report_u64(r, "returned_percent", returned * 100 / judged);
	report_u64(r, "stops", now.heartbeat.stops);
}

/* What is left of the tickets; nothing in a network without. */
static void
report_tokens(const struct mix_daemon *x, struct report *r)
{
	struct mix_status now;

	mix_get_status(x->mix, &now);
	if (!now.tokens.needed)
		return;
	report_section(r, "tickets");
	report_bool(r, "enrolled", now.tokens.enrolled);
	report_u64(r, "this_hour", now.tokens.tickets);
	report_u64(r, "epochs_ahead", now.tokens.ahead);
}

static void
report(void *arg, struct report *r)
{
	const struct mix_daemon *x = arg;
	const struct mix_status *s = &x->counted;

	front_report(x->front, r);
	report_heartbeat(x, r);
	report_tokens(x, r);
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

	return daemon_init(c, o->dir, CHARTER_MIX, o->address, NULL, NULL);
}

static int
run_run(const struct call *c)
{
	static const struct daemon_node node = { CHARTER_MIX, start, stop, end,
		{ look, count, report }, check, needs };
	struct mix_daemon x = { .mix = NULL };

	return daemon_run(c, &settings_schema, &x.settings, &node, &x);
}

static int
run_status(const struct call *c)
{
	struct settings settings;

	return daemon_status(c, &settings_schema, &settings);
}

static int
run_evidence(const struct call *c)
{
	struct settings settings;

	return evidencecmd_run(c, &settings_schema, &settings);
}

static const struct command commands[] = {
	{ .name = "init", .options = &init_schema, .run = run_init,
	    .summary = "Make this mix's keys and print its public line for the charter" },
	{ .name = "run", .options = &daemon_run_schema, .run = run_run, .summary = "Run the mix" },
	{ .name = "status", .options = &daemon_status_schema, .run = run_status,
	    .summary = "Show how the running mix stands" },
	{ .name = "evidence", .operands = "list | export [N]", .operands_min = 1,
	    .operands_max = 2, .options = &evidencecmd_schema, .run = run_evidence,
	    .summary = "List or export what proves that the gateway lied" },
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

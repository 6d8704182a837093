#include "config.h"

#include "evaluation/program.h"

#include <string.h>
#include <unistd.h>

#include "common/base/bytes.h"
#include "evaluation/figures.h"
#include "evaluation/output.h"
#include "evaluation/progress.h"
#include "evaluation/run.h"
#include "evaluation/scenario.h"
#include "evaluation/traffic.h"

#define FIELD(member) CONFIG_FIELD(struct program_run_options, member)

static const struct config_key keys[] = {
	{ .name = "output", .type = CONFIG_STRING, .fallback = "", .unit = "DIR", .letter = 'o',
	    .help = "write manifest, trace, figures and plots into this new directory",
	    FIELD(output) },
	{ .name = "force", .type = CONFIG_BOOL, .fallback = "no",
	    .help = "replace the results that are in it", FIELD(force) },
	{ .name = "no-trace", .type = CONFIG_BOOL, .fallback = "no",
	    .help = "leave trace.csv and truth.csv out: they have a line for each packet and hop",
	    FIELD(no_trace) },
	{ .name = "json", .type = CONFIG_BOOL, .fallback = "no",
	    .help = "print the summary as one JSON object instead of a table", FIELD(json) },
	{ .name = "progress", .type = CONFIG_BOOL, .fallback = "no",
	    .help = "show on standard error how much is done, also if it is no terminal",
	    FIELD(progress) },
	{ .name = "crypto", .type = CONFIG_BOOL, .fallback = "no",
	    .help = "real onion packets, as with crypto = yes in the scenario", FIELD(crypto) },
	{ .name = "seed", .type = CONFIG_INTEGER, .fallback = "-1", .min = -1, .max = INT64_MAX,
	    .unit = "N", .help = "another seed than the scenario's; -1: the scenario's",
	    FIELD(seed) },
	{ .name = "print-scenario", .type = CONFIG_BOOL, .fallback = "no",
	    .help = "print the whole scenario as it would be run, and do not run it",
	    FIELD(print_scenario) },
};
const struct config_schema program_run_schema = { keys, sizeof(keys) / sizeof(keys[0]),
	sizeof(struct program_run_options) };

/* ---- the run ---- */

static enum err
report(const struct call *c, struct output *o, const struct scenario *s, const struct run *r,
    struct diag *d)
{
	const struct program_run_options *own = c->own;
	struct figures f;
	enum err e = figures_of(&f, s, r);

	if (e == ERR_OK && o != NULL)
		e = output_finish(o, s, r, &f, d);
	if (e == ERR_OK && own->json)
		e = figures_write_json(c->out, &f, s, r);
	else if (e == ERR_OK)
		figures_table(c->out, &f, r);
	return e;
}

/* A recording is read before anything is made; what the run will leave out is said. */
static enum err
look_at_recording(const struct call *c, const struct scenario *s, struct diag *d)
{
	struct traffic_config cfg;
	struct traffic *t;
	size_t after;
	enum err e;

	if (s->workload != TRAFFIC_RECORDED)
		return ERR_OK;
	scenario_traffic(&cfg, s);
	e = traffic_new(&t, &cfg, d);
	if (e != ERR_OK)
		return e;
	e = traffic_read(t, s->recording, d);
	after = traffic_lines_after(t, scenario_ends_ms(s));
	if (e == ERR_OK && after > 0)
		(void)fprintf(c->err, "%s: %zu of the %zu messages in %s are later than the end of "
		    "the run, and left out\n", c->program->name, after, traffic_lines(t),
		    s->recording);
	traffic_free(t);
	return e;
}

static int
run(const struct call *c, const struct scenario *s)
{
	const struct program_run_options *own = c->own;
	struct progress progress = { c->err, -1 };
	struct run_options options = { .arg = &progress };
	struct output *output = NULL;
	struct run *r = NULL;
	struct diag d = { "" };
	enum err e = look_at_recording(c, s, &d);
	int code;

	if (own->progress || isatty(STDERR_FILENO))
		options.progress = progress_show;
	if (e == ERR_OK && own->output[0] != '\0' && !own->no_trace && s->cover == COVER_COUNTED)
		e = diag_set(&d, ERR_USAGE, "with 'cover = counted' there is no trace of each packet; "
		    "add --no-trace");
	if (e == ERR_OK && own->output[0] != '\0')
		e = output_begin(&output, own->output, own->force, !own->no_trace, &d);
	if (e == ERR_OK && output != NULL) {
		options.trace = output_trace(output);
		options.truth = output_truth(output);
	}
	if (e == ERR_OK)
		e = run_scenario(&r, s, &options, &d);
	if (e == ERR_OK)
		e = report(c, output, s, r, &d);
	code = e != ERR_OK ? options_fail(c, e, &d) : OPTIONS_EXIT_OK;
	if (e == ERR_OK && run_empty(r)) {
		(void)fprintf(c->err, "%s: %s\n", c->program->name, run_reason(r));
		code = PROGRAM_EMPTY;
	}
	run_free(r);
	output_free(output);
	return code;
}

enum err
program_load(struct scenario *out, const struct call *c, struct diag *d)
{
	enum err e = scenario_load(out, c->operands[0], d);

	if (e == ERR_NOT_FOUND || e == ERR_EXISTS) /* a key, or the file */
		e = access(c->operands[0], R_OK) == 0 ? ERR_MALFORMED : e;
	return e;
}

int
program_run(const struct call *c)
{
	const struct program_run_options *own = c->own;
	struct scenario s;
	struct diag d = { "" };
	enum err e = program_load(&s, c, &d);

	if (e == ERR_OK && own->force && own->output[0] == '\0')
		e = diag_set(&d, ERR_USAGE, "--force is for --output, which is missing");
	if (e == ERR_OK) {
		s.crypto = s.crypto || own->crypto;
		s.seed = own->seed >= 0 ? own->seed : s.seed;
		e = scenario_check(&s, c->operands[0], &d);
	}
	if (e != ERR_OK)
		return options_fail(c, e, &d);
	if (!own->print_scenario)
		return run(c, &s);
	scenario_print(c->out, &s);
	return OPTIONS_EXIT_OK;
}

int
program_scenario(const struct call *c)
{
	scenario_print_defaults(c->out);
	return OPTIONS_EXIT_OK;
}

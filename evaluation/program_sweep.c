#include "config.h"

#include "evaluation/program.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "evaluation/jobs.h"
#include "evaluation/scenario.h"
#include "evaluation/sweep.h"

#define FIELD(member) CONFIG_FIELD(struct program_sweep_options, member)

static const struct config_key keys[] = {
	{ .name = "output", .type = CONFIG_STRING, .fallback = "", .unit = "FILE", .letter = 'o',
	    .help = "write the table into this file, not to standard output", FIELD(output) },
	{ .name = "jobs", .type = CONFIG_INTEGER, .fallback = "0", .min = 0, .max = JOBS_MAX,
	    .unit = "N", .letter = 'j',
	    .help = "runs at a time, which changes nothing but the speed; 0: one for each core",
	    FIELD(jobs) },
	{ .name = "progress", .type = CONFIG_BOOL, .fallback = "no",
	    .help = "show on standard error how much is done, also if it is no terminal",
	    FIELD(progress) },
};
const struct config_schema program_sweep_schema = { keys, sizeof(keys) / sizeof(keys[0]),
	sizeof(struct program_sweep_options) };

struct progress {
	FILE *out;
	size_t count;
};

static void
show_progress(void *arg, size_t n)
{
	const struct progress *p = arg;

	(void)fprintf(p->out, "\r%zu of %zu runs%s", n, p->count, n == p->count ? "\n" : "");
	(void)fflush(p->out);
}

static enum err
write_table(const struct call *c, const struct sweep *s, FILE *file, struct diag *d)
{
	const struct program_sweep_options *own = c->own;
	bool bad;

	sweep_csv(file != NULL ? file : c->out, s);
	if (file == NULL)
		return ERR_OK; /* options_main looks whether it could be written */
	bad = ferror(file) != 0;
	if (fclose(file) != 0 || bad)
		return diag_set(d, ERR_IO, "%s: cannot be written (%s)", own->output, strerror(errno));
	return ERR_OK;
}

static enum err
sweep(const struct call *c, struct sweep *s, struct diag *d)
{
	const struct program_sweep_options *own = c->own;
	struct progress progress = { c->err, sweep_count(s) };
	bool shown = own->progress || isatty(STDERR_FILENO);
	FILE *file = NULL;
	enum err e;

	/* before the long work, so that a wrong name is known at once */
	if (own->output[0] != '\0' && (file = fopen(own->output, "we")) == NULL)
		return diag_set(d, ERR_IO, "%s: cannot be written (%s)", own->output, strerror(errno));
	e = sweep_run(s, jobs_threads(own->jobs), shown ? show_progress : NULL, &progress, d);
	if (e == ERR_OK)
		return write_table(c, s, file, d);
	if (file != NULL)
		(void)fclose(file);
	return e;
}

int
program_sweep(const struct call *c)
{
	struct sweep *s = NULL;
	struct scenario base;
	struct diag d = { "" };
	enum err e = program_load(&base, c, &d);
	int code = OPTIONS_EXIT_OK;

	if (e == ERR_OK) {
		e = sweep_new(&s, &base, c->operands + 1, c->operand_count - 1, &d);
		if (e == ERR_NOT_FOUND || e == ERR_EXISTS || e == ERR_RANGE)
			e = ERR_MALFORMED;
	}
	if (e == ERR_OK)
		e = sweep(c, s, &d);
	if (e != ERR_OK) {
		code = options_fail(c, e, &d);
	} else if (sweep_empty(s)) {
		(void)fprintf(c->err, "%s: no target was observed in any run; the last column of "
		    "the table has the reasons\n", c->program->name);
		code = PROGRAM_EMPTY;
	}
	sweep_free(s);
	return code;
}

#include "config.h"

#include "evaluation/program.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "evaluation/jobs.h"
#include "evaluation/partial.h"
#include "evaluation/scenario.h"
#include "evaluation/sweep.h"

#define FIELD(member) CONFIG_FIELD(struct program_sweep_options, member)

static const struct config_key keys[] = {
	{ .name = "output", .type = CONFIG_STRING, .fallback = "", .unit = "FILE", .letter = 'o',
	    .help = "write the table into this new file, not to standard output", FIELD(output) },
	{ .name = "force", .type = CONFIG_BOOL, .fallback = "no",
	    .help = "replace that file, if it is there", FIELD(force) },
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

/* ---- the file ---- */

/* Where the table goes: a file beside its place, or NULL and standard output. */
struct table {
	FILE *file;
	char place[PATH_MAX], partial[PATH_MAX + PARTIAL_SUFFIX_BYTES];
};

/* A file that is there may be replaced with --force; what else has the name, never. */
static enum err
check_place(const char *path, bool force, struct diag *d)
{
	struct stat st;

	if (lstat(path, &st) != 0)
		return ERR_OK;
	if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
		return diag_set(d, ERR_IO, "%s is no regular file; name another one, or leave "
		    "--output out to write to standard output", path);
	if (!force)
		return diag_set(d, ERR_EXISTS, "%s is there already; name another file, or give "
		    "--force to replace it", path);
	return ERR_OK;
}

/* Before the long work, so that a wrong name is known at once. */
static enum err
open_table(struct table *t, const char *path, bool force, struct diag *d)
{
	enum err e;

	t->file = NULL;
	if (path[0] == '\0')
		return force ? diag_set(d, ERR_USAGE, "--force is for --output, which is missing") :
			       ERR_OK;
	e = check_place(path, force, d);
	if (e != ERR_OK)
		return e;
	if (realpath(path, t->place) == NULL) /* a link leads to where the table belongs */
		(void)snprintf(t->place, sizeof(t->place), "%s", path);
	return partial_file(&t->file, t->partial, sizeof(t->partial), t->place, d);
}

/* What was not finished is removed. */
static void
drop_table(struct table *t)
{
	if (t->file == NULL)
		return;
	(void)fclose(t->file);
	(void)unlink(t->partial);
	t->file = NULL;
}

static enum err
put_in_place(const struct table *t, bool force, struct diag *d)
{
	enum err e = check_place(t->place, force, NULL); /* it may have come meanwhile */

	if (e == ERR_OK && rename(t->partial, t->place) == 0)
		return ERR_OK;
	return diag_set(d, ERR_IO, "cannot put the table into %.150s (%s); it is whole in %.200s",
	    t->place, e != ERR_OK ? err_text(e) : strerror(errno), t->partial);
}

static enum err
write_table(const struct call *c, struct table *t, const struct sweep *s, struct diag *d)
{
	const struct program_sweep_options *own = c->own;
	FILE *file = t->file;
	bool bad;

	sweep_csv(file != NULL ? file : c->out, s);
	if (file == NULL)
		return ERR_OK; /* options_main looks whether it could be written */
	bad = fflush(file) != 0 || fsync(fileno(file)) != 0 || ferror(file) != 0;
	if (bad) {
		(void)diag_set(d, ERR_IO, "%s: cannot be written (%s)", t->partial, strerror(errno));
		drop_table(t);
		return ERR_IO;
	}
	t->file = NULL;
	(void)fclose(file); /* with nothing left to write */
	return put_in_place(t, own->force, d);
}

static enum err
sweep(const struct call *c, struct sweep *s, struct diag *d)
{
	const struct program_sweep_options *own = c->own;
	struct progress progress = { c->err, sweep_count(s) };
	bool shown = own->progress || isatty(STDERR_FILENO);
	struct table table;
	enum err e = open_table(&table, own->output, own->force, d);

	if (e != ERR_OK)
		return e;
	e = sweep_run(s, jobs_threads(own->jobs), shown ? show_progress : NULL, &progress, d);
	if (e == ERR_OK)
		e = write_table(c, &table, s, d);
	drop_table(&table);
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

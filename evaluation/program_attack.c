#include "config.h"

#include "evaluation/program.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "evaluation/attack/attack.h"
#include "evaluation/attack/trace.h"
#include "evaluation/partial.h"
#include "evaluation/progress.h"

#define FIELD(member) CONFIG_FIELD(struct program_attack_options, member)
#define FILE_NAME_BYTES 32

static const struct config_key keys[] = {
	{ .name = "list", .type = CONFIG_BOOL, .fallback = "no",
	    .help = "print the attacks, what each is given and what it measures, and run none",
	    FIELD(list) },
	{ .name = "output", .type = CONFIG_STRING, .fallback = "", .unit = "DIR", .letter = 'o',
	    .help = "write attack.json, attack.csv and plots into this new directory",
	    FIELD(output) },
	{ .name = "json", .type = CONFIG_BOOL, .fallback = "no",
	    .help = "print one JSON object instead of text", FIELD(json) },
	{ .name = "csv", .type = CONFIG_BOOL, .fallback = "no",
	    .help = "print a row for each point and figure instead of text", FIELD(csv) },
	{ .name = "seed", .type = CONFIG_INTEGER, .fallback = "-1", .min = -1, .max = INT64_MAX,
	    .unit = "N", .help = "another seed than the scenario's; -1: the scenario's",
	    FIELD(seed) },
	{ .name = "trials", .type = CONFIG_INTEGER, .fallback = "0", .min = 0, .max = 1000000,
	    .unit = "N", .help = "repetitions of what the attack repeats; 0: its own number",
	    FIELD(trials) },
	{ .name = "progress", .type = CONFIG_BOOL, .fallback = "no",
	    .help = "show on standard error how much is done, also if it is no terminal",
	    FIELD(progress) },
};
const struct config_schema program_attack_schema = { keys, sizeof(keys) / sizeof(keys[0]),
	sizeof(struct program_attack_options) };

/* ---- the list ---- */

static int
list_attacks(FILE *out)
{
	for (size_t i = 0; i < attack_table_count; i++) {
		const struct attack_kind *k = attack_table[i];

		(void)fprintf(out, "%s: %s\n  given: %s\n  measured: %s\n", k->name, k->summary,
		    k->adversary, k->measures);
	}
	return OPTIONS_EXIT_OK;
}

/* ---- the directory of results ---- */

struct results {
	const struct attack_kind *kind;
	const struct attack_input *input;
	const struct attack_result *result;
	size_t plot;
};

/* Before the long work: what is there and not empty is somebody's. */
static enum err
check_output(const char *path, struct diag *d)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;
	bool empty = true;

	if (dir == NULL)
		return errno == ENOENT ? ERR_OK :
		    diag_set(d, ERR_IO, "cannot use %s: %s", path, strerror(errno));
	while ((entry = readdir(dir)) != NULL)
		empty = empty && (strcmp(entry->d_name, ".") == 0 ||
		    strcmp(entry->d_name, "..") == 0);
	(void)closedir(dir);
	return empty ? ERR_OK : diag_set(d, ERR_EXISTS,
	    "%s is not empty; name another directory for --output", path);
}

/* ERR_NOT_FOUND from write: there is no such file, and none is left. */
static enum err
write_file(const char *directory, const char *name, const struct results *r,
    enum err (*write)(FILE *out, const struct results *r), struct diag *d)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s/%s", directory, name);
	FILE *f = n > 0 && (size_t)n < sizeof(path) ? fopen(path, "we") : NULL;
	enum err e;
	bool bad;

	if (f == NULL)
		return diag_set(d, ERR_IO, "cannot create %.100s in %.200s: %s", name, directory,
		    strerror(errno));
	e = write(f, r);
	bad = fflush(f) != 0 || fsync(fileno(f)) != 0 || ferror(f) != 0;
	if (fclose(f) != 0 || bad)
		e = diag_set(d, ERR_IO, "cannot write %.200s: %s", path, strerror(errno));
	if (e == ERR_NOT_FOUND)
		(void)unlink(path);
	return e;
}

static enum err
write_json(FILE *out, const struct results *r)
{
	return attack_print_json(out, r->kind, r->input, r->result);
}

static enum err
write_csv(FILE *out, const struct results *r)
{
	attack_print_csv(out, r->kind, r->result);
	return ERR_OK;
}

static enum err
write_plot(FILE *out, const struct results *r)
{
	return attack_print_svg(out, r->kind, r->input, r->result, r->plot) ? ERR_OK :
	    ERR_NOT_FOUND;
}

/* The plots until there is none. */
static enum err
write_plots(const char *directory, const struct results *r, struct diag *d)
{
	struct results one = *r;
	enum err e = ERR_OK;

	for (one.plot = 0; e == ERR_OK; one.plot++) {
		char name[FILE_NAME_BYTES];

		(void)snprintf(name, sizeof(name), "plot-%zu.svg", one.plot + 1);
		e = write_file(directory, name, &one, write_plot, d);
	}
	return e == ERR_NOT_FOUND ? ERR_OK : e;
}

/* What was not finished. */
static void
drop_results(const char *partial)
{
	char path[PATH_MAX + 64];

	for (size_t i = 0; i <= ATTACK_CURVES_MAX; i++) {
		(void)snprintf(path, sizeof(path), "%s/plot-%zu.svg", partial, i + 1);
		(void)unlink(path);
	}
	(void)snprintf(path, sizeof(path), "%s/attack.csv", partial);
	(void)unlink(path);
	(void)snprintf(path, sizeof(path), "%s/attack.json", partial);
	(void)unlink(path);
	(void)rmdir(partial);
}

/* Made beside its place, so that a directory of results is whole. */
static enum err
write_results(const char *place, const struct results *r, struct diag *d)
{
	char partial[PATH_MAX + PARTIAL_SUFFIX_BYTES];
	enum err e = partial_directory(partial, sizeof(partial), place, d);

	if (e != ERR_OK)
		return e;
	e = write_file(partial, "attack.csv", r, write_csv, d);
	if (e == ERR_OK)
		e = write_plots(partial, r, d);
	if (e == ERR_OK)
		e = write_file(partial, "attack.json", r, write_json, d);
	if (e != ERR_OK)
		drop_results(partial);
	else if (rename(partial, place) != 0)
		e = diag_set(d, ERR_IO, "cannot put the results into %.150s (%s); they are whole in "
		    "%.200s", place, strerror(errno), partial);
	return e;
}

/* ---- the command ---- */

static enum err
report(const struct call *c, const struct results *r, struct diag *d)
{
	const struct program_attack_options *own = c->own;
	enum err e = ERR_OK;

	if (own->output[0] != '\0')
		e = write_results(own->output, r, d);
	if (e != ERR_OK)
		return e;
	if (own->json)
		return write_json(c->out, r);
	if (own->csv)
		return write_csv(c->out, r);
	attack_print_text(c->out, r->kind, r->input, r->result);
	return ERR_OK;
}

static enum err
attack(const struct call *c, const struct attack_kind *kind, struct attack_input *in,
    struct diag *d)
{
	struct attack_result *out = calloc(1, sizeof(*out));
	const struct results r = { kind, in, out, 0 };
	enum err e;

	if (out == NULL)
		return ERR_MEMORY;
	e = kind->run(out, in, d);
	if (e == ERR_OK && in->progress != NULL)
		in->progress(in->progress_arg, 1);
	if (e == ERR_OK)
		e = report(c, &r, d);
	attack_release(out);
	free(out);
	return e;
}

/* A scenario, or a directory that a run has left. */
static enum err
load(struct scenario *s, struct attack_input *in, const struct call *c, struct diag *d)
{
	const struct program_attack_options *own = c->own;
	const char *path = c->operands[1];
	struct stat st;
	enum err e;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
		in->directory = path;
		e = attack_trace_scenario(s, path, d);
		if (e == ERR_OK && own->seed >= 0 && own->seed != s->seed)
			e = diag_set(d, ERR_USAGE, "%s is of seed %lld; leave --seed out, or give its "
			    "scenario instead", path, (long long)s->seed);
		return e;
	}
	e = scenario_load(s, path, d);
	if ((e == ERR_NOT_FOUND || e == ERR_EXISTS) && access(path, R_OK) == 0)
		e = ERR_MALFORMED;
	if (e == ERR_OK) {
		s->seed = own->seed >= 0 ? own->seed : s->seed;
		e = scenario_check(s, path, d);
	}
	return e;
}

static enum err
look_at_options(const struct attack_kind **kind, const struct call *c, struct diag *d)
{
	const struct program_attack_options *own = c->own;

	if (c->operand_count != 2)
		return diag_set(d, ERR_USAGE,
		    "name an attack and a scenario, or the directory of a run; --list has the attacks");
	if (own->json && own->csv)
		return diag_set(d, ERR_USAGE, "--json and --csv exclude each other");
	*kind = attack_find(c->operands[0]);
	if (*kind == NULL)
		return diag_set(d, ERR_USAGE, "there is no attack %.100s; see restante-evaluate "
		    "attack --list", c->operands[0]);
	return own->output[0] != '\0' ? check_output(own->output, d) : ERR_OK;
}

int
program_attack(const struct call *c)
{
	const struct program_attack_options *own = c->own;
	struct progress progress = { c->err, -1 };
	const struct attack_kind *kind = NULL;
	struct attack_input in = { .trials = own->trials };
	struct scenario s;
	struct diag d = { "" };
	enum err e;

	if (own->list)
		return list_attacks(c->out);
	e = look_at_options(&kind, c, &d);
	if (e == ERR_OK)
		e = load(&s, &in, c, &d);
	in.scenario = &s;
	if (own->progress || isatty(STDERR_FILENO)) {
		in.progress = progress_show;
		in.progress_arg = &progress;
	}
	if (e == ERR_OK)
		e = attack(c, kind, &in, &d);
	return e != ERR_OK ? options_fail(c, e, &d) : OPTIONS_EXIT_OK;
}

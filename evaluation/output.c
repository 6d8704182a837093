#include "config.h"

#include "evaluation/output.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "evaluation/output_files.h"

#define PATH_MAX_BYTES 1024
#define BUFFER_BYTES ((size_t)1 << 18)

/* In the order in which they are listed and put in place: the manifest is the last. */
static const char *const names[] = { "trace.csv", "truth.csv", "targets.csv", "summary.csv",
	"summary.json", "entropy.svg", "delay.svg", "manifest.json" };
#define NAMES (sizeof(names) / sizeof(names[0]))

struct output {
	char directory[PATH_MAX_BYTES], partial[PATH_MAX_BYTES];
	FILE *trace, *truth;
	bool force, begun;
};

/* ---- paths ---- */

static enum err
path_of(char out[static 2 * PATH_MAX_BYTES], const char *directory, const char *name)
{
	int n = snprintf(out, 2 * PATH_MAX_BYTES, "%s/%s", directory, name);

	return n > 0 && n < 2 * PATH_MAX_BYTES ? ERR_OK : ERR_RANGE;
}

static FILE *
open_in(const struct output *o, const char *name, struct diag *d)
{
	char path[2 * PATH_MAX_BYTES];
	FILE *f = NULL;

	if (path_of(path, o->partial, name) == ERR_OK)
		f = fopen(path, "we");
	if (f == NULL)
		(void)diag_set(d, ERR_IO, "cannot create %s/%s: %s", o->partial, name,
		    strerror(errno));
	else
		(void)setvbuf(f, NULL, _IOFBF, BUFFER_BYTES);
	return f;
}

/* What was written is on the disk; a full one shows here at the latest. */
static enum err
close_file(FILE *f, const char *name, struct diag *d)
{
	bool failed = ferror(f) != 0;

	failed = fflush(f) != 0 || failed;
	failed = fsync(fileno(f)) != 0 || failed;
	failed = fclose(f) != 0 || failed;
	return failed ? diag_set(d, ERR_IO, "cannot write %s: %s", name, strerror(errno)) : ERR_OK;
}

static void
remove_known(const char *directory)
{
	char path[2 * PATH_MAX_BYTES];

	for (size_t i = NAMES; i > 0; i--)
		if (path_of(path, directory, names[i - 1]) == ERR_OK)
			(void)unlink(path);
}

/* ---- beginning ---- */

static enum err
check_place(const struct output *o, struct diag *d)
{
	DIR *dir = opendir(o->directory);
	const struct dirent *entry;
	bool empty = true;

	if (dir == NULL && errno == ENOENT)
		return ERR_OK;
	if (dir == NULL)
		return diag_set(d, ERR_IO, "cannot use %s: %s", o->directory, strerror(errno));
	while ((entry = readdir(dir)) != NULL)
		empty = empty && (strcmp(entry->d_name, ".") == 0 ||
		    strcmp(entry->d_name, "..") == 0);
	(void)closedir(dir);
	if (!empty && !o->force)
		return diag_set(d, ERR_EXISTS, "%s is not empty; name another directory, or give "
		    "--force to replace the results in it", o->directory);
	return ERR_OK;
}

static enum err
set_paths(struct output *o, const char *directory, struct diag *d)
{
	size_t n = strlen(directory);

	while (n > 1 && directory[n - 1] == '/')
		n--;
	if (n == 0 || n + sizeof(".partial") > PATH_MAX_BYTES)
		return diag_set(d, ERR_RANGE, "the path of the output is empty or too long");
	(void)snprintf(o->directory, sizeof(o->directory), "%.*s", (int)n, directory);
	(void)snprintf(o->partial, sizeof(o->partial), "%.*s.partial", (int)n, directory);
	return ERR_OK;
}

static enum err
make_partial(struct output *o, bool with_trace, struct diag *d)
{
	if (mkdir(o->partial, 0777) != 0 && errno != EEXIST)
		return diag_set(d, ERR_IO, "cannot create %s: %s", o->partial, strerror(errno));
	o->begun = true;
	remove_known(o->partial); /* of a run that was cut off */
	if (!with_trace)
		return ERR_OK;
	o->trace = open_in(o, "trace.csv", d);
	o->truth = o->trace != NULL ? open_in(o, "truth.csv", d) : NULL;
	return o->truth != NULL ? ERR_OK : ERR_IO;
}

enum err
output_begin(struct output **out, const char *directory, bool force, bool with_trace,
    struct diag *d)
{
	struct output *o = calloc(1, sizeof(*o));
	enum err e;

	if (o == NULL)
		return ERR_MEMORY;
	o->force = force;
	e = set_paths(o, directory, d);
	if (e == ERR_OK)
		e = check_place(o, d);
	if (e == ERR_OK)
		e = make_partial(o, with_trace, d);
	if (e != ERR_OK) {
		output_free(o);
		return e;
	}
	*out = o;
	return ERR_OK;
}

FILE *
output_trace(struct output *o)
{
	return o->trace;
}

FILE *
output_truth(struct output *o)
{
	return o->truth;
}

/* ---- finishing ---- */

static enum err
close_traces(struct output *o, struct diag *d)
{
	FILE *trace = o->trace, *truth = o->truth;
	enum err e = ERR_OK, second = ERR_OK;

	o->trace = o->truth = NULL;
	if (trace != NULL)
		e = close_file(trace, "trace.csv", d);
	if (truth != NULL)
		second = close_file(truth, "truth.csv", e == ERR_OK ? d : NULL);
	return e != ERR_OK ? e : second;
}

/* One of the files that are written at the end. */
static enum err
write_one(struct output *o, const char *name, output_writer *write, const struct output_run *run,
    struct diag *d)
{
	FILE *f = open_in(o, name, d);
	enum err e = f != NULL ? write(f, run) : ERR_IO, closed;

	if (f == NULL)
		return ERR_IO;
	closed = close_file(f, name, e == ERR_OK ? d : NULL);
	return e != ERR_OK ? e : closed;
}

static enum err
write_all(struct output *o, const struct output_run *run, struct diag *d)
{
	static const struct {
		const char *name;
		output_writer *write;
	} files[] = {
		{ "targets.csv", output_write_targets },
		{ "summary.csv", output_write_summary_csv },
		{ "summary.json", output_write_summary_json },
		{ "entropy.svg", output_write_entropy_svg },
		{ "delay.svg", output_write_delay_svg },
		{ "manifest.json", output_write_manifest },
	};
	enum err e = ERR_OK;

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]) && e == ERR_OK; i++)
		e = write_one(o, files[i].name, files[i].write, run, d);
	return e;
}

/* Into a directory that is there: the manifest goes first and comes last. */
static enum err
replace(const struct output *o, struct diag *d)
{
	char from[2 * PATH_MAX_BYTES], to[2 * PATH_MAX_BYTES];
	bool failed = false;

	remove_known(o->directory);
	for (size_t i = 0; i < NAMES && !failed; i++)
		if (path_of(from, o->partial, names[i]) == ERR_OK &&
		    path_of(to, o->directory, names[i]) == ERR_OK)
			failed = rename(from, to) != 0 && errno != ENOENT;
	if (!failed)
		(void)rmdir(o->partial);
	return failed ? diag_set(d, ERR_IO, "cannot replace the files of %s: %s", o->directory,
	    strerror(errno)) : ERR_OK;
}

enum err
output_finish(struct output *o, const struct scenario *s, const struct run *r,
    const struct figures *f, struct diag *d)
{
	struct output_run run = { .scenario = s, .run = r, .figures = f, .directory = o->partial,
		.names = names, .name_count = NAMES - 1 };
	enum err e = close_traces(o, d);

	if (e == ERR_OK)
		e = write_all(o, &run, d);
	if (e != ERR_OK)
		return e;
	/* a directory takes the place of an empty one, or of none */
	if (rename(o->partial, o->directory) != 0)
		e = errno == ENOTEMPTY || errno == EEXIST ? replace(o, d) :
		    diag_set(d, ERR_IO, "cannot create %s: %s", o->directory, strerror(errno));
	if (e == ERR_OK)
		o->begun = false;
	return e;
}

void
output_free(struct output *o)
{
	if (o == NULL)
		return;
	if (o->trace != NULL)
		(void)fclose(o->trace);
	if (o->truth != NULL)
		(void)fclose(o->truth);
	if (o->begun) {
		remove_known(o->partial);
		(void)rmdir(o->partial);
	}
	free(o);
}

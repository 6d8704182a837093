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
#include "evaluation/partial.h"

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
	bool there; /* the directory is: files come into it one by one, from one within it */
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

static bool
is_there(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

/* What has the name of a file of ours can be replaced, unless it is a directory. */
static enum err
check_names(const struct output *o, struct diag *d)
{
	char path[2 * PATH_MAX_BYTES];
	struct stat st;

	for (size_t i = 0; i < NAMES; i++)
		if (path_of(path, o->directory, names[i]) == ERR_OK && lstat(path, &st) == 0 &&
		    S_ISDIR(st.st_mode))
			return diag_set(d, ERR_EXISTS, "%s is a directory, where a file must come; "
			    "name another directory for the output", path);
	return ERR_OK;
}

/* Also whether it is there. */
static enum err
check_place(struct output *o, struct diag *d)
{
	DIR *dir = opendir(o->directory);
	const struct dirent *entry;
	bool empty = true;

	o->there = dir != NULL;
	if (dir == NULL && errno == ENOENT && !is_there(o->directory))
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
	return check_names(o, d);
}

static enum err
set_paths(struct output *o, const char *directory, struct diag *d)
{
	size_t n = strlen(directory);

	while (n > 1 && directory[n - 1] == '/')
		n--;
	if (n == 0 || n >= sizeof(o->directory))
		return diag_set(d, ERR_RANGE, "the path of the output is empty or too long");
	(void)snprintf(o->directory, sizeof(o->directory), "%.*s", (int)n, directory);
	return ERR_OK;
}

/*
 * Beside its place, to be renamed as a whole; or within the directory that is there,
 * which cannot be replaced if it is a link, a mount point or somebody's own.
 */
static enum err
make_partial(struct output *o, bool with_trace, struct diag *d)
{
	char place[2 * PATH_MAX_BYTES];
	enum err e = ERR_OK;

	if (o->there)
		e = path_of(place, o->directory, "restante");
	else
		(void)snprintf(place, sizeof(place), "%s", o->directory);
	if (e == ERR_OK)
		e = partial_directory(o->partial, sizeof(o->partial), place, d);
	if (e != ERR_OK)
		return e;
	o->begun = true;
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
static bool
move_files(const struct output *o)
{
	char from[2 * PATH_MAX_BYTES], to[2 * PATH_MAX_BYTES];

	remove_known(o->directory);
	for (size_t i = 0; i < NAMES; i++)
		if (path_of(from, o->partial, names[i]) == ERR_OK && is_there(from) &&
		    (path_of(to, o->directory, names[i]) != ERR_OK || rename(from, to) != 0))
			return false;
	(void)rmdir(o->partial);
	return true;
}

/* The results are whole now: where they cannot come to their place, they stay. */
static enum err
put_in_place(struct output *o, struct diag *d)
{
	bool put = o->there ? move_files(o) : rename(o->partial, o->directory) == 0;

	o->begun = false;
	return put ? ERR_OK : diag_set(d, ERR_IO, "cannot put the results into %.150s (%s); what "
	    "is not there is in %.200s", o->directory, strerror(errno), o->partial);
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
	return e == ERR_OK ? put_in_place(o, d) : e;
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

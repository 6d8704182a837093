#include "config.h"

#include "evaluation/program.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "evaluation/html.h"
#include "evaluation/partial.h"
#include "evaluation/report.h"

struct report_options {
	char output[PROGRAM_PATH_BYTES], title[PROGRAM_PATH_BYTES];
	bool force;
};

#define FIELD(member) CONFIG_FIELD(struct report_options, member)

static const struct config_key keys[] = {
	{ .name = "output", .type = CONFIG_STRING, .fallback = "", .unit = "FILE", .letter = 'o',
	    .help = "write the page into this new file, not to standard output", FIELD(output) },
	{ .name = "force", .type = CONFIG_BOOL, .fallback = "no",
	    .help = "replace that file, if it is there", FIELD(force) },
	{ .name = "title", .type = CONFIG_STRING, .fallback = "An evaluation of Restante",
	    .unit = "TEXT", .help = "heading of the page", FIELD(title) },
};
const struct config_schema program_report_schema = { keys, sizeof(keys) / sizeof(keys[0]),
	sizeof(struct report_options) };

static enum err
check_place(const struct report_options *o, struct diag *d)
{
	struct stat st;

	if (o->output[0] == '\0')
		return o->force ? diag_set(d, ERR_USAGE, "--force is for --output, which is missing") :
				  ERR_OK;
	if (lstat(o->output, &st) != 0)
		return ERR_OK;
	if (!S_ISREG(st.st_mode))
		return diag_set(d, ERR_IO, "%.200s is no regular file; name another one", o->output);
	return o->force ? ERR_OK : diag_set(d, ERR_EXISTS, "%.200s is there already; name another "
	    "file, or give --force to replace it", o->output);
}

/* The whole page in memory: nothing is written if one of the paths cannot be read. */
static enum err
make_page(char **page, size_t *len, const struct call *c, struct diag *d)
{
	const struct report_options *o = c->own;
	FILE *f = open_memstream(page, len);
	enum err e = ERR_OK;

	if (f == NULL)
		return ERR_MEMORY;
	html_begin(f, o->title);
	for (size_t i = 0; i < c->operand_count && e == ERR_OK; i++)
		e = report_add(f, c->operands[i], d);
	html_end(f);
	if ((ferror(f) != 0) | (fclose(f) != 0))
		e = e == ERR_OK ? ERR_MEMORY : e;
	return e;
}

static enum err
put(const char *path, const char *page, size_t len, struct diag *d)
{
	char partial[PATH_MAX + PARTIAL_SUFFIX_BYTES];
	FILE *f;
	enum err e = partial_file(&f, partial, sizeof(partial), path, d);
	bool good;

	if (e != ERR_OK)
		return e;
	good = fwrite(page, 1, len, f) == len && fflush(f) == 0 && fsync(fileno(f)) == 0;
	good = fclose(f) == 0 && good;
	if (good && rename(partial, path) == 0)
		return ERR_OK;
	e = diag_set(d, ERR_IO, "%.200s cannot be written: %s", path, strerror(errno));
	(void)unlink(partial);
	return e;
}

int
program_report(const struct call *c)
{
	const struct report_options *o = c->own;
	struct diag d = { "" };
	char *page = NULL;
	size_t len = 0;
	enum err e = check_place(o, &d);

	if (e == ERR_OK)
		e = make_page(&page, &len, c, &d);
	if (e == ERR_OK && o->output[0] != '\0')
		e = put(o->output, page, len, &d);
	else if (e == ERR_OK)
		(void)fwrite(page, 1, len, c->out);
	free(page);
	return e == ERR_OK ? OPTIONS_EXIT_OK : options_fail(c, e, &d);
}

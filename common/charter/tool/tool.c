#include "config.h"

#include "common/charter/tool/tool.h"

#include <stdio.h>
#include <string.h>

#include "common/charter/tool/file.h"

int
tool_complain(const struct call *c, int code, const char *path, const struct diag *d)
{
	(void)fprintf(c->err, "%s: %s%s%s\n", c->program->name, path != NULL ? path : "",
	    path != NULL ? ": " : "", d->text);
	return code;
}

int
tool_load(struct charter **out, const struct call *c, const char *path, enum tool_want want)
{
	struct diag d = { "" };
	struct buf text;
	enum err e;
	int code = TOOL_OK;

	buf_init(&text);
	if (file_read(&text, path, CHARTER_BYTES_MAX, &d) != ERR_OK) {
		code = tool_complain(c, TOOL_NO_INPUT, NULL, &d);
	} else {
		e = want == TOOL_CHARTER ? charter_parse(out, text.data, text.len, &d) :
					   charter_parse_draft(out, text.data, text.len, &d);
		if (e != ERR_OK)
			code = tool_complain(c, TOOL_REFUSED, path, &d);
	}
	buf_release(&text);
	return code;
}

int
tool_open(struct tool_draft *out, const struct call *c, const char *path)
{
	struct tool_draft t = { .path = path };
	struct diag d;
	int code = tool_load(&t.charter, c, path, TOOL_DRAFT);

	if (code != TOOL_OK)
		return code;
	if (charter_check(t.charter, NULL) == ERR_OK &&
	    charter_check_signatures(t.charter, NULL) == ERR_OK) {
		(void)diag_set(&d, ERR_STATE,
		    "this charter is signed and is not changed: start its successor with "
		    "restante-charter next");
		return tool_abandon(&t, c, &d);
	}
	t.signatures = t.charter->held_count;
	*out = t;
	return TOOL_OK;
}

int
tool_abandon(struct tool_draft *t, const struct call *c, const struct diag *d)
{
	charter_free(t->charter);
	t->charter = NULL;
	return tool_complain(c, TOOL_REFUSED, t->path, d);
}

typedef enum err write_file(const char *path, unsigned mode, const void *p, size_t n,
    struct diag *d);

static int
write_charter(const struct call *c, const char *path, const struct charter *ch, write_file *w)
{
	struct diag d = { "" };
	struct buf text;
	enum err e;
	int code = TOOL_OK;

	buf_init(&text);
	e = charter_print_signed(&text, ch);
	if (e != ERR_OK) {
		(void)diag_set(&d, e, "the charter cannot be written: %s", err_text(e));
		code = tool_complain(c, TOOL_REFUSED, path, &d);
	} else if (w(path, FILE_PUBLIC, text.data, text.len, &d) != ERR_OK) {
		code = tool_complain(c, TOOL_CANNOT_CREATE, NULL, &d);
	}
	buf_release(&text);
	return code;
}

int
tool_create(const struct call *c, const char *path, const struct charter *ch)
{
	return write_charter(c, path, ch, file_create);
}

int
tool_replace(const struct call *c, const char *path, const struct charter *ch)
{
	return write_charter(c, path, ch, file_replace);
}

int
tool_commit(struct tool_draft *t, const struct call *c)
{
	struct diag d = { "" };
	enum err e = charter_changed(t->charter);
	int code;

	if (e != ERR_OK)
		(void)diag_set(&d, e, "the charter cannot be written: %s", err_text(e));
	else
		e = charter_check_draft(t->charter, &d);
	if (e != ERR_OK)
		return tool_abandon(t, c, &d);
	code = tool_replace(c, t->path, t->charter);
	if (code == TOOL_OK && t->signatures > 0)
		(void)fprintf(c->err, "%s: %s: %zu signatures no longer hold and were removed\n",
		    c->program->name, t->path, t->signatures);
	charter_free(t->charter);
	t->charter = NULL;
	return code;
}

/* One line of standard input without its line end. */
static bool
read_line(char *out, size_t size)
{
	size_t n;

	if (fgets(out, (int)size, stdin) == NULL)
		return false;
	n = strlen(out);
	if (n > 0 && out[n - 1] == '\n')
		out[--n] = '\0';
	return n > 0 && n < size - 1;
}

int
tool_line(char *out, size_t size, const struct call *c, size_t i)
{
	struct diag d;
	size_t used = 0;

	if (strcmp(c->operands[i], "-") == 0 && i + 1 == c->operand_count) {
		if (read_line(out, size))
			return TOOL_OK;
		(void)diag_set(&d, ERR_IO, "no public line on standard input");
		return tool_complain(c, TOOL_NO_INPUT, NULL, &d);
	}
	for (; i < c->operand_count; i++) {
		int n =
		    snprintf(out + used, size - used, "%s%s", used > 0 ? " " : "", c->operands[i]);

		if (n < 0 || (size_t)n >= size - used) {
			(void)diag_set(&d, ERR_RANGE, "the public line is too long");
			return tool_complain(c, TOOL_REFUSED, NULL, &d);
		}
		used += (size_t)n;
	}
	return TOOL_OK;
}

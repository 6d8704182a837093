#include "config.h"

#include "mix/charterfile.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/base/bytes.h"

static enum err
read_file(struct buf *out, const char *path, struct diag *d)
{
	FILE *f = fopen(path, "re");
	uint8_t *space;
	enum err e;

	if (f == NULL)
		return diag_set(d, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO,
		    "%s: %s; name the network's charter", path, strerror(errno));
	e = buf_reserve(out, CHARTER_BYTES_MAX + 1, CHARTER_BYTES_MAX + 1, &space);
	if (e == ERR_OK) {
		out->len = fread(space, 1, CHARTER_BYTES_MAX + 1, f);
		if (ferror(f) != 0)
			e = diag_set(d, ERR_IO, "%s: cannot be read", path);
		else if (out->len > CHARTER_BYTES_MAX)
			e = diag_set(d, ERR_RANGE, "%s: too long for a charter", path);
	}
	(void)fclose(f);
	return e;
}

static enum err
parse(struct charter **out, const char *path, const struct buf *text, struct diag *d)
{
	struct diag why = { "" };
	enum err e = charter_parse(out, text->data, text->len, &why);

	return e == ERR_OK ? ERR_OK : diag_set(d, e, "%s: %s", path, why.text);
}

enum err
charterfile_load(struct charter **out, const char *path, struct diag *d)
{
	struct buf text;
	enum err e;

	buf_init(&text);
	e = read_file(&text, path, d);
	if (e == ERR_OK)
		e = parse(out, path, &text, d);
	buf_release(&text);
	return e;
}

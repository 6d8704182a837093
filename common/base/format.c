#include "config.h"

#include "common/base/format.h"

#include <string.h>

void
format_put(struct writer *w, const char magic[static FORMAT_MAGIC_BYTES], uint16_t version)
{
	writer_copy(w, magic, FORMAT_MAGIC_BYTES);
	writer_u16(w, version);
}

static enum err
check(uint16_t version, bool same_magic, uint16_t newest, const char *what, struct diag *d)
{
	if (!same_magic || version == 0)
		return diag_set(d, ERR_MALFORMED,
		    "%s: not a file of this kind, or damaged; restore it or choose another", what);
	if (version > newest)
		return diag_set(d, ERR_VERSION,
		    "%s: written by a newer version (format %u, this program knows %u); "
		    "upgrade this program",
		    what, (unsigned)version, (unsigned)newest);
	return ERR_OK;
}

enum err
format_check(struct reader *r, uint16_t *version, const char magic[static FORMAT_MAGIC_BYTES],
    uint16_t newest, const char *what, struct diag *d)
{
	const uint8_t *p = reader_view(r, FORMAT_MAGIC_BYTES);
	uint16_t v = reader_u16(r);
	enum err e;

	if (!reader_ok(r))
		return diag_set(d, r->err, "%s: too short; restore it or choose another", what);
	e = check(v, memcmp(p, magic, FORMAT_MAGIC_BYTES) == 0, newest, what, d);
	if (e != ERR_OK)
		reader_fail(r, e);
	else if (version != NULL)
		*version = v;
	return e;
}

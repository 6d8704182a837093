#include "config.h"

#include "mix/epochfile.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define EPOCH_DIGITS 8

struct listing {
	const struct epochfile *file;
	uint32_t *out;
	size_t count, max;
	bool full;
};

void
epochfile_name(char out[static EPOCHFILE_NAME_BYTES], const struct epochfile *f, uint32_t epoch)
{
	(void)snprintf(out, EPOCHFILE_NAME_BYTES, "%.20s-%08" PRIx32, f->stem, epoch);
}

static bool
hex_digit(char c, uint32_t *v)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c != '\0' ? strchr(digits, c) : NULL;

	if (at != NULL)
		*v = *v << 4 | (uint32_t)(at - digits);
	return at != NULL;
}

/* The epoch of a file name of this kind; false for other names. */
static bool
parse_name(uint32_t *epoch, const struct epochfile *f, const char *name)
{
	size_t stem = strlen(f->stem);
	uint32_t v = 0;

	if (strlen(name) != stem + 1 + EPOCH_DIGITS || strncmp(name, f->stem, stem) != 0 ||
	    name[stem] != '-')
		return false;
	for (size_t i = 0; i < EPOCH_DIGITS; i++)
		if (!hex_digit(name[stem + 1 + i], &v))
			return false;
	*epoch = v;
	return true;
}

static int
list_one(void *arg, const char *name)
{
	struct listing *l = arg;
	uint32_t epoch;

	if (!parse_name(&epoch, l->file, name))
		return 0;
	if (l->count == l->max) {
		l->full = true;
		return 1;
	}
	l->out[l->count++] = epoch;
	return 0;
}

enum err
epochfile_list(uint32_t *out, size_t *count, size_t max, const struct epochfile *f,
    struct disk *disk, struct diag *d)
{
	struct listing l = { .file = f, .out = out, .max = max };
	enum err e = disk_list(disk, list_one, &l);

	if (e != ERR_OK)
		return diag_set(d, e, "the state directory cannot be listed: see that we may");
	if (l.full)
		return diag_set(d, ERR_FULL,
		    "more than %zu files \"%s-...\" in the state directory: remove the oldest",
		    max, f->stem);
	*count = l.count;
	return ERR_OK;
}

void
epochfile_put(struct writer *w, const struct epochfile *f, uint32_t epoch)
{
	format_put(w, f->magic, (uint16_t)(1 + f->later));
	writer_u32(w, epoch);
}

enum err
epochfile_check(struct reader *r, const struct epochfile *f, uint32_t epoch, struct diag *d)
{
	char name[EPOCHFILE_NAME_BYTES];
	enum err e;

	epochfile_name(name, f, epoch);
	e = format_check(r, NULL, f->magic, (uint16_t)(1 + f->later), name, d);
	if (e != ERR_OK)
		return e;
	if (reader_u32(r) != epoch || !reader_ok(r))
		return diag_set(d, ERR_MALFORMED, "%s: holds another epoch, or is too short; "
		    "restore it or remove it", name);
	return ERR_OK;
}

enum err
epochfile_damaged(struct diag *d, enum err e, const struct epochfile *f, uint32_t epoch,
    const char *remedy)
{
	char name[EPOCHFILE_NAME_BYTES];

	epochfile_name(name, f, epoch);
	return diag_set(d, e, "%s: %s; %s", name, err_text(e), remedy);
}

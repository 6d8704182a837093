#include "config.h"

#include "common/charter/charterfiles.h"

#include <inttypes.h>
#include <stdio.h>
#include <sodium.h>

#include "common/base/bytes.h"
#include "common/charter/timing.h"

void
charterfiles_name(char out[static CHARTERFILES_NAME_BYTES], uint32_t version)
{
	(void)snprintf(out, CHARTERFILES_NAME_BYTES, "charter-%08" PRIx32, version);
}

/* ERR_NOT_FOUND without a sentence if there is none. */
static enum err
read_version(struct charter **out, struct disk *k, uint32_t version, struct diag *d)
{
	char name[CHARTERFILES_NAME_BYTES];
	struct diag why = { "" };
	struct buf text;
	enum err e;

	charterfiles_name(name, version);
	buf_init(&text);
	e = disk_read(k, &text, name, CHARTER_BYTES_MAX);
	if (e == ERR_OK) {
		e = charter_parse(out, text.data, text.len, &why);
		if (e != ERR_OK)
			(void)diag_set(d, e, "%s: %s; remove it and give the network's charter",
			    name, why.text);
	} else if (e != ERR_NOT_FOUND) {
		(void)diag_set(d, e, "%s: %s; see that the file is ours and readable", name,
		    err_text(e));
	}
	buf_release(&text);
	return e;
}

static enum err
add_version(struct succession *s, struct disk *k, uint32_t version, struct diag *d)
{
	char name[CHARTERFILES_NAME_BYTES];
	struct diag why = { "" };
	struct charter *c;
	enum err e = read_version(&c, k, version, d);

	if (e != ERR_OK)
		return e;
	e = succession_add(s, c, &why);
	charterfiles_name(name, version);
	if (e == ERR_CHAIN)
		(void)diag_set(d, e, "%s: %s; see which of it and the given charter is the "
		    "network's, and remove the other", name, why.text);
	charter_free(c);
	return e;
}

/* The given one's own file. */
static enum err
keep_given(struct disk *k, const struct charter *given, struct diag *d)
{
	char name[CHARTERFILES_NAME_BYTES];
	struct charter *c;
	enum err e = read_version(&c, k, given->version, d);
	bool same;

	charterfiles_name(name, given->version);
	if (e == ERR_NOT_FOUND) {
		e = charterfiles_save(k, given);
		return e == ERR_OK ? e : diag_set(d, e, "%s: %s", name, err_text(e));
	}
	if (e != ERR_OK)
		return e;
	same = sodium_memcmp(c->hash, given->hash, 32) == 0;
	charter_free(c);
	return same ? ERR_OK : diag_set(d, ERR_CHAIN, "%s: another charter than the given one has "
	    "this version; see that this is the network's directory", name);
}

static enum err
fill(struct succession *s, struct disk *k, const struct charter *given, struct diag *d)
{
	enum err e = keep_given(k, given, d);

	if (e != ERR_OK)
		return e;
	for (uint32_t v = given->version; e == ERR_OK && v > 1; v--)
		e = add_version(s, k, v - 1, d);
	if (e != ERR_OK && e != ERR_NOT_FOUND)
		return e;
	e = ERR_OK;
	for (uint32_t v = given->version; e == ERR_OK && v < UINT32_MAX; v++)
		e = add_version(s, k, v + 1, d);
	return e == ERR_NOT_FOUND ? ERR_OK : e;
}

enum err
charterfiles_load(struct succession **out, struct disk *k, const struct charter *given,
    struct diag *d)
{
	struct succession *s;
	enum err e = succession_new(&s, given);

	if (e != ERR_OK)
		return e;
	e = fill(s, k, given, d);
	if (e != ERR_OK) {
		succession_free(s);
		return e;
	}
	*out = s;
	return ERR_OK;
}

enum err
charterfiles_save(struct disk *k, const struct charter *c)
{
	char name[CHARTERFILES_NAME_BYTES];
	struct buf text;
	enum err e;

	charterfiles_name(name, c->version);
	buf_init(&text);
	e = charter_print_signed(&text, c);
	if (e == ERR_OK)
		e = disk_replace(k, name, text.data, text.len);
	buf_release(&text);
	return e;
}

enum err
charterfiles_check_date(const struct succession *s, int64_t wall_ms, struct diag *d)
{
	const struct charter *c = succession_near(s,
	    timing_epoch(&succession_first(s)->params, wall_ms));

	if (wall_ms <= c->not_after_ms)
		return ERR_OK;
	return diag_set(d, ERR_RANGE, "the charter's not-after has passed (version %" PRIu32 "); "
	    "get the network's present charter, or set this machine's clock", c->version);
}

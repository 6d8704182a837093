#include "config.h"

#include "client-lib/profile.h"

#include <stdlib.h>

static const struct config_key keys[] = {
	{ "mailbox", CONFIG_INTEGER, 0, UINT16_MAX, "0", NULL,
	    "the number of the mailbox that the operator assigned", NULL,
	    CONFIG_FIELD(struct profile, mailbox), NULL, false, 0 },
	{ "entrance", CONFIG_ADDRESS, 0, 0, "", NULL,
	    "where the gateway is reached; empty: as the charter says", NULL,
	    CONFIG_FIELD(struct profile, entrance), NULL, false, 0 },
	{ "registrar", CONFIG_ADDRESS, 0, 0, "", NULL,
	    "where the registrar is reached; empty: as the charter says", NULL,
	    CONFIG_FIELD(struct profile, registrar), NULL, false, 0 },
	TORSETTINGS_ROWS(struct profile, tor),
};

const struct config_schema profile_schema = {
	.keys = keys,
	.count = sizeof(keys) / sizeof(keys[0]),
	.size = sizeof(struct profile),
};

enum err
profile_load(struct profile *out, struct disk *k, struct diag *d)
{
	struct buf text;
	enum err e;

	buf_init(&text);
	e = disk_read(k, &text, PROFILE_FILE, CONFIG_FILE_MAX);
	if (e == ERR_OK)
		e = config_parse(out, &profile_schema, PROFILE_FILE, text.data, text.len, d);
	else if (e == ERR_NOT_FOUND)
		(void)diag_set(d, e, "this directory has no " PROFILE_FILE
		    "; make a client directory with `restante init`");
	else
		(void)diag_set(d, e, PROFILE_FILE ": %s", err_text(e));
	buf_release(&text);
	return e;
}

enum err
profile_save(const struct profile *p, struct disk *k)
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);
	enum err e = ERR_MEMORY;

	if (f == NULL)
		return ERR_MEMORY;
	config_print(f, &profile_schema, p);
	if (fclose(f) == 0)
		e = disk_replace(k, PROFILE_FILE, text, n);
	free(text);
	return e;
}

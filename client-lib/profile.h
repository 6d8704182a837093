/*
 * The profile: what a client directory says of itself in plain text, the file
 * `restante.conf` (man page restante.conf(5)). It holds nothing secret.
 */
#ifndef CLIENT_LIB_PROFILE_H
#define CLIENT_LIB_PROFILE_H

#include <stdint.h>
#include <stdio.h>

#include "common/base/disk.h"
#include "common/base/err.h"
#include "common/charter/charter.h"
#include "common/config/table.h"
#include "common/net/torsettings.h"

#define PROFILE_FILE "restante.conf"

struct profile {
	int64_t mailbox;
	char entrance[CHARTER_ADDRESS_MAX]; /* empty: the charter gateway's */
	char registrar[CHARTER_ADDRESS_MAX]; /* empty: the charter registrar's */
	struct torsettings tor;
};

extern const struct config_schema profile_schema;

RST_MUST_USE enum err profile_load(struct profile *out, struct disk *k, struct diag *d);
RST_MUST_USE enum err profile_save(const struct profile *p, struct disk *k);

#endif

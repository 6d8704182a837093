/*
 * The command `restante-gateway member add | remove | list`: asks the running
 * gateway, or changes the file itself while none runs.
 */
#ifndef GATEWAY_MEMBERCMD_H
#define GATEWAY_MEMBERCMD_H

#include <stdbool.h>

#include "common/config/options.h"
#include "mix/daemon.h"

#define MEMBERCMD_KEY_BYTES 64 /* of a key on the command line */

struct membercmd_options {
	char config[DAEMON_PATH_BYTES], key[MEMBERCMD_KEY_BYTES];
	bool json;
};
extern const struct config_schema membercmd_schema;

/* settings: room for what schema reads; its first member is a struct daemon_settings. */
int membercmd_run(const struct call *c, const struct config_schema *schema, void *settings);

#endif

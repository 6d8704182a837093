/*
 * Enrolment at the desk of a running registrar: its verbs, and the commands `enrol`,
 * `revoke` and `list` that ask them.
 */
#ifndef REGISTRAR_ENROLCMD_H
#define REGISTRAR_ENROLCMD_H

#include "common/config/options.h"
#include "mix/daemon.h"
#include "registrar/registrar.h"

/* Verbs of the desk. */
#define ENROL_VERB "enrol"   /* payload: NAME; answers the enrolment code */
#define REVOKE_VERB "revoke" /* payload: NAME */
#define LIST_VERB "list"     /* answers "NUMBER NAME" lines */

/* Serve the verbs; r is borrowed. */
RST_MUST_USE enum err enrolcmd_serve(struct desk *desk, struct registrar *r);

struct enrolcmd_options {
	char config[DAEMON_PATH_BYTES];
	int64_t count; /* 0: the name as it is */
	bool json;
};
extern const struct config_schema enrolcmd_schema;	/* enrol and revoke, with --count */
extern const struct config_schema enrolcmd_list_schema; /* with --json */

/* The commands; settings begin with a struct daemon_settings. Return the exit code. */
int enrolcmd_enrol(const struct call *c, const struct config_schema *schema, void *settings);
int enrolcmd_revoke(const struct call *c, const struct config_schema *schema, void *settings);
int enrolcmd_list(const struct call *c, const struct config_schema *schema, void *settings);

#endif

/*
 * The subcommands of `restante`, one function each; main.c has their table.
 */
#ifndef CLIENT_LIB_COMMAND_COMMANDS_H
#define CLIENT_LIB_COMMAND_COMMANDS_H

#include "client-lib/include/restante/restante.h"
#include "common/config/options.h"
#include "common/config/table.h"

/* cmd_setup.c */
extern const struct config_schema cmd_init_schema, cmd_unlock_schema, cmd_passphrase_schema;
int cmd_init(const struct call *c);
int cmd_agent(const struct call *c);
int cmd_passphrase(const struct call *c);
int cmd_charter(const struct call *c);
int cmd_stop(const struct call *c);
int cmd_status(const struct call *c);

/* cmd_authorize.c */
extern const struct config_schema cmd_authorize_schema;
int cmd_authorize(const struct call *c);
/* Store the client authorization of a file ("-": standard input). */
RST_MUST_USE enum err authorize_import(const char *directory, const struct restante_unlock *u,
    const char *path, struct diag *d);

/* cmd_enrol.c */
int cmd_enrol(const struct call *c);
/* Store the enrolment code of a file ("-": standard input). */
RST_MUST_USE enum err enrol_import(const char *directory, const struct restante_unlock *u,
    const char *path, struct diag *d);

/* cmd_backup.c */
extern const struct config_schema cmd_backup_schema;
int cmd_backup(const struct call *c);
int cmd_restore(const struct call *c);

/* cmd_contacts.c */
extern const struct config_schema cmd_invite_schema;
int cmd_invite(const struct call *c);
int cmd_accept(const struct call *c);
int cmd_contacts(const struct call *c);

/* cmd_evidence.c */
extern const struct config_schema cmd_evidence_schema;
int cmd_evidence(const struct call *c);

/* cmd_messages.c */
extern const struct config_schema cmd_send_schema, cmd_inbox_schema;
int cmd_send(const struct call *c);
int cmd_inbox(const struct call *c);

#endif

/*
 * What people and scripts see: each thing as a line of text, or as a line of
 * JSON. Text from contacts is made harmless for terminals.
 */
#ifndef CLIENT_LIB_COMMAND_SHOW_H
#define CLIENT_LIB_COMMAND_SHOW_H

#include <stdbool.h>
#include <stdio.h>

#include "client-lib/command/wire.h"
#include "client-lib/include/restante/backup.h"

/* tor: NULL if the way is direct. */
void show_status(FILE *out, const struct restante_status *s, const struct tor_status *tor,
    bool json);
void show_contact(FILE *out, const struct restante_contact *c, bool json);
/* name: of the contact, empty if it was removed. */
void show_message(FILE *out, const struct restante_message *m, const char *name,
    const char *text, bool json);
/* A client directory was made. */
void show_directory(FILE *out, const char *directory, bool json);
/* A backup was written; a directory was made from one. */
void show_backup(FILE *out, const char *path, bool json);
void show_restored(FILE *out, const char *directory, const struct restante_restored *r, bool json);
/* A client authorization was stored; public_key: of one made here, else NULL. */
void show_authorization(FILE *out, const char *public_key, bool json);
void show_invitation(FILE *out, const char *text, bool qr, bool json);
/* The number-th evidence against the gateway. */
void show_evidence(FILE *out, uint64_t number, const struct restante_evidence *e, bool json);
void show_queued(FILE *out, const struct wire *m, bool json);
/* "18 minutes", "2 hours". */
void show_duration(char out[static 32], uint64_t seconds);
const char *show_message_state(enum restante_message_state s);

#endif

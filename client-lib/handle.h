/*
 * What the files of librestante share: the handle. Internal.
 */
#ifndef CLIENT_LIB_HANDLE_H
#define CLIENT_LIB_HANDLE_H

#include <stdbool.h>

#include "client-lib/archive.h"
#include "client-lib/client.h"
#include "client-lib/include/restante/restante.h"
#include "client-lib/profile.h"
#include "client-lib/vault.h"
#include "common/base/disk.h"
#include "common/charter/succession.h"
#include "common/net/loop.h"

struct handle_transfer;

struct restante {
	struct loop *loop;
	struct disk *disk;
	struct vault *vault;
	struct archive *archive;
	struct charter *charter;      /* that the directory was made with */
	struct succession *charters; /* it and those that were there at the start */
	struct client *client; /* NULL before restante_start */
	struct workq *files;   /* reading and writing of users' files */
	struct handle_transfer *transfers; /* files on their way in or out of the archive */
	struct profile profile;
	char witness[4096]; /* empty: none */
	uint64_t inode; /* of the directory */
	char socks[CHARTER_ADDRESS_MAX]; /* empty: the entrance is dialled itself */
	bool held;
	restante_event_cb *event;
	void *event_arg;
	struct diag why; /* restante_explain */
};

/* The public code for an error of ours. */
int handle_code(enum err e);
/* Keep a sentence for restante_explain if d has none, and return the public code. */
int handle_fail(struct restante *r, enum err e);
/* The sentence for what a callback brings: it replaces that of an earlier call. */
void handle_explain(struct restante *r, enum err e);
/* A call that needs a started handle: RESTANTE_OK or RESTANTE_E_STATE. */
int handle_started(struct restante *r);
/* Commit a change of the post; done (may be NULL) gets the public code. */
int handle_commit(struct restante *r, restante_done *done, void *arg);
void handle_message(struct restante_message *out, const struct post_message *m);
/* End all transfers; nothing is called back. */
void handle_transfers_free(struct restante *r);

#endif

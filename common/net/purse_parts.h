/*
 * What the files of the purse share. Internal to purse*.c:
 *
 *   purse.c	      life, notices, spending, status
 *   purse_files.c    the two files: read, sealed, written off the loop
 *   purse_errands.c  fetching, by the fetch law
 */
#ifndef COMMON_NET_PURSE_PARTS_H
#define COMMON_NET_PURSE_PARTS_H

#include "common/net/fetch.h"
#include "common/net/purse.h"
#include "common/net/session.h"
#include "common/token/errands.h"
#include "common/token/notice.h"

#define FILE_NAME_BYTES (sizeof(PURSE_WALLET_FILE) + PURSE_NAME_BYTES)
#define PURSE_NOTICES (WALLET_EPOCHS + 1)

struct purse_known {
	bool used;
	bool lied; /* another one was shown for this epoch */
	bool told; /* its evidence was taken, or cannot be made */
	int64_t since_ms;
	struct notice notice;
	struct evidence evidence;
};

/* A file on its way to the disk, and who waits for it. */
struct purse_job {
	struct purse *purse;
	LIST_ENTRY(purse_job) all;
	struct disk *disk;
	char file[FILE_NAME_BYTES]; /* of its own: the queue may outlast the purse */
	struct buf image;
	enum err result;
	bool has_token;
	struct wallet_token token;
	purse_cb *cb; /* NULL: nobody waits */
	void *arg;
};

struct purse {
	struct purse_config cfg;
	const struct params *params; /* the constant ones */
	char wallet_file[FILE_NAME_BYTES], marks_file[FILE_NAME_BYTES];
	uint8_t *key, *code;	     /* secret memory; NULL as in cfg */
	struct wallet *wallet;	     /* NULL: not enrolled */
	struct purse_known known[PURSE_NOTICES];
	struct errands errands;
	struct errand errand; /* that is being run */
	struct timer *timer;
	struct fetch *fetch;
	struct session *notices; /* the session that only reads notices */
	struct issuance_request *request; /* secret memory */
	unsigned failures;	 /* in a row */
	unsigned alarms;
	LIST_HEAD(, purse_job) jobs;
};

/* ---- purse.c ---- */

void purse_raise(struct purse *p, enum purse_alarm a);
void purse_clear(struct purse *p, enum purse_alarm a);
void purse_tell(struct purse *p);
const struct notice *purse_find_notice(const struct purse *p, uint32_t epoch);
/* The charter of an epoch if it has a registrar, else NULL. */
const struct charter *purse_charter(const struct purse *p, uint32_t epoch);

/* ---- purse_files.c ---- */

/* Fill p->wallet. */
RST_MUST_USE enum err purse_load(struct purse *p, struct diag *d);
/* Write the wallet's tokens, or its marks; the token's owner is told afterwards. */
RST_MUST_USE enum err purse_write_tokens(struct purse *p);
RST_MUST_USE enum err purse_write_marks(struct purse *p, const struct wallet_token *t,
    purse_cb *cb, void *arg);
/* Wait for none of them any more. */
void purse_forget_jobs(struct purse *p);

/* ---- purse_errands.c ---- */

RST_MUST_USE enum err purse_errands_init(struct purse *p);
void purse_errands_free(struct purse *p);
/* Look again what is due. */
void purse_errands_look(struct purse *p);

#endif

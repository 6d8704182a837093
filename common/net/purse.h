/*
 * A member's purse: its wallet on disk, fetched by the fetch law from the registrar and
 * spent for its sessions and deposits. The same for clients and mixes.
 * docs/protocol.md, "Tickets and stamps".
 *
 * Nothing is asked of it in an epoch whose charter has no registrar. The keys that tokens
 * are checked with are those of the notices that the owner hands on from the journal. Who
 * has no ticket for the running hour and knows no notice (a new member, or one that was
 * away for longer than a wallet lasts) reads the notices by a session that needs no ticket
 * and brings nothing else.
 */
#ifndef COMMON_NET_PURSE_H
#define COMMON_NET_PURSE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/disk.h"
#include "common/base/err.h"
#include "common/base/rng.h"
#include "common/charter/sheet.h"
#include "common/charter/succession.h"
#include "common/journal/evidence.h"
#include "common/net/loop.h"
#include "common/token/wallet.h"

#define PURSE_WALLET_FILE "wallet"
#define PURSE_MARKS_FILE "spent"
#define PURSE_NAME_BYTES 4 /* of a suffix, with its NUL */

struct purse;

enum purse_alarm {
	PURSE_ALARM_ENROL = 1,	  /* the network asks for tickets, and there is no enrolment code */
	PURSE_ALARM_CODE = 2,	  /* the registrar does not, or no more, know the code */
	PURSE_ALARM_AWAY = 4,	  /* three attempts in a row brought nothing from the registrar */
	PURSE_ALARM_KEYS = 8,	  /* issuer keys that are not the journal's: members may be marked */
	PURSE_ALARM_SHARED = 16,  /* a batch went to somebody else with the same code */
	PURSE_ALARM_REFUSED = 32, /* the gateway refused a ticket */
	PURSE_ALARM_TICKETS = 64, /* none left for this hour: no session can be opened */
	PURSE_ALARM_STAMPS = 128, /* none left in this epoch: what is written waits */
	PURSE_ALARM_DISK = 256,	  /* spent marks cannot be written: nothing is spent */
};

struct purse_status {
	bool needed;	    /* the charter in force has a registrar */
	bool enrolled;
	uint32_t tickets;   /* left for the running hour */
	uint32_t stamps;    /* left in the running epoch */
	uint32_t allotment; /* of stamps, in the running epoch */
	uint32_t ahead;	    /* epochs to come of which all is there, in a row */
	unsigned alarms;    /* bits of purse_alarm */
};

struct purse_config {
	struct loop *loop;
	const struct succession *charters; /* borrowed */
	struct disk *disk;		   /* borrowed; NULL: nothing outlives the purse */
	const char *name;		   /* behind the names of its files, to have several; NULL: one */
	struct workq *queue;		   /* the disk's, borrowed; one thread */
	const uint8_t *key;		   /* 32 bytes that the files are sealed under; NULL: plain */
	const uint8_t *code;		   /* secret of the enrolment code; NULL: not enrolled */
	const char *registrar, *gateway;   /* entrances; NULL: as the charters say */
	const char *socks;		   /* as in link.h; NULL: directly */
	bool held;			   /* begin as after purse_hold(p, true) */
	const struct rng *rng, *keys;
	/* What is left or the alarms changed. May be NULL. */
	void (*changed)(void *arg);
	void *arg;
};

/*
 * Read the files (blocks, before the loop runs). Another enrolment than the files' begins
 * an empty wallet. Errors with a sentence.
 */
RST_MUST_USE enum err purse_new(struct purse **out, const struct purse_config *cfg,
    struct diag *d);
/* What is being written is written; no callback follows. NULL is a no-op. */
void purse_free(struct purse *p);
/* While held, nothing is fetched. */
void purse_hold(struct purse *p, bool held);
void purse_get_status(const struct purse *p, struct purse_status *out);

/* ---- the journal's part ---- */

/* A notice that the gateway shows. ERR_* of notice_decode: it is none. */
RST_MUST_USE enum err purse_notice(struct purse *p, const uint8_t *notice, size_t n);
/* Two notices for one epoch prove that the gateway lied: take what is new of that. */
bool purse_take_evidence(struct purse *p, struct evidence *out);
/* Whether a sheet has the keys of its epoch's notice; if not it is not to be used. */
bool purse_sheet(struct purse *p, const struct sheet *s);

/* ---- spending ---- */

/* Whether sessions and deposits of an epoch, a session of an hour, need tokens. */
bool purse_needed(const struct purse *p, uint32_t epoch);
bool purse_needed_hour(const struct purse *p, uint32_t hour);
/* Whether there is a ticket for a session of this hour, when `keep` are left untouched. */
bool purse_has_ticket(struct purse *p, uint32_t hour, unsigned keep);
/* Whether there is a stamp for this epoch. */
bool purse_has_stamp(struct purse *p, uint32_t epoch);

/*
 * Spend one. cb comes later, when it is durable that it is spent; t is NULL but with
 * ERR_OK, and valid during the call: after an error it is the purse's again, for another
 * ask. ERR_NOT_FOUND: there is none; ERR_MEMORY.
 */
typedef void purse_cb(void *arg, enum err e, const struct wallet_token *t);
RST_MUST_USE enum err purse_ticket(struct purse *p, uint32_t hour, purse_cb *cb, void *arg);
RST_MUST_USE enum err purse_stamp(struct purse *p, uint32_t epoch, purse_cb *cb, void *arg);
/* No callback with this argument any more; what was spent is lost. */
void purse_cancel(struct purse *p, const void *arg);
/* How the gateway answered a ticket: refused, or its session is open. */
void purse_refused(struct purse *p, bool refused);

#endif

/*
 * The entry: clients' sessions. Frames come up, their packets go to the first
 * mix at once; the journal goes down. docs/protocol.md, "Sessions".
 *
 * Nothing is remembered about a session but what it takes to serve it, and
 * nothing of it when it has ended.
 *
 * Bounds: sessions_max sessions, each for a ticket where there are tickets (beyond:
 * refused with BUSY); beside them waiting_max connections without a handshake and as many
 * without a session (beyond: the newest pushes out the oldest); frames ahead of the slot
 * clock (RATE), a few queued frames per session (a slow reader falls behind, and ends at
 * its mark), a time-out for handshake, open frame and silence; with tickets, one check
 * for a connection.
 */
#ifndef GATEWAY_ENTRY_H
#define GATEWAY_ENTRY_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/log.h"
#include "common/base/rng.h"
#include "common/charter/charter.h"
#include "common/net/loop.h"
#include "gateway/store.h"
#include "gateway/tickets.h"

struct entry;

struct entry_config {
	struct loop *loop;
	const struct charter *charter; /* borrowed */
	const uint8_t *link_sk;	       /* X25519, 32 bytes in secret memory, borrowed */
	const char *listen;	       /* where clients come in */
	struct store *store;	       /* borrowed */
	const struct rng *rng, *keys;
	struct log *log;
	size_t sessions_max, waiting_max; /* at least 1 */
	struct tickets *tickets; /* borrowed; NULL: nobody needs one */
};

struct entry_events {
	/* A packet of layer 0 for its first mix; valid during the call. */
	void (*packet)(void *arg, uint16_t first_mix, uint32_t epoch, const uint8_t *packet);
	/* A link was made; its handshake hash, LINK_HASH_BYTES. May be NULL. */
	void (*linked)(void *arg, const uint8_t *hash);
};

struct entry_status {
	size_t sessions;    /* connections now */
	size_t members;	    /* of these, sessions that count against the most */
	uint64_t pushed_out; /* so far, of those who waited with too many others */
	uint64_t opened;    /* so far */
	uint64_t refused;   /* by an error frame, for whatever reason */
	uint64_t looked;    /* of those opened, to read the notices, without a ticket */
	uint64_t malformed; /* frames that ended their session */
};

/* ERR_BUSY, ERR_USAGE with a sentence (listening). */
RST_MUST_USE enum err entry_open(struct entry **out, const struct entry_config *cfg,
    const struct entry_events *events, void *arg, struct diag *d);
/* Close all sessions at once and free. Before store_free. NULL is a no-op. */
void entry_free(struct entry *e);
/* Accept no further sessions. */
void entry_stop_accepting(struct entry *e);

/* End every session at once, without a word; clients come back by themselves. */
void entry_close_sessions(struct entry *e);

/*
 * A round was written at this place of the journal: sessions that wait for it go
 * on. block: with its signature.
 */
void entry_published(struct entry *e, uint32_t day, uint32_t index, uint64_t round,
    const uint8_t *block, size_t block_len, const struct store_records *mailboxes, size_t n);
/* The sheet of an epoch: sent to every session, first of all. Copied. ERR_MEMORY. */
RST_MUST_USE enum err entry_sheet(struct entry *e, uint32_t epoch, const uint8_t *sheet,
    size_t len);

/* The issuer notice of an epoch, likewise, before the sheets. Copied. ERR_MEMORY. */
RST_MUST_USE enum err entry_notice(struct entry *e, const uint8_t *notice, size_t len);

/* A charter that a session is given before its sheets. Copied. ERR_MEMORY. */
RST_MUST_USE enum err entry_charter(struct entry *e, const uint8_t *text, size_t len);

void entry_get_status(const struct entry *e, struct entry_status *out);

#endif

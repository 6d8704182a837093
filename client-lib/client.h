/*
 * The client on a loop: attendance, gaps, slots, the post, vault and archive,
 * wired together. librestante's handle is a thin cover over it, the scenario
 * tests run it in virtual time.
 *
 * One commit at a time runs on a serial work queue: archive batch, then state
 * file; what piles up meanwhile becomes the next commit. A sealed record waits
 * in `ready` until its commit is durable and leaves in the next slot.
 */
#ifndef CLIENT_LIB_CLIENT_H
#define CLIENT_LIB_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "client-lib/archive.h"
#include "client-lib/post.h"
#include "client-lib/vault.h"
#include "common/base/err.h"
#include "common/base/rng.h"
#include "common/charter/charter.h"
#include "common/net/loop.h"
#include "common/net/purse.h"

struct client;

struct client_config {
	/*
	 * The charter that the directory was made with; borrowed until client_new returns.
	 * Those that follow it are in the directory.
	 */
	const struct charter *charter;
	struct disk *disk;	       /* the directory, borrowed; NULL: none outlives the client */
	const char *entrance;	       /* NULL: as the charters say */
	const char *socks;	       /* of a tor, as in common/net/link.h; NULL: directly */
	uint16_t mailbox;
	bool held;		       /* begin as after client_hold(c, true) */
	const char *registrar;	       /* its entrance; NULL: as the charters say */
	const uint8_t *code;	       /* secret of the enrolment code, 32, borrowed until client_new returns; NULL: none */
	struct vault *vault;	       /* borrowed, open */
	struct archive *archive;       /* borrowed, open */
	const struct rng *rng, *keys;
	const struct chain_point *anchor; /* NULL: from the state, else none */
	const char *witness;	       /* a file outside of the directory (witness.h); NULL: none */
	uint64_t inode;		       /* of the directory; 0: unknown */
	int64_t retention_ms;	       /* of one's own messages; 0: for ever */
};

enum client_alarm {
	CLIENT_ALARM_NONE = 0,
	CLIENT_ALARM_STALL = 1,	     /* no block for two minutes */
	CLIENT_ALARM_CLOCK = 2,	     /* own clock is off by more than 30 s */
	CLIENT_ALARM_CHAIN = 4,	     /* the journal does not verify */
	CLIENT_ALARM_DISK = 8,	     /* state cannot be saved */
	CLIENT_ALARM_SHEET = 16,     /* no verified sheet for this epoch */
	CLIENT_ALARM_CHARTER = 32,   /* the charter's date has passed */
	CLIENT_ALARM_FORK = 64,	     /* there is evidence of the gateway's lies */
	CLIENT_ALARM_DENIED = 128,   /* tor lacks the key that the gateway's service asks for */
	CLIENT_ALARM_ENTRY = 256,    /* three attempts in a row did not reach the gateway */
	CLIENT_ALARM_SUCCESSION = 512, /* the gateway showed a charter that is no successor */
	CLIENT_ALARM_NOTES = 1024,     /* our notes do not come back: nothing real leaves */
	CLIENT_ALARM_ENROL = 2048,     /* tickets are asked for, and there is no code, or none that counts */
	CLIENT_ALARM_REGISTRAR = 4096, /* it cannot be reached, or answers what it should not */
	CLIENT_ALARM_ISSUER = 8192,    /* issuer keys that are not the journal's: members may be marked */
	CLIENT_ALARM_TICKETS = 16384,  /* none left, or refused: no session */
	CLIENT_ALARM_STAMPS = 32768,   /* none left: what is written waits for the next epoch */
};

struct client_status {
	struct post_restarted restarted; /* the last restart of all contacts */
	bool online;	    /* the live session is up */
	bool verified;	    /* the chain is tied to the anchor */
	bool caught_up;	    /* no gap is waiting */
	unsigned gaps;	    /* days still to fetch */
	uint32_t epoch;
	uint64_t round;	    /* of the last verified block */
	uint32_t people;    /* crowd of the mailbox, from the charter in force */
	unsigned alarms;    /* bits of client_alarm */
	int64_t clock_skew_ms;
	int64_t forecast_ms;
	uint64_t slots, skipped, real, notes, drops; /* of this run */
	uint32_t queued, unacknowledged;
	uint32_t charter;	 /* the version in force; 0: the first is still to come */
	uint32_t coming_charter; /* the next one, from coming_epoch; 0: none */
	uint32_t coming_epoch;
	struct purse_status tokens;
};

struct client_events {
	void (*news)(void *arg, const struct post_news *n);
	/* Alarms or online state changed. May be NULL. */
	void (*status)(void *arg);
};

/*
 * Load the state (blocking, before the loop runs) and start. ERR_* with a
 * sentence. client_free saves nothing more: what was not committed was not
 * promised. Pending client_done and client_value callbacks come from within
 * client_free, with ERR_CLOSED. Not to be called from a callback of the client.
 */
RST_MUST_USE enum err client_new(struct client **out, struct loop *l,
    const struct client_config *cfg, const struct client_events *events, void *arg,
    struct diag *d);
void client_free(struct client *c);

/* While held, no session is opened: the way to the gateway is not there (attend_hold). */
void client_hold(struct client *c, bool held);
void client_status(const struct client *c, struct client_status *out);

/* What a member is told of the network (common/journal/outlook.h); 0: not known. */
struct client_outlook {
	int64_t half_ms, most_ms; /* 50 and 95 of 100 messages are stored within */
	uint32_t people_effective, people_least;
};
/* Takes a millisecond or so. */
void client_outlook(const struct client *c, struct client_outlook *out);
/*
 * The post, for queries and for changes. After a change call client_commit;
 * done(arg, err) comes when it is durable.
 */
struct post *client_post(struct client *c);
typedef void client_done(void *arg, enum err e);
RST_MUST_USE enum err client_commit(struct client *c, client_done *done, void *arg);
/* The charter in force, or the first to come. Valid as long as the client. */
const struct charter *client_charter(const struct client *c);
/* How long own messages are kept; 0: for ever. */
void client_set_retention(struct client *c, int64_t retention_ms);
/* Latest verified epoch block for invitations; false if there is none yet. */
bool client_epoch_block(const struct client *c, struct chain_point *out);
/* What the verified journal says to an epoch block that an invitation quotes. */
enum chain_opinion client_judge(const struct client *c, const struct chain_point *quoted);
/* The i-th evidence of the gateway's lies, oldest epoch first; NULL: there are no more. */
const struct evidence *client_evidence(const struct client *c, size_t i);
/* Read one archive value off the loop; the bytes are valid during the call. */
typedef void client_value(void *arg, enum err e, const uint8_t *p, size_t n);
RST_MUST_USE enum err client_read(struct client *c, const struct post_write *key,
    client_value *cb, void *arg);
/*
 * Write archive values (chunks of a file) outside of the post's own; done when
 * synced. Takes w (post_writes_free), also on failure.
 */
RST_MUST_USE enum err client_write(struct client *c, struct post_write *w, size_t n,
    client_done *done, void *arg);

/*
 * Write a backup to path, which must not exist, locked by u (copied), as of a moment
 * when all is durable. Nothing else is made durable meanwhile. *d is filled before
 * done is called.
 */
RST_MUST_USE enum err client_backup(struct client *c, const char *path,
    const struct vault_unlock *u, client_done *done, void *arg, struct diag *d);

#endif

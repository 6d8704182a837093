/*
 * The gateway: entry, links, exit, journal and store wired together on a loop. No
 * global state; runs on the real loop and in the virtual world.
 *
 *   sessions -> entry -> links -> (mixes) -> links -> exit -> journal -> store -> entry
 *
 * docs/architecture.md, "The way of one packet".
 */
#ifndef GATEWAY_GATEWAY_H
#define GATEWAY_GATEWAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/disk.h"
#include "common/base/err.h"
#include "common/base/log.h"
#include "common/base/rng.h"
#include "common/charter/charter.h"
#include "common/net/loop.h"
#include "gateway/entry.h"
#include "gateway/exit.h"
#include "gateway/spent.h"
#include "gateway/stamps.h"
#include "gateway/store.h"
#include "gateway/tickets.h"
#include "gateway/turnstile.h"
#include "mix/links.h"

struct gateway;

struct gateway_config {
	struct loop *loop;
	struct disk *disk;	       /* the node's own directory; borrowed */
	struct store *store;	       /* owned by the gateway, also if gateway_new fails */
	struct spent *spent;	       /* the same */
	/*
	 * Borrowed, and only until gateway_new returns. The directory has what it was before
	 * and what has become of it since.
	 */
	const struct charter *charter;
	const uint8_t *identity_sk;    /* Ed25519, 64 bytes in secret memory, borrowed */
	const uint8_t *link_sk;	       /* X25519, 32 bytes in secret memory, borrowed */
	const char *listen;	       /* for mixes; NULL: our address in the charter */
	const char *entrance;	       /* for clients; NULL: our entrance in the charter */
	const struct rng *rng, *keys;
	struct log *log;
	unsigned threads;	       /* for unwrapping, at least 1 */
	size_t sessions_max, waiting_max; /* as in entry.h */
	/* Of every link with a client, its handshake hash (LINK_HASH_BYTES). May be NULL. */
	void (*linked)(void *arg, const uint8_t *hash);
	void *linked_arg;
};

struct gateway_status {
	uint32_t epoch;
	bool has_sheet;	     /* of the running epoch, in the journal */
	unsigned sheet_nodes; /* that it has keys of */
	bool sits_out;	     /* the running epoch: we were found to run on old state */
	bool founded;	     /* there is a journal */
	uint64_t round;	     /* of the last block */
	bool storing_failed; /* the last write failed and is being tried again */
	size_t days;	     /* of the journal that are kept */
	uint64_t blocks, forwarded, dropped_in;
	uint64_t dropped_journal; /* deposits and notes for which a round had no room */
	uint32_t charter;	 /* the version in force */
	uint32_t coming_charter; /* the next one, from coming_epoch; 0: none */
	uint32_t coming_epoch;
	uint32_t latest_charter, latest_epoch; /* the last one of all */
	struct entry_status entry;
	struct exit_status exit;
	struct unwrap_counts unwrapped;
	bool registrar; /* the charter in force has one */
	unsigned seeds; /* of the running epoch and those to come */
	struct tickets_status tickets;
	struct stamps_status stamps;
	struct turnstile_status turnstile;
};

/* Load the state (blocks), listen, dial. Errors with a sentence. */
RST_MUST_USE enum err gateway_new(struct gateway **out, const struct gateway_config *cfg,
    struct diag *d);
/*
 * Accept nothing any more; stopped comes on the loop, never from inside the call,
 * when the round under way is stored, or after linger_ms.
 */
void gateway_stop(struct gateway *g, int64_t linger_ms, void (*stopped)(void *arg), void *arg);
/* Finish what is being written, wipe, free. NULL is a no-op. */
void gateway_free(struct gateway *g);

/*
 * Publish a successor of the network's latest charter, from the bytes of its file: done
 * comes on the loop, never from inside the call nor from gateway_free, when it is
 * durable, after which the next block has it. Refused with a sentence: what is no
 * successor, and what would take effect before everybody can know of it (ERR_EPOCH).
 * ERR_BUSY, ERR_MEMORY.
 */
typedef void gateway_done_cb(void *arg, enum err e);
RST_MUST_USE enum err gateway_publish(struct gateway *g, const void *text, size_t n,
    gateway_done_cb *done, void *arg, struct diag *d);
/* End every session at once: whoever may still come comes back by itself. */
void gateway_close_sessions(struct gateway *g);
/* What lets sessions in. */
struct tickets *gateway_tickets(struct gateway *g);
/* The queue of everything that is done with the gateway's disk, one thing after the other. */
struct workq *gateway_queue(struct gateway *g);

void gateway_get_status(const struct gateway *g, struct gateway_status *out);
/* links_list of its links. */
size_t gateway_links(const struct gateway *g, struct links_peer *out, size_t max);

#endif

/*
 * A mix: links, unwrap, pool, replay sets, epoch keys and sheets wired together
 * on a loop. No global state; runs on the real loop and in the virtual world.
 * docs/protocol.md, "Mixing".
 *
 *   links -> intake -> unwrap -> pool -> (flush) -> commit -> links
 *
 * The pool lives in memory only. A packet leaves after its replay tag and the
 * number of its batch are on disk.
 */
#ifndef MIX_MIX_H
#define MIX_MIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/disk.h"
#include "common/base/err.h"
#include "common/base/log.h"
#include "common/base/rng.h"
#include "common/charter/charter.h"
#include "common/net/loop.h"
#include "common/net/purse.h"
#include "mix/heartbeat.h"
#include "mix/links.h"
#include "mix/proofs.h"
#include "mix/unwrap.h"

struct mix;

struct mix_config {
	struct loop *loop;
	struct disk *disk;
	/*
	 * Borrowed, and only until mix_new returns. The directory has what it was before and
	 * what has become of it since.
	 */
	const struct charter *charter;
	uint16_t number;	       /* ours in the charters */
	const uint8_t *identity_sk;    /* Ed25519, 64 bytes in secret memory, borrowed */
	const uint8_t *link_sk;	       /* X25519, 32 bytes in secret memory, borrowed */
	const char *listen;	       /* NULL: our address in the charter */
	const char *entrance;	       /* NULL: the gateway's entrance in the charters */
	const char *socks;	       /* through which, as in common/net/link.h; NULL: directly */
	const char *registrar;	       /* NULL: its entrance in the charters */
	const uint8_t *codes;	       /* of purses_read_codes, for mix_new; NULL: not enrolled */
	bool held;		       /* begin as after mix_hold(m, true) */
	const struct rng *rng;	       /* draws of the protocol: pool, jitter, paths */
	const struct rng *pool_rng;    /* the pool's own, to repeat its draws; NULL: rng */
	const struct rng *keys;	       /* key material */
	struct log *log;
	unsigned threads;	       /* for unwrapping, at least 1 */
	bool unguarded;		       /* never stops: to show in a test what it stops for */
};

/* Why packets were dropped before they were unwrapped, or after. */
struct mix_status {
	uint32_t epoch;		/* now */
	bool has_sheet;		/* of this epoch */
	unsigned sheet_nodes;	/* that it has keys of */
	bool struck;		/* two sheets of this epoch were seen */
	bool sits_out;		/* this epoch: rolled back, or two sheets */
	size_t held;		/* packets in memory, wherever they are */
	size_t pooled;		/* of these in the pool */
	uint64_t received;	/* packets from links */
	uint64_t released;	/* packets handed to links */
	uint64_t flushes;	/* batches released, empty ones too */
	uint64_t failed_commits; /* disk refused; retried */
	uint64_t dropped_epoch;	/* unknown epoch, or no sheet for it */
	uint64_t dropped_full;	/* beyond pool_max */
	uint64_t dropped_out;	/* discarded because the epoch is sat out */
	uint64_t dropped_link;	/* next node's queue was full */
	struct unwrap_counts unwrapped;
	uint32_t charter;	 /* the version in force; 0: the first is still to come */
	uint32_t coming_charter; /* the next one, from coming_epoch; 0: none */
	uint32_t coming_epoch;
	bool serves;		 /* the one in force has us */
	bool has_place;		 /* one of those that count has us */
	unsigned sessions;	 /* our own with the gateway, of the running hour, that are open */
	struct heartbeat_status heartbeat;
	struct purse_status tokens;
	size_t evidence;	 /* of the gateway's lies, that is kept */
	uint32_t lied_epoch;	 /* the latest that it is about */
};

/*
 * Load the state (blocks), listen, dial, open the sessions. Errors with a
 * sentence. The disk is only used by this mix until mix_free.
 */
RST_MUST_USE enum err mix_new(struct mix **out, const struct mix_config *cfg, struct diag *d);

/* While held, it opens no session with the gateway: the way there is not open. */
void mix_hold(struct mix *m, bool held);

/*
 * Stop accepting; nothing is released any more that was not committed before.
 * stopped comes on the loop, never from inside the call, when what was released
 * has left, or after linger_ms.
 */
void mix_stop(struct mix *m, int64_t linger_ms, void (*stopped)(void *arg), void *arg);

/* Finish what is being written, wipe keys and packets, free. */
void mix_free(struct mix *m);

void mix_get_status(const struct mix *m, struct mix_status *out);
/* links_list of its links. */
size_t mix_links(const struct mix *m, struct links_peer *out, size_t max);
/* The evidence of the gateway's lies that it keeps. Valid as long as the mix. */
const struct proofs *mix_proofs(const struct mix *m);

#endif

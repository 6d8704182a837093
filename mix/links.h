/*
 * A node's links to other nodes: those it dials and those it accepts.
 * docs/protocol.md, "Links: Noise and frames" and "Mixing" (batch numbers).
 *
 * Who dials whom follows from the charter: a mix dials every mix of the next
 * layer, and the gateway; the gateway dials every mix of layer 0; a registrar dials
 * the gateway, listens nowhere, and sends it nothing but seeds. Both directions of a link have frames of the size of the acceptor's layer.
 *
 * When the charter changes there are links between the nodes of all charters that
 * count (succession.h), so that new ones are up before they are needed, and packets
 * on their way arrive. While more than one address or link key of a node is good
 * they are dialled in turn.
 *
 * Batch numbers: every batch that a node sends to a peer has a number, durable
 * before the first packet of the batch leaves. When a link opens each side tells
 * the highest number it had from the other. A node that reads a higher figure
 * than it ever gave out runs on old state, and must sit the epoch out.
 *
 * Runs on the loop's thread; numbers are written on the disk's queue, which must
 * be freed before this object: its last callbacks still come here.
 */
#ifndef MIX_LINKS_H
#define MIX_LINKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/disk.h"
#include "common/base/err.h"
#include "common/base/log.h"
#include "common/base/rng.h"
#include "common/charter/succession.h"
#include "common/net/loop.h"

#define LINKS_IDLE_MS 15000	      /* an idle frame when nothing else was sent for so long */
#define LINKS_SILENT_MS (4 * LINKS_IDLE_MS) /* a peer silent for so long is gone */
#define LINKS_HANDSHAKE_MS 20000
#define LINKS_STRANGERS_MAX 64 /* accepted, but have not shown who they are: one at random goes */
#define LINKS_BACKOFF_MIN_MS 250
#define LINKS_BACKOFF_MAX_MS 30000

struct links;

struct links_events {
	/* A packet of our layer, valid during the call. */
	void (*packet)(void *arg, uint16_t from, uint32_t epoch, uint8_t *packet);
	/* ANNOUNCEMENT_BYTES, not yet verified; NULL: ignored. */
	void (*announcement)(void *arg, uint16_t from, const uint8_t *announcement);
	/*
	 * From the registrar alone: the issuer seed (32 bytes, secret) of an epoch, valid
	 * during the call. It comes again with every link, and now and then. May be NULL.
	 */
	void (*seed)(void *arg, uint16_t from, uint32_t epoch, const uint8_t *seed);
	/* The packets since the last one were this batch. May be NULL. */
	void (*batch)(void *arg, uint16_t from, uint64_t number);
	/* A link that we dialled (to), or accepted (from), came up or was lost. May be NULL. */
	void (*state)(void *arg, uint16_t peer, bool dialled, bool up);
	/* The peer has seen batches of ours that we do not know of. Comes once per link. */
	void (*rolled_back)(void *arg, uint16_t peer);
};

struct links_config {
	struct loop *loop;
	const struct succession *charters; /* borrowed */
	uint16_t own;		       /* our number in the charters */
	const uint8_t *link_sk;	       /* X25519, 32 bytes in secret memory, borrowed */
	const char *listen; /* where to accept; NULL: at our addresses in the charters */
	struct disk *disk;
	struct workq *queue; /* one thread, the disk's only user */
	const struct rng *rng, *keys;
	struct log *log;
	size_t queue_max; /* packets that wait for one peer, at most; 0: the charter's pool-max */
};

/*
 * Load the batch numbers (blocks); nothing is dialled yet. ERR_NOT_FOUND if the
 * charter lacks us, ERR_MALFORMED for a damaged file, ERR_VERSION, ERR_IO.
 */
RST_MUST_USE enum err links_open(struct links **out, const struct links_config *cfg,
    const struct links_events *events, void *arg, struct diag *d);
/*
 * Listen and dial. ERR_BUSY, ERR_USAGE with a sentence, if none of our addresses can be
 * listened at: while one of two is another machine's, that is no failure.
 */
RST_MUST_USE enum err links_start(struct links *k, struct diag *d);
/* Time has passed, or there is a new charter: add and drop peers, and what was theirs. */
void links_turn(struct links *k);
/* Whether a charter that counts has us. */
bool links_has_place(const struct links *k);
/* Accept and read nothing any more; what is queued goes on leaving. */
void links_stop_accepting(struct links *k);
/* Close everything at once and free. */
void links_free(struct links *k);

/*
 * Queue a packet (copied; its size is that of the peer's layer) or an announcement
 * for a peer that we dial. It waits while the link is down. ERR_NOT_FOUND for
 * another peer, ERR_FULL at queue_max, ERR_MEMORY.
 */
RST_MUST_USE enum err links_send_packet(struct links *k, uint16_t to, uint32_t epoch,
    const uint8_t *packet);
RST_MUST_USE enum err links_send_announcement(struct links *k, uint16_t to,
    const uint8_t *announcement);
/*
 * Send an issuer seed to the gateway (registrar). It does not wait, so that no copy of
 * it lies about: ERR_STATE while the link is down or full. ERR_NOT_FOUND.
 */
RST_MUST_USE enum err links_send_seed(struct links *k, uint16_t to, uint32_t epoch,
    const uint8_t seed[static 32]);

typedef void links_done_cb(void *arg, enum err e);

/*
 * Number the next batch, to every node of the next layer: durable when done comes
 * (on the loop, never from inside the call). Also saves the numbers received. After a
 * failure no number was given. ERR_BUSY while one is under way, ERR_MEMORY.
 */
RST_MUST_USE enum err links_commit(struct links *k, links_done_cb *done, void *arg);
/* Behind the packets of a batch that links_commit numbered: say that it is complete. */
void links_end_batch(struct links *k);

/*
 * Whether a roll-back was noticed for which this epoch is to be sat out; durable
 * before the links_commit after it succeeds.
 */
bool links_sits_out(const struct links *k, uint32_t epoch);

/* How the links to a peer stand. */
struct links_peer {
	uint16_t number;
	bool serving;	     /* its charter is in force, or was until now */
	bool dials, accepts; /* we dial it; it may dial us */
	bool dialled_up, accepted_up;
};
/* At most max of the peers, in order of number; returns how many. */
size_t links_list(const struct links *k, struct links_peer *out, size_t max);
bool links_is_up(const struct links *k, uint16_t peer);
/* Frames that still wait to leave, over all links. */
size_t links_unsent(const struct links *k);
/* Packets dropped because a queue was full. */
uint64_t links_dropped(const struct links *k);

#endif

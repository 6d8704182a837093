/*
 * A link: Noise over a connection, then frames of one size per direction,
 * handshake messages included. Node links are KK, client sessions NK.
 * docs/protocol.md, "Links and sessions".
 */
#ifndef COMMON_NET_LINK_H
#define COMMON_NET_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/rng.h"
#include "common/crypto/noise.h"
#include "common/net/loop.h"

#define LINK_HASH_BYTES NOISE_HASH_BYTES
/* The first message of every pattern fits, and Noise's limit is kept. */
#define LINK_FRAME_MIN 80
#define LINK_FRAME_MAX (NOISE_MESSAGE_MAX - NOISE_TAG_BYTES)

struct link;

struct link_events {
	/* The handshake is done; frames may flow both ways. */
	void (*up)(void *arg);
	/*
	 * One whole frame of the receiving size (plain bytes), valid during the
	 * call. The callee may call link_free.
	 */
	void (*frame)(void *arg, uint8_t *plain, size_t n);
	/* Everything queued has left; may be NULL. */
	void (*drained)(void *arg);
	/*
	 * Ended: by the peer or the system (as conn_events.closed), a bad byte
	 * (ERR_CRYPTO; ERR_MALFORMED if the peer's own handshake payload is not
	 * zero), a time-out. The connection is closed and the keys are wiped;
	 * link_free must follow, now or later. Comes once at most.
	 */
	void (*down)(void *arg, enum err why);
};

struct link_config {
	enum noise_pattern pattern;
	bool initiator;
	uint8_t network_id[32];                   /* prologue */
	const uint8_t *own_sk, *own_pk, *peer_pk; /* as in noise.h; copied */
	/* Plain frame sizes, LINK_FRAME_MIN to LINK_FRAME_MAX; + 16 on the wire. */
	size_t send_bytes, receive_bytes;
	size_t out_frames_max; /* frames queued at most */
	int64_t handshake_ms;  /* give up after, connecting included */
	int64_t idle_ms;       /* give up when no frame came for so long; 0: never */
	const struct rng *keys;
	/*
	 * Dialling only: the SOCKS port of a tor, in the form of address.h, through
	 * which the address is reached (in the form of socks.h, "<56>.onion:port");
	 * each link on a circuit of its own. NULL: directly.
	 */
	const char *socks;
};

/*
 * Dial. ERR_USAGE, ERR_MEMORY; later failures come by `down`, those of a proxy
 * as socks_err has them: ERR_DENIED when tor lacks the client authorization.
 */
RST_MUST_USE enum err link_dial(struct link **out, struct loop *l, const char *address,
    const struct link_config *cfg, const struct link_events *events, void *arg);
/* Take over an accepted connection (owned from now on, also on failure). */
RST_MUST_USE enum err link_accept(struct link **out, struct loop *l, struct conn *c,
    const struct link_config *cfg, const struct link_events *events, void *arg);
/* Queue one frame of exactly send_bytes; ERR_FULL, ERR_CLOSED, ERR_STATE before `up`. */
RST_MUST_USE enum err link_send(struct link *k, const uint8_t *plain);
size_t link_unsent_frames(const struct link *k);
bool link_is_up(const struct link *k);
/* Stop and resume taking frames (back-pressure); a paused link is never idle. */
void link_pause(struct link *k, bool paused);
/* The handshake hash, once up. */
const uint8_t *link_hash(const struct link *k);
/* Close at once, wipe keys, free; no callback follows. NULL is a no-op. */
void link_free(struct link *k);
/* Close after what is queued has left (at most linger_ms). Frees k. */
void link_finish(struct link *k, int64_t linger_ms);

/*
 * A responder that does not yet know who dials: node links are KK, and an
 * acceptor must find the peer's static key among the charter's nodes. It tries
 * the candidates' keys on the first message: see link_accept_any.
 */
struct link_candidate {
	uint16_t node;
	uint8_t peer_pk[32];
	size_t send_bytes, receive_bytes; /* override those of cfg */
};
/*
 * Accept with n candidates (copied); from `up` on, link_peer() says which. All
 * must share the same receive size. Every candidate is tried on every first
 * message, so that the time says nothing. ERR_CRYPTO by `down` if none fits.
 */
RST_MUST_USE enum err link_accept_any(struct link **out, struct loop *l, struct conn *c,
    const struct link_config *cfg, const struct link_candidate *candidates, size_t n,
    const struct link_events *events, void *arg);
uint16_t link_peer(const struct link *k);
/* And by which of its keys. */
const uint8_t *link_peer_pk(const struct link *k);

#endif

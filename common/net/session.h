/*
 * The client end of one session with the gateway: handshake, `open`, one frame
 * up in every slot, the journal stream down. Used by clients and by mixes.
 * docs/protocol.md, "Sessions".
 *
 * The slot clock: a fixed period with a fresh random phase. A slot that could
 * not be sent is skipped, never made up for; nothing received changes it.
 */
#ifndef COMMON_NET_SESSION_H
#define COMMON_NET_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/rng.h"
#include "common/charter/charter.h"
#include "common/journal/item.h"
#include "common/net/frame.h"
#include "common/net/loop.h"

struct session;

struct session_packet {
	uint16_t first_mix;
	uint32_t epoch;
	uint8_t *packet; /* layer 0 packet bytes, to be filled by slot() */
};

struct session_events {
	/* Frames flow; the journal will come. May be NULL. */
	void (*opened)(void *arg, struct session *s);
	/* Build this slot's packet; false: skip the slot. */
	bool (*slot)(void *arg, struct session *s, struct session_packet *out);
	/* The packet of the last slot was handed to the connection. May be NULL. */
	void (*sent)(void *arg, struct session *s);
	/* One whole item; an error ends the session with that error. */
	enum err (*item)(void *arg, struct session *s, enum item_kind kind, const uint8_t *p,
	    size_t n);
	/*
	 * Over. why is ERR_OK when the gateway said FRAME_ERROR_MARK (live) or
	 * FRAME_ERROR_COMPLETE (day, epoch blocks, notices); ERR_RANGE at FRAME_ERROR_MARK in
	 * one of those, which took hours too long; ERR_NOT_FOUND when there was no ticket.
	 * session_free must follow.
	 */
	void (*ended)(void *arg, struct session *s, enum err why, enum frame_error error);
};

struct purse;

struct session_config {
	const struct charter *charter; /* outlives the session */
	const char *address;	       /* the gateway's entrance */
	const uint8_t *gateway_pk;     /* its link key; NULL: as the charter says */
	const char *socks;	       /* as in link.h; NULL: directly */
	struct frame_open open;
	struct purse *purse; /* where its ticket comes from, if one is needed; NULL: none is */
	const struct rng *rng, *keys;  /* protocol randomness; key material */
};

RST_MUST_USE enum err session_open(struct session **out, struct loop *l,
    const struct session_config *cfg, const struct session_events *events, void *arg);
/* Wipe and free; no callback follows. NULL is a no-op. */
void session_free(struct session *s);
/* Whether the handshake is done and frames flow. */
bool session_is_open(const struct session *s);
const struct frame_open *session_what(const struct session *s);

#endif

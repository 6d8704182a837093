/*
 * Tickets at the entry: whether a session may be opened. docs/protocol.md, "Tickets and
 * stamps".
 *
 * A proof is checked on the loop, where the handshake before it cost more; one for a
 * connection, and so many in a second. Only a genuine ticket reaches the disk, where it
 * is spent before its session is answered.
 */
#ifndef GATEWAY_TICKETS_H
#define GATEWAY_TICKETS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/rng.h"
#include "common/charter/succession.h"
#include "common/net/frame.h"
#include "common/net/loop.h"
#include "gateway/issuers.h"
#include "gateway/spent.h"

#define TICKETS_CHECKS_PER_S 1000 /* whoever sends them; 60 microseconds each */
#define TICKETS_CHECKS_BURST 5000

struct tickets;

struct tickets_config {
	struct loop *loop;
	const struct succession *charters; /* borrowed, as all that follows */
	const struct issuers *issuers;
	struct spent *spent;
	const struct rng *keys;
	/* What became of a write of the spent store. */
	void (*spent_answered)(void *arg, enum err e);
	void *arg;
};

struct tickets_status {
	uint64_t redeemed;
	uint64_t none, forged, spent; /* refused: without one, of no key of the hour, used */
	uint64_t limited;	      /* refused: too many checks */
	uint64_t failed;	      /* refused: the store */
};

RST_MUST_USE enum err tickets_new(struct tickets **out, const struct tickets_config *cfg);
/* The spent store must be freed before. NULL is a no-op. */
void tickets_free(struct tickets *t);

/* Whether sessions of this hour need a ticket. */
bool tickets_needed(const struct tickets *t, uint32_t hour);
/*
 * Redeem a ticket for the session with this handshake hash: done comes on the loop, never
 * from inside the call: ERR_OK when it is spent, durably; ERR_EXISTS when it was before;
 * else what became of the write. ERR_DENIED: there is none, or it is not genuine; ERR_BUSY: too many
 * checks; ERR_FULL, ERR_MEMORY: no done then.
 */
typedef void tickets_done_cb(void *arg, enum err e);
RST_MUST_USE enum err tickets_redeem(struct tickets *t, const struct frame_open *o,
    const uint8_t handshake_hash[static TOKEN_HANDSHAKE_BYTES], tickets_done_cb *done, void *arg);

void tickets_get_status(const struct tickets *t, struct tickets_status *out);

#endif

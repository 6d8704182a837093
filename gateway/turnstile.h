/*
 * The turnstile between the exit and the journal: how many deposits of a mailbox go into
 * a round. Whoever follows a mailbox gets so many bytes of its journal in a slot, so that
 * more than that keeps everybody's blocks from coming in time. docs/protocol.md, section 9.
 *
 * A mailbox may be ahead of its readers by TURNSTILE_AHEAD_MS; what is beyond waits here,
 * and no other mailbox, nor any note, waits with it. Nobody can tell who fills a mailbox,
 * so what came in this round goes first, in an order that is drawn, and then the oldest: a
 * burst is not in the way of what comes after it, and what got lost in it comes in the order
 * in which streams need it. Of TURNSTILE_MAX that wait the oldest of the fullest
 * mailbox is dropped for the next.
 *
 * In memory alone: what waits at a crash is lost, as a round's deposits are, and whoever
 * wrote it sends it again.
 */
#ifndef GATEWAY_TURNSTILE_H
#define GATEWAY_TURNSTILE_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/rng.h"
#include "common/charter/params.h"

/*
 * Divided by time-scale, but not less than a round and a half: who is shown blocks that are 30 s
 * late takes his own clock for wrong, and sends nothing real.
 */
#define TURNSTILE_AHEAD_MS 15000
#define TURNSTILE_MAX 16384

struct turnstile;

struct turnstile_status {
	size_t waiting;
	uint64_t held;	  /* that had to wait for a later round */
	uint64_t dropped; /* that were too many */
};

/* Borrows p. ERR_MEMORY. */
RST_MUST_USE enum err turnstile_new(struct turnstile **out, const struct params *p);
void turnstile_free(struct turnstile *t);

/* A record for a mailbox (copied). ERR_NOT_FOUND: there is no such mailbox; ERR_MEMORY. */
RST_MUST_USE enum err turnstile_deposit(struct turnstile *t, uint16_t mailbox,
    const uint8_t *record);
/* A round ends: everything that goes into it, by mailbox; `each` must not call back. */
typedef void turnstile_cb(void *arg, uint16_t mailbox, const uint8_t *record);
void turnstile_pass(struct turnstile *t, uint64_t round, const struct rng *rng,
    turnstile_cb *each, void *arg);

void turnstile_get_status(const struct turnstile *t, struct turnstile_status *out);

#endif

/*
 * Following one run of the journal: the items of one session, in order, are
 * checked against the chain and against each other, and handed on as verified
 * blocks with the records of our mailbox. Pure.
 *
 * Until the run is tied to what is verified its blocks wait here, within a
 * bound. A mismatch ends the run for good.
 */
#ifndef CLIENT_LIB_FOLLOW_H
#define CLIENT_LIB_FOLLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/charter/charter.h"
#include "common/journal/block.h"
#include "common/journal/chain.h"
#include "common/journal/item.h"

#define FOLLOW_WAITING_MAX ((size_t)64 << 20) /* bytes that wait for the tie */

struct follow;

enum follow_what { FOLLOW_BLOCKS, FOLLOW_EPOCHS };

struct follow_events {
	/* A sheet that the session opened with: provisional. */
	enum err (*sheet)(void *arg, const uint8_t *p, size_t n);
	/* A charter, shown by itself or in a block: it proves itself. May be NULL. */
	void (*charter)(void *arg, const uint8_t *p, size_t n);
	/* An issuer notice that the session opened with: it proves itself. May be NULL. */
	enum err (*notice)(void *arg, const uint8_t *p, size_t n);
	/* A block that the gateway signed, verified or not: the time. May be NULL. */
	void (*seen)(void *arg, uint64_t round);
	/*
	 * A verified block and the records of our mailbox in it, record_size bytes
	 * each. FOLLOW_EPOCHS: only the latest one, from follow_done.
	 */
	enum err (*block)(void *arg, const struct block *b, const uint8_t *records, size_t count);
};

struct follow *follow_new(enum follow_what what, struct chain *k, const struct charter *c,
    uint16_t mailbox, const struct follow_events *events, void *arg);
void follow_free(struct follow *f);
/*
 * The next item. ERR_CHAIN, ERR_SIGNATURE, ERR_MALFORMED, ERR_TRUNCATED: the
 * journal does not verify; ERR_FULL: too much waits; ERR_MEMORY; errors of the
 * callbacks.
 */
RST_MUST_USE enum err follow_item(struct follow *f, enum item_kind kind, const uint8_t *p,
    size_t n);
/* Hand on what waits if the run has been tied by now; to be called when the chain grew. */
RST_MUST_USE enum err follow_poll(struct follow *f);
/* The gateway said that this was all. ERR_CHAIN if it does not hold together. */
RST_MUST_USE enum err follow_done(struct follow *f);
/* Whether the run is tied to what is verified and nothing waits. */
bool follow_verified(struct follow *f);
size_t follow_waiting(const struct follow *f);
/* Blocks seen, waiting ones included. */
uint64_t follow_blocks(const struct follow *f);

/* Whether an error of an item says that the gateway's journal does not hold. */
bool follow_is_broken(enum err e);

#endif

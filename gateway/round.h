/*
 * The rounds of the journal: deposits and notes in, blocks out. Pure but for the
 * random source. docs/protocol.md, "Journal".
 *
 * One block is under way at a time: round_close makes it, the caller stores it,
 * round_stored moves on. What comes meanwhile belongs to the next one.
 */
#ifndef GATEWAY_ROUND_H
#define GATEWAY_ROUND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/bytes.h"
#include "common/base/err.h"
#include "common/base/rng.h"
#include "common/charter/charter.h"
#include "gateway/store.h"

struct rounds;

struct rounds_config {
	const struct charter *charter; /* borrowed */
	const void *charter_text;      /* with signatures, for epoch blocks; borrowed */
	size_t charter_len;
	const uint8_t *identity_sk;    /* Ed25519, 64 bytes in secret memory, borrowed */
	const struct rng *rng;
};

/*
 * state: what store_state gives; len 0 founds a journal. ERR_MALFORMED,
 * ERR_VERSION with a sentence.
 */
RST_MUST_USE enum err rounds_new(struct rounds **out, const struct rounds_config *cfg,
    const uint8_t *state, size_t len, struct diag *d);
void rounds_free(struct rounds *r);

/*
 * A record for a mailbox (copied). ERR_REPLAY: the same record was deposited
 * before in this epoch; ERR_RANGE: no such mailbox; ERR_FULL: the round is;
 * ERR_MEMORY.
 */
RST_MUST_USE enum err rounds_deposit(struct rounds *r, uint16_t mailbox, const uint8_t *record);
/* The first 8 bytes of a note. ERR_FULL, ERR_MEMORY; one that is listed already is success. */
RST_MUST_USE enum err rounds_note(struct rounds *r, const uint8_t note[static 8]);
/* The sheet of an epoch (copied): in the next block, and in that epoch's epoch block. */
RST_MUST_USE enum err rounds_sheet(struct rounds *r, uint32_t epoch, const uint8_t *sheet,
    size_t len);

/*
 * Whether a block is due at the end of this round: something to tell, a new epoch,
 * or 30 s (scaled) without one. Never before the founding sheet, never for a
 * round that is not above the last.
 */
bool rounds_due(const struct rounds *r, uint64_t round);

/*
 * Make the block of this round: *out borrows until rounds_stored. The first block
 * of an epoch carries no deposits or notes: they go to the next one. ERR_BUSY
 * while one is under way, ERR_MEMORY.
 */
RST_MUST_USE enum err rounds_close(struct rounds *r, struct store_round *out, uint64_t round);
/* The block under way, again (after a failed write); NULL if there is none. */
const struct store_round *rounds_under_way(const struct rounds *r);
/* It is durable. */
void rounds_stored(struct rounds *r);

/* Deposits and notes that wait for a block. */
size_t rounds_waiting(const struct rounds *r);
/* Whether the journal has been founded; the round of its last stored block. */
bool rounds_founded(const struct rounds *r, uint64_t *last);

#endif

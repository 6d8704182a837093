/*
 * The gateway's journal: what the exit delivers, the sheets and issuer keys that were
 * decided go in, rounds come out. docs/protocol.md, "Journal". Pure: randomness is an argument,
 * the store is the caller's.
 *
 * A round is built once and put into the store as it is, until that succeeds; then
 * journal_advance() makes it the head. State to go on from travels with every round.
 */
#ifndef GATEWAY_JOURNAL_H
#define GATEWAY_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/rng.h"
#include "common/charter/charter.h"
#include "common/charter/sheet.h"
#include "common/journal/block.h"
#include "common/token/notice.h"
#include "gateway/store.h"

#define JOURNAL_SILENCE_MS ((int64_t)30 * 1000) /* blocks are at most so far apart */
#define JOURNAL_WAITING_BYTES_MAX ((size_t)256 << 20) /* records of all mailboxes that wait */

struct journal;

/*
 * The charters, each of which the journal tells, and the key (Ed25519, 64 bytes) are
 * borrowed. ERR_MEMORY.
 */
RST_MUST_USE enum err journal_new(struct journal **out, const struct succession *s,
    const uint8_t *identity_sk);
void journal_free(struct journal *j);
/*
 * Go on from a state of the store (empty: there is no journal yet). Sheets of
 * another charter are left out. ERR_MALFORMED, ERR_VERSION, with a sentence.
 */
RST_MUST_USE enum err journal_load(struct journal *j, const uint8_t *state, size_t n,
    struct diag *d);

/*
 * Whether an epoch block of the store is signed as readers expect it. ERR_SIGNATURE with a
 * sentence: whoever began this journal signed otherwise, and nobody could follow it on.
 */
RST_MUST_USE enum err journal_check_epoch(const struct journal *j, const uint8_t *block,
    size_t len, struct diag *d);

/*
 * A record for a mailbox (copied), for the next round. ERR_NOT_FOUND, ERR_MEMORY; ERR_FULL if
 * the round has no more room for this mailbox (ITEM_RECORDS_MAX bytes: what readers take and
 * share is bounded by it), or for anything (BLOCK_DIGESTS_MAX, JOURNAL_WAITING_BYTES_MAX).
 */
RST_MUST_USE enum err journal_deposit(struct journal *j, uint16_t mailbox,
    const uint8_t *record);
RST_MUST_USE enum err journal_note(struct journal *j,
    const uint8_t note[static BLOCK_DIGEST_BYTES]);
/*
 * The sheet of its epoch from now on; it is written with the next block. Takes s
 * over, also on failure. ERR_EXISTS if the epoch has one, ERR_EPOCH if the journal has
 * passed it, so that it may have had one, ERR_MEMORY.
 */
RST_MUST_USE enum err journal_sheet(struct journal *j, struct sheet *s);
/* The sheet of an epoch that was written, or NULL. Borrowed until its epoch is two back. */
const struct sheet *journal_sheet_of(const struct journal *j, uint32_t epoch);
/* Its bytes and our signature, as sessions are shown it, or NULL. */
const struct buf *journal_sheet_bytes(const struct journal *j, uint32_t epoch);
/* Whether the epoch has a sheet, written or not. */
bool journal_has_sheet(const struct journal *j, uint32_t epoch);

/*
 * The issuer keys of an epoch: a notice of them is signed, and written with the next block.
 * ERR_OK also if these are its keys already, ERR_EXISTS if it has others, ERR_FULL, ERR_MEMORY.
 */
RST_MUST_USE enum err journal_issuer(struct journal *j, const struct issuer_keys *keys);
/* The keys of an epoch's notice, written or not, or NULL. Borrowed until its epoch is over. */
const struct issuer_keys *journal_issuer_keys(const struct journal *j, uint32_t epoch);
/* The notice of an epoch that was written, as sessions are shown it, or NULL. */
const struct buf *journal_notice_bytes(const struct journal *j, uint32_t epoch);

/*
 * Whether a block is to be written at the end of this round: there is something to
 * write (a charter too), an epoch begins, or the silence would last too long. Never for a round that
 * is not later than the head's.
 */
bool journal_due(const struct journal *j, uint64_t round);

/* A round ready for the store. */
struct journal_round {
	struct store_round put;
	uint8_t hash[32];
	uint32_t new_sheets; /* bit i: sheet i of the journal is written by it */
	uint32_t new_notices; /* the same of notices */
	uint32_t told, epoch_told; /* the latest charter in any, in an epoch block, after it */
	/* what put points to */
	struct buf block, lines, digests, state;
	struct buf charters[BLOCK_ENTRIES_MAX];
	size_t charter_count;
	struct store_records *records;
	struct buf *bytes; /* of each mailbox */
	size_t deposits, notes;
};

/*
 * Build the block of a round out of what waits. Deposits are shuffled, an exact
 * duplicate is dropped. ERR_STATE if the round is not later than the head or if the
 * one before was not advanced over, ERR_MEMORY; what waits then still waits.
 */
RST_MUST_USE enum err journal_build(struct journal_round **out, struct journal *j,
    uint64_t round, const struct rng *rng);
/* The round is durable: it becomes the head. */
void journal_advance(struct journal *j, const struct journal_round *r);
void journal_round_free(struct journal_round *r);

/* The head; false if there is no journal yet. */
bool journal_head(const struct journal *j, uint64_t *round);
/* Deposits and notes that wait. */
size_t journal_waiting(const struct journal *j);

#endif

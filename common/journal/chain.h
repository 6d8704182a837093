/*
 * The chain as a reader verifies it: signatures, hash links, rounds that only
 * go up, and a tie to an anchor. Pure; persistent state goes in and out as bytes.
 *
 * The verified part of the journal is (a) the epoch chain: every epoch block
 * from the founding, linked by previous_epoch, which must contain the anchor
 * (an epoch block from the invitation or enrolment, or one verified before);
 * (b) segments: runs of consecutive blocks linked by `previous`. A segment is
 * verified when it contains an epoch block of the epoch chain or continues a
 * verified segment's head.
 */
#ifndef COMMON_JOURNAL_CHAIN_H
#define COMMON_JOURNAL_CHAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/bytes.h"
#include "common/base/err.h"
#include "common/charter/charter.h"
#include "common/journal/block.h"
#include "common/journal/evidence.h"

struct chain_point {
	uint64_t round;
	uint8_t hash[32];
};

struct chain;

#define CHAIN_STATE_BYTES_MAX (1u << 20)
#define CHAIN_SIGNED_MAX 512 /* of the latest epoch blocks, and blocks, signatures are kept */

/*
 * anchor: an epoch block that is trusted (NULL: the reader trusts the epoch block
 * it sees first, as a mix does, or the founding block of the first whole reading
 * of the epoch blocks). The charter is borrowed. NULL without memory.
 */
struct chain *chain_new(const struct charter *c, const struct chain_point *anchor);
void chain_free(struct chain *k);

/* One run of blocks as a session delivers it; freed before its chain. */
struct chain_segment;
struct chain_segment *chain_segment_new(struct chain *k);
void chain_segment_free(struct chain_segment *s);
/*
 * The next block of the run, with its signature: ERR_SIGNATURE, ERR_CHAIN (does
 * not follow, or contradicts what is verified), ERR_MALFORMED, ERR_VERSION,
 * ERR_MEMORY. On success *out is the decoded block (borrowing from in). The first
 * block of an epoch must be an epoch block, and no other.
 */
RST_MUST_USE enum err chain_segment_add(struct chain_segment *s, struct block *out,
    const void *in, size_t len, const uint8_t signature[static BLOCK_SIGNATURE_BYTES]);
/* Whether the run is tied to the anchor: it may become so later, by any other run. */
bool chain_segment_verified(struct chain_segment *s);
/* First and last block of the run; false while it is empty. */
bool chain_segment_first(const struct chain_segment *s, struct chain_point *out);
bool chain_segment_last(const struct chain_segment *s, struct chain_point *out);

/*
 * The next epoch block of an epoch-block session, from the founding on (which
 * starts a new reading). Errors as above. chain_epochs_done() at the end of it:
 * ERR_CHAIN if the anchor was not in it; nothing is taken over before.
 */
RST_MUST_USE enum err chain_epoch_add(struct chain *k, struct block *out, const void *in,
    size_t len, const uint8_t signature[static BLOCK_SIGNATURE_BYTES]);
RST_MUST_USE enum err chain_epochs_done(struct chain *k);
/*
 * The latest verified epoch block; false if there is none yet, or if its signature
 * is asked for and was not seen. signature may be NULL.
 */
bool chain_latest_epoch(const struct chain *k, struct chain_point *out,
    uint8_t signature[BLOCK_SIGNATURE_BYTES]);

/*
 * The first verified epoch block after a round whose signature is known; false: none
 * is. To learn all that came since the last one that was looked at.
 */
bool chain_next_epoch(const struct chain *k, uint64_t after, struct chain_point *out,
    uint8_t signature[static BLOCK_SIGNATURE_BYTES]);

/*
 * A block that was refused because it contradicts a verified one, and what was
 * verified: the gateway signed both. The latest that was not taken yet; false: none.
 */
bool chain_take_evidence(struct chain *k, struct evidence *out);

/*
 * What the verified epoch blocks say to an epoch block that somebody quotes (an
 * invitation, a message): CHAIN_SAME, it is one of them; CHAIN_OTHER, it is of
 * another journal; CHAIN_OPEN, it is later or earlier than all of
 * them, or there are none.
 */
enum chain_opinion { CHAIN_SAME, CHAIN_OTHER, CHAIN_OPEN };
enum chain_opinion chain_judge(const struct chain *k, const struct chain_point *quoted);

/*
 * Append and restore the verified points (not secret). Versioned. Loading fails
 * with ERR_CHAIN if they contradict the anchor; k is then as before.
 */
RST_MUST_USE enum err chain_save(const struct chain *k, struct buf *out);
RST_MUST_USE enum err chain_load(struct chain *k, const void *p, size_t n, struct diag *d);

#endif

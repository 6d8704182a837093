/*
 * A member's wallet: the tickets and stamps that were fetched and not yet spent, by
 * epoch, and which batches of an epoch are still wanted. docs/protocol.md, "Tickets and
 * stamps". Pure.
 *
 * It has two images, which its owner writes to two files: the tokens (large, changed by a
 * fetch) and the marks of what was spent (small, changed by each use). A token that
 * wallet_take gives may be used only when the marks as they are after the call are
 * durable. From whichever of its images a crash leaves, nothing is given twice: marks of
 * another wallet, or none, count as if all was spent; a new wallet's marks are therefore
 * written before its tokens. Marks of an epoch whose tokens were lost stay: the same
 * tokens come again.
 */
#ifndef COMMON_TOKEN_WALLET_H
#define COMMON_TOKEN_WALLET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/bytes.h"
#include "common/base/err.h"
#include "common/charter/params.h"
#include "common/token/enrolment.h"
#include "common/token/issuance.h"

#define WALLET_SEED_BYTES 32
#define WALLET_EPOCHS (ISSUER_AHEAD + 2) /* the former (within its grace), the current, the coming */
#define WALLET_BYTES_MAX ((size_t)512 << 20) /* the tokens' image: 96 bytes a token */
#define WALLET_MARKS_MAX ((size_t)1 << 20)

struct wallet;

/* What spends a token: token.h makes the proof from the output. Wipe after use. */
struct wallet_token {
	uint8_t nonce[TOKEN_NONCE_BYTES];
	uint8_t output[VOPRF_OUTPUT_BYTES];
	uint32_t epoch, place; /* where it was, for wallet_return */
};

/* The wallet of an enrolment, empty; the seed is random and never another's. NULL: no memory. */
struct wallet *wallet_new(const uint8_t enrolment[static ENROLMENT_ID_BYTES],
    const uint8_t seed[static WALLET_SEED_BYTES]);
void wallet_free(struct wallet *w);
const uint8_t *wallet_seed(const struct wallet *w);
const uint8_t *wallet_enrolment(const struct wallet *w);
/* No session is opened of an hour before; of the tokens' image. 0 in a new wallet. */
uint32_t wallet_first_hour(const struct wallet *w);
void wallet_set_first_hour(struct wallet *w, uint32_t hour);

/*
 * Whether a batch (that the epoch has, by the parameters of its charter) is still to be fetched:
 * nothing is of an epoch of which something was fetched by another allotment.
 */
bool wallet_wants(const struct wallet *w, const struct params *p, enum token_kind kind,
    uint32_t epoch, uint32_t batch);
/*
 * A batch came, proofs verified with the keys of this notice hash. ERR_EXISTS; ERR_RANGE: no
 * such batch, not its size, or of another allotment than what came before; ERR_EPOCH: forgotten, or other keys were used before for this
 * epoch (what came then, and this, is void from now on); ERR_FULL: more epochs than a
 * wallet has; ERR_MEMORY.
 */
RST_MUST_USE enum err wallet_put(struct wallet *w, const struct params *p,
    const struct issuance_request *q, const struct issuance_batch *b,
    const uint8_t notice[static 32]);
/* A batch that the registrar gave to another request: none of it will ever come. As wallet_put. */
RST_MUST_USE enum err wallet_lose(struct wallet *w, const struct params *p,
    const struct issuance_request *q, const uint8_t notice[static 32]);
/* The tokens there are unspent: tickets of an hour of the epoch (from 0), or stamps (hour 0). */
uint32_t wallet_left(const struct wallet *w, enum token_kind kind, uint32_t epoch, unsigned hour);
/* All of a kind of an epoch. */
uint32_t wallet_left_all(const struct wallet *w, enum token_kind kind, uint32_t epoch);
/* Mark one as spent and give it. ERR_NOT_FOUND: there is none. */
RST_MUST_USE enum err wallet_take(struct wallet *w, struct wallet_token *out,
    enum token_kind kind, uint32_t epoch, unsigned hour);
/*
 * Take one back that was shown to nobody, since its mark could not be written: it is as if it
 * had not been given. One of an epoch that is over meanwhile, or void, is not kept.
 */
void wallet_return(struct wallet *w, const struct wallet_token *t);
/*
 * The keys of an epoch are these (a notice of the journal): false if what was fetched for
 * it was fetched with others, which then is void.
 */
bool wallet_agree(struct wallet *w, uint32_t epoch, const uint8_t notice[static 32]);
/* Forget what there is from before an epoch, for good. Whether there was anything. */
bool wallet_turn(struct wallet *w, uint32_t first);

/* ---- images ---- */

RST_MUST_USE enum err wallet_save(const struct wallet *w, struct buf *out);
RST_MUST_USE enum err wallet_save_marks(const struct wallet *w, struct buf *out);
/*
 * Strict. marks may be NULL (there are none). ERR_TRUNCATED, ERR_TRAILING, ERR_MALFORMED,
 * ERR_VERSION with a sentence.
 */
RST_MUST_USE enum err wallet_load(struct wallet **out, const void *p, size_t n,
    const void *marks, size_t marks_len, struct diag *d);

#endif

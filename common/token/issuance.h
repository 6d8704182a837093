/*
 * How a member fetches a batch of tickets or stamps: the request and the answer on the
 * registrar's entrance. docs/protocol.md, "Tickets and stamps". Pure.
 *
 *   request = version u16 (1) || kind u8 || 0 u8 || epoch u32 || batch u32 || code 32
 *             || 128 blinded elements                                        4140 bytes
 *   answer  = status u8 || 0, 3 bytes || 128 evaluated elements || 32 proofs  6148 bytes
 *
 * Elements and proofs that a batch does not have (allotment.h) are zero, and all are in
 * an answer that refuses. Everything else is refused: there is one encoding.
 */
#ifndef COMMON_TOKEN_ISSUANCE_H
#define COMMON_TOKEN_ISSUANCE_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/rng.h"
#include "common/charter/params.h"
#include "common/crypto/voprf.h"
#include "common/token/allotment.h"
#include "common/token/enrolment.h"
#include "common/token/issuer.h"
#include "common/token/token.h"

#define ISSUANCE_VERSION 1
#define ISSUANCE_REQUEST_BYTES (12 + ENROLMENT_SECRET_BYTES + ALLOTMENT_BATCH * VOPRF_ELEMENT_BYTES)
#define ISSUANCE_ANSWER_BYTES                                                                      \
	(4 + ALLOTMENT_BATCH * VOPRF_ELEMENT_BYTES + ALLOTMENT_PROOFS_MAX * VOPRF_PROOF_BYTES)

enum issuance_status {
	ISSUANCE_OK = 0,
	ISSUANCE_VERSION_UNKNOWN = 1,
	ISSUANCE_CODE = 2,   /* no member has this code, or it was revoked */
	ISSUANCE_EPOCH = 3,  /* over, too far ahead, or without this registrar */
	ISSUANCE_BATCH = 4,  /* the epoch has no such batch */
	ISSUANCE_SPENT = 5,  /* another request for this batch was answered before */
	ISSUANCE_LATER = 6,  /* too much at a time, or nothing can be written now */
	ISSUANCE_REQUEST = 7 /* an element is none, or not as many as the batch has */
};
/* A sentence without a full stop, for the person. */
const char *issuance_status_text(enum issuance_status s);

struct issuance_request {
	enum token_kind kind;
	uint32_t epoch, batch;
	uint8_t code[ENROLMENT_SECRET_BYTES]; /* secret */
	uint8_t blinded[ALLOTMENT_BATCH][VOPRF_ELEMENT_BYTES];
};
struct issuance_answer {
	enum issuance_status status;
	uint8_t evaluated[ALLOTMENT_BATCH][VOPRF_ELEMENT_BYTES];
	uint8_t proofs[ALLOTMENT_PROOFS_MAX][VOPRF_PROOF_BYTES];
};

/* ---- bytes ---- */

void issuance_request_encode(uint8_t out[static ISSUANCE_REQUEST_BYTES],
    const struct issuance_request *q);
/* ERR_VERSION, ERR_MALFORMED. Elements are not looked at: issuance_check. */
RST_MUST_USE enum err issuance_request_decode(struct issuance_request *out,
    const uint8_t in[static ISSUANCE_REQUEST_BYTES]);
void issuance_answer_encode(uint8_t out[static ISSUANCE_ANSWER_BYTES],
    const struct issuance_answer *a);
/* ERR_MALFORMED, also for a status that this version does not know. */
RST_MUST_USE enum err issuance_answer_decode(struct issuance_answer *out,
    const uint8_t in[static ISSUANCE_ANSWER_BYTES]);

/* ---- the member ---- */

/*
 * The request for a batch (kind, epoch and batch are set in out): blinds and nonces come
 * from the wallet's seed, so that the same call makes the same bytes. ERR_RANGE: no such
 * batch. About 60 microseconds a token.
 */
RST_MUST_USE enum err issuance_ask(struct issuance_request *out, const struct params *p,
    const uint8_t code[static ENROLMENT_SECRET_BYTES], const uint8_t wallet_seed[static 32]);

/* What a batch comes to. Keep in secret memory: an output is worth a token. */
struct issuance_batch {
	size_t n;
	uint8_t nonce[ALLOTMENT_BATCH][TOKEN_NONCE_BYTES];
	uint8_t output[ALLOTMENT_BATCH][VOPRF_OUTPUT_BYTES];
};
/*
 * Verify every proof against the keys of the notice, unblind and finalize. q is what
 * issuance_ask made, with the same wallet's seed. ERR_DENIED: the answer refuses (its
 * status says why); ERR_SIGNATURE, ERR_MALFORMED: it was made with another key than the
 * notice's, or is no answer at all: a registrar that does so may be marking a member, and
 * the user must be told; ERR_EPOCH: the keys are of another epoch. Nothing is written then.
 */
RST_MUST_USE enum err issuance_take(struct issuance_batch *out, const struct issuance_request *q,
    const struct issuance_answer *a, const struct issuer_keys *keys, const struct params *p,
    const uint8_t wallet_seed[static 32]);

/* ---- the registrar ---- */

/*
 * Whether a request fits its epoch: ISSUANCE_OK, ISSUANCE_BATCH, or ISSUANCE_REQUEST. To be
 * asked before anything is written for it, so that what was written can be answered.
 */
enum issuance_status issuance_check(const struct issuance_request *q, const struct params *p);
/* What the ledger keeps of a request: BLAKE2b-256 over kind, epoch, batch and elements. */
void issuance_hash(uint8_t hash[static 32], const struct issuance_request *q);
/*
 * Evaluate and prove a request that issuance_check passed. The same request gets the
 * same elements, with fresh proofs (random bytes from keys). On failure out refuses with
 * ISSUANCE_REQUEST. About 120 microseconds a token.
 */
void issuance_serve(struct issuance_answer *out, const struct issuer *s,
    const struct issuance_request *q, const struct params *p, const struct rng *keys);
/* An answer that refuses. */
void issuance_refuse(struct issuance_answer *out, enum issuance_status status);

#endif

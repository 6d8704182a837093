/*
 * One ticket or stamp in its owner's hands: where its nonce and blind come from, and
 * what it shows when it is spent. docs/protocol.md, "Tickets and stamps". Pure.
 */
#ifndef COMMON_TOKEN_TOKEN_H
#define COMMON_TOKEN_TOKEN_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/crypto/voprf.h"
#include "common/token/allotment.h"

#define TOKEN_NONCE_BYTES 32 /* the VOPRF's input; what the gateway remembers as spent */
#define TOKEN_PROOF_BYTES 32
#define TOKEN_SPENT_BYTES (TOKEN_NONCE_BYTES + TOKEN_PROOF_BYTES) /* the stamp of a packet */
#define TOKEN_HANDSHAKE_BYTES 64 /* a Noise handshake's hash */

/* Which token of a member's: each has its own, for ever. */
struct token_place {
	uint32_t epoch, batch;
	enum token_kind kind;
	uint8_t index; /* in its batch */
};

/*
 * Nonce and blind of a place, from the secret seed of the member's wallet: whoever asks
 * again after a crash asks the very same. ERR_CRYPTO: never with any real seed.
 */
RST_MUST_USE enum err token_derive(uint8_t nonce[static TOKEN_NONCE_BYTES],
    uint8_t blind[static VOPRF_SCALAR_BYTES], const uint8_t wallet_seed[static 32],
    const struct token_place *p);

/* What a ticket shows to open the session with this handshake, and no other. */
void token_ticket_proof(uint8_t proof[static TOKEN_PROOF_BYTES],
    const uint8_t output[static VOPRF_OUTPUT_BYTES],
    const uint8_t handshake_hash[static TOKEN_HANDSHAKE_BYTES]);
/* What a stamp shows beside this record, and no other. */
void token_stamp_proof(uint8_t proof[static TOKEN_PROOF_BYTES],
    const uint8_t output[static VOPRF_OUTPUT_BYTES], const uint8_t *record, size_t record_size);

#endif

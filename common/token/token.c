#include "config.h"

#include "common/token/token.h"

#include <sodium.h>

#include "common/base/bytes.h"
#include "common/crypto/hash.h"

#define LABEL_NONCE "restante/token/nonce/1"
#define LABEL_BLIND "restante/token/blind/1"
#define LABEL_TICKET "restante/token/ticket/1"
#define LABEL_STAMP "restante/token/stamp/1"
#define PLACE_BYTES (4 + 1 + 4 + 1)

static void
place_bytes(uint8_t out[static PLACE_BYTES], const struct token_place *p)
{
	store_u32(out, p->epoch);
	out[4] = (uint8_t)p->kind;
	store_u32(out + 5, p->batch);
	out[9] = p->index;
}

enum err
token_derive(uint8_t nonce[static TOKEN_NONCE_BYTES], uint8_t blind[static VOPRF_SCALAR_BYTES],
    const uint8_t wallet_seed[static 32], const struct token_place *p)
{
	uint8_t place[PLACE_BYTES], wide[VOPRF_WIDE_BYTES];
	const struct hash_part nonce_parts[] = { { LABEL_NONCE, sizeof(LABEL_NONCE) - 1 },
		{ place, sizeof(place) } };
	const struct hash_part blind_parts[] = { { LABEL_BLIND, sizeof(LABEL_BLIND) - 1 },
		{ place, sizeof(place) } };
	enum err e;

	place_bytes(place, p);
	hash_parts_keyed(wide, sizeof(wide), wallet_seed, blind_parts, 2);
	e = voprf_scalar(blind, wide);
	if (e == ERR_OK)
		hash_parts_keyed(nonce, TOKEN_NONCE_BYTES, wallet_seed, nonce_parts, 2);
	sodium_memzero(wide, sizeof(wide));
	return e;
}

void
token_ticket_proof(uint8_t proof[static TOKEN_PROOF_BYTES],
    const uint8_t output[static VOPRF_OUTPUT_BYTES],
    const uint8_t handshake_hash[static TOKEN_HANDSHAKE_BYTES])
{
	const struct hash_part parts[] = { { LABEL_TICKET, sizeof(LABEL_TICKET) - 1 },
		{ handshake_hash, TOKEN_HANDSHAKE_BYTES } };

	hash_parts_keyed_64(proof, TOKEN_PROOF_BYTES, output, parts, 2);
}

void
token_stamp_proof(uint8_t proof[static TOKEN_PROOF_BYTES],
    const uint8_t output[static VOPRF_OUTPUT_BYTES], const uint8_t *record, size_t record_size)
{
	const struct hash_part parts[] = { { LABEL_STAMP, sizeof(LABEL_STAMP) - 1 },
		{ record, record_size } };

	hash_parts_keyed_64(proof, TOKEN_PROOF_BYTES, output, parts, 2);
}

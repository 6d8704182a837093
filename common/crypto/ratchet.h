/*
 * What comes out of a stream's secrets: docs/protocol.md, "Records and streams"
 * and "Renewal". Pure.
 *
 * A stream has generations, each with a secret S of its own. C of a generation's
 * first index is S, and its root (one way, no message key comes of it) goes into
 * the next generation's S, together with a fresh Diffie-Hellman result.
 */
#ifndef COMMON_CRYPTO_RATCHET_H
#define COMMON_CRYPTO_RATCHET_H

#include <stdint.h>

#include "common/base/err.h"
#include "common/crypto/record.h"

#define RATCHET_ID_BYTES 8

/* Tag and message key of the index whose secret is c. */
void ratchet_tag(uint8_t tag[static RECORD_TAG_BYTES], const uint8_t c[static 32]);
void ratchet_message_key(uint8_t key[static 32], const uint8_t c[static 32]);
/* C_i becomes C_{i+1}; C_i is gone. */
void ratchet_advance(uint8_t c[static 32]);

/* The root of the generation whose secret is s. */
void ratchet_root(uint8_t root[static 32], const uint8_t s[static 32]);
/* The name of a renewal key in a header. */
void ratchet_key_id(uint8_t id[static RATCHET_ID_BYTES], const uint8_t key[static 32]);

/* What both sides know of a renewal. */
struct ratchet_renewal {
	uint8_t fresh[32];   /* the writer's public key, for this renewal alone */
	uint8_t renewal[32]; /* the reader's public key, for this renewal alone */
	uint32_t generation; /* the new one */
};
/*
 * The secret of the new generation: root is the old one's, sk the secret half of
 * `fresh` with other = renewal (the writer), or the other way round (the reader).
 * ERR_CRYPTO if the other key is of low order.
 */
RST_MUST_USE enum err ratchet_renew(uint8_t s[static 32], const uint8_t root[static 32],
    const uint8_t sk[static 32], const uint8_t other[static 32],
    const struct ratchet_renewal *t);

#endif

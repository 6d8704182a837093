/*
 * The issuer notice: an epoch's issuer keys as the gateway publishes them, as soon as
 * it has the seed and long before the epoch's sheet, so that members can check what
 * they fetch ahead of time. docs/protocol.md, "Tickets and stamps". Pure.
 *
 *   notice    = epoch u32 || ticket keys, 32 each || stamp key 32 || signature 64
 *   signature = Ed25519, by the gateway's identity, over "restante/issuer/1" || network
 *               id 32 || gateway u16 || epoch u32 || BLAKE2b-256 of what is before it
 *
 * Two notices for one epoch with different hashes prove that the gateway lied.
 */
#ifndef COMMON_TOKEN_NOTICE_H
#define COMMON_TOKEN_NOTICE_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/bytes.h"
#include "common/base/err.h"
#include "common/charter/charter.h"
#include "common/token/issuer.h"

#define NOTICE_SIGNATURE_BYTES 64
#define NOTICE_BYTES_MAX (4 + (PARAMS_EPOCH_HOURS_MAX + 1) * 32 + NOTICE_SIGNATURE_BYTES)

struct notice {
	struct issuer_keys keys;
	uint8_t hash[32];
	uint8_t signature[NOTICE_SIGNATURE_BYTES];
};

/* Bytes of a network's notices: all have the same. */
size_t notice_bytes(const struct params *p);
/* Sign and append a notice; sets hash and signature of n, whose keys are given. */
RST_MUST_USE enum err notice_encode(struct buf *out, struct notice *n, uint16_t gateway,
    const uint8_t network_id[static 32], const uint8_t identity_sk[static 64]);
/*
 * Parse and verify against any charter of the network (the gateway's number and
 * identity, and an epoch's hours, never change). ERR_TRUNCATED, ERR_TRAILING,
 * ERR_SIGNATURE; ERR_MALFORMED: a key that is no element. Whether the charter of the
 * epoch has a registrar is the caller's question.
 */
RST_MUST_USE enum err notice_decode(struct notice *out, const uint8_t *in, size_t len,
    const struct charter *c);
/* The signature alone, as evidence has it. ERR_SIGNATURE. */
RST_MUST_USE enum err notice_verify(uint16_t gateway, uint32_t epoch,
    const uint8_t hash[static 32], const uint8_t signature[static NOTICE_SIGNATURE_BYTES],
    const uint8_t network_id[static 32], const uint8_t identity_pk[static 32]);

#endif

/*
 * An epoch's issuer keys: one for the tickets of each session hour, one for its
 * stamps, all from one seed that registrar and gateway share. docs/protocol.md,
 * "Tickets and stamps". Pure.
 *
 * The registrar issues with them (issuance.h), the gateway redeems. What is redeemed
 * here is genuine, not unspent: that is for the gateway's store of spent nonces.
 */
#ifndef COMMON_TOKEN_ISSUER_H
#define COMMON_TOKEN_ISSUER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/charter/params.h"
#include "common/charter/sheet.h"
#include "common/crypto/voprf.h"
#include "common/token/token.h"

#define ISSUER_SEED_BYTES VOPRF_SEED_BYTES
#define ISSUER_AHEAD 4 /* epochs after the current one that the registrar gives seeds for */

/* The public halves: what a notice (notice.h) and a sheet show. */
struct issuer_keys {
	uint32_t epoch;
	size_t hours; /* allotment_hours */
	uint8_t tickets[PARAMS_EPOCH_HOURS_MAX][VOPRF_ELEMENT_BYTES];
	uint8_t stamp[VOPRF_ELEMENT_BYTES];
};

/* The key of the i-th token of a batch. */
const uint8_t *issuer_keys_for(const struct issuer_keys *k, enum token_kind kind, uint32_t batch,
    size_t i);
/* Write the keys into a sheet of their epoch, before it is encoded. */
void issuer_keys_to_sheet(struct sheet *s, const struct issuer_keys *k);
/* Whether a sheet repeats the very keys. One of another epoch does not. */
bool issuer_keys_in_sheet(const struct sheet *s, const struct issuer_keys *k);
/* Whether a sheet has no keys at all, as in an epoch without a registrar. */
bool issuer_keys_none_in_sheet(const struct sheet *s);

/* The secret halves, in secret memory. */
struct issuer;

/* About a twentieth of a millisecond for each hour of the epoch. ERR_MEMORY. */
RST_MUST_USE enum err issuer_new(struct issuer **out, const struct params *p, uint32_t epoch,
    const uint8_t seed[static ISSUER_SEED_BYTES]);
/* Wipe and free. */
void issuer_free(struct issuer *s);
const struct issuer_keys *issuer_keys(const struct issuer *s);
/* The key pair of an hour of the epoch (from 0; NULL past the last), and that of the stamps. */
const struct voprf_key *issuer_ticket_key(const struct issuer *s, unsigned hour);
const struct voprf_key *issuer_stamp_key(const struct issuer *s);

/*
 * Redeem: recompute the token's output and compare in constant time. ERR_DENIED: not a
 * token of this key, or not for this session or record; ERR_RANGE: no such hour.
 */
RST_MUST_USE enum err issuer_redeem_ticket(const struct issuer *s, unsigned hour,
    const uint8_t nonce[static TOKEN_NONCE_BYTES], const uint8_t proof[static TOKEN_PROOF_BYTES],
    const uint8_t handshake_hash[static TOKEN_HANDSHAKE_BYTES]);
RST_MUST_USE enum err issuer_redeem_stamp(const struct issuer *s,
    const uint8_t stamp[static TOKEN_SPENT_BYTES], const uint8_t *record, size_t record_size);

#endif

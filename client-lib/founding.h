/*
 * Founding records: with one, a person whose state was lost or is old begins a
 * sending stream anew. docs/protocol.md, "Founding". Pure.
 *
 *   record    = E 32 || tag 16 || XChaCha20-Poly1305(k, BLAKE2b-192(E), plaintext)
 *   tag, k    from the restart secret R and DH(E, receiver's identity); k also from
 *             DH(founder's identity, receiver's identity) and what both know
 *   stream    its secret from R, the second of them, and a seed in the plaintext
 *
 * It has the size and the looks of every other record.
 */
#ifndef CLIENT_LIB_FOUNDING_H
#define CLIENT_LIB_FOUNDING_H

#include <stddef.h>
#include <stdint.h>

#include "client-lib/inbox.h"
#include "common/base/err.h"
#include "common/base/rng.h"
#include "common/crypto/record.h"

/* The first generation of a founded stream is the founder's time, in these. */
#define FOUNDING_UNIT_MS ((int64_t)8000)

#define FOUNDING_LOST 1u     /* the founder has lost its state: found yours anew too */
#define FOUNDING_RESTORED 2u /* and has a restored backup (otherwise: an old copy) */

struct founding {
	uint8_t flags;
	uint32_t generation; /* the first of the stream; higher than any before it */
	uint32_t attempt;    /* rises with each record of one founding */
	uint8_t seed[32];    /* the same in all records of one founding */
	uint8_t renewal[32]; /* the founder's renewal key */
	struct record_ack ack; /* what the founder has of the receiver's */
	uint64_t floor;	     /* lower record numbers of the founder's are settled */
	uint64_t given_texts, given_files; /* messages that the receiver has acknowledged, ever */
	uint64_t done_texts, done_files;   /* messages of the receiver's that the founder is done with */
	struct inbox_done texts, files;	   /* which: the latest of them */
	bool answers; /* of an opened one, without FOUNDING_LOST: it answers what the parties say */
};

/* Who founds for whom, from either side's view: own secret, both public keys. */
struct founding_parties {
	uint8_t restart[32];
	uint8_t own_sk[32], own_pk[32], peer_pk[32];
	uint8_t network_id[32];
	/* the seed of the receiver's founding with FOUNDING_LOST that an answer is for; else zeros */
	uint8_t answers[32];
};

/* Seal it, with a fresh E from keys. ERR_CRYPTO for a peer's key of low order. */
RST_MUST_USE enum err founding_seal(uint8_t *record, size_t record_size, const struct founding *f,
    const struct founding_parties *p, const struct rng *keys);
/* The same with a given secret of E (known answers). */
RST_MUST_USE enum err founding_seal_with(uint8_t *record, size_t record_size,
    const struct founding *f, const struct founding_parties *p, const uint8_t e_sk[static 32]);

/* DH of a record's E with our identity: once for all contacts. ERR_CRYPTO: it is of low order. */
RST_MUST_USE enum err founding_dh(uint8_t dh[static 32], const uint8_t *record,
    const uint8_t own_sk[static 32]);
/* Whether the record is a founding by this peer, for us. */
bool founding_is_by(const uint8_t *record, const uint8_t dh[static 32],
    const uint8_t restart[static 32], const uint8_t own_pk[static 32],
    const uint8_t peer_pk[static 32]);
/* ERR_CRYPTO, ERR_VERSION, ERR_MALFORMED, ERR_MEMORY. */
RST_MUST_USE enum err founding_open(struct founding *out, const uint8_t *record,
    size_t record_size, const uint8_t dh[static 32], const struct founding_parties *p);

/* The secret of the founded stream's first generation; ours: we are the founder. */
RST_MUST_USE enum err founding_stream(uint8_t secret[static 32], const struct founding_parties *p,
    bool ours, const uint8_t seed[static 32], uint32_t generation);

#endif

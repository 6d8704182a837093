/*
 * The verifiable oblivious pseudorandom function behind tickets and stamps:
 * RFC 9497, ciphersuite ristretto255-SHA512, mode 1 (VOPRF), batched proofs. Pure.
 *
 * The client blinds an input, the issuer evaluates many blinded elements with one
 * key and proves for all of them at once that it was the key of its public key; the
 * client verifies, unblinds and has the function's output. Who holds the key can
 * make the same output from the input alone. Issuer and client cannot tell which
 * output came of which blinded element.
 *
 * What touches a key, a blind or an input runs in constant time (libsodium's
 * scalar multiplication); what only touches what went over the line need not.
 */
#ifndef COMMON_CRYPTO_VOPRF_H
#define COMMON_CRYPTO_VOPRF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

#define VOPRF_ELEMENT_BYTES 32
#define VOPRF_SCALAR_BYTES 32
#define VOPRF_SEED_BYTES 32  /* of DeriveKeyPair */
#define VOPRF_WIDE_BYTES 64  /* random bytes that make one scalar without bias */
#define VOPRF_PROOF_BYTES 64 /* c || s */
#define VOPRF_OUTPUT_BYTES 64
#define VOPRF_INPUT_MAX 65535
#define VOPRF_INFO_MAX 65535
#define VOPRF_BATCH_MAX 128 /* elements under one proof */

/* The issuer's key pair; sk is secret. */
struct voprf_key {
	uint8_t sk[VOPRF_SCALAR_BYTES];
	uint8_t pk[VOPRF_ELEMENT_BYTES];
};

/* Section 3.2.1. ERR_USAGE if info is too long; ERR_CRYPTO never with any real seed. */
RST_MUST_USE enum err voprf_derive_key(struct voprf_key *k,
    const uint8_t seed[static VOPRF_SEED_BYTES], const void *info, size_t info_len);

/* A canonical encoding of an element that is not the identity. */
bool voprf_element_valid(const uint8_t element[static VOPRF_ELEMENT_BYTES]);
/* A canonical scalar that is not zero. */
bool voprf_scalar_valid(const uint8_t scalar[static VOPRF_SCALAR_BYTES]);
/* A scalar of 64 uniform bytes; ERR_CRYPTO if it is zero, which no random source makes. */
RST_MUST_USE enum err voprf_scalar(uint8_t scalar[static VOPRF_SCALAR_BYTES],
    const uint8_t wide[static VOPRF_WIDE_BYTES]);

/*
 * Section 3.3.2, client: the element to send for an input. The blind is a valid
 * scalar, fresh for each input, and kept until the answer. ERR_RANGE: it is not
 * valid; ERR_USAGE: the input is too long; ERR_CRYPTO: an input that hashes to the
 * identity, which nobody can find.
 */
RST_MUST_USE enum err voprf_blind(uint8_t blinded[static VOPRF_ELEMENT_BYTES], const void *input,
    size_t len, const uint8_t blind[static VOPRF_SCALAR_BYTES]);

/*
 * Section 3.3.2, issuer: evaluate n (1..VOPRF_BATCH_MAX) blinded elements, with one
 * proof for all; r is a fresh secret random scalar (a scalar used twice gives the key
 * away). The composite of the results is the composite of the elements times the
 * key (section 2.2.1, ComputeCompositesFast). `evaluated` may not overlap `blinded`.
 * ERR_USAGE: n; ERR_RANGE: r is not valid; ERR_MALFORMED: an element is not valid
 * (nothing was evaluated that is given out); ERR_CRYPTO: a degenerate composite.
 * On failure the outputs are zeroed.
 */
RST_MUST_USE enum err voprf_evaluate(uint8_t (*evaluated)[VOPRF_ELEMENT_BYTES],
    uint8_t proof[static VOPRF_PROOF_BYTES], const struct voprf_key *k,
    const uint8_t (*blinded)[VOPRF_ELEMENT_BYTES], size_t n,
    const uint8_t r[static VOPRF_SCALAR_BYTES]);

/* What the client has of a batch before it unblinds it. */
struct voprf_batch {
	size_t n;					    /* 1..VOPRF_BATCH_MAX */
	const uint8_t (*blinds)[VOPRF_SCALAR_BYTES];	    /* secret */
	const uint8_t (*blinded)[VOPRF_ELEMENT_BYTES];	    /* as sent */
	const uint8_t (*evaluated)[VOPRF_ELEMENT_BYTES];    /* as answered */
};

/* ERR_SIGNATURE unless the proof holds for the batch and pk; blinds are not looked at.
   ERR_MALFORMED: an element, pk or a scalar of the proof is not valid; ERR_USAGE: n. */
RST_MUST_USE enum err voprf_verify(const struct voprf_batch *b,
    const uint8_t pk[static VOPRF_ELEMENT_BYTES], const uint8_t proof[static VOPRF_PROOF_BYTES]);

/*
 * voprf_verify, then take the blinds off: unblinded[i] for i < b->n, with one inversion for
 * the whole batch. Errors as voprf_verify; ERR_RANGE: a blind is not valid. Nothing is
 * written on failure.
 */
RST_MUST_USE enum err voprf_unblind(uint8_t (*unblinded)[VOPRF_ELEMENT_BYTES],
    const struct voprf_batch *b, const uint8_t pk[static VOPRF_ELEMENT_BYTES],
    const uint8_t proof[static VOPRF_PROOF_BYTES]);

/* Client: the output for an input whose element was unblinded. len <= VOPRF_INPUT_MAX. */
void voprf_finalize(uint8_t out[static VOPRF_OUTPUT_BYTES], const void *input, size_t len,
    const uint8_t unblinded[static VOPRF_ELEMENT_BYTES]);

/* Issuer: the same output, from input and key alone (Evaluate). Errors as voprf_blind. */
RST_MUST_USE enum err voprf_output(uint8_t out[static VOPRF_OUTPUT_BYTES],
    const struct voprf_key *k, const void *input, size_t len);

#endif

/*
 * Noise_{NK,KK,XX}_25519_ChaChaPoly_BLAKE2b (Noise Protocol Framework rev 34).
 * Pure: bytes in, bytes out. Held to the public cacophony vectors.
 *
 * Node links use KK, client sessions NK; XX serves the vectors and tools.
 */
#ifndef COMMON_CRYPTO_NOISE_H
#define COMMON_CRYPTO_NOISE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/rng.h"

#define NOISE_KEY_BYTES 32
#define NOISE_HASH_BYTES 64
#define NOISE_TAG_BYTES 16
#define NOISE_MESSAGE_MAX 65535

enum noise_pattern { NOISE_NK, NOISE_KK, NOISE_XX };

struct noise_config {
	enum noise_pattern pattern;
	bool initiator;
	const void *prologue; /* the network id; borrowed during noise_new */
	size_t prologue_len;
	/* own static key (secret, public), NULL where the pattern has none */
	const uint8_t *own_sk, *own_pk;
	/* the peer's static key where it is known before, else NULL */
	const uint8_t *peer_pk;
	const struct rng *keys; /* ephemeral keys; outlives the handshake */
};

struct noise; /* a handshake; lives in secret memory */

/* Start a handshake; copies what it needs. ERR_USAGE for missing or superfluous keys. */
RST_MUST_USE enum err noise_new(struct noise **out, const struct noise_config *c);
void noise_free(struct noise *n);

/* Bytes that the next message of the pattern adds to its payload. */
size_t noise_overhead(const struct noise *n);
/* Whose turn it is. */
bool noise_to_write(const struct noise *n);
bool noise_done(const struct noise *n);
/*
 * Write the next message: out has noise_overhead() + len bytes. ERR_STATE out of
 * turn, ERR_RANGE beyond NOISE_MESSAGE_MAX; ERR_CRYPTO (the peer's key is
 * degenerate) ends the handshake.
 */
RST_MUST_USE enum err noise_write(struct noise *n, uint8_t *out, const void *payload, size_t len);
/*
 * Read the next message of len bytes; payload (len - overhead bytes) is filled
 * on success, zeroed or untouched otherwise. ERR_STATE out of turn; ERR_CRYPTO
 * (also for a length that no message of the pattern has) ends the handshake: only
 * noise_free may follow.
 */
RST_MUST_USE enum err noise_read(struct noise *n, uint8_t *payload, const uint8_t *msg, size_t len);

/* One direction's transport cipher. Keep in secret memory. */
struct noise_cipher {
	uint8_t key[32];
	uint64_t counter;
};

/*
 * After noise_done(), once: the ciphers for sending and receiving and, if wanted
 * (may be NULL), the handshake hash of NOISE_HASH_BYTES. ERR_STATE otherwise.
 */
RST_MUST_USE enum err noise_split(struct noise *n, struct noise_cipher *send,
    struct noise_cipher *receive, uint8_t *hash);

/*
 * out = len + NOISE_TAG_BYTES bytes; may equal in. ERR_STATE when the counter is
 * used up, ERR_RANGE beyond NOISE_MESSAGE_MAX.
 */
RST_MUST_USE enum err noise_encrypt(struct noise_cipher *c, uint8_t *out, const void *in,
    size_t len);
/*
 * in = len + NOISE_TAG_BYTES bytes, out = len bytes; out may equal in. ERR_CRYPTO:
 * out is zeroed and the counter stays. ERR_STATE, ERR_RANGE as above.
 */
RST_MUST_USE enum err noise_decrypt(struct noise_cipher *c, uint8_t *out, const uint8_t *in,
    size_t len);

#endif

/*
 * Records: docs/protocol.md, "Records and streams". Pure.
 *
 *   record    = E 32 || tag 16 || XChaCha20-Poly1305(message key, BLAKE2b-192(E), plaintext)
 *   plaintext = header 352 || content || zeros
 *
 * E is a freshly generated X25519 public key, always; only the answer to an
 * invitation uses its secret half. The nonce from a fresh E keeps two
 * plaintexts apart even if an old state should ever seal under one key twice.
 */
#ifndef COMMON_CRYPTO_RECORD_H
#define COMMON_CRYPTO_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/rng.h"

#define RECORD_VERSION 1
#define RECORD_E_BYTES 32
#define RECORD_TAG_BYTES 16
#define RECORD_OVERHEAD (RECORD_E_BYTES + RECORD_TAG_BYTES + 16)
#define RECORD_HEADER_BYTES 352
#define RECORD_ACK_MAP_BYTES 128
#define RECORD_ACK_MAP_BITS (8 * RECORD_ACK_MAP_BYTES)
#define RECORD_NUMBER_MAX (UINT64_MAX / 4) /* of records and messages: sums never overflow */

enum record_type {
	RECORD_ACK = 0,	 /* an acknowledgement alone: record number 0, no content */
	RECORD_TEXT = 1,
	RECORD_FILE = 2, /* fragment 0 is the manifest */
};

/* The reader's view of its peer's stream. */
struct record_ack {
	uint64_t next_missing;	/* least record number not settled (numbers start at 1) */
	uint64_t highest_index; /* highest stream index seen, plus one; 0: none yet */
	uint8_t map[RECORD_ACK_MAP_BYTES]; /* bit i: next_missing + 1 + i was received */
};

struct record_epoch_block { /* the sender's latest epoch block; zero until it has one */
	uint64_t round;
	uint8_t hash[32], signature[64];
};

struct record_header {
	enum record_type type;
	/*
	 * Numbers below number - behind are settled: acknowledged, or given up by
	 * the sender. The reader waits for none of them any more.
	 */
	uint16_t behind;
	uint64_t number;   /* record number, for life */
	uint64_t message;  /* message number within its type, from 1 */
	uint32_t fragment, of;
	struct record_ack ack;
	uint8_t own_renewal[32];
	/* announced, against which key; no fresh key: how many indices the generation before had */
	uint8_t fresh[32], peer_renewal_id[8];
	struct record_epoch_block epoch_block;
	uint32_t length; /* of the content */
};

/* Bytes of content that fit a record of record_size. */
size_t record_content_max(size_t record_size);
size_t record_plaintext_bytes(size_t record_size);

/* Write header and content, zero padded, into record_plaintext_bytes(record_size) bytes. */
RST_MUST_USE enum err record_encode(uint8_t *plaintext, size_t record_size,
    const struct record_header *h, const void *content);
/*
 * ERR_VERSION, ERR_MALFORMED (type, length, a number that its type does not have,
 * padding not zero). content borrows from plaintext.
 */
RST_MUST_USE enum err record_decode(struct record_header *h, const uint8_t **content,
    const uint8_t *plaintext, size_t record_size);

/* Seal a plaintext under a message key, with a fresh E from keys. */
RST_MUST_USE enum err record_seal(uint8_t *record, size_t record_size,
    const uint8_t tag[static RECORD_TAG_BYTES], const uint8_t key[static 32],
    const uint8_t *plaintext, const struct rng *keys);
/* The same with a given E (the answer to an invitation). */
RST_MUST_USE enum err record_seal_with(uint8_t *record, size_t record_size,
    const uint8_t e[static RECORD_E_BYTES], const uint8_t tag[static RECORD_TAG_BYTES],
    const uint8_t key[static 32], const uint8_t *plaintext);
/* ERR_CRYPTO. plaintext has record_plaintext_bytes(record_size) bytes. */
RST_MUST_USE enum err record_open(uint8_t *plaintext, const uint8_t *record, size_t record_size,
    const uint8_t key[static 32]);
const uint8_t *record_tag(const uint8_t *record);

#endif

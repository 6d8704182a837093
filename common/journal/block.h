/*
 * Journal blocks: docs/protocol.md, "Journal". Pure.
 */
#ifndef COMMON_JOURNAL_BLOCK_H
#define COMMON_JOURNAL_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/bytes.h"
#include "common/base/err.h"

#define BLOCK_VERSION 1
#define BLOCK_HASH_BYTES 32
#define BLOCK_SIGNATURE_BYTES 64
#define BLOCK_DIGEST_BYTES 8
#define BLOCK_MAILBOX_BYTES (2 + 2 + 32)
#define BLOCK_EMPTY_BYTES (1 + 2 + 8 + 32 + 32 + 2 + 2 + 2) /* with no entry, mailbox or digest */
#define BLOCK_DIGESTS_MAX 65535
#define BLOCK_BYTES_MAX (4u << 20)
#define BLOCK_ENTRIES_MAX 16

enum block_entry_kind { BLOCK_SHEET = 1, BLOCK_CHARTER = 2, BLOCK_ISSUER = 3 };

struct block_entry {
	enum block_entry_kind kind;
	const uint8_t *data; /* borrowed */
	uint32_t len;
};

struct block_mailbox {
	uint16_t mailbox, count;
	uint8_t hash[32]; /* of its records in order */
};

/* A block; after decoding, pointers lead into the decoded bytes. */
struct block {
	uint16_t gateway;
	uint64_t round;
	uint8_t previous[32], previous_epoch[32]; /* the latter zero but in epoch blocks */
	size_t entry_count;
	struct block_entry entries[BLOCK_ENTRIES_MAX];
	size_t mailbox_count;
	const uint8_t *mailboxes; /* mailbox_count * 36 bytes, encoded, ascending */
	size_t digest_count;
	const uint8_t *digests;	  /* digest_count * 8 bytes, ascending, none twice */
	/* Set by encode and decode: previous_epoch is not zero, or the founding block. */
	bool epoch_block;
	uint8_t hash[32];	  /* set by encode and decode */
};

/*
 * Append the encoding (b's mailboxes and digests already encoded and sorted);
 * sets b->hash. ERR_RANGE beyond a limit, ERR_MALFORMED for a block that
 * block_decode would refuse.
 */
RST_MUST_USE enum err block_encode(struct buf *out, struct block *b);
/*
 * Parse exactly len bytes: version (ERR_VERSION for a newer one), counts, kinds of
 * entries, strictly ascending mailboxes (each with a record at least) and digests,
 * no mailboxes or digests in an epoch block; only the founding block has no
 * predecessor. out borrows from in.
 */
RST_MUST_USE enum err block_decode(struct block *out, const void *in, size_t len);
/* The encoded line of a mailbox. */
void block_mailbox_put(uint8_t out[static BLOCK_MAILBOX_BYTES], const struct block_mailbox *m);
/* The i-th mailbox line. */
void block_mailbox_at(struct block_mailbox *out, const struct block *b, size_t i);
/* Find a mailbox's line; false if the block has none (no records that round). */
bool block_mailbox_find(struct block_mailbox *out, const struct block *b, uint16_t mailbox);
/* Whether a digest is listed (binary search). */
bool block_has_digest(const struct block *b, const uint8_t digest[static BLOCK_DIGEST_BYTES]);
/* The first entry of a kind, or NULL. */
const struct block_entry *block_entry_find(const struct block *b, enum block_entry_kind kind);
/* The digest of a record: BLAKE2b-64. */
void block_record_digest(uint8_t out[static BLOCK_DIGEST_BYTES], const uint8_t *record, size_t len);

/*
 * Sign an encoded or decoded block. Epoch blocks are signed under a label of their
 * own, so that a signature alone says that a quoted block is one: there is one in an
 * epoch, and no other block of the gateway can be passed off for it.
 */
void block_sign(uint8_t signature[static BLOCK_SIGNATURE_BYTES], const struct block *b,
    const uint8_t network_id[static 32], const uint8_t identity_sk[static 64]);
/* ERR_SIGNATURE. Also for evidence and quoted epoch blocks: needs only gateway, round, hash. */
RST_MUST_USE enum err block_verify(bool epoch_block, uint16_t gateway, uint64_t round,
    const uint8_t hash[static 32], const uint8_t signature[static BLOCK_SIGNATURE_BYTES],
    const uint8_t network_id[static 32], const uint8_t identity_pk[static 32]);

#endif

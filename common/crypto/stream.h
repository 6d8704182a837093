/*
 * Streams: one per direction of a contact. From a stream secret C_i come
 * tag_i (16), a message key (32) and C_{i+1}; C_i is then erased.
 * docs/protocol.md, "Records and streams" and "Renewal". Pure.
 *
 * A stream goes on in generations: each renewal puts a new secret, with a fresh
 * Diffie-Hellman result in it, in the old one's place. An index has the number
 * of its generation in its upper half, so that indices rise over renewals.
 *
 * The reader keeps the tags of the STREAM_WINDOW indices above the highest one
 * seen in a table: a record is found by one look-up, and reordering by the
 * mixes costs nothing. Keys of skipped indices stay until they arrive or expire.
 */
#ifndef COMMON_CRYPTO_STREAM_H
#define COMMON_CRYPTO_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/bytes.h"
#include "common/base/err.h"
#include "common/base/rng.h"
#include "common/crypto/record.h"

#define STREAM_WINDOW 2000
#define STREAM_SKIPPED_MAX 4096
#define STREAM_GENERATION_MAX ((uint32_t)1 << 29)

static inline uint32_t
stream_generation(uint64_t index)
{
	return (uint32_t)(index >> 32);
}

/* The first index of the generation that index is of. */
static inline uint64_t
stream_generation_start(uint64_t index)
{
	return index & ~(uint64_t)UINT32_MAX;
}

/* ---- writer ---- */

struct stream_writer; /* secret memory */

struct stream_writer *stream_writer_new(const uint8_t secret[static 32]);
/* A stream that begins with a later generation (at most STREAM_GENERATION_MAX). */
struct stream_writer *stream_writer_new_at(const uint8_t secret[static 32], uint32_t generation);
void stream_writer_free(struct stream_writer *w);
/* The index that the next sealing will use, from 0. */
uint64_t stream_writer_index(const struct stream_writer *w);
/* Seal at the next index and move on (C_i is erased, also on failure). ERR_FULL: a generation of 2^32. */
RST_MUST_USE enum err stream_seal(struct stream_writer *w, uint8_t *record, size_t record_size,
    const uint8_t *plaintext, const struct rng *keys);
RST_MUST_USE enum err stream_writer_save(const struct stream_writer *w, struct buf *out,
    size_t max);
/* renewals: false for a state of the version that had none: such a stream is never renewed. */
RST_MUST_USE enum err stream_writer_load(struct stream_writer **out, struct reader *r,
    bool renewals);

/* Whether the stream can be renewed at all. */
bool stream_writer_rooted(const struct stream_writer *w);
/*
 * Prepare the next generation against the reader's renewal key: *fresh is the
 * public key to announce; its secret half is gone already. ERR_STATE (one is
 * announced, or the stream cannot be renewed), ERR_CRYPTO (a bad key).
 */
RST_MUST_USE enum err stream_writer_announce(struct stream_writer *w, uint8_t fresh[static 32],
    const uint8_t renewal[static 32], const struct rng *keys);
bool stream_writer_announced(const struct stream_writer *w);
/* The reader has followed: the next sealing is the first of the new generation. */
void stream_writer_renew(struct stream_writer *w);
/* How many indices the generation before this one had. */
uint32_t stream_writer_before(const struct stream_writer *w);

/* ---- reader ---- */

struct stream_reader; /* secret memory */

struct stream_reader *stream_reader_new(const uint8_t secret[static 32], const struct rng *r);
struct stream_reader *stream_reader_new_at(const uint8_t secret[static 32], uint32_t generation,
    const struct rng *r);
void stream_reader_free(struct stream_reader *s);
/*
 * Open a record if its tag is of this stream, and consume no key: ERR_NOT_FOUND (not
 * ours), ERR_CRYPTO (the tag is ours, the rest is not), ERR_MEMORY; ERR_OK: plaintext
 * and *index are filled. What it brought is kept first, where memory may be short; then
 * comes stream_consume, before any other call for this reader.
 */
RST_MUST_USE enum err stream_look(struct stream_reader *s, uint8_t *plaintext, uint64_t *index,
    const uint8_t *record, size_t record_size);
/*
 * Erase the key of what stream_look has just opened; it cannot fail. Keys of newly
 * skipped indices are kept until expires_ms. With the first record of the next
 * generation the chain of the one before is erased; the header says how many indices
 * it had, and keys of those that did not come are kept as skipped.
 */
void stream_consume(struct stream_reader *s, uint64_t index, const uint8_t *plaintext,
    size_t record_size, int64_t expires_ms);
/* Both in one, for who needs no memory in between. index may be NULL. */
RST_MUST_USE enum err stream_open(struct stream_reader *s, uint8_t *plaintext, uint64_t *index,
    const uint8_t *record, size_t record_size, int64_t expires_ms);
/* Highest index seen plus one; 0 if none. */
uint64_t stream_reader_seen(const struct stream_reader *s);
/* Erase skipped keys whose time has come. */
void stream_reader_expire(struct stream_reader *s, int64_t now_ms);
size_t stream_reader_skipped(const struct stream_reader *s);
RST_MUST_USE enum err stream_reader_save(const struct stream_reader *s, struct buf *out,
    size_t max);
RST_MUST_USE enum err stream_reader_load(struct stream_reader **out, struct reader *r,
    bool renewals, const struct rng *rng);

/*
 * The writer announced the next generation with its key `fresh`, against our
 * renewal key: be ready for it. ERR_STATE (already so, or the stream cannot be
 * renewed), ERR_CRYPTO (a bad key), ERR_MEMORY.
 */
RST_MUST_USE enum err stream_reader_follow(struct stream_reader *s,
    const uint8_t fresh[static 32], const uint8_t renewal_sk[static 32],
    const uint8_t renewal[static 32]);
bool stream_reader_followed(const struct stream_reader *s);

#endif

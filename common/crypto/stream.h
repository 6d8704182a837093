/*
 * Streams: one per direction of a contact. From a stream secret C_i come
 * tag_i (16), a message key (32) and C_{i+1}; C_i is then erased.
 * docs/protocol.md, "Records and streams". Pure.
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

/* ---- writer ---- */

struct stream_writer; /* secret memory */

struct stream_writer *stream_writer_new(const uint8_t secret[static 32]);
void stream_writer_free(struct stream_writer *w);
/* The index that the next sealing will use, from 0. */
uint64_t stream_writer_index(const struct stream_writer *w);
/* Seal at the next index and move on (C_i is erased, also on failure). */
RST_MUST_USE enum err stream_seal(struct stream_writer *w, uint8_t *record, size_t record_size,
    const uint8_t *plaintext, const struct rng *keys);
RST_MUST_USE enum err stream_writer_save(const struct stream_writer *w, struct buf *out,
    size_t max);
RST_MUST_USE enum err stream_writer_load(struct stream_writer **out, struct reader *r);

/* ---- reader ---- */

struct stream_reader; /* secret memory */

struct stream_reader *stream_reader_new(const uint8_t secret[static 32], const struct rng *r);
void stream_reader_free(struct stream_reader *s);
/*
 * Open a record if its tag is of this stream: ERR_NOT_FOUND (not ours, nothing
 * changed), ERR_CRYPTO (the tag is ours, the rest is not: no key is consumed),
 * ERR_OK: plaintext is filled, the key is erased, keys of newly skipped indices
 * are kept until expires_ms. *index may be NULL.
 */
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
    const struct rng *rng);

#endif

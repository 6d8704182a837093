/*
 * The renewal of one contact's two streams: our renewal key and the peer's, what
 * headers say of them, and when our stream is renewed. docs/protocol.md,
 * "Renewal". Pure.
 *
 * Everything rides in records that go anyway. A key of ours is used once: when
 * the peer has announced a renewal against it, it is wiped and another shown,
 * which tells the peer that we are ready for the new generation.
 */
#ifndef CLIENT_LIB_RENEWAL_H
#define CLIENT_LIB_RENEWAL_H

#include <stdint.h>

#include "common/base/bytes.h"
#include "common/base/err.h"
#include "common/base/rng.h"
#include "common/crypto/record.h"
#include "common/crypto/stream.h"

/* Our stream is renewed after so many records, or so long, whichever comes first. */
#define RENEWAL_RECORDS 64
#define RENEWAL_MS ((int64_t)3600000)

struct renewal {
	uint8_t own_sk[32], own_pk[32]; /* our renewal key; zero: a contact without renewal */
	uint8_t peer_pk[32];  /* the newest that the peer has shown; zero: none */
	uint8_t used_pk[32];  /* the one that our last announcement was made against */
	uint8_t fresh_pk[32]; /* of the announcement under way; zero: none */
	uint64_t peer_index;  /* of the newest record that showed a key of the peer's, plus one */
	int64_t since_ms;     /* when our stream was last renewed; 0: never */
};

/* A first renewal key. ERR_CRYPTO. */
RST_MUST_USE enum err renewal_init(struct renewal *r, const struct rng *keys);
/*
 * Before a record is sealed: announce a renewal if it is time. seen_index is the
 * most that the peer has acknowledged of our stream; interval_ms is RENEWAL_MS,
 * scaled.
 */
void renewal_begin(struct renewal *r, struct stream_writer *w, uint64_t seen_index,
    int64_t interval_ms, const struct rng *keys, int64_t now_ms);
/* What a header says of it. */
void renewal_fill(const struct renewal *r, const struct stream_writer *w,
    struct record_header *h);
/*
 * What the header of the record at `index` of the peer's stream says: renew ours
 * if the peer has followed; follow if it announced. ERR_MEMORY.
 */
RST_MUST_USE enum err renewal_take(struct renewal *r, struct stream_writer *w,
    struct stream_reader *reader, const struct record_header *h, uint64_t index,
    const struct rng *keys, int64_t now_ms);

#define RENEWAL_BYTES (5 * 32 + 8 + 8)
void renewal_put(struct writer *w, const struct renewal *r);
void renewal_get(struct reader *in, struct renewal *r);

#endif

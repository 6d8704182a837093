#include "config.h"

#include "client-lib/renewal.h"

#include <sodium.h>
#include <string.h>

#include "common/crypto/ratchet.h"

enum err
renewal_init(struct renewal *r, const struct rng *keys)
{
	uint8_t sk[32], pk[32];
	enum err e = ERR_CRYPTO;

	rng_bytes(keys, sk, sizeof(sk));
	if (crypto_scalarmult_base(pk, sk) == 0) {
		memcpy(r->own_sk, sk, sizeof(sk));
		memcpy(r->own_pk, pk, sizeof(pk));
		e = ERR_OK;
	}
	sodium_memzero(sk, sizeof(sk));
	return e;
}

static bool
same_key(const uint8_t a[static 32], const uint8_t b[static 32])
{
	return sodium_memcmp(a, b, 32) == 0;
}

static bool
no_key(const uint8_t key[static 32])
{
	return sodium_is_zero(key, 32) != 0;
}

/* ---- our stream ---- */

/*
 * The peer must have seen this generation: then it knows from there where the one
 * before ended, and never are more than two of them open.
 */
static bool
generation_seen(const struct stream_writer *w, uint64_t seen_index)
{
	uint64_t start = stream_generation_start(stream_writer_index(w));

	return start == 0 || seen_index > start;
}

/* By records or by time; a clock that was set back does not hold it up. */
static bool
time_has_come(const struct renewal *r, const struct stream_writer *w, int64_t interval_ms,
    int64_t now_ms)
{
	if ((uint32_t)stream_writer_index(w) >= RENEWAL_RECORDS || r->since_ms == 0)
		return true;
	return now_ms < r->since_ms || now_ms - r->since_ms >= interval_ms;
}

void
renewal_begin(struct renewal *r, struct stream_writer *w, uint64_t seen_index,
    int64_t interval_ms, const struct rng *keys, int64_t now_ms)
{
	if (!stream_writer_rooted(w) || stream_writer_announced(w) || no_key(r->peer_pk) ||
	    same_key(r->peer_pk, r->used_pk) || !generation_seen(w, seen_index) ||
	    !time_has_come(r, w, interval_ms, now_ms))
		return;
	/* a key of low order is used up too: it would fail again */
	memcpy(r->used_pk, r->peer_pk, sizeof(r->used_pk));
	if (stream_writer_announce(w, r->fresh_pk, r->peer_pk, keys) != ERR_OK)
		sodium_memzero(r->fresh_pk, sizeof(r->fresh_pk));
}

void
renewal_fill(const struct renewal *r, const struct stream_writer *w, struct record_header *h)
{
	memcpy(h->own_renewal, r->own_pk, sizeof(h->own_renewal));
	memcpy(h->fresh, r->fresh_pk, sizeof(h->fresh));
	if (stream_writer_announced(w))
		ratchet_key_id(h->peer_renewal_id, r->used_pk);
	else
		store_u64(h->peer_renewal_id, stream_writer_before(w));
}

/*
 * The peer's newest key counts; records may come in another order than they were
 * sealed in. Another key than the one we announced against is its word that it
 * has followed.
 */
static void
take_key(struct renewal *r, struct stream_writer *w, const struct record_header *h,
    uint64_t index, int64_t now_ms)
{
	if (no_key(h->own_renewal) || index < r->peer_index)
		return;
	r->peer_index = index + 1;
	memcpy(r->peer_pk, h->own_renewal, sizeof(r->peer_pk));
	if (!stream_writer_announced(w) || same_key(r->peer_pk, r->used_pk))
		return;
	stream_writer_renew(w);
	sodium_memzero(r->fresh_pk, sizeof(r->fresh_pk));
	r->since_ms = now_ms;
}

/* ---- the peer's stream ---- */

/* Whether the header announces, in the running generation, a renewal against our key. */
static bool
announces(const struct renewal *r, const struct stream_reader *reader,
    const struct record_header *h, uint64_t index)
{
	uint8_t id[RATCHET_ID_BYTES];

	if (no_key(h->fresh) || no_key(r->own_pk) ||
	    stream_generation(index) != stream_generation(stream_reader_seen(reader)))
		return false;
	ratchet_key_id(id, r->own_pk);
	return sodium_memcmp(id, h->peer_renewal_id, sizeof(id)) == 0;
}

static enum err
follow(struct renewal *r, struct stream_reader *reader, const struct record_header *h,
    const struct rng *keys)
{
	struct renewal next;
	enum err e = renewal_init(&next, keys);

	if (e == ERR_OK)
		e = stream_reader_follow(reader, h->fresh, r->own_sk, r->own_pk);
	if (e == ERR_OK) {
		memcpy(r->own_sk, next.own_sk, sizeof(r->own_sk));
		memcpy(r->own_pk, next.own_pk, sizeof(r->own_pk));
	}
	sodium_memzero(&next, sizeof(next));
	/* what no honest peer announces changes nothing */
	return e == ERR_MEMORY ? e : ERR_OK;
}

enum err
renewal_take(struct renewal *r, struct stream_writer *w, struct stream_reader *reader,
    const struct record_header *h, uint64_t index, const struct rng *keys, int64_t now_ms)
{
	take_key(r, w, h, index, now_ms);
	return announces(r, reader, h, index) ? follow(r, reader, h, keys) : ERR_OK;
}

/* ---- save and load ---- */

void
renewal_put(struct writer *w, const struct renewal *r)
{
	writer_copy(w, r->own_sk, sizeof(r->own_sk));
	writer_copy(w, r->own_pk, sizeof(r->own_pk));
	writer_copy(w, r->peer_pk, sizeof(r->peer_pk));
	writer_copy(w, r->used_pk, sizeof(r->used_pk));
	writer_copy(w, r->fresh_pk, sizeof(r->fresh_pk));
	writer_u64(w, r->peer_index);
	writer_u64(w, (uint64_t)r->since_ms);
}

void
renewal_get(struct reader *in, struct renewal *r)
{
	reader_copy(in, r->own_sk, sizeof(r->own_sk));
	reader_copy(in, r->own_pk, sizeof(r->own_pk));
	reader_copy(in, r->peer_pk, sizeof(r->peer_pk));
	reader_copy(in, r->used_pk, sizeof(r->used_pk));
	reader_copy(in, r->fresh_pk, sizeof(r->fresh_pk));
	r->peer_index = reader_u64(in);
	r->since_ms = (int64_t)reader_u64(in);
}

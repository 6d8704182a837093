#include "config.h"

#include "client-lib/founding.h"

#include <sodium.h>
#include <string.h>

#include "common/base/secret.h"
#include "common/crypto/hash.h"
#include "common/crypto/onion.h"
#include "common/crypto/stream.h"

#define FORMAT 1u
#define NUMBER_MAX (RECORD_NUMBER_MAX / 2) /* numbers may go on from it */
#define FOUNDING_BYTES \
	(1 + 1 + 4 + 4 + 32 + 32 + (8 + 8 + RECORD_ACK_MAP_BYTES) + 5 * 8 + \
	    2 * (8 + INBOX_DONE_BYTES))

#define PROOF_BYTES 32

_Static_assert(FOUNDING_BYTES == 530, "as docs/protocol.md says");
_Static_assert(FOUNDING_BYTES + PROOF_BYTES < ONION_RECORD_MIN - RECORD_OVERHEAD, "fits the least record");

/* ---- keys ---- */

/* Founder's, then receiver's identity: the two directions are kept apart. */
static void
put_parties(uint8_t out[static 64], const uint8_t founder[static 32],
    const uint8_t receiver[static 32])
{
	memcpy(out, founder, 32);
	memcpy(out + 32, receiver, 32);
}

static void
make_tag(uint8_t tag[static RECORD_TAG_BYTES], const uint8_t restart[static 32],
    const uint8_t dh[static 32], const uint8_t *e, const uint8_t parties[static 64])
{
	static const char label[] = "restante/found/tag";
	const struct hash_part parts[] = { { label, sizeof(label) - 1 }, { dh, 32 }, { e, 32 },
		{ parties, 64 } };

	hash_parts_keyed(tag, RECORD_TAG_BYTES, restart, parts, 4);
}

static enum err
make_key(uint8_t key[static 32], const struct founding_parties *p, const uint8_t dh[static 32],
    const uint8_t *e, const uint8_t parties[static 64])
{
	uint8_t input[32 + 32 + 32 + 64 + 32];
	enum err rc = ERR_CRYPTO;

	memcpy(input, dh, 32);
	if (crypto_scalarmult(input + 32, p->own_sk, p->peer_pk) == 0) {
		memcpy(input + 64, e, 32);
		memcpy(input + 96, parties, 64);
		memcpy(input + 160, p->network_id, 32);
		hash_derive(key, p->restart, "restante/found/key", input, sizeof(input));
		rc = ERR_OK;
	}
	sodium_memzero(input, sizeof(input));
	return rc;
}

enum err
founding_stream(uint8_t secret[static 32], const struct founding_parties *p, bool ours,
    const uint8_t seed[static 32], uint32_t generation)
{
	uint8_t input[32 + 32 + 64 + 32 + 32 + 4];
	enum err rc = ERR_CRYPTO;

	if (crypto_scalarmult(input, p->own_sk, p->peer_pk) == 0) {
		memcpy(input + 32, seed, 32);
		put_parties(input + 64, ours ? p->own_pk : p->peer_pk,
		    ours ? p->peer_pk : p->own_pk);
		memcpy(input + 128, p->network_id, 32);
		memcpy(input + 160, p->answers, 32);
		store_u32(input + 192, generation);
		hash_derive(secret, p->restart, "restante/found/stream", input, sizeof(input));
		rc = ERR_OK;
	}
	sodium_memzero(input, sizeof(input));
	return rc;
}

/* ---- what it says ---- */

static void
put_done(struct writer *w, const struct inbox_done *d)
{
	writer_u64(w, d->top);
	writer_copy(w, d->map, sizeof(d->map));
}

static void
get_done(struct reader *r, struct inbox_done *d)
{
	d->top = reader_u64(r);
	reader_copy(r, d->map, sizeof(d->map));
	if (d->top > NUMBER_MAX)
		reader_fail(r, ERR_MALFORMED);
}

/* Of an answer: by who has opened what it answers. Its identity alone is not enough. */
static void
make_proof(uint8_t proof[static PROOF_BYTES], const uint8_t answers[static 32],
    const uint8_t *body)
{
	static const char label[] = "restante/found/answer";
	const struct hash_part parts[] = { { label, sizeof(label) - 1 }, { body, FOUNDING_BYTES } };

	memset(proof, 0, PROOF_BYTES);
	if (!sodium_is_zero(answers, 32))
		hash_parts_keyed(proof, PROOF_BYTES, answers, parts, 2);
}

static enum err
encode(uint8_t *plaintext, size_t n, const struct founding *f, const uint8_t answers[static 32])
{
	struct writer w;

	writer_init(&w, plaintext, n);
	writer_u8(&w, FORMAT);
	writer_u8(&w, f->flags);
	writer_u32(&w, f->generation);
	writer_u32(&w, f->attempt);
	writer_copy(&w, f->seed, sizeof(f->seed));
	writer_copy(&w, f->renewal, sizeof(f->renewal));
	writer_u64(&w, f->ack.next_missing);
	writer_u64(&w, f->ack.highest_index);
	writer_copy(&w, f->ack.map, sizeof(f->ack.map));
	writer_u64(&w, f->floor);
	writer_u64(&w, f->given_texts);
	writer_u64(&w, f->given_files);
	writer_u64(&w, f->done_texts);
	writer_u64(&w, f->done_files);
	put_done(&w, &f->texts);
	put_done(&w, &f->files);
	writer_pad(&w);
	make_proof(plaintext + FOUNDING_BYTES, answers, plaintext);
	return writer_end(&w);
}

/* Numbers that an honest founder cannot have are refused, so that sums never overflow. */
static bool
numbers_fit(const struct founding *f)
{
	return (f->flags & ~(FOUNDING_LOST | FOUNDING_RESTORED)) == 0 &&
	    f->generation > 0 && f->generation <= STREAM_GENERATION_MAX &&
	    f->ack.next_missing > 0 && f->ack.next_missing <= NUMBER_MAX && f->floor > 0 &&
	    f->floor <= NUMBER_MAX && f->given_texts <= NUMBER_MAX &&
	    f->given_files <= NUMBER_MAX && f->done_texts <= NUMBER_MAX &&
	    f->done_files <= NUMBER_MAX;
}

/* Who lost its state answers nothing, and nobody else founds but to answer. */
static enum err
decode(struct founding *out, const uint8_t *plaintext, size_t n,
    const uint8_t answers[static 32])
{
	uint8_t proof[PROOF_BYTES], want[PROOF_BYTES];
	struct founding f;
	struct reader r;

	reader_init(&r, plaintext, n);
	if (reader_u8(&r) != FORMAT)
		return ERR_VERSION;
	f.flags = reader_u8(&r);
	f.generation = reader_u32(&r);
	f.attempt = reader_u32(&r);
	reader_copy(&r, f.seed, sizeof(f.seed));
	reader_copy(&r, f.renewal, sizeof(f.renewal));
	f.ack.next_missing = reader_u64(&r);
	f.ack.highest_index = reader_u64(&r);
	reader_copy(&r, f.ack.map, sizeof(f.ack.map));
	f.floor = reader_u64(&r);
	f.given_texts = reader_u64(&r);
	f.given_files = reader_u64(&r);
	f.done_texts = reader_u64(&r);
	f.done_files = reader_u64(&r);
	get_done(&r, &f.texts);
	get_done(&r, &f.files);
	reader_copy(&r, proof, sizeof(proof));
	reader_zeros(&r, n - FOUNDING_BYTES - PROOF_BYTES);
	if (reader_end(&r) != ERR_OK || !numbers_fit(&f) ||
	    ((f.flags & FOUNDING_LOST) != 0) != sodium_is_zero(proof, sizeof(proof)))
		return ERR_MALFORMED;
	make_proof(want, answers, plaintext);
	f.answers = (f.flags & FOUNDING_LOST) == 0 && sodium_memcmp(proof, want, sizeof(want)) == 0;
	*out = f;
	sodium_memzero(&f, sizeof(f));
	return ERR_OK;
}

/* ---- sealing ---- */

static enum err
seal_plaintext(uint8_t *record, size_t record_size, const struct founding *f,
    const struct founding_parties *p, const uint8_t e[static 32],
    const uint8_t tag[static RECORD_TAG_BYTES], const uint8_t key[static 32])
{
	size_t n = record_plaintext_bytes(record_size);
	uint8_t *plaintext = secret_new(n);
	enum err rc;

	if (plaintext == NULL)
		return ERR_MEMORY;
	rc = encode(plaintext, n, f, p->answers);
	if (rc == ERR_OK)
		rc = record_seal_with(record, record_size, e, tag, key, plaintext);
	secret_free(plaintext);
	return rc;
}

enum err
founding_seal_with(uint8_t *record, size_t record_size, const struct founding *f,
    const struct founding_parties *p, const uint8_t e_sk[static 32])
{
	uint8_t e[32], dh[32], parties[64], tag[RECORD_TAG_BYTES], key[32];
	enum err rc = ERR_CRYPTO;

	put_parties(parties, p->own_pk, p->peer_pk);
	if (crypto_scalarmult_base(e, e_sk) == 0 && crypto_scalarmult(dh, e_sk, p->peer_pk) == 0) {
		make_tag(tag, p->restart, dh, e, parties);
		rc = make_key(key, p, dh, e, parties);
	}
	if (rc == ERR_OK)
		rc = seal_plaintext(record, record_size, f, p, e, tag, key);
	sodium_memzero(dh, sizeof(dh));
	sodium_memzero(key, sizeof(key));
	return rc;
}

enum err
founding_seal(uint8_t *record, size_t record_size, const struct founding *f,
    const struct founding_parties *p, const struct rng *keys)
{
	uint8_t e_sk[32];
	enum err rc;

	rng_bytes(keys, e_sk, sizeof(e_sk));
	rc = founding_seal_with(record, record_size, f, p, e_sk);
	sodium_memzero(e_sk, sizeof(e_sk));
	return rc;
}

/* ---- opening ---- */

enum err
founding_dh(uint8_t dh[static 32], const uint8_t *record, const uint8_t own_sk[static 32])
{
	return crypto_scalarmult(dh, own_sk, record) == 0 ? ERR_OK : ERR_CRYPTO;
}

bool
founding_is_by(const uint8_t *record, const uint8_t dh[static 32],
    const uint8_t restart[static 32], const uint8_t own_pk[static 32],
    const uint8_t peer_pk[static 32])
{
	uint8_t parties[64], tag[RECORD_TAG_BYTES];

	put_parties(parties, peer_pk, own_pk);
	make_tag(tag, restart, dh, record, parties);
	return sodium_memcmp(tag, record_tag(record), sizeof(tag)) == 0;
}

enum err
founding_open(struct founding *out, const uint8_t *record, size_t record_size,
    const uint8_t dh[static 32], const struct founding_parties *p)
{
	size_t n = record_plaintext_bytes(record_size);
	uint8_t key[32], parties[64], *plaintext;
	enum err rc;

	put_parties(parties, p->peer_pk, p->own_pk);
	plaintext = secret_new(n);
	if (plaintext == NULL)
		return ERR_MEMORY;
	rc = make_key(key, p, dh, record, parties);
	if (rc == ERR_OK)
		rc = record_open(plaintext, record, record_size, key);
	if (rc == ERR_OK)
		rc = decode(out, plaintext, n, p->answers);
	sodium_memzero(key, sizeof(key));
	secret_free(plaintext);
	return rc;
}

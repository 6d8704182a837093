#include "config.h"

#include "common/token/issuance.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "common/base/bytes.h"
#include "common/base/secret.h"
#include "common/crypto/hash.h"

const char *
issuance_status_text(enum issuance_status s)
{
	switch (s) {
	case ISSUANCE_OK:
		return "answered";
	case ISSUANCE_VERSION_UNKNOWN:
		return "the registrar does not know this version of the protocol";
	case ISSUANCE_CODE:
		return "the registrar does not know the enrolment code, or revoked it";
	case ISSUANCE_EPOCH:
		return "the registrar does not issue for this epoch";
	case ISSUANCE_BATCH:
		return "the epoch has no such batch";
	case ISSUANCE_SPENT:
		return "this batch was given to another request already: somebody else uses the "
		       "same enrolment code, or an old state was restored";
	case ISSUANCE_LATER:
		return "the registrar has too much to do";
	case ISSUANCE_REQUEST:
		return "the registrar did not understand the request";
	}
	return "unknown";
}

/* ---- bytes ---- */

void
issuance_request_encode(uint8_t out[static ISSUANCE_REQUEST_BYTES],
    const struct issuance_request *q)
{
	struct writer w;

	writer_init(&w, out, ISSUANCE_REQUEST_BYTES);
	writer_u16(&w, ISSUANCE_VERSION);
	writer_u8(&w, (uint8_t)q->kind);
	writer_u8(&w, 0);
	writer_u32(&w, q->epoch);
	writer_u32(&w, q->batch);
	writer_copy(&w, q->code, sizeof(q->code));
	writer_copy(&w, q->blinded, sizeof(q->blinded));
	assert(writer_ok(&w) && w.used == ISSUANCE_REQUEST_BYTES);
}

enum err
issuance_request_decode(struct issuance_request *out,
    const uint8_t in[static ISSUANCE_REQUEST_BYTES])
{
	struct issuance_request q = { .epoch = 0 };
	struct reader r;
	uint16_t version;
	uint8_t kind;
	enum err e;

	reader_init(&r, in, ISSUANCE_REQUEST_BYTES);
	version = reader_u16(&r);
	if (version != ISSUANCE_VERSION)
		return version > ISSUANCE_VERSION ? ERR_VERSION : ERR_MALFORMED;
	kind = reader_u8(&r);
	reader_zeros(&r, 1);
	if (kind > TOKEN_STAMP)
		return ERR_MALFORMED;
	q.kind = (enum token_kind)kind;
	q.epoch = reader_u32(&r);
	q.batch = reader_u32(&r);
	reader_copy(&r, q.code, sizeof(q.code));
	reader_copy(&r, q.blinded, sizeof(q.blinded));
	e = reader_end(&r);
	if (e == ERR_OK)
		*out = q;
	sodium_memzero(&q, sizeof(q));
	return e;
}

void
issuance_answer_encode(uint8_t out[static ISSUANCE_ANSWER_BYTES], const struct issuance_answer *a)
{
	struct writer w;

	writer_init(&w, out, ISSUANCE_ANSWER_BYTES);
	writer_u8(&w, (uint8_t)a->status);
	writer_zeros(&w, 3);
	if (a->status == ISSUANCE_OK) {
		writer_copy(&w, a->evaluated, sizeof(a->evaluated));
		writer_copy(&w, a->proofs, sizeof(a->proofs));
	}
	writer_pad(&w);
	assert(writer_ok(&w));
}

enum err
issuance_answer_decode(struct issuance_answer *out, const uint8_t in[static ISSUANCE_ANSWER_BYTES])
{
	struct issuance_answer a = { .status = ISSUANCE_OK };
	struct reader r;
	uint8_t status;
	enum err e;

	reader_init(&r, in, ISSUANCE_ANSWER_BYTES);
	status = reader_u8(&r);
	reader_zeros(&r, 3);
	if (status > ISSUANCE_REQUEST)
		return ERR_MALFORMED;
	a.status = (enum issuance_status)status;
	if (a.status == ISSUANCE_OK) {
		reader_copy(&r, a.evaluated, sizeof(a.evaluated));
		reader_copy(&r, a.proofs, sizeof(a.proofs));
	} else {
		reader_zeros(&r, r.left);
	}
	e = reader_end(&r);
	if (e == ERR_OK)
		*out = a;
	return e;
}

/* ---- the member ---- */

static struct token_place
place(const struct issuance_request *q, size_t i)
{
	return (struct token_place){ .epoch = q->epoch, .batch = q->batch, .kind = q->kind,
		.index = (uint8_t)i };
}

enum err
issuance_ask(struct issuance_request *out, const struct params *p,
    const uint8_t code[static ENROLMENT_SECRET_BYTES], const uint8_t wallet_seed[static 32])
{
	size_t n = allotment_count(p, out->kind, out->batch);
	uint8_t nonce[TOKEN_NONCE_BYTES], blind[VOPRF_SCALAR_BYTES];
	enum err e = n > 0 ? ERR_OK : ERR_RANGE;

	memset(out->blinded, 0, sizeof(out->blinded));
	memcpy(out->code, code, sizeof(out->code));
	for (size_t i = 0; e == ERR_OK && i < n; i++) {
		const struct token_place at = place(out, i);

		e = token_derive(nonce, blind, wallet_seed, &at);
		if (e == ERR_OK)
			e = voprf_blind(out->blinded[i], nonce, sizeof(nonce), blind);
	}
	sodium_memzero(nonce, sizeof(nonce));
	sodium_memzero(blind, sizeof(blind));
	return e;
}

/* A batch while it is taken: secret memory. */
struct taking {
	struct issuance_batch batch;
	uint8_t blinds[ALLOTMENT_BATCH][VOPRF_SCALAR_BYTES];
	uint8_t unblinded[ALLOTMENT_BATCH][VOPRF_ELEMENT_BYTES];
};

static enum err
unblind(struct taking *t, const struct issuance_request *q, const struct issuance_answer *a,
    const struct issuer_keys *keys, const struct params *p)
{
	size_t proofs = allotment_proofs(p, q->kind, q->batch);
	size_t each = allotment_per_proof(p, q->kind, q->batch);
	enum err e = ERR_OK;

	for (size_t i = 0; e == ERR_OK && i < proofs; i++) {
		size_t first = i * each;
		const struct voprf_batch b = { .n = each,
			.blinds = (const uint8_t (*)[VOPRF_SCALAR_BYTES])t->blinds + first,
			.blinded = q->blinded + first, .evaluated = a->evaluated + first };

		e = voprf_unblind(t->unblinded + first, &b,
		    issuer_keys_for(keys, q->kind, q->batch, first), a->proofs[i]);
	}
	return e;
}

static enum err
take(struct taking *t, const struct issuance_request *q, const struct issuance_answer *a,
    const struct issuer_keys *keys, const struct params *p, const uint8_t wallet_seed[static 32])
{
	struct issuance_batch *b = &t->batch;
	enum err e = ERR_OK;

	b->n = allotment_count(p, q->kind, q->batch);
	if (b->n == 0)
		return ERR_RANGE;
	for (size_t i = 0; e == ERR_OK && i < b->n; i++) {
		const struct token_place at = place(q, i);

		e = token_derive(b->nonce[i], t->blinds[i], wallet_seed, &at);
	}
	if (e == ERR_OK)
		e = unblind(t, q, a, keys, p);
	for (size_t i = 0; e == ERR_OK && i < b->n; i++)
		voprf_finalize(b->output[i], b->nonce[i], TOKEN_NONCE_BYTES, t->unblinded[i]);
	return e;
}

enum err
issuance_take(struct issuance_batch *out, const struct issuance_request *q,
    const struct issuance_answer *a, const struct issuer_keys *keys, const struct params *p,
    const uint8_t wallet_seed[static 32])
{
	struct taking *t;
	enum err e;

	if (a->status != ISSUANCE_OK)
		return ERR_DENIED;
	if (keys->epoch != q->epoch || keys->hours != allotment_hours(p))
		return ERR_EPOCH;
	t = secret_new(sizeof(*t));
	if (t == NULL)
		return ERR_MEMORY;
	e = take(t, q, a, keys, p, wallet_seed);
	if (e == ERR_OK)
		*out = t->batch;
	secret_free(t);
	return e;
}

/* ---- the registrar ---- */

enum issuance_status
issuance_check(const struct issuance_request *q, const struct params *p)
{
	size_t n = allotment_count(p, q->kind, q->batch);

	if (n == 0)
		return ISSUANCE_BATCH;
	for (size_t i = 0; i < n; i++)
		if (!voprf_element_valid(q->blinded[i]))
			return ISSUANCE_REQUEST;
	for (size_t i = n; i < ALLOTMENT_BATCH; i++)
		if (!sodium_is_zero(q->blinded[i], VOPRF_ELEMENT_BYTES))
			return ISSUANCE_REQUEST;
	return ISSUANCE_OK;
}

void
issuance_hash(uint8_t hash[static 32], const struct issuance_request *q)
{
	uint8_t head[9] = { (uint8_t)q->kind };
	const struct hash_part parts[] = { { head, sizeof(head) },
		{ q->blinded, sizeof(q->blinded) } };

	store_u32(head + 1, q->epoch);
	store_u32(head + 5, q->batch);
	hash_parts(hash, 32, parts, 2);
}

void
issuance_refuse(struct issuance_answer *out, enum issuance_status status)
{
	memset(out, 0, sizeof(*out));
	out->status = status;
}

static enum err
evaluate(struct issuance_answer *out, const struct voprf_key *k, const struct issuance_request *q,
    size_t first, size_t n, size_t proof, const struct rng *keys)
{
	uint8_t wide[VOPRF_WIDE_BYTES], r[VOPRF_SCALAR_BYTES];
	enum err e;

	if (k == NULL)
		return ERR_RANGE;
	rng_bytes(keys, wide, sizeof(wide));
	e = voprf_scalar(r, wide);
	if (e == ERR_OK)
		e = voprf_evaluate(out->evaluated + first, out->proofs[proof], k,
		    q->blinded + first, n, r);
	sodium_memzero(wide, sizeof(wide));
	sodium_memzero(r, sizeof(r));
	return e;
}

void
issuance_serve(struct issuance_answer *out, const struct issuer *s,
    const struct issuance_request *q, const struct params *p, const struct rng *keys)
{
	size_t proofs = allotment_proofs(p, q->kind, q->batch);
	size_t each = allotment_per_proof(p, q->kind, q->batch);
	enum err e = proofs > 0 && issuer_keys(s)->epoch == q->epoch ? ERR_OK : ERR_RANGE;

	issuance_refuse(out, ISSUANCE_OK);
	for (size_t i = 0; e == ERR_OK && i < proofs; i++) {
		const struct voprf_key *k = q->kind == TOKEN_STAMP ? issuer_stamp_key(s) :
		    issuer_ticket_key(s, allotment_hour(q->batch, i * each));

		e = evaluate(out, k, q, i * each, each, i, keys);
	}
	if (e != ERR_OK)
		issuance_refuse(out, ISSUANCE_REQUEST);
}

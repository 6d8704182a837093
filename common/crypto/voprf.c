#include "config.h"

#include "common/crypto/voprf.h"

#include <sodium.h>
#include <string.h>

#include "common/crypto/hash.h"

/* contextString of RFC 9497, section 3.1: mode 1, ristretto255-SHA512. */
#define CONTEXT "OPRFV1-\x01-ristretto255-SHA512"
#define SHA512_BYTES 64
#define SHA512_BLOCK 128

/* A domain separation tag, or any other constant text; without its final zero byte. */
struct text {
	const char *data;
	size_t len;
};
#define TEXT(s) { (s), sizeof(s) - 1 }

static const struct text DST_GROUP = TEXT("HashToGroup-" CONTEXT);
static const struct text DST_SCALAR = TEXT("HashToScalar-" CONTEXT);
static const struct text DST_KEY = TEXT("DeriveKeyPair" CONTEXT);
static const struct text DST_SEED = TEXT("Seed-" CONTEXT);

/* I2OSP(n, 2): RFC 9497 writes the most significant byte first. */
struct length {
	uint8_t bytes[2];
};

static struct length
length(size_t n)
{
	return (struct length){ { (uint8_t)(n >> 8), (uint8_t)n } };
}

static void
sha512(uint8_t out[static SHA512_BYTES], const struct hash_part *parts, size_t n)
{
	crypto_hash_sha512_state s;

	/* None of these can fail. */
	(void)crypto_hash_sha512_init(&s);
	for (size_t i = 0; i < n; i++)
		(void)crypto_hash_sha512_update(&s, parts[i].data, parts[i].len);
	(void)crypto_hash_sha512_final(&s, out);
	sodium_memzero(&s, sizeof(s));
}

/* expand_message_xmd of RFC 9380, section 5.3.1, for 64 bytes: one block, b_1. */
#define EXPAND_PARTS 12
static void
expand(uint8_t out[static 64], struct text dst, const struct hash_part *message, size_t n)
{
	static const uint8_t z_pad[SHA512_BLOCK];
	static const uint8_t length_and_zero[3] = { 0, 64, 0 }, one[1] = { 1 };
	const uint8_t dst_len[1] = { (uint8_t)dst.len };
	uint8_t b0[SHA512_BYTES];
	struct hash_part parts[EXPAND_PARTS + 4] = { { z_pad, sizeof(z_pad) } };
	const struct hash_part last[] = { { b0, sizeof(b0) }, { one, sizeof(one) },
		{ dst.data, dst.len }, { dst_len, sizeof(dst_len) } };

	memcpy(parts + 1, message, n * sizeof(*message));
	parts[n + 1] = (struct hash_part){ length_and_zero, sizeof(length_and_zero) };
	parts[n + 2] = last[2];
	parts[n + 3] = last[3];
	sha512(b0, parts, n + 4);
	sha512(out, last, 4);
	sodium_memzero(b0, sizeof(b0));
}

static void
hash_to_scalar(uint8_t scalar[static VOPRF_SCALAR_BYTES], struct text dst,
    const struct hash_part *message, size_t n)
{
	uint8_t wide[VOPRF_WIDE_BYTES];

	expand(wide, dst, message, n);
	crypto_core_ristretto255_scalar_reduce(scalar, wide);
	sodium_memzero(wide, sizeof(wide));
}

static enum err
hash_to_group(uint8_t element[static VOPRF_ELEMENT_BYTES], const void *input, size_t len)
{
	const struct hash_part message = { input, len };
	uint8_t wide[VOPRF_WIDE_BYTES];

	if (len > VOPRF_INPUT_MAX)
		return ERR_USAGE;
	expand(wide, DST_GROUP, &message, 1);
	(void)crypto_core_ristretto255_from_hash(element, wide);
	sodium_memzero(wide, sizeof(wide));
	return sodium_is_zero(element, VOPRF_ELEMENT_BYTES) ? ERR_CRYPTO : ERR_OK;
}

/* ---- elements and scalars ---- */

bool
voprf_element_valid(const uint8_t element[static VOPRF_ELEMENT_BYTES])
{
	return !sodium_is_zero(element, VOPRF_ELEMENT_BYTES) &&
	    crypto_core_ristretto255_is_valid_point(element) == 1;
}

/* libsodium 1.0.18 has no such test: what is reduced stays as it is. */
bool
voprf_scalar_valid(const uint8_t scalar[static VOPRF_SCALAR_BYTES])
{
	uint8_t wide[VOPRF_WIDE_BYTES] = { 0 }, reduced[VOPRF_SCALAR_BYTES];
	bool valid;

	memcpy(wide, scalar, VOPRF_SCALAR_BYTES);
	crypto_core_ristretto255_scalar_reduce(reduced, wide);
	valid = sodium_memcmp(reduced, scalar, sizeof(reduced)) == 0 &&
	    !sodium_is_zero(scalar, VOPRF_SCALAR_BYTES);
	sodium_memzero(wide, sizeof(wide));
	sodium_memzero(reduced, sizeof(reduced));
	return valid;
}

enum err
voprf_scalar(uint8_t scalar[static VOPRF_SCALAR_BYTES], const uint8_t wide[static VOPRF_WIDE_BYTES])
{
	uint8_t s[VOPRF_SCALAR_BYTES];
	enum err e = ERR_CRYPTO;

	crypto_core_ristretto255_scalar_reduce(s, wide);
	if (!sodium_is_zero(s, sizeof(s))) {
		memcpy(scalar, s, sizeof(s));
		e = ERR_OK;
	}
	sodium_memzero(s, sizeof(s));
	return e;
}

enum err
voprf_derive_key(struct voprf_key *k, const uint8_t seed[static VOPRF_SEED_BYTES],
    const void *info, size_t info_len)
{
	const struct length l = length(info_len);
	uint8_t counter[1] = { 0 };
	const struct hash_part parts[] = { { seed, VOPRF_SEED_BYTES }, { l.bytes, 2 },
		{ info, info_len }, { counter, 1 } };
	struct voprf_key made;
	enum err e = ERR_CRYPTO;

	if (info_len > VOPRF_INFO_MAX)
		return ERR_USAGE;
	do {
		hash_to_scalar(made.sk, DST_KEY, parts, 4);
	} while (sodium_is_zero(made.sk, sizeof(made.sk)) && counter[0]++ < UINT8_MAX);
	if (crypto_scalarmult_ristretto255_base(made.pk, made.sk) == 0) {
		*k = made;
		e = ERR_OK;
	}
	sodium_memzero(&made, sizeof(made));
	return e;
}

/* ---- the client's first half ---- */

enum err
voprf_blind(uint8_t blinded[static VOPRF_ELEMENT_BYTES], const void *input, size_t len,
    const uint8_t blind[static VOPRF_SCALAR_BYTES])
{
	uint8_t element[VOPRF_ELEMENT_BYTES], product[VOPRF_ELEMENT_BYTES];
	enum err e;

	if (!voprf_scalar_valid(blind))
		return ERR_RANGE;
	e = hash_to_group(element, input, len);
	if (e == ERR_OK && crypto_scalarmult_ristretto255(product, blind, element) != 0)
		e = ERR_CRYPTO;
	if (e == ERR_OK)
		memcpy(blinded, product, sizeof(product));
	sodium_memzero(element, sizeof(element));
	sodium_memzero(product, sizeof(product));
	return e;
}

/* ---- the proof, section 2.2 ---- */

/* The composites M and Z of a batch, as far as they were summed. */
struct composites {
	uint8_t seed[SHA512_BYTES];
	uint8_t m[VOPRF_ELEMENT_BYTES], z[VOPRF_ELEMENT_BYTES]; /* all zero: the identity */
};

static void
composites_begin(struct composites *c, const uint8_t pk[static VOPRF_ELEMENT_BYTES])
{
	const struct length pk_len = length(VOPRF_ELEMENT_BYTES), dst_len = length(DST_SEED.len);
	const struct hash_part parts[] = { { pk_len.bytes, 2 }, { pk, VOPRF_ELEMENT_BYTES },
		{ dst_len.bytes, 2 }, { DST_SEED.data, DST_SEED.len } };

	memset(c, 0, sizeof(*c));
	sha512(c->seed, parts, 4);
}

/* d_i of the elements C_i and D_i. */
static void
weight(uint8_t d[static VOPRF_SCALAR_BYTES], const struct composites *c, size_t i,
    const uint8_t blinded[static VOPRF_ELEMENT_BYTES],
    const uint8_t evaluated[static VOPRF_ELEMENT_BYTES])
{
	static const char name[] = "Composite";
	const struct length seed_len = length(SHA512_BYTES), index = length(i);
	const struct length element_len = length(VOPRF_ELEMENT_BYTES);
	const struct hash_part parts[] = { { seed_len.bytes, 2 }, { c->seed, SHA512_BYTES },
		{ index.bytes, 2 }, { element_len.bytes, 2 }, { blinded, VOPRF_ELEMENT_BYTES },
		{ element_len.bytes, 2 }, { evaluated, VOPRF_ELEMENT_BYTES },
		{ name, sizeof(name) - 1 } };

	hash_to_scalar(d, DST_SCALAR, parts, 8);
}

/* sum += d * element; ERR_CRYPTO for an element that is none. */
static enum err
sum_add(uint8_t sum[static VOPRF_ELEMENT_BYTES], const uint8_t d[static VOPRF_SCALAR_BYTES],
    const uint8_t element[static VOPRF_ELEMENT_BYTES])
{
	uint8_t term[VOPRF_ELEMENT_BYTES];

	if (crypto_scalarmult_ristretto255(term, d, element) != 0 ||
	    crypto_core_ristretto255_add(sum, sum, term) != 0)
		return ERR_CRYPTO;
	return ERR_OK;
}

/* The challenge over pk, M, Z, t2 and t3. */
static void
challenge(uint8_t scalar[static VOPRF_SCALAR_BYTES], const uint8_t pk[static VOPRF_ELEMENT_BYTES],
    const struct composites *c, const uint8_t t2[static VOPRF_ELEMENT_BYTES],
    const uint8_t t3[static VOPRF_ELEMENT_BYTES])
{
	static const char name[] = "Challenge";
	const struct length l = length(VOPRF_ELEMENT_BYTES);
	const struct hash_part parts[] = { { l.bytes, 2 }, { pk, VOPRF_ELEMENT_BYTES },
		{ l.bytes, 2 }, { c->m, VOPRF_ELEMENT_BYTES }, { l.bytes, 2 },
		{ c->z, VOPRF_ELEMENT_BYTES }, { l.bytes, 2 }, { t2, VOPRF_ELEMENT_BYTES },
		{ l.bytes, 2 }, { t3, VOPRF_ELEMENT_BYTES }, { name, sizeof(name) - 1 } };

	hash_to_scalar(scalar, DST_SCALAR, parts, 11);
}

/* ---- the issuer ---- */

/* proof = c || r - c * sk for composites whose m is summed; makes z = sk * m. */
static enum err
prove(uint8_t proof[static VOPRF_PROOF_BYTES], struct composites *c, const struct voprf_key *k,
    const uint8_t r[static VOPRF_SCALAR_BYTES])
{
	uint8_t t2[VOPRF_ELEMENT_BYTES], t3[VOPRF_ELEMENT_BYTES], product[VOPRF_SCALAR_BYTES];

	if (crypto_scalarmult_ristretto255(c->z, k->sk, c->m) != 0 ||
	    crypto_scalarmult_ristretto255_base(t2, r) != 0 ||
	    crypto_scalarmult_ristretto255(t3, r, c->m) != 0)
		return ERR_CRYPTO;
	challenge(proof, k->pk, c, t2, t3);
	crypto_core_ristretto255_scalar_mul(product, proof, k->sk);
	crypto_core_ristretto255_scalar_sub(proof + VOPRF_SCALAR_BYTES, r, product);
	sodium_memzero(product, sizeof(product));
	return ERR_OK;
}

static enum err
evaluate(uint8_t (*evaluated)[VOPRF_ELEMENT_BYTES], uint8_t proof[static VOPRF_PROOF_BYTES],
    const struct voprf_key *k, const uint8_t (*blinded)[VOPRF_ELEMENT_BYTES], size_t n,
    const uint8_t r[static VOPRF_SCALAR_BYTES])
{
	struct composites c;
	uint8_t d[VOPRF_SCALAR_BYTES];

	composites_begin(&c, k->pk);
	for (size_t i = 0; i < n; i++) {
		if (!voprf_element_valid(blinded[i]))
			return ERR_MALFORMED;
		if (crypto_scalarmult_ristretto255(evaluated[i], k->sk, blinded[i]) != 0)
			return ERR_CRYPTO;
		weight(d, &c, i, blinded[i], evaluated[i]);
		if (sum_add(c.m, d, blinded[i]) != ERR_OK)
			return ERR_CRYPTO;
	}
	return prove(proof, &c, k, r);
}

enum err
voprf_evaluate(uint8_t (*evaluated)[VOPRF_ELEMENT_BYTES], uint8_t proof[static VOPRF_PROOF_BYTES],
    const struct voprf_key *k, const uint8_t (*blinded)[VOPRF_ELEMENT_BYTES], size_t n,
    const uint8_t r[static VOPRF_SCALAR_BYTES])
{
	enum err e;

	if (n == 0 || n > VOPRF_BATCH_MAX)
		return ERR_USAGE;
	e = voprf_scalar_valid(r) ? evaluate(evaluated, proof, k, blinded, n, r) : ERR_RANGE;
	if (e != ERR_OK) {
		memset(evaluated, 0, n * VOPRF_ELEMENT_BYTES);
		memset(proof, 0, VOPRF_PROOF_BYTES);
	}
	return e;
}

enum err
voprf_output(uint8_t out[static VOPRF_OUTPUT_BYTES], const struct voprf_key *k, const void *input,
    size_t len)
{
	uint8_t element[VOPRF_ELEMENT_BYTES], evaluated[VOPRF_ELEMENT_BYTES];
	enum err e = hash_to_group(element, input, len);

	if (e == ERR_OK && crypto_scalarmult_ristretto255(evaluated, k->sk, element) != 0)
		e = ERR_CRYPTO;
	if (e == ERR_OK)
		voprf_finalize(out, input, len, evaluated);
	sodium_memzero(element, sizeof(element));
	sodium_memzero(evaluated, sizeof(evaluated));
	return e;
}

/* ---- the client's second half ---- */

/* out = s * a + c * b, all public. */
static enum err
combine(uint8_t out[static VOPRF_ELEMENT_BYTES], const uint8_t s[static VOPRF_SCALAR_BYTES],
    const uint8_t *a, const uint8_t c[static VOPRF_SCALAR_BYTES],
    const uint8_t b[static VOPRF_ELEMENT_BYTES])
{
	if ((a != NULL ? crypto_scalarmult_ristretto255(out, s, a) :
			 crypto_scalarmult_ristretto255_base(out, s)) != 0)
		return ERR_CRYPTO;
	return sum_add(out, c, b);
}

static enum err
sum_batch(struct composites *c, const struct voprf_batch *b)
{
	uint8_t d[VOPRF_SCALAR_BYTES];

	for (size_t i = 0; i < b->n; i++) {
		if (!voprf_element_valid(b->blinded[i]) || !voprf_element_valid(b->evaluated[i]))
			return ERR_MALFORMED;
		weight(d, c, i, b->blinded[i], b->evaluated[i]);
		if (sum_add(c->m, d, b->blinded[i]) != ERR_OK ||
		    sum_add(c->z, d, b->evaluated[i]) != ERR_OK)
			return ERR_SIGNATURE;
	}
	return ERR_OK;
}

enum err
voprf_verify(const struct voprf_batch *b, const uint8_t pk[static VOPRF_ELEMENT_BYTES],
    const uint8_t proof[static VOPRF_PROOF_BYTES])
{
	const uint8_t *s = proof + VOPRF_SCALAR_BYTES;
	uint8_t t2[VOPRF_ELEMENT_BYTES], t3[VOPRF_ELEMENT_BYTES], expected[VOPRF_SCALAR_BYTES];
	struct composites c;
	enum err e;

	if (b->n == 0 || b->n > VOPRF_BATCH_MAX)
		return ERR_USAGE;
	if (!voprf_element_valid(pk) || !voprf_scalar_valid(proof) || !voprf_scalar_valid(s))
		return ERR_MALFORMED;
	composites_begin(&c, pk);
	e = sum_batch(&c, b);
	if (e != ERR_OK)
		return e;
	if (combine(t2, s, NULL, proof, pk) != ERR_OK || combine(t3, s, c.m, proof, c.z) != ERR_OK)
		return ERR_SIGNATURE;
	challenge(expected, pk, &c, t2, t3);
	return sodium_memcmp(expected, proof, sizeof(expected)) == 0 ? ERR_OK : ERR_SIGNATURE;
}

/*
 * One inversion for all: the inverse of the product of all blinds, times the product
 * of those before the last, is the last one's inverse; and so on to the first
 * (P. Montgomery, "Speeding the Pollard and elliptic curve methods", 1987, 10.3.1).
 */
static enum err
invert_all(uint8_t (*inverse)[VOPRF_SCALAR_BYTES], const uint8_t (*blinds)[VOPRF_SCALAR_BYTES],
    size_t n)
{
	uint8_t product[VOPRF_SCALAR_BYTES] = { 1 }, rest[VOPRF_SCALAR_BYTES];

	for (size_t i = 0; i < n; i++) {
		if (!voprf_scalar_valid(blinds[i])) {
			sodium_memzero(product, sizeof(product));
			return ERR_RANGE;
		}
		memcpy(inverse[i], product, sizeof(product)); /* of those before */
		crypto_core_ristretto255_scalar_mul(product, product, blinds[i]);
	}
	(void)crypto_core_ristretto255_scalar_invert(rest, product); /* fails for zero alone */
	for (size_t i = n; i-- > 0;) {
		crypto_core_ristretto255_scalar_mul(inverse[i], inverse[i], rest);
		crypto_core_ristretto255_scalar_mul(rest, rest, blinds[i]);
	}
	sodium_memzero(product, sizeof(product));
	sodium_memzero(rest, sizeof(rest));
	return ERR_OK;
}

enum err
voprf_unblind(uint8_t (*unblinded)[VOPRF_ELEMENT_BYTES], const struct voprf_batch *b,
    const uint8_t pk[static VOPRF_ELEMENT_BYTES], const uint8_t proof[static VOPRF_PROOF_BYTES])
{
	uint8_t inverse[VOPRF_BATCH_MAX][VOPRF_SCALAR_BYTES];
	uint8_t element[VOPRF_ELEMENT_BYTES];
	enum err e = voprf_verify(b, pk, proof);

	if (e == ERR_OK)
		e = invert_all(inverse, b->blinds, b->n);
	/* None of these fails: an element and a scalar that are valid give a valid element. */
	for (size_t i = 0; e == ERR_OK && i < b->n; i++) {
		if (crypto_scalarmult_ristretto255(element, inverse[i], b->evaluated[i]) != 0)
			e = ERR_CRYPTO;
		else
			memcpy(unblinded[i], element, sizeof(element));
	}
	sodium_memzero(inverse, sizeof(inverse));
	sodium_memzero(element, sizeof(element));
	return e;
}

void
voprf_finalize(uint8_t out[static VOPRF_OUTPUT_BYTES], const void *input, size_t len,
    const uint8_t unblinded[static VOPRF_ELEMENT_BYTES])
{
	static const char name[] = "Finalize";
	const struct length input_len = length(len), element_len = length(VOPRF_ELEMENT_BYTES);
	const struct hash_part parts[] = { { input_len.bytes, 2 }, { input, len },
		{ element_len.bytes, 2 }, { unblinded, VOPRF_ELEMENT_BYTES },
		{ name, sizeof(name) - 1 } };

	sha512(out, parts, 5);
}

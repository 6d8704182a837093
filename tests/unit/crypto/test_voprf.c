#include "config.h"

#include "tests/lib/test.h"

#include <sodium.h>
#include <string.h>

#include "common/base/encode.h"
#include "common/crypto/voprf.h"
#include "tests/unit/crypto/voprf_vectors.h"

#define INPUT_BYTES 32
#define N 5

/* ---- published vectors ---- */

/* The i-th of a list; returns its length in bytes. */
static size_t
item(uint8_t *out, size_t room, const char *list, unsigned i)
{
	size_t len;

	while (i-- > 0)
		list = strchr(list, ',') + 1;
	len = strcspn(list, ",");
	assert_true(len / 2 <= room);
	assert_err_ok(encode_from_hex(out, len / 2, list, len));
	return len / 2;
}

static void
vector_key(struct voprf_key *k)
{
	uint8_t seed[VOPRF_SEED_BYTES], info[64], want[32];
	size_t info_len = item(info, sizeof(info), VECTOR_KEY_INFO, 0);

	(void)item(seed, sizeof(seed), VECTOR_SEED, 0);
	assert_err_ok(voprf_derive_key(k, seed, info, info_len));
	(void)item(want, sizeof(want), VECTOR_SK, 0);
	assert_memory_equal(k->sk, want, sizeof(want));
	(void)item(want, sizeof(want), VECTOR_PK, 0);
	assert_memory_equal(k->pk, want, sizeof(want));
}

/* A whole exchange of n tokens: what both sides have of it. */
struct exchange {
	struct voprf_key key;
	size_t n, len[VOPRF_BATCH_MAX];
	uint8_t input[VOPRF_BATCH_MAX][INPUT_BYTES], blinds[VOPRF_BATCH_MAX][32];
	uint8_t blinded[VOPRF_BATCH_MAX][32], evaluated[VOPRF_BATCH_MAX][32];
	uint8_t unblinded[VOPRF_BATCH_MAX][32], r[32], proof[VOPRF_PROOF_BYTES];
};

static const uint8_t (*view(const uint8_t a[][32]))[32]
{
	return (const uint8_t (*)[32])a;
}

static struct voprf_batch
batch(const struct exchange *x)
{
	return (struct voprf_batch){ .n = x->n, .blinds = view(x->blinds),
		.blinded = view(x->blinded), .evaluated = view(x->evaluated) };
}

static enum err
unblind(struct exchange *x)
{
	struct voprf_batch b = batch(x);

	return voprf_unblind(x->unblinded, &b, x->key.pk, x->proof);
}

static void
run(struct exchange *x)
{
	for (size_t i = 0; i < x->n; i++)
		assert_err_ok(voprf_blind(x->blinded[i], x->input[i], x->len[i], x->blinds[i]));
	assert_err_ok(voprf_evaluate(x->evaluated, x->proof, &x->key, view(x->blinded), x->n, x->r));
	assert_err_ok(unblind(x));
}

static void
same(const uint8_t *got, const char *list, unsigned i)
{
	uint8_t want[VOPRF_OUTPUT_BYTES];
	size_t n = item(want, sizeof(want), list, i);

	assert_memory_equal(got, want, n);
}

static void
test_vectors(void **state)
{
	static struct exchange x;
	uint8_t out[VOPRF_OUTPUT_BYTES];

	(void)state;
	for (size_t c = 0; c < sizeof(voprf_vectors) / sizeof(voprf_vectors[0]); c++) {
		const struct voprf_vector *v = &voprf_vectors[c];

		vector_key(&x.key);
		x.n = v->n;
		(void)item(x.r, sizeof(x.r), v->r, 0);
		for (unsigned i = 0; i < v->n; i++) {
			x.len[i] = item(x.input[i], INPUT_BYTES, v->inputs, i);
			(void)item(x.blinds[i], 32, v->blinds, i);
		}
		run(&x);
		same(x.proof, v->proof, 0);
		for (unsigned i = 0; i < v->n; i++) {
			same(x.blinded[i], v->blinded, i);
			same(x.evaluated[i], v->evaluated, i);
			voprf_finalize(out, x.input[i], x.len[i], x.unblinded[i]);
			same(out, v->outputs, i);
			assert_err_ok(voprf_output(out, &x.key, x.input[i], x.len[i]));
			same(out, v->outputs, i);
		}
	}
}

/* ---- any exchange ---- */

static void
random_scalar(uint8_t s[static 32])
{
	uint8_t wide[VOPRF_WIDE_BYTES];

	rng_bytes(test_rng(), wide, sizeof(wide));
	assert_err_ok(voprf_scalar(s, wide));
}

static void
random_key(struct voprf_key *k)
{
	uint8_t seed[VOPRF_SEED_BYTES];

	rng_bytes(test_rng(), seed, sizeof(seed));
	assert_err_ok(voprf_derive_key(k, seed, "test", 4));
}

static void
random_exchange(struct exchange *x, size_t n)
{
	random_key(&x->key);
	random_scalar(x->r);
	x->n = n;
	for (size_t i = 0; i < n; i++) {
		x->len[i] = rng_below(test_rng(), INPUT_BYTES + 1);
		rng_bytes(test_rng(), x->input[i], INPUT_BYTES);
		random_scalar(x->blinds[i]);
	}
	run(x);
}

static void
test_both_sides_have_the_same_output(void **state)
{
	static const size_t sizes[] = { 1, 2, 3, 17, VOPRF_BATCH_MAX };
	static struct exchange x;
	uint8_t out[VOPRF_OUTPUT_BYTES], want[VOPRF_OUTPUT_BYTES];

	(void)state;
	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		random_exchange(&x, sizes[s]);
		for (size_t i = 0; i < x.n; i++) {
			voprf_finalize(out, x.input[i], x.len[i], x.unblinded[i]);
			assert_err_ok(voprf_output(want, &x.key, x.input[i], x.len[i]));
			assert_memory_equal(out, want, sizeof(want));
		}
	}
}

/* Any other blind makes another element for the same input, and the same output. */
static void
test_blinds_hide(void **state)
{
	static struct exchange a, b;

	(void)state;
	random_exchange(&a, N);
	b = a;
	random_scalar(b.r);
	for (size_t i = 0; i < N; i++)
		random_scalar(b.blinds[i]);
	run(&b);
	for (size_t i = 0; i < N; i++) {
		assert_memory_not_equal(a.blinded[i], b.blinded[i], 32);
		assert_memory_not_equal(a.evaluated[i], b.evaluated[i], 32);
		assert_memory_equal(a.unblinded[i], b.unblinded[i], 32);
	}
}

static void
test_derived_keys(void **state)
{
	uint8_t seed[VOPRF_SEED_BYTES], pk[32];
	struct voprf_key a, b;

	(void)state;
	rng_bytes(test_rng(), seed, sizeof(seed));
	assert_err_ok(voprf_derive_key(&a, seed, "one", 3));
	assert_err_ok(voprf_derive_key(&b, seed, "two", 3));
	assert_memory_not_equal(a.sk, b.sk, 32);
	assert_true(voprf_scalar_valid(a.sk));
	assert_int_equal(crypto_scalarmult_ristretto255_base(pk, a.sk), 0);
	assert_memory_equal(pk, a.pk, 32);
	assert_err(voprf_derive_key(&b, seed, "x", VOPRF_INFO_MAX + 1), ERR_USAGE);
}

/* ---- what is refused ---- */

/* The group's order, as a scalar; what is below it is canonical. */
static const uint8_t order[32] = { 0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7,
	0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10 };

static void
test_scalars(void **state)
{
	uint8_t s[32], wide[VOPRF_WIDE_BYTES] = { 0 };

	(void)state;
	memcpy(s, order, sizeof(s));
	assert_false(voprf_scalar_valid(s));
	s[0]++;
	assert_false(voprf_scalar_valid(s));
	s[0] -= 2;
	assert_true(voprf_scalar_valid(s));
	memset(s, 0xff, sizeof(s));
	assert_false(voprf_scalar_valid(s));
	memset(s, 0, sizeof(s));
	assert_false(voprf_scalar_valid(s));
	s[0] = 1;
	assert_true(voprf_scalar_valid(s));
	assert_err(voprf_scalar(s, wide), ERR_CRYPTO);
	memcpy(wide, order, sizeof(order));
	assert_err(voprf_scalar(s, wide), ERR_CRYPTO);
	for (int i = 0; i < 100; i++) {
		random_scalar(s);
		assert_true(voprf_scalar_valid(s));
	}
}

/* RFC 9496, appendix A.2: encodings that decode to nothing. */
static const char *const bad_elements[] = {
	"00ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"f3ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"0100000000000000000000000000000000000000000000000000000000000000",
	"01ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"ed57ffd8c914fb201471d1c3d245ce3c746fcbe63a3679d51b6a516ebebe0e20",
	"c34c4e1826e5d403b78e246e88aa051c36ccf0aafebffe137d148a2bf9104562",
	"26948d35ca62e643e26a83177332e6b6afeb9d08e4268b650f1f5bbd8d81d371",
	"4eac077a713c57b4f4397629a4145982c661f48044dd3f96427d40b147d9742f",
	"3eb858e78f5a7254d8c9731174a94f76755fd3941c0ac93735c07ba14579630e",
	"a45fdc55c76448c049a1ab33f17023edfb2be3581e9c7aade8a6125215e04220",
	"0000000000000000000000000000000000000000000000000000000000000000",
};
#define BAD (sizeof(bad_elements) / sizeof(bad_elements[0]))

static void
test_elements_that_are_none(void **state)
{
	static struct exchange x;
	static const uint8_t zero[N * 32];
	uint8_t bad[32], evaluated[N][32], proof[VOPRF_PROOF_BYTES], was[32];

	(void)state;
	random_exchange(&x, N);
	for (size_t i = 0; i < BAD; i++) {
		size_t at = rng_below(test_rng(), N);

		(void)item(bad, sizeof(bad), bad_elements[i], 0);
		assert_false(voprf_element_valid(bad));
		memcpy(was, x.blinded[at], 32);
		memcpy(x.blinded[at], bad, 32);
		memset(evaluated, 7, sizeof(evaluated));
		assert_err(voprf_evaluate(evaluated, proof, &x.key, view(x.blinded), N, x.r),
		    ERR_MALFORMED);
		assert_memory_equal(evaluated, zero, sizeof(evaluated));
		assert_memory_equal(proof, zero, sizeof(proof));
		assert_err(unblind(&x), ERR_MALFORMED);
		memcpy(x.blinded[at], was, 32);

		memcpy(was, x.evaluated[at], 32);
		memcpy(x.evaluated[at], bad, 32);
		assert_err(unblind(&x), ERR_MALFORMED);
		memcpy(x.evaluated[at], was, 32);

		memcpy(was, x.key.pk, 32);
		memcpy(x.key.pk, bad, 32);
		assert_err(unblind(&x), ERR_MALFORMED);
		memcpy(x.key.pk, was, 32);
	}
	assert_err_ok(unblind(&x));
}

static void
test_scalars_that_are_none(void **state)
{
	static struct exchange x;
	uint8_t out[32], evaluated[N][32], proof[VOPRF_PROOF_BYTES], zero[32] = { 0 };

	(void)state;
	random_exchange(&x, N);
	assert_err(voprf_blind(out, "x", 1, order), ERR_RANGE);
	assert_err(voprf_blind(out, "x", 1, zero), ERR_RANGE);
	assert_err(voprf_blind(out, x.input, VOPRF_INPUT_MAX + 1, x.blinds[0]), ERR_USAGE);
	assert_err(voprf_evaluate(evaluated, proof, &x.key, view(x.blinded), N, order), ERR_RANGE);
	assert_err(voprf_evaluate(evaluated, proof, &x.key, view(x.blinded), N, zero), ERR_RANGE);
	memcpy(proof, x.proof, sizeof(proof));
	memcpy(x.proof, order, 32);
	assert_err(unblind(&x), ERR_MALFORMED);
	memcpy(x.proof, proof, sizeof(proof));
	memcpy(x.proof + 32, zero, 32);
	assert_err(unblind(&x), ERR_MALFORMED);
	memcpy(x.proof, proof, sizeof(proof));
	memcpy(x.blinds[2], order, 32);
	memset(x.unblinded, 7, sizeof(x.unblinded));
	memset(evaluated, 7, sizeof(evaluated));
	assert_err(unblind(&x), ERR_RANGE);
	assert_memory_equal(x.unblinded, evaluated, sizeof(evaluated));
}

static void
test_batch_sizes(void **state)
{
	static struct exchange x;

	(void)state;
	random_exchange(&x, VOPRF_BATCH_MAX);
	x.n = 0;
	assert_err(unblind(&x), ERR_USAGE);
	assert_err(voprf_evaluate(x.evaluated, x.proof, &x.key, view(x.blinded), 0, x.r), ERR_USAGE);
	x.n = VOPRF_BATCH_MAX + 1;
	assert_err(unblind(&x), ERR_USAGE);
	assert_err(voprf_evaluate(x.evaluated, x.proof, &x.key, view(x.blinded), x.n, x.r), ERR_USAGE);
}

/* A single bit of the proof, anywhere. */
static void
test_proof_with_a_bit_flipped(void **state)
{
	static struct exchange x;
	enum err e;

	(void)state;
	random_exchange(&x, 2);
	for (size_t bit = 0; bit < VOPRF_PROOF_BYTES * 8; bit += 1 + rng_below(test_rng(), 8)) {
		x.proof[bit / 8] ^= (uint8_t)(1u << bit % 8);
		e = unblind(&x);
		assert_true(e == ERR_SIGNATURE || e == ERR_MALFORMED);
		x.proof[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	assert_err_ok(unblind(&x));
}

/* The issuer that tags a member: another key for all, for one, or another public key. */
static void
test_another_key(void **state)
{
	static struct exchange x, y;
	struct voprf_key other;

	(void)state;
	random_exchange(&x, N);
	random_key(&other);
	y = x;
	memcpy(y.key.pk, other.pk, 32);
	assert_err(unblind(&y), ERR_SIGNATURE);

	y = x;
	assert_err_ok(voprf_evaluate(y.evaluated, y.proof, &other, view(y.blinded), N, y.r));
	assert_err(unblind(&y), ERR_SIGNATURE);

	/* elements of another key, but a proof with the public key that is known */
	memcpy(other.pk, x.key.pk, 32);
	assert_err_ok(voprf_evaluate(y.evaluated, y.proof, &other, view(y.blinded), N, y.r));
	assert_err(unblind(&y), ERR_SIGNATURE);

	for (size_t i = 0; i < N; i++) {
		y = x;
		assert_int_equal(
		    crypto_scalarmult_ristretto255(y.evaluated[i], other.sk, y.blinded[i]), 0);
		assert_err(unblind(&y), ERR_SIGNATURE);
	}
}

/* Two results changed places, or were changed so that their sum stays. */
static void
test_results_that_sum_up(void **state)
{
	static struct exchange x, y;

	(void)state;
	random_exchange(&x, N);
	y = x;
	memcpy(y.evaluated[0], x.evaluated[1], 32);
	memcpy(y.evaluated[1], x.evaluated[0], 32);
	assert_err(unblind(&y), ERR_SIGNATURE);
	y = x;
	assert_int_equal(crypto_core_ristretto255_add(y.evaluated[0], x.evaluated[0], x.key.pk), 0);
	assert_int_equal(crypto_core_ristretto255_sub(y.evaluated[1], x.evaluated[1], x.key.pk), 0);
	assert_err(unblind(&y), ERR_SIGNATURE);
	y = x;
	y.n = N - 1;
	assert_err(unblind(&y), ERR_SIGNATURE);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_vectors),
	cmocka_unit_test(test_both_sides_have_the_same_output),
	cmocka_unit_test(test_blinds_hide),
	cmocka_unit_test(test_derived_keys),
	cmocka_unit_test(test_scalars),
	cmocka_unit_test(test_elements_that_are_none),
	cmocka_unit_test(test_scalars_that_are_none),
	cmocka_unit_test(test_batch_sizes),
	cmocka_unit_test(test_proof_with_a_bit_flipped),
	cmocka_unit_test(test_another_key),
	cmocka_unit_test(test_results_that_sum_up),
};
TEST_MAIN(tests)

#include "config.h"

#include "tests/lib/test.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/encode.h"
#include "common/crypto/noise.h"
#include "tests/unit/crypto/noise_vectors.h"

#define BYTES_MAX 512

/* One side of a handshake with what the vectors and tests fix about it. */
struct side {
	uint8_t sk[32], pk[32], ephemeral[32];
	struct rng rng;
	struct noise *noise;
	struct noise_cipher send, receive;
	uint8_t hash[NOISE_HASH_BYTES];
};

struct pair {
	struct side initiator, responder;
};

static void
fill_ephemeral(void *ctx, void *out, size_t n)
{
	const struct side *s = ctx;

	assert_int_equal(n, sizeof(s->ephemeral));
	memcpy(out, s->ephemeral, n);
}

static size_t
from_hex(uint8_t out[static BYTES_MAX], const char *text)
{
	size_t len = strlen(text);

	assert_true(len / 2 <= BYTES_MAX);
	assert_err_ok(encode_from_hex(out, len / 2, text, len));
	return len / 2;
}

static void
side_random(struct side *s)
{
	memset(s, 0, sizeof(*s));
	rng_bytes(test_rng(), s->sk, sizeof(s->sk));
	crypto_scalarmult_base(s->pk, s->sk);
	rng_bytes(test_rng(), s->ephemeral, sizeof(s->ephemeral));
	s->rng = (struct rng){ .fill = fill_ephemeral, .ctx = s };
}

static bool
has_static(enum noise_pattern p, bool initiator)
{
	return !initiator || p != NOISE_NK;
}

static bool
knows_peer(enum noise_pattern p, bool initiator)
{
	return p == NOISE_KK || (p == NOISE_NK && initiator);
}

static struct noise_config
config_of(enum noise_pattern p, bool initiator, const struct side *own, const struct side *peer,
    const char *prologue)
{
	struct noise_config c = { .pattern = p, .initiator = initiator, .prologue = prologue,
		.prologue_len = strlen(prologue), .keys = &own->rng };

	if (has_static(p, initiator)) {
		c.own_sk = own->sk;
		c.own_pk = own->pk;
	}
	if (knows_peer(p, initiator))
		c.peer_pk = peer->pk;
	return c;
}

static void
start(struct pair *p, enum noise_pattern pattern, const char *prologue_i, const char *prologue_r)
{
	struct noise_config ci =
	    config_of(pattern, true, &p->initiator, &p->responder, prologue_i);
	struct noise_config cr =
	    config_of(pattern, false, &p->responder, &p->initiator, prologue_r);

	assert_err_ok(noise_new(&p->initiator.noise, &ci));
	assert_err_ok(noise_new(&p->responder.noise, &cr));
}

static void
pair_random(struct pair *p, enum noise_pattern pattern)
{
	side_random(&p->initiator);
	side_random(&p->responder);
	start(p, pattern, "prologue", "prologue");
}

static void
pair_free(struct pair *p)
{
	noise_free(p->initiator.noise);
	noise_free(p->responder.noise);
}

/* The side whose turn it is, and the other. */
static struct side *
writer_of(struct pair *p, struct side **reader)
{
	bool initiator = noise_to_write(p->initiator.noise);

	*reader = initiator ? &p->responder : &p->initiator;
	return initiator ? &p->initiator : &p->responder;
}

/* Pass one message without payload. */
static void
pass(struct pair *p)
{
	uint8_t msg[BYTES_MAX], none[1];
	struct side *to, *from = writer_of(p, &to);
	size_t len = noise_overhead(from->noise);

	assert_int_equal(len, noise_overhead(to->noise));
	assert_err_ok(noise_write(from->noise, msg, NULL, 0));
	assert_err_ok(noise_read(to->noise, none, msg, len));
}

static void
finish(struct pair *p)
{
	while (!noise_done(p->initiator.noise))
		pass(p);
	assert_true(noise_done(p->responder.noise));
	assert_err_ok(noise_split(p->initiator.noise, &p->initiator.send, &p->initiator.receive,
	    p->initiator.hash));
	assert_err_ok(noise_split(p->responder.noise, &p->responder.send, &p->responder.receive,
	    p->responder.hash));
}

/* ---- vectors ---- */

static void
vector_handshake_message(struct pair *p, const char *payload_hex, const char *ciphertext_hex)
{
	uint8_t payload[BYTES_MAX], want[BYTES_MAX], got[BYTES_MAX], back[BYTES_MAX];
	size_t payload_len = from_hex(payload, payload_hex), len = from_hex(want, ciphertext_hex);
	struct side *to, *from = writer_of(p, &to);

	assert_int_equal(payload_len + noise_overhead(from->noise), len);
	assert_err_ok(noise_write(from->noise, got, payload, payload_len));
	assert_memory_equal(got, want, len);
	assert_err_ok(noise_read(to->noise, back, got, len));
	assert_memory_equal(back, payload, payload_len);
}

static void
vector_transport_message(struct side *from, struct side *to, const char *payload_hex,
    const char *ciphertext_hex)
{
	uint8_t payload[BYTES_MAX], want[BYTES_MAX], got[BYTES_MAX];
	size_t payload_len = from_hex(payload, payload_hex), len = from_hex(want, ciphertext_hex);

	assert_int_equal(payload_len + NOISE_TAG_BYTES, len);
	assert_err_ok(noise_encrypt(&from->send, got, payload, payload_len));
	assert_memory_equal(got, want, len);
	assert_err_ok(noise_decrypt(&to->receive, got, got, payload_len));
	assert_memory_equal(got, payload, payload_len);
}

static void
vector_side(struct side *s, const char *static_hex, const char *ephemeral_hex)
{
	uint8_t bytes[BYTES_MAX];

	memset(s, 0, sizeof(*s));
	if (static_hex != NULL) {
		assert_int_equal(from_hex(bytes, static_hex), 32);
		memcpy(s->sk, bytes, 32);
		crypto_scalarmult_base(s->pk, s->sk);
	}
	assert_int_equal(from_hex(bytes, ephemeral_hex), 32);
	memcpy(s->ephemeral, bytes, 32);
	s->rng = (struct rng){ .fill = fill_ephemeral, .ctx = s };
}

static void
check_vector(const struct noise_vector *v)
{
	struct pair p;
	uint8_t bytes[BYTES_MAX];
	char prologue[BYTES_MAX];
	size_t i = 0, n = from_hex(bytes, v->prologue);

	memcpy(prologue, bytes, n);
	prologue[n] = '\0';
	vector_side(&p.initiator, v->init_static, v->init_ephemeral);
	vector_side(&p.responder, v->resp_static, v->resp_ephemeral);
	start(&p, v->pattern, prologue, prologue);
	for (; !noise_done(p.initiator.noise); i++)
		vector_handshake_message(&p, v->messages[i].payload, v->messages[i].ciphertext);
	finish(&p);
	assert_int_equal(from_hex(bytes, v->handshake_hash), NOISE_HASH_BYTES);
	assert_memory_equal(p.initiator.hash, bytes, NOISE_HASH_BYTES);
	assert_memory_equal(p.responder.hash, bytes, NOISE_HASH_BYTES);
	for (; i < NOISE_VECTOR_MESSAGES; i++) {
		struct side *from = i % 2 == 0 ? &p.initiator : &p.responder;
		struct side *to = i % 2 == 0 ? &p.responder : &p.initiator;

		vector_transport_message(from, to, v->messages[i].payload,
		    v->messages[i].ciphertext);
	}
	pair_free(&p);
}

static void
test_vectors(void **state)
{
	(void)state;
	assert_int_equal(sizeof(noise_vectors) / sizeof(noise_vectors[0]), 3);
	for (size_t i = 0; i < sizeof(noise_vectors) / sizeof(noise_vectors[0]); i++)
		check_vector(&noise_vectors[i]);
}

/* ---- what must fail ---- */

static void
test_missing_and_superfluous_keys(void **state)
{
	struct side a, b;
	struct noise *n;

	(void)state;
	side_random(&a);
	side_random(&b);
	for (enum noise_pattern p = NOISE_NK; p <= NOISE_XX; p++)
		for (int initiator = 0; initiator <= 1; initiator++) {
			struct noise_config good = config_of(p, initiator, &a, &b, "x"), c = good;

			c.own_sk = good.own_sk != NULL ? NULL : a.sk;
			assert_err(noise_new(&n, &c), ERR_USAGE);
			c = good;
			c.own_pk = good.own_pk != NULL ? NULL : a.pk;
			assert_err(noise_new(&n, &c), ERR_USAGE);
			c = good;
			c.peer_pk = good.peer_pk != NULL ? NULL : b.pk;
			assert_err(noise_new(&n, &c), ERR_USAGE);
			c = good;
			c.keys = NULL;
			assert_err(noise_new(&n, &c), ERR_USAGE);
		}
}

/* After a message that fails nothing works but noise_free. */
static void
assert_dead(struct noise *n)
{
	struct noise_cipher a, b;
	uint8_t msg[BYTES_MAX] = { 0 }, out[BYTES_MAX];

	assert_false(noise_done(n));
	assert_false(noise_to_write(n));
	assert_int_equal(noise_overhead(n), 0);
	assert_err(noise_read(n, out, msg, 64), ERR_STATE);
	assert_err(noise_write(n, out, msg, 1), ERR_STATE);
	assert_err(noise_split(n, &a, &b, NULL), ERR_STATE);
}

/*
 * Run up to message `at`, flip a bit of its byte `byte`, and see the handshake
 * end: there, or with the next message if nothing authenticates it yet (XX, the
 * first one). Returns whether the message has such a byte.
 */
static bool
tamper(enum noise_pattern pattern, unsigned at, size_t byte)
{
	struct pair p;
	struct side *from, *to;
	uint8_t msg[BYTES_MAX], out[BYTES_MAX];
	uint8_t payload[] = "payload";
	size_t len;
	enum err e;

	pair_random(&p, pattern);
	for (unsigned i = 0; i < at; i++)
		pass(&p);
	from = writer_of(&p, &to);
	len = noise_overhead(from->noise) + sizeof(payload);
	assert_err_ok(noise_write(from->noise, msg, payload, sizeof(payload)));
	if (byte < len) {
		msg[byte] ^= (uint8_t)(1u << rng_below(test_rng(), 8));
		e = noise_read(to->noise, out, msg, len);
		if (e == ERR_OK) {
			assert_true(pattern == NOISE_XX && at == 0);
			len = noise_overhead(to->noise);
			assert_err_ok(noise_write(to->noise, msg, NULL, 0));
			e = noise_read(from->noise, out, msg, len);
			assert_dead(from->noise);
		} else {
			assert_dead(to->noise);
		}
		assert_err(e, ERR_CRYPTO);
	}
	pair_free(&p);
	return byte < len;
}

static void
test_tampered_messages(void **state)
{
	(void)state;
	for (enum noise_pattern p = NOISE_NK; p <= NOISE_XX; p++)
		for (unsigned at = 0; at < (p == NOISE_XX ? 3 : 2); at++)
			for (size_t byte = 0; tamper(p, at, byte);)
				byte++;
}

static void
test_wrong_lengths(void **state)
{
	struct pair p;
	uint8_t msg[BYTES_MAX] = { 0 }, out[BYTES_MAX];
	uint8_t *big = calloc(1, NOISE_MESSAGE_MAX + 1);
	size_t len;

	(void)state;
	assert_non_null(big);
	for (len = 0; len <= 100; len++) {
		pair_random(&p, NOISE_KK);
		if (len != noise_overhead(p.initiator.noise)) {
			assert_err_ok(noise_write(p.initiator.noise, msg, NULL, 0));
			assert_err(noise_read(p.responder.noise, out, msg, len), ERR_CRYPTO);
			assert_dead(p.responder.noise);
		}
		pair_free(&p);
	}
	pair_random(&p, NOISE_NK);
	assert_err(noise_write(p.initiator.noise, big, big, NOISE_MESSAGE_MAX - 47), ERR_RANGE);
	assert_err(noise_read(p.responder.noise, big, big, NOISE_MESSAGE_MAX + 1), ERR_CRYPTO);
	pair_free(&p);
	free(big);
}

static void
test_longest_message(void **state)
{
	struct pair p;
	size_t len = NOISE_MESSAGE_MAX - 48;
	uint8_t *msg = malloc(NOISE_MESSAGE_MAX), *back = malloc(len);
	uint8_t *payload = malloc(len);

	(void)state;
	assert_true(msg != NULL && back != NULL && payload != NULL);
	rng_bytes(test_rng(), payload, len);
	pair_random(&p, NOISE_NK);
	assert_err_ok(noise_write(p.initiator.noise, msg, payload, len));
	assert_err_ok(noise_read(p.responder.noise, back, msg, NOISE_MESSAGE_MAX));
	assert_memory_equal(back, payload, len);
	/* in place */
	pair_free(&p);
	pair_random(&p, NOISE_NK);
	memcpy(msg + 32, payload, len);
	assert_err_ok(noise_write(p.initiator.noise, msg, msg + 32, len));
	assert_err_ok(noise_read(p.responder.noise, msg + 32, msg, NOISE_MESSAGE_MAX));
	assert_memory_equal(msg + 32, payload, len);
	pair_free(&p);
	free(msg);
	free(back);
	free(payload);
}

static void
test_wrong_prologue(void **state)
{
	struct pair p;
	uint8_t msg[BYTES_MAX], none[1];
	size_t len;

	(void)state;
	for (enum noise_pattern pattern = NOISE_NK; pattern <= NOISE_KK; pattern++) {
		side_random(&p.initiator);
		side_random(&p.responder);
		start(&p, pattern, "network a", "network b");
		len = noise_overhead(p.initiator.noise);
		assert_err_ok(noise_write(p.initiator.noise, msg, NULL, 0));
		assert_err(noise_read(p.responder.noise, none, msg, len), ERR_CRYPTO);
		pair_free(&p);
	}
}

/* KK: whoever has another key than the one expected is found out. */
static void
test_wrong_static_key(void **state)
{
	struct pair p;
	struct side impostor;
	struct noise_config c;
	uint8_t msg[BYTES_MAX], none[1];
	size_t len;

	(void)state;
	pair_random(&p, NOISE_KK);
	side_random(&impostor);
	c = config_of(NOISE_KK, true, &impostor, &p.responder, "prologue");
	noise_free(p.initiator.noise);
	assert_err_ok(noise_new(&p.initiator.noise, &c));
	len = noise_overhead(p.initiator.noise);
	assert_err_ok(noise_write(p.initiator.noise, msg, NULL, 0));
	assert_err(noise_read(p.responder.noise, none, msg, len), ERR_CRYPTO);
	pair_free(&p);
}

/* A key of low order, static or ephemeral, ends the handshake on either side. */
static void
test_low_order_keys(void **state)
{
	struct pair p;
	uint8_t msg[BYTES_MAX] = { 0 }, none[1];
	size_t len;

	(void)state;
	side_random(&p.initiator);
	side_random(&p.responder);
	memset(p.responder.pk, 0, sizeof(p.responder.pk));
	start(&p, NOISE_NK, "", "");
	assert_err(noise_write(p.initiator.noise, msg, NULL, 0), ERR_CRYPTO);
	assert_dead(p.initiator.noise);
	pair_free(&p);

	pair_random(&p, NOISE_NK);
	len = noise_overhead(p.initiator.noise);
	assert_err_ok(noise_write(p.initiator.noise, msg, NULL, 0));
	memset(msg, 0, 32);
	assert_err(noise_read(p.responder.noise, none, msg, len), ERR_CRYPTO);
	assert_dead(p.responder.noise);
	pair_free(&p);
}

static void
test_role_misuse(void **state)
{
	struct pair p;
	struct noise_cipher a, b;
	uint8_t msg[BYTES_MAX], again[BYTES_MAX], none[1];
	size_t len;

	(void)state;
	for (enum noise_pattern pattern = NOISE_NK; pattern <= NOISE_XX; pattern++) {
		pair_random(&p, pattern);
		while (!noise_done(p.initiator.noise)) {
			struct side *to, *from = writer_of(&p, &to);

			len = noise_overhead(from->noise);
			assert_false(noise_to_write(to->noise));
			assert_err(noise_write(to->noise, again, NULL, 0), ERR_STATE);
			assert_err(noise_read(from->noise, none, again, len), ERR_STATE);
			assert_err(noise_split(from->noise, &a, &b, NULL), ERR_STATE);
			assert_err_ok(noise_write(from->noise, msg, NULL, 0));
			assert_err(noise_write(from->noise, again, NULL, 0), ERR_STATE);
			assert_err_ok(noise_read(to->noise, none, msg, len));
			assert_err(noise_read(to->noise, none, msg, len), ERR_STATE);
		}
		finish(&p);
		assert_err(noise_write(p.initiator.noise, msg, NULL, 0), ERR_STATE);
		assert_err(noise_read(p.responder.noise, none, msg, 48), ERR_STATE);
		assert_err(noise_split(p.initiator.noise, &a, &b, NULL), ERR_STATE);
		assert_int_equal(noise_overhead(p.initiator.noise), 0);
		pair_free(&p);
	}
}

/* ---- transport ---- */

static void
test_transport(void **state)
{
	struct pair p;
	uint8_t in[100], out[100 + NOISE_TAG_BYTES], back[100];

	(void)state;
	pair_random(&p, NOISE_KK);
	finish(&p);
	assert_memory_equal(p.initiator.hash, p.responder.hash, NOISE_HASH_BYTES);
	assert_memory_not_equal(p.initiator.send.key, p.initiator.receive.key, 32);
	for (size_t len = 0; len <= sizeof(in); len++) {
		rng_bytes(test_rng(), in, sizeof(in));
		assert_err_ok(noise_encrypt(&p.initiator.send, out, in, len));
		for (size_t i = 0; i < len + NOISE_TAG_BYTES; i++) {
			uint8_t bad[sizeof(out)];

			memcpy(bad, out, sizeof(bad));
			bad[i] ^= (uint8_t)(1u << rng_below(test_rng(), 8));
			assert_err(noise_decrypt(&p.responder.receive, back, bad, len), ERR_CRYPTO);
		}
		assert_err_ok(noise_decrypt(&p.responder.receive, back, out, len));
		assert_memory_equal(back, in, len);
		/* neither again nor by its own sender */
		assert_err(noise_decrypt(&p.responder.receive, back, out, len), ERR_CRYPTO);
		assert_err(noise_decrypt(&p.initiator.receive, back, out, len), ERR_CRYPTO);
	}
	pair_free(&p);
}

static void
test_counter_exhaustion(void **state)
{
	struct noise_cipher c = { .counter = UINT64_MAX - 1 }, d = c;
	uint8_t in[4] = "abc", out[sizeof(in) + NOISE_TAG_BYTES], back[sizeof(in)];

	(void)state;
	assert_err_ok(noise_encrypt(&c, out, in, sizeof(in)));
	assert_err_ok(noise_decrypt(&d, back, out, sizeof(in)));
	assert_err(noise_encrypt(&c, out, in, sizeof(in)), ERR_STATE);
	assert_err(noise_decrypt(&d, back, out, sizeof(in)), ERR_STATE);
	assert_true(c.counter == UINT64_MAX && d.counter == UINT64_MAX);
}

static void
test_transport_limits(void **state)
{
	struct noise_cipher c = { .counter = 0 }, d = c;
	size_t len = NOISE_MESSAGE_MAX - NOISE_TAG_BYTES;
	uint8_t *p = calloc(1, NOISE_MESSAGE_MAX + 1);

	(void)state;
	assert_non_null(p);
	assert_err(noise_encrypt(&c, p, p, len + 1), ERR_RANGE);
	assert_err(noise_decrypt(&d, p, p, len + 1), ERR_RANGE);
	assert_err_ok(noise_encrypt(&c, p, p, len));
	assert_err_ok(noise_decrypt(&d, p, p, len));
	assert_true(sodium_is_zero(p, len));
	free(p);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_vectors),
	cmocka_unit_test(test_missing_and_superfluous_keys),
	cmocka_unit_test(test_tampered_messages),
	cmocka_unit_test(test_wrong_lengths),
	cmocka_unit_test(test_longest_message),
	cmocka_unit_test(test_wrong_prologue),
	cmocka_unit_test(test_wrong_static_key),
	cmocka_unit_test(test_low_order_keys),
	cmocka_unit_test(test_role_misuse),
	cmocka_unit_test(test_transport),
	cmocka_unit_test(test_counter_exhaustion),
	cmocka_unit_test(test_transport_limits),
};
TEST_MAIN(tests)

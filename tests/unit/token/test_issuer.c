#include "config.h"

#include "tests/lib/test.h"

#include <stdlib.h>
#include <string.h>

#include "common/token/issuer.h"

#define EPOCH 83124

static struct issuer *
make(const struct params *p, uint32_t epoch, uint8_t first)
{
	const uint8_t seed[32] = { first };
	struct issuer *s;

	assert_err_ok(issuer_new(&s, p, epoch, seed));
	return s;
}

/* Registrar and gateway derive the same; every hour, epoch and seed has keys of its own. */
static void
test_keys(void **state)
{
	struct params p;
	struct issuer *a, *b, *c, *d;

	(void)state;
	params_default(&p);
	a = make(&p, EPOCH, 1);
	b = make(&p, EPOCH, 1);
	c = make(&p, EPOCH + 1, 1);
	d = make(&p, EPOCH, 2);
	assert_memory_equal(issuer_keys(a), issuer_keys(b), sizeof(struct issuer_keys));
	assert_int_equal(issuer_keys(a)->hours, 6);
	assert_non_null(issuer_ticket_key(a, 5));
	assert_null(issuer_ticket_key(a, 6));
	for (unsigned i = 0; i < 6; i++) {
		const uint8_t *pk = issuer_keys(a)->tickets[i];

		assert_memory_equal(issuer_ticket_key(a, i)->pk, pk, 32);
		assert_memory_not_equal(pk, issuer_keys(a)->stamp, 32);
		assert_memory_not_equal(pk, issuer_keys(c)->tickets[i], 32);
		assert_memory_not_equal(pk, issuer_keys(d)->tickets[i], 32);
		for (unsigned j = 0; j < i; j++)
			assert_memory_not_equal(pk, issuer_keys(a)->tickets[j], 32);
	}
	assert_memory_equal(issuer_keys_for(issuer_keys(a), TOKEN_TICKET, 0, 23),
	    issuer_keys(a)->tickets[5], 32);
	assert_memory_equal(issuer_keys_for(issuer_keys(a), TOKEN_STAMP, 3, 23),
	    issuer_keys(a)->stamp, 32);
	issuer_free(a);
	issuer_free(b);
	issuer_free(c);
	issuer_free(d);
}

static void
test_sheets(void **state)
{
	struct sheet *s = calloc(1, sizeof(*s));
	struct params p;
	struct issuer *a;

	(void)state;
	assert_non_null(s);
	params_default(&p);
	a = make(&p, EPOCH, 1);
	s->epoch = EPOCH;
	s->ticket_key_count = sheet_ticket_keys(&p);
	assert_true(issuer_keys_none_in_sheet(s));
	assert_false(issuer_keys_in_sheet(s, issuer_keys(a)));
	issuer_keys_to_sheet(s, issuer_keys(a));
	assert_true(issuer_keys_in_sheet(s, issuer_keys(a)));
	assert_false(issuer_keys_none_in_sheet(s));
	s->ticket_keys[5][31] ^= 1;
	assert_false(issuer_keys_in_sheet(s, issuer_keys(a)));
	s->ticket_keys[5][31] ^= 1;
	s->stamp_key[0] ^= 1;
	assert_false(issuer_keys_in_sheet(s, issuer_keys(a)));
	s->stamp_key[0] ^= 1;
	s->epoch++;
	assert_false(issuer_keys_in_sheet(s, issuer_keys(a)));
	issuer_free(a);
	free(s);
}

/* ---- redemption ---- */

#define RECORD 4096

static void
test_tickets(void **state)
{
	uint8_t nonce[32], proof[32], hash[64], output[VOPRF_OUTPUT_BYTES];
	struct params p;
	struct issuer *a;

	(void)state;
	params_default(&p);
	a = make(&p, EPOCH, 1);
	rng_bytes(test_rng(), nonce, sizeof(nonce));
	rng_bytes(test_rng(), hash, sizeof(hash));
	assert_err_ok(voprf_output(output, issuer_ticket_key(a, 2), nonce, 32));
	token_ticket_proof(proof, output, hash);
	assert_err_ok(issuer_redeem_ticket(a, 2, nonce, proof, hash));
	assert_err(issuer_redeem_ticket(a, 3, nonce, proof, hash), ERR_DENIED);
	assert_err(issuer_redeem_ticket(a, 6, nonce, proof, hash), ERR_RANGE);
	hash[63] ^= 1; /* another session */
	assert_err(issuer_redeem_ticket(a, 2, nonce, proof, hash), ERR_DENIED);
	hash[63] ^= 1;
	for (unsigned bit = 0; bit < 256; bit += 1 + rng_below(test_rng(), 30)) {
		proof[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_err(issuer_redeem_ticket(a, 2, nonce, proof, hash), ERR_DENIED);
		proof[bit / 8] ^= (uint8_t)(1u << bit % 8);
		nonce[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_err(issuer_redeem_ticket(a, 2, nonce, proof, hash), ERR_DENIED);
		nonce[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	issuer_free(a);
}

static void
test_stamps(void **state)
{
	static uint8_t record[RECORD];
	uint8_t stamp[TOKEN_SPENT_BYTES], output[VOPRF_OUTPUT_BYTES];
	struct params p;
	struct issuer *a, *b;

	(void)state;
	params_default(&p);
	a = make(&p, EPOCH, 1);
	b = make(&p, EPOCH + 1, 1);
	rng_bytes(test_rng(), stamp, sizeof(stamp));
	rng_bytes(test_rng(), record, sizeof(record));
	assert_err(issuer_redeem_stamp(a, stamp, record, RECORD), ERR_DENIED);
	assert_err_ok(voprf_output(output, issuer_stamp_key(a), stamp, TOKEN_NONCE_BYTES));
	token_stamp_proof(stamp + TOKEN_NONCE_BYTES, output, record, RECORD);
	assert_err_ok(issuer_redeem_stamp(a, stamp, record, RECORD));
	assert_err(issuer_redeem_stamp(b, stamp, record, RECORD), ERR_DENIED);
	record[RECORD - 1] ^= 1; /* nobody puts it on another record */
	assert_err(issuer_redeem_stamp(a, stamp, record, RECORD), ERR_DENIED);
	issuer_free(a);
	issuer_free(b);
}

/* Every place has a nonce and a blind of its own, and always the same. */
static void
test_places(void **state)
{
	static const struct token_place at[] = { { 1, 0, TOKEN_TICKET, 0 }, { 1, 0, TOKEN_TICKET, 1 },
		{ 1, 1, TOKEN_TICKET, 0 }, { 1, 0, TOKEN_STAMP, 0 }, { 2, 0, TOKEN_TICKET, 0 } };
	uint8_t nonce[6][32], blind[6][32], seed[32], again[2][32];

	(void)state;
	rng_bytes(test_rng(), seed, sizeof(seed));
	for (size_t i = 0; i < 6; i++) {
		seed[0] ^= i == 5;
		assert_err_ok(token_derive(nonce[i], blind[i], seed, &at[i % 5]));
		assert_err_ok(token_derive(again[0], again[1], seed, &at[i % 5]));
		assert_memory_equal(again[0], nonce[i], 32);
		assert_memory_equal(again[1], blind[i], 32);
		assert_true(voprf_scalar_valid(blind[i]));
		for (size_t j = 0; j < i; j++) {
			assert_memory_not_equal(nonce[i], nonce[j], 32);
			assert_memory_not_equal(blind[i], blind[j], 32);
		}
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_keys),
	cmocka_unit_test(test_sheets),
	cmocka_unit_test(test_tickets),
	cmocka_unit_test(test_stamps),
	cmocka_unit_test(test_places),
};
TEST_MAIN(tests)

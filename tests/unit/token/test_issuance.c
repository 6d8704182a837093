#include "config.h"

#include "tests/lib/test.h"

#include <stdlib.h>
#include <string.h>

#include "common/token/issuance.h"

#define EPOCH 83124

static const uint8_t code[32] = { 7 };

/* A member, an honest registrar, and what goes between them. */
struct world {
	struct params p;
	struct issuer *issuer;
	uint8_t wallet[32];
	struct issuance_request q;
	struct issuance_answer a;
	struct issuance_batch batch;
};

static struct issuer *
issuer_of(const struct params *p, uint32_t epoch, uint8_t first)
{
	const uint8_t seed[32] = { first };
	struct issuer *s;

	assert_err_ok(issuer_new(&s, p, epoch, seed));
	return s;
}

static int
set_up(void **state)
{
	static struct world w;

	params_default(&w.p);
	w.p.stamps = 150; /* a whole batch and a small one */
	w.issuer = issuer_of(&w.p, EPOCH, 1);
	rng_bytes(test_rng(), w.wallet, sizeof(w.wallet));
	*state = &w;
	return 0;
}

static int
tear_down(void **state)
{
	struct world *w = *state;

	issuer_free(w->issuer);
	return 0;
}

static void
ask(struct world *w, enum token_kind kind, uint32_t batch)
{
	w->q = (struct issuance_request){ .kind = kind, .epoch = EPOCH, .batch = batch };
	assert_err_ok(issuance_ask(&w->q, &w->p, code, w->wallet));
}

static void
serve(struct world *w)
{
	assert_int_equal(issuance_check(&w->q, &w->p), ISSUANCE_OK);
	issuance_serve(&w->a, w->issuer, &w->q, &w->p, test_rng());
	assert_int_equal(w->a.status, ISSUANCE_OK);
}

static enum err
take(struct world *w)
{
	return issuance_take(&w->batch, &w->q, &w->a, issuer_keys(w->issuer), &w->p, w->wallet);
}

/* Over the bytes, both ways. */
static void
carry(struct world *w)
{
	static uint8_t up[ISSUANCE_REQUEST_BYTES], down[ISSUANCE_ANSWER_BYTES];
	static struct issuance_request q;
	static struct issuance_answer a;

	issuance_request_encode(up, &w->q);
	assert_err_ok(issuance_request_decode(&q, up));
	assert_memory_equal(q.blinded, w->q.blinded, sizeof(q.blinded));
	assert_memory_equal(q.code, code, sizeof(q.code));
	assert_int_equal(q.kind, w->q.kind);
	assert_int_equal(q.batch, w->q.batch);
	issuance_answer_encode(down, &w->a);
	assert_err_ok(issuance_answer_decode(&a, down));
	assert_memory_equal(a.evaluated, w->a.evaluated, sizeof(a.evaluated));
	assert_memory_equal(a.proofs, w->a.proofs, sizeof(a.proofs));
	w->a = a;
}

/* Every token of every batch opens a session of its hour, or pays for a deposit. */
static void
test_all_that_is_fetched_can_be_spent(void **state)
{
	struct world *w = *state;
	uint8_t proof[32], hash[64] = { 3 }, stamp[64], record[100] = { 4 };

	ask(w, TOKEN_TICKET, 0);
	serve(w);
	carry(w);
	assert_err_ok(take(w));
	assert_int_equal(w->batch.n, 24);
	for (size_t i = 0; i < w->batch.n; i++) {
		token_ticket_proof(proof, w->batch.output[i], hash);
		assert_err_ok(issuer_redeem_ticket(w->issuer, allotment_hour(0, i),
		    w->batch.nonce[i], proof, hash));
	}
	for (uint32_t b = 0; b < 2; b++) {
		ask(w, TOKEN_STAMP, b);
		serve(w);
		carry(w);
		assert_err_ok(take(w));
		assert_int_equal(w->batch.n, b == 0 ? 128 : 22);
		for (size_t i = 0; i < w->batch.n; i++) {
			memcpy(stamp, w->batch.nonce[i], 32);
			token_stamp_proof(stamp + 32, w->batch.output[i], record, sizeof(record));
			assert_err_ok(issuer_redeem_stamp(w->issuer, stamp, record, sizeof(record)));
		}
	}
}

/* After a lost answer: the same request, the same elements, other proofs, the same tokens. */
static void
test_asking_again(void **state)
{
	struct world *w = *state;
	static struct issuance_request q;
	static struct issuance_answer a;
	static struct issuance_batch batch;
	uint8_t first[32], second[32];

	ask(w, TOKEN_STAMP, 1);
	serve(w);
	assert_err_ok(take(w));
	q = w->q;
	a = w->a;
	batch = w->batch;
	issuance_hash(first, &q);
	ask(w, TOKEN_STAMP, 1);
	issuance_hash(second, &w->q);
	assert_memory_equal(first, second, 32);
	serve(w);
	assert_memory_equal(a.evaluated, w->a.evaluated, sizeof(a.evaluated));
	assert_memory_not_equal(a.proofs[0], w->a.proofs[0], 64);
	assert_err_ok(take(w));
	assert_memory_equal(batch.output, w->batch.output, batch.n * VOPRF_OUTPUT_BYTES);
	w->wallet[0] ^= 1; /* somebody else with the same code */
	ask(w, TOKEN_STAMP, 1);
	issuance_hash(second, &w->q);
	assert_memory_not_equal(first, second, 32);
}

/* The hash says which batch it was, and does not depend on the code. */
static void
test_hash(void **state)
{
	struct world *w = *state;
	uint8_t first[32], other[32];

	ask(w, TOKEN_STAMP, 1);
	issuance_hash(first, &w->q);
	w->q.code[0] ^= 1;
	issuance_hash(other, &w->q);
	assert_memory_equal(first, other, 32);
	w->q.batch = 0;
	issuance_hash(other, &w->q);
	assert_memory_not_equal(first, other, 32);
	w->q.batch = 1;
	w->q.epoch++;
	issuance_hash(other, &w->q);
	assert_memory_not_equal(first, other, 32);
}

/* A registrar that marks one member with keys of its own, for all or for one hour. */
static void
test_a_registrar_that_marks(void **state)
{
	struct world *w = *state;
	struct issuer *marked = issuer_of(&w->p, EPOCH, 2), *honest = w->issuer;
	static struct issuance_answer good;

	ask(w, TOKEN_TICKET, 0);
	serve(w);
	good = w->a;
	issuance_serve(&w->a, marked, &w->q, &w->p, test_rng());
	memset(&w->batch, 7, sizeof(w->batch));
	assert_err(take(w), ERR_SIGNATURE);
	assert_int_equal(w->batch.nonce[0][0], 7);
	memcpy(w->a.evaluated, good.evaluated, sizeof(good.evaluated));
	memcpy(w->a.proofs, good.proofs, sizeof(good.proofs));
	assert_err_ok(take(w));
	issuance_serve(&w->a, marked, &w->q, &w->p, test_rng());
	for (unsigned hour = 0; hour < 5; hour++) { /* honest but for the last hour */
		memcpy(w->a.evaluated[hour * 4], good.evaluated[hour * 4], 4 * 32);
		memcpy(w->a.proofs[hour], good.proofs[hour], 64);
	}
	assert_err(take(w), ERR_SIGNATURE);
	w->issuer = honest;
	issuer_free(marked);
}

static void
test_answers_that_do_not_fit(void **state)
{
	struct world *w = *state;
	struct issuer *next = issuer_of(&w->p, EPOCH + 1, 1);

	ask(w, TOKEN_TICKET, 0);
	serve(w);
	assert_err(issuance_take(&w->batch, &w->q, &w->a, issuer_keys(next), &w->p, w->wallet),
	    ERR_EPOCH);
	issuance_serve(&w->a, next, &w->q, &w->p, test_rng());
	assert_int_equal(w->a.status, ISSUANCE_REQUEST);
	issuance_refuse(&w->a, ISSUANCE_CODE);
	assert_err(take(w), ERR_DENIED);
	serve(w);
	w->wallet[0] ^= 1; /* the state was restored: other blinds than were sent */
	assert_err_ok(take(w)); /* it verifies, but is worth nothing */
	issuer_free(next);
}

static void
test_requests_that_do_not_fit(void **state)
{
	struct world *w = *state;

	ask(w, TOKEN_STAMP, 1);
	w->q.batch = 2;
	assert_int_equal(issuance_check(&w->q, &w->p), ISSUANCE_BATCH);
	w->q.batch = 0; /* fewer than a whole batch */
	assert_int_equal(issuance_check(&w->q, &w->p), ISSUANCE_REQUEST);
	ask(w, TOKEN_STAMP, 0);
	w->q.batch = 1; /* more than there are */
	assert_int_equal(issuance_check(&w->q, &w->p), ISSUANCE_REQUEST);
	ask(w, TOKEN_TICKET, 0);
	memset(w->q.blinded[3], 0, 32);
	assert_int_equal(issuance_check(&w->q, &w->p), ISSUANCE_REQUEST);
	memset(w->q.blinded[3], 0xff, 32);
	assert_int_equal(issuance_check(&w->q, &w->p), ISSUANCE_REQUEST);
	w->q = (struct issuance_request){ .kind = TOKEN_TICKET, .epoch = EPOCH, .batch = 1 };
	assert_err(issuance_ask(&w->q, &w->p, code, w->wallet), ERR_RANGE);
}

static void
test_bytes_that_are_refused(void **state)
{
	struct world *w = *state;
	static uint8_t up[ISSUANCE_REQUEST_BYTES], down[ISSUANCE_ANSWER_BYTES];

	ask(w, TOKEN_TICKET, 0);
	issuance_request_encode(up, &w->q);
	up[0] = 2;
	assert_err(issuance_request_decode(&w->q, up), ERR_VERSION);
	up[0] = 0;
	assert_err(issuance_request_decode(&w->q, up), ERR_MALFORMED);
	up[0] = 1;
	up[2] = 2;
	assert_err(issuance_request_decode(&w->q, up), ERR_MALFORMED);
	up[2] = 0;
	up[3] = 1;
	assert_err(issuance_request_decode(&w->q, up), ERR_MALFORMED);
	for (int s = ISSUANCE_VERSION_UNKNOWN; s <= ISSUANCE_REQUEST; s++) {
		issuance_refuse(&w->a, (enum issuance_status)s);
		assert_true(strlen(issuance_status_text(w->a.status)) > 10);
		issuance_answer_encode(down, &w->a);
		assert_err_ok(issuance_answer_decode(&w->a, down));
		assert_int_equal(w->a.status, s);
		down[ISSUANCE_ANSWER_BYTES - 1] = 1;
		assert_err(issuance_answer_decode(&w->a, down), ERR_MALFORMED);
	}
	memset(down, 0, sizeof(down));
	down[0] = ISSUANCE_REQUEST + 1;
	assert_err(issuance_answer_decode(&w->a, down), ERR_MALFORMED);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(test_all_that_is_fetched_can_be_spent, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_asking_again, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_hash, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_a_registrar_that_marks, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_answers_that_do_not_fit, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_requests_that_do_not_fit, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_bytes_that_are_refused, set_up, tear_down),
};
TEST_MAIN(tests)

#include "config.h"

#include "tests/lib/test.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/disk_fault.h"
#include "common/token/wallet.h"

#define EPOCH 83124
#define SPENT_MAX 4096

static const uint8_t member[32] = { 1 }, notice[32] = { 2 }, other[32] = { 3 };

struct world {
	struct params p;
	uint8_t seed[32];
	struct wallet *w;
	struct issuance_request q;
	struct issuance_batch b;
};

static int
set_up(void **state)
{
	static struct world x;

	params_default(&x.p);
	x.p.stamps = 150; /* a whole batch and a small one */
	rng_bytes(test_rng(), x.seed, sizeof(x.seed));
	x.w = wallet_new(member, x.seed);
	assert_non_null(x.w);
	*state = &x;
	return 0;
}

static int
tear_down(void **state)
{
	wallet_free(((struct world *)*state)->w);
	return 0;
}

/* A batch as issuance_take leaves it; what is in it is nobody's affair here. */
static enum err
put(struct world *x, enum token_kind kind, uint32_t epoch, uint32_t batch)
{
	x->q.kind = kind;
	x->q.epoch = epoch;
	x->q.batch = batch;
	x->b.n = allotment_count(&x->p, kind, batch);
	rng_bytes(test_rng(), x->b.nonce, sizeof(x->b.nonce));
	rng_bytes(test_rng(), x->b.output, sizeof(x->b.output));
	return wallet_put(x->w, &x->p, &x->q, &x->b, notice);
}

static void
test_tickets_are_by_hour(void **state)
{
	struct world *x = *state;
	struct wallet_token t;

	assert_int_equal(wallet_take(x->w, &t, TOKEN_TICKET, EPOCH, 0), ERR_NOT_FOUND);
	assert_true(wallet_wants(x->w, &x->p, TOKEN_TICKET, EPOCH, 0));
	assert_err_ok(put(x, TOKEN_TICKET, EPOCH, 0));
	assert_false(wallet_wants(x->w, &x->p, TOKEN_TICKET, EPOCH, 0));
	assert_int_equal(wallet_left_all(x->w, TOKEN_TICKET, EPOCH), 24);
	for (unsigned h = 0; h < 6; h++) {
		for (unsigned i = 0; i < 4; i++) {
			assert_int_equal(wallet_left(x->w, TOKEN_TICKET, EPOCH, h), 4 - i);
			assert_err_ok(wallet_take(x->w, &t, TOKEN_TICKET, EPOCH, h));
			assert_memory_equal(t.nonce, x->b.nonce[4 * h + i], 32);
			assert_memory_equal(t.output, x->b.output[4 * h + i], 64);
		}
		assert_int_equal(wallet_take(x->w, &t, TOKEN_TICKET, EPOCH, h), ERR_NOT_FOUND);
	}
	assert_int_equal(wallet_take(x->w, &t, TOKEN_TICKET, EPOCH, 6), ERR_NOT_FOUND);
	assert_int_equal(wallet_left(x->w, TOKEN_TICKET, EPOCH, 4000000000u), 0);
	assert_int_equal(wallet_left(x->w, TOKEN_STAMP, EPOCH, 0), 0);
}

static void
test_stamps_of_whatever_batch_came(void **state)
{
	struct world *x = *state;
	struct wallet_token t;

	assert_err_ok(put(x, TOKEN_STAMP, EPOCH, 1));
	assert_int_equal(wallet_left(x->w, TOKEN_STAMP, EPOCH, 0), 22);
	for (size_t i = 0; i < 22; i++) {
		assert_err_ok(wallet_take(x->w, &t, TOKEN_STAMP, EPOCH, 0));
		assert_memory_equal(t.nonce, x->b.nonce[i], 32);
	}
	assert_int_equal(wallet_take(x->w, &t, TOKEN_STAMP, EPOCH, 0), ERR_NOT_FOUND);
	assert_err_ok(put(x, TOKEN_STAMP, EPOCH, 0));
	assert_int_equal(wallet_left(x->w, TOKEN_STAMP, EPOCH, 0), 128);
}

static void
test_what_does_not_fit(void **state)
{
	struct world *x = *state;

	assert_int_equal(put(x, TOKEN_STAMP, EPOCH, 2), ERR_RANGE);
	assert_false(wallet_wants(x->w, &x->p, TOKEN_STAMP, EPOCH, 2));
	assert_err_ok(put(x, TOKEN_STAMP, EPOCH, 0));
	assert_int_equal(put(x, TOKEN_STAMP, EPOCH, 0), ERR_EXISTS);
	for (uint32_t e = 1; e < WALLET_EPOCHS; e++)
		assert_err_ok(put(x, TOKEN_TICKET, EPOCH + e, 0));
	assert_int_equal(put(x, TOKEN_TICKET, EPOCH + WALLET_EPOCHS, 0), ERR_FULL);
	assert_true(wallet_turn(x->w, EPOCH + 1));
	assert_false(wallet_turn(x->w, EPOCH + 1));
	assert_int_equal(wallet_left_all(x->w, TOKEN_STAMP, EPOCH), 0);
	assert_false(wallet_wants(x->w, &x->p, TOKEN_STAMP, EPOCH, 1));
	assert_int_equal(put(x, TOKEN_STAMP, EPOCH, 1), ERR_EPOCH);
	assert_err_ok(put(x, TOKEN_TICKET, EPOCH + WALLET_EPOCHS, 0));
}

/* A clock that is ahead turns too far: what it did not really take is there when it is back. */
static void
test_turned_too_far(void **state)
{
	struct world *x = *state;

	assert_err_ok(put(x, TOKEN_STAMP, EPOCH, 0));
	assert_err_ok(put(x, TOKEN_STAMP, EPOCH + 1, 0));
	assert_true(wallet_turn(x->w, EPOCH + 400));
	assert_false(wallet_turn(x->w, UINT32_MAX));
	for (uint32_t e = 0; e < 2; e++) { /* it would come again, and its marks went */
		assert_false(wallet_wants(x->w, &x->p, TOKEN_STAMP, EPOCH + e, 0));
		assert_int_equal(put(x, TOKEN_STAMP, EPOCH + e, 0), ERR_EPOCH);
	}
	assert_true(wallet_wants(x->w, &x->p, TOKEN_STAMP, EPOCH + 2, 0));
	assert_err_ok(put(x, TOKEN_STAMP, EPOCH + 2, 0));
	assert_int_equal(wallet_left(x->w, TOKEN_STAMP, EPOCH + 2, 0), 128);
}

/* A charter that comes later may have more stamps, or fewer, for an epoch that was begun. */
static void
test_another_allotment(void **state)
{
	static const uint32_t others[] = { 1, 22, 149, 151, 256, 1000000 };
	struct world *x = *state;

	assert_err_ok(put(x, TOKEN_STAMP, EPOCH, 0));
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		x->p.stamps = others[i];
		for (uint32_t b = 0; b < allotment_batches(&x->p, TOKEN_STAMP); b++) {
			assert_false(wallet_wants(x->w, &x->p, TOKEN_STAMP, EPOCH, b));
			assert_int_equal(put(x, TOKEN_STAMP, EPOCH, b), ERR_RANGE);
		}
		assert_false(wallet_wants(x->w, &x->p, TOKEN_TICKET, EPOCH, 0));
		assert_int_equal(put(x, TOKEN_TICKET, EPOCH, 0), ERR_RANGE);
	}
	assert_int_equal(wallet_left(x->w, TOKEN_STAMP, EPOCH, 0), 128);
	x->p.stamps = 150;
	assert_err_ok(put(x, TOKEN_STAMP, EPOCH, 1));
	assert_err_ok(put(x, TOKEN_TICKET, EPOCH, 0));
}

/* Keys that turn out to be others than the journal's: nothing of them is used. */
static void
test_false_keys(void **state)
{
	struct world *x = *state;
	struct wallet_token t;

	assert_true(wallet_agree(x->w, EPOCH, other)); /* nothing was fetched yet */
	assert_err_ok(put(x, TOKEN_TICKET, EPOCH, 0));
	assert_true(wallet_agree(x->w, EPOCH, notice));
	assert_int_equal(wallet_left_all(x->w, TOKEN_TICKET, EPOCH), 24);
	assert_false(wallet_agree(x->w, EPOCH, other));
	assert_false(wallet_agree(x->w, EPOCH, notice)); /* for good */
	assert_int_equal(wallet_take(x->w, &t, TOKEN_TICKET, EPOCH, 0), ERR_NOT_FOUND);
	assert_int_equal(wallet_left_all(x->w, TOKEN_TICKET, EPOCH), 0);
	assert_int_equal(put(x, TOKEN_STAMP, EPOCH, 0), ERR_EPOCH);
	assert_false(wallet_wants(x->w, &x->p, TOKEN_STAMP, EPOCH, 0));
}

/* What was never shown is there again: itself, once, and not if its epoch is over or void. */
static void
test_taken_back(void **state)
{
	struct world *x = *state;
	struct wallet_token t, u, v;

	assert_err_ok(put(x, TOKEN_STAMP, EPOCH, 0));
	assert_err_ok(wallet_take(x->w, &t, TOKEN_STAMP, EPOCH, 0));
	assert_err_ok(wallet_take(x->w, &u, TOKEN_STAMP, EPOCH, 0));
	wallet_return(x->w, &t);
	assert_int_equal(wallet_left(x->w, TOKEN_STAMP, EPOCH, 0), 127);
	assert_err_ok(wallet_take(x->w, &v, TOKEN_STAMP, EPOCH, 0));
	assert_memory_equal(t.nonce, v.nonce, sizeof(t.nonce));
	assert_memory_equal(t.output, v.output, sizeof(t.output));
	assert_err_ok(wallet_take(x->w, &v, TOKEN_STAMP, EPOCH, 0));
	assert_memory_not_equal(u.nonce, v.nonce, sizeof(u.nonce));
	assert_false(wallet_agree(x->w, EPOCH, other));
	wallet_return(x->w, &v);
	assert_int_equal(wallet_left(x->w, TOKEN_STAMP, EPOCH, 0), 0);
	assert_true(wallet_turn(x->w, EPOCH + 1));
	wallet_return(x->w, &v);
	assert_int_equal(wallet_left(x->w, TOKEN_STAMP, EPOCH, 0), 0);
}

/* ---- images ---- */

static void
save(struct buf *tokens, struct buf *marks, const struct wallet *w)
{
	buf_init(tokens);
	buf_init(marks);
	assert_err_ok(wallet_save(w, tokens));
	assert_err_ok(wallet_save_marks(w, marks));
}

static void
test_images_are_strict(void **state)
{
	struct world *x = *state;
	struct wallet *w;
	struct wallet_token t;
	struct buf tokens, marks, again;

	x->p.stamps = 3;
	assert_int_equal(wallet_first_hour(x->w), 0);
	wallet_set_first_hour(x->w, 498745);
	assert_err_ok(put(x, TOKEN_STAMP, EPOCH, 0));
	assert_err_ok(wallet_take(x->w, &t, TOKEN_STAMP, EPOCH, 0));
	save(&tokens, &marks, x->w);
	for (size_t n = 0; n < tokens.len; n++)
		assert_int_not_equal(wallet_load(&w, tokens.data, n, NULL, 0, NULL), ERR_OK);
	for (size_t n = 0; n < marks.len; n++)
		assert_int_not_equal(wallet_load(&w, tokens.data, tokens.len, marks.data, n, NULL),
		    ERR_OK);
	assert_err_ok(wallet_load(&w, tokens.data, tokens.len, marks.data, marks.len, NULL));
	assert_memory_equal(wallet_seed(w), x->seed, 32);
	assert_memory_equal(wallet_enrolment(w), member, 32);
	assert_int_equal(wallet_first_hour(w), 498745);
	assert_int_equal(wallet_left(w, TOKEN_STAMP, EPOCH, 0), 2);
	buf_init(&again);
	assert_err_ok(wallet_save(w, &again));
	assert_int_equal(again.len, tokens.len);
	assert_memory_equal(again.data, tokens.data, tokens.len);
	wallet_free(w);
	buf_release(&again);
	assert_err_ok(buf_append(&marks, "", 1, SIZE_MAX));
	assert_int_equal(wallet_load(&w, tokens.data, tokens.len, marks.data, marks.len, NULL),
	    ERR_TRAILING);
	assert_err_ok(buf_append(&tokens, "", 1, SIZE_MAX));
	assert_int_equal(wallet_load(&w, tokens.data, tokens.len, NULL, 0, NULL), ERR_TRAILING);
	buf_release(&tokens);
	buf_release(&marks);
}

/* The bytes of docs/protocol.md, "Files on disk", written out. */
static void
test_known_answer(void **state)
{
	static const uint8_t seed[32] = { 9 };
	static const uint8_t expected[] = { 'R', 'S', 'T', 'S', 'P', 'T', 1, 0,
		/* BLAKE2b-256(key = seed, "restante/wallet/mark/1"), by Python's hashlib */
		0xd6, 0x5b, 0xf4, 0xb0, 0x15, 0x0b, 0xfe, 0xb5, 0xd2, 0x1f, 0x1b, 0xb8,
		0x1a, 0xa7, 0x53, 0x9f, 0x09, 0xcc, 0x72, 0x64, 0x8e, 0xf1, 0xc7, 0x53,
		0x8b, 0xd9, 0xce, 0x13, 0xd9, 0xde, 0x2c, 0x49,
		5, 0, 0, 0, 1, 0xb4, 0x44, 1, 0, 24, 0, 0, 0, 3, 0, 0, 0,
		2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* the notice's hash */
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 };
	struct world *x = *state;
	struct wallet *w = wallet_new(member, seed);
	struct wallet *own = x->w;
	struct wallet_token t;
	struct buf marks;

	x->w = w;
	x->p.stamps = 3;
	assert_err_ok(put(x, TOKEN_STAMP, 4, 0));
	assert_true(wallet_turn(w, 5));
	assert_err_ok(put(x, TOKEN_STAMP, EPOCH, 0));
	assert_err_ok(wallet_take(w, &t, TOKEN_STAMP, EPOCH, 0));
	buf_init(&marks);
	assert_err_ok(wallet_save_marks(w, &marks));
	assert_int_equal(marks.len, sizeof(expected));
	assert_memory_equal(marks.data, expected, sizeof(expected));
	buf_release(&marks);
	wallet_free(w);
	x->w = own;
}

static void
test_known_answer_of_tokens(void **state)
{
	static const uint8_t seed[32] = { 9 };
	uint8_t expected[81] = { 'R', 'S', 'T', 'W', 'A', 'L', 1, 0, 1 };
	struct world *x = *state;
	struct wallet *w = wallet_new(member, seed), *own = x->w;
	struct buf tokens;

	expected[8 + 32] = 9;
	expected[72] = 5;    /* oldest epoch */
	expected[76] = 0xff; /* first hour */
	expected[77] = 2;
	x->w = w;
	assert_err_ok(put(x, TOKEN_STAMP, 4, 0));
	assert_true(wallet_turn(w, 5));
	wallet_set_first_hour(w, 0x2ff);
	buf_init(&tokens);
	assert_err_ok(wallet_save(w, &tokens));
	assert_int_equal(tokens.len, sizeof(expected));
	assert_memory_equal(tokens.data, expected, sizeof(expected));
	buf_release(&tokens);
	wallet_free(w);
	x->w = own;
}

/* Without its marks, or with another wallet's, everything counts as spent. */
static void
test_marks_that_are_not_its_own(void **state)
{
	static const uint8_t seed[32] = { 5 };
	struct world *x = *state;
	struct wallet *w, *stranger = wallet_new(member, seed);
	struct buf tokens, marks, strange;

	assert_err_ok(put(x, TOKEN_TICKET, EPOCH, 0));
	save(&tokens, &marks, x->w);
	assert_err_ok(wallet_load(&w, tokens.data, tokens.len, NULL, 0, NULL));
	assert_int_equal(wallet_left_all(w, TOKEN_TICKET, EPOCH), 0);
	assert_false(wallet_wants(w, &x->p, TOKEN_TICKET, EPOCH, 0)); /* the registrar gave it */
	wallet_free(w);
	buf_init(&strange);
	assert_err_ok(wallet_save_marks(stranger, &strange));
	assert_err_ok(wallet_load(&w, tokens.data, tokens.len, strange.data, strange.len, NULL));
	assert_int_equal(wallet_left_all(w, TOKEN_TICKET, EPOCH), 0);
	wallet_free(w);
	wallet_free(stranger);
	buf_release(&tokens);
	buf_release(&marks);
	buf_release(&strange);
}

/* ---- crashes ---- */

/* Used before its tokens were on disk, which then were lost: what comes again is not whole. */
static void
test_tokens_lost_after_use(void **state)
{
	struct world *x = *state;
	struct wallet *w, *own = x->w;
	struct wallet_token t, u;
	struct buf tokens, marks, none;

	save(&tokens, &none, x->w);
	buf_release(&none);
	assert_err_ok(put(x, TOKEN_STAMP, EPOCH, 1));
	assert_err_ok(wallet_take(x->w, &t, TOKEN_STAMP, EPOCH, 0));
	buf_init(&marks);
	assert_err_ok(wallet_save_marks(x->w, &marks));
	assert_err_ok(wallet_load(&w, tokens.data, tokens.len, marks.data, marks.len, NULL));
	assert_true(wallet_wants(w, &x->p, TOKEN_STAMP, EPOCH, 1));
	assert_err_ok(wallet_put(w, &x->p, &x->q, &x->b, notice));
	assert_int_equal(wallet_left(w, TOKEN_STAMP, EPOCH, 0), 21);
	while (wallet_take(w, &u, TOKEN_STAMP, EPOCH, 0) == ERR_OK)
		assert_memory_not_equal(t.nonce, u.nonce, 32);
	wallet_free(w);
	x->w = own;
	buf_release(&tokens);
	buf_release(&marks);
}

/* Fetched, used and over, and of all that only the marks were ever written: over it stays. */
static void
test_tokens_lost_and_over(void **state)
{
	struct world *x = *state;
	struct wallet *w;
	struct wallet_token t;
	struct buf tokens, marks;

	buf_init(&tokens);
	buf_init(&marks);
	assert_err_ok(wallet_save(x->w, &tokens));
	assert_err_ok(put(x, TOKEN_STAMP, EPOCH, 0));
	assert_err_ok(wallet_take(x->w, &t, TOKEN_STAMP, EPOCH, 0));
	assert_true(wallet_turn(x->w, EPOCH + 1));
	assert_err_ok(wallet_save_marks(x->w, &marks));
	assert_err_ok(wallet_load(&w, tokens.data, tokens.len, marks.data, marks.len, NULL));
	assert_false(wallet_wants(w, &x->p, TOKEN_STAMP, EPOCH, 0));
	assert_true(wallet_wants(w, &x->p, TOKEN_STAMP, EPOCH + 1, 0));
	wallet_free(w);
	buf_release(&tokens);
	buf_release(&marks);
}

static void
test_a_batch_that_never_comes(void **state)
{
	struct world *x = *state;
	struct wallet_token t;

	x->q = (struct issuance_request){ .kind = TOKEN_STAMP, .epoch = EPOCH, .batch = 0 };
	assert_err_ok(wallet_lose(x->w, &x->p, &x->q, notice));
	assert_false(wallet_wants(x->w, &x->p, TOKEN_STAMP, EPOCH, 0));
	assert_int_equal(wallet_take(x->w, &t, TOKEN_STAMP, EPOCH, 0), ERR_NOT_FOUND);
	assert_err_ok(put(x, TOKEN_STAMP, EPOCH, 1));
	assert_int_equal(wallet_left(x->w, TOKEN_STAMP, EPOCH, 0), 22);
}

/* What was given and whose marks were durable: all that may be used. */
struct used {
	uint8_t nonce[SPENT_MAX][32];
	size_t n;
};

static void
use(struct used *u, const struct wallet_token *t)
{
	for (size_t i = 0; i < u->n; i++)
		assert_memory_not_equal(u->nonce[i], t->nonce, 32);
	assert_true(u->n < SPENT_MAX);
	memcpy(u->nonce[u->n++], t->nonce, 32);
}

static enum err
write_image(struct disk *k, const struct wallet *w, bool marks)
{
	struct buf b;
	enum err e;

	buf_init(&b);
	e = marks ? wallet_save_marks(w, &b) : wallet_save(w, &b);
	if (e == ERR_OK)
		e = disk_replace(k, marks ? "spent" : "wallet", b.data, b.len);
	buf_release(&b);
	return e;
}

static enum err
open_wallet(struct wallet **out, struct disk *k, const uint8_t seed[static 32])
{
	struct buf tokens, marks;
	enum err e;

	buf_init(&tokens);
	buf_init(&marks);
	e = disk_read(k, &tokens, "wallet", WALLET_BYTES_MAX);
	if (e == ERR_NOT_FOUND) {
		*out = wallet_new(member, seed);
		e = write_image(k, *out, true);
		if (e == ERR_OK)
			e = write_image(k, *out, false);
		if (e != ERR_OK)
			wallet_free(*out);
	} else if (e == ERR_OK) {
		e = disk_read(k, &marks, "spent", WALLET_MARKS_MAX);
		if (e == ERR_OK)
			e = wallet_load(out, tokens.data, tokens.len, marks.data, marks.len, NULL);
	}
	buf_release(&tokens);
	buf_release(&marks);
	return e;
}

/* A life: fetch, spend, another epoch; the first failing write ends it. */
static void
live(struct world *x, struct disk *k, struct used *u, uint32_t epoch)
{
	struct wallet_token t;
	enum err e = open_wallet(&x->w, k, x->seed);

	if (e != ERR_OK) {
		x->w = NULL;
		return;
	}
	if (wallet_turn(x->w, epoch))
		e = write_image(k, x->w, true);
	for (uint32_t b = 0; e == ERR_OK && b < 2; b++) {
		if (!wallet_wants(x->w, &x->p, TOKEN_STAMP, epoch, b))
			continue;
		assert_err_ok(put(x, TOKEN_STAMP, epoch, b));
		e = write_image(k, x->w, false);
	}
	for (unsigned i = 0; e == ERR_OK && i < 8; i++) {
		e = wallet_take(x->w, &t, TOKEN_STAMP, epoch, 0);
		if (e == ERR_OK)
			e = write_image(k, x->w, true);
		if (e == ERR_OK)
			use(u, &t);
	}
}

/* Lives that end at any write, however that was left: no token is used twice. */
static void
test_crash_at_every_write(void **state)
{
	static const enum disk_fault_effect effects[] = { DISK_FAULT_NOTHING, DISK_FAULT_DONE };
	struct world *x = *state;
	static struct used u;

	wallet_free(x->w);
	x->w = NULL;
	for (size_t f = 0; f < 2; f++) {
		struct disk *under = disk_memory();

		u.n = 0;
		rng_bytes(test_rng(), x->seed, 32);
		for (uint64_t at = 1; at < 40; at++) {
			struct disk_fault plan = { .at = at % 13 + 1, .err = ERR_IO, .forever = true,
				.writes_only = true, .effect = effects[f] };
			struct disk *k = disk_fault_new(under, &plan);

			live(x, k, &u, EPOCH + (uint32_t)at / 10);
			wallet_free(x->w);
			x->w = NULL;
			disk_free(k);
		}
		assert_true(u.n > 60);
		disk_free(under);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(test_tickets_are_by_hour, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_stamps_of_whatever_batch_came, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_what_does_not_fit, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_turned_too_far, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_another_allotment, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_false_keys, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_taken_back, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_images_are_strict, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_known_answer, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_known_answer_of_tokens, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_marks_that_are_not_its_own, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_tokens_lost_after_use, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_tokens_lost_and_over, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_a_batch_that_never_comes, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_crash_at_every_write, set_up, tear_down),
};

TEST_MAIN(tests)

#include "config.h"

#include "tests/lib/test.h"

#include <stdlib.h>
#include <string.h>

#include "common/charter/timing.h"
#include "common/token/errands.h"

#define EPOCH 83124
#define EPOCH_MS INT64_C(21600000)
#define SPARE_MS INT64_C(1800000) /* from the last chance to the epoch */
#define DRAWS 6000
#define BINS 12

static const uint8_t member[32] = { 1 }, notice[32] = { 2 };

struct world {
	struct params p;
	uint8_t seed[32];
	struct wallet *w;
	struct errands x;
	uint32_t open_from, open_to; /* epochs with known keys */
	int64_t known_ms;	     /* since when */
	struct errands_view view;
	struct issuance_request q;
	struct issuance_batch b;
};

static const struct params *
is_open(void *arg, uint32_t epoch, int64_t *since_ms)
{
	const struct world *x = arg;

	*since_ms = x->known_ms;
	return epoch >= x->open_from && epoch <= x->open_to ? &x->p : NULL;
}

static int
set_up(void **state)
{
	static struct world x;

	params_default(&x.p);
	rng_bytes(test_rng(), x.seed, sizeof(x.seed));
	x.w = wallet_new(member, x.seed);
	assert_non_null(x.w);
	x.view = (struct errands_view){ is_open, &x };
	x.open_from = 0;
	x.open_to = UINT32_MAX;
	x.known_ms = 0;
	*state = &x;
	return 0;
}

static int
tear_down(void **state)
{
	wallet_free(((struct world *)*state)->w);
	return 0;
}

static void
put(struct world *x, const struct errand *e)
{
	x->q.kind = e->kind;
	x->q.epoch = e->epoch;
	x->q.batch = e->batch;
	x->b.n = allotment_count(&x->p, e->kind, e->batch);
	memset(&x->b.nonce, 1, sizeof(x->b.nonce));
	assert_err_ok(wallet_put(x->w, &x->p, &x->q, &x->b, notice));
}

/* By Python's hashlib. */
static void
test_known_answers(void **state)
{
	static const uint8_t seed[32] = { 9 };
	struct world *x = *state;

	assert_int_equal(errands_chance(&x->p, seed, EPOCH, 0), INT64_C(1795401323772));
	assert_int_equal(errands_chance(&x->p, seed, EPOCH, 7), INT64_C(1795475682104));
}

/* Each chance at any time of its eighth, none more likely than another. */
static void
test_chances_are_uniform(void **state)
{
	struct world *x = *state;
	int64_t start = timing_epoch_start(&x->p, EPOCH - ERRANDS_FROM);
	int64_t eighth = (4 * EPOCH_MS - SPARE_MS) / ERRANDS_CHANCES;
	unsigned bins[BINS] = { 0 };
	double chi = 0;

	for (uint32_t i = 0; i < DRAWS; i++) {
		unsigned k = i % ERRANDS_CHANCES;
		int64_t at, from = start + k * eighth;

		rng_bytes(test_rng(), x->seed, sizeof(x->seed));
		at = errands_chance(&x->p, x->seed, EPOCH, k);
		assert_true(at >= from && at < from + eighth);
		bins[(at - from) * BINS / eighth]++;
	}
	for (size_t i = 0; i < BINS; i++) {
		double off = bins[i] - (double)DRAWS / BINS;

		chi += off * off / ((double)DRAWS / BINS);
	}
	assert_true(chi < 45); /* 11 degrees of freedom: less than 1 in 100000 beyond */
}

/* Fetch all of an epoch from its time on; when the first was fetched. */
static int64_t
sit(struct world *x, int64_t *now, uint32_t epoch)
{
	int64_t first = -1;
	struct errand e;

	for (unsigned n = 0; n < 13; n++) {
		assert_true(errands_next(&x->x, &e, x->w, &x->view, *now));
		assert_int_equal(e.epoch, epoch);
		assert_int_equal(e.kind, n == 0 ? TOKEN_TICKET : TOKEN_STAMP);
		assert_true(n == 0 || e.at_ms <= *now + 60000);
		*now = e.at_ms > *now ? e.at_ms : *now;
		first = first < 0 ? *now : first;
		put(x, &e);
		errands_done(&x->x, true, *now);
	}
	return first;
}

/* Whoever is always there fetches at the first chance, whatever else it does. */
static void
test_a_steady_member(void **state)
{
	struct world *x = *state;
	int64_t now = timing_epoch_start(&x->p, EPOCH);
	struct wallet_token t;
	struct errand e;

	errands_init(&x->x, &x->p, test_rng(), now);
	x->open_from = EPOCH + ERRANDS_FROM;
	for (uint32_t epoch = EPOCH + ERRANDS_FROM; epoch < EPOCH + ERRANDS_FROM + 6; epoch++) {
		int64_t want = errands_chance(&x->p, x->seed, epoch, 0);

		x->known_ms = now = timing_epoch_start(&x->p, epoch - ERRANDS_FROM);
		assert_int_equal(sit(x, &now, epoch), want);
		/* use of what is there moves nothing */
		while (rng_chance(test_rng(), 9, 10) &&
		    wallet_take(x->w, &t, TOKEN_STAMP, epoch, 0) == ERR_OK)
			continue;
		(void)wallet_turn(x->w, epoch - ERRANDS_FROM);
	}
	assert_false(errands_next(&x->x, &e, x->w, &x->view, now));
}

/*
 * Whoever was away fetches at the first chance after: when in its eighth it came moves
 * nothing.
 */
static void
test_a_return(void **state)
{
	struct world *x = *state;
	int64_t start = timing_epoch_start(&x->p, EPOCH);

	x->open_from = EPOCH + ERRANDS_FROM;
	for (unsigned run = 0; run < 300; run++) {
		int64_t back = start + rng_between(test_rng(), 0, 4 * EPOCH_MS - 2 * SPARE_MS);
		struct errand e;
		unsigned k = 0;

		rng_bytes(test_rng(), x->seed, sizeof(x->seed));
		wallet_free(x->w);
		x->w = wallet_new(member, x->seed);
		errands_init(&x->x, &x->p, test_rng(), back);
		x->open_from = x->open_to = EPOCH + ERRANDS_FROM;
		while (k < ERRANDS_CHANCES &&
		    errands_chance(&x->p, x->seed, EPOCH + ERRANDS_FROM, k) < back)
			k++;
		assert_true(errands_next(&x->x, &e, x->w, &x->view, back));
		assert_true(e.at_ms >= back && e.at_ms < start + 4 * EPOCH_MS);
		if (k < ERRANDS_CHANCES)
			assert_in_range(e.at_ms - errands_chance(&x->p, x->seed,
			    EPOCH + ERRANDS_FROM, k), 0, 10000);
	}
}

/* Two wallets of one seed, one of which spends and one that does not, do the same. */
static void
test_alike_whether_they_write_or_not(void **state)
{
	struct world *x = *state;
	struct wallet *quiet = wallet_new(member, x->seed), *own = x->w;
	int64_t now = timing_epoch_start(&x->p, EPOCH);
	struct wallet_token t;
	struct errand a, b;

	errands_init(&x->x, &x->p, test_rng(), now);
	for (unsigned i = 0; i < 65; i++) {
		assert_true(errands_next(&x->x, &a, own, &x->view, now));
		assert_true(errands_next(&x->x, &b, quiet, &x->view, now));
		assert_memory_equal(&a, &b, sizeof(a));
		put(x, &a);
		x->w = quiet;
		put(x, &b);
		x->w = own;
		while (wallet_take(own, &t, a.kind, a.epoch, 0) == ERR_OK)
			continue;
	}
	wallet_free(quiet);
}

/* The running epoch at once, tickets first; the others at their chances. */
static void
test_a_new_member(void **state)
{
	struct world *x = *state;
	int64_t now = timing_epoch_start(&x->p, EPOCH) + EPOCH_MS / 2, begin = now;
	struct errand e;

	errands_init(&x->x, &x->p, test_rng(), now);
	assert_true(errands_next(&x->x, &e, x->w, &x->view, now));
	assert_true(e.late && e.at_ms <= now + 10000);
	x->open_to = EPOCH;
	(void)sit(x, &now, EPOCH);
	assert_true(now - begin > 60000 && now - begin < 13 * 60000);
	x->open_to = UINT32_MAX;
	for (uint32_t epoch = EPOCH + 1; epoch < EPOCH + 5; epoch++) {
		x->open_from = x->open_to = epoch;
		now = begin;
		(void)sit(x, &now, epoch);
		assert_true(now < timing_epoch_start(&x->p, epoch));
	}
}

/* After failures: random waits, longer each time to a limit, and as they were after a success. */
static void
test_failures(void **state)
{
	struct world *x = *state;
	int64_t now = timing_epoch_start(&x->p, EPOCH) + EPOCH_MS / 2;
	int64_t greatest[5] = { 0 };
	struct errand e;

	for (unsigned run = 0; run < 200; run++) {
		errands_init(&x->x, &x->p, test_rng(), now);
		for (unsigned i = 0; i < 5; i++) {
			assert_true(errands_next(&x->x, &e, x->w, &x->view, now));
			errands_done(&x->x, false, now);
			assert_true(errands_next(&x->x, &e, x->w, &x->view, now));
			assert_true(e.at_ms >= now);
			if (e.at_ms - now > greatest[i])
				greatest[i] = e.at_ms - now;
		}
	}
	for (unsigned i = 0; i < 5; i++) {
		int64_t most = INT64_C(900000) << (i < 2 ? i : 2);

		assert_in_range(greatest[i], most / 2, most);
	}
	errands_done(&x->x, true, now);
	assert_true(errands_next(&x->x, &e, x->w, &x->view, now));
	assert_true(e.at_ms <= now + 60000);
}

/* No keys, no fetch; and no tickets for hours that are over. */
static void
test_what_is_not_fetched(void **state)
{
	struct world *x = *state;
	int64_t now = timing_epoch_start(&x->p, EPOCH);
	struct errand e;

	x->p.epoch_ms = 64 * 3600000; /* two batches of tickets */
	now = timing_epoch_start(&x->p, EPOCH);
	errands_init(&x->x, &x->p, test_rng(), now);
	x->open_from = EPOCH + ERRANDS_FROM + 1;
	assert_false(errands_next(&x->x, &e, x->w, &x->view, now));
	x->open_from = x->open_to = EPOCH;
	assert_true(errands_next(&x->x, &e, x->w, &x->view, now + 32 * 3600000 - 1));
	assert_int_equal(e.kind, TOKEN_TICKET);
	assert_int_equal(e.batch, 0);
	assert_true(errands_next(&x->x, &e, x->w, &x->view, now + 32 * 3600000));
	assert_int_equal(e.kind, TOKEN_TICKET);
	assert_int_equal(e.batch, 1);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(test_known_answers, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_chances_are_uniform, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_a_return, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_a_steady_member, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_alike_whether_they_write_or_not, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_a_new_member, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_failures, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_what_is_not_fetched, set_up, tear_down),
};

TEST_MAIN(tests)

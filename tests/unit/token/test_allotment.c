#include "config.h"

#include "tests/lib/test.h"

#include "common/token/allotment.h"

static void
set(struct params *p, int64_t hours, uint32_t stamps)
{
	params_default(p);
	p->epoch_ms = hours * 3600000;
	p->stamps = stamps;
}

static void
test_the_defaults(void **state)
{
	struct params p;

	(void)state;
	params_default(&p);
	assert_int_equal(allotment_hours(&p), 6);
	assert_int_equal(allotment_total(&p, TOKEN_TICKET), 24);
	assert_int_equal(allotment_batches(&p, TOKEN_TICKET), 1);
	assert_int_equal(allotment_count(&p, TOKEN_TICKET, 0), 24);
	assert_int_equal(allotment_proofs(&p, TOKEN_TICKET, 0), 6);
	assert_int_equal(allotment_count(&p, TOKEN_TICKET, 1), 0);
	assert_int_equal(allotment_total(&p, TOKEN_STAMP), 1500);
	assert_int_equal(allotment_batches(&p, TOKEN_STAMP), 12);
	assert_int_equal(allotment_count(&p, TOKEN_STAMP, 10), 128);
	assert_int_equal(allotment_count(&p, TOKEN_STAMP, 11), 92);
	assert_int_equal(allotment_proofs(&p, TOKEN_STAMP, 11), 1);
	assert_int_equal(allotment_count(&p, TOKEN_STAMP, 12), 0);
	assert_int_equal(allotment_proofs(&p, TOKEN_STAMP, 12), 0);
	assert_int_equal(allotment_count(&p, TOKEN_STAMP, UINT32_MAX), 0);
}

/* Whatever the charter says: the batches sum up to the total, and none is empty. */
static void
test_batches_sum_up(void **state)
{
	static const uint32_t stamps[] = { 1, 127, 128, 129, 1500, 1000000 };
	static const int64_t hours[] = { 1, 31, 32, 33, 256 };
	struct params p;

	(void)state;
	for (size_t i = 0; i < 6 * 5; i++) {
		set(&p, hours[i % 5], stamps[i / 5]);
		for (int kind = TOKEN_TICKET; kind <= TOKEN_STAMP; kind++) {
			enum token_kind k = (enum token_kind)kind;
			uint32_t n = allotment_batches(&p, k), sum = 0;

			for (uint32_t b = 0; b < n; b++) {
				size_t count = allotment_count(&p, k, b);

				assert_true(count > 0 && count <= ALLOTMENT_BATCH);
				assert_int_equal(allotment_proofs(&p, k, b) *
				    allotment_per_proof(&p, k, b), count);
				assert_true(allotment_proofs(&p, k, b) <= ALLOTMENT_PROOFS_MAX);
				sum += (uint32_t)count;
			}
			assert_int_equal(sum, allotment_total(&p, k));
			assert_int_equal(allotment_count(&p, k, n), 0);
		}
	}
}

/* Four tickets of every hour, in order. */
static void
test_hours_of_tickets(void **state)
{
	unsigned of[256] = { 0 };
	struct params p;

	(void)state;
	set(&p, 256, 1);
	for (uint32_t b = 0; b < allotment_batches(&p, TOKEN_TICKET); b++)
		for (size_t i = 0; i < allotment_count(&p, TOKEN_TICKET, b); i++)
			of[allotment_hour(b, i)]++;
	for (size_t h = 0; h < 256; h++)
		assert_int_equal(of[h], ALLOTMENT_TICKETS_PER_HOUR);
}

/* A test network's hours are shorter, and its epochs have as many. */
static void
test_scaled_hours(void **state)
{
	struct params p;

	(void)state;
	set(&p, 6, 10);
	p.time_scale = 3600;
	p.epoch_ms = 6000;
	assert_int_equal(allotment_hours(&p), 6);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_the_defaults),
	cmocka_unit_test(test_batches_sum_up),
	cmocka_unit_test(test_hours_of_tickets),
	cmocka_unit_test(test_scaled_hours),
};
TEST_MAIN(tests)

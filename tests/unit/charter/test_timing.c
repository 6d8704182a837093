#include "config.h"

#include "tests/lib/test.h"

#include "common/charter/timing.h"

#define NOW ((int64_t)1795484707000) /* 2026-11-24T01:45:07Z */

static struct params
plain(void)
{
	struct params p;

	params_default(&p);
	return p;
}

static void
numbers_are_floors_of_unix_time(void **state)
{
	struct params p = plain();

	(void)state;
	assert_int_equal(timing_epoch(&p, NOW), 83124);
	assert_int_equal(timing_round(&p, NOW), 179548470);
	assert_int_equal(timing_hour(&p, NOW), 498745);
	assert_int_equal(timing_day(&p, NOW), 20781);
}

static void
starts_belong_to_their_periods(void **state)
{
	struct params p = plain();

	(void)state;
	for (int i = 0; i < 20000; i++) {
		int64_t t = rng_between(test_rng(), 0, (int64_t)4102444800000);
		int64_t s;

		p.time_scale = i % 2 == 0 ? 1 : 60;
		s = timing_epoch_start(&p, timing_epoch(&p, t));
		assert_true(s <= t && t < s + p.epoch_ms);
		s = timing_round_start(&p, timing_round(&p, t));
		assert_true(s <= t && t < s + p.round_ms);
		s = timing_hour_start(&p, timing_hour(&p, t));
		assert_true(s <= t && t < s + 3600000 / p.time_scale);
		s = timing_day_start(&p, timing_day(&p, t));
		assert_true(s <= t && t < s + 86400000 / p.time_scale);
		assert_true(timing_day(&p, s) == timing_day(&p, t));
		assert_true(timing_day(&p, s - 1) + 1 == timing_day(&p, t) || s == 0);
	}
}

static void
scaled_days_hold_24_scaled_hours(void **state)
{
	struct params p = plain();

	(void)state;
	p.time_scale = 3600;
	assert_int_equal(timing_hour_start(&p, 24) - timing_hour_start(&p, 0), 24000);
	assert_int_equal(timing_day_start(&p, 1), 24000);
	assert_int_equal(timing_day(&p, 23999), 0);
	assert_int_equal(timing_day(&p, 24000), 1);
}

static void
times_before_1970_count_as_1970(void **state)
{
	struct params p = plain();

	(void)state;
	for (int i = 0; i < 2; i++) {
		int64_t t = i == 0 ? -1 : INT64_MIN;

		assert_int_equal(timing_epoch(&p, t), 0);
		assert_int_equal(timing_round(&p, t), 0);
		assert_int_equal(timing_day(&p, t), 0);
		assert_int_equal(timing_hour(&p, t), 0);
		assert_int_equal(timing_next_flush(&p, 0, t), 0);
		assert_int_equal(timing_next_flush(&p, 1, t), 3333);
	}
}

static void
the_end_of_time_saturates(void **state)
{
	struct params p = plain();

	(void)state;
	p.time_scale = 3600;
	p.epoch_ms = 1000;
	assert_int_equal(timing_epoch(&p, INT64_MAX), UINT32_MAX);
	assert_int_equal(timing_day(&p, INT64_MAX), UINT32_MAX);
	assert_int_equal(timing_hour(&p, INT64_MAX), UINT32_MAX);
	assert_true(timing_round_start(&p, UINT64_MAX) == INT64_MAX);
	for (unsigned layer = 0; layer < 3; layer++)
		assert_true(timing_next_flush(&p, layer, INT64_MAX) == INT64_MAX);
	p.epoch_ms = 256 * (int64_t)3600000;
	assert_true(timing_epoch_start(&p, UINT32_MAX) == UINT32_MAX * p.epoch_ms);
}

static void
flushes_come_once_a_round_each_layer_at_its_offset(void **state)
{
	struct params p = plain();

	(void)state;
	for (int i = 0; i < 20000; i++) {
		int64_t t = rng_between(test_rng(), 0, (int64_t)4102444800000);
		unsigned layer, offset;
		int64_t next;

		p.layers = (uint8_t)(1 + rng_below(test_rng(), PARAMS_LAYERS_MAX));
		layer = rng_below(test_rng(), p.layers);
		offset = layer * 10000u / p.layers;
		next = timing_next_flush(&p, layer, t);
		assert_true(next > t && next <= t + p.round_ms);
		assert_int_equal(next % p.round_ms, offset);
		assert_true(timing_next_flush(&p, layer, next) == next + p.round_ms);
		assert_true(timing_next_flush(&p, layer, next - 1) == next);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(numbers_are_floors_of_unix_time),
	cmocka_unit_test(starts_belong_to_their_periods),
	cmocka_unit_test(scaled_days_hold_24_scaled_hours),
	cmocka_unit_test(times_before_1970_count_as_1970),
	cmocka_unit_test(the_end_of_time_saturates),
	cmocka_unit_test(flushes_come_once_a_round_each_layer_at_its_offset),
};

TEST_MAIN(tests)

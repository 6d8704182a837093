/* When a mix that has stopped starts again. */
#include "config.h"

#include "mix/stops.h"

#include <string.h>

#include "common/charter/timing.h"
#include "tests/lib/test.h"

#define MINUTE INT64_C(60000)
#define HOUR (60 * MINUTE)
#define START (timing_epoch_start(&params, 70000))

static struct params params;

static int
defaults(void **state)
{
	(void)state;
	params_default(&params);
	return 0;
}

static int64_t
stop(struct stops *s, int64_t since_ms)
{
	stops_add(s, &params, START + since_ms);
	return s->until_ms - START;
}

/* Defaults: epochs of six hours. */
static void
test_the_ladder(void **state)
{
	struct stops s = { .blind = false };

	(void)state;
	assert_int_equal(stop(&s, 3 * MINUTE), 10 * MINUTE);
	assert_int_equal(stop(&s, 15 * MINUTE), HOUR);
	assert_int_equal(stop(&s, HOUR + 5 * MINUTE), HOUR + 10 * MINUTE);
	assert_int_equal(stop(&s, HOUR + 59 * MINUTE), 2 * HOUR);
	assert_int_equal(stop(&s, 3 * HOUR), 3 * HOUR + 10 * MINUTE);
	assert_int_equal(stop(&s, 3 * HOUR + 20 * MINUTE), 6 * HOUR);
	/* the next epoch begins anew */
	assert_int_equal(stop(&s, 6 * HOUR + MINUTE), 6 * HOUR + 10 * MINUTE);
	assert_int_equal(stop(&s, 6 * HOUR + 11 * MINUTE), 7 * HOUR);
}

/* One stop in an hour is never more than ten minutes, however many hours it goes on. */
static void
test_single_stops(void **state)
{
	struct stops s = { .blind = false };

	(void)state;
	for (int i = 0; i < 20; i++)
		assert_int_equal(stop(&s, i * HOUR + 41 * MINUTE), i * HOUR + 50 * MINUTE);
}

/* A stop ends later, within its epoch, and where others that stopped can end theirs. */
static void
test_always_later_and_on_the_grid(void **state)
{
	(void)state;
	for (int run = 0; run < 200; run++) {
		struct stops s = { .blind = false };
		int64_t now = rng_between(test_rng(), 0, HOUR);

		for (int i = 0; i < 50; i++) {
			int64_t until = stop(&s, now);

			assert_true(until > now);
			assert_true(until <= (now / (6 * HOUR) + 1) * 6 * HOUR);
			assert_int_equal(until % (10 * MINUTE), 0);
			now = until + rng_between(test_rng(), 0, 30 * MINUTE);
		}
	}
}

static void
test_scaled(void **state)
{
	struct stops s = { .blind = false };
	struct params p = params;

	(void)state;
	p.time_scale = 60;
	p.epoch_ms = 2 * MINUTE;
	stops_add(&s, &p, 1000 * HOUR + 1);
	assert_true(s.until_ms == 1000 * HOUR + 10000);
	stops_add(&s, &p, 1000 * HOUR + 15000);
	assert_true(s.until_ms == 1000 * HOUR + 60000);
}

static enum err
copy(struct stops *out, const struct stops *s, int64_t now_ms, size_t cut)
{
	uint8_t bytes[STOPS_BYTES];
	struct writer w;
	struct reader r;

	writer_init(&w, bytes, sizeof(bytes));
	stops_put(&w, s, &params);
	assert_err_ok(writer_end(&w));
	assert_int_equal(w.used, STOPS_BYTES);
	reader_init(&r, bytes, sizeof(bytes) - cut);
	return stops_get(&r, out, &params, now_ms);
}

static void
test_the_file_keeps_them(void **state)
{
	struct stops s = { .blind = true }, t;

	(void)state;
	(void)stop(&s, 3 * MINUTE);
	s.blind = true;
	assert_true(stops_bear(&s, &params, START + 3 * MINUTE));
	assert_err_ok(copy(&t, &s, START + 4 * MINUTE, 0));
	assert_true(t.blind);
	assert_false(stops_bear(&t, &params, START + 4 * MINUTE));
	assert_int_equal(stop(&t, 15 * MINUTE), HOUR); /* its second */
	assert_err(copy(&t, &s, START, 1), ERR_TRUNCATED);
	s.in_hour = 9;
	assert_err(copy(&t, &s, START, 0), ERR_MALFORMED);
}

/* Whatever hours and steps are in milliseconds: the time is kept as it is, and not in them. */
static void
test_the_file_has_no_fine_time(void **state)
{
	/* that divide an hour, as a charter must: or an epoch ends within an hour (seed
	 * 16402605479622161419); an hour of 9 or 128 is not six whole sixths */
	static const uint32_t scales[] = { 1, 9, 20, 60, 96, 128, 3600 };

	(void)state;
	for (size_t i = 0; i < 400; i++) {
		struct params p = params;
		struct stops s = { .blind = false }, t;
		uint8_t bytes[STOPS_BYTES];
		struct writer w;
		struct reader r;
		int64_t now = START + rng_between(test_rng(), 0, 6 * HOUR);

		p.time_scale = scales[i % (sizeof(scales) / sizeof(scales[0]))];
		for (size_t n = i % 4; n > 0; n--)
			stops_add(&s, &p, now);
		writer_init(&w, bytes, sizeof(bytes));
		stops_put(&w, &s, &p);
		reader_init(&r, bytes, sizeof(bytes));
		assert_err_ok(stops_get(&r, &t, &p, now));
		assert_true(t.until_ms == s.until_ms);
		for (size_t at = 0; s.until_ms > 0 && at + 8 <= sizeof(bytes); at++) {
			reader_init(&r, bytes + at, 8);
			assert_true(reader_u64(&r) != (uint64_t)s.until_ms);
		}
	}
}

/* A clock that was wrong when it stopped does not keep a mix down for years. */
static void
test_a_far_time_is_not_believed(void **state)
{
	struct stops s = { .blind = false }, t;

	(void)state;
	(void)stop(&s, 1000 * HOUR);
	assert_err_ok(copy(&t, &s, START, 0));
	assert_int_equal(t.until_ms, 0);
	(void)stop(&s, 2 * HOUR);
	assert_err_ok(copy(&t, &s, START, 0));
	assert_true(t.until_ms == s.until_ms);
}

/* Once in each epoch, by the wall clock. */
static void
test_being_cut_off_is_borne_once_in_an_epoch(void **state)
{
	struct stops s = { .blind = false };

	(void)state;
	for (int epoch = 0; epoch < 3; epoch++) {
		assert_true(stops_bear(&s, &params, START + epoch * 6 * HOUR + MINUTE));
		assert_false(stops_bear(&s, &params, START + epoch * 6 * HOUR + 2 * MINUTE));
		(void)stop(&s, epoch * 6 * HOUR + 3 * HOUR);
		assert_false(stops_bear(&s, &params, START + epoch * 6 * HOUR + 5 * HOUR));
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup(test_the_ladder, defaults),
	cmocka_unit_test_setup(test_single_stops, defaults),
	cmocka_unit_test_setup(test_always_later_and_on_the_grid, defaults),
	cmocka_unit_test_setup(test_scaled, defaults),
	cmocka_unit_test_setup(test_being_cut_off_is_borne_once_in_an_epoch, defaults),
	cmocka_unit_test_setup(test_the_file_keeps_them, defaults),
	cmocka_unit_test_setup(test_the_file_has_no_fine_time, defaults),
	cmocka_unit_test_setup(test_a_far_time_is_not_believed, defaults),
};

TEST_MAIN(tests)

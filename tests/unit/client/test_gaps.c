#include "config.h"

#include "client-lib/gaps.h"

#include <string.h>

#include "common/charter/timing.h"
#include "common/net/attend.h"
#include "tests/lib/test.h"

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)
#define TODAY 20000
/* Half past three in the afternoon. */
#define NOW_MS (TODAY * DAY_MS + 15 * HOUR_MS + 30 * MINUTE_MS)

static struct params params;

static int
set_up(void **state)
{
	(void)state;
	params_default(&params);
	return 0;
}

static struct gaps
patient(int64_t now_ms)
{
	struct gaps g;

	gaps_init(&g, &params, test_rng(), now_ms);
	g.not_before_ms = 0;
	return g;
}

static void
know(struct spans *s, int64_t from, int64_t to)
{
	const struct span x = { .from_ms = from, .to_ms = to };

	assert_err_ok(spans_add(s, &x));
}

static struct gap
next(struct gaps *g, const struct gaps_view *v, int64_t now_ms)
{
	struct gap x;

	gaps_next(&x, g, v, now_ms);
	return x;
}

static void
test_where_days_end(void **state)
{
	struct spans none = { 0 };
	struct gaps_view v = { .spans = &none };
	struct gaps g = patient(NOW_MS);
	struct gap x = next(&g, &v, NOW_MS);
	uint32_t hour = timing_hour(&params, NOW_MS);

	(void)state;
	/* today up to the round in which the running hour's live session begins */
	assert_int_equal(x.kind, GAP_DAY);
	assert_int_equal(x.day, TODAY);
	assert_int_equal(x.hour, hour);
	assert_true(x.from_ms == TODAY * DAY_MS);
	assert_true(x.to_ms == gaps_mark(&params, hour));
	assert_true(x.to_ms <= attend_mark_ms(&params, hour));
	assert_true(x.to_ms > attend_mark_ms(&params, hour) - params.round_ms);
}

static void
test_order(void **state)
{
	struct spans s = { 0 };
	struct gaps_view v = { .spans = &s, .epochs_due = true };
	struct gaps g = patient(NOW_MS);

	(void)state;
	know(&s, 0, (TODAY - 3) * DAY_MS);
	assert_int_equal(next(&g, &v, NOW_MS).kind, GAP_EPOCHS);
	v.epochs_due = false;
	assert_int_equal(next(&g, &v, NOW_MS).day, TODAY);
	know(&s, TODAY * DAY_MS, NOW_MS + DAY_MS);
	for (int i = 0; i < 50; i++) {
		struct gap x = next(&g, &v, NOW_MS + HOUR_MS - 1);
		if (x.kind == GAP_DAY)
			assert_true(x.day >= TODAY - 3 && x.day < TODAY);
		else
			assert_int_equal(x.kind, GAP_WAIT);
	}
	know(&s, 0, NOW_MS);
	assert_int_equal(next(&g, &v, NOW_MS).kind, GAP_NOTHING);
}

/* A verified live run reads by itself from where it begins. */
static void
test_the_live_run_counts(void **state)
{
	struct spans s = { 0 };
	struct gaps_view v = { .spans = &s, .live = true, .live_ms = NOW_MS - 2 * HOUR_MS };
	struct gaps g = patient(NOW_MS);
	uint32_t days[4];

	(void)state;
	know(&s, 0, NOW_MS - 2 * HOUR_MS);
	assert_int_equal(gaps_missing(days, 4, &g, &v, NOW_MS), 0);
	v.live_ms++;
	assert_int_equal(gaps_missing(days, 4, &g, &v, NOW_MS), 1);
	assert_int_equal(days[0], TODAY);
	v.live = false;
	assert_int_equal(gaps_missing(days, 4, &g, &v, NOW_MS), 1);
	know(&s, 0, NOW_MS);
	assert_int_equal(gaps_missing(days, 4, &g, &v, NOW_MS), 0);
}

static void
test_retention(void **state)
{
	struct spans none = { 0 };
	struct gaps_view v = { .spans = &none };
	struct gaps g = patient(NOW_MS);
	uint32_t days[GAPS_DAYS_MAX];
	size_t n = gaps_missing(days, GAPS_DAYS_MAX, &g, &v, NOW_MS);

	(void)state;
	assert_int_equal(n, params.retention_ms / DAY_MS);
	assert_true(days[0] * DAY_MS >= NOW_MS - params.retention_ms + HOUR_MS);
	assert_int_equal(days[n - 1], TODAY);
	for (size_t i = 1; i < n; i++)
		assert_int_equal(days[i], days[i - 1] + 1);
	assert_int_equal(gaps_missing(days, 3, &g, &v, NOW_MS), 3);
	/* times that no day arithmetic likes */
	assert_true(gaps_missing(days, GAPS_DAYS_MAX, &g, &v, 0) <= 1);
	params.retention_ms = 3000 * DAY_MS;
	assert_int_equal(gaps_missing(days, GAPS_DAYS_MAX, &g, &v, NOW_MS), GAPS_DAYS_MAX);
}

static void
test_two_an_hour(void **state)
{
	struct spans none = { 0 };
	struct gaps_view v = { .spans = &none, .epochs_due = true };
	int64_t start = NOW_MS / HOUR_MS * HOUR_MS;
	struct gaps g = patient(start);
	struct gap x;

	(void)state;
	for (int i = 0; i < 2; i++) {
		x = next(&g, &v, start);
		assert_int_equal(x.kind, GAP_EPOCHS);
		gaps_opened(&g, &x);
	}
	x = next(&g, &v, start + MINUTE_MS);
	assert_int_equal(x.kind, GAP_WAIT);
	assert_true(x.at_ms >= start + HOUR_MS && x.at_ms <= start + HOUR_MS + MINUTE_MS);
	assert_int_equal(next(&g, &v, x.at_ms - 1).kind, GAP_WAIT);
	assert_int_equal(next(&g, &v, x.at_ms).kind, GAP_EPOCHS);
}

static void
test_waits(void **state)
{
	struct spans none = { 0 };
	struct gaps_view v = { .spans = &none };
	int64_t longest[2] = { 0, 0 };

	(void)state;
	for (int i = 0; i < 400; i++) {
		struct gaps g;
		bool success = i % 2 == 0;
		gaps_init(&g, &params, test_rng(), NOW_MS);
		assert_true(next(&g, &v, NOW_MS).kind == GAP_WAIT); /* the live session first */
		gaps_ended(&g, success, NOW_MS);
		struct gap x = next(&g, &v, NOW_MS);
		int64_t wait = x.kind == GAP_WAIT ? x.at_ms - NOW_MS : 0;
		if (wait > longest[success])
			longest[success] = wait;
	}
	assert_true(longest[1] > MINUTE_MS / 2 && longest[1] <= MINUTE_MS);
	assert_true(longest[0] > 12 * MINUTE_MS && longest[0] <= 15 * MINUTE_MS);
}

/* After an outage of the live session no wait that ran out meanwhile counts. */
static void
test_waits_from_the_live_session(void **state)
{
	struct spans none = { 0 };
	struct gaps_view v = { .spans = &none };
	int64_t longest = 0, now = NOW_MS + 8 * MINUTE_MS;
	unsigned at_once = 0;

	(void)state;
	for (int i = 0; i < 400; i++) {
		struct gaps g;
		struct gap x;
		int64_t wait;

		gaps_init(&g, &params, test_rng(), NOW_MS);
		gaps_live(&g, now);
		x = next(&g, &v, now);
		wait = x.kind == GAP_WAIT ? x.at_ms - now : 0;
		at_once += wait < MINUTE_MS / 20;
		if (wait > longest)
			longest = wait;
	}
	assert_true(longest > MINUTE_MS / 2 && longest <= MINUTE_MS);
	assert_true(at_once < 60); /* 20 are expected */
}

/* Whole earlier days: one in each half hour, at uniform times, in random order. */
static void
test_earlier_days(void **state)
{
	unsigned first_half = 0, newest_first = 0;

	(void)state;
	for (int i = 0; i < 300; i++) {
		struct spans s = { 0 };
		struct gaps_view v = { .spans = &s };
		int64_t now = NOW_MS / HOUR_MS * HOUR_MS, last_half = -1;
		struct gaps g = patient(now);

		know(&s, 0, (TODAY - 2) * DAY_MS);
		know(&s, TODAY * DAY_MS, NOW_MS + DAY_MS);
		for (int k = 0; k < 2; k++) {
			struct gap x = next(&g, &v, now);
			if (x.kind == GAP_WAIT) {
				now = x.at_ms;
				x = next(&g, &v, now);
			}
			assert_int_equal(x.kind, GAP_DAY);
			assert_true(now / (30 * MINUTE_MS) > last_half);
			last_half = now / (30 * MINUTE_MS);
			if (k == 0) {
				first_half += now % (30 * MINUTE_MS) < 15 * MINUTE_MS;
				newest_first += x.day == TODAY - 1;
			}
			know(&s, x.from_ms, x.to_ms);
		}
		assert_int_equal(next(&g, &v, now).kind, GAP_NOTHING);
	}
	/* 300 fair coins: within six standard deviations */
	assert_in_range(first_half, 98, 202);
	assert_in_range(newest_first, 98, 202);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup(test_where_days_end, set_up),
	cmocka_unit_test_setup(test_order, set_up),
	cmocka_unit_test_setup(test_the_live_run_counts, set_up),
	cmocka_unit_test_setup(test_retention, set_up),
	cmocka_unit_test_setup(test_two_an_hour, set_up),
	cmocka_unit_test_setup(test_waits, set_up),
	cmocka_unit_test_setup(test_waits_from_the_live_session, set_up),
	cmocka_unit_test_setup(test_earlier_days, set_up),
};

TEST_MAIN(tests)

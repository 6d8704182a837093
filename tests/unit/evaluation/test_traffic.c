#include "config.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "evaluation/scenario.h"
#include "evaluation/traffic.h"
#include "tests/lib/test.h"

#define START_MS SCENARIO_MONDAY_MS
#define HOUR_MS INT64_C(3600000)
#define DAY_MS (24 * HOUR_MS)

static struct traffic_config
config_of(enum traffic_workload workload, int64_t interval_ms)
{
	return (struct traffic_config){ .persons = 40, .seed = test_seed(), .start_ms = START_MS,
		.workload = workload, .interval_us = interval_ms * 1000, .on_ms = HOUR_MS,
		.off_ms = 3 * HOUR_MS, .contacts = 10, .zipf_milli = 1000,
		.online_ms = HOUR_MS, .offline_ms = 2 * HOUR_MS };
}

/* A person's messages over some days; times are checked to rise. */
static unsigned
count_messages(const struct traffic_config *cfg, int64_t days, bool (*may)(int64_t at_ms))
{
	struct simulation_traffic source;
	struct traffic *t;
	unsigned count = 0;

	assert_err_ok(traffic_new(&t, cfg, NULL));
	traffic_source(t, &source);
	for (uint32_t person = 0; person < cfg->persons; person++) {
		int64_t at = START_MS;
		uint64_t message = UINT64_MAX;

		for (;;) {
			int64_t next = source.next(source.arg, person, at, &message);
			const struct traffic_message *m = traffic_message(t, person);

			assert_true(next > at);
			if (next >= START_MS + days * DAY_MS)
				break;
			assert_true(may == NULL || may(next));
			assert_int_equal(m->written_ms, next);
			assert_int_equal(m->number, message);
			assert_true(m->receiver < cfg->persons && m->receiver != person);
			at = next;
			count++;
		}
	}
	assert_true(traffic_count(t) >= count);
	traffic_free(t);
	return count;
}

/* 40 people, 28 days, one message an hour: 26880, give or take what the law allows. */
static void
test_rates(void **state)
{
	struct traffic_config cfg = config_of(TRAFFIC_POISSON, HOUR_MS);
	double expected = 40.0 * 28 * 24;

	(void)state;
	assert_true(fabs(count_messages(&cfg, 28, NULL) - expected) < 6 * sqrt(expected));
	/* by turns of 4 h the counts vary more: about 9000 turns, 4 messages each */
	cfg = config_of(TRAFFIC_ON_OFF, HOUR_MS);
	assert_true(fabs(count_messages(&cfg, 28, NULL) - expected) < 6 * 4 * sqrt(expected));
	cfg = config_of(TRAFFIC_POISSON, 0);
	assert_int_equal(count_messages(&cfg, 28, NULL), 0);
}

/* How long somebody takes for n messages, of the time in which they can be written. */
static double
time_of_messages(const struct traffic_config *cfg, unsigned n)
{
	struct simulation_traffic source;
	struct traffic *t;
	int64_t at = START_MS, in_day, day;
	uint64_t message;

	assert_err_ok(traffic_new(&t, cfg, NULL));
	traffic_source(t, &source);
	for (unsigned i = 0; i < n; i++) {
		int64_t next = source.next(source.arg, 0, at, &message);

		assert_true(next > at && next < INT64_MAX);
		at = next;
	}
	traffic_free(t);
	day = (at - START_MS) / DAY_MS;
	in_day = (at - START_MS) % DAY_MS;
	if (cfg->workload != TRAFFIC_OFFICE)
		return (double)(at - START_MS);
	return (double)(day / 7 * 5 + day % 7) * 10 * (double)HOUR_MS + (double)in_day -
	    8 * (double)HOUR_MS;
}

/* As many a day as the scenario says, up to the most that it may say. */
static void
test_high_rates(void **state)
{
	static const struct {
		enum traffic_workload workload;
		int64_t per_day;
	} cases[] = {
		{ TRAFFIC_POISSON, 300000 }, { TRAFFIC_POISSON, 1000000 },
		{ TRAFFIC_OFFICE, 100000 }, { TRAFFIC_OFFICE, 400000 },
		{ TRAFFIC_OFFICE, 1000000 },
	};
	unsigned n = 1500000;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool office = cases[i].workload == TRAFFIC_OFFICE;
		double active_ms = (double)DAY_MS * (office ? 50.0 / 168 : 1), expected;
		struct scenario s = { .people = 2, .seed = (int64_t)(test_seed() >> 1),
			.workload = cases[i].workload, .contacts = 1, .duration_ms = 4000 * DAY_MS,
			.messages_per_day_milli = cases[i].per_day * 1000 };
		struct traffic_config cfg;

		scenario_traffic(&cfg, &s);
		expected = active_ms / (double)cases[i].per_day * n;
		assert_true(fabs(time_of_messages(&cfg, n) - expected) < 6 * expected / sqrt(n));
	}
}

/* At the end of a run nothing more is written; what comes before is the same. */
static void
test_nothing_after_the_end(void **state)
{
	static const enum traffic_workload workloads[] = { TRAFFIC_POISSON, TRAFFIC_ON_OFF,
		TRAFFIC_OFFICE };

	(void)state;
	for (size_t i = 0; i < sizeof(workloads) / sizeof(workloads[0]); i++) {
		struct traffic_config cfg = config_of(workloads[i], HOUR_MS);
		struct simulation_traffic endless, source;
		struct traffic *t, *ending;
		unsigned before = 0;

		assert_err_ok(traffic_new(&t, &cfg, NULL));
		cfg.ends_ms = START_MS + 4 * DAY_MS;
		assert_err_ok(traffic_new(&ending, &cfg, NULL));
		traffic_source(t, &endless);
		traffic_source(ending, &source);
		for (uint32_t p = 0; p < cfg.persons; p++) {
			int64_t at = START_MS, next;
			uint64_t message;

			for (; at < cfg.ends_ms; at = next, before++) {
				next = endless.next(endless.arg, p, at, &message);
				assert_int_equal(source.next(source.arg, p, at, &message),
				    next < cfg.ends_ms ? next : INT64_MAX);
			}
			assert_int_equal(source.next(source.arg, p, at, &message), INT64_MAX);
		}
		assert_int_equal(traffic_count(ending), before - cfg.persons);
		traffic_free(t);
		traffic_free(ending);
	}
}

/* A message in a thousand days by turns of a second: no end, if all turns are gone through. */
static void
test_short_turns_and_rare_messages(void **state)
{
	struct scenario s = { .people = 50, .seed = (int64_t)(test_seed() >> 1), .contacts = 5,
		.workload = TRAFFIC_ON_OFF, .on_ms = 1000, .off_ms = 1000,
		.messages_per_day_milli = 1, .duration_ms = 60000 };
	struct simulation_traffic source;
	struct traffic_config cfg;
	struct traffic *t;
	uint64_t message;

	(void)state;
	scenario_traffic(&cfg, &s);
	assert_int_equal(cfg.ends_ms, scenario_ends_ms(&s));
	assert_err_ok(traffic_new(&t, &cfg, NULL));
	traffic_source(t, &source);
	for (uint32_t p = 0; p < cfg.persons; p++) {
		int64_t next = source.next(source.arg, p, cfg.start_ms, &message);

		assert_true(next == INT64_MAX || next < cfg.ends_ms);
	}
	traffic_free(t);
}

static bool
is_office(int64_t at_ms)
{
	int64_t day = (at_ms - START_MS) / DAY_MS % 7, hour = (at_ms - START_MS) % DAY_MS / HOUR_MS;

	return day < 5 && hour >= 8 && hour < 18;
}

static void
test_office_hours(void **state)
{
	struct traffic_config cfg = config_of(TRAFFIC_OFFICE, HOUR_MS);
	double expected = 40.0 * 28 * 24;

	(void)state;
	assert_true(fabs(count_messages(&cfg, 28, is_office) - expected) < 6 * sqrt(expected));
}

/* Everybody's contacts are different people and never oneself, for any number of people. */
static void
test_contacts(void **state)
{
	(void)state;
	for (uint32_t persons = 2; persons < 40; persons++) {
		struct traffic_config cfg = config_of(TRAFFIC_POISSON, HOUR_MS);
		struct traffic *t;

		cfg.persons = persons;
		cfg.contacts = persons - 1;
		assert_err_ok(traffic_new(&t, &cfg, NULL));
		for (uint32_t p = 0; p < persons; p++) {
			bool met[40] = { false };

			met[p] = true;
			for (uint32_t i = 0; i < cfg.contacts; i++) {
				uint32_t c = traffic_contact(t, p, i);

				assert_true(c < persons && !met[c]);
				met[c] = true;
			}
		}
		traffic_free(t);
	}
}

/*
 * A product is rounded before something is added to it, on every machine: were the two
 * done at once where a machine can, shares and times would differ there in their last bit.
 */
static void
test_products_are_rounded(void **state)
{
	volatile double factor = 1 + 0x1p-27, term = -(1 + 0x1p-26);

	(void)state;
	assert_true(factor * factor + term == 0);
}

/* With exponent 1.5 and 10 contacts, the first gets 1 / sum i^-1.5 = 0.5011 of all. */
static void
test_zipf(void **state)
{
	struct traffic_config cfg = config_of(TRAFFIC_POISSON, 1000);
	struct simulation_traffic source;
	struct traffic *t;
	unsigned n = 40000, first = 0;
	double sum = 0, share;
	int64_t at = START_MS;
	uint64_t message;

	(void)state;
	cfg.zipf_milli = 1500;
	for (int i = 1; i <= 10; i++)
		sum += pow(i, -1.5);
	share = 1 / sum;
	assert_err_ok(traffic_new(&t, &cfg, NULL));
	traffic_source(t, &source);
	for (unsigned i = 0; i < n; i++) {
		at = source.next(source.arg, 3, at, &message);
		first += traffic_message(t, 3)->receiver == traffic_contact(t, 3, 0);
	}
	assert_true(fabs(first - n * share) < 6 * sqrt(n * share * (1 - share)));
	traffic_free(t);
}

/* What one person does depends on the seed and the person, not on the order of the questions. */
static void
test_persons_are_independent(void **state)
{
	struct traffic_config cfg = config_of(TRAFFIC_ON_OFF, HOUR_MS);
	int64_t times[2][40][5];

	(void)state;
	for (int order = 0; order < 2; order++) {
		struct simulation_traffic source;
		struct traffic *t;

		assert_err_ok(traffic_new(&t, &cfg, NULL));
		traffic_source(t, &source);
		for (uint32_t k = 0; k < 40; k++) {
			uint32_t p = order == 0 ? k : 39 - k;
			int64_t at = START_MS;
			uint64_t message;

			for (int i = 0; i < 5; i++)
				times[order][p][i] = at = source.next(source.arg, p, at, &message);
		}
		traffic_free(t);
	}
	assert_memory_equal(times[0], times[1], sizeof(times[0]));
}

/* A third of all time online; and from the start as later. */
static void
test_churn_by_turns(void **state)
{
	struct traffic_config cfg = config_of(TRAFFIC_POISSON, HOUR_MS);
	struct simulation_traffic source;
	struct traffic *t;
	unsigned online = 0, first = 0, n = 0;

	(void)state;
	cfg.persons = 2000;
	cfg.churn = CHURN_ON_OFF;
	assert_err_ok(traffic_new(&t, &cfg, NULL));
	traffic_source(t, &source);
	for (uint32_t p = 0; p < cfg.persons; p++) {
		first += source.online(source.arg, p, START_MS);
		for (int64_t at = START_MS; at < START_MS + 2 * DAY_MS; at += 3 * HOUR_MS, n++)
			online += source.online(source.arg, p, at);
	}
	assert_true(fabs(first - 2000 / 3.0) < 6 * sqrt(2000 * 2 / 9.0));
	assert_true(fabs((double)online / n - 1 / 3.0) < 0.02);
	traffic_free(t);
}

/* In any order of questions, and by the minute: five days of ten hours. */
static void
test_office_by_the_minute(void **state)
{
	enum { MINUTES = 7 * 24 * 60 };
	struct traffic_config cfg = config_of(TRAFFIC_POISSON, HOUR_MS);
	static bool online[MINUTES];
	struct simulation_traffic source;
	struct traffic *t;

	(void)state;
	cfg.churn = CHURN_OFFICE;
	assert_err_ok(traffic_new(&t, &cfg, NULL));
	traffic_source(t, &source);
	for (uint32_t p = 0; p < cfg.persons; p++) {
		unsigned sum = 0, turns = 0;

		for (unsigned i = 0; i < MINUTES; i++) {
			online[i] = source.online(source.arg, p, START_MS + i * INT64_C(60000));
			sum += online[i];
			turns += i > 0 && online[i] != online[i - 1];
		}
		assert_int_equal(turns, 10);
		assert_true(sum == 5 * 600);
		for (unsigned k = 0; k < 200; k++) {
			unsigned i = rng_below(test_rng(), MINUTES);

			assert_int_equal(source.online(source.arg, p, START_MS + i * INT64_C(60000)),
			    online[i]);
		}
	}
	traffic_free(t);
}

static void
test_churn_in_the_office(void **state)
{
	struct traffic_config cfg = config_of(TRAFFIC_POISSON, HOUR_MS);
	struct simulation_traffic source;
	struct traffic *t;

	(void)state;
	cfg.churn = CHURN_OFFICE;
	assert_err_ok(traffic_new(&t, &cfg, NULL));
	traffic_source(t, &source);
	for (uint32_t p = 0; p < cfg.persons; p++) {
		assert_true(source.online(source.arg, p, START_MS + 12 * HOUR_MS));
		assert_false(source.online(source.arg, p, START_MS + 6 * HOUR_MS));
		assert_false(source.online(source.arg, p, START_MS + 5 * DAY_MS + 12 * HOUR_MS));
	}
	traffic_free(t);
	cfg.churn = CHURN_NONE;
	assert_err_ok(traffic_new(&t, &cfg, NULL));
	traffic_source(t, &source);
	assert_null(source.online);
	traffic_free(t);
}

/* ---- recordings ---- */

static enum err
parse(struct traffic **out, const char *text, struct diag *d)
{
	struct traffic_config cfg = config_of(TRAFFIC_RECORDED, 0);
	enum err e;

	assert_err_ok(traffic_new(out, &cfg, NULL));
	e = traffic_parse(*out, "the.csv", text, strlen(text), d);
	if (e != ERR_OK)
		traffic_free(*out);
	return e;
}

static void
test_recording(void **state)
{
	struct simulation_traffic source;
	struct traffic *t;
	uint64_t message;

	(void)state;
	assert_err_ok(parse(&t, "t,sender,receiver\r\n0.5,3,4\n0.75,2,1\r\n12.3456,3,0", NULL));
	assert_int_equal(traffic_lines(t), 3);
	traffic_source(t, &source);
	assert_int_equal(source.next(source.arg, 3, START_MS, &message), START_MS + 500);
	assert_int_equal(traffic_message(t, 3)->receiver, 4);
	assert_int_equal(source.next(source.arg, 3, START_MS + 500, &message), START_MS + 12345);
	assert_int_equal(traffic_message(t, 3)->receiver, 0);
	assert_int_equal(source.next(source.arg, 3, START_MS + 12345, &message), INT64_MAX);
	assert_int_equal(source.next(source.arg, 2, START_MS, &message), START_MS + 750);
	assert_int_equal(source.next(source.arg, 0, START_MS, &message), INT64_MAX);
	traffic_free(t);
}

/* A mark of the byte order is none of the first field; a line of names has no number. */
static void
test_first_line(void **state)
{
	static const struct {
		const char *text;
		size_t lines;
	} good[] = {
		{ "\xef\xbb\xbf" "1,0,1\n2,1,0\n", 2 },
		{ "\xef\xbb\xbf" "t,sender,receiver\n2,1,0\n", 1 },
		{ "\"time, s\", sender, receiver\n2,1,0\n", 1 },
		{ "# of one day\n2,1,0\n", 1 },
	};
	static const char *const bad[] = { "1,0,1 \n2,1,0\n", "1;0;1\n2,1,0\n", " 1,0,1\n2,1,0\n",
		"-1,0,1\n2,1,0\n", "nan,0,1\n2,1,0\n", "1,0,40,\n2,1,0\n", "\n2,1,0\n",
		"t,,receiver\n2,1,0\n", "\xef\xbb\n2,1,0\n",
		"t,sender,receiver\n2,1,0\n\xef\xbb\xbf" "3,1,0\n" };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct traffic *t;

		assert_err_ok(parse(&t, good[i].text, NULL));
		assert_int_equal(traffic_lines(t), good[i].lines);
		traffic_free(t);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct traffic *t;
		struct diag d = { "" };

		assert_true(parse(&t, bad[i], &d) != ERR_OK);
		assert_non_null(strstr(d.text, i + 1 < sizeof(bad) / sizeof(bad[0]) ? "line 1" : "line 3"));
	}
}

/* How many lines a run never comes to. */
static void
test_lines_after(void **state)
{
	struct traffic *t;

	(void)state;
	assert_err_ok(parse(&t, "1,0,1\n2,1,0\n2,0,1\n7,0,1\n", NULL));
	assert_int_equal(traffic_lines_after(t, START_MS), 4);
	assert_int_equal(traffic_lines_after(t, START_MS + 1999), 3);
	assert_int_equal(traffic_lines_after(t, START_MS + 2000), 1);
	assert_int_equal(traffic_lines_after(t, START_MS + 7000), 0);
	traffic_free(t);
}

/* What cannot be read is not waited for. */
static void
test_places(void **state)
{
	struct traffic_config cfg = config_of(TRAFFIC_RECORDED, 0);
	char fifo[512];
	struct traffic *t;
	struct diag d = { "" };

	(void)state;
	(void)snprintf(fifo, sizeof(fifo), "%s/fifo", test_tmpdir());
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_err_ok(traffic_new(&t, &cfg, NULL));
	assert_err(traffic_read(t, fifo, &d), ERR_IO);
	assert_non_null(strstr(d.text, "regular file"));
	assert_err(traffic_read(t, test_tmpdir(), &d), ERR_IO);
	assert_err(traffic_read(t, "/nowhere/x.csv", &d), ERR_NOT_FOUND);
	(void)snprintf(fifo, sizeof(fifo), "/dev/null/x.csv");
	assert_err(traffic_read(t, fifo, &d), ERR_IO);
	traffic_free(t);
}

static void
test_bad_recordings(void **state)
{
	static const struct {
		const char *text, *says;
		enum err e;
	} bad[] = {
		{ "1,2,3\n0.5,2,3\n", "line 2: earlier", ERR_RANGE },
		{ "1,2,3\n2,40,3\n", "line 2: not", ERR_RANGE },
		{ "1,2,3\n2,4294967296,3\n", "line 2: not", ERR_RANGE },
		{ "1,2,3\n2,-1,3\n", "line 2: not", ERR_RANGE },
		{ "1,2,3\nnan,1,3\n", "line 2: not", ERR_MALFORMED },
		{ "1,2,3\n-1,1,3\n", "line 2: not", ERR_MALFORMED },
		{ "1,2,3\n99999999999,1,3\n", "line 2: not", ERR_RANGE },
		{ "1,2,3\n2,1\n", "line 2: not", ERR_MALFORMED },
		{ "1,2,3\n2,1,3,4\n", "line 2: not", ERR_MALFORMED },
		{ "1,2,3\n\n", "line 2: not", ERR_MALFORMED },
		{ "1,2,3\nt,sender,receiver\n", "line 2: not", ERR_MALFORMED },
		{ "1,2,3\n2,7,7\n", "line 2: person 7 writes to itself", ERR_RANGE },
		{ "t,sender,receiver\n", "no line", ERR_MALFORMED },
		{ "", "no line", ERR_MALFORMED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct traffic *t;
		struct diag d = { "" };

		assert_err(parse(&t, bad[i].text, &d), bad[i].e);
		assert_non_null(strstr(d.text, bad[i].says));
		assert_ptr_equal(strstr(d.text, "the.csv"), d.text);
	}
}

static void
test_refused(void **state)
{
	struct traffic_config cfg = config_of(TRAFFIC_POISSON, HOUR_MS);
	struct traffic *t;
	struct diag d;

	(void)state;
	cfg.persons = 1;
	assert_err(traffic_new(&t, &cfg, &d), ERR_RANGE);
	cfg.persons = 10;
	assert_err(traffic_new(&t, &cfg, &d), ERR_RANGE); /* contacts */
	cfg = config_of(TRAFFIC_ON_OFF, HOUR_MS);
	cfg.off_ms = 0;
	assert_err(traffic_new(&t, &cfg, &d), ERR_RANGE);
	/* 24 messages a day in a second a year */
	cfg.on_ms = 1000;
	cfg.off_ms = 365 * DAY_MS;
	d = (struct diag){ "" };
	assert_err(traffic_new(&t, &cfg, &d), ERR_RANGE);
	assert_non_null(strstr(d.text, "every millisecond"));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_rates),
	cmocka_unit_test(test_high_rates),
	cmocka_unit_test(test_nothing_after_the_end),
	cmocka_unit_test(test_short_turns_and_rare_messages),
	cmocka_unit_test(test_office_hours),
	cmocka_unit_test(test_contacts),
	cmocka_unit_test(test_products_are_rounded),
	cmocka_unit_test(test_zipf),
	cmocka_unit_test(test_persons_are_independent),
	cmocka_unit_test(test_churn_by_turns),
	cmocka_unit_test(test_churn_in_the_office),
	cmocka_unit_test(test_office_by_the_minute),
	cmocka_unit_test(test_recording),
	cmocka_unit_test(test_first_line),
	cmocka_unit_test(test_lines_after),
	cmocka_unit_test(test_places),
	cmocka_unit_test(test_bad_recordings),
	cmocka_unit_test(test_refused),
};
TEST_MAIN(tests)

#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "evaluation/scenario.h"
#include "mix/pool.h"
#include "tests/lib/test.h"

static enum err
parse(struct scenario *out, const char *lines, struct diag *d)
{
	char text[1024];

	(void)snprintf(text, sizeof(text), "restante-scenario 1\n%s", lines);
	return scenario_parse(out, "the.scenario", text, strlen(text), d);
}

static char *
printed(const struct scenario *s)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	assert_non_null(f);
	if (s != NULL)
		scenario_print(f, s);
	else
		scenario_print_defaults(f);
	assert_int_equal(fclose(f), 0);
	return text;
}

static void
test_defaults_parse_to_themselves(void **state)
{
	struct scenario s, again, least;
	char *text = printed(NULL), *whole, *second;

	(void)state;
	assert_err_ok(scenario_parse(&s, "defaults", text, strlen(text), NULL));
	assert_err_ok(parse(&least, "", NULL));
	assert_memory_equal(&s, &least, sizeof(s));
	for (size_t i = 0; i < scenario_schema()->count; i++)
		assert_non_null(strstr(text, scenario_schema()->keys[i].name));
	whole = printed(&s);
	assert_err_ok(scenario_parse(&again, "printed", whole, strlen(whole), NULL));
	second = printed(&again);
	assert_string_equal(whole, second);
	free(text);
	free(whole);
	free(second);
}

static void
test_what_follows(void **state)
{
	struct scenario s;
	struct params p;
	struct traffic_config t;
	bool corrupt[SIMULATION_NODES_MAX];

	(void)state;
	assert_err_ok(parse(&s, "layers = 2\nwidth = 3 2\ncorrupt-per-layer = 1\ncorrupt = 0.2 1.1\n"
	    "strategy = timed\nstrategy-1 = threshold packets=7\nmessages-per-day = 2.5\nwarm-up = 10min\n"
	    "start = 8h\npeople = 50\nslot = 10s\n", NULL));
	scenario_params(&p, &s);
	assert_int_equal(p.mixes[0], 3);
	assert_int_equal(p.mixes[1], 2);
	assert_int_equal(p.strategy[0].kind, STRATEGY_TIMED);
	assert_int_equal(p.strategy[1].kind, STRATEGY_THRESHOLD);
	assert_int_equal(p.strategy[1].threshold, 7);
	assert_int_equal(scenario_nodes(&s), 5);
	assert_int_equal(scenario_corrupt(corrupt, &s), 4);
	assert_true(corrupt[0] && !corrupt[1] && corrupt[2] && corrupt[3] && corrupt[4]);
	scenario_traffic(&t, &s);
	assert_int_equal(t.interval_us, INT64_C(86400000000) * 2 / 5);
	assert_int_equal(scenario_begins_ms(&s), SCENARIO_MONDAY_MS + 8 * 3600000);
	assert_int_equal(scenario_measured_ms(&s), scenario_begins_ms(&s) + 600000);
	assert_true(scenario_rate(&s) > 0.00499 && scenario_rate(&s) < 0.00501);
}

/* Each refusal names the file, the line or the key, and what is allowed. */
static void
test_refusals(void **state)
{
	static const struct {
		const char *lines, *says[3];
		enum err e;
	} bad[] = {
		{ "people = 1\n", { "the.scenario, line 2", "'people'", "from 2 to 1000000" },
		    ERR_RANGE },
		{ "\npeopel = 5\n", { "line 3", "peopel", "did you mean 'people'" }, ERR_NOT_FOUND },
		{ "seed = 1\nseed = 2\n", { "line 3", "'seed'", "twice" }, ERR_EXISTS },
		{ "zipf = -1\n", { "line 2", "'zipf'", "from 0 to 10" }, ERR_MALFORMED },
		{ "zipf = nan\n", { "line 2", "'zipf'", "from 0 to 10" }, ERR_MALFORMED },
		{ "zipf = 1.2345\n", { "line 2", "'zipf'", "from 0 to 10" }, ERR_MALFORMED },
		{ "messages-per-day = 1000001\n", { "line 2", "'messages-per-day'", "1000000" },
		    ERR_RANGE },
		{ "strategy = sieve n=3\n", { "line 2", "strategy", "timed-pool" }, ERR_MALFORMED },
		{ "strategy-0 = threshold packets=0\n", { "line 2", "strategy-0", "1 to 1000000" }, ERR_MALFORMED },
		{ "width = 0\n", { "line 2", "'width'", "1 to 64" }, ERR_MALFORMED },
		{ "width = 65\n", { "line 2", "'width'", "1 to 64" }, ERR_MALFORMED },
		{ "width = 2 x\n", { "line 2", "'width'", "1 to 64" }, ERR_MALFORMED },
		{ "width = 1 2\n", { "the.scenario", "'width'", "3 layers" }, ERR_RANGE },
		{ "corrupt = 1\n", { "line 2", "'corrupt'", "layer.mix" }, ERR_MALFORMED },
		{ "corrupt = 3.0\n", { "the.scenario", "'corrupt'", "0 to 2" }, ERR_RANGE },
		{ "corrupt = 0.1\n", { "the.scenario", "'corrupt'", "0 to 2" }, ERR_RANGE },
		{ "corrupt-per-layer = 2\n", { "the.scenario", "'corrupt-per-layer'", "1 mixes" },
		    ERR_RANGE },
		{ "people = 20\n", { "the.scenario", "'contacts'", "1 to 19" }, ERR_RANGE },
		{ "target-rule = person\ntarget-person = 200\n",
		    { "the.scenario", "'target-person'", "0 to 199" }, ERR_RANGE },
		{ "note-one-in = 1\n", { "the.scenario", "'note-one-in'", "2 to 1000" }, ERR_RANGE },
		{ "workload = recorded\n", { "the.scenario", "recording", "add" }, ERR_RANGE },
		{ "recording = x.csv\n", { "the.scenario", "'recording'", "remove" }, ERR_RANGE },
		{ "epoch = 5ms\n", { "the.scenario", "'epoch'", "1s to 256h" }, ERR_RANGE },
		{ "epoch = 4min\n", { "the.scenario", "'epoch'", "longer than 4min" }, ERR_RANGE },
		{ "pool-max = 99\nstrategy = threshold packets=100\n",
		    { "'pool-max' is 99", "layer 0", "hold 100" }, ERR_RANGE },
		{ "pool-max = 99\nstrategy-1 = threshold-and-timed packets=100\n",
		    { "'pool-max' is 99", "layer 1", "hold 100" }, ERR_RANGE },
		{ "pool-max = 99\nstrategy-2 = threshold-pool packets=60 min=40\n",
		    { "'pool-max' is 99", "layer 2", "hold 100" }, ERR_RANGE },
		{ "pool-max = 99\nstrategy = timed-pool min=99\n",
		    { "'pool-max' is 99", "layer 0", "hold 100" }, ERR_RANGE },
		{ "pool-max = 99\nstrategy = timed-dynamic-pool min=99 rate=0.5\n",
		    { "'pool-max' is 99", "layer 0", "hold 100" }, ERR_RANGE },
		{ "strategy-3 = timed\n", { "the.scenario", "'strategy-3'", "0 to 2" }, ERR_RANGE },
		{ "adversary = nsa\n", { "line 2", "'adversary'", "global, gateway, none" },
		    ERR_MALFORMED },
		{ "duration = 0s\n", { "line 2", "'duration'", "from 1s" }, ERR_RANGE },
		{ "nonsense\n", { "line 2", "key = value", "the.scenario" }, ERR_MALFORMED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct scenario s, before;
		struct diag d = { "" };

		memset(&s, 0x5a, sizeof(s));
		before = s;
		assert_err(parse(&s, bad[i].lines, &d), bad[i].e);
		assert_memory_equal(&s, &before, sizeof(s));
		for (size_t k = 0; k < 3; k++)
			if (strstr(d.text, bad[i].says[k]) == NULL)
				fail_msg("'%s' does not say '%s'", d.text, bad[i].says[k]);
	}
}

/* What just works is taken. */
static void
test_at_the_limits(void **state)
{
	static const char *const good[] = { "epoch = 240001ms\n", "sending = poisson\nepoch = 1s\n",
		"epoch = 0ms\n", "pool-max = 100\nstrategy = threshold packets=100\n",
		"pool-max = 100\nstrategy = threshold-pool packets=60 min=40\n",
		"pool-max = 100\nstrategy = timed-pool min=99\n",
		"pool-max = 10\nstrategy = threshold-or-timed packets=100\n" };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct scenario s;
		struct diag d = { "" };

		if (parse(&s, good[i], &d) != ERR_OK)
			fail_msg("%s", d.text);
	}
}

static void
test_first_line(void **state)
{
	static const struct {
		const char *text;
		enum err e;
	} bad[] = { { "", ERR_MALFORMED }, { "people = 5\n", ERR_MALFORMED },
		{ "restante-scenario\n", ERR_MALFORMED }, { "restante-scenario 1 \n", ERR_MALFORMED },
		{ "restante-scenario 2\n", ERR_VERSION }, { "restante-scenario 10\n", ERR_VERSION },
		{ "restante-charter 1\n", ERR_MALFORMED } };
	struct scenario s;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct diag d = { "" };

		assert_err(scenario_parse(&s, "x", bad[i].text, strlen(bad[i].text), &d), bad[i].e);
		assert_non_null(strstr(d.text, "x, line 1"));
	}
	assert_err_ok(scenario_parse(&s, "x", "restante-scenario 1", 19, NULL));
}

static void
test_load_places_the_recording(void **state)
{
	char path[512], wanted[512], got[TRAFFIC_PATH_BYTES], *text;
	const char *directory = test_tmpdir();
	struct traffic_config traffic;
	struct scenario s;
	struct diag d = { "" };
	FILE *f;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/s.txt", directory);
	(void)snprintf(wanted, sizeof(wanted), "%s/r.csv", directory);
	assert_err(scenario_load(&s, path, &d), ERR_NOT_FOUND);
	f = fopen(path, "w");
	assert_non_null(f);
	(void)fprintf(f, "restante-scenario 1\nworkload = recorded\nrecording = r.csv\npeople = 3\n");
	assert_int_equal(fclose(f), 0);
	assert_err_ok(scenario_load(&s, path, &d));
	scenario_traffic(&traffic, &s);
	traffic_path(got, &traffic, s.recording);
	assert_string_equal(got, wanted);
	traffic_path(got, &traffic, "/r.csv");
	assert_string_equal(got, "/r.csv");
	/* printed as it was written, so that it may be printed beside the scenario */
	text = printed(&s);
	assert_non_null(strstr(text, "\nrecording = r.csv\n"));
	free(text);
	/* the rules between keys come later: here there are more contacts than people */
	assert_err(scenario_check(&s, path, &d), ERR_RANGE);
}

/* A scenario may count cover exactly where the pools themselves can be counted. */
static void
test_counted_cover_is_what_pools_can(void **state)
{
	static const char *const strategies[STRATEGY_KINDS] = { "threshold packets=9", "timed",
		"timed-pool min=3", "timed-dynamic-pool min=2 rate=0.6",
		"threshold-or-timed packets=9", "threshold-and-timed packets=9",
		"threshold-pool packets=9 min=3", "binomial rate=0.8 mean=50 deviation=20",
		"stop-and-go mean=5s" };

	(void)state;
	for (size_t i = 0; i < STRATEGY_KINDS; i++) {
		char lines[128];
		struct scenario s;
		struct params p;
		struct pool *k;
		struct diag d;

		(void)snprintf(lines, sizeof(lines), "strategy = %s\n", strategies[i]);
		assert_err_ok(parse(&s, lines, &d));
		scenario_params(&p, &s);
		assert_int_equal(p.strategy[0].kind, i); /* all of them */
		assert_err_ok(pool_new(&k, &p, 0, 0));
		s.cover = COVER_COUNTED;
		assert_err(scenario_check(&s, "it", &d), pool_counts(k) ? ERR_OK : ERR_RANGE);
		pool_free(k);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_defaults_parse_to_themselves),
	cmocka_unit_test(test_what_follows),
	cmocka_unit_test(test_refusals),
	cmocka_unit_test(test_at_the_limits),
	cmocka_unit_test(test_first_line),
	cmocka_unit_test(test_load_places_the_recording),
	cmocka_unit_test(test_counted_cover_is_what_pools_can),
};
TEST_MAIN(tests)

#include "config.h"

#include "tests/lib/test.h"

#include <stdio.h>
#include <string.h>

#include "common/charter/params.h"

/* ---- the table ---- */

static void
defaults_agree_and_are_the_documented_ones(void **state)
{
	static const struct {
		const char *key, *value;
	} want[] = {
		{ "suite", "1" }, { "layers", "3" }, { "record-size", "4096" }, { "slot", "5s" },
		{ "round", "10s" }, { "epoch", "6h" }, { "grace", "10min" }, { "retention", "14d" },
		{ "people", "125" }, { "mailboxes", "1" }, { "pieces", "2" },
		{ "note-one-in", "8" }, { "stamps", "1500" }, { "pool-max", "100000" },
		{ "time-scale", "1" }, { "strategy.0", "timed-dynamic-pool min=2 rate=0.6" },
		{ "strategy.1", "timed-dynamic-pool min=2 rate=0.6" },
		{ "strategy.2", "timed-dynamic-pool min=2 rate=0.6" },
	};
	char key[PARAMS_KEY_BYTES], value[PARAMS_VALUE_BYTES];
	struct params p;
	size_t n = sizeof(want) / sizeof(want[0]);

	(void)state;
	params_default(&p);
	assert_err_ok(params_check(&p, NULL));
	for (size_t i = 0; i < n; i++) {
		assert_true(params_key(key, &p, i));
		assert_string_equal(key, want[i].key);
		assert_err_ok(params_get(value, &p, key));
		assert_string_equal(value, want[i].value);
	}
	assert_false(params_key(key, &p, n));
}

static void
strategies_have_a_key_for_each_layer(void **state)
{
	char key[PARAMS_KEY_BYTES], value[PARAMS_VALUE_BYTES];
	struct params p;

	(void)state;
	params_default(&p);
	assert_err(params_get(value, &p, "strategy.3"), ERR_NOT_FOUND);
	assert_err(params_set(&p, "strategy.3", "timed", NULL), ERR_NOT_FOUND);
	assert_err_ok(params_set(&p, "layers", "4", NULL));
	assert_err_ok(params_get(value, &p, "strategy.3"));
	assert_err_ok(params_set(&p, "layers", "1", NULL));
	assert_err(params_get(value, &p, "strategy.1"), ERR_NOT_FOUND);
	assert_true(params_key(key, &p, 15));
	assert_string_equal(key, "strategy.0");
	assert_false(params_key(key, &p, 16));
}

static void
number_text(char out[static PARAMS_VALUE_BYTES], const struct param_info *row, int64_t v)
{
	(void)snprintf(out, PARAMS_VALUE_BYTES, "%lld%s", (long long)v,
	    row->type == PARAM_DURATION ? "ms" : "");
}

static void
ranges_hold_at_both_ends(void **state)
{
	char text[PARAMS_VALUE_BYTES], got[PARAMS_VALUE_BYTES], again[PARAMS_VALUE_BYTES];
	const struct param_info *row;
	struct params p;
	struct diag d;

	(void)state;
	for (size_t i = 0; (row = params_info(i)) != NULL; i++) {
		if (row->type == PARAM_STRATEGY)
			continue;
		params_default(&p);
		number_text(text, row, row->min - 1);
		assert_true(params_set(&p, row->name, text, &d) != ERR_OK);
		number_text(text, row, row->max + 1);
		assert_err(params_set(&p, row->name, text, &d), ERR_RANGE);
		assert_contains(d.text, row->name);
		assert_err_ok(params_get(got, &p, row->name));
		assert_string_equal(got, row->standard); /* a refused value leaves no trace */
		number_text(text, row, row->min);
		assert_err_ok(params_set(&p, row->name, text, &d));
		number_text(text, row, row->max);
		assert_err_ok(params_set(&p, row->name, text, &d));
		assert_err_ok(params_get(got, &p, row->name));
		assert_err_ok(params_set(&p, row->name, got, &d));
		assert_err_ok(params_get(again, &p, row->name));
		assert_string_equal(got, again);
	}
}

static void
other_texts_are_refused(void **state)
{
	static const struct {
		const char *key, *value;
		enum err want;
	} bad[] = {
		{ "slott", "5s", ERR_NOT_FOUND }, { "", "5s", ERR_NOT_FOUND },
		{ "strategy", "timed", ERR_NOT_FOUND }, { "strategy.00", "timed", ERR_NOT_FOUND },
		{ "slot", "5", ERR_MALFORMED }, { "slot", "", ERR_MALFORMED },
		{ "slot", "5 s", ERR_MALFORMED }, { "slot", "5sec", ERR_MALFORMED },
		{ "slot", "+5s", ERR_MALFORMED }, { "slot", "05s", ERR_MALFORMED },
		{ "slot", "-5s", ERR_MALFORMED }, { "slot", "1.5s", ERR_MALFORMED },
		{ "slot", "99999999999999999999s", ERR_RANGE }, { "people", "12 ", ERR_MALFORMED },
		{ "people", "0x10", ERR_MALFORMED }, { "people", "ten", ERR_MALFORMED },
		{ "people", "99999999999999999999", ERR_RANGE }, { "people", "-1", ERR_RANGE },
		{ "record-size", "65536", ERR_RANGE }, { "layers", "259", ERR_RANGE },
	};
	struct params p;

	(void)state;
	params_default(&p);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_err(params_set(&p, bad[i].key, bad[i].value, NULL), bad[i].want);
}

/* ---- strategies ---- */

static void
strategies_read_as_they_print(void **state)
{
	static const char *const texts[] = {
		"threshold packets=1", "threshold packets=1000000", "timed", "timed-pool min=0",
		"timed-pool min=20", "timed-dynamic-pool min=0 rate=1",
		"timed-dynamic-pool min=1000000 rate=0.000001",
		"timed-dynamic-pool min=45 rate=0.65 rule=gmix", "threshold-or-timed packets=7",
		"threshold-and-timed packets=7", "threshold-pool packets=7 min=0",
		"threshold-pool packets=1000000 min=1000000",
		"timed-dynamic-pool min=1000000 rate=0.000001 rule=gmix",
		"binomial rate=0.8 mean=0 deviation=1",
		"binomial rate=0.123456 mean=1000000 deviation=1000000",
		"stop-and-go mean=100ms", "stop-and-go mean=1h", "stop-and-go mean=90s",
		"timed-dynamic-pool min=45 rate=0.65",
	};
	char value[PARAMS_VALUE_BYTES];
	struct params p;

	(void)state;
	params_default(&p);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_err_ok(params_set(&p, "strategy.1", texts[i], NULL));
		assert_err_ok(params_get(value, &p, "strategy.1"));
		assert_string_equal(value, texts[i]);
	}
	assert_int_equal(p.strategy[1].kind, STRATEGY_TIMED_DYNAMIC_POOL);
	assert_int_equal(p.strategy[1].pool_min, 45);
	assert_int_equal(p.strategy[1].rate_ppm, 650000);
	assert_int_equal(p.strategy[1].threshold, 0);
}

/* One spelling each: what a charter would not say is taken, and printed as it says it. */
static void
other_spellings_are_made_canonical(void **state)
{
	static const char *const texts[][2] = {
		{ "timed-dynamic-pool min=2 rate=0.6 rule=mixminion",
		    "timed-dynamic-pool min=2 rate=0.6" },
		{ "stop-and-go mean=2000ms", "stop-and-go mean=2s" },
		{ "binomial rate=0.50 mean=1 deviation=1", "binomial rate=0.5 mean=1 deviation=1" },
	};
	char value[PARAMS_VALUE_BYTES];
	struct params p;

	(void)state;
	params_default(&p);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_err_ok(params_set(&p, "strategy.1", texts[i][0], NULL));
		assert_err_ok(params_get(value, &p, "strategy.1"));
		assert_string_equal(value, texts[i][1]);
	}
}

/* A person who knows the name is told the rest. */
static void
wrong_parameters_are_explained(void **state)
{
	struct params p;
	struct diag d;

	(void)state;
	params_default(&p);
	assert_err(params_set(&p, "strategy.2", "stop-and-go mean=2", &d), ERR_MALFORMED);
	assert_string_equal(d.text, "strategy.2 is not a strategy: write \"stop-and-go "
	    "mean=DURATION\" (mean 100ms to 1h)");
	assert_err(params_set(&p, "strategy.2", "timed-dynamic-pool", &d), ERR_MALFORMED);
	assert_contains(d.text, "(min 0 to 1000000, rate 0.000001 to 1, rule mixminion or gmix)");
	assert_err(params_set(&p, "strategy.2", "timed 5", &d), ERR_MALFORMED);
	assert_contains(d.text, "(no parameters)");
	assert_err(params_set(&p, "strategy.2", "fifo", &d), ERR_MALFORMED);
	assert_contains(d.text, "restante-charter parameters");
}

static void
random_shares_read_as_they_print(void **state)
{
	char text[PARAMS_VALUE_BYTES], again[PARAMS_VALUE_BYTES];
	struct params p;

	(void)state;
	params_default(&p);
	for (int i = 0; i < 2000; i++) {
		p.strategy[0].rate_ppm = 1 + rng_below(test_rng(), 1000000);
		p.strategy[2].rate_ppm = 1;
		assert_err_ok(params_get(text, &p, "strategy.0"));
		assert_err_ok(params_set(&p, "strategy.2", text, NULL));
		assert_int_equal(p.strategy[2].rate_ppm, p.strategy[0].rate_ppm);
		assert_err_ok(params_get(again, &p, "strategy.2"));
		assert_string_equal(again, text);
	}
}

static void
other_strategies_are_refused(void **state)
{
	static const char *const texts[] = {
		"", " ", "Timed", "timed ", " timed", "timed min=2", "threshold", "threshold 5",
		"threshold packets=0", "threshold packets=1000001", "threshold packets=-1",
		"threshold  packets=5", "threshold packets=5 ", "threshold packets=5 min=2",
		"timed-pool", "timed-pool min=", "timed-pool rate=0.5", "timed-dynamic-pool min=2",
		"timed-dynamic-pool rate=0.6 min=2", "timed-dynamic-pool min=2 rate=0",
		"timed-dynamic-pool min=2 rate=0.0000001", "timed-dynamic-pool min=2 rate=1.1",
		"timed-dynamic-pool min=2 rate=.6", "timed-dynamic-pool min=2 rate=0.",
		"timed-dynamic-pool min=2 rate=0.6x", "timed-dynamic-pool min=2 rate=60%",
		"binomial", "timed-dynamic-pool min=2 rate=0.6 rate=0.6",
		"timed-dynamic-pool min=2 rate=0.6 rule=other", "timed-pool min=2 rule=gmix",
		"timed-dynamic-pool min=2 rule=gmix rate=0.6",
		"timed-dynamic-pool min=2 rate=0.6 rule=gmix ", "threshold-or-timed",
		"threshold-or-timed packets=0", "threshold-and-timed packets=5 min=1",
		"threshold-pool packets=5", "threshold-pool min=5 packets=5",
		"threshold-pool packets=0 min=5", "threshold-pool packets=1 min=1000001",
		"binomial rate=0.8 mean=100", "binomial rate=0.8 mean=100 deviation=0",
		"binomial rate=0 mean=100 deviation=40", "binomial rate=0.8 deviation=40 mean=100",
		"binomial rate=0.8 mean=-1 deviation=40", "binomial rate=0.8 mean=1000001 deviation=1",
		"stop-and-go", "stop-and-go mean=2", "stop-and-go mean=99ms",
		"stop-and-go mean=3601s", "stop-and-go mean=2s max=8s", "stop-and-go mean=0.5s",
		"timed-dynamic-pool-with-a-name-that-is-longer-than-any-buffer-has-room-for min=2",
	};
	struct params p;
	struct diag d;

	(void)state;
	params_default(&p);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_err(params_set(&p, "strategy.0", texts[i], &d), ERR_MALFORMED);
		assert_contains(d.text, "strategy.0");
	}
	assert_int_equal(p.strategy[0].rate_ppm, 600000);
}

/* ---- rules between parameters ---- */

struct change {
	const char *key, *value;
};

static enum err
check_with(struct diag *d, const struct change *changes, size_t n)
{
	struct params p;

	params_default(&p);
	for (size_t i = 0; i < n; i++)
		if (changes[i].key != NULL)
			assert_err_ok(params_set(&p, changes[i].key, changes[i].value, d));
	return params_check(&p, d);
}

static void
contradictions_are_refused_with_a_remedy(void **state)
{
	static const struct {
		struct change change[4];
		const char *why;
	} bad[] = {
		{ { { "time-scale", "7" } }, "time-scale must divide" },
		{ { { "round", "7s" } }, "round must divide the session hour" },
		{ { { "epoch", "5400s" } }, "epoch must be" },
		{ { { "epoch", "30min" } }, "epoch must be" },
		{ { { "time-scale", "60" }, { "epoch", "5h" } }, "epoch must be 1 to 256" },
		{ { { "slot", "61s" } }, "slot is longer than a minute" },
		{ { { "time-scale", "60" }, { "epoch", "2h" }, { "slot", "1s" } },
		    "round is longer than a minute" },
		{ { { "grace", "90min" } }, "shorter than a quarter of epoch" },
		{ { { "grace", "254s" } }, "grace is shorter than the 255000 ms" },
		{ { { "retention", "47h" } }, "retention must be at least two days" },
		{ { { "people", "200" }, { "pieces", "3" } }, "set it to at least 4" },
		{ { { "people", "50000" } }, "more than 15 pieces" },
		{ { { "people", "125" }, { "mailboxes", "3" } }, "choose at most 2" },
		{ { { "people", "30" }, { "mailboxes", "2" } }, "choose at most 1" },
		{ { { "pool-max", "833" } }, "pool-max must be twice" },
		{ { { "strategy.2", "threshold packets=1000000" }, { "grace", "20min" } },
		    "grace" },
		{ { { "strategy.2", "threshold-and-timed packets=10000" }, { "people", "5" } },
		    "grace" },
		{ { { "strategy.2", "threshold-pool packets=500 min=9000" } }, "grace" },
		{ { { "strategy.2", "binomial rate=0.01 mean=100 deviation=40" } }, "grace" },
		{ { { "strategy.2", "stop-and-go mean=2min" } }, "grace" },
		/* short rounds make no delay right that is capped */
		{ { { "strategy.2", "threshold packets=1000000" }, { "people", "1" },
		      { "round", "100ms" }, { "grace", "1h" } }, "grace" },
		{ { { "strategy.2", "threshold-or-timed packets=50001" } }, "pool-max must be twice" },
		{ { { "strategy.2", "threshold-and-timed packets=400" }, { "pool-max", "1299" } },
		    "pool-max must be twice" },
		{ { { "strategy.2", "stop-and-go mean=40s" }, { "pool-max", "1999" } },
		    "pool-max must be twice" },
	};
	struct diag d;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_err(check_with(&d, bad[i].change, 4), ERR_RANGE);
		assert_contains(d.text, bad[i].why);
	}
}

static void
what_just_fits_is_taken(void **state)
{
	static const struct {
		struct change change[4];
	} good[] = {
		{ { { "grace", "255s" } } },
		{ { { "grace", "5399s" } } },
		{ { { "retention", "2d" } } },
		{ { { "epoch", "256h" } } },
		{ { { "people", "200" }, { "pieces", "4" } } },
		{ { { "people", "100" }, { "mailboxes", "2" } } },
		{ { { "pool-max", "834" } } },
		{ { { "strategy.2", "threshold-or-timed packets=50000" } } },
		{ { { "strategy.2", "stop-and-go mean=40s" }, { "pool-max", "2000" } } },
		{ { { "layers", "8" }, { "grace", "675s" } } },
		{ { { "slot", "60s" }, { "people", "600" }, { "pieces", "10" } } },
	};
	struct diag d;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (check_with(&d, good[i].change, 4) != ERR_OK)
			fail_msg("case %zu: %s", i, d.text);
}

static void
a_scaled_network_agrees_too(void **state)
{
	static const struct change quick[] = {
		{ "time-scale", "60" }, { "slot", "50ms" }, { "round", "500ms" },
		{ "epoch", "6min" }, { "grace", "30s" }, { "retention", "1h" }, { "people", "2" },
		{ "pieces", "1" },
	};
	struct diag d;

	(void)state;
	if (check_with(&d, quick, sizeof(quick) / sizeof(quick[0])) != ERR_OK)
		fail_msg("%s", d.text);
}

static void
least_pieces_meet_the_inequality_and_no_fewer_do(void **state)
{
	struct params p;

	(void)state;
	params_default(&p);
	assert_int_equal(params_least_pieces(&p), 2);
	p.people = 200;
	assert_int_equal(params_least_pieces(&p), 4);
	for (int i = 0; i < 5000; i++) {
		double need, piece = 0.8 * 4224;
		uint32_t n;

		p.people = 1 + rng_below(test_rng(), 50000);
		p.mailboxes = 1 + rng_below(test_rng(), 1000);
		n = params_least_pieces(&p);
		need = 51.0 * p.people / p.mailboxes + p.people + 100 + 18.0 * p.mailboxes;
		assert_true(need <= piece * n + 1e-6);
		assert_true(n == 1 || need > piece * (n - 1) - 1e-6);
	}
}

/* ---- what follows from parameters ---- */

static void
frames_have_the_documented_sizes(void **state)
{
	struct params p;

	(void)state;
	params_default(&p);
	assert_int_equal(params_up_frame_bytes(&p) + 16, 4404);
	assert_int_equal(params_node_frame_bytes(&p, 0), 4388);
	assert_int_equal(params_node_frame_bytes(&p, 1), 4332);
	assert_int_equal(params_node_frame_bytes(&p, 3), 4220);
	assert_int_equal(params_down_frame_bytes(&p), 8 + 2 * 4224);
}

static void
scaled_times_never_vanish(void **state)
{
	struct params p;

	(void)state;
	params_default(&p);
	assert_int_equal(params_scaled(&p, 3600000), 3600000);
	p.time_scale = 3600;
	assert_int_equal(params_scaled(&p, 3600000), 1000);
	assert_int_equal(params_scaled(&p, 100), 1);
}

static int64_t
delay_with(const char *strategy, const char *people, uint16_t mixes)
{
	struct params p;

	params_default(&p);
	assert_err_ok(params_set(&p, "people", people, NULL));
	assert_err_ok(params_set(&p, "strategy.0", strategy, NULL));
	p.mixes[0] = mixes;
	return params_layer_delay_ms(&p, 0);
}

/* By hand: docs/protocol.md, "Time". Arrivals in a round are people * 2 / mixes. */
static void
delays_follow_the_documented_formulas(void **state)
{
	(void)state;
	assert_int_equal(delay_with("timed", "125", 1), 10000);
	assert_int_equal(delay_with("timed", "125", 0), 10000);
	/* share 10 / 30: 0.6667^18 = 0.00068, ^17 = 0.00101 */
	assert_int_equal(delay_with("timed-pool min=20", "5", 1), 180000);
	/* 250 arrivals, pool 417: 0.4005^8 = 0.00066, ^7 = 0.00165 */
	assert_int_equal(delay_with("timed-dynamic-pool min=2 rate=0.6", "125", 1), 80000);
	/* 2 arrivals, pool 4: half leaves; 2^-10 < 0.001 */
	assert_int_equal(delay_with("timed-dynamic-pool min=2 rate=0.6", "1", 1), 100000);
	/* half an arrival, pool 3: a sixth leaves; (5/6)^38 = 0.00098 */
	assert_int_equal(delay_with("timed-dynamic-pool min=2 rate=0.6", "1", 4), 380000);
	/* (100 + 31 + 3) / 250 rounds and one */
	assert_int_equal(delay_with("threshold packets=100", "125", 1), 15360);
	assert_int_equal(delay_with("threshold-or-timed packets=100", "125", 1), 10000);
	/* (99 + 31 + 3) / 250 rounds and one */
	assert_int_equal(delay_with("threshold-and-timed packets=100", "125", 1), 15320);
	/* a third stays: 7 batches of 100; (700 + 3.1 * 27 + 3) / 250 rounds and one */
	assert_int_equal(delay_with("threshold-pool packets=100 min=50", "125", 1), 41468);
	/* 20 arrivals; gmix: pool 45 + 31; 56/76^22 = 0.0012, ^23 = 0.0009 */
	assert_int_equal(delay_with("timed-dynamic-pool min=45 rate=0.65 rule=gmix", "10", 1),
	    230000);
	/* 100 arrivals: 145 * 0.8 * Phi(1.125) = 100.9, 144 ..: 99.8; (45/145)^6 = 0.00089 */
	assert_int_equal(delay_with("binomial rate=0.8 mean=100 deviation=40", "50", 1), 60000);
	/* 6.908 means, and a tick */
	assert_int_equal(delay_with("stop-and-go mean=2s", "1", 1), 13916);
	assert_int_equal(delay_with("stop-and-go mean=2s", "50000", 9), 13916);
	/* an absurd pool is capped, not waited for */
	assert_int_equal(delay_with("timed-pool min=1000000", "1", 1), 10000000000);
}

static void
the_forecast_adds_slot_layers_and_round(void **state)
{
	struct params p;

	(void)state;
	params_default(&p);
	assert_int_equal(params_forecast_ms(&p), 5000 + 3 * 80000 + 10000);
	assert_err_ok(params_set(&p, "strategy.1", "timed", NULL));
	assert_int_equal(params_forecast_ms(&p), 5000 + 2 * 80000 + 10000 + 10000);
}

static void
only_stop_and_go_layers_allow_delays(void **state)
{
	struct params p;

	(void)state;
	params_default(&p);
	assert_err_ok(params_set(&p, "strategy.1", "stop-and-go mean=2s", NULL));
	assert_int_equal(params_delay_max_ms(&p, 0), 0);
	assert_int_equal(params_delay_max_ms(&p, 1), 32000);
	assert_int_equal(params_delay_max_ms(&p, 3), 0); /* the gateway */
	assert_int_equal(params_delay_max_ms(&p, 200), 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(defaults_agree_and_are_the_documented_ones),
	cmocka_unit_test(strategies_have_a_key_for_each_layer),
	cmocka_unit_test(ranges_hold_at_both_ends),
	cmocka_unit_test(other_texts_are_refused),
	cmocka_unit_test(strategies_read_as_they_print),
	cmocka_unit_test(other_spellings_are_made_canonical),
	cmocka_unit_test(wrong_parameters_are_explained),
	cmocka_unit_test(random_shares_read_as_they_print),
	cmocka_unit_test(other_strategies_are_refused),
	cmocka_unit_test(contradictions_are_refused_with_a_remedy),
	cmocka_unit_test(what_just_fits_is_taken),
	cmocka_unit_test(a_scaled_network_agrees_too),
	cmocka_unit_test(least_pieces_meet_the_inequality_and_no_fewer_do),
	cmocka_unit_test(frames_have_the_documented_sizes),
	cmocka_unit_test(scaled_times_never_vanish),
	cmocka_unit_test(delays_follow_the_documented_formulas),
	cmocka_unit_test(only_stop_and_go_layers_allow_delays),
	cmocka_unit_test(the_forecast_adds_slot_layers_and_round),
};

TEST_MAIN(tests)

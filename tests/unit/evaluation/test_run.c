#include "config.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "evaluation/figures.h"
#include "evaluation/output.h"
#include "evaluation/run.h"
#include "tests/lib/test.h"

#define assert_near(value, wanted, by) assert_true(fabs((value) - (wanted)) <= (by))

/* Ten minutes of twelve people in a small network: every test's start. */
#define SMALL                                                                                      \
	"restante-scenario 1\npeople = 12\ncontacts = 5\nwarm-up = 3min\nduration = 10min\n"       \
	"messages-per-day = 3000\nmailboxes = 3\nlayers = 2\nwidth = 2\nround = 5s\n"              \
	"targets = 70\nlookback = 2min\n"

static void
scenario_of(struct scenario *s, const char *more, uint64_t seed)
{
	char text[2048];
	struct diag d = { "" };

	(void)snprintf(text, sizeof(text), SMALL "%s", "");
	for (const char *at = more; *at != '\0';) { /* a later line takes an earlier one's place */
		size_t n = strcspn(at, "\n") + 1, key = strcspn(at, " ");
		char name[64], *old;

		(void)snprintf(name, sizeof(name), "\n%.*s =", (int)key, at);
		old = strstr(text, name);
		if (old != NULL)
			memmove(old + 1, old + 1 + strcspn(old + 1, "\n") + 1,
			    strlen(old + 1 + strcspn(old + 1, "\n") + 1) + 1);
		(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%.*s", (int)n, at);
		at += n;
	}
	if (scenario_parse(s, "test", text, strlen(text), &d) != ERR_OK)
		fail_msg("%s", d.text);
	s->seed = (int64_t)(seed >> 1);
}

/* What a run writes: trace, truth, targets and summary, one behind the other. */
struct written {
	char *trace, *truth, *targets, *summary;
};

static char *
slurp(const char *directory, const char *name)
{
	char path[600], *text;
	long n;
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", directory, name);
	f = fopen(path, "r");
	if (f == NULL)
		return NULL;
	assert_int_equal(fseek(f, 0, SEEK_END), 0);
	n = ftell(f);
	assert_true(n >= 0);
	rewind(f);
	text = calloc((size_t)n + 1, 1);
	assert_non_null(text);
	assert_int_equal(fread(text, 1, (size_t)n, f), n);
	(void)fclose(f);
	return text;
}

static void
write_run(struct written *w, const struct scenario *s)
{
	char directory[512];
	static unsigned number;
	struct output *o;
	struct run_options options = { 0 };
	struct figures f;
	struct run *r;
	struct diag d = { "" };

	(void)snprintf(directory, sizeof(directory), "%s/%u", test_tmpdir(), number++);
	assert_err_ok(output_begin(&o, directory, false, true, &d));
	options.trace = output_trace(o);
	options.truth = output_truth(o);
	assert_err_ok(run_scenario(&r, s, &options, &d));
	assert_err_ok(figures_of(&f, s, r));
	assert_err_ok(output_finish(o, s, r, &f, &d));
	output_free(o);
	run_free(r);
	w->trace = slurp(directory, "trace.csv");
	w->truth = slurp(directory, "truth.csv");
	w->targets = slurp(directory, "targets.csv");
	w->summary = slurp(directory, "summary.csv");
	assert_non_null(w->trace);
	assert_non_null(w->truth);
	assert_non_null(w->targets);
	assert_non_null(w->summary);
}

static void
release(struct written *w)
{
	free(w->trace);
	free(w->truth);
	free(w->targets);
	free(w->summary);
}

static void
assert_alike(const struct written *a, const struct written *b)
{
	assert_true(strcmp(a->trace, b->trace) == 0);
	assert_true(strcmp(a->truth, b->truth) == 0);
	assert_true(strcmp(a->targets, b->targets) == 0);
	assert_true(strcmp(a->summary, b->summary) == 0);
}

static void
test_a_seed_is_a_run(void **state)
{
	struct written a, b, c;
	struct scenario s;

	(void)state;
	scenario_of(&s, "", test_seed());
	write_run(&a, &s);
	write_run(&b, &s);
	assert_alike(&a, &b);
	s.seed ^= 1;
	write_run(&c, &s);
	assert_true(strcmp(a.trace, c.trace) != 0);
	assert_true(strcmp(a.targets, c.targets) != 0);
	release(&a);
	release(&b);
	release(&c);
}

/* Real onions change nothing: over epochs, with delays, and with corrupt mixes. */
static void
test_onions_are_tokens(void **state)
{
	static const char *const more[] = {
		"people = 6\nduration = 5min\nepoch = 5min\nnote-one-in = 4\n",
		"people = 6\nduration = 2min\nstrategy = stop-and-go mean=2s\ncorrupt = 1.0\n"
		"sending = poisson\n",
		"people = 6\nduration = 2min\nsending = at-once\nmessages-per-day = 20000\n"
		"strategy-1 = threshold packets=4\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++) {
		struct written tokens, onions;
		struct scenario s;

		scenario_of(&s, more[i], test_seed() + i);
		write_run(&tokens, &s);
		s.crypto = true;
		write_run(&onions, &s);
		assert_true(strlen(tokens.truth) > 500);
		assert_alike(&tokens, &onions);
		release(&tokens);
		release(&onions);
	}
}

/* ---- what a run says ---- */

static void
run_of(struct run **r, struct figures *f, const struct scenario *s)
{
	struct diag d = { "" };

	assert_err_ok(run_scenario(r, s, NULL, &d));
	assert_err_ok(figures_of(f, s, *r));
}

static double
mean_of(const struct figures *f, const char *name, const char *level)
{
	const struct figure *g = figures_find(f, name, level);

	assert_non_null(g);
	assert_true(g->known);
	return g->s.mean;
}

/*
 * Everybody sends in every slot, so that the adversary learns next to nothing among
 * users: log2 12 bits, and the true one has the probability that the posterior gives.
 */
static void
test_slots_hide_among_all(void **state)
{
	struct scenario s;
	struct figures f;
	struct run *r;
	size_t n;

	(void)state;
	scenario_of(&s, "duration = 30min\ntargets = 200\n", test_seed());
	run_of(&r, &f, &s);
	(void)run_targets(r, &n);
	assert_true(n > 100 && run_refused(r) == 0);
	assert_null(run_reason(r));
	assert_near(mean_of(&f, "entropy", "user"), log2(12), 0.05);
	assert_true(mean_of(&f, "entropy", "message") > mean_of(&f, "entropy", "user"));
	assert_near(mean_of(&f, "true_probability", "user"), 1 / 12.0, 0.02);
	assert_near(mean_of(&f, "receiver_crowd", "user"), 4, 0);
	assert_near(mean_of(&f, "loss", "message"), 0, 0);
	assert_near(mean_of(&f, "traced", "message"), 0, 0);
	/* a packet waits for the flushes of two layers, and then for the round */
	assert_true(mean_of(&f, "message_delay", "message") >
	    mean_of(&f, "network_delay", "message"));
	run_free(r);
}

/* A threshold mix of 8 at whose exit everything is counted: 3 bits a message. */
static void
test_threshold_among_messages(void **state)
{
	struct scenario s;
	struct figures f;
	struct run *r;

	(void)state;
	scenario_of(&s, "layers = 1\nwidth = 1\nstrategy = threshold packets=8\nsending = at-once\n",
	    test_seed());
	run_of(&r, &f, &s);
	assert_near(mean_of(&f, "entropy", "message"), 3, 1e-9);
	assert_near(mean_of(&f, "min_entropy", "message"), 3, 1e-9);
	assert_near(mean_of(&f, "guessing", "message"), 4.5, 0.05);
	assert_true(mean_of(&f, "entropy", "user") < 3);
	run_free(r);
	/* through one layer everything passes the gateway */
	s.adversary = ADVERSARY_GATEWAY;
	run_of(&r, &f, &s);
	assert_near(mean_of(&f, "entropy", "message"), 3, 1e-9);
	assert_near(mean_of(&f, "packets_per_message", "message"), 1, 0);
	run_free(r);
}

/* Two layers of 4 s each on average, three links of 50 ms, and half a tick at each. */
static void
test_stop_and_go_delays(void **state)
{
	struct scenario s;
	struct figures f;
	struct run *r;

	(void)state;
	scenario_of(&s, "strategy = stop-and-go mean=4s\nduration = 1h\n", test_seed());
	run_of(&r, &f, &s);
	/* about 1500 messages whose standard deviation is 5.7 s */
	assert_near(mean_of(&f, "network_delay", "message"), 8250, 6 * 5660 / sqrt(1300));
	assert_true(mean_of(&f, "entropy", "message") > 1);
	run_free(r);
}

/*
 * A posterior that is right is calibrated: on average the true sender costs as many bits as
 * its entropy. Drawn from all packets, it has to be so however unlike people are.
 */
static void
check_calibrated(const char *more, bool users)
{
	struct scenario s;
	struct diag d = { "" };
	struct run *r;
	const struct run_target *t;
	double sum = 0, squares = 0, mean, error;
	size_t n, used = 0;

	scenario_of(&s, more, rng_u64(test_rng()));
	assert_err_ok(run_scenario(&r, &s, NULL, &d));
	t = run_targets(r, &n);
	for (size_t i = 0; i < n; i++) {
		const struct score_level *l = users ? &t[i].score.user : &t[i].score.message;

		if (l->truth > 0) { /* else from before the lookback: one in a thousand */
			double bits = -log2(l->truth) - l->entropy;

			sum += bits;
			squares += bits * bits;
			used++;
		}
	}
	assert_true(used > 900 && used + 10 >= n);
	mean = sum / (double)used;
	error = sqrt((squares / (double)used - mean * mean) / (double)used);
	if (fabs(mean) > 6 * error + 1e-9)
		fail_msg("%s: %.4f bits off, %.4f is the standard error", more, mean, error);
	run_free(r);
}

static void
test_posteriors_are_calibrated(void **state)
{
	static const char *const more[] = {
		"sending = poisson\nworkload = on-off\n",
		"churn = on-off\nonline = 2min\noffline = 4min\npeople = 30\n",
		"sending = poisson\nstrategy = threshold-pool packets=7 min=5\ncorrupt = 0.1\n",
		"sending = at-once\nmessages-per-day = 20000\nstrategy = timed-pool min=4\n",
		"strategy = stop-and-go mean=5s\nsending = poisson\nwidth = 1\n",
		"strategy = binomial rate=0.7 mean=15 deviation=8\ncorrupt-per-layer = 1\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++) {
		char text[512];

		(void)snprintf(text, sizeof(text), "duration = 1h\ntargets = 1000\n%s", more[i]);
		check_calibrated(text, false);
		check_calibrated(text, true);
	}
}

/* Delays are of what came through in the time, however long it had been on its way. */
static void
test_long_delays_are_not_cut_off(void **state)
{
	struct scenario s;
	struct figures f;
	struct run *r;

	(void)state;
	scenario_of(&s, "strategy = stop-and-go mean=10min\nlayers = 1\nduration = 10min\n"
	    "warm-up = 2h\nmessages-per-day = 5000\npeople = 40\ntargets = 0\n", test_seed());
	run_of(&r, &f, &s);
	/* about 1390 messages whose standard deviation is 600 s */
	assert_near(mean_of(&f, "network_delay", "message"), 600150, 6 * 600000 / sqrt(1300));
	run_free(r);
}

/* A part of the time without a candidate leaves its targets to those after it. */
static void
test_quiet_times(void **state)
{
	struct scenario s;
	struct figures f;
	struct run *r;
	size_t n;

	(void)state;
	scenario_of(&s, "workload = office\nstart = 6h\nduration = 4h\ntarget-rule = real\n"
	    "targets = 200\n", test_seed());
	run_of(&r, &f, &s);
	assert_int_equal(run_parts(r), 4);
	(void)run_targets(r, &n);
	assert_int_equal(n, 200);
	run_free(r);
}

/* Who writes more than the slots carry, or is offline, is not passed over in silence. */
static void
test_messages_that_do_not_leave(void **state)
{
	struct scenario s;
	struct figures f;
	struct run *r;

	(void)state;
	scenario_of(&s, "messages-per-day = 40000\nduration = 30min\n", test_seed());
	run_of(&r, &f, &s);
	/* 0.46 a second from each are written in 33 min, 0.175 sent */
	assert_in_range(run_waiting(r), 6000, 7500);
	assert_false(figures_find(&f, "message_delay", "message")->known);
	assert_true(figures_find(&f, "network_delay", "message")->known);
	assert_int_equal(run_counts(r)->dropped, 0);
	run_free(r);
	scenario_of(&s, "sending = at-once\nchurn = on-off\nonline = 1min\noffline = 9min\n"
	    "duration = 2h\n", test_seed());
	run_of(&r, &f, &s);
	/* about 3000 messages, nine tenths of them while their sender is offline */
	assert_in_range(run_counts(r)->dropped, 2000, 3300);
	assert_true(run_counts(r)->real > 100 && run_counts(r)->real < 700);
	assert_int_equal(run_waiting(r), 0);
	run_free(r);
}

/* ---- packets that are only counted ---- */

static void
assert_overlap(const struct figures *f, const struct figures *g, const char *name,
    const char *level)
{
	const struct figure *a = figures_find(f, name, level), *b = figures_find(g, name, level);
	double wide;

	assert_true(a != NULL && b != NULL && a->known && b->known);
	assert_true(a->s.has_interval && b->s.has_interval);
	wide = hypot(a->s.high - a->s.low, b->s.high - b->s.low);
	if (fabs(a->s.mean - b->s.mean) > 2.5 * wide + 1e-6)
		fail_msg("%s (%s): %f and %f", name, level, a->s.mean, b->s.mean);
}

/* The same people, the same messages, and the same figures but for which targets are drawn. */
static void
test_counting_changes_no_figure(void **state)
{
	static const char *const more[] = { "", "corrupt = 0.0 1.1\nchurn = on-off\n"
	    "online = 10min\noffline = 10min\nstrategy = timed-pool min=5\n" };

	(void)state;
	for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++) {
		struct figures f, g;
		struct scenario s;
		struct run *a, *b;
		char text[256];
		size_t n;

		(void)snprintf(text, sizeof(text), "duration = 10h\ntargets = 300\npeople = 30\n%s",
		    more[i]);
		scenario_of(&s, text, test_seed() + i);
		run_of(&a, &f, &s);
		s.cover = COVER_COUNTED;
		run_of(&b, &g, &s);
		(void)run_targets(b, &n);
		assert_true(n > 250 && run_parts(b) > run_parts(a));
		assert_int_equal(run_counts(a)->sent, run_counts(b)->sent);
		assert_int_equal(run_counts(a)->cover, run_counts(b)->cover);
		assert_int_equal(run_counts(a)->notes, run_counts(b)->notes);
		assert_int_equal(run_waiting(a), run_waiting(b));
		assert_true(run_simulated(b)->events < run_simulated(a)->events / 2);
		assert_overlap(&f, &g, "entropy", "message");
		assert_overlap(&f, &g, "min_entropy", "user");
		assert_overlap(&f, &g, "true_probability", "user");
		assert_overlap(&f, &g, "network_delay", "message");
		assert_overlap(&f, &g, "message_delay", "message");
		run_free(a);
		run_free(b);
	}
}

/* What is followed is not always at the same hour, by night say. */
static void
test_counting_over_weeks(void **state)
{
	struct scenario s;
	struct figures f;
	struct run *r;
	const struct run_target *t;
	size_t n, hours = 0;
	bool seen[24] = { false };

	(void)state;
	scenario_of(&s, "churn = office\nworkload = office\nduration = 60d\ncover = counted\n"
	    "targets = 60\nmessages-per-day = 50\n", test_seed());
	run_of(&r, &f, &s);
	t = run_targets(r, &n);
	assert_int_equal(run_parts(r), 60);
	assert_in_range(n, 30, 60);
	for (size_t i = 0; i < n; i++) {
		hours += !seen[t[i].exited_ms / 3600000 % 24];
		seen[t[i].exited_ms / 3600000 % 24] = true;
	}
	assert_true(hours >= 4);
	assert_in_range(run_counts(r)->real, 0.9 * 12 * 50 * 60, 1.1 * 12 * 50 * 60);
	run_free(r);
}

static void
test_counting_past_the_pool(void **state)
{
	struct scenario s;
	struct diag d = { "" };
	struct run *r;

	(void)state;
	scenario_of(&s, "pool-max = 5\n", test_seed());
	s.cover = COVER_COUNTED;
	assert_err(run_scenario(&r, &s, NULL, &d), ERR_FULL);
	assert_non_null(strstr(d.text, "pool-max"));
}

static void
test_corrupt_mixes(void **state)
{
	struct scenario s;
	struct figures f;
	struct run *r;

	(void)state;
	/* all of them: everything is known */
	scenario_of(&s, "corrupt-per-layer = 2\n", test_seed());
	run_of(&r, &f, &s);
	assert_near(mean_of(&f, "traced", "message"), 1, 0);
	assert_near(mean_of(&f, "entropy", "message"), 0, 0);
	assert_near(mean_of(&f, "true_rank", "user"), 1, 0);
	run_free(r);
	/* one of two in each of two layers: a quarter of the ways */
	scenario_of(&s, "corrupt-per-layer = 1\ntarget-rule = any\ntargets = 400\n", test_seed());
	run_of(&r, &f, &s);
	assert_near(mean_of(&f, "traced", "message"), 0.25, 6 * sqrt(0.25 * 0.75 / 400));
	run_free(r);
}

/* Nothing is ever made up: a null comes with its reason. */
static void
check_nothing(const struct scenario *s, bool empty, const char *says)
{
	const struct figure *g;
	struct figures f;
	struct run *r;
	size_t n;

	run_of(&r, &f, s);
	(void)run_targets(r, &n);
	assert_int_equal(n, 0);
	assert_int_equal(run_empty(r), empty);
	if (strstr(run_reason(r), says) == NULL)
		fail_msg("'%s' does not say '%s'", run_reason(r), says);
	g = figures_find(&f, "entropy", "user");
	assert_false(g->known);
	assert_string_equal(g->reason, run_reason(r));
	run_free(r);
}

static void
test_nothing_to_say(void **state)
{
	struct scenario s;

	(void)state;
	scenario_of(&s, "messages-per-day = 0\ntarget-rule = real\n", test_seed());
	check_nothing(&s, true, "nobody sent a message");
	scenario_of(&s, "messages-per-day = 0\nsending = at-once\ntarget-rule = real\n",
	    test_seed());
	check_nothing(&s, true, "nobody sent a message");
	scenario_of(&s, "targets = 0\n", test_seed());
	check_nothing(&s, false, "none was asked for");
	scenario_of(&s, "adversary = gateway\n", test_seed());
	check_nothing(&s, false, "no link between mixes");
	scenario_of(&s, "adversary = none\ncorrupt = 0.0\n", test_seed());
	check_nothing(&s, false, "sees no link");
	/* a pool that never empties: nearly all of a posterior is from long ago */
	scenario_of(&s, "strategy = timed-pool min=300\nlookback = 10s\n", test_seed());
	check_nothing(&s, true, "goes back before");
}

/* ---- outputs ---- */

static void
assert_first_line(const char *text, const char *line)
{
	assert_true(strncmp(text, line, strlen(line)) == 0 && text[strlen(line)] == '\n');
}

static unsigned
fields_of(const char *line)
{
	unsigned n = 1;
	bool quoted = false;

	for (; *line != '\n'; line++) {
		quoted = quoted != (*line == '"');
		n += *line == ',' && !quoted;
	}
	return n;
}

/* Every line has as many fields as the first. */
static void
assert_rectangular(const char *text)
{
	unsigned n = fields_of(text), lines = 0;

	for (const char *at = text; *at != '\0'; at = strchr(at, '\n') + 1, lines++)
		assert_int_equal(fields_of(at), n);
	assert_true(lines > 5);
}

static void
check_lines(const struct written *w)
{
	char *targets = output_targets_header();

	assert_non_null(targets);
	assert_first_line(w->trace, RECORDER_TRACE_HEADER);
	assert_first_line(w->truth, RECORDER_TRUTH_HEADER);
	assert_first_line(w->summary, FIGURES_CSV_HEADER);
	assert_first_line(w->targets, targets);
	assert_rectangular(w->trace);
	assert_rectangular(w->truth);
	assert_rectangular(w->summary);
	assert_rectangular(w->targets);
	assert_null(strstr(w->summary, "nan"));
	assert_null(strstr(w->targets, "nan"));
	assert_null(strstr(w->targets, "inf"));
	free(targets);
}

/* Each adversary sees what it may, and the trace never tells more. */
static void
test_traces(void **state)
{
	struct written w;
	struct scenario s;

	(void)state;
	scenario_of(&s, "", test_seed());
	write_run(&w, &s);
	check_lines(&w);
	assert_non_null(strstr(w.trace, ",mix-1-1,mix-0-"));
	assert_null(strstr(w.trace, "message"));
	assert_null(strstr(w.trace, "cover"));
	release(&w);
	scenario_of(&s, "adversary = gateway\nlevel = user\n", test_seed());
	write_run(&w, &s);
	assert_first_line(w.trace, RECORDER_TRACE_HEADER);
	assert_null(strstr(w.trace, ",in,1,-1,unknown"));
	assert_null(strstr(w.trace, ",mix-1-1,mix-0-"));
	assert_non_null(strstr(w.trace, "cover"));
	release(&w);
	scenario_of(&s, "adversary = none\ncorrupt = 0.1\n", test_seed());
	write_run(&w, &s);
	assert_non_null(strstr(w.trace, ",mix-0-1,person-"));
	assert_null(strstr(w.trace, ",mix-0-0,"));
	assert_null(strstr(w.trace, ",mix-1-1,mix"));
	assert_null(strstr(w.trace, ",-1,"));
	release(&w);
}

/* A directory comes whole or not at all, and is not overwritten. */
static void
test_directories(void **state)
{
	char path[512], partial[600], file[600];
	struct scenario s;
	struct output *o;
	struct figures f;
	struct run *r;
	struct diag d = { "" };
	struct stat st;
	char *text;
	FILE *mine;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/place", test_tmpdir());
	(void)snprintf(partial, sizeof(partial), "%s.partial", path);
	scenario_of(&s, "", test_seed());
	assert_err_ok(run_scenario(&r, &s, NULL, &d));
	assert_err_ok(figures_of(&f, &s, r));
	assert_err_ok(output_begin(&o, path, false, true, &d));
	output_free(o); /* given up */
	assert_int_not_equal(stat(partial, &st), 0);
	assert_int_not_equal(stat(path, &st), 0);
	assert_err_ok(output_begin(&o, path, false, false, &d));
	assert_null(output_trace(o));
	assert_err_ok(output_finish(o, &s, r, &f, &d));
	output_free(o);
	assert_int_not_equal(stat(partial, &st), 0);
	text = slurp(path, "manifest.json");
	assert_non_null(strstr(text, "restante-scenario 1\\n"));
	assert_non_null(strstr(text, "\"targets.csv\""));
	assert_null(strstr(text, "\"trace.csv\""));
	free(text);
	assert_err(output_begin(&o, path, false, false, &d), ERR_EXISTS);
	assert_non_null(strstr(d.text, "--force"));
	/* with force: results are replaced, anything else stays */
	(void)snprintf(file, sizeof(file), "%s/notes.txt", path);
	mine = fopen(file, "w");
	assert_non_null(mine);
	assert_int_equal(fclose(mine), 0);
	assert_err_ok(output_begin(&o, path, true, true, &d));
	assert_err_ok(output_finish(o, &s, r, &f, &d));
	output_free(o);
	assert_int_equal(stat(file, &st), 0);
	(void)snprintf(file, sizeof(file), "%s/trace.csv", path);
	assert_int_equal(stat(file, &st), 0);
	assert_int_not_equal(stat(partial, &st), 0);
	assert_err(output_begin(&o, "/dev/null", false, false, &d), ERR_IO);
	/* whole results that find their place taken stay, and it is said where */
	(void)snprintf(path, sizeof(path), "%s/late", test_tmpdir());
	(void)snprintf(partial, sizeof(partial), "%s.partial", path);
	assert_err_ok(output_begin(&o, path, false, false, &d));
	assert_int_equal(mkdir(path, 0700), 0);
	(void)snprintf(file, sizeof(file), "%s/mine", path);
	assert_int_equal(mkdir(file, 0700), 0);
	assert_err(output_finish(o, &s, r, &f, &d), ERR_IO);
	output_free(o);
	assert_non_null(strstr(d.text, "is in "));
	assert_non_null(strstr(d.text, "late.partial"));
	text = slurp(partial, "manifest.json");
	assert_non_null(text);
	free(text);
	run_free(r);
}

/* Whoever changes a format changes docs/evaluation-formats.md. */
static void
test_formats_are_documented(void **state)
{
	const char *srcdir = getenv("srcdir");
	char *text = slurp(srcdir != NULL ? srcdir : "../..", "docs/evaluation-formats.md");
	char *targets = output_targets_header();

	(void)state;
	assert_non_null(text);
	assert_non_null(strstr(text, "\n    " RECORDER_TRACE_HEADER "\n"));
	assert_non_null(strstr(text, "\n    " RECORDER_TRUTH_HEADER "\n"));
	assert_non_null(strstr(text, "\n    " FIGURES_CSV_HEADER "\n"));
	assert_non_null(targets);
	for (char *save = targets, *at = targets; at != NULL; at = save) {
		char cell[64];

		save = strchr(at, ',');
		if (save != NULL)
			*save++ = '\0';
		(void)snprintf(cell, sizeof(cell), "| `%s`", at);
		if (strstr(text, cell) == NULL)
			fail_msg("docs/evaluation-formats.md has no row of `%s`", at);
	}
	for (size_t i = 0; i < scenario_schema()->count; i++) {
		char cell[64];

		(void)snprintf(cell, sizeof(cell), "`%s`", scenario_schema()->keys[i].name);
		if (strncmp(cell, "`strategy-", 10) != 0 && strstr(text, cell) == NULL)
			fail_msg("docs/evaluation-formats.md does not name %s", cell);
	}
	free(targets);
	free(text);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_a_seed_is_a_run),
	cmocka_unit_test(test_onions_are_tokens),
	cmocka_unit_test(test_slots_hide_among_all),
	cmocka_unit_test(test_threshold_among_messages),
	cmocka_unit_test(test_stop_and_go_delays),
	cmocka_unit_test(test_posteriors_are_calibrated),
	cmocka_unit_test(test_long_delays_are_not_cut_off),
	cmocka_unit_test(test_quiet_times),
	cmocka_unit_test(test_messages_that_do_not_leave),
	cmocka_unit_test(test_counting_changes_no_figure),
	cmocka_unit_test(test_counting_over_weeks),
	cmocka_unit_test(test_counting_past_the_pool),
	cmocka_unit_test(test_corrupt_mixes),
	cmocka_unit_test(test_nothing_to_say),
	cmocka_unit_test(test_traces),
	cmocka_unit_test(test_directories),
	cmocka_unit_test(test_formats_are_documented),
};
TEST_MAIN(tests)

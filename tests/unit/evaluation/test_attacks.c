/*
 * Attacks as they are run. Controls: on a network that does not mix and has no cover they
 * succeed; with the truth shuffled, or against Restante's own law while everybody is online,
 * they are at chance.
 */
#include "config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "evaluation/attack/attack.h"
#include "evaluation/attack/pseudonym.h"
#include "evaluation/attack/roc.h"
#include "evaluation/attack/trace.h"
#include "evaluation/figures.h"
#include "evaluation/output.h"
#include "evaluation/run.h"
#include "tests/lib/test.h"

/* Packets go when there is a message, and pass at once. */
#define PLAIN                                                                                      \
	"people = 40\nmailboxes = 20\ncontacts = 2\nsending = at-once\nnote-one-in = 0\n"          \
	"messages-per-day = 200\nstrategy = threshold packets=1\nduration = 1d\n"
/* Restante's defaults among few, for an hour in which they write much. */
#define OWN                                                                                        \
	"people = 40\nmailboxes = 2\ncontacts = 4\nmessages-per-day = 2000\nduration = 2h\n"       \
	"warm-up = 10min\n"

static void
scenario_of(struct scenario *s, const char *lines, uint64_t seed)
{
	char text[1024];
	struct diag d = { "" };
	int n = snprintf(text, sizeof(text), "restante-scenario 1\nadversary = gateway\nseed = %llu\n%s",
	    (unsigned long long)(seed >> 1), lines);

	assert_true(n > 0 && (size_t)n < sizeof(text));
	if (scenario_parse(s, "test", text, (size_t)n, &d) != ERR_OK)
		fail_msg("%s", d.text);
}

static struct attack_result *
attack(const char *name, const struct scenario *s, const char *directory, int64_t trials)
{
	struct attack_result *out = calloc(1, sizeof(*out));
	const struct attack_kind *k = attack_find(name);
	struct attack_input in = { .scenario = s, .directory = directory, .trials = trials };
	struct diag d = { "" };

	assert_non_null(out);
	assert_non_null(k);
	if (k->run(out, &in, &d) != ERR_OK)
		fail_msg("%s: %s", name, d.text);
	/* each says what came out, as a whole sentence */
	assert_true(out->finding[0] != '\0' && out->finding[strlen(out->finding) - 1] == '.');
	return out;
}

static const struct attack_value *
figure(const struct attack_result *r, const char *name)
{
	for (size_t i = 0; i < r->figure_count; i++)
		if (strcmp(r->figures[i].name, name) == 0)
			return &r->figures[i].v;
	fail_msg("no figure %s", name);
	return NULL;
}

static void
drop(struct attack_result *r)
{
	attack_release(r);
	free(r);
}

/* ---- the trace ---- */

static void
write_run(char directory[static 512], const struct scenario *s)
{
	static unsigned number;
	struct run_options options = { 0 };
	struct output *o;
	struct figures f;
	struct run *r;
	struct diag d = { "" };

	(void)snprintf(directory, 512, "%s/run-%u", test_tmpdir(), number++);
	assert_err_ok(output_begin(&o, directory, false, true, &d));
	options.trace = output_trace(o);
	options.truth = output_truth(o);
	assert_err_ok(run_scenario(&r, s, &options, &d));
	assert_err_ok(figures_of(&f, s, r));
	assert_err_ok(output_finish(o, s, r, &f, &d));
	output_free(o);
	run_free(r);
}

static void
assert_same_turns(const struct attack_trace *a, const struct attack_trace *b)
{
	assert_int_equal(a->persons, b->persons);
	for (uint32_t p = 0; p < a->persons; p++) {
		size_t n, m;
		const struct attack_turn *x = attack_trace_turns(a, p, &n);
		const struct attack_turn *y = attack_trace_turns(b, p, &m);

		assert_int_equal(n, m);
		for (size_t i = 0; i < n; i++) {
			assert_int_equal(x[i].from_ms, y[i].from_ms);
			assert_int_equal(x[i].to_ms, y[i].to_ms);
		}
	}
}

/* What is simulated for an attack holds no more than what a run writes for its adversary. */
static void
test_read_is_simulated(void **state)
{
	char directory[512];
	struct attack_trace *a, *b;
	struct scenario s, again;
	struct diag d = { "" };

	(void)state;
	scenario_of(&s, OWN "churn = on-off\nonline = 20min\noffline = 20min\n", test_seed());
	s.targets = 0;
	write_run(directory, &s);
	assert_err_ok(attack_trace_scenario(&again, directory, &d));
	assert_int_equal(again.seed, s.seed);
	assert_int_equal(again.churn, s.churn);
	assert_err_ok(attack_trace_new(&a, &s, NULL, NULL, NULL, &d));
	assert_err_ok(attack_trace_new(&b, &again, directory, NULL, NULL, &d));
	assert_true(a->send_count > 1000 && a->deposit_count > 100);
	assert_int_equal(a->send_count, b->send_count);
	assert_int_equal(a->deposit_count, b->deposit_count);
	assert_int_equal(a->packets, b->packets);
	for (size_t i = 0; i < a->send_count; i++) {
		assert_int_equal(a->sends[i].at_ms, b->sends[i].at_ms);
		assert_int_equal(a->sends[i].person, b->sends[i].person);
	}
	for (size_t i = 0; i < a->deposit_count; i++) {
		assert_int_equal(a->deposits[i].at_ms, b->deposits[i].at_ms);
		assert_int_equal(a->deposits[i].mailbox, b->deposits[i].mailbox);
		assert_int_equal(a->truth[i].sender, b->truth[i].sender);
		assert_int_equal(a->truth[i].receiver, b->truth[i].receiver);
		assert_int_equal(a->truth[i].sent_ms, b->truth[i].sent_ms);
	}
	assert_same_turns(a, b);
	attack_trace_free(a);
	attack_trace_free(b);
}

/* While packets are counted, it is the same people who are there. */
static void
test_counted_turns_are_the_same(void **state)
{
	struct attack_trace *a, *b;
	struct scenario s;
	struct diag d = { "" };

	(void)state;
	scenario_of(&s, OWN "churn = on-off\nonline = 20min\noffline = 20min\n", test_seed());
	assert_err_ok(attack_trace_new(&a, &s, NULL, NULL, NULL, &d));
	s.cover = COVER_COUNTED;
	assert_err_ok(attack_trace_new(&b, &s, NULL, NULL, NULL, &d));
	assert_true(b->counted && b->send_count == 0 && b->deposit_count > 100);
	assert_int_equal(a->packets, b->packets);
	assert_same_turns(a, b);
	assert_true(a->turn_first[a->persons] > 2 * (size_t)a->persons);
	attack_trace_free(a);
	attack_trace_free(b);
}

/* Whose trace does not say what the gateway finds in packets is refused. */
static void
test_another_adversary_is_refused(void **state)
{
	char directory[512];
	struct attack_trace *t;
	struct scenario s;
	struct diag d = { "" };

	(void)state;
	scenario_of(&s, OWN, test_seed());
	s.adversary = ADVERSARY_GLOBAL;
	write_run(directory, &s);
	assert_err(attack_trace_new(&t, &s, directory, NULL, NULL, &d), ERR_RANGE);
	assert_contains(d.text, "adversary = gateway");
	assert_err(attack_trace_scenario(&s, "/nonexistent", &d), ERR_IO);
}

/* ---- controls ---- */

static void
test_without_mixing_attacks_succeed(void **state)
{
	struct attack_result *r;
	struct scenario s;

	(void)state;
	scenario_of(&s, PLAIN, test_seed());
	r = attack("disclosure", &s, NULL, 0);
	assert_true(figure(r, "first_mailbox_least_squares")->value > 0.9);
	assert_true(figure(r, "first_mailbox_sda")->value > 0.7);
	assert_true(figure(r, "who_writes_more_least_squares")->value > 0.8);
	drop(r);
	r = attack("intersection", &s, NULL, 0);
	assert_true(figure(r, "sender_found")->value > 0.9);
	assert_true(figure(r, "sender_lost")->value < 0.1);
	drop(r);
	r = attack("two-senders", &s, NULL, 0);
	assert_true(figure(r, "advantage_at_the_most_messages")->low > 0.7);
	drop(r);
	r = attack("flow-matching", &s, NULL, 0);
	for (size_t i = 0; i < r->figure_count; i++)
		if (strncmp(r->figures[i].name, "true_positives_at_1e-2", 22) == 0)
			assert_true(r->figures[i].v.value > 0.9);
	drop(r);
}

/* Everybody online, a packet in every slot: there is nothing to see. */
static void
test_against_the_own_law_they_are_at_chance(void **state)
{
	struct attack_result *r;
	struct scenario s;

	(void)state;
	scenario_of(&s, OWN, 7); /* a seed of its own: bounds are those of a 95 % interval, twice */
	r = attack("two-senders", &s, NULL, 0);
	for (size_t i = 0; i < r->curves[0].count; i++) {
		const struct attack_value *v = &r->curves[0].points[i].y;

		assert_true(fabs(v->value) < v->high - v->low);
	}
	assert_true(r->curves[0].count >= 4);
	drop(r);
	r = attack("intersection", &s, NULL, 0);
	assert_true(figure(r, "suspects_left_at_the_most_messages")->value > 39.9);
	assert_true(figure(r, "sender_found")->value < 1e-9);
	drop(r);
	r = attack("flow-matching", &s, NULL, 0);
	for (size_t i = 0; i < r->figure_count; i++)
		if (strncmp(r->figures[i].name, "area_under_curve", 16) == 0)
			assert_true(fabs(r->figures[i].v.value - 0.5) <
			    r->figures[i].v.high - r->figures[i].v.low);
	drop(r);
}

/* Who is online only at times is found by that. */
static void
test_churn_gives_away(void **state)
{
	struct attack_result *r;
	struct scenario s;

	(void)state;
	scenario_of(&s, OWN "churn = on-off\nonline = 20min\noffline = 20min\n", test_seed());
	s.duration_ms = INT64_C(6) * 3600000;
	r = attack("intersection", &s, NULL, 0);
	assert_true(figure(r, "suspects_left_at_the_most_messages")->high < 20);
	assert_true(figure(r, "sender_lost")->value < 0.05);
	drop(r);
	r = attack("two-senders", &s, NULL, 0);
	assert_true(figure(r, "advantage_at_the_most_messages")->low > 0.5);
	drop(r);
}

static void
win(size_t *wins, size_t *n, const struct suspicion *s, const struct pseudonym *p,
    uint32_t suspect, uint32_t other)
{
	double a[64], b[64];
	size_t k = p->count < 64 ? p->count : 64;

	suspicion_scores(a, s, p, suspect, k);
	suspicion_scores(b, s, p, other, k);
	if (!(a[k - 1] < b[k - 1]) && !(a[k - 1] > b[k - 1]))
		return;
	++*n;
	*wins += a[k - 1] > b[k - 1];
}

/* The same scores, against people who are said to be the senders and are not. */
static void
test_shuffled_truth_is_chance(void **state)
{
	struct pseudonyms p;
	struct suspicion m;
	struct scenario s;
	struct attack_input in = { .scenario = &s };
	struct diag d = { "" };
	size_t right = 0, right_of = 0, wins = 0, n = 0;

	(void)state;
	scenario_of(&s, OWN "churn = on-off\nonline = 20min\noffline = 20min\n", test_seed());
	s.duration_ms = INT64_C(6) * 3600000;
	assert_err_ok(suspicion_new(&m, &in, &d));
	assert_err_ok(pseudonyms_new(&p, m.trace, 1, 1000, 1, &d));
	for (size_t i = 0; i < p.count; i++)
		for (uint32_t k = 1; k < 9; k++) {
			uint32_t a = (p.of[i].sender + k) % m.trace->persons;
			uint32_t b = (p.of[i].sender + k + 13) % m.trace->persons;

			win(&right, &right_of, &m, &p.of[i], p.of[i].sender, a);
			win(&wins, &n, &m, &p.of[i], a, b);
		}
	assert_true(right_of > 100 && (double)right > 0.9 * (double)right_of);
	/* some 1280 games of 160 pseudonyms, of 40 people: six deviations of the 40 */
	assert_true(n > 100 && fabs((double)wins / (double)n - 0.5) < 6 * 0.5 / sqrt(40));
	print_message("# right %zu of %zu, shuffled %zu of %zu\n", right, right_of, wins, n);
	pseudonyms_release(&p);
	suspicion_release(&m);
}

/* ---- partition and corrupt mixes ---- */

static void
test_partition(void **state)
{
	struct attack_result *r;
	struct scenario s;
	double seen, alike;

	(void)state;
	scenario_of(&s, "people = 40\nsending = poisson\nslot = 60s\nepoch = 1h\n"
	    "strategy = stop-and-go mean=60s\nlayers = 1\nnote-one-in = 0\n", test_seed());
	r = attack("partition", &s, NULL, 4);
	seen = figure(r, "least_entropy_under_new_keys")->value;
	alike = figure(r, "least_entropy_if_keys_were_not_seen")->value;
	assert_true(alike > seen + 0.5); /* who leaves first under new keys came just now */
	assert_true(figure(r, "least_entropy_after_a_restart")->value < alike - 0.5);
	for (size_t i = 0; i < r->curve_count; i++)
		for (size_t k = 0; k < r->curves[i].count; k++)
			assert_true(r->curves[i].points[k].y.value <= log2(40) + 1e-9);
	drop(r);
	s.epoch_ms = 0;
	r = attack("partition", &s, NULL, 1);
	assert_false(figure(r, "least_entropy_under_new_keys")->known);
	drop(r);
}

static void
test_corrupt_mixes(void **state)
{
	struct attack_result *r;
	struct scenario s;
	const struct attack_curve *h, *exact, *observed;

	(void)state;
	scenario_of(&s, "people = 40\nwidth = 2\nlayers = 2\nslot = 10s\nduration = 30min\n"
	    "warm-up = 10min\ntargets = 256\n", test_seed());
	r = attack("corrupt-mixes", &s, NULL, 0);
	assert_int_equal(r->curve_count, 4);
	h = &r->curves[0];
	observed = &r->curves[2];
	exact = &r->curves[3];
	assert_int_equal(h->count, 5);
	assert_true(h->points[0].y.value > 5 && h->points[4].y.value < 1e-9);
	for (size_t i = 0; i < exact->count; i++) {
		double share = exact->points[i].y.value;

		/* five deviations of 256 packets */
		assert_true(fabs(observed->points[i].y.value - share) <=
		    5 * sqrt(share * (1 - share) / 256) + 1e-9);
	}
	assert_true(exact->points[4].y.value > 0.999);
	drop(r);
}

/* ---- what is printed ---- */

static char *
printed(enum err (*print)(FILE *out, const struct attack_kind *k, const struct attack_input *in,
    const struct attack_result *r), const struct attack_kind *k, const struct attack_input *in,
    const struct attack_result *r)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	assert_non_null(f);
	assert_err_ok(print(f, k, in, r));
	assert_int_equal(fclose(f), 0);
	return text;
}

static enum err
print_csv(FILE *out, const struct attack_kind *k, const struct attack_input *in,
    const struct attack_result *r)
{
	(void)in;
	attack_print_csv(out, k, r);
	return ERR_OK;
}

static enum err
print_text(FILE *out, const struct attack_kind *k, const struct attack_input *in,
    const struct attack_result *r)
{
	attack_print_text(out, k, in, r);
	return ERR_OK;
}

static enum err
print_svg(FILE *out, const struct attack_kind *k, const struct attack_input *in,
    const struct attack_result *r)
{
	return attack_print_svg(out, k, in, r, 0) ? ERR_OK : ERR_NOT_FOUND;
}

static void
test_printing(void **state)
{
	const struct attack_kind *k = attack_table[0];
	const struct attack_value unknown = { .known = false };
	struct attack_result r = { .trials = 3, .censored = 1 };
	struct scenario s;
	struct attack_input in = { .scenario = &s };
	struct attack_curve *c;
	char *text;

	(void)state;
	scenario_of(&s, OWN, 1);
	c = attack_add_curve(&r, "x, \"quoted\"", "y < 1", "a curve");
	attack_chance(c, 0.25);
	assert_err_ok(attack_add_point(c, 1, attack_share(1, 4)));
	assert_err_ok(attack_add_point(c, 2, unknown));
	attack_add_missing(&r, "none", "bit", "there is none");
	(void)attack_add_figure(&r, "one", "bit", attack_exact(1.5));
	text = printed(print_csv, k, &in, &r);
	assert_non_null(strstr(text, ATTACK_CSV_HEADER "\n"));
	assert_non_null(strstr(text, "\"none\",,,\"bit\",,,,,\"there is none\"\n"));
	assert_non_null(strstr(text, "\"a curve\",\"x, \"\"quoted\"\"\",1,\"y < 1\",0.25,"));
	assert_null(strstr(text, "nan"));
	free(text);
	text = printed(attack_print_json, k, &in, &r);
	assert_non_null(strstr(text, "\"value\":null,\"low\":null"));
	assert_non_null(strstr(text, "\"reason\":\"there is none\""));
	assert_non_null(strstr(text, "restante-scenario 1\\n"));
	free(text);
	text = printed(print_text, k, &in, &r);
	assert_non_null(strstr(text, "chance 0.25"));
	free(text);
	text = printed(print_svg, k, &in, &r);
	assert_non_null(strstr(text, "y &lt; 1"));
	assert_non_null(strstr(text, "</svg>"));
	assert_false(attack_print_svg(stdout, k, &in, &r, 1));
	free(text);
	attack_release(&r);
}

static void
test_formats_are_documented(void **state)
{
	const char *srcdir = getenv("srcdir");
	char path[512], text[65536];
	FILE *f;
	size_t n;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/docs/evaluation-formats.md",
	    srcdir != NULL ? srcdir : "../..");
	f = fopen(path, "r");
	assert_non_null(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	(void)fclose(f);
	assert_true(n < sizeof(text) - 1);
	text[n] = '\0';
	assert_non_null(strstr(text, "\n    " ATTACK_CSV_HEADER "\n"));
	for (size_t i = 0; i < attack_table_count; i++) {
		char cell[64];

		(void)snprintf(cell, sizeof(cell), "| `%s` |", attack_table[i]->name);
		if (strstr(text, cell) == NULL)
			fail_msg("docs/evaluation-formats.md has no row of `%s`",
			    attack_table[i]->name);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_read_is_simulated),
	cmocka_unit_test(test_counted_turns_are_the_same),
	cmocka_unit_test(test_another_adversary_is_refused),
	cmocka_unit_test(test_without_mixing_attacks_succeed),
	cmocka_unit_test(test_against_the_own_law_they_are_at_chance),
	cmocka_unit_test(test_churn_gives_away),
	cmocka_unit_test(test_shuffled_truth_is_chance),
	cmocka_unit_test(test_partition),
	cmocka_unit_test(test_corrupt_mixes),
	cmocka_unit_test(test_printing),
	cmocka_unit_test(test_formats_are_documented),
};
TEST_MAIN(tests)

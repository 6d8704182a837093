#include "config.h"

#include "evaluation/output_files.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/bytes.h"
#include "evaluation/output.h"
#include "evaluation/svg.h"

#define DELAY_POINTS 500

/* ---- targets ---- */

static void
targets_header(FILE *out)
{
	(void)fprintf(out, "target,sent_ms,exited_ms,delay_ms,kind,sender,traced,lost");
	for (int users = 0; users < 2; users++)
		for (size_t i = 0; i < FIGURES_COLUMNS; i++)
			(void)fprintf(out, ",%s_%s", figures_column(i), users ? "user" : "message");
	(void)fputc('\n', out);
}

char *
output_targets_header(void)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	if (f == NULL)
		return NULL;
	targets_header(f);
	if (fclose(f) != 0) {
		free(text);
		return NULL;
	}
	text[n - 1] = '\0'; /* the line's end */
	return text;
}

static void
level_values(FILE *out, const struct score_level *l, bool wanted)
{
	for (size_t i = 0; i < FIGURES_COLUMNS; i++) {
		(void)fputc(',', out);
		if (wanted)
			(void)fprintf(out, "%.9g", figures_round(figures_value(l, i)));
	}
}

enum err
output_write_targets(FILE *out, const struct output_run *r)
{
	enum scenario_level level = r->scenario->level;
	size_t n;
	const struct run_target *t = run_targets(r->run, &n);

	targets_header(out);
	for (size_t i = 0; i < n; i++) {
		(void)fprintf(out, "%zu,%" PRId64 ",%" PRId64 ",%" PRId64 ",%s,%" PRIu32 ",%d,%.9g",
		    i, t[i].sent_ms, t[i].exited_ms, t[i].exited_ms - t[i].sent_ms,
		    recorder_kind(t[i].kind), t[i].person, t[i].traced,
		    t[i].score.lost > 1e-12 ? figures_round(t[i].score.lost) : 0);
		level_values(out, &t[i].score.message, level != LEVEL_USER);
		level_values(out, &t[i].score.user, level != LEVEL_MESSAGE);
		(void)fputc('\n', out);
	}
	return ERR_OK;
}

/* ---- summaries ---- */

enum err
output_write_summary_csv(FILE *out, const struct output_run *r)
{
	figures_csv(out, r->figures);
	return ERR_OK;
}

enum err
output_write_summary_json(FILE *out, const struct output_run *r)
{
	return figures_write_json(out, r->figures, r->scenario, r->run);
}

/* ---- plots ---- */

static int
ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The sorted entropies of a level, n of them; free. */
static double *
entropies(const struct run *r, bool users)
{
	size_t n;
	const struct run_target *t = run_targets(r, &n);
	double *x = calloc(n + 1, sizeof(*x));

	for (size_t i = 0; x != NULL && i < n; i++)
		x[i] = users ? t[i].score.user.entropy : t[i].score.message.entropy;
	if (x != NULL)
		qsort(x, n, sizeof(*x), ascending);
	return x;
}

static void
plot_entropies(FILE *out, const struct output_run *r, struct svg_curve curves[static 2], size_t n)
{
	enum scenario_level level = r->scenario->level;
	char who[SCENARIO_SENTENCE_BYTES + 32], rule[SCENARIO_SENTENCE_BYTES],
	    what[SCENARIO_SENTENCE_BYTES + 64];
	struct svg_plot plot = { .title = level == LEVEL_BOTH ?
		"Anonymity of a packet's sender, among messages and users" :
		level == LEVEL_USER ? "Anonymity of a packet's sender, among users" :
				      "Anonymity of a packet's sender, among messages",
		.lines = { who, what }, .x_label = "entropy H of the posterior [bit]",
		.curves = curves, .count = 2, .nothing = run_reason(r->run) };

	scenario_rule_text(rule, r->scenario);
	(void)snprintf(who, sizeof(who), "%s; seed %" PRId64, r->figures->adversary,
	    r->scenario->seed);
	(void)snprintf(what, sizeof(what), "%zu targets: %s", n, rule);
	curves[0].count = level != LEVEL_USER ? n : 0;
	curves[1].count = level != LEVEL_MESSAGE ? n : 0;
	svg_write(out, &plot);
}

enum err
output_write_entropy_svg(FILE *out, const struct output_run *r)
{
	double *messages = entropies(r->run, false), *users = entropies(r->run, true), *shares;
	struct svg_curve curves[2];
	bool whole;
	size_t n;

	(void)run_targets(r->run, &n);
	shares = calloc(n + 1, sizeof(*shares));
	whole = messages != NULL && users != NULL && shares != NULL;
	for (size_t i = 0; i < n && whole; i++)
		shares[i] = (double)(i + 1) / (double)n;
	if (whole) {
		curves[0] = (struct svg_curve){ "message level: which packet", messages, shares,
			n };
		curves[1] = (struct svg_curve){ "user level: which person", users, shares, n };
		plot_entropies(out, r, curves, n);
	}
	free(messages);
	free(users);
	free(shares);
	return whole ? ERR_OK : ERR_MEMORY;
}

enum err
output_write_delay_svg(FILE *out, const struct output_run *r)
{
	const struct recorder_counts *c = run_counts(r->run);
	const struct tally *tallies[2] = { &c->network_ms, &c->message_ms };
	double x[2][DELAY_POINTS + 1], share[DELAY_POINTS + 1];
	char who[64], what[96];
	struct svg_curve curves[2] = {
		{ "network: sent to out of the last mix", x[0], share, 0 },
		{ "message: written to published", x[1], share, 0 },
	};
	struct svg_plot plot = { .title = "Delay of messages", .lines = { who, what },
		.x_label = "delay [s]", .curves = curves, .count = 2,
		.nothing = "no message came through within the duration" };

	for (int i = 0; i <= DELAY_POINTS; i++)
		share[i] = (double)i / DELAY_POINTS;
	for (int k = 0; k < 2; k++) {
		for (int i = 0; i <= DELAY_POINTS; i++)
			x[k][i] = i == 0 ? (double)tallies[k]->least / 1000 :
					   tally_percentile(tallies[k], share[i]) / 1000;
		curves[k].count = tallies[k]->count > 0 ? DELAY_POINTS + 1 : 0;
	}
	(void)snprintf(who, sizeof(who), "message level; seed %" PRId64, r->scenario->seed);
	(void)snprintf(what, sizeof(what), "%" PRIu64 " messages that were sent within the "
	    "duration; needs no adversary", c->real);
	svg_write(out, &plot);
	return ERR_OK;
}

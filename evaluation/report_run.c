#include "config.h"

#include <math.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/encode.h"
#include "evaluation/chart.h"
#include "evaluation/csvread.h"
#include "evaluation/html.h"
#include "evaluation/output.h"
#include "evaluation/report.h"

struct sources {
	const char *directory;
	struct jsonread *manifest, *summary;
	struct scenario scenario;
};

/* ---- figures ---- */

static void
figure_row(FILE *out, const struct jsonread *j, const struct jsonread_value *f)
{
	static const char *const columns[] = { "p1", "p5", "p50", "p95" };
	const char *unit = jsonread_text(j, f, "unit");

	(void)fputs("<tr><th scope=\"row\">", out);
	html_text(out, jsonread_text(j, f, "figure"));
	(void)fputs("</th>", out);
	html_element(out, "td class=\"text\"", jsonread_text(j, f, "level"));
	html_element(out, "td class=\"text\"", report_unit(unit));
	report_cell_of(out, j, f, "n", "1");
	report_cell_of(out, j, f, "mean", unit);
	report_interval_of(out, j, f, unit);
	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
		report_cell_of(out, j, f, columns[i], unit);
	html_element(out, "td class=\"long\"", jsonread_text(j, f, "reason"));
	(void)fputs("</tr>\n", out);
}

static void
figures(FILE *out, const struct jsonread *j)
{
	const struct jsonread_value *f = jsonread_child(j, jsonread_get(j, jsonread_root(j), "figures"));

	(void)fputs("<h3>Figures</h3>\n<div class=\"wide\"><table><thead><tr><th>figure</th>"
		    "<th class=\"text\">level</th><th class=\"text\">unit</th><th>n</th>"
		    "<th>mean</th><th>95 % interval</th><th>p1</th><th>p5</th><th>p50</th><th>p95</th>"
		    "<th class=\"text\">why not</th></tr></thead><tbody>\n", out);
	for (; f != NULL; f = jsonread_next(j, f))
		figure_row(out, j, f);
	(void)fputs("</tbody></table></div>\n", out);
	(void)fputs("<p class=\"soft\">", out);
	html_text(out, jsonread_text(j, jsonread_root(j), "interval"));
	(void)fputs(". Posterior: ", out);
	html_text(out, jsonread_text(j, jsonread_root(j), "posterior"));
	(void)fputs(".</p>\n", out);
}

/* ---- plots ---- */

static int
ascending(const void *a, const void *b)
{
	double x = ((const struct chart_point *)a)->x, y = ((const struct chart_point *)b)->x;

	return (x > y) - (x < y);
}

/* The distribution function of a column; *n points, free. NULL without memory. */
static struct chart_point *
distribution(size_t *n, const struct csvread *c, const char *column)
{
	struct chart_point *p = calloc(csvread_rows(c) + 1, sizeof(*p));
	size_t at = csvread_find(c, column);

	*n = 0;
	for (size_t i = 0; p != NULL && i < csvread_rows(c); i++)
		if (csvread_number(&p[*n].x, c, i, at))
			(*n)++;
	if (p != NULL)
		qsort(p, *n, sizeof(*p), ascending);
	for (size_t i = 0; p != NULL && i < *n; i++)
		p[i].y = p[i].low = p[i].high = (double)(i + 1) / (double)*n;
	return p;
}

static enum err
plot_targets(FILE *out, const struct csvread *c, const char *title, const char *x_label,
    const char *message, const char *user)
{
	struct chart_series series[2] = { { .name = "which packet" }, { .name = "which person" } };
	struct chart chart = { .title = title, .x_label = x_label,
		.y_label = "share of targets", .form = CHART_STEPS, .series = series, .count = 2,
		.nothing = "No target was observed." };
	struct chart_point *a = distribution(&series[0].count, c, message);
	struct chart_point *b = distribution(&series[1].count, c, user);
	enum err e = a != NULL && b != NULL ? ERR_OK : ERR_MEMORY;

	series[0].points = a;
	series[1].points = b;
	if (e == ERR_OK)
		chart_write(out, &chart);
	free(a);
	free(b);
	return e;
}

#define PERCENTILES 9

/* The percentiles that the summary has of a figure. */
static size_t
percentiles(struct chart_point out[static PERCENTILES], const struct jsonread *j, const char *figure)
{
	static const struct {
		const char *name;
		double share;
	} of[PERCENTILES] = { { "min", 0 }, { "p1", 0.01 }, { "p5", 0.05 }, { "p25", 0.25 },
		{ "p50", 0.5 }, { "p75", 0.75 }, { "p95", 0.95 }, { "p99", 0.99 }, { "max", 1 } };
	const struct jsonread_value *f = jsonread_child(j, jsonread_get(j, jsonread_root(j), "figures"));
	size_t n = 0;
	double v;

	while (f != NULL && strcmp(jsonread_text(j, f, "figure"), figure) != 0)
		f = jsonread_next(j, f);
	for (size_t i = 0; i < PERCENTILES; i++)
		if (jsonread_number(&v, j, f, of[i].name))
			out[n++] = (struct chart_point){ v / 1000, of[i].share, of[i].share, of[i].share };
	return n;
}

static void
plot_delays(FILE *out, const struct jsonread *j)
{
	struct chart_point network[PERCENTILES], message[PERCENTILES];
	struct chart_series series[2] = {
		{ "sent to out of the last mix", network, percentiles(network, j, "network_delay") },
		{ "written to published", message, percentiles(message, j, "message_delay") } };
	struct chart chart = { .title = "Delay of messages, by the percentiles of the summary",
		.x_label = "delay [s]", .y_label = "share of messages", .form = CHART_LINES,
		.series = series, .count = 2, .nothing = "No message came through." };

	chart_write(out, &chart);
}

/* ---- whether it is what the run left ---- */

static const char *
told_hash(const struct jsonread *j, const char *name)
{
	const struct jsonread_value *f = jsonread_child(j, jsonread_get(j, jsonread_root(j), "files"));

	while (f != NULL && strcmp(jsonread_text(j, f, "name"), name) != 0)
		f = jsonread_next(j, f);
	return jsonread_text(j, f, "blake2b_256");
}

/* A file, and in the page if it is another than when the run ended. */
static enum err
read_checked(FILE *out, struct buf *text, const struct sources *s, const char *name, struct diag *d)
{
	uint8_t hash[32];
	char hex[2 * sizeof(hash) + 1];
	enum err e = report_read(text, s->directory, name, d);

	if (e != ERR_OK)
		return e;
	(void)crypto_generichash(hash, sizeof(hash), text->data, text->len, NULL, 0);
	(void)sodium_bin2hex(hex, sizeof(hex), hash, sizeof(hash));
	if (strcmp(hex, told_hash(s->manifest, name)) != 0) {
		(void)fputs("<div class=\"words warn\"><p><strong>", out);
		html_text(out, name);
		(void)fputs(" has been changed since the run ended</strong>: its hash is not the "
			    "manifest's.</p></div>\n", out);
	}
	return ERR_OK;
}

static enum err
check_summary(FILE *out, const struct sources *s, struct diag *d)
{
	struct buf text;
	enum err e;

	buf_init(&text);
	e = read_checked(out, &text, s, "summary.json", d);
	buf_release(&text);
	return e;
}

static enum err
plots(FILE *out, const struct sources *s, struct diag *d)
{
	struct csvread *targets = NULL;
	struct buf text;
	enum err e;

	buf_init(&text);
	e = read_checked(out, &text, s, "targets.csv", d);
	if (e == ERR_OK)
		e = csvread_parse(&targets, text.data, text.len, d);
	buf_release(&text);
	if (e != ERR_OK)
		return e;
	(void)fputs("<div class=\"plots\">\n", out);
	e = plot_targets(out, targets, "Entropy of the posterior: how many it may have been",
	    "H [bit]", "entropy_message", "entropy_user");
	if (e == ERR_OK)
		e = plot_targets(out, targets, "Min-entropy: the best single guess",
		    "min-entropy [bit]", "min_entropy_message", "min_entropy_user");
	if (e == ERR_OK)
		plot_delays(out, s->summary);
	(void)fputs("</div>\n", out);
	csvread_free(targets);
	return e;
}

/* ---- the section ---- */

static void
facts(FILE *out, const struct sources *s)
{
	const struct jsonread *m = s->manifest;
	char rule[SCENARIO_SENTENCE_BYTES], text[64];
	double v = 0;

	scenario_rule_text(rule, &s->scenario);
	(void)fputs("<table class=\"pairs\"><tbody>\n", out);
	(void)snprintf(text, sizeof(text), "%.0f", jsonread_number(&v, m, jsonread_root(m), "seed") ?
	    v : 0);
	html_row(out, "seed", text);
	html_row(out, "targets", rule);
	html_row(out, "program", jsonread_text(m, jsonread_root(m), "program_version"));
	html_row(out, "status", jsonread_text(s->summary, jsonread_root(s->summary), "status"));
	if (told_hash(m, "summary.json")[0] != '\0')
		html_row(out, "BLAKE2b-256 of summary.json", told_hash(m, "summary.json"));
	(void)fputs("</tbody></table>\n", out);
}

static enum err
section(FILE *out, struct sources *s, struct diag *d)
{
	const char *text = jsonread_text(s->manifest, jsonread_root(s->manifest), "scenario");
	enum err e = scenario_parse(&s->scenario, s->directory, text, strlen(text), d);

	if (e != ERR_OK)
		return e;
	(void)fputs("<section>\n", out);
	report_heading(out, "Run", s->directory);
	report_adversary(out, &s->scenario);
	e = check_summary(out, s, d);
	facts(out, s);
	if (e == ERR_OK)
		e = plots(out, s, d);
	figures(out, s->summary);
	if (e == ERR_OK)
		e = report_scenario(out, text, d);
	(void)fputs("</section>\n", out);
	return e;
}

enum err
report_run(FILE *out, const char *directory, struct diag *d)
{
	struct sources s = { .directory = directory };
	enum err e = report_json(&s.manifest, directory, "manifest.json", "restante-manifest",
	    OUTPUT_VERSION, d);

	if (e == ERR_OK)
		e = report_json(&s.summary, directory, "summary.json", "restante-summary",
		    OUTPUT_VERSION, d);
	if (e == ERR_OK)
		e = section(out, &s, d);
	jsonread_free(s.manifest);
	jsonread_free(s.summary);
	return e;
}

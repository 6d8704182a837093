#include "config.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/config/value.h"
#include "evaluation/chart.h"
#include "evaluation/html.h"
#include "evaluation/report.h"

#define ATTACK_JSON_VERSION 1
#define AXIS_MOST 36 /* bytes of a label that fit beside an axis */
#define LOG_SPAN 100 /* x from 1 to more than so much is drawn in logarithms */

/* ---- figures ---- */

/* A name of figures, which may be broken behind its words. */
static void
figure_name(FILE *out, const char *name)
{
	while (*name != '\0') {
		char word[64];
		size_t n = strcspn(name, "_");

		n += name[n] == '_';
		(void)snprintf(word, sizeof(word), "%.*s", (int)n, name);
		html_text(out, word);
		(void)fputs("<wbr>", out);
		name += n;
	}
}

static void
figure_row(FILE *out, const struct jsonread *j, const struct jsonread_value *f)
{
	const char *unit = jsonread_text(j, f, "unit");

	(void)fputs("<tr><th scope=\"row\">", out);
	figure_name(out, jsonread_text(j, f, "name"));
	(void)fputs("</th>", out);
	html_element(out, "td class=\"text\"", report_unit(unit));
	report_cell_of(out, j, f, "value", unit);
	report_interval_of(out, j, f, unit);
	report_cell_of(out, j, f, "chance", unit);
	html_element(out, "td class=\"long\"", jsonread_text(j, f, "reason"));
	(void)fputs("</tr>\n", out);
}

static void
figures(FILE *out, const struct jsonread *j)
{
	const struct jsonread_value *f = jsonread_child(j, jsonread_get(j, jsonread_root(j), "figures"));

	if (f == NULL)
		return;
	(void)fputs("<h3>Figures</h3>\n<div class=\"wide\"><table><thead><tr><th>figure</th>"
		    "<th class=\"text\">unit</th><th>value</th><th>95 % interval</th><th>by chance</th>"
		    "<th class=\"text\">why not</th></tr></thead><tbody>\n", out);
	for (; f != NULL; f = jsonread_next(j, f))
		figure_row(out, j, f);
	(void)fputs("</tbody></table></div>\n", out);
}

/* ---- curves ---- */

/* The points of a curve that have a value; free. NULL without memory. */
static struct chart_point *
points_of(size_t *n, const struct jsonread *j, const struct jsonread_value *curve)
{
	const struct jsonread_value *first = jsonread_child(j, jsonread_get(j, curve, "points")), *v;
	struct chart_point *p;
	size_t room = 1;

	for (v = first; v != NULL; v = jsonread_next(j, v))
		room++;
	p = calloc(room, sizeof(*p));
	*n = 0;
	for (v = first; p != NULL && v != NULL; v = jsonread_next(j, v)) {
		struct chart_point *at = &p[*n];

		if (!jsonread_number(&at->x, j, v, "x") || !jsonread_number(&at->y, j, v, "value"))
			continue;
		if (!jsonread_number(&at->low, j, v, "low"))
			at->low = at->y;
		if (!jsonread_number(&at->high, j, v, "high"))
			at->high = at->y;
		(*n)++;
	}
	return p;
}

static bool
same_axes(const struct jsonread *j, const struct jsonread_value *a, const struct jsonread_value *b)
{
	return strcmp(jsonread_text(j, a, "x_label"), jsonread_text(j, b, "x_label")) == 0 &&
	    strcmp(jsonread_text(j, a, "y_label"), jsonread_text(j, b, "y_label")) == 0;
}

static bool
spans_decades(const struct chart_series *s, size_t n)
{
	double low = 0, high = 0;

	for (size_t k = 0; k < n; k++)
		for (size_t i = 0; i < s[k].count; i++) {
			double x = s[k].points[i].x;

			low = low <= 0 || x < low ? x : low;
			high = x > high ? x : high;
			if (x <= 0)
				return false;
		}
	return low > 0 && high / low >= LOG_SPAN;
}

/* What of a label fits beside the axis: all, or up to its first comma, or nothing. */
static void
axis_label(char out[static AXIS_MOST + 1], const char *label)
{
	size_t n = strlen(label);

	if (n > AXIS_MOST)
		n = strcspn(label, ",:");
	(void)snprintf(out, AXIS_MOST + 1, "%.*s", n > AXIS_MOST ? 0 : (int)n, label);
}

static void
plot(FILE *out, const struct jsonread *j, const struct jsonread_value *first,
    const struct chart_series *series, size_t n)
{
	char y_label[AXIS_MOST + 1];
	struct chart chart = { .title = jsonread_text(j, first, "y_label"),
		.x_label = jsonread_text(j, first, "x_label"), .y_label = y_label, .form = CHART_LINES,
		.x_log = spans_decades(series, n), .series = series, .count = n,
		.level_name = "by chance", .nothing = "No point of it has a value." };

	axis_label(y_label, chart.title);
	chart.has_level = jsonread_number(&chart.level, j, first, "chance");
	chart_write(out, &chart);
}

/* Curves that follow each other with the same axes are one plot, at most four. */
static enum err
curves(FILE *out, const struct jsonread *j)
{
	const struct jsonread_value *c = jsonread_child(j, jsonread_get(j, jsonread_root(j), "curves"));

	(void)fputs("<div class=\"plots\">\n", out);
	while (c != NULL) {
		struct chart_series series[CHART_SERIES_MAX];
		struct chart_point *points[CHART_SERIES_MAX];
		const struct jsonread_value *first = c;
		bool whole = true;
		size_t n = 0;

		for (; c != NULL && n < CHART_SERIES_MAX && same_axes(j, first, c); n++) {
			points[n] = points_of(&series[n].count, j, c);
			series[n].name = jsonread_text(j, c, "name");
			series[n].points = points[n];
			whole = whole && points[n] != NULL;
			c = jsonread_next(j, c);
		}
		if (whole)
			plot(out, j, first, series, n);
		for (size_t i = 0; i < n; i++)
			free(points[i]);
		if (!whole)
			return ERR_MEMORY;
	}
	(void)fputs("</div>\n", out);
	return ERR_OK;
}

/* ---- the section ---- */

static void
words(FILE *out, const struct jsonread *j)
{
	static const struct {
		const char *title, *key;
	} of[] = { { "The adversary", "adversary" }, { "In this run", "given" },
		{ "What is measured", "measured" }, { "What came out", "finding" } };

	(void)fputs("<div class=\"words\">\n", out);
	for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++) {
		const char *text = jsonread_text(j, jsonread_root(j), of[i].key);

		if (text[0] == '\0')
			continue;
		(void)fprintf(out, "<p><strong>%s.</strong> ", of[i].title);
		html_text(out, text);
		(void)fputs("</p>\n", out);
	}
	(void)fputs("</div>\n", out);
}

static void
count_row(FILE *out, const struct jsonread *j, const struct jsonread_value *in, const char *key,
    const char *title, const char *unit)
{
	char text[REPORT_VALUE_BYTES];
	double v;

	static_assert(REPORT_VALUE_BYTES >= CONFIG_VALUE_BYTES, "either text fits");
	if (!jsonread_number(&v, j, in, key))
		return;
	if (strcmp(unit, "ms") == 0 && v >= 0 && v < 1e15)
		config_duration_text(text, (int64_t)v);
	else
		report_value(text, v, unit);
	html_row(out, title, text);
}

static void
costs(FILE *out, const struct jsonread *j)
{
	const struct jsonread_value *root = jsonread_root(j), *cost = jsonread_get(j, root, "cost");

	(void)fputs("<h3>What it costs</h3>\n<table class=\"pairs\"><tbody>\n", out);
	count_row(out, j, cost, "sent", "packets of its own", "1");
	count_row(out, j, cost, "held", "packets of others held back or dropped", "1");
	count_row(out, j, cost, "observed", "packets or deposits looked at", "1");
	count_row(out, j, cost, "rounds", "rounds of the gateway", "1");
	count_row(out, j, cost, "virtual_ms", "time", "ms");
	count_row(out, j, root, "trials", "repetitions", "1");
	count_row(out, j, root, "censored", "of them that came to no end", "1");
	count_row(out, j, root, "seed", "seed", "1");
	html_row(out, "program", jsonread_text(j, root, "program_version"));
	(void)fputs("</tbody></table>\n", out);
}

static enum err
section(FILE *out, const char *directory, const struct jsonread *j, struct diag *d)
{
	char what[96];
	enum err e;

	(void)fputs("<section>\n", out);
	(void)snprintf(what, sizeof(what), "Attack %.64s", jsonread_text(j, jsonread_root(j), "attack"));
	report_heading(out, what, directory);
	html_element(out, "p", jsonread_text(j, jsonread_root(j), "summary"));
	words(out, j);
	e = curves(out, j);
	figures(out, j);
	costs(out, j);
	if (e == ERR_OK)
		e = report_scenario(out, jsonread_text(j, jsonread_root(j), "scenario"), d);
	(void)fputs("</section>\n", out);
	return e;
}

enum err
report_attack(FILE *out, const char *directory, struct diag *d)
{
	struct jsonread *j = NULL;
	enum err e = report_json(&j, directory, "attack.json", "restante-attack", ATTACK_JSON_VERSION,
	    d);

	if (e == ERR_OK)
		e = section(out, directory, j, d);
	jsonread_free(j);
	return e;
}

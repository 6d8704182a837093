#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "evaluation/chart.h"
#include "evaluation/csvread.h"
#include "evaluation/html.h"
#include "evaluation/report.h"

/* What is shown of each run; a column of the table. */
static const struct shown {
	const char *title, *figure, *level, *column, *unit;
} shown[] = {
	{ "H, people [bit]", "entropy", "user", "mean", "bit" },
	{ "H, packets [bit]", "entropy", "message", "mean", "bit" },
	{ "min-entropy, people [bit]", "min_entropy", "user", "mean", "bit" },
	{ "its p5 [bit]", "min_entropy", "user", "p5", "bit" },
	{ "right guess, people [%]", "true_probability", "user", "mean", "share" },
	{ "delay in the network [s]", "network_delay", "message", "mean", "ms" },
	{ "delay of messages [s]", "message_delay", "message", "mean", "ms" },
	{ "its p95 [s]", "message_delay", "message", "p95", "ms" },
	{ "packets per message", "packets_per_message", "message", "mean", "1" },
};
#define SHOWN (sizeof(shown) / sizeof(shown[0]))

struct table {
	const struct csvread *csv;
	size_t keys;		  /* columns before "figure" */
	size_t figure, level;	  /* columns */
	size_t *runs, count;	  /* the first row of each run */
};

static bool
same_run(const struct table *t, size_t a, size_t b)
{
	for (size_t k = 0; k < t->keys; k++)
		if (strcmp(csvread_cell(t->csv, a, k), csvread_cell(t->csv, b, k)) != 0)
			return false;
	return true;
}

static enum err
find_runs(struct table *t)
{
	size_t rows = csvread_rows(t->csv);

	t->runs = calloc(rows + 1, sizeof(*t->runs));
	if (t->runs == NULL)
		return ERR_MEMORY;
	for (size_t i = 0; i < rows; i++)
		if (i == 0 || !same_run(t, i - 1, i))
			t->runs[t->count++] = i;
	t->runs[t->count] = rows;
	return ERR_OK;
}

static bool
value_of(double *out, const struct table *t, size_t run, const char *figure, const char *level,
    const char *column)
{
	for (size_t i = t->runs[run]; i < t->runs[run + 1]; i++)
		if (strcmp(csvread_cell(t->csv, i, t->figure), figure) == 0 &&
		    strcmp(csvread_cell(t->csv, i, t->level), level) == 0)
			return csvread_number(out, t->csv, i, csvread_find(t->csv, column));
	return false;
}

static void
write_table(FILE *out, const struct table *t)
{
	char number[24];

	(void)fputs("<h3>Runs</h3>\n<div class=\"wide\"><table><thead><tr><th>#</th>\n", out);
	for (size_t k = 0; k < t->keys; k++)
		html_element(out, "th class=\"text\"", csvread_name(t->csv, k));
	for (size_t i = 0; i < SHOWN; i++)
		html_element(out, "th", shown[i].title);
	(void)fputs("</tr></thead><tbody>\n", out);
	for (size_t r = 0; r < t->count; r++) {
		(void)snprintf(number, sizeof(number), "%zu", r + 1);
		(void)fputs("<tr>", out);
		html_element(out, "th scope=\"row\"", number);
		for (size_t k = 0; k < t->keys; k++)
			html_element(out, "td class=\"text\"", csvread_cell(t->csv, t->runs[r], k));
		for (size_t i = 0; i < SHOWN; i++) {
			double v = 0;
			bool known = value_of(&v, t, r, shown[i].figure, shown[i].level, shown[i].column);

			report_cell(out, known ? &v : NULL, shown[i].unit);
		}
		(void)fputs("</tr>\n", out);
	}
	(void)fputs("</tbody></table></div>\n", out);
}

/* A figure against the delay, a point for each run, by its number. */
static enum err
plot(FILE *out, const struct table *t, const char *title, const char *figure, const char *level,
    const char *y_label)
{
	struct chart_point *p = calloc(t->count + 1, sizeof(*p));
	struct chart_series series = { .name = "", .points = p };
	struct chart chart = { .title = title, .x_label = "delay in the network, mean [s]",
		.y_label = y_label, .form = CHART_POINTS, .series = &series, .count = 1,
		.nothing = "No run has both figures." };

	if (p == NULL)
		return ERR_MEMORY;
	for (size_t r = 0; r < t->count; r++) {
		struct chart_point *at = &p[series.count];

		if (!value_of(&at->x, t, r, "network_delay", "message", "mean") ||
		    !value_of(&at->y, t, r, figure, level, "mean"))
			break; /* points bear the numbers of their runs */
		at->x /= 1000;
		if (!value_of(&at->low, t, r, figure, level, "low") ||
		    !value_of(&at->high, t, r, figure, level, "high"))
			at->low = at->high = at->y;
		series.count++;
	}
	if (series.count < t->count)
		series.count = 0;
	chart_write(out, &chart);
	free(p);
	return ERR_OK;
}

static enum err
section(FILE *out, const char *path, const struct table *t)
{
	enum err e;

	(void)fputs("<section>\n", out);
	report_heading(out, "Sweep", path);
	(void)fputs("<div class=\"words\"><p><strong>The adversary</strong>: ", out);
	if (t->count > 0 && csvread_find(t->csv, "adversary") < csvread_columns(t->csv))
		html_text(out, csvread_cell(t->csv, 0, csvread_find(t->csv, "adversary")));
	(void)fputs(" (in the first run; the table has it for each).</p></div>\n"
		    "<div class=\"plots\">\n", out);
	e = plot(out, t, "Among people, against the delay", "min_entropy", "user",
	    "min-entropy, people [bit]");
	if (e == ERR_OK)
		e = plot(out, t, "Among packets, against the delay", "entropy", "message",
		    "H, packets [bit]");
	(void)fputs("</div>\n<p class=\"soft\">The numbers are those of the table. Bars: 95 % intervals "
		    "of the mean.</p>\n", out);
	write_table(out, t);
	(void)fputs("</section>\n", out);
	return e;
}

enum err
report_sweep(FILE *out, const char *path, struct diag *d)
{
	struct table t = { .csv = NULL };
	struct csvread *csv = NULL;
	struct diag why = { "" };
	struct buf text;
	enum err e;

	buf_init(&text);
	e = report_read(&text, path, NULL, d);
	if (e == ERR_OK && csvread_parse(&csv, text.data, text.len, &why) != ERR_OK)
		e = diag_set(d, ERR_MALFORMED, "%.150s is no table of a sweep: %.150s; "
		    "of a run or an attack give the directory of its --output", path, why.text);
	buf_release(&text);
	if (e != ERR_OK)
		return e;
	t.csv = csv;
	t.keys = t.figure = csvread_find(csv, "figure");
	t.level = csvread_find(csv, "level");
	if (t.level >= csvread_columns(csv) || t.figure >= csvread_columns(csv))
		e = diag_set(d, ERR_MALFORMED, "%.200s is no table of a sweep: the columns figure and "
		    "level are missing", path);
	if (e == ERR_OK)
		e = find_runs(&t);
	if (e == ERR_OK)
		e = section(out, path, &t);
	free(t.runs);
	csvread_free(csv);
	return e;
}

#include "config.h"

#include "evaluation/attack/attack.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/json.h"
#include "evaluation/figures.h"
#include "evaluation/svg.h"

#define JSON_MAX ((size_t)8 * 1024 * 1024)
#define PLOT_CURVES 4

/* ---- text ---- */

static void
value_text(FILE *out, const struct attack_value *v)
{
	if (!v->known)
		(void)fprintf(out, "%12s  %-26s", "-", "");
	else if (!v->has_interval)
		(void)fprintf(out, "%12.6g  %-26s", v->value, "no interval");
	else if (v->low >= v->high)
		(void)fprintf(out, "%12.6g  %-26s", v->value, "no spread");
	else
		(void)fprintf(out, "%12.6g  %12.6g to %-10.6g", v->value, v->low, v->high);
}

static void
curve_text(FILE *out, const struct attack_curve *c)
{
	(void)fprintf(out, "\n%s: %s, by %s", c->name, c->y_label, c->x_label);
	if (c->has_chance)
		(void)fprintf(out, "; chance %.6g", c->chance);
	(void)fputc('\n', out);
	for (size_t i = 0; i < c->count; i++) {
		(void)fprintf(out, "  %12.6g ", c->points[i].x);
		value_text(out, &c->points[i].y);
		(void)fputc('\n', out);
	}
}

static void
figures_text(FILE *out, const struct attack_result *r)
{
	(void)fprintf(out, "\n  %-36s %12s  %-26s %-12s %s\n", "figure", "value",
	    "95 % interval", "chance", "unit");
	for (size_t i = 0; i < r->figure_count; i++) {
		const struct attack_figure *f = &r->figures[i];

		(void)fprintf(out, "  %-36s ", f->name);
		value_text(out, &f->v);
		if (f->has_chance)
			(void)fprintf(out, " %-12.6g", f->chance);
		else
			(void)fprintf(out, " %-12s", "");
		(void)fprintf(out, " %s%s%s\n", f->unit, f->reason != NULL ? "; " : "",
		    f->reason != NULL ? f->reason : "");
	}
}

static void
cost_text(FILE *out, const struct attack_result *r)
{
	const struct attack_cost *c = &r->cost;

	(void)fprintf(out, "\ncost: %" PRIu64 " packets sent, %" PRIu64 " held back or dropped, %"
	    PRIu64 " observations, %" PRIu64 " rounds, %.6g days\n", c->sent, c->held, c->observed,
	    c->rounds, (double)c->virtual_ms / 86400000.0);
	(void)fprintf(out, "repetitions: %" PRIu64 ", of which %" PRIu64 " came to no end\n",
	    r->trials, r->censored);
}

void
attack_print_text(FILE *out, const struct attack_kind *k, const struct attack_input *in,
    const struct attack_result *r)
{
	(void)fprintf(out, "attack: %s (%s)\nadversary: %s %s\nmeasured: %s\nseed: %" PRId64 "\n",
	    k->name, k->summary, k->adversary, r->adversary, k->measures, in->scenario->seed);
	(void)fprintf(out, "finding: %s\n", r->finding);
	if (r->figure_count > 0)
		figures_text(out, r);
	for (size_t i = 0; i < r->curve_count; i++)
		curve_text(out, &r->curves[i]);
	cost_text(out, r);
}

/* ---- CSV ---- */

static void
quoted(FILE *out, const char *s)
{
	(void)fputc('"', out);
	for (; *s != '\0'; s++) {
		if (*s == '"')
			(void)fputc('"', out);
		(void)fputc(*s, out);
	}
	(void)fputc('"', out);
}

static void
number_csv(FILE *out, bool there, double v)
{
	(void)fputc(',', out);
	if (there)
		(void)fprintf(out, "%.9g", figures_round(v));
}

static void
value_csv(FILE *out, const struct attack_value *v)
{
	number_csv(out, v->known, v->value);
	number_csv(out, v->known && v->has_interval, v->low);
	number_csv(out, v->known && v->has_interval, v->high);
}

static void
curve_csv(FILE *out, const struct attack_kind *k, const struct attack_curve *c)
{
	for (size_t i = 0; i < c->count; i++) {
		(void)fprintf(out, "%s,", k->name);
		quoted(out, c->name);
		(void)fputc(',', out);
		quoted(out, c->x_label);
		number_csv(out, true, c->points[i].x);
		(void)fputc(',', out);
		quoted(out, c->y_label);
		value_csv(out, &c->points[i].y);
		number_csv(out, c->has_chance, c->chance);
		(void)fprintf(out, ",%s\n", c->points[i].y.known ? "" : "too few observations");
	}
}

void
attack_print_csv(FILE *out, const struct attack_kind *k, const struct attack_result *r)
{
	(void)fprintf(out, "%s\n", ATTACK_CSV_HEADER);
	for (size_t i = 0; i < r->figure_count; i++) {
		const struct attack_figure *f = &r->figures[i];

		(void)fprintf(out, "%s,", k->name);
		quoted(out, f->name);
		(void)fputs(",,,", out);
		quoted(out, f->unit);
		value_csv(out, &f->v);
		number_csv(out, f->has_chance, f->chance);
		(void)fputc(',', out);
		if (f->reason != NULL)
			quoted(out, f->reason);
		(void)fputc('\n', out);
	}
	for (size_t i = 0; i < r->curve_count; i++)
		curve_csv(out, k, &r->curves[i]);
}

/* ---- JSON ---- */

static void
number_json(struct json *j, const char *key, bool there, double v)
{
	json_key(j, key);
	if (there)
		json_double(j, figures_round(v));
	else
		json_null(j);
}

static void
value_json(struct json *j, const struct attack_value *v)
{
	number_json(j, "value", v->known, v->value);
	number_json(j, "low", v->known && v->has_interval, v->low);
	number_json(j, "high", v->known && v->has_interval, v->high);
}

static void
curves_json(struct json *j, const struct attack_result *r)
{
	json_key(j, "curves"), json_array(j);
	for (size_t i = 0; i < r->curve_count; i++) {
		const struct attack_curve *c = &r->curves[i];

		json_object(j);
		json_key(j, "name"), json_string(j, c->name);
		json_key(j, "x_label"), json_string(j, c->x_label);
		json_key(j, "y_label"), json_string(j, c->y_label);
		number_json(j, "chance", c->has_chance, c->chance);
		json_key(j, "points"), json_array(j);
		for (size_t p = 0; p < c->count; p++) {
			json_object(j);
			number_json(j, "x", true, c->points[p].x);
			value_json(j, &c->points[p].y);
			json_close(j);
		}
		json_close(j);
		json_close(j);
	}
	json_close(j);
}

static void
figures_json_of(struct json *j, const struct attack_result *r)
{
	json_key(j, "figures"), json_array(j);
	for (size_t i = 0; i < r->figure_count; i++) {
		const struct attack_figure *f = &r->figures[i];

		json_object(j);
		json_key(j, "name"), json_string(j, f->name);
		json_key(j, "unit"), json_string(j, f->unit);
		value_json(j, &f->v);
		number_json(j, "chance", f->has_chance, f->chance);
		json_key(j, "reason");
		if (f->reason != NULL)
			json_string(j, f->reason);
		else
			json_null(j);
		json_close(j);
	}
	json_close(j);
}

static void
cost_json(struct json *j, const struct attack_result *r)
{
	json_key(j, "cost"), json_object(j);
	json_key(j, "sent"), json_u64(j, r->cost.sent);
	json_key(j, "held"), json_u64(j, r->cost.held);
	json_key(j, "observed"), json_u64(j, r->cost.observed);
	json_key(j, "rounds"), json_u64(j, r->cost.rounds);
	json_key(j, "virtual_ms"), json_i64(j, r->cost.virtual_ms);
	json_close(j);
	json_key(j, "trials"), json_u64(j, r->trials);
	json_key(j, "censored"), json_u64(j, r->censored);
}

static enum err
result_json(struct json *j, const struct attack_kind *k, const struct attack_input *in,
    const struct attack_result *r)
{
	enum err e;

	json_object(j);
	json_key(j, "format"), json_string(j, "restante-attack");
	json_key(j, "version"), json_u64(j, ATTACK_VERSION);
	json_key(j, "program_version"), json_string(j, PACKAGE_VERSION);
	json_key(j, "attack"), json_string(j, k->name);
	json_key(j, "summary"), json_string(j, k->summary);
	json_key(j, "adversary"), json_string(j, k->adversary);
	json_key(j, "given"), json_string(j, r->adversary);
	json_key(j, "measured"), json_string(j, k->measures);
	json_key(j, "finding"), json_string(j, r->finding);
	json_key(j, "seed"), json_i64(j, in->scenario->seed);
	figures_json_of(j, r);
	curves_json(j, r);
	cost_json(j, r);
	e = scenario_json(j, in->scenario);
	json_close(j);
	json_newline(j);
	return e;
}

enum err
attack_print_json(FILE *out, const struct attack_kind *k, const struct attack_input *in,
    const struct attack_result *r)
{
	struct buf text;
	struct json j;
	enum err e;

	buf_init(&text);
	json_init(&j, &text, JSON_MAX);
	e = result_json(&j, k, in, r);
	if (e == ERR_OK)
		e = json_end(&j);
	if (e == ERR_OK)
		(void)fwrite(text.data, 1, text.len, out);
	buf_release(&text);
	return e;
}

/* ---- plots ---- */

static bool
same_plot(const struct attack_curve *a, const struct attack_curve *b)
{
	return strcmp(a->x_label, b->x_label) == 0 && strcmp(a->y_label, b->y_label) == 0;
}

/* The curves [*from, *from + n) of a plot; n = 0: there is none. */
static size_t
curves_of(const struct attack_result *r, size_t *from, size_t number)
{
	size_t i = 0, n = 0;

	for (size_t plot = 0; i < r->curve_count; plot++, i += n) {
		n = 1;
		while (n < PLOT_CURVES && i + n < r->curve_count &&
		    same_plot(&r->curves[i], &r->curves[i + n]))
			n++;
		if (plot == number) {
			*from = i;
			return n;
		}
	}
	return 0;
}

static void
line_of(struct svg_line *out, const struct attack_curve *c, struct svg_point *points)
{
	*out = (struct svg_line){ .name = c->name, .points = points };
	for (size_t i = 0; i < c->count; i++) {
		const struct attack_value *v = &c->points[i].y;

		if (v->known)
			points[out->count++] = (struct svg_point){ c->points[i].x, v->value,
				v->has_interval ? v->low : v->value,
				v->has_interval ? v->high : v->value };
	}
}

bool
attack_print_svg(FILE *out, const struct attack_kind *k, const struct attack_input *in,
    const struct attack_result *r, size_t number)
{
	struct svg_line lines[PLOT_CURVES];
	struct svg_point *points[PLOT_CURVES] = { NULL };
	char title[ATTACK_NAME_BYTES + 64], what[128];
	struct svg_lines plot = { .title = title, .lines = { k->summary, what }, .curves = lines,
		.nothing = "no point of it has a value" };
	size_t from = 0, n = curves_of(r, &from, number);

	(void)snprintf(title, sizeof(title), "Attack: %s", k->name);
	(void)snprintf(what, sizeof(what), "%" PRId64 " people, seed %" PRId64
	    "; bands: 95 %% intervals", in->scenario->people, in->scenario->seed);
	for (size_t i = 0; i < n; i++) {
		points[i] = calloc(r->curves[from + i].count + 1, sizeof(*points[i]));
		if (points[i] == NULL)
			break;
		line_of(&lines[i], &r->curves[from + i], points[i]);
		plot.count++;
	}
	if (n > 0) {
		plot.x_label = r->curves[from].x_label;
		plot.y_label = r->curves[from].y_label;
		plot.x_log = r->curves[from].x_log;
		plot.has_level = r->curves[from].has_chance;
		plot.level = r->curves[from].chance;
		svg_write_lines(out, &plot);
	}
	for (size_t i = 0; i < n; i++)
		free(points[i]);
	return n > 0;
}

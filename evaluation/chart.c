#include "config.h"

#include "evaluation/chart.h"

#include <math.h>
#include <string.h>

#include "evaluation/axis.h"
#include "evaluation/html.h"

#define WIDTH 440
#define HEIGHT 300
#define LEFT 58
#define RIGHT 426
#define TOP 12
#define BOTTOM 250
#define TICKS 5

static const char *const colours[CHART_SERIES_MAX] = { "#1b6ca8", "#c2410c", "#15803d", "#6b21a8" };
static const char *const dashes[CHART_SERIES_MAX] = { "none", "7 4", "2 3", "10 3 2 3" };

static double
on_axis(const struct axis *a, double v)
{
	return a->log ? log10(v) : v;
}

static double
place_x(const struct axis *a, double v)
{
	return LEFT + (on_axis(a, v) - a->low) / (a->high - a->low) * (RIGHT - LEFT);
}

static double
place_y(const struct axis *a, double v)
{
	return BOTTOM - (on_axis(a, v) - a->low) / (a->high - a->low) * (BOTTOM - TOP);
}

static bool
fit(struct axis *x, struct axis *y, const struct chart *c)
{
	x->log = c->x_log;
	for (size_t s = 0; s < c->count; s++)
		for (size_t i = 0; i < c->series[s].count; i++)
			x->log = x->log && c->series[s].points[i].x > 0;
	for (size_t s = 0; s < c->count; s++)
		for (size_t i = 0; i < c->series[s].count; i++) {
			const struct chart_point *p = &c->series[s].points[i];

			axis_widen(x, on_axis(x, p->x));
			axis_widen(y, p->y);
			axis_widen(y, p->low);
			axis_widen(y, p->high);
		}
	if (!x->any)
		return false;
	if (c->has_level)
		axis_widen(y, c->level);
	if (c->form == CHART_STEPS) {
		axis_widen(y, 0);
		axis_widen(y, 1);
	}
	axis_round(x, TICKS);
	axis_round(y, TICKS);
	return true;
}

static void
text(FILE *out, double x, double y, const char *attributes, const char *s)
{
	(void)fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" %s>", x, y, attributes);
	html_text(out, s);
	(void)fputs("</text>\n", out);
}

static void
line(FILE *out, double x1, double y1, double x2, double y2, const char *attributes)
{
	(void)fprintf(out, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" %s/>\n", x1, y1, x2,
	    y2, attributes);
}

static void
label_of(char *out, size_t size, const struct axis *a, double v)
{
	double shown = a->log ? pow(10, v) : fabs(v) < a->step / 2 ? 0 : v;

	(void)snprintf(out, size, fabs(shown) >= 1e6 ? "%.2g" : "%.6g", shown);
}

static void
grid(FILE *out, const struct axis *x, const struct axis *y, const struct chart *c)
{
	char label[32];

	for (double v = x->low; v <= x->high + x->step / 2; v += x->step) {
		double at = LEFT + (v - x->low) / (x->high - x->low) * (RIGHT - LEFT);

		line(out, at, TOP, at, BOTTOM, "stroke=\"#e4e4e7\"");
		label_of(label, sizeof(label), x, v);
		text(out, at, BOTTOM + 17, "text-anchor=\"middle\"", label);
	}
	for (double v = y->low; v <= y->high + y->step / 2; v += y->step) {
		double at = BOTTOM - (v - y->low) / (y->high - y->low) * (BOTTOM - TOP);

		line(out, LEFT, at, RIGHT, at, "stroke=\"#e4e4e7\"");
		label_of(label, sizeof(label), y, v);
		text(out, LEFT - 6, at + 4, "text-anchor=\"end\"", label);
	}
	line(out, LEFT, BOTTOM, RIGHT, BOTTOM, "stroke=\"#3f3f46\"");
	line(out, LEFT, TOP, LEFT, BOTTOM, "stroke=\"#3f3f46\"");
	text(out, (LEFT + RIGHT) / 2.0, BOTTOM + 38, "text-anchor=\"middle\"", c->x_label);
	(void)fprintf(out, "<g transform=\"translate(13 %.1f) rotate(-90)\">\n", (TOP + BOTTOM) / 2.0);
	text(out, 0, 0, "text-anchor=\"middle\"", c->y_label);
	(void)fputs("</g>\n", out);
	if (c->has_level)
		line(out, LEFT, place_y(y, c->level), RIGHT, place_y(y, c->level),
		    "stroke=\"#71717a\" stroke-dasharray=\"1 4\" stroke-width=\"2\"");
}

/* ---- the three forms ---- */

static void
band(FILE *out, const struct axis *x, const struct axis *y, const struct chart_series *s,
    const char *colour)
{
	(void)fprintf(out, "<path fill=\"%s\" fill-opacity=\"0.15\" d=\"", colour);
	for (size_t i = 0; i < s->count; i++)
		(void)fprintf(out, "%s%.1f %.1f", i == 0 ? "M" : " L", place_x(x, s->points[i].x),
		    place_y(y, s->points[i].high));
	for (size_t i = s->count; i-- > 0;)
		(void)fprintf(out, " L%.1f %.1f", place_x(x, s->points[i].x),
		    place_y(y, s->points[i].low));
	(void)fputs("Z\"/>\n", out);
}

static void
curve(FILE *out, const struct axis *x, const struct axis *y, const struct chart_series *s,
    size_t number, bool steps)
{
	double before = place_y(y, steps ? 0 : s->points[0].y);

	(void)fprintf(out, "<path fill=\"none\" stroke=\"%s\" stroke-width=\"2\" "
	    "stroke-dasharray=\"%s\" d=\"M%.1f %.1f", colours[number], dashes[number],
	    place_x(x, s->points[0].x), before);
	for (size_t i = 0; i < s->count; i++) {
		double px = place_x(x, s->points[i].x), py = place_y(y, s->points[i].y);

		if (steps)
			(void)fprintf(out, " L%.1f %.1f", px, before);
		(void)fprintf(out, " L%.1f %.1f", px, py);
		before = py;
	}
	if (steps)
		(void)fprintf(out, " L%d %.1f", RIGHT, before);
	(void)fputs("\"/>\n", out);
}

/* How many points before this one would have their numbers in the same place. */
static int
crowded(const struct axis *x, const struct axis *y, const struct chart_series *s, size_t i)
{
	int n = 0;

	for (size_t k = 0; k < i; k++)
		n += fabs(place_x(x, s->points[k].x) - place_x(x, s->points[i].x)) < 16 &&
		    fabs(place_y(y, s->points[k].y) - place_y(y, s->points[i].y)) < 12;
	return n;
}

/* Beside the dot, where there is room. */
static void
number_of(FILE *out, double px, double py, size_t i, int before)
{
	char label[24];
	double down = py > TOP + 14 + 13 * before ? -5 - 13 * before : 14 + 13 * before;

	(void)snprintf(label, sizeof(label), "%zu", i + 1);
	if (px < RIGHT - 14)
		text(out, px + 6, py + down, "font-size=\"12\"", label);
	else
		text(out, px - 6, py + down, "font-size=\"12\" text-anchor=\"end\"", label);
}

static void
dots(FILE *out, const struct axis *x, const struct axis *y, const struct chart_series *s,
    const struct chart *c, size_t number)
{
	for (size_t i = 0; i < s->count; i++) {
		const struct chart_point *p = &s->points[i];
		double px = place_x(x, p->x), py = place_y(y, p->y);

		if (p->high > p->low)
			(void)fprintf(out, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" "
			    "stroke=\"%s\"/>\n", px, place_y(y, p->low), px, place_y(y, p->high),
			    colours[number]);
		(void)fprintf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"%s\"/>\n", px, py,
		    colours[number]);
		if (c->form == CHART_POINTS)
			number_of(out, px, py, i, crowded(x, y, s, i));
	}
}

static void
draw(FILE *out, const struct axis *x, const struct axis *y, const struct chart *c)
{
	for (size_t i = 0; i < c->count && i < CHART_SERIES_MAX; i++) {
		const struct chart_series *s = &c->series[i];

		if (s->count == 0)
			continue;
		if (c->form == CHART_LINES)
			band(out, x, y, s, colours[i]);
		if (c->form != CHART_POINTS)
			curve(out, x, y, s, i, c->form == CHART_STEPS);
		if (c->form == CHART_POINTS || (c->form == CHART_LINES && s->count <= 60))
			dots(out, x, y, s, c, i);
	}
}

static void
entry(FILE *out, const char *colour, const char *dash, const char *name)
{
	(void)fprintf(out, "<li><svg viewBox=\"0 0 34 10\" aria-hidden=\"true\"><line x1=\"0\" y1=\"5\" "
	    "x2=\"34\" y2=\"5\" stroke=\"%s\" stroke-width=\"2\" stroke-dasharray=\"%s\"/></svg>",
	    colour, dash);
	html_element(out, "span", name);
	(void)fputs("</li>\n", out);
}

static void
legend(FILE *out, const struct chart *c)
{
	(void)fputs("<ul class=\"legend\">\n", out);
	for (size_t i = 0; i < c->count && i < CHART_SERIES_MAX && c->form != CHART_POINTS; i++)
		if (c->series[i].count > 0)
			entry(out, colours[i], dashes[i], c->series[i].name);
	if (c->has_level)
		entry(out, "#71717a", "1 4", c->level_name);
	(void)fputs("</ul>\n", out);
}

void
chart_write(FILE *out, const struct chart *c)
{
	struct axis x = { .any = false }, y = { .any = false };

	(void)fputs("<figure>\n", out);
	html_element(out, "figcaption", c->title);
	if (!fit(&x, &y, c)) {
		html_element(out, "p class=\"soft\"", c->nothing);
		(void)fputs("</figure>\n", out);
		return;
	}
	(void)fprintf(out, "<svg viewBox=\"0 0 %d %d\" role=\"img\" font-family=\"inherit\" "
	    "font-size=\"13.5\" fill=\"#18181b\" aria-label=\"", WIDTH, HEIGHT);
	html_text(out, c->title);
	(void)fputs("\">\n", out);
	grid(out, &x, &y, c);
	draw(out, &x, &y, c);
	(void)fputs("</svg>\n", out);
	legend(out, c);
	(void)fputs("</figure>\n", out);
}

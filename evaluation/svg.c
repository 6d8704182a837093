#include "config.h"

#include "evaluation/svg.h"

#include <math.h>
#include <string.h>

#include "evaluation/axis.h"

#define WIDTH 720
#define HEIGHT 460
#define LEFT 70
#define RIGHT 690
#define TOP 80
#define BOTTOM 390
#define TICKS 6
#define WRAP 90

static const char *const colours[] = { "#1b6ca8", "#c2410c", "#15803d", "#6b21a8" };
static const char *const dashes[] = { "none", "7 4", "2 3", "10 3 2 3" };

static void
text(FILE *out, double x, double y, const char *attributes, const char *s)
{
	(void)fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" %s>", x, y, attributes);
	for (; *s != '\0'; s++) {
		if (*s == '<')
			(void)fputs("&lt;", out);
		else if (*s == '>')
			(void)fputs("&gt;", out);
		else if (*s == '&')
			(void)fputs("&amp;", out);
		else
			(void)fputc(*s, out);
	}
	(void)fputs("</text>\n", out);
}

/* A long sentence, in lines of at most WRAP bytes. */
static void
paragraph(FILE *out, double x, double y, const char *s)
{
	char part[WRAP + 1];

	while (*s != '\0') {
		size_t n = strlen(s) > WRAP ? WRAP : strlen(s), cut = n;

		while (s[n] != '\0' && cut > 0 && s[cut] != ' ')
			cut--;
		n = cut > 0 ? cut : n;
		memcpy(part, s, n);
		part[n] = '\0';
		text(out, x, y, "font-size=\"12\"", part);
		s += n + (s[n] == ' ');
		y += 18;
	}
}

/* From what is there; false if there is nothing. */
static bool
fit_axis(struct axis *a, const struct svg_plot *p)
{
	for (size_t c = 0; c < p->count; c++)
		for (size_t i = 0; i < p->curves[c].count; i++)
			axis_widen(a, p->curves[c].x[i]);
	if (a->any)
		axis_round(a, TICKS);
	return a->any;
}

static double
place_x(const struct axis *a, double x)
{
	return LEFT + (x - a->low) / (a->high - a->low) * (RIGHT - LEFT);
}

static double
place_y(double share)
{
	return BOTTOM - share * (BOTTOM - TOP);
}

static void
line(FILE *out, double x1, double y1, double x2, double y2, const char *colour)
{
	(void)fprintf(out, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" "
	    "stroke=\"%s\"/>\n", x1, y1, x2, y2, colour);
}

static void
axes(FILE *out, const struct axis *a, const char *x_label)
{
	int ticks = (int)((a->high - a->low) / a->step + 0.5);
	char label[32];

	for (int i = 0; i <= ticks; i++) {
		double v = a->low + i * a->step, x = place_x(a, v);

		line(out, x, TOP, x, BOTTOM, "#dddddd");
		(void)snprintf(label, sizeof(label), "%.10g", fabs(v) < a->step / 2 ? 0 : v);
		text(out, x, BOTTOM + 18, "text-anchor=\"middle\"", label);
	}
	for (int i = 0; i <= 5; i++) {
		double y = place_y(i / 5.0);

		line(out, LEFT, y, RIGHT, y, "#dddddd");
		(void)snprintf(label, sizeof(label), "%.1f", i / 5.0);
		text(out, LEFT - 8, y + 4, "text-anchor=\"end\"", label);
	}
	line(out, LEFT, BOTTOM, RIGHT, BOTTOM, "#222222");
	line(out, LEFT, TOP, LEFT, BOTTOM, "#222222");
	text(out, (LEFT + RIGHT) / 2.0, BOTTOM + 42, "text-anchor=\"middle\"", x_label);
	(void)fprintf(out, "<g transform=\"translate(22 %.1f) rotate(-90)\">\n",
	    (TOP + BOTTOM) / 2.0);
	text(out, 0, 0, "text-anchor=\"middle\"", "share of values at most x");
	(void)fputs("</g>\n", out);
}

static void
curve(FILE *out, const struct axis *a, const struct svg_curve *c, size_t number)
{
	double before = 0;

	(void)fprintf(out, "<path fill=\"none\" stroke=\"%s\" stroke-width=\"2\" "
	    "stroke-dasharray=\"%s\" d=\"M%.1f %.1f", colours[number % 4], dashes[number % 4],
	    place_x(a, c->x[0]), place_y(0));
	for (size_t i = 0; i < c->count; i++) {
		double x = place_x(a, c->x[i]);

		(void)fprintf(out, " L%.1f %.1f L%.1f %.1f", x, place_y(before), x,
		    place_y(c->share[i]));
		before = c->share[i];
	}
	(void)fprintf(out, " L%d %.1f\"/>\n", RIGHT, place_y(before));
}

/* Below the axis, so that it hides no curve. */
static void
legend_entry(FILE *out, double x, size_t number, const char *name)
{
	(void)fprintf(out, "<line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\" "
	    "stroke=\"%s\" stroke-width=\"2\" stroke-dasharray=\"%s\"/>\n", x, HEIGHT - 9, x + 34,
	    HEIGHT - 9, colours[number % 4], dashes[number % 4]);
	text(out, x + 42, HEIGHT - 5, "text-anchor=\"start\"", name);
}

static void
legend(FILE *out, const struct svg_plot *p)
{
	double x = LEFT;

	for (size_t i = 0; i < p->count; i++) {
		if (p->curves[i].count == 0)
			continue;
		legend_entry(out, x, i, p->curves[i].name);
		x += 300;
	}
}

static void
head(FILE *out, const char *title, const char *const lines[2])
{
	(void)fprintf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
	    "viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" font-size=\"13\" fill=\"#222222\">\n"
	    "<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>\n",
	    WIDTH, HEIGHT, WIDTH, HEIGHT, WIDTH, HEIGHT);
	text(out, LEFT, 28, "font-size=\"17\" font-weight=\"bold\"", title);
	text(out, LEFT, 50, "font-size=\"12\"", lines[0]);
	text(out, LEFT, 67, "font-size=\"12\"", lines[1]);
}

void
svg_write(FILE *out, const struct svg_plot *p)
{
	struct axis a = { .any = false };

	head(out, p->title, p->lines);
	if (fit_axis(&a, p)) {
		axes(out, &a, p->x_label);
		for (size_t i = 0; i < p->count; i++)
			if (p->curves[i].count > 0)
				curve(out, &a, &p->curves[i], i);
		legend(out, p);
	} else {
		paragraph(out, LEFT, (TOP + BOTTOM) / 2.0, p->nothing);
	}
	(void)fputs("</svg>\n", out);
}

/* ---- lines with bands ---- */

struct frame {
	struct axis x, y;
	bool log; /* x holds common logarithms */
};

static bool
fit_frame(struct frame *f, const struct svg_lines *p)
{
	*f = (struct frame){ .log = p->x_log };
	for (size_t c = 0; c < p->count; c++)
		for (size_t i = 0; i < p->curves[c].count; i++) {
			const struct svg_point *q = &p->curves[c].points[i];

			axis_widen(&f->x, f->log ? log10(q->x) : q->x);
			axis_widen(&f->y, q->low);
			axis_widen(&f->y, q->high);
		}
	if (!f->x.any)
		return false;
	if (p->has_level)
		axis_widen(&f->y, p->level);
	axis_round(&f->x, TICKS);
	axis_round(&f->y, TICKS);
	if (f->log) { /* whole powers of ten */
		f->x.low = floor(f->x.low + 1e-9);
		f->x.high = ceil(f->x.high - 1e-9);
		f->x.step = 1;
	}
	return true;
}

static double
frame_x(const struct frame *f, double x)
{
	return place_x(&f->x, f->log ? log10(x) : x);
}

static double
frame_y(const struct frame *f, double y)
{
	return place_y((y - f->y.low) / (f->y.high - f->y.low));
}

static void
tick_label(char out[static 32], const struct axis *a, double v)
{
	(void)snprintf(out, 32, "%.10g", fabs(v) < a->step / 2 ? 0 : v);
}

static void
frame_axes(FILE *out, const struct frame *f, const struct svg_lines *p)
{
	int ticks = (int)((f->x.high - f->x.low) / f->x.step + 0.5);
	char label[32];

	for (int i = 0; i <= ticks; i++) {
		double v = f->x.low + i * f->x.step, x = place_x(&f->x, v);

		line(out, x, TOP, x, BOTTOM, "#dddddd");
		tick_label(label, &f->x, v);
		if (f->log)
			(void)snprintf(label, sizeof(label), "%.6g", pow(10, v));
		text(out, x, BOTTOM + 18, "text-anchor=\"middle\"", label);
	}
	ticks = (int)((f->y.high - f->y.low) / f->y.step + 0.5);
	for (int i = 0; i <= ticks; i++) {
		double v = f->y.low + i * f->y.step, y = frame_y(f, v);

		line(out, LEFT, y, RIGHT, y, "#dddddd");
		tick_label(label, &f->y, v);
		text(out, LEFT - 8, y + 4, "text-anchor=\"end\"", label);
	}
	line(out, LEFT, BOTTOM, RIGHT, BOTTOM, "#222222");
	line(out, LEFT, TOP, LEFT, BOTTOM, "#222222");
	text(out, (LEFT + RIGHT) / 2.0, BOTTOM + 42, "text-anchor=\"middle\"", p->x_label);
	(void)fprintf(out, "<g transform=\"translate(16 %.1f) rotate(-90)\">\n",
	    (TOP + BOTTOM) / 2.0);
	text(out, 0, 0, "text-anchor=\"middle\"", p->y_label);
	(void)fputs("</g>\n", out);
}

static void
band(FILE *out, const struct frame *f, const struct svg_line *c, size_t number)
{
	(void)fprintf(out, "<path fill=\"%s\" fill-opacity=\"0.15\" d=\"", colours[number % 4]);
	for (size_t i = 0; i < c->count; i++)
		(void)fprintf(out, "%s%.1f %.1f", i == 0 ? "M" : " L",
		    frame_x(f, c->points[i].x), frame_y(f, c->points[i].high));
	for (size_t i = c->count; i > 0; i--)
		(void)fprintf(out, " L%.1f %.1f", frame_x(f, c->points[i - 1].x),
		    frame_y(f, c->points[i - 1].low));
	(void)fputs("Z\"/>\n", out);
}

static void
polyline(FILE *out, const struct frame *f, const struct svg_line *c, size_t number)
{
	band(out, f, c, number);
	(void)fprintf(out, "<path fill=\"none\" stroke=\"%s\" stroke-width=\"2\" "
	    "stroke-dasharray=\"%s\" d=\"", colours[number % 4], dashes[number % 4]);
	for (size_t i = 0; i < c->count; i++)
		(void)fprintf(out, "%s%.1f %.1f", i == 0 ? "M" : " L",
		    frame_x(f, c->points[i].x), frame_y(f, c->points[i].y));
	(void)fputs("\"/>\n", out);
	for (size_t i = 0; i < c->count; i++)
		(void)fprintf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"2.5\" fill=\"%s\"/>\n",
		    frame_x(f, c->points[i].x), frame_y(f, c->points[i].y), colours[number % 4]);
}

void
svg_write_lines(FILE *out, const struct svg_lines *p)
{
	struct frame f;
	double x = LEFT;

	head(out, p->title, p->lines);
	if (!fit_frame(&f, p)) {
		paragraph(out, LEFT, (TOP + BOTTOM) / 2.0, p->nothing);
		(void)fputs("</svg>\n", out);
		return;
	}
	frame_axes(out, &f, p);
	if (p->has_level)
		(void)fprintf(out, "<line x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\" "
		    "stroke=\"#555555\" stroke-dasharray=\"2 4\"/>\n", LEFT, frame_y(&f, p->level), RIGHT,
		    frame_y(&f, p->level));
	for (size_t i = 0; i < p->count; i++) {
		if (p->curves[i].count == 0)
			continue;
		polyline(out, &f, &p->curves[i], i);
		legend_entry(out, x, i, p->curves[i].name);
		x += (RIGHT - LEFT) / (double)p->count;
	}
	(void)fputs("</svg>\n", out);
}

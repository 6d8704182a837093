#include "config.h"

#include "evaluation/svg.h"

#include <math.h>
#include <string.h>

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

struct axis {
	double low, high, step;
};

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

/* A step of 1, 2 or 5 times a power of ten that makes about TICKS of the span. */
static double
nice_step(double span)
{
	static const double steps[] = { 1, 2, 5, 10 };
	double unit = pow(10, floor(log10(span / TICKS)));
	size_t i = 0;

	while (i < 3 && steps[i] * unit < span / TICKS)
		i++;
	return steps[i] * unit;
}

/* From what is there; false if there is nothing. */
static int
fit_axis(struct axis *a, const struct svg_plot *p)
{
	int any = 0;

	for (size_t c = 0; c < p->count; c++)
		for (size_t i = 0; i < p->curves[c].count; i++) {
			double x = p->curves[c].x[i];

			a->low = !any || x < a->low ? x : a->low;
			a->high = !any || x > a->high ? x : a->high;
			any = 1;
		}
	if (!any)
		return 0;
	if (a->high - a->low < 1e-9 * (1 + fabs(a->high))) {
		a->low -= 0.5;
		a->high += 0.5;
	}
	a->step = nice_step(a->high - a->low);
	a->low = floor(a->low / a->step + 1e-9) * a->step;
	a->high = ceil(a->high / a->step - 1e-9) * a->step;
	return 1;
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
legend(FILE *out, const struct svg_plot *p)
{
	double x = LEFT;

	for (size_t i = 0; i < p->count; i++) {
		if (p->curves[i].count == 0)
			continue;
		(void)fprintf(out, "<line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\" "
		    "stroke=\"%s\" stroke-width=\"2\" stroke-dasharray=\"%s\"/>\n", x, HEIGHT - 9, x + 34,
		    HEIGHT - 9, colours[i % 4], dashes[i % 4]);
		text(out, x + 42, HEIGHT - 5, "text-anchor=\"start\"", p->curves[i].name);
		x += 300;
	}
}

void
svg_write(FILE *out, const struct svg_plot *p)
{
	struct axis a = { 0, 0, 0 };

	(void)fprintf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
	    "viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" font-size=\"13\" fill=\"#222222\">\n"
	    "<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>\n",
	    WIDTH, HEIGHT, WIDTH, HEIGHT, WIDTH, HEIGHT);
	text(out, LEFT, 28, "font-size=\"17\" font-weight=\"bold\"", p->title);
	text(out, LEFT, 50, "font-size=\"12\"", p->lines[0]);
	text(out, LEFT, 67, "font-size=\"12\"", p->lines[1]);
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

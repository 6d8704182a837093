/*
 * Plots as SVG: distribution functions (what share of the values is at most x), and lines
 * with bands. Plain shapes and text, readable in any browser, with the same bytes for the
 * same values.
 */
#ifndef EVALUATION_SVG_H
#define EVALUATION_SVG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* One curve: points of rising x and share (0 to 1), joined by steps. */
struct svg_curve {
	const char *name; /* for the legend */
	const double *x, *share;
	size_t count;
};

struct svg_plot {
	const char *title, *lines[2], *x_label; /* lines: under the title */
	const struct svg_curve *curves; /* at most 4; one without points is left out */
	size_t count;
	const char *nothing; /* what stands there if no curve has a point */
};

/* Errors show in ferror(out). */
void svg_write(FILE *out, const struct svg_plot *p);

/* Values with an interval each, by rising x, joined by straight lines. */
struct svg_point {
	double x, y, low, high;
};
struct svg_line {
	const char *name; /* for the legend */
	const struct svg_point *points;
	size_t count;
};
struct svg_lines {
	const char *title, *lines[2], *x_label, *y_label;
	bool x_log;	  /* every x is above 0 */
	bool has_level;	  /* a dotted line at this height: what chance gives, say */
	double level;
	const struct svg_line *curves; /* at most 4; one without points is left out */
	size_t count;
	const char *nothing;
};
void svg_write_lines(FILE *out, const struct svg_lines *p);

#endif

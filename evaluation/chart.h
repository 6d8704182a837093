/*
 * A plot within an HTML page: an SVG that is as wide as there is room, with its legend
 * below it, which wraps. Texts are of any origin. Errors show in ferror(out).
 */
#ifndef EVALUATION_CHART_H
#define EVALUATION_CHART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct chart_point {
	double x, y, low, high; /* low = high = y: no interval */
};
enum chart_form {
	CHART_LINES,  /* joined, with a band for intervals */
	CHART_STEPS,  /* a distribution function */
	CHART_POINTS, /* each by itself, numbered from 1, with a bar for its interval */
};
struct chart_series {
	const char *name; /* for the legend */
	const struct chart_point *points;
	size_t count;
};
#define CHART_SERIES_MAX 4
struct chart {
	const char *title, *x_label, *y_label;
	enum chart_form form;
	bool x_log;	/* if every x is above 0 */
	bool has_level; /* a dotted line at this height */
	double level;
	const char *level_name;
	const struct chart_series *series;
	size_t count;
	const char *nothing; /* what stands there if there is no point */
};
void chart_write(FILE *out, const struct chart *c);

#endif

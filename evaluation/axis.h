/*
 * The axis of a plot: from the least to the greatest value, in whole steps of 1, 2 or 5 times
 * a power of ten. Pure.
 */
#ifndef EVALUATION_AXIS_H
#define EVALUATION_AXIS_H

#include <stdbool.h>

/* Begins as zeros. In common logarithms if log, which its user takes. */
struct axis {
	double low, high, step;
	bool log;
	bool any; /* there is a value */
};

void axis_widen(struct axis *a, double v);
/* When all values are in: about so many steps; of a logarithm none below 1. */
void axis_round(struct axis *a, unsigned ticks);

#endif

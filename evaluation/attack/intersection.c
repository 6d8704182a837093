#include "config.h"

#include "evaluation/attack/intersection.h"

#include <math.h>

size_t
intersection_step(uint8_t *suspected, const uint8_t *there, size_t n)
{
	size_t left = 0;

	for (size_t i = 0; i < n; i++) {
		suspected[i] = suspected[i] && there[i];
		left += suspected[i];
	}
	return left;
}

double
intersection_times(double n, double q)
{
	double sum = 0, more = 1;

	for (unsigned t = 0; more > 1e-12 && t < 10000000; t++) {
		more = t == 0 ? 1 : -expm1((n - 1) * log1p(-pow(q, t)));
		sum += more;
	}
	return sum;
}

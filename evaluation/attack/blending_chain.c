#include "config.h"

#include "evaluation/attack/blending_chain.h"

#include <math.h>
#include <stdlib.h>

#include "evaluation/metrics.h"

#define ROUNDS_MOST 1000000
#define SURE 0.99
#define REST 1e-12
#define EULER 0.57721566490153286

static double
log_choose(double n, double k)
{
	return metrics_log_gamma(n + 1) - metrics_log_gamma(k + 1) - metrics_log_gamma(n - k + 1);
}

/* P(j of k unknown are among the kept). */
static double
stays(size_t held, size_t kept, size_t k, size_t j)
{
	if (j > kept || k - j > held - kept)
		return 0;
	return exp(log_choose((double)k, (double)j) +
	    log_choose((double)(held - k), (double)(kept - j)) -
	    log_choose((double)held, (double)kept));
}

/* One round: p[k], k unknown left. */
static void
step(double *p, size_t unknown, const double *matrix)
{
	for (size_t j = 0; j <= unknown; j++) { /* only higher states come down to j */
		double sum = 0;

		for (size_t k = j; k <= unknown; k++)
			sum += p[k] * matrix[k * (unknown + 1) + j];
		p[j] = sum;
	}
}

enum err
blending_flush(struct blending_chain *out, size_t held, size_t kept, size_t unknown)
{
	size_t n = unknown + 1, round = 0;
	double *matrix, *p;

	if (unknown > held || kept >= held)
		return ERR_RANGE;
	*out = (struct blending_chain){ 0 };
	matrix = calloc(n * n, sizeof(*matrix));
	p = calloc(n, sizeof(*p));
	if (matrix == NULL || p == NULL) {
		free(matrix);
		free(p);
		return ERR_MEMORY;
	}
	for (size_t k = 0; k < n; k++)
		for (size_t j = 0; j <= k; j++)
			matrix[k * n + j] = stays(held, kept, k, j);
	p[unknown] = 1;
	while (1 - p[0] > REST && round < ROUNDS_MOST) {
		out->mean += 1 - p[0];
		step(p, unknown, matrix);
		round++;
		if (out->rounds99 == 0 && p[0] >= SURE)
			out->rounds99 = round;
	}
	free(matrix);
	free(p);
	return ERR_OK;
}

double
blending_empty(double rho, double p)
{
	return log(rho / -log(p));
}

/* The integral of 1 - exp(-rho e^-t): ln rho + Euler's constant + E1(rho), by its series. */
double
blending_empty_mean(double rho)
{
	double term = 1, sum = 0;

	if (rho > 20) /* E1 is below 1e-10, and the series loses as much */
		return log(rho) + EULER;
	for (int k = 1; k < 200; k++) {
		term *= -rho / k;
		sum -= term / k;
	}
	return sum; /* E1(x) = -gamma - ln x + sum, so that only the sum is left */
}

double
blending_fewer(double mean, unsigned least)
{
	double sum = 0;

	for (unsigned i = 0; i < least; i++)
		sum += exp(i * log(mean) - mean - metrics_log_gamma(i + 1.0));
	return sum;
}

/*
 * Metrics of a posterior over candidates, and summaries of many of them. Pure.
 * Entropies are in bits. Definitions: docs/researcher.md, "Metrics".
 */
#ifndef EVALUATION_METRICS_H
#define EVALUATION_METRICS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"

struct metrics {
	size_t candidates;  /* with any probability */
	double shannon;	    /* -sum p log2 p: Serjantov and Danezis 2002 */
	double min_entropy; /* -log2 max p (Toth, Hornak and Vajda 2004: source hiding) */
	double renyi2;	    /* -log2 sum p^2 */
	double guessing;    /* expected guesses, best first: sum i p_(i) */
	double degree;	    /* shannon / log2 allowed (Diaz et al. 2002); 0 if allowed is 1 */
};

/*
 * Of n weights that need not sum to one (negative ones are an error of the
 * caller's); allowed is the number of candidates that there could be. ERR_RANGE
 * if they are all zero or not finite, ERR_MEMORY.
 */
RST_MUST_USE enum err metrics_of(struct metrics *out, const double *weights, size_t n,
    size_t allowed);

/*
 * The Shannon entropy alone: nothing is sorted, so that many large posteriors do not
 * take long. ERR_RANGE as above.
 */
RST_MUST_USE enum err metrics_shannon(double *out, const double *weights, size_t n);

/*
 * Many values of one quantity. Percentiles are of the values themselves (nearest
 * rank); the interval is a 95 % interval of the mean by Student's t, from the
 * means of up to 32 consecutive groups, for neighbours are alike. has_interval is
 * false below four groups: then there is nothing to say about the mean's error.
 */
struct summary {
	size_t n;
	double mean, deviation, least, p1, p5, p25, p50, p75, p95, p99, greatest;
	bool has_interval;
	double low, high;
};
/* ERR_RANGE if n is 0 or a value is not finite, ERR_MEMORY. */
RST_MUST_USE enum err summary_of(struct summary *out, const double *values, size_t n);

/* Student's t, two-sided 95 %, for so many degrees of freedom (at least 1). */
double summary_t95(size_t freedom);

/*
 * Clopper and Pearson's 95 % interval of a probability of which k of n came true
 * (n > 0); alpha is what is left out on both sides together.
 */
void summary_share(double *low, double *high, size_t k, size_t n, double alpha);

/* ln of the gamma function; lgamma() itself keeps a sign for all threads together. */
double metrics_log_gamma(double x);

#endif

#include "config.h"

#include "evaluation/metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define GROUPS_MAX 32
#define GROUPS_MIN 4

static int
descending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x < y) - (x > y);
}

static int
ascending(const void *a, const void *b)
{
	return descending(b, a);
}

/* The positive weights, divided by their sum and sorted, greatest first. */
static enum err
normalise(double *p, size_t *count, const double *weights, size_t n)
{
	double sum = 0;
	size_t m = 0;

	for (size_t i = 0; i < n; i++) {
		if (!isfinite(weights[i]) || weights[i] < 0)
			return ERR_RANGE;
		if (weights[i] > 0)
			p[m++] = weights[i];
		sum += weights[i];
	}
	if (m == 0 || !isfinite(sum))
		return ERR_RANGE;
	for (size_t i = 0; i < m; i++)
		p[i] /= sum;
	qsort(p, m, sizeof(p[0]), descending);
	*count = m;
	return ERR_OK;
}

static void
measure(struct metrics *out, const double *p, size_t n, size_t allowed)
{
	double squares = 0;

	memset(out, 0, sizeof(*out));
	out->candidates = n;
	/* from the least to the greatest, so that the small ones count */
	for (size_t i = n; i > 0; i--) {
		double q = p[i - 1];

		out->shannon -= q * log2(q);
		squares += q * q;
		out->guessing += (double)i * q;
	}
	if (out->shannon < 0) /* one candidate: minus zero */
		out->shannon = 0;
	out->min_entropy = p[0] < 1 ? -log2(p[0]) : 0;
	out->renyi2 = squares < 1 ? -log2(squares) : 0;
	out->degree = allowed > 1 ? out->shannon / log2((double)allowed) : 0;
}

enum err
metrics_of(struct metrics *out, const double *weights, size_t n, size_t allowed)
{
	double *p = calloc(n + 1, sizeof(*p));
	size_t count = 0;
	enum err e = p != NULL ? normalise(p, &count, weights, n) : ERR_MEMORY;

	if (e == ERR_OK)
		measure(out, p, count, allowed);
	free(p);
	return e;
}

enum err
metrics_shannon(double *out, const double *weights, size_t n)
{
	double sum = 0, logs = 0, h;

	for (size_t i = 0; i < n; i++) {
		if (!isfinite(weights[i]) || weights[i] < 0)
			return ERR_RANGE;
		if (weights[i] > 0) {
			sum += weights[i];
			logs += weights[i] * log2(weights[i]);
		}
	}
	if (sum <= 0 || !isfinite(sum))
		return ERR_RANGE;
	h = log2(sum) - logs / sum;
	*out = h > 0 ? h : 0;
	return ERR_OK;
}

double
metrics_log_gamma(double x)
{
	int sign;

	return lgamma_r(x, &sign);
}

/* ---- summaries ---- */

double
summary_t95(size_t freedom)
{
	static const double few[] = { 12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306,
		2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
		2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042 };
	size_t n = sizeof(few) / sizeof(few[0]);

	if (freedom == 0)
		return INFINITY;
	return freedom <= n ? few[freedom - 1] : 1.95996 + 2.4 / (double)freedom;
}

/* The value that a share of the sorted values do not exceed: nearest rank. */
static double
percentile(const double *sorted, size_t n, double share)
{
	double rank = ceil(share * (double)n);

	return sorted[rank < 1 ? 0 : (size_t)rank - 1];
}

static double
mean_of(const double *v, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += v[i];
	return sum / (double)n;
}

static double
deviation_of(const double *v, size_t n, double mean)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += (v[i] - mean) * (v[i] - mean);
	return n > 1 ? sqrt(sum / (double)(n - 1)) : 0;
}

/* Of consecutive groups of the same size; what is left over joins the last one. */
static void
interval(struct summary *s, const double *v)
{
	double means[GROUPS_MAX], half;
	size_t groups = s->n < GROUPS_MAX ? s->n : GROUPS_MAX;
	size_t size = groups > 0 ? s->n / groups : 0;

	s->has_interval = groups >= GROUPS_MIN;
	if (!s->has_interval)
		return;
	for (size_t g = 0; g < groups; g++)
		means[g] = mean_of(v + g * size, g + 1 < groups ? size : s->n - g * size);
	half = summary_t95(groups - 1) *
	    deviation_of(means, groups, mean_of(means, groups)) / sqrt((double)groups);
	s->low = s->mean - half;
	s->high = s->mean + half;
}

static void
ranks(struct summary *s, const double *sorted)
{
	s->least = sorted[0];
	s->p1 = percentile(sorted, s->n, 0.01);
	s->p5 = percentile(sorted, s->n, 0.05);
	s->p25 = percentile(sorted, s->n, 0.25);
	s->p50 = percentile(sorted, s->n, 0.50);
	s->p75 = percentile(sorted, s->n, 0.75);
	s->p95 = percentile(sorted, s->n, 0.95);
	s->p99 = percentile(sorted, s->n, 0.99);
	s->greatest = sorted[s->n - 1];
}

enum err
summary_of(struct summary *out, const double *values, size_t n)
{
	struct summary s = { .n = n };
	double *sorted;

	for (size_t i = 0; i < n; i++)
		if (!isfinite(values[i]))
			return ERR_RANGE;
	if (n == 0)
		return ERR_RANGE;
	sorted = malloc(n * sizeof(*sorted));
	if (sorted == NULL)
		return ERR_MEMORY;
	memcpy(sorted, values, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(sorted[0]), ascending);
	s.mean = mean_of(values, n);
	s.deviation = deviation_of(values, n, s.mean);
	ranks(&s, sorted);
	interval(&s, values);
	free(sorted);
	*out = s;
	return ERR_OK;
}

/* ---- shares ---- */

/* log of the probability that exactly i of n come true. */
static double
log_binomial(size_t i, size_t n, double p)
{
	return metrics_log_gamma((double)n + 1) - metrics_log_gamma((double)i + 1) -
	    metrics_log_gamma((double)(n - i) + 1) + (double)i * log(p) +
	    (double)(n - i) * log1p(-p);
}

/* P(at most k of n), 0 < p < 1. */
static double
at_most(size_t k, size_t n, double p)
{
	double sum = 0;

	for (size_t i = 0; i <= k; i++)
		sum += exp(log_binomial(i, n, p));
	return sum < 1 ? sum : 1;
}

/* The p at which P(at most k of n) falls to `level`. */
static double
solve(size_t k, size_t n, double level)
{
	double low = 0, high = 1;

	for (int i = 0; i < 60; i++) {
		double p = (low + high) / 2;

		if (at_most(k, n, p) > level)
			low = p;
		else
			high = p;
	}
	return (low + high) / 2;
}

void
summary_share(double *low, double *high, size_t k, size_t n, double alpha)
{
	*high = k == n ? 1 : solve(k, n, alpha / 2);
	*low = k == 0 ? 0 : solve(k - 1, n, 1 - alpha / 2);
}

#include "config.h"

#include "evaluation/closed.h"

#include <math.h>

#include "evaluation/metrics.h"

double
closed_binary(double p)
{
	if (p <= 0 || p >= 1)
		return 0;
	return -p * log2(p) - (1 - p) * log2(1 - p);
}

double
closed_pool_round(double h, double kept, double arrivals)
{
	double all = kept + arrivals, old;

	if (arrivals <= 0)
		return h;
	old = kept / all;
	return closed_binary(old) + (1 - old) * log2(arrivals) + old * h;
}

double
closed_threshold_pool(double n, double keep)
{
	double k = keep / n;

	return (1 + k) * log2(n + keep) - (keep > 0 ? k * log2(keep) : 0);
}

double
closed_threshold_pool_delay(double n, double keep)
{
	return keep / n;
}

double
closed_threshold_pool_variance(double n, double keep)
{
	return keep * (n + keep) / (n * n);
}

double
closed_timed(double mean)
{
	double p = exp(-mean), sum = 0;

	for (size_t i = 0; i < (size_t)(mean + 40 * sqrt(mean) + 200); i++) {
		sum += p * log2(1 + (double)i);
		p *= mean / (double)(i + 1);
	}
	return sum;
}

double
closed_threshold_users(size_t n, double users)
{
	double p = 1 / users, sum = 0, q = pow(1 - p, (double)(n - 1));

	if (users <= 1)
		return 0;
	for (size_t i = 0; i + 1 <= n; i++) {
		sum += q * log2(1 + (double)i);
		q *= (double)(n - 1 - i) / (double)(i + 1) * p / (1 - p);
	}
	return log2((double)n) - sum;
}

double
closed_exponential(double rho)
{
	return log2(rho * exp(1));
}

double
closed_count_arrival(double h, size_t inside)
{
	double k = (double)inside; /* with the one that came */

	return closed_binary(1 / k) + (k - 1) / k * h;
}

void
closed_isolated_wait(struct closed_isolated *i, double mean_delays)
{
	double left = exp(-mean_delays);

	i->logs = left * (i->logs - mean_delays * i->weight);
	i->weight *= left;
}

void
closed_isolated_arrival(struct closed_isolated *i)
{
	i->weight += 1;
}

double
closed_isolated(const struct closed_isolated *i)
{
	double h;

	if (i->weight <= 0)
		return 0;
	h = (log(i->weight) - i->logs / i->weight) / log(2);
	return h > 0 ? h : 0;
}

double
closed_epoch(double rho, double mean_delays)
{
	double x = mean_delays, here = -expm1(-x);
	double lost = isinf(x) ? 0 : x * exp(-x) / here;

	return log2(rho) + (1 - lost + log(here)) / log(2);
}

double
closed_alone(double rho)
{
	return exp(-rho) / (1 + rho);
}

double
closed_digamma(double x)
{
	double sum = 0, y;

	for (; x < 12; x++)
		sum -= 1 / x;
	y = 1 / (x * x);
	/* Abramowitz and Stegun, 6.3.18 */
	return sum + log(x) - 0.5 / x - y * (1.0 / 12 - y * (1.0 / 120 - y * (1.0 / 252 - y / 240)));
}

double
closed_erlang_entropy(unsigned layers, double mean)
{
	double n = layers;

	return (n + log(mean) + metrics_log_gamma(n) + (1 - n) * closed_digamma(n)) / log(2);
}

double
closed_stratified(double rate, unsigned layers, double mean)
{
	return log2(rate) + closed_erlang_entropy(layers, mean);
}

/* Binomial probability of k out of n. */
static double
binomial(unsigned k, unsigned n, double p)
{
	double ways = metrics_log_gamma(n + 1.0) - metrics_log_gamma(k + 1.0) -
	    metrics_log_gamma(n - k + 1.0);

	return exp(ways) * pow(p, k) * pow(1 - p, n - k);
}

double
closed_stratified_corrupt(double rate, unsigned layers, double mean, double b, unsigned width)
{
	double sum = 0;

	/* no honest hop: nothing is hidden; one: only those of the same mix are alike */
	for (unsigned k = 1; k <= layers; k++)
		sum += binomial(k, layers, 1 - b) *
		    closed_stratified(k == 1 ? rate / width : rate, k, mean);
	return sum;
}

double
closed_sinusoid_gain(double f, double mean, unsigned layers)
{
	double x = 2 * acos(-1) * f * mean;

	return pow(1 + x * x, -(double)layers / 2);
}

double
closed_all_corrupt(unsigned n, unsigned b, unsigned layers)
{
	double p = 1;

	for (unsigned i = 0; i < layers; i++)
		p *= b > i ? (double)(b - i) / (double)(n - i) : 0;
	return p;
}

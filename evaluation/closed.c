#include "config.h"

#include "evaluation/closed.h"

#include <math.h>
#include <string.h>

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

/* ---- attacks ---- */

#define ROUNDS_MAX 1000000

double
closed_blending_mean(double pool, double share)
{
	double left = 1, sum = 0;

	for (int k = 0; k < ROUNDS_MAX; k++) {
		double more = 1 - pow(1 - left, pool); /* some are left after k rounds */

		if (more < 1e-12)
			break;
		sum += more;
		left *= 1 - share;
	}
	return sum;
}

double
closed_blending_quantile(double pool, double share, double q)
{
	double left = 1;
	int k = 0;

	while (pow(1 - left, pool) < q && k < ROUNDS_MAX) {
		left *= 1 - share;
		k++;
	}
	return k;
}

#define EXACT_WINDOW_MAX 12

static unsigned
ones(unsigned v)
{
	unsigned n = 0;

	for (; v != 0; v &= v - 1)
		n++;
	return n;
}

/* The chance that the rule fails, drawn anew, when so many have returned. */
static double
rule_fails(unsigned least, unsigned most, unsigned returned)
{
	unsigned above = 0;

	for (unsigned n = least; n <= most; n++)
		above += returned < n;
	return (double)above / (most - least + 1);
}

/* All notes are lost. */
static double
all_lost(unsigned window, unsigned least, unsigned most)
{
	double stands = 1, sum = 0;

	for (unsigned k = 1; k <= window; k++) {
		sum += stands;
		stands *= 1 - rule_fails(least, most, window - k);
	}
	return sum;
}

/* The states are which notes of the window were lost, the latest in bit 0. */
static double
window_chain(unsigned window, unsigned least, unsigned most, double lost)
{
	static const int notes_max = 100000;
	unsigned states = 1u << window;
	double now[1u << EXACT_WINDOW_MAX] = { 0 }, next[1u << EXACT_WINDOW_MAX], stands = 1, sum = 0;

	now[0] = 1;
	for (int k = 0; k < notes_max && stands > 1e-9; k++) {
		sum += stands;
		stands = 0;
		memset(next, 0, states * sizeof(*next));
		for (unsigned i = 0; i < states; i++)
			for (unsigned bit = 0; bit < 2 && now[i] > 0; bit++) {
				unsigned to = (i << 1 | bit) & (states - 1);
				double p = now[i] * (bit ? lost : 1 - lost) *
				    (1 - rule_fails(least, most, window - ones(to)));

				next[to] += p;
				stands += p;
			}
		memcpy(now, next, states * sizeof(*now));
	}
	return stands > 1e-9 ? INFINITY : sum;
}

double
closed_notes_lost(unsigned window, unsigned least, unsigned most, double lost)
{
	if (lost >= 1)
		return all_lost(window, least, most);
	return window <= EXACT_WINDOW_MAX ? window_chain(window, least, most, lost) : INFINITY;
}

double
closed_intersection(double n, double q)
{
	double there = 1, sum = 0;

	for (int t = 0; t < ROUNDS_MAX; t++) {
		double more = 1 - pow(1 - there, n - 1);

		if (more < 1e-12)
			break;
		sum += more;
		there *= q;
	}
	return sum;
}

double
closed_disclosure(double m, double b, double n, double l)
{
	double noise = (n - 1) * (b - 1) / (n * n), signal = noise + (m - 1) / (m * m);
	double root = m * l * (sqrt(signal) + sqrt(noise));

	return root * root;
}

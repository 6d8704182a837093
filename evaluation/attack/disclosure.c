#include "config.h"

#include "evaluation/attack/disclosure.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TURNS 100 /* of scaling rows and columns: they settle long before */
#define PIVOT_LEAST 1e-10

static double
sent_of(const struct disclosure *d, size_t round, size_t sender)
{
	return d->sent[round * d->senders + sender];
}

static double
mean_sent(const struct disclosure *d, size_t sender)
{
	double sum = 0;

	for (size_t r = 0; r < d->rounds; r++)
		sum += sent_of(d, r, sender);
	return d->rounds > 0 ? sum / (double)d->rounds : 0;
}

void
disclosure_sda(double *out, const struct disclosure *d, size_t sender)
{
	double mean = mean_sent(d, sender), variance = 0;

	memset(out, 0, d->receivers * sizeof(*out));
	for (size_t r = 0; r < d->rounds; r++) {
		double more = sent_of(d, r, sender) - mean;
		const double *got = d->received + r * d->receivers;

		variance += more * more;
		for (size_t i = 0; i < d->receivers; i++)
			out[i] += more * got[i];
	}
	for (size_t i = 0; i < d->receivers; i++)
		out[i] = variance > 1e-12 * (double)d->rounds ? out[i] / variance : 0;
}

void
disclosure_sda_population(double *out, const struct disclosure *d, size_t sender)
{
	double *all = calloc(d->receivers + 1, sizeof(*all));
	double messages = 0, own = 0, together = 0, active = 0;

	memset(out, 0, d->receivers * sizeof(*out));
	if (all == NULL)
		return;
	for (size_t r = 0; r < d->rounds; r++) {
		const double *got = d->received + r * d->receivers;
		double sent = sent_of(d, r, sender);

		for (size_t i = 0; i < d->receivers; i++) {
			all[i] += got[i];
			messages += got[i];
			out[i] += sent > 0 ? got[i] : 0;
			together += sent > 0 ? got[i] : 0;
		}
		own += sent;
		active += sent > 0;
	}
	for (size_t i = 0; i < d->receivers; i++)
		out[i] = own > 0 ? (out[i] - (together - own) * all[i] / messages) / own : 0;
	free(all);
}

/* ---- all senders together ---- */

static void
scale_rows(double *e, const struct disclosure *d, const double *sent)
{
	for (size_t s = 0; s < d->senders; s++) {
		double *row = e + s * d->receivers, sum = 0;

		for (size_t i = 0; i < d->receivers; i++)
			sum += row[i];
		for (size_t i = 0; i < d->receivers && sum > 0; i++)
			row[i] *= sent[s] / sum;
	}
}

static void
scale_columns(double *e, const struct disclosure *d, const double *got)
{
	for (size_t i = 0; i < d->receivers; i++) {
		double sum = 0;

		for (size_t s = 0; s < d->senders; s++)
			sum += e[s * d->receivers + i];
		for (size_t s = 0; s < d->senders && sum > 0; s++)
			e[s * d->receivers + i] *= got[i] / sum;
	}
}

/* Shares of all that was sent, and of all that came. */
static void
totals(double *sent, double *got, const struct disclosure *d)
{
	double all_sent = 0, all_got = 0;

	for (size_t r = 0; r < d->rounds; r++) {
		for (size_t s = 0; s < d->senders; s++)
			sent[s] += sent_of(d, r, s);
		for (size_t i = 0; i < d->receivers; i++)
			got[i] += d->received[r * d->receivers + i];
	}
	for (size_t s = 0; s < d->senders; s++)
		all_sent += sent[s];
	for (size_t i = 0; i < d->receivers; i++)
		all_got += got[i];
	for (size_t s = 0; s < d->senders && all_sent > 0; s++)
		sent[s] /= all_sent;
	for (size_t i = 0; i < d->receivers && all_got > 0; i++)
		got[i] /= all_got;
}

void
disclosure_normalise(double *e, const struct disclosure *d)
{
	double *sent = calloc(d->senders + 1, sizeof(*sent));
	double *got = calloc(d->receivers + 1, sizeof(*got));

	if (sent != NULL && got != NULL) {
		totals(sent, got, d);
		for (size_t i = 0; i < d->senders * d->receivers; i++)
			e[i] = e[i] > 0 ? e[i] : 0;
		for (int i = 0; i < TURNS; i++) {
			scale_columns(e, d, got);
			scale_rows(e, d, sent);
		}
		for (size_t s = 0; s < d->senders; s++) /* back to shares of one message */
			for (size_t i = 0; i < d->receivers && sent[s] > 0; i++)
				e[s * d->receivers + i] /= sent[s];
	}
	free(sent);
	free(got);
}

/* ---- least squares ---- */

/* U'U and U'Y. */
static void
normal_equations(double *a, double *b, const struct disclosure *d)
{
	size_t n = d->senders, m = d->receivers;

	for (size_t r = 0; r < d->rounds; r++) {
		const double *u = d->sent + r * n, *y = d->received + r * m;

		for (size_t i = 0; i < n; i++) {
			if (u[i] <= 0 && u[i] >= 0) /* most did not send */
				continue;
			for (size_t k = 0; k <= i; k++)
				a[i * n + k] += u[i] * u[k];
			for (size_t k = 0; k < m; k++)
				b[i * m + k] += u[i] * y[k];
		}
	}
}

static double
mean_diagonal(const double *a, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += a[i * n + i];
	return n > 0 ? sum / (double)n : 0;
}

/* a = L L', in its lower half; false if a is not positive definite. */
static int
cholesky(double *a, size_t n, double least)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k <= i; k++) {
			double sum = a[i * n + k];

			for (size_t l = 0; l < k; l++)
				sum -= a[i * n + l] * a[k * n + l];
			if (i == k && sum <= least)
				return 0;
			a[i * n + k] = i == k ? sqrt(sum) : sum / a[k * n + k];
		}
	return 1;
}

/* L L' x = b for each of the m columns of b, in place. */
static void
substitute(double *b, const double *l, size_t n, size_t m)
{
	for (size_t i = 0; i < n; i++)
		for (size_t c = 0; c < m; c++) {
			double sum = b[i * m + c];

			for (size_t k = 0; k < i; k++)
				sum -= l[i * n + k] * b[k * m + c];
			b[i * m + c] = sum / l[i * n + i];
		}
	for (size_t i = n; i > 0; i--)
		for (size_t c = 0; c < m; c++) {
			double sum = b[(i - 1) * m + c];

			for (size_t k = i; k < n; k++)
				sum -= l[k * n + i - 1] * b[k * m + c];
			b[(i - 1) * m + c] = sum / l[(i - 1) * n + i - 1];
		}
}

enum err
disclosure_least_squares(double *out, const struct disclosure *d, double ridge)
{
	size_t n = d->senders, m = d->receivers;
	double *a = calloc(n * n + 1, sizeof(*a)), mean;
	enum err e = ERR_OK;

	if (a == NULL)
		return ERR_MEMORY;
	memset(out, 0, n * m * sizeof(*out));
	normal_equations(a, out, d);
	mean = mean_diagonal(a, n);
	for (size_t i = 0; i < n; i++)
		a[i * n + i] += ridge * mean;
	if (n == 0 || mean <= 0 || !cholesky(a, n, PIVOT_LEAST * mean))
		e = ERR_RANGE;
	else
		substitute(out, a, n, m);
	free(a);
	return e;
}

/* ---- ranks ---- */

int
disclosure_top_is(const double *values, const uint8_t *members, size_t n, size_t wanted)
{
	double least = INFINITY, best = -INFINITY;
	size_t count = 0;

	for (size_t i = 0; i < n; i++) {
		count += members[i] != 0;
		if (members[i] && values[i] < least)
			least = values[i];
		if (!members[i] && values[i] > best)
			best = values[i];
	}
	return count == wanted && least > best;
}

/* ---- closed forms ---- */

double
disclosure_background_variance(double b, double n)
{
	return (n - 1) * (b - 1) / (n * n);
}

double
disclosure_rounds_needed(double m, double b, double n, double l)
{
	double noise = disclosure_background_variance(b, n);
	double friends = noise + (m - 1) / (m * m);
	double root = m * l * (sqrt(friends) + sqrt(noise));

	return root * root;
}

double
disclosure_least_squares_error(double n, double t, double friends, double rho, int small)
{
	double e = (n - 1 + 1 / t) * (1 - 1 / friends) / rho;

	return small ? e * rho / (rho - n - 1) : e;
}

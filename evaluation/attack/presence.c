#include "config.h"

#include "evaluation/attack/presence.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PART_MS (PEOPLE_DAY_MS / PRESENCE_PARTS)

/* ---- laws ---- */

double
presence_might_ms(const struct people_person *p, const struct presence_law *law,
    int64_t day_begins_ms, bool workday)
{
	double sum = 0;

	if (!law->always)
		return (double)people_within(p->online, p->online_count, day_begins_ms,
		    day_begins_ms + PEOPLE_DAY_MS);
	for (int64_t i = 0; i < PRESENCE_PARTS && workday; i++)
		if (law->profile[i] > 0)
			sum += law->profile[i] * (double)people_within(p->online, p->online_count,
			    day_begins_ms + i * PART_MS, day_begins_ms + (i + 1) * PART_MS);
	return sum;
}

/* Days on which somebody might write, how long they are, and those on which he did. */
struct days {
	double might, did, ms;
};

static void
count_days(struct days *c, const struct people_person *p, const struct presence_law *law,
    uint32_t days, int64_t begins_ms)
{
	size_t at = 0;

	for (uint32_t day = 0; day < days; day++) {
		int64_t from = begins_ms + day * PEOPLE_DAY_MS;
		double ms = presence_might_ms(p, law, from, people_works(day));
		bool wrote = false;

		for (; at < p->written_count && p->written_ms[at] < from + PEOPLE_DAY_MS; at++)
			wrote = true;
		c->might += ms > 0 ? 1 : 0;
		c->ms += ms;
		c->did += wrote ? 1 : 0;
	}
}

/* When messages are written, by all: one is the mean of a day. */
static void
learn_profile(double profile[static PRESENCE_PARTS], const struct people *p, uint32_t count,
    int64_t begins_ms)
{
	double sum = 0;

	for (uint32_t i = 0; i < count; i++) {
		const struct people_person *of = people_get(p, i);

		for (size_t k = 0; k < of->written_count; k++)
			profile[(of->written_ms[k] - begins_ms) % PEOPLE_DAY_MS / PART_MS] += 1;
		sum += (double)of->written_count;
	}
	for (size_t i = 0; i < PRESENCE_PARTS; i++)
		profile[i] = sum > 0 ? profile[i] * PRESENCE_PARTS / sum : 1;
}

void
presence_learn(struct presence_law laws[static PEOPLE_HABITS], const struct people *p,
    uint32_t count, uint32_t days, int64_t begins_ms)
{
	for (unsigned h = 0; h < PEOPLE_HABITS; h++) {
		struct presence_law *l = &laws[h];
		struct days c = { 0 };

		*l = (struct presence_law){ .always = h == PEOPLE_STEADY || h == PEOPLE_STAYS };
		if (l->always)
			learn_profile(l->profile, p, count, begins_ms);
		for (size_t i = 0; i < PRESENCE_PARTS && !l->always; i++)
			l->profile[i] = 1;
		for (uint32_t i = 0; i < count; i++)
			if (people_get(p, i)->habit == h && !people_get(p, i)->silent)
				count_days(&c, people_get(p, i), l, days, begins_ms);
		l->writes = c.might > 0 ? c.did / c.might : 0.5;
		l->day_ms = c.ms > 0 ? c.ms / c.might : (double)PEOPLE_DAY_MS;
	}
}

/* ---- whose deposits ---- */

double
presence_mass(const struct people_span *spans, size_t n, const struct attack_delay *delay,
    int64_t at_ms)
{
	int64_t first_ms = at_ms - (int64_t)(delay->bin_ms * ATTACK_DELAY_BINS) - 1;
	double sum = 0;

	for (size_t i = people_span_after(spans, n, first_ms); i < n && spans[i].from_ms < at_ms; i++)
		sum += attack_delay_cdf(delay, (double)(at_ms - spans[i].from_ms)) -
		    attack_delay_cdf(delay, (double)(at_ms - spans[i].to_ms));
	return sum;
}

double
presence_day(const struct people_person *p, const struct presence_law *law,
    const struct attack_delay *delay, int64_t day_begins_ms, double might_ms, int64_t at_ms)
{
	double writes = might_ms > 0 ? law->writes : 0, density = 0;

	if (at_ms < 0)
		return log(1 - writes > PRESENCE_DOUBT ? 1 - writes : PRESENCE_DOUBT);
	if (might_ms > 0) {
		int64_t in_day = (at_ms - delay->mean_ms - day_begins_ms) % PEOPLE_DAY_MS;
		size_t part = (size_t)((in_day + PEOPLE_DAY_MS) % PEOPLE_DAY_MS / PART_MS);

		density = writes * law->profile[part] *
		    presence_mass(p->online, p->online_count, delay, at_ms) / might_ms *
		    (double)PEOPLE_DAY_MS;
	}
	return log(density > PRESENCE_DOUBT ? density : PRESENCE_DOUBT);
}

double
presence_part(const struct people_person *p, const struct presence_law *law,
    int64_t part_begins_ms, size_t part, bool workday)
{
	if (law->always && (!workday || !(law->profile[part] > 0)))
		return 0;
	return law->writes * law->profile[part] / law->day_ms *
	    (double)people_within(p->online, p->online_count, part_begins_ms,
		part_begins_ms + PART_MS);
}

/* ---- rates ---- */

struct presence_rates {
	size_t n;
	double mean, precision;
	double *square, *right; /* n * n, n: normal equations */
};

enum err
presence_rates_new(struct presence_rates **out, size_t n, double mean, double deviation)
{
	struct presence_rates *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return ERR_MEMORY;
	r->n = n;
	r->mean = mean;
	r->precision = 1 / (deviation * deviation);
	r->square = calloc(n * n, sizeof(*r->square));
	r->right = calloc(n, sizeof(*r->right));
	if (r->square == NULL || r->right == NULL) {
		presence_rates_free(r);
		return ERR_MEMORY;
	}
	*out = r;
	return ERR_OK;
}

void
presence_rates_free(struct presence_rates *r)
{
	if (r == NULL)
		return;
	free(r->square);
	free(r->right);
	free(r);
}

/* A count's variance is its mean, of which the prior knows enough. */
void
presence_rates_add(struct presence_rates *r, const uint32_t *who, const double *x, size_t k,
    double came)
{
	double expected = 0, weight;

	for (size_t i = 0; i < k; i++)
		expected += x[i] * r->mean;
	if (!(expected > 0))
		return;
	weight = 1 / (expected + 1);
	for (size_t i = 0; i < k; i++) {
		double *row = &r->square[who[i] * r->n];

		for (size_t j = 0; j < k; j++)
			row[who[j]] += weight * x[i] * x[j];
		r->right[who[i]] += weight * x[i] * (came - expected);
	}
}

/* Cholesky, in place: the lower half becomes the factor. */
static bool
factor(double *a, size_t n)
{
	for (size_t j = 0; j < n; j++)
		for (size_t i = j; i < n; i++) {
			double sum = a[i * n + j];

			for (size_t k = 0; k < j; k++)
				sum -= a[i * n + k] * a[j * n + k];
			if (i > j)
				a[i * n + j] = sum / a[j * n + j];
			else if (sum > 0)
				a[j * n + j] = sqrt(sum);
			else
				return false;
		}
	return true;
}

static void
substitute(const double *a, size_t n, double *x)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < i; k++)
			x[i] -= a[i * n + k] * x[k];
		x[i] /= a[i * n + i];
	}
	for (size_t i = n; i-- > 0;) {
		for (size_t k = i + 1; k < n; k++)
			x[i] -= a[k * n + i] * x[k];
		x[i] /= a[i * n + i];
	}
}

enum err
presence_rates_solve(const struct presence_rates *r, double *rates)
{
	double *a = malloc(r->n * r->n * sizeof(*a));
	enum err e = ERR_OK;

	if (a == NULL)
		return ERR_MEMORY;
	memcpy(a, r->square, r->n * r->n * sizeof(*a));
	for (size_t i = 0; i < r->n; i++)
		a[i * r->n + i] += r->precision;
	memcpy(rates, r->right, r->n * sizeof(*rates));
	if (factor(a, r->n))
		substitute(a, r->n, rates);
	else
		e = ERR_RANGE;
	for (size_t i = 0; i < r->n && e == ERR_OK; i++)
		rates[i] += r->mean;
	free(a);
	return e;
}

#include "config.h"

#include "tests/scenario/bisector.h"

#include <string.h>

/* From the door to the exit a packet takes so many rounds; which, he does not know. */
#define LAG_LEAST 1
#define LAG_MOST 2
#define RATE_SHARE 30 /* he writes what is as good as surely somebody else's */
#define OTHERS_LEAST 1e-4

/* ---- the law ---- */

static void
learn_sample(struct bisector_law *l, const unsigned gaps[BISECTOR_WAITS], double weight)
{
	unsigned at = 0;

	for (size_t k = 0; k < BISECTOR_WAITS; k++) {
		unsigned gap = gaps[k] < BISECTOR_ROUNDS ? gaps[k] : BISECTOR_ROUNDS;

		l->next[k][gap] += weight;
		at += gap;
		if (at < BISECTOR_ROUNDS)
			l->rate[at] += weight;
	}
}

void
bisector_learn(struct bisector_law *l, const unsigned (*gaps)[BISECTOR_WAITS], size_t n)
{
	memset(l, 0, sizeof(*l));
	for (size_t i = 0; i < n; i++)
		learn_sample(l, gaps[i], 1.0 / (double)n);
	for (size_t t = 0; t < BISECTOR_ROUNDS; t++)
		if (l->rate[t] > l->greatest)
			l->greatest = l->rate[t];
	for (size_t k = 0; k < BISECTOR_WAITS; k++) {
		double left = 1;

		for (size_t t = 0; t <= BISECTOR_ROUNDS; t++)
			l->later[k][t] = left -= l->next[k][t];
	}
}

/* ---- what he does ---- */

void
bisector_begin(struct bisector *x, const struct bisector_law *l, unsigned step_rounds,
    unsigned steps, bool recognises, const struct rng *r)
{
	unsigned order[BISECTOR_PEOPLE];

	*x = (struct bisector){.law = l, .step_rounds = step_rounds, .steps = steps,
	    .recognises = recognises};
	for (unsigned i = 0; i < BISECTOR_PEOPLE; i++)
		order[i] = i;
	for (unsigned k = 0; k < steps; k++) {
		rng_shuffle(r, order, BISECTOR_PEOPLE, sizeof(order[0]));
		for (unsigned i = 0; i < BISECTOR_PEOPLE / 2; i++)
			x->half[k][order[i]] = true;
	}
}

unsigned
bisector_length(const struct bisector *x)
{
	unsigned n = x->step_rounds * x->steps;

	return n < BISECTOR_ROUNDS ? n : BISECTOR_ROUNDS;
}

/* Nothing is back within the first step. */
bool
bisector_drops(const struct bisector *x, int64_t round, unsigned who)
{
	int64_t step = round / x->step_rounds;

	return round >= (int64_t)x->step_rounds && step < x->steps && x->half[step][who];
}

static bool
may_be_back(const struct bisector_law *l, int64_t round)
{
	return l->rate[round] >= l->greatest / RATE_SHARE;
}

bool
bisector_takes(struct bisector *x, int64_t round, bool is_it)
{
	if (round < 0 || round >= bisector_length(x))
		return false;
	if (x->recognises ? !is_it : !may_be_back(x->law, round))
		return false;
	x->events[round]++;
	return true;
}

/* ---- what he reckons ---- */

/* Of the rounds in which it may be back: clients' slots need not be in all. */
static double
others_rate(const struct bisector *x)
{
	double n = -1.5, rounds = 1;

	if (x->recognises)
		return OTHERS_LEAST / 1000;
	for (unsigned t = 0; t < x->end; t++)
		if (may_be_back(x->law, t)) {
			n += x->events[t];
			rounds++;
		}
	return n > 0 ? n / rounds : OTHERS_LEAST;
}

/* By how much a return in this round explains what was seen better than others do. */
static double
explains(const struct bisector *x, unsigned round, unsigned who, double others)
{
	double sum = 0;

	for (int64_t lag = LAG_LEAST; lag <= LAG_MOST; lag++)
		sum += bisector_drops(x, (int64_t)round - lag, who)
		    ? 1
		    : x->events[round] / others;
	return sum / (LAG_MOST - LAG_LEAST + 1);
}

/* One more return: from the chances of where the k-th was to those of the next one. */
static void
advance(const struct bisector *x, double *after, const double *before, const double *gain,
    size_t k)
{
	const double *next = x->law->next[k];

	memset(after, 0, x->end * sizeof(*after));
	for (unsigned s = 0; s < x->end; s++)
		for (unsigned t = s + 1; before[s] > 0 && t < x->end; t++)
			after[t] += before[s] * next[t - s];
	for (unsigned t = 0; t < x->end; t++)
		after[t] *= gain[t];
}

static double
likelihood(const struct bisector *x, unsigned who, double others)
{
	double places[2][BISECTOR_ROUNDS] = {{1}}, gain[BISECTOR_ROUNDS], sum = 0;

	for (unsigned t = 0; t < x->end; t++)
		gain[t] = explains(x, t, who, others);
	for (size_t n = 0; n < BISECTOR_RETURNS; n++) {
		size_t k = n < BISECTOR_WAITS ? n : BISECTOR_WAITS - 1;
		const double *now = places[n % 2];

		for (unsigned t = 0; t < x->end; t++)
			sum += now[t] * x->law->later[k][x->end - 1 - t];
		advance(x, places[(n + 1) % 2], now, gain, k);
	}
	return sum;
}

void
bisector_weigh(const struct bisector *x, double weights[static BISECTOR_PEOPLE])
{
	double others = others_rate(x);

	for (unsigned i = 0; i < BISECTOR_PEOPLE; i++)
		weights[i] = likelihood(x, i, others);
}

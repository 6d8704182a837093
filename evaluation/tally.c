#include "config.h"

#include "evaluation/tally.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define EXACT_BITS 12 /* below 2^12 each value has its cell */
#define HALF ((size_t)1 << (EXACT_BITS - 1))
#define CELLS (((size_t)1 << EXACT_BITS) + (63 - EXACT_BITS) * HALF)
#define GROUPS_LEAST 4

/* Above, the first EXACT_BITS bits of a value and their number name its cell. */
static size_t
cell_of(uint64_t v)
{
	unsigned shift = 0;

	while (v >> shift >= (uint64_t)1 << EXACT_BITS)
		shift++;
	return shift * HALF + (size_t)(v >> shift);
}

/* The middle of a cell. */
static double
value_of(size_t cell)
{
	unsigned shift = cell < 2 * HALF ? 0 : (unsigned)(cell / HALF - 1);
	double low = (double)(cell - shift * HALF) * (double)((uint64_t)1 << shift);

	return low + (double)(((uint64_t)1 << shift) - 1) / 2;
}

enum err
tally_init(struct tally *t)
{
	memset(t, 0, sizeof(*t));
	t->group_size = 1;
	t->cells = calloc(CELLS, sizeof(t->cells[0]));
	return t->cells != NULL ? ERR_OK : ERR_MEMORY;
}

void
tally_release(struct tally *t)
{
	free(t->cells);
	memset(t, 0, sizeof(*t));
}

/* All groups are full: two become one. */
static void
merge_groups(struct tally *t)
{
	for (size_t i = 0; i < TALLY_GROUPS / 2; i++)
		t->groups[i] = t->groups[2 * i] + t->groups[2 * i + 1];
	memset(t->groups + TALLY_GROUPS / 2, 0, TALLY_GROUPS / 2 * sizeof(t->groups[0]));
	t->group_size *= 2;
}

void
tally_add(struct tally *t, int64_t v)
{
	if (t->count == TALLY_GROUPS * t->group_size)
		merge_groups(t);
	t->groups[t->count / t->group_size] += (double)v;
	if (t->count == 0 || v < t->least)
		t->least = v;
	if (t->count == 0 || v > t->greatest)
		t->greatest = v;
	t->count++;
	t->sum += (double)v;
	t->cells[cell_of((uint64_t)v)]++;
}

double
tally_percentile(const struct tally *t, double share)
{
	double rank = ceil(share * (double)t->count);
	uint64_t below = 0, wanted = rank < 1 ? 1 : (uint64_t)rank;
	double v = 0;

	for (size_t i = 0; i < CELLS && below < wanted && t->count > 0; i++) {
		if (t->cells[i] == 0)
			continue;
		below += t->cells[i];
		v = value_of(i);
	}
	if (wanted >= t->count)
		return (double)t->greatest;
	if (v < (double)t->least)
		v = (double)t->least;
	return v > (double)t->greatest ? (double)t->greatest : v;
}

/* Of the full groups; what has come since the last one is left out. */
static void
interval(struct summary *s, const struct tally *t)
{
	size_t groups = (size_t)(t->count / t->group_size);
	double mean = 0, squares = 0, half;

	s->has_interval = groups >= GROUPS_LEAST;
	if (!s->has_interval)
		return;
	for (size_t i = 0; i < groups; i++)
		mean += t->groups[i] / (double)t->group_size / (double)groups;
	for (size_t i = 0; i < groups; i++) {
		double off = t->groups[i] / (double)t->group_size - mean;

		squares += off * off;
	}
	half = summary_t95(groups - 1) *
	    sqrt(squares / (double)(groups - 1) / (double)groups);
	s->low = s->mean - half;
	s->high = s->mean + half;
}

enum err
tally_summary(struct summary *out, const struct tally *t)
{
	if (t->count == 0)
		return ERR_RANGE;
	*out = (struct summary){ .n = (size_t)t->count,
		.mean = t->sum / (double)t->count,
		.least = (double)t->least,
		.p1 = tally_percentile(t, 0.01),
		.p5 = tally_percentile(t, 0.05),
		.p25 = tally_percentile(t, 0.25),
		.p50 = tally_percentile(t, 0.50),
		.p75 = tally_percentile(t, 0.75),
		.p95 = tally_percentile(t, 0.95),
		.p99 = tally_percentile(t, 0.99),
		.greatest = (double)t->greatest };
	interval(out, t);
	return ERR_OK;
}

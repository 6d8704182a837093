#include "config.h"

#include "evaluation/attack/roc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int
falling(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x < y) - (x > y);
}

static double *
sorted(const double *v, size_t n)
{
	double *out = malloc((n + 1) * sizeof(*out));

	if (out != NULL && n > 0) {
		memcpy(out, v, n * sizeof(*out));
		qsort(out, n, sizeof(*out), falling);
	}
	return out;
}

enum err
roc_new(struct roc *out, const double *right, size_t rights, const double *wrong, size_t wrongs)
{
	if (rights == 0 || wrongs == 0)
		return ERR_RANGE;
	for (size_t i = 0; i < rights; i++)
		if (isnan(right[i]))
			return ERR_RANGE;
	for (size_t i = 0; i < wrongs; i++)
		if (isnan(wrong[i]))
			return ERR_RANGE;
	*out = (struct roc){ sorted(right, rights), sorted(wrong, wrongs), rights, wrongs };
	if (out->right != NULL && out->wrong != NULL)
		return ERR_OK;
	roc_release(out);
	return ERR_MEMORY;
}

void
roc_release(struct roc *r)
{
	free(r->right);
	free(r->wrong);
	memset(r, 0, sizeof(*r));
}

/* How many of falling v are above x, or at least x. */
static size_t
above(const double *v, size_t n, double x, int or_equal)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (v[middle] > x || (or_equal && !(v[middle] < x)))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

double
roc_area(const struct roc *r)
{
	double sum = 0;

	for (size_t i = 0; i < r->rights; i++) {
		size_t more = above(r->wrong, r->wrongs, r->right[i], 0);
		size_t as_much = above(r->wrong, r->wrongs, r->right[i], 1);

		sum += (double)(r->wrongs - as_much) + (double)(as_much - more) / 2;
	}
	return sum / (double)r->rights / (double)r->wrongs;
}

double
roc_equal_error(const struct roc *r)
{
	double missed_before = 1, taken_before = 0;

	for (size_t i = 0; i < r->rights; i++) {
		size_t all = above(r->right, r->rights, r->right[i], 1);
		double missed = 1 - (double)all / (double)r->rights;
		double taken = (double)above(r->wrong, r->wrongs, r->right[i], 1) / (double)r->wrongs;

		if (taken >= missed) { /* the lines cross between this point and the last */
			double gap = missed_before - taken_before, next = taken - missed;
			double at = gap + next > 0 ? gap / (gap + next) : 0;

			return missed_before + at * (missed - missed_before);
		}
		missed_before = missed;
		taken_before = taken;
	}
	return (missed_before + taken_before) / 2;
}

size_t
roc_taken(const struct roc *r, double false_positives)
{
	size_t allowed = (size_t)(false_positives * (double)r->wrongs + 1e-9);

	/* the threshold is the best of the false ones that may not be taken */
	return allowed >= r->wrongs ? r->rights : above(r->right, r->rights, r->wrong[allowed], 0);
}

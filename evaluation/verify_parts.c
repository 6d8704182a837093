#include "config.h"

#include "evaluation/verify_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "evaluation/metrics.h"

#define GROUPS 32 /* of summary_of() */

void
verify_set(struct verify_outcome *out, enum verify_quantity q, unsigned index, double value,
    double error)
{
	out->of[q][index].value = value;
	out->of[q][index].error = error;
	out->of[q][index].known = isfinite(value) && isfinite(error);
}

enum err
verify_add(struct verify_list *l, double v)
{
	if (l->n == l->room) {
		size_t room = l->room > 0 ? 2 * l->room : 256;
		double *p = realloc(l->v, room * sizeof(*p));

		if (p == NULL)
			return ERR_MEMORY;
		l->v = p;
		l->room = room;
	}
	l->v[l->n++] = v;
	return ERR_OK;
}

void
verify_list_release(struct verify_list *l)
{
	free(l->v);
	memset(l, 0, sizeof(*l));
}

static enum err
mean_of(double *mean, double *error, const double *v, size_t n)
{
	struct summary s;
	enum err e = n >= GROUPS ? summary_of(&s, v, n) : ERR_RANGE;

	if (e == ERR_OK) {
		*mean = s.mean;
		*error = (s.high - s.low) / 2 / summary_t95(GROUPS - 1);
	}
	return e;
}

enum err
verify_mean(struct verify_outcome *out, enum verify_quantity q, const struct verify_list *l)
{
	double mean, error;
	enum err e = mean_of(&mean, &error, l->v, l->n);

	if (e == ERR_OK)
		verify_set(out, q, 0, mean, error);
	return e;
}

void
verify_widen(struct verify_outcome *out, enum verify_quantity q, double error)
{
	double old = out->of[q][0].error;

	out->of[q][0].error = sqrt(old * old + error * error);
}

enum err
verify_variance(struct verify_outcome *out, const struct verify_list *l)
{
	double mean, error, root;
	double *squares = malloc((l->n + 1) * sizeof(*squares));
	enum err e = squares != NULL ? mean_of(&mean, &error, l->v, l->n) : ERR_MEMORY;

	for (size_t i = 0; i < l->n && e == ERR_OK; i++)
		squares[i] = (l->v[i] - mean) * (l->v[i] - mean);
	if (e == ERR_OK)
		e = mean_of(&mean, &error, squares, l->n);
	free(squares);
	if (e != ERR_OK)
		return e;
	root = sqrt(mean);
	verify_set(out, VERIFY_VARIANCE, 0, mean, error);
	verify_set(out, VERIFY_DEVIATION, 0, root, root > 0 ? error / (2 * root) : 0);
	return ERR_OK;
}

double
verify_common_error(double messages)
{
	return 1 / log(2) / sqrt(messages);
}

/* The error is that of what is left when the ratio is taken away. */
enum err
verify_weighted(struct verify_outcome *out, enum verify_quantity q, const struct verify_list *l,
    const struct verify_list *w)
{
	double sum = 0, weight = 0, mean, error, ratio;
	double *rest = malloc((l->n + 1) * sizeof(*rest));
	enum err e = rest != NULL ? ERR_OK : ERR_MEMORY;

	for (size_t i = 0; i < l->n; i++) {
		sum += l->v[i] * w->v[i];
		weight += w->v[i];
	}
	ratio = sum / weight;
	for (size_t i = 0; i < l->n && e == ERR_OK; i++)
		rest[i] = (l->v[i] - ratio) * w->v[i] / (weight / (double)l->n);
	if (e == ERR_OK)
		e = mean_of(&mean, &error, rest, l->n);
	if (e == ERR_OK)
		verify_set(out, q, 0, ratio, error);
	free(rest);
	return e;
}

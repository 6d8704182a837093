/* References that are formulas alone: metrics.h and closed.h against printed digits. */
#include "config.h"

#include <stdlib.h>

#include "evaluation/closed.h"
#include "evaluation/metrics.h"
#include "evaluation/verify_parts.h"

/* x candidates, one of them with half of the probability, the others alike. */
enum err
verify_half(struct verify_outcome *out, const struct verify_setup *s, uint64_t seed)
{
	size_t n = (size_t)s->x;
	double *p = calloc(n, sizeof(*p));
	struct metrics m;
	enum err e = p != NULL ? ERR_OK : ERR_MEMORY;

	(void)seed;
	for (size_t i = 0; i < n && e == ERR_OK; i++)
		p[i] = i == 0 ? 0.5 : 0.5 / (double)(n - 1);
	if (e == ERR_OK)
		e = metrics_of(&m, p, n, n);
	free(p);
	if (e != ERR_OK)
		return e;
	verify_set(out, VERIFY_ENTROPY, 0, m.shannon, 0);
	verify_set(out, VERIFY_DEGREE, 0, m.degree, 0);
	verify_set(out, VERIFY_MIN_ENTROPY, 0, m.min_entropy, 0);
	return ERR_OK;
}

/* load: rho. */
enum err
verify_exponential_form(struct verify_outcome *out, const struct verify_setup *s, uint64_t seed)
{
	(void)seed;
	verify_set(out, VERIFY_CLOSED, 0, closed_exponential(s->load), 0);
	verify_set(out, VERIFY_ALONE, 0, closed_alone(s->load), 0);
	return ERR_OK;
}

/* load: arrivals in a mean delay, of all mixes of a layer; corrupt of width ones of each layer. */
enum err
verify_stratified_form(struct verify_outcome *out, const struct verify_setup *s, uint64_t seed)
{
	double b = (double)s->corrupt / s->width, h;

	(void)seed;
	if (s->corrupt > 0)
		h = closed_stratified_corrupt(s->load, s->layers, 1, b, s->width);
	else
		h = closed_stratified(s->layers == 1 ? s->load / s->width : s->load, s->layers, 1);
	verify_set(out, VERIFY_CLOSED, 0, h, 0);
	return ERR_OK;
}

/* x: cycles in a mean delay. */
enum err
verify_gain_form(struct verify_outcome *out, const struct verify_setup *s, uint64_t seed)
{
	(void)seed;
	verify_set(out, VERIFY_CLOSED, 0, closed_sinusoid_gain(s->x, 1, s->layers), 0);
	return ERR_OK;
}

enum err
verify_timed_form(struct verify_outcome *out, const struct verify_setup *s, uint64_t seed)
{
	(void)seed;
	verify_set(out, VERIFY_CLOSED, 0, closed_timed(s->load), 0);
	return ERR_OK;
}

/* load: messages of a batch. */
enum err
verify_users_form(struct verify_outcome *out, const struct verify_setup *s, uint64_t seed)
{
	(void)seed;
	verify_set(out, VERIFY_CLOSED, 0, closed_threshold_users((size_t)s->load, s->persons), 0);
	return ERR_OK;
}

/* x mixes, y of them corrupt. */
enum err
verify_paths_form(struct verify_outcome *out, const struct verify_setup *s, uint64_t seed)
{
	(void)seed;
	verify_set(out, VERIFY_CLOSED, 0,
	    closed_all_corrupt((unsigned)s->x, (unsigned)s->y, s->layers), 0);
	return ERR_OK;
}

/* x: mean delays since the start of the epoch. */
enum err
verify_epoch_form(struct verify_outcome *out, const struct verify_setup *s, uint64_t seed)
{
	(void)seed;
	verify_set(out, VERIFY_CLOSED, 0, closed_epoch(s->load, s->x), 0);
	return ERR_OK;
}

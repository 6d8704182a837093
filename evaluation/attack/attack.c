#include "config.h"

#include "evaluation/attack/attack.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "evaluation/attack/kinds.h"
#include "evaluation/metrics.h"

#define POINTS_FIRST 16
#define MEAN_LEAST 4 /* values: fewer say next to nothing of their spread */
#define Z95 1.959963984540054

const struct attack_kind *const attack_table[] = {
	&attack_disclosure,
	&attack_intersection,
	&attack_flow,
	&attack_two_senders,
	&attack_partition,
	&attack_corrupt,
};
const size_t attack_table_count = sizeof(attack_table) / sizeof(attack_table[0]);

const struct attack_kind *
attack_find(const char *name)
{
	for (size_t i = 0; i < attack_table_count; i++)
		if (strcmp(attack_table[i]->name, name) == 0)
			return attack_table[i];
	return NULL;
}

/* ---- filling ---- */

struct attack_curve *
attack_add_curve(struct attack_result *r, const char *x_label, const char *y_label,
    const char *name)
{
	struct attack_curve *c;

	if (r->curve_count == ATTACK_CURVES_MAX)
		return NULL;
	c = &r->curves[r->curve_count++];
	memset(c, 0, sizeof(*c));
	c->x_label = x_label;
	c->y_label = y_label;
	(void)snprintf(c->name, sizeof(c->name), "%s", name);
	return c;
}

void
attack_chance(struct attack_curve *c, double chance)
{
	c->has_chance = true;
	c->chance = chance;
}

enum err
attack_add_point(struct attack_curve *c, double x, struct attack_value y)
{
	if (c->count == c->room) {
		size_t room = c->room > 0 ? 2 * c->room : POINTS_FIRST;
		struct attack_point *points = realloc(c->points, room * sizeof(*points));

		if (points == NULL)
			return ERR_MEMORY;
		c->points = points;
		c->room = room;
	}
	c->points[c->count++] = (struct attack_point){ x, y };
	return ERR_OK;
}

struct attack_figure *
attack_add_figure(struct attack_result *r, const char *name, const char *unit,
    struct attack_value v)
{
	struct attack_figure *f;

	if (r->figure_count == ATTACK_FIGURES_MAX)
		return NULL;
	f = &r->figures[r->figure_count++];
	memset(f, 0, sizeof(*f));
	f->unit = unit;
	f->v = v;
	f->reason = v.known ? NULL : "too few observations";
	(void)snprintf(f->name, sizeof(f->name), "%s", name);
	return f;
}

void
attack_figure_chance(struct attack_figure *f, double chance)
{
	f->has_chance = true;
	f->chance = chance;
}

void
attack_add_missing(struct attack_result *r, const char *name, const char *unit,
    const char *reason)
{
	const struct attack_value none = { .known = false };
	struct attack_figure *f = attack_add_figure(r, name, unit, none);

	if (f != NULL)
		f->reason = reason;
}

void
attack_release(struct attack_result *r)
{
	for (size_t i = 0; i < r->curve_count; i++)
		free(r->curves[i].points);
	memset(r, 0, sizeof(*r));
}

/* ---- values ---- */

struct attack_value
attack_exact(double v)
{
	return (struct attack_value){ v, v, v, isfinite(v), isfinite(v) };
}

/* Wilson 1927: the p at which the share lies Z95 standard deviations away. */
struct attack_value
attack_share(size_t k, size_t n)
{
	double share, middle, half, z2 = Z95 * Z95, m = (double)n;

	if (n == 0)
		return (struct attack_value){ .known = false };
	share = (double)k / m;
	middle = (share + z2 / (2 * m)) / (1 + z2 / m);
	half = Z95 / (1 + z2 / m) * sqrt(share * (1 - share) / m + z2 / (4 * m * m));
	return (struct attack_value){ share, k == 0 ? 0 : middle - half,
		k == n ? 1 : middle + half, true, true };
}

struct attack_value
attack_share_exact(size_t k, size_t n)
{
	struct attack_value v = { .known = false };

	if (n == 0)
		return v;
	v = (struct attack_value){ (double)k / (double)n, 0, 0, true, true };
	summary_share(&v.low, &v.high, k, n, 0.05);
	return v;
}

struct attack_value
attack_mean(double sum, double sum_of_squares, size_t n)
{
	struct attack_value v = { .known = n > 0 && isfinite(sum), .has_interval = n >= MEAN_LEAST };
	double variance, half;

	if (!v.known)
		return (struct attack_value){ .known = false };
	v.value = v.low = v.high = sum / (double)n;
	if (!v.has_interval)
		return v;
	variance = (sum_of_squares - sum * v.value) / (double)(n - 1);
	half = summary_t95(n - 1) * sqrt(variance > 0 ? variance / (double)n : 0);
	v.low -= half;
	v.high += half;
	return v;
}

struct attack_value
attack_scaled(struct attack_value v, double a, double b)
{
	double low = a * v.low + b, high = a * v.high + b;

	v.value = a * v.value + b;
	v.low = low < high ? low : high;
	v.high = low < high ? high : low;
	return v;
}

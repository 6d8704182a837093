#include "config.h"

#include "evaluation/attack/duel.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TIE 1e-9

enum err
duel_init(struct duel *d, size_t people)
{
	*d = (struct duel){ .room = people };
	d->did.sum = calloc(people, sizeof(double));
	d->did.n = calloc(people, sizeof(uint32_t));
	d->others.sum = calloc(people, sizeof(double));
	d->others.n = calloc(people, sizeof(uint32_t));
	if (d->did.sum != NULL && d->did.n != NULL && d->others.sum != NULL && d->others.n != NULL)
		return ERR_OK;
	duel_release(d);
	return ERR_MEMORY;
}

void
duel_release(struct duel *d)
{
	free(d->did.sum);
	free(d->did.n);
	free(d->others.sum);
	free(d->others.n);
	memset(d, 0, sizeof(*d));
}

static void
count(struct duel_side *s, size_t who, double won)
{
	s->sum[who] += won;
	s->n[who]++;
}

void
duel_add(struct duel *d, size_t did, size_t other, double ahead)
{
	double won = ahead > TIE ? 1 : ahead < -TIE ? -1 : 0;

	count(&d->did, did, won);
	count(&d->others, other, won);
}

/* The mean over those of one side, and how many they are. */
static struct attack_value
side_value(const struct duel_side *s, size_t room, size_t *n)
{
	double sum = 0, squares = 0;

	*n = 0;
	for (size_t i = 0; i < room; i++) {
		double v = s->n[i] > 0 ? s->sum[i] / s->n[i] : 0;

		if (s->n[i] == 0)
			continue;
		sum += v;
		squares += v * v;
		++*n;
	}
	return attack_mean(sum, squares, *n);
}

struct attack_value
duel_value(const struct duel *d)
{
	size_t n, m;
	struct attack_value v = side_value(&d->did, d->room, &n);
	struct attack_value w = side_value(&d->others, d->room, &m);
	double error = hypot(v.high - v.low, w.high - w.low) / 2;

	v.has_interval = v.has_interval && w.has_interval;
	v.low = fmax(v.value - error, -1);
	v.high = fmin(v.value + error, 1);
	/* who never lost may lose the next time: as of so many independent ones */
	if (v.known && fabs(v.value) > 1 - TIE) {
		struct attack_value all = attack_share_exact(v.value > 0 ? n : 0, n);

		v = attack_scaled(all, 2, -1);
	}
	return v;
}

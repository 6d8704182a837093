#include "config.h"

#include "tests/unit/mix/pool_test.h"

#include <math.h>
#include <stdlib.h>

#include "tests/lib/test.h"

struct params
params_with(const char *strategy)
{
	struct params p;

	params_default(&p);
	for (unsigned i = 0; i < PARAMS_LAYERS_MAX; i++)
		assert_err_ok(strategy_parse(&p.strategy[i], strategy, "strategy", NULL));
	return p;
}

struct pool *
pool_with(const struct params *p, unsigned layer)
{
	struct pool *k;

	assert_err_ok(pool_new(&k, p, layer, START_MS));
	return k;
}

void
add_many(struct pool *k, uint32_t first, uint32_t n, int64_t now)
{
	for (uint32_t i = 0; i < n; i++)
		assert_err_ok(pool_add(k, first + i, 0, now));
}

uint32_t
poisson(double mean)
{
	double t = 0;
	uint32_t n = 0;

	while ((t += test_exponential(test_rng(), 1)) < mean)
		n++;
	return n;
}

/* ---- a run of a pool ---- */

struct run {
	const struct feed *feed;
	struct params p;
	struct pool *k;
	double gap_ms, next_ms; /* between arrivals; the next one, after START_MS */
	uint32_t first, added;	/* packets before `first` are not counted */
	int64_t *arrived, *delays;
	uint32_t *out;
	size_t flushes, left;
	double pooled, kept, delayed;
	/* entropy of what is in the pool, and what came since the last flush */
	double entropy, sum;
	size_t fresh;
};

static double
plogp(double p)
{
	return p > 0 ? -p * log2(p) : 0;
}

/*
 * Batches: with a fresh ones of T, each alone in its cell, and the rest as before,
 * every one that leaves now has H' = h2(r/T) + (a/T) log2 a + (r/T) H.
 */
static void
mix_fresh(struct run *r, size_t held)
{
	double t = (double)held, a = (double)r->fresh, kept = t - a;

	if (held > 0)
		r->entropy = plogp(kept / t) + plogp(a / t) + (a > 0 ? a / t * log2(a) : 0) +
		    kept / t * r->entropy;
	r->fresh = 0;
}

static void
arrive(struct run *r)
{
	int64_t now = START_MS + (int64_t)r->next_ms;
	uint32_t own = params_delay_max_ms(&r->p, 0), delay = 0;

	if (own > 0)
		delay = rng_exponential_ms(test_rng(), r->p.strategy[0].mean_ms, own);
	r->arrived[r->added] = now;
	assert_err_ok(pool_add(r->k, r->added++, delay, now));
	r->fresh++;
	if (own > 0) /* continuous: whoever leaves next is any one of those that are there */
		mix_fresh(r, pool_count(r->k));
	r->next_ms += r->feed->arriving == ARRIVE_EVENLY ? r->gap_ms :
	    test_exponential(test_rng(), r->gap_ms);
}

static void
flush_now(struct run *r)
{
	int64_t now = pool_due(r->k);
	size_t held = pool_count(r->k);
	size_t n = pool_flush(r->k, r->out, now, test_rng());

	mix_fresh(r, held);
	if (n == 0)
		return;
	r->flushes++;
	r->pooled += (double)held;
	r->kept += (double)(held - n);
	for (size_t i = 0; i < n; i++) {
		int64_t delay = now - r->arrived[r->out[i]];

		assert_true(delay >= 0);
		if (r->out[i] < r->first)
			continue;
		r->delays[r->left++] = delay;
		r->delayed += (double)delay;
		r->sum += r->entropy;
	}
}

static int
earlier(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

struct yield
run_feed(const struct feed *f)
{
	struct run r = { .feed = f, .p = params_with(f->strategy) };
	size_t most = f->packets + f->packets / 10;
	struct yield y;

	r.p.people = f->people;
	r.k = pool_with(&r.p, 0);
	r.first = (uint32_t)(f->packets / 10);
	r.gap_ms = (double)r.p.slot_ms / f->people;
	r.next_ms = rng_unit(test_rng()) * r.gap_ms;
	r.arrived = calloc(most, sizeof(*r.arrived));
	r.delays = calloc(most, sizeof(*r.delays));
	r.out = calloc(most, sizeof(*r.out));
	assert_true(r.arrived != NULL && r.delays != NULL && r.out != NULL);
	while (r.added < most) {
		if (pool_due(r.k) <= START_MS + (int64_t)r.next_ms)
			flush_now(&r);
		else
			arrive(&r);
	}
	qsort(r.delays, r.left, sizeof(r.delays[0]), earlier);
	assert_true(r.left > 1000);
	y = (struct yield){ .pool = r.pooled / (double)r.flushes,
		.kept = r.kept / (double)r.flushes,
		.delay_ms = r.delayed / (double)r.left,
		.delay_999 = r.delays[r.left - 1 - r.left / 1000],
		.entropy = r.sum / (double)r.left };
	pool_free(r.k);
	free(r.arrived);
	free(r.delays);
	free(r.out);
	return y;
}

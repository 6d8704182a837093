/*
 * The active attacks (evaluation/attack/) under the conditions of published values: the
 * waves of group 2.7 with the watermark's own gauge, and group 2.11, the n-1 attack.
 */
#include "config.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "evaluation/attack/blending_chain.h"
#include "evaluation/attack/watermark.h"
#include "evaluation/scenario.h"
#include "evaluation/stream.h"
#include "evaluation/verify_parts.h"
#include "mix/pool.h"

#define HOUR_MS 3600000 /* mean of stop-and-go here */
#define SURE 0.99
#define TEXT_BYTES 512
#define WAVE_MEAN_MS 600000
#define POISSON_MOST 1000

/* ---- formulas ---- */

/*
 * load: packets that the attacker keeps in the pool; x: of them stay; y: unknown at the
 * beginning. Its packets: with corrupt > 0 those of the rounds in the mean, else of 99 %.
 */
enum err
verify_flush_form(struct verify_outcome *out, const struct verify_setup *s, uint64_t seed)
{
	struct blending_chain c;
	enum err e = blending_flush(&c, (size_t)s->load, (size_t)s->x, (size_t)s->y);
	double rounds;

	(void)seed;
	if (e != ERR_OK)
		return e;
	rounds = s->corrupt > 0 ? c.mean : (double)c.rounds99;
	verify_set(out, VERIFY_TIMES, 0, c.mean, 0);
	verify_set(out, VERIFY_TIMES_99, 0, (double)c.rounds99, 0);
	verify_set(out, VERIFY_SENT, 0, rounds * (s->load - s->x), 0);
	return ERR_OK;
}

/* load: rho. */
enum err
verify_empty_form(struct verify_outcome *out, const struct verify_setup *s, uint64_t seed)
{
	(void)seed;
	verify_set(out, VERIFY_TIMES, 0, blending_empty_mean(s->load), 0);
	verify_set(out, VERIFY_TIMES_99, 0, blending_empty(s->load, SURE), 0);
	return ERR_OK;
}

/* load: loops that come back in the mean; x: so many are no alarm. */
enum err
verify_loops_form(struct verify_outcome *out, const struct verify_setup *s, uint64_t seed)
{
	(void)seed;
	verify_set(out, VERIFY_SHARE, 0, blending_fewer(s->load, (unsigned)s->x), 0);
	return ERR_OK;
}

/* ---- the mixes' pools ---- */

static enum err
make_pool(struct pool **out, const char *strategy)
{
	struct params p;
	enum err e;

	params_default(&p);
	p.round_ms = HOUR_MS;
	p.pool_max = 100000;
	e = params_set(&p, "strategy.0", strategy, NULL);
	return e == ERR_OK ? pool_new(out, &p, 0, 0) : e;
}

/* Fill up with own packets and flush, until none of the first `unknown` is left. */
static enum err
flush_once(double *rounds, struct pool *pool, size_t held, uint32_t unknown, uint32_t *batch,
    const struct rng *rng)
{
	uint32_t left = unknown;
	int64_t now_ms = 1;
	enum err e = ERR_OK;

	for (uint32_t i = 0; i < unknown && e == ERR_OK; i++)
		e = pool_add(pool, i, 0, now_ms);
	for (*rounds = 0; left > 0 && e == ERR_OK; *rounds += 1) {
		while (pool_count(pool) < held && e == ERR_OK)
			e = pool_add(pool, UINT32_MAX, 0, now_ms);
		if (pool_due(pool) == POOL_NEVER)
			return ERR_STATE;
		now_ms = pool_due(pool) > now_ms ? pool_due(pool) : now_ms;
		for (size_t n = pool_flush(pool, batch, now_ms, rng); n > 0; n--)
			left -= batch[n - 1] < unknown ? 1 : 0;
	}
	return e;
}

/* As verify_flush_form, with the mix's own pool. samples: attacks. */
enum err
verify_flush(struct verify_outcome *out, const struct verify_setup *s, uint64_t seed)
{
	uint32_t *batch = calloc((size_t)s->load + 1, sizeof(*batch));
	struct verify_list l = { 0 };
	struct stream stream;
	enum err e = batch != NULL ? ERR_OK : ERR_MEMORY;

	stream_init(&stream, seed, 0);
	for (size_t i = 0; i < s->samples && e == ERR_OK; i++) {
		struct pool *pool;
		double rounds;

		e = make_pool(&pool, s->strategy);
		if (e != ERR_OK)
			break;
		e = flush_once(&rounds, pool, (size_t)s->load, (uint32_t)s->y, batch, &stream.rng);
		if (e == ERR_OK)
			e = verify_add(&l, rounds);
		pool_free(pool);
	}
	if (e == ERR_OK)
		e = verify_mean(out, VERIFY_TIMES, &l);
	verify_list_release(&l);
	free(batch);
	return e;
}

/* A Poisson number of packets (Knuth), which is what such a mix has inside. */
static unsigned
draw_poisson(const struct rng *rng, double mean)
{
	double product = rng_unit(rng), limit = exp(-mean);
	unsigned n = 0;

	for (; product > limit && n < POISSON_MOST; n++)
		product *= rng_unit(rng);
	return n;
}

/* Time until the last of them has left, in mean delays. */
static enum err
wait_once(double *means, const struct verify_setup *s, uint32_t *batch, const struct rng *rng)
{
	unsigned n = draw_poisson(rng, s->load);
	struct pool *pool;
	int64_t now_ms = 0;
	enum err e = make_pool(&pool, s->strategy);

	if (e != ERR_OK)
		return e;
	for (unsigned i = 0; i < n && e == ERR_OK; i++)
		e = pool_add(pool, i, rng_exponential_ms(rng, HOUR_MS, 16 * HOUR_MS), 0);
	while (pool_count(pool) > 0 && e == ERR_OK) {
		now_ms = pool_due(pool);
		(void)pool_flush(pool, batch, now_ms, rng);
	}
	pool_free(pool);
	*means = (double)now_ms / HOUR_MS;
	return e;
}

/* load: rho; samples: mixes that are blocked. */
enum err
verify_empty(struct verify_outcome *out, const struct verify_setup *s, uint64_t seed)
{
	uint32_t batch[POISSON_MOST];
	struct verify_list l = { 0 };
	struct stream stream;
	enum err e = ERR_OK;

	stream_init(&stream, seed, 0);
	for (size_t i = 0; i < s->samples && e == ERR_OK; i++) {
		double means;

		e = wait_once(&means, s, batch, &stream.rng);
		if (e == ERR_OK)
			e = verify_add(&l, means);
	}
	if (e == ERR_OK)
		e = verify_mean(out, VERIFY_TIMES, &l);
	verify_list_release(&l);
	return e;
}

/* ---- the watermark ---- */

/* layers; x: frequency, in inverse mean delays; samples: periods. */
enum err
verify_watermark(struct verify_outcome *out, const struct verify_setup *s, uint64_t seed)
{
	char text[TEXT_BYTES];
	struct scenario scenario;
	double gain, error;
	enum err e;

	(void)snprintf(text, sizeof(text), "restante-scenario 1\npeople = 2\ncontacts = 1\n"
	    "mailboxes = 1\nslot = 10s\nnote-one-in = 0\nlink-delay = 0ms\nlayers = %u\n"
	    "strategy = stop-and-go mean=10min\n", s->layers);
	e = scenario_parse(&scenario, "verify", text, strlen(text), NULL);
	if (e == ERR_OK)
		e = watermark_gain(&gain, &error, &scenario, (int64_t)(WAVE_MEAN_MS / s->x),
		    (unsigned)s->samples, seed);
	if (e == ERR_OK)
		verify_set(out, VERIFY_GAIN, 0, gain, error);
	return e;
}

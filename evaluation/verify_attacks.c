/*
 * The estimators of the attacks (evaluation/attack/) under the conditions of published
 * values: groups 2.12 (disclosure, intersection) and 2.15 (flows) of the references.
 */
#include "config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "evaluation/attack/disclosure.h"
#include "evaluation/attack/flow.h"
#include "evaluation/attack/intersection.h"
#include "evaluation/attack/roc.h"
#include "evaluation/draws.h"
#include "evaluation/stream.h"
#include "evaluation/verify_parts.h"
#include "mix/pool.h"

#define IMPOSTORS 100 /* of each flow */
#define FLOW_LAYERS 3

/* A share among n independent tries. */
static void
set_share(struct verify_outcome *out, enum verify_quantity q, double share, size_t n)
{
	verify_set(out, q, 0, share, sqrt(share * (1 - share) / (double)n));
}

/* ---- SDA as a test of each receiver (Danezis 2003) ---- */

/* layers: friends; width: messages of a round; persons: receivers; x: deviations. */
enum err
verify_sda_form(struct verify_outcome *out, const struct verify_setup *s, uint64_t seed)
{
	(void)seed;
	verify_set(out, VERIFY_CLOSED, 0,
	    disclosure_rounds_needed(s->layers, s->width, s->persons, s->x), 0);
	return ERR_OK;
}

/* How often each receiver got something in these rounds; friends are the first ones. */
static void
draw_counts(uint32_t *counts, const struct verify_setup *s, size_t rounds, struct draws *d)
{
	memset(counts, 0, s->persons * sizeof(*counts));
	for (size_t r = 0; r < rounds; r++) {
		counts[draws_below(d, s->layers)]++;
		for (unsigned i = 1; i < s->width; i++)
			counts[draws_below(d, s->persons)]++;
	}
}

/* samples: repetitions. */
enum err
verify_sda_test(struct verify_outcome *out, const struct verify_setup *s, uint64_t seed)
{
	double needed = disclosure_rounds_needed(s->layers, s->width, s->persons, s->x);
	double noise = disclosure_background_variance(s->width, s->persons);
	double rounds = ceil(needed), limit;
	uint32_t *counts = calloc(s->persons, sizeof(*counts));
	size_t right = 0, wrong = 0;
	struct draws d = { seed, 0 };

	if (counts == NULL)
		return ERR_MEMORY;
	limit = rounds * (s->width - 1) / s->persons + s->x * sqrt(rounds * noise);
	for (size_t i = 0; i < s->samples; i++) {
		draw_counts(counts, s, (size_t)rounds, &d);
		for (uint32_t p = 0; p < s->persons; p++) {
			right += p < s->layers && counts[p] > limit;
			wrong += p >= s->layers && counts[p] > limit;
		}
	}
	free(counts);
	set_share(out, VERIFY_TRUE_POSITIVES, (double)right / (double)(s->samples * s->layers),
	    s->samples * s->layers);
	set_share(out, VERIFY_FALSE_POSITIVES,
	    (double)wrong / (double)(s->samples * (s->persons - s->layers)),
	    s->samples * (s->persons - s->layers));
	return ERR_OK;
}

/* ---- SDA behind the tree's own pools: are the first five those whom she writes to? ---- */

/* Rounds of a mix of `width` messages, in one of two of which Alice sends one. */
struct rounds {
	const struct verify_setup *setup;
	struct pool *pool;
	struct stream stream; /* of the pool */
	struct draws draws;
	uint32_t *receivers; /* of handles */
	uint32_t handles, next;
	double *sent, *received;
	double expected; /* of Alice's in the pool */
	uint32_t *out;
};

static enum err
add_message(struct rounds *r, int from_alice, int64_t now_ms)
{
	const struct verify_setup *s = r->setup;
	uint32_t handle = r->next++ % r->handles;

	r->receivers[handle] = draws_below(&r->draws, from_alice ? s->layers : s->persons);
	return pool_add(r->pool, handle, 0, now_ms);
}

/*
 * One round: what comes out is counted, and of what Alice sent, what the model expects in
 * it. A pool holds some back; y: with the model of that, or as if there were none.
 */
static enum err
play_round(struct rounds *r, size_t number, int64_t now_ms)
{
	const struct verify_setup *s = r->setup;
	int alice = draws_unit(&r->draws) < 0.5;
	double held, share;
	enum err e = ERR_OK;
	size_t n;

	for (unsigned i = 0; i < s->width && e == ERR_OK; i++)
		e = add_message(r, i == 0 && alice, now_ms);
	if (e != ERR_OK || pool_due(r->pool) > now_ms)
		return e != ERR_OK ? e : ERR_RANGE;
	held = (double)pool_count(r->pool);
	n = pool_flush(r->pool, r->out, now_ms, &r->stream.rng);
	for (size_t i = 0; i < n; i++)
		r->received[number * s->persons + r->receivers[r->out[i]]]++;
	share = s->y > 0 ? (double)n / held : 1;
	r->expected += alice;
	r->sent[number] = r->expected * share;
	r->expected -= r->sent[number];
	return ERR_OK;
}

static enum err
new_rounds(struct rounds *r, const struct verify_setup *s, uint64_t seed)
{
	struct params p;
	struct diag d;
	enum err e;

	params_default(&p);
	p.layers = 1;
	p.pool_max = 1000;
	e = strategy_parse(&p.strategy[0], s->strategy, "strategy", &d);
	memset(r, 0, sizeof(*r));
	r->setup = s;
	r->handles = 1000;
	r->draws = (struct draws){ seed, 0 };
	stream_init(&r->stream, seed, 1);
	r->receivers = calloc(r->handles, sizeof(*r->receivers));
	r->out = calloc(r->handles, sizeof(*r->out));
	r->sent = calloc((size_t)s->x, sizeof(*r->sent));
	r->received = calloc((size_t)s->x * s->persons, sizeof(*r->received));
	if (r->receivers == NULL || r->out == NULL || r->sent == NULL || r->received == NULL)
		return ERR_MEMORY;
	return e == ERR_OK ? pool_new(&r->pool, &p, 0, 0) : e;
}

static void
free_rounds(struct rounds *r)
{
	pool_free(r->pool);
	free(r->receivers);
	free(r->out);
	free(r->sent);
	free(r->received);
}

/* Whether Alice's friends are the first by what SDA makes of x rounds. */
static enum err
play_rounds(double *success, const struct verify_setup *s, uint64_t seed)
{
	struct rounds r;
	struct disclosure d = { 1, s->persons, (size_t)s->x, NULL, NULL };
	double *values = calloc(s->persons, sizeof(*values));
	uint8_t *friends = calloc(s->persons, 1);
	enum err e = new_rounds(&r, s, seed);
	uint32_t back = e == ERR_OK ? (uint32_t)s->load : 0; /* what the pool keeps is there */

	for (uint32_t i = 0; i < back && e == ERR_OK; i++)
		e = add_message(&r, 0, 0);
	for (size_t i = 0; i < d.rounds && e == ERR_OK; i++)
		e = play_round(&r, i, (int64_t)i + 1);
	if (e == ERR_OK && values != NULL && friends != NULL) {
		d.sent = r.sent;
		d.received = r.received;
		memset(friends, 1, s->layers);
		disclosure_sda(values, &d, 0);
		*success = disclosure_top_is(values, friends, s->persons, s->layers);
	} else if (e == ERR_OK) {
		e = ERR_MEMORY;
	}
	free_rounds(&r);
	free(values);
	free(friends);
	return e;
}

/* x: rounds; load: what the pool keeps; samples: repetitions. */
enum err
verify_sda_pool(struct verify_outcome *out, const struct verify_setup *s, uint64_t seed)
{
	size_t won = 0;
	enum err e = ERR_OK;

	for (size_t i = 0; i < s->samples && e == ERR_OK; i++) {
		double success = 0;

		e = play_rounds(&success, s, draws_scramble(seed + i));
		won += success > 0;
	}
	if (e == ERR_OK)
		set_share(out, VERIFY_SUCCESS, (double)won / (double)s->samples, s->samples);
	return e;
}

/* ---- profiles by least squares, and by SDA against all as background ---- */

/* persons: all send and receive; width: messages of a round; layers: friends; x: rounds. */
struct profiles {
	const struct verify_setup *setup;
	double *truth, *sent, *received, *estimates;
	uint32_t *friends;
};

static void
draw_profiles(struct profiles *p, struct draws *d)
{
	uint32_t n = p->setup->persons, f = p->setup->layers;

	memset(p->truth, 0, (size_t)n * n * sizeof(*p->truth));
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t k = 0; k < f;) {
			uint32_t receiver = draws_below(d, n);
			double *cell = &p->truth[(size_t)i * n + receiver];

			if (*cell > 0)
				continue;
			*cell = 1.0 / f;
			p->friends[(size_t)i * f + k++] = receiver;
		}
}

static void
draw_rounds(struct profiles *p, size_t rounds, struct draws *d)
{
	uint32_t n = p->setup->persons, f = p->setup->layers;

	memset(p->sent, 0, rounds * n * sizeof(*p->sent));
	memset(p->received, 0, rounds * n * sizeof(*p->received));
	for (size_t r = 0; r < rounds; r++)
		for (unsigned i = 0; i < p->setup->width; i++) {
			uint32_t sender = draws_below(d, n);

			p->sent[r * n + sender]++;
			p->received[r * n + p->friends[(size_t)sender * f + draws_below(d, f)]]++;
		}
}

/* Squared error of a profile, mean over users. */
static double
squared_error(const struct profiles *p)
{
	size_t n = p->setup->persons;
	double sum = 0;

	for (size_t i = 0; i < n * n; i++)
		sum += (p->estimates[i] - p->truth[i]) * (p->estimates[i] - p->truth[i]);
	return sum / (double)n;
}

static enum err
estimate_profiles(struct verify_list *squares, struct verify_list *disclosure,
    struct profiles *p, struct draws *d)
{
	size_t n = p->setup->persons;
	const struct disclosure seen = { n, n, (size_t)p->setup->x, p->sent, p->received };
	enum err e;

	draw_profiles(p, d);
	draw_rounds(p, seen.rounds, d);
	e = disclosure_least_squares(p->estimates, &seen, 0);
	if (e == ERR_OK)
		e = verify_add(squares, squared_error(p));
	for (size_t i = 0; i < n && e == ERR_OK; i++)
		disclosure_sda_population(p->estimates + i * n, &seen, i);
	return e == ERR_OK ? verify_add(disclosure, squared_error(p)) : e;
}

enum err
verify_least_squares(struct verify_outcome *out, const struct verify_setup *s, uint64_t seed)
{
	size_t n = s->persons, rounds = (size_t)s->x;
	struct profiles p = { s, calloc(n * n, sizeof(double)), calloc(n * rounds, sizeof(double)),
		calloc(n * rounds, sizeof(double)), calloc(n * n, sizeof(double)),
		calloc(n * s->layers, sizeof(uint32_t)) };
	struct verify_list squares = { NULL, 0, 0 }, disclosure = { NULL, 0, 0 };
	struct draws d = { seed, 0 };
	enum err e = p.truth != NULL && p.sent != NULL && p.received != NULL &&
		p.estimates != NULL && p.friends != NULL ? ERR_OK : ERR_MEMORY;

	for (size_t i = 0; i < s->samples && e == ERR_OK; i++)
		e = estimate_profiles(&squares, &disclosure, &p, &d);
	if (e == ERR_OK)
		e = verify_mean(out, VERIFY_SQUARED_ERROR, &squares);
	if (e == ERR_OK)
		e = verify_mean(out, VERIFY_OTHER_ERROR, &disclosure);
	verify_set(out, VERIFY_CLOSED, 0,
	    disclosure_least_squares_error((double)n, s->width, s->layers, s->x, 1), 0);
	verify_list_release(&squares);
	verify_list_release(&disclosure);
	free(p.truth);
	free(p.sent);
	free(p.received);
	free(p.estimates);
	free(p.friends);
	return e;
}

/* The same without the factor of a small sample: what many rounds tend to. */
enum err
verify_least_squares_form(struct verify_outcome *out, const struct verify_setup *s, uint64_t seed)
{
	(void)seed;
	verify_set(out, VERIFY_CLOSED, 0,
	    disclosure_least_squares_error(s->persons, s->width, s->layers, s->x, s->y > 0), 0);
	return ERR_OK;
}

/* ---- intersection with churn ---- */

/* persons, x: the chance of each to be there. */
enum err
verify_intersection_form(struct verify_outcome *out, const struct verify_setup *s, uint64_t seed)
{
	(void)seed;
	verify_set(out, VERIFY_CLOSED, 0, intersection_times(s->persons, s->x), 0);
	return ERR_OK;
}

enum err
verify_intersection(struct verify_outcome *out, const struct verify_setup *s, uint64_t seed)
{
	uint8_t *suspected = calloc(s->persons, 1), *there = calloc(s->persons, 1);
	struct verify_list times = { NULL, 0, 0 };
	struct draws d = { seed, 0 };
	enum err e = suspected != NULL && there != NULL ? ERR_OK : ERR_MEMORY;

	for (size_t i = 0; i < s->samples && e == ERR_OK; i++) {
		size_t left = s->persons, n = 0;

		memset(suspected, 1, s->persons);
		for (; left > 1; n++) {
			for (uint32_t p = 0; p < s->persons; p++)
				there[p] = p == 0 || draws_unit(&d) < s->x;
			left = intersection_step(suspected, there, s->persons);
		}
		e = verify_add(&times, (double)n);
	}
	if (e == ERR_OK)
		e = verify_mean(out, VERIFY_TIMES, &times);
	verify_list_release(&times);
	free(suspected);
	free(there);
	return e;
}

/* ---- flows ---- */

static int
rising(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
draw_delay(struct draws *d)
{
	double product = 1;

	for (int i = 0; i < FLOW_LAYERS; i++)
		product *= 1 - draws_unit(d);
	return -log(product);
}

/* Flows of y packets at a rate of x, each through three mixes of mean delay 1. */
static void
draw_flows(double *in, double *out, const struct verify_setup *s, struct draws *d)
{
	size_t n = (size_t)s->y;

	for (size_t f = 0; f < s->samples; f++) {
		double at = 0;

		for (size_t i = 0; i < n; i++) {
			at -= log(1 - draws_unit(d)) / s->x;
			in[f * n + i] = at;
			out[f * n + i] = at + draw_delay(d);
		}
		qsort(out + f * n, n, sizeof(*out), rising);
	}
}

static void
score_flows(double *right, double *wrong, const double *in, const double *out,
    const struct verify_setup *s, struct draws *d)
{
	size_t n = (size_t)s->y;

	for (size_t f = 0; f < s->samples; f++) {
		right[f] = flow_in_order(in + f * n, out + f * n, n, FLOW_LAYERS);
		for (size_t i = 0; i < IMPOSTORS; i++) {
			size_t other = draws_below(d, (uint32_t)s->samples - 1);

			other += other >= f;
			wrong[f * IMPOSTORS + i] =
			    flow_in_order(in + f * n, out + other * n, n, FLOW_LAYERS);
		}
	}
}

/* x: rate; y: packets of a flow; samples: flows. */
enum err
verify_flows(struct verify_outcome *out, const struct verify_setup *s, uint64_t seed)
{
	size_t n = (size_t)s->y;
	double *in = calloc(s->samples * n, sizeof(*in));
	double *after = calloc(s->samples * n, sizeof(*after));
	double *right = calloc(s->samples, sizeof(*right));
	double *wrong = calloc(s->samples * IMPOSTORS, sizeof(*wrong));
	struct draws d = { seed, 0 };
	struct roc r;
	enum err e = ERR_MEMORY;

	if (in != NULL && after != NULL && right != NULL && wrong != NULL) {
		draw_flows(in, after, s, &d);
		score_flows(right, wrong, in, after, s, &d);
		e = roc_new(&r, right, s->samples, wrong, s->samples * IMPOSTORS);
	}
	if (e == ERR_OK) {
		set_share(out, VERIFY_EQUAL_ERROR, roc_equal_error(&r), s->samples);
		roc_release(&r);
	}
	free(in);
	free(after);
	free(right);
	free(wrong);
	return e;
}

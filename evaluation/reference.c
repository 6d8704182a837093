#include "config.h"

#include "evaluation/reference.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "evaluation/stream.h"

#define FINE 1000			  /* parts of a millisecond */
#define WEIGHTS_MAX ((size_t)4 * 1000 * 1000)
#define LOST_MAX 1e-5
#define POOL_MAX 10000000

struct reference {
	struct reference_config cfg;
	struct simulation *simulation;
	struct watch *watch;
	struct simulation_observer observers[3];
	struct stream stream; /* of the input */
	int64_t *own;		  /* of persons that send by themselves: the last time, fine */
	int64_t fine;		  /* the last message's time, in 1 / FINE ms */
	size_t round, in_round;	  /* REFERENCE_COUNTS */
	uint64_t messages;
	double *weights; /* of one pass */
	size_t pass;	 /* targets in it */
	uint32_t *seen;	 /* of persons: the last pass that met a packet of theirs */
	uint32_t passes;
	bool repeated; /* somebody had more than one: shares must be summed up by person */
};

/* ---- input ---- */

static int64_t
draw_interval(struct reference *r, double mean_ms)
{
	return rng_exponential_long(&r->stream.rng, (int64_t)(mean_ms * FINE + 0.5));
}

static int64_t
next_count(struct reference *r)
{
	while (r->round < r->cfg.count_count && r->in_round == r->cfg.counts[r->round]) {
		r->round++;
		r->in_round = 0;
	}
	if (r->round >= r->cfg.count_count)
		return INT64_MAX;
	r->in_round++;
	return (int64_t)r->round * REFERENCE_ROUND_MS + (int64_t)r->in_round;
}

/* Time counted in the first halves of waves only, on the clock. */
static int64_t
on_wave(const struct reference *r, int64_t ms)
{
	int64_t half = r->cfg.wave_ms / 2;

	return ms / half * r->cfg.wave_ms + ms % half;
}

static int64_t
next_own(struct reference *r, uint32_t person)
{
	r->own[person] += draw_interval(r, r->cfg.interval_ms * r->cfg.persons);
	return r->own[person] / FINE;
}

/* The payload of a labelled sender; the first of its times is a phase of its own. */
static int64_t
next_payload(struct reference *r, uint32_t person)
{
	if (person >= r->cfg.labels)
		return INT64_MAX;
	r->own[person] += r->own[person] > 0 ? r->cfg.payload_ms :
					       rng_between(&r->stream.rng, 1, r->cfg.payload_ms);
	return r->own[person];
}

static int64_t
next_message(void *arg, uint32_t person, int64_t at_ms, uint64_t *message)
{
	struct reference *r = arg;

	(void)at_ms;
	*message = r->messages++;
	switch (r->cfg.input) {
	case REFERENCE_EVEN:
		r->fine += (int64_t)(r->cfg.interval_ms * FINE + 0.5);
		break;
	case REFERENCE_POISSON:
		r->fine += draw_interval(r, r->cfg.interval_ms);
		break;
	case REFERENCE_WAVE:
		r->fine += draw_interval(r, r->cfg.interval_ms / 2);
		return on_wave(r, r->fine / FINE);
	case REFERENCE_COUNTS:
		return next_count(r);
	case REFERENCE_OWN:
		return next_own(r, person);
	case REFERENCE_LABELS:
		return next_payload(r, person);
	}
	return r->fine / FINE;
}

/* After the adversary's own view of it: a labelled sender's payload has a name of its own. */
static void
on_sent(void *arg, int64_t at_ms, uint32_t handle)
{
	const struct reference *r = arg;
	struct token *t = simulation_token(r->simulation, handle);

	(void)at_ms;
	if (t->kind == TOKEN_REAL)
		t->origin = VIEW_PERSONS + r->cfg.persons - r->cfg.labels + t->person;
}

/* ---- life ---- */

static enum err
set_params(struct params *p, const struct reference_config *cfg)
{
	struct diag d;

	params_default(p);
	if (cfg->layers < 1 || cfg->layers > PARAMS_LAYERS_MAX)
		return ERR_RANGE;
	p->layers = (uint8_t)cfg->layers;
	p->round_ms = REFERENCE_ROUND_MS;
	p->pool_max = POOL_MAX;
	for (unsigned i = 0; i < cfg->layers; i++) {
		char key[PARAMS_KEY_BYTES];
		enum err e;

		(void)snprintf(key, sizeof(key), "strategy.%u", i);
		e = params_set(p, key, cfg->strategy, &d);
		if (e != ERR_OK)
			return e;
		p->mixes[i] = (uint16_t)cfg->width;
	}
	return ERR_OK;
}

static enum err
make_parts(struct reference *r)
{
	struct simulation_config c = { .persons = r->cfg.persons, .law = SENDING_AT_ONCE,
		.seed = r->cfg.seed, .traffic = { .next = next_message, .arg = r } };
	enum err e = set_params(&c.params, &r->cfg);

	if (e == ERR_OK)
		e = watch_new(&r->watch, (size_t)r->cfg.layers * r->cfg.width, r->cfg.persons,
		    r->cfg.corrupt);
	if (e != ERR_OK)
		return e;
	watch_observer(r->watch, &r->observers[0]);
	c.observers = r->observers;
	c.observer_count = 1;
	if (r->cfg.input == REFERENCE_LABELS) {
		uint32_t senders = r->cfg.persons - r->cfg.labels;

		c.persons = senders;
		c.law = SENDING_POISSON;
		c.params.slot_ms = (int64_t)(r->cfg.interval_ms * senders + 0.5);
		c.params.note_one_in = 0;
		r->observers[c.observer_count++] =
		    (struct simulation_observer){ .sent = on_sent, .arg = r };
	}
	if (r->cfg.observer != NULL)
		r->observers[c.observer_count++] = *r->cfg.observer;
	e = simulation_new(&r->simulation, &c);
	if (e == ERR_OK)
		watch_begin(r->watch, r->simulation);
	return e;
}

enum err
reference_new(struct reference **out, const struct reference_config *cfg)
{
	struct reference *r = calloc(1, sizeof(*r));
	enum err e;

	if (r == NULL)
		return ERR_MEMORY;
	r->cfg = *cfg;
	stream_init(&r->stream, ~cfg->seed, 0);
	r->pass = WEIGHTS_MAX / cfg->persons;
	if (r->pass > VIEW_TARGETS)
		r->pass = VIEW_TARGETS;
	if (r->pass < 1)
		r->pass = 1;
	r->weights = calloc(r->pass * cfg->persons, sizeof(*r->weights));
	r->own = calloc(cfg->persons, sizeof(*r->own));
	r->seen = calloc(cfg->persons, sizeof(*r->seen));
	e = r->weights != NULL && r->own != NULL && r->seen != NULL ? make_parts(r) : ERR_MEMORY;
	if (e != ERR_OK) {
		reference_free(r);
		return e;
	}
	*out = r;
	return ERR_OK;
}

void
reference_free(struct reference *r)
{
	if (r == NULL)
		return;
	simulation_free(r->simulation);
	watch_free(r->watch);
	free(r->weights);
	free(r->own);
	free(r->seen);
	free(r);
}

enum err
reference_run(struct reference *r, int64_t for_ms)
{
	return simulation_run(r->simulation, simulation_now(r->simulation) + for_ms);
}

void
reference_forget(struct reference *r)
{
	watch_forget(r->watch);
}

struct simulation *
reference_simulation(struct reference *r)
{
	return r->simulation;
}

const struct view *
reference_view(const struct reference *r)
{
	return watch_view(r->watch);
}

const struct watch_exit *
reference_exits(const struct reference *r, size_t *n)
{
	return watch_exits(r->watch, n);
}

/* ---- what the adversary knows ---- */

enum err
reference_posterior(struct reference *r, double *weights, const size_t *exits, size_t n)
{
	uint32_t numbers[VIEW_TARGETS];
	double lost[VIEW_TARGETS];
	const struct watch_exit *all;
	size_t count;
	enum err e;

	all = watch_exits(r->watch, &count);
	if (n > VIEW_TARGETS)
		return ERR_RANGE;
	for (size_t i = 0; i < n; i++)
		numbers[i] = all[exits[i]].exit;
	e = view_senders(watch_view(r->watch), weights, lost, numbers, n);
	for (size_t i = 0; i < n && e == ERR_OK; i++)
		if (lost[i] > LOST_MAX)
			e = ERR_RANGE;
	return e;
}

enum err
reference_metrics(struct reference *r, struct metrics *out, const size_t *exits, size_t n)
{
	enum err e = ERR_OK;

	for (size_t done = 0; done < n && e == ERR_OK; done += r->pass) {
		size_t some = n - done < r->pass ? n - done : r->pass;

		e = reference_posterior(r, r->weights, exits + done, some);
		for (size_t i = 0; i < some && e == ERR_OK; i++)
			e = metrics_of(&out[done + i], r->weights + i * r->cfg.persons,
			    r->cfg.persons, r->cfg.persons);
	}
	return e;
}

/* Entropies of targets, packet by packet, as long as no person has two of them. */
struct each {
	struct reference *reference;
	double sum[VIEW_TARGETS], logs[VIEW_TARGETS];
	size_t n;
};

static void
add_packet(void *arg, size_t position, uint32_t person, const double *shares)
{
	struct each *each = arg;
	struct reference *r = each->reference;

	(void)position;
	if (r->seen[person] == r->passes)
		r->repeated = true;
	r->seen[person] = r->passes;
	for (size_t t = 0; t < each->n && !r->repeated; t++) {
		if (shares[t] <= 0)
			continue;
		each->sum[t] += shares[t];
		each->logs[t] += shares[t] * log2(shares[t]);
	}
}

/* At most VIEW_TARGETS. What is in `entropy` counts unless r->repeated. */
static enum err
entropy_by_packet(struct reference *r, double *entropy, const size_t *exits, size_t n)
{
	struct each each = { .reference = r, .n = n };
	uint32_t numbers[VIEW_TARGETS];
	size_t count;
	const struct watch_exit *all = watch_exits(r->watch, &count);
	enum err e;

	for (size_t i = 0; i < n; i++)
		numbers[i] = all[exits[i]].exit;
	r->passes++;
	e = view_packets_of(watch_view(r->watch), numbers, n, add_packet, &each);
	for (size_t i = 0; i < n && e == ERR_OK && !r->repeated; i++) {
		if (each.sum[i] < 1 - LOST_MAX)
			return ERR_RANGE;
		entropy[i] = fmax(log2(each.sum[i]) - each.logs[i] / each.sum[i], 0);
	}
	return e;
}

static enum err
entropy_by_person(struct reference *r, double *entropy, const size_t *exits, size_t n)
{
	enum err e = reference_posterior(r, r->weights, exits, n);

	for (size_t i = 0; i < n && e == ERR_OK; i++)
		e = metrics_shannon(&entropy[i], r->weights + i * r->cfg.persons, r->cfg.persons);
	return e;
}

enum err
reference_entropy(struct reference *r, double *entropy, const size_t *exits, size_t n)
{
	enum err e = ERR_OK;

	for (size_t done = 0; done < n && e == ERR_OK;) {
		bool summed = r->repeated;
		size_t most = summed ? r->pass : VIEW_TARGETS;
		size_t some = n - done < most ? n - done : most;

		if (summed)
			e = entropy_by_person(r, entropy + done, exits + done, some);
		else
			e = entropy_by_packet(r, entropy + done, exits + done, some);
		if (summed || !r->repeated) /* else again, summed up */
			done += some;
	}
	return e;
}

struct forward {
	double *entropy;
	size_t n;
};

static void
add_exit(void *arg, uint32_t exit, const double *shares)
{
	const struct forward *f = arg;

	(void)exit;
	for (size_t i = 0; i < f->n; i++)
		if (shares[i] > 0)
			f->entropy[i] -= shares[i] * log2(shares[i]);
}

enum err
reference_forward(struct reference *r, double *entropy, const size_t *exits, size_t n)
{
	const struct watch_exit *all;
	size_t count;
	enum err e = ERR_OK;

	all = watch_exits(r->watch, &count);
	memset(entropy, 0, n * sizeof(*entropy));
	for (size_t done = 0; done < n && e == ERR_OK; done += VIEW_TARGETS) {
		struct forward f = { entropy + done, n - done };
		size_t positions[VIEW_TARGETS];
		double lost[VIEW_TARGETS];

		if (f.n > VIEW_TARGETS)
			f.n = VIEW_TARGETS;
		for (size_t i = 0; i < f.n; i++)
			positions[i] = all[exits[done + i]].position;
		e = view_exits_of(watch_view(r->watch), lost, positions, f.n, add_exit, &f);
		for (size_t i = 0; i < f.n && e == ERR_OK; i++)
			if (lost[i] > LOST_MAX)
				e = ERR_RANGE;
	}
	return e;
}

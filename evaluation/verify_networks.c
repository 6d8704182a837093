/* Networks and corrupt mixes: groups 2.8 to 2.10 and 2.14 of the references. */
#include "config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "evaluation/closed.h"
#include "evaluation/verify_parts.h"

#define TARGETS VIEW_TARGETS
#define MEAN_MS ((int64_t)REFERENCE_DELAY_MS)
#define LAST_HONEST 0x80 /* of the hops: the last one is */
#define CHUNK 256 /* targets between two times of forgetting */
#define MESSAGES_SPAN 4000 /* over which they are spread, if that is not too long */
#define NODES_MAX 192

/*
 * What a network of stop-and-go mixes remembers, but for 1e-6; where few packets are
 * together in a mix, one that has been there for long can be much of them.
 */
static int64_t
memory_ms(const struct verify_setup *s)
{
	int64_t means = 14 + 2 * (int64_t)s->layers;

	return (s->load < 16 * s->width ? 2 * means : means) * MEAN_MS;
}

/* ---- how much of each path is honest, as an observer ---- */

struct paths {
	struct simulation *simulation;
	unsigned width, layers;
	bool corrupt[NODES_MAX];
	uint8_t *honest; /* hops of each exit since the last forgetting; LAST_HONEST */
	size_t n, room;
	size_t open; /* exits whose sender was never hidden */
};

static void
on_exited(void *arg, int64_t at_ms, uint32_t handle)
{
	struct paths *p = arg;
	const struct token *t = simulation_token(p->simulation, handle);
	uint8_t honest = 0;

	(void)at_ms;
	if (p->n == p->room) {
		size_t room = p->room > 0 ? 2 * p->room : 4096;
		uint8_t *more = realloc(p->honest, room);

		if (more == NULL) {
			simulation_fail(p->simulation, ERR_MEMORY);
			return;
		}
		p->honest = more;
		p->room = room;
	}
	for (unsigned i = 0; i < p->layers; i++)
		if (!p->corrupt[i * p->width + t->path[i]])
			honest = (uint8_t)(honest + (i + 1 < p->layers ? 1 : 1 + LAST_HONEST));
	p->honest[p->n++] = honest;
	if (t->origin >= VIEW_PERSONS)
		p->open++;
}

/* A network with its observer. */
struct lab {
	struct reference_config cfg;
	struct reference *reference;
	struct simulation_observer observer;
	struct paths paths;
};

static enum err
lab_open(struct lab *l, const struct verify_setup *s, uint32_t persons, uint64_t seed)
{
	enum err e;

	if (s->layers * s->width > NODES_MAX)
		return ERR_RANGE;
	l->paths.layers = s->layers;
	l->paths.width = s->width;
	l->observer = (struct simulation_observer){ .exited = on_exited, .arg = &l->paths };
	l->cfg = (struct reference_config){ .strategy = s->strategy, .layers = s->layers,
		.width = s->width, .input = REFERENCE_POISSON,
		.interval_ms = (double)MEAN_MS / s->load, .persons = persons, .seed = seed,
		.corrupt = l->paths.corrupt, .observer = &l->observer };
	e = reference_new(&l->reference, &l->cfg);
	if (e == ERR_OK)
		l->paths.simulation = reference_simulation(l->reference);
	return e;
}

static void
lab_close(struct lab *l)
{
	reference_free(l->reference);
	l->reference = NULL;
	free(l->paths.honest);
	l->paths.honest = NULL;
	l->paths.n = l->paths.room = 0;
}

static void
lab_forget(struct lab *l)
{
	reference_forget(l->reference);
	l->paths.n = 0;
}

/* As many persons as there are messages in what a network remembers and `spans` mean delays. */
static uint32_t
persons_for(const struct verify_setup *s, double spans)
{
	double remembered = (double)memory_ms(s) / MEAN_MS;

	return (uint32_t)((remembered + spans) * s->load * 1.2) + 200;
}

/* ---- entropy, by how many hops of the path are honest ---- */

static uint8_t
hops(const struct lab *l, size_t exit)
{
	return l->paths.honest[exit] & (LAST_HONEST - 1);
}

/*
 * Up to `most` exits that left after after_ms and have so many honest hops, evenly
 * spread over them.
 */
static size_t
choose(size_t *out, const struct lab *l, int64_t after_ms, uint8_t honest, size_t most)
{
	size_t n, count = 0, taken = 0, seen = 0;
	const struct watch_exit *x = reference_exits(l->reference, &n);

	for (size_t i = 0; i < n; i++)
		count += x[i].exited_ms > after_ms && hops(l, i) == honest ? 1 : 0;
	if (most > count)
		most = count;
	for (size_t i = 0; i < n && taken < most; i++) {
		if (x[i].exited_ms <= after_ms || hops(l, i) != honest)
			continue;
		if (seen++ * most >= taken * count)
			out[taken++] = i;
	}
	return taken;
}

static enum err
sample_honest(struct lab *l, struct verify_list *h, int64_t after_ms, uint8_t honest, size_t most)
{
	size_t exits[CHUNK], n = choose(exits, l, after_ms, honest, most < CHUNK ? most : CHUNK);
	double entropy[CHUNK];
	enum err e = reference_entropy(l->reference, entropy, exits, n);

	for (size_t i = 0; i < n && e == ERR_OK; i++)
		e = verify_add(h, entropy[i]);
	return e;
}

/* P(so many of the hops are honest). */
static double
share_of(const struct verify_setup *s, unsigned honest)
{
	double bad = (double)s->corrupt / s->width, p = 1;

	for (unsigned i = 0; i < honest; i++)
		p *= (1 - bad) * (double)(s->layers - i) / (double)(i + 1);
	for (unsigned i = honest; i < s->layers; i++)
		p *= bad;
	return p;
}

/*
 * The mean over messages, put together from those with 1, 2, ... honest hops by the
 * exact probability of these: what differs most between messages is not left to chance.
 */
static enum err
put_together(struct verify_outcome *out, const struct verify_setup *s,
    const struct verify_list by[static PARAMS_LAYERS_MAX + 1])
{
	double mean = 0, variance = 0;
	enum err e = ERR_OK;

	for (unsigned k = 0; k <= s->layers && e == ERR_OK; k++) {
		struct verify_outcome one = { 0 };
		double p = share_of(s, k);

		if (k > 0 && p <= 0)
			continue;
		if (k == 0) { /* nothing is hidden, and that is not a matter of chance */
			for (size_t i = 0; i < by[0].n; i++)
				e = by[0].v[i] > 0 ? ERR_RANGE : e;
			continue;
		}
		e = verify_mean(&one, VERIFY_ENTROPY, &by[k]);
		mean += p * one.of[VERIFY_ENTROPY][0].value;
		variance += p * p * one.of[VERIFY_ENTROPY][0].error * one.of[VERIFY_ENTROPY][0].error;
	}
	if (e == ERR_OK)
		verify_set(out, VERIFY_ENTROPY, 0, mean, sqrt(variance));
	return e;
}

static enum err
sample_chunk(struct lab *l, struct verify_list by[static PARAMS_LAYERS_MAX + 1],
    const struct verify_setup *s, int64_t span_ms)
{
	int64_t start = simulation_now(reference_simulation(l->reference));
	enum err e;

	lab_forget(l);
	e = reference_run(l->reference, memory_ms(s) + span_ms);
	for (unsigned k = 0; k <= s->layers && e == ERR_OK; k++)
		if (s->corrupt > 0 || k == s->layers)
			e = sample_honest(l, &by[k], start + memory_ms(s), (uint8_t)k,
			    s->corrupt > 0 ? CHUNK / s->layers : s->samples);
	return e;
}

/* load (of all mixes together, in a mean delay), layers, width, corrupt, samples. */
enum err
verify_stratified(struct verify_outcome *out, const struct verify_setup *s, uint64_t seed)
{
	struct verify_list by[PARAMS_LAYERS_MAX + 1] = { { 0 } };
	double spans = s->load < MESSAGES_SPAN ? MESSAGES_SPAN / s->load : 1;
	struct lab l = { 0 };
	enum err e;

	if (spans > 64)
		spans = 64;
	for (unsigned i = 0; i < s->layers * s->width; i++)
		l.paths.corrupt[i] = i % s->width < s->corrupt;
	e = lab_open(&l, s, persons_for(s, spans), seed);
	for (size_t done = 0; done < s->samples && e == ERR_OK; done += CHUNK)
		e = sample_chunk(&l, by, s, (int64_t)(spans * MEAN_MS));
	if (e == ERR_OK)
		e = put_together(out, s, by);
	if (e == ERR_OK)
		verify_widen(out, VERIFY_ENTROPY, verify_common_error(s->load * (spans + 1) *
		    (double)((s->samples + CHUNK - 1) / CHUNK)));
	for (unsigned k = 0; k <= s->layers; k++)
		verify_list_release(&by[k]);
	lab_close(&l);
	return e;
}

/* ---- both ways ---- */

struct both {
	const struct watch_exit *all;
	const size_t *exits;
	const double *back;
	size_t n, persons;
	double greatest;
	size_t compared;
};

static void
compare(void *arg, uint32_t exit, const double *shares)
{
	struct both *b = arg;

	for (size_t j = 0; j < b->n; j++) {
		if (b->all[b->exits[j]].exit != exit)
			continue;
		for (size_t i = 0; i < b->n; i++) {
			uint32_t person = b->all[b->exits[i]].person;
			double back = b->back[j * b->persons + person];

			b->greatest = fmax(b->greatest, fabs(shares[i] - back));
			b->compared += back > 0;
		}
	}
}

/*
 * The greatest difference between the share that an exit has of a packet, forward, and
 * the one that the packet has of the exit, backward, over all pairs of 64.
 */
enum err
verify_two_ways(struct verify_outcome *out, const struct verify_setup *s, uint64_t seed)
{
	uint32_t persons = persons_for(s, 40);
	double *back = calloc((size_t)TARGETS * persons, sizeof(*back)), lost[TARGETS];
	size_t exits[TARGETS], positions[TARGETS];
	struct both b = { .exits = exits, .back = back, .persons = persons, .n = TARGETS };
	struct lab l = { 0 };
	enum err e = back != NULL ? lab_open(&l, s, persons, seed) : ERR_MEMORY;
	size_t n = 0;

	if (e == ERR_OK)
		e = reference_run(l.reference, 2 * memory_ms(s));
	if (e == ERR_OK) {
		b.all = reference_exits(l.reference, &n);
		for (size_t i = 0; i < TARGETS; i++)
			exits[i] = n / 2 + i;
		e = n / 2 > TARGETS ? reference_posterior(l.reference, back, exits, TARGETS) :
				      ERR_RANGE;
	}
	for (size_t i = 0; i < TARGETS && e == ERR_OK; i++)
		positions[i] = b.all[exits[i]].position;
	if (e == ERR_OK)
		e = view_exits_of(reference_view(l.reference), lost, positions, TARGETS, compare, &b);
	if (e == ERR_OK && b.compared < TARGETS)
		e = ERR_RANGE;
	if (e == ERR_OK)
		verify_set(out, VERIFY_DIFFERENCE, 0, b.greatest, 0);
	free(back);
	lab_close(&l);
	return e;
}

/* ---- delays ---- */

/* layers, load, samples (messages); in units of x, the mean delay of one mix. */
enum err
verify_delays(struct verify_outcome *out, const struct verify_setup *s, uint64_t seed)
{
	struct verify_list delays = { 0 };
	struct lab l = { 0 };
	enum err e = lab_open(&l, s, 1, seed);

	if (e == ERR_OK)
		e = reference_run(l.reference, memory_ms(s));
	while (delays.n < s->samples && e == ERR_OK) {
		const struct watch_exit *all;
		size_t n;

		lab_forget(&l);
		e = reference_run(l.reference, 10 * MEAN_MS);
		all = reference_exits(l.reference, &n);
		for (size_t i = 0; i < n && e == ERR_OK; i++)
			e = verify_add(&delays,
			    s->x * (double)(all[i].exited_ms - all[i].sent_ms) / MEAN_MS);
	}
	if (e == ERR_OK)
		e = verify_mean(out, VERIFY_DELAY, &delays);
	if (e == ERR_OK)
		e = verify_variance(out, &delays);
	verify_list_release(&delays);
	lab_close(&l);
	return e;
}

/* ---- labels of two senders (Loopix) ---- */

#define SENDERS 100
#define COVER_RATE 2 /* packets of a sender in a unit of time */

/* Mark n of the nodes, drawn without repetition, but not all of the last layer. */
static void
draw_corrupt(bool *corrupt, size_t width, size_t layers, size_t n, const struct rng *r)
{
	size_t nodes = width * layers, last;

	do {
		for (size_t i = 0; i < nodes; i++)
			corrupt[i] = i < n;
		rng_shuffle(r, corrupt, nodes, sizeof(corrupt[0]));
		last = 0;
		for (size_t i = nodes - width; i < nodes; i++)
			last += corrupt[i] ? 1 : 0;
	} while (last == width);
}

/* Exits of honest mixes after a burn-in, evenly spread. */
static enum err
choose_honest(size_t exits[static TARGETS], const struct lab *l, int64_t after_ms)
{
	size_t n, from = 0;
	const struct watch_exit *all = reference_exits(l->reference, &n);

	while (from < n && all[from].exited_ms <= after_ms)
		from++;
	for (size_t i = 0; i < TARGETS; i++) {
		size_t x = from + i * (n - from) / TARGETS;

		while (x < n && (l->paths.honest[x] & LAST_HONEST) == 0)
			x++;
		if (x >= n)
			return ERR_RANGE;
		exits[i] = x;
	}
	return ERR_OK;
}

/* |ln(p0 / p1)| of them; those that only one of the two may have sent do not count. */
static enum err
add_epsilons(struct lab *l, struct verify_list *eps, int64_t after_ms)
{
	double weights[TARGETS * (SENDERS + 2)];
	size_t exits[TARGETS];
	enum err e = choose_honest(exits, l, after_ms);

	if (e == ERR_OK)
		e = reference_posterior(l->reference, weights, exits, TARGETS);
	for (size_t i = 0; i < TARGETS && e == ERR_OK; i++) {
		const double *p = weights + i * (SENDERS + 2) + SENDERS;

		if (p[0] > 0 && p[1] > 0)
			e = verify_add(eps, fabs(log(p[0] / p[1])));
	}
	return e;
}

/* One repetition: y mean delays after the burn-in. */
static enum err
repeat_labels(struct lab *l, struct verify_list *eps, const struct verify_setup *s)
{
	int64_t burn_in_ms = memory_ms(s);
	enum err e;

	l->cfg.observer = &l->observer;
	l->observer = (struct simulation_observer){ .exited = on_exited, .arg = &l->paths };
	e = reference_new(&l->reference, &l->cfg);
	if (e == ERR_OK) {
		l->paths.simulation = reference_simulation(l->reference);
		e = reference_run(l->reference, burn_in_ms + (int64_t)(s->y * MEAN_MS));
	}
	if (e == ERR_OK)
		e = add_epsilons(l, eps, burn_in_ms);
	lab_close(l);
	return e;
}

/*
 * x: 1 / mean delay of a mix, in units of time; y mean delays are looked at. SENDERS
 * that send independently, two of which have a payload in every unit. corrupt: of all
 * mixes together, drawn anew for each of the samples / 64 repetitions; of the last
 * layer, honest mixes are looked at.
 */
enum err
verify_labels(struct verify_outcome *out, const struct verify_setup *s, uint64_t seed)
{
	double unit_ms = s->x * MEAN_MS;
	struct verify_setup own = *s; /* with its load, by which memory goes */
	struct verify_list eps = { 0 };
	struct lab l = { .paths = { .layers = s->layers, .width = s->width } };
	struct rng_seeded rng;
	enum err e = ERR_OK;

	own.load = SENDERS * COVER_RATE / s->x;
	rng_seeded_init(&rng, seed);
	l.cfg = (struct reference_config){ .strategy = s->strategy, .layers = s->layers,
		.width = s->width, .input = REFERENCE_LABELS, .persons = SENDERS + 2, .labels = 2,
		.interval_ms = unit_ms / (SENDERS * COVER_RATE), .payload_ms = (int64_t)unit_ms,
		.corrupt = l.paths.corrupt };
	for (size_t done = 0; done < s->samples && e == ERR_OK; done += TARGETS) {
		draw_corrupt(l.paths.corrupt, s->width, s->layers, s->corrupt, &rng.rng);
		l.cfg.seed = seed + 7 * done;
		e = repeat_labels(&l, &eps, &own);
	}
	if (e == ERR_OK)
		e = verify_mean(out, VERIFY_EPSILON, &eps);
	verify_list_release(&eps);
	return e;
}

/* ---- a cascade of which some are corrupt ---- */

#define CASCADE_MAX 2

/*
 * Add the posterior of one exit, with these of the mixes corrupt, to sum. The sender is
 * the same whichever are: what is drawn does not depend on who looks on.
 */
static enum err
add_posterior(double *sum, uint32_t *sender, const struct verify_setup *s, unsigned pattern,
    double factor, uint64_t seed)
{
	bool corrupt[CASCADE_MAX];
	struct reference_config cfg = { .strategy = s->strategy, .layers = s->layers, .width = 1,
		.input = REFERENCE_EVEN, .interval_ms = 1000, .persons = s->persons,
		.corrupt = corrupt, .seed = seed };
	size_t n, exit = (size_t)s->load;
	struct reference *r = NULL;
	double *p = calloc(s->persons, sizeof(*p));
	enum err e = p != NULL ? ERR_OK : ERR_MEMORY;

	for (unsigned i = 0; i < s->layers; i++)
		corrupt[i] = pattern >> i & 1;
	if (e == ERR_OK)
		e = reference_new(&r, &cfg);
	if (e == ERR_OK)
		e = reference_run(r, INT64_C(1000) * s->persons);
	if (e == ERR_OK)
		e = reference_posterior(r, p, &exit, 1);
	if (e == ERR_OK)
		*sender = reference_exits(r, &n)[exit].person;
	for (uint32_t i = 0; i < s->persons && e == ERR_OK; i++)
		sum[i] += factor * p[i];
	reference_free(r);
	free(p);
	return e;
}

/* The greatest share of anybody else. */
static double
other_share(const double *p, size_t n, size_t sender)
{
	double most = 0;

	for (size_t i = 0; i < n; i++)
		if (i != sender)
			most = fmax(most, p[i]);
	return most;
}

/*
 * layers, each corrupt with probability x: the adversary's posterior is the mixture over
 * which are. load: messages of a batch, and the place of the exit; persons send in turn.
 */
enum err
verify_cascade(struct verify_outcome *out, const struct verify_setup *s, uint64_t seed)
{
	double *sum = calloc(s->persons, sizeof(*sum));
	struct metrics m;
	uint32_t sender = 0;
	enum err e = sum != NULL && s->layers <= CASCADE_MAX ? ERR_OK : ERR_MEMORY;

	for (unsigned pattern = 0; pattern < 1u << s->layers && e == ERR_OK; pattern++) {
		double p = 1;

		for (unsigned i = 0; i < s->layers; i++)
			p *= pattern >> i & 1 ? s->x : 1 - s->x;
		e = add_posterior(sum, &sender, s, pattern, p, seed);
	}
	if (e == ERR_OK)
		e = metrics_of(&m, sum, s->persons, s->persons);
	if (e == ERR_OK) {
		verify_set(out, VERIFY_ENTROPY, 0, m.shannon, 0);
		verify_set(out, VERIFY_SHARE, 0, sum[sender], 0);
		verify_set(out, VERIFY_OTHER_SHARE, 0, other_share(sum, s->persons, sender), 0);
	}
	free(sum);
	return e;
}

/* ---- paths without an honest mix ---- */

#define MESSAGES 1000 /* of each assignment */

/* y of the mixes are corrupt, drawn anew for each of the samples. */
enum err
verify_paths(struct verify_outcome *out, const struct verify_setup *s, uint64_t seed)
{
	struct verify_list shares = { 0 };
	struct rng_seeded rng;
	enum err e = ERR_OK;

	rng_seeded_init(&rng, seed);
	for (size_t i = 0; i < s->samples && e == ERR_OK; i++) {
		struct lab l = { 0 };

		draw_corrupt(l.paths.corrupt, s->width, s->layers, (size_t)s->y, &rng.rng);
		e = lab_open(&l, s, 1, seed + i);
		if (e == ERR_OK)
			e = reference_run(l.reference, (int64_t)(MESSAGES / s->load * MEAN_MS));
		if (e == ERR_OK && l.paths.n == 0)
			e = ERR_RANGE;
		if (e == ERR_OK)
			e = verify_add(&shares, (double)l.paths.open / (double)l.paths.n);
		lab_close(&l);
	}
	if (e == ERR_OK)
		e = verify_mean(out, VERIFY_SHARE, &shares);
	verify_list_release(&shares);
	return e;
}

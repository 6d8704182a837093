/* Pools that count rounds or packets, one mix of them: groups 2.1 to 2.6 of the references. */
#include "config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/charter/strategy.h"
#include "evaluation/closed.h"
#include "evaluation/stream.h"
#include "evaluation/verify_parts.h"
#include "mix/pool.h"

#define BATCHES VIEW_TARGETS /* whose entropy is computed between two times of forgetting */
#define MEMORY_LEFT 1e-9     /* share of a batch that is still in the pool: forgotten */
#define ROUND_MS ((int64_t)REFERENCE_ROUND_MS)

/* ---- what the mix does, as an observer ---- */

/* Delays in flushes beyond the first, and what stays behind. */
struct ledger {
	struct simulation *simulation;
	struct verify_list delays, kept, entropies; /* entropies: by the recursion */
	double *joined; /* of handles: flushes before the packet came */
	size_t room;
	double flushes, arrivals, entropy;
	bool counting;
};

static enum err
ledger_room(struct ledger *l, uint32_t handle)
{
	size_t room = l->room > 0 ? l->room : 1024;
	double *p;

	if (handle < l->room)
		return ERR_OK;
	while (room <= handle)
		room *= 2;
	p = realloc(l->joined, room * sizeof(*p));
	if (p == NULL)
		return ERR_MEMORY;
	l->joined = p;
	l->room = room;
	return ERR_OK;
}

static void
on_arrived(void *arg, int64_t at_ms, uint32_t node, uint32_t handle, size_t held)
{
	struct ledger *l = arg;

	(void)at_ms;
	(void)node;
	(void)held;
	if (ledger_room(l, handle) != ERR_OK) {
		simulation_fail(l->simulation, ERR_MEMORY);
		return;
	}
	l->joined[handle] = l->flushes;
	l->arrivals++;
}

static void
on_left(void *arg, int64_t at_ms, uint32_t node, const uint32_t *handles, size_t n, size_t held)
{
	struct ledger *l = arg;
	enum err e = ERR_OK;

	(void)at_ms;
	(void)node;
	l->entropy = closed_pool_round(l->entropy, (double)held - l->arrivals, l->arrivals);
	l->arrivals = 0;
	for (size_t i = 0; i < n && e == ERR_OK && l->counting; i++)
		e = verify_add(&l->delays, l->flushes - l->joined[handles[i]]);
	if (e == ERR_OK && l->counting)
		e = verify_add(&l->kept, (double)(held - n));
	if (e == ERR_OK && n > 0)
		e = verify_add(&l->entropies, l->entropy);
	l->flushes++;
	if (e != ERR_OK)
		simulation_fail(l->simulation, e);
}

static void
ledger_release(struct ledger *l)
{
	verify_list_release(&l->delays);
	verify_list_release(&l->kept);
	verify_list_release(&l->entropies);
	free(l->joined);
}

/* ---- batches ---- */

struct batch {
	size_t exit, size; /* the first exit of it */
	int64_t left_ms;
};

/* The batches that left after after_ms, at most `most`. */
static size_t
find_batches(struct batch *out, const struct reference *r, int64_t after_ms, size_t most)
{
	size_t n, count = 0;
	const struct watch_exit *x = reference_exits(r, &n);

	for (size_t i = 0; i < n; i++) {
		if (x[i].exited_ms <= after_ms)
			continue;
		if (count > 0 && out[count - 1].left_ms == x[i].exited_ms) {
			out[count - 1].size++;
			continue;
		}
		if (count == most)
			break;
		out[count++] = (struct batch){ i, 1, x[i].exited_ms };
	}
	return count;
}

/* All of a batch have the same posterior: one of each will do. */
static enum err
measure_batches(struct reference *r, struct metrics *out, const struct batch *b, size_t n)
{
	size_t exits[BATCHES];

	for (size_t i = 0; i < n; i++)
		exits[i] = b[i].exit;
	return n > 0 ? reference_metrics(r, out, exits, n) : ERR_OK;
}

/* Rounds after which a pool of this strategy has forgotten. In IEEE arithmetic alone. */
static size_t
memory_rounds(const struct strategy *s, double load)
{
	double share = load / strategy_pool(s, load, ROUND_MS), left = 1;
	size_t n = 0;

	for (; left > MEMORY_LEFT && n < 100000; n++)
		left *= 1 - share;
	return n > 3 ? n : 3;
}

/* One mix with its ledger. */
struct lab {
	struct reference_config cfg;
	struct reference *reference;
	struct simulation_observer observer;
	struct ledger ledger;
	struct strategy strategy;
	size_t memory; /* rounds */
};

static enum err
lab_open(struct lab *l, const struct verify_setup *s, enum reference_input input, uint64_t seed)
{
	struct diag d;
	enum err e;

	memset(l, 0, sizeof(*l));
	e = strategy_parse(&l->strategy, s->strategy, "strategy", &d);
	if (e != ERR_OK)
		return e;
	l->memory = memory_rounds(&l->strategy, s->load);
	l->observer =
	    (struct simulation_observer){ .arrived = on_arrived, .left = on_left, .arg = &l->ledger };
	l->cfg = (struct reference_config){ .strategy = s->strategy, .layers = 1, .width = 1,
		.input = input, .interval_ms = (double)ROUND_MS / s->load, .seed = seed,
		.counts = s->counts, .count_count = s->count_count, .observer = &l->observer };
	l->cfg.persons = s->persons > 0 ? s->persons :
		(uint32_t)((double)(l->memory + 32) * s->load * 1.4) + 200;
	e = reference_new(&l->reference, &l->cfg);
	if (e == ERR_OK)
		l->ledger.simulation = reference_simulation(l->reference);
	return e;
}

static void
lab_close(struct lab *l)
{
	reference_free(l->reference);
	ledger_release(&l->ledger);
}

/* ---- rounds with random input ---- */

struct entropies {
	struct verify_list of, sizes; /* of batches */
};

/* BATCHES rounds more, after as many as the pool remembers. */
static enum err
sample_rounds(struct lab *l, struct entropies *h)
{
	double entropy[BATCHES];
	size_t exits[BATCHES];
	struct batch b[BATCHES];
	int64_t start = simulation_now(reference_simulation(l->reference));
	int64_t memory_ms = (int64_t)l->memory * ROUND_MS;
	enum err e;
	size_t n = 0;

	reference_forget(l->reference);
	e = reference_run(l->reference, memory_ms + BATCHES * ROUND_MS);
	l->ledger.counting = true;
	if (e == ERR_OK) {
		n = find_batches(b, l->reference, start + memory_ms, BATCHES);
		for (size_t i = 0; i < n; i++) /* all of a batch are alike */
			exits[i] = b[i].exit;
		e = reference_entropy(l->reference, entropy, exits, n);
	}
	for (size_t i = 0; i < n && e == ERR_OK; i++) {
		e = verify_add(&h->of, entropy[i]);
		if (e == ERR_OK)
			e = verify_add(&h->sizes, (double)b[i].size);
	}
	return e;
}

/* strategy, load, samples (rounds), persons (0: each message its own). */
static enum err
sampled_rounds(struct verify_outcome *out, const struct verify_setup *s,
    enum reference_input input, uint64_t seed)
{
	struct entropies h = { 0 };
	struct lab l;
	enum err e = lab_open(&l, s, input, seed);

	for (size_t done = 0; done < s->samples && e == ERR_OK; done += BATCHES)
		e = sample_rounds(&l, &h);
	if (e == ERR_OK)
		e = verify_weighted(out, VERIFY_ENTROPY, &h.of, &h.sizes);
	if (e == ERR_OK)
		e = verify_mean(out, VERIFY_BATCH_ENTROPY, &h.of);
	if (e == ERR_OK)
		e = verify_mean(out, VERIFY_DELAY, &l.ledger.delays);
	if (e == ERR_OK)
		e = verify_variance(out, &l.ledger.delays);
	if (e == ERR_OK)
		e = verify_mean(out, VERIFY_KEPT, &l.ledger.kept);
	verify_list_release(&h.of);
	verify_list_release(&h.sizes);
	lab_close(&l);
	return e;
}

enum err
verify_rounds(struct verify_outcome *out, const struct verify_setup *s, uint64_t seed)
{
	return sampled_rounds(out, s, REFERENCE_POISSON, seed);
}

/* persons that send alike: what is left of the entropy of messages. */
enum err
verify_users(struct verify_outcome *out, const struct verify_setup *s, uint64_t seed)
{
	return sampled_rounds(out, s, REFERENCE_OWN, seed);
}

/* ---- threshold pools: a message at a time ---- */

/* strategy, samples (batches); load is the threshold. */
enum err
verify_threshold_pool(struct verify_outcome *out, const struct verify_setup *s, uint64_t seed)
{
	struct metrics m;
	struct batch b;
	struct lab l;
	enum err e = lab_open(&l, s, REFERENCE_EVEN, seed);
	int64_t memory_ms = (int64_t)l.memory * ROUND_MS;

	if (e == ERR_OK)
		e = reference_run(l.reference, 2 * memory_ms + 4 * ROUND_MS);
	if (e == ERR_OK)
		e = find_batches(&b, l.reference, 2 * memory_ms, 1) == 1 ?
		    measure_batches(l.reference, &m, &b, 1) :
		    ERR_RANGE;
	l.ledger.counting = true;
	for (size_t i = 0; i < s->samples && e == ERR_OK; i += BATCHES) {
		reference_forget(l.reference);
		e = reference_run(l.reference, BATCHES * ROUND_MS);
	}
	if (e == ERR_OK)
		e = verify_mean(out, VERIFY_DELAY, &l.ledger.delays);
	if (e == ERR_OK)
		e = verify_variance(out, &l.ledger.delays);
	if (e == ERR_OK) {
		verify_set(out, VERIFY_ENTROPY, 0, m.shannon, 0);
		verify_set(out, VERIFY_MIN_ENTROPY, 0, m.min_entropy, 0);
		verify_set(out, VERIFY_CLOSED, 0,
		    closed_threshold_pool(l.strategy.threshold, l.strategy.pool_min), 0);
	}
	lab_close(&l);
	return e;
}

/* ---- given arrivals ---- */

static void
set_batches(struct verify_outcome *out, const struct batch *b, const struct metrics *m, size_t n,
    int64_t first_ms)
{
	double sum = 0, messages = 0;

	for (unsigned i = 0; i < VERIFY_INDEXES; i++)
		verify_set(out, VERIFY_SENT, i, 0, 0);
	for (size_t i = 0; i < n; i++) {
		unsigned round = (unsigned)((b[i].left_ms - first_ms) / ROUND_MS);

		if (round >= VERIFY_INDEXES - 1)
			continue;
		verify_set(out, VERIFY_SENT, round, (double)b[i].size, 0);
		verify_set(out, VERIFY_ENTROPY, round, m[i].shannon, 0);
		verify_set(out, VERIFY_MIN_ENTROPY, round, m[i].min_entropy, 0);
		sum += m[i].shannon * (double)b[i].size;
		messages += (double)b[i].size;
	}
	if (messages > 0)
		verify_set(out, VERIFY_ENTROPY, VERIFY_INDEXES - 1, sum / messages, 0);
}

/*
 * counts: what arrives in each round; x rounds at the start fill the pool and are not
 * reported. The last index of the entropy is the mean over messages.
 */
enum err
verify_trace(struct verify_outcome *out, const struct verify_setup *s, uint64_t seed)
{
	struct metrics m[VERIFY_INDEXES];
	struct batch b[VERIFY_INDEXES];
	struct lab l;
	enum err e = lab_open(&l, s, REFERENCE_COUNTS, seed);
	size_t n = 0;

	if (e == ERR_OK)
		e = reference_run(l.reference, s->count_count * ROUND_MS + 1);
	if (e == ERR_OK) {
		n = find_batches(b, l.reference, 0, VERIFY_INDEXES);
		e = measure_batches(l.reference, m, b, n);
	}
	if (e == ERR_OK)
		set_batches(out, b, m, n, (int64_t)(1 + s->x) * ROUND_MS);
	lab_close(&l);
	return e;
}

/* A pool that starts with messages of their own senders: the first batches of an even input. */
enum err
verify_startup(struct verify_outcome *out, const struct verify_setup *s, uint64_t seed)
{
	struct metrics m[VERIFY_INDEXES];
	struct batch b[VERIFY_INDEXES];
	struct lab l;
	enum err e = lab_open(&l, s, REFERENCE_EVEN, seed);
	size_t n = 0;

	if (e == ERR_OK)
		e = reference_run(l.reference, (VERIFY_INDEXES + 1) * ROUND_MS);
	if (e == ERR_OK) {
		n = find_batches(b, l.reference, 0, VERIFY_INDEXES);
		e = measure_batches(l.reference, m, b, n);
	}
	for (size_t i = 0; i < n && e == ERR_OK; i++)
		verify_set(out, VERIFY_ENTROPY, (unsigned)i, m[i].shannon, 0);
	lab_close(&l);
	return e;
}

/* ---- the recursion, held against the view ---- */

/* The greatest difference between the view's entropy and the recursion's, over batches. */
enum err
verify_recursion(struct verify_outcome *out, const struct verify_setup *s, uint64_t seed)
{
	struct metrics m[BATCHES];
	struct batch b[BATCHES];
	double greatest = 0;
	struct lab l;
	enum err e = lab_open(&l, s, REFERENCE_POISSON, seed);
	size_t n = 0;

	if (e == ERR_OK)
		e = reference_run(l.reference, BATCHES * ROUND_MS / 2);
	if (e == ERR_OK) {
		n = find_batches(b, l.reference, 0, BATCHES);
		e = measure_batches(l.reference, m, b, n);
	}
	if (e == ERR_OK && (n < 8 || n > l.ledger.entropies.n))
		e = ERR_RANGE;
	for (size_t i = 0; i < n && e == ERR_OK; i++)
		greatest = fmax(greatest, fabs(m[i].shannon - l.ledger.entropies.v[i]));
	if (e == ERR_OK)
		verify_set(out, VERIFY_DIFFERENCE, 0, greatest, 0);
	lab_close(&l);
	return e;
}

/* ---- many rounds ---- */

/* Draws of a Poisson distribution from a table, which is made in IEEE arithmetic alone. */
struct poisson {
	double *below; /* below[i]: P(at most i) */
	size_t n;
};

static enum err
poisson_init(struct poisson *p, double mean)
{
	size_t mode = (size_t)mean;
	double v = 1, sum = 0;

	p->n = 2 * mode + 60;
	p->below = calloc(p->n, sizeof(*p->below));
	if (p->below == NULL)
		return ERR_MEMORY;
	for (size_t i = mode; i < p->n; i++) {
		p->below[i] = v;
		v *= mean / (double)(i + 1);
	}
	v = 1;
	for (size_t i = mode; i-- > 0;) {
		v *= (double)(i + 1) / mean;
		p->below[i] = v;
	}
	for (size_t i = 0; i < p->n; i++)
		sum += p->below[i];
	v = 0;
	for (size_t i = 0; i < p->n; i++) {
		v += p->below[i] / sum;
		p->below[i] = v;
	}
	return ERR_OK;
}

static size_t
poisson_draw(const struct poisson *p, const struct rng *r)
{
	double u = rng_unit(r);
	size_t low = 0, high = p->n - 1;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (p->below[middle] > u)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

struct fast {
	struct pool *pool;
	struct poisson arrivals;
	struct stream stream;
	uint32_t *out;
	size_t room;
};

static enum err
fast_open(struct fast *f, const struct verify_setup *s, uint64_t seed)
{
	struct params p;
	struct diag d;
	enum err e;

	memset(f, 0, sizeof(*f));
	stream_init(&f->stream, seed, 0);
	params_default(&p);
	p.layers = 1;
	p.round_ms = ROUND_MS;
	e = strategy_parse(&p.strategy[0], s->strategy, "strategy", &d);
	if (e == ERR_OK)
		e = poisson_init(&f->arrivals, s->load);
	if (e == ERR_OK)
		e = pool_new(&f->pool, &p, 0, 0);
	f->room = 64 * 1024;
	f->out = malloc(f->room * sizeof(*f->out));
	return f->out != NULL ? e : ERR_MEMORY;
}

static void
fast_close(struct fast *f)
{
	pool_free(f->pool);
	free(f->arrivals.below);
	free(f->out);
}

/* One round of the pool; h is the entropy of what leaves. Handles do not matter. */
static enum err
fast_round(struct fast *f, size_t *sent, double *h, int64_t at_ms)
{
	size_t kept = pool_count(f->pool), arrivals = poisson_draw(&f->arrivals, &f->stream.rng);
	enum err e = ERR_OK;

	for (size_t i = 0; i < arrivals && e == ERR_OK; i++)
		e = pool_add(f->pool, 0, 0, at_ms - 1);
	if (e != ERR_OK || pool_count(f->pool) > f->room)
		return ERR_FULL;
	*h = closed_pool_round(*h, (double)kept, (double)arrivals);
	*sent = pool_flush(f->pool, f->out, at_ms, &f->stream.rng);
	return ERR_OK;
}

/*
 * The least entropy of a message in `samples` rounds: too many for the view, so the
 * pool is driven without the simulation, and scored by the recursion that
 * verify_recursion holds against the view.
 */
enum err
verify_least(struct verify_outcome *out, const struct verify_setup *s, uint64_t seed)
{
	struct fast f;
	enum err e = fast_open(&f, s, seed);
	double h = 0, least = INFINITY, sum = 0, messages = 0;

	for (size_t i = 1; i <= s->samples && e == ERR_OK; i++) {
		size_t sent = 0;

		e = fast_round(&f, &sent, &h, (int64_t)i * ROUND_MS);
		if (sent == 0 || i < 1000)
			continue;
		least = fmin(least, h);
		sum += h * (double)sent;
		messages += (double)sent;
	}
	if (e == ERR_OK && messages <= 0)
		e = ERR_RANGE;
	if (e == ERR_OK)
		verify_set(out, VERIFY_LEAST, 0, least, 0);
	if (e == ERR_OK)
		verify_set(out, VERIFY_ENTROPY, 0, sum / messages, 0);
	fast_close(&f);
	return e;
}

/* One mix whose packets bring their delays: groups 2.7 and 2.13 of the references. */
#include "config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "evaluation/closed.h"
#include "evaluation/verify_parts.h"

#define TARGETS VIEW_TARGETS
#define MEAN_MS ((int64_t)REFERENCE_DELAY_MS)
#define PI 3.14159265358979323846

/* ---- what the mix does, as an observer ---- */

struct diary {
	struct simulation *simulation;
	/* of every packet that left: two adversaries' entropies, whether it was alone */
	struct verify_list isolated, counted, alone;
	struct verify_list occupancy; /* packets that an arrival finds */
	struct closed_isolated weights;
	int64_t weights_ms;
	double entropy;
	uint32_t only; /* handle of a packet with which nobody else has been */
	bool has_only;
	int64_t from_ms, until_ms; /* departures in between are written down */
};

static void
weights_until(struct diary *d, int64_t at_ms)
{
	closed_isolated_wait(&d->weights, (double)(at_ms - d->weights_ms) / MEAN_MS);
	d->weights_ms = at_ms;
}

static void
on_arrived(void *arg, int64_t at_ms, uint32_t node, uint32_t handle, size_t held)
{
	struct diary *d = arg;

	(void)node;
	weights_until(d, at_ms);
	closed_isolated_arrival(&d->weights);
	d->entropy = closed_count_arrival(d->entropy, held);
	d->has_only = held == 1;
	d->only = handle;
	if (at_ms >= d->from_ms && verify_add(&d->occupancy, (double)held - 1) != ERR_OK)
		simulation_fail(d->simulation, ERR_MEMORY);
}

static enum err
write_down(struct diary *d, bool alone)
{
	enum err e = verify_add(&d->isolated, closed_isolated(&d->weights));

	if (e == ERR_OK)
		e = verify_add(&d->counted, d->entropy);
	if (e == ERR_OK)
		e = verify_add(&d->alone, alone ? 1 : 0);
	return e;
}

static void
on_left(void *arg, int64_t at_ms, uint32_t node, const uint32_t *handles, size_t n, size_t held)
{
	struct diary *d = arg;
	enum err e = ERR_OK;

	(void)node;
	weights_until(d, at_ms);
	for (size_t i = 0; i < n && e == ERR_OK; i++)
		if (at_ms >= d->from_ms && at_ms <= d->until_ms)
			e = write_down(d, d->has_only && d->only == handles[i]);
	if (n > 0)
		d->has_only = false;
	if (n == held)
		d->entropy = 0;
	if (e != ERR_OK)
		simulation_fail(d->simulation, e);
}

static void
diary_release(struct diary *d)
{
	verify_list_release(&d->isolated);
	verify_list_release(&d->counted);
	verify_list_release(&d->alone);
	verify_list_release(&d->occupancy);
}

/* One mix with its diary. */
struct lab {
	struct reference_config cfg;
	struct reference *reference;
	struct simulation_observer observer;
	struct diary diary;
};

/* load: messages in a mean delay. The diary is open from from_ms to until_ms. */
static enum err
lab_open(struct lab *l, const struct verify_setup *s, uint32_t persons, uint64_t seed)
{
	enum err e;

	l->observer =
	    (struct simulation_observer){ .arrived = on_arrived, .left = on_left, .arg = &l->diary };
	l->diary.weights = (struct closed_isolated){ 0, 0 };
	l->diary.weights_ms = 0;
	l->diary.entropy = 0;
	l->diary.has_only = false;
	l->cfg = (struct reference_config){ .strategy = s->strategy, .layers = 1, .width = 1,
		.input = REFERENCE_POISSON, .interval_ms = (double)MEAN_MS / s->load,
		.persons = persons, .seed = seed, .observer = &l->observer };
	e = reference_new(&l->reference, &l->cfg);
	if (e == ERR_OK)
		l->diary.simulation = reference_simulation(l->reference);
	return e;
}

/* ---- a mix in its steady state ---- */

/* exp(-16) of the packets stay longer; where few are together, that can be much of them. */
static int64_t
memory_ms(double load)
{
	return (load < 16 ? 28 : 16) * MEAN_MS;
}

/* Up to `most` places in [from, to), evenly spread. */
static size_t
spread(size_t *out, size_t most, size_t from, size_t to)
{
	size_t n = to > from ? to - from : 0, count = n < most ? n : most;

	for (size_t i = 0; i < count; i++)
		out[i] = from + i * n / count;
	return count;
}

/* Backward: exits of the last span; forward: of packets that were sent in the first one. */
static enum err
sample_chunk(struct lab *l, struct verify_list *backward, struct verify_list *forward,
    int64_t memory, int64_t span_ms)
{
	int64_t start = simulation_now(reference_simulation(l->reference));
	size_t last[TARGETS], first[TARGETS], n, split = 0, head = 0, lasts, firsts;
	double h[TARGETS];
	const struct watch_exit *x;
	enum err e;

	reference_forget(l->reference);
	e = reference_run(l->reference, memory + span_ms);
	if (e != ERR_OK)
		return e;
	x = reference_exits(l->reference, &n);
	while (split < n && x[split].exited_ms < start + memory)
		split++;
	lasts = spread(last, TARGETS, split, n);
	e = reference_entropy(l->reference, h, last, lasts);
	for (size_t i = 0; i < lasts && e == ERR_OK; i++)
		e = verify_add(backward, h[i]);
	while (head < n && x[head].exited_ms < start + span_ms)
		head++;
	firsts = spread(first, TARGETS, 0, head);
	for (size_t i = firsts; i-- > 0;) /* those that came before it was forgotten */
		if (x[first[i]].sent_ms <= start)
			first[i] = first[--firsts];
	if (e == ERR_OK)
		e = reference_forward(l->reference, h, first, firsts);
	for (size_t i = 0; i < firsts && e == ERR_OK; i++)
		e = verify_add(forward, h[i]);
	return e;
}

static enum err
set_diary(struct verify_outcome *out, const struct diary *d)
{
	enum err e = verify_mean(out, VERIFY_ISOLATED, &d->isolated);

	if (e == ERR_OK)
		e = verify_mean(out, VERIFY_ALONE, &d->alone);
	if (e == ERR_OK)
		e = verify_mean(out, VERIFY_OCCUPANCY, &d->occupancy);
	if (e == ERR_OK)
		e = verify_variance(out, &d->occupancy);
	return e;
}

/* strategy, load (rho), samples (targets). The variance is that of the occupancy. */
enum err
verify_exponential(struct verify_outcome *out, const struct verify_setup *s, uint64_t seed)
{
	struct verify_list backward = { 0 }, forward = { 0 };
	struct lab l = { .diary = { .from_ms = memory_ms(s->load), .until_ms = INT64_MAX } };
	double spans = s->load < 16 ? 1024 / s->load : 6400 / s->load;
	double common;
	uint32_t persons;
	enum err e;

	spans = fmin(fmax(spans, 4), 128); /* so that targets are independent, and not too rare */
	persons = (uint32_t)((30 + spans) * s->load * 1.5) + 100;
	e = lab_open(&l, s, persons, seed);

	for (size_t done = 0; done < s->samples && e == ERR_OK; done += TARGETS)
		e = sample_chunk(&l, &backward, &forward, memory_ms(s->load),
		    (int64_t)(spans * MEAN_MS));
	if (e == ERR_OK)
		e = verify_mean(out, VERIFY_ENTROPY, &backward);
	if (e == ERR_OK)
		e = verify_mean(out, VERIFY_FORWARD, &forward);
	if (e == ERR_OK)
		e = set_diary(out, &l.diary);
	common = verify_common_error(s->load * (spans + 1) * ((double)s->samples / TARGETS));
	verify_widen(out, VERIFY_ENTROPY, common);
	verify_widen(out, VERIFY_FORWARD, common);
	verify_list_release(&backward);
	verify_list_release(&forward);
	diary_release(&l.diary);
	reference_free(l.reference);
	return e;
}

/* The greatest difference between the view's entropy and the steps', over departures. */
enum err
verify_exponential_steps(struct verify_outcome *out, const struct verify_setup *s, uint64_t seed)
{
	struct lab l = { .diary = { .until_ms = INT64_MAX } };
	enum err e = lab_open(&l, s, 20 * TARGETS, seed);
	double h[TARGETS], greatest = 0;
	size_t exits[TARGETS], n = 0;

	if (e == ERR_OK)
		e = reference_run(l.reference, (int64_t)(2 * TARGETS / s->load * MEAN_MS) + MEAN_MS);
	if (e == ERR_OK) {
		(void)reference_exits(l.reference, &n);
		n = spread(exits, TARGETS, 0, n < 10 * TARGETS ? n : 10 * TARGETS);
		e = n == TARGETS ? reference_entropy(l.reference, h, exits, n) : ERR_RANGE;
	}
	for (size_t i = 0; i < n && e == ERR_OK; i++)
		greatest = fmax(greatest, fabs(h[i] - l.diary.counted.v[exits[i]]));
	if (e == ERR_OK)
		verify_set(out, VERIFY_DIFFERENCE, 0, greatest, 0);
	diary_release(&l.diary);
	reference_free(l.reference);
	return e;
}

/*
 * x: mean delays since the start. What came before can be told apart by its key: for
 * those of the new epoch the mix was empty at the start. Departures within y of x.
 */
enum err
verify_epochs(struct verify_outcome *out, const struct verify_setup *s, uint64_t seed)
{
	int64_t at = (int64_t)(s->x * MEAN_MS), by = (int64_t)(s->y * MEAN_MS);
	struct lab l = { .diary = { .from_ms = at - by, .until_ms = at + by } };
	enum err e = ERR_OK;

	for (size_t i = 0; i < s->samples && e == ERR_OK; i++) {
		e = lab_open(&l, s, 1, seed + i * 1000003);
		if (e == ERR_OK)
			e = reference_run(l.reference, at + by + 1);
		reference_free(l.reference);
		l.reference = NULL;
	}
	if (e == ERR_OK)
		e = verify_mean(out, VERIFY_ISOLATED, &l.diary.isolated);
	diary_release(&l.diary);
	return e;
}

/* ---- waves ---- */

/* Fourier sums of the messages of one block, as they were sent and as they left. */
struct wave {
	double in[2], out[2];
};

static struct wave
wave_of(const struct watch_exit *x, size_t n, double period_ms)
{
	struct wave w = { { 0, 0 }, { 0, 0 } };

	for (size_t i = 0; i < n; i++) {
		double in = 2 * PI * fmod((double)x[i].sent_ms / period_ms, 1);
		double out = 2 * PI * fmod((double)x[i].exited_ms / period_ms, 1);

		w.in[0] += cos(in);
		w.in[1] -= sin(in);
		w.out[0] += cos(out);
		w.out[1] -= sin(out);
	}
	return w;
}

/* The complex gain of a block: out / in. */
static enum err
add_gain(struct verify_list *real, struct verify_list *imaginary, const struct wave *w)
{
	double size = w->in[0] * w->in[0] + w->in[1] * w->in[1];
	enum err e = verify_add(real, (w->out[0] * w->in[0] + w->out[1] * w->in[1]) / size);

	if (e == ERR_OK)
		e = verify_add(imaginary,
		    (w->out[1] * w->in[0] - w->out[0] * w->in[1]) / size);
	return e;
}

/* The mean gain's size, from its parts along the mean direction. */
static enum err
set_gain(struct verify_outcome *out, struct verify_list *real, const struct verify_list *imaginary)
{
	double a = 0, b = 0, size;

	for (size_t i = 0; i < real->n; i++) {
		a += real->v[i];
		b += imaginary->v[i];
	}
	size = sqrt(a * a + b * b);
	for (size_t i = 0; i < real->n; i++)
		real->v[i] = (real->v[i] * a + imaginary->v[i] * b) / size;
	return verify_mean(out, VERIFY_GAIN, real);
}

/* x: waves in a mean delay; load; samples (messages), in 64 blocks. */
enum err
verify_wave(struct verify_outcome *out, const struct verify_setup *s, uint64_t seed)
{
	int64_t period_ms = (int64_t)(MEAN_MS / s->x) / 2 * 2;
	struct reference_config cfg = { .strategy = s->strategy, .layers = s->layers, .width = 1,
		.input = REFERENCE_WAVE, .interval_ms = (double)MEAN_MS / s->load,
		.wave_ms = period_ms, .persons = 1, .seed = seed };
	struct verify_list real = { 0 }, imaginary = { 0 };
	struct reference *r = NULL;
	enum err e = reference_new(&r, &cfg);
	int64_t block_ms = (int64_t)((double)s->samples / s->load / 64 * MEAN_MS);

	if (e == ERR_OK)
		e = reference_run(r, memory_ms(0));
	for (size_t i = 0; i < 64 && e == ERR_OK; i++) {
		const struct watch_exit *x;
		struct wave w;
		size_t n;

		reference_forget(r);
		e = reference_run(r, block_ms);
		x = reference_exits(r, &n);
		w = wave_of(x, n, (double)period_ms);
		if (e == ERR_OK)
			e = add_gain(&real, &imaginary, &w);
	}
	if (e == ERR_OK)
		e = set_gain(out, &real, &imaginary);
	verify_list_release(&real);
	verify_list_release(&imaginary);
	reference_free(r);
	return e;
}

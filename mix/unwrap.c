#include "config.h"

#include "mix/unwrap.h"

#include <stdlib.h>

#include "common/charter/params.h"

/*
 * A batch goes through four steps, two of them on the workers:
 *
 *   derive (workers) -> look up (loop) -> open (workers) -> settle (loop)
 */

/* ---- the steps ---- */

/* Replays need not be opened. */
static void
look_up(struct onion_job *jobs, enum unwrap_cause *causes, size_t n, const struct replay_set *set)
{
	for (size_t i = 0; i < n; i++) {
		causes[i] = UNWRAP_PASSED;
		if (jobs[i].verdict == ONION_PENDING && replay_check(set, jobs[i].tag)) {
			causes[i] = UNWRAP_REPLAYED;
			onion_forget(&jobs[i]);
		}
	}
}

static bool
next_is_right(const struct unwrap_ground *g, const struct onion_job *job)
{
	const struct charter_node *n;

	if (g->key.layer == g->charter->params.layers) /* the gateway's layer is the last */
		return true;
	n = charter_node(g->charter, job->next_node);
	return n != NULL && n->layer == g->key.layer + 1;
}

/* Only a stop-and-go layer lets packets bring their own delay, and bounds it. */
static bool
delay_is_right(const struct unwrap_ground *g, const struct onion_job *job)
{
	return job->delay_ms <= params_delay_max_ms(&g->charter->params, g->key.layer);
}

static enum unwrap_cause
stage(struct replay_set *set, const struct onion_job *job)
{
	enum err e = replay_stage(set, job->tag);

	if (e == ERR_OK)
		return UNWRAP_PASSED;
	return e == ERR_REPLAY ? UNWRAP_REPLAYED : UNWRAP_NO_ROOM;
}

/* A packet is known as replayed only if it opens: forgeries take no room in the set. */
static enum unwrap_cause
judge(const struct onion_job *job, const struct unwrap_ground *g)
{
	switch (job->verdict) {
	case ONION_OPENED:
		if (!delay_is_right(g, job))
			return UNWRAP_RESERVED;
		return next_is_right(g, job) ? stage(g->replay, job) : UNWRAP_NEXT;
	case ONION_BAD_POINT:
		return UNWRAP_POINT;
	case ONION_BAD_RESERVED:
		return UNWRAP_RESERVED;
	case ONION_PENDING: /* no step leaves it so */
	case ONION_FORGOTTEN: /* a replay has its cause already */
	case ONION_BAD_AEAD:
		break;
	}
	return UNWRAP_FORGED;
}

/* Judge in order of arrival, count, and move the survivors to the front. */
static size_t
settle(struct onion_job *jobs, const enum unwrap_cause *causes, size_t n,
    const struct unwrap_ground *g, struct unwrap_counts *counts)
{
	size_t survivors = 0;

	for (size_t i = 0; i < n; i++) {
		enum unwrap_cause cause = causes[i];
		struct onion_job job = jobs[i];

		if (cause == UNWRAP_PASSED)
			cause = judge(&job, g);
		counts->by[cause]++;
		if (cause == UNWRAP_PASSED) {
			jobs[i] = jobs[survivors];
			jobs[survivors++] = job;
		}
	}
	return survivors;
}

size_t
unwrap_batch(struct onion_job *jobs, size_t n, const struct unwrap_ground *g,
    struct unwrap_counts *counts)
{
	struct onion_geometry geometry = params_geometry(&g->charter->params);
	enum unwrap_cause causes[UNWRAP_BATCH];
	size_t survivors = 0;

	for (size_t at = 0; at < n; at += UNWRAP_BATCH) {
		size_t part = n - at < UNWRAP_BATCH ? n - at : UNWRAP_BATCH;
		size_t passed;

		onion_derive(jobs + at, part, &geometry, &g->key);
		look_up(jobs + at, causes, part, g->replay);
		onion_open(jobs + at, part, &geometry, &g->key);
		passed = settle(jobs + at, causes, part, g, counts);
		for (size_t i = 0; i < passed; i++) {
			struct onion_job job = jobs[survivors];

			jobs[survivors++] = jobs[at + i];
			jobs[at + i] = job;
		}
	}
	return survivors;
}

/* ---- on workers ---- */

/*
 * A step ends when its last slice does, so slices are finer than one per thread: a
 * thread that the system holds up leaves the rest to the others.
 */
#define SLICES_PER_THREAD 8
#define SLICE_LEAST 32 /* jobs that are worth handing over */

struct slice {
	struct unwrap *owner;
	struct onion_job *jobs;
	size_t count;
};

enum step { STEP_IDLE, STEP_DERIVE, STEP_OPEN };

struct unwrap {
	struct workq *workers;
	unsigned threads;
	struct unwrap_counts counts;
	/* the batch under way; the workers only read */
	enum step step;
	struct unwrap_ground ground;
	struct onion_geometry geometry;
	struct onion_job *jobs;
	enum unwrap_cause *causes;
	size_t count, room;
	unsigned slices_left;
	unwrap_done_cb *done;
	void *arg;
	bool closing;
	struct slice slices[];
};

static enum err run_step(struct unwrap *u, enum step step);

static void
slice_run(void *arg)
{
	struct slice *s = arg;
	const struct unwrap *u = s->owner;

	if (u->step == STEP_DERIVE)
		onion_derive(s->jobs, s->count, &u->geometry, &u->ground.key);
	else
		onion_open(s->jobs, s->count, &u->geometry, &u->ground.key);
}

static void
step_over(struct unwrap *u)
{
	size_t survivors;

	if (u->step == STEP_DERIVE) {
		look_up(u->jobs, u->causes, u->count, u->ground.replay);
		if (run_step(u, STEP_OPEN) == ERR_OK)
			return;
		onion_open(u->jobs, u->count, &u->geometry, &u->ground.key);
	}
	survivors = settle(u->jobs, u->causes, u->count, &u->ground, &u->counts);
	u->step = STEP_IDLE;
	u->done(u->arg, survivors);
}

static void
slice_done(void *arg)
{
	struct unwrap *u = ((struct slice *)arg)->owner;

	if (--u->slices_left == 0 && !u->closing)
		step_over(u);
}

static size_t
slice_count(const struct unwrap *u)
{
	size_t most = (size_t)u->threads * SLICES_PER_THREAD;
	size_t worth = u->count / SLICE_LEAST;

	if (worth < u->threads)
		return u->threads;
	return worth < most ? worth : most;
}

/*
 * Spread a step over the workers. An error if the first slice cannot be handed
 * over; what cannot be later is done here.
 */
static enum err
run_step(struct unwrap *u, enum step step)
{
	size_t slices = slice_count(u), at = 0;
	enum err e;

	u->step = step;
	u->slices_left = 0;
	for (size_t i = 0; i < slices; i++) {
		struct slice *s = &u->slices[i];
		size_t end = u->count * (i + 1) / slices;

		*s = (struct slice){ .owner = u, .jobs = u->jobs + at, .count = end - at };
		at = end;
		e = workq_add(u->workers, slice_run, slice_done, s);
		if (e == ERR_OK)
			u->slices_left++;
		else if (i == 0)
			return e;
		else
			slice_run(s);
	}
	return ERR_OK;
}

enum err
unwrap_new(struct unwrap **out, struct loop *l, unsigned threads)
{
	size_t slices = (size_t)SLICES_PER_THREAD * threads;
	struct unwrap *u = calloc(1, sizeof(*u) + slices * sizeof(u->slices[0]));

	if (u == NULL)
		return ERR_MEMORY;
	u->threads = threads;
	u->workers = workq_new(l, threads);
	if (u->workers == NULL) {
		free(u);
		return ERR_MEMORY;
	}
	*out = u;
	return ERR_OK;
}

void
unwrap_free(struct unwrap *u)
{
	if (u == NULL)
		return;
	u->closing = true;
	workq_free(u->workers);
	for (size_t i = 0; u->step != STEP_IDLE && i < u->count; i++)
		onion_forget(&u->jobs[i]);
	free(u->causes);
	free(u);
}

static enum err
room_for(struct unwrap *u, size_t n)
{
	enum unwrap_cause *causes;

	if (n <= u->room)
		return ERR_OK;
	causes = realloc(u->causes, n * sizeof(*causes));
	if (causes == NULL)
		return ERR_MEMORY;
	u->causes = causes;
	u->room = n;
	return ERR_OK;
}

enum err
unwrap_start(struct unwrap *u, struct onion_job *jobs, size_t n, const struct unwrap_ground *g,
    unwrap_done_cb *done, void *arg)
{
	enum err e;

	if (u->step != STEP_IDLE)
		return ERR_BUSY;
	e = room_for(u, n);
	if (e != ERR_OK)
		return e;
	u->ground = *g;
	u->geometry = params_geometry(&g->charter->params);
	u->jobs = jobs;
	u->count = n;
	u->done = done;
	u->arg = arg;
	e = run_step(u, STEP_DERIVE);
	if (e != ERR_OK)
		u->step = STEP_IDLE;
	return e;
}

bool
unwrap_busy(const struct unwrap *u)
{
	return u->step != STEP_IDLE;
}

const struct unwrap_counts *
unwrap_counts(const struct unwrap *u)
{
	return &u->counts;
}

const char *
unwrap_cause_name(enum unwrap_cause cause)
{
	switch (cause) {
	case UNWRAP_PASSED:
		return "passed";
	case UNWRAP_POINT:
		return "point";
	case UNWRAP_REPLAYED:
		return "replayed";
	case UNWRAP_FORGED:
		return "forged";
	case UNWRAP_RESERVED:
		return "reserved";
	case UNWRAP_NEXT:
		return "next_node";
	case UNWRAP_NO_ROOM:
		return "no_room";
	case UNWRAP_CAUSES:
		break;
	}
	return "unknown";
}

#include "config.h"

#include <stdlib.h>

#include "evaluation/world_parts.h"

struct job {
	STAILQ_ENTRY(job) next;
	void (*run)(void *arg);
	void (*done)(void *arg);
	void *arg;
};
STAILQ_HEAD(jobs, job);

struct world_queue {
	struct workq base;
	struct world_loop *loop;
	LIST_ENTRY(world_queue) queues;
	unsigned threads;
	struct jobs waiting, finished;
	size_t backlog, waiting_count;
	struct event work, tell;
	bool ending; /* the events are gone */
};

static struct world_queue *
queue_of(struct workq *q)
{
	return (struct world_queue *)(void *)q;
}

static void
schedule(struct world_queue *q, struct event *e)
{
	struct world *w = world_of(q->loop);
	int64_t max_us = w->cfg.work_us_max;

	if (!q->loop->dead && !q->ending && !event_scheduled(e))
		world_after(w, e, max_us > 0 ? rng_between(&w->rng.rng, 0, max_us) : 0);
}

/*
 * One of the first jobs, as many as there are threads: which of them is ready
 * first is a matter of chance.
 */
static struct job *
take_job(struct world_queue *q)
{
	struct world *w = world_of(q->loop);
	size_t choice = q->waiting_count < q->threads ? q->waiting_count : q->threads;
	struct job *j = STAILQ_FIRST(&q->waiting);

	if (choice > 1 && w->cfg.work_us_max > 0) {
		for (uint32_t i = rng_below(&w->rng.rng, (uint32_t)choice); i > 0; i--)
			j = STAILQ_NEXT(j, next);
	}
	STAILQ_REMOVE(&q->waiting, j, job, next);
	q->waiting_count--;
	return j;
}

static void
run_one(struct world_queue *q)
{
	struct job *j = take_job(q);

	j->run(j->arg);
	STAILQ_INSERT_TAIL(&q->finished, j, next);
}

static void
tell_one(struct world_queue *q)
{
	struct job *j = STAILQ_FIRST(&q->finished);
	struct job job = *j;

	STAILQ_REMOVE_HEAD(&q->finished, next);
	free(j);
	q->backlog--;
	job.done(job.arg);
}

static void
on_work(void *arg)
{
	struct world_queue *q = arg;

	run_one(q);
	schedule(q, &q->tell);
	if (!STAILQ_EMPTY(&q->waiting))
		schedule(q, &q->work);
}

static void
on_tell(void *arg)
{
	struct world_queue *q = arg;

	/* First, because done may free everything but the queue. */
	if (STAILQ_NEXT(STAILQ_FIRST(&q->finished), next) != NULL)
		schedule(q, &q->tell);
	tell_one(q);
}

/* ---- the operations ---- */

struct workq *
world_workq_new(struct loop *base, unsigned threads)
{
	struct world_loop *l = world_loop_of(base);
	struct world_queue *q = calloc(1, sizeof(*q));

	if (q == NULL)
		return NULL;
	if (eventheap_join(&world_of(l)->heap, &q->work, on_work, q, l->host) != ERR_OK) {
		free(q);
		return NULL;
	}
	if (eventheap_join(&world_of(l)->heap, &q->tell, on_tell, q, l->host) != ERR_OK) {
		world_leave(world_of(l), &q->work);
		free(q);
		return NULL;
	}
	q->base.loop = base;
	q->loop = l;
	q->threads = threads;
	STAILQ_INIT(&q->waiting);
	STAILQ_INIT(&q->finished);
	LIST_INSERT_HEAD(&l->queues, q, queues);
	return &q->base;
}

enum err
world_workq_add(struct workq *base, void (*run)(void *arg), void (*done)(void *arg), void *arg)
{
	struct world_queue *q = queue_of(base);
	struct job *j;

	if (q->backlog >= WORKQ_BACKLOG_MAX)
		return ERR_FULL;
	j = q->loop->dead ? NULL : malloc(sizeof(*j));
	if (j == NULL)
		return ERR_MEMORY;
	*j = (struct job){.run = run, .done = done, .arg = arg};
	STAILQ_INSERT_TAIL(&q->waiting, j, next);
	q->waiting_count++;
	q->backlog++;
	schedule(q, &q->work);
	return ERR_OK;
}

size_t
world_workq_backlog(const struct workq *base)
{
	return ((const struct world_queue *)(const void *)base)->backlog;
}

void
world_workq_free(struct workq *base)
{
	struct world_queue *q = queue_of(base);

	world_leave(world_of(q->loop), &q->work);
	world_leave(world_of(q->loop), &q->tell);
	q->ending = true;
	while (q->backlog > 0) {
		if (!STAILQ_EMPTY(&q->waiting))
			run_one(q);
		else
			tell_one(q);
	}
	LIST_REMOVE(q, queues);
	free(q);
}

void
world_work_die(struct world_loop *l)
{
	struct world_queue *q;

	LIST_FOREACH(q, &l->queues, queues) {
		world_cancel(world_of(l), &q->work);
		world_cancel(world_of(l), &q->tell);
	}
}

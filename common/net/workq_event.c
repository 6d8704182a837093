#include "config.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/net/loop_event_parts.h"

struct job {
	STAILQ_ENTRY(job) next;
	void (*run)(void *arg);
	void (*done)(void *arg);
	void *arg;
};

STAILQ_HEAD(jobs, job);

struct workq_event {
	struct workq base;
	pthread_mutex_t lock;
	pthread_cond_t work;           /* waiting is not empty, or ending */
	pthread_cond_t results;        /* finished is not empty */
	struct jobs waiting, finished; /* under the lock */
	bool ending;                   /* under the lock */
	size_t backlog;                /* the loop's thread only, as all below */
	bool running_done;
	int fd;
	struct event *event;
	unsigned thread_count;
	pthread_t threads[];
};

static struct workq_event *
workq_event_of(struct workq *q)
{
	return (struct workq_event *)(void *)q;
}

/* ---- the threads ---- */

static struct job *
next_job(struct workq_event *q)
{
	struct job *j;

	pthread_mutex_lock(&q->lock);
	while (STAILQ_EMPTY(&q->waiting) && !q->ending)
		pthread_cond_wait(&q->work, &q->lock);
	j = STAILQ_FIRST(&q->waiting);
	if (j != NULL)
		STAILQ_REMOVE_HEAD(&q->waiting, next);
	pthread_mutex_unlock(&q->lock);
	return j;
}

static void
hand_back(struct workq_event *q, struct job *j)
{
	const uint64_t one = 1;
	bool first;

	pthread_mutex_lock(&q->lock);
	first = STAILQ_EMPTY(&q->finished);
	STAILQ_INSERT_TAIL(&q->finished, j, next);
	pthread_cond_signal(&q->results);
	pthread_mutex_unlock(&q->lock);
	/* One wake-up stands for all that finish before the loop looks. */
	while (first && write(q->fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

static void *
work(void *arg)
{
	struct workq_event *q = arg;
	struct job *j;

	while ((j = next_job(q)) != NULL) {
		j->run(j->arg);
		hand_back(q, j);
	}
	return NULL;
}

/* ---- the loop's side ---- */

static void
take_finished(struct workq_event *q, struct jobs *out, bool wait)
{
	STAILQ_INIT(out);
	pthread_mutex_lock(&q->lock);
	while (wait && STAILQ_EMPTY(&q->finished))
		pthread_cond_wait(&q->results, &q->lock);
	STAILQ_CONCAT(out, &q->finished);
	pthread_mutex_unlock(&q->lock);
}

static void
run_done(struct workq_event *q, struct jobs *jobs)
{
	struct job *j;

	q->running_done = true;
	while ((j = STAILQ_FIRST(jobs)) != NULL) {
		struct job copy = *j;

		STAILQ_REMOVE_HEAD(jobs, next);
		free(j);
		q->backlog--;
		copy.done(copy.arg);
	}
	q->running_done = false;
}

static void
on_finished(evutil_socket_t fd, short what, void *arg)
{
	struct workq_event *q = arg;
	struct jobs jobs;
	uint64_t ignored;

	(void)what;
	if (read(fd, &ignored, sizeof(ignored)) < 0 && errno == EAGAIN)
		return;
	take_finished(q, &jobs, false);
	run_done(q, &jobs);
}

enum err
workq_event_add(struct workq *base, void (*run)(void *arg), void (*done)(void *arg), void *arg)
{
	struct workq_event *q = workq_event_of(base);
	struct job *j;

	if (q->backlog >= WORKQ_BACKLOG_MAX)
		return ERR_FULL;
	j = malloc(sizeof(*j));
	if (j == NULL)
		return ERR_MEMORY;
	*j = (struct job){.run = run, .done = done, .arg = arg};
	q->backlog++;
	pthread_mutex_lock(&q->lock);
	STAILQ_INSERT_TAIL(&q->waiting, j, next);
	pthread_cond_signal(&q->work);
	pthread_mutex_unlock(&q->lock);
	return ERR_OK;
}

size_t
workq_event_backlog(const struct workq *base)
{
	return ((const struct workq_event *)(const void *)base)->backlog;
}

/* ---- life ---- */

static void
end_threads(struct workq_event *q)
{
	pthread_mutex_lock(&q->lock);
	q->ending = true;
	pthread_cond_broadcast(&q->work);
	pthread_mutex_unlock(&q->lock);
	for (unsigned i = 0; i < q->thread_count; i++)
		(void)pthread_join(q->threads[i], NULL);
}

void
workq_event_free(struct workq *base)
{
	struct workq_event *q = workq_event_of(base);
	struct jobs jobs;

	assert(!q->running_done);
	while (q->backlog > 0) {
		take_finished(q, &jobs, true);
		run_done(q, &jobs);
	}
	end_threads(q);
	if (q->event != NULL)
		event_free(q->event);
	if (q->fd >= 0)
		(void)close(q->fd);
	pthread_cond_destroy(&q->results);
	pthread_cond_destroy(&q->work);
	pthread_mutex_destroy(&q->lock);
	free(q);
}

/* The threads leave every signal to the loop's thread. */
static enum err
start_threads(struct workq_event *q, unsigned threads)
{
	sigset_t all, before;
	enum err e = ERR_OK;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (e == ERR_OK && q->thread_count < threads) {
		if (pthread_create(&q->threads[q->thread_count], NULL, work, q) == 0)
			q->thread_count++;
		else
			e = ERR_MEMORY;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return e;
}

static enum err
watch_workq(struct workq_event *q)
{
	struct loop_event *l = loop_event_of(q->base.loop);

	q->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (q->fd < 0)
		return ERR_IO;
	q->event = event_new(l->events, q->fd, EV_READ | EV_PERSIST, on_finished, q);
	return q->event != NULL && event_add(q->event, NULL) == 0 ? ERR_OK : ERR_MEMORY;
}

struct workq *
workq_event_new(struct loop *l, unsigned threads)
{
	struct workq_event *q = calloc(1, sizeof(*q) + threads * sizeof(q->threads[0]));

	if (q == NULL)
		return NULL;
	q->base.loop = l;
	q->fd = -1;
	STAILQ_INIT(&q->waiting);
	STAILQ_INIT(&q->finished);
	pthread_mutex_init(&q->lock, NULL);
	pthread_cond_init(&q->work, NULL);
	pthread_cond_init(&q->results, NULL);
	if (watch_workq(q) != ERR_OK || start_threads(q, threads) != ERR_OK) {
		workq_event_free(&q->base);
		return NULL;
	}
	return &q->base;
}

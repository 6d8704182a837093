#include "config.h"

#include "evaluation/jobs.h"

#include <pthread.h>
#include <stdbool.h>
#include <unistd.h>

struct shift {
	const struct jobs *jobs;
	pthread_mutex_t lock;
	size_t next;
	enum err err;
	struct diag why;
};

unsigned
jobs_threads(int64_t wanted)
{
	int64_t n = wanted > 0 ? wanted : sysconf(_SC_NPROCESSORS_ONLN);

	return n < 1 ? 1 : n > JOBS_MAX ? JOBS_MAX : (unsigned)n;
}

/* The next piece; false when there is none or one failed. */
static bool
take(struct shift *s, size_t *i)
{
	bool more;

	(void)pthread_mutex_lock(&s->lock);
	more = s->err == ERR_OK && s->next < s->jobs->count;
	if (more)
		*i = s->next++;
	(void)pthread_mutex_unlock(&s->lock);
	return more;
}

static void
hand_in(struct shift *s, size_t i, enum err e, const struct diag *d)
{
	(void)pthread_mutex_lock(&s->lock);
	if (e != ERR_OK && s->err == ERR_OK) {
		s->err = e;
		s->why = *d;
	}
	if (e == ERR_OK && s->jobs->over != NULL)
		s->jobs->over(s->jobs->arg, i);
	(void)pthread_mutex_unlock(&s->lock);
}

static void *
work(void *arg)
{
	struct shift *s = arg;
	size_t i = 0;

	while (take(s, &i)) {
		struct diag d = { "" };
		enum err e = s->jobs->piece(s->jobs->arg, i, &d);

		hand_in(s, i, e, &d);
	}
	return NULL;
}

/* This thread is one of them: without memory for others it does it all. */
enum err
jobs_run(const struct jobs *j, unsigned threads, struct diag *d)
{
	struct shift s = { .jobs = j, .err = ERR_OK };
	pthread_t others[JOBS_MAX];
	unsigned n = 0;

	if (pthread_mutex_init(&s.lock, NULL) != 0)
		return ERR_MEMORY;
	while (n + 1 < threads && n < JOBS_MAX && n + 1 < j->count &&
	    pthread_create(&others[n], NULL, work, &s) == 0)
		n++;
	(void)work(&s);
	while (n > 0)
		(void)pthread_join(others[--n], NULL);
	(void)pthread_mutex_destroy(&s.lock);
	if (s.err != ERR_OK && d != NULL)
		*d = s.why;
	return s.err;
}

#include "config.h"

#include "common/net/charters.h"

#include <stdlib.h>

#include "common/charter/charterfiles.h"

struct charters {
	struct succession *all;
	struct disk *disk;   /* NULL: nothing is saved */
	struct workq *queue; /* NULL: not yet */
	struct log *log;
	uint32_t saved;	      /* all versions up to this are in their files */
	uint32_t refused;     /* the version of the alarm that stands; 0: none */
	bool busy, failed;    /* failed: the last write */
};

/* One file on its way to the disk. */
struct job {
	struct charters *owner;
	struct charter *charter;
	bool fresh; /* not held before it is saved */
	charters_done_cb *done;
	void *arg;
	enum err err;
};

static void
job_free(struct job *j)
{
	charter_free(j->charter);
	free(j);
}

static void
job_run(void *arg)
{
	struct job *j = arg;

	j->err = charterfiles_save(j->owner->disk, j->charter);
}

/* A charter is held: whatever was refused in its place. */
static void
taken(struct charters *c)
{
	const struct charter *latest = succession_latest(c->all);

	log_event(c->log, LOG_CHARTER_TAKEN, latest->version, latest->from_epoch, 0);
	if (c->refused != 0)
		log_event(c->log, LOG_CHARTER_REFUSED_OVER, c->refused, 0, 0);
	c->refused = 0;
}

static void
written(struct charters *c, enum err e)
{
	log_disk(c->log, &c->failed, e);
}

static void
job_done(void *arg)
{
	struct job *j = arg;
	struct charters *c = j->owner;
	enum err e = j->err;

	c->busy = false;
	written(c, e);
	if (e == ERR_OK && j->fresh)
		e = succession_add(c->all, j->charter, NULL);
	if (e == ERR_OK)
		c->saved = j->charter->version;
	if (e == ERR_OK && j->fresh)
		taken(c);
	if (j->done != NULL)
		j->done(j->arg, e);
	job_free(j);
	if (e == ERR_OK)
		charters_turn(c);
}

static enum err
start(struct charters *c, const struct charter *charter, bool fresh, charters_done_cb *done,
    void *arg)
{
	struct job *j = calloc(1, sizeof(*j));
	enum err e = ERR_MEMORY;

	if (j == NULL)
		return e;
	*j = (struct job){ .owner = c, .fresh = fresh, .done = done, .arg = arg };
	j->charter = malloc(sizeof(*j->charter));
	if (j->charter != NULL) {
		*j->charter = *charter;
		e = workq_add(c->queue, job_run, job_done, j);
	}
	if (e != ERR_OK)
		job_free(j);
	c->busy = e == ERR_OK;
	return e;
}

void
charters_turn(struct charters *c)
{
	const struct charter *next = NULL;

	for (size_t i = 0; i < succession_count(c->all) && next == NULL; i++)
		if (succession_get(c->all, i)->version > c->saved)
			next = succession_get(c->all, i);
	/* without memory the next turn tries again */
	if (next == NULL || c->busy || c->disk == NULL || c->queue == NULL ||
	    start(c, next, false, NULL, NULL) != ERR_OK)
		return;
}

enum err
charters_offer(struct charters *c, const void *text, size_t n, struct diag *d)
{
	enum err e = succession_offer(c->all, text, n, d);
	uint32_t next = succession_latest(c->all)->version + 1;

	if (e == ERR_OK) {
		taken(c);
		charters_turn(c);
	} else if (e != ERR_EXISTS && e != ERR_STATE && e != ERR_MEMORY && e != ERR_FULL &&
	    c->refused != next) {
		c->refused = next;
		log_event(c->log, LOG_CHARTER_REFUSED, c->refused, (uint64_t)-(int64_t)e, 0);
	}
	return e;
}

/* Whether next would be taken now; a copy shows it. */
static enum err
would_follow(const struct charters *c, const struct charter *next, struct diag *d)
{
	const struct charter *latest = succession_latest(c->all);

	if (next->version <= latest->version)
		return ERR_EXISTS;
	return charter_follows(next, latest, d);
}

enum err
charters_store(struct charters *c, const struct charter *next, charters_done_cb *done, void *arg,
    struct diag *d)
{
	enum err e = would_follow(c, next, d);

	if (e != ERR_OK)
		return e;
	if (c->busy || c->queue == NULL || c->disk == NULL)
		return ERR_BUSY;
	return start(c, next, true, done, arg);
}

enum err
charters_open(struct charters **out, struct disk *k, const struct charter *given, struct log *log,
    struct diag *d)
{
	struct charters *c = calloc(1, sizeof(*c));
	enum err e;

	if (c == NULL)
		return ERR_MEMORY;
	c->disk = k;
	c->log = log;
	e = k != NULL ? charterfiles_load(&c->all, k, given, d) : succession_new(&c->all, given);
	if (e != ERR_OK) {
		charters_free(c);
		return e;
	}
	c->saved = succession_latest(c->all)->version;
	*out = c;
	return ERR_OK;
}

void
charters_set_queue(struct charters *c, struct workq *queue)
{
	c->queue = queue;
	charters_turn(c);
}

void
charters_free(struct charters *c)
{
	if (c == NULL)
		return;
	succession_free(c->all);
	free(c);
}

const struct succession *
charters_all(const struct charters *c)
{
	return c->all;
}

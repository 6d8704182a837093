#include "config.h"

#include "gateway/spent.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "common/base/bytes.h"
#include "common/crypto/hash.h"

/* One call of spent_claim, or of spent_drop (marks NULL). */
struct request {
	STAILQ_ENTRY(request) link;
	uint32_t epoch;
	struct spent_mark *marks;
	size_t count;
	spent_done_cb *done;
	void *arg;
};
STAILQ_HEAD(requests, request);

struct spent {
	const struct spent_ops *ops;
	void *ctx;
	struct workq *queue;
	uint32_t epochs[SPENT_EPOCHS_MAX]; /* ascending */
	size_t epoch_count;
	struct requests waiting;
	size_t waiting_marks;
	/* under way: requests of one epoch; the thread only reads */
	bool busy, closing;
	uint32_t epoch;
	struct requests running;
	struct spent_mark **marks; /* NULL: a drop */
	size_t mark_count;
	enum err err;
};

void
spent_mark(uint8_t mark[static SPENT_MARK_BYTES], const uint8_t key[static 32],
    enum token_kind kind, const uint8_t nonce[static TOKEN_NONCE_BYTES])
{
	uint8_t which = (uint8_t)kind;
	const struct hash_part parts[] = { { &which, 1 }, { nonce, TOKEN_NONCE_BYTES } };

	hash_parts_keyed(mark, SPENT_MARK_BYTES, key, parts, 2);
}

/* ---- epochs ---- */

static size_t
epoch_place(const struct spent *s, uint32_t epoch)
{
	size_t i = 0;

	while (i < s->epoch_count && s->epochs[i] < epoch)
		i++;
	return i;
}

/* Known from before the first mark is written, so that what a failure left is dropped too. */
static enum err
learn_epoch(struct spent *s, uint32_t epoch)
{
	size_t i = epoch_place(s, epoch);

	if (i < s->epoch_count && s->epochs[i] == epoch)
		return ERR_OK;
	if (s->epoch_count == SPENT_EPOCHS_MAX)
		return ERR_FULL;
	memmove(&s->epochs[i + 1], &s->epochs[i], (s->epoch_count - i) * sizeof(s->epochs[0]));
	s->epochs[i] = epoch;
	s->epoch_count++;
	return ERR_OK;
}

static void
forget_epoch(struct spent *s, uint32_t epoch)
{
	size_t i = epoch_place(s, epoch);

	if (i == s->epoch_count || s->epochs[i] != epoch)
		return;
	s->epoch_count--;
	memmove(&s->epochs[i], &s->epochs[i + 1], (s->epoch_count - i) * sizeof(s->epochs[0]));
}

size_t
spent_epochs(const struct spent *s, uint32_t *out, size_t max)
{
	size_t n = s->epoch_count < max ? s->epoch_count : max;

	memcpy(out, s->epochs, n * sizeof(out[0]));
	return n;
}

/* ---- the thread's turns ---- */

static enum err start(struct spent *s);

static void
run(void *arg)
{
	struct spent *s = arg;

	s->err = s->marks != NULL ? s->ops->insert(s->ctx, s->epoch, s->marks, s->mark_count) :
				    s->ops->drop(s->ctx, s->epoch);
}

static void
answer(struct requests *list, enum err e)
{
	struct request *q;

	while ((q = STAILQ_FIRST(list)) != NULL) {
		STAILQ_REMOVE_HEAD(list, link);
		q->done(q->arg, e);
		free(q);
	}
}

static void
ran(void *arg)
{
	struct spent *s = arg;
	struct requests over = STAILQ_HEAD_INITIALIZER(over);
	enum err e = s->err;

	STAILQ_CONCAT(&over, &s->running);
	if (s->marks == NULL && e == ERR_OK)
		forget_epoch(s, s->epoch);
	free(s->marks);
	s->marks = NULL;
	s->busy = false;
	answer(&over, e);
	/* without memory the next call begins what waits */
	(void)!start(s);
}

/* The first that waits, and all claims behind it of the same epoch, in their order. */
static void
choose(struct spent *s)
{
	struct requests rest = STAILQ_HEAD_INITIALIZER(rest);
	bool drop = STAILQ_FIRST(&s->waiting)->marks == NULL;
	struct request *q;

	s->epoch = STAILQ_FIRST(&s->waiting)->epoch;
	s->mark_count = 0;
	while ((q = STAILQ_FIRST(&s->waiting)) != NULL) {
		bool first = STAILQ_EMPTY(&s->running);
		bool with = first || (!drop && q->marks != NULL && q->epoch == s->epoch);

		STAILQ_REMOVE_HEAD(&s->waiting, link);
		if (with)
			STAILQ_INSERT_TAIL(&s->running, q, link);
		else
			STAILQ_INSERT_TAIL(&rest, q, link);
		s->mark_count += with ? q->count : 0;
	}
	STAILQ_CONCAT(&s->waiting, &rest);
	s->waiting_marks -= s->mark_count;
}

static enum err
gather(struct spent *s)
{
	struct request *q;
	size_t n = 0;

	if (STAILQ_FIRST(&s->running)->marks == NULL)
		return ERR_OK;
	s->marks = calloc(s->mark_count, sizeof(struct spent_mark *));
	if (s->marks == NULL)
		return ERR_MEMORY;
	STAILQ_FOREACH(q, &s->running, link)
		for (size_t i = 0; i < q->count; i++)
			s->marks[n++] = &q->marks[i];
	return learn_epoch(s, s->epoch);
}

/* A failure to begin is told as one of the disk would be, from the queue's turn. */
static void
fail(void *arg)
{
	(void)arg;
}

static enum err
start(struct spent *s)
{
	enum err e;

	if (s->closing)
		return ERR_CLOSED;
	if (s->busy || STAILQ_EMPTY(&s->waiting))
		return ERR_OK;
	choose(s);
	s->err = gather(s);
	e = workq_add(s->queue, s->err == ERR_OK ? run : fail, ran, s);
	s->busy = e == ERR_OK;
	if (e == ERR_OK)
		return ERR_OK;
	STAILQ_CONCAT(&s->running, &s->waiting);
	STAILQ_CONCAT(&s->waiting, &s->running);
	s->waiting_marks += s->mark_count;
	free(s->marks);
	s->marks = NULL;
	return e;
}

static enum err
add(struct spent *s, const struct request *r)
{
	struct request *q = calloc(1, sizeof(*q));
	enum err e;

	if (q == NULL)
		return ERR_MEMORY;
	*q = *r;
	STAILQ_INSERT_TAIL(&s->waiting, q, link);
	s->waiting_marks += q->count;
	e = start(s);
	if (e == ERR_OK)
		return ERR_OK;
	STAILQ_REMOVE(&s->waiting, q, request, link);
	s->waiting_marks -= q->count;
	free(q);
	return e;
}

enum err
spent_claim(struct spent *s, uint32_t epoch, struct spent_mark *marks, size_t n,
    spent_done_cb *done, void *arg)
{
	const struct request r = {
		.epoch = epoch, .marks = marks, .count = n, .done = done, .arg = arg
	};

	if (n == 0)
		return ERR_USAGE;
	if (s->waiting_marks + n > SPENT_WAITING_MAX)
		return ERR_FULL;
	return add(s, &r);
}

enum err
spent_drop(struct spent *s, uint32_t epoch, spent_done_cb *done, void *arg)
{
	const struct request r = { .epoch = epoch, .done = done, .arg = arg };

	return add(s, &r);
}

/* ---- life ---- */

enum err
spent_new(struct spent **out, struct loop *l, const struct spent_ops *ops, void *ctx,
    const uint32_t *epochs, size_t n)
{
	struct spent *s = calloc(1, sizeof(*s));
	enum err e = ERR_OK;

	if (s == NULL) {
		ops->free(ctx);
		return ERR_MEMORY;
	}
	s->ops = ops;
	s->ctx = ctx;
	STAILQ_INIT(&s->waiting);
	STAILQ_INIT(&s->running);
	for (size_t i = 0; i < n && e == ERR_OK; i++)
		e = learn_epoch(s, epochs[i]);
	if (e == ERR_OK) {
		s->queue = workq_new(l, 1);
		e = s->queue != NULL ? ERR_OK : ERR_MEMORY;
	}
	if (e != ERR_OK) {
		spent_free(s);
		return e;
	}
	*out = s;
	return ERR_OK;
}

void
spent_free(struct spent *s)
{
	if (s == NULL)
		return;
	s->closing = true;
	workq_free(s->queue);
	/* what was never begun had no effect */
	answer(&s->waiting, ERR_CLOSED);
	s->ops->free(s->ctx);
	free(s);
}

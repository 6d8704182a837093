#include "config.h"

#include "tests/unit/gateway/faults.h"

#include <stdlib.h>

#include "tests/lib/test.h"

struct faulty {
	struct store store;
	struct store *under;
	struct workq *queue; /* brings the failures, as late as successes */
	struct faults *plan;
	bool hidden; /* the last put took effect, which nobody was told */
	uint32_t hidden_day;
};

/* A question whose answer is a failure, or is passed on. */
struct question {
	struct faulty *owner;
	enum err err;
	store_done_cb *done;
	store_read_cb *read;
	store_find_cb *find;
	void *arg;
	uint32_t day;
};

static struct faulty *
of(const struct store *s)
{
	return (struct faulty *)(uintptr_t)s;
}

static void
nothing(void *arg)
{
	(void)arg;
}

static void
answer(void *arg)
{
	struct question *q = arg;

	if (q->done != NULL)
		q->done(q->arg, q->err);
	else if (q->read != NULL)
		q->read(q->arg, q->err, NULL, 0);
	else
		q->find(q->arg, q->err, 0);
	free(q);
}

static struct question *
ask(struct faulty *k, enum err e)
{
	struct question *q = calloc(1, sizeof(*q));

	assert_non_null(q);
	q->owner = k;
	q->err = e;
	return q;
}

static void
passed_on(void *arg, enum err e)
{
	struct question *q = arg;

	q->owner->hidden = q->err != ERR_OK && e == ERR_OK;
	q->owner->hidden_day = q->day;
	if (q->err == ERR_OK)
		q->err = e;
	q->owner->plan->published += q->err == ERR_OK;
	answer(q);
}

static enum err
faulty_put(struct store *s, const struct store_round *r, store_done_cb *done, void *arg)
{
	struct faulty *k = of(s);
	struct question *q = ask(k, k->plan->put);
	enum err e;

	k->plan->puts++;
	q->done = done;
	q->arg = arg;
	q->day = r->day;
	if (q->err != ERR_OK && !k->plan->put_done)
		return workq_add(k->queue, nothing, answer, q);
	e = store_put(k->under, r, passed_on, q);
	if (e != ERR_OK)
		free(q);
	return e;
}

static enum err
faulty_read(struct store *s, uint32_t day, uint32_t index, uint16_t mailbox, size_t max_bytes,
    store_read_cb *done, void *arg)
{
	struct faulty *k = of(s);
	struct question *q;

	k->plan->reads++;
	if (k->plan->read == ERR_OK)
		return store_read(k->under, day, index, mailbox, max_bytes, done, arg);
	q = ask(k, k->plan->read);
	q->read = done;
	q->arg = arg;
	return workq_add(k->queue, nothing, answer, q);
}

static enum err
faulty_find(struct store *s, uint32_t day, uint64_t round, store_find_cb *done, void *arg)
{
	struct faulty *k = of(s);
	struct question *q;

	k->plan->finds++;
	if (k->plan->find == ERR_OK)
		return store_find(k->under, day, round, done, arg);
	q = ask(k, k->plan->find);
	q->find = done;
	q->arg = arg;
	return workq_add(k->queue, nothing, answer, q);
}

static enum err
faulty_expire(struct store *s, uint32_t day, store_done_cb *done, void *arg)
{
	struct faulty *k = of(s);
	struct question *q;

	k->plan->expiries++;
	if (k->plan->expire == ERR_OK)
		return store_expire(k->under, day, done, arg);
	q = ask(k, k->plan->expire);
	q->done = done;
	q->arg = arg;
	return workq_add(k->queue, nothing, answer, q);
}

static size_t
faulty_days(const struct store *s, uint32_t *out, size_t max)
{
	return store_days(of(s)->under, out, max);
}

static uint32_t
faulty_count(const struct store *s, uint32_t day)
{
	const struct faulty *k = of(s);

	return store_count(k->under, day) - (k->hidden && k->hidden_day == day);
}

static void
faulty_state(const struct store *s, const uint8_t **out, size_t *len)
{
	store_state(of(s)->under, out, len);
}

static size_t
faulty_epoch_count(const struct store *s)
{
	return store_epoch_count(of(s)->under);
}

static void
faulty_epoch(const struct store *s, size_t i, const uint8_t **out, size_t *len)
{
	store_epoch(of(s)->under, i, out, len);
}

static void
faulty_free(struct store *s)
{
	struct faulty *k = of(s);

	workq_free(k->queue);
	store_free(k->under);
	free(k);
}

struct store *
faults_new(struct store *under, struct loop *l, struct faults *plan)
{
	static const struct store_ops ops = {
		.put = faulty_put,
		.read = faulty_read,
		.find = faulty_find,
		.expire = faulty_expire,
		.days = faulty_days,
		.count = faulty_count,
		.state = faulty_state,
		.epoch_count = faulty_epoch_count,
		.epoch = faulty_epoch,
		.free = faulty_free,
	};
	struct faulty *k = calloc(1, sizeof(*k));

	assert_non_null(k);
	k->store.ops = &ops;
	k->under = under;
	k->plan = plan;
	k->queue = workq_new(l, 1);
	assert_non_null(k->queue);
	return &k->store;
}

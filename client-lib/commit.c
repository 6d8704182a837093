#include "config.h"

#include "client-lib/commit.h"

#include <stdlib.h>
#include <string.h>

#include "client-lib/witness.h"
#include "common/base/format.h"

#define SAVES_AT (4 + FORMAT_BYTES) /* in the state: client_state.c */
#define RETRY_FIRST_MS 500
#define RETRY_MAX_MS 60000
#define VALUE_BYTES_MAX ((size_t)1 << 20) /* of one archive value */
#define NEWS_MAX 65536

struct waiter {
	struct waiter *next;
	client_done *done;
	void *arg;
};

/* What one commit makes durable, and who waits for it. */
struct batch {
	struct post_write *writes;
	size_t write_count, write_bytes;
	struct post_news *news;
	size_t news_count, news_room;
	struct waiter *waiters, **last;
};

struct commit {
	struct loop *loop;
	struct post *post;
	struct vault *vault;
	struct archive *archive;
	const char *witness; /* NULL: none */
	struct workq *queue;
	const struct commit_events *events;
	void *arg;
	struct timer *later, *retry;
	struct batch next; /* collects */
	bool wanted;	   /* the next one should begin */
	bool busy;	   /* `running` is on its way, or waits to be tried again */
	struct batch running;
	struct buf state;
	int64_t now_ms;
	enum err err;
	int64_t pause_ms; /* 0: the last one succeeded */
	bool closing;
};

static void begin(struct commit *k);

/* ---- batches ---- */

static void
batch_init(struct batch *b)
{
	memset(b, 0, sizeof(*b));
	b->last = &b->waiters;
}

static void
batch_move(struct batch *to, struct batch *from)
{
	*to = *from;
	if (to->waiters == NULL)
		to->last = &to->waiters;
	batch_init(from);
}

/* Call and free all who wait. They may ask for further commits meanwhile. */
static void
batch_wake(struct batch *b, enum err e)
{
	struct waiter *w = b->waiters, *next;

	b->waiters = NULL;
	b->last = &b->waiters;
	for (; w != NULL; w = next) {
		next = w->next;
		w->done(w->arg, e);
		free(w);
	}
}

static void
batch_release(struct batch *b)
{
	batch_wake(b, ERR_CLOSED);
	post_writes_free(b->writes, b->write_count);
	free(b->news);
	batch_init(b);
}

/* Room for n more writes, so that batch_add_writes cannot fail. */
static enum err
batch_reserve(struct batch *b, size_t n)
{
	struct post_write *all;

	if (b->writes == NULL || n == 0)
		return ERR_OK; /* the new ones take the place of none */
	all = realloc(b->writes, (b->write_count + n) * sizeof(*all));
	if (all == NULL)
		return ERR_MEMORY;
	b->writes = all;
	return ERR_OK;
}

/* Takes w. There is room. */
static void
batch_add_writes(struct batch *b, struct post_write *w, size_t n)
{
	if (n == 0) {
		free(w);
		return;
	}
	for (size_t i = 0; i < n; i++)
		b->write_bytes += w[i].len + sizeof(*w);
	if (b->writes == NULL) {
		b->writes = w;
		b->write_count = n;
		return;
	}
	memcpy(b->writes + b->write_count, w, n * sizeof(*w));
	free(w);
	b->write_count += n;
}

/* Without memory news are lost: the archive has the truth. */
static void
batch_add_news(struct batch *b, const struct post_news *n)
{
	size_t room = b->news_room > 0 ? 2 * b->news_room : 16;
	struct post_news *grown;

	if (b->news_count == b->news_room) {
		grown = room <= NEWS_MAX ? realloc(b->news, room * sizeof(*grown)) : NULL;
		if (grown == NULL)
			return;
		b->news = grown;
		b->news_room = room;
	}
	b->news[b->news_count++] = *n;
}

static enum err
batch_add_waiter(struct batch *b, client_done *done, void *arg)
{
	struct waiter *w = malloc(sizeof(*w));

	if (w == NULL)
		return ERR_MEMORY;
	*w = (struct waiter){ NULL, done, arg };
	*b->last = w;
	b->last = &w->next;
	return ERR_OK;
}

/* All of the post's writes, or none: without memory they stay with the post. */
static enum err
gather(struct commit *k)
{
	struct post_write *w;
	size_t n;
	enum err e = batch_reserve(&k->next, post_write_count(k->post));

	if (e != ERR_OK)
		return e;
	e = post_take_writes(k->post, &w, &n);
	batch_add_writes(&k->next, w, n);
	return e;
}

bool
commit_collect(struct commit *k)
{
	struct post_news news;
	enum err e = gather(k);

	while (post_next_news(k->post, &news))
		batch_add_news(&k->next, &news);
	if (e != ERR_OK)
		k->events->settled(k->arg, ERR_MEMORY);
	return k->next.write_count > 0 || k->next.news_count > 0;
}

bool
commit_is_idle(struct commit *k)
{
	(void)commit_collect(k);
	return !k->busy && k->next.write_count == 0 && post_write_count(k->post) == 0;
}

bool
commit_is_full(const struct commit *k)
{
	size_t bytes = k->next.write_bytes + k->running.write_bytes;

	return bytes > (k->pause_ms > 0 ? COMMIT_FAILING_MAX : COMMIT_HEALTHY_MAX);
}

/* ---- one commit ---- */

/* On the queue. */
static void
run_commit(void *arg)
{
	struct commit *k = arg;

	k->err = archive_write(k->archive, k->running.writes, k->running.write_count);
	if (k->err == ERR_OK)
		k->err = vault_write_state(k->vault, k->state.data, k->state.len, k->now_ms);
	/* later than the state: one that is behind accuses nobody */
	if (k->err == ERR_OK && k->witness != NULL && k->state.len >= SAVES_AT + 8)
		(void)!witness_write(k->witness, load_u64(k->state.data + SAVES_AT));
}

static void
succeeded(struct commit *k)
{
	struct batch done;

	batch_move(&done, &k->running);
	buf_release(&k->state);
	k->busy = false;
	k->pause_ms = 0;
	k->events->settled(k->arg, ERR_OK);
	batch_wake(&done, ERR_OK);
	for (size_t i = 0; i < done.news_count; i++)
		k->events->news(k->arg, &done.news[i]);
	batch_release(&done);
	if (k->wanted && !k->busy)
		begin(k);
}

static void
failed(struct commit *k, enum err e)
{
	k->pause_ms = k->pause_ms == 0 ? RETRY_FIRST_MS : 2 * k->pause_ms;
	if (k->pause_ms > RETRY_MAX_MS)
		k->pause_ms = RETRY_MAX_MS;
	timer_after(k->retry, k->pause_ms);
	k->events->settled(k->arg, e);
}

/* Back on the loop. */
static void
commit_done(void *arg)
{
	struct commit *k = arg;

	if (k->closing)
		return;
	if (k->err == ERR_OK)
		succeeded(k);
	else
		failed(k, k->err);
}

static void
start(struct commit *k)
{
	enum err e = ERR_OK;

	if (k->state.len == 0)
		e = k->events->save(k->arg, &k->state);
	if (e == ERR_OK)
		e = workq_add(k->queue, run_commit, commit_done, k);
	if (e != ERR_OK) {
		buf_release(&k->state);
		failed(k, e);
	}
}

static void
begin(struct commit *k)
{
	k->wanted = false;
	k->busy = true;
	timer_cancel(k->later);
	(void)commit_collect(k);
	batch_move(&k->running, &k->next);
	k->now_ms = loop_wall_ms(k->loop);
	/* a state that is stored before its writes would promise what is not there */
	if (post_write_count(k->post) > 0)
		failed(k, ERR_MEMORY);
	else
		start(k);
}

/* What came since into the commit that is tried again; false: there is no memory. */
static bool
take_along(struct commit *k)
{
	(void)commit_collect(k);
	if (post_write_count(k->post) > 0 ||
	    batch_reserve(&k->running, k->next.write_count) != ERR_OK)
		return false;
	batch_add_writes(&k->running, k->next.writes, k->next.write_count);
	k->next.writes = NULL;
	k->next.write_count = k->next.write_bytes = 0;
	return true;
}

/*
 * Again, as it was. If the state could not even be gathered, then what came
 * since is in the new one too: its writes have to come along.
 */
static void
on_retry(void *arg)
{
	struct commit *k = arg;

	if (k->state.len == 0 && !take_along(k)) {
		failed(k, ERR_MEMORY);
		return;
	}
	start(k);
}

static void
on_later(void *arg)
{
	commit_now(arg);
}

void
commit_set_witness(struct commit *k, const char *path)
{
	k->witness = path;
}

void
commit_now(struct commit *k)
{
	if (k->closing)
		return;
	k->wanted = true;
	if (!k->busy)
		begin(k);
}

enum err
commit_tell(struct commit *k, client_done *done, void *arg)
{
	if (k->closing)
		return ERR_CLOSED;
	if (batch_add_waiter(&k->next, done, arg) != ERR_OK)
		return ERR_MEMORY;
	commit_now(k);
	return ERR_OK;
}

void
commit_within(struct commit *k, int64_t after_ms)
{
	if (!timer_armed(k->later))
		timer_after(k->later, after_ms);
}

/* ---- values by themselves ---- */

struct transfer {
	struct commit *commit;
	struct post_write key;
	struct buf value;
	struct post_write *writes;
	size_t count;
	client_value *got;
	client_done *written;
	void *arg;
	enum err err;
};

static void
transfer_free(struct transfer *t)
{
	post_writes_free(t->writes, t->count);
	buf_release(&t->value);
	free(t);
}

static void
run_transfer(void *arg)
{
	struct transfer *t = arg;

	if (t->got != NULL)
		t->err = archive_read(t->commit->archive, &t->value, &t->key, VALUE_BYTES_MAX);
	else
		t->err = archive_write(t->commit->archive, t->writes, t->count);
}

static void
transfer_done(void *arg)
{
	struct transfer *t = arg;
	enum err e = t->commit->closing ? ERR_CLOSED : t->err;

	if (t->got != NULL)
		t->got(t->arg, e, t->value.data, e == ERR_OK ? t->value.len : 0);
	else if (t->written != NULL)
		t->written(t->arg, e);
	transfer_free(t);
}

static enum err
transfer_add(struct commit *k, const struct transfer *what)
{
	struct transfer *t = malloc(sizeof(*t));
	enum err e = ERR_MEMORY;

	if (t == NULL) {
		post_writes_free(what->writes, what->count);
		return ERR_MEMORY;
	}
	*t = *what;
	t->commit = k;
	buf_init(&t->value);
	e = k->closing ? ERR_CLOSED : workq_add(k->queue, run_transfer, transfer_done, t);
	if (e != ERR_OK)
		transfer_free(t);
	return e;
}

enum err
commit_read(struct commit *k, const struct post_write *key, client_value *cb, void *arg)
{
	struct transfer t = { .key = *key, .got = cb, .arg = arg };

	return transfer_add(k, &t);
}

enum err
commit_write(struct commit *k, struct post_write *w, size_t n, client_done *done, void *arg)
{
	struct transfer t = { .writes = w, .count = n, .written = done, .arg = arg };

	return transfer_add(k, &t);
}

static void
run_tidy(void *arg)
{
	struct commit *k = arg;

	(void)!archive_tidy(k->archive); /* what fails now is done the next time */
}

static void
tidied(void *arg)
{
	(void)arg;
}

void
commit_tidy(struct commit *k)
{
	(void)!workq_add(k->queue, run_tidy, tidied, k);
}

/* ---- life ---- */

enum err
commit_new(struct commit **out, struct loop *l, struct post *p, struct vault *v,
    struct archive *a, const struct commit_events *events, void *arg)
{
	struct commit *k = calloc(1, sizeof(*k));

	if (k == NULL)
		return ERR_MEMORY;
	k->loop = l;
	k->post = p;
	k->vault = v;
	k->archive = a;
	k->events = events;
	k->arg = arg;
	batch_init(&k->next);
	batch_init(&k->running);
	buf_init(&k->state);
	k->later = timer_new(l, on_later, k);
	k->retry = timer_new(l, on_retry, k);
	k->queue = workq_new(l, 1);
	if (k->later == NULL || k->retry == NULL || k->queue == NULL) {
		commit_free(k);
		return ERR_MEMORY;
	}
	*out = k;
	return ERR_OK;
}

void
commit_free(struct commit *k)
{
	if (k == NULL)
		return;
	k->closing = true;
	if (k->queue != NULL)
		workq_free(k->queue);
	batch_release(&k->running);
	batch_release(&k->next);
	buf_release(&k->state);
	timer_free(k->later);
	timer_free(k->retry);
	free(k);
}

struct workq *
commit_queue(const struct commit *k)
{
	return k->queue;
}

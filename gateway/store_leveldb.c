#include "config.h"

#include "gateway/store_leveldb.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/secret.h"
#include "gateway/daydb.h"
#include "gateway/days.h"

#define READ_BLOCKS_MAX 256 /* blocks of one read */

/* The loop's side: what is known without asking the thread. */
struct store_leveldb {
	struct store store;
	const struct rng *keys;
	struct workq *queue;
	struct days *days; /* the thread's */
	struct days_found known;
	bool putting;
};

static struct store_leveldb *
of(struct store *s)
{
	return (struct store_leveldb *)s;
}

static const struct store_leveldb *
of_const(const struct store *s)
{
	return (const struct store_leveldb *)s;
}

static struct days_day *
find_day(struct store_leveldb *k, uint32_t day)
{
	for (size_t i = 0; i < k->known.count; i++)
		if (k->known.days[i].day == day)
			return &k->known.days[i];
	return NULL;
}

/* ---- put ---- */

struct put {
	struct store_leveldb *owner;
	struct store_round round;
	uint8_t *secrets; /* secret memory: a key for the day, then nonces */
	store_done_cb *done;
	void *arg;
	enum err err;
	uint32_t count;
};

static void
put_free(struct put *p)
{
	secret_free(p->secrets);
	free(p);
}

static void
put_run(void *arg)
{
	struct put *p = arg;

	p->err = days_put(p->owner->days, &p->count, &p->round, p->secrets,
	    p->secrets + DAYDB_KEY_BYTES);
}

/* Take over what the thread has written. */
static enum err
put_learn(struct store_leveldb *k, const struct put *p)
{
	struct days_day *day = find_day(k, p->round.day);
	enum err e = ERR_OK;

	if (day == NULL) {
		day = &k->known.days[k->known.count++];
		day->day = p->round.day;
	}
	day->count = p->count;
	k->known.state.len = 0;
	e = buf_append(&k->known.state, p->round.state, p->round.state_len, STORE_STATE_MAX);
	if (e == ERR_OK && p->round.epoch_block &&
	    !epochlog_ends_with(&k->known.epochs, p->round.block, p->round.block_len))
		e = epochlog_add(&k->known.epochs, p->round.block, p->round.block_len);
	return e;
}

static void
put_done(void *arg)
{
	struct put *p = arg;
	enum err e = p->err;

	p->owner->putting = false;
	if (e == ERR_OK)
		e = put_learn(p->owner, p);
	p->done(p->arg, e);
	put_free(p);
}

/* Whether a round may be put into its day. */
static enum err
put_check(struct store_leveldb *k, const struct store_round *r)
{
	if (k->putting)
		return ERR_BUSY;
	if (r->state_len > STORE_STATE_MAX)
		return ERR_RANGE;
	if (k->known.count > 0 && r->day < k->known.days[k->known.count - 1].day)
		return ERR_RANGE;
	if (k->known.count == STORE_DAYS_MAX && find_day(k, r->day) == NULL)
		return ERR_FULL;
	return ERR_OK;
}

static enum err
store_leveldb_put(struct store *s, const struct store_round *r, store_done_cb *done, void *arg)
{
	struct store_leveldb *k = of(s);
	size_t n = DAYDB_KEY_BYTES + daydb_nonces(r) * DAYDB_NONCE_BYTES;
	enum err e = put_check(k, r);
	struct put *p;

	if (e != ERR_OK)
		return e;
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		return ERR_MEMORY;
	*p = (struct put){ .owner = k, .round = *r, .done = done, .arg = arg };
	p->secrets = secret_new(n);
	e = ERR_MEMORY;
	if (p->secrets != NULL) {
		rng_bytes(k->keys, p->secrets, n);
		e = workq_add(k->queue, put_run, put_done, p);
	}
	if (e != ERR_OK)
		put_free(p);
	else
		k->putting = true;
	return e;
}

/* ---- read ---- */

struct read {
	struct store_leveldb *owner;
	uint32_t day, index;
	uint16_t mailbox;
	size_t max_bytes, count;
	struct buf bytes[2 * READ_BLOCKS_MAX]; /* block, records, block, records, ... */
	struct store_block blocks[READ_BLOCKS_MAX];
	store_read_cb *done;
	void *arg;
	enum err err;
};

static enum err
read_one(struct read *r)
{
	struct buf *block = &r->bytes[2 * r->count], *records = block + 1;
	struct store_block *out = &r->blocks[r->count];
	uint32_t index = r->index + (uint32_t)r->count;
	enum err e = days_get(r->owner->days, block, records, &out->round, r->day, index,
	    r->mailbox);

	if (e != ERR_OK)
		return e;
	out->block = block->data;
	out->block_len = block->len;
	out->records = records->data;
	out->records_len = records->len;
	r->count++;
	return ERR_OK;
}

static void
read_run(void *arg)
{
	struct read *r = arg;
	size_t bytes = 0;

	while (r->count < READ_BLOCKS_MAX && (r->count == 0 || bytes < r->max_bytes)) {
		r->err = read_one(r);
		if (r->err != ERR_OK)
			break;
		bytes += r->blocks[r->count - 1].block_len + r->blocks[r->count - 1].records_len;
	}
	/* The end of the day, or a damaged value behind sound ones, ends the read. */
	if (r->count > 0)
		r->err = ERR_OK;
}

static void
read_done(void *arg)
{
	struct read *r = arg;

	/* A value that is not there is past the end of a day that is. */
	if (r->err == ERR_NOT_FOUND && find_day(r->owner, r->day) != NULL)
		r->err = ERR_OK;
	r->done(r->arg, r->err, r->blocks, r->count);
	for (size_t i = 0; i < 2 * READ_BLOCKS_MAX; i++)
		buf_release(&r->bytes[i]);
	free(r);
}

static enum err
store_leveldb_read(struct store *s, uint32_t day, uint32_t index, uint16_t mailbox,
    size_t max_bytes, store_read_cb *done, void *arg)
{
	struct store_leveldb *k = of(s);
	struct read *r = calloc(1, sizeof(*r));
	enum err e;

	if (r == NULL)
		return ERR_MEMORY;
	r->owner = k;
	r->day = day;
	r->index = index;
	r->mailbox = mailbox;
	r->max_bytes = max_bytes;
	r->done = done;
	r->arg = arg;
	e = workq_add(k->queue, read_run, read_done, r);
	if (e != ERR_OK)
		free(r);
	return e;
}

/* ---- find ---- */

struct find {
	struct store_leveldb *owner;
	uint32_t day, index;
	uint64_t round;
	store_find_cb *done;
	void *arg;
	enum err err;
};

static void
find_run(void *arg)
{
	struct find *f = arg;

	f->err = days_find(f->owner->days, &f->index, f->day, f->round);
}

static void
find_done(void *arg)
{
	struct find *f = arg;

	f->done(f->arg, f->err, f->index);
	free(f);
}

static enum err
store_leveldb_find(struct store *s, uint32_t day, uint64_t round, store_find_cb *done, void *arg)
{
	struct store_leveldb *k = of(s);
	struct find *f = calloc(1, sizeof(*f));
	enum err e;

	if (f == NULL)
		return ERR_MEMORY;
	*f = (struct find){ .owner = k, .day = day, .round = round, .done = done, .arg = arg };
	e = workq_add(k->queue, find_run, find_done, f);
	if (e != ERR_OK)
		free(f);
	return e;
}

/* ---- expire ---- */

struct expiry {
	struct store_leveldb *owner;
	uint32_t day;
	struct buf state; /* to be kept, if this is the last day */
	store_done_cb *done;
	void *arg;
	enum err err;
};

static void
expire_run(void *arg)
{
	struct expiry *x = arg;

	x->err = days_expire(x->owner->days, x->day, &x->state);
}

static void
forget_day(struct store_leveldb *k, uint32_t number)
{
	struct days_day *day = find_day(k, number);

	if (day == NULL)
		return;
	k->known.count--;
	memmove(day, day + 1, (size_t)(&k->known.days[k->known.count] - day) * sizeof(*day));
}

static void
expire_done(void *arg)
{
	struct expiry *x = arg;

	if (x->err == ERR_OK)
		forget_day(x->owner, x->day);
	x->done(x->arg, x->err);
	buf_release(&x->state);
	free(x);
}

static enum err
store_leveldb_expire(struct store *s, uint32_t day, store_done_cb *done, void *arg)
{
	struct store_leveldb *k = of(s);
	struct expiry *x = calloc(1, sizeof(*x));
	enum err e = ERR_OK;

	if (x == NULL)
		return ERR_MEMORY;
	*x = (struct expiry){ .owner = k, .day = day, .done = done, .arg = arg };
	buf_init(&x->state);
	if (k->known.count > 0 && day == k->known.days[k->known.count - 1].day)
		e = buf_append(&x->state, k->known.state.data, k->known.state.len, STORE_STATE_MAX);
	if (e == ERR_OK)
		e = workq_add(k->queue, expire_run, expire_done, x);
	if (e != ERR_OK) {
		buf_release(&x->state);
		free(x);
	}
	return e;
}

/* ---- what is known ---- */

static size_t
store_leveldb_days(const struct store *s, uint32_t *out, size_t max)
{
	const struct store_leveldb *k = of_const(s);

	for (size_t i = 0; i < k->known.count && i < max; i++)
		out[i] = k->known.days[i].day;
	return k->known.count;
}

static uint32_t
store_leveldb_count(const struct store *s, uint32_t day)
{
	const struct store_leveldb *k = of_const(s);

	for (size_t i = k->known.count; i-- > 0;)
		if (k->known.days[i].day == day)
			return k->known.days[i].count;
	return 0;
}

static void
store_leveldb_state(const struct store *s, const uint8_t **out, size_t *len)
{
	*out = of_const(s)->known.state.data;
	*len = of_const(s)->known.state.len;
}

static size_t
store_leveldb_epoch_count(const struct store *s)
{
	return of_const(s)->known.epochs.count;
}

static void
store_leveldb_epoch(const struct store *s, size_t i, const uint8_t **out, size_t *len)
{
	*out = of_const(s)->known.epochs.blocks[i].data;
	*len = of_const(s)->known.epochs.blocks[i].len;
}

/* ---- life ---- */

static void
store_leveldb_free(struct store *s)
{
	struct store_leveldb *k = of(s);

	workq_free(k->queue);
	days_close(k->days);
	buf_release(&k->known.state);
	epochlog_release(&k->known.epochs);
	free(k);
}

static const struct store_ops ops = {
	.put = store_leveldb_put,
	.read = store_leveldb_read,
	.find = store_leveldb_find,
	.expire = store_leveldb_expire,
	.days = store_leveldb_days,
	.count = store_leveldb_count,
	.state = store_leveldb_state,
	.epoch_count = store_leveldb_epoch_count,
	.epoch = store_leveldb_epoch,
	.free = store_leveldb_free,
};

enum err
store_leveldb_open(struct store **out, const struct store_leveldb_config *cfg, struct diag *d)
{
	struct store_leveldb *k = calloc(1, sizeof(*k));
	enum err e;

	if (k == NULL)
		return diag_set(d, ERR_MEMORY, "out of memory");
	k->store.ops = &ops;
	k->keys = cfg->keys;
	buf_init(&k->known.state);
	epochlog_init(&k->known.epochs);
	e = days_open(&k->days, &k->known, cfg->path, cfg->disk, d);
	if (e == ERR_OK) {
		k->queue = workq_new(cfg->loop, 1);
		if (k->queue == NULL)
			e = diag_set(d, ERR_MEMORY, "the store's thread could not be started");
	}
	if (e != ERR_OK) {
		store_leveldb_free(&k->store);
		return e;
	}
	*out = &k->store;
	return ERR_OK;
}

#include "config.h"

#include "gateway/store_memory.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/epochlog.h"

struct kept_records {
	uint16_t mailbox;
	struct buf data;
};

struct kept_block {
	uint64_t round;
	struct buf block;
	struct kept_records *records;
	size_t records_count;
};

struct kept_day {
	uint32_t day, count, room;
	struct kept_block *blocks;
};

struct memory_journal {
	struct kept_day days[STORE_DAYS_MAX];
	size_t count;
	struct buf state;
	struct epochlog epochs;
};

struct store_memory {
	struct store store;
	struct memory_journal *journal;
	struct workq *queue;
	bool putting;
};

/* ---- what is kept ---- */

struct memory_journal *
memory_journal_new(void)
{
	struct memory_journal *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return NULL;
	buf_init(&m->state);
	epochlog_init(&m->epochs);
	return m;
}

static void
block_release(struct kept_block *b)
{
	for (size_t i = 0; i < b->records_count; i++)
		buf_release(&b->records[i].data);
	free(b->records);
	buf_release(&b->block);
}

static void
day_release(struct kept_day *day)
{
	for (uint32_t i = 0; i < day->count; i++)
		block_release(&day->blocks[i]);
	free(day->blocks);
}

void
memory_journal_free(struct memory_journal *m)
{
	if (m == NULL)
		return;
	for (size_t i = 0; i < m->count; i++)
		day_release(&m->days[i]);
	buf_release(&m->state);
	epochlog_release(&m->epochs);
	free(m);
}

static struct kept_day *
find_day(struct memory_journal *m, uint32_t number)
{
	for (size_t i = m->count; i-- > 0;)
		if (m->days[i].day == number)
			return &m->days[i];
	return NULL;
}

static enum err
block_copy(struct kept_block *out, const struct store_round *r)
{
	struct kept_block b = { .round = r->round };
	enum err e;

	b.records = calloc(r->mailbox_count + 1, sizeof(b.records[0]));
	if (b.records == NULL)
		return ERR_MEMORY;
	e = buf_append(&b.block, r->block, r->block_len, r->block_len);
	for (size_t i = 0; i < r->mailbox_count && e == ERR_OK; i++) {
		const struct store_records *m = &r->mailboxes[i];

		b.records[i].mailbox = m->mailbox;
		b.records_count++;
		e = buf_append(&b.records[i].data, m->data, m->len, STORE_VALUE_MAX);
	}
	if (e == ERR_OK)
		*out = b;
	else
		block_release(&b);
	return e;
}

static enum err
day_append(struct kept_day *day, const struct store_round *r)
{
	struct kept_block *last = day->count == 0 ? NULL : &day->blocks[day->count - 1];
	enum err e;

	if (last != NULL && last->round == r->round)
		return ERR_OK; /* put again */
	if (day->count == day->room) {
		uint32_t room = day->room == 0 ? 64 : 2 * day->room;
		struct kept_block *blocks = realloc(day->blocks, room * sizeof(*blocks));

		if (blocks == NULL)
			return ERR_MEMORY;
		day->blocks = blocks;
		day->room = room;
	}
	e = block_copy(&day->blocks[day->count], r);
	if (e == ERR_OK)
		day->count++;
	return e;
}

/* ---- put ---- */

struct put {
	struct store_memory *owner;
	struct store_round round;
	store_done_cb *done;
	void *arg;
	enum err err;
};

/* In a virtual world jobs run inline; either way one after the other. */
static void
nothing(void *arg)
{
	(void)arg;
}

static enum err
put_now(struct memory_journal *m, const struct store_round *r)
{
	struct kept_day *day = find_day(m, r->day);
	enum err e;

	if (day == NULL) {
		if (m->count == STORE_DAYS_MAX)
			return ERR_FULL;
		day = &m->days[m->count++];
		*day = (struct kept_day){ .day = r->day };
	}
	e = day_append(day, r);
	if (e != ERR_OK)
		return e;
	m->state.len = 0;
	e = buf_append(&m->state, r->state, r->state_len, STORE_STATE_MAX);
	if (e == ERR_OK && r->epoch_block &&
	    !epochlog_ends_with(&m->epochs, r->block, r->block_len))
		e = epochlog_add(&m->epochs, r->block, r->block_len);
	return e;
}

static void
put_done(void *arg)
{
	struct put *p = arg;
	enum err e = put_now(p->owner->journal, &p->round);

	p->owner->putting = false;
	p->done(p->arg, e);
	free(p);
}

static struct store_memory *
of(struct store *s)
{
	return (struct store_memory *)s;
}

static enum err
store_memory_put(struct store *s, const struct store_round *r, store_done_cb *done, void *arg)
{
	struct store_memory *k = of(s);
	const struct memory_journal *m = k->journal;
	struct put *p;
	enum err e;

	if (k->putting)
		return ERR_BUSY;
	if (r->state_len > STORE_STATE_MAX)
		return ERR_RANGE;
	if (m->count > 0 && r->day < m->days[m->count - 1].day)
		return ERR_RANGE;
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		return ERR_MEMORY;
	*p = (struct put){ .owner = k, .round = *r, .done = done, .arg = arg };
	e = workq_add(k->queue, nothing, put_done, p);
	if (e != ERR_OK)
		free(p);
	else
		k->putting = true;
	return e;
}

/* ---- read ---- */

struct read {
	struct store_memory *owner;
	uint32_t day, index;
	uint16_t mailbox;
	size_t max_bytes;
	store_read_cb *done;
	void *arg;
};

static struct store_block
view(const struct kept_block *b, uint16_t mailbox)
{
	struct store_block out = {
		.round = b->round, .block = b->block.data, .block_len = b->block.len
	};

	for (size_t i = 0; i < b->records_count; i++)
		if (b->records[i].mailbox == mailbox) {
			out.records = b->records[i].data.data;
			out.records_len = b->records[i].data.len;
		}
	return out;
}

static void
read_done(void *arg)
{
	struct read *r = arg;
	const struct kept_day *day = find_day(r->owner->journal, r->day);
	struct store_block blocks[64];
	size_t n = 0, bytes = 0;

	while (day != NULL && n < 64 && r->index + n < day->count &&
	    (n == 0 || bytes < r->max_bytes)) {
		blocks[n] = view(&day->blocks[r->index + n], r->mailbox);
		bytes += blocks[n].block_len + blocks[n].records_len;
		n++;
	}
	r->done(r->arg, day == NULL ? ERR_NOT_FOUND : ERR_OK, blocks, n);
	free(r);
}

static enum err
store_memory_read(struct store *s, uint32_t day, uint32_t index, uint16_t mailbox,
    size_t max_bytes, store_read_cb *done, void *arg)
{
	struct store_memory *k = of(s);
	struct read *r = calloc(1, sizeof(*r));
	enum err e;

	if (r == NULL)
		return ERR_MEMORY;
	*r = (struct read){ k, day, index, mailbox, max_bytes, done, arg };
	e = workq_add(k->queue, nothing, read_done, r);
	if (e != ERR_OK)
		free(r);
	return e;
}

/* ---- find ---- */

struct find {
	struct store_memory *owner;
	uint32_t day;
	uint64_t round;
	store_find_cb *done;
	void *arg;
};

static void
find_done(void *arg)
{
	struct find *f = arg;
	const struct kept_day *day = find_day(f->owner->journal, f->day);
	uint32_t i = 0;

	while (day != NULL && i < day->count && day->blocks[i].round < f->round)
		i++;
	f->done(f->arg, day == NULL ? ERR_NOT_FOUND : ERR_OK, i);
	free(f);
}

static enum err
store_memory_find(struct store *s, uint32_t day, uint64_t round, store_find_cb *done, void *arg)
{
	struct store_memory *k = of(s);
	struct find *f = calloc(1, sizeof(*f));
	enum err e;

	if (f == NULL)
		return ERR_MEMORY;
	*f = (struct find){ k, day, round, done, arg };
	e = workq_add(k->queue, nothing, find_done, f);
	if (e != ERR_OK)
		free(f);
	return e;
}

/* ---- expire ---- */

struct expiry {
	struct store_memory *owner;
	uint32_t day;
	store_done_cb *done;
	void *arg;
};

static void
expire_done(void *arg)
{
	struct expiry *x = arg;
	struct memory_journal *m = x->owner->journal;
	struct kept_day *day = find_day(m, x->day);

	if (day != NULL) {
		day_release(day);
		m->count--;
		memmove(day, day + 1, (size_t)(&m->days[m->count] - day) * sizeof(*day));
	}
	x->done(x->arg, ERR_OK);
	free(x);
}

static enum err
store_memory_expire(struct store *s, uint32_t day, store_done_cb *done, void *arg)
{
	struct store_memory *k = of(s);
	struct expiry *x = calloc(1, sizeof(*x));
	enum err e;

	if (x == NULL)
		return ERR_MEMORY;
	*x = (struct expiry){ k, day, done, arg };
	e = workq_add(k->queue, nothing, expire_done, x);
	if (e != ERR_OK)
		free(x);
	return e;
}

/* ---- what is known ---- */

static const struct memory_journal *
journal_of(const struct store *s)
{
	return ((const struct store_memory *)s)->journal;
}

static size_t
store_memory_days(const struct store *s, uint32_t *out, size_t max)
{
	const struct memory_journal *m = journal_of(s);

	for (size_t i = 0; i < m->count && i < max; i++)
		out[i] = m->days[i].day;
	return m->count;
}

static uint32_t
store_memory_count(const struct store *s, uint32_t day)
{
	const struct memory_journal *m = journal_of(s);

	for (size_t i = m->count; i-- > 0;)
		if (m->days[i].day == day)
			return m->days[i].count;
	return 0;
}

static void
store_memory_state(const struct store *s, const uint8_t **out, size_t *len)
{
	*out = journal_of(s)->state.data;
	*len = journal_of(s)->state.len;
}

static size_t
store_memory_epoch_count(const struct store *s)
{
	return journal_of(s)->epochs.count;
}

static void
store_memory_epoch(const struct store *s, size_t i, const uint8_t **out, size_t *len)
{
	*out = journal_of(s)->epochs.blocks[i].data;
	*len = journal_of(s)->epochs.blocks[i].len;
}

/* ---- life ---- */

static void
store_memory_free(struct store *s)
{
	workq_free(of(s)->queue);
	free(of(s));
}

static const struct store_ops ops = {
	.put = store_memory_put,
	.read = store_memory_read,
	.find = store_memory_find,
	.expire = store_memory_expire,
	.days = store_memory_days,
	.count = store_memory_count,
	.state = store_memory_state,
	.epoch_count = store_memory_epoch_count,
	.epoch = store_memory_epoch,
	.free = store_memory_free,
};

enum err
store_memory_new(struct store **out, struct loop *l, struct memory_journal *m)
{
	struct store_memory *k = calloc(1, sizeof(*k));

	if (k == NULL)
		return ERR_MEMORY;
	k->store.ops = &ops;
	k->journal = m;
	k->queue = workq_new(l, 1);
	if (k->queue == NULL) {
		free(k);
		return ERR_MEMORY;
	}
	*out = &k->store;
	return ERR_OK;
}

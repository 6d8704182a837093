#include "config.h"

#include "gateway/feed.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "common/charter/timing.h"
#include "common/journal/item.h"

#define BUCKETS 1024
#define READ_BYTES ((size_t)256 << 10) /* of one read of the store */
#define LOADS_MAX 64
#define SEEKS_MAX 16
#define FAILED_MS 1000 /* a failure is reported for so long, then it is tried again */

/* The items of a round for a mailbox, or another piece of stream. */
struct feed_chunk {
	LIST_ENTRY(feed_chunk) bucket;
	TAILQ_ENTRY(feed_chunk) age;
	unsigned refs;
	uint32_t day, index;
	uint16_t mailbox;
	size_t len;
	uint8_t data[];
};
LIST_HEAD(feed_bucket, feed_chunk);
TAILQ_HEAD(feed_ages, feed_chunk);

enum request_state { REQUEST_FREE, REQUEST_ASKED, REQUEST_DONE, REQUEST_FAILED };

/* A read of the store under way, or one that failed of late. */
struct load {
	struct feed *feed;
	enum request_state state;
	enum err err;
	int64_t since_ms;
	uint32_t day, index;
	uint16_t mailbox;
};

/* The position of a round in a day; sessions of one hour share it. */
struct seek {
	struct feed *feed;
	enum request_state state;
	enum err err;
	int64_t since_ms;
	uint64_t used;
	uint32_t day, index;
	uint64_t round;
};

struct feed {
	struct feed_config cfg;
	struct feed_bucket buckets[BUCKETS];
	struct feed_ages ages; /* the oldest first */
	size_t cached_bytes;
	struct feed_chunk *sheets;
	struct load loads[LOADS_MAX];
	struct seek seeks[SEEKS_MAX];
	uint64_t uses;
	unsigned *live; /* readers of each mailbox */
};

/* ---- chunks ---- */

static struct feed_chunk *
chunk_new(size_t len)
{
	struct feed_chunk *c = calloc(1, sizeof(*c) + len);

	if (c == NULL)
		return NULL;
	c->refs = 1;
	c->len = len;
	return c;
}

static void
chunk_drop(struct feed_chunk *c)
{
	if (c != NULL && --c->refs == 0)
		free(c);
}

static void
write_item(struct writer *w, enum item_kind kind, const uint8_t *p, size_t n)
{
	writer_u8(w, (uint8_t)kind);
	writer_u32(w, (uint32_t)n);
	writer_copy(w, p, n);
}

/* A block as items: the block, then its records of a mailbox, if it has any. */
static struct feed_chunk *
chunk_of_block(const uint8_t *block, size_t block_len, const uint8_t *records,
    size_t records_len)
{
	size_t n = ITEM_HEADER_BYTES + block_len;
	struct feed_chunk *c;
	struct writer w;

	if (records_len > 0)
		n += ITEM_HEADER_BYTES + records_len;
	c = chunk_new(n);
	if (c == NULL)
		return NULL;
	writer_init(&w, c->data, n);
	write_item(&w, ITEM_BLOCK, block, block_len);
	if (records_len > 0)
		write_item(&w, ITEM_RECORDS, records, records_len);
	assert(writer_ok(&w) && w.used == n);
	return c;
}

/* ---- the cache ---- */

static struct feed_bucket *
bucket_of(struct feed *f, uint32_t day, uint32_t index, uint16_t mailbox)
{
	uint32_t h = (day * 31 + index) * 1009 + mailbox;

	return &f->buckets[h % BUCKETS];
}

static struct feed_chunk *
cache_find(struct feed *f, uint32_t day, uint32_t index, uint16_t mailbox)
{
	struct feed_chunk *c;

	LIST_FOREACH(c, bucket_of(f, day, index, mailbox), bucket)
		if (c->day == day && c->index == index && c->mailbox == mailbox)
			return c;
	return NULL;
}

static void
cache_remove(struct feed *f, struct feed_chunk *c)
{
	LIST_REMOVE(c, bucket);
	TAILQ_REMOVE(&f->ages, c, age);
	f->cached_bytes -= c->len;
	chunk_drop(c);
}

/* Takes c over. The newest stays, however large. */
static void
cache_add(struct feed *f, struct feed_chunk *c, uint32_t day, uint32_t index, uint16_t mailbox)
{
	if (cache_find(f, day, index, mailbox) != NULL) {
		chunk_drop(c);
		return;
	}
	c->day = day;
	c->index = index;
	c->mailbox = mailbox;
	LIST_INSERT_HEAD(bucket_of(f, day, index, mailbox), c, bucket);
	TAILQ_INSERT_TAIL(&f->ages, c, age);
	f->cached_bytes += c->len;
	while (f->cached_bytes > f->cfg.cache_bytes && TAILQ_FIRST(&f->ages) != c)
		cache_remove(f, TAILQ_FIRST(&f->ages));
}

static struct feed_chunk *
cache_use(struct feed *f, uint32_t day, uint32_t index, uint16_t mailbox)
{
	struct feed_chunk *c = cache_find(f, day, index, mailbox);

	if (c == NULL)
		return NULL;
	TAILQ_REMOVE(&f->ages, c, age);
	TAILQ_INSERT_TAIL(&f->ages, c, age);
	c->refs++;
	return c;
}

/* ---- life ---- */

enum err
feed_new(struct feed **out, const struct feed_config *cfg)
{
	struct feed *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return ERR_MEMORY;
	f->cfg = *cfg;
	for (size_t i = 0; i < BUCKETS; i++)
		LIST_INIT(&f->buckets[i]);
	TAILQ_INIT(&f->ages);
	f->live = calloc(cfg->charter->params.mailboxes, sizeof(f->live[0]));
	f->sheets = chunk_new(0);
	if (f->live == NULL || f->sheets == NULL) {
		feed_free(f);
		return ERR_MEMORY;
	}
	*out = f;
	return ERR_OK;
}

void
feed_free(struct feed *f)
{
	if (f == NULL)
		return;
	while (!TAILQ_EMPTY(&f->ages))
		cache_remove(f, TAILQ_FIRST(&f->ages));
	chunk_drop(f->sheets);
	free(f->live);
	free(f);
}

enum err
feed_sheets(struct feed *f, const uint8_t *items, size_t len)
{
	struct feed_chunk *c = chunk_new(len);

	if (c == NULL)
		return ERR_MEMORY;
	if (len > 0)
		memcpy(c->data, items, len);
	chunk_drop(f->sheets);
	f->sheets = c;
	return ERR_OK;
}

static const struct store_records *
records_of(const struct store_round *r, uint32_t mailbox)
{
	for (size_t i = 0; i < r->mailbox_count; i++)
		if (r->mailboxes[i].mailbox == mailbox)
			return &r->mailboxes[i];
	return NULL;
}

void
feed_publish(struct feed *f, const struct store_round *r)
{
	uint32_t index = store_count(f->cfg.store, r->day) - 1;

	for (uint32_t m = 0; m < f->cfg.charter->params.mailboxes; m++) {
		const struct store_records *records = records_of(r, m);
		struct feed_chunk *c;

		if (f->live[m] == 0)
			continue;
		c = chunk_of_block(r->block, r->block_len, records != NULL ? records->data : NULL,
		    records != NULL ? records->len : 0);
		if (c != NULL) /* else it is read from the store when it is wanted */
			cache_add(f, c, r->day, index, (uint16_t)m);
	}
}

size_t
feed_cached(const struct feed *f)
{
	return f->cached_bytes;
}

size_t
feed_loading(const struct feed *f)
{
	size_t n = 0;

	for (size_t i = 0; i < LOADS_MAX; i++)
		n += f->loads[i].state == REQUEST_ASKED;
	return n;
}

/* ---- reads of the store ---- */

static int64_t
now_ms(const struct feed *f)
{
	return loop_boot_ms(f->cfg.loop);
}

static enum feed_state
state_of_error(enum err e)
{
	return e == ERR_NOT_FOUND ? FEED_GONE : FEED_FAILED;
}

static void
on_load(void *arg, enum err e, const struct store_block *blocks, size_t n)
{
	struct load *l = arg;
	struct feed *f = l->feed;

	for (size_t i = 0; i < n && e == ERR_OK; i++) {
		struct feed_chunk *c = chunk_of_block(blocks[i].block, blocks[i].block_len,
		    blocks[i].records, blocks[i].records_len);

		if (c != NULL)
			cache_add(f, c, l->day, l->index + (uint32_t)i, l->mailbox);
		else
			e = ERR_MEMORY;
	}
	if (e == ERR_OK && n == 0)
		e = ERR_IO; /* it was counted, so that it should be there */
	l->state = e == ERR_OK ? REQUEST_FREE : REQUEST_FAILED;
	l->err = e;
	l->since_ms = now_ms(f);
}

/* The load of a position: under way, or failed. Old failures are forgotten. */
static struct load *
find_load(struct feed *f, uint32_t day, uint32_t index, uint16_t mailbox)
{
	for (size_t i = 0; i < LOADS_MAX; i++) {
		struct load *l = &f->loads[i];

		if (l->state == REQUEST_FAILED && now_ms(f) - l->since_ms >= FAILED_MS)
			l->state = REQUEST_FREE;
		if (l->state != REQUEST_FREE && l->day == day && l->index == index &&
		    l->mailbox == mailbox)
			return l;
	}
	return NULL;
}

static enum feed_state
load(struct feed *f, uint32_t day, uint32_t index, uint16_t mailbox)
{
	struct load *l = find_load(f, day, index, mailbox);

	if (l != NULL)
		return l->state == REQUEST_ASKED ? FEED_WAIT : state_of_error(l->err);
	for (size_t i = 0; i < LOADS_MAX && l == NULL; i++)
		if (f->loads[i].state == REQUEST_FREE)
			l = &f->loads[i];
	if (l == NULL)
		return FEED_WAIT; /* until others are done */
	*l = (struct load){ .feed = f, .day = day, .index = index, .mailbox = mailbox };
	if (store_read(f->cfg.store, day, index, mailbox, READ_BYTES, on_load, l) != ERR_OK)
		return FEED_FAILED;
	l->state = REQUEST_ASKED;
	return FEED_WAIT;
}

/* ---- seeking ---- */

static void
on_seek(void *arg, enum err e, uint32_t index)
{
	struct seek *s = arg;

	s->state = e == ERR_OK ? REQUEST_DONE : REQUEST_FAILED;
	s->err = e;
	s->index = index;
	s->since_ms = now_ms(s->feed);
}

/* The place for a new seek: a free one, or the one that was not used for longest. */
static struct seek *
take_seek(struct feed *f)
{
	struct seek *oldest = NULL;

	for (size_t i = 0; i < SEEKS_MAX; i++) {
		struct seek *s = &f->seeks[i];

		if (s->state == REQUEST_FREE)
			return s;
		if (s->state != REQUEST_ASKED && (oldest == NULL || s->used < oldest->used))
			oldest = s;
	}
	return oldest;
}

static struct seek *
find_seek(struct feed *f, uint32_t day, uint64_t round)
{
	for (size_t i = 0; i < SEEKS_MAX; i++) {
		struct seek *s = &f->seeks[i];

		if (s->state == REQUEST_FAILED && now_ms(f) - s->since_ms >= FAILED_MS)
			s->state = REQUEST_FREE;
		if (s->state != REQUEST_FREE && s->day == day && s->round == round)
			return s;
	}
	return NULL;
}

/* The index of the first block of a round or later. FEED_END: *index is set. */
static enum feed_state
seek(uint32_t *index, struct feed *f, uint32_t day, uint64_t round)
{
	struct seek *s = find_seek(f, day, round);

	if (s == NULL) {
		s = take_seek(f);
		if (s == NULL)
			return FEED_WAIT;
		*s = (struct seek){ .feed = f, .day = day, .round = round };
		if (store_find(f->cfg.store, day, round, on_seek, s) != ERR_OK)
			return FEED_FAILED;
		s->state = REQUEST_ASKED;
	}
	s->used = ++f->uses;
	if (s->state == REQUEST_ASKED)
		return FEED_WAIT;
	if (s->state == REQUEST_FAILED)
		return state_of_error(s->err);
	*index = s->index;
	return FEED_END;
}

/* ---- readers ---- */

static uint64_t
round_of(const struct feed *f, int64_t wall_ms)
{
	return timing_round(&f->cfg.charter->params, wall_ms);
}

/* Begin with the sheets. */
static void
open_reader(struct feed_reader *r, struct feed *f, enum frame_read read, uint16_t mailbox)
{
	*r = (struct feed_reader){ .feed = f, .read = read, .mailbox = mailbox };
	r->chunk = f->sheets;
	r->chunk->refs++;
}

void
feed_open_live(struct feed_reader *r, struct feed *f, uint16_t mailbox, int64_t from_ms)
{
	open_reader(r, f, FRAME_READ_LIVE, mailbox);
	r->day = timing_day(&f->cfg.charter->params, from_ms);
	r->from = round_of(f, from_ms);
	f->live[mailbox]++;
}

enum err
feed_open_day(struct feed_reader *r, struct feed *f, uint16_t mailbox, uint32_t day,
    int64_t until_ms)
{
	uint32_t count = store_count(f->cfg.store, day);

	if (count == 0)
		return ERR_NOT_FOUND;
	open_reader(r, f, FRAME_READ_DAY, mailbox);
	r->day = day;
	r->until = round_of(f, until_ms);
	r->placed = true;
	if (timing_day(&f->cfg.charter->params, until_ms) != day ||
	    until_ms > loop_wall_ms(f->cfg.loop)) {
		r->end = count;
		r->bounded = true;
	}
	return ERR_OK;
}

void
feed_open_epochs(struct feed_reader *r, struct feed *f)
{
	open_reader(r, f, FRAME_READ_EPOCHS, 0);
	r->epoch_end = store_epoch_count(f->cfg.store);
}

void
feed_close(struct feed_reader *r)
{
	if (r->feed == NULL)
		return;
	if (r->read == FRAME_READ_LIVE)
		r->feed->live[r->mailbox]--;
	chunk_drop(r->chunk);
	*r = (struct feed_reader){ .feed = NULL };
}

/* The first day kept that is later than this one; false if there is none. */
static bool
day_after(uint32_t *out, const struct feed *f, uint32_t day)
{
	uint32_t days[STORE_DAYS_MAX];
	size_t n = store_days(f->cfg.store, days, STORE_DAYS_MAX);

	for (size_t i = 0; i < n; i++)
		if (days[i] > day) {
			*out = days[i];
			return true;
		}
	return false;
}

/* Find out where a reader begins, or ends. FEED_END: it is known. */
static enum feed_state
settle(struct feed_reader *r)
{
	struct feed *f = r->feed;
	enum feed_state s = FEED_END;

	if (!r->placed) {
		/* A day without blocks: whatever comes is later. */
		if (store_count(f->cfg.store, r->day) > 0)
			s = seek(&r->index, f, r->day, r->from);
		r->placed = s == FEED_END;
	}
	if (r->placed && r->read == FRAME_READ_DAY && !r->bounded) {
		s = seek(&r->end, f, r->day, r->until);
		r->bounded = s == FEED_END;
	}
	return s;
}

/* The chunk at the reader's place, and the place moves on. FEED_MORE: r->chunk is set. */
static enum feed_state
next_block(struct feed_reader *r)
{
	struct feed *f = r->feed;
	uint32_t day;
	enum feed_state s = settle(r);

	if (s != FEED_END)
		return s;
	if (r->read == FRAME_READ_DAY && r->index >= r->end)
		return FEED_END;
	if (r->index >= store_count(f->cfg.store, r->day)) {
		if (r->read == FRAME_READ_DAY || !day_after(&day, f, r->day))
			return r->read == FRAME_READ_DAY ? FEED_GONE : FEED_END;
		r->day = day;
		r->index = 0;
	}
	r->chunk = cache_use(f, r->day, r->index, r->mailbox);
	if (r->chunk == NULL)
		return load(f, r->day, r->index, r->mailbox);
	r->index++;
	return FEED_MORE;
}

static enum feed_state
next_epoch(struct feed_reader *r)
{
	const uint8_t *block;
	size_t len;

	if (r->epoch == r->epoch_end)
		return FEED_END;
	store_epoch(r->feed->cfg.store, r->epoch, &block, &len);
	r->chunk = chunk_of_block(block, len, NULL, 0);
	if (r->chunk == NULL)
		return FEED_FAILED;
	r->epoch++;
	return FEED_MORE;
}

enum feed_state
feed_read(struct feed_reader *r, uint8_t *out, size_t *n, size_t max)
{
	enum feed_state s = FEED_MORE;

	*n = 0;
	while (s == FEED_MORE) {
		size_t part;

		if (r->chunk == NULL) {
			r->offset = 0;
			s = r->read == FRAME_READ_EPOCHS ? next_epoch(r) : next_block(r);
			continue;
		}
		part = r->chunk->len - r->offset;
		if (part > max - *n)
			part = max - *n;
		if (part > 0)
			memcpy(out + *n, r->chunk->data + r->offset, part);
		*n += part;
		r->offset += part;
		if (r->offset < r->chunk->len)
			return FEED_MORE;
		chunk_drop(r->chunk);
		r->chunk = NULL;
	}
	return s;
}

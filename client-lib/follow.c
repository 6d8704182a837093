#include "config.h"

#include "client-lib/follow.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/bytes.h"
#include "common/crypto/hash.h"

_Static_assert(2 * (ITEM_RECORDS_MAX + BLOCK_BYTES_MAX) <= FOLLOW_WAITING_MAX,
    "the largest round finds room: or no reader would ever get past it");

/* A block and the records of our mailbox. */
struct entry {
	struct entry *next;
	struct buf block, records;
};

struct follow {
	enum follow_what what;
	struct chain *chain;
	const struct charter *charter;
	uint16_t mailbox;
	const struct follow_events *events;
	void *arg;
	struct chain_segment *segment; /* NULL for epoch blocks */
	struct entry *first, **last;   /* waiting, in order */
	size_t waiting;
	uint64_t blocks;
	struct entry *owed; /* its records are the next item */
	struct block_mailbox line; /* what they must be */
};

struct follow *
follow_new(enum follow_what what, struct chain *k, const struct charter *c, uint16_t mailbox,
    const struct follow_events *events, void *arg)
{
	struct follow *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return NULL;
	f->what = what;
	f->chain = k;
	f->charter = c;
	f->mailbox = mailbox;
	f->events = events;
	f->arg = arg;
	f->last = &f->first;
	if (what == FOLLOW_BLOCKS)
		f->segment = chain_segment_new(k);
	if (what == FOLLOW_BLOCKS && f->segment == NULL) {
		free(f);
		return NULL;
	}
	return f;
}

static void
entry_free(struct entry *x)
{
	if (x == NULL)
		return;
	buf_release(&x->block);
	buf_release(&x->records);
	free(x);
}

static struct entry *
entry_new(const uint8_t *p, size_t n)
{
	struct entry *x = calloc(1, sizeof(*x));

	if (x == NULL)
		return NULL;
	buf_init(&x->block);
	buf_init(&x->records);
	if (buf_append(&x->block, p, n, n) != ERR_OK) {
		entry_free(x);
		return NULL;
	}
	return x;
}

static struct entry *
queue_take(struct follow *f)
{
	struct entry *x = f->first;

	if (x == NULL)
		return NULL;
	f->first = x->next;
	if (f->first == NULL)
		f->last = &f->first;
	f->waiting -= x->block.len + x->records.len;
	return x;
}

/* Takes x, also on failure. */
static enum err
queue_put(struct follow *f, struct entry *x)
{
	size_t n = x->block.len + x->records.len;

	if (n > FOLLOW_WAITING_MAX - f->waiting) {
		entry_free(x);
		return ERR_FULL;
	}
	f->waiting += n;
	*f->last = x;
	f->last = &x->next;
	return ERR_OK;
}

void
follow_free(struct follow *f)
{
	struct entry *x;

	if (f == NULL)
		return;
	while ((x = queue_take(f)) != NULL)
		entry_free(x);
	entry_free(f->owed);
	chain_segment_free(f->segment);
	free(f);
}

/* ---- handing on ---- */

static enum err
hand_on(struct follow *f, const struct entry *x)
{
	struct block b;
	enum err e = block_decode(&b, x->block.data, x->block.len);

	if (e != ERR_OK)
		return e;
	return f->events->block(f->arg, &b, x->records.data,
	    x->records.len / f->charter->params.record_size);
}

enum err
follow_poll(struct follow *f)
{
	struct entry *x;
	enum err e = ERR_OK;

	if (f->segment == NULL || !chain_segment_verified(f->segment))
		return ERR_OK;
	while (e == ERR_OK && (x = queue_take(f)) != NULL) {
		e = hand_on(f, x);
		entry_free(x);
	}
	return e;
}

/* A block is whole. */
static enum err
settle(struct follow *f, struct entry *x)
{
	enum err e = queue_put(f, x);

	return e == ERR_OK ? follow_poll(f) : e;
}

/* ---- items ---- */

static void
show_charter(struct follow *f, const uint8_t *p, size_t n)
{
	if (f->events->charter != NULL)
		f->events->charter(f->arg, p, n);
}

/* Before the block is handed on, and of epoch blocks that never are. */
static void
show_charters(struct follow *f, const struct block *b)
{
	for (size_t i = 0; i < b->entry_count; i++)
		if (b->entries[i].kind == BLOCK_CHARTER)
			show_charter(f, b->entries[i].data, b->entries[i].len);
}

static enum err
take_epoch_block(struct follow *f, const uint8_t *p, size_t n)
{
	struct block b;
	enum err e = chain_epoch_add(f->chain, &b, p, n, p + n);
	struct entry *x;

	if (e != ERR_OK)
		return e;
	show_charters(f, &b);
	x = entry_new(p, n);
	if (x == NULL)
		return ERR_MEMORY;
	entry_free(queue_take(f)); /* only the latest is kept */
	return queue_put(f, x);
}

static enum err
take_block(struct follow *f, const uint8_t *p, size_t n)
{
	struct entry *x;
	struct block b;
	enum err e;

	if (f->owed != NULL)
		return ERR_CHAIN;
	if (n < BLOCK_SIGNATURE_BYTES)
		return ERR_TRUNCATED;
	n -= BLOCK_SIGNATURE_BYTES;
	f->blocks++;
	if (f->what == FOLLOW_EPOCHS)
		return take_epoch_block(f, p, n);
	e = chain_segment_add(f->segment, &b, p, n, p + n);
	if (e != ERR_OK)
		return e;
	show_charters(f, &b);
	if (f->events->seen != NULL)
		f->events->seen(f->arg, b.round);
	x = entry_new(p, n);
	if (x == NULL)
		return ERR_MEMORY;
	if (!block_mailbox_find(&f->line, &b, f->mailbox) || f->line.count == 0)
		return settle(f, x);
	f->owed = x;
	return ERR_OK;
}

static enum err
take_records(struct follow *f, const uint8_t *p, size_t n)
{
	struct entry *x = f->owed;
	uint8_t hash[32];
	enum err e;

	if (x == NULL || n != (size_t)f->line.count * f->charter->params.record_size)
		return ERR_CHAIN;
	hash_256(hash, p, n);
	if (memcmp(hash, f->line.hash, sizeof(hash)) != 0) /* public */
		return ERR_CHAIN;
	e = buf_append(&x->records, p, n, n);
	if (e != ERR_OK)
		return e;
	f->owed = NULL;
	return settle(f, x);
}

enum err
follow_item(struct follow *f, enum item_kind kind, const uint8_t *p, size_t n)
{
	switch (kind) {
	case ITEM_SHEET:
		return f->events->sheet(f->arg, p, n);
	case ITEM_BLOCK:
		return take_block(f, p, n);
	case ITEM_RECORDS:
		return take_records(f, p, n);
	case ITEM_CHARTER:
		show_charter(f, p, n);
		return ERR_OK;
	case ITEM_NOTICE:
		return f->events->notice != NULL ? f->events->notice(f->arg, p, n) : ERR_OK;
	}
	return ERR_MALFORMED;
}

enum err
follow_done(struct follow *f)
{
	struct entry *x;
	enum err e;

	if (f->owed != NULL)
		return ERR_CHAIN;
	if (f->what == FOLLOW_BLOCKS)
		return follow_poll(f);
	e = chain_epochs_done(f->chain);
	x = queue_take(f);
	if (e == ERR_OK && x != NULL)
		e = hand_on(f, x);
	entry_free(x);
	return e;
}

bool
follow_verified(struct follow *f)
{
	return f->segment != NULL && f->first == NULL && chain_segment_verified(f->segment);
}

size_t
follow_waiting(const struct follow *f)
{
	return f->waiting;
}

uint64_t
follow_blocks(const struct follow *f)
{
	return f->blocks;
}

bool
follow_is_broken(enum err e)
{
	return e == ERR_CHAIN || e == ERR_SIGNATURE || e == ERR_MALFORMED || e == ERR_TRUNCATED ||
	    e == ERR_TRAILING || e == ERR_VERSION;
}

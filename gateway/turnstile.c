#include "config.h"

#include "gateway/turnstile.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/secret.h"

#define RECORD_OVERHEAD 16 /* of a record in the stream: its digest, its part of an item */

/* The newest last. */
struct queue {
	uint8_t **records;
	size_t count, room;
	size_t fresh;	/* of these, that no round has passed by */
	uint64_t ahead; /* bytes, of its readers */
};

struct turnstile {
	const struct params *params;
	uint64_t round;		/* the last that passed */
	uint64_t round_bytes, ahead_max; /* what readers take in a round; by how much to be ahead */
	struct turnstile_status status;
	struct queue queues[]; /* of each mailbox */
};

/* ---- how much ---- */

/*
 * Of a frame down, what blocks leave to records: what each slot adds to the blocks is as in the
 * rule for `pieces` (protocol.md, section 1), and 3 of 20 are for slots that are skipped.
 */
static uint64_t
slot_bytes(const struct params *p)
{
	uint64_t frame = (uint64_t)p->pieces * PARAMS_PIECE_BYTES * 17 / 20;
	uint64_t blocks = (uint64_t)p->people + 100 + 18 * (uint64_t)p->mailboxes;

	return frame > 2 * blocks ? frame - blocks : frame / 2;
}

static void
set_rates(struct turnstile *t)
{
	const struct params *p = t->params;
	uint64_t ahead = slot_bytes(p) * (uint64_t)params_scaled(p, TURNSTILE_AHEAD_MS) /
	    (uint64_t)p->slot_ms;

	t->round_bytes = slot_bytes(p) * (uint64_t)p->round_ms / (uint64_t)p->slot_ms;
	t->ahead_max = t->round_bytes + t->round_bytes / 2;
	if (t->ahead_max < ahead)
		t->ahead_max = ahead;
}

/* What readers have read meanwhile. */
static void
read_on(struct turnstile *t, uint64_t round)
{
	uint64_t rounds = round > t->round ? round - t->round : 0;

	for (size_t i = 0; i < t->params->mailboxes; i++) {
		struct queue *q = &t->queues[i];

		if (q->ahead / t->round_bytes < rounds)
			q->ahead = 0;
		else
			q->ahead -= rounds * t->round_bytes;
	}
	t->round = round > t->round ? round : t->round;
}

/* ---- what waits ---- */

static void
drop(const struct turnstile *t, uint8_t *record)
{
	secret_wipe(record, t->params->record_size);
	free(record);
}

static uint8_t *
take_oldest(struct queue *q)
{
	uint8_t *record = q->records[0];

	q->count--;
	memmove(q->records, q->records + 1, q->count * sizeof(q->records[0]));
	return record;
}

static void
drop_oldest(struct turnstile *t)
{
	struct queue *fullest = &t->queues[0];

	for (size_t i = 1; i < t->params->mailboxes; i++)
		if (t->queues[i].count > fullest->count)
			fullest = &t->queues[i];
	drop(t, take_oldest(fullest));
	if (fullest->fresh > fullest->count)
		fullest->fresh = fullest->count;
	t->status.waiting--;
	t->status.dropped++;
}

static enum err
reserve(struct queue *q)
{
	size_t room = q->room > 0 ? 2 * q->room : 64;
	uint8_t **records;

	if (q->count < q->room)
		return ERR_OK;
	records = realloc(q->records, room * sizeof(records[0]));
	if (records == NULL)
		return ERR_MEMORY;
	q->records = records;
	q->room = room;
	return ERR_OK;
}

enum err
turnstile_deposit(struct turnstile *t, uint16_t mailbox, const uint8_t *record)
{
	size_t size = t->params->record_size;
	struct queue *q;
	uint8_t *copy;

	if (mailbox >= t->params->mailboxes)
		return ERR_NOT_FOUND;
	q = &t->queues[mailbox];
	copy = reserve(q) == ERR_OK ? malloc(size) : NULL;
	if (copy == NULL)
		return ERR_MEMORY;
	memcpy(copy, record, size);
	if (t->status.waiting >= TURNSTILE_MAX)
		drop_oldest(t);
	q->records[q->count++] = copy;
	q->fresh++;
	t->status.waiting++;
	return ERR_OK;
}

/* ---- a round ---- */

static uint8_t *
take_newest(struct queue *q)
{
	q->fresh--;
	return q->records[--q->count];
}

static void
pass(struct turnstile *t, uint16_t mailbox, turnstile_cb *each, void *arg)
{
	struct queue *q = &t->queues[mailbox];
	size_t size = t->params->record_size;

	while (q->count > 0 && q->ahead < t->ahead_max) {
		uint8_t *record = q->fresh > 0 ? take_newest(q) : take_oldest(q);

		q->ahead += size + RECORD_OVERHEAD;
		t->status.waiting--;
		each(arg, mailbox, record);
		drop(t, record);
	}
	t->status.held += q->fresh;
	q->fresh = 0;
}

void
turnstile_pass(struct turnstile *t, uint64_t round, const struct rng *rng, turnstile_cb *each,
    void *arg)
{
	read_on(t, round);
	for (size_t i = 0; i < t->params->mailboxes; i++) {
		struct queue *q = &t->queues[i];

		if (q->fresh > 0)
			rng_shuffle(rng, q->records + (q->count - q->fresh), q->fresh,
			    sizeof(q->records[0]));
		pass(t, (uint16_t)i, each, arg);
	}
}

void
turnstile_get_status(const struct turnstile *t, struct turnstile_status *out)
{
	*out = t->status;
}

/* ---- life ---- */

enum err
turnstile_new(struct turnstile **out, const struct params *p)
{
	struct turnstile *t = calloc(1, sizeof(*t) + p->mailboxes * sizeof(t->queues[0]));

	if (t == NULL)
		return ERR_MEMORY;
	t->params = p;
	set_rates(t);
	*out = t;
	return ERR_OK;
}

void
turnstile_free(struct turnstile *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < t->params->mailboxes; i++) {
		struct queue *q = &t->queues[i];

		while (q->count > 0)
			drop(t, q->records[--q->count]);
		free(q->records);
	}
	free(t);
}

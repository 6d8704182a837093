#include "config.h"

#include "gateway/entry.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/charter/timing.h"
#include "gateway/guest.h"

#define CACHE_BYTES ((size_t)64 << 20)
#define CACHE_CHUNKS 16384
_Static_assert(2 * (ITEM_RECORDS_MAX + BLOCK_BYTES_MAX) <= CACHE_BYTES,
    "the largest round is shared: sessions do not each hold a copy of it");

struct entry {
	struct guest_house house;
	struct listener *listener;
	struct timer *turn; /* the next hour or epoch begins */
	struct log *log;
	uint8_t link_pk[32];
};

static void
on_accept(void *arg, struct conn *c)
{
	struct entry *e = arg;

	guest_new(&e->house, c);
}

static void
for_all(struct entry *e, void (*each)(struct guest *g))
{
	for (struct guest *g = e->house.first, *next; g != NULL; g = next) {
		next = guest_next(g);
		each(g);
	}
}

static void
arm(struct entry *e)
{
	const struct params *p = e->house.params;
	int64_t now = loop_wall_ms(e->house.loop);
	int64_t hour = timing_hour_start(p, timing_hour(p, now) + 1);
	int64_t epoch = timing_epoch_start(p, timing_epoch(p, now) + 1);

	timer_at_wall(e->turn, hour < epoch ? hour : epoch);
}

static void
on_turn(void *arg)
{
	struct entry *e = arg;

	for_all(e, guest_turn);
	log_event(e->log, LOG_SESSIONS, e->house.status.sessions, e->house.status.refused, 0);
	arm(e);
}

static void
on_jump(void *arg, int64_t delta_ms)
{
	(void)delta_ms;
	on_turn(arg);
}

static enum err
make_parts(struct entry *e, const struct entry_config *cfg)
{
	struct guest_house *h = &e->house;

	h->chunks = chunks_new(cfg->rng, CACHE_BYTES, CACHE_CHUNKS);
	h->frame = calloc(1, params_down_frame_bytes(h->params));
	e->turn = timer_new(cfg->loop, on_turn, e);
	if (h->chunks == NULL || h->frame == NULL || e->turn == NULL)
		return ERR_MEMORY;
	return loop_watch_jumps(cfg->loop, on_jump, e);
}

enum err
entry_open(struct entry **out, const struct entry_config *cfg, const struct entry_events *events,
    void *arg, struct diag *d)
{
	struct entry *e = calloc(1, sizeof(*e));
	enum err rc;

	if (e == NULL)
		return ERR_MEMORY;
	if (crypto_scalarmult_base(e->link_pk, cfg->link_sk) != 0) {
		free(e);
		return ERR_CRYPTO;
	}
	e->log = cfg->log;
	e->house = (struct guest_house){ .loop = cfg->loop,
		.charter = cfg->charter,
		.params = &cfg->charter->params,
		.store = cfg->store,
		.keys = cfg->keys,
		.link_sk = cfg->link_sk,
		.link_pk = e->link_pk,
		.events = events,
		.arg = arg,
		.tickets = cfg->tickets,
		.sessions_max = cfg->sessions_max,
		.waiting_max = cfg->waiting_max };
	for (size_t i = 0; i < GUEST_WAITING; i++)
		TAILQ_INIT(&e->house.waiting[i]);
	rc = make_parts(e, cfg);
	if (rc == ERR_OK)
		rc = listener_open(&e->listener, cfg->loop, cfg->listen, on_accept, e, d);
	if (rc != ERR_OK) {
		entry_free(e);
		return rc;
	}
	arm(e);
	*out = e;
	return ERR_OK;
}

void
entry_stop_accepting(struct entry *e)
{
	if (e->listener != NULL)
		listener_free(e->listener);
	e->listener = NULL;
}

void
entry_close_sessions(struct entry *e)
{
	while (e->house.first != NULL)
		guest_free(e->house.first);
}

void
entry_free(struct entry *e)
{
	if (e == NULL)
		return;
	entry_stop_accepting(e);
	entry_close_sessions(e);
	guest_house_left(&e->house);
	loop_unwatch_jumps(e->house.loop, e);
	timer_free(e->turn);
	for (size_t i = 0; i < GUEST_SHEETS; i++)
		chunk_drop(e->house.sheets[i]);
	for (size_t i = 0; i < GUEST_CHARTERS; i++)
		chunk_drop(e->house.charters[i]);
	for (size_t i = 0; i < GUEST_NOTICES; i++)
		chunk_drop(e->house.notices[i]);
	chunks_free(e->house.chunks);
	free(e->house.frame);
	free(e);
}

/* ---- what the journal tells ---- */

static void
cache(struct entry *e, uint32_t day, uint32_t index, uint64_t round, uint16_t mailbox,
    const uint8_t *block, size_t block_len, const struct store_records *r)
{
	struct chunk *c = chunk_new(block, block_len, r != NULL ? r->data : NULL,
	    r != NULL ? r->len : 0);

	/* without memory the sessions read it from the store */
	if (c == NULL)
		return;
	c->day = day;
	c->index = index;
	c->round = round;
	c->mailbox = mailbox;
	chunks_add(e->house.chunks, c);
	chunk_drop(c);
}

void
entry_published(struct entry *e, uint32_t day, uint32_t index, uint64_t round,
    const uint8_t *block, size_t block_len, const struct store_records *mailboxes, size_t n)
{
	for (uint32_t m = 0; m < e->house.params->mailboxes; m++) {
		const struct store_records *found = NULL;
		for (size_t i = 0; i < n; i++)
			if (mailboxes[i].mailbox == m)
				found = &mailboxes[i];
		cache(e, day, index, round, (uint16_t)m, block, block_len, found);
	}
}

enum err
entry_sheet(struct entry *e, uint32_t epoch, const uint8_t *sheet, size_t len)
{
	struct guest_house *h = &e->house;
	struct chunk *c = chunk_item(ITEM_SHEET, sheet, len);
	size_t at = h->sheet_number % GUEST_SHEETS;

	if (c == NULL)
		return ERR_MEMORY;
	chunk_drop(h->sheets[at]);
	h->sheets[at] = c;
	h->sheet_epochs[at] = epoch;
	h->sheet_number++;
	if (epoch == timing_epoch(h->params, loop_wall_ms(h->loop)))
		for_all(e, guest_hurry);
	return ERR_OK;
}

/* One more that stands apart; the oldest of the ring gives way. */
static enum err
keep(struct chunk **ring, size_t size, uint64_t *number, enum item_kind kind, const uint8_t *p,
    size_t len)
{
	struct chunk *c = chunk_item(kind, p, len), **at;

	if (c == NULL)
		return ERR_MEMORY;
	at = &ring[(*number)++ % size];
	chunk_drop(*at);
	*at = c;
	return ERR_OK;
}

enum err
entry_charter(struct entry *e, const uint8_t *text, size_t len)
{
	struct guest_house *h = &e->house;

	return keep(h->charters, GUEST_CHARTERS, &h->charter_number, ITEM_CHARTER, text, len);
}

enum err
entry_notice(struct entry *e, const uint8_t *notice, size_t len)
{
	struct guest_house *h = &e->house;

	return keep(h->notices, GUEST_NOTICES, &h->notice_number, ITEM_NOTICE, notice, len);
}

void
entry_get_status(const struct entry *e, struct entry_status *out)
{
	*out = e->house.status;
}

#include "config.h"

#include "gateway/guest.h"

#include <stdlib.h>
#include <string.h>

#include "common/charter/timing.h"
#include "common/net/attend.h"

#define HANDSHAKE_MS 20000
#define OPEN_MS 60000	   /* from the handshake to the open frame, after one slot */
#define SILENCE_MS 900000  /* a session that skips slots for so long is gone */
#define CATCH_UP_MS 100
#define HOUR_SLACK_MS 30000 /* a client's clock may be off by so much */
#define LINGER_MS 5000	   /* for an error frame to leave */
#define UNREAD_HOURS 2	   /* for days and epoch blocks, from the end of the session's hour */
#define QUEUE_FRAMES 8	   /* not taken by a slow reader: no further ones are made */
#define QUIET_SLOTS 2	   /* after so many without a frame down, one goes unasked */
#define AHEAD_FRAMES 64	   /* a network may bunch so many slots together */
#define READ_BYTES ((size_t)256 << 10) /* of the store at a time */

/* Where a session stands in the journal. */
enum guest_place {
	PLACE_UNKNOWN, /* the position of its first block is to be looked up */
	PLACE_ASKED,   /* an answer of the store is on its way */
	PLACE_KNOWN,
	PLACE_END,     /* a day or the epoch blocks: everything was read */
};

struct guest {
	struct guest *next, **at;
	enum guest_standing standing;
	TAILQ_ENTRY(guest) waiters; /* with those of the same standing, members excepted */
	struct guest_house *house;
	struct link *link;
	struct timer *timer;	/* until `open`: the time-out; then the catch-up clock */
	int64_t since_ms;	/* boot clock: when the open frame came */
	uint64_t frames;	/* up, since then */
	bool opened, asking;	/* asking: a store still has our address */
	bool refused;		/* it has been told why, and lingers */
	bool gone;		/* freed as soon as the store has answered */
	struct frame_open open;
	uint64_t sheets_sent;	/* number of the last sheet that was sent */
	uint64_t charters_sent, notices_sent; /* the same */
	enum guest_place place;
	bool caught_up;		/* a live session that has had all there was */
	uint32_t day, index;	/* of the next block; epoch blocks: index */
	uint64_t end_round;	/* day sessions: the first round not to send */
	struct guest_ask *ask;	/* ours, while the store reads blocks for us and the house is there */
	struct chunk *chunk;	/* being sent, from `offset` */
	size_t offset;
};

/* ---- standing ---- */

static void
step_out(struct guest *g)
{
	struct guest_house *h = g->house;

	if (g->standing == GUEST_MEMBER) {
		h->status.members--;
		return;
	}
	TAILQ_REMOVE(&h->waiting[g->standing], g, waiters);
	h->waiting_count[g->standing]--;
}

/* The newest comes in; if there is no place for it the oldest goes. */
static void
step_in(struct guest *g, enum guest_standing s)
{
	struct guest_house *h = g->house;

	g->standing = s;
	if (s == GUEST_MEMBER) {
		h->status.members++;
		return;
	}
	if (h->waiting_count[s] >= h->waiting_max) {
		h->status.pushed_out++;
		guest_free(TAILQ_FIRST(&h->waiting[s]));
	}
	TAILQ_INSERT_TAIL(&h->waiting[s], g, waiters);
	h->waiting_count[s]++;
}

static void
rise(struct guest *g, enum guest_standing s)
{
	step_out(g);
	step_in(g, s);
}

/* ---- ending ---- */

static void
guest_destroy(struct guest *g)
{
	chunk_drop(g->chunk);
	timer_free(g->timer);
	free(g);
}

void
guest_free(struct guest *g)
{
	*g->at = g->next;
	if (g->next != NULL)
		g->next->at = g->at;
	g->house->status.sessions--;
	step_out(g);
	link_free(g->link);
	g->link = NULL;
	timer_cancel(g->timer);
	g->gone = true;
	if (!g->asking)
		guest_destroy(g);
}

struct guest *
guest_next(const struct guest *g)
{
	return g->next;
}

/* Until the answer a read counts among the GUEST_ASKS, whether its session is there or not. */
void
guest_house_left(struct guest_house *h)
{
	for (size_t i = 0; i < GUEST_ASKS; i++)
		if (h->asks[i].busy)
			h->asks[i].by->ask = NULL;
}

/*
 * Somebody who is refused stays among those who wait until he closes or his time is over:
 * what lingers otherwise is counted by nobody, and only members may do so.
 */
static void
linger(struct guest *g)
{
	g->refused = true;
	timer_after(g->timer, LINGER_MS);
}

/* Say why, and end. */
static void
guest_end(struct guest *g, enum frame_error why)
{
	const struct frame_down f = { .type = FRAME_DOWN_ERROR, .error = why };

	if (why != FRAME_ERROR_MARK && why != FRAME_ERROR_COMPLETE)
		g->house->status.refused++;
	frame_down_encode(g->house->frame, g->house->params, &f);
	if (link_send(g->link, g->house->frame) == ERR_OK) {
		if (g->standing != GUEST_MEMBER) {
			linger(g);
			return;
		}
		link_finish(g->link, LINGER_MS);
		g->link = NULL;
	}
	guest_free(g);
}

/* ---- reading the journal ---- */

static void
on_blocks(void *arg, enum err e, const struct store_block *blocks, size_t n)
{
	struct guest *g = arg;

	g->asking = false;
	if (g->ask != NULL)
		g->ask->busy = false;
	g->ask = NULL;
	if (g->gone) {
		guest_destroy(g);
		return;
	}
	if (e == ERR_NOT_FOUND) {
		guest_end(g, FRAME_ERROR_DAY);
		return;
	}
	if (e != ERR_OK) {
		guest_end(g, FRAME_ERROR_STORE);
		return;
	}
	g->place = PLACE_KNOWN;
	for (size_t i = 0; i < n; i++) {
		struct chunk *c = chunk_new(blocks[i].block, blocks[i].block_len,
		    blocks[i].records, blocks[i].records_len);
		if (c == NULL)
			break;
		c->day = g->day;
		c->index = g->index + (uint32_t)i;
		c->mailbox = g->open.mailbox;
		c->round = blocks[i].round;
		if (i == 0 && g->chunk == NULL) {
			g->chunk = chunk_hold(c);
			g->offset = 0;
		}
		chunks_add(g->house->chunks, c);
		chunk_drop(c);
	}
}

static void
on_found(void *arg, enum err e, uint32_t index)
{
	struct guest *g = arg;

	g->asking = false;
	if (g->gone) {
		guest_destroy(g);
		return;
	}
	if (e != ERR_OK && e != ERR_NOT_FOUND) {
		guest_end(g, FRAME_ERROR_STORE);
		return;
	}
	g->index = e == ERR_OK ? index : 0;
	g->place = PLACE_KNOWN;
	/* A block that is there already stays the first; one still to come may not. */
	if (g->index < store_count(g->house->store, g->day))
		g->house->starts[g->open.hour % GUEST_STARTS] =
		    (struct guest_start){ true, g->open.hour, g->day, g->index };
}

/* The first day that is kept and not before `day`; false if there is none. */
static bool
day_from(const struct guest_house *h, uint32_t *day)
{
	uint32_t days[STORE_DAYS_MAX];
	size_t n = store_days(h->store, days, STORE_DAYS_MAX);

	for (size_t i = 0; i < n; i++) {
		if (days[i] < *day)
			continue;
		*day = days[i];
		return true;
	}
	return false;
}

/* A live session reads from the hour's mark, whenever it was opened. */
static void
place_live(struct guest *g)
{
	const struct params *p = g->house->params;
	int64_t mark = attend_mark_ms(p, g->open.hour);
	const struct guest_start *start = &g->house->starts[g->open.hour % GUEST_STARTS];

	if (start->known && start->hour == g->open.hour) {
		g->day = start->day;
		g->index = start->index;
		g->place = PLACE_KNOWN;
		return;
	}
	g->day = timing_day(p, mark);
	if (!day_from(g->house, &g->day)) {
		g->place = PLACE_KNOWN; /* whatever comes is later */
		return;
	}
	g->place = PLACE_ASKED;
	g->asking = true;
	if (store_find(g->house->store, g->day, timing_round(p, mark), on_found, g) != ERR_OK) {
		g->asking = false;
		g->place = PLACE_UNKNOWN;
	}
}

/* A day is read from its start, up to the mark of the session's hour. */
static void
place_day(struct guest *g)
{
	const struct params *p = g->house->params;

	g->day = g->open.day;
	g->index = 0;
	g->end_round = timing_round(p, attend_mark_ms(p, g->open.hour));
	g->place = PLACE_KNOWN;
}

/* A free place for a question; NULL if the same was asked already, or too many were. */
static struct guest_ask *
take_ask(struct guest *g)
{
	struct guest_ask *found = NULL;

	for (size_t i = 0; i < GUEST_ASKS; i++) {
		struct guest_ask *a = &g->house->asks[i];

		if (!a->busy)
			found = a;
		else if (a->day == g->day && a->index == g->index && a->mailbox == g->open.mailbox)
			return NULL;
	}
	return found;
}

static void
ask_blocks(struct guest *g)
{
	struct guest_ask *a = take_ask(g);

	if (a == NULL || store_read(g->house->store, g->day, g->index, g->open.mailbox, READ_BYTES,
		on_blocks, g) != ERR_OK)
		return; /* the clock comes back to it */
	*a = (struct guest_ask){ true, g, g->day, g->index, g->open.mailbox };
	g->ask = a;
	g->place = PLACE_ASKED;
	g->asking = true;
}

/* The next block of a day, if it is written; else the next day's first, for live sessions. */
static void
next_block(struct guest *g)
{
	struct guest_house *h = g->house;
	uint32_t later = g->day + 1;

	if (g->index >= store_count(h->store, g->day)) {
		if (g->open.read == FRAME_READ_DAY) {
			g->place = PLACE_END;
		} else if (day_from(h, &later)) {
			g->day = later;
			g->index = 0;
		}
		return;
	}
	g->chunk = chunks_find(h->chunks, g->day, g->index, g->open.mailbox);
	g->offset = 0;
	if (g->chunk == NULL)
		ask_blocks(g);
}

static void
next_epoch_block(struct guest *g)
{
	const uint8_t *block;
	size_t len;

	if (g->index >= store_epoch_count(g->house->store)) {
		g->place = PLACE_END;
		return;
	}
	store_epoch(g->house->store, g->index, &block, &len);
	g->chunk = chunk_new(block, len, NULL, 0);
	g->offset = 0;
}

/* The next of a ring of `size` that a session has not been given yet, or NULL. */
static struct chunk *
next_of(struct chunk *const *ring, size_t size, uint64_t number, uint64_t *sent)
{
	uint64_t oldest = number < size ? 0 : number - size;

	if (*sent < oldest)
		*sent = oldest;
	return *sent < number ? chunk_hold(ring[(*sent)++ % size]) : NULL;
}

/* What goes before everything else: charters, issuer notices, and sheets, that belong to them. */
static bool
next_apart(struct guest *g)
{
	const struct guest_house *h = g->house;

	g->chunk = next_of(h->charters, GUEST_CHARTERS, h->charter_number, &g->charters_sent);
	if (g->chunk == NULL)
		g->chunk = next_of(h->notices, GUEST_NOTICES, h->notice_number, &g->notices_sent);
	if (g->chunk == NULL)
		g->chunk = next_of(h->sheets, GUEST_SHEETS, h->sheet_number, &g->sheets_sent);
	g->offset = 0;
	return g->chunk != NULL;
}

/* Find something to send; g->chunk stays NULL if there is nothing now. */
static void
next_chunk(struct guest *g)
{
	if (next_apart(g) || g->place == PLACE_ASKED || g->place == PLACE_END)
		return;
	switch (g->open.read) {
	case FRAME_READ_LIVE:
		if (g->place == PLACE_UNKNOWN)
			place_live(g);
		else
			next_block(g);
		break;
	case FRAME_READ_DAY:
		if (g->place == PLACE_UNKNOWN)
			place_day(g);
		next_block(g);
		if (g->chunk != NULL && g->chunk->round >= g->end_round) {
			chunk_drop(g->chunk);
			g->chunk = NULL;
			g->place = PLACE_END;
		}
		break;
	case FRAME_READ_EPOCHS:
		g->place = PLACE_KNOWN;
		next_epoch_block(g);
		break;
	case FRAME_READ_NOTICES:
		g->place = PLACE_END;
		break;
	}
}

/* ---- sending ---- */

/* Fill the frame's stream from chunk after chunk; returns the bytes. */
static size_t
fill_stream(struct guest *g, uint8_t *out, size_t room)
{
	size_t fill = 0;

	while (fill < room) {
		if (g->chunk == NULL)
			next_chunk(g);
		if (g->chunk == NULL)
			break;
		size_t left = g->chunk->len - g->offset;
		size_t n = left < room - fill ? left : room - fill;
		memcpy(out + fill, g->chunk->bytes + g->offset, n);
		fill += n;
		g->offset += n;
		if (g->offset < g->chunk->len)
			continue;
		bool apart = g->chunk->apart;
		chunk_drop(g->chunk);
		g->chunk = NULL;
		if (!apart)
			g->index++;
	}
	return fill;
}

/* Whether a live session has been sent everything there is now. */
static bool
at_the_end(const struct guest *g)
{
	return g->open.read == FRAME_READ_LIVE && g->chunk == NULL && g->place == PLACE_KNOWN &&
	    g->index >= store_count(g->house->store, g->day);
}

/*
 * Until a session has caught up it is given frames by a clock of its own, then one
 * for each frame up. A client without the running epoch's sheet sends nothing up:
 * so that the sheet can reach it, a frame goes down after every two quiet slots.
 */
static void
arm_clock(struct guest *g)
{
	const struct params *p = g->house->params;

	timer_after(g->timer, g->caught_up ? QUIET_SLOTS * p->slot_ms :
	    params_scaled(p, CATCH_UP_MS));
}

static void
send_frame(struct guest *g)
{
	struct guest_house *h = g->house;
	size_t room = h->params->pieces * (size_t)PARAMS_PIECE_BYTES;
	struct frame_down f = { .type = FRAME_DOWN_STREAM, .stream = h->frame + 8 };

	if (link_unsent_frames(g->link) >= QUEUE_FRAMES)
		return; /* a slow reader: it falls behind */
	if (g->chunk == NULL && g->place == PLACE_END) {
		guest_end(g, FRAME_ERROR_COMPLETE);
		return;
	}
	f.fill = (uint16_t)fill_stream(g, h->frame + 8, room);
	g->caught_up = g->caught_up || (f.fill < room && at_the_end(g));
	if (f.fill == 0 && !g->caught_up)
		return; /* the store is being asked */
	frame_down_encode(h->frame, h->params, &f);
	/* ERR_FULL cannot be, ERR_CLOSED ends the session by on_down */
	if (link_send(g->link, h->frame) != ERR_OK)
		guest_free(g);
}

/* The clock, and before the open frame the time-out. */
static void
on_timer(void *arg)
{
	struct guest *g = arg;

	if (!g->opened || g->refused) {
		guest_free(g);
		return;
	}
	arm_clock(g);
	send_frame(g);
}

/* A sheet that came late is what everybody waits for: it does not wait for a slot. */
void
guest_hurry(struct guest *g)
{
	if (g->opened && g->caught_up && !g->refused)
		timer_after(g->timer, params_scaled(g->house->params, CATCH_UP_MS));
}

/* What is to be read takes minutes: a session that lasts for hours only keeps a place. */
void
guest_turn(struct guest *g)
{
	uint32_t hour = timing_hour(g->house->params, loop_wall_ms(g->house->loop));
	uint32_t more = g->open.read == FRAME_READ_LIVE ? 0 : UNREAD_HOURS;

	if (g->opened && !g->refused && hour > more && g->open.hour < hour - more)
		guest_end(g, FRAME_ERROR_MARK);
}

/* ---- the open frame ---- */

static enum frame_error
check_hour(const struct guest *g, const struct frame_open *o)
{
	const struct params *p = g->house->params;
	int64_t now = loop_wall_ms(g->house->loop), slack = params_scaled(p, HOUR_SLACK_MS);
	uint32_t running = timing_hour(p, now);

	if (o->hour == running)
		return FRAME_ERROR_NONE;
	if (o->hour == running + 1 && now + slack >= attend_mark_ms(p, o->hour))
		return FRAME_ERROR_NONE;
	return FRAME_ERROR_HOUR;
}

static enum frame_error
check_open(const struct guest *g, const struct frame_open *o)
{
	const struct guest_house *h = g->house;
	enum frame_error e = check_hour(g, o);

	if (o->read != FRAME_READ_NOTICES && h->status.members >= h->sessions_max)
		return FRAME_ERROR_BUSY;
	if (o->version != 1)
		return FRAME_ERROR_VERSION;
	if (e != FRAME_ERROR_NONE)
		return e;
	if (o->mailbox >= h->params->mailboxes)
		return FRAME_ERROR_MAILBOX;
	if (o->read == FRAME_READ_DAY && store_count(h->store, o->day) == 0)
		return FRAME_ERROR_DAY;
	return FRAME_ERROR_NONE;
}

static void
admit(struct guest *g)
{
	g->opened = true;
	g->since_ms = loop_boot_ms(g->house->loop);
	g->house->status.opened++;
	if (g->open.read == FRAME_READ_NOTICES)
		g->house->status.looked++;
	else
		rise(g, GUEST_MEMBER);
	arm_clock(g);
	send_frame(g);
}

static void
on_ticket(void *arg, enum err e)
{
	struct guest *g = arg;

	g->asking = false;
	if (g->gone) {
		guest_destroy(g);
		return;
	}
	if (e != ERR_OK) {
		guest_end(g, e == ERR_EXISTS ? FRAME_ERROR_TICKET : FRAME_ERROR_STORE);
		return;
	}
	link_pause(g->link, false);
	admit(g);
}

static enum frame_error
ticket_error(enum err e)
{
	return e == ERR_DENIED ? FRAME_ERROR_TICKET :
	    e == ERR_BUSY ? FRAME_ERROR_BUSY : FRAME_ERROR_STORE;
}

/* Until the ticket is spent, durably, nothing is taken and nothing is told. */
static void
take_ticket(struct guest *g)
{
	enum err e;

	e = tickets_redeem(g->house->tickets, &g->open, link_hash(g->link), on_ticket, g);
	if (e != ERR_OK) {
		guest_end(g, ticket_error(e));
		return;
	}
	g->asking = true;
	rise(g, GUEST_CALLER); /* genuine, and so the newest; it may have been spent before */
	link_pause(g->link, true);
}

/*
 * Who has no ticket yet cannot have one before the notices, by which tickets are checked.
 * Those are public, small, and cost us nothing to look up.
 */
static bool
needs_ticket(const struct guest *g)
{
	const struct tickets *t = g->house->tickets;

	return t != NULL && g->open.read != FRAME_READ_NOTICES && tickets_needed(t, g->open.hour);
}

static void
take_open(struct guest *g, const struct frame_open *o)
{
	enum frame_error e = check_open(g, o);

	if (e != FRAME_ERROR_NONE) {
		guest_end(g, e);
		return;
	}
	g->open = *o;
	if (needs_ticket(g))
		take_ticket(g);
	else
		admit(g);
}

/* ---- frames ---- */

/* Whether frames come faster than the slot clock allows, bunching included. */
static bool
ahead(const struct guest *g)
{
	int64_t elapsed = loop_boot_ms(g->house->loop) - g->since_ms;

	return g->frames > (uint64_t)(elapsed / g->house->params->slot_ms) + AHEAD_FRAMES;
}

static void
on_frame(void *arg, uint8_t *plain, size_t n)
{
	struct guest *g = arg;
	struct guest_house *h = g->house;
	struct frame_up f;
	enum err e = frame_up_decode(&f, h->params, plain);

	(void)n;
	if (g->refused)
		return;
	if (e == ERR_VERSION && !g->opened) {
		guest_end(g, FRAME_ERROR_VERSION);
		return;
	}
	if (e != ERR_OK || (f.type == FRAME_UP_OPEN) == g->opened) {
		h->status.malformed++;
		guest_free(g);
		return;
	}
	if (!g->opened) {
		take_open(g, &f.open);
		return;
	}
	g->frames++;
	if (ahead(g)) {
		guest_end(g, FRAME_ERROR_RATE);
		return;
	}
	if (g->open.read == FRAME_READ_NOTICES)
		return;
	h->events->packet(h->arg, f.first_mix, f.epoch, f.packet);
	if (g->caught_up) {
		arm_clock(g);
		send_frame(g);
	}
}

static void
on_up(void *arg)
{
	struct guest *g = arg;
	const struct guest_house *h = g->house;

	rise(g, GUEST_CALLER);
	timer_after(g->timer, h->params->slot_ms + OPEN_MS);
	if (h->events->linked != NULL)
		h->events->linked(h->arg, link_hash(g->link));
}

static void
on_down(void *arg, enum err why)
{
	(void)why;
	guest_free(arg);
}

void
guest_new(struct guest_house *h, struct conn *c)
{
	static const struct link_events events = { on_up, on_frame, NULL, on_down };
	struct link_config cfg = { .pattern = NOISE_NK,
		.own_sk = h->link_sk,
		.own_pk = h->link_pk,
		.send_bytes = params_down_frame_bytes(h->params),
		.receive_bytes = params_up_frame_bytes(h->params),
		.out_frames_max = QUEUE_FRAMES + 2,
		.handshake_ms = HANDSHAKE_MS,
		.idle_ms = h->params->slot_ms + params_scaled(h->params, SILENCE_MS),
		.keys = h->keys };
	struct guest *g = calloc(1, sizeof(*g));

	if (g == NULL) {
		conn_free(c);
		return;
	}
	g->house = h;
	memcpy(cfg.network_id, h->charter->network_id, sizeof(cfg.network_id));
	g->timer = timer_new(h->loop, on_timer, g);
	if (g->timer == NULL) {
		conn_free(c);
		free(g);
		return;
	}
	if (link_accept(&g->link, h->loop, c, &cfg, &events, g) != ERR_OK) {
		guest_destroy(g);
		return;
	}
	g->at = &h->first;
	g->next = h->first;
	if (g->next != NULL)
		g->next->at = &g->next;
	h->first = g;
	h->status.sessions++;
	step_in(g, GUEST_STRANGER);
}

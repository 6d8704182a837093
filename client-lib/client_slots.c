#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "client-lib/client_parts.h"
#include "common/charter/timing.h"

#define SHEETLESS_SLOTS 12 /* in a row, before it is an alarm */

enum err
slots_init(struct client *c)
{
	c->slots = slots_new(c->all, c->cfg.rng, c->cfg.keys);
	c->notes = notetest_new(&notetest_client);
	c->ready.record = malloc(c->params->record_size);
	c->ready.record_size = c->params->record_size;
	c->ready.out.record = c->ready.record;
	return c->slots != NULL && c->notes != NULL && c->ready.record != NULL ? ERR_OK : ERR_MEMORY;
}

void
slots_release(struct client *c)
{
	slots_free(c->slots);
	notetest_free(c->notes);
	free(c->ready.record);
}

/* ---- the next record: chosen, fetched, sealed, made durable ---- */

/*
 * Real traffic needs a journal that is verified and comes, a clock that agrees
 * with it, and notes that come back. What a slot needs besides is asked when it comes.
 */
static bool
may_send(const struct client *c)
{
	const unsigned stopping = CLIENT_ALARM_CLOCK | CLIENT_ALARM_CHARTER | CLIENT_ALARM_NOTES |
	    CLIENT_ALARM_STALL;

	return !c->closing && (c->alarms & stopping) == 0 &&
	    runs_verified(c, NULL);
}

static void
on_sealed(void *arg, enum err e)
{
	struct client *c = arg;

	if (e != ERR_OK || c->ready.state != READY_SEALED)
		return;
	c->ready.state = READY_WAITING;
	(void)tokens_stamped(c, timing_epoch(c->params, loop_wall_ms(c->loop)));
}

static void
seal(struct client *c, const void *content, size_t n)
{
	struct ready *r = &c->ready;
	struct path drawn;
	enum err e;

	client_turn(c);
	path_draw(&drawn, c->charter, c->cfg.rng);
	e = post_seal(c->post, r->record, &r->out.mailbox, &r->out.path, &drawn, content, n,
	    loop_wall_ms(c->loop));
	r->state = READY_NONE;
	if (e != ERR_OK)
		return; /* what was chosen has changed, or no memory: with the next slot */
	r->state = READY_SEALED;
	tokens_next(c);
	if (commit_tell(c->commit, on_sealed, c) == ERR_OK)
		return;
	post_unsent(c->post);
	r->state = READY_NONE;
}

/*
 * What is not there because its own commit has not come yet is asked for again by
 * the next slot. What should be there and is not, or is damaged, never will be.
 */
static void
on_content(void *arg, enum err e, const uint8_t *p, size_t n)
{
	struct client *c = arg;
	bool lost = e == ERR_CRYPTO || e == ERR_RANGE ||
	    (e == ERR_NOT_FOUND && c->ready.must_be_there);

	if (c->ready.state != READY_FETCHING)
		return;
	c->ready.state = READY_NONE;
	if (e == ERR_OK && may_send(c)) {
		seal(c, p, n);
	} else if (lost) {
		post_content_lost(c->post);
		commit_now(c->commit);
	} else if (e == ERR_IO || e == ERR_FULL) {
		client_raise(c, CLIENT_ALARM_DISK);
		commit_now(c->commit); /* clears it when the disk is well */
	}
}

void
slots_feed(struct client *c)
{
	struct post_need need;
	struct post_write key;

	if (c->ready.state != READY_NONE || !may_send(c) || (c->alarms & CLIENT_ALARM_DISK) != 0 ||
	    !post_next(c->post, &need, loop_wall_ms(c->loop)) || !tokens_for_record(c))
		return;
	if (need.kind == POST_NEED_NONE) {
		seal(c, NULL, 0);
		return;
	}
	post_key_out(&key, need.message, need.fragment);
	c->ready.must_be_there = commit_is_idle(c->commit);
	if (commit_read(c->commit, &key, on_content, c) == ERR_OK)
		c->ready.state = READY_FETCHING;
}

/* ---- slots ---- */

static void
count(struct client *c, enum slot_kind kind)
{
	c->counters.slots++;
	c->counters.skipped += kind == SLOT_SKIP;
	c->counters.notes += kind == SLOT_NOTE;
	c->counters.drops += kind == SLOT_DROP;
}

/* The running epoch's sheet; real traffic only under one that the journal has. */
static const struct sheet *
current_sheet(struct client *c, bool *verified, int64_t now)
{
	const struct sheet *s = sheetbook_find(c->sheets, timing_epoch(c->params, now), verified);

	c->sheetless = s == NULL ? c->sheetless + 1 : 0;
	if (s != NULL)
		client_clear(c, CLIENT_ALARM_SHEET);
	if (s != NULL && !purse_sheet(c->purse, s))
		s = NULL; /* keys that are not the journal's */
	if (s == NULL && c->sheetless >= SHEETLESS_SLOTS)
		client_raise(c, CLIENT_ALARM_SHEET);
	return s;
}

bool
slots_on_slot(void *arg, enum attend_phase phase, struct session_packet *out)
{
	struct client *c = arg;
	int64_t now = loop_wall_ms(c->loop);
	const struct slot_record *real = NULL;
	const struct sheet *sheet;
	bool verified = false;
	enum slot_kind kind;

	client_turn(c);
	if (phase == ATTEND_CURRENT) {
		post_tick(c->post, now);
		if (c->ready.state == READY_LEAVING)
			c->ready.state = READY_WAITING; /* its slot could not be sent */
	}
	sheet = current_sheet(c, &verified, now);
	if (phase == ATTEND_CURRENT && c->ready.state == READY_WAITING && verified && may_send(c) &&
	    tokens_stamped(c, sheet->epoch))
		real = &c->ready.out;
	kind = slots_build(c->slots, out, sheet, real, now);
	count(c, kind);
	c->note_leaving = kind == SLOT_NOTE && phase == ATTEND_CURRENT;
	if (kind == SLOT_REAL)
		c->ready.state = READY_LEAVING;
	else if (phase == ATTEND_CURRENT)
		slots_feed(c);
	client_tell(c);
	return kind != SLOT_SKIP;
}

/*
 * Only a current session's note says something: the gateway can tell the others, which
 * carry nothing real, and could let those alone through. Nor does one that leaves while
 * nothing real may, for want of a verified journal: the block that lists it would wait too.
 */
static void
note_left(struct client *c)
{
	if (c->note_leaving && runs_verified(c, NULL))
		notetest_sent(c->notes, slots_note(c->slots), loop_wall_ms(c->loop),
		    &c->charter->params);
	c->note_leaving = false;
}

static void
heed_notes(struct client *c)
{
	struct notetest_status s;

	notetest_get_status(c->notes, &s);
	if (s.passes)
		client_clear(c, CLIENT_ALARM_NOTES);
	else
		client_raise(c, CLIENT_ALARM_NOTES);
}

void
slots_judge(struct client *c, const struct block *b, int64_t from_ms)
{
	int64_t start_ms = timing_round_start(c->params, b->round);

	notetest_block(c->notes, b, from_ms, start_ms, start_ms + c->params->round_ms,
	    loop_wall_ms(c->loop), c->cfg.rng);
	heed_notes(c);
}

void
slots_judge_late(struct client *c)
{
	notetest_look(c->notes, loop_wall_ms(c->loop), c->cfg.rng);
	heed_notes(c);
}

void
slots_on_sent(void *arg, enum attend_phase phase)
{
	struct client *c = arg;

	note_left(c);
	if (phase != ATTEND_CURRENT || c->ready.state != READY_LEAVING)
		return;
	c->ready.state = READY_NONE;
	c->counters.real++;
	post_sent(c->post, loop_wall_ms(c->loop));
	commit_now(c->commit);
	slots_feed(c);
}

bool
slots_cover(struct client *c, struct session_packet *out)
{
	int64_t now = loop_wall_ms(c->loop);
	bool verified;
	const struct sheet *sheet = current_sheet(c, &verified, now);

	return slots_build(c->slots, out, sheet, NULL, now) != SLOT_SKIP;
}

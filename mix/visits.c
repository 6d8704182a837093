#include "config.h"

#include "mix/visits.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/charter/path.h"
#include "common/charter/timing.h"
#include "common/journal/item.h"
#include "common/journal/outlook.h"
#include "common/net/attend.h"
#include "mix/purses.h"

#define SKEW_MAX_MS 30000
#define SKEW_PAUSE_MS 3600000 /* between two warnings */

static_assert(VISITS_COUNT == OUTLOOK_MIX_SESSIONS, "forecasts count them");

/* Between two tries to fetch the running epoch's sheet: each wait is twice the one before. */
#define SEEK_MIN_MS 1000
#define SEEK_MAX_MS 60000

#define RUNS_MAX 4 /* sessions of one visit at a time: coming, current, former, one more */

/* What one session shows of the journal. */
struct run {
	uint64_t id; /* attendance's number */
	struct chain_segment *segment; /* NULL: free, or no block has come */
	int64_t from_ms; /* no round from here on was without its block */
};

/* One of the anonymous sessions, hour after hour. */
struct visit {
	struct visits *owner;
	struct attend *attend;
	struct run runs[RUNS_MAX];
};

struct visits {
	struct visits_config cfg;
	const struct params *params; /* the constant ones */
	struct visits_status status;
	uint8_t *note; /* a record's size; all but its first bytes are zero */
	bool is_note;  /* the last packet that was built; else a drop */
	const struct params *packet_params; /* by which it was built */
	int64_t skew_told_ms; /* boot time; 0: never */
	struct timer *seek;   /* while the running epoch's sheet is missing */
	int64_t seek_ms;      /* the next wait */
	struct visit visits[VISITS_COUNT];
};

/* ---- what goes up: cover, by the clients' law ---- */

/*
 * A note in one slot of so many, as a client that has nothing to say: with more notes than
 * others have, the gateway could find our sessions by delaying some and counting digests.
 */
static bool
build_cover(struct visits *v, struct session_packet *out, const struct sheet *sheet)
{
	const struct charter *c = succession_at(v->cfg.charters, sheet->epoch);
	struct onion_command cover = { .kind = ONION_DROP };
	struct path path;

	if (c == NULL)
		return false;
	path_draw(&path, c, v->cfg.rng);
	v->is_note = rng_chance(v->cfg.rng, 1, c->params.note_one_in);
	if (v->is_note) {
		rng_bytes(v->cfg.rng, v->note, BLOCK_DIGEST_BYTES);
		cover = (struct onion_command){ .kind = ONION_NOTE, .body = v->note };
	}
	out->first_mix = path.node[0];
	out->epoch = sheet->epoch;
	v->packet_params = &c->params;
	return path_packet(out->packet, &path, sheet, &c->params, &cover, v->cfg.rng,
		   v->cfg.keys) == ERR_OK;
}

static bool
on_slot(void *arg, enum attend_phase phase, struct session_packet *out)
{
	struct visits *v = ((struct visit *)arg)->owner;
	const struct params *p = v->params;
	int64_t now = loop_wall_ms(v->cfg.loop);
	const struct sheet *sheet = sheets_find(v->cfg.sheets, timing_epoch(p, now));

	(void)phase; /* cover may go at any time */
	if (sheet == NULL || path_time(p, now) == PATH_CLOSED ||
	    (v->cfg.purses != NULL && !purses_sheet(v->cfg.purses, sheet)))
		return false;
	return build_cover(v, out, sheet);
}

/*
 * Only a current session's note says something: the gateway can tell coming and former
 * sessions, which carry no real packets, and could let those alone through.
 */
static void
on_sent(void *arg, enum attend_phase phase)
{
	struct visits *v = ((struct visit *)arg)->owner;

	v->status.notes_sent += v->is_note;
	if (phase == ATTEND_CURRENT)
		heartbeat_sent(v->cfg.heartbeat, v->is_note ? v->note : NULL,
		    v->packet_params);
}

/* ---- what comes down ---- */

static enum err
take_sheet(struct visits *v, const uint8_t *p, size_t n)
{
	int64_t now = loop_wall_ms(v->cfg.loop);
	enum err e = sheets_offer(v->cfg.sheets, p, n, now);

	v->status.sheets++;
	if (e == ERR_OK || e == ERR_EPOCH) /* of a charter that is still to come, or is no more */
		return ERR_OK;
	v->status.refused++;
	log_event(v->cfg.log, LOG_SHEET_REFUSED, timing_epoch(v->params, now),
	    (uint64_t)-(int64_t)e, 0);
	return e;
}

/* Two for one epoch are the gateway's own word against it, too. */
static enum err
take_notice(struct visits *v, const uint8_t *p, size_t n)
{
	struct evidence e;
	enum err err;

	if (v->cfg.purses == NULL)
		return ERR_OK;
	err = purses_notice(v->cfg.purses, p, n);
	while (purses_take_evidence(v->cfg.purses, &e))
		proofs_add(v->cfg.proofs, &e);
	return err;
}

static struct run *
find_run(struct visit *t, uint64_t id)
{
	for (size_t i = 0; i < RUNS_MAX; i++)
		if (t->runs[i].segment != NULL && t->runs[i].id == id)
			return &t->runs[i];
	return NULL;
}

static void
end_run(struct run *r)
{
	if (r == NULL)
		return;
	chain_segment_free(r->segment);
	memset(r, 0, sizeof(*r));
}

/* The session's first block. Should there be no place, the oldest session's is over. */
static struct run *
begin_run(struct visit *t, uint64_t id)
{
	struct run *r = &t->runs[0];

	for (size_t i = 1; i < RUNS_MAX && r->segment != NULL; i++)
		if (t->runs[i].segment == NULL || t->runs[i].id < r->id)
			r = &t->runs[i];
	end_run(r);
	r->id = id;
	r->from_ms = -1; /* until its first block is verified */
	r->segment = chain_segment_new(t->owner->cfg.chain);
	return r->segment != NULL ? r : NULL;
}

static enum err
add_block(struct run *r, struct block *out, const uint8_t *p, size_t n)
{
	if (n < BLOCK_SIGNATURE_BYTES)
		return ERR_TRUNCATED;
	n -= BLOCK_SIGNATURE_BYTES;
	return chain_segment_add(r->segment, out, p, n, p + n);
}

/*
 * A signed block of a round that has not begun: our clock is behind. (That it is
 * ahead cannot be told from a journal that stands still.)
 */
static void
judge_clock(struct visits *v, const struct block *b)
{
	const struct params *p = v->params;
	int64_t behind = timing_round_start(p, b->round) - loop_wall_ms(v->cfg.loop);
	int64_t now = loop_boot_ms(v->cfg.loop);

	if (behind <= SKEW_MAX_MS ||
	    (v->skew_told_ms != 0 && now - v->skew_told_ms < SKEW_PAUSE_MS))
		return;
	v->skew_told_ms = now;
	log_event(v->cfg.log, LOG_CLOCK_SKEW, (uint64_t)behind / 1000, 0, 0);
}

/*
 * Signed, and next in its run, is all that a block must be here: nobody can list a note's
 * bytes before it came through. A session of an hour is to show everything from the
 * hour's mark on: what it leaves out at its beginning were rounds without our notes.
 */
static void
look_for_notes(struct visits *v, struct run *r, const struct block *b, uint32_t hour)
{
	const struct params *p = v->params;
	int64_t start_ms = timing_round_start(p, b->round);
	int64_t mark_ms = timing_round_start(p, timing_round(p, attend_mark_ms(p, hour)));

	if (r->from_ms < 0)
		r->from_ms = mark_ms < start_ms ? mark_ms : start_ms;
	heartbeat_block(v->cfg.heartbeat, b, r->from_ms, start_ms, start_ms + p->round_ms);
}

/* A block that contradicts what was verified is the gateway's own word against it. */
static void
keep_evidence(struct visits *v)
{
	struct evidence e;

	while (chain_take_evidence(v->cfg.chain, &e))
		proofs_add(v->cfg.proofs, &e);
}

static enum err
take_block(struct visit *t, uint64_t run, uint32_t hour, const uint8_t *p, size_t n)
{
	struct visits *v = t->owner;
	struct run *r = find_run(t, run);
	struct block block;
	enum err e;

	if (r == NULL)
		r = begin_run(t, run);
	if (r == NULL)
		return ERR_MEMORY;
	e = add_block(r, &block, p, n);

	if (e != ERR_OK) {
		keep_evidence(v);
		v->status.refused++;
		log_event(v->cfg.log, LOG_CHAIN_BROKEN,
		    timing_epoch(v->params, loop_wall_ms(v->cfg.loop)),
		    (uint64_t)-(int64_t)e, 0);
		return e;
	}
	v->status.blocks++;
	judge_clock(v, &block);
	look_for_notes(v, r, &block, hour);
	for (size_t i = 0; i < block.entry_count; i++)
		if (block.entries[i].kind == BLOCK_CHARTER)
			v->cfg.charter(v->cfg.arg, block.entries[i].data, block.entries[i].len);
	for (size_t i = 0; i < block.entry_count && e == ERR_OK; i++)
		if (block.entries[i].kind == BLOCK_SHEET)
			e = take_sheet(v, block.entries[i].data, block.entries[i].len);
	for (size_t i = 0; i < block.entry_count && e == ERR_OK; i++)
		if (block.entries[i].kind == BLOCK_ISSUER)
			e = take_notice(v, block.entries[i].data, block.entries[i].len);
	return e;
}

static enum err
on_item(void *arg, uint64_t run, uint32_t hour, enum item_kind kind, const uint8_t *p, size_t n)
{
	struct visit *t = arg;

	switch (kind) {
	case ITEM_SHEET:
		return take_sheet(t->owner, p, n);
	case ITEM_BLOCK:
		return take_block(t, run, hour, p, n);
	case ITEM_CHARTER:
		t->owner->cfg.charter(t->owner->cfg.arg, p, n);
		break;
	case ITEM_NOTICE:
		return take_notice(t->owner, p, n);
	case ITEM_RECORDS: /* a crowd's records; none is for us */
		break;
	}
	return ERR_OK;
}

static void
on_state(void *arg, uint64_t run, uint32_t hour, bool open, enum err why, enum frame_error error)
{
	struct visit *t = arg;
	struct visits *v = t->owner;

	(void)hour;
	(void)error;
	if (!open)
		end_run(find_run(t, run));
	if (!open && why != ERR_OK)
		log_event(v->cfg.log, LOG_SESSION_ENDED, (uint64_t)-(int64_t)why, 0, 0);
}

/* ---- life ---- */

static enum err
open_visit(struct visits *v, struct visit *t)
{
	static const struct attend_events events = {
		.slot = on_slot, .sent = on_sent, .item = on_item, .state = on_state
	};
	const struct attend_config cfg = {
		.charter = succession_first(v->cfg.charters),
		.charters = v->cfg.charters,
		.address = v->cfg.entrance,
		.socks = v->cfg.socks,
		.held = v->cfg.held,
		.purse = v->cfg.purses != NULL
		    ? purses_at(v->cfg.purses, (size_t)(t - v->visits)) : NULL,
		.unhurried = true,
		.mailbox = (uint16_t)rng_below(v->cfg.rng, v->params->mailboxes),
		.rng = v->cfg.rng,
		.keys = v->cfg.keys,
	};

	t->owner = v;
	return attend_new(&t->attend, v->cfg.loop, &cfg, &events, t);
}

/*
 * Without the running epoch's sheet nothing passes us, and a network that is new has none:
 * one session goes for it at once. Known to be ours it is still only one of six. A gateway
 * that begins after us refuses it, and without us others' notes do not come back: so it is
 * tried again, and not after a session's long wait.
 */
static void
seek_sheet(void *arg)
{
	struct visits *v = arg;
	uint32_t epoch = timing_epoch(v->params, loop_wall_ms(v->cfg.loop));

	if (sheets_find(v->cfg.sheets, epoch) != NULL)
		return;
	attend_hurry(v->visits[0].attend);
	timer_after(v->seek, v->seek_ms);
	v->seek_ms = 2 * v->seek_ms < SEEK_MAX_MS ? 2 * v->seek_ms : SEEK_MAX_MS;
}

static void
fetch_sheet(struct visits *v)
{
	v->seek_ms = SEEK_MIN_MS;
	seek_sheet(v);
}

enum err
visits_new(struct visits **out, const struct visits_config *cfg)
{
	struct visits *v = calloc(1, sizeof(*v));
	enum err e = ERR_OK;

	if (v == NULL)
		return ERR_MEMORY;
	v->cfg = *cfg;
	v->params = &succession_first(cfg->charters)->params;
	v->note = calloc(1, v->params->record_size);
	v->seek = timer_new(cfg->loop, seek_sheet, v);
	if (v->note == NULL || v->seek == NULL)
		e = ERR_MEMORY;
	for (size_t i = 0; i < VISITS_COUNT && e == ERR_OK; i++)
		e = open_visit(v, &v->visits[i]);
	if (e != ERR_OK) {
		visits_free(v);
		return e;
	}
	fetch_sheet(v);
	*out = v;
	return ERR_OK;
}

void
visits_hold(struct visits *v, bool held)
{
	for (size_t i = 0; i < VISITS_COUNT; i++)
		attend_hold(v->visits[i].attend, held);
	if (!held)
		fetch_sheet(v);
}

void
visits_free(struct visits *v)
{
	if (v == NULL)
		return;
	for (size_t i = 0; i < VISITS_COUNT; i++) {
		attend_free(v->visits[i].attend);
		for (size_t k = 0; k < RUNS_MAX; k++)
			end_run(&v->visits[i].runs[k]);
	}
	timer_free(v->seek);
	free(v->note);
	free(v);
}

void
visits_get_status(const struct visits *v, struct visits_status *out)
{
	*out = v->status;
	for (size_t i = 0; i < VISITS_COUNT; i++)
		out->live += attend_live(v->visits[i].attend);
}

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "client-lib/client_parts.h"
#include "common/charter/timing.h"

#define LAZY_MS 60000	  /* what only moves the reading position may wait so long */
#define STALL_MS 120000	  /* without a block of the present */
#define STALL_LEAST_MS 5000 /* machines are not time-scaled */
#define SKEW_MS 30000	  /* beyond, no real traffic */
#define SKEW_LEAST_MS 2000 /* in a network whose times are shortened */
#define ENTRY_ATTEMPTS 3
#define STEADY_MS 120000  /* blocks are late by the same time for so long: it is our clock */

void
client_chain_broke(struct client *c)
{
	c->chain_run = c->newest_run;
	client_raise(c, CLIENT_ALARM_CHAIN);
}

/* ---- what a verified block brings ---- */

/*
 * A fresh block arrives within a slot of its round's end: one that does proves
 * the clock, and one from the future proves that it is behind. A late one proves
 * nothing by itself, for old blocks come late, and so do those behind a burst of
 * records. But then they gain on the clock, or lose; if our clock is ahead they
 * all come late by the same time.
 */
static void
judge_clock(struct client *c, struct run *r, int64_t start_ms)
{
	const struct params *p = c->params;
	int64_t late = loop_wall_ms(c->loop) - (start_ms + p->round_ms);
	int64_t limit = client_scaled(c, SKEW_MS), steady = client_scaled(c, STEADY_MS);
	int64_t change = late - r->late_ms, jitter = p->slot_ms + p->round_ms;
	int64_t skew = late <= 0 ? late : late > p->slot_ms ? late - p->slot_ms : 0;

	if (limit < SKEW_LEAST_MS)
		limit = SKEW_LEAST_MS;
	if (steady < 4 * jitter)
		steady = 4 * jitter;
	if (!r->timed || change > jitter || -change > jitter) {
		r->timed = true;
		r->late_ms = late;
		r->steady_from_ms = start_ms;
	}
	if (skew > limit && start_ms - r->steady_from_ms < steady)
		return;
	c->skew_ms = skew;
	if (skew > limit || skew < -limit)
		client_raise(c, CLIENT_ALARM_CLOCK);
	else
		client_clear(c, CLIENT_ALARM_CLOCK);
}

/*
 * Only a live session's block of the present says that nothing is withheld: a gateway that
 * holds everybody's packets back can still feed us a gap, or a past that is long over.
 */
static void
sign_of_life(struct client *c, const struct run *r, const struct block *b)
{
	int64_t least = 4 * c->params->round_ms + c->params->slot_ms;
	int64_t wait = client_scaled(c, STALL_MS), age;

	if (b->round > c->round)
		c->round = b->round;
	if (!r->live)
		return;
	if (r->id > c->chain_run)
		client_clear(c, CLIENT_ALARM_CHAIN);
	wait = wait > least ? wait : least;
	age = loop_wall_ms(c->loop) - timing_round_start(c->params, b->round + 1);
	if (age > wait && age > STALL_LEAST_MS)
		return;
	timer_after(c->stall, wait);
	client_clear(c, CLIENT_ALARM_STALL);
}

/*
 * The latest verified epoch block is quoted in every message, and what others quote is
 * held against it and those before: after an absence a reading brings many at once.
 */
static void
quote_epochs(struct client *c)
{
	struct record_epoch_block quote;
	struct chain_point point;

	while (chain_next_epoch(c->chain, post_epoch_round(c->post), &point, quote.signature)) {
		quote.round = point.round;
		memcpy(quote.hash, point.hash, sizeof(quote.hash));
		post_set_epoch_block(c->post, &quote);
	}
}

static bool
keep_lie(struct client *c, const struct evidence *e)
{
	if (!lies_add(&c->lies, e, c->params))
		return false;
	client_raise(c, CLIENT_ALARM_FORK);
	return true;
}

/* The two epoch blocks of a fork as evidence. */
static bool
prove_fork(struct evidence *out, const struct client *c, const struct post_fork *f)
{
	const struct record_epoch_block *blocks[2] = { &f->own, &f->theirs };
	struct evidence_statement said[2];

	for (size_t i = 0; i < 2; i++) {
		said[i].kind = EVIDENCE_EPOCH_BLOCK;
		said[i].number = blocks[i]->round;
		memcpy(said[i].hash, blocks[i]->hash, sizeof(said[i].hash));
		memcpy(said[i].signature, blocks[i]->signature, sizeof(said[i].signature));
	}
	return evidence_make(out, succession_first(c->all), &said[0], &said[1]) == ERR_OK;
}

/* Whatever has turned up of a lie since the last time; whether any of it is new. */
static bool
keep_lies(struct client *c)
{
	struct post_fork fork;
	struct evidence e;
	bool any = false;

	while (chain_take_evidence(c->chain, &e))
		any = keep_lie(c, &e) || any;
	while (sheetbook_take_evidence(c->sheets, &e))
		any = keep_lie(c, &e) || any;
	while (purse_take_evidence(c->purse, &e))
		any = keep_lie(c, &e) || any;
	while (post_take_fork(c->post, &fork))
		any = (prove_fork(&e, c, &fork) && keep_lie(c, &e)) || any;
	return any;
}

/*
 * Sheets of other epochs and charters are nobody's fault. Two different ones
 * are, and leave the client without a sheet; the run itself is what it is.
 */
static enum err
offer_sheet(struct client *c, const uint8_t *p, size_t n, bool verified)
{
	enum err e = sheetbook_offer(c->sheets, p, n, verified, loop_wall_ms(c->loop));

	if (e == ERR_CHAIN) {
		client_chain_broke(c);
		return ERR_OK;
	}
	return e == ERR_MEMORY || !verified ? e : ERR_OK;
}

static enum err
take_entries(struct client *c, const struct block *b)
{
	enum err e = ERR_OK;

	for (size_t i = 0; i < b->entry_count && e == ERR_OK; i++)
		if (b->entries[i].kind == BLOCK_SHEET)
			e = offer_sheet(c, b->entries[i].data, b->entries[i].len, true);
		else if (b->entries[i].kind == BLOCK_ISSUER)
			e = purse_notice(c->purse, b->entries[i].data, b->entries[i].len);
	if (b->epoch_block)
		quote_epochs(c);
	return e;
}

/* The clock of reliability stands while our notes do not come back. */
static enum err
give_post(struct client *c, const struct run *r, const struct block *b, const uint8_t *records,
    size_t count)
{
	int64_t now = loop_wall_ms(c->loop);
	int64_t start = timing_round_start(c->params, b->round);
	bool runs = r->live && (c->alarms & CLIENT_ALARM_NOTES) == 0;
	enum err e = ERR_OK;

	post_begin_block(c->post, b->round);
	for (size_t i = 0; i < count && e == ERR_OK; i++)
		e = post_record(c->post, records + i * c->params->record_size, now);
	return e == ERR_OK ? post_block(c->post, b, runs ? start : 0, now) : e;
}

/* The run's span grows by a block. */
static void
extend(struct run *r, const struct block *b, int64_t start_ms)
{
	const struct params *p = r->client->params;
	int64_t mark = gaps_mark(p, r->hour);

	if (!r->span.blocks) {
		r->span.blocks = true;
		r->span.from_ms = r->live && mark < start_ms ? mark : start_ms;
		r->span.first_ms = start_ms;
		memcpy(r->span.before, b->previous, sizeof(r->span.before));
	}
	r->span.last_ms = start_ms;
	r->span.to_ms = start_ms + p->round_ms;
	memcpy(r->span.last, b->hash, sizeof(r->span.last));
}

/*
 * What was said to be all before this run, or to be nothing, was not. The run
 * itself is verified and goes on; what is between is asked for again.
 */
static void
keep_span(struct client *c, struct run *r)
{
	if (spans_add(&c->spans, &r->span) == ERR_OK)
		return;
	client_chain_broke(c);
	r->span.from_ms = r->span.first_ms;
}

static enum err
on_block(void *arg, const struct block *b, const uint8_t *records, size_t count)
{
	struct run *r = arg;
	struct client *c = r->client;
	int64_t start = timing_round_start(c->params, b->round);
	enum err e = take_entries(c, b);

	if (e == ERR_OK && !spans_cover(&c->spans, start, start + 1))
		e = give_post(c, r, b, records, count);
	if (e != ERR_OK)
		return e;
	extend(r, b, start);
	if (r->live)
		slots_judge(c, b, r->span.from_ms);
	sign_of_life(c, r, b);
	if (r->live)
		keep_span(c, r);
	return ERR_OK;
}

static void
on_seen(void *arg, uint64_t round)
{
	struct run *r = arg;

	if (r->live)
		judge_clock(r->client, r, timing_round_start(r->client->params, round));
}

static enum err
on_sheet(void *arg, const uint8_t *p, size_t n)
{
	return offer_sheet(((struct run *)arg)->client, p, n, false);
}

static enum err
on_notice(void *arg, const uint8_t *p, size_t n)
{
	return purse_notice(((struct run *)arg)->client->purse, p, n);
}

static void
on_charter(void *arg, const uint8_t *p, size_t n)
{
	client_offer(((struct run *)arg)->client, p, n);
}

/* ---- runs ---- */

static const struct follow_events follow_events = { .sheet = on_sheet,
	.charter = on_charter,
	.notice = on_notice,
	.seen = on_seen,
	.block = on_block };

enum err
run_begin(struct run *r, struct client *c, enum follow_what what)
{
	r->client = c;
	r->follow = follow_new(what, c->chain, succession_first(c->all), c->cfg.mailbox, &follow_events, r);
	return r->follow != NULL ? ERR_OK : ERR_MEMORY;
}

void
run_end(struct run *r)
{
	follow_free(r->follow);
	memset(r, 0, sizeof(*r));
}

/* What one run brought may tie another, whose blocks then are handed on. */
static void
poll_others(struct client *c, const struct run *but)
{
	for (size_t i = 0; i < CLIENT_RUNS_MAX; i++)
		if (c->runs[i] != NULL && c->runs[i] != but && c->runs[i]->broken == ERR_OK)
			c->runs[i]->broken = follow_poll(c->runs[i]->follow);
	if (c->gap.run.follow != NULL && &c->gap.run != but && c->gap.run.broken == ERR_OK)
		c->gap.run.broken = follow_poll(c->gap.run.follow);
}

/* After every change that blocks brought: what has to be kept, and who has to know. */
static enum err
settle(struct run *r, enum err e)
{
	struct client *c = r->client;

	if (follow_is_broken(e))
		client_chain_broke(c);
	poll_others(c, r);
	if (keep_lies(c) || commit_collect(c->commit))
		commit_now(c->commit);
	else
		commit_within(c->commit, client_scaled(c, LAZY_MS));
	slots_feed(c);
	client_tell(c);
	return e;
}

enum err
run_item(struct run *r, enum item_kind kind, const uint8_t *p, size_t n)
{
	if (commit_is_full(r->client->commit))
		return ERR_FULL;
	return settle(r, r->broken != ERR_OK ? r->broken : follow_item(r->follow, kind, p, n));
}

enum err
run_done(struct run *r)
{
	return settle(r, r->broken != ERR_OK ? r->broken : follow_done(r->follow));
}

bool
runs_verified(const struct client *c, int64_t *from_ms)
{
	bool any = false;

	for (size_t i = 0; i < CLIENT_RUNS_MAX; i++) {
		const struct run *r = c->runs[i];
		if (r == NULL || r->broken != ERR_OK || !r->span.blocks ||
		    !follow_verified(r->follow))
			continue;
		if (from_ms != NULL && (!any || r->span.from_ms < *from_ms))
			*from_ms = r->span.from_ms;
		any = true;
	}
	return any;
}

/* ---- attendance ---- */

static struct run **
find_run(struct client *c, uint64_t id)
{
	for (size_t i = 0; i < CLIENT_RUNS_MAX; i++)
		if (c->runs[i] != NULL && c->runs[i]->id == id)
			return &c->runs[i];
	return NULL;
}

/* A run that cannot be followed for want of memory ends at its first item. */
static void
new_run(struct client *c, uint64_t id, uint32_t hour)
{
	struct run *r;
	size_t i = 0;

	if (id > c->newest_run)
		c->newest_run = id;
	while (i < CLIENT_RUNS_MAX && c->runs[i] != NULL)
		i++;
	r = i < CLIENT_RUNS_MAX ? calloc(1, sizeof(*r)) : NULL;
	if (r == NULL)
		return;
	if (run_begin(r, c, FOLLOW_BLOCKS) != ERR_OK) {
		free(r);
		return;
	}
	r->live = true;
	r->id = id;
	r->hour = hour;
	c->runs[i] = r;
}

enum err
runs_on_item(void *arg, uint64_t run, uint32_t hour, enum item_kind kind, const uint8_t *p,
    size_t n)
{
	struct run **r = find_run(arg, run);

	(void)hour;
	return r != NULL ? run_item(*r, kind, p, n) : ERR_MEMORY;
}

/*
 * Whether the gateway can be reached: `open`, or an attempt that ended before it
 * was. Who is not admitted has found the service, so that tor and it are there.
 */
static void
judge_entry(struct client *c, bool open, enum err why)
{
	bool denied = why == ERR_DENIED || why == ERR_NO_KEY;

	c->unreached = open || denied ? 0 : c->unreached + 1;
	if (c->unreached >= ENTRY_ATTEMPTS)
		client_raise(c, CLIENT_ALARM_ENTRY);
	else if (open || denied)
		client_clear(c, CLIENT_ALARM_ENTRY);
	if (denied)
		client_raise(c, CLIENT_ALARM_DENIED);
	else if (open)
		client_clear(c, CLIENT_ALARM_DENIED);
}

void
runs_on_state(void *arg, uint64_t run, uint32_t hour, bool open, enum err why,
    enum frame_error error)
{
	struct client *c = arg;
	struct run **r = find_run(c, run);

	if (open || r == NULL)
		judge_entry(c, open, why);
	if (open && r == NULL)
		new_run(c, run, hour);
	if (!open && r != NULL) {
		run_end(*r);
		free(*r);
		*r = NULL;
	}
	/* the gateway knows another hour than we do */
	if (error == FRAME_ERROR_HOUR)
		client_raise(c, CLIENT_ALARM_CLOCK);
	client_tell(c);
}

void
runs_free(struct client *c)
{
	for (size_t i = 0; i < CLIENT_RUNS_MAX; i++) {
		if (c->runs[i] == NULL)
			continue;
		run_end(c->runs[i]);
		free(c->runs[i]);
		c->runs[i] = NULL;
	}
}

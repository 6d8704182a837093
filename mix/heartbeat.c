#include "config.h"

#include "mix/heartbeat.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/format.h"
#include "common/charter/timing.h"
#include "common/crypto/hash.h"
#include "common/journal/notetest.h"
#include "mix/stops.h"

/* file = header || stops || check 16 */
#define NAME "heartbeat"
#define MAGIC "rsthbt"
#define FILE_VERSION 1
#define CHECK_BYTES 16
#define PLAIN_BYTES (FORMAT_BYTES + STOPS_BYTES)
#define FILE_BYTES (PLAIN_BYTES + CHECK_BYTES)
#define MINUTE_MS 60000
#define FRESH_MS (2 * MINUTE_MS) /* a block that ended longer ago proves nothing */
/* One from so far ahead does not either: our clock is behind, or it is a lie. */
#define AHEAD_MS 30000
#define AHEAD_LEAST_MS 2000
/* So near to an epoch's turn a clock that is a little off takes the wrong one. */
#define TURN_MS 30000
/* So long nothing may leave; and when we are cut off, the longest wait of a session. */
#define SILENT_MS MINUTE_MS
#define SILENT_LEAST_MS 10000 /* machines are not time-scaled */
#define CUT_OFF_MS (16 * MINUTE_MS)
#define CUT_OFF_LEAST_MS 30000
#define UNNOTICED_MS 30000 /* and four slots: so long a session lives on a dead line */
#define UNNOTICED_LEAST_MS 5000

struct heartbeat {
	struct heartbeat_config cfg;
	struct notetest *test;
	struct stops stops;
	enum heartbeat_state state;
	bool sees; /* while blind: a fresh block has come */
	bool told_lost, told_blind; /* the alarm holds */
	bool cut_off; /* at the last look */
	uint64_t count; /* stops */
	uint64_t failures; /* of the test, that were heeded */
	int64_t alive_ms; /* when something of ours left for the last time */
	int64_t bear_ms;  /* until then it is borne that nothing does; boot clock */
	struct timer *look;
	/* the file */
	bool dirty, saving, save_failed;
	enum err save_err;
	uint8_t bytes[FILE_BYTES];
};

static int64_t
now_ms(const struct heartbeat *h)
{
	return loop_wall_ms(h->cfg.loop);
}

bool
heartbeat_is_stopped(const struct heartbeat *h)
{
	return h->state == HEARTBEAT_STOPPED || h->state == HEARTBEAT_BLIND;
}

/* ---- the file ---- */

static void
check_of(uint8_t out[static CHECK_BYTES], const uint8_t *p)
{
	struct hash_part part = { p, PLAIN_BYTES };

	hash_parts(out, CHECK_BYTES, &part, 1);
}

static void
save_run(void *arg)
{
	struct heartbeat *h = arg;

	h->save_err = disk_replace(h->cfg.disk, NAME, h->bytes, sizeof(h->bytes));
}

static void save(struct heartbeat *h);

/* What failed is tried again at the next look. */
static void
save_done(void *arg)
{
	struct heartbeat *h = arg;
	bool failed = h->save_err != ERR_OK;

	h->saving = false;
	log_disk(h->cfg.log, &h->save_failed, h->save_err);
	if (failed)
		h->dirty = true;
	else
		save(h);
}

static void
save(struct heartbeat *h)
{
	struct writer w;

	if (!h->dirty || h->saving)
		return;
	writer_init(&w, h->bytes, sizeof(h->bytes));
	format_put(&w, MAGIC, FILE_VERSION);
	stops_put(&w, &h->stops, h->cfg.params);
	check_of(h->bytes + w.used, h->bytes);
	h->saving = workq_add(h->cfg.queue, save_run, save_done, h) == ERR_OK;
	h->dirty = !h->saving;
}

static enum err
decode(struct heartbeat *h, const struct buf *in, struct diag *d)
{
	uint8_t check[CHECK_BYTES];
	struct reader r;
	enum err e;

	reader_init(&r, in->data, in->len);
	e = format_check(&r, NULL, MAGIC, FILE_VERSION, NAME, d);
	if (e != ERR_OK)
		return e;
	e = ERR_MALFORMED;
	if (in->len == FILE_BYTES) {
		check_of(check, in->data);
		if (memcmp(check, in->data + PLAIN_BYTES, CHECK_BYTES) == 0) /* public */
			e = stops_get(&r, &h->stops, h->cfg.params, now_ms(h));
	}
	if (e == ERR_OK)
		return ERR_OK;
	return diag_set(d, e, NAME ": %s; restore it or remove it: without it the mix begins at "
	    "once, and may be alone", err_text(e));
}

static enum err
load(struct heartbeat *h, struct diag *d)
{
	struct buf in;
	enum err e;

	buf_init(&in);
	e = disk_read(h->cfg.disk, &in, NAME, FILE_BYTES);
	if (e == ERR_NOT_FOUND)
		e = ERR_OK;
	else if (e != ERR_OK)
		e = diag_set(d, e, NAME ": %s; see that the file is ours and readable",
		    err_text(e));
	else
		e = decode(h, &in, d);
	buf_release(&in);
	return e;
}

/* ---- stop and start ---- */

static void
halt(struct heartbeat *h, enum heartbeat_state why)
{
	h->state = why;
	h->sees = false;
	h->bear_ms = 0;
	h->count++;
	h->dirty = true;
	notetest_clear(h->test);
	h->cfg.changed(h->cfg.arg, true);
	save(h);
}

static void
stop_lost(struct heartbeat *h, unsigned returned)
{
	int64_t now = now_ms(h);

	stops_add(&h->stops, h->cfg.params, now);
	h->told_lost = true;
	log_event(h->cfg.log, LOG_HEARTBEAT_LOST, returned,
	    (uint64_t)(h->stops.until_ms - now) / MINUTE_MS, 0);
	halt(h, HEARTBEAT_STOPPED);
}

/* Not seeing is a stop like others: who cuts us off for ever is not to gain by it. */
static void
stop_blind(struct heartbeat *h)
{
	stops_add(&h->stops, h->cfg.params, now_ms(h));
	h->stops.blind = true;
	h->told_blind = true;
	log_event(h->cfg.log, LOG_HEARTBEAT_BLIND, 0, 0, 0);
	halt(h, HEARTBEAT_BLIND);
}

static void
start_again(struct heartbeat *h)
{
	log_event(h->cfg.log, LOG_HEARTBEAT_AGAIN, 0, 0, 0);
	h->dirty = h->dirty || h->stops.blind;
	h->stops.blind = false;
	h->state = HEARTBEAT_BEGINS;
	h->alive_ms = now_ms(h);
	notetest_clear(h->test);
	h->cfg.changed(h->cfg.arg, false);
}

/* ---- verdicts ---- */

static void
settle(struct heartbeat *h)
{
	struct notetest_status s;

	notetest_get_status(h->test, &s);
	if (s.failures > h->failures) {
		h->failures = s.failures;
		if (!h->cfg.idle(h->cfg.arg))
			stop_lost(h, s.window_returned);
		else
			notetest_clear(h->test);
		return;
	}
	if (h->state != HEARTBEAT_BEGINS || s.window_judged < notetest_mix.window)
		return;
	h->state = HEARTBEAT_RUNS;
	if (h->told_lost)
		log_event(h->cfg.log, LOG_HEARTBEAT_LOST_OVER, 0, 0, 0);
	if (h->told_blind)
		log_event(h->cfg.log, LOG_HEARTBEAT_BLIND_OVER, 0, 0, 0);
	h->told_lost = h->told_blind = false;
}

/* ---- looks ---- */

static int64_t
scaled(const struct heartbeat *h, int64_t ms, int64_t least_ms)
{
	int64_t x = params_scaled(h->cfg.params, ms);

	return x > least_ms ? x : least_ms;
}

static int64_t
patience_ms(const struct heartbeat *h)
{
	const struct params *p = h->cfg.params;

	return notetest_term_ms(p) + notetest_late_ms(p) + scaled(h, SILENT_MS, SILENT_LEAST_MS);
}

/* From now on for so long, whatever becomes of the wall clock. */
static void
bear_for(struct heartbeat *h, int64_t ms)
{
	h->bear_ms = loop_boot_ms(h->cfg.loop) + ms;
	notetest_bear(h->test, now_ms(h) + ms);
}

static int64_t
left_to_bear(const struct heartbeat *h)
{
	int64_t left = h->bear_ms - loop_boot_ms(h->cfg.loop);

	return left > 0 ? left : 0;
}

/*
 * All sessions have ended. They come back within the longest wait, and show then what
 * became of the notes before. What they swallowed at the end is nobody's fault. But who
 * may do that again and again may be alone as often.
 */
static void
bear(struct heartbeat *h, int64_t now)
{
	const struct params *p = h->cfg.params;

	if (!stops_bear(&h->stops, p, now))
		return;
	h->dirty = true;
	bear_for(h, scaled(h, CUT_OFF_MS, CUT_OFF_LEAST_MS));
	notetest_forget_since(h->test,
	    now - 5 * p->slot_ms - scaled(h, UNNOTICED_MS, UNNOTICED_LEAST_MS) - p->round_ms);
}

static void
look_at_sessions(struct heartbeat *h, int64_t now)
{
	bool cut_off = h->cfg.cut_off(h->cfg.arg), was = h->cut_off;

	h->cut_off = cut_off;
	if (cut_off && !was && !h->cfg.idle(h->cfg.arg))
		bear(h, now);
	else if (was && !cut_off && left_to_bear(h) > patience_ms(h))
		bear_for(h, patience_ms(h));
}

static void
look_running(struct heartbeat *h, int64_t now)
{
	look_at_sessions(h, now);
	notetest_look(h->test, now, h->cfg.rng);
	settle(h);
	if (heartbeat_is_stopped(h))
		return;
	if (h->cfg.idle(h->cfg.arg))
		h->alive_ms = now;
	else if (left_to_bear(h) == 0 && now - h->alive_ms > patience_ms(h))
		stop_blind(h);
}

static void
look_stopped(struct heartbeat *h, int64_t now)
{
	bool timed = h->state == HEARTBEAT_STOPPED || h->sees;

	if (timed && now >= h->stops.until_ms)
		start_again(h);
}

/* A round is short against everything that is looked for; the start is to be on time. */
static void
plan(struct heartbeat *h)
{
	int64_t wait = h->cfg.params->round_ms, left = h->stops.until_ms - now_ms(h);

	if (heartbeat_is_stopped(h) && left > 0 && left < wait)
		timer_at_wall(h->look, h->stops.until_ms);
	else
		timer_after(h->look, wait);
}

static void
on_look(void *arg)
{
	struct heartbeat *h = arg;
	int64_t now = now_ms(h);

	if (heartbeat_is_stopped(h))
		look_stopped(h, now);
	else
		look_running(h, now);
	save(h);
	plan(h);
}

/* ---- notes and blocks ---- */

static bool
near_a_turn(const struct heartbeat *h, int64_t now)
{
	const struct params *p = h->cfg.params;
	int64_t margin = params_scaled(p, TURN_MS);

	return timing_epoch(p, now - margin) != timing_epoch(p, now + margin);
}

void
heartbeat_sent(struct heartbeat *h, const uint8_t *note, const struct params *p)
{
	int64_t now = now_ms(h);

	h->alive_ms = now;
	if (note != NULL && !heartbeat_is_stopped(h) && !h->cfg.idle(h->cfg.arg) &&
	    !near_a_turn(h, now))
		notetest_sent(h->test, note, now, p);
}

/* While we are blind: the first block of the present says that we see again. */
static void
see(struct heartbeat *h, int64_t end_ms)
{
	int64_t fresh = params_scaled(h->cfg.params, FRESH_MS) + 2 * h->cfg.params->round_ms;
	int64_t next = stops_next_ms(h->cfg.params, now_ms(h));

	if (h->sees || now_ms(h) - end_ms > fresh)
		return;
	h->sees = true;
	if (h->stops.until_ms < next)
		h->stops.until_ms = next;
	plan(h);
}

void
heartbeat_block(struct heartbeat *h, const struct block *b, int64_t from_ms, int64_t start_ms,
    int64_t end_ms)
{
	if (end_ms - now_ms(h) > scaled(h, AHEAD_MS, AHEAD_LEAST_MS))
		return;
	if (h->state == HEARTBEAT_BLIND)
		see(h, end_ms);
	if (heartbeat_is_stopped(h))
		return;
	notetest_block(h->test, b, from_ms, start_ms, end_ms, now_ms(h), h->cfg.rng);
	settle(h);
}

void
heartbeat_jumped(struct heartbeat *h)
{
	int64_t left = left_to_bear(h);

	notetest_forget(h->test);
	if (left > 0)
		bear_for(h, left);
	h->alive_ms = now_ms(h);
	plan(h);
}

/* ---- life ---- */

/*
 * Where the last run of the daemon stood. No session is open yet, and each waits as after
 * a failure: that is borne, and is not the cut-off of the epoch, for nobody cut us off.
 */
static void
resume(struct heartbeat *h)
{
	h->alive_ms = now_ms(h);
	h->cut_off = true;
	bear_for(h, scaled(h, CUT_OFF_MS, CUT_OFF_LEAST_MS));
	if (h->stops.blind)
		h->state = HEARTBEAT_BLIND;
	else if (h->stops.until_ms > now_ms(h))
		h->state = HEARTBEAT_STOPPED;
	h->told_lost = h->state == HEARTBEAT_STOPPED;
	h->told_blind = h->state == HEARTBEAT_BLIND;
	if (h->state == HEARTBEAT_BLIND)
		log_event(h->cfg.log, LOG_HEARTBEAT_BLIND, 0, 0, 0);
	else if (h->told_lost)
		log_event(h->cfg.log, LOG_HEARTBEAT_LOST, 0,
		    (uint64_t)(h->stops.until_ms - now_ms(h)) / MINUTE_MS, 0);
}

enum err
heartbeat_open(struct heartbeat **out, const struct heartbeat_config *cfg, struct diag *d)
{
	struct heartbeat *h = calloc(1, sizeof(*h));
	enum err e;

	if (h == NULL)
		return diag_set(d, ERR_MEMORY, "out of memory");
	h->cfg = *cfg;
	h->test = notetest_new(&notetest_mix);
	h->look = timer_new(cfg->loop, on_look, h);
	e = h->test != NULL && h->look != NULL ? load(h, d)
					       : diag_set(d, ERR_MEMORY, "out of memory");
	if (e != ERR_OK) {
		heartbeat_free(h);
		return e;
	}
	resume(h);
	plan(h);
	*out = h;
	return ERR_OK;
}

void
heartbeat_free(struct heartbeat *h)
{
	if (h == NULL)
		return;
	timer_free(h->look);
	notetest_free(h->test);
	free(h);
}

void
heartbeat_get_status(const struct heartbeat *h, struct heartbeat_status *out)
{
	struct notetest_status s;
	bool timed = h->state == HEARTBEAT_STOPPED || (h->state == HEARTBEAT_BLIND && h->sees);

	notetest_get_status(h->test, &s);
	*out = (struct heartbeat_status){
		.state = h->state,
		.until_ms = timed ? h->stops.until_ms : 0,
		.stops = h->count,
		.judged = s.judged,
		.returned = s.returned,
	};
}

const char *
heartbeat_state_name(enum heartbeat_state s)
{
	switch (s) {
	case HEARTBEAT_BEGINS:
		return "begins";
	case HEARTBEAT_RUNS:
		return "runs";
	case HEARTBEAT_STOPPED:
		return "stopped";
	case HEARTBEAT_BLIND:
		return "blind";
	}
	return "unknown";
}

#include "config.h"

#include "common/net/attend.h"

#include <assert.h>
#include <stdlib.h>

#include "common/charter/timing.h"
#include "common/net/purse.h"

#define MINUTE_MS INT64_C(60000)
#define RETRY_MAX_MS (15 * MINUTE_MS)
#define TICKET_MAX_MS MINUTE_MS /* without a ticket */
#define LATE_MS MINUTE_MS /* after the mark we close what the gateway did not: 1 to 2 times this */
#define SKEW_MAX_MS (2 * MINUTE_MS)

/* One hour's session: waits for its time, then is open. */
struct visit {
	struct attend *owner;
	uint32_t hour;
	uint64_t run;
	struct session *session; /* NULL: waiting */
	bool opened;
	struct timer *timer; /* to open; past the hour: to close */
	bool used;
	bool due; /* it was to be opened while we are held */
};

/* The hour before (until the gateway closes it), the running one, the coming one. */
#define VISITS 3

struct attend {
	struct loop *loop;
	struct attend_config cfg;
	struct attend_events events;
	void *arg;
	struct visit visits[VISITS];
	struct timer *plan; /* the next mark or the next coming session's window */
	uint64_t runs;
	unsigned failures; /* sessions that did not open: the gateway may be elsewhere */
	bool held;
	bool freed;
	unsigned busy; /* depth of calls that run callbacks */
};

/* ---- arithmetic ---- */

static const struct params *
params_of(const struct attend *a)
{
	return &a->cfg.charter->params;
}

int64_t
attend_mark_ms(const struct params *p, uint32_t hour)
{
	return timing_hour_start(p, hour) - params_scaled(p, ATTEND_MARK_BEFORE_MS);
}

static uint32_t
hour_now(const struct attend *a)
{
	return timing_hour(params_of(a), loop_wall_ms(a->loop));
}

static int64_t
draw_wait(const struct attend *a, int64_t max_ms)
{
	return rng_between(a->cfg.rng, 0, params_scaled(params_of(a), max_ms));
}

/*
 * When to open the coming session: uniform in its window, or in what is left of
 * it; once the window is over, in what is left of the hour, or as after a failure.
 */
static int64_t
draw_opening(const struct attend *a, uint32_t hour)
{
	int64_t now = loop_wall_ms(a->loop);
	int64_t start = timing_hour_start(params_of(a), hour);
	int64_t from = attend_mark_ms(params_of(a), hour);
	int64_t until = start - params_scaled(params_of(a), ATTEND_OPEN_UNTIL_MS);

	if (from < now)
		from = now;
	if (until < from && a->cfg.unhurried)
		return now + draw_wait(a, RETRY_MAX_MS);
	if (until < from)
		until = start > from ? start : from;
	return rng_between(a->cfg.rng, from, until);
}

/* ---- life ---- */

static void
enter(struct attend *a)
{
	a->busy++;
}

static void
leave(struct attend *a)
{
	a->busy--;
	if (a->freed && a->busy == 0)
		free(a);
}

static struct visit *
find(struct attend *a, uint32_t hour)
{
	for (size_t i = 0; i < VISITS; i++) {
		if (a->visits[i].used && a->visits[i].hour == hour)
			return &a->visits[i];
	}
	return NULL;
}

static void
drop(struct visit *v)
{
	session_free(v->session);
	timer_cancel(v->timer);
	v->session = NULL;
	v->opened = false;
	v->used = false;
	v->due = false;
}

/* A place for an hour; what is left of an earlier one gives way. */
static struct visit *
take_place(struct attend *a, uint32_t hour)
{
	struct visit *v = &a->visits[0];

	for (size_t i = 0; i < VISITS; i++) {
		struct visit *other = &a->visits[i];

		if (!other->used) {
			v = other;
			break;
		}
		if (other->hour < v->hour)
			v = other;
	}
	drop(v);
	v->hour = hour;
	v->used = true;
	return v;
}

/* ---- one session ---- */

static enum attend_phase
phase_of(const struct visit *v)
{
	return v->hour == hour_now(v->owner) ? ATTEND_CURRENT : ATTEND_COMING;
}

static void
on_opened(void *arg, struct session *s)
{
	struct visit *v = arg;
	struct attend *a = v->owner;

	(void)s;
	v->opened = true;
	a->events.state(a->arg, v->run, v->hour, true, ERR_OK, FRAME_ERROR_NONE);
}

static bool
on_slot(void *arg, struct session *s, struct session_packet *out)
{
	struct visit *v = arg;

	(void)s;
	return v->owner->events.slot(v->owner->arg, phase_of(v), out);
}

static void
on_sent(void *arg, struct session *s)
{
	struct visit *v = arg;

	(void)s;
	if (v->owner->events.sent != NULL)
		v->owner->events.sent(v->owner->arg, phase_of(v));
}

static enum err
on_item(void *arg, struct session *s, enum item_kind kind, const uint8_t *p, size_t n)
{
	struct visit *v = arg;

	(void)s;
	return v->owner->events.item(v->owner->arg, v->run, v->hour, kind, p, n);
}

/* It is to be tried again after a while; the hour may be over by then. */
static void
wait_again(struct visit *v)
{
	timer_after(v->timer, draw_wait(v->owner, RETRY_MAX_MS));
}

/*
 * Closed at its mark by the gateway's clock, while by ours the hour still runs
 * for a moment: the coming session goes on.
 */
static bool
near_its_end(const struct visit *v)
{
	const struct params *p = params_of(v->owner);
	int64_t end_ms = timing_hour_start(p, v->hour + 1);

	return loop_wall_ms(v->owner->loop) >= end_ms - params_scaled(p, SKEW_MAX_MS);
}

static void
on_ended(void *arg, struct session *s, enum err why, enum frame_error error)
{
	struct visit *v = arg;
	struct attend *a = v->owner;

	enter(a);
	session_free(s);
	v->session = NULL;
	a->failures += !v->opened;
	v->opened = false;
	if (v->hour < hour_now(a) || (why == ERR_OK && near_its_end(v)))
		timer_cancel(v->timer);
	else
		wait_again(v);
	a->events.state(a->arg, v->run, v->hour, false, why, error);
	leave(a);
}

const struct charter_node *
attend_gateway(const struct attend *a)
{
	if (a->cfg.charters == NULL)
		return charter_gateway(a->cfg.charter);
	return succession_gateway(a->cfg.charters, loop_wall_ms(a->loop), a->failures);
}

/* Nothing was tried: it is looked again soon. */
static void
wait_for_ticket(struct visit *v)
{
	timer_after(v->timer, draw_wait(v->owner, TICKET_MAX_MS));
}

static void
open_session(struct visit *v)
{
	static const struct session_events events = {
	    .opened = on_opened,
	    .slot = on_slot,
	    .sent = on_sent,
	    .item = on_item,
	    .ended = on_ended,
	};
	struct attend *a = v->owner;
	const struct charter_node *gateway = attend_gateway(a);
	const struct session_config cfg = {
	    .charter = a->cfg.charter,
	    .address = a->cfg.address != NULL ? a->cfg.address : gateway->entrance,
	    .gateway_pk = gateway->link,
	    .socks = a->cfg.socks,
	    .open =
	        {
	            .version = FRAME_OPEN_VERSION,
	            .mailbox = a->cfg.mailbox,
	            .hour = v->hour,
	            .read = FRAME_READ_LIVE,
	        },
	    .purse = a->cfg.purse,
	    .rng = a->cfg.rng,
	    .keys = a->cfg.keys,
	};

	if (a->cfg.purse != NULL && !purse_has_ticket(a->cfg.purse, v->hour, 0)) {
		wait_for_ticket(v);
		return;
	}
	v->run = ++a->runs;
	if (session_open(&v->session, a->loop, &cfg, &events, v) != ERR_OK)
		wait_again(v);
}

/* Time to open it; or the gateway has not closed it long after its mark. */
static void
on_visit_timer(void *arg)
{
	struct visit *v = arg;
	struct attend *a = v->owner;
	bool was_open = v->opened;

	if (v->hour >= hour_now(a)) {
		v->due = v->session == NULL && a->held;
		if (v->session == NULL && !a->held)
			open_session(v);
		return;
	}
	drop(v);
	if (was_open)
		a->events.state(a->arg, v->run, v->hour, false, ERR_TIMEOUT, FRAME_ERROR_NONE);
}

/* ---- hour after hour ---- */

/* How long the running hour's session waits at the start, and at a release. */
static int64_t
first_wait(const struct attend *a)
{
	return a->cfg.unhurried ? draw_wait(a, RETRY_MAX_MS) : 0;
}

/* At the mark: the gateway ends what belongs to the hour before. */
static void
retire_before(struct attend *a, uint32_t hour)
{
	for (size_t i = 0; i < VISITS; i++) {
		struct visit *v = &a->visits[i];

		if (!v->used || v->hour >= hour)
			continue;
		if (v->session == NULL)
			drop(v);
		else if (!timer_armed(v->timer))
			timer_after(v->timer,
			    params_scaled(params_of(a), LATE_MS) + draw_wait(a, LATE_MS));
	}
}

/*
 * Have a visit for the running hour and, once its window has begun, for the
 * coming one; then sleep until the next of these moments.
 */
static void
plan(struct attend *a, int64_t first_wait_ms)
{
	int64_t now = loop_wall_ms(a->loop);
	uint32_t hour = hour_now(a);
	int64_t coming_from = attend_mark_ms(params_of(a), hour + 1);

	retire_before(a, hour);
	if (find(a, hour) == NULL)
		timer_after(take_place(a, hour)->timer, first_wait_ms);
	if (now >= coming_from && find(a, hour + 1) == NULL)
		timer_at_wall(take_place(a, hour + 1)->timer, draw_opening(a, hour + 1));
	timer_at_wall(a->plan,
	    now < coming_from ? coming_from : timing_hour_start(params_of(a), hour + 1));
}

static void
on_plan(void *arg)
{
	struct attend *a = arg;

	plan(a, draw_wait(a, RETRY_MAX_MS));
}

void
attend_hold(struct attend *a, bool held)
{
	a->held = held;
	for (size_t i = 0; i < VISITS && !held; i++) {
		struct visit *v = &a->visits[i];

		if (!v->due)
			continue;
		v->due = false;
		if (v->hour > hour_now(a))
			timer_at_wall(v->timer, draw_opening(a, v->hour));
		else
			timer_after(v->timer, first_wait(a));
	}
}

void
attend_hurry(struct attend *a)
{
	struct visit *v = find(a, hour_now(a));

	if (v != NULL && v->session == NULL && !a->held)
		timer_after(v->timer, 0);
}

/* Sleep, or a set clock: nothing that was planned holds, and sessions are cut off. */
static void
on_jump(void *arg, int64_t delta_ms)
{
	struct attend *a = arg;
	int64_t wait_ms = draw_wait(a, RETRY_MAX_MS);

	(void)delta_ms;
	enter(a);
	for (size_t i = 0; i < VISITS && !a->freed; i++) {
		struct visit v = a->visits[i];

		if (!v.used)
			continue;
		drop(&a->visits[i]);
		if (v.opened)
			a->events.state(a->arg, v.run, v.hour, false, ERR_CLOSED, FRAME_ERROR_NONE);
	}
	if (!a->freed)
		plan(a, wait_ms);
	leave(a);
}

/* ---- the object ---- */

void
attend_free(struct attend *a)
{
	if (a == NULL || a->freed)
		return;
	a->freed = true;
	loop_unwatch_jumps(a->loop, a);
	for (size_t i = 0; i < VISITS; i++) {
		if (a->visits[i].timer != NULL)
			drop(&a->visits[i]);
		timer_free(a->visits[i].timer);
		a->visits[i].timer = NULL;
	}
	timer_free(a->plan);
	a->plan = NULL;
	if (a->busy == 0)
		free(a);
}

static enum err
set_up(struct attend *a)
{
	for (size_t i = 0; i < VISITS; i++) {
		a->visits[i].owner = a;
		a->visits[i].timer = timer_new(a->loop, on_visit_timer, &a->visits[i]);
		if (a->visits[i].timer == NULL)
			return ERR_MEMORY;
	}
	a->plan = timer_new(a->loop, on_plan, a);
	if (a->plan == NULL)
		return ERR_MEMORY;
	return loop_watch_jumps(a->loop, on_jump, a);
}

enum err
attend_new(struct attend **out, struct loop *l, const struct attend_config *cfg,
    const struct attend_events *events, void *arg)
{
	struct attend *a;
	enum err e;

	assert(events->slot != NULL && events->item != NULL && events->state != NULL);
	a = calloc(1, sizeof(*a));
	if (a == NULL)
		return ERR_MEMORY;
	a->loop = l;
	a->cfg = *cfg;
	a->events = *events;
	a->arg = arg;
	a->held = cfg->held;
	e = set_up(a);
	if (e != ERR_OK) {
		attend_free(a);
		return e;
	}
	plan(a, first_wait(a));
	*out = a;
	return ERR_OK;
}

bool
attend_live(const struct attend *a)
{
	uint32_t hour = hour_now(a);

	for (size_t i = 0; i < VISITS; i++) {
		const struct visit *v = &a->visits[i];

		if (v->used && v->hour == hour && v->opened)
			return true;
	}
	return false;
}

#include "config.h"

#include "common/net/attend.h"

#include <stdlib.h>

#include "common/charter/timing.h"

#define MINUTE_MS ((int64_t)60000)
#define OPEN_FROM_MIN 11
#define OPEN_UNTIL_MIN 1
#define WAIT_MIN 15	/* after a failure: uniform up to */
#define LEAVING_MIN 1	/* the gateway ends a former session at its mark; else we do */

/* One hour's attendance. */
struct seat {
	struct attend *attend;
	uint32_t hour;
	uint64_t run;
	enum attend_phase phase;
	bool leaving;
	struct session *session; /* NULL: waits for its timer, to be opened (again) */
	struct timer *timer;
};

struct attend {
	struct loop *loop;
	struct attend_config cfg;
	const struct params *params;
	const struct attend_events *events;
	void *arg;
	struct seat *current, *coming, *former;
	struct timer *mark; /* the start of the next hour */
	uint64_t runs;
};

static void seat_failed(struct seat *s);

/* ---- a seat's session ---- */

static bool
on_slot(void *arg, struct session *session, struct session_packet *out)
{
	struct seat *s = arg;

	(void)session;
	return s->attend->events->slot(s->attend->arg, s->phase, out);
}

static void
on_sent(void *arg, struct session *session)
{
	struct seat *s = arg;

	(void)session;
	if (s->attend->events->sent != NULL)
		s->attend->events->sent(s->attend->arg, s->phase);
}

static enum err
on_item(void *arg, struct session *session, enum item_kind kind, const uint8_t *p, size_t n)
{
	struct seat *s = arg;

	(void)session;
	return s->attend->events->item(s->attend->arg, s->run, s->hour, kind, p, n);
}

static void
tell(struct seat *s, bool open, enum err why, enum frame_error error)
{
	s->attend->events->state(s->attend->arg, s->run, s->hour, open, why, error);
}

static void
on_opened(void *arg, struct session *session)
{
	(void)session;
	tell(arg, true, ERR_OK, FRAME_ERROR_NONE);
}

static void
on_ended(void *arg, struct session *session, enum err why, enum frame_error error)
{
	struct seat *s = arg;

	session_free(session);
	s->session = NULL;
	tell(s, false, why, error);
	seat_failed(s);
}

static enum err
seat_open(struct seat *s)
{
	static const struct session_events events = { on_opened, on_slot, on_sent, on_item,
		on_ended };
	struct attend *a = s->attend;
	struct session_config cfg = { .charter = a->cfg.charter,
		.address = a->cfg.address,
		.open = { .version = 1,
		    .mailbox = a->cfg.mailbox,
		    .hour = s->hour,
		    .read = FRAME_READ_LIVE },
		.rng = a->cfg.rng,
		.keys = a->cfg.keys };

	s->run = ++a->runs;
	return session_open(&s->session, a->loop, &cfg, &events, s);
}

/* ---- seats ---- */

static void
seat_free(struct seat *s)
{
	if (s == NULL)
		return;
	session_free(s->session);
	timer_free(s->timer);
	free(s);
}

static void
wait_after_failure(struct seat *s)
{
	struct attend *a = s->attend;

	timer_after(s->timer, rng_between(a->cfg.rng, 0,
	    params_scaled(a->params, WAIT_MIN * MINUTE_MS)));
}

static void
seat_failed(struct seat *s)
{
	struct attend *a = s->attend;

	if (!s->leaving) {
		wait_after_failure(s);
		return;
	}
	a->former = NULL;
	seat_free(s);
}

/* Time to open, to open again, or to leave for good. */
static void
on_seat_timer(void *arg)
{
	struct seat *s = arg;
	struct attend *a = s->attend;

	if (s->leaving) {
		tell(s, false, ERR_OK, FRAME_ERROR_NONE);
		a->former = NULL;
		seat_free(s);
		return;
	}
	if (s == a->current)
		s->hour = timing_hour(a->params, loop_wall_ms(a->loop));
	if (seat_open(s) != ERR_OK)
		wait_after_failure(s);
}

static struct seat *
seat_new(struct attend *a, uint32_t hour, enum attend_phase phase)
{
	struct seat *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->attend = a;
	s->hour = hour;
	s->phase = phase;
	s->timer = timer_new(a->loop, on_seat_timer, s);
	if (s->timer == NULL) {
		free(s);
		return NULL;
	}
	return s;
}

/* ---- hours ---- */

int64_t
attend_mark_ms(const struct params *p, uint32_t hour)
{
	return timing_hour_start(p, hour) - params_scaled(p, OPEN_FROM_MIN * MINUTE_MS);
}

/* The coming hour's session opens at a uniform time of its window, or what is left of it. */
static enum err
schedule_coming(struct attend *a, uint32_t hour)
{
	int64_t now = loop_wall_ms(a->loop), start = timing_hour_start(a->params, hour);
	int64_t from = attend_mark_ms(a->params, hour);
	int64_t until = start - params_scaled(a->params, OPEN_UNTIL_MIN * MINUTE_MS);

	a->coming = seat_new(a, hour, ATTEND_COMING);
	if (a->coming == NULL)
		return ERR_MEMORY;
	if (from < now)
		from = now;
	if (until < from)
		until = from < start ? start : from;
	timer_at_wall(a->coming->timer, rng_between(a->cfg.rng, from, until));
	timer_at_wall(a->mark, start);
	return ERR_OK;
}

/* A former session goes on with cover until the gateway ends it: our clock must not show. */
static void
let_go(struct attend *a, struct seat *s)
{
	seat_free(a->former);
	a->former = NULL;
	if (s == NULL || s->session == NULL) {
		seat_free(s);
		return;
	}
	s->phase = ATTEND_COMING;
	s->leaving = true;
	a->former = s;
	timer_after(s->timer, params_scaled(a->params, LEAVING_MIN * MINUTE_MS));
}

static void
on_mark(void *arg)
{
	struct attend *a = arg;
	uint32_t hour = timing_hour(a->params, loop_wall_ms(a->loop));

	let_go(a, a->current);
	a->current = a->coming;
	a->coming = NULL;
	if (a->current != NULL)
		a->current->phase = ATTEND_CURRENT;
	if (schedule_coming(a, hour + 1) != ERR_OK)
		timer_after(a->mark, params_scaled(a->params, MINUTE_MS));
}

static void
drop_all(struct attend *a)
{
	seat_free(a->current);
	seat_free(a->coming);
	seat_free(a->former);
	a->current = a->coming = a->former = NULL;
}

/* Begin with the running hour, after `wait`. */
static enum err
begin(struct attend *a, bool at_once)
{
	uint32_t hour = timing_hour(a->params, loop_wall_ms(a->loop));

	a->current = seat_new(a, hour, ATTEND_CURRENT);
	if (a->current == NULL)
		return ERR_MEMORY;
	if (at_once)
		timer_after(a->current->timer, 0);
	else
		wait_after_failure(a->current);
	return schedule_coming(a, hour + 1);
}

/* The clock was set or the machine slept: hours are other hours now. */
static void
on_jump(void *arg, int64_t delta_ms)
{
	struct attend *a = arg;
	struct seat *const open[] = { a->current, a->coming, a->former };

	(void)delta_ms;
	for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++)
		if (open[i] != NULL && open[i]->session != NULL)
			tell(open[i], false, ERR_STATE, FRAME_ERROR_NONE);
	drop_all(a);
	if (begin(a, false) != ERR_OK)
		timer_after(a->mark, params_scaled(a->params, MINUTE_MS));
}

/* ---- life ---- */

enum err
attend_new(struct attend **out, struct loop *l, const struct attend_config *cfg,
    const struct attend_events *events, void *arg)
{
	struct attend *a = calloc(1, sizeof(*a));
	enum err e = ERR_MEMORY;

	if (a == NULL)
		return ERR_MEMORY;
	a->loop = l;
	a->cfg = *cfg;
	a->params = &cfg->charter->params;
	a->events = events;
	a->arg = arg;
	a->mark = timer_new(l, on_mark, a);
	if (a->mark != NULL)
		e = loop_watch_jumps(l, on_jump, a);
	if (e == ERR_OK)
		e = begin(a, true);
	if (e != ERR_OK) {
		attend_free(a);
		return e;
	}
	*out = a;
	return ERR_OK;
}

void
attend_free(struct attend *a)
{
	if (a == NULL)
		return;
	loop_unwatch_jumps(a->loop, a);
	drop_all(a);
	timer_free(a->mark);
	free(a);
}

bool
attend_live(const struct attend *a)
{
	return a->current != NULL && a->current->session != NULL &&
	    session_is_open(a->current->session);
}

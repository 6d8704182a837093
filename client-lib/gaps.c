#include "config.h"

#include "client-lib/gaps.h"

#include <string.h>

#include "common/charter/timing.h"
#include "common/net/attend.h"

#define MINUTE_MS ((int64_t)60000)
#define PAUSE_MIN 1    /* before a fetch: uniform up to */
#define FAILURE_MIN 15 /* after a failure: uniform up to */
#define HALF_HOUR_MIN 30

static int64_t
scaled(const struct gaps *g, int64_t minutes)
{
	return params_scaled(g->params, minutes * MINUTE_MS);
}

static int64_t
uniform(const struct gaps *g, int64_t minutes)
{
	return rng_between(g->rng, 0, scaled(g, minutes));
}

void
gaps_init(struct gaps *g, const struct params *p, const struct rng *r, int64_t now_ms)
{
	memset(g, 0, sizeof(*g));
	g->params = p;
	g->rng = r;
	g->not_before_ms = now_ms + p->slot_ms + uniform(g, PAUSE_MIN);
}

void
gaps_live(struct gaps *g, int64_t now_ms)
{
	int64_t at_ms = now_ms + uniform(g, PAUSE_MIN);

	if (at_ms > g->not_before_ms)
		g->not_before_ms = at_ms;
	if (g->day_ms <= now_ms)
		g->day_ms = 0;
}

/* ---- what is missing ---- */

/* Where the running hour's live session begins to read: with a whole round. */
int64_t
gaps_mark(const struct params *p, uint32_t hour)
{
	return timing_round_start(p, timing_round(p, attend_mark_ms(p, hour)));
}

/* What a fetch of a day in the running hour would cover. */
static void
extent(struct gap *x, const struct gaps *g, uint32_t day, int64_t now_ms)
{
	x->kind = GAP_DAY;
	x->day = day;
	x->hour = timing_hour(g->params, now_ms);
	x->from_ms = timing_day_start(g->params, day);
	x->to_ms = timing_day_start(g->params, day + 1);
	if (x->to_ms > gaps_mark(g->params, x->hour))
		x->to_ms = gaps_mark(g->params, x->hour);
}

static bool
is_missing(const struct gaps *g, const struct gaps_view *v, uint32_t day, int64_t now_ms)
{
	struct gap x = { .kind = GAP_DAY };

	extent(&x, g, day, now_ms);
	if (v->live && x.to_ms > v->live_ms)
		x.to_ms = v->live_ms;
	return !spans_cover(v->spans, x.from_ms, x.to_ms);
}

/* The oldest day that the gateway has in full, an hour to spare. */
static uint32_t
oldest_day(const struct gaps *g, int64_t now_ms)
{
	int64_t from = now_ms - g->params->retention_ms + scaled(g, 60);
	uint32_t today = timing_day(g->params, now_ms), day;

	if (from <= 0)
		return 0;
	day = timing_day(g->params, from);
	if (timing_day_start(g->params, day) < from)
		day++;
	return day < today ? day : today;
}

size_t
gaps_missing(uint32_t *days, size_t max, const struct gaps *g, const struct gaps_view *v,
    int64_t now_ms)
{
	uint32_t today = timing_day(g->params, now_ms), day = oldest_day(g, now_ms);
	size_t n = 0;

	if (today - day >= GAPS_DAYS_MAX)
		day = today - (GAPS_DAYS_MAX - 1);
	for (; day <= today && n < max; day++)
		if (is_missing(g, v, day, now_ms))
			days[n++] = day;
	return n;
}

/* ---- when ---- */

static void
wait_until(struct gap *out, int64_t at_ms)
{
	*out = (struct gap){ .kind = GAP_WAIT, .at_ms = at_ms };
}

/* Whether this hour's sessions are used up; then the next hour's begin at a random time. */
static bool
used_up(struct gap *out, struct gaps *g, int64_t now_ms)
{
	uint32_t hour = timing_hour(g->params, now_ms);

	if (g->hour != hour) {
		g->hour = hour;
		g->opened = 0;
	}
	if (g->opened < GAPS_PER_HOUR)
		return false;
	g->not_before_ms = timing_hour_start(g->params, hour + 1) + uniform(g, PAUSE_MIN);
	wait_until(out, g->not_before_ms);
	return true;
}

/* Draw the time for the next earlier day: uniform in a half hour that had none. */
static void
draw_day_time(struct gaps *g, int64_t now_ms)
{
	int64_t window = scaled(g, HALF_HOUR_MIN), half = now_ms / window, from = now_ms;

	if (half < g->half_hour) {
		half = g->half_hour;
		from = half * window;
	}
	g->day_ms = rng_between(g->rng, from, (half + 1) * window - 1);
	g->half_hour = half + 1;
}

static void
earlier_day(struct gap *out, struct gaps *g, const uint32_t *days, size_t n, int64_t now_ms)
{
	if (g->day_ms == 0)
		draw_day_time(g, now_ms);
	if (now_ms < g->day_ms) {
		wait_until(out, g->day_ms);
		return;
	}
	g->day_ms = 0;
	extent(out, g, days[rng_below(g->rng, (uint32_t)n)], now_ms);
}

void
gaps_next(struct gap *out, struct gaps *g, const struct gaps_view *v, int64_t now_ms)
{
	uint32_t days[GAPS_DAYS_MAX];
	size_t n = gaps_missing(days, GAPS_DAYS_MAX, g, v, now_ms);

	*out = (struct gap){ .kind = GAP_NOTHING };
	if (n == 0 && !v->epochs_due)
		return;
	if (now_ms < g->not_before_ms) {
		wait_until(out, g->not_before_ms);
		return;
	}
	if (used_up(out, g, now_ms))
		return;
	if (v->epochs_due)
		*out = (struct gap){ .kind = GAP_EPOCHS, .hour = timing_hour(g->params, now_ms) };
	else if (days[n - 1] == timing_day(g->params, now_ms))
		extent(out, g, days[n - 1], now_ms);
	else
		earlier_day(out, g, days, n, now_ms);
}

void
gaps_opened(struct gaps *g, const struct gap *x)
{
	if (x->hour == g->hour)
		g->opened++;
}

void
gaps_ended(struct gaps *g, bool success, int64_t now_ms)
{
	g->not_before_ms = now_ms + uniform(g, success ? PAUSE_MIN : FAILURE_MIN);
}

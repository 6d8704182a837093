#include "config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/charter/timing.h"
#include "common/net/attend.h"
#include "evaluation/linker_parts.h"

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)
#define SLOT_MS (10 * MINUTE_MS)
#define RECENT_MS (16 * MINUTE_MS) /* the longest wait, and what noticing takes */
#define RECENT_BIN_MS 15000
#define RECENT_BINS 64
#define NAP_MS (5 * HOUR_MS)
#define SAME_PLACE_MS 30000 /* a reading position that points at an end */

/* ---- the past of a member ---- */

static bool
is_open(const struct linker_session *s, int64_t now_ms)
{
	return s->start_ms <= now_ms && now_ms < s->end_ms;
}

/* Its open session of an hour, or of any other hour. */
static const struct linker_session *
open_of(const struct linker_past *m, int64_t now_ms, uint32_t hour, bool other)
{
	for (size_t i = m->live_count; i-- > 0;)
		if (is_open(m->live[i], now_ms) && (m->live[i]->hour == hour) != other)
			return m->live[i];
	return NULL;
}

/* The live session that ended last; NULL if none has. */
static const struct linker_session *
last_end(const struct linker_past *m, int64_t now_ms)
{
	const struct linker_session *last = NULL;

	for (size_t i = 0; i < m->live_count; i++)
		if (m->live[i]->end_ms <= now_ms &&
		    (last == NULL || m->live[i]->end_ms > last->end_ms))
			last = m->live[i];
	return last;
}

static void
cover(struct linker_view *v, struct linker_past *m, int64_t from_ms, int64_t to_ms)
{
	int64_t from = (from_ms - v->from_ms + SLOT_MS - 1) / SLOT_MS;
	int64_t to = (to_ms - v->from_ms) / SLOT_MS;

	if (from < 0)
		from = 0;
	for (; from < to && (size_t)from < v->slots; from++)
		m->covered[from] = 1;
}

/* What its sessions have read up to now. */
static void
read_up(struct linker_view *v, struct linker_past *m, int64_t now_ms)
{
	const struct linker_session *f = m->fetch;

	for (size_t i = 0; i < m->live_count; i++) {
		const struct linker_session *s = m->live[i];
		int64_t from = attend_mark_ms(v->params, s->hour);

		if (from < m->covered_ms - HOUR_MS)
			from = m->covered_ms - HOUR_MS;
		if (s->end_ms > m->covered_ms - HOUR_MS)
			cover(v, m, from, s->end_ms < now_ms ? s->end_ms : now_ms);
	}
	m->covered_ms = now_ms;
	if (f == NULL || f->end_ms > now_ms)
		return;
	if (f->read == LINKER_DAY && f->end == LINKER_MARK) {
		int64_t to = timing_day_start(v->params, f->day + 1);
		int64_t mark = attend_mark_ms(v->params, f->hour);

		cover(v, m, timing_day_start(v->params, f->day), to < mark ? to : mark);
	}
}

static bool
lacks(const struct linker_view *v, const struct linker_past *m, const struct linker_session *s)
{
	int64_t from = timing_day_start(v->params, s->day);
	int64_t to = timing_day_start(v->params, s->day + 1);
	int64_t mark = attend_mark_ms(v->params, s->hour);

	if (to > mark)
		to = mark;
	if (from < m->first_ms)
		from = m->first_ms;
	from = (from - v->from_ms + SLOT_MS - 1) / SLOT_MS;
	to = (to - v->from_ms) / SLOT_MS;
	for (from = from < 0 ? 0 : from; from < to && (size_t)from < v->slots; from++)
		if (!m->covered[from])
			return true;
	return false;
}

void
linker_told(struct linker_view *v, const struct linker_session *s)
{
	struct linker_past *m = &v->past[s->member];
	const struct linker_session *last = last_end(m, s->start_ms);
	size_t room = sizeof(m->live) / sizeof(m->live[0]);

	read_up(v, m, s->start_ms);
	if (s->read != LINKER_LIVE) {
		m->fetch = s;
		return;
	}
	if (m->live_count == 0)
		m->first_ms = m->covered_ms = s->start_ms;
	if (open_of(m, s->start_ms, s->hour, true) == NULL) {
		m->since_ms = s->start_ms;
		if (last != NULL && s->start_ms - last->end_ms >= NAP_MS) {
			double at = (double)(s->start_ms % DAY_MS);

			m->habit_ms += (at - m->habit_ms) / ++m->nights;
		}
	}
	if (m->live_count == room)
		memmove(&m->live[0], &m->live[1], --m->live_count * sizeof(m->live[0]));
	m->live[m->live_count++] = s;
}

/* ---- cells ---- */

static unsigned
bin_of(int64_t x, const int64_t *edges, unsigned n)
{
	unsigned i = 0;

	while (i < n && x >= edges[i])
		i++;
	return i;
}

/* Weekends, and four parts of the other days; nights are nights. */
#define PARTS_OF_DAY 5
static unsigned
part_of_day(int64_t at_ms)
{
	int64_t hour = at_ms % DAY_MS / HOUR_MS, weekday = (at_ms / DAY_MS + 3) % 7; /* Monday 0 */

	if (hour < 6 || hour >= 22)
		return 0;
	if (weekday >= 5)
		return 1;
	return hour < 11 ? 2 : hour < 18 ? 3 : 4;
}

#define HABITS 4
static unsigned
habit_of(const struct linker_past *m, int64_t at_ms)
{
	int64_t off;

	if (m->nights == 0)
		return 0;
	off = llabs(at_ms % DAY_MS - (int64_t)m->habit_ms);
	return off < 20 * MINUTE_MS ? 1 : off < HOUR_MS ? 2 : 3;
}

static const int64_t away_edges[] = { 30 * MINUTE_MS, HOUR_MS, 2 * HOUR_MS, 4 * HOUR_MS,
	8 * HOUR_MS, 12 * HOUR_MS, 16 * HOUR_MS, DAY_MS, 60 * HOUR_MS, 72 * HOUR_MS, 7 * DAY_MS };
#define AWAY_EDGES (sizeof(away_edges) / sizeof(away_edges[0]))
#define AWAY_BINS (AWAY_EDGES + 1)

#define RECENT_CELLS (2 * 2 * 2 * LINKER_ENDS * RECENT_BINS)
#define AWAY_CELLS (2 * AWAY_BINS * PARTS_OF_DAY * HABITS)
#define LIVE_CELLS (2 + RECENT_CELLS + AWAY_CELLS)

/* coming: the session is for the coming hour. */
static size_t
live_cell(const struct linker_past *m, const struct linker_session *s, bool coming)
{
	const struct linker_session *last = last_end(m, s->start_ms);
	bool other = open_of(m, s->start_ms, s->hour, true) != NULL;
	int64_t ago = last != NULL ? s->start_ms - last->end_ms : INT64_MAX;
	bool ended_well = last != NULL && last->end == LINKER_MARK;
	size_t at;

	if (ago < RECENT_MS && !(other && ended_well)) {
		at = ((size_t)coming * 2 + other) * 2 + (last->hour == s->hour);
		at = (at * LINKER_ENDS + last->end) * RECENT_BINS + (size_t)(ago / RECENT_BIN_MS);
		return 2 + at;
	}
	if (other || last == NULL)
		return coming;
	at = coming * AWAY_BINS + bin_of(ago, away_edges, AWAY_EDGES);
	at = at * PARTS_OF_DAY + part_of_day(s->start_ms);
	return 2 + RECENT_CELLS + at * HABITS + habit_of(m, s->start_ms);
}

static const int64_t since_edges[] = { 5000, 10000, 15000, 20000, 25000, 30000, 35000, 40000,
	45000, 50000, 55000, 60000, 90000, 2 * MINUTE_MS, 5 * MINUTE_MS, 10 * MINUTE_MS,
	20 * MINUTE_MS, HOUR_MS };
#define SINCE_EDGES (sizeof(since_edges) / sizeof(since_edges[0]))
static const int64_t fetch_edges[] = { 20000, 40000, 60000, 90000, 5 * MINUTE_MS, 16 * MINUTE_MS };
#define FETCH_EDGES (sizeof(fetch_edges) / sizeof(fetch_edges[0]))

static bool
is_today(const struct linker_view *v, const struct linker_session *s)
{
	return s->day == timing_day(v->params, s->start_ms);
}

static size_t
gap_cell(const struct linker_view *v, const struct linker_past *m, const struct linker_session *s)
{
	size_t kind = s->read == LINKER_EPOCHS ? 0 : is_today(v, s) ? 1 : 2;
	int64_t fetched = m->fetch != NULL ? s->start_ms - m->fetch->end_ms : INT64_MAX;
	size_t at = kind * (SINCE_EDGES + 1) +
	    bin_of(s->start_ms - m->since_ms, since_edges, SINCE_EDGES);

	at = at * (FETCH_EDGES + 1) + bin_of(fetched, fetch_edges, FETCH_EDGES);
	return at * 2 + (s->read == LINKER_DAY && lacks(v, m, s));
}
#define GAP_CELLS (3 * (SINCE_EDGES + 1) * (FETCH_EDGES + 1) * 2)

_Static_assert(2 * LIVE_CELLS + GAP_CELLS <= LINKER_CELLS, "all cells have a number");

/* Its reading position points at where this member's last session ended. */
static bool
points_at(const struct linker_past *m, const struct linker_session *s)
{
	const struct linker_session *last = last_end(m, s->start_ms);

	return last != NULL && llabs(s->from_ms - last->end_ms) < SAME_PLACE_MS;
}

static bool
candidate(struct linker_candidate *out, struct linker_view *v, struct linker_past *m,
    const struct linker_session *s)
{
	uint32_t running = timing_hour(v->params, s->start_ms);

	if (m->live_count == 0)
		return false;
	if (s->read == LINKER_LIVE) {
		if (open_of(m, s->start_ms, s->hour, false) != NULL)
			return false;
		out->in_session = open_of(m, s->start_ms, s->hour, true) != NULL;
		out->cell = (uint16_t)(live_cell(m, s, s->hour > running) +
		    (points_at(m, s) ? LIVE_CELLS : 0));
		return true;
	}
	if (open_of(m, s->start_ms, running, false) == NULL)
		return false;
	read_up(v, m, s->start_ms);
	out->in_session = true;
	out->cell = (uint16_t)(2 * LIVE_CELLS + gap_cell(v, m, s));
	return true;
}

size_t
linker_candidates(struct linker_candidate *out, struct linker_view *v,
    const struct linker_session *s)
{
	size_t n = 0;

	for (unsigned i = 0; i < v->members; i++) {
		out[n].member = i;
		n += candidate(&out[n], v, &v->past[i], s);
	}
	return n;
}

/* ---- the truth ---- */

enum linker_situation
linker_situation_of(const struct linker_view *v, const struct linker_session *s)
{
	const struct linker_past *m = &v->past[s->member];
	const struct linker_session *last = last_end(m, s->start_ms);
	int64_t hour = s->start_ms % DAY_MS / HOUR_MS;
	int64_t off_ms = last != NULL ? s->start_ms - last->end_ms : 0;

	if (s->read != LINKER_LIVE)
		return s->read == LINKER_EPOCHS ? LINKER_GAP_EPOCHS :
		    is_today(v, s) ? LINKER_GAP_TODAY : LINKER_GAP_EARLIER;
	if (last != NULL && last->end == LINKER_RESTART && off_ms < NAP_MS)
		return LINKER_RESTARTED;
	if (last == NULL || last->end == LINKER_MARK)
		return LINKER_TURN;
	if (!last->off && (last->hour == s->hour || open_of(m, s->start_ms, s->hour, true) == NULL))
		return hour >= 6 && hour < 22 ? LINKER_FAILED : LINKER_FAILED_AT_NIGHT;
	if (open_of(m, s->start_ms, s->hour, true) != NULL)
		return LINKER_TURN;
	return off_ms < NAP_MS ? LINKER_NAP : off_ms < DAY_MS ? LINKER_NIGHT :
	    off_ms < 7 * DAY_MS ? LINKER_DAYS : LINKER_WEEKS;
}

/* ---- life ---- */

void
linker_view_release(struct linker_view *v)
{
	for (unsigned i = 0; v->past != NULL && i < v->members; i++)
		free(v->past[i].covered);
	free(v->past);
	memset(v, 0, sizeof(*v));
}

enum err
linker_view_init(struct linker_view *v, const struct params *p, unsigned members,
    const struct linker_session *log, size_t n)
{
	memset(v, 0, sizeof(*v));
	v->params = p;
	v->members = members;
	v->past = calloc(members, sizeof(*v->past));
	if (v->past == NULL || n == 0)
		return v->past == NULL ? ERR_MEMORY : ERR_OK;
	v->from_ms = log[0].start_ms / DAY_MS * DAY_MS;
	v->slots = (size_t)((log[n - 1].start_ms - v->from_ms) / SLOT_MS) + 1;
	for (unsigned i = 0; i < members; i++) {
		v->past[i].covered = calloc(v->slots, 1);
		if (v->past[i].covered == NULL) {
			linker_view_release(v);
			return ERR_MEMORY;
		}
	}
	return ERR_OK;
}

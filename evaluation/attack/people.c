#include "config.h"

#include "evaluation/attack/people.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "evaluation/draws.h"

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS INT64_C(3600000)
#define WEEK_DAYS 7
#define YEAR_DAYS 364 /* 52 weeks: after these the calendar repeats */
#define YEAR_WEEKS 52
#define SALT UINT64_C(0x9d2c5680a7f3e611)

/* The working day: it begins at 8:30, an hour earlier or later by person, and lasts. */
#define ARRIVES_MS (8 * HOUR_MS + 30 * MINUTE_MS)
#define ARRIVES_PERSON_MS (60 * MINUTE_MS)
#define ARRIVES_DAY_MS (20 * MINUTE_MS)
#define STAYS_LEAST_MS (8 * HOUR_MS)
#define STAYS_MORE_MS (90 * MINUTE_MS)
#define STAYS_MEAN_MS (STAYS_LEAST_MS + STAYS_MORE_MS / 2)
/* Leave: three weeks in a row in summer, one at some time, one that is often Christmas. */
#define SUMMER_FIRST_WEEK 24
#define SUMMER_WEEKS 9
#define CHRISTMAS_WEEK 50
/* Illness: so rarely a day begins one, which lasts for three working days in the mean. */
#define HEALTHY_DAYS 70.0
#define ILL_DAYS 3.0
/* A line or a circuit breaks; the client waits a uniform time before it comes again. */
#define BREAK_DAYS 1.0
#define BREAK_STEADY_DAYS 30.0
#define BREAK_WAIT_MS (15 * MINUTE_MS)
/* Who is there to talk alone starts the client this long before, and stops it after. */
#define TALK_BEFORE_MS MINUTE_MS
#define TALK_AFTER_MS (5 * MINUTE_MS)
#define MESSAGE_BITS 32

struct cursor {
	size_t span, message;
};

struct people {
	struct people_config cfg;
	struct people_person *of;
	struct cursor *cursors;
};

/* Public holidays, as days of the year, all on weekdays: those of 2026 from its first Monday. */
static const uint16_t holidays[] = { 88, 91, 116, 129, 140, 301, 353, 354, 360, 361 };

/* ---- growing lists ---- */

static enum err
add_span(struct people_person *p, int64_t from_ms, int64_t to_ms)
{
	if (p->online_count > 0 && from_ms <= p->online[p->online_count - 1].to_ms) {
		if (to_ms > p->online[p->online_count - 1].to_ms)
			p->online[p->online_count - 1].to_ms = to_ms;
		return ERR_OK;
	}
	if (p->online_count == p->online_room) {
		size_t room = p->online_room > 0 ? 2 * p->online_room : 64;
		struct people_span *s = realloc(p->online, room * sizeof(*s));

		if (s == NULL)
			return ERR_MEMORY;
		p->online = s;
		p->online_room = room;
	}
	p->online[p->online_count++] = (struct people_span){ from_ms, to_ms };
	return ERR_OK;
}

static enum err
add_message(struct people_person *p, int64_t at_ms)
{
	if (p->written_count == p->written_room) {
		size_t room = p->written_room > 0 ? 2 * p->written_room : 256;
		int64_t *m = realloc(p->written_ms, room * sizeof(*m));

		if (m == NULL)
			return ERR_MEMORY;
		p->written_ms = m;
		p->written_room = room;
	}
	p->written_ms[p->written_count++] = at_ms;
	return ERR_OK;
}

/* ---- the calendar ---- */

bool
people_works(uint32_t day)
{
	if (day % WEEK_DAYS >= 5)
		return false;
	for (size_t i = 0; i < sizeof(holidays) / sizeof(holidays[0]); i++)
		if (day % YEAR_DAYS == holidays[i])
			return false;
	return true;
}

static int64_t
draw_ms(struct draws *d, double most_ms)
{
	return (int64_t)(draws_unit(d) * most_ms);
}

static double
draw_exponential(struct draws *d, double mean)
{
	return -mean * log(1 - draws_unit(d));
}

/* The absences of one person, a year's leave and whatever illness comes. */
struct absence {
	uint32_t summer, week, late; /* weeks that leave begins with */
	uint32_t ill;		     /* working days that an illness still lasts */
};

static void
draw_leave(struct absence *a, struct draws *d)
{
	a->summer = SUMMER_FIRST_WEEK + draws_below(d, SUMMER_WEEKS);
	a->week = draws_below(d, YEAR_WEEKS);
	a->late = draws_below(d, 2) == 0 ? CHRISTMAS_WEEK : draws_below(d, YEAR_WEEKS);
}

static bool
on_leave(const struct absence *a, uint32_t day)
{
	uint32_t week = day % YEAR_DAYS / WEEK_DAYS;

	return (week >= a->summer && week < a->summer + 3) || week == a->week || week == a->late;
}

static bool
is_ill(struct absence *a, struct draws *d)
{
	if (a->ill > 0) {
		a->ill--;
		return true;
	}
	if (draws_unit(d) >= 1 / HEALTHY_DAYS)
		return false;
	a->ill = (uint32_t)draw_exponential(d, ILL_DAYS - 0.5);
	return true;
}

/* ---- one person ---- */

/* A line that is there from one time to another, but for its breaks. */
static enum err
add_line(struct people_person *p, struct draws *d, int64_t from_ms, int64_t to_ms)
{
	double mean = (p->habit == PEOPLE_STEADY ? BREAK_STEADY_DAYS : BREAK_DAYS) *
	    (double)PEOPLE_DAY_MS;

	while (from_ms < to_ms) {
		int64_t breaks_ms = from_ms + (int64_t)draw_exponential(d, mean) + 1;
		enum err e = add_span(p, from_ms, breaks_ms < to_ms ? breaks_ms : to_ms);

		if (e != ERR_OK)
			return e;
		from_ms = breaks_ms + 1 + draw_ms(d, BREAK_WAIT_MS);
	}
	return ERR_OK;
}

/* What is written at work; who is silent comes and goes by the same law. */
static enum err
write_messages(struct people_person *p, struct draws *d, const struct people_config *cfg,
    int64_t from_ms, int64_t to_ms)
{
	double mean = (double)STAYS_MEAN_MS * 5 / WEEK_DAYS / cfg->messages_per_day;
	enum err e = ERR_OK;

	for (double at = (double)from_ms + draw_exponential(d, mean); at < (double)to_ms && e == ERR_OK;
	    at += draw_exponential(d, mean)) {
		if (p->habit == PEOPLE_TALKS)
			e = add_span(p, (int64_t)at - TALK_BEFORE_MS, (int64_t)at + TALK_AFTER_MS);
		if (e == ERR_OK && !p->silent)
			e = add_message(p, (int64_t)at);
	}
	return e;
}

static enum err
live(struct people_person *p, const struct people_config *cfg, uint32_t number)
{
	struct draws calendar = draws_of(cfg->seed ^ SALT, number, DRAWS_OFFICE);
	struct draws line = draws_of(cfg->seed ^ SALT, number, DRAWS_BEING);
	struct draws writing = draws_of(cfg->seed ^ SALT, number, DRAWS_WRITING);
	int64_t own_ms = draw_ms(&calendar, 2 * ARRIVES_PERSON_MS) - ARRIVES_PERSON_MS;
	struct absence a = { 0 };
	enum err e = ERR_OK;

	if (p->habit == PEOPLE_STEADY || p->habit == PEOPLE_STAYS)
		e = add_line(p, &line, cfg->begins_ms, cfg->begins_ms + cfg->days * PEOPLE_DAY_MS);
	for (uint32_t day = 0; day < cfg->days && e == ERR_OK; day++) {
		int64_t from_ms, to_ms;

		if (day % YEAR_DAYS == 0)
			draw_leave(&a, &calendar);
		from_ms = cfg->begins_ms + day * PEOPLE_DAY_MS + ARRIVES_MS + own_ms +
		    draw_ms(&calendar, 2 * ARRIVES_DAY_MS) - ARRIVES_DAY_MS;
		to_ms = from_ms + STAYS_LEAST_MS + draw_ms(&calendar, STAYS_MORE_MS);
		if (!people_works(day) || on_leave(&a, day) || is_ill(&a, &calendar))
			continue;
		if (p->habit == PEOPLE_OFFICE)
			e = add_line(p, &line, from_ms, to_ms);
		if (e == ERR_OK)
			e = write_messages(p, &writing, cfg, from_ms, to_ms);
	}
	return e;
}

/* ---- all of them ---- */

/* Habits and silence by number, so that each has its share of whatever comes after it. */
static void
choose(struct people_person *p, const struct people_config *cfg, uint32_t number)
{
	uint32_t place = (uint32_t)((uint64_t)number * 100 / cfg->count), sum = 0;

	for (unsigned h = 0; h < PEOPLE_HABITS; h++) {
		sum += cfg->percent[h];
		if (place < sum) {
			p->habit = (enum people_habit)h;
			break;
		}
	}
	p->silent = cfg->silent_one_in > 0 && number % cfg->silent_one_in == 0;
}

enum err
people_new(struct people **out, const struct people_config *cfg)
{
	struct people *p;
	enum err e = ERR_OK;

	if (cfg->count == 0 || cfg->days == 0 || !(cfg->messages_per_day > 0))
		return ERR_RANGE;
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		return ERR_MEMORY;
	p->cfg = *cfg;
	p->of = calloc(cfg->count, sizeof(*p->of));
	p->cursors = calloc(cfg->count, sizeof(*p->cursors));
	if (p->of == NULL || p->cursors == NULL)
		e = ERR_MEMORY;
	for (uint32_t i = 0; i < cfg->count && e == ERR_OK; i++) {
		choose(&p->of[i], cfg, i);
		e = live(&p->of[i], cfg, i);
	}
	if (e != ERR_OK) {
		people_free(p);
		return e;
	}
	*out = p;
	return ERR_OK;
}

void
people_free(struct people *p)
{
	if (p == NULL)
		return;
	for (uint32_t i = 0; p->of != NULL && i < p->cfg.count; i++) {
		free(p->of[i].online);
		free(p->of[i].written_ms);
	}
	free(p->of);
	free(p->cursors);
	free(p);
}

const struct people_person *
people_get(const struct people *p, uint32_t person)
{
	return &p->of[person];
}

const char *
people_habit_name(enum people_habit h)
{
	static const char *const names[PEOPLE_HABITS] = { "steady", "stays", "office", "talks" };

	return names[h];
}

/* ---- as the traffic of a simulation ---- */

uint64_t
people_message(uint32_t person, size_t index)
{
	return ((uint64_t)person << MESSAGE_BITS) | index;
}

uint32_t
people_message_person(uint64_t message)
{
	return (uint32_t)(message >> MESSAGE_BITS);
}

size_t
people_message_index(uint64_t message)
{
	return (size_t)(message & UINT32_MAX);
}

static int64_t
next_message(void *arg, uint32_t person, int64_t at_ms, uint64_t *message)
{
	struct people *p = arg;
	const struct people_person *of = &p->of[person];
	struct cursor *c = &p->cursors[person];

	(void)at_ms;
	if (c->message >= of->written_count)
		return INT64_MAX;
	*message = people_message(person, c->message);
	return of->written_ms[c->message++];
}

static bool
is_online(void *arg, uint32_t person, int64_t at_ms)
{
	struct people *p = arg;
	const struct people_person *of = &p->of[person];
	struct cursor *c = &p->cursors[person];

	while (c->span < of->online_count && of->online[c->span].to_ms <= at_ms)
		c->span++;
	return c->span < of->online_count && of->online[c->span].from_ms <= at_ms;
}

void
people_source(struct people *p, struct simulation_traffic *out)
{
	memset(p->cursors, 0, p->cfg.count * sizeof(*p->cursors));
	*out = (struct simulation_traffic){ next_message, is_online, p };
}

/* ---- spans ---- */

size_t
people_span_after(const struct people_span *spans, size_t n, int64_t at_ms)
{
	size_t low = 0;

	while (low < n) {
		size_t middle = (low + n) / 2;

		if (spans[middle].to_ms > at_ms)
			n = middle;
		else
			low = middle + 1;
	}
	return low;
}

int64_t
people_within(const struct people_span *spans, size_t n, int64_t from_ms, int64_t to_ms)
{
	int64_t sum = 0;

	for (size_t i = people_span_after(spans, n, from_ms); i < n && spans[i].from_ms < to_ms; i++) {
		int64_t from = spans[i].from_ms > from_ms ? spans[i].from_ms : from_ms;
		int64_t to = spans[i].to_ms < to_ms ? spans[i].to_ms : to_ms;

		sum += to - from;
	}
	return sum;
}

#include "config.h"

#include "evaluation/traffic.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/charter/timing.h"

#define DAY_MS TIMING_DAY_MS
#define HOUR_MS INT64_C(3600000)
#define WEEK_DAYS 7
#define FIRST_OFFICE_DAY 4 /* 1970 began on a Thursday: Monday is day 4 of a week from it */
#define OFFICE_FROM_MS (8 * HOUR_MS)
#define OFFICE_LONG_MS (10 * HOUR_MS)
#define OFFICE_SHARE (5.0 * 10 / (7 * 24)) /* of all time */
#define LINE_MAX_BYTES 256

/* Draws of one person for one purpose: a counter under a key (splitmix64). */
struct draws {
	uint64_t key, counter;
};

struct person {
	struct draws writing, being;
	int64_t until_ms;  /* the present time of activity ends (on-off) */
	int64_t begins_ms; /* and it began */
	int64_t turn_ms;   /* online or offline until then (on-off churn) */
	bool online;
	size_t line;	   /* next one of the recording */
};

/* One line of a recording; those of a sender are chained. */
struct line {
	int64_t at_ms;
	uint32_t sender, receiver;
	size_t next;
};
#define NO_LINE SIZE_MAX

struct traffic {
	struct traffic_config cfg;
	double mean_ms; /* between two messages of an active person */
	double *shares; /* cumulated, of the contacts */
	struct person *persons;
	struct traffic_message *messages; /* a ring by number */
	size_t room;
	uint64_t first, count;
	struct line *lines;
	size_t line_count, line_room;
	bool failed; /* without memory */
};

/* ---- draws ---- */

static uint64_t
scramble(uint64_t z)
{
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static double
draw_unit(struct draws *d)
{
	uint64_t z = scramble(d->key + ++d->counter * UINT64_C(0x9e3779b97f4a7c15));

	return (double)(z >> 11) * 0x1p-53;
}

static double
draw_exponential(struct draws *d, double mean)
{
	return -mean * log1p(-draw_unit(d));
}

static struct draws
draws_of(uint64_t seed, uint32_t person, uint64_t purpose)
{
	return (struct draws){ scramble(scramble(seed + purpose) + person), 0 };
}

/* ---- office hours ---- */

static bool
is_workday(int64_t day)
{
	return (day + WEEK_DAYS - FIRST_OFFICE_DAY) % WEEK_DAYS < 5;
}

/* Time at work between 1970 and at_ms, and its inverse. */
static int64_t
work_before(int64_t at_ms)
{
	int64_t day = at_ms / DAY_MS, in_day = at_ms % DAY_MS - OFFICE_FROM_MS;
	int64_t from_monday = (day + WEEK_DAYS - FIRST_OFFICE_DAY) % WEEK_DAYS;
	int64_t weeks = (day - from_monday + WEEK_DAYS - FIRST_OFFICE_DAY) / WEEK_DAYS;
	int64_t days = weeks * 5 + (from_monday < 5 ? from_monday : 5);

	if (!is_workday(day) || in_day < 0)
		in_day = 0;
	return days * OFFICE_LONG_MS + (in_day < OFFICE_LONG_MS ? in_day : OFFICE_LONG_MS);
}

static int64_t
at_work(int64_t work_ms)
{
	int64_t days = work_ms / OFFICE_LONG_MS;
	int64_t day = days / 5 * WEEK_DAYS + days % 5 + FIRST_OFFICE_DAY - WEEK_DAYS;

	return day * DAY_MS + OFFICE_FROM_MS + work_ms % OFFICE_LONG_MS;
}

/* ---- messages ---- */

static void
remember(struct traffic *t, uint32_t sender, uint32_t receiver, int64_t at_ms)
{
	if (t->count - t->first == t->room) {
		size_t room = t->room > 0 ? t->room * 2 : 1024;
		struct traffic_message *m = malloc(room * sizeof(*m));

		if (m == NULL) {
			t->failed = true;
			return;
		}
		for (uint64_t i = t->first; i < t->count; i++)
			m[i & (room - 1)] = t->messages[i & (t->room - 1)];
		free(t->messages);
		t->messages = m;
		t->room = room;
	}
	t->messages[t->count++ & (t->room - 1)] =
	    (struct traffic_message){ sender, receiver, at_ms };
}

uint32_t
traffic_contact(const struct traffic *t, uint32_t person, uint32_t i)
{
	struct draws d = draws_of(t->cfg.seed, person, 3);
	uint32_t step, others = t->cfg.persons - 1;

	/* a walk round the others with a step that meets all of them */
	step = 1 + (uint32_t)(draw_unit(&d) * others);
	for (uint32_t a = others, b = step, r; b != 1;) {
		r = a % b;
		if (r == 0) { /* not coprime: take the next */
			step = step % others + 1;
			a = others;
			b = step;
			continue;
		}
		a = b;
		b = r;
	}
	return (uint32_t)((person + 1 + (uint64_t)i * step % others) % t->cfg.persons);
}

static uint32_t
draw_receiver(struct traffic *t, uint32_t person)
{
	double u = draw_unit(&t->persons[person].writing);
	uint32_t low = 0, high = t->cfg.contacts - 1;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (t->shares[middle] > u)
			high = middle;
		else
			low = middle + 1;
	}
	return traffic_contact(t, person, low);
}

/* The time of the next message of somebody who is active by turns. */
static int64_t
next_in_turns(struct traffic *t, struct person *p, int64_t at_ms)
{
	double left = draw_exponential(&p->writing, t->mean_ms);

	for (;;) {
		if (at_ms < p->begins_ms)
			at_ms = p->begins_ms;
		if (left < (double)(p->until_ms - at_ms))
			return at_ms + (int64_t)left + 1;
		left -= (double)(p->until_ms - at_ms);
		at_ms = p->until_ms;
		p->begins_ms = at_ms +
		    (int64_t)draw_exponential(&p->writing, (double)t->cfg.off_ms);
		p->until_ms = p->begins_ms + 1 +
		    (int64_t)draw_exponential(&p->writing, (double)t->cfg.on_ms);
	}
}

static int64_t
next_recorded(struct traffic *t, struct person *p, uint32_t person, uint64_t *message)
{
	const struct line *l = p->line != NO_LINE ? &t->lines[p->line] : NULL;

	if (l == NULL)
		return INT64_MAX;
	p->line = l->next;
	*message = t->count;
	remember(t, person, l->receiver, l->at_ms);
	return l->at_ms;
}

static int64_t
next_message(void *arg, uint32_t person, int64_t at_ms, uint64_t *message)
{
	struct traffic *t = arg;
	struct person *p = &t->persons[person];
	int64_t next = INT64_MAX;

	if (t->cfg.workload == TRAFFIC_RECORDED)
		return next_recorded(t, p, person, message);
	if (t->cfg.messages_per_day <= 0)
		return INT64_MAX;
	switch (t->cfg.workload) {
	case TRAFFIC_POISSON:
	case TRAFFIC_RECORDED:
		next = at_ms + 1 + (int64_t)draw_exponential(&p->writing, t->mean_ms);
		break;
	case TRAFFIC_OFFICE:
		next = at_work(work_before(at_ms) + 1 +
		    (int64_t)draw_exponential(&p->writing, t->mean_ms));
		break;
	case TRAFFIC_ON_OFF:
		next = next_in_turns(t, p, at_ms);
		break;
	}
	*message = t->count;
	remember(t, person, draw_receiver(t, person), next);
	return next;
}

/* ---- being online ---- */

static bool
in_office(const struct traffic *t, uint32_t person, int64_t at_ms)
{
	struct draws d = draws_of(t->cfg.seed, person, 2);
	int64_t shift = (int64_t)(draw_unit(&d) * 2 * (double)HOUR_MS) - HOUR_MS;
	int64_t in_day = (at_ms - shift) % DAY_MS - OFFICE_FROM_MS;

	return is_workday((at_ms - shift) / DAY_MS) && in_day >= 0 && in_day < OFFICE_LONG_MS;
}

static bool
by_turns(struct traffic *t, struct person *p, int64_t at_ms)
{
	while (at_ms >= p->turn_ms) {
		double mean = (double)(p->online ? t->cfg.offline_ms : t->cfg.online_ms);

		p->online = !p->online;
		p->turn_ms += 1 + (int64_t)draw_exponential(&p->being, mean);
	}
	return p->online;
}

static bool
is_online(void *arg, uint32_t person, int64_t at_ms)
{
	struct traffic *t = arg;

	switch (t->cfg.churn) {
	case CHURN_NONE:
		break;
	case CHURN_OFFICE:
		return in_office(t, person, at_ms);
	case CHURN_ON_OFF:
		return by_turns(t, &t->persons[person], at_ms);
	}
	return true;
}

/* ---- recordings ---- */

static enum err
add_line(struct traffic *t, const struct line *l)
{
	size_t room = t->line_room > 0 ? t->line_room * 2 : 1024;
	struct line *lines;

	if (t->line_count == t->line_room) {
		lines = realloc(t->lines, room * sizeof(*lines));
		if (lines == NULL)
			return ERR_MEMORY;
		t->lines = lines;
		t->line_room = room;
	}
	t->lines[t->line_count++] = *l;
	return ERR_OK;
}

static enum err
parse_line(struct line *out, const struct traffic *t, const char *text)
{
	double seconds;
	uint32_t sender, receiver;
	int end = 0;

	if (sscanf(text, "%lf,%" SCNu32 ",%" SCNu32 " %n", &seconds, &sender, &receiver, &end) !=
		3 || text[end] != '\0')
		return ERR_MALFORMED;
	if (!(seconds >= 0 && seconds < 1e10) || sender >= t->cfg.persons ||
	    receiver >= t->cfg.persons)
		return ERR_RANGE;
	*out = (struct line){ t->cfg.start_ms + (int64_t)(seconds * 1000), sender, receiver,
		NO_LINE };
	return ERR_OK;
}

static enum err
read_lines(struct traffic *t, FILE *f, const char *path, struct diag *d)
{
	char text[LINE_MAX_BYTES];
	int64_t last = INT64_MIN;
	enum err e = ERR_OK;

	for (unsigned number = 1; e == ERR_OK && fgets(text, sizeof(text), f) != NULL; number++) {
		struct line l;

		e = parse_line(&l, t, text);
		if (e == ERR_MALFORMED && number == 1) {
			e = ERR_OK; /* names of columns */
			continue;
		}
		if (e == ERR_OK && l.at_ms < last)
			return diag_set(d, ERR_RANGE, "%s:%u: earlier than the line before; sort "
			    "the file by time", path, number);
		if (e != ERR_OK)
			return diag_set(d, e, "%s:%u: not \"seconds,sender,receiver\" with people "
			    "numbered 0 to %" PRIu32, path, number, t->cfg.persons - 1);
		last = l.at_ms;
		e = add_line(t, &l);
	}
	return e;
}

enum err
traffic_read(struct traffic *t, const char *path, struct diag *d)
{
	FILE *f = fopen(path, "re");
	enum err e;

	if (f == NULL)
		return diag_set(d, ERR_NOT_FOUND, "%s: %s", path, strerror(errno));
	e = read_lines(t, f, path, d);
	(void)fclose(f);
	/* chained from the end, so that each sender's first line is found at once */
	for (size_t i = t->line_count; i > 0 && e == ERR_OK; i--) {
		struct person *p = &t->persons[t->lines[i - 1].sender];

		t->lines[i - 1].next = p->line;
		p->line = i - 1;
	}
	return e;
}

/* ---- life ---- */

static enum err
check(const struct traffic_config *c, struct diag *d)
{
	if (c->persons < 2)
		return diag_set(d, ERR_RANGE, "a person needs somebody to write to: set people to "
		    "at least 2");
	if (c->contacts < 1 || c->contacts >= c->persons)
		return diag_set(d, ERR_RANGE, "contacts must be 1 to %" PRIu32 ", one fewer than "
		    "the people", c->persons - 1);
	return ERR_OK;
}

static void
fill_shares(struct traffic *t)
{
	double sum = 0;

	for (uint32_t i = 0; i < t->cfg.contacts; i++) {
		sum += pow((double)i + 1, -t->cfg.zipf);
		t->shares[i] = sum;
	}
	for (uint32_t i = 0; i < t->cfg.contacts; i++)
		t->shares[i] /= sum;
}

static double
active_share(const struct traffic_config *c)
{
	switch (c->workload) {
	case TRAFFIC_OFFICE:
		return OFFICE_SHARE;
	case TRAFFIC_ON_OFF:
		return (double)c->on_ms / (double)(c->on_ms + c->off_ms);
	case TRAFFIC_POISSON:
	case TRAFFIC_RECORDED:
		break;
	}
	return 1;
}

static void
fill_persons(struct traffic *t)
{
	for (uint32_t i = 0; i < t->cfg.persons; i++) {
		struct person *p = &t->persons[i];
		double on = (double)t->cfg.online_ms / (double)(t->cfg.online_ms + t->cfg.offline_ms);

		p->writing = draws_of(t->cfg.seed, i, 0);
		p->being = draws_of(t->cfg.seed, i, 1);
		p->line = NO_LINE;
		p->begins_ms = p->until_ms = t->cfg.start_ms;
		p->turn_ms = t->cfg.start_ms;
		/* so that the first turn leaves it as often online as later ones */
		p->online = t->cfg.churn == CHURN_ON_OFF && draw_unit(&p->being) >= on;
	}
}

enum err
traffic_new(struct traffic **out, const struct traffic_config *cfg, struct diag *d)
{
	enum err e = check(cfg, d);
	struct traffic *t;

	if (e != ERR_OK)
		return e;
	t = calloc(1, sizeof(*t));
	if (t == NULL)
		return ERR_MEMORY;
	t->cfg = *cfg;
	t->shares = calloc(cfg->contacts, sizeof(t->shares[0]));
	t->persons = calloc(cfg->persons, sizeof(t->persons[0]));
	if (t->shares == NULL || t->persons == NULL) {
		traffic_free(t);
		return ERR_MEMORY;
	}
	if (cfg->messages_per_day > 0)
		t->mean_ms = (double)DAY_MS / cfg->messages_per_day * active_share(cfg);
	fill_shares(t);
	fill_persons(t);
	*out = t;
	return ERR_OK;
}

void
traffic_free(struct traffic *t)
{
	if (t == NULL)
		return;
	free(t->shares);
	free(t->persons);
	free(t->messages);
	free(t->lines);
	free(t);
}

void
traffic_source(struct traffic *t, struct simulation_traffic *out)
{
	*out = (struct simulation_traffic){ .next = next_message,
		.online = t->cfg.churn != CHURN_NONE ? is_online : NULL,
		.arg = t };
}

const struct traffic_message *
traffic_message(const struct traffic *t, uint64_t message)
{
	if (message < t->first || message >= t->count)
		return NULL;
	return &t->messages[message & (t->room - 1)];
}

void
traffic_forget(struct traffic *t, uint64_t before)
{
	if (before > t->first)
		t->first = before < t->count ? before : t->count;
}

uint64_t
traffic_count(const struct traffic *t)
{
	return t->count;
}

#include "config.h"

#include "evaluation/traffic.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/rng.h"
#include "common/charter/timing.h"
#include "common/config/value.h"
#include "evaluation/draws.h"

#define DAY_MS TIMING_DAY_MS
#define HOUR_MS INT64_C(3600000)
#define WEEK_DAYS 7
#define FIRST_OFFICE_DAY 4 /* 1970 began on a Thursday: Monday is day 4 of a week from it */
#define OFFICE_FROM_MS (8 * HOUR_MS)
#define OFFICE_LONG_MS (10 * HOUR_MS)
#define MEAN_MIN_US 1000 /* a message a millisecond: times have no finer unit */
#define LINE_MAX_BYTES 256
#define FILE_MAX_BYTES (INT64_C(1) << 31)
#define SECONDS_MAX INT64_C(10000000000)

struct person {
	struct draws writing, being;
	int64_t part_us;   /* its latest message was due so much later than it is written */
	int64_t until_ms;  /* the present time of activity ends (on-off) */
	int64_t begins_ms; /* and it began */
	int64_t since_ms;  /* online or offline from then (office churn) */
	int64_t turn_ms;   /* and until then (all churn) */
	int64_t shift_ms;  /* so much later to the office than others, or earlier if < 0 */
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
	int64_t mean_us; /* between two messages of an active person */
	double *shares; /* cumulated, of the contacts */
	struct person *persons;
	struct traffic_message *messages; /* of each person, the latest */
	uint64_t count;
	struct line *lines;
	size_t line_count, line_room;
};

/* ---- draws ---- */

static int64_t
draw_exponential(struct draws *d, int64_t mean_ms)
{
	struct rng r = { draws_fill, d };

	return rng_exponential_long(&r, mean_ms);
}

/* ---- office hours ---- */

static bool
is_workday(int64_t day)
{
	return (day + WEEK_DAYS - FIRST_OFFICE_DAY) % WEEK_DAYS < 5;
}

int64_t
traffic_work_before(int64_t at_ms)
{
	int64_t day = at_ms / DAY_MS, in_day = at_ms % DAY_MS - OFFICE_FROM_MS;
	int64_t from_monday = (day + WEEK_DAYS - FIRST_OFFICE_DAY) % WEEK_DAYS;
	int64_t weeks = (day - from_monday + WEEK_DAYS - FIRST_OFFICE_DAY) / WEEK_DAYS;
	int64_t days = weeks * 5 + (from_monday < 5 ? from_monday : 5);

	if (!is_workday(day) || in_day < 0)
		in_day = 0;
	return days * OFFICE_LONG_MS + (in_day < OFFICE_LONG_MS ? in_day : OFFICE_LONG_MS);
}

/* The inverse of traffic_work_before. */
static int64_t
at_work(int64_t work_ms)
{
	int64_t days = work_ms / OFFICE_LONG_MS;
	int64_t day = days / 5 * WEEK_DAYS + days % 5 + FIRST_OFFICE_DAY - WEEK_DAYS;

	return day * DAY_MS + OFFICE_FROM_MS + work_ms % OFFICE_LONG_MS;
}

/* ---- messages ---- */

static void
remember(struct traffic *t, uint64_t *number, uint32_t sender, uint32_t receiver, int64_t at_ms)
{
	*number = t->count++;
	t->messages[sender] = (struct traffic_message){ *number, at_ms, receiver };
}

uint32_t
traffic_contact(const struct traffic *t, uint32_t person, uint32_t i)
{
	struct draws d = draws_of(t->cfg.seed, person, DRAWS_CONTACTS);
	uint32_t step, others = t->cfg.persons - 1;

	/* a walk round the others with a step that meets all of them */
	step = 1 + (uint32_t)(draws_unit(&d) * others);
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
	double u = draws_unit(&t->persons[person].writing);
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

/*
 * How long an active person writes nothing: at least 1 ms. What is less than a
 * millisecond is kept for the next message, so that no rate is cut.
 */
static int64_t
draw_pause(const struct traffic *t, struct person *p)
{
	int64_t us = p->part_us + draw_exponential(&p->writing, t->mean_us);
	int64_t ms = us >= 1000 ? us / 1000 : 1;

	p->part_us = us - ms * 1000;
	return ms;
}

/*
 * The time of the next message of somebody who is active by turns. Where messages are
 * rare, turns go by without one, so that they are not followed beyond the end.
 */
static int64_t
next_in_turns(const struct traffic *t, struct person *p, int64_t at_ms)
{
	int64_t left = draw_pause(t, p);

	while (at_ms < t->cfg.ends_ms) {
		if (at_ms < p->begins_ms)
			at_ms = p->begins_ms;
		if (left <= p->until_ms - at_ms)
			return at_ms + left;
		left -= p->until_ms - at_ms;
		at_ms = p->until_ms;
		p->begins_ms = at_ms + draw_exponential(&p->writing, t->cfg.off_ms);
		p->until_ms = p->begins_ms + 1 + draw_exponential(&p->writing, t->cfg.on_ms);
	}
	return INT64_MAX;
}

static int64_t
next_recorded(struct traffic *t, uint32_t person, uint64_t *number)
{
	struct person *p = &t->persons[person];
	const struct line *l = p->line != NO_LINE ? &t->lines[p->line] : NULL;

	if (l == NULL)
		return INT64_MAX;
	p->line = l->next;
	remember(t, number, person, l->receiver, l->at_ms);
	return l->at_ms;
}

static int64_t
next_message(void *arg, uint32_t person, int64_t at_ms, uint64_t *message)
{
	struct traffic *t = arg;
	struct person *p = &t->persons[person];
	int64_t next = INT64_MAX;

	if (t->cfg.workload == TRAFFIC_RECORDED)
		return next_recorded(t, person, message);
	if (t->mean_us <= 0 || at_ms >= t->cfg.ends_ms)
		return INT64_MAX;
	switch (t->cfg.workload) {
	case TRAFFIC_POISSON:
	case TRAFFIC_RECORDED:
		next = at_ms + draw_pause(t, p);
		break;
	case TRAFFIC_OFFICE:
		next = at_work(traffic_work_before(at_ms) + draw_pause(t, p));
		break;
	case TRAFFIC_ON_OFF:
		next = next_in_turns(t, p, at_ms);
		break;
	}
	if (next >= t->cfg.ends_ms)
		return INT64_MAX;
	remember(t, message, person, draw_receiver(t, person), next);
	return next;
}

/* ---- being online ---- */

static int64_t
draw_shift(uint64_t seed, uint32_t person)
{
	struct draws d = draws_of(seed, person, DRAWS_OFFICE);

	return (int64_t)(draws_unit(&d) * 2 * (double)HOUR_MS) - HOUR_MS;
}

/* The part of a person's own day at at_ms: before, in or after the hours at the office. */
static void
look_at_day(struct person *p, int64_t at_ms)
{
	int64_t day = (at_ms - p->shift_ms) / DAY_MS;
	int64_t begins_ms = day * DAY_MS + p->shift_ms;
	int64_t from_ms = begins_ms + OFFICE_FROM_MS, to_ms = from_ms + OFFICE_LONG_MS;
	bool before = at_ms < from_ms, within = !before && at_ms < to_ms;

	p->online = within && is_workday(day);
	p->since_ms = before ? begins_ms : within ? from_ms : to_ms;
	p->turn_ms = before ? from_ms : within ? to_ms : begins_ms + DAY_MS;
}

/* Asked in every slot: a day is looked at three times. */
static bool
in_office(struct person *p, int64_t at_ms)
{
	if (at_ms < p->since_ms || at_ms >= p->turn_ms)
		look_at_day(p, at_ms);
	return p->online;
}

static bool
by_turns(struct traffic *t, struct person *p, int64_t at_ms)
{
	while (at_ms >= p->turn_ms) {
		int64_t mean_ms = p->online ? t->cfg.offline_ms : t->cfg.online_ms;

		p->online = !p->online;
		p->turn_ms += 1 + draw_exponential(&p->being, mean_ms);
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
		return in_office(&t->persons[person], at_ms);
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

/* "12.345678": whole milliseconds, what is less is cut off. */
static enum err
parse_seconds(int64_t *ms, const char *s)
{
	int64_t v = 0, unit = 100;

	if (*s < '0' || *s > '9')
		return ERR_MALFORMED;
	for (; *s >= '0' && *s <= '9'; s++) {
		v = v * 10 + (*s - '0');
		if (v > SECONDS_MAX)
			return ERR_RANGE;
	}
	v *= 1000;
	if (*s == '.')
		for (s++; *s >= '0' && *s <= '9'; s++, unit /= 10)
			v += (*s - '0') * unit;
	if (*s != '\0')
		return ERR_MALFORMED;
	*ms = v;
	return ERR_OK;
}

static enum err
parse_person(uint32_t *out, const struct traffic *t, const char *s)
{
	int64_t v;
	enum err e = config_integer(&v, s);

	if (e != ERR_OK)
		return e;
	if (v < 0 || v >= t->cfg.persons)
		return ERR_RANGE;
	*out = (uint32_t)v;
	return ERR_OK;
}

static enum err
parse_line(struct line *out, const struct traffic *t, char *text)
{
	char *sender = strchr(text, ',');
	char *receiver = sender != NULL ? strchr(sender + 1, ',') : NULL;
	struct line l = { .next = NO_LINE };
	enum err e;

	if (receiver == NULL)
		return ERR_MALFORMED;
	*sender++ = '\0';
	*receiver++ = '\0';
	e = parse_seconds(&l.at_ms, text);
	if (e == ERR_OK)
		e = parse_person(&l.sender, t, sender);
	if (e == ERR_OK)
		e = parse_person(&l.receiver, t, receiver);
	if (e == ERR_OK) {
		l.at_ms += t->cfg.start_ms;
		*out = l;
	}
	return e;
}

/* Names of columns: none is empty, or begins as a number does. */
static bool
are_names(const char *text)
{
	for (const char *at = text;; at++) {
		at += strspn(at, " \t");
		if (*at == '\0' || strchr(",;+-.0123456789", *at) != NULL)
			return false;
		at += strcspn(at, ",");
		if (*at == '\0')
			return strchr(text, ',') != NULL || *text == '#';
	}
}

static enum err
bad_line(const struct traffic *t, enum err e, const char *name, unsigned number, struct diag *d)
{
	return diag_set(d, e, "%s, line %u: not \"seconds,sender,receiver\" with people numbered 0 "
	    "to %" PRIu32 "%s", name, number, t->cfg.persons - 1,
	    number == 1 ? ", and no names of columns" : "");
}

/* One line of n bytes, without its end. */
static enum err
take_line(struct traffic *t, const char *name, unsigned number, const char *bytes, size_t n,
    struct diag *d)
{
	int64_t last = t->line_count > 0 ? t->lines[t->line_count - 1].at_ms : INT64_MIN;
	char text[LINE_MAX_BYTES];
	struct line l;
	enum err e = ERR_MALFORMED;

	if (n > 0 && bytes[n - 1] == '\r')
		n--;
	if (n < sizeof(text) && memchr(bytes, 0, n) == NULL) {
		memcpy(text, bytes, n);
		text[n] = '\0';
		if (number == 1 && are_names(text))
			return ERR_OK;
		e = parse_line(&l, t, text);
	}
	if (e != ERR_OK)
		return bad_line(t, e, name, number, d);
	if (l.sender == l.receiver)
		return diag_set(d, ERR_RANGE, "%s, line %u: person %" PRIu32 " writes to itself, "
		    "which no network sees; remove the line", name, number, l.sender);
	if (l.at_ms < last)
		return diag_set(d, ERR_RANGE, "%s, line %u: earlier than the line before; sort the "
		    "file by time", name, number);
	return add_line(t, &l);
}

/* Chained from the end, so that each sender's first line is found at once. */
static void
chain(struct traffic *t)
{
	for (uint32_t i = 0; i < t->cfg.persons; i++)
		t->persons[i].line = NO_LINE;
	for (size_t i = t->line_count; i > 0; i--) {
		struct person *p = &t->persons[t->lines[i - 1].sender];

		t->lines[i - 1].next = p->line;
		p->line = i - 1;
	}
}

enum err
traffic_parse(struct traffic *t, const char *name, const void *text, size_t len, struct diag *d)
{
	static const char mark[] = "\xef\xbb\xbf"; /* that some programs put before UTF-8 */
	const char *at = text;
	enum err e = ERR_OK;

	if (len >= sizeof(mark) - 1 && memcmp(at, mark, sizeof(mark) - 1) == 0) {
		at += sizeof(mark) - 1;
		len -= sizeof(mark) - 1;
	}
	for (unsigned number = 1; len > 0 && e == ERR_OK; number++) {
		const char *end = memchr(at, '\n', len);
		size_t n = end != NULL ? (size_t)(end - at) : len;

		e = take_line(t, name, number, at, n, d);
		n += end != NULL;
		at += n;
		len -= n;
	}
	if (e == ERR_OK && t->line_count == 0)
		e = diag_set(d, ERR_MALFORMED, "%s: no line \"seconds,sender,receiver\"", name);
	if (e == ERR_OK)
		chain(t);
	return e;
}

/* A regular file, its size known; a FIFO is not waited for. */
static enum err
open_file(FILE **out, size_t *size, const char *path, struct diag *d)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return diag_set(d, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "cannot open %s: %s",
		    path, strerror(errno));
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size > FILE_MAX_BYTES) {
		(void)close(fd);
		return diag_set(d, ERR_IO, "%s: not a regular file of at most 2 GiB", path);
	}
	*out = fdopen(fd, "r");
	if (*out == NULL) {
		(void)close(fd);
		return ERR_MEMORY;
	}
	*size = (size_t)st.st_size;
	return ERR_OK;
}

/* The whole file in memory; free. */
static enum err
read_file(char **out, size_t *len, const char *path, struct diag *d)
{
	FILE *f;
	size_t size;
	char *text;
	enum err e = open_file(&f, &size, path, d);

	if (e != ERR_OK)
		return e;
	text = malloc(size + 1);
	if (text == NULL)
		e = ERR_MEMORY;
	if (e == ERR_OK) {
		*len = fread(text, 1, size, f);
		if (ferror(f))
			e = diag_set(d, ERR_IO, "cannot read %s: %s", path, strerror(errno));
	}
	(void)fclose(f);
	if (e == ERR_OK)
		*out = text;
	else
		free(text);
	return e;
}

void
traffic_path(char out[static TRAFFIC_PATH_BYTES], const struct traffic_config *cfg,
    const char *path)
{
	bool relative = path[0] != '/' && cfg->directory != NULL;

	(void)snprintf(out, TRAFFIC_PATH_BYTES, "%s%s", relative ? cfg->directory : "", path);
}

enum err
traffic_read(struct traffic *t, const char *path, struct diag *d)
{
	char whole[TRAFFIC_PATH_BYTES], *text = NULL;
	size_t len = 0;
	enum err e;

	traffic_path(whole, &t->cfg, path);
	e = read_file(&text, &len, whole, d);
	if (e == ERR_OK)
		e = traffic_parse(t, whole, text, len, d);
	free(text);
	return e;
}

/* ---- life ---- */

/* The mean while a person is active, so that it is interval_us over all time. */
static int64_t
active_mean(const struct traffic_config *c)
{
	switch (c->workload) {
	case TRAFFIC_OFFICE:
		return c->interval_us * 5 * 10 / (WEEK_DAYS * 24);
	case TRAFFIC_ON_OFF:
		return (int64_t)((double)c->interval_us * (double)c->on_ms /
		    (double)(c->on_ms + c->off_ms));
	case TRAFFIC_POISSON:
	case TRAFFIC_RECORDED:
		break;
	}
	return c->interval_us;
}

static enum err
check(const struct traffic_config *c, struct diag *d)
{
	if (c->persons < 2)
		return diag_set(d, ERR_RANGE, "a person needs somebody to write to: set people to "
		    "at least 2");
	if (c->contacts < 1 || c->contacts >= c->persons)
		return diag_set(d, ERR_RANGE, "contacts must be 1 to %" PRIu32 ", one fewer than "
		    "the people", c->persons - 1);
	if (c->workload == TRAFFIC_ON_OFF && (c->on_ms < 1 || c->off_ms < 1))
		return diag_set(d, ERR_RANGE,
		    "times of activity and of rest must be longer than 0");
	if (c->churn == CHURN_ON_OFF && (c->online_ms < 1 || c->offline_ms < 1))
		return diag_set(d, ERR_RANGE, "times online and offline must be longer than 0");
	if (c->interval_us > 0 && active_mean(c) < MEAN_MIN_US)
		return diag_set(d, ERR_RANGE, "people would write oftener than every millisecond "
		    "while they are active; set messages-per-day lower, or 'on' longer beside "
		    "'off'");
	return ERR_OK;
}

/*
 * base to the power of so many thousandths, by products and square roots, which come
 * out the same on every machine. The exponent is cut off after 40 binary places.
 */
static double
power(double base, uint32_t milli)
{
	double result = 1, root = base;
	uint32_t rest = milli % 1000;

	for (uint32_t i = milli / 1000; i > 0; i--)
		result *= base;
	for (int i = 0; i < 40 && rest > 0; i++) {
		root = sqrt(root);
		rest *= 2;
		if (rest >= 1000) {
			rest -= 1000;
			result *= root;
		}
	}
	return result;
}

static void
fill_shares(struct traffic *t)
{
	double sum = 0;

	for (uint32_t i = 0; i < t->cfg.contacts; i++) {
		sum += 1 / power((double)i + 1, t->cfg.zipf_milli);
		t->shares[i] = sum;
	}
	for (uint32_t i = 0; i < t->cfg.contacts; i++)
		t->shares[i] /= sum;
}

/* By turns, as often in each state at the start as later. */
static void
first_turns(struct traffic *t, struct person *p)
{
	const struct traffic_config *c = &t->cfg;

	p->begins_ms = p->until_ms = p->since_ms = p->turn_ms = c->start_ms;
	if (c->workload == TRAFFIC_ON_OFF &&
	    draws_unit(&p->writing) * (double)(c->on_ms + c->off_ms) < (double)c->on_ms)
		p->until_ms += 1 + draw_exponential(&p->writing, c->on_ms);
	/* the first look turns it around */
	if (c->churn == CHURN_ON_OFF)
		p->online = draws_unit(&p->being) * (double)(c->online_ms + c->offline_ms) >=
		    (double)c->online_ms;
}

static void
fill_persons(struct traffic *t)
{
	for (uint32_t i = 0; i < t->cfg.persons; i++) {
		struct person *p = &t->persons[i];

		p->writing = draws_of(t->cfg.seed, i, DRAWS_WRITING);
		p->being = draws_of(t->cfg.seed, i, DRAWS_BEING);
		p->shift_ms = draw_shift(t->cfg.seed, i);
		p->line = NO_LINE;
		first_turns(t, p);
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
	if (cfg->ends_ms == 0)
		t->cfg.ends_ms = INT64_MAX;
	t->shares = calloc(cfg->contacts, sizeof(t->shares[0]));
	t->persons = calloc(cfg->persons, sizeof(t->persons[0]));
	t->messages = calloc(cfg->persons, sizeof(t->messages[0]));
	if (t->shares == NULL || t->persons == NULL || t->messages == NULL) {
		traffic_free(t);
		return ERR_MEMORY;
	}
	t->mean_us = active_mean(cfg);
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
traffic_message(const struct traffic *t, uint32_t person)
{
	return &t->messages[person];
}

uint64_t
traffic_count(const struct traffic *t)
{
	return t->count;
}

size_t
traffic_lines(const struct traffic *t)
{
	return t->line_count;
}

size_t
traffic_lines_after(const struct traffic *t, int64_t wall_ms)
{
	size_t n = 0;

	while (n < t->line_count && t->lines[t->line_count - 1 - n].at_ms > wall_ms)
		n++;
	return n;
}

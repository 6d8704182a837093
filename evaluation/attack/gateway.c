/*
 * The gateway as adversary through a year: it sees who is online when, for it is told whose
 * each session is, which is more than it can know; and when a deposit comes out.
 *
 * Two attacks. *Contact*: one correspondent of the sender's is in league with it and tells
 * which deposit of each day is from him; who is he? *Counts*: nobody helps; who of those who
 * send all the time writes at all? Both by presence.h. Both are judged by the game of two
 * suspects of the same habit, and the first by whom it names among all.
 */
#include "config.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "evaluation/attack/duel.h"
#include "evaluation/attack/kinds.h"
#include "evaluation/attack/presence.h"
#include "evaluation/attack/trace.h"
#include "evaluation/attack/year.h"
#include "evaluation/draws.h"

#define DAYS_LEAST 7
#define PERSONS_MOST 2000
#define SILENT_ONE_IN 5
#define LEARN_SEED UINT64_C(0x2545f4914f6cdd1d) /* so that nobody is of the year's own */
#define TIP_SEED UINT64_C(0x1b873593)
#define TIE 1e-9
#define YEARS 4
#define YEARS_MOST 1000
#define POINTS_MOST 16
#define HALF 0.5
#define EARLY_DAY 10

static const uint32_t looks[] = { 1, 2, 3, 5, EARLY_DAY, 20, 30, 60, 90, 180 };
#define LOOKS (sizeof(looks) / sizeof(looks[0]))
static const uint8_t percent[PEOPLE_HABITS] = { 30, 30, 30, 10 };
static const char *const described[PEOPLE_HABITS] = { "always online, steady line",
	"always online, line breaks daily", "online at work", "online only to talk" };

enum question { CONTACT_TWO, CONTACT_NAMED, COUNTS_TWO, QUESTIONS };

/* What is found of the people of one habit until one day. */
struct findings {
	struct duel contact, counts;
	double named, named_squares; /* over sources: whether named, shared with those alike */
	size_t sources;
};

struct watcher {
	const struct attack_input *in;
	struct people_config cfg;
	struct presence_law laws[PEOPLE_HABITS];
	struct attack_delay delay;
	struct year year;
	double *might, *none, *like; /* by day's person, person, source and candidate */
	double *rates, *x;
	uint32_t *who;
	size_t *at; /* of each source: its next message */
	struct presence_rates *counts;
	uint32_t days[POINTS_MOST];
	size_t points;
	struct findings found[PEOPLE_HABITS][POINTS_MOST];
	size_t years, offset; /* of this year's people among all */
	double online_ms[PEOPLE_HABITS];
	size_t online_n[PEOPLE_HABITS];
};

static struct attack_value
value_of(const struct watcher *w, enum question q, unsigned habit, size_t point)
{
	const struct findings *f = &w->found[habit][point];
	struct attack_value v;

	switch (q) {
	case CONTACT_TWO:
		return duel_value(&f->contact);
	case COUNTS_TWO:
		return duel_value(&f->counts);
	case CONTACT_NAMED:
	case QUESTIONS:
		break;
	}
	v = attack_mean(f->named, f->named_squares, f->sources);
	/* all of them, or none: what shares would have */
	if (v.known && (f->named < TIE || f->named > (double)f->sources - TIE))
		return attack_share_exact(f->named < TIE ? 0 : f->sources, f->sources);
	v.low = fmax(v.low, 0);
	v.high = fmin(v.high, 1);
	return v;
}

/* ---- the contact ---- */

/* The deposit of this day that the correspondent tells of; -1: none came. */
static int64_t
tip_of(struct watcher *w, uint32_t source, uint32_t day)
{
	const struct people_person *p = people_get(w->year.people, source);
	int64_t ends_ms = w->cfg.begins_ms + (day + 1) * PEOPLE_DAY_MS;
	struct draws d = draws_at(w->cfg.seed ^ TIP_SEED, (uint64_t)day << 32 | source);
	size_t first = w->at[source];

	while (w->at[source] < p->written_count && p->written_ms[w->at[source]] < ends_ms)
		w->at[source]++;
	if (w->at[source] == first)
		return -1;
	return w->year.came_ms[source][first + draws_below(&d, (uint32_t)(w->at[source] - first))];
}

static void
look_at_day(struct watcher *w, uint32_t day)
{
	int64_t begins_ms = w->cfg.begins_ms + day * PEOPLE_DAY_MS;
	uint32_t n = w->cfg.count;

	for (uint32_t j = 0; j < n; j++) {
		const struct people_person *p = people_get(w->year.people, j);
		const struct presence_law *law = &w->laws[p->habit];

		w->might[j] = presence_might_ms(p, law, begins_ms, people_works(day));
		w->none[j] = presence_day(p, law, &w->delay, begins_ms, w->might[j], -1);
	}
	for (uint32_t i = 0; i < n; i++) {
		int64_t at_ms;

		if (people_get(w->year.people, i)->silent)
			continue;
		at_ms = tip_of(w, i, day);
		for (uint32_t j = 0; j < n; j++) {
			const struct people_person *p = people_get(w->year.people, j);

			w->like[(size_t)i * n + j] += at_ms < 0 ? w->none[j] :
			    presence_day(p, &w->laws[p->habit], &w->delay, begins_ms, w->might[j],
				at_ms);
		}
	}
}

static void
judge_contact(struct watcher *w, uint32_t source, size_t point)
{
	enum people_habit habit = people_get(w->year.people, source)->habit;
	const double *like = &w->like[(size_t)source * w->cfg.count];
	struct findings *f = &w->found[habit][point];
	double alike = 1, named;
	bool above = false;

	for (uint32_t j = 0; j < w->cfg.count; j++) {
		double ahead = like[source] - like[j];

		if (j == source)
			continue;
		above = above || ahead < -TIE;
		alike += fabs(ahead) <= TIE ? 1 : 0;
		if (people_get(w->year.people, j)->habit == habit)
			duel_add(&f->contact, w->offset + source, w->offset + j, ahead);
	}
	named = above ? 0 : 1 / alike;
	f->named += named;
	f->named_squares += named * named;
	f->sources++;
}

/* ---- counts ---- */

static void
count_day(struct watcher *w, uint32_t day)
{
	int64_t begins_ms = w->cfg.begins_ms + day * PEOPLE_DAY_MS - w->delay.mean_ms;

	for (size_t part = 0; part < PRESENCE_PARTS; part++) {
		size_t k = 0;

		for (uint32_t j = 0; j < w->cfg.count; j++) {
			const struct people_person *p = people_get(w->year.people, j);
			double x = presence_part(p, &w->laws[p->habit],
			    begins_ms + (int64_t)part * (PEOPLE_DAY_MS / PRESENCE_PARTS), part,
			    people_works(day));

			if (x > 0) {
				w->who[k] = j;
				w->x[k++] = x;
			}
		}
		presence_rates_add(w->counts, w->who, w->x, k,
		    w->year.parts[(size_t)day * PRESENCE_PARTS + part]);
	}
}

/* Each of those who write against all of the same habit who do not. */
static enum err
judge_counts(struct watcher *w, size_t point)
{
	enum err e = presence_rates_solve(w->counts, w->rates);

	for (uint32_t i = 0; i < w->cfg.count && e == ERR_OK; i++) {
		const struct people_person *own = people_get(w->year.people, i);

		for (uint32_t j = 0; j < w->cfg.count && !own->silent; j++) {
			const struct people_person *p = people_get(w->year.people, j);

			if (p->habit == own->habit && p->silent)
				duel_add(&w->found[own->habit][point].counts, w->offset + i,
				    w->offset + j, w->rates[i] - w->rates[j]);
		}
	}
	return e;
}

/* ---- a year ---- */

static enum err
begin_year(struct watcher *w)
{
	size_t n = w->cfg.count;
	double mean = w->cfg.messages_per_day * 7 / 5;

	presence_rates_free(w->counts);
	w->counts = NULL;
	memset(w->at, 0, n * sizeof(*w->at));
	memset(w->like, 0, n * n * sizeof(*w->like));
	for (uint32_t i = 0; i < n; i++) {
		const struct people_person *p = people_get(w->year.people, i);

		w->online_ms[p->habit] += (double)people_within(p->online, p->online_count,
		    w->cfg.begins_ms, w->cfg.begins_ms + w->cfg.days * PEOPLE_DAY_MS);
		w->online_n[p->habit]++;
	}
	return presence_rates_new(&w->counts, n, mean * (1 - 1.0 / SILENT_ONE_IN), mean / 2);
}

static enum err
watch_year(struct watcher *w)
{
	enum err e = begin_year(w);
	size_t point = 0;

	for (uint32_t day = 0; day < w->cfg.days && e == ERR_OK; day++) {
		look_at_day(w, day);
		count_day(w, day);
		if (day + 1 != w->days[point])
			continue;
		for (uint32_t i = 0; i < w->cfg.count; i++)
			if (!people_get(w->year.people, i)->silent)
				judge_contact(w, i, point);
		e = judge_counts(w, point++);
	}
	return e;
}

/* The habits of others, from lives that are nobody's here. */
static enum err
learn(struct watcher *w, struct diag *d)
{
	struct people_config cfg = w->cfg;
	struct people *p = NULL;
	enum err e = attack_delay_learn(&w->delay, w->in->scenario, d);

	cfg.seed ^= LEARN_SEED;
	if (e == ERR_OK)
		e = people_new(&p, &cfg);
	if (e == ERR_OK)
		presence_learn(w->laws, p, cfg.count, cfg.days, cfg.begins_ms);
	people_free(p);
	return e;
}

/* ---- the result ---- */

static enum err
add_curve(struct attack_result *out, const struct watcher *w, enum question q, unsigned h,
    const char *label, double chance)
{
	struct attack_curve *c = attack_add_curve(out, "days", label, described[h]);
	enum err e = c != NULL ? ERR_OK : ERR_FULL;

	if (c == NULL)
		return e;
	c->x_log = true;
	attack_chance(c, chance);
	for (size_t i = 0; i < w->points && e == ERR_OK; i++)
		e = attack_add_point(c, w->days[i], value_of(w, q, h, i));
	return e;
}

static enum err
add_curves(struct attack_result *out, const struct watcher *w)
{
	static const char *const labels[QUESTIONS] = {
		[CONTACT_TWO] = "advantage, a contact tells, one of two suspects",
		[CONTACT_NAMED] = "share named among all, a contact tells",
		[COUNTS_TWO] = "advantage, counts alone, one of two suspects",
	};
	enum err e = ERR_OK;

	for (unsigned q = 0; q < QUESTIONS; q++)
		for (unsigned h = 0; h < PEOPLE_HABITS && e == ERR_OK; h++)
			e = add_curve(out, w, (enum question)q, h, labels[q],
			    q == CONTACT_NAMED ? 1.0 / w->cfg.count : 0);
	return e;
}

/* "contact_two_office", at the end or on some day. */
static void
add_score_figure(struct attack_result *out, const struct watcher *w, enum question q, unsigned h,
    size_t point)
{
	static const char *const names[QUESTIONS] = { "contact_two", "contact_named", "counts_two" };
	char name[ATTACK_NAME_BYTES];
	struct attack_figure *f;

	(void)snprintf(name, sizeof(name), "%s_%s_%" PRIu32 "_days", names[q],
	    people_habit_name((enum people_habit)h), w->days[point]);
	f = attack_add_figure(out, name, q == CONTACT_NAMED ? "share" : "advantage",
	    value_of(w, q, h, point));
	if (f != NULL)
		attack_figure_chance(f, q == CONTACT_NAMED ? 1.0 / w->cfg.count : 0);
}

static void
add_days_to_half(struct attack_result *out, const struct watcher *w, unsigned h)
{
	char name[ATTACK_NAME_BYTES];

	(void)snprintf(name, sizeof(name), "days_to_half_%s", people_habit_name((enum people_habit)h));
	for (size_t i = 0; i < w->points; i++)
		if (value_of(w, CONTACT_TWO, h, i).value > HALF) {
			(void)attack_add_figure(out, name, "days", attack_exact(w->days[i]));
			return;
		}
	attack_add_missing(out, name, "days", "the advantage of the contact's attack stays below a half");
}

/* What those lose who are online only to talk: the difference, errors added as independent. */
static void
add_loss(struct attack_result *out, const struct watcher *w, size_t point)
{
	struct attack_value a = value_of(w, CONTACT_TWO, PEOPLE_TALKS, point);
	struct attack_value b = value_of(w, CONTACT_TWO, PEOPLE_STEADY, point);
	struct attack_value v = a;
	char name[ATTACK_NAME_BYTES];
	double error = hypot(a.high - a.low, b.high - b.low) / 2;

	v.value = a.value - b.value;
	v.low = v.value - error;
	v.high = fmin(v.value + error, 2);
	v.known = a.known && b.known;
	v.has_interval = a.has_interval && b.has_interval;
	(void)snprintf(name, sizeof(name), "talkers_lose_%" PRIu32 "_days", w->days[point]);
	(void)attack_add_figure(out, name, "advantage", v);
}

static void
add_figures(struct attack_result *out, const struct watcher *w)
{
	size_t last = w->points - 1, early = 0;

	while (early < last && w->days[early] < EARLY_DAY)
		early++;
	for (unsigned h = 0; h < PEOPLE_HABITS; h++) {
		char name[ATTACK_NAME_BYTES];

		if (early < last)
			add_score_figure(out, w, CONTACT_TWO, h, early);
		for (unsigned q = 0; q < QUESTIONS; q++)
			add_score_figure(out, w, (enum question)q, h, last);
		add_days_to_half(out, w, h);
		(void)snprintf(name, sizeof(name), "online_%s",
		    people_habit_name((enum people_habit)h));
		(void)attack_add_figure(out, name, "share of time",
		    attack_exact(w->online_ms[h] / (double)w->online_n[h] /
			((double)w->cfg.days * (double)PEOPLE_DAY_MS)));
	}
	add_loss(out, w, last);
	if (early < last)
		add_loss(out, w, early);
}

static void
add_words(struct attack_result *out, const struct watcher *w, const struct scenario *s)
{
	(void)snprintf(out->adversary, sizeof(out->adversary), "The owner of the gateway. It logs when "
	    "each session begins and ends, and when each deposit comes out, for %" PRIu32 " days of "
	    "%" PRIu32 " people, of whom one in %d only looks busy and writes nothing. It is told whose "
	    "each session is, which is more than it can know, and has the laws of the network's delay "
	    "and of people's habits. In the first attack a correspondent of the sender's, who gets "
	    "one message on each day on which the sender works, tells it which deposit that is.",
	    w->cfg.days, w->cfg.count, SILENT_ONE_IN);
	(void)snprintf(out->finding, sizeof(out->finding), "Suspects are two of the same habit, so what "
	    "is found is not that somebody has a habit. %g messages a day of each who writes; 30 %% "
	    "of people are always online on a line that breaks once a month, 30 %% on one that "
	    "breaks daily, 30 %% are online at work, 10 %% only to talk.",
	    (double)s->messages_per_day_milli / 1000);
}

/* ---- the attack ---- */

static enum err
check(const struct scenario *s, struct diag *d)
{
	if (s->duration_ms < DAYS_LEAST * PEOPLE_DAY_MS)
		return diag_set(d, ERR_RANGE, "the attack 'gateway' takes days: set 'duration' to %dd or "
		    "more, such as 365d", DAYS_LEAST);
	if (s->people < 20 || s->people > PERSONS_MOST)
		return diag_set(d, ERR_RANGE, "the attack 'gateway' is for 20 to %d people: set 'people'",
		    PERSONS_MOST);
	if (s->messages_per_day_milli == 0)
		return diag_set(d, ERR_RANGE, "the attack 'gateway' needs people who write: set "
		    "'messages-per-day' above 0");
	if (s->sending != SENDING_SLOTS)
		return diag_set(d, ERR_RANGE, "the attack 'gateway' follows sessions, which "
		    "'sending = slots' has alone");
	return ERR_OK;
}

static void
choose_days(struct watcher *w)
{
	for (size_t i = 0; i < LOOKS && looks[i] < w->cfg.days; i++)
		w->days[w->points++] = looks[i];
	w->days[w->points++] = w->cfg.days;
}

static enum err
make_room(struct watcher *w)
{
	size_t n = w->cfg.count;

	w->might = calloc(n, sizeof(*w->might));
	w->none = calloc(n, sizeof(*w->none));
	w->like = calloc(n * n, sizeof(*w->like));
	w->rates = calloc(n, sizeof(*w->rates));
	w->x = calloc(n, sizeof(*w->x));
	w->who = calloc(n, sizeof(*w->who));
	w->at = calloc(n, sizeof(*w->at));
	for (size_t h = 0; h < PEOPLE_HABITS; h++)
		for (size_t i = 0; i < w->points; i++) {
			struct findings *f = &w->found[h][i];

			if (duel_init(&f->contact, n * w->years) != ERR_OK ||
			    duel_init(&f->counts, n * w->years) != ERR_OK)
				return ERR_MEMORY;
		}
	return w->might != NULL && w->none != NULL && w->like != NULL && w->rates != NULL &&
		w->x != NULL && w->who != NULL && w->at != NULL ?
	    ERR_OK :
	    ERR_MEMORY;
}

static void
release(struct watcher *w)
{
	free(w->might);
	free(w->none);
	free(w->like);
	free(w->rates);
	free(w->x);
	free(w->who);
	free(w->at);
	presence_rates_free(w->counts);
	for (size_t h = 0; h < PEOPLE_HABITS; h++)
		for (size_t i = 0; i < w->points; i++) {
			duel_release(&w->found[h][i].contact);
			duel_release(&w->found[h][i].counts);
		}
}

static enum err
run_years(struct attack_result *out, struct watcher *w)
{
	enum err e = ERR_OK;

	for (size_t i = 0; i < w->years && e == ERR_OK; i++) {
		const struct year_options o = { w->in->progress, w->in->progress_arg,
			(double)i / (double)w->years, (double)(i + 1) / (double)w->years };

		w->offset = i * w->cfg.count;
		w->cfg.seed = (uint64_t)w->in->scenario->seed + i * UINT64_C(1000003);
		e = year_run(&w->year, w->in->scenario, &w->cfg, &o);
		if (e != ERR_OK)
			break;
		e = watch_year(w);
		out->cost.observed += w->year.deposits;
		out->cost.rounds += w->year.rounds;
		out->trials++;
		year_release(&w->year);
	}
	out->cost.virtual_ms = (int64_t)out->trials * w->cfg.days * PEOPLE_DAY_MS;
	return e;
}

static enum err
run_gateway(struct attack_result *out, const struct attack_input *in, struct diag *d)
{
	const struct scenario *s = in->scenario;
	struct watcher w = { .in = in };
	enum err e = check(s, d);

	if (e != ERR_OK)
		return e;
	w.cfg = (struct people_config){ .count = (uint32_t)s->people, .seed = (uint64_t)s->seed,
		.begins_ms = SCENARIO_MONDAY_MS, .days = (uint32_t)(s->duration_ms / PEOPLE_DAY_MS),
		.messages_per_day = (double)s->messages_per_day_milli / 1000,
		.silent_one_in = SILENT_ONE_IN };
	memcpy(w.cfg.percent, percent, sizeof(percent));
	w.years = in->trials > 0 && in->trials < YEARS_MOST ? (size_t)in->trials : YEARS;
	choose_days(&w);
	e = make_room(&w);
	if (e == ERR_OK)
		e = learn(&w, d);
	if (e == ERR_OK)
		e = run_years(out, &w);
	if (e == ERR_OK) {
		add_words(out, &w, s);
		add_figures(out, &w);
		e = add_curves(out, &w);
	}
	release(&w);
	return e;
}

const struct attack_kind attack_gateway = {
	.name = "gateway",
	.summary = "The gateway through a year: who was online when deposits came",
	.adversary = "The owner of the gateway, who knows whose each session is, and sees when "
		     "sessions begin and end and when deposits come out; with a contact's help, and "
		     "without.",
	.measures = "Advantage (2 * accuracy - 1, chance 0) in naming the sender, or who writes at "
		    "all, of two suspects with the same habit of being online; and how often the "
		    "sender is named among all.",
	.run = run_gateway,
};

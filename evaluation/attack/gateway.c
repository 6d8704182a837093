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

#include "evaluation/attack/gateway_parts.h"
#include "evaluation/attack/kinds.h"
#include "evaluation/draws.h"

#define DAYS_LEAST 7
#define PERSONS_MOST 2000
#define LEARN_SEED UINT64_C(0x2545f4914f6cdd1d) /* so that nobody is of the year's own */
#define TIP_SEED UINT64_C(0x1b873593)
#define YEARS 4
#define YEARS_MOST 1000

static const uint32_t looks[] = { 1, 2, 3, 5, GATEWAY_EARLY_DAY, 20, 30, 60, 90, 180 };
#define LOOKS (sizeof(looks) / sizeof(looks[0]))
static const uint8_t percent[PEOPLE_HABITS] = { 30, 30, 30, 10 };

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
		above = above || ahead < -GATEWAY_TIE;
		alike += fabs(ahead) <= GATEWAY_TIE ? 1 : 0;
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
	return presence_rates_new(&w->counts, n, mean * (1 - 1.0 / GATEWAY_SILENT_ONE_IN), mean / 2);
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
		.silent_one_in = GATEWAY_SILENT_ONE_IN };
	memcpy(w.cfg.percent, percent, sizeof(percent));
	w.years = in->trials > 0 && in->trials < YEARS_MOST ? (size_t)in->trials : YEARS;
	choose_days(&w);
	e = make_room(&w);
	if (e == ERR_OK)
		e = learn(&w, d);
	if (e == ERR_OK)
		e = run_years(out, &w);
	if (e == ERR_OK)
		e = gateway_tell(out, &w);
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

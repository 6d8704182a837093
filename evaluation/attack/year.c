#include "config.h"

#include "evaluation/attack/year.h"

#include <stdlib.h>
#include <string.h>

#include "evaluation/attack/presence.h"
#include "evaluation/simulation.h"

#define PART_MS (PEOPLE_DAY_MS / PRESENCE_PARTS)

struct run {
	struct year *year;
	struct simulation *simulation;
};

static void
on_exited(void *arg, int64_t at_ms, uint32_t handle)
{
	struct run *r = arg;
	const struct token *t = simulation_token(r->simulation, handle);
	size_t part = (size_t)((at_ms - r->year->cfg.begins_ms) / PART_MS);

	if (t->kind != TOKEN_REAL)
		return;
	r->year->came_ms[people_message_person(t->message)][people_message_index(t->message)] =
	    at_ms;
	if (part < r->year->part_count)
		r->year->parts[part]++;
	r->year->deposits++;
}

static enum err
make_room(struct year *y)
{
	y->came_ms = calloc(y->cfg.count, sizeof(*y->came_ms));
	y->part_count = (size_t)y->cfg.days * PRESENCE_PARTS;
	y->parts = calloc(y->part_count, sizeof(*y->parts));
	if (y->came_ms == NULL || y->parts == NULL)
		return ERR_MEMORY;
	for (uint32_t i = 0; i < y->cfg.count; i++) {
		size_t n = people_get(y->people, i)->written_count;

		y->came_ms[i] = malloc((n + 1) * sizeof(**y->came_ms));
		if (y->came_ms[i] == NULL)
			return ERR_MEMORY;
		for (size_t k = 0; k < n; k++)
			y->came_ms[i][k] = -1;
	}
	return ERR_OK;
}

/* By days, counted where the strategy allows it. */
static enum err
run_days(struct simulation *s, const struct year *y, const struct year_options *o)
{
	bool count = simulation_can_count(s);
	enum err e = ERR_OK;

	for (uint32_t day = 1; day <= y->cfg.days && e == ERR_OK; day++) {
		int64_t until_ms = y->cfg.begins_ms + day * PEOPLE_DAY_MS;

		e = count ? simulation_count(s, until_ms) : simulation_run(s, until_ms);
		if (o->progress != NULL)
			o->progress(o->arg, o->from + (o->to - o->from) * day / y->cfg.days);
	}
	return e;
}

static enum err
simulate(struct year *y, const struct scenario *s, const struct year_options *o)
{
	struct simulation_config c = { .persons = y->cfg.count, .law = s->sending,
		.start_ms = y->cfg.begins_ms, .link_ms = s->link_ms, .epochs = s->epoch_ms > 0,
		.seed = y->cfg.seed };
	struct run r = { .year = y };
	struct simulation_observer observer = { .exited = on_exited, .counts = true, .arg = &r };
	enum err e;

	scenario_params(&c.params, s);
	people_source(y->people, &c.traffic);
	c.observers = &observer;
	c.observer_count = 1;
	e = simulation_new(&r.simulation, &c);
	if (e != ERR_OK)
		return e;
	e = run_days(r.simulation, y, o);
	y->rounds = (uint64_t)(y->cfg.days * PEOPLE_DAY_MS / s->round_ms);
	simulation_free(r.simulation);
	return e;
}

enum err
year_run(struct year *out, const struct scenario *s, const struct people_config *cfg,
    const struct year_options *o)
{
	struct year y = { .cfg = *cfg };
	enum err e = people_new(&y.people, cfg);

	if (e == ERR_OK)
		e = make_room(&y);
	if (e == ERR_OK)
		e = simulate(&y, s, o);
	if (e != ERR_OK) {
		year_release(&y);
		return e;
	}
	*out = y;
	return ERR_OK;
}

void
year_release(struct year *y)
{
	for (uint32_t i = 0; y->came_ms != NULL && i < y->cfg.count; i++)
		free(y->came_ms[i]);
	free(y->came_ms);
	free(y->parts);
	people_free(y->people);
	memset(y, 0, sizeof(*y));
}

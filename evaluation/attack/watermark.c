#include "config.h"

#include "evaluation/attack/watermark.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "evaluation/draws.h"
#include "evaluation/simulation.h"

#define HOUR_MS 3600000.0
#define DAY_MS 86400000.0
#define WARM_MS INT64_C(600000)
#define SUSPECTS 2
#define GROUPS 32 /* of periods, for the error of a gain */
#define TAU 6.283185307179586

struct marking {
	const struct watermark_config *cfg;
	struct watermark_trial *out;
	struct simulation *simulation;
	struct draws *writing; /* of each person */
	double *next_ms;       /* of each person's messages */
	int64_t from_ms;
	uint64_t messages;
};

/* Whether the first suspect's packets go on at this time, and the second's do not. */
static bool
first_half(int64_t since_ms, int64_t period_ms)
{
	return since_ms % period_ms < period_ms / 2;
}

static double
wave(int64_t since_ms, int64_t period_ms)
{
	return sin(TAU * (double)(since_ms % period_ms) / (double)period_ms);
}

/* ---- one of two suspects ---- */

static double
mean_ms(const struct marking *m, uint32_t person)
{
	if (person >= SUSPECTS)
		return m->cfg->scenario->messages_per_day_milli > 0 ?
		    DAY_MS * 1000 / (double)m->cfg->scenario->messages_per_day_milli : 0;
	return person == m->cfg->writer ? HOUR_MS / m->cfg->per_hour : 0;
}

static int64_t
next_message(void *arg, uint32_t person, int64_t at_ms, uint64_t *message)
{
	struct marking *m = arg;
	double mean = mean_ms(m, person);

	(void)at_ms;
	*message = m->messages++;
	if (!(mean > 0))
		return INT64_MAX;
	m->next_ms[person] -= mean * log(1 - draws_unit(&m->writing[person]));
	return m->from_ms - WARM_MS + (int64_t)m->next_ms[person];
}

/* What is held waits for its sender's next slot, as it does at the gateway. */
static bool
is_online(void *arg, uint32_t person, int64_t at_ms)
{
	struct marking *m = arg;
	bool goes;

	if (person >= SUSPECTS || at_ms < m->from_ms)
		return true;
	goes = first_half(at_ms - m->from_ms, m->cfg->period_ms) == (person == 0);
	m->out->held += goes ? 0 : 1;
	return goes;
}

/* The matched filter, shifted by the mean delay: the first suspect's wave is the one above 0. */
static void
on_exited(void *arg, int64_t at_ms, uint32_t handle)
{
	struct marking *m = arg;
	int64_t since_ms = at_ms - m->from_ms - m->cfg->delay_ms;

	if (since_ms < 0 || simulation_token(m->simulation, handle)->kind != TOKEN_REAL)
		return;
	m->out->deposits++;
	for (size_t i = 0; i < WATERMARK_LOOKS; i++)
		if (since_ms < m->cfg->looks_ms[i])
			m->out->score[i] += wave(since_ms, m->cfg->period_ms);
}

static enum err
simulate(struct marking *m)
{
	const struct scenario *s = m->cfg->scenario;
	struct simulation_observer o = { .exited = on_exited, .counts = true, .arg = m };
	struct simulation_config c = { .persons = (uint32_t)s->people, .law = SENDING_SLOTS,
		.start_ms = m->from_ms - WARM_MS, .link_ms = s->link_ms, .seed = m->cfg->seed,
		.observers = &o, .observer_count = 1, .traffic = { next_message, is_online, m } };
	int64_t until_ms = m->from_ms + m->cfg->looks_ms[WATERMARK_LOOKS - 1] + m->cfg->delay_ms;
	enum err e;

	scenario_params(&c.params, s);
	e = simulation_new(&m->simulation, &c);
	if (e == ERR_OK)
		e = simulation_can_count(m->simulation) ? simulation_count(m->simulation, until_ms) :
							  simulation_run(m->simulation, until_ms);
	simulation_free(m->simulation);
	return e;
}

enum err
watermark_run(struct watermark_trial *out, const struct watermark_config *cfg)
{
	struct marking m = { .cfg = cfg, .out = out, .from_ms = SCENARIO_MONDAY_MS + WARM_MS };
	size_t n = (size_t)cfg->scenario->people;
	enum err e = ERR_MEMORY;

	memset(out, 0, sizeof(*out));
	m.writing = calloc(n, sizeof(*m.writing));
	m.next_ms = calloc(n, sizeof(*m.next_ms));
	for (uint32_t i = 0; m.writing != NULL && i < n; i++)
		m.writing[i] = draws_of(cfg->seed, i, DRAWS_WRITING);
	if (m.writing != NULL && m.next_ms != NULL)
		e = simulate(&m);
	free(m.writing);
	free(m.next_ms);
	return e;
}

/* ---- the gain ---- */

struct gauge {
	struct simulation *simulation;
	int64_t from_ms, period_ms;
	uint64_t messages;
	double complex sent[GROUPS], came[GROUPS]; /* by the time of sending, so that they match */
	unsigned periods;
};

static int64_t
next_always(void *arg, uint32_t person, int64_t at_ms, uint64_t *message)
{
	struct gauge *g = arg;

	*message = g->messages++;
	return person == 0 ? at_ms + 1 : INT64_MAX;
}

static bool
on_in_waves(void *arg, uint32_t person, int64_t at_ms)
{
	const struct gauge *g = arg;

	return person > 0 || at_ms < g->from_ms || first_half(at_ms - g->from_ms, g->period_ms);
}

static void
gauge_exit(void *arg, int64_t at_ms, uint32_t handle)
{
	struct gauge *g = arg;
	const struct token *t = simulation_token(g->simulation, handle);
	int64_t since_ms = t->sent_ms - g->from_ms;
	double step = TAU / (double)g->period_ms;
	size_t group;

	if (t->kind != TOKEN_REAL || since_ms < 0 || since_ms >= g->periods * g->period_ms)
		return;
	group = (size_t)(since_ms / g->period_ms * GROUPS / g->periods);
	g->sent[group] += cexp(I * step * (double)since_ms);
	g->came[group] += cexp(I * step * (double)(at_ms - g->from_ms));
}

/* The ratio of the sums, and what its parts by themselves say of its error (jackknife). */
static enum err
ratio_of(double *gain, double *error, const struct gauge *g)
{
	double complex sent = 0, came = 0;
	double sum = 0;

	for (size_t i = 0; i < GROUPS; i++) {
		sent += g->sent[i];
		came += g->came[i];
	}
	if (!(cabs(sent) > 0))
		return ERR_RANGE;
	*gain = cabs(came) / cabs(sent);
	for (size_t i = 0; i < GROUPS; i++) {
		double without = cabs(came - g->came[i]) / cabs(sent - g->sent[i]);

		sum += (without - *gain) * (without - *gain);
	}
	*error = sqrt(sum * (GROUPS - 1) / GROUPS);
	return ERR_OK;
}

enum err
watermark_gain(double *gain, double *error, const struct scenario *s, int64_t period_ms,
    unsigned periods, uint64_t seed)
{
	struct gauge g = { .from_ms = SCENARIO_MONDAY_MS + WARM_MS, .period_ms = period_ms,
		.periods = periods < GROUPS ? GROUPS : periods };
	struct simulation_observer o = { .exited = gauge_exit, .counts = true, .arg = &g };
	struct simulation_config c = { .persons = (uint32_t)s->people, .law = SENDING_SLOTS,
		.start_ms = SCENARIO_MONDAY_MS, .link_ms = s->link_ms, .seed = seed, .observers = &o,
		.observer_count = 1, .traffic = { next_always, on_in_waves, &g } };
	int64_t until_ms = g.from_ms + (g.periods + 4) * period_ms + WARM_MS;
	enum err e;

	scenario_params(&c.params, s);
	e = simulation_new(&g.simulation, &c);
	if (e == ERR_OK)
		e = simulation_can_count(g.simulation) ? simulation_count(g.simulation, until_ms) :
							 simulation_run(g.simulation, until_ms);
	simulation_free(g.simulation);
	return e == ERR_OK ? ratio_of(gain, error, &g) : e;
}

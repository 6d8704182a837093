#include "config.h"

#include "evaluation/run.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/charter/strategy.h"
#include "evaluation/simulation_onion.h"
#include "evaluation/stream.h"
#include "evaluation/traffic.h"
#include "evaluation/watch.h"

#define RECORDS_MAX 8e6	/* of a view of one part, about: 128 MB */
#define STEP_RECORDS 5e5 /* between two looks at the progress */
#define STEPS 200
#define REASON_BYTES 256
#define COUNTED_WINDOWS 256
#define STOP_AND_GO_TICKS 30 /* below, its ticks cost more than 0.05 bit of 6 */
#define COUNTED_STEP_MS INT64_C(86400000)

struct run {
	struct scenario scenario;
	struct params params;
	struct run_options options;
	struct traffic *traffic;
	struct simulation *simulation;
	struct simulation_onion *onion; /* NULL: tokens */
	struct simulation_carrier carrier;
	struct watch *watch; /* NULL: nobody looks for targets */
	struct recorder *recorder;
	struct scorer *scorer;
	struct simulation_observer observers[2];
	struct stream pick; /* targets are drawn apart from all else */
	int64_t lookback_ms, pick_ms, step_ms;
	uint32_t windows;
	uint64_t waiting;
	size_t drawn; /* targets, also those that are refused */
	struct run_target *targets;
	size_t count, refused;
	char reason[REASON_BYTES];
};

/*
 * Why no posterior follows from what the adversary sees; NULL if one does. Through one
 * layer the gateway sees every link.
 */
static const char *
no_posterior(const struct run *r)
{
	const struct scenario *s = &r->scenario;

	if (s->adversary == ADVERSARY_NODES)
		return "the adversary sees no link, so that its posterior is not known; that of the "
		       "global one bounds it (adversary = global)";
	if (s->adversary == ADVERSARY_GATEWAY && s->layers > 1)
		return "the adversary sees no link between mixes, so that its posterior is not "
		       "known; that of the global one bounds it (adversary = global)";
	for (unsigned i = 0; i < r->params.layers; i++)
		if (r->params.strategy[i].kind == STRATEGY_STOP_AND_GO &&
		    r->params.strategy[i].mean_ms < STOP_AND_GO_TICKS * STRATEGY_TICK_MS)
			return "the posterior of stop-and-go leaves out its ticks of 100 ms, which "
			       "tell too much with a mean below 3 s; set a longer mean";
	return NULL;
}

/* ---- how long to look ---- */

/* Packets a millisecond; of a recording that is sent at once, its own. */
static double
rate_of(const struct run *r)
{
	const struct scenario *s = &r->scenario;

	if (s->workload == TRAFFIC_RECORDED && s->sending == SENDING_AT_ONCE)
		return (double)traffic_lines(r->traffic) / (double)(s->warm_up_ms + s->duration_ms);
	return scenario_rate(s);
}

/*
 * What 99.9 % of packets need through each layer, and the longest of these once more:
 * next to nothing is older. No longer than there is.
 */
static int64_t
own_lookback(const struct run *r)
{
	int64_t most = r->scenario.warm_up_ms + r->scenario.duration_ms;
	int64_t sum = r->scenario.link_ms * (r->params.layers + 1), longest = 0;

	for (unsigned i = 0; i < r->params.layers; i++) {
		double arrivals = rate_of(r) * (double)r->params.round_ms / r->params.mixes[i];
		int64_t delay = strategy_delay_ms(&r->params.strategy[i],
		    arrivals > 1e-6 ? arrivals : 1e-6, r->params.round_ms);

		if (delay > most - sum)
			return most;
		sum += delay;
		longest = delay > longest ? delay : longest;
	}
	return longest > most - sum ? most : sum + longest;
}

/*
 * Where packets are counted, many short windows see more of a long time than few long
 * ones: as many as there are targets, if they take no more than a tenth of it.
 */
static uint64_t
counted_windows(const struct scenario *s, int64_t fit)
{
	uint64_t n = (uint64_t)fit / 15; /* a window takes three lookbacks */

	if (n > COUNTED_WINDOWS)
		n = COUNTED_WINDOWS;
	return n < (uint64_t)s->targets ? n : (uint64_t)s->targets;
}

static void
plan(struct run *r)
{
	const struct scenario *s = &r->scenario;
	double records = rate_of(r) * (r->params.layers + 2.0); /* a millisecond */
	double step = (double)(s->warm_up_ms + s->duration_ms) / STEPS, pick;
	uint64_t most = scorer_targets(r->scorer);
	uint64_t windows = ((uint64_t)s->targets + most - 1) / most;
	bool counted = s->cover == COVER_COUNTED;
	int64_t fit;

	r->lookback_ms = s->lookback_ms > 0 ? s->lookback_ms : own_lookback(r);
	fit = s->duration_ms / (2 * r->lookback_ms + 1);
	if (!counted && (double)windows * RECORDS_MAX < records * (double)s->duration_ms)
		windows = (uint64_t)(records * (double)s->duration_ms / RECORDS_MAX) + 1;
	if (counted && windows < counted_windows(s, fit))
		windows = counted_windows(s, fit);
	if (windows > (uint64_t)fit)
		windows = (uint64_t)fit;
	r->windows = windows > 0 ? (uint32_t)windows : 1;
	pick = (double)s->duration_ms / r->windows;
	if (counted)
		pick = 2 * (double)r->lookback_ms;
	else if (records * pick > RECORDS_MAX) /* so few parts that each lasts too long */
		pick = RECORDS_MAX / records - (double)r->lookback_ms;
	if (pick < (double)r->lookback_ms / 8)
		pick = (double)r->lookback_ms / 8;
	if (records * step > STEP_RECORDS)
		step = STEP_RECORDS / records;
	r->pick_ms = (int64_t)pick + 1;
	r->step_ms = (int64_t)step + 1;
}

/* ---- going on ---- */

/* Without `keep` the adversary forgets what it saw, and packets are counted if they may. */
static enum err
advance_step(struct run *r, int64_t now, int64_t until_ms, bool keep)
{
	int64_t measured = scenario_measured_ms(&r->scenario);
	bool count = !keep && r->scenario.cover == COVER_COUNTED;
	int64_t step = count ? COUNTED_STEP_MS : r->step_ms;
	int64_t next = until_ms - now > step ? now + step : until_ms;
	enum err e;

	if (count && now < measured && next > measured)
		next = measured; /* so that each one counted is before or after it */
	e = count ? simulation_count(r->simulation, next) : simulation_run(r->simulation, next);
	if (r->watch != NULL && !keep)
		watch_forget(r->watch);
	return e;
}

static enum err
advance(struct run *r, int64_t until_ms, bool keep)
{
	int64_t begin = scenario_begins_ms(&r->scenario), end = scenario_ends_ms(&r->scenario);
	int64_t now = simulation_now(r->simulation);
	enum err e = ERR_OK;

	while (now < until_ms && e == ERR_OK) {
		e = advance_step(r, now, until_ms, keep && r->watch != NULL);
		now = simulation_now(r->simulation);
		if (r->options.progress != NULL)
			r->options.progress(r->options.arg,
			    (double)(now - begin) / (double)(end - begin));
	}
	return e;
}

/* ---- targets ---- */

static bool
may_be_target(const struct run *r, const struct watch_exit *x, int64_t from_ms)
{
	const struct scenario *s = &r->scenario;

	if (x->exited_ms < from_ms || x->person == SIMULATION_NOBODY)
		return false;
	switch (s->rule) {
	case TARGETS_REAL:
		return x->kind == TOKEN_REAL;
	case TARGETS_ANY:
		return true;
	case TARGETS_PERSON:
		return x->kind == TOKEN_REAL && x->person == (uint32_t)s->target_person;
	}
	return false;
}

/* Score the packets that were picked, and keep those that can be stood behind. */
static enum err
score(struct run *r, const struct watch_exit *const *picked, size_t n)
{
	int64_t begin = scenario_begins_ms(&r->scenario);
	struct score_target targets[VIEW_TARGETS];
	struct score scores[VIEW_TARGETS];
	enum err e;

	for (size_t i = 0; i < n; i++)
		targets[i] = (struct score_target){ picked[i]->exit, picked[i]->person,
			picked[i]->position };
	e = scorer_run(r->scorer, scores, watch_view(r->watch), targets, n);
	for (size_t i = 0; i < n && e == ERR_OK; i++) {
		const struct watch_exit *x = picked[i];

		if (scores[i].lost > RUN_LOST_MAX) {
			r->refused++;
			continue;
		}
		r->targets[r->count++] = (struct run_target){ scores[i], x->sent_ms - begin,
			x->exited_ms - begin, x->person, x->kind, x->traced };
	}
	return e;
}

/*
 * `wanted` of the candidates, each subset as likely as any other, in their order:
 * each one in turn is taken with the share of those still wanted among those left.
 */
static enum err
pick_targets(struct run *r, int64_t from_ms, size_t wanted)
{
	const struct watch_exit *picked[VIEW_TARGETS];
	size_t exits, left = 0, n = 0;
	const struct watch_exit *x = watch_exits(r->watch, &exits);
	enum err e = ERR_OK;

	for (size_t i = 0; i < exits; i++)
		left += may_be_target(r, &x[i], from_ms);
	if (wanted > left)
		wanted = left;
	r->drawn += wanted;
	for (size_t i = 0; i < exits && wanted > 0 && e == ERR_OK; i++) {
		if (!may_be_target(r, &x[i], from_ms))
			continue;
		if (rng_chance(&r->pick.rng, (uint32_t)wanted, (uint32_t)left--)) {
			picked[n++] = &x[i];
			wanted--;
		}
		if (n == scorer_targets(r->scorer) || (wanted == 0 && n > 0)) {
			e = score(r, picked, n);
			n = 0;
		}
	}
	return e;
}

/* Of a part of the measured time: what the adversary sees, and which exits may be targets. */
struct window {
	int64_t open_ms, from_ms, end_ms;
	size_t wanted;
};

static struct window
window_of(struct run *r, uint32_t i)
{
	const struct scenario *s = &r->scenario;
	int64_t begin = scenario_begins_ms(s), measured = scenario_measured_ms(s);
	int64_t part = s->duration_ms / r->windows, start = measured + part * i;
	int64_t end = i + 1 < r->windows ? start + part : scenario_ends_ms(s);
	int64_t slack = end - start - r->lookback_ms - r->pick_ms;
	int64_t least = i == 0 ? measured - r->lookback_ms : start;
	uint32_t parts = r->windows - i; /* share what is still wanted */
	struct window w = { .from_ms = start,
		.wanted = ((size_t)s->targets - r->drawn + parts / 2) / parts };

	/* at any time of its part, lest all be at the same hour of the day */
	if (s->cover == COVER_COUNTED && slack > 0)
		end -= rng_between(&r->pick.rng, 0, slack);
	w.end_ms = end;
	w.open_ms = end - r->lookback_ms - r->pick_ms;
	if (w.open_ms < least)
		w.open_ms = least;
	if (w.open_ms < begin)
		w.open_ms = begin;
	/* before the run nothing was in the network that could be unknown */
	if (w.open_ms > begin && w.open_ms + r->lookback_ms > w.from_ms)
		w.from_ms = w.open_ms + r->lookback_ms;
	return w;
}

static enum err
run_window(struct run *r, uint32_t i)
{
	struct window w = window_of(r, i);
	enum err e = advance(r, w.open_ms, false);

	if (e == ERR_OK)
		e = advance(r, w.from_ms < w.end_ms ? w.from_ms : w.end_ms, true);
	if (e == ERR_OK && r->watch != NULL)
		watch_forget_exits(r->watch);
	if (e == ERR_OK)
		e = advance(r, w.end_ms, true);
	if (e != ERR_OK || r->watch == NULL)
		return e;
	return pick_targets(r, w.from_ms, w.wanted);
}

/* ---- why there is none ---- */

static const char *
no_message(const struct scenario *s)
{
	if (s->workload == TRAFFIC_RECORDED)
		return "the recording has no message that was sent within the duration";
	return "nobody sent a message within the duration (messages-per-day, workload, churn)";
}

static void
explain(struct run *r)
{
	const struct scenario *s = &r->scenario;
	const char *why = "none of the packets that the rule allows left the network within the "
			  "duration; make it longer";

	if (r->count > 0)
		return;
	if (s->targets == 0)
		why = "none was asked for (targets = 0)";
	else if (no_posterior(r) != NULL)
		why = no_posterior(r);
	else if (r->refused > 0)
		why = "more than 1 % of each posterior goes back before what the adversary "
		      "remembers; set a longer lookback or warm-up";
	else if (recorder_counts(r->recorder)->lost > 0)
		why = "the mixes lost packets, for they hold no more than pool-max; set a larger one, "
		      "or a strategy that holds fewer";
	else if (s->rule != TARGETS_ANY && recorder_counts(r->recorder)->real == 0)
		why = no_message(s);
	(void)snprintf(r->reason, sizeof(r->reason), "no target was observed: %s", why);
}

/* ---- life ---- */

static enum err
make_traffic(struct run *r, struct diag *d)
{
	struct traffic_config cfg;
	enum err e;

	scenario_traffic(&cfg, &r->scenario);
	e = traffic_new(&r->traffic, &cfg, d);
	if (e == ERR_OK && cfg.workload == TRAFFIC_RECORDED)
		e = traffic_read(r->traffic, r->scenario.recording, d);
	return e;
}

static enum err
make_observers(struct run *r)
{
	const struct scenario *s = &r->scenario;
	bool corrupt[SIMULATION_NODES_MAX];
	bool any = scenario_corrupt(corrupt, s) > 0;
	enum err e = recorder_new(&r->recorder, s, r->traffic, r->options.trace, r->options.truth);

	if (e == ERR_OK)
		e = scorer_new(&r->scorer, (size_t)s->people, s->level != LEVEL_USER,
		    s->level != LEVEL_MESSAGE);
	if (e == ERR_OK && no_posterior(r) == NULL && s->targets > 0)
		e = watch_new(&r->watch, scenario_nodes(s), (size_t)s->people,
		    any ? corrupt : NULL);
	if (e == ERR_OK)
		recorder_observer(r->recorder, &r->observers[0]);
	if (e == ERR_OK && r->watch != NULL)
		watch_observer(r->watch, &r->observers[1]);
	return e;
}

static enum err
make_simulation(struct run *r, struct diag *d)
{
	const struct scenario *s = &r->scenario;
	struct simulation_config cfg = { .persons = (uint32_t)s->people,
		.law = s->sending,
		.start_ms = scenario_begins_ms(s),
		.link_ms = s->link_ms,
		.epochs = s->epoch_ms > 0,
		.seed = (uint64_t)s->seed,
		.observers = r->observers,
		.observer_count = r->watch != NULL ? 2 : 1 };
	enum err e = ERR_OK;

	cfg.params = r->params;
	traffic_source(r->traffic, &cfg.traffic);
	if (s->crypto) {
		e = simulation_onion_new(&r->onion, &r->params, (uint64_t)s->seed, d);
		if (e == ERR_OK)
			simulation_onion_carrier(r->onion, &r->carrier);
		cfg.carrier = &r->carrier;
	}
	if (e == ERR_OK)
		e = simulation_new(&r->simulation, &cfg);
	if (e != ERR_OK)
		return e;
	recorder_begin(r->recorder, r->simulation);
	if (r->watch != NULL)
		watch_begin(r->watch, r->simulation);
	return ERR_OK;
}

static enum err
make_parts(struct run *r, struct diag *d)
{
	size_t room = (size_t)r->scenario.targets + 1;
	enum err e = make_traffic(r, d);

	if (e == ERR_OK)
		e = make_observers(r);
	if (e == ERR_OK)
		e = make_simulation(r, d);
	if (e != ERR_OK)
		return e;
	stream_init(&r->pick, (uint64_t)r->scenario.seed, SIMULATION_STREAM_TARGETS);
	plan(r);
	r->targets = calloc(room, sizeof(r->targets[0]));
	return r->targets != NULL ? ERR_OK : ERR_MEMORY;
}

enum err
run_scenario(struct run **out, const struct scenario *s, const struct run_options *o,
    struct diag *d)
{
	enum err e = scenario_check(s, "the scenario", d);
	struct run *r = e == ERR_OK ? calloc(1, sizeof(*r)) : NULL;

	if (e != ERR_OK)
		return e;
	if (r == NULL)
		return ERR_MEMORY;
	r->scenario = *s;
	scenario_params(&r->params, s);
	if (o != NULL)
		r->options = *o;
	e = make_parts(r, d);
	for (uint32_t i = 0; e == ERR_OK && i < r->windows; i++)
		e = run_window(r, i);
	if (e == ERR_OK)
		e = advance(r, scenario_ends_ms(s), false);
	if (e == ERR_FULL && s->cover == COVER_COUNTED)
		e = diag_set(d, e, "a mix came to hold 'pool-max' packets, so that it matters which "
		    "of them are lost; set 'cover = followed', or a larger pool-max");
	if (e != ERR_OK) {
		run_free(r);
		return e;
	}
	r->waiting = simulation_waiting(r->simulation);
	explain(r);
	*out = r;
	return ERR_OK;
}

void
run_free(struct run *r)
{
	if (r == NULL)
		return;
	simulation_free(r->simulation);
	simulation_onion_free(r->onion);
	watch_free(r->watch);
	recorder_free(r->recorder);
	scorer_free(r->scorer);
	traffic_free(r->traffic);
	free(r->targets);
	free(r);
}

/* ---- looking ---- */

const struct run_target *
run_targets(const struct run *r, size_t *n)
{
	*n = r->count;
	return r->targets;
}

size_t
run_wanted(const struct run *r)
{
	return (size_t)r->scenario.targets;
}

size_t
run_refused(const struct run *r)
{
	return r->refused;
}

const char *
run_reason(const struct run *r)
{
	return r->count > 0 ? NULL : r->reason;
}

bool
run_empty(const struct run *r)
{
	return r->count == 0 && r->watch != NULL;
}

const struct recorder_counts *
run_counts(const struct run *r)
{
	return recorder_counts(r->recorder);
}

const struct simulation_counts *
run_simulated(const struct run *r)
{
	return simulation_counts(r->simulation);
}

uint64_t
run_waiting(const struct run *r)
{
	return r->waiting;
}

uint32_t
run_parts(const struct run *r)
{
	return r->windows;
}

int64_t
run_lookback_ms(const struct run *r)
{
	return r->lookback_ms;
}

/* The delay of the network, as everybody can learn it. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "evaluation/attack/trace.h"
#include "evaluation/simulation.h"
#include "evaluation/traffic.h"

#define LEARN_PACKETS 40000.0
#define LEARN_LEAST_MS INT64_C(1200000)
#define LEARN_MOST_MS INT64_C(86400000)
#define LEARN_SEED UINT64_C(0x5851f42d4c957f2d) /* so that no draw is the run's own */

/* ---- the law ---- */

static int
ascending(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

enum err
attack_delay_of(struct attack_delay *out, const int64_t *delays_ms, size_t n)
{
	int64_t *sorted = malloc((n + 1) * sizeof(*sorted));
	double sum = 0;
	size_t at = 0;

	if (n == 0 || sorted == NULL) {
		free(sorted);
		return n == 0 ? ERR_RANGE : ERR_MEMORY;
	}
	memcpy(sorted, delays_ms, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), ascending);
	out->bin_ms = ((double)sorted[n - 1] + 1) / ATTACK_DELAY_BINS;
	for (size_t i = 0; i < ATTACK_DELAY_BINS; i++) {
		double end = (double)(i + 1) * out->bin_ms;

		for (; at < n && (double)sorted[at] < end; at++)
			sum += (double)sorted[at];
		out->cdf[i] = (double)at / (double)n;
	}
	out->p999_ms = sorted[(size_t)((double)(n - 1) * 0.999)];
	out->mean_ms = (int64_t)(sum / (double)n);
	free(sorted);
	return ERR_OK;
}

/* Straight between the ends of the bins. */
double
attack_delay_cdf(const struct attack_delay *a, double ms)
{
	double at = ms / a->bin_ms, before;
	size_t i;

	if (at <= 0)
		return 0;
	if (at >= ATTACK_DELAY_BINS)
		return 1;
	i = (size_t)at;
	before = i > 0 ? a->cdf[i - 1] : 0;
	return before + (at - (double)i) * (a->cdf[i] - before);
}

double
attack_delay_density(const struct attack_delay *a, double ms)
{
	size_t i;

	if (ms < 0 || ms >= a->bin_ms * ATTACK_DELAY_BINS)
		return 0;
	i = (size_t)(ms / a->bin_ms);
	return (a->cdf[i] - (i > 0 ? a->cdf[i - 1] : 0)) / a->bin_ms;
}

int64_t
attack_delay_most_ms(const struct attack_delay *a)
{
	return (int64_t)(a->bin_ms * ATTACK_DELAY_BINS) + 1;
}

/* ---- learning it ---- */

struct learning {
	struct simulation *simulation;
	int64_t *delays;
	size_t count, room;
	int64_t from_ms;
};

static void
on_exited(void *arg, int64_t at_ms, uint32_t handle)
{
	struct learning *l = arg;
	const struct token *t = simulation_token(l->simulation, handle);

	if (t->sent_ms < l->from_ms)
		return;
	if (l->count == l->room) {
		size_t room = l->room > 0 ? 2 * l->room : 4096;
		int64_t *delays = realloc(l->delays, room * sizeof(*delays));

		if (delays == NULL) {
			simulation_fail(l->simulation, ERR_MEMORY);
			return;
		}
		l->delays = delays;
		l->room = room;
	}
	l->delays[l->count++] = at_ms - t->sent_ms;
}

/* The adversary knows the network, not what people write: random messages of that rate. */
static void
own_network(struct scenario *out, const struct scenario *s)
{
	double rate;

	*out = *s;
	out->seed = (int64_t)(((uint64_t)s->seed ^ LEARN_SEED) >> 1);
	out->churn = CHURN_NONE;
	out->workload = TRAFFIC_POISSON;
	out->crypto = false;
	rate = scenario_rate(out);
	out->duration_ms = LEARN_MOST_MS;
	if (rate > 0 && LEARN_PACKETS / rate < (double)LEARN_MOST_MS)
		out->duration_ms = (int64_t)(LEARN_PACKETS / rate);
	if (out->duration_ms < LEARN_LEAST_MS)
		out->duration_ms = LEARN_LEAST_MS;
}

static enum err
learn(struct learning *l, const struct scenario *s, struct diag *d)
{
	struct simulation_observer observer = { .exited = on_exited, .arg = l };
	struct simulation_config cfg = { .persons = (uint32_t)s->people,
		.law = s->sending,
		.start_ms = scenario_begins_ms(s),
		.link_ms = s->link_ms,
		.epochs = s->epoch_ms > 0,
		.seed = (uint64_t)s->seed,
		.observers = &observer,
		.observer_count = 1 };
	struct traffic_config traffic_cfg;
	struct traffic *traffic = NULL;
	enum err e;

	scenario_traffic(&traffic_cfg, s);
	e = traffic_new(&traffic, &traffic_cfg, d);
	if (e == ERR_OK) {
		scenario_params(&cfg.params, s);
		traffic_source(traffic, &cfg.traffic);
		e = simulation_new(&l->simulation, &cfg);
	}
	l->from_ms = scenario_measured_ms(s);
	if (e == ERR_OK)
		e = simulation_run(l->simulation, scenario_ends_ms(s));
	simulation_free(l->simulation);
	traffic_free(traffic);
	return e;
}

enum err
attack_delay_learn(struct attack_delay *out, const struct scenario *s, struct diag *d)
{
	struct learning l = { .delays = NULL };
	struct scenario own;
	enum err e;

	own_network(&own, s);
	e = learn(&l, &own, d);
	if (e == ERR_OK)
		e = attack_delay_of(out, l.delays, l.count);
	if (e == ERR_RANGE)
		e = diag_set(d, e, "nothing left the network within %lld s, so that its delay cannot "
		    "be learnt; let people send more", (long long)(own.duration_ms / 1000));
	free(l.delays);
	return e;
}

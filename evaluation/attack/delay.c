/* The delay of the network as everybody can learn it, and what it makes of people's packets. */
#include "config.h"

#include <math.h>
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

/* ---- the packets of each person ---- */

struct attack_flows {
	const struct attack_trace *trace;
	int64_t *times; /* of sends, by person, then time */
	size_t *first;	/* persons + 1 */
};

enum err
attack_flows_new(struct attack_flows **out, const struct attack_trace *t)
{
	struct attack_flows *f = calloc(1, sizeof(*f));
	size_t *next = calloc((size_t)t->persons + 1, sizeof(*next));

	if (f != NULL) {
		f->trace = t;
		f->times = calloc(t->send_count + 1, sizeof(f->times[0]));
		f->first = calloc((size_t)t->persons + 1, sizeof(f->first[0]));
	}
	if (f == NULL || next == NULL || f->times == NULL || f->first == NULL) {
		attack_flows_free(f);
		free(next);
		return ERR_MEMORY;
	}
	for (size_t i = 0; i < t->send_count; i++)
		f->first[t->sends[i].person + 1]++;
	for (uint32_t p = 0; p < t->persons; p++)
		f->first[p + 1] += f->first[p];
	memcpy(next, f->first, ((size_t)t->persons + 1) * sizeof(*next));
	for (size_t i = 0; i < t->send_count; i++)
		f->times[next[t->sends[i].person]++] = t->sends[i].at_ms;
	free(next);
	*out = f;
	return ERR_OK;
}

void
attack_flows_free(struct attack_flows *f)
{
	if (f == NULL)
		return;
	free(f->times);
	free(f->first);
	free(f);
}

double
attack_flows_packets(const struct attack_flows *f, uint32_t person)
{
	const struct attack_trace *t = f->trace;
	size_t n;
	const struct attack_turn *turns = attack_trace_turns(t, person, &n);
	double there_ms = 0;

	if (!t->counted)
		return (double)(f->first[person + 1] - f->first[person]);
	for (size_t i = 0; i < n; i++)
		there_ms += (double)(turns[i].to_ms - turns[i].from_ms);
	return there_ms / (double)t->slot_ms;
}

/* The first of [low, high) that is not before at_ms. */
static size_t
not_before(const int64_t *times, size_t low, size_t high, int64_t at_ms)
{
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (times[middle] < at_ms)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* One packet in every slot of its turns. */
static double
intensity_of_turns(const struct attack_trace *t, const struct attack_delay *a, uint32_t person,
    int64_t at_ms)
{
	size_t n, low = 0, high;
	const struct attack_turn *turns = attack_trace_turns(t, person, &n);
	int64_t longest = (int64_t)(a->bin_ms * ATTACK_DELAY_BINS) + 1;
	double sum = 0;

	for (high = n; low < high;) { /* the first that ends late enough */
		size_t middle = low + (high - low) / 2;

		if (turns[middle].to_ms < at_ms - longest)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < n && turns[low].from_ms < at_ms; low++)
		sum += attack_delay_cdf(a, (double)(at_ms - turns[low].from_ms)) -
		    attack_delay_cdf(a, (double)(at_ms - turns[low].to_ms));
	return sum / (double)t->slot_ms;
}

double
attack_flows_intensity(const struct attack_flows *f, const struct attack_delay *a,
    uint32_t person, int64_t at_ms)
{
	int64_t longest = (int64_t)(a->bin_ms * ATTACK_DELAY_BINS) + 1;
	size_t i, end = f->first[person + 1];
	double sum = 0;

	if (f->trace->counted)
		return intensity_of_turns(f->trace, a, person, at_ms);
	i = not_before(f->times, f->first[person], end, at_ms - longest);
	for (; i < end && f->times[i] <= at_ms; i++)
		sum += attack_delay_density(a, (double)(at_ms - f->times[i]));
	return sum;
}

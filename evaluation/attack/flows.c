/* What is to be expected of each person's messages, from what its link carried. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "evaluation/attack/trace.h"
#include "evaluation/traffic.h"

struct attack_flows {
	const struct attack_trace *trace;
	int64_t *times;	 /* of sends, by person, then time */
	double *weights; /* messages that each is expected to carry */
	size_t *first;	 /* persons + 1 */
	int64_t *busy_ms; /* of turns: so long the backlog lasts */
	double *rare;	  /* of turns: messages per ms when there is none */
	double *messages; /* of persons, in all */
	double often;	  /* messages per ms while there is a backlog */
	double written;	  /* by a person, per ms of time in which people write */
};

/* ---- how long a backlog lasts ---- */

/* Time in which people write, between two times of the run. */
static double
writing_ms(const struct attack_trace *t, int64_t from_ms, int64_t to_ms)
{
	if (!t->office)
		return (double)(to_ms - from_ms);
	return (double)(traffic_work_before(t->begin_ms + to_ms) -
	    traffic_work_before(t->begin_ms + from_ms));
}

static void
set_rates(struct attack_flows *f)
{
	const struct attack_trace *t = f->trace;
	double all_ms = writing_ms(t, 0, t->to_ms);

	f->often = t->message_share / (double)t->slot_ms;
	f->written = all_ms > 0 ? (double)t->deposit_count / t->persons / all_ms : 0;
}

/* What was written in the absence before a turn, while more is written. */
static void
find_backlog(struct attack_flows *f, size_t turn, int64_t since_ms)
{
	const struct attack_trace *t = f->trace;
	int64_t from = t->turns[turn].from_ms, to = t->turns[turn].to_ms;
	double there = (double)(to - from), busy;
	double rare = f->written * writing_ms(t, from, to) / there;
	double waiting = f->written * writing_ms(t, since_ms, from);

	busy = f->often > rare ? waiting / (f->often - rare) : there;
	f->busy_ms[turn] = (int64_t)(busy < there ? busy : there);
	f->rare[turn] = rare < f->often ? rare : f->often;
	if (!t->waits) { /* every packet is a message */
		f->busy_ms[turn] = 0;
		f->rare[turn] = f->often;
	}
}

static void
find_backlogs(struct attack_flows *f)
{
	const struct attack_trace *t = f->trace;

	for (uint32_t p = 0; p < t->persons; p++) {
		int64_t since = 0;

		for (size_t i = t->turn_first[p]; i < t->turn_first[p + 1]; i++) {
			find_backlog(f, i, since);
			since = t->turns[i].to_ms;
		}
	}
}

/* ---- packets ---- */

/* One packet of a turn: as much of a message as there is room for, or as are written. */
static void
weigh(struct attack_flows *f, uint32_t person)
{
	const struct attack_trace *t = f->trace;
	double slot = (double)t->slot_ms;
	size_t turn = t->turn_first[person], end = t->turn_first[person + 1];

	for (size_t i = f->first[person]; i < f->first[person + 1]; i++) {
		while (turn + 1 < end && f->times[i] >= t->turns[turn + 1].from_ms)
			turn++;
		f->weights[i] = f->rare[turn] * slot;
		if (f->times[i] < t->turns[turn].from_ms + f->busy_ms[turn])
			f->weights[i] = f->often * slot;
		f->messages[person] += f->weights[i];
	}
}

static void
sort_sends(struct attack_flows *f, size_t *next)
{
	const struct attack_trace *t = f->trace;

	for (size_t i = 0; i < t->send_count; i++)
		f->first[t->sends[i].person + 1]++;
	for (uint32_t p = 0; p < t->persons; p++)
		f->first[p + 1] += f->first[p];
	memcpy(next, f->first, ((size_t)t->persons + 1) * sizeof(*next));
	for (size_t i = 0; i < t->send_count; i++)
		f->times[next[t->sends[i].person]++] = t->sends[i].at_ms;
}

static void
count_turns(struct attack_flows *f, uint32_t person)
{
	const struct attack_trace *t = f->trace;

	for (size_t i = t->turn_first[person]; i < t->turn_first[person + 1]; i++)
		f->messages[person] += f->often * (double)f->busy_ms[i] + f->rare[i] *
		    (double)(t->turns[i].to_ms - t->turns[i].from_ms - f->busy_ms[i]);
}

enum err
attack_flows_new(struct attack_flows **out, const struct attack_trace *t)
{
	struct attack_flows *f = calloc(1, sizeof(*f));
	size_t *next = calloc((size_t)t->persons + 1, sizeof(*next));

	if (f != NULL) {
		f->trace = t;
		f->times = calloc(t->send_count + 1, sizeof(f->times[0]));
		f->weights = calloc(t->send_count + 1, sizeof(f->weights[0]));
		f->first = calloc((size_t)t->persons + 1, sizeof(f->first[0]));
		f->busy_ms = calloc(t->turn_first[t->persons] + 1, sizeof(f->busy_ms[0]));
		f->rare = calloc(t->turn_first[t->persons] + 1, sizeof(f->rare[0]));
		f->messages = calloc(t->persons, sizeof(f->messages[0]));
	}
	if (f == NULL || next == NULL || f->times == NULL || f->weights == NULL ||
	    f->first == NULL || f->busy_ms == NULL || f->rare == NULL || f->messages == NULL) {
		attack_flows_free(f);
		free(next);
		return ERR_MEMORY;
	}
	set_rates(f);
	find_backlogs(f);
	sort_sends(f, next);
	for (uint32_t p = 0; p < t->persons; p++) {
		if (t->counted)
			count_turns(f, p);
		else
			weigh(f, p);
	}
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
	free(f->weights);
	free(f->first);
	free(f->busy_ms);
	free(f->rare);
	free(f->messages);
	free(f);
}

double
attack_flows_messages(const struct attack_flows *f, uint32_t person)
{
	return f->messages[person];
}

/* ---- what leaves when ---- */

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

/* Of what went in [from, to): the share that comes out at at_ms, per ms of either. */
static double
share_of(const struct attack_delay *a, int64_t from_ms, int64_t to_ms, int64_t at_ms)
{
	return attack_delay_cdf(a, (double)(at_ms - from_ms)) -
	    attack_delay_cdf(a, (double)(at_ms - to_ms));
}

static double
intensity_of_turns(const struct attack_flows *f, const struct attack_delay *a, uint32_t person,
    int64_t at_ms)
{
	const struct attack_turn *turns = f->trace->turns;
	size_t low = f->trace->turn_first[person], end = f->trace->turn_first[person + 1];
	size_t high = end;
	double sum = 0;

	while (low < high) { /* the first that ends late enough */
		size_t middle = low + (high - low) / 2;

		if (turns[middle].to_ms < at_ms - attack_delay_most_ms(a))
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < end && turns[low].from_ms < at_ms; low++) {
		int64_t calm_ms = turns[low].from_ms + f->busy_ms[low];

		sum += f->often * share_of(a, turns[low].from_ms, calm_ms, at_ms);
		sum += f->rare[low] * share_of(a, calm_ms, turns[low].to_ms, at_ms);
	}
	return sum;
}

double
attack_flows_intensity(const struct attack_flows *f, const struct attack_delay *a,
    uint32_t person, int64_t at_ms)
{
	size_t i, end = f->first[person + 1];
	double sum = 0;

	if (f->trace->counted)
		return intensity_of_turns(f, a, person, at_ms);
	i = not_before(f->times, f->first[person], end, at_ms - attack_delay_most_ms(a));
	for (; i < end && f->times[i] <= at_ms; i++)
		sum += f->weights[i] * attack_delay_density(a, (double)(at_ms - f->times[i]));
	return sum;
}

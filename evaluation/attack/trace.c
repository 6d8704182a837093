#include "config.h"

#include "evaluation/attack/trace.h"

#include <stdlib.h>
#include <string.h>

#include "evaluation/attack/trace_parts.h"
#include "evaluation/simulation.h"
#include "evaluation/traffic.h"

#define FIRST_ROOM 1024
#define GAP_SLOTS 3 /* phases are drawn anew every hour: two slots may be nearly two apart */
#define COUNTED_STEP_MS INT64_C(86400000)
#define STEPS 100

/* ---- growing ---- */

enum err
attack_grow(void **p, size_t *room, size_t least, size_t size)
{
	size_t more = *room > 0 ? *room : FIRST_ROOM;
	void *q;

	if (least <= *room)
		return ERR_OK;
	while (more < least)
		more *= 2;
	q = realloc(*p, more * size);
	if (q == NULL)
		return ERR_MEMORY;
	*p = q;
	*room = more;
	return ERR_OK;
}

enum err
attack_see_deposit(struct attack_watch *w, const struct attack_deposit *p,
    const struct attack_truth *truth)
{
	struct attack_trace *t = w->trace;
	size_t room = t->deposit_room;
	enum err e = attack_grow((void **)&t->deposits, &room, t->deposit_count + 1,
	    sizeof(t->deposits[0]));

	if (e == ERR_OK)
		e = attack_grow((void **)&t->truth, &t->deposit_room, t->deposit_count + 1,
		    sizeof(t->truth[0]));
	if (e != ERR_OK)
		return e;
	t->deposits[t->deposit_count] = *p;
	t->truth[t->deposit_count++] = *truth;
	return ERR_OK;
}

/* ---- who is there ---- */

/* A turn goes on while packets follow each other. */
static enum err
close_turn(struct attack_watch *w, uint32_t person)
{
	struct attack_open *o = &w->open[person];
	enum err e = attack_grow((void **)&w->turns, &w->turn_room, w->turn_count + 1,
	    sizeof(w->turns[0]));

	if (e != ERR_OK)
		return e;
	w->turns[w->turn_count++] = (struct attack_person_turn){
		{ o->from_ms, o->last_ms + w->trace->slot_ms }, person };
	o->open = false;
	return ERR_OK;
}

enum err
attack_see_there(struct attack_watch *w, uint32_t person, int64_t at_ms)
{
	struct attack_open *o = &w->open[person];
	enum err e = ERR_OK;

	w->trace->packets++;
	if (o->open && at_ms - o->last_ms > GAP_SLOTS * w->trace->slot_ms)
		e = close_turn(w, person);
	if (!o->open)
		o->from_ms = at_ms;
	o->open = true;
	o->last_ms = at_ms;
	return e;
}

enum err
attack_see_send(struct attack_watch *w, uint32_t person, int64_t at_ms)
{
	struct attack_trace *t = w->trace;
	enum err e = attack_grow((void **)&t->sends, &t->send_room, t->send_count + 1,
	    sizeof(t->sends[0]));

	if (e != ERR_OK)
		return e;
	t->sends[t->send_count++] = (struct attack_send){ at_ms, person };
	return attack_see_there(w, person, at_ms);
}

static int
by_person(const void *a, const void *b)
{
	const struct attack_person_turn *x = a, *y = b;

	if (x->person != y->person)
		return x->person < y->person ? -1 : 1;
	return x->turn.from_ms < y->turn.from_ms ? -1 : x->turn.from_ms > y->turn.from_ms;
}

static enum err
keep_turns(struct attack_watch *w)
{
	struct attack_trace *t = w->trace;
	size_t i = 0;

	t->turns = calloc(w->turn_count + 1, sizeof(t->turns[0]));
	t->turn_first = calloc((size_t)t->persons + 1, sizeof(t->turn_first[0]));
	if (t->turns == NULL || t->turn_first == NULL)
		return ERR_MEMORY;
	if (w->turn_count > 0)
		qsort(w->turns, w->turn_count, sizeof(w->turns[0]), by_person);
	for (uint32_t p = 0; p < t->persons; p++) {
		t->turn_first[p] = i;
		for (; i < w->turn_count && w->turns[i].person == p; i++)
			t->turns[i] = w->turns[i].turn;
	}
	t->turn_first[t->persons] = i;
	return ERR_OK;
}

const struct attack_turn *
attack_trace_turns(const struct attack_trace *t, uint32_t person, size_t *n)
{
	*n = t->turn_first[person + 1] - t->turn_first[person];
	return t->turns + t->turn_first[person];
}

/* ---- life ---- */

enum err
attack_watch_begin(struct attack_watch *w, const struct scenario *s)
{
	struct attack_trace *t = calloc(1, sizeof(*t));

	memset(w, 0, sizeof(*w));
	w->trace = t;
	if (t == NULL)
		return ERR_MEMORY;
	*t = (struct attack_trace){ .persons = (uint32_t)s->people,
		.mailboxes = (uint32_t)s->mailboxes,
		.slot_ms = s->slot_ms,
		.round_ms = s->round_ms,
		.from_ms = s->warm_up_ms,
		.to_ms = s->warm_up_ms + s->duration_ms,
		.counted = s->cover == COVER_COUNTED,
		.office = s->workload == TRAFFIC_OFFICE,
		.begin_ms = scenario_begins_ms(s),
		.waits = s->sending != SENDING_AT_ONCE,
		.message_share = s->note_one_in > 0 ? 1 - 1.0 / (double)s->note_one_in : 1 };
	w->open = calloc(t->persons, sizeof(w->open[0]));
	return w->open != NULL ? ERR_OK : ERR_MEMORY;
}

enum err
attack_watch_end(struct attack_trace **out, struct attack_watch *w, enum err e)
{
	for (uint32_t p = 0; e == ERR_OK && p < w->trace->persons; p++)
		if (w->open[p].open)
			e = close_turn(w, p);
	if (e == ERR_OK)
		e = keep_turns(w);
	free(w->turns);
	free(w->open);
	if (e == ERR_OK)
		*out = w->trace;
	else
		attack_trace_free(w->trace);
	return e;
}

void
attack_trace_free(struct attack_trace *t)
{
	if (t == NULL)
		return;
	free(t->sends);
	free(t->turns);
	free(t->turn_first);
	free(t->deposits);
	free(t->truth);
	free(t);
}

/* ---- from a simulation ---- */

struct simulated {
	struct attack_watch watch;
	struct simulation *simulation;
	struct traffic *traffic;
	struct simulation_traffic source; /* the traffic itself */
	int64_t begin_ms;
	uint32_t *receivers; /* of handles, when the packet was sent */
	size_t room;
};

static void
fail(struct simulated *m, enum err e)
{
	if (e != ERR_OK)
		simulation_fail(m->simulation, e);
}

static void
on_sent(void *arg, int64_t at_ms, uint32_t handle)
{
	struct simulated *m = arg;
	const struct token *t = simulation_token(m->simulation, handle);
	enum err e = attack_grow((void **)&m->receivers, &m->room, (size_t)handle + 1,
	    sizeof(m->receivers[0]));

	if (e == ERR_OK && t->kind == TOKEN_REAL)
		m->receivers[handle] = traffic_message(m->traffic, t->person)->receiver;
	if (e == ERR_OK && !m->watch.trace->counted)
		e = attack_see_send(&m->watch, t->person, at_ms - m->begin_ms);
	fail(m, e);
}

static void
on_exited(void *arg, int64_t at_ms, uint32_t handle)
{
	struct simulated *m = arg;
	const struct token *t = simulation_token(m->simulation, handle);
	struct attack_deposit p;
	struct attack_truth truth;

	if (t->kind != TOKEN_REAL)
		return;
	p = (struct attack_deposit){ at_ms - m->begin_ms,
		m->receivers[handle] % m->watch.trace->mailboxes };
	truth = (struct attack_truth){ t->person, m->receivers[handle],
		t->sent_ms - m->begin_ms };
	fail(m, attack_see_deposit(&m->watch, &p, &truth));
}

/* In a slot of somebody who is there goes a packet: seen on its link. */
static bool
on_online(void *arg, uint32_t person, int64_t at_ms)
{
	struct simulated *m = arg;
	bool online = m->source.online == NULL || m->source.online(m->source.arg, person, at_ms);

	if (online && m->watch.trace->counted)
		fail(m, attack_see_there(&m->watch, person, at_ms - m->begin_ms));
	return online;
}

static int64_t
ask_next(void *arg, uint32_t person, int64_t at_ms, uint64_t *message)
{
	const struct simulated *m = arg;

	return m->source.next(m->source.arg, person, at_ms, message);
}

static enum err
make_traffic(struct simulated *m, const struct scenario *s, struct diag *d)
{
	struct traffic_config cfg;
	enum err e;

	scenario_traffic(&cfg, s);
	e = traffic_new(&m->traffic, &cfg, d);
	if (e == ERR_OK && cfg.workload == TRAFFIC_RECORDED)
		e = traffic_read(m->traffic, s->recording, d);
	if (e == ERR_OK)
		traffic_source(m->traffic, &m->source);
	return e;
}

static enum err
make_simulation(struct simulated *m, const struct scenario *s,
    const struct simulation_observer *observer)
{
	struct simulation_config cfg = { .persons = (uint32_t)s->people,
		.law = s->sending,
		.start_ms = m->begin_ms,
		.link_ms = s->link_ms,
		.epochs = s->epoch_ms > 0,
		.seed = (uint64_t)s->seed,
		.traffic = { ask_next, on_online, m },
		.observers = observer,
		.observer_count = 1 };

	scenario_params(&cfg.params, s);
	return simulation_new(&m->simulation, &cfg);
}

static enum err
go_on(struct simulated *m, const struct scenario *s, void (*progress)(void *arg, double share),
    void *arg)
{
	int64_t end = scenario_ends_ms(s), now = m->begin_ms;
	bool count = m->watch.trace->counted;
	int64_t step = count ? COUNTED_STEP_MS : (end - now) / STEPS + 1;
	enum err e = ERR_OK;

	while (now < end && e == ERR_OK) {
		now = end - now > step ? now + step : end;
		e = count ? simulation_count(m->simulation, now) :
			    simulation_run(m->simulation, now);
		if (progress != NULL)
			progress(arg, (double)(now - m->begin_ms) / (double)(end - m->begin_ms));
	}
	return e;
}

static enum err
simulate(struct attack_trace **out, const struct scenario *s,
    void (*progress)(void *arg, double share), void *arg, struct diag *d)
{
	struct simulated m = { .begin_ms = scenario_begins_ms(s) };
	const struct simulation_observer observer = { .sent = on_sent, .exited = on_exited,
		.counts = true, .arg = &m };
	enum err e = attack_watch_begin(&m.watch, s);

	if (e == ERR_OK)
		e = make_traffic(&m, s, d);
	if (e == ERR_OK)
		e = make_simulation(&m, s, &observer);
	if (e == ERR_OK)
		e = go_on(&m, s, progress, arg);
	simulation_free(m.simulation);
	traffic_free(m.traffic);
	free(m.receivers);
	return m.watch.trace != NULL ? attack_watch_end(out, &m.watch, e) : e;
}

enum err
attack_trace_new(struct attack_trace **out, const struct scenario *s, const char *directory,
    void (*progress)(void *arg, double share), void *arg, struct diag *d)
{
	if (directory != NULL)
		return attack_trace_read(out, s, directory, d);
	return simulate(out, s, progress, arg, d);
}

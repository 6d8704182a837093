#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "common/charter/timing.h"
#include "evaluation/simulation_parts.h"

/*
 * Packets without a message are alike to everybody but their senders, and no pool that
 * goes by the round and by how many it holds heeds one of them more than another. So a
 * mix need only know how many it has: of those with a message, each one leaves with the
 * chance that a uniform draw among all gives it, and the ways of the others are drawn
 * when they leave. Slots are gone through one by one, each with its own draws, so that
 * what is sent, and by which first mix, is the same as when all packets are followed.
 */

bool
simulation_can_count(const struct simulation *s)
{
	for (uint32_t i = 0; i < s->node_count; i++)
		if (!pool_counts(s->nodes[i].pool))
			return false;
	return s->cfg.law == SENDING_SLOTS && s->cfg.carrier == NULL;
}

/* ---- coming to a mix ---- */

static void
check_room(struct simulation *s, const struct node *n)
{
	if (n->counted.count + n->counted.others > s->params->pool_max)
		simulation_fail(s, ERR_FULL);
}

static void
hold(struct simulation *s, struct node *n, uint32_t handle)
{
	void *handles = n->counted.handles;

	if (n->counted.count == n->counted.room &&
	    simulation_grow(&handles, &n->counted.room, n->counted.count + 1,
		sizeof(n->counted.handles[0])) != ERR_OK) {
		simulation_fail(s, ERR_MEMORY);
		return;
	}
	n->counted.handles = handles;
	n->counted.handles[n->counted.count++] = handle;
}

/* Any packet, or many that are alike. */
static void
hold_any(struct simulation *s, struct node *n, uint32_t handle)
{
	const struct token *t = &s->tokens[handle];

	if (t->kind == TOKEN_REAL) {
		hold(s, n, handle);
	} else {
		n->counted.others += t->kind == TOKEN_COUNTED ? (size_t)t->message : 1;
		simulation_end(s, handle);
	}
	check_room(s, n);
}

static void
tell_counted(struct simulation *s, const struct simulation_counted *c)
{
	s->counts.sent += c->covers + c->notes;
	s->counts.cover += c->covers;
	s->counts.notes += c->notes;
	s->counts.exited += c->exited;
	for (size_t i = 0; i < s->cfg.observer_count; i++)
		if (s->cfg.observers[i].counts && s->cfg.observers[i].counted != NULL)
			s->cfg.observers[i].counted(s->cfg.observers[i].arg, c);
}

static void
arrive(struct simulation *s, uint32_t handle)
{
	const struct token *t = &s->tokens[handle];

	if (t->hop < s->params->layers) {
		hold_any(s, &s->nodes[s->layer_first[t->hop] + t->path[t->hop]], handle);
	} else if (t->kind == TOKEN_COUNTED) {
		tell_counted(s, &(struct simulation_counted){ .at_ms = s->now_ms,
		    .exited = t->message });
		simulation_end(s, handle);
	} else {
		simulation_exit(s, handle);
	}
}

/* ---- senders ---- */

/* Slots up to a time, and what of them is at the first mixes at another. */
struct account {
	int64_t until_ms, arrived_ms;
	struct simulation_counted sum;
	struct transfer *under_way; /* the others */
	size_t count, room;
};

static void
set_out(struct simulation *s, struct account *a, int64_t at_ms, uint32_t handle)
{
	void *list = a->under_way;

	if (a->count == a->room &&
	    simulation_grow(&list, &a->room, a->count + 1, sizeof(a->under_way[0])) != ERR_OK) {
		simulation_fail(s, ERR_MEMORY);
		return;
	}
	a->under_way = list;
	a->under_way[a->count++] = (struct transfer){ at_ms, handle };
}

static uint32_t
make_token(struct simulation *s, const struct token *t)
{
	uint32_t handle = simulation_take(s);

	if (handle == SIMULATION_NO_HANDLE)
		return handle;
	s->tokens[handle] = *t;
	memset(s->delays + (size_t)handle * s->params->layers, 0,
	    s->params->layers * sizeof(s->delays[0]));
	return handle;
}

/* A packet that is followed: its way is drawn on from that to the first mix. */
static void
send_token(struct simulation *s, struct account *a, uint32_t person, enum token_content kind,
    struct draws *way, uint8_t first)
{
	struct person *p = &s->persons[person];
	int64_t at_ms = p->slots.due_ms;
	struct token t = { .sent_ms = at_ms, .person = person, .kind = (uint8_t)kind };
	uint32_t handle;

	t.path[0] = first;
	for (unsigned i = 1; i < s->params->layers; i++)
		t.path[i] = slots_mix(way, s->params, i);
	if (kind == TOKEN_REAL)
		t.message = p->message;
	handle = make_token(s, &t);
	if (handle == SIMULATION_NO_HANDLE)
		return;
	if (kind == TOKEN_REAL) {
		simulation_count_sent(s, kind);
		simulation_tell_sent(s, at_ms, handle);
		simulation_next_message(s, person, p->message_ms);
	}
	if (at_ms + s->cfg.link_ms > a->arrived_ms)
		set_out(s, a, at_ms + s->cfg.link_ms, handle);
	else
		hold(s, &s->nodes[first], handle);
}

static void
go_through_slot(struct simulation *s, struct account *a, uint32_t person)
{
	const struct person *p = &s->persons[person];
	struct draws draws = slots_draws(&p->slots);
	bool note = slots_note(&draws, s->params);
	uint8_t first = slots_mix(&draws, s->params, 0);
	enum token_content kind = simulation_kind(s, p, p->slots.due_ms, note);

	a->sum.covers += kind == TOKEN_COVER;
	a->sum.notes += kind == TOKEN_NOTE;
	if (kind == TOKEN_REAL || p->slots.due_ms + s->cfg.link_ms > a->arrived_ms)
		send_token(s, a, person, kind, &draws, first);
	else
		s->nodes[first].counted.others++;
}

static void
go_through_slots(struct simulation *s, struct account *a)
{
	a->sum = (struct simulation_counted){ .at_ms = a->until_ms - 1 };
	for (uint32_t i = 0; i < s->cfg.persons && s->failure == ERR_OK; i++) {
		struct slots *slots = &s->persons[i].slots;

		for (; slots->due_ms < a->until_ms; slots_next(slots, s->params)) {
			if (simulation_online(s, i, slots->due_ms))
				go_through_slot(s, a, i);
			else
				s->counts.skipped++;
		}
	}
	s->counted_ms = a->until_ms;
	for (uint32_t i = 0; i < s->layer_first[1]; i++)
		check_room(s, &s->nodes[i]);
	tell_counted(s, &a->sum);
}

/* ---- leaving a mix ---- */

static void
carry_many(struct simulation *s, unsigned layer, uint32_t index, size_t n)
{
	struct token t = { .kind = TOKEN_COUNTED, .hop = (uint8_t)layer, .message = n };
	uint32_t handle;

	if (n == 0)
		return;
	if (layer < s->params->layers)
		t.path[layer] = (uint8_t)index;
	handle = make_token(s, &t);
	if (handle != SIMULATION_NO_HANDLE)
		simulation_carry(s, handle, s->now_ms + s->cfg.link_ms);
}

/* Each of them goes to any mix of the next layer. */
static void
carry_others(struct simulation *s, unsigned layer, size_t n)
{
	uint32_t width = layer < s->params->layers ? s->params->mixes[layer] : 1;
	size_t to[SIMULATION_WIDTH_MAX] = { 0 };

	if (width == 1)
		to[0] = n;
	else
		for (size_t i = 0; i < n; i++)
			to[rng_below(&s->ways.rng, width)]++;
	for (uint32_t i = 0; i < width; i++)
		carry_many(s, layer, i, to[i]);
}

/*
 * Which of those with a message are among the n of `held` that leave, each such set as
 * likely as any other: one after the other is taken with the share of places left.
 */
static size_t
carry_held(struct simulation *s, struct node *n, size_t places, size_t held)
{
	struct counted *c = &n->counted;
	size_t stay = 0, left = 0;

	for (size_t i = 0; i < c->count; i++, held--) {
		uint32_t handle = c->handles[i];

		if (!rng_chance(&n->stream.rng, (uint32_t)(places - left), (uint32_t)held)) {
			c->handles[stay++] = handle;
			continue;
		}
		left++;
		s->tokens[handle].hop++;
		simulation_carry(s, handle, s->now_ms + s->cfg.link_ms);
	}
	c->count = stay;
	return left;
}

static void
flush(struct simulation *s, uint32_t number)
{
	struct node *n = &s->nodes[number];
	size_t held, leaving, left;

	if (n->layer == 0 && s->now_ms - s->cfg.link_ms >= s->counted_ms)
		go_through_slots(s, &(struct account){ .until_ms = s->now_ms - s->cfg.link_ms + 1,
		    .arrived_ms = s->now_ms });
	held = n->counted.count + n->counted.others;
	leaving = pool_leaving(n->pool, held, &n->stream.rng);
	left = carry_held(s, n, leaving, held);
	n->counted.others -= leaving - left;
	carry_others(s, n->layer + 1, leaving - left);
	for (size_t i = 0; i < s->cfg.observer_count; i++)
		if (s->cfg.observers[i].counts && s->cfg.observers[i].flushed != NULL)
			s->cfg.observers[i].flushed(s->cfg.observers[i].arg, s->now_ms, number,
			    leaving, held);
	(void)pool_flush(n->pool, s->batch, s->now_ms, &n->stream.rng); /* empty: the next round */
	timeheap_set(&s->flushes, number, pool_due(n->pool));
}

/* As in simulation_run, but for slots, which are gone through when a first mix flushes. */
static bool
step(struct simulation *s, int64_t until_ms)
{
	uint32_t node = 0;
	int64_t round_ms = timing_round_start(s->params, s->round + 1);
	int64_t flush_ms = timeheap_next(&s->flushes, &node);
	int64_t way_ms = s->transfers.count > 0 ? s->transfers.ring[s->transfers.first].at_ms :
						  INT64_MAX;
	int64_t least = round_ms < flush_ms ? round_ms : flush_ms;

	if (way_ms < least)
		least = way_ms;
	if (least >= until_ms)
		return false;
	if (least > s->now_ms)
		s->now_ms = least;
	s->counts.events++;
	if (round_ms == least)
		simulation_end_round(s);
	else if (way_ms == least)
		arrive(s, simulation_arriving(s));
	else
		flush(s, node);
	return true;
}

/* ---- from following to counting, and back ---- */

static enum err
begin(struct simulation *s)
{
	for (uint32_t i = 0; i < s->node_count; i++) {
		struct node *n = &s->nodes[i];
		size_t held = pool_count(n->pool);
		void *batch = s->batch;

		if (held > s->batch_room && simulation_grow(&batch, &s->batch_room, held,
		    sizeof(s->batch[0])) != ERR_OK)
			return ERR_MEMORY;
		s->batch = batch;
		held = pool_drain(n->pool, s->batch);
		for (size_t k = 0; k < held; k++)
			hold_any(s, n, s->batch[k]);
	}
	s->counting = true;
	return s->failure;
}

static void
tell_resumed(struct simulation *s, uint32_t handle)
{
	for (size_t i = 0; i < s->cfg.observer_count; i++)
		if (s->cfg.observers[i].resumed != NULL)
			s->cfg.observers[i].resumed(s->cfg.observers[i].arg, handle);
}

/* One of those that were counted: nobody's, before mix `index` of `layer`, or in it. */
static uint32_t
make_nobodys(struct simulation *s, unsigned layer, uint32_t index)
{
	struct token t = { .sent_ms = s->now_ms, .person = SIMULATION_NOBODY,
		.kind = TOKEN_COVER, .hop = (uint8_t)layer };

	if (layer < s->params->layers)
		t.path[layer] = (uint8_t)index;
	for (unsigned i = layer + 1; i < s->params->layers; i++)
		t.path[i] = (uint8_t)rng_below(&s->ways.rng, s->params->mixes[i]);
	return make_token(s, &t);
}

static void
put_back(struct simulation *s, struct node *n, uint32_t handle)
{
	enum err e = handle != SIMULATION_NO_HANDLE ? pool_add(n->pool, handle, 0, s->now_ms) :
						      ERR_MEMORY;

	if (e != ERR_OK)
		simulation_fail(s, e);
	else
		tell_resumed(s, handle);
}

static void
fill_pools(struct simulation *s)
{
	for (uint32_t i = 0; i < s->node_count && s->failure == ERR_OK; i++) {
		struct node *n = &s->nodes[i];
		struct counted *c = &n->counted;

		for (size_t k = 0; k < c->count; k++)
			put_back(s, n, c->handles[k]);
		for (; c->others > 0 && s->failure == ERR_OK; c->others--)
			put_back(s, n, make_nobodys(s, n->layer, i - s->layer_first[n->layer]));
		c->count = c->others = 0;
	}
}

static int
earlier(const void *a, const void *b)
{
	const struct transfer *x = a, *y = b;

	if (x->at_ms != y->at_ms)
		return x->at_ms < y->at_ms ? -1 : 1;
	return (x->handle > y->handle) - (x->handle < y->handle);
}

/* All that is between two hops, each packet by itself, in the order in which it comes. */
static void
fill_ways(struct simulation *s, struct account *a)
{
	while (s->transfers.count > 0 && s->failure == ERR_OK) {
		int64_t at_ms = s->transfers.ring[s->transfers.first].at_ms;
		uint32_t handle = simulation_arriving(s);
		struct token t = s->tokens[handle];
		uint64_t n = t.message;

		if (t.kind != TOKEN_COUNTED) {
			set_out(s, a, at_ms, handle);
			continue;
		}
		for (; n > 0 && s->failure == ERR_OK; n--)
			set_out(s, a, at_ms, make_nobodys(s, t.hop,
			    t.hop < s->params->layers ? t.path[t.hop] : 0));
		simulation_end(s, handle);
	}
	if (s->failure != ERR_OK)
		return;
	if (a->count > 0)
		qsort(a->under_way, a->count, sizeof(a->under_way[0]), earlier);
	for (size_t i = 0; i < a->count; i++) {
		simulation_carry(s, a->under_way[i].handle, a->under_way[i].at_ms);
		tell_resumed(s, a->under_way[i].handle);
	}
}

static void
end(struct simulation *s, int64_t until_ms)
{
	struct account a = { .until_ms = until_ms, .arrived_ms = until_ms - 1 };

	go_through_slots(s, &a);
	s->counting = false;
	s->now_ms = until_ms;
	if (s->failure == ERR_OK)
		fill_pools(s);
	if (s->failure == ERR_OK)
		fill_ways(s, &a);
	for (uint32_t i = 0; i < s->cfg.persons; i++)
		timeheap_set(&s->senders, i, s->persons[i].slots.due_ms);
	free(a.under_way);
}

enum err
simulation_count(struct simulation *s, int64_t until_ms)
{
	enum err e = simulation_can_count(s) ? s->failure : ERR_RANGE;

	if (e != ERR_OK || s->now_ms >= until_ms)
		return e;
	s->counted_ms = s->now_ms;
	e = begin(s);
	while (e == ERR_OK && s->failure == ERR_OK && step(s, until_ms))
		;
	if (s->failure == ERR_OK)
		end(s, until_ms);
	return s->failure;
}

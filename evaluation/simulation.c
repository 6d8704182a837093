#include "config.h"

#include "evaluation/simulation.h"

#include <stdlib.h>
#include <string.h>

#include "common/charter/path.h"
#include "common/charter/timing.h"
#include "evaluation/simulation_parts.h"

/* ---- tokens ---- */

enum err
simulation_grow(void **p, size_t *room, size_t least, size_t size)
{
	size_t n = *room > 0 ? *room : SIMULATION_FIRST_ROOM;
	void *q;

	while (n < least)
		n += n / 2;
	q = realloc(*p, n * size);
	if (q == NULL)
		return ERR_MEMORY;
	*p = q;
	*room = n;
	return ERR_OK;
}

static enum err
more_tokens(struct simulation *s)
{
	size_t old = s->token_room, room = old;
	void *tokens = s->tokens;
	uint32_t *spare;
	enum err e = simulation_grow(&tokens, &room, old + 1, sizeof(s->tokens[0]));

	if (e != ERR_OK)
		return e;
	s->tokens = tokens;
	spare = realloc(s->spare, room * sizeof(*spare));
	if (spare == NULL)
		return ERR_MEMORY;
	s->spare = spare;
	spare = realloc(s->delays, room * s->params->layers * sizeof(*spare));
	if (spare == NULL)
		return ERR_MEMORY;
	s->delays = spare;
	for (size_t i = room; i > old; i--)
		s->spare[s->spare_count++] = (uint32_t)(i - 1);
	s->token_room = room;
	return ERR_OK;
}

uint32_t
simulation_take(struct simulation *s)
{
	enum err e = s->spare_count > 0 ? ERR_OK : more_tokens(s);

	if (e != ERR_OK) {
		simulation_fail(s, e);
		return SIMULATION_NO_HANDLE;
	}
	if (++s->counts.held > s->counts.held_most)
		s->counts.held_most = s->counts.held;
	return s->spare[--s->spare_count];
}

void
simulation_end(struct simulation *s, uint32_t handle)
{
	if (s->cfg.carrier != NULL)
		s->cfg.carrier->end(s->cfg.carrier->arg, handle);
	s->spare[s->spare_count++] = handle;
	s->counts.held--;
}

/* ---- ways ---- */

static enum err
more_transfers(struct transfers *t)
{
	size_t room = t->room > 0 ? t->room * 2 : SIMULATION_FIRST_ROOM;
	void *p = realloc(t->ring, room * sizeof(t->ring[0]));

	if (p == NULL)
		return ERR_MEMORY;
	t->ring = p;
	/* what had wrapped around goes behind the rest */
	if (t->first + t->count > t->room)
		memcpy(t->ring + t->room, t->ring,
		    (t->first + t->count - t->room) * sizeof(t->ring[0]));
	t->room = room;
	return ERR_OK;
}

void
simulation_carry(struct simulation *s, uint32_t handle, int64_t at_ms)
{
	struct transfers *t = &s->transfers;
	size_t i;

	if (t->count == t->room && more_transfers(t) != ERR_OK) {
		simulation_fail(s, ERR_MEMORY);
		return;
	}
	i = (t->first + t->count++) & (t->room - 1);
	t->ring[i].at_ms = at_ms;
	t->ring[i].handle = handle;
}

uint32_t
simulation_arriving(struct simulation *s)
{
	uint32_t handle = s->transfers.ring[s->transfers.first].handle;

	s->transfers.first = (s->transfers.first + 1) & (s->transfers.room - 1);
	s->transfers.count--;
	return handle;
}

static void
lose(struct simulation *s, uint32_t node, uint32_t handle)
{
	s->counts.lost++;
	for (size_t i = 0; i < s->cfg.observer_count; i++)
		if (s->cfg.observers[i].lost != NULL)
			s->cfg.observers[i].lost(s->cfg.observers[i].arg, s->now_ms, node, handle);
	simulation_end(s, handle);
}

/* While packets are counted, an observer who does not want it hears nothing. */
static bool
hears(const struct simulation *s, const struct simulation_observer *o)
{
	return !s->counting || o->counts;
}

void
simulation_exit(struct simulation *s, uint32_t handle)
{
	void *deposits = s->deposits;

	s->counts.exited++;
	for (size_t i = 0; i < s->cfg.observer_count; i++)
		if (s->cfg.observers[i].exited != NULL && hears(s, &s->cfg.observers[i]))
			s->cfg.observers[i].exited(s->cfg.observers[i].arg, s->now_ms, handle);
	if (s->deposit_count == s->deposit_room &&
	    simulation_grow(&deposits, &s->deposit_room, s->deposit_count + 1, sizeof(s->deposits[0])) !=
		ERR_OK) {
		simulation_fail(s, ERR_MEMORY);
		return;
	}
	s->deposits = deposits;
	s->deposits[s->deposit_count++] = handle;
}

static void
arrive(struct simulation *s, uint32_t handle)
{
	struct token *t = &s->tokens[handle];
	unsigned layer = t->hop;
	uint32_t delay = 0, number;
	struct node *n;

	if (layer < s->params->layers)
		delay = s->delays[(size_t)handle * s->params->layers + layer];
	if (s->cfg.carrier != NULL &&
	    !s->cfg.carrier->unwrap(s->cfg.carrier->arg, handle, layer, &delay)) {
		lose(s, UINT32_MAX, handle);
		return;
	}
	if (layer == s->params->layers) {
		simulation_exit(s, handle);
		return;
	}
	number = s->layer_first[layer] + t->path[layer];
	n = &s->nodes[number];
	if (pool_add(n->pool, handle, delay, s->now_ms) != ERR_OK) {
		lose(s, number, handle);
		return;
	}
	for (size_t i = 0; i < s->cfg.observer_count; i++)
		if (s->cfg.observers[i].arrived != NULL)
			s->cfg.observers[i].arrived(s->cfg.observers[i].arg, s->now_ms, number,
			    handle, pool_count(n->pool));
	timeheap_set(&s->flushes, number, pool_due(n->pool));
}

static void
flush(struct simulation *s, uint32_t number)
{
	struct node *n = &s->nodes[number];
	size_t held = pool_count(n->pool), count;
	void *batch = s->batch;

	if (held > s->batch_room &&
	    simulation_grow(&batch, &s->batch_room, held, sizeof(s->batch[0])) != ERR_OK) {
		simulation_fail(s, ERR_MEMORY);
		return;
	}
	s->batch = batch;
	count = pool_flush(n->pool, s->batch, s->now_ms, &n->stream.rng);
	for (size_t i = 0; i < s->cfg.observer_count; i++)
		if (s->cfg.observers[i].left != NULL)
			s->cfg.observers[i].left(s->cfg.observers[i].arg, s->now_ms, number,
			    s->batch, count, held);
	for (size_t i = 0; i < count; i++) {
		s->tokens[s->batch[i]].hop++;
		simulation_carry(s, s->batch[i], s->now_ms + s->cfg.link_ms);
	}
	timeheap_set(&s->flushes, number, pool_due(n->pool));
}

/* ---- senders ---- */

static void
draw_delays(struct simulation *s, uint32_t handle, const struct rng *rng)
{
	size_t size = s->params->layers * sizeof(s->delays[0]);
	uint32_t *delays = s->delays + (size_t)handle * s->params->layers;
	uint32_t drawn[ONION_HOPS_MAX];

	if (s->delayed) {
		path_delays(drawn, s->params, rng);
		memcpy(delays, drawn, size);
	} else {
		memset(delays, 0, size);
	}
}

void
simulation_next_message(struct simulation *s, uint32_t person, int64_t after_ms)
{
	struct person *p = &s->persons[person];

	p->message_ms = s->cfg.traffic.next(s->cfg.traffic.arg, person, after_ms, &p->message);
}

bool
simulation_online(struct simulation *s, uint32_t person, int64_t at_ms)
{
	const struct simulation_traffic *t = &s->cfg.traffic;

	return t->online == NULL || t->online(t->arg, person, at_ms);
}

/* A note whatever waits, else what waits, else a drop. */
enum token_content
simulation_kind(struct simulation *s, const struct person *p, int64_t at_ms, bool note)
{
	if (note)
		return TOKEN_NOTE;
	if (p->message_ms > at_ms)
		return TOKEN_COVER;
	if (s->cfg.epochs && s->cfg.law == SENDING_SLOTS &&
	    path_time(s->params, at_ms) != PATH_OPEN)
		return TOKEN_COVER;
	return TOKEN_REAL;
}

void
simulation_count_sent(struct simulation *s, enum token_content kind)
{
	s->counts.sent++;
	switch (kind) {
	case TOKEN_COVER:
		s->counts.cover++;
		break;
	case TOKEN_NOTE:
		s->counts.notes++;
		break;
	case TOKEN_REAL:
		s->counts.real++;
		break;
	}
}

void
simulation_tell_sent(struct simulation *s, int64_t at_ms, uint32_t handle)
{
	for (size_t i = 0; i < s->cfg.observer_count; i++)
		if (s->cfg.observers[i].sent != NULL && hears(s, &s->cfg.observers[i]))
			s->cfg.observers[i].sent(s->cfg.observers[i].arg, at_ms, handle);
}

/* By the slot law all that a packet draws is its slot's own. */
static enum token_content
draw_packet(struct simulation *s, const struct person *p, struct token *t)
{
	struct draws slot = slots_draws(&p->slots);
	bool slots = s->cfg.law == SENDING_SLOTS;
	struct rng own = { draws_fill, &slot };
	const struct rng *rng = slots ? &own : &s->stream.rng;
	bool note = false;

	if (slots)
		note = slots_note(&slot, s->params);
	for (unsigned i = 0; i < s->params->layers; i++) {
		uint32_t width = s->params->mixes[i];

		if (slots)
			t->path[i] = slots_mix(&slot, s->params, i);
		else
			t->path[i] = width > 1 ? (uint8_t)rng_below(rng, width) : 0;
	}
	if (s->cfg.law == SENDING_POISSON)
		note = s->params->note_one_in > 0 && rng_below(rng, s->params->note_one_in) == 0;
	draw_delays(s, (uint32_t)(t - s->tokens), rng);
	return simulation_kind(s, p, s->now_ms, note);
}

static void
send_packet(struct simulation *s, uint32_t person)
{
	struct person *p = &s->persons[person];
	uint32_t handle = simulation_take(s);
	enum token_content kind;
	struct token *t;
	enum err e;

	if (handle == SIMULATION_NO_HANDLE)
		return;
	t = &s->tokens[handle];
	*t = (struct token){ .sent_ms = s->now_ms, .person = person };
	kind = draw_packet(s, p, t);
	t->kind = (uint8_t)kind;
	if (kind == TOKEN_REAL)
		t->message = p->message;
	simulation_count_sent(s, kind);
	if (s->cfg.carrier != NULL) {
		e = s->cfg.carrier->wrap(s->cfg.carrier->arg, handle, t,
		    s->delays + (size_t)handle * s->params->layers);
		if (e != ERR_OK)
			simulation_fail(s, e);
	}
	simulation_tell_sent(s, s->now_ms, handle);
	if (kind == TOKEN_REAL)
		simulation_next_message(s, person, p->message_ms);
	simulation_carry(s, handle, s->now_ms + s->cfg.link_ms);
}

/* When this person's next packet is due. */
static void
next_due(struct simulation *s, struct person *p)
{
	switch (s->cfg.law) {
	case SENDING_SLOTS:
		slots_next(&p->slots, s->params);
		break;
	case SENDING_POISSON:
		p->slots.due_ms += rng_exponential_long(&s->stream.rng, s->params->slot_ms);
		break;
	case SENDING_AT_ONCE:
		p->slots.due_ms = p->message_ms;
		break;
	}
}

static void
drop_message(struct simulation *s, uint32_t person)
{
	for (size_t i = 0; i < s->cfg.observer_count; i++)
		if (s->cfg.observers[i].dropped != NULL)
			s->cfg.observers[i].dropped(s->cfg.observers[i].arg, s->now_ms, person);
	simulation_next_message(s, person, s->persons[person].message_ms);
}

static void
on_sender(struct simulation *s, uint32_t person)
{
	struct person *p = &s->persons[person];

	if (simulation_online(s, person, s->now_ms)) {
		send_packet(s, person);
	} else {
		s->counts.skipped++;
		if (s->cfg.law == SENDING_AT_ONCE)
			drop_message(s, person);
	}
	next_due(s, p);
	timeheap_set(&s->senders, person, p->slots.due_ms);
}

/* ---- time ---- */

void
simulation_end_round(struct simulation *s)
{
	for (size_t i = 0; i < s->cfg.observer_count; i++)
		if (s->cfg.observers[i].round != NULL && hears(s, &s->cfg.observers[i]))
			s->cfg.observers[i].round(s->cfg.observers[i].arg, s->round, s->deposits,
			    s->deposit_count);
	for (size_t i = 0; i < s->deposit_count; i++)
		simulation_end(s, s->deposits[i]);
	s->deposit_count = 0;
	s->round++;
}

/*
 * The next event, if it is before until_ms. At one instant arrivals come before
 * flushes, for a mix unwraps what is there before it flushes; a round ends before
 * anything else.
 */
static bool
step(struct simulation *s, int64_t until_ms)
{
	uint32_t sender = 0, node = 0;
	int64_t round_ms = timing_round_start(s->params, s->round + 1);
	int64_t sender_ms = timeheap_next(&s->senders, &sender);
	int64_t flush_ms = timeheap_next(&s->flushes, &node);
	int64_t way_ms = s->transfers.count > 0 ? s->transfers.ring[s->transfers.first].at_ms :
						  INT64_MAX;
	int64_t least = round_ms < sender_ms ? round_ms : sender_ms;

	if (way_ms < least)
		least = way_ms;
	if (flush_ms < least)
		least = flush_ms;
	if (least >= until_ms)
		return false;
	if (least > s->now_ms)
		s->now_ms = least;
	s->counts.events++;
	if (round_ms == least) {
		simulation_end_round(s);
	} else if (way_ms == least) {
		arrive(s, simulation_arriving(s));
	} else if (sender_ms == least) {
		on_sender(s, sender);
	} else {
		flush(s, node);
	}
	return true;
}

enum err
simulation_run(struct simulation *s, int64_t until_ms)
{
	while (s->failure == ERR_OK && step(s, until_ms))
		;
	if (s->failure == ERR_OK && s->now_ms < until_ms)
		s->now_ms = until_ms;
	return s->failure;
}

/* ---- life ---- */

static enum err
make_nodes(struct simulation *s)
{
	enum err e;

	for (unsigned layer = 0; layer < s->params->layers; layer++) {
		s->layer_first[layer] = s->node_count;
		s->node_count += s->params->mixes[layer];
	}
	s->layer_first[s->params->layers] = s->node_count;
	s->nodes = calloc(s->node_count, sizeof(s->nodes[0]));
	e = s->nodes != NULL ? timeheap_init(&s->flushes, s->node_count) : ERR_MEMORY;
	for (uint32_t i = 0; i < s->node_count && e == ERR_OK; i++) {
		struct node *n = &s->nodes[i];

		n->layer = simulation_layer(s, i);
		s->delayed = s->delayed || params_delay_max_ms(s->params, n->layer) > 0;
		stream_init(&n->stream, s->cfg.seed, SIMULATION_STREAM_NODES + i);
		e = pool_new(&n->pool, s->params, n->layer, s->now_ms);
		if (e == ERR_OK)
			timeheap_set(&s->flushes, i, pool_due(n->pool));
	}
	return e;
}

static enum err
make_persons(struct simulation *s)
{
	enum err e = timeheap_init(&s->senders, s->cfg.persons);

	s->persons = calloc((size_t)s->cfg.persons + 1, sizeof(s->persons[0]));
	if (e != ERR_OK || s->persons == NULL)
		return ERR_MEMORY;
	for (uint32_t i = 0; i < s->cfg.persons; i++) {
		struct person *p = &s->persons[i];

		simulation_next_message(s, i, s->now_ms);
		slots_begin(&p->slots, s->params, s->cfg.seed, i, s->now_ms);
		if (s->cfg.law == SENDING_POISSON)
			p->slots.due_ms = s->now_ms +
			    rng_between(&s->stream.rng, 0, s->params->slot_ms - 1);
		if (s->cfg.law == SENDING_AT_ONCE)
			p->slots.due_ms = p->message_ms;
		timeheap_set(&s->senders, i, p->slots.due_ms);
	}
	return ERR_OK;
}

static enum err
check(const struct simulation_config *cfg)
{
	const struct params *p = &cfg->params;

	if (cfg->link_ms < 0 || cfg->start_ms < 0 || p->slot_ms < 1 || p->round_ms < 1 ||
	    p->layers < 1 || p->layers > PARAMS_LAYERS_MAX)
		return ERR_RANGE;
	for (unsigned i = 0; i < p->layers; i++)
		if (p->mixes[i] < 1 || p->mixes[i] > SIMULATION_WIDTH_MAX)
			return ERR_RANGE;
	return ERR_OK;
}

enum err
simulation_new(struct simulation **out, const struct simulation_config *cfg)
{
	enum err e = check(cfg);
	struct simulation *s;

	if (e != ERR_OK)
		return e;
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return ERR_MEMORY;
	s->cfg = *cfg;
	s->params = &s->cfg.params;
	s->now_ms = cfg->start_ms;
	s->round = timing_round(s->params, cfg->start_ms);
	stream_init(&s->stream, cfg->seed, SIMULATION_STREAM_SENDERS);
	stream_init(&s->ways, cfg->seed, SIMULATION_STREAM_COUNTED);
	e = make_nodes(s);
	if (e == ERR_OK)
		e = make_persons(s);
	if (e == ERR_OK)
		e = more_tokens(s);
	if (e != ERR_OK) {
		simulation_free(s);
		return e;
	}
	*out = s;
	return ERR_OK;
}

void
simulation_free(struct simulation *s)
{
	if (s == NULL)
		return;
	for (uint32_t i = 0; s->nodes != NULL && i < s->node_count; i++) {
		pool_free(s->nodes[i].pool);
		free(s->nodes[i].counted.handles);
	}
	timeheap_release(&s->senders);
	timeheap_release(&s->flushes);
	free(s->nodes);
	free(s->persons);
	free(s->transfers.ring);
	free(s->tokens);
	free(s->delays);
	free(s->spare);
	free(s->batch);
	free(s->deposits);
	free(s);
}

/* ---- looking ---- */

int64_t
simulation_now(const struct simulation *s)
{
	return s->now_ms;
}

void
simulation_fail(struct simulation *s, enum err e)
{
	if (s->failure == ERR_OK)
		s->failure = e;
}

struct token *
simulation_token(struct simulation *s, uint32_t handle)
{
	return &s->tokens[handle];
}

uint32_t
simulation_node(const struct simulation *s, unsigned layer, unsigned index)
{
	return s->layer_first[layer] + index;
}

unsigned
simulation_layer(const struct simulation *s, uint32_t node)
{
	unsigned layer = 0;

	while (layer + 1 < s->params->layers && s->layer_first[layer + 1] <= node)
		layer++;
	return layer;
}

const struct simulation_counts *
simulation_counts(const struct simulation *s)
{
	return &s->counts;
}

uint64_t
simulation_waiting(struct simulation *s)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < s->cfg.persons; i++)
		for (; s->persons[i].message_ms < s->now_ms; n++)
			simulation_next_message(s, i, s->persons[i].message_ms);
	return n;
}

size_t
simulation_bytes(const struct simulation *s)
{
	return sizeof(*s) + s->node_count * sizeof(s->nodes[0]) +
	    s->cfg.persons * (sizeof(s->persons[0]) + 16) +
	    s->transfers.room * sizeof(s->transfers.ring[0]) +
	    s->token_room * (sizeof(s->tokens[0]) + 4 + 4 * s->params->layers) +
	    4 * (s->batch_room + s->deposit_room);
}

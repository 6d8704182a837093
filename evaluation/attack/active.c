#include "config.h"

#include "evaluation/attack/active.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/bytes.h"
#include "common/charter/charter.h"
#include "common/charter/path.h"
#include "common/charter/sheet.h"
#include "common/charter/timing.h"
#include "common/crypto/onion.h"
#include "common/journal/block.h"
#include "evaluation/stream.h"
#include "mix/pool.h"
#include "mix/replay.h"
#include "mix/unwrap.h"

#define TAGS_MAX ((size_t)1 << 20)
#define NO_MIXING "threshold packets=1"
#define RESERVED_AT 1 /* the command's second byte is zero in every client's packet */

struct parcel {
	uint8_t *bytes; /* NULL: a number alone */
	uint32_t who;
	bool deposit;
	uint32_t delays_ms[ONION_LAYERS_MAX];
};

struct active {
	struct charter *charter;
	struct sheet *sheet;
	struct params params;
	struct onion_geometry geometry;
	uint8_t sk[ONION_HOPS_MAX][ONION_KEY_BYTES];
	struct replay *replay[ONION_HOPS_MAX];
	struct pool *pools[ONION_LAYERS_MAX];
	unsigned weakness;
	struct stream stream;
	struct rng_seeded keys;
	int64_t now_ms;
	struct parcel *parcels;
	size_t parcel_count, parcel_room;
	uint32_t *batch;
	struct active_exit *exits;
	size_t exit_count, exit_room;
};

/* ---- making ---- */

/* Node i + 1 is the mix of layer i, the last one the gateway. */
static void
fill_charter(struct active *a)
{
	struct charter *c = a->charter;

	c->params = a->params;
	for (unsigned i = 0; i <= a->params.layers; i++) {
		struct charter_node *n = &c->nodes[c->node_count++];

		n->number = (uint16_t)c->node_count;
		n->role = i < a->params.layers ? CHARTER_MIX : CHARTER_GATEWAY;
		n->layer = (uint8_t)i;
	}
	c->last_number = (uint16_t)c->node_count;
}

static enum err
fill_sheet(struct active *a)
{
	struct buf text;
	enum err e;

	a->sheet->epoch = timing_epoch(&a->params, a->now_ms);
	a->sheet->count = a->charter->node_count;
	for (size_t i = 0; i < a->charter->node_count; i++) {
		struct announcement *n = &a->sheet->nodes[i];

		rng_bytes(&a->keys.rng, a->sk[i], sizeof(a->sk[i]));
		(void)crypto_scalarmult_base(n->pk, a->sk[i]);
		n->node = a->charter->nodes[i].number;
		n->epoch = a->sheet->epoch;
		n->suite = a->params.suite;
	}
	buf_init(&text);
	e = sheet_encode(&text, a->sheet); /* takes the hash */
	buf_release(&text);
	return e;
}

static enum err
make_mixes(struct active *a)
{
	enum err e = ERR_OK;

	for (unsigned i = 0; i <= a->params.layers && e == ERR_OK; i++) {
		e = replay_open(&a->replay[i], NULL, NULL, &a->keys.rng, TAGS_MAX, NULL);
		if (e == ERR_OK && i < a->params.layers)
			e = pool_new(&a->pools[i], &a->params, i, a->now_ms);
	}
	return e;
}

static enum err
make_parts(struct active *a, const struct scenario *s, uint64_t seed)
{
	struct scenario own = *s;

	(void)snprintf(own.width, sizeof(own.width), "1");
	if ((a->weakness & ACTIVE_NO_MIXING) != 0) {
		memset(own.of_layer, 0, sizeof(own.of_layer));
		(void)snprintf(own.strategy, sizeof(own.strategy), NO_MIXING);
	}
	scenario_params(&a->params, &own);
	a->geometry = params_geometry(&a->params);
	stream_init(&a->stream, seed, 0);
	rng_seeded_init(&a->keys, ~seed);
	a->charter = charter_new();
	a->sheet = calloc(1, sizeof(*a->sheet));
	a->batch = calloc(a->params.pool_max, sizeof(*a->batch));
	if (a->charter == NULL || a->sheet == NULL || a->batch == NULL)
		return ERR_MEMORY;
	fill_charter(a);
	return fill_sheet(a);
}

enum err
active_new(struct active **out, const struct scenario *s, unsigned weakness, uint64_t seed)
{
	struct active *a = calloc(1, sizeof(*a));
	enum err e;

	if (a == NULL)
		return ERR_MEMORY;
	a->now_ms = SCENARIO_MONDAY_MS + 3600000;
	a->weakness = weakness;
	e = make_parts(a, s, seed);
	if (e == ERR_OK)
		e = make_mixes(a);
	if (e != ERR_OK) {
		active_free(a);
		return e;
	}
	*out = a;
	return ERR_OK;
}

void
active_free(struct active *a)
{
	if (a == NULL)
		return;
	for (size_t i = 0; i < a->parcel_count; i++)
		free(a->parcels[i].bytes);
	for (unsigned i = 0; i < ONION_LAYERS_MAX; i++)
		pool_free(a->pools[i]);
	for (unsigned i = 0; i < ONION_HOPS_MAX; i++)
		replay_free(a->replay[i]);
	charter_free(a->charter);
	free(a->sheet);
	free(a->batch);
	free(a->parcels);
	free(a->exits);
	free(a);
}

int64_t
active_now(const struct active *a)
{
	return a->now_ms;
}

const struct active_exit *
active_exits(const struct active *a, size_t *n)
{
	*n = a->exit_count;
	return a->exits;
}

/* ---- packets ---- */

static enum err
new_parcel(uint32_t *out, struct active *a, uint32_t who, bool deposit)
{
	struct parcel *p;

	if (a->parcel_count == a->parcel_room) {
		size_t room = a->parcel_room > 0 ? 2 * a->parcel_room : 64;

		p = realloc(a->parcels, room * sizeof(*p));
		if (p == NULL)
			return ERR_MEMORY;
		a->parcels = p;
		a->parcel_room = room;
	}
	p = &a->parcels[a->parcel_count];
	*p = (struct parcel){ .who = who, .deposit = deposit };
	if ((a->weakness & ACTIVE_NUMBERS) == 0) {
		p->bytes = malloc(onion_packet_bytes(&a->geometry, 0));
		if (p->bytes == NULL)
			return ERR_MEMORY;
	}
	*out = (uint32_t)a->parcel_count++;
	return ERR_OK;
}

static enum err
wrap(struct active *a, struct parcel *p)
{
	uint8_t body[ONION_RECORD_MAX];
	struct onion_command command = { .kind = p->deposit ? ONION_DEPOSIT : ONION_DROP,
		.body = p->deposit ? body : NULL };
	struct path path = { .hops = (uint8_t)(a->params.layers + 1) };
	struct onion_hop hops[ONION_HOPS_MAX];
	enum err e;

	rng_bytes(&a->keys.rng, body, a->geometry.record_size);
	for (unsigned i = 0; i <= a->params.layers; i++)
		path.node[i] = (uint16_t)(i + 1);
	e = path_hops(hops, &path, a->sheet);
	if (e != ERR_OK)
		return e;
	for (unsigned i = 0; i < a->params.layers; i++)
		hops[i].delay_ms = p->delays_ms[i];
	return onion_build(p->bytes, &a->geometry, a->sheet->epoch, a->sheet->hash, hops, &command,
	    &a->keys.rng);
}

enum err
active_build(uint32_t *packet, struct active *a, uint32_t who, bool deposit)
{
	enum err e = new_parcel(packet, a, who, deposit);
	struct parcel *p;

	if (e != ERR_OK)
		return e;
	p = &a->parcels[*packet];
	for (unsigned i = 0; i < a->params.layers; i++) {
		const struct strategy *s = &a->params.strategy[i];

		if (s->kind == STRATEGY_STOP_AND_GO)
			p->delays_ms[i] = rng_exponential_ms(&a->stream.rng, s->mean_ms,
			    strategy_delay_max_ms(s));
	}
	return p->bytes != NULL ? wrap(a, p) : ERR_OK;
}

/* Where the command begins, inside all layers. */
static size_t
command_at(const struct active *a)
{
	return a->params.layers * (size_t)(ONION_CT_BYTES + ONION_ROUTE_BYTES) + ONION_CT_BYTES;
}

void
active_tag(struct active *a, uint32_t packet, bool any)
{
	uint32_t bits = 8 * (uint32_t)onion_packet_bytes(&a->geometry, 0);
	size_t bit = any ? rng_below(&a->stream.rng, bits) : 8 * (command_at(a) + RESERVED_AT);

	a->parcels[packet].bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
}

enum err
active_copy(uint32_t *copy, struct active *a, uint32_t packet)
{
	enum err e = new_parcel(copy, a, a->parcels[packet].who, a->parcels[packet].deposit);

	if (e == ERR_OK && a->parcels[*copy].bytes != NULL)
		memcpy(a->parcels[*copy].bytes, a->parcels[packet].bytes,
		    onion_packet_bytes(&a->geometry, 0));
	return e;
}

/* ---- a hop ---- */

/* Without the check of the AEAD: its stream alone, from the second block on. */
static void
open_all(struct onion_job *job, const struct active *a, unsigned layer)
{
	static const uint8_t nonce[crypto_stream_chacha20_ietf_NONCEBYTES];
	size_t n = onion_packet_bytes(&a->geometry, layer);
	uint8_t *sealed = job->packet + ONION_CT_BYTES;

	(void)crypto_stream_chacha20_ietf_xor_ic(sealed, sealed,
	    n - ONION_CT_BYTES - ONION_AEAD_BYTES, nonce, 1, job->key);
	job->inner = sealed + (layer < a->params.layers ? ONION_ROUTE_BYTES : 0);
	job->delay_ms = 0;
	onion_forget(job);
}

/* As a daemon opens it, or as the control does; false: dropped. */
static bool
open_packet(struct onion_job *job, struct active *a, unsigned layer)
{
	struct unwrap_ground g = { .charter = a->charter,
		.key = { .epoch = a->sheet->epoch, .layer = (uint8_t)layer, .sk = a->sk[layer] } };
	struct unwrap_counts counts = { { 0 } };

	memcpy(g.key.pk, a->sheet->nodes[layer].pk, sizeof(g.key.pk));
	memcpy(g.key.sheet_hash, a->sheet->hash, sizeof(g.key.sheet_hash));
	if ((a->weakness & (ACTIVE_OPENS_ALL | ACTIVE_FORGETS)) == 0)
		return replay_set(&g.replay, a->replay[layer], a->sheet->epoch) == ERR_OK &&
		    unwrap_batch(job, 1, &g, &counts) == 1;
	onion_derive(job, 1, &a->geometry, &g.key);
	if (job->verdict != ONION_PENDING)
		return false;
	if ((a->weakness & ACTIVE_OPENS_ALL) != 0) {
		open_all(job, a, layer);
		return true;
	}
	onion_open(job, 1, &a->geometry, &g.key);
	return job->verdict == ONION_OPENED;
}

static enum err
note_exit(struct active *a, const struct active_exit *x)
{
	if (a->exit_count == a->exit_room) {
		size_t room = a->exit_room > 0 ? 2 * a->exit_room : 64;
		struct active_exit *exits = realloc(a->exits, room * sizeof(*exits));

		if (exits == NULL)
			return ERR_MEMORY;
		a->exits = exits;
		a->exit_room = room;
	}
	a->exits[a->exit_count++] = *x;
	return ERR_OK;
}

static void
read_command(struct active_exit *x, const struct active *a, const uint8_t *inner)
{
	struct onion_command command;

	x->marked = onion_command_parse(&command, &a->geometry, inner) != ERR_OK;
	x->deposit = !x->marked && command.kind == ONION_DEPOSIT;
	if (x->deposit)
		block_record_digest(x->digest, command.body, a->geometry.record_size);
}

/* Into the mix of a layer, or the gateway. */
static enum err
enter(struct active *a, uint32_t packet, unsigned layer)
{
	struct parcel *p = &a->parcels[packet];
	struct active_exit x = { .at_ms = a->now_ms, .who = p->who, .deposit = p->deposit };
	struct onion_job job = { .packet = p->bytes,
		.delay_ms = layer < a->params.layers ? p->delays_ms[layer] : 0 };

	if (p->bytes != NULL && !open_packet(&job, a, layer))
		return ERR_OK;
	if (layer < a->params.layers) {
		if (p->bytes != NULL)
			memmove(p->bytes, job.inner, onion_packet_bytes(&a->geometry, layer + 1));
		return pool_add(a->pools[layer], packet, job.delay_ms, a->now_ms);
	}
	if (p->bytes != NULL)
		read_command(&x, a, job.inner);
	return note_exit(a, &x);
}

enum err
active_send(struct active *a, uint32_t packet)
{
	return enter(a, packet, 0);
}

/* The layer that is due first, not after until_ms; layers: none. */
static unsigned
next_due(const struct active *a, int64_t until_ms)
{
	unsigned best = a->params.layers;
	int64_t due_ms = until_ms;

	for (unsigned i = 0; i < a->params.layers; i++)
		if (pool_due(a->pools[i]) <= due_ms) {
			best = i;
			due_ms = pool_due(a->pools[i]) - 1;
		}
	return best;
}

enum err
active_run(struct active *a, int64_t until_ms)
{
	enum err e = ERR_OK;

	while (e == ERR_OK) {
		unsigned layer = next_due(a, until_ms);
		size_t n;

		if (layer == a->params.layers)
			break;
		if (pool_due(a->pools[layer]) > a->now_ms)
			a->now_ms = pool_due(a->pools[layer]);
		n = pool_flush(a->pools[layer], a->batch, a->now_ms, &a->stream.rng);
		for (size_t i = 0; i < n && e == ERR_OK; i++)
			e = enter(a, a->batch[i], layer + 1);
	}
	a->now_ms = until_ms > a->now_ms ? until_ms : a->now_ms;
	return e;
}

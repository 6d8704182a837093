#include "config.h"

#include "evaluation/simulation_onion.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/bytes.h"
#include "common/base/rng.h"
#include "common/charter/charter.h"
#include "common/charter/path.h"
#include "common/charter/sheet.h"
#include "common/charter/timing.h"
#include "common/crypto/onion.h"
#include "mix/replay.h"
#include "mix/unwrap.h"

#define FIRST_ROOM 1024
#define TAGS_MAX ((size_t)1 << 26) /* of a node and an epoch */
#define NOTE_BYTES 8
#define KEY_STREAM UINT64_C(0x6b65797320617265)

/* The keys of one epoch, for as long as packets under them are on their way. */
struct epoch {
	struct epoch *next;
	struct sheet *sheet;
	size_t packets;
	uint8_t sk[CHARTER_NODES_MAX][ONION_KEY_BYTES]; /* as charter->nodes */
};

struct packet {
	struct epoch *epoch;
	uint8_t *bytes; /* NULL: none under this handle */
	uint16_t node[ONION_HOPS_MAX];
	uint8_t kind; /* enum onion_kind */
};

struct simulation_onion {
	struct charter *charter;
	struct onion_geometry geometry;
	uint16_t first[ONION_HOPS_MAX]; /* number of each layer's first node */
	struct replay *replay[CHARTER_NODES_MAX];
	struct rng_seeded keys;
	uint64_t seed;
	struct epoch *epochs; /* the latest first */
	struct packet *packets; /* by handle */
	size_t room;
	uint8_t *body;
	struct unwrap_counts causes;
	struct simulation_onion_counts counts;
};

/* ---- epochs ---- */

static bool
keep_epoch(void *arg, uint32_t number)
{
	const struct simulation_onion *o = arg;

	for (const struct epoch *p = o->epochs; p != NULL; p = p->next)
		if (p->sheet->epoch == number)
			return true;
	return false;
}

static void
epoch_free(struct epoch *p)
{
	if (p == NULL)
		return;
	free(p->sheet);
	free(p);
}

/* What no packet is under any more, but for the latest. */
static void
drop_epochs(struct simulation_onion *o)
{
	bool dropped = false;

	for (struct epoch **at = &o->epochs->next; *at != NULL;) {
		struct epoch *p = *at;

		if (p->packets > 0) {
			at = &p->next;
			continue;
		}
		*at = p->next;
		epoch_free(p);
		dropped = true;
	}
	for (size_t i = 0; dropped && i < o->charter->node_count; i++)
		replay_prune(o->replay[i], keep_epoch, o);
}

/* Every node's key, from the seed and the epoch alone; nobody checks a signature here. */
static enum err
fill_epoch(struct epoch *p, const struct simulation_onion *o, uint32_t number)
{
	struct rng_seeded keys;
	struct buf text;
	enum err e;

	rng_seeded_init(&keys, (o->seed ^ KEY_STREAM) + number * UINT64_C(0x9e3779b97f4a7c15));
	p->sheet->epoch = number;
	p->sheet->count = o->charter->node_count;
	for (size_t i = 0; i < o->charter->node_count; i++) {
		struct announcement *a = &p->sheet->nodes[i];

		rng_bytes(&keys.rng, p->sk[i], sizeof(p->sk[i]));
		crypto_scalarmult_base(a->pk, p->sk[i]);
		a->node = o->charter->nodes[i].number;
		a->epoch = number;
		a->suite = o->charter->params.suite;
	}
	buf_init(&text);
	e = sheet_encode(&text, p->sheet); /* takes the hash */
	buf_release(&text);
	return e;
}

static enum err
epoch_at(struct epoch **out, struct simulation_onion *o, int64_t now_ms)
{
	uint32_t number = timing_epoch(&o->charter->params, now_ms);
	struct epoch *p = o->epochs;
	enum err e;

	if (p != NULL && p->sheet->epoch == number) {
		*out = p;
		return ERR_OK;
	}
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		return ERR_MEMORY;
	p->sheet = calloc(1, sizeof(*p->sheet));
	e = p->sheet != NULL ? fill_epoch(p, o, number) : ERR_MEMORY;
	if (e != ERR_OK) {
		epoch_free(p);
		return e;
	}
	p->next = o->epochs;
	o->epochs = p;
	drop_epochs(o);
	*out = p;
	return ERR_OK;
}

/* ---- the carrier ---- */

static enum err
room_for(struct simulation_onion *o, uint32_t handle)
{
	size_t room = o->room > 0 ? o->room : FIRST_ROOM;
	struct packet *packets;

	if (handle < o->room)
		return ERR_OK;
	while (room <= handle)
		room *= 2;
	packets = realloc(o->packets, room * sizeof(*packets));
	if (packets == NULL)
		return ERR_MEMORY;
	memset(packets + o->room, 0, (room - o->room) * sizeof(*packets));
	o->packets = packets;
	o->room = room;
	return ERR_OK;
}

/* What a client puts into a packet of this kind: bytes that look like any others. */
static void
fill_command(struct onion_command *c, struct simulation_onion *o, const struct token *t)
{
	memset(c, 0, sizeof(*c));
	memset(o->body, 0, o->geometry.record_size);
	switch ((enum token_content)t->kind) {
	case TOKEN_COVER:
		c->kind = ONION_DROP;
		return;
	case TOKEN_NOTE:
		c->kind = ONION_NOTE;
		rng_bytes(&o->keys.rng, o->body, NOTE_BYTES);
		break;
	case TOKEN_REAL:
		c->kind = ONION_DEPOSIT;
		rng_bytes(&o->keys.rng, o->body, o->geometry.record_size);
		break;
	}
	c->body = o->body;
}

static void
fill_path(struct path *out, const struct simulation_onion *o, const struct token *t)
{
	unsigned layers = o->geometry.layers;

	memset(out, 0, sizeof(*out));
	for (unsigned i = 0; i < layers; i++)
		out->node[i] = (uint16_t)(o->first[i] + t->path[i]);
	out->node[layers] = o->first[layers];
	out->hops = (uint8_t)(layers + 1);
}

static enum err
wrap(void *arg, uint32_t handle, const struct token *t, const uint32_t *delays_ms)
{
	struct simulation_onion *o = arg;
	struct onion_hop hops[ONION_HOPS_MAX];
	struct onion_command command;
	struct epoch *epoch = NULL;
	struct packet *p;
	struct path path;
	enum err e = room_for(o, handle);

	if (e == ERR_OK)
		e = epoch_at(&epoch, o, t->sent_ms);
	fill_path(&path, o, t);
	if (e == ERR_OK)
		e = path_hops(hops, &path, epoch->sheet);
	if (e != ERR_OK)
		return e;
	for (unsigned i = 0; i < o->geometry.layers; i++)
		hops[i].delay_ms = delays_ms[i];
	p = &o->packets[handle];
	p->bytes = malloc(onion_packet_bytes(&o->geometry, 0));
	if (p->bytes == NULL)
		return ERR_MEMORY;
	p->epoch = epoch;
	epoch->packets++;
	memcpy(p->node, path.node, sizeof(p->node));
	fill_command(&command, o, t);
	p->kind = (uint8_t)command.kind;
	o->counts.built++;
	return onion_build(p->bytes, &o->geometry, epoch->sheet->epoch, epoch->sheet->hash, hops,
	    &command, &o->keys.rng);
}

/* The rest of the way is what the sender chose. */
static bool
is_right(const struct simulation_onion *o, const struct packet *p, unsigned layer,
    const struct onion_job *job)
{
	struct onion_command command;

	if (layer < o->geometry.layers)
		return job->next_node == p->node[layer + 1];
	return onion_command_parse(&command, &o->geometry, job->inner) == ERR_OK &&
	    command.kind == (enum onion_kind)p->kind;
}

static bool
unwrap(void *arg, uint32_t handle, unsigned layer, uint32_t *delay_ms)
{
	struct simulation_onion *o = arg;
	struct packet *p = &o->packets[handle];
	size_t index = p->node[layer] - 1u;
	const struct sheet *sheet = p->epoch->sheet;
	struct unwrap_ground g = { .charter = o->charter,
		.key = { .epoch = sheet->epoch, .layer = (uint8_t)layer,
		    .sk = p->epoch->sk[index] } };
	struct onion_job job = { .packet = p->bytes };

	memcpy(g.key.pk, sheet->nodes[index].pk, sizeof(g.key.pk));
	memcpy(g.key.sheet_hash, sheet->hash, sizeof(g.key.sheet_hash));
	if (replay_set(&g.replay, o->replay[index], sheet->epoch) != ERR_OK ||
	    unwrap_batch(&job, 1, &g, &o->causes) != 1 || !is_right(o, p, layer, &job)) {
		o->counts.dropped++;
		return false;
	}
	o->counts.opened++;
	*delay_ms = job.delay_ms;
	if (layer < o->geometry.layers)
		memmove(p->bytes, job.inner, onion_packet_bytes(&o->geometry, layer + 1));
	return true;
}

static void
end(void *arg, uint32_t handle)
{
	struct simulation_onion *o = arg;
	struct packet *p = handle < o->room ? &o->packets[handle] : NULL;

	if (p == NULL || p->bytes == NULL)
		return;
	p->epoch->packets--;
	free(p->bytes);
	memset(p, 0, sizeof(*p));
}

void
simulation_onion_carrier(struct simulation_onion *o, struct simulation_carrier *out)
{
	*out = (struct simulation_carrier){ .wrap = wrap, .unwrap = unwrap, .end = end, .arg = o };
}

const struct simulation_onion_counts *
simulation_onion_counts(const struct simulation_onion *o)
{
	return &o->counts;
}

/* ---- life ---- */

/* Nodes are numbered from 1 by layer, the gateway last. */
static void
fill_charter(struct simulation_onion *o, const struct params *p)
{
	struct charter *c = o->charter;

	c->params = *p;
	for (unsigned layer = 0; layer <= p->layers; layer++) {
		unsigned width = layer < p->layers ? p->mixes[layer] : 1;

		o->first[layer] = (uint16_t)(c->node_count + 1);
		for (unsigned i = 0; i < width; i++) {
			struct charter_node *n = &c->nodes[c->node_count++];

			n->number = (uint16_t)c->node_count;
			n->role = layer < p->layers ? CHARTER_MIX : CHARTER_GATEWAY;
			n->layer = (uint8_t)layer;
		}
	}
	c->last_number = (uint16_t)c->node_count;
}

static enum err
make_parts(struct simulation_onion *o, const struct params *p, uint64_t seed)
{
	enum err e = ERR_OK;

	o->charter = charter_new();
	o->geometry = params_geometry(p);
	o->body = malloc(o->geometry.record_size);
	if (o->charter == NULL || o->body == NULL)
		return ERR_MEMORY;
	o->seed = seed;
	rng_seeded_init(&o->keys, seed ^ KEY_STREAM);
	fill_charter(o, p);
	for (size_t i = 0; i < o->charter->node_count && e == ERR_OK; i++)
		e = replay_open(&o->replay[i], NULL, NULL, &o->keys.rng, TAGS_MAX, NULL);
	return e;
}

enum err
simulation_onion_new(struct simulation_onion **out, const struct params *p, uint64_t seed,
    struct diag *d)
{
	struct simulation_onion *o;
	size_t nodes = 1;
	enum err e;

	for (unsigned i = 0; i < p->layers; i++)
		nodes += p->mixes[i];
	if (nodes > CHARTER_NODES_MAX)
		return diag_set(d, ERR_RANGE, "'crypto' needs a charter, which has at most %d "
		    "mixes; reduce 'width' or 'layers'", CHARTER_NODES_MAX - 1);
	o = calloc(1, sizeof(*o));
	if (o == NULL)
		return ERR_MEMORY;
	e = make_parts(o, p, seed);
	if (e != ERR_OK) {
		simulation_onion_free(o);
		return e;
	}
	*out = o;
	return ERR_OK;
}

void
simulation_onion_free(struct simulation_onion *o)
{
	if (o == NULL)
		return;
	for (size_t i = 0; i < o->room; i++)
		free(o->packets[i].bytes);
	while (o->epochs != NULL) {
		struct epoch *p = o->epochs;

		o->epochs = p->next;
		epoch_free(p);
	}
	for (size_t i = 0; i < CHARTER_NODES_MAX; i++)
		replay_free(o->replay[i]);
	charter_free(o->charter);
	free(o->packets);
	free(o->body);
	free(o);
}

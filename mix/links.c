#include "config.h"

#include "mix/links.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "common/base/secret.h"
#include "common/charter/timing.h"
#include "common/net/frame.h"
#include "common/net/link.h"
#include "mix/batches.h"

#define LINK_FRAMES_MAX 256 /* in a link's own buffer; the others wait in the peer's queue */
#define STEADY_MS 10000     /* a link that was up for so long is no failed attempt */

/* A frame that waits for its link. */
struct waiting {
	STAILQ_ENTRY(waiting) next;
	bool packet;
	uint8_t frame[];
};
STAILQ_HEAD(waiting_list, waiting);

/* One link, dialled or accepted. */
struct line {
	struct links *owner;
	struct peer *peer; /* accepted: NULL until its first frame came */
	struct link *link; /* dialled: NULL between attempts */
	unsigned layer;	   /* whose frame size it has */
	bool dialled;
	bool quiet; /* nothing was sent since the last look */
	bool told;  /* the peer stated its figure */
	LIST_ENTRY(line) strangers;
};

/* Where a peer may be, and by which key: as charters that count say. */
struct doors {
	size_t count;
	const struct charter_node *at[SUCCESSION_CURRENT_MAX];
};

struct peer {
	LIST_ENTRY(peer) entry;
	struct links *owner;
	uint16_t number;
	unsigned layer;
	bool dials, accepts; /* we dial it; it may dial us */
	bool next;	     /* of the next layer: gets our batches .. */
	bool serving;	     /* .. if its charter is, or was until now, in force */
	struct doors doors;
	unsigned door;	     /* that is tried, or was found */
	uint8_t out_pk[32];  /* by which the dialled link knows it */
	struct line out;
	struct timer *retry;
	unsigned attempts;
	unsigned brief;	   /* links in a row that ended soon after they came up */
	int64_t up_ms;	   /* when the last one did, boot clock */
	int64_t rolled_back; /* epoch in which it said so last; -1: never */
	struct waiting_list queue;
	size_t queued_packets, queued_others;
	struct line *in; /* NULL: none */
};

struct links {
	struct links_config cfg;
	struct links_events events;
	void *arg;
	const struct params *params;
	const struct charter_node *own; /* for number, role and layer, which stay */
	bool has_place, started;
	uint8_t link_pk[32];
	struct batches *batches;
	struct listener *listeners[SUCCESSION_CURRENT_MAX];
	struct timer *idle;
	LIST_HEAD(, line) strangers;
	size_t stranger_count;
	uint64_t dropped;
	uint8_t *scratch; /* one frame */
	size_t queue_max; /* packets that wait for one peer, at most */
	LIST_HEAD(, peer) peers;
};

static void dial(struct peer *p);

static struct peer *
peer_of(const struct links *k, uint16_t number)
{
	struct peer *p;

	LIST_FOREACH(p, &k->peers, entry)
		if (p->number == number)
			return p;
	return NULL;
}

static bool
has_key(const struct doors *d, const uint8_t pk[static 32])
{
	for (size_t i = 0; i < d->count; i++)
		if (sodium_memcmp(d->at[i]->link, pk, 32) == 0)
			return true;
	return false;
}

static size_t
frame_bytes(const struct links *k, unsigned layer)
{
	return params_node_frame_bytes(k->params, layer);
}

/* ---- sending ---- */

static enum err
line_send(struct line *n, const struct frame_node *f)
{
	struct links *k = n->owner;
	enum err e;

	frame_node_encode(k->scratch, k->params, n->layer, f);
	e = link_send(n->link, k->scratch);
	if (e == ERR_OK)
		n->quiet = false;
	return e;
}

/* Move what waits into the link's buffer as far as it goes. */
static void
pump(struct peer *p)
{
	struct waiting *w;

	while ((w = STAILQ_FIRST(&p->queue)) != NULL && p->out.link != NULL &&
	    link_send(p->out.link, w->frame) == ERR_OK) {
		p->out.quiet = false;
		STAILQ_REMOVE_HEAD(&p->queue, next);
		*(w->packet ? &p->queued_packets : &p->queued_others) -= 1;
		free(w);
	}
}

static enum err
enqueue(struct peer *p, const struct frame_node *f)
{
	bool packet = f->type == FRAME_NODE_PACKET;
	size_t *count = packet ? &p->queued_packets : &p->queued_others;
	struct links *k = p->owner;
	struct waiting *w;

	if (*count >= k->queue_max)
		return ERR_FULL;
	w = malloc(sizeof(*w) + frame_bytes(k, p->out.layer));
	if (w == NULL)
		return ERR_MEMORY;
	w->packet = packet;
	frame_node_encode(w->frame, k->params, p->out.layer, f);
	STAILQ_INSERT_TAIL(&p->queue, w, next);
	*count += 1;
	return ERR_OK;
}

static enum err
peer_send(struct links *k, uint16_t to, const struct frame_node *f)
{
	struct peer *p = peer_of(k, to);

	if (p == NULL || !p->dials)
		return ERR_NOT_FOUND;
	if (STAILQ_EMPTY(&p->queue) && links_is_up(k, to) && line_send(&p->out, f) == ERR_OK)
		return ERR_OK;
	return enqueue(p, f);
}

enum err
links_send_packet(struct links *k, uint16_t to, uint32_t epoch, const uint8_t *packet)
{
	const struct frame_node f = {
		.type = FRAME_NODE_PACKET, .epoch = epoch, .packet = packet
	};
	enum err e = peer_send(k, to, &f);

	k->dropped += e == ERR_FULL;
	return e;
}

enum err
links_send_announcement(struct links *k, uint16_t to, const uint8_t *announcement)
{
	const struct frame_node f = {
		.type = FRAME_NODE_ANNOUNCEMENT, .announcement = announcement
	};

	return peer_send(k, to, &f);
}

enum err
links_send_seed(struct links *k, uint16_t to, uint32_t epoch, const uint8_t seed[static 32])
{
	const struct frame_node f = { .type = FRAME_NODE_SEED, .epoch = epoch, .seed = seed };
	struct peer *p = peer_of(k, to);
	enum err e;

	if (p == NULL || !p->dials)
		return ERR_NOT_FOUND;
	if (!links_is_up(k, to) || !STAILQ_EMPTY(&p->queue))
		return ERR_STATE;
	e = line_send(&p->out, &f);
	sodium_memzero(k->scratch, frame_bytes(k, p->out.layer));
	return e == ERR_OK ? ERR_OK : ERR_STATE;
}

void
links_end_batch(struct links *k)
{
	struct peer *p;

	LIST_FOREACH(p, &k->peers, entry) {
		struct frame_node f = { .type = FRAME_NODE_BATCH, .batch_kind = FRAME_BATCH_ENDS };

		f.batch = batches_sent(k->batches, p->number);
		/* A number that finds no room is only a figure the peer learns later. */
		if (p->next && p->serving)
			(void)peer_send(k, p->number, &f);
	}
}

/* ---- receiving ---- */

static void
told_had(struct line *n, uint64_t figure)
{
	struct links *k = n->owner;
	uint16_t peer = n->peer->number;
	uint32_t epoch = timing_epoch(k->params, loop_wall_ms(k->cfg.loop));

	if (n->told)
		return;
	n->told = true;
	if (!batches_told(k->batches, peer, figure, epoch))
		return;
	/* once an epoch and peer, however often the link comes up anew */
	if (n->peer->rolled_back != (int64_t)epoch)
		log_event(k->cfg.log, LOG_ROLLED_BACK, peer, epoch, 0);
	n->peer->rolled_back = epoch;
	if (k->events.rolled_back != NULL)
		k->events.rolled_back(k->arg, peer);
}

static void
take_batch(struct line *n, const struct frame_node *f)
{
	struct links *k = n->owner;
	uint16_t peer = n->peer->number;

	switch (f->batch_kind) {
	case FRAME_BATCH_HAD:
		told_had(n, f->batch);
		return;
	case FRAME_BATCH_ENDS:
		if (n->dialled)
			return;
		batches_received(k->batches, peer, f->batch);
		if (k->events.batch != NULL)
			k->events.batch(k->arg, peer, f->batch);
		return;
	}
}

/* Packets, announcements and seeds go from the dialler to the acceptor only. */
static void
take_frame(struct line *n, const struct frame_node *f)
{
	struct links *k = n->owner;
	uint16_t peer = n->peer->number;
	bool registrar = n->peer->layer == CHARTER_NO_LAYER;

	switch (f->type) {
	case FRAME_NODE_PACKET:
		if (!n->dialled && !registrar)
			k->events.packet(k->arg, peer, f->epoch, (uint8_t *)(uintptr_t)f->packet);
		return;
	case FRAME_NODE_ANNOUNCEMENT:
		if (!n->dialled && !registrar && k->events.announcement != NULL)
			k->events.announcement(k->arg, peer, f->announcement);
		return;
	case FRAME_NODE_BATCH:
		take_batch(n, f);
		return;
	case FRAME_NODE_SEED:
		if (!n->dialled && registrar && k->events.seed != NULL)
			k->events.seed(k->arg, peer, f->epoch, f->seed);
		return;
	case FRAME_NODE_IDLE:
		return;
	}
}

static void
tell_state(struct line *n, bool up)
{
	struct links *k = n->owner;

	if (k->events.state != NULL)
		k->events.state(k->arg, n->peer->number, n->dialled, up);
}

/* What each side says first. */
static void
say_had(struct line *n, uint16_t peer)
{
	struct frame_node f = { .type = FRAME_NODE_BATCH, .batch_kind = FRAME_BATCH_HAD };

	f.batch = batches_had(n->owner->batches, peer);
	(void)line_send(n, &f); /* a link that just came up has room */
}

/* ---- accepted links ---- */

static void
line_free(struct line *n)
{
	if (n->peer == NULL) {
		LIST_REMOVE(n, strangers);
		n->owner->stranger_count--;
	} else if (n->peer->in == n) {
		n->peer->in = NULL;
	}
	link_free(n->link);
	free(n);
}

static void
in_up(void *arg)
{
	struct line *n = arg;

	say_had(n, link_peer(n->link));
}

/*
 * The first frame proves that the peer is there now: the first message of a KK
 * handshake can be one that was recorded earlier, and must not displace a link.
 */
static bool
introduce(struct line *n)
{
	struct links *k = n->owner;
	struct peer *p = peer_of(k, link_peer(n->link));

	if (p == NULL || !p->accepts || !has_key(&p->doors, link_peer_pk(n->link))) {
		line_free(n); /* the charter has changed since it knocked */
		return false;
	}
	LIST_REMOVE(n, strangers);
	k->stranger_count--;
	n->peer = p;
	if (p->in != NULL)
		line_free(p->in);
	p->in = n;
	tell_state(n, true);
	return true;
}

static void
in_frame(void *arg, uint8_t *plain, size_t bytes)
{
	struct line *n = arg;
	struct frame_node f;

	(void)bytes;
	if (n->peer == NULL && !introduce(n))
		return;
	if (frame_node_decode(&f, n->owner->params, n->layer, plain) == ERR_OK)
		take_frame(n, &f);
}

static void
in_down(void *arg, enum err why)
{
	struct line *n = arg;

	(void)why;
	if (n->peer != NULL && n->peer->in == n)
		tell_state(n, false);
	line_free(n);
}

static struct link_config
link_config(const struct links *k, unsigned layer)
{
	struct link_config cfg = {
		.pattern = NOISE_KK,
		.own_sk = k->cfg.link_sk,
		.own_pk = k->link_pk,
		.send_bytes = frame_bytes(k, layer),
		.receive_bytes = frame_bytes(k, layer),
		.out_frames_max = LINK_FRAMES_MAX,
		.handshake_ms = LINKS_HANDSHAKE_MS,
		.idle_ms = LINKS_SILENT_MS,
		.keys = k->cfg.keys,
	};

	memcpy(cfg.network_id, succession_first(k->cfg.charters)->network_id,
	    sizeof(cfg.network_id));
	return cfg;
}

static bool
key_before(const struct doors *d, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (sodium_memcmp(d->at[j]->link, d->at[i]->link, 32) == 0)
			return true;
	return false;
}

/* Every good key of every node that may dial us; NULL without memory. */
static struct link_candidate *
candidates(const struct links *k, size_t *count)
{
	struct link_candidate *out;
	const struct peer *p;
	size_t room = 0, n = 0;

	LIST_FOREACH(p, &k->peers, entry)
		room += p->accepts ? p->doors.count : 0;
	out = calloc(room + 1, sizeof(*out));
	if (out == NULL)
		return NULL;
	LIST_FOREACH(p, &k->peers, entry) {
		for (size_t i = 0; p->accepts && i < p->doors.count; i++) {
			if (key_before(&p->doors, i))
				continue;
			out[n].node = p->number;
			out[n].send_bytes = out[n].receive_bytes = frame_bytes(k, k->own->layer);
			memcpy(out[n].peer_pk, p->doors.at[i]->link, 32);
			n++;
		}
	}
	*count = n;
	return out;
}

/*
 * Room for one more stranger. When all places are taken somebody at random has
 * to go: a crowd that only waits could otherwise keep an honest peer out.
 */
static void
make_room(struct links *k)
{
	struct line *n = LIST_FIRST(&k->strangers);

	if (k->stranger_count < LINKS_STRANGERS_MAX)
		return;
	for (uint32_t i = rng_below(k->cfg.rng, LINKS_STRANGERS_MAX); i > 0; i--)
		n = LIST_NEXT(n, strangers);
	line_free(n);
}

static void
accepted(void *arg, struct conn *c)
{
	static const struct link_events events = {
		.up = in_up, .frame = in_frame, .down = in_down
	};
	struct links *k = arg;
	size_t count = 0;
	struct link_candidate *who = candidates(k, &count);
	struct link_config cfg = link_config(k, k->own->layer);
	struct line *n = calloc(1, sizeof(*n));
	enum err e;

	if (n == NULL || count == 0) {
		free(who);
		free(n);
		conn_free(c);
		return;
	}
	make_room(k);
	n->owner = k;
	n->layer = k->own->layer;
	e = link_accept_any(&n->link, k->cfg.loop, c, &cfg, who, count, &events, n);
	free(who);
	if (e != ERR_OK) {
		free(n);
		return;
	}
	LIST_INSERT_HEAD(&k->strangers, n, strangers);
	k->stranger_count++;
}

/* ---- dialled links ---- */

static void
out_up(void *arg)
{
	struct peer *p = arg;

	p->attempts = 0;
	p->up_ms = loop_boot_ms(p->owner->cfg.loop);
	p->out.told = false;
	log_event(p->owner->cfg.log, LOG_LINK_UP, p->number, 0, 0);
	say_had(&p->out, p->number);
	pump(p);
	tell_state(&p->out, true);
}

static void
out_frame(void *arg, uint8_t *plain, size_t bytes)
{
	struct peer *p = arg;
	struct frame_node f;

	(void)bytes;
	if (frame_node_decode(&f, p->owner->params, p->out.layer, plain) == ERR_OK)
		take_frame(&p->out, &f);
}

static void
out_drained(void *arg)
{
	pump(arg);
}

/*
 * Exponential, and uniformly from half of it upward, so that nodes do not dial in
 * step. Links that end soon after they came up count as failures: two gateways
 * with one key would otherwise throw each other out several times a second.
 */
static void
retry_later(struct peer *p)
{
	int64_t most = LINKS_BACKOFF_MIN_MS;

	for (unsigned i = 0; i < p->attempts && most < LINKS_BACKOFF_MAX_MS; i++)
		most *= 2;
	if (most > LINKS_BACKOFF_MAX_MS)
		most = LINKS_BACKOFF_MAX_MS;
	p->attempts++;
	timer_after(p->retry, rng_between(p->owner->cfg.rng, most / 2, most));
}

static void
out_down(void *arg, enum err why)
{
	struct peer *p = arg;
	bool was_up = p->attempts == 0;

	(void)why;
	p->door = was_up ? 0 : p->door + 1;
	link_free(p->out.link);
	p->out.link = NULL;
	if (was_up || (p->attempts & (p->attempts - 1)) == 0) /* 1, 2, 4, 8.. attempts */
		log_event(p->owner->cfg.log, LOG_LINK_LOST, p->number, p->attempts, 0);
	if (was_up) {
		p->brief = loop_boot_ms(p->owner->cfg.loop) - p->up_ms < STEADY_MS ? p->brief + 1 : 0;
		p->attempts = p->brief;
	}
	retry_later(p);
	if (was_up)
		tell_state(&p->out, false);
}

static void
dial(struct peer *p)
{
	static const struct link_events events = {
		.up = out_up, .frame = out_frame, .drained = out_drained, .down = out_down
	};
	struct links *k = p->owner;
	const struct charter_node *door = p->doors.at[p->door % p->doors.count];
	struct link_config cfg = link_config(k, p->out.layer);

	cfg.initiator = true;
	cfg.peer_pk = door->link;
	memcpy(p->out_pk, door->link, sizeof(p->out_pk));
	if (p->attempts == 0)
		p->attempts = 1; /* 0: up */
	if (link_dial(&p->out.link, k->cfg.loop, door->address, &cfg, &events, p) != ERR_OK) {
		p->out.link = NULL;
		p->door++;
		retry_later(p);
	}
}

static void
on_retry(void *arg)
{
	dial(arg);
}

/* ---- heartbeats ---- */

static void
beat(struct line *n)
{
	static const struct frame_node idle = { .type = FRAME_NODE_IDLE };

	if (n->link == NULL || !link_is_up(n->link))
		return;
	if (n->quiet)
		(void)line_send(n, &idle);
	n->quiet = true;
}

static void
on_idle(void *arg)
{
	struct links *k = arg;
	struct peer *p;

	LIST_FOREACH(p, &k->peers, entry) {
		beat(&p->out);
		if (p->in != NULL)
			beat(p->in);
	}
	timer_after(k->idle, LINKS_IDLE_MS);
}

/* ---- life ---- */

/* Who dials whom, as the header says. */
static void
peer_roles(struct peer *p, const struct charter_node *own, const struct charter_node *n)
{
	bool own_gateway = own->role == CHARTER_GATEWAY, gateway = n->role == CHARTER_GATEWAY;

	if (own->role == CHARTER_REGISTRAR) {
		p->dials = gateway;
		return;
	}
	if (n->role == CHARTER_REGISTRAR) {
		p->accepts = own_gateway;
		return;
	}
	if (own_gateway) {
		p->next = p->dials = n->layer == 0;
		p->accepts = true;
		return;
	}
	p->next = n->layer == own->layer + 1;
	p->dials = p->next || gateway;
	p->accepts = own->layer == 0 ? gateway : !gateway && n->layer + 1 == own->layer;
}

static void
peer_free(struct peer *p)
{
	struct links *k = p->owner;
	struct waiting *w;

	LIST_REMOVE(p, entry);
	if (p->in != NULL)
		line_free(p->in);
	timer_free(p->retry);
	link_free(p->out.link);
	while ((w = STAILQ_FIRST(&p->queue)) != NULL) {
		k->dropped += w->packet;
		STAILQ_REMOVE_HEAD(&p->queue, next);
		free(w);
	}
	free(p);
}

/* In order of number. */
static void
insert(struct links *k, struct peer *p)
{
	struct peer *after = NULL, *q;

	LIST_FOREACH(q, &k->peers, entry)
		if (q->number < p->number)
			after = q;
	if (after != NULL)
		LIST_INSERT_AFTER(after, p, entry);
	else
		LIST_INSERT_HEAD(&k->peers, p, entry);
}

static struct peer *
peer_new(struct links *k, const struct peer *roles, const struct charter_node *n)
{
	struct peer *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->owner = k;
	p->rolled_back = -1;
	p->number = n->number;
	p->layer = n->layer;
	p->next = roles->next;
	p->dials = roles->dials;
	p->accepts = roles->accepts;
	p->out = (struct line){ .owner = k, .peer = p, .layer = n->layer, .dialled = true };
	STAILQ_INIT(&p->queue);
	insert(k, p);
	p->retry = p->dials ? timer_new(k->cfg.loop, on_retry, p) : NULL;
	if (p->retry == NULL && p->dials) {
		peer_free(p);
		return NULL;
	}
	return p;
}

static bool
same_door(const struct charter_node *a, const struct charter_node *b)
{
	return sodium_memcmp(a->link, b->link, 32) == 0 && strcmp(a->address, b->address) == 0;
}

static void
add_door(struct peer *p, const struct charter_node *n)
{
	struct doors *d = &p->doors;

	for (size_t i = 0; i < d->count; i++)
		if (same_door(d->at[i], n))
			return;
	d->at[d->count++] = n;
}

/* A node of a charter that counts. Without memory the next turn comes back to it. */
static void
see_node(struct links *k, const struct charter_node *n, bool serving)
{
	struct peer roles = { .owner = NULL }, *p = peer_of(k, n->number);

	peer_roles(&roles, k->own, n);
	if (n->number == k->own->number || (!roles.dials && !roles.accepts))
		return;
	if (p == NULL)
		p = peer_new(k, &roles, n);
	if (p == NULL)
		return;
	add_door(p, n);
	p->serving = p->serving || serving;
}

static void
see_charter(struct links *k, const struct charter *c, int64_t now_ms)
{
	bool begun = c->from_epoch <= timing_epoch(k->params, now_ms);

	if (charter_node(c, k->own->number) == NULL)
		return;
	k->has_place = true;
	if (k->cfg.queue_max == 0 && k->queue_max < c->params.pool_max)
		k->queue_max = c->params.pool_max;
	for (size_t i = 0; i < c->node_count; i++)
		see_node(k, &c->nodes[i], begun);
}

/* Links by a key that is good no more. */
static void
drop_lines(struct peer *p)
{
	if (p->in != NULL && !has_key(&p->doors, link_peer_pk(p->in->link))) {
		tell_state(p->in, false);
		line_free(p->in);
	}
	if (p->out.link == NULL || has_key(&p->doors, p->out_pk))
		return;
	if (link_is_up(p->out.link))
		tell_state(&p->out, false);
	link_free(p->out.link);
	p->out.link = NULL;
	p->attempts = 0;
}

static void
drop_peer(struct peer *p)
{
	if (p->in != NULL)
		tell_state(p->in, false);
	if (p->out.link != NULL && link_is_up(p->out.link))
		tell_state(&p->out, false);
	peer_free(p);
}

static void
settle_peers(struct links *k)
{
	uint16_t nodes[BATCHES_NODES_MAX];
	struct peer *p, *next;
	size_t n = 0;

	for (p = LIST_FIRST(&k->peers); p != NULL; p = next) {
		next = LIST_NEXT(p, entry);
		if (p->doors.count == 0) {
			drop_peer(p);
			continue;
		}
		drop_lines(p);
		if (n < BATCHES_NODES_MAX)
			nodes[n++] = p->number;
		if (k->started && p->dials && p->out.link == NULL && !timer_armed(p->retry)) {
			p->door = 0;
			dial(p);
		}
	}
	batches_keep(k->batches, nodes, n);
}

void
links_turn(struct links *k)
{
	const struct charter *list[SUCCESSION_CURRENT_MAX];
	int64_t now = loop_wall_ms(k->cfg.loop);
	size_t n = succession_current(k->cfg.charters, list, now);
	struct peer *p;

	LIST_FOREACH(p, &k->peers, entry) {
		p->doors.count = 0;
		p->serving = false;
	}
	k->has_place = false;
	for (size_t i = 0; i < n; i++)
		see_charter(k, list[i], now);
	settle_peers(k);
}

bool
links_has_place(const struct links *k)
{
	return k->has_place;
}

/* One of the charters that count must have our key, if one has us at all. */
static bool
own_key_is_good(const struct links *k)
{
	const struct charter *list[SUCCESSION_CURRENT_MAX];
	size_t n = succession_current(k->cfg.charters, list, loop_wall_ms(k->cfg.loop));
	bool any = false;

	for (size_t i = 0; i < n; i++) {
		const struct charter_node *own = charter_node(list[i], k->own->number);

		any = any || own != NULL;
		if (own != NULL && sodium_memcmp(k->link_pk, own->link, 32) == 0)
			return true;
	}
	return !any;
}

static enum err
check_own(struct links *k, struct diag *d)
{
	k->own = succession_node(k->cfg.charters, k->cfg.own);
	if (k->own == NULL)
		return diag_set(d, ERR_NOT_FOUND, "the charter has no node %u; "
		    "see that the node number is the one the charter gives our keys",
		    (unsigned)k->cfg.own);
	if (crypto_scalarmult_base(k->link_pk, k->cfg.link_sk) != 0 || !own_key_is_good(k))
		return diag_set(d, ERR_NOT_FOUND, "the charter has another link key for node %u; "
		    "see that this is the node's own key directory", (unsigned)k->cfg.own);
	return ERR_OK;
}

enum err
links_open(struct links **out, const struct links_config *cfg, const struct links_events *events,
    void *arg, struct diag *d)
{
	struct links *k = calloc(1, sizeof(*k));
	enum err e;

	if (k == NULL)
		return ERR_MEMORY;
	k->cfg = *cfg;
	k->events = *events;
	k->arg = arg;
	k->params = &succession_first(cfg->charters)->params;
	k->queue_max = cfg->queue_max;
	LIST_INIT(&k->strangers);
	LIST_INIT(&k->peers);
	e = check_own(k, d);
	if (e == ERR_OK)
		e = batches_open(&k->batches, cfg->disk, cfg->queue, d);
	k->scratch = malloc(frame_bytes(k, 0)); /* layer 0 has the largest frames */
	k->idle = timer_new(cfg->loop, on_idle, k);
	if (e == ERR_OK && (k->scratch == NULL || k->idle == NULL))
		e = ERR_MEMORY;
	if (e != ERR_OK) {
		links_free(k);
		return e;
	}
	links_turn(k);
	*out = k;
	return ERR_OK;
}

static bool
listened(const char *const *addresses, size_t n, const char *address)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(addresses[i], address) == 0)
			return true;
	return false;
}

/* The configured address, or all that charters that count give us. */
static size_t
own_addresses(const struct links *k, const char *out[static SUCCESSION_CURRENT_MAX])
{
	const struct charter *list[SUCCESSION_CURRENT_MAX];
	size_t n = succession_current(k->cfg.charters, list, loop_wall_ms(k->cfg.loop)), count = 0;

	if (!charter_has_address(k->own->role))
		return 0;
	if (k->cfg.listen != NULL) {
		out[0] = k->cfg.listen;
		return 1;
	}
	for (size_t i = 0; i < n; i++) {
		const struct charter_node *own = charter_node(list[i], k->own->number);

		if (own != NULL && !listened(out, count, own->address))
			out[count++] = own->address;
	}
	return count;
}

static enum err
listen_all(struct links *k, struct diag *d)
{
	const char *addresses[SUCCESSION_CURRENT_MAX];
	size_t n = own_addresses(k, addresses);
	enum err result = ERR_OK;
	bool any = n == 0;

	for (size_t i = 0; i < n; i++) {
		enum err e = listener_open(&k->listeners[i], k->cfg.loop, addresses[i], accepted,
		    k, result == ERR_OK ? d : NULL);

		any = any || e == ERR_OK;
		if (result == ERR_OK)
			result = e;
	}
	return any ? ERR_OK : result;
}

enum err
links_start(struct links *k, struct diag *d)
{
	enum err e = listen_all(k, d);

	if (e != ERR_OK)
		return e;
	k->started = true;
	links_turn(k);
	timer_after(k->idle, LINKS_IDLE_MS);
	return ERR_OK;
}

void
links_stop_accepting(struct links *k)
{
	struct peer *p;

	for (size_t i = 0; i < SUCCESSION_CURRENT_MAX; i++) {
		listener_free(k->listeners[i]);
		k->listeners[i] = NULL;
	}
	while (!LIST_EMPTY(&k->strangers))
		line_free(LIST_FIRST(&k->strangers));
	LIST_FOREACH(p, &k->peers, entry)
		if (p->in != NULL)
			line_free(p->in);
}

void
links_free(struct links *k)
{
	if (k == NULL)
		return;
	links_stop_accepting(k);
	while (!LIST_EMPTY(&k->peers))
		peer_free(LIST_FIRST(&k->peers));
	timer_free(k->idle);
	batches_free(k->batches);
	free(k->scratch);
	free(k);
}

/* ---- batches and status ---- */

enum err
links_commit(struct links *k, links_done_cb *done, void *arg)
{
	uint16_t nodes[BATCHES_NODES_MAX];
	const struct peer *p;
	size_t n = 0;

	LIST_FOREACH(p, &k->peers, entry)
		if (p->next && p->serving && n < BATCHES_NODES_MAX)
			nodes[n++] = p->number;
	return batches_commit(k->batches, nodes, n, done, arg);
}

bool
links_sits_out(const struct links *k, uint32_t epoch)
{
	return batches_sits_out(k->batches, epoch);
}

bool
links_is_up(const struct links *k, uint16_t peer)
{
	const struct peer *p = peer_of(k, peer);

	return p != NULL && p->out.link != NULL && link_is_up(p->out.link);
}

size_t
links_unsent(const struct links *k)
{
	const struct peer *p;
	size_t n = 0;

	LIST_FOREACH(p, &k->peers, entry) {
		n += p->queued_packets + p->queued_others;
		n += p->out.link != NULL ? link_unsent_frames(p->out.link) : 0;
	}
	return n;
}

uint64_t
links_dropped(const struct links *k)
{
	return k->dropped;
}

size_t
links_list(const struct links *k, struct links_peer *out, size_t max)
{
	const struct peer *p;
	size_t n = 0;

	LIST_FOREACH(p, &k->peers, entry) {
		if (n == max)
			break;
		out[n++] = (struct links_peer){ .number = p->number,
			.serving = p->serving,
			.dials = p->dials,
			.accepts = p->accepts,
			.dialled_up = p->out.link != NULL && link_is_up(p->out.link),
			.accepted_up = p->in != NULL && link_is_up(p->in->link) };
	}
	return n;
}

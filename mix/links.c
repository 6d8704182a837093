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
#define STRANGERS_MAX 64    /* accepted connections that have not yet shown who they are */

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

struct peer {
	struct links *owner;
	const struct charter_node *node;
	bool dials, accepts; /* we dial it; it may dial us */
	bool next;	     /* of the next layer: gets our batches */
	struct line out;
	struct timer *retry;
	unsigned attempts;
	struct waiting_list queue;
	size_t queued_packets, queued_others;
	struct line *in; /* NULL: none */
};

struct links {
	struct links_config cfg;
	struct links_events events;
	void *arg;
	const struct charter_node *own;
	uint8_t link_pk[32];
	struct batches *batches;
	struct listener *listener;
	struct timer *idle;
	LIST_HEAD(, line) strangers;
	size_t stranger_count;
	uint64_t dropped;
	uint8_t *scratch; /* one frame */
	size_t peer_count;
	struct peer peers[];
};

static void dial(struct peer *p);

static struct peer *
peer_of(const struct links *k, uint16_t number)
{
	for (size_t i = 0; i < k->peer_count; i++)
		if (k->peers[i].node->number == number)
			return (struct peer *)(uintptr_t)&k->peers[i];
	return NULL;
}

static size_t
frame_bytes(const struct links *k, unsigned layer)
{
	return params_node_frame_bytes(&k->cfg.charter->params, layer);
}

/* ---- sending ---- */

static enum err
line_send(struct line *n, const struct frame_node *f)
{
	struct links *k = n->owner;
	enum err e;

	frame_node_encode(k->scratch, &k->cfg.charter->params, n->layer, f);
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

	if (*count >= k->cfg.queue_max)
		return ERR_FULL;
	w = malloc(sizeof(*w) + frame_bytes(k, p->out.layer));
	if (w == NULL)
		return ERR_MEMORY;
	w->packet = packet;
	frame_node_encode(w->frame, &k->cfg.charter->params, p->out.layer, f);
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

void
links_end_batch(struct links *k)
{
	for (size_t i = 0; i < k->peer_count; i++) {
		struct peer *p = &k->peers[i];
		struct frame_node f = { .type = FRAME_NODE_BATCH, .batch_kind = FRAME_BATCH_ENDS };

		f.batch = batches_sent(k->batches, p->node->number);
		/* A number that finds no room is only a figure the peer learns later. */
		if (p->next)
			(void)peer_send(k, p->node->number, &f);
	}
}

/* ---- receiving ---- */

static void
told_had(struct line *n, uint64_t figure)
{
	struct links *k = n->owner;
	uint16_t peer = n->peer->node->number;
	uint32_t epoch = timing_epoch(&k->cfg.charter->params, loop_wall_ms(k->cfg.loop));

	if (n->told)
		return;
	n->told = true;
	if (!batches_told(k->batches, peer, figure, epoch))
		return;
	log_event(k->cfg.log, LOG_ROLLED_BACK, peer, epoch, 0);
	if (k->events.rolled_back != NULL)
		k->events.rolled_back(k->arg, peer);
}

static void
take_batch(struct line *n, const struct frame_node *f)
{
	struct links *k = n->owner;
	uint16_t peer = n->peer->node->number;

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

/* Packets and announcements go from the dialler to the acceptor only. */
static void
take_frame(struct line *n, const struct frame_node *f)
{
	struct links *k = n->owner;
	uint16_t peer = n->peer->node->number;

	switch (f->type) {
	case FRAME_NODE_PACKET:
		if (!n->dialled)
			k->events.packet(k->arg, peer, f->epoch, (uint8_t *)(uintptr_t)f->packet);
		return;
	case FRAME_NODE_ANNOUNCEMENT:
		if (!n->dialled && k->events.announcement != NULL)
			k->events.announcement(k->arg, peer, f->announcement);
		return;
	case FRAME_NODE_BATCH:
		take_batch(n, f);
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
		k->events.state(k->arg, n->peer->node->number, n->dialled, up);
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
static void
introduce(struct line *n)
{
	struct links *k = n->owner;
	struct peer *p = peer_of(k, link_peer(n->link));

	LIST_REMOVE(n, strangers);
	k->stranger_count--;
	n->peer = p;
	if (p->in != NULL)
		line_free(p->in);
	p->in = n;
	tell_state(n, true);
}

static void
in_frame(void *arg, uint8_t *plain, size_t bytes)
{
	struct line *n = arg;
	struct frame_node f;

	(void)bytes;
	if (n->peer == NULL)
		introduce(n);
	if (frame_node_decode(&f, &n->owner->cfg.charter->params, n->layer, plain) == ERR_OK)
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

	memcpy(cfg.network_id, k->cfg.charter->network_id, sizeof(cfg.network_id));
	return cfg;
}

static size_t
candidates(const struct links *k, struct link_candidate out[static CHARTER_NODES_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < k->peer_count; i++) {
		const struct peer *p = &k->peers[i];

		if (!p->accepts)
			continue;
		out[n].node = p->node->number;
		out[n].send_bytes = out[n].receive_bytes = frame_bytes(k, k->own->layer);
		memcpy(out[n].peer_pk, p->node->link, 32);
		n++;
	}
	return n;
}

/*
 * Room for one more stranger. When all places are taken somebody at random has
 * to go: a crowd that only waits could otherwise keep an honest peer out.
 */
static void
make_room(struct links *k)
{
	struct line *n = LIST_FIRST(&k->strangers);

	if (k->stranger_count < STRANGERS_MAX)
		return;
	for (uint32_t i = rng_below(k->cfg.rng, STRANGERS_MAX); i > 0; i--)
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
	struct link_candidate who[CHARTER_NODES_MAX];
	struct link_config cfg = link_config(k, k->own->layer);
	struct line *n = calloc(1, sizeof(*n));

	if (n == NULL) {
		conn_free(c);
		return;
	}
	make_room(k);
	n->owner = k;
	n->layer = k->own->layer;
	if (link_accept_any(&n->link, k->cfg.loop, c, &cfg, who, candidates(k, who), &events, n) !=
	    ERR_OK) {
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
	p->out.told = false;
	log_event(p->owner->cfg.log, LOG_LINK_UP, p->node->number, 0, 0);
	say_had(&p->out, p->node->number);
	pump(p);
	tell_state(&p->out, true);
}

static void
out_frame(void *arg, uint8_t *plain, size_t bytes)
{
	struct peer *p = arg;
	struct frame_node f;

	(void)bytes;
	if (frame_node_decode(&f, &p->owner->cfg.charter->params, p->out.layer, plain) == ERR_OK)
		take_frame(&p->out, &f);
}

static void
out_drained(void *arg)
{
	pump(arg);
}

/* Exponential, and uniformly from half of it upward, so that nodes do not dial in step. */
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
	link_free(p->out.link);
	p->out.link = NULL;
	if (was_up || (p->attempts & (p->attempts - 1)) == 0) /* 1, 2, 4, 8.. attempts */
		log_event(p->owner->cfg.log, LOG_LINK_LOST, p->node->number, p->attempts, 0);
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
	struct link_config cfg = link_config(k, p->out.layer);

	cfg.initiator = true;
	cfg.peer_pk = p->node->link;
	if (p->attempts == 0)
		p->attempts = 1; /* 0: up */
	if (link_dial(&p->out.link, k->cfg.loop, p->node->address, &cfg, &events, p) != ERR_OK) {
		p->out.link = NULL;
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

	for (size_t i = 0; i < k->peer_count; i++) {
		beat(&k->peers[i].out);
		if (k->peers[i].in != NULL)
			beat(k->peers[i].in);
	}
	timer_after(k->idle, LINKS_IDLE_MS);
}

/* ---- life ---- */

/* Who dials whom, as the header says. */
static void
peer_roles(struct peer *p, const struct charter_node *own, const struct charter_node *n)
{
	bool own_gateway = own->role == CHARTER_GATEWAY, gateway = n->role == CHARTER_GATEWAY;

	if (own_gateway) {
		p->next = p->dials = n->layer == 0;
		p->accepts = true;
		return;
	}
	p->next = n->layer == own->layer + 1;
	p->dials = p->next || gateway;
	p->accepts = own->layer == 0 ? gateway : !gateway && n->layer + 1 == own->layer;
}

static enum err
add_peer(struct links *k, const struct charter_node *n)
{
	struct peer *p = &k->peers[k->peer_count];

	peer_roles(p, k->own, n);
	if (!p->dials && !p->accepts)
		return ERR_OK;
	k->peer_count++;
	p->owner = k;
	p->node = n;
	p->out = (struct line){ .owner = k, .peer = p, .layer = n->layer, .dialled = true };
	STAILQ_INIT(&p->queue);
	p->retry = p->dials ? timer_new(k->cfg.loop, on_retry, p) : NULL;
	return p->retry != NULL || !p->dials ? ERR_OK : ERR_MEMORY;
}

static enum err
add_peers(struct links *k)
{
	const struct charter *c = k->cfg.charter;
	enum err e = ERR_OK;

	for (size_t i = 0; i < c->node_count && e == ERR_OK; i++)
		if (&c->nodes[i] != k->own)
			e = add_peer(k, &c->nodes[i]);
	return e;
}

static enum err
check_own(struct links *k, struct diag *d)
{
	k->own = charter_node(k->cfg.charter, k->cfg.own);
	if (k->own == NULL)
		return diag_set(d, ERR_NOT_FOUND, "the charter has no node %u; "
		    "see that the node number is the one the charter gives our keys",
		    (unsigned)k->cfg.own);
	if (crypto_scalarmult_base(k->link_pk, k->cfg.link_sk) != 0 ||
	    sodium_memcmp(k->link_pk, k->own->link, 32) != 0)
		return diag_set(d, ERR_NOT_FOUND, "the charter has another link key for node %u; "
		    "see that this is the node's own key directory", (unsigned)k->cfg.own);
	return ERR_OK;
}

enum err
links_open(struct links **out, const struct links_config *cfg, const struct links_events *events,
    void *arg, struct diag *d)
{
	size_t n = cfg->charter->node_count;
	struct links *k = calloc(1, sizeof(*k) + n * sizeof(k->peers[0]));
	enum err e;

	if (k == NULL)
		return ERR_MEMORY;
	k->cfg = *cfg;
	k->events = *events;
	k->arg = arg;
	LIST_INIT(&k->strangers);
	e = check_own(k, d);
	if (e == ERR_OK)
		e = batches_open(&k->batches, cfg->disk, cfg->queue, cfg->charter, d);
	if (e == ERR_OK)
		e = add_peers(k);
	k->scratch = malloc(frame_bytes(k, 0)); /* layer 0 has the largest frames */
	k->idle = timer_new(cfg->loop, on_idle, k);
	if (e == ERR_OK && (k->scratch == NULL || k->idle == NULL))
		e = ERR_MEMORY;
	if (e != ERR_OK) {
		links_free(k);
		return e;
	}
	*out = k;
	return ERR_OK;
}

enum err
links_start(struct links *k, struct diag *d)
{
	const char *address = k->cfg.listen != NULL ? k->cfg.listen : k->own->address;
	enum err e = listener_open(&k->listener, k->cfg.loop, address, accepted, k, d);

	if (e != ERR_OK)
		return e;
	for (size_t i = 0; i < k->peer_count; i++)
		if (k->peers[i].dials)
			dial(&k->peers[i]);
	timer_after(k->idle, LINKS_IDLE_MS);
	return ERR_OK;
}

void
links_stop_accepting(struct links *k)
{
	listener_free(k->listener);
	k->listener = NULL;
	while (!LIST_EMPTY(&k->strangers))
		line_free(LIST_FIRST(&k->strangers));
	for (size_t i = 0; i < k->peer_count; i++)
		if (k->peers[i].in != NULL)
			line_free(k->peers[i].in);
}

static void
peer_free(struct peer *p)
{
	struct waiting *w;

	timer_free(p->retry);
	link_free(p->out.link);
	while ((w = STAILQ_FIRST(&p->queue)) != NULL) {
		STAILQ_REMOVE_HEAD(&p->queue, next);
		free(w);
	}
}

void
links_free(struct links *k)
{
	if (k == NULL)
		return;
	links_stop_accepting(k);
	for (size_t i = 0; i < k->peer_count; i++)
		peer_free(&k->peers[i]);
	timer_free(k->idle);
	batches_free(k->batches);
	free(k->scratch);
	free(k);
}

/* ---- batches and status ---- */

enum err
links_commit(struct links *k, links_done_cb *done, void *arg)
{
	uint16_t nodes[CHARTER_NODES_MAX];
	size_t n = 0;

	for (size_t i = 0; i < k->peer_count; i++)
		if (k->peers[i].next)
			nodes[n++] = k->peers[i].node->number;
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
	size_t n = 0;

	for (size_t i = 0; i < k->peer_count; i++) {
		const struct peer *p = &k->peers[i];

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
	size_t n = k->peer_count < max ? k->peer_count : max;

	for (size_t i = 0; i < n; i++) {
		const struct peer *p = &k->peers[i];

		out[i] = (struct links_peer){ .number = p->node->number,
			.dials = p->dials,
			.accepts = p->accepts,
			.dialled_up = p->out.link != NULL && link_is_up(p->out.link),
			.accepted_up = p->in != NULL && link_is_up(p->in->link) };
	}
	return n;
}

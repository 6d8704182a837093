#include "config.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "evaluation/world_parts.h"

#define SECOND_US INT64_C(1000000)
#define CONNECT_TIMEOUT_US (127 * SECOND_US) /* as Linux has them */
#define SEND_TIMEOUT_US (900 * SECOND_US)
#define SPREAD_CUT 20

static struct world_conn *
conn_of(struct conn *c)
{
	return (struct world_conn *)(void *)c;
}

static struct world *
world_here(const struct world_conn *c)
{
	return world_of(c->loop);
}

/* ---- lines ---- */

static int64_t
draw_delay(struct world *w, const struct world_line *line)
{
	int64_t more = 0;

	if (line->spread_us > 0)
		more = rng_exponential_long(&w->rng.rng, line->spread_us);
	if (more > line->spread_us * SPREAD_CUT)
		more = line->spread_us * SPREAD_CUT;
	return line->delay_us + more;
}

/* How long n bytes take from a to b, queueing in a's line included. */
static int64_t
travel_us(struct world *w, struct world_host *a, const struct world_host *b, size_t n)
{
	int64_t us = draw_delay(w, &a->out) + draw_delay(w, &b->in);

	if (a->out.bytes_per_s > 0) {
		if (a->out_free_us < w->now_us)
			a->out_free_us = w->now_us;
		a->out_free_us +=
		    (int64_t)((uint64_t)n * (uint64_t)SECOND_US / a->out.bytes_per_s);
		us += a->out_free_us - w->now_us;
	}
	if (b->in.bytes_per_s > 0)
		us += (int64_t)((uint64_t)n * (uint64_t)SECOND_US / b->in.bytes_per_s);
	return us;
}

static void
show(struct world *w, enum world_seen_kind kind, const struct world_conn *from,
    const struct world_host *to, const uint8_t *p, size_t n)
{
	const struct world_seen seen = {
	    .kind = kind,
	    .at_us = w->cfg.wall_ms * 1000 + w->now_us,
	    .conn = from->number,
	    .from = from->loop->host,
	    .to = to,
	    .bytes = p,
	    .n = n,
	};

	if (w->tap != NULL)
		w->tap(w->tap_arg, &seen);
}

/* ---- bytes on their way ---- */

static void
arm_arrival(struct world_conn *c)
{
	const struct world_chunk *k = STAILQ_FIRST(&c->coming);

	if (k != NULL && !c->stalled && !c->gone)
		world_after(world_here(c), &c->arrive, k->at_us - world_here(c)->now_us);
}

static void
drop_coming(struct world_conn *c)
{
	struct world_chunk *k;

	while ((k = STAILQ_FIRST(&c->coming)) != NULL) {
		STAILQ_REMOVE_HEAD(&c->coming, next);
		free(k);
	}
}

/* Put n bytes, or the end of the stream, on the way to the peer. */
static enum err
send_chunk(struct world_conn *c, const uint8_t *p, size_t n)
{
	struct world *w = world_here(c);
	struct world_conn *peer = c->peer;
	struct world_chunk *k = n > 0 ? malloc(sizeof(*k) + n) : c->last;

	if (k == NULL)
		return ERR_MEMORY;
	if (n == 0)
		c->last = NULL;
	*k = (struct world_chunk){.len = n, .end = n == 0};
	if (n > 0)
		memcpy(k->bytes, p, n);
	show(w, n > 0 ? WORLD_SEEN_BYTES : WORLD_SEEN_CLOSE, c, peer->loop->host, p, n);
	k->at_us = w->now_us + travel_us(w, c->loop->host, peer->loop->host, n);
	if (k->at_us < peer->newest_us)
		k->at_us = peer->newest_us;
	peer->newest_us = k->at_us;
	c->untaken += n;
	STAILQ_INSERT_TAIL(&peer->coming, k, next);
	if (STAILQ_FIRST(&peer->coming) == k)
		arm_arrival(peer);
	return ERR_OK;
}

static void
end_direction(struct world_conn *c)
{
	if (c->shut)
		return;
	c->shut = true;
	if (c->peer != NULL)
		(void)send_chunk(c, NULL, 0); /* the only one: its chunk is there */
}

/* Let it fail at that time, unless it fails sooner. */
static void
doom(struct world_conn *c, enum err why, int64_t delay_us)
{
	struct world *w = world_here(c);

	if (c->fails != ERR_OK && event_scheduled(&c->fate) &&
	    c->fate.at_us <= w->now_us + delay_us)
		return;
	c->fails = why;
	world_after(w, &c->fate, delay_us);
}

/* ---- the end of a connection ---- */

/* Nothing happens to c any more; the peer hears of it unless `silent`. */
static void
let_go(struct world_conn *c, bool silent)
{
	struct world *w = world_here(c);

	if (c->gone)
		return;
	if (c->peer != NULL && !silent)
		end_direction(c);
	if (c->peer != NULL) {
		c->peer->hole = silent;
		c->peer->peer = NULL;
		c->peer = NULL;
	}
	c->gone = true;
	drop_coming(c);
	if (c->joined) {
		world_leave(w, &c->turn);
		world_leave(w, &c->arrive);
		world_leave(w, &c->fate);
		world_leave(w, &c->life);
		c->joined = false;
	}
	LIST_REMOVE(c, conns);
}

/* What was on the way is lost. */
static void
break_conn(struct world_conn *c)
{
	struct world_conn *peer = c->peer;

	if (peer != NULL) {
		drop_coming(peer);
		peer->peer = NULL;
		c->peer = NULL;
		doom(peer, ERR_CLOSED, 0);
	}
	drop_coming(c);
	doom(c, ERR_CLOSED, 0);
}

static void
on_life_over(void *arg)
{
	break_conn(arg);
}

static void
over(struct world_conn *c, enum err why)
{
	(void)conn_over(&c->base, why);
}

/* ---- sending ---- */

/* Send as much as the window takes; false if c is gone. */
static bool
flush(struct world_conn *c)
{
	const uint8_t *p;
	size_t n, room;

	p = conn_to_send(&c->base, &n);
	room = c->untaken < WORLD_WINDOW_BYTES ? WORLD_WINDOW_BYTES - c->untaken : 0;
	if (n > room)
		n = room;
	if (n == 0)
		return true;
	if (c->peer != NULL && send_chunk(c, p, n) != ERR_OK) {
		over(c, ERR_MEMORY);
		return false;
	}
	if (c->hole) {
		c->untaken += n;
		doom(c, ERR_TIMEOUT, SEND_TIMEOUT_US);
	}
	return conn_sent(&c->base, n);
}

static void
finish(struct world_conn *c)
{
	if (!c->base.finishing || c->base.state != CONN_OPEN || conn_unsent(&c->base) > 0)
		return;
	if (c->eof)
		over(c, ERR_CLOSED);
	else
		end_direction(c);
}

/* ---- receiving ---- */

/* n bytes of c's were taken: there is room for more. */
static void
acknowledge(struct world_conn *c, size_t n)
{
	bool was_full = c->untaken >= WORLD_WINDOW_BYTES;

	c->untaken -= n;
	if (was_full)
		world_conn_kick(&c->base);
}

static void
take_end(struct world_conn *c)
{
	if (c->base.finishing && conn_unsent(&c->base) > 0 && !c->hole)
		c->eof = true;
	else
		over(c, ERR_CLOSED);
}

/*
 * Hand the chunk over as far as it is wanted; the rest goes back to the front.
 * The chunk is ours meanwhile: the callback may let go of c.
 */
static void
take_bytes(struct world_conn *c, struct world_chunk *k)
{
	size_t want = c->base.finishing ? SIZE_MAX : conn_wants(&c->base);
	size_t n = k->len - k->head < want ? k->len - k->head : want;
	bool alive = true;

	k->head += n;
	if (c->peer != NULL)
		acknowledge(c->peer, n);
	if (!c->base.finishing && n > 0)
		alive = conn_given(&c->base, k->bytes + k->head - n, n);
	if (!alive || c->gone || k->head == k->len) {
		free(k);
		if (alive)
			arm_arrival(c);
		return;
	}
	STAILQ_INSERT_HEAD(&c->coming, k, next);
	if (conn_wants(&c->base) > 0)
		arm_arrival(c); /* else the turn after conn_pause(c, false) does it */
}

static void
on_arrival(void *arg)
{
	struct world_conn *c = arg;
	struct world_chunk *k = STAILQ_FIRST(&c->coming);

	if (k == NULL || c->base.state == CONN_ENDED)
		return;
	if (c->peer != NULL && world_is_cut(world_here(c), c->loop->host, c->peer->loop->host)) {
		c->stalled = true;
		doom(c->peer, ERR_TIMEOUT, SEND_TIMEOUT_US);
		return;
	}
	if (k->end && conn_wants(&c->base) == 0 && !c->base.finishing)
		return; /* read on at the turn after conn_pause(c, false) */
	STAILQ_REMOVE_HEAD(&c->coming, next);
	if (!k->end) {
		take_bytes(c, k);
		return;
	}
	free(k);
	take_end(c);
}

void
world_net_resume(struct world_host *a, struct world_host *b)
{
	struct world_host *hosts[2] = {a, b};
	struct world_conn *c;

	for (int i = 0; i < 2; i++) {
		LIST_FOREACH(c, &hosts[i]->loop->conns, conns) {
			if (!c->stalled || c->peer == NULL || c->peer->loop->host != hosts[1 - i])
				continue;
			c->stalled = false;
			world_cancel(world_here(c), &c->peer->fate);
			c->peer->fails = ERR_OK;
			world_after(world_here(c), &c->arrive,
			    rng_between(&world_here(c)->rng.rng, 0, SECOND_US));
		}
	}
}

/* ---- listening and dialling ---- */

static struct world_listener *
find_listener(const struct world *w, const char *address)
{
	const struct world_host *h;
	struct world_listener *s;

	TAILQ_FOREACH(h, &w->hosts, hosts) {
		if (h->loop->dead && !h->loop->unplugged)
			continue;
		LIST_FOREACH(s, &h->loop->listeners, listeners) {
			if (strcmp(s->address, address) == 0)
				return s;
		}
	}
	return NULL;
}

static void on_turn(void *arg);
static void on_fate(void *arg);

static void
destroy(struct world_conn *c)
{
	drop_coming(c);
	free(c->last);
	free(c);
}

static enum err
join_events(struct world_conn *c)
{
	struct eventheap *heap = &world_here(c)->heap;
	struct world_host *host = c->loop->host;

	if (eventheap_join(heap, &c->turn, on_turn, c, host) != ERR_OK)
		return ERR_MEMORY;
	if (eventheap_join(heap, &c->arrive, on_arrival, c, host) != ERR_OK)
		goto no_arrive;
	if (eventheap_join(heap, &c->fate, on_fate, c, host) != ERR_OK)
		goto no_fate;
	if (eventheap_join(heap, &c->life, on_life_over, c, NULL) != ERR_OK)
		goto no_life;
	c->joined = true;
	return ERR_OK;

no_life:
	eventheap_leave(heap, &c->fate);
no_fate:
	eventheap_leave(heap, &c->arrive);
no_arrive:
	eventheap_leave(heap, &c->turn);
	return ERR_MEMORY;
}

static enum err
make(struct world_conn **out, struct world_loop *l, const char *address, enum conn_state state)
{
	struct world_conn *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return ERR_MEMORY;
	conn_init(&c->base, &l->base, state);
	c->loop = l;
	STAILQ_INIT(&c->coming);
	(void)snprintf(c->address, sizeof(c->address), "%s", address);
	c->last = malloc(sizeof(*c->last));
	if (c->last == NULL || join_events(c) != ERR_OK) {
		destroy(c);
		return ERR_MEMORY;
	}
	LIST_INSERT_HEAD(&l->conns, c, conns);
	*out = c;
	return ERR_OK;
}

/* The listener's host takes the call: its end is made, and shown to it at its next turn. */
static enum err
answer(struct world_conn *c, struct world_listener *s)
{
	struct world *w = world_here(c);
	struct world_conn *peer;
	enum err e = make(&peer, s->loop, s->address, CONN_OPEN);

	if (e != ERR_OK)
		return e;
	peer->accept = true;
	peer->number = c->number = ++w->conn_count;
	peer->peer = c;
	c->peer = peer;
	c->newest_us = w->now_us + travel_us(w, s->loop->host, c->loop->host, 0);
	world_after(w, &peer->turn, 0);
	world_after(w, &c->fate, c->newest_us - w->now_us);
	if (w->cfg.conn_life_ms > 0)
		world_after(w, &c->life,
		    rng_exponential_long(&w->rng.rng, w->cfg.conn_life_ms * 1000));
	show(w, WORLD_SEEN_OPEN, c, s->loop->host, NULL, 0);
	return ERR_OK;
}

/* The call has reached the place where somebody should listen. */
static void
call(struct world_conn *c)
{
	struct world *w = world_here(c);
	struct world_listener *s = find_listener(w, c->address);
	enum err e = ERR_NOT_FOUND;

	if (s != NULL &&
	    (s->loop->unplugged || world_is_cut(w, c->loop->host, s->loop->host))) {
		doom(c, ERR_TIMEOUT, CONNECT_TIMEOUT_US);
		return;
	}
	if (s != NULL && !s->loop->host->refusing)
		e = answer(c, s);
	if (e != ERR_OK)
		doom(c, e, travel_us(w, c->loop->host, c->loop->host, 0));
}

/* A dialled connection goes from the call over the answer to being up; all may fail. */
static void
on_fate(void *arg)
{
	struct world_conn *c = arg;

	if (c->fails != ERR_OK)
		over(c, c->fails);
	else if (c->base.state == CONN_OPENING && c->peer == NULL && c->number == 0)
		call(c);
	else if (c->base.state == CONN_OPENING && conn_up(&c->base))
		world_conn_kick(&c->base);
}

/* ---- turns ---- */

static void
accept_conn(struct world_conn *c)
{
	struct world_listener *s = find_listener(world_here(c), c->address);

	c->accept = false;
	if (s == NULL || s->loop != c->loop)
		conn_free(&c->base);
	else if (conn_accepted(&c->base, s->cb, s->arg))
		arm_arrival(c);
}

static void
on_turn(void *arg)
{
	struct world_conn *c = arg;

	if (c->accept) {
		accept_conn(c);
		return;
	}
	if (!conn_turn(&c->base) || c->gone || c->base.state != CONN_OPEN)
		return;
	if (!flush(c) || c->gone)
		return;
	if (conn_unsent(&c->base) > 0 && c->untaken < WORLD_WINDOW_BYTES)
		world_conn_kick(&c->base);
	arm_arrival(c);
	finish(c);
}

/* ---- the operations ---- */

enum err
world_conn_open(struct conn **out, struct loop *base, const char *address)
{
	struct world_loop *l = world_loop_of(base);
	struct world_conn *c;
	enum err e;

	if (l->dead)
		return ERR_MEMORY;
	e = make(&c, l, address, CONN_OPENING);
	if (e != ERR_OK)
		return e;
	world_after(world_of(l), &c->fate, draw_delay(world_of(l), &l->host->out));
	*out = &c->base;
	return ERR_OK;
}

void
world_conn_kick(struct conn *base)
{
	struct world_conn *c = conn_of(base);

	if (!c->gone && !c->accept && !event_scheduled(&c->turn))
		world_after(world_here(c), &c->turn, 0);
}

void
world_conn_detach(struct conn *base)
{
	let_go(conn_of(base), false);
}

void
world_conn_release(struct conn *base)
{
	destroy(conn_of(base));
}

enum err
world_listener_open(struct listener **out, struct loop *base, const char *address, listener_cb *cb,
    void *arg, struct diag *d)
{
	struct world_loop *l = world_loop_of(base);
	struct world_listener *s;

	if (l->dead)
		return ERR_MEMORY;
	s = find_listener(world_of(l), address);
	if (s != NULL && !s->loop->dead)
		return diag_set(d, ERR_BUSY, "cannot listen on %s: the address is in use", address);
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return ERR_MEMORY;
	s->base.loop = base;
	s->loop = l;
	s->cb = cb;
	s->arg = arg;
	(void)snprintf(s->address, sizeof(s->address), "%s", address);
	LIST_INSERT_HEAD(&l->listeners, s, listeners);
	*out = &s->base;
	return ERR_OK;
}

void
world_listener_free(struct listener *base)
{
	struct world_listener *s = (struct world_listener *)(void *)base;

	LIST_REMOVE(s, listeners);
	free(s);
}

/* ---- death and damage ---- */

void
world_net_die(struct world_loop *l)
{
	while (!LIST_EMPTY(&l->conns)) {
		struct world_conn *c = LIST_FIRST(&l->conns);

		let_go(c, l->unplugged);
		if (c->accept)
			destroy(c); /* nobody has seen it */
	}
}

static void
break_all(struct world_loop *l, const struct world_host *with)
{
	struct world_conn *c;

	LIST_FOREACH(c, &l->conns, conns) {
		if (c->peer != NULL && (with == NULL || c->peer->loop->host == with))
			break_conn(c);
	}
}

void
world_break(struct world_host *a, const struct world_host *b)
{
	break_all(a->loop, b);
}

#include "config.h"

#include "common/net/conn.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/secret.h"
#include "common/net/address.h"

#define BUF_MIN 4096
#define SPARE_MIN 32768
#define SPARE_MAX (1 << 20)

/*
 * A large buffer is used for a burst and then not for a while, and to take it
 * from the system each time costs a page fault for each frame: the loop keeps
 * one for whichever connection is next.
 */
static void
buf_drop(struct conn *c, struct conn_buf *b)
{
	struct loop *l = c->loop;

	if (b->data != NULL)
		secret_wipe(b->data, b->room);
	if (l->spare == NULL && b->room >= SPARE_MIN && b->room <= SPARE_MAX) {
		l->spare = b->data;
		l->spare_room = b->room;
	} else {
		free(b->data);
	}
	*b = (struct conn_buf){0};
}

/* At least *room bytes; *room becomes what there is. */
static uint8_t *
take_room(struct loop *l, size_t *room)
{
	uint8_t *data = l->spare;

	if (data == NULL || *room < SPARE_MIN || *room > l->spare_room)
		return malloc(*room);
	*room = l->spare_room;
	l->spare = NULL;
	l->spare_room = 0;
	return data;
}

/* Move what is there into a buffer of `room` bytes. */
static enum err
buf_move(struct conn *c, struct conn_buf *b, size_t room)
{
	uint8_t *data = take_room(c->loop, &room);
	size_t len = b->len;

	if (data == NULL)
		return ERR_MEMORY;
	if (len > 0)
		memcpy(data, b->data + b->head, len);
	buf_drop(c, b);
	*b = (struct conn_buf){.data = data, .len = len, .room = room};
	return ERR_OK;
}

/*
 * The room to move to for n bytes more. Where moving frees less than it moves
 * it grows instead, so that the cost per byte stays constant.
 */
static size_t
better_room(const struct conn_buf *b, size_t n)
{
	size_t need = b->len + n + (b->head < b->len ? b->len : 0);
	size_t room = b->room > BUF_MIN ? b->room : BUF_MIN;

	while (room < need)
		room *= 2;
	return room;
}

/* Room for n bytes behind those that are there; ERR_FULL beyond max in all. */
static enum err
buf_space(struct conn *c, struct conn_buf *b, uint8_t **out, size_t n, size_t max)
{
	enum err e;

	if (n > max || b->len > max - n)
		return ERR_FULL;
	if (b->room - b->head - b->len < n) {
		e = buf_move(c, b, better_room(b, n));
		if (e != ERR_OK)
			return e;
	}
	*out = b->data + b->head + b->len;
	return ERR_OK;
}

static void
buf_consume_front(struct conn *c, struct conn_buf *b, size_t n)
{
	assert(n <= b->len);
	b->head += n;
	b->len -= n;
	if (b->len == 0)
		buf_drop(c, b);
}

/* ---- who may still be called ---- */

static void
destroy(struct conn *c)
{
	buf_drop(c, &c->in);
	buf_drop(c, &c->out);
	c->loop->ops->conn_release(c);
}

static void
enter(struct conn *c)
{
	c->busy++;
}

static bool
leave(struct conn *c)
{
	bool alive = !c->freed;

	c->busy--;
	if (c->freed && c->busy == 0)
		destroy(c);
	return alive;
}

void
conn_init(struct conn *c, struct loop *l, enum conn_state state)
{
	*c = (struct conn){.loop = l, .state = state};
}

bool
conn_over(struct conn *c, enum err why)
{
	if (c->state == CONN_ENDED)
		return true;
	enter(c);
	c->state = CONN_ENDED;
	if (c->finishing)
		conn_free(c);
	else if (c->events.closed != NULL)
		c->events.closed(c->arg, why);
	return leave(c);
}

bool
conn_up(struct conn *c)
{
	enter(c);
	c->state = CONN_OPEN;
	if (!c->finishing && c->events.opened != NULL)
		c->events.opened(c->arg);
	return leave(c);
}

bool
conn_accepted(struct conn *c, listener_cb *cb, void *arg)
{
	enter(c);
	cb(arg, c);
	if (!c->adopted && !c->freed)
		conn_free(c);
	return leave(c);
}

/* ---- bytes in ---- */

size_t
conn_wants(const struct conn *c)
{
	if (c->state != CONN_OPEN || c->paused || c->finishing || c->in.len >= c->limits.in_max)
		return 0;
	return c->limits.in_max - c->in.len;
}

/* Call `data`; returns how many of the n bytes it consumed. */
static size_t
give(struct conn *c, uint8_t *p, size_t n)
{
	size_t used;

	c->given = p;
	c->given_at = p;
	c->given_len = n;
	used = c->events.data(c->arg, p, n);
	c->given = NULL;
	c->given_at = NULL;
	c->given_len = 0;
	assert(used <= n);
	return used;
}

static enum err
keep(struct conn *c, const uint8_t *p, size_t n)
{
	uint8_t *space;
	enum err e = buf_space(c, &c->in, &space, n, c->limits.in_max);

	if (e != ERR_OK)
		return e;
	memcpy(space, p, n);
	c->in.len += n;
	return ERR_OK;
}

/* Give the bytes of the in buffer. */
static void
give_kept(struct conn *c)
{
	size_t used = give(c, c->in.data + c->in.head, c->in.len);

	if (!c->freed)
		buf_consume_front(c, &c->in, used);
}

/* Give n bytes at p and keep what is left of them. */
static enum err
give_and_keep(struct conn *c, uint8_t *p, size_t n)
{
	size_t used = give(c, p, n);

	return !c->freed && used < n ? keep(c, p + used, n - used) : ERR_OK;
}

static enum err
take(struct conn *c, uint8_t *p, size_t n, size_t before)
{
	size_t kept = c->in.len;
	enum err e = ERR_OK;

	if (kept <= before) {
		if (kept > 0)
			memcpy(p - kept, c->in.data + c->in.head, kept);
		buf_drop(c, &c->in);
		e = give_and_keep(c, p - kept, kept + n);
	} else {
		e = keep(c, p, n);
		if (e == ERR_OK)
			give_kept(c);
	}
	if (e == ERR_OK && !c->freed && !c->paused && c->in.len >= c->limits.in_max)
		e = ERR_FULL;
	return e;
}

bool
conn_given_behind(struct conn *c, uint8_t *p, size_t n, size_t before)
{
	enum err e;

	assert(n <= conn_wants(c));
	if (n == 0)
		return true;
	enter(c);
	e = take(c, p, n, before);
	if (e != ERR_OK && !c->freed)
		conn_over(c, e);
	return leave(c);
}

bool
conn_given(struct conn *c, uint8_t *p, size_t n)
{
	return conn_given_behind(c, p, n, 0);
}

bool
conn_turn(struct conn *c)
{
	if (!c->again || c->paused || c->finishing || c->state != CONN_OPEN)
		return true;
	c->again = false;
	if (c->in.len == 0)
		return true;
	enter(c);
	give_kept(c);
	if (!c->freed && !c->paused && c->in.len >= c->limits.in_max)
		conn_over(c, ERR_FULL);
	return leave(c);
}

uint8_t *
conn_own_bytes(struct conn *c, const uint8_t *p)
{
	assert(c->given != NULL && p >= c->given_at && p <= c->given_at + c->given_len);
	return c->given + (p - c->given_at);
}

/* ---- bytes out ---- */

const uint8_t *
conn_to_send(const struct conn *c, size_t *n)
{
	*n = c->state == CONN_OPEN ? c->out.len : 0;
	return *n > 0 ? c->out.data + c->out.head : NULL;
}

bool
conn_sent(struct conn *c, size_t n)
{
	buf_consume_front(c, &c->out, n);
	if (n == 0 || c->out.len > 0 || c->finishing || c->events.drained == NULL)
		return true;
	enter(c);
	c->events.drained(c->arg);
	return leave(c);
}

enum err
conn_space(struct conn *c, uint8_t **out, size_t n)
{
	if (c->state == CONN_ENDED)
		return ERR_CLOSED;
	return buf_space(c, &c->out, out, n, c->limits.out_max);
}

void
conn_commit(struct conn *c, size_t n)
{
	assert(c->out.room - c->out.head - c->out.len >= n);
	c->out.len += n;
	c->loop->ops->conn_kick(c);
}

enum err
conn_write(struct conn *c, const void *p, size_t n)
{
	uint8_t *space;
	enum err e;

	if (n == 0)
		return c->state == CONN_ENDED ? ERR_CLOSED : ERR_OK;
	e = conn_space(c, &space, n);
	if (e != ERR_OK)
		return e;
	memcpy(space, p, n);
	conn_commit(c, n);
	return ERR_OK;
}

size_t
conn_unsent(const struct conn *c)
{
	return c->out.len;
}

/* ---- the owner's side ---- */

static enum err
check_limits(const struct conn_limits *limits)
{
	return limits->in_max > 0 && limits->out_max > 0 ? ERR_OK : ERR_USAGE;
}

enum err
conn_open(struct conn **out, struct loop *l, const char *address, const struct conn_limits *limits,
    const struct conn_events *events, void *arg)
{
	struct conn *c;
	enum err e = check_limits(limits);

	if (e == ERR_OK)
		e = address_check(address);
	if (e == ERR_OK)
		e = l->ops->conn_open(&c, l, address);
	if (e != ERR_OK)
		return e;
	conn_set_events(c, events, arg, limits);
	*out = c;
	return ERR_OK;
}

void
conn_set_events(struct conn *c, const struct conn_events *events, void *arg,
    const struct conn_limits *limits)
{
	assert(check_limits(limits) == ERR_OK && events->data != NULL && events->closed != NULL);
	c->events = *events;
	c->arg = arg;
	c->limits = *limits;
	c->adopted = true;
	c->again = c->in.len > 0;
	c->loop->ops->conn_kick(c);
}

void
conn_pause(struct conn *c, bool paused)
{
	if (c->paused == paused)
		return;
	c->paused = paused;
	c->again = !paused;
	c->loop->ops->conn_kick(c);
}

static void
linger_over(void *arg)
{
	conn_free(arg);
}

void
conn_finish(struct conn *c, int64_t linger_ms)
{
	if (c->state == CONN_ENDED || c->freed) {
		conn_free(c);
		return;
	}
	c->linger = timer_new(c->loop, linger_over, c);
	if (c->linger == NULL) {
		conn_free(c);
		return;
	}
	timer_after(c->linger, linger_ms);
	c->finishing = true;
	LIST_INSERT_HEAD(&c->loop->finishing, c, finishers);
	c->adopted = true;
	c->loop->ops->conn_kick(c);
}

void
conn_free(struct conn *c)
{
	if (c == NULL || c->freed)
		return;
	c->freed = true;
	c->state = CONN_ENDED;
	timer_free(c->linger);
	c->linger = NULL;
	if (c->finishing)
		LIST_REMOVE(c, finishers);
	c->loop->ops->conn_detach(c);
	if (c->busy == 0)
		destroy(c);
}

#include "config.h"

#include "evaluation/world.h"

#include <assert.h>
#include <stdlib.h>

#include "evaluation/world_parts.h"

#define BOOT_MS INT64_C(3600000) /* what boot clocks show at the beginning */
#define CIRCLE_EVENTS 10000000

struct world_call {
	struct world *world;
	LIST_ENTRY(world_call) calls;
	struct event event;
	void (*cb)(void *arg);
	void *arg;
};

/* ---- events ---- */

void
world_after(struct world *w, struct event *e, int64_t delay_us)
{
	world_cancel(w, e);
	eventheap_put(&w->heap, e, w->now_us + (delay_us > 0 ? delay_us : 0));
}

void
world_cancel(struct world *w, struct event *e)
{
	if (e->place == EVENT_HELD) {
		TAILQ_REMOVE(&e->host->held, e, held);
		e->place = EVENT_IDLE;
	} else {
		eventheap_remove(&w->heap, e);
	}
}

void
world_leave(struct world *w, struct event *e)
{
	world_cancel(w, e);
	eventheap_leave(&w->heap, e);
}

static bool
held_up(const struct world_host *h)
{
	return h != NULL && (h->asleep || h->stopped);
}

/* What came while the host was held up happens now, in the same order. */
static void
catch_up(struct world_host *h)
{
	struct event *e;

	if (held_up(h))
		return;
	while ((e = TAILQ_FIRST(&h->held)) != NULL)
		world_after(h->world, e, 0);
}

static void
happen(struct world *w, struct event *e)
{
	assert(e->at_us >= w->now_us);
	w->now_us = e->at_us;
	w->events++;
	if (held_up(e->host)) {
		TAILQ_INSERT_TAIL(&e->host->held, e, held);
		e->place = EVENT_HELD;
	} else {
		e->fire(e->arg);
	}
}

bool
world_step(struct world *w)
{
	struct event *e = eventheap_pop(&w->heap, INT64_MAX);

	if (e != NULL)
		happen(w, e);
	return e != NULL;
}

enum err
world_run_until(struct world *w, int64_t wall_ms)
{
	int64_t until_us = (wall_ms - w->cfg.wall_ms) * 1000;
	int64_t instant_us = w->now_us;
	uint64_t here = 0;
	struct event *e;

	while ((e = eventheap_pop(&w->heap, until_us)) != NULL) {
		happen(w, e);
		here = w->now_us == instant_us ? here + 1 : 0;
		instant_us = w->now_us;
		if (here > CIRCLE_EVENTS)
			return ERR_STATE;
	}
	if (until_us > w->now_us)
		w->now_us = until_us;
	return ERR_OK;
}

enum err
world_run_for(struct world *w, int64_t ms)
{
	return world_run_until(w, world_now_ms(w) + ms);
}

int64_t
world_now_ms(const struct world *w)
{
	return w->cfg.wall_ms + w->now_us / 1000;
}

const struct rng *
world_rng(struct world *w)
{
	return &w->rng.rng;
}

uint64_t
world_event_count(const struct world *w)
{
	return w->events;
}

/* ---- the driver's own appointments ---- */

static void
call_free(struct world_call *c)
{
	LIST_REMOVE(c, calls);
	world_leave(c->world, &c->event);
	free(c);
}

static void
on_call(void *arg)
{
	struct world_call *c = arg;
	void (*cb)(void *arg) = c->cb;
	void *cb_arg = c->arg;

	call_free(c);
	cb(cb_arg);
}

enum err
world_at(struct world *w, int64_t wall_ms, void (*cb)(void *arg), void *arg)
{
	struct world_call *c = malloc(sizeof(*c));

	if (c == NULL)
		return ERR_MEMORY;
	*c = (struct world_call){.world = w, .cb = cb, .arg = arg};
	if (eventheap_join(&w->heap, &c->event, on_call, c, NULL) != ERR_OK) {
		free(c);
		return ERR_MEMORY;
	}
	LIST_INSERT_HEAD(&w->calls, c, calls);
	world_after(w, &c->event, (wall_ms - w->cfg.wall_ms) * 1000 - w->now_us);
	return ERR_OK;
}

/* ---- timers of a loop ---- */

/* Have the earliest timer run when it is due. */
static void
arm_due(struct world_loop *l)
{
	int64_t due_ms;

	if (timerheap_next(&l->timers, &due_ms))
		world_after(world_of(l), &l->due, (due_ms - BOOT_MS) * 1000 - world_of(l)->now_us);
	else
		world_cancel(world_of(l), &l->due);
}

static void
timers_changed(struct loop *base)
{
	struct world_loop *l = world_loop_of(base);

	if (!l->dead && !l->in_timers)
		arm_due(l);
}

static void
on_due(void *arg)
{
	struct world_loop *l = arg;
	uint64_t order = l->timers.next_order;
	int64_t now_ms = loop_boot_ms(&l->base);
	struct timer *t;

	l->in_timers = true;
	while (!l->dead && (t = timerheap_pop(&l->timers, now_ms, order)) != NULL)
		t->cb(t->arg);
	l->in_timers = false;
	timers_changed(&l->base);
}

/* ---- a loop's life ---- */

static const struct loop_ops ops = {
    .timers_changed = timers_changed,
    .conn_open = world_conn_open,
    .conn_kick = world_conn_kick,
    .conn_detach = world_conn_detach,
    .conn_release = world_conn_release,
    .listener_open = world_listener_open,
    .listener_free = world_listener_free,
    .workq_new = world_workq_new,
    .workq_add = world_workq_add,
    .workq_backlog = world_workq_backlog,
    .workq_free = world_workq_free,
};

static enum err
loop_make(struct world_host *h)
{
	struct world_loop *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return ERR_MEMORY;
	if (eventheap_join(&h->world->heap, &l->due, on_due, l, h) != ERR_OK) {
		free(l);
		return ERR_MEMORY;
	}
	l->host = h;
	timerheap_init(&l->timers);
	LIST_INIT(&l->conns);
	LIST_INIT(&l->listeners);
	LIST_INIT(&l->queues);
	loop_init(&l->base, &ops, &h->clock, &l->timers);
	h->loop = l;
	h->since_ms = world_now_ms(h->world);
	return ERR_OK;
}

static void
die(struct world_host *h, bool unplugged)
{
	struct world_loop *l = h->loop;

	if (l == NULL || l->dead)
		return;
	l->dead = true;
	l->unplugged = unplugged;
	world_cancel(h->world, &l->due);
	world_work_die(l);
	world_net_die(l);
}

void
world_kill(struct world_host *h)
{
	die(h, false);
}

void
world_unplug(struct world_host *h)
{
	die(h, true);
}

/* All that the program made must be freed; connections that were finishing go with it. */
static void
loop_unmake(struct world_host *h)
{
	struct world_loop *l = h->loop;

	if (l == NULL)
		return;
	world_kill(h);
	loop_release(&l->base);
	assert(LIST_EMPTY(&l->conns) && LIST_EMPTY(&l->listeners) && LIST_EMPTY(&l->queues));
	timerheap_release(&l->timers);
	world_leave(h->world, &l->due);
	free(l);
	h->loop = NULL;
}

enum err
world_start(struct world_host *h)
{
	assert(h->loop == NULL || h->loop->dead);
	loop_unmake(h);
	h->stopped = false;
	return loop_make(h);
}

/* ---- hosts ---- */

static int64_t
host_wall_ms(void *ctx)
{
	const struct world_host *h = ctx;

	return world_now_ms(h->world) + h->wall_offset_ms;
}

static int64_t
host_boot_ms(void *ctx)
{
	const struct world_host *h = ctx;

	return BOOT_MS + h->world->now_us / 1000;
}

static void
on_wake(void *arg)
{
	struct world_host *h = arg;

	h->asleep = false;
	if (!h->loop->dead)
		loop_jumped(&h->loop->base, h->slept_ms);
	catch_up(h);
}

enum err
world_host_new(struct world_host **out, struct world *w)
{
	struct world_host *h = calloc(1, sizeof(*h));

	if (h == NULL)
		return ERR_MEMORY;
	h->world = w;
	h->clock = (struct clock){.wall_ms = host_wall_ms, .boot_ms = host_boot_ms, .ctx = h};
	h->out = w->cfg.out;
	h->in = w->cfg.in;
	h->number = w->host_count;
	TAILQ_INIT(&h->held);
	if (eventheap_join(&w->heap, &h->wake, on_wake, h, NULL) != ERR_OK) {
		free(h);
		return ERR_MEMORY;
	}
	if (loop_make(h) != ERR_OK) {
		world_leave(w, &h->wake);
		free(h);
		return ERR_MEMORY;
	}
	w->host_count++;
	TAILQ_INSERT_TAIL(&w->hosts, h, hosts);
	*out = h;
	return ERR_OK;
}

unsigned
world_host_number(const struct world_host *h)
{
	return h->number;
}

struct loop *
world_loop(const struct world_host *h)
{
	return h->loop->dead ? NULL : &h->loop->base;
}

int64_t
world_host_since_ms(const struct world_host *h)
{
	return h->since_ms;
}

void
world_set_clock(struct world_host *h, int64_t delta_ms)
{
	h->wall_offset_ms += delta_ms;
	if (!h->loop->dead && !held_up(h))
		loop_jumped(&h->loop->base, delta_ms);
	else
		h->slept_ms += delta_ms; /* told when it wakes */
}

int64_t
world_clock_offset_ms(const struct world_host *h)
{
	return h->wall_offset_ms;
}

enum err
world_sleep(struct world_host *h, int64_t ms)
{
	if (h->loop->dead || h->asleep)
		return ERR_STATE;
	h->asleep = true;
	h->slept_ms = ms;
	world_after(h->world, &h->wake, ms * 1000);
	return ERR_OK;
}

void
world_hold(struct world_host *h, bool held)
{
	h->stopped = held;
	catch_up(h);
}

/* ---- cuts ---- */

static bool
is_split(const struct world_split *s, const struct world_host *a, const struct world_host *b)
{
	return (s->a == a && s->b == b) || (s->a == b && s->b == a);
}

bool
world_is_cut(const struct world *w, const struct world_host *a, const struct world_host *b)
{
	for (size_t i = 0; i < w->split_count; i++) {
		if (is_split(&w->splits[i], a, b))
			return true;
	}
	return false;
}

enum err
world_cut(struct world_host *a, struct world_host *b)
{
	struct world *w = a->world;
	struct world_split *splits;

	if (world_is_cut(w, a, b))
		return ERR_OK;
	splits = reallocarray(w->splits, w->split_count + 1, sizeof(*splits));
	if (splits == NULL)
		return ERR_MEMORY;
	w->splits = splits;
	w->splits[w->split_count++] = (struct world_split){.a = a, .b = b};
	return ERR_OK;
}

void
world_join(struct world_host *a, struct world_host *b)
{
	struct world *w = a->world;

	for (size_t i = 0; i < w->split_count; i++) {
		if (is_split(&w->splits[i], a, b)) {
			w->splits[i] = w->splits[--w->split_count];
			world_net_resume(a, b);
			return;
		}
	}
}

void
world_set_lines(struct world_host *h, const struct world_line *out, const struct world_line *in)
{
	h->out = *out;
	h->in = *in;
}

void
world_refuse(struct world_host *h, bool refuse)
{
	h->refusing = refuse;
}

void
world_set_tap(struct world *w, world_tap *tap, void *arg)
{
	w->tap = tap;
	w->tap_arg = arg;
}

/* ---- the world itself ---- */

enum err
world_new(struct world **out, const struct world_config *cfg)
{
	struct world *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return ERR_MEMORY;
	w->cfg = *cfg;
	eventheap_init(&w->heap);
	rng_seeded_init(&w->rng, cfg->seed);
	TAILQ_INIT(&w->hosts);
	LIST_INIT(&w->calls);
	*out = w;
	return ERR_OK;
}

void
world_free(struct world *w)
{
	struct world_host *h;

	if (w == NULL)
		return;
	while ((h = TAILQ_FIRST(&w->hosts)) != NULL) {
		loop_unmake(h);
		world_leave(w, &h->wake);
		TAILQ_REMOVE(&w->hosts, h, hosts);
		free(h);
	}
	while (!LIST_EMPTY(&w->calls))
		call_free(LIST_FIRST(&w->calls));
	eventheap_release(&w->heap);
	free(w->splits);
	free(w);
}

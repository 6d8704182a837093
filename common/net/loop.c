#include "config.h"

#include "common/net/loop.h"

#include <assert.h>
#include <stdlib.h>

#include "common/net/address.h"
#include "common/net/timerheap.h"

#define DELAY_MAX_MS (INT64_C(1) << 52)

void
loop_init(struct loop *l, const struct loop_ops *ops, const struct clock *clock,
    struct timerheap *timers)
{
	*l = (struct loop){.ops = ops, .clock = clock, .timers = timers};
	LIST_INIT(&l->finishing);
}

void
loop_release(struct loop *l)
{
	while (!LIST_EMPTY(&l->finishing))
		conn_free(LIST_FIRST(&l->finishing));
	free(l->spare);
	l->spare = NULL;
	free(l->watches);
	l->watches = NULL;
	l->watch_count = 0;
}

const struct clock *
loop_clock(const struct loop *l)
{
	return l->clock;
}

int64_t
loop_wall_ms(const struct loop *l)
{
	return clock_wall_ms(l->clock);
}

int64_t
loop_boot_ms(const struct loop *l)
{
	return clock_boot_ms(l->clock);
}

/* ---- jumps ---- */

enum err
loop_watch_jumps(struct loop *l, loop_jump_cb *cb, void *arg)
{
	struct loop_watch *watches;
	size_t i = 0;

	while (i < l->watch_count && l->watches[i].cb != NULL)
		i++;
	if (i == l->watch_count) {
		watches = reallocarray(l->watches, i + 1, sizeof(*watches));
		if (watches == NULL)
			return ERR_MEMORY;
		l->watches = watches;
		l->watch_count = i + 1;
	}
	l->watches[i] = (struct loop_watch){.cb = cb, .arg = arg};
	return ERR_OK;
}

void
loop_unwatch_jumps(struct loop *l, void *arg)
{
	for (size_t i = 0; i < l->watch_count; i++) {
		if (l->watches[i].arg == arg)
			l->watches[i] = (struct loop_watch){0};
	}
}

void
loop_jumped(struct loop *l, int64_t delta_ms)
{
	/* By index: a callback may add and remove watchers. */
	for (size_t i = 0; i < l->watch_count; i++) {
		struct loop_watch w = l->watches[i];

		if (w.cb != NULL)
			w.cb(w.arg, delta_ms);
	}
}

/* ---- timers ---- */

struct timer *
timer_new(struct loop *l, timer_cb *cb, void *arg)
{
	struct timer *t = malloc(sizeof(*t));

	if (t == NULL)
		return NULL;
	if (timerheap_join(l->timers) != ERR_OK) {
		free(t);
		return NULL;
	}
	*t = (struct timer){.loop = l, .cb = cb, .arg = arg, .at = TIMERHEAP_NONE};
	return t;
}

void
timer_free(struct timer *t)
{
	if (t == NULL)
		return;
	timer_cancel(t);
	timerheap_leave(t->loop->timers);
	free(t);
}

void
timer_after(struct timer *t, int64_t delay_ms)
{
	int64_t delay = delay_ms < 0 ? 0 : delay_ms < DELAY_MAX_MS ? delay_ms : DELAY_MAX_MS;

	if (timerheap_arm(t->loop->timers, t, loop_boot_ms(t->loop) + delay))
		t->loop->ops->timers_changed(t->loop);
}

void
timer_at_wall(struct timer *t, int64_t wall_ms)
{
	int64_t now = loop_wall_ms(t->loop);

	timer_after(t, wall_ms <= now ? 0 : wall_ms - now);
}

void
timer_cancel(struct timer *t)
{
	if (timerheap_disarm(t->loop->timers, t))
		t->loop->ops->timers_changed(t->loop);
}

bool
timer_armed(const struct timer *t)
{
	return t->at != TIMERHEAP_NONE;
}

/* ---- listeners and work queues: the implementation's ---- */

enum err
listener_open(struct listener **out, struct loop *l, const char *address, listener_cb *cb,
    void *arg, struct diag *d)
{
	if (address_check(address) != ERR_OK)
		return diag_set(d, ERR_USAGE,
		    "the address to listen on is malformed: write \"127.0.0.1:7000\", "
		    "\"[::1]:7000\" or \"unix:/path\" with a path of at most 107 bytes");
	return l->ops->listener_open(out, l, address, cb, arg, d);
}

void
listener_free(struct listener *s)
{
	if (s != NULL)
		s->loop->ops->listener_free(s);
}

struct workq *
workq_new(struct loop *l, unsigned threads)
{
	assert(threads > 0);
	return l->ops->workq_new(l, threads);
}

enum err
workq_add(struct workq *q, void (*run)(void *arg), void (*done)(void *arg), void *arg)
{
	return q->loop->ops->workq_add(q, run, done, arg);
}

size_t
workq_backlog(const struct workq *q)
{
	return q->loop->ops->workq_backlog(q);
}

void
workq_free(struct workq *q)
{
	if (q != NULL)
		q->loop->ops->workq_free(q);
}

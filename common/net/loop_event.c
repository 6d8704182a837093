#include "config.h"

#include "common/net/loop_event.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/util.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "common/base/secret.h"
#include "common/net/loop_event_parts.h"

#define JUMP_MS 1000
#define SAMPLE_MS 100 /* clocks read further apart than this cannot be compared */
#define SAMPLE_TRIES 3
#define FAR_FUTURE_S INT64_C(7258118400) /* the year 2200 */

enum { PRIORITY_TIMERS, PRIORITY_STREAMS, PRIORITIES };

struct loop_signal {
	struct loop_signal *next;
	struct event *event;
	void (*cb)(void *arg);
	void *arg;
};

/* ---- turns ---- */

static const struct timeval at_once = {0, 0};

void
loop_event_wake(struct loop_event *l)
{
	/*
	 * An active event runs right behind those that are active now. From
	 * within a turn that could go on for ever without a look at the
	 * sockets; a timer that is due waits for that look.
	 */
	if (l->in_turn)
		(void)event_add(l->turn_event, &at_once);
	else
		event_active(l->turn_event, EV_TIMEOUT, 0);
}

static void look_for_jump(struct loop_event *l);

/*
 * Have the earliest timer run when it is due. One that is due already, because
 * it was armed with no delay, takes its turn behind the streams: on the
 * timerfd, which comes before them, it could shut them out.
 */
static void
arm_timers(struct loop_event *l)
{
	struct itimerspec at = {0};
	int64_t due, wait;

	l->timers_stale = false;
	if (timerheap_next(&l->timers, &due)) {
		wait = due - clock_boot_ms(l->base.clock);
		if (wait <= 0) {
			(void)event_add(l->turn_event, &at_once);
			return;
		}
		at.it_value.tv_sec = wait / 1000;
		at.it_value.tv_nsec = wait % 1000 * 1000000;
	}
	(void)timerfd_settime(l->timer_fd, 0, &at, NULL);
}

/* Run what is due and was armed before `order`. */
static void
run_timers(struct loop_event *l, uint64_t order)
{
	struct timer *t;
	int64_t due;

	if (!timerheap_next(&l->timers, &due) || due > clock_boot_ms(l->base.clock))
		return;
	l->timers_stale = true;
	look_for_jump(l);
	while ((t = timerheap_pop(&l->timers, clock_boot_ms(l->base.clock), order)) != NULL)
		t->cb(t->arg);
}

static void
run_kicked(struct loop_event *l)
{
	struct conn_event *c;

	while ((c = TAILQ_FIRST(&l->kicked)) != NULL && c->turn < l->turn) {
		TAILQ_REMOVE(&l->kicked, c, kicks);
		c->kicked = false;
		conn_event_turn(c);
	}
}

static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct loop_event *l = arg;
	uint64_t order = l->timers.next_order;

	(void)fd;
	(void)what;
	l->turn++;
	l->in_turn = true;
	run_kicked(l);
	run_timers(l, order);
	l->in_turn = false;
	if (l->timers_stale)
		arm_timers(l);
}

static void
on_timer_fd(evutil_socket_t fd, short what, void *arg)
{
	struct loop_event *l = arg;
	uint64_t ignored;

	(void)what;
	if (read(fd, &ignored, sizeof(ignored)) < 0 && errno == EAGAIN)
		return;
	l->timers_stale = true; /* no wake-up: they are armed below anyhow */
	run_timers(l, l->timers.next_order);
	arm_timers(l);
}

static void
timers_changed(struct loop *base)
{
	struct loop_event *l = loop_event_of(base);

	if (l->timers_stale)
		return;
	l->timers_stale = true;
	if (!l->in_turn)
		loop_event_wake(l);
}

/* ---- jumps of the clock ---- */

static int64_t
monotonic_ms(void *ctx)
{
	struct timeval now = {0, 0};

	(void)evutil_gettime_monotonic(ctx, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_usec / 1000;
}

struct offsets {
	int64_t wall_ms, sleep_ms;
};

/* False if the process was held up between the clocks each time. */
static bool
sample_offsets(const struct loop_event *l, struct offsets *out)
{
	const struct clock *clock = l->base.clock;

	for (int i = 0; i < SAMPLE_TRIES; i++) {
		int64_t boot = clock_boot_ms(clock);
		int64_t wall = clock_wall_ms(clock);
		int64_t awake = l->time.awake_ms(l->time.ctx);

		if (clock_boot_ms(clock) - boot > SAMPLE_MS)
			continue;
		*out = (struct offsets){.wall_ms = wall - boot, .sleep_ms = boot - awake};
		return true;
	}
	return false;
}

static int64_t
magnitude(int64_t v)
{
	return v < 0 ? -v : v;
}

static void
look_for_jump(struct loop_event *l)
{
	struct offsets now;
	int64_t set_by, slept;

	if (!sample_offsets(l, &now))
		return;
	set_by = now.wall_ms - l->wall_offset_ms;
	slept = now.sleep_ms - l->sleep_offset_ms;
	if (magnitude(set_by) <= JUMP_MS && magnitude(slept) <= JUMP_MS)
		return;
	l->wall_offset_ms = now.wall_ms;
	l->sleep_offset_ms = now.sleep_ms;
	loop_jumped(&l->base, magnitude(set_by) > magnitude(slept) ? set_by : slept);
}

/* The kernel cancels this timer when the wall clock is set or the machine wakes. */
static void
arm_clock_fd(struct loop_event *l)
{
	const struct itimerspec at = {.it_value.tv_sec = FAR_FUTURE_S};

	(void)timerfd_settime(l->clock_fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &at, NULL);
}

static void
on_clock_fd(evutil_socket_t fd, short what, void *arg)
{
	struct loop_event *l = arg;
	uint64_t ignored;

	(void)what;
	if (read(fd, &ignored, sizeof(ignored)) < 0 && errno == EAGAIN)
		return;
	arm_clock_fd(l);
	look_for_jump(l);
}

/* ---- signals ---- */

static void
on_signal(evutil_socket_t signal, short what, void *arg)
{
	struct loop_signal *s = arg;

	(void)signal;
	(void)what;
	s->cb(s->arg);
}

enum err
loop_event_signal(struct loop *base, int signal, void (*cb)(void *arg), void *arg)
{
	struct loop_event *l = loop_event_of(base);
	struct loop_signal *s = malloc(sizeof(*s));

	if (s == NULL)
		return ERR_MEMORY;
	*s = (struct loop_signal){.cb = cb, .arg = arg, .next = l->signals};
	s->event = evsignal_new(l->events, signal, on_signal, s);
	if (s->event == NULL || evsignal_add(s->event, NULL) != 0) {
		if (s->event != NULL)
			event_free(s->event);
		free(s);
		return ERR_IO;
	}
	l->signals = s;
	return ERR_OK;
}

static void
free_signals(struct loop_event *l)
{
	while (l->signals != NULL) {
		struct loop_signal *s = l->signals;

		l->signals = s->next;
		event_free(s->event);
		free(s);
	}
}

/* ---- life ---- */

static const struct loop_ops ops = {
    .timers_changed = timers_changed,
    .conn_open = conn_event_open,
    .conn_kick = conn_event_kick,
    .conn_detach = conn_event_detach,
    .conn_release = conn_event_release,
    .listener_open = listener_event_open,
    .listener_free = listener_event_free,
    .workq_new = workq_event_new,
    .workq_add = workq_event_add,
    .workq_backlog = workq_event_backlog,
    .workq_free = workq_event_free,
};

/* A base that looks at the timers at least every 5 ms while streams are busy. */
static struct event_base *
make_events(void)
{
	static const struct timeval dispatch_max = {0, 5000};
	struct event_config *config = event_config_new();
	struct event_base *events = NULL;

	if (config == NULL)
		return NULL;
	if (event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK) == 0 &&
	    event_config_set_max_dispatch_interval(config, &dispatch_max, 64, PRIORITY_STREAMS) ==
		0)
		events = event_base_new_with_config(config);
	event_config_free(config);
	if (events != NULL && event_base_priority_init(events, PRIORITIES) != 0) {
		event_base_free(events);
		events = NULL;
	}
	return events;
}

/* The default source of awake_ms, where the caller gave none. */
static enum err
set_time(struct loop_event *l, const struct loop_event_time *time)
{
	if (time != NULL) {
		l->time = *time;
		return ERR_OK;
	}
	l->monotonic = evutil_monotonic_timer_new();
	if (l->monotonic == NULL || evutil_configure_monotonic_time(l->monotonic, 0) != 0)
		return ERR_MEMORY;
	l->time = (struct loop_event_time){
	    .clock = clock_system(),
	    .awake_ms = monotonic_ms,
	    .ctx = l->monotonic,
	};
	return ERR_OK;
}

/* A persistent event on a new timerfd that comes before streams. */
static struct event *
watch_timer_fd(struct loop_event *l, int *fd, int clock_id, event_callback_fn cb)
{
	struct event *e;

	*fd = timerfd_create(clock_id, TFD_NONBLOCK | TFD_CLOEXEC);
	if (*fd < 0)
		return NULL;
	e = event_new(l->events, *fd, EV_READ | EV_PERSIST, cb, l);
	if (e != NULL && l->own_events)
		(void)event_priority_set(e, PRIORITY_TIMERS);
	if (e != NULL && event_add(e, NULL) != 0) {
		event_free(e);
		e = NULL;
	}
	return e;
}

static enum err
set_up(struct loop_event *l, struct event_base *base, const struct loop_event_time *time)
{
	struct offsets now = {0, 0};
	enum err e = set_time(l, time);

	if (e != ERR_OK)
		return e;
	l->own_events = base == NULL;
	l->events = base != NULL ? base : make_events();
	l->scratch = malloc(LOOP_EVENT_SCRATCH_BYTES);
	if (l->events == NULL || l->scratch == NULL)
		return ERR_MEMORY;
	loop_init(&l->base, &ops, l->time.clock, &l->timers);
	l->timer_event = watch_timer_fd(l, &l->timer_fd, CLOCK_BOOTTIME, on_timer_fd);
	l->clock_event = watch_timer_fd(l, &l->clock_fd, CLOCK_REALTIME, on_clock_fd);
	l->turn_event = event_new(l->events, -1, 0, on_turn, l);
	if (l->timer_event == NULL || l->clock_event == NULL || l->turn_event == NULL)
		return ERR_IO;
	arm_clock_fd(l);
	(void)sample_offsets(l, &now);
	l->wall_offset_ms = now.wall_ms;
	l->sleep_offset_ms = now.sleep_ms;
	return ERR_OK;
}

enum err
loop_event_new_timed(struct loop **out, struct event_base *base, const struct loop_event_time *time)
{
	struct loop_event *l = calloc(1, sizeof(*l));
	enum err e;

	if (l == NULL)
		return ERR_MEMORY;
	l->timer_fd = -1;
	l->clock_fd = -1;
	TAILQ_INIT(&l->kicked);
	timerheap_init(&l->timers);
	e = set_up(l, base, time);
	if (e != ERR_OK) {
		loop_event_free(&l->base);
		return e;
	}
	*out = &l->base;
	return ERR_OK;
}

enum err
loop_event_new(struct loop **out, struct event_base *base)
{
	return loop_event_new_timed(out, base, NULL);
}

static void
free_event(struct event *e, int fd)
{
	if (e != NULL)
		event_free(e);
	if (fd >= 0)
		(void)close(fd);
}

void
loop_event_free(struct loop *base)
{
	struct loop_event *l = loop_event_of(base);

	if (base == NULL)
		return;
	loop_release(&l->base);
	assert(TAILQ_EMPTY(&l->kicked));
	free_signals(l);
	free_event(l->turn_event, -1);
	free_event(l->timer_event, l->timer_fd);
	free_event(l->clock_event, l->clock_fd);
	timerheap_release(&l->timers);
	if (l->scratch != NULL)
		secret_wipe(l->scratch, LOOP_EVENT_SCRATCH_BYTES);
	free(l->scratch);
	if (l->monotonic != NULL)
		evutil_monotonic_timer_free(l->monotonic);
	if (l->own_events && l->events != NULL)
		event_base_free(l->events);
	free(l);
}

void
loop_event_run(struct loop *base)
{
	struct loop_event *l = loop_event_of(base);

	while (!l->stopping && event_base_loop(l->events, EVLOOP_NO_EXIT_ON_EMPTY) == 0)
		;
	l->stopping = false;
}

void
loop_event_stop(struct loop *base)
{
	struct loop_event *l = loop_event_of(base);

	l->stopping = true;
	(void)event_base_loopbreak(l->events);
}

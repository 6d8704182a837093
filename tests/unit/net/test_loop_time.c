#include "config.h"

#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>

#include "common/net/timerheap.h"
#include "tests/lib/test.h"
#include "tests/unit/net/net_test.h"

/* ---- the heap alone ---- */

static struct timer *
slowest_first(struct timer *timers, size_t n)
{
	struct timer *first = NULL;

	for (size_t i = 0; i < n; i++) {
		struct timer *t = &timers[i];

		if (t->at == TIMERHEAP_NONE)
			continue;
		if (first == NULL || t->due_ms < first->due_ms ||
		    (t->due_ms == first->due_ms && t->order < first->order))
			first = t;
	}
	return first;
}

/* Random arming, cancelling and popping against a search through all timers. */
static void
test_heap_against_search(void **state)
{
	enum { TIMERS = 60, STEPS = 20000 };
	struct timer timers[TIMERS];
	struct timerheap h;

	(void)state;
	timerheap_init(&h);
	for (size_t i = 0; i < TIMERS; i++) {
		timers[i] = (struct timer){.at = TIMERHEAP_NONE};
		assert_err_ok(timerheap_join(&h));
	}
	for (int step = 0; step < STEPS; step++) {
		struct timer *t = &timers[rng_below(test_rng(), TIMERS)];
		struct timer *first = slowest_first(timers, TIMERS);
		int64_t now = rng_between(test_rng(), 0, 50), due = -1;

		assert_int_equal(timerheap_next(&h, &due), first != NULL);
		switch (rng_below(test_rng(), 4)) {
		case 0:
		case 1:
			timerheap_arm(&h, t, rng_between(test_rng(), 0, 100));
			assert_true(t->at != TIMERHEAP_NONE);
			break;
		case 2:
			assert_int_equal(timerheap_disarm(&h, t), first == t);
			assert_true(t->at == TIMERHEAP_NONE);
			break;
		default:
			if (first != NULL && first->due_ms > now)
				first = NULL;
			assert_ptr_equal(timerheap_pop(&h, now, h.next_order), first);
			break;
		}
	}
	for (size_t i = 0; i < TIMERS; i++) {
		timerheap_disarm(&h, &timers[i]);
		timerheap_leave(&h);
	}
	timerheap_release(&h);
}

/* ---- timers on the loop ---- */

#define NOTES_MAX 32

static struct {
	struct loop *loop;
	int notes[NOTES_MAX];
	int count;
} log_of;

static void
log_reset(struct loop *l)
{
	log_of.loop = l;
	log_of.count = 0;
}

static void
note(int what)
{
	if (log_of.count < NOTES_MAX)
		log_of.notes[log_of.count++] = what;
}

#define assert_notes(...)                                                                          \
	do {                                                                                       \
		static const int wanted[] = {__VA_ARGS__};                                         \
		assert_int_equal(log_of.count, sizeof(wanted) / sizeof(wanted[0]));                \
		assert_memory_equal(log_of.notes, wanted, sizeof(wanted));                         \
	} while (0)

struct noted {
	int what;
	struct timer *timer, *other;
	int rearm; /* times */
	bool free_self, free_other, cancel_other, stop;
};

static void
on_noted(void *arg)
{
	struct noted *n = arg;

	note(n->what);
	if (n->free_self) {
		timer_free(n->timer);
		n->timer = NULL;
	}
	if (n->rearm > 0) {
		n->rearm--;
		timer_after(n->timer, 0);
	}
	if (n->cancel_other)
		timer_cancel(n->other);
	if (n->free_other)
		timer_free(n->other);
	if (n->stop)
		loop_event_stop(log_of.loop);
}

static void
noted_new(struct noted *n, struct loop *l, int what)
{
	*n = (struct noted){.what = what};
	n->timer = timer_new(l, on_noted, n);
	assert_non_null(n->timer);
	assert_false(timer_armed(n->timer));
}

static void
test_order(void **state)
{
	struct loop *l = net_loop_new();
	struct noted n[5];

	(void)state;
	log_reset(l);
	for (int i = 0; i < 5; i++)
		noted_new(&n[i], l, i);
	n[4].stop = true;
	timer_after(n[4].timer, 30);
	timer_after(n[1].timer, 20);
	timer_after(n[0].timer, 10);
	timer_after(n[2].timer, 20); /* armed after 1 */
	timer_after(n[3].timer, 1);
	timer_after(n[3].timer, 25); /* moved */
	net_run(l);
	assert_notes(0, 1, 2, 3, 4);
	assert_false(timer_armed(n[4].timer));
	for (int i = 0; i < 5; i++)
		timer_free(n[i].timer);
	net_loop_free(l);
}

/* A timer that re-arms itself at once must not keep the others from their turn. */
static void
test_zero_delay_waits_for_the_next_turn(void **state)
{
	struct loop *l = net_loop_new();
	struct noted n[3];

	(void)state;
	log_reset(l);
	for (int i = 0; i < 3; i++)
		noted_new(&n[i], l, i);
	n[0].rearm = 2;
	timer_after(n[0].timer, 0);
	timer_after(n[1].timer, -5); /* as 0 */
	n[2].stop = true;
	timer_after(n[2].timer, 20);
	assert_int_equal(log_of.count, 0); /* never inside the call */
	net_run(l);
	assert_notes(0, 1, 0, 0, 2);
	for (int i = 0; i < 3; i++)
		timer_free(n[i].timer);
	net_loop_free(l);
}

static void
test_cancel_and_free_in_callbacks(void **state)
{
	struct loop *l = net_loop_new();
	struct noted n[5];

	(void)state;
	log_reset(l);
	for (int i = 0; i < 5; i++) {
		noted_new(&n[i], l, i);
		timer_after(n[i].timer, i < 4 ? 5 : 15);
	}
	/* All due at once: 0 cancels 1, 2 frees itself and 3. */
	n[0].cancel_other = true;
	n[0].other = n[1].timer;
	n[2].free_self = true;
	n[2].free_other = true;
	n[2].other = n[3].timer;
	n[4].stop = true;
	net_run(l);
	assert_notes(0, 2, 4);
	timer_free(n[0].timer);
	timer_free(n[1].timer);
	timer_free(n[4].timer);
	timer_free(NULL);
	net_loop_free(l);
}

static void
test_at_wall(void **state)
{
	struct loop *l = net_loop_new();
	struct noted n[3];
	int64_t now = loop_wall_ms(l);

	(void)state;
	log_reset(l);
	for (int i = 0; i < 3; i++)
		noted_new(&n[i], l, i);
	n[1].stop = true;
	timer_at_wall(n[1].timer, now + 30);
	timer_at_wall(n[0].timer, now - 1000000);
	timer_at_wall(n[2].timer, INT64_MAX);
	net_run(l);
	assert_notes(0, 1);
	assert_true(loop_wall_ms(l) >= now + 30);
	assert_true(timer_armed(n[2].timer));
	for (int i = 0; i < 3; i++)
		timer_free(n[i].timer);
	net_loop_free(l);
}

/* ---- jumps ---- */

struct fake_time {
	struct test_clock clock;
	int64_t awake_ms;
	struct loop *loop;
	struct timer *tick; /* a turn of the loop looks at the clocks */
	int64_t deltas[8];
	int count;
};

static int64_t
fake_awake(void *ctx)
{
	return ((struct fake_time *)ctx)->awake_ms;
}

static void
on_tick(void *arg)
{
	loop_event_stop(((struct fake_time *)arg)->loop);
}

static void
on_jump(void *arg, int64_t delta_ms)
{
	struct fake_time *f = arg;

	if (f->count < 8)
		f->deltas[f->count++] = delta_ms;
}

static void
fake_time_new(struct fake_time *f)
{
	struct loop_event_time time = {.awake_ms = fake_awake, .ctx = f};

	*f = (struct fake_time){.awake_ms = 1000};
	test_clock_init(&f->clock, INT64_C(1790000000000));
	time.clock = &f->clock.clock;
	assert_err_ok(loop_event_new_timed(&f->loop, NULL, &time));
	f->tick = timer_new(f->loop, on_tick, f);
	assert_non_null(f->tick);
	assert_err_ok(loop_watch_jumps(f->loop, on_jump, f));
}

static void
fake_time_turn(struct fake_time *f)
{
	timer_after(f->tick, 0);
	net_run(f->loop);
}

static void
fake_time_free(struct fake_time *f)
{
	timer_free(f->tick);
	net_loop_free(f->loop);
}

static void
test_clock_was_set(void **state)
{
	struct fake_time f;

	(void)state;
	fake_time_new(&f);
	test_clock_advance(&f.clock, 5000);
	f.awake_ms += 5000;
	fake_time_turn(&f);
	assert_int_equal(f.count, 0);
	f.clock.wall_ms += 3600000;
	fake_time_turn(&f);
	f.clock.wall_ms -= 7200000;
	fake_time_turn(&f);
	fake_time_turn(&f); /* told once */
	assert_int_equal(f.count, 2);
	assert_int_equal(f.deltas[0], 3600000);
	assert_true(f.deltas[1] == -7200000);
	fake_time_free(&f);
}

/* Small steps are no jump, but they add up to one. */
static void
test_small_steps(void **state)
{
	struct fake_time f;

	(void)state;
	fake_time_new(&f);
	f.clock.wall_ms += 600;
	fake_time_turn(&f);
	assert_int_equal(f.count, 0);
	f.clock.wall_ms += 600;
	fake_time_turn(&f);
	assert_int_equal(f.count, 1);
	assert_int_equal(f.deltas[0], 1200);
	fake_time_free(&f);
}

static void
test_sleep(void **state)
{
	struct fake_time f;

	(void)state;
	fake_time_new(&f);
	test_clock_advance(&f.clock, 60000); /* the machine slept: awake stood still */
	fake_time_turn(&f);
	assert_int_equal(f.count, 1);
	assert_int_equal(f.deltas[0], 60000);
	/* A sleep during which the clock was set back by as much is one, too. */
	test_clock_advance(&f.clock, 60000);
	f.clock.wall_ms -= 60000;
	fake_time_turn(&f);
	assert_int_equal(f.count, 2);
	fake_time_free(&f);
}

static void
on_jump_unwatch(void *arg, int64_t delta_ms)
{
	struct fake_time *f = arg;

	(void)delta_ms;
	note(1);
	loop_unwatch_jumps(f->loop, f);
	loop_unwatch_jumps(f->loop, log_of.notes);
}

static void
on_jump_never(void *arg, int64_t delta_ms)
{
	(void)arg;
	(void)delta_ms;
	note(2);
}

static void
test_unwatch_in_callback(void **state)
{
	struct fake_time f;

	(void)state;
	fake_time_new(&f);
	log_reset(f.loop);
	loop_unwatch_jumps(f.loop, &f);
	assert_err_ok(loop_watch_jumps(f.loop, on_jump_unwatch, &f));
	assert_err_ok(loop_watch_jumps(f.loop, on_jump_never, log_of.notes));
	f.clock.wall_ms += 5000;
	fake_time_turn(&f);
	f.clock.wall_ms += 5000;
	fake_time_turn(&f);
	assert_notes(1);
	fake_time_free(&f);
}

/* ---- signals, stopping, a caller's base ---- */

static void
on_signal(void *arg)
{
	note(*(int *)arg);
	loop_event_stop(log_of.loop);
}

static void
test_signals(void **state)
{
	struct loop *l = net_loop_new();
	int hup = 1, term = 2;

	(void)state;
	log_reset(l);
	assert_err_ok(loop_event_signal(l, SIGHUP, on_signal, &hup));
	assert_err_ok(loop_event_signal(l, SIGTERM, on_signal, &term));
	assert_int_equal(raise(SIGTERM), 0);
	net_run(l);
	assert_int_equal(raise(SIGHUP), 0);
	net_run(l);
	assert_notes(2, 1);
	net_loop_free(l);
}

static void
test_stop_before_run(void **state)
{
	struct loop *l = net_loop_new();
	struct noted n;

	(void)state;
	log_reset(l);
	noted_new(&n, l, 1);
	timer_after(n.timer, 0);
	loop_event_stop(l);
	net_run(l); /* returns at once */
	assert_int_equal(log_of.count, 0);
	n.stop = true;
	net_run(l); /* the stop holds for one run */
	assert_notes(1);
	timer_free(n.timer);
	net_loop_free(l);
}

static void
on_callers_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	note(7);
	event_base_loopbreak(arg);
}

static void
test_over_a_callers_base(void **state)
{
	const struct timeval later = {0, 20000};
	struct event_base *base = event_base_new();
	struct event *own;
	struct loop *l = NULL;
	struct noted n;

	(void)state;
	assert_non_null(base);
	assert_err_ok(loop_event_new(&l, base));
	log_reset(l);
	noted_new(&n, l, 1);
	timer_after(n.timer, 5);
	own = evtimer_new(base, on_callers_timer, base);
	assert_non_null(own);
	event_add(own, &later);
	event_base_dispatch(base);
	assert_notes(1, 7);
	timer_free(n.timer);
	loop_event_free(l);
	/* The base is still the caller's, and nothing of ours is left on it. */
	event_add(own, &later);
	event_base_dispatch(base);
	assert_notes(1, 7, 7);
	event_free(own);
	assert_int_equal(
	    event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED | EVENT_BASE_COUNT_ACTIVE), 0);
	event_base_free(base);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_heap_against_search),
    cmocka_unit_test(test_order),
    cmocka_unit_test(test_zero_delay_waits_for_the_next_turn),
    cmocka_unit_test(test_cancel_and_free_in_callbacks),
    cmocka_unit_test(test_at_wall),
    cmocka_unit_test(test_clock_was_set),
    cmocka_unit_test(test_small_steps),
    cmocka_unit_test(test_sleep),
    cmocka_unit_test(test_unwatch_in_callback),
    cmocka_unit_test(test_signals),
    cmocka_unit_test(test_stop_before_run),
    cmocka_unit_test(test_over_a_callers_base),
};

TEST_MAIN(tests)

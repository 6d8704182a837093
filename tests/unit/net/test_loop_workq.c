#include "config.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

#include "tests/lib/test.h"
#include "tests/unit/net/net_test.h"

#define JOBS 200

struct job {
	struct bench *bench;
	int number;
	bool stop;      /* the loop, when done */
	bool add_again; /* once, when done */
};

static struct bench {
	struct loop *loop;
	struct workq *queue;
	pthread_t main_thread;
	struct job jobs[JOBS];
	int ran[JOBS], done[JOBS + 8];
	int ran_count, done_count; /* ran_count only with one thread */
	atomic_int runs, wrong_thread, signals_open;
	/* a gate that holds jobs back until the test opens it */
	pthread_mutex_t lock;
	pthread_cond_t opened;
	bool open;
} bench;

static void
bench_init(unsigned threads)
{
	memset(&bench, 0, sizeof(bench));
	bench.loop = net_loop_new();
	bench.main_thread = pthread_self();
	pthread_mutex_init(&bench.lock, NULL);
	pthread_cond_init(&bench.opened, NULL);
	bench.queue = workq_new(bench.loop, threads);
	assert_non_null(bench.queue);
	for (int i = 0; i < JOBS; i++)
		bench.jobs[i] = (struct job){.bench = &bench, .number = i};
}

static void
bench_release(void)
{
	workq_free(bench.queue);
	net_loop_free(bench.loop);
	pthread_cond_destroy(&bench.opened);
	pthread_mutex_destroy(&bench.lock);
}

static void
open_gate(void)
{
	pthread_mutex_lock(&bench.lock);
	bench.open = true;
	pthread_cond_broadcast(&bench.opened);
	pthread_mutex_unlock(&bench.lock);
}

static void
run_at_gate(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&bench.lock);
	while (!bench.open)
		pthread_cond_wait(&bench.opened, &bench.lock);
	pthread_mutex_unlock(&bench.lock);
}

static void
run_job(void *arg)
{
	const struct job *j = arg;
	sigset_t blocked;

	atomic_fetch_add(&bench.runs, 1);
	if (pthread_equal(pthread_self(), bench.main_thread))
		atomic_fetch_add(&bench.wrong_thread, 1);
	pthread_sigmask(SIG_SETMASK, NULL, &blocked);
	if (!sigismember(&blocked, SIGTERM) || !sigismember(&blocked, SIGHUP))
		atomic_fetch_add(&bench.signals_open, 1);
	(void)j;
}

static void
run_serial(void *arg)
{
	const struct job *j = arg;

	run_job(arg);
	bench.ran[bench.ran_count++] = j->number;
}

static void
done_job(void *arg)
{
	struct job *j = arg;

	if (!pthread_equal(pthread_self(), bench.main_thread))
		atomic_fetch_add(&bench.wrong_thread, 1);
	bench.done[bench.done_count++] = j->number;
	if (j->add_again) {
		j->add_again = false;
		if (workq_add(bench.queue, run_job, done_job, j) != ERR_OK)
			bench.done_count = -1;
	}
	if (j->stop)
		loop_event_stop(bench.loop);
}

static void
done_nothing(void *arg)
{
	(void)arg;
}

/* One thread: strictly one after the other, done in the same order. */
static void
test_serial_order(void **state)
{
	(void)state;
	bench_init(1);
	bench.jobs[JOBS - 1].stop = true;
	for (int i = 0; i < JOBS; i++)
		assert_err_ok(workq_add(bench.queue, run_serial, done_job, &bench.jobs[i]));
	assert_int_equal(workq_backlog(bench.queue), JOBS);
	assert_int_equal(bench.done_count, 0); /* never inside workq_add */
	net_run(bench.loop);
	assert_int_equal(workq_backlog(bench.queue), 0);
	assert_int_equal(bench.done_count, JOBS);
	for (int i = 0; i < JOBS; i++) {
		assert_int_equal(bench.ran[i], i);
		assert_int_equal(bench.done[i], i);
	}
	assert_int_equal(bench.wrong_thread, 0);
	assert_int_equal(bench.signals_open, 0);
	bench_release();
}

static void
done_and_count(void *arg)
{
	done_job(arg);
	if (bench.done_count == JOBS)
		loop_event_stop(bench.loop);
}

static void
test_many_threads(void **state)
{
	bool seen[JOBS] = {false};

	(void)state;
	bench_init(4);
	for (int i = 0; i < JOBS; i++)
		assert_err_ok(workq_add(bench.queue, run_job, done_and_count, &bench.jobs[i]));
	net_run(bench.loop);
	assert_int_equal(bench.runs, JOBS);
	for (int i = 0; i < JOBS; i++) {
		assert_false(seen[bench.done[i]]);
		seen[bench.done[i]] = true;
	}
	assert_int_equal(bench.wrong_thread, 0);
	bench_release();
}

static void
done_short(void *arg)
{
	done_job(arg);
	open_gate();
}

/* Done comes in the order of completion, not of adding. */
static void
test_order_of_completion(void **state)
{
	(void)state;
	bench_init(2);
	bench.jobs[0].stop = true;
	assert_err_ok(workq_add(bench.queue, run_at_gate, done_job, &bench.jobs[0]));
	assert_err_ok(workq_add(bench.queue, run_job, done_short, &bench.jobs[1]));
	net_run(bench.loop);
	assert_int_equal(bench.done_count, 2);
	assert_int_equal(bench.done[0], 1);
	assert_int_equal(bench.done[1], 0);
	bench_release();
}

static void
test_free_finishes_everything(void **state)
{
	(void)state;
	bench_init(2);
	bench.jobs[3].add_again = true;
	for (int i = 0; i < JOBS; i++)
		assert_err_ok(workq_add(bench.queue, run_job, done_job, &bench.jobs[i]));
	workq_free(bench.queue);
	bench.queue = NULL;
	assert_int_equal(bench.runs, JOBS + 1); /* what done added, too */
	assert_int_equal(bench.done_count, JOBS + 1);
	bench_release();
}

static void
test_backlog_is_bounded(void **state)
{
	(void)state;
	bench_init(1);
	for (int i = 0; i < WORKQ_BACKLOG_MAX; i++)
		assert_err_ok(workq_add(bench.queue, run_at_gate, done_nothing, NULL));
	assert_err(workq_add(bench.queue, run_at_gate, done_nothing, NULL), ERR_FULL);
	assert_int_equal(workq_backlog(bench.queue), WORKQ_BACKLOG_MAX);
	open_gate();
	bench_release();
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_serial_order),
    cmocka_unit_test(test_many_threads),
    cmocka_unit_test(test_order_of_completion),
    cmocka_unit_test(test_free_finishes_everything),
    cmocka_unit_test(test_backlog_is_bounded),
};

TEST_MAIN(tests)

#include "config.h"

#include <pthread.h>

#include "evaluation/jobs.h"
#include "tests/lib/test.h"

#define PIECES 500

struct count {
	unsigned begun[PIECES], over[PIECES]; /* of each piece, by whoever did it */
	size_t total;			      /* over, no two at once */
	size_t bad;			      /* the piece that fails; PIECES: none */
	pthread_t caller;
	bool elsewhere; /* a piece was not done by the calling thread */
};

static enum err
piece(void *arg, size_t i, struct diag *d)
{
	struct count *n = arg;

	n->begun[i]++;
	if (i == n->bad)
		return diag_set(d, ERR_FULL, "piece %zu is bad", i);
	return ERR_OK;
}

static void
over(void *arg, size_t i)
{
	struct count *n = arg;

	n->over[i]++;
	n->total++;
	n->elsewhere |= !pthread_equal(pthread_self(), n->caller);
}

static enum err
run(struct count *n, size_t count, unsigned threads, struct diag *d)
{
	const struct jobs jobs = { count, piece, over, n };

	n->caller = pthread_self();
	return jobs_run(&jobs, threads, d);
}

static void
test_every_piece_is_done_once(void **state)
{
	static const unsigned threads[] = { 0, 1, 2, 7, JOBS_MAX, JOBS_MAX + 10 };

	(void)state;
	for (size_t t = 0; t < sizeof(threads) / sizeof(threads[0]); t++) {
		struct count n = { .bad = PIECES };

		assert_err_ok(run(&n, PIECES, threads[t], NULL));
		assert_int_equal(n.total, PIECES);
		for (size_t i = 0; i < PIECES; i++)
			assert_true(n.begun[i] == 1 && n.over[i] == 1);
	}
}

static void
test_one_thread_is_the_callers(void **state)
{
	struct count n = { .bad = PIECES };

	(void)state;
	assert_err_ok(run(&n, PIECES, 1, NULL));
	assert_false(n.elsewhere);
	assert_err_ok(run(&n, 0, 4, NULL)); /* nothing to do is no error */
	assert_int_equal(n.total, PIECES);
}

/* Each of two pieces waits for the other one: with one thread this would never end. */
struct meeting {
	pthread_mutex_t lock;
	pthread_cond_t came;
	unsigned there;
};

static enum err
meet(void *arg, size_t i, struct diag *d)
{
	struct meeting *m = arg;

	(void)i;
	(void)d;
	(void)pthread_mutex_lock(&m->lock);
	m->there++;
	(void)pthread_cond_broadcast(&m->came);
	while (m->there < 2)
		(void)pthread_cond_wait(&m->came, &m->lock);
	(void)pthread_mutex_unlock(&m->lock);
	return ERR_OK;
}

static void
test_pieces_run_at_the_same_time(void **state)
{
	struct meeting m = { .lock = PTHREAD_MUTEX_INITIALIZER, .came = PTHREAD_COND_INITIALIZER };
	const struct jobs jobs = { 2, meet, NULL, &m };

	(void)state;
	assert_err_ok(jobs_run(&jobs, 2, NULL));
	assert_int_equal(m.there, 2);
}

static void
test_an_error_ends_it(void **state)
{
	struct count n = { .bad = 20 };
	struct diag d = { "" };

	(void)state;
	assert_int_equal(run(&n, PIECES, 1, &d), ERR_FULL);
	assert_string_equal(d.text, "piece 20 is bad");
	assert_true(n.total == 20 && n.over[20] == 0 && n.begun[21] == 0);
	n = (struct count){ .bad = 20 };
	assert_int_equal(run(&n, PIECES, 4, NULL), ERR_FULL);
	assert_true(n.begun[20] == 1 && n.over[20] == 0);
}

static void
test_threads(void **state)
{
	(void)state;
	assert_int_equal(jobs_threads(3), 3);
	assert_int_equal(jobs_threads(INT64_MAX), JOBS_MAX);
	assert_in_range(jobs_threads(0), 1, JOBS_MAX);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_every_piece_is_done_once),
	cmocka_unit_test(test_one_thread_is_the_callers),
	cmocka_unit_test(test_pieces_run_at_the_same_time),
	cmocka_unit_test(test_an_error_ends_it),
	cmocka_unit_test(test_threads),
};
TEST_MAIN(tests)

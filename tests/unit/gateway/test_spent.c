/*
 * The spent store, on both engines: once is once, whatever fails, and whenever the
 * process is killed.
 */
#include "config.h"

#include "gateway/spent.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/base/bytes.h"
#include "common/net/loop_event.h"
#include "gateway/spent_leveldb.h"
#include "gateway/spent_memory.h"
#include "tests/lib/test.h"

#define EPOCH 70000
#define KILLS 200
#define KILL_BATCH 3
#define TOLD_MAX 1000000
#define FAULT_ROUNDS 400
#define FAULT_TOKENS 60

struct stand {
	bool leveldb;
	struct loop *loop;
	struct memory_spent *memory;
	char path[300];
	struct spent *store;
};

static void
open_store(struct stand *s)
{
	struct diag d = { "" };
	enum err e = s->leveldb ? spent_leveldb_open(&s->store, s->loop, s->path, &d) :
				  spent_memory_new(&s->store, s->loop, s->memory);

	if (e != ERR_OK)
		print_error("%s\n", d.text);
	assert_err_ok(e);
}

static void
again(struct stand *s)
{
	spent_free(s->store);
	open_store(s);
}

static struct stand *
stand_new(bool leveldb)
{
	struct stand *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	s->leveldb = leveldb;
	assert_err_ok(loop_event_new(&s->loop, NULL));
	s->memory = memory_spent_new();
	assert_non_null(s->memory);
	(void)snprintf(s->path, sizeof(s->path), "%s", test_tmpdir());
	open_store(s);
	return s;
}

static void
stand_free(struct stand *s)
{
	spent_free(s->store);
	memory_spent_free(s->memory);
	loop_event_free(s->loop);
	free(s);
}

/* ---- calls that wait ---- */

static struct loop *waiting; /* the loop that runs until the next answer */

struct answer {
	bool came;
	enum err err;
};

static void
on_done(void *arg, enum err e)
{
	struct answer *a = arg;

	assert_false(a->came);
	*a = (struct answer){ true, e };
	if (waiting != NULL)
		loop_event_stop(waiting);
}

static enum err
wait_for(struct stand *s, const struct answer *a)
{
	waiting = s->loop;
	while (!a->came)
		loop_event_run(s->loop);
	waiting = NULL;
	return a->err;
}

static enum err
claim(struct stand *s, uint32_t epoch, struct spent_mark *marks, size_t n)
{
	struct answer a = { false, ERR_OK };

	assert_err_ok(spent_claim(s->store, epoch, marks, n, on_done, &a));
	assert_false(a.came);
	return wait_for(s, &a);
}

static enum err
drop(struct stand *s, uint32_t epoch)
{
	struct answer a = { false, ERR_OK };

	assert_err_ok(spent_drop(s->store, epoch, on_done, &a));
	return wait_for(s, &a);
}

/* The mark of a number, claimed by another. */
static struct spent_mark
mark_of(uint64_t token, uint64_t by)
{
	struct spent_mark m = { .fresh = false };
	uint8_t key[32] = { 7 }, nonce[TOKEN_NONCE_BYTES] = { 0 };

	store_u64(nonce, token);
	spent_mark(m.mark, key, TOKEN_STAMP, nonce);
	store_u64(m.claim, by);
	return m;
}

static bool
spend(struct stand *s, uint32_t epoch, uint64_t token, uint64_t by)
{
	struct spent_mark m = mark_of(token, by);

	assert_err_ok(claim(s, epoch, &m, 1));
	return m.fresh;
}

/* ---- what it promises ---- */

static void
check_once(bool leveldb)
{
	struct stand *s = stand_new(leveldb);
	struct spent_mark three[3] = { mark_of(2, 10), mark_of(3, 11), mark_of(2, 12) };

	assert_true(spend(s, EPOCH, 1, 1));
	assert_false(spend(s, EPOCH, 1, 2));
	assert_true(spend(s, EPOCH, 1, 1)); /* the same attempt, tried again */
	assert_true(spend(s, EPOCH + 1, 1, 2)); /* of another epoch, so another token */
	assert_err_ok(claim(s, EPOCH, three, 3));
	assert_true(three[0].fresh && three[1].fresh);
	assert_false(three[2].fresh);
	again(s);
	for (uint64_t token = 1; token <= 3; token++)
		assert_false(spend(s, EPOCH, token, 20));
	assert_true(spend(s, EPOCH, 4, 20));
	stand_free(s);
}

static void
test_once(void **state)
{
	(void)state;
	check_once(false);
	check_once(true);
}

static void
check_drop(bool leveldb)
{
	struct stand *s = stand_new(leveldb);
	uint32_t epochs[4];

	assert_int_equal(spent_epochs(s->store, epochs, 4), 0);
	assert_true(spend(s, EPOCH + 1, 1, 1));
	assert_true(spend(s, EPOCH, 1, 1));
	assert_int_equal(spent_epochs(s->store, epochs, 4), 2);
	assert_int_equal(epochs[0], EPOCH);
	assert_int_equal(epochs[1], EPOCH + 1);
	again(s);
	assert_int_equal(spent_epochs(s->store, epochs, 4), 2);
	assert_err_ok(drop(s, EPOCH));
	assert_int_equal(spent_epochs(s->store, epochs, 4), 1);
	assert_int_equal(epochs[0], EPOCH + 1);
	assert_false(spend(s, EPOCH + 1, 1, 2));
	assert_err_ok(drop(s, EPOCH)); /* which is not there */
	again(s);
	assert_int_equal(spent_epochs(s->store, epochs, 4), 1);
	assert_true(spend(s, EPOCH, 1, 2));
	stand_free(s);
}

static void
test_drop(void **state)
{
	(void)state;
	check_drop(false);
	check_drop(true);
}

/* More databases than are kept open, and calls that do not wait for each other. */
static void
check_many(bool leveldb)
{
	struct stand *s = stand_new(leveldb);
	struct spent_mark marks[60];
	struct answer answers[60] = { { false, ERR_OK } };

	for (size_t round = 0; round < 2; round++) {
		for (size_t i = 0; i < 60; i++) {
			marks[i] = mark_of(i / 12, 100 * round + i);
			answers[i].came = false;
			assert_err_ok(spent_claim(s->store, EPOCH + (uint32_t)(i % 6), &marks[i], 1,
			    on_done, &answers[i]));
		}
		for (size_t i = 0; i < 60; i++)
			assert_err_ok(wait_for(s, &answers[i]));
		/* of two with the same token and epoch the first */
		for (size_t i = 0; i < 60; i++)
			assert_int_equal(marks[i].fresh, round == 0 && i % 12 < 6);
	}
	stand_free(s);
}

static void
test_many(void **state)
{
	(void)state;
	check_many(false);
	check_many(true);
}

/* What waits when it is closed is answered, and had no effect. */
static void
test_close(void **state)
{
	struct stand *s = stand_new(false);
	struct spent_mark marks[3];
	struct answer answers[3] = { { false, ERR_OK } };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		marks[i] = mark_of(i, i);
		assert_err_ok(spent_claim(s->store, EPOCH + (uint32_t)i, &marks[i], 1, on_done,
		    &answers[i]));
	}
	spent_free(s->store);
	assert_true(answers[0].came && answers[1].came && answers[2].came);
	assert_err_ok(answers[0].err);
	assert_err(answers[1].err, ERR_CLOSED);
	assert_err(answers[2].err, ERR_CLOSED);
	open_store(s);
	assert_false(spend(s, EPOCH, 0, 9));
	assert_true(spend(s, EPOCH + 1, 1, 9));
	stand_free(s);
}

static void
test_bounds(void **state)
{
	struct stand *s = stand_new(false);
	struct spent_mark *marks = calloc(SPENT_WAITING_MAX, sizeof(*marks)), one = mark_of(1, 1);
	struct answer a = { false, ERR_OK }, b = { false, ERR_OK };

	(void)state;
	assert_non_null(marks);
	assert_err_ok(spent_claim(s->store, EPOCH, &one, 1, on_done, &a)); /* under way */
	assert_err(spent_claim(s->store, EPOCH, marks, SPENT_WAITING_MAX + 1, on_done, &b),
	    ERR_FULL);
	assert_false(b.came);
	assert_err_ok(wait_for(s, &a));
	free(marks);
	stand_free(s);
}

/* Epochs that nobody drops: beyond so many nothing is spent in others, until one is. */
static void
test_bounded_epochs(void **state)
{
	struct stand *s = stand_new(false);
	struct spent_mark m;

	(void)state;
	for (uint32_t i = 0; i < SPENT_EPOCHS_MAX; i++)
		assert_true(spend(s, EPOCH + i, i, 1));
	m = mark_of(1000, 1);
	assert_err(claim(s, EPOCH + SPENT_EPOCHS_MAX, &m, 1), ERR_FULL);
	assert_false(spend(s, EPOCH, 0, 2));
	assert_true(spend(s, EPOCH, 1000, 1));
	assert_err_ok(drop(s, EPOCH));
	assert_true(spend(s, EPOCH + SPENT_EPOCHS_MAX, 1000, 1));
	stand_free(s);
}

/* ---- an engine that fails ---- */

enum fault { FAULT_NONE, FAULT_BEFORE, FAULT_AFTER };

struct faulty {
	const struct spent_ops *under;
	void *ctx;
	enum fault next;
};

static enum err
faulty_insert(void *ctx, uint32_t epoch, struct spent_mark *const *marks, size_t n)
{
	struct faulty *f = ctx;
	enum fault fault = f->next;
	enum err e;

	f->next = FAULT_NONE;
	if (fault == FAULT_BEFORE)
		return ERR_FULL;
	e = f->under->insert(f->ctx, epoch, marks, n);
	for (size_t i = 0; i < n && fault == FAULT_AFTER; i++)
		marks[i]->fresh = false;
	return fault == FAULT_AFTER ? ERR_IO : e;
}

static enum err
faulty_drop(void *ctx, uint32_t epoch)
{
	(void)ctx;
	(void)epoch;
	return ERR_IO;
}

static void
faulty_free(void *ctx)
{
	(void)ctx;
}

/* A set in memory is under it: an array of tokens and who had them. */
struct table {
	struct spent_mark marks[FAULT_TOKENS];
	size_t count;
};

static enum err
table_insert(void *ctx, uint32_t epoch, struct spent_mark *const *marks, size_t n)
{
	struct table *t = ctx;

	(void)epoch;
	for (size_t i = 0; i < n; i++) {
		size_t at = 0;

		while (at < t->count &&
		    memcmp(t->marks[at].mark, marks[i]->mark, SPENT_MARK_BYTES) != 0)
			at++;
		if (at == t->count)
			t->marks[t->count++] = *marks[i];
		marks[i]->fresh = memcmp(t->marks[at].claim, marks[i]->claim,
		    SPENT_CLAIM_BYTES) == 0;
	}
	return ERR_OK;
}

/*
 * Whatever write fails, before or after it took effect: who tries again with the same
 * claim is served at last, and no token is fresh for two claims.
 */
static void
test_failures(void **state)
{
	static const struct spent_ops under = { table_insert, faulty_drop, faulty_free };
	static const struct spent_ops ops = { faulty_insert, faulty_drop, faulty_free };
	struct table table = { .count = 0 };
	struct faulty f = { &under, &table, FAULT_NONE };
	uint64_t owner[FAULT_TOKENS] = { 0 };
	struct stand s = { .leveldb = false };
	size_t failed = 0;

	(void)state;
	assert_err_ok(loop_event_new(&s.loop, NULL));
	assert_err_ok(spent_new(&s.store, s.loop, &ops, &f, NULL, 0));
	for (uint64_t by = 1; by <= FAULT_ROUNDS; by++) {
		uint64_t token = rng_below(test_rng(), FAULT_TOKENS);
		struct spent_mark m = mark_of(token, by);

		f.next = (enum fault)rng_below(test_rng(), 3);
		while (claim(&s, EPOCH, &m, 1) != ERR_OK) {
			failed++;
			f.next = (enum fault)rng_below(test_rng(), 3);
		}
		assert_int_equal(m.fresh, owner[token] == 0);
		if (m.fresh)
			owner[token] = by;
	}
	assert_true(failed > FAULT_ROUNDS / 4);
	assert_err(drop(&s, EPOCH), ERR_IO);
	assert_int_equal(spent_epochs(s.store, &(uint32_t){ 0 }, 1), 1); /* it is tried again */
	spent_free(s.store);
	loop_event_free(s.loop);
}

/* A disk that is full at any byte: files may not grow further, then they may again. */
static void
test_full_disk(void **state)
{
	struct stand *s = stand_new(true);
	struct rlimit old, tight;
	size_t refused = 0;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	(void)signal(SIGXFSZ, SIG_IGN);
	for (uint64_t token = 0; token < 60; token++) {
		struct spent_mark m = mark_of(token, token + 1);
		enum err e;

		tight = old;
		tight.rlim_cur = token * 37;
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
		e = claim(s, EPOCH, &m, 1);
		refused += e != ERR_OK;
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
		if (e == ERR_OK)
			assert_true(m.fresh);
		else
			assert_true(spend(s, EPOCH, token, token + 1)); /* the same attempt */
		assert_false(spend(s, EPOCH, token, 1000));
	}
	assert_true(refused > 0);
	again(s);
	for (uint64_t token = 0; token < 60; token++)
		assert_false(spend(s, EPOCH, token, 2000));
	stand_free(s);
}

/* ---- kill -9 ---- */

/* Spend tokens from `from` on, and say of each batch that it is spent, until killed. */
static void
spend_until_killed(const char *path, uint64_t from, int out)
{
	struct stand s = { .leveldb = true };

	(void)snprintf(s.path, sizeof(s.path), "%s", path);
	if (loop_event_new(&s.loop, NULL) != ERR_OK ||
	    spent_leveldb_open(&s.store, s.loop, path, NULL) != ERR_OK)
		_exit(2);
	for (uint64_t token = from;; token += KILL_BATCH) {
		struct spent_mark marks[KILL_BATCH];
		struct answer a = { false, ERR_OK };

		for (uint64_t i = 0; i < KILL_BATCH; i++)
			marks[i] = mark_of(token + i, 1);
		if (spent_claim(s.store, EPOCH, marks, KILL_BATCH, on_done, &a) != ERR_OK ||
		    wait_for(&s, &a) != ERR_OK || !marks[0].fresh ||
		    write(out, &token, sizeof(token)) != sizeof(token))
			_exit(3);
	}
}

static bool was_told[TOLD_MAX];

/* The batch from a token on is spent, it says. */
static uint64_t
hear(uint64_t token)
{
	for (uint64_t i = 0; i < KILL_BATCH; i++) {
		assert_true(token + i < TOLD_MAX);
		was_told[token + i] = true;
	}
	return token + KILL_BATCH;
}

/* Returns the first token of which it is not known whether it is spent. */
static uint64_t
kill_one(const char *path, uint64_t from)
{
	struct timespec wait = { 0, (long)rng_below(test_rng(), 8000000) };
	uint64_t told, next = from;
	int fds[2], status;
	pid_t child;

	assert_int_equal(pipe(fds), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		(void)close(fds[0]);
		spend_until_killed(path, from, fds[1]);
	}
	(void)close(fds[1]);
	if (read(fds[0], &told, sizeof(told)) == sizeof(told))
		next = hear(told);
	(void)nanosleep(&wait, NULL);
	assert_int_equal(kill(child, SIGKILL), 0);
	while (read(fds[0], &told, sizeof(told)) == sizeof(told))
		next = hear(told);
	(void)close(fds[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	return next;
}

/* What was told to be spent is spent after kill -9 at any moment, 200 times. */
static void
test_kill(void **state)
{
	struct stand *s;
	uint64_t next = 0, told = 0;
	char path[300];

	(void)state;
	(void)snprintf(path, sizeof(path), "%s", test_tmpdir());
	for (size_t i = 0; i < KILLS; i++) {
		uint64_t from = next;

		next = kill_one(path, from);
		told += next - from;
		next += KILL_BATCH; /* what was under way */
	}
	assert_true(told >= KILLS);
	s = stand_new(true);
	spent_free(s->store);
	(void)snprintf(s->path, sizeof(s->path), "%s", path);
	open_store(s);
	for (uint64_t token = 0; token < next; token++)
		if (was_told[token])
			assert_false(spend(s, EPOCH, token, 77));
	assert_true(spend(s, EPOCH, next + KILL_BATCH, 77));
	stand_free(s);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_once),
	cmocka_unit_test(test_drop),
	cmocka_unit_test(test_many),
	cmocka_unit_test(test_close),
	cmocka_unit_test(test_bounds),
	cmocka_unit_test(test_bounded_epochs),
	cmocka_unit_test(test_failures),
	cmocka_unit_test(test_full_disk),
	cmocka_unit_test(test_kill),
};

TEST_MAIN(tests)

/*
 * The turnstile: how many deposits of a mailbox go into a round, and which.
 */
#include "config.h"

#include "gateway/turnstile.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/bytes.h"
#include "tests/lib/test.h"

#define MAILBOXES 3
#define PASSED_MAX 40000

struct desk {
	struct params params;
	struct turnstile *turnstile;
	uint64_t round, next;
	/* what passed in the last round, and all in all */
	struct {
		uint16_t mailbox;
		uint64_t number;
	} passed[PASSED_MAX];
	size_t count;
};

static int
set_up(void **state)
{
	struct desk *k = calloc(1, sizeof(*k));

	assert_non_null(k);
	params_default(&k->params);
	k->params.mailboxes = MAILBOXES;
	k->params.people = 50 * MAILBOXES;
	k->params.pieces = params_least_pieces(&k->params);
	k->round = 1000000;
	assert_err_ok(turnstile_new(&k->turnstile, &k->params));
	*state = k;
	return 0;
}

static int
tear_down(void **state)
{
	struct desk *k = *state;

	turnstile_free(k->turnstile);
	free(k);
	return 0;
}

static void
on_passed(void *arg, uint16_t mailbox, const uint8_t *record)
{
	struct desk *k = arg;

	assert_true(k->count < PASSED_MAX);
	k->passed[k->count].mailbox = mailbox;
	k->passed[k->count++].number = load_u64(record);
}

/* So many more, numbered on; the first number. */
static uint64_t
deposit(struct desk *k, uint16_t mailbox, size_t n)
{
	uint8_t record[4096] = { 0 };
	uint64_t first = k->next;

	for (size_t i = 0; i < n; i++) {
		store_u64(record, k->next++);
		assert_err_ok(turnstile_deposit(k->turnstile, mailbox, record));
	}
	return first;
}

/* How many of a mailbox the next round has. */
static size_t
pass(struct desk *k, uint16_t mailbox)
{
	size_t n = 0;

	k->count = 0;
	turnstile_pass(k->turnstile, k->round++, test_rng(), on_passed, k);
	for (size_t i = 0; i < k->count; i++)
		n += k->passed[i].mailbox == mailbox;
	return n;
}

static bool
has(const struct desk *k, uint64_t number)
{
	for (size_t i = 0; i < k->count; i++)
		if (k->passed[i].number == number)
			return true;
	return false;
}

static struct turnstile_status
status(const struct desk *k)
{
	struct turnstile_status s;

	turnstile_get_status(k->turnstile, &s);
	return s;
}

/* What readers of a mailbox take in a round, with what blocks are at most. */
static double
records_a_round(const struct desk *k)
{
	const struct params *p = &k->params;

	return (double)p->pieces * PARAMS_PIECE_BYTES * (double)p->round_ms / (double)p->slot_ms /
	    p->record_size;
}

/* What a mailbox is made for passes as it comes: a round and a half at once, and the usual always. */
static void
test_usual(void **state)
{
	struct desk *k = *state;
	const struct params *p = &k->params;
	/* the rule for pieces: 51 bytes of record for each of the people in a slot */
	size_t usual = 51 * p->people / p->mailboxes * (size_t)(p->round_ms / p->slot_ms) /
	    p->record_size;

	for (unsigned round = 0; round < 1000; round++) {
		deposit(k, 1, usual + round % 2);
		assert_int_equal(pass(k, 1), usual + round % 2);
	}
	assert_int_equal(status(k).held, 0);
	for (unsigned round = 0; round < 30; round++)
		(void)pass(k, 1);
	deposit(k, 1, (size_t)(1.5 * records_a_round(k)));
	assert_int_equal(pass(k, 1), (size_t)(1.5 * records_a_round(k)));
}

/* A flood: readers are never behind by more than a round and a half, and all comes in the end. */
static void
test_flood(void **state)
{
	struct desk *k = *state;
	double ahead = 0, share = records_a_round(k);
	size_t all = 0;

	for (unsigned round = 0; round < 300; round++) {
		size_t n;

		deposit(k, 1, round < 100 ? 20 : 0);
		n = pass(k, 1);
		all += n;
		ahead += (double)n - share;
		ahead = ahead > 0 ? ahead : 0;
		assert_true(ahead <= 1.5 * share + 1); /* 15 s of rounds of 10 s */
	}
	while (status(k).waiting > 0)
		all += pass(k, 1);
	assert_int_equal(all, 2000);
	assert_true(status(k).held > 1000);
	assert_int_equal(status(k).dropped, 0);
}

/* Nobody else waits: neither another mailbox, nor what comes after a burst. */
static void
test_others(void **state)
{
	struct desk *k = *state;
	uint64_t late;

	deposit(k, 1, 1000);
	deposit(k, 2, 2);
	assert_in_range(pass(k, 1), 1, 60);
	assert_true(has(k, 1000) && has(k, 1001));
	for (unsigned round = 0; round < 20; round++) {
		late = deposit(k, 1, 1);
		assert_in_range(pass(k, 1), 1, 60);
		assert_true(has(k, late));
	}
	assert_true(status(k).waiting > 700);
}

/* Within a round it is drawn which go: not the first, not the last, over many tries each. */
static void
test_drawn(void **state)
{
	struct desk *k = *state;
	unsigned first = 0, last = 0;

	deposit(k, 1, 500); /* from now on only some pass */
	(void)pass(k, 1);
	for (unsigned round = 0; round < 400; round++) {
		uint64_t from = deposit(k, 1, 10);

		(void)pass(k, 1);
		first += has(k, from);
		last += has(k, from + 9);
	}
	/* about a sixth each */
	assert_in_range(first, 20, 200);
	assert_in_range(last, 20, 200);
}

/* What had to wait comes in the order in which it came, round by round. */
static void
test_oldest_first(void **state)
{
	struct desk *k = *state;
	uint64_t last = 0;

	for (unsigned round = 0; round < 20; round++) {
		deposit(k, 1, 10);
		(void)pass(k, 1);
	}
	while (status(k).waiting > 0) {
		(void)pass(k, 1);
		for (size_t i = 0; i < k->count; i++) {
			assert_true(k->passed[i].number / 10 >= last / 10);
			last = k->passed[i].number;
		}
	}
	assert_true(last / 10 == 19);
}

/* More than can wait: the oldest of the fullest mailbox goes. */
static void
test_full(void **state)
{
	struct desk *k = *state;
	uint64_t others;
	unsigned others_passed = 0;

	deposit(k, 0, TURNSTILE_MAX - 10);
	others = deposit(k, 2, 5);
	deposit(k, 0, 1000);
	assert_int_equal(status(k).waiting, TURNSTILE_MAX);
	assert_int_equal(status(k).dropped, TURNSTILE_MAX - 10 + 5 + 1000 - TURNSTILE_MAX);
	for (unsigned round = 0; round < 5; round++) {
		(void)pass(k, 2);
		for (uint64_t i = 0; i < 5; i++)
			others_passed += has(k, others + i);
	}
	assert_int_equal(others_passed, 5);
	while (status(k).waiting > 0) {
		(void)pass(k, 0);
		assert_false(has(k, 0) || has(k, 900));
	}
}

static void
test_no_such_mailbox(void **state)
{
	struct desk *k = *state;
	static const uint8_t record[4096];

	assert_err(turnstile_deposit(k->turnstile, MAILBOXES, record), ERR_NOT_FOUND);
	assert_int_equal(status(k).waiting, 0);
}

#define DESK(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static const struct CMUnitTest tests[] = {
	DESK(test_usual),
	DESK(test_flood),
	DESK(test_others),
	DESK(test_drawn),
	DESK(test_oldest_first),
	DESK(test_full),
	DESK(test_no_such_mailbox),
};

TEST_MAIN(tests)

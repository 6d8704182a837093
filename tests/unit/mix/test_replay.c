#include "config.h"

#include "tests/lib/test.h"

#include <stdio.h>
#include <string.h>

#include "mix/replay.h"
#include "tests/unit/mix/mix_test.h"

#define START_MS ((int64_t)1700000000000)
#define TAGS_MAX 1000
#define EPOCH 7
#define NAME "replay-00000007"
#define HEADER_BYTES 12
#define RECORD_BYTES(n) (8 + 16 * (size_t)(n) + 16)

static void
tag_of(uint8_t out[static 16], uint32_t i)
{
	memset(out, (int)(i * 37 % 251), 16); /* not in order of i */
	out[3] = (uint8_t)i;
	out[4] = (uint8_t)(i >> 8);
}

static struct replay *
open_replay(struct stand *s)
{
	struct diag d = { "" };
	struct replay *r;

	assert_err_ok(replay_open(&r, s->disk, s->queue, rng_system(), TAGS_MAX, &d));
	return r;
}

static struct replay_set *
set_of(struct replay *r, uint32_t epoch)
{
	struct replay_set *set;

	assert_err_ok(replay_set(&set, r, epoch));
	return set;
}

static void
stage(struct replay_set *set, uint32_t from, uint32_t to)
{
	uint8_t tag[16];

	for (uint32_t i = from; i < to; i++) {
		tag_of(tag, i);
		assert_err_ok(replay_stage(set, tag));
	}
}

static bool
has(const struct replay_set *set, uint32_t i)
{
	uint8_t tag[16];

	tag_of(tag, i);
	return replay_check(set, tag);
}

static enum err
commit(struct stand *s, struct replay *r)
{
	struct outcome o = { 0 };

	assert_err_ok(replay_commit(r, outcome_done, &o));
	assert_int_equal(o.calls, 0);
	stand_run(s, 1000);
	assert_int_equal(o.calls, 1);
	return o.err;
}

/* Crash, and load again from the disk. */
static struct replay *
reopen(struct stand *s, struct replay *r)
{
	stand_crash(s);
	replay_free(r);
	stand_again(s);
	return open_replay(s);
}

static bool
keep_none(void *arg, uint32_t epoch)
{
	(void)arg;
	(void)epoch;
	return false;
}

static bool
keep_above(void *arg, uint32_t epoch)
{
	return epoch > *(uint32_t *)arg;
}

static void
test_stage_and_check(void **state)
{
	struct stand s;
	struct replay *r;
	struct replay_set *set, *other;
	uint8_t tag[16];

	(void)state;
	stand_up(&s, START_MS);
	r = open_replay(&s);
	set = set_of(r, EPOCH);
	other = set_of(r, EPOCH + 1);
	stage(set, 0, 3);
	assert_true(has(set, 2));
	assert_false(has(set, 3));
	assert_false(has(other, 2));
	tag_of(tag, 1);
	assert_err(replay_stage(set, tag), ERR_REPLAY);
	assert_err_ok(replay_stage(other, tag));
	assert_int_equal(replay_staged(set), 3);
	assert_int_equal(replay_count(set), 3);
	assert_ptr_equal(set, set_of(r, EPOCH));
	stand_crash(&s);
	replay_free(r);
	stand_down(&s);
}

static void
test_bounded(void **state)
{
	struct stand s;
	struct replay *r;
	struct replay_set *set;
	uint8_t tag[16];

	(void)state;
	stand_up(&s, START_MS);
	r = open_replay(&s);
	set = set_of(r, EPOCH);
	stage(set, 0, TAGS_MAX);
	tag_of(tag, TAGS_MAX);
	assert_err(replay_stage(set, tag), ERR_FULL);
	for (uint32_t e = 0; e < REPLAY_EPOCHS_MAX - 1; e++)
		(void)set_of(r, 100 + e);
	assert_err(replay_set(&set, r, 200), ERR_FULL);
	stand_crash(&s);
	replay_free(r);
	stand_down(&s);
}

static void
test_survives_restart(void **state)
{
	struct stand s;
	struct replay *r;

	(void)state;
	stand_up(&s, START_MS);
	r = open_replay(&s);
	stage(set_of(r, EPOCH), 0, 10);
	stage(set_of(r, EPOCH + 1), 5, 8);
	assert_err_ok(commit(&s, r));
	assert_int_equal(replay_staged(set_of(r, EPOCH)), 0);
	stage(set_of(r, EPOCH), 10, 15);
	assert_err_ok(commit(&s, r));
	stage(set_of(r, EPOCH), 15, 20); /* not committed */
	r = reopen(&s, r);
	assert_int_equal(replay_count(set_of(r, EPOCH)), 15);
	assert_int_equal(replay_count(set_of(r, EPOCH + 1)), 3);
	for (uint32_t i = 0; i < 15; i++)
		assert_true(has(set_of(r, EPOCH), i));
	assert_false(has(set_of(r, EPOCH), 15));
	stand_crash(&s);
	replay_free(r);
	stand_down(&s);
}

/* The same tags in two orders of arrival leave the same bytes. */
static void
test_file_tells_no_order(void **state)
{
	struct buf files[2];

	(void)state;
	for (int k = 0; k < 2; k++) {
		struct stand s;
		struct replay *r;

		stand_up(&s, START_MS);
		r = open_replay(&s);
		for (uint32_t i = 0; i < 50; i++) {
			uint32_t at = k == 0 ? i : 49 - i;

			stage(set_of(r, EPOCH), at, at + 1);
		}
		assert_err_ok(commit(&s, r));
		stand_read(&s, &files[k], NAME);
		stand_crash(&s);
		replay_free(r);
		stand_down(&s);
	}
	assert_int_equal(files[0].len, HEADER_BYTES + RECORD_BYTES(50));
	assert_int_equal(files[0].len, files[1].len);
	assert_memory_equal(files[0].data, files[1].data, files[0].len);
	buf_release(&files[0]);
	buf_release(&files[1]);
}

/* A file with two records, of 3 and of 4 tags. */
static void
two_records(struct stand *s, struct buf *file)
{
	struct replay *r;

	stand_up(s, START_MS);
	r = open_replay(s);
	stage(set_of(r, EPOCH), 0, 3);
	assert_err_ok(commit(s, r));
	stage(set_of(r, EPOCH), 3, 7);
	assert_err_ok(commit(s, r));
	stand_read(s, file, NAME);
	assert_int_equal(file->len, HEADER_BYTES + RECORD_BYTES(3) + RECORD_BYTES(4));
	stand_crash(s);
	replay_free(r);
	stand_again(s);
}

/* Cut at every length: whole records stay, the rest goes, and life goes on. */
static void
test_torn_tail_at_every_byte(void **state)
{
	struct stand s;
	struct buf file;

	(void)state;
	two_records(&s, &file);
	for (size_t n = 0; n <= file.len; n++) {
		size_t whole = n < HEADER_BYTES + RECORD_BYTES(3) ? 0 : n < file.len ? 3 : 7;
		struct replay *r;

		stand_write(&s, NAME, file.data, n);
		r = open_replay(&s);
		assert_int_equal(replay_count(set_of(r, EPOCH)), whole);
		stage(set_of(r, EPOCH), 500, 502);
		assert_err_ok(commit(&s, r));
		r = reopen(&s, r);
		assert_int_equal(replay_count(set_of(r, EPOCH)), whole + 2);
		assert_true(has(set_of(r, EPOCH), 501));
		stand_crash(&s);
		replay_free(r);
		stand_again(&s);
	}
	buf_release(&file);
	stand_down(&s);
}

/* File systems may leave zeros where a record was to be. */
static void
test_zeros_at_the_end(void **state)
{
	struct stand s;
	struct buf file;

	(void)state;
	two_records(&s, &file);
	for (size_t n = HEADER_BYTES + RECORD_BYTES(3); n < file.len; n++) {
		uint8_t copy[HEADER_BYTES + RECORD_BYTES(3) + RECORD_BYTES(4)] = { 0 };
		struct replay *r;

		memcpy(copy, file.data, n);
		copy[sizeof(copy) - 1] = 0;
		if (file.data[file.len - 1] == 0 && n == file.len - 1)
			continue; /* then nothing is missing */
		stand_write(&s, NAME, copy, sizeof(copy));
		r = NULL;
		if (replay_open(&r, s.disk, s.queue, rng_system(), TAGS_MAX, NULL) == ERR_OK)
			assert_int_equal(replay_count(set_of(r, EPOCH)), 3);
		else /* half of the counts: cannot be told from damage */
			assert_true(n > HEADER_BYTES + RECORD_BYTES(3) &&
			    n < HEADER_BYTES + RECORD_BYTES(3) + 8);
		replay_free(r);
	}
	buf_release(&file);
	stand_down(&s);
}

/* Damage before the last record is refused, with the way out named. */
static void
test_damage_is_refused(void **state)
{
	struct stand s;
	struct buf file;

	(void)state;
	two_records(&s, &file);
	for (size_t i = 0; i < HEADER_BYTES + RECORD_BYTES(3); i++) {
		struct diag d = { "" };
		struct replay *r = NULL;
		enum err e;

		file.data[i] ^= 0x10;
		stand_write(&s, NAME, file.data, file.len);
		file.data[i] ^= 0x10;
		e = replay_open(&r, s.disk, s.queue, rng_system(), TAGS_MAX, &d);
		assert_true(e == ERR_MALFORMED || e == ERR_VERSION);
		assert_contains(d.text, NAME);
	}
	buf_release(&file);
	stand_down(&s);
}

/* Damage in the last record never lets a wrong tag in. */
static void
test_damaged_end(void **state)
{
	struct stand s;
	struct buf file;

	(void)state;
	two_records(&s, &file);
	for (size_t i = HEADER_BYTES + RECORD_BYTES(3); i < file.len; i++) {
		struct replay *r = NULL;

		file.data[i] ^= 0x01;
		stand_write(&s, NAME, file.data, file.len);
		file.data[i] ^= 0x01;
		if (replay_open(&r, s.disk, s.queue, rng_system(), TAGS_MAX, NULL) == ERR_OK)
			assert_int_equal(replay_count(set_of(r, EPOCH)), 3);
		replay_free(r);
	}
	buf_release(&file);
	stand_down(&s);
}

static void
test_too_long_is_refused(void **state)
{
	struct stand s;
	struct buf file;
	struct replay *r = NULL;
	struct diag d = { "" };

	(void)state;
	two_records(&s, &file);
	assert_err(replay_open(&r, s.disk, s.queue, rng_system(), 1, &d), ERR_RANGE);
	assert_contains(d.text, NAME);
	buf_release(&file);
	stand_down(&s);
}

/* ---- faults ---- */

struct trial {
	bool first, second; /* which commits succeeded */
};

/* Two commits, then the end of the epoch; whatever fails, fails. */
static void
live(struct stand *s, struct trial *t)
{
	struct replay *r = NULL;

	*t = (struct trial){ false, false };
	if (replay_open(&r, s->disk, s->queue, rng_system(), TAGS_MAX, NULL) == ERR_OK) {
		stage(set_of(r, EPOCH), 0, 3);
		t->first = commit(s, r) == ERR_OK;
		stage(set_of(r, EPOCH), 3, 7);
		t->second = commit(s, r) == ERR_OK;
	}
	stand_crash(s);
	replay_free(r);
	stand_again(s);
}

/* Whatever fails, what was said to be committed is there afterwards. */
static void
test_every_fault(void **state)
{
	static const enum disk_fault_effect effects[] = {
		DISK_FAULT_NOTHING, DISK_FAULT_TORN, DISK_FAULT_DONE
	};

	(void)state;
	for (size_t i = 0; i < 3 * 2 * 16; i++) {
		struct stand s;
		struct trial t;
		struct replay *r;

		stand_up(&s, START_MS);
		s.plan = (struct disk_fault){
			.at = 1 + i / 6, .err = ERR_FULL, .forever = i % 2 == 1,
			.effect = effects[i / 2 % 3], .keep = test_seed() % 100
		};
		live(&s, &t);
		r = open_replay(&s);
		for (uint32_t k = 0; k < 3; k++)
			assert_true(!(t.first || t.second) || has(set_of(r, EPOCH), k));
		for (uint32_t k = 3; k < 7; k++)
			assert_true(!t.second || has(set_of(r, EPOCH), k));
		stand_crash(&s);
		replay_free(r);
		stand_down(&s);
	}
}

/* One failure: the next commit writes both, and leaves a file that loads. */
static void
test_retry_after_torn_append(void **state)
{
	(void)state;
	for (size_t keep = 0; keep < RECORD_BYTES(4); keep++) {
		struct stand s;
		struct replay *r;

		stand_up(&s, START_MS);
		r = open_replay(&s);
		stage(set_of(r, EPOCH), 0, 3);
		assert_err_ok(commit(&s, r));
		stage(set_of(r, EPOCH), 3, 7);
		s.plan = (struct disk_fault){ .at = s.plan.count + 1, .err = ERR_FULL,
			.count = s.plan.count, .effect = DISK_FAULT_TORN, .keep = keep };
		assert_err(commit(&s, r), ERR_FULL);
		assert_int_equal(replay_staged(set_of(r, EPOCH)), 4);
		stage(set_of(r, EPOCH), 7, 9);
		assert_err_ok(commit(&s, r));
		r = reopen(&s, r);
		assert_int_equal(replay_count(set_of(r, EPOCH)), 9);
		stand_crash(&s);
		replay_free(r);
		stand_down(&s);
	}
}

static void
test_one_commit_at_a_time(void **state)
{
	struct outcome o = { 0 };
	struct stand s;
	struct replay *r;

	(void)state;
	stand_up(&s, START_MS);
	r = open_replay(&s);
	stage(set_of(r, EPOCH), 0, 3);
	assert_err_ok(replay_commit(r, outcome_done, &o));
	assert_err(replay_commit(r, outcome_done, &o), ERR_BUSY);
	stage(set_of(r, EPOCH), 3, 5); /* belongs to the next one */
	stand_run(&s, 1000);
	assert_int_equal(o.calls, 1);
	assert_int_equal(replay_staged(set_of(r, EPOCH)), 2);
	stand_crash(&s);
	replay_free(r);
	stand_down(&s);
}

static void
test_prune(void **state)
{
	uint32_t limit = EPOCH;
	struct stand s;
	struct replay *r;

	(void)state;
	stand_up(&s, START_MS);
	r = open_replay(&s);
	stage(set_of(r, EPOCH), 0, 3);
	stage(set_of(r, EPOCH + 1), 0, 4);
	assert_err_ok(commit(&s, r));
	assert_true(stand_has(&s, NAME));
	replay_prune(r, keep_above, &limit);
	stand_run(&s, 1000);
	assert_false(stand_has(&s, NAME));
	assert_true(stand_has(&s, "replay-00000008"));
	assert_int_equal(replay_count(set_of(r, EPOCH + 1)), 4);
	assert_int_equal(replay_count(set_of(r, EPOCH)), 0); /* a new, empty one */
	stand_crash(&s);
	replay_free(r);
	stand_down(&s);
}

static void
test_prune_is_tried_again(void **state)
{
	struct stand s;
	struct replay *r;
	struct replay_set *set;

	(void)state;
	stand_up(&s, START_MS);
	r = open_replay(&s);
	stage(set_of(r, EPOCH), 0, 3);
	assert_err_ok(commit(&s, r));
	s.plan = (struct disk_fault){ .at = 1, .err = ERR_IO };
	replay_prune(r, keep_none, NULL);
	stand_run(&s, 1000);
	assert_true(stand_has(&s, NAME));
	assert_err(replay_set(&set, r, EPOCH), ERR_STATE); /* memory is gone already */
	replay_prune(r, keep_none, NULL);
	stand_run(&s, 1000);
	assert_false(stand_has(&s, NAME));
	stand_crash(&s);
	replay_free(r);
	stand_down(&s);
}

static void
test_memory_only(void **state)
{
	struct outcome o = { 0 };
	struct replay *r;
	struct replay_set *set;

	(void)state;
	assert_err_ok(replay_open(&r, NULL, NULL, rng_system(), TAGS_MAX, NULL));
	set = set_of(r, EPOCH);
	stage(set, 0, 5);
	assert_true(has(set, 4));
	assert_err(replay_commit(r, outcome_done, &o), ERR_BUSY);
	replay_prune(r, keep_none, NULL);
	assert_int_equal(replay_count(set_of(r, EPOCH)), 0);
	replay_free(r);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_stage_and_check),
	cmocka_unit_test(test_bounded),
	cmocka_unit_test(test_survives_restart),
	cmocka_unit_test(test_file_tells_no_order),
	cmocka_unit_test(test_torn_tail_at_every_byte),
	cmocka_unit_test(test_zeros_at_the_end),
	cmocka_unit_test(test_damage_is_refused),
	cmocka_unit_test(test_damaged_end),
	cmocka_unit_test(test_too_long_is_refused),
	cmocka_unit_test(test_every_fault),
	cmocka_unit_test(test_retry_after_torn_append),
	cmocka_unit_test(test_one_commit_at_a_time),
	cmocka_unit_test(test_prune),
	cmocka_unit_test(test_prune_is_tried_again),
	cmocka_unit_test(test_memory_only),
};

TEST_MAIN(tests)

/*
 * The outbox: each rule of reliability by itself, on virtual time.
 */
#include "config.h"

#include "tests/lib/test.h"

#include <stdlib.h>
#include <string.h>

#include "client-lib/outbox.h"
#include "common/crypto/stream.h"

#define FORECAST INT64_C(60000)
#define EPOCH INT64_C(21600000)
#define RETENTION INT64_C(1209600000)

static const struct outbox_times times = { FORECAST, EPOCH, RETENTION };

/* What the outbox reported, the last of each message. */
struct seen {
	struct post_message last[64];
	unsigned calls;
};

static void
on_changed(void *arg, const struct outbox_message *m)
{
	struct seen *s = arg;

	assert_true(m->info.id < 64);
	s->last[m->info.id] = m->info;
	s->calls++;
}

static void
add(struct outbox *o, uint64_t id, uint32_t of, bool file)
{
	const struct post_message info = { .id = id, .of = of, .file = file, .size = of };
	struct outbox_message *m;

	assert_err_ok(outbox_add(o, &m, &info, true));
	assert_int_equal(m->info.id, id);
}

static struct outbox_pick
choose(const struct outbox *o, uint64_t index, bool bulk)
{
	struct outbox_pick p;

	outbox_choose(&p, o, index, bulk, 7);
	return p;
}

/* Choose, number, seal (digest: the record's number), and let it leave. */
static struct outbox_record *
send_at(struct outbox *o, uint64_t index, bool bulk, int64_t now_ms, struct seen *s)
{
	struct outbox_pick p = choose(o, index, bulk);
	struct outbox_message *m;
	struct outbox_record *r;
	uint8_t digest[BLOCK_DIGEST_BYTES];

	if (p.choice == OUTBOX_NOTHING)
		return NULL;
	assert_err_ok(outbox_begin(o, &p, &r, &m, 7));
	assert_int_equal(m->info.id, p.message);
	store_u64(digest, r->number << 16 | r->sealing.count);
	outbox_sealing_made(&r->sealing, digest, &times, test_rng());
	outbox_sent(o, r->number, now_ms, on_changed, s);
	return r;
}

static struct outbox_record *
send_one(struct outbox *o, struct seen *s)
{
	return send_at(o, 0, true, 1000, s);
}

static void
pass(struct outbox *o, int64_t ms, struct seen *s)
{
	const struct block empty = { .round = 1 };

	outbox_block(o, &empty, ms, 0, on_changed, s);
}

/* A block that lists one sealing of a record. */
static void
store(struct outbox *o, uint64_t number, uint32_t sealing, int64_t now_ms, struct seen *s)
{
	uint8_t digest[BLOCK_DIGEST_BYTES];
	const struct block b = { .round = 1, .digest_count = 1, .digests = digest };

	store_u64(digest, number << 16 | sealing);
	outbox_block(o, &b, 0, now_ms, on_changed, s);
}

static void
acknowledge(struct outbox *o, uint64_t next_missing, struct seen *s)
{
	const struct record_ack a = { .next_missing = next_missing };

	outbox_acknowledge(o, &a, 1u << 20, on_changed, s);
}

/* ---- choosing ---- */

static void
texts_go_before_files_and_in_order(void **state)
{
	struct seen s = { 0 };
	struct outbox o;

	(void)state;
	outbox_init(&o);
	add(&o, 1, 2, true);
	add(&o, 2, 2, false);
	add(&o, 3, 1, false);
	static const uint64_t message[] = { 2, 2, 3, 1, 1 };
	static const uint32_t fragment[] = { 0, 1, 0, 0, 1 };
	for (size_t i = 0; i < 5; i++) {
		struct outbox_record *r = send_one(&o, &s);
		assert_non_null(r);
		assert_int_equal(r->number, i + 1);
		assert_int_equal(r->message, message[i]);
		assert_int_equal(r->fragment, fragment[i]);
		assert_int_equal(r->bulk, message[i] == 1);
	}
	assert_null(send_one(&o, &s));
	/* texts and files are numbered apart */
	assert_int_equal(outbox_find(&o, 2)->number, 1);
	assert_int_equal(outbox_find(&o, 3)->number, 2);
	assert_int_equal(outbox_find(&o, 1)->number, 1);
	outbox_release(&o);
}

static void
files_wait_for_their_slot_and_until_they_are_ready(void **state)
{
	const struct post_message info = { .id = 1, .of = 1, .file = true };
	struct outbox_message *m;
	struct outbox o;

	(void)state;
	outbox_init(&o);
	assert_err_ok(outbox_add(&o, &m, &info, false));
	assert_int_equal(choose(&o, 0, true).choice, OUTBOX_NOTHING);
	m->ready = true;
	assert_int_equal(choose(&o, 0, false).choice, OUTBOX_NOTHING);
	assert_int_equal(choose(&o, 0, true).choice, OUTBOX_FRESH);
	outbox_release(&o);
}

static void
the_window_closes_at_half_for_texts_and_200_earlier_for_files(void **state)
{
	const uint64_t half = STREAM_WINDOW / 2;
	struct outbox o;

	(void)state;
	outbox_init(&o);
	add(&o, 1, 1, true);
	assert_int_equal(choose(&o, half - 201, true).choice, OUTBOX_FRESH);
	assert_int_equal(choose(&o, half - 200, true).choice, OUTBOX_NOTHING);
	add(&o, 2, 1, false);
	assert_int_equal(choose(&o, half - 1, true).message, 2);
	assert_false(choose(&o, half - 1, true).exception);
	assert_false(outbox_window_closed(&o, half - 1));
	assert_true(outbox_window_closed(&o, half));
	o.seen_index = 500;
	assert_false(outbox_window_closed(&o, half + 499));
	assert_true(outbox_window_closed(&o, half + 500));
	outbox_release(&o);
}

static void
at_the_limit_the_oldest_record_goes_once_per_epoch(void **state)
{
	const uint64_t half = STREAM_WINDOW / 2;
	struct outbox_message *m;
	struct outbox_record *r;
	struct outbox_pick p;
	struct seen s = { 0 };
	struct outbox o;

	(void)state;
	outbox_init(&o);
	add(&o, 1, 1, false);
	add(&o, 2, 2, false);
	assert_non_null(send_one(&o, &s));
	assert_non_null(send_one(&o, &s));
	store(&o, 1, 0, 0, &s); /* stored or not */
	outbox_choose(&p, &o, half, false, 7);
	assert_int_equal(p.choice, OUTBOX_AGAIN);
	assert_true(p.exception);
	assert_int_equal(p.message, 1);
	assert_err_ok(outbox_begin(&o, &p, &r, &m, 7));
	outbox_choose(&p, &o, half + 1, false, 7);
	assert_int_equal(p.choice, OUTBOX_NOTHING);
	outbox_choose(&p, &o, half + 1, false, 8);
	assert_int_equal(p.choice, OUTBOX_AGAIN);
	outbox_choose(&p, &o, STREAM_WINDOW - 1, false, 8);
	assert_int_equal(p.choice, OUTBOX_AGAIN);
	outbox_choose(&p, &o, STREAM_WINDOW, false, 8);
	assert_int_equal(p.choice, OUTBOX_NOTHING);
	outbox_release(&o);
}

/* Otherwise a stream whose records were all given up could never be heard again. */
static void
at_the_limit_without_records_a_fresh_one_goes(void **state)
{
	struct outbox_pick p;
	struct outbox o;

	(void)state;
	outbox_init(&o);
	add(&o, 1, 1, false);
	outbox_choose(&p, &o, STREAM_WINDOW / 2, false, 7);
	assert_int_equal(p.choice, OUTBOX_FRESH);
	assert_true(p.exception);
	outbox_release(&o);
}

static void
numbers_stay_within_the_acknowledgements_map(void **state)
{
	struct seen s = { 0 };
	struct outbox o;

	(void)state;
	outbox_init(&o);
	add(&o, 1, 2000, false);
	for (unsigned i = 0; i < RECORD_ACK_MAP_BITS + 1; i++) {
		struct outbox_record *r = send_one(&o, &s);
		assert_non_null(r);
		assert_int_equal(outbox_behind(&o, r), i);
	}
	assert_null(send_one(&o, &s));
	acknowledge(&o, 2, &s);
	assert_non_null(send_one(&o, &s));
	assert_null(send_one(&o, &s));
	/* acknowledged in the middle: the oldest still stands in the way */
	struct record_ack a = { .next_missing = 2, .map = { 0xff } };
	outbox_acknowledge(&o, &a, 1u << 20, on_changed, &s);
	assert_null(send_one(&o, &s));
	outbox_release(&o);
}

/* ---- reseals ---- */

static void
waits_are_uniform_and_double_to_an_epoch(void **state)
{
	struct outbox_sealing x;
	uint8_t digest[BLOCK_DIGEST_BYTES] = { 0 };

	(void)state;
	for (unsigned i = 0; i < 300; i++) {
		int64_t least = 2 * FORECAST;
		memset(&x, 0, sizeof(x));
		for (unsigned k = 0; k < 12; k++) {
			outbox_sealing_made(&x, digest, &times, test_rng());
			assert_true(x.wait_ms >= (least < EPOCH ? least : EPOCH));
			assert_true(x.wait_ms <= (4 * least < EPOCH ? 4 * least : EPOCH));
			least *= 2;
		}
		assert_int_equal(x.count, 12);
	}
}

static void
a_record_is_sealed_anew_when_its_time_has_passed(void **state)
{
	struct outbox_record *r;
	struct seen s = { 0 };
	struct outbox o;

	(void)state;
	outbox_init(&o);
	add(&o, 1, 1, false);
	r = send_one(&o, &s);
	assert_non_null(r);
	pass(&o, r->sealing.wait_ms - 1, &s);
	assert_null(send_one(&o, &s));
	pass(&o, 1, &s);
	r = send_one(&o, &s);
	assert_non_null(r);
	assert_int_equal(r->number, 1);
	assert_int_equal(r->sealing.count, 2);
	/* time counts from when it has left */
	r->sealing.sent = false;
	pass(&o, EPOCH, &s);
	assert_null(send_one(&o, &s));
	outbox_unsent(&o, 1);
	assert_non_null(send_one(&o, &s));
	outbox_release(&o);
}

static void
any_of_its_sealings_stores_a_record(void **state)
{
	struct seen s = { 0 };
	struct outbox o;

	(void)state;
	outbox_init(&o);
	add(&o, 1, 1, false);
	assert_non_null(send_one(&o, &s));
	assert_int_equal(s.last[1].state, POST_SENT);
	for (unsigned i = 0; i < 3; i++) {
		pass(&o, EPOCH, &s);
		assert_non_null(send_one(&o, &s));
	}
	store(&o, 1, 1, 5, &s);
	assert_int_equal(s.last[1].state, POST_STORED);
	pass(&o, 100 * EPOCH, &s);
	assert_null(send_one(&o, &s));
	outbox_release(&o);
}

static void
a_sealing_that_failed_is_due_at_once(void **state)
{
	struct outbox_pick p;
	struct outbox_record *r;
	struct outbox_message *m;
	struct outbox o;

	(void)state;
	outbox_init(&o);
	add(&o, 1, 1, false);
	p = choose(&o, 0, false);
	assert_err_ok(outbox_begin(&o, &p, &r, &m, 7)); /* and no memory to seal it */
	p = choose(&o, 0, false);
	assert_int_equal(p.choice, OUTBOX_AGAIN);
	assert_int_equal(p.fragment, 0);
	outbox_release(&o);
}

static void
stored_records_are_sealed_anew_before_they_expire_and_given_up_after_four(void **state)
{
	struct seen s = { 0 };
	struct outbox o;
	int64_t now = 1000;
	uint32_t sealing = 0;

	(void)state;
	outbox_init(&o);
	add(&o, 1, 1, false);
	assert_non_null(send_at(&o, 0, false, now, &s));
	for (unsigned life = 0; life < OUTBOX_LIVES - 1; life++) {
		store(&o, 1, sealing, now, &s);
		outbox_tick(&o, &times, now + RETENTION / 10 * 9 - 1, on_changed, &s);
		assert_null(send_at(&o, 0, false, now, &s));
		now += RETENTION / 10 * 9;
		outbox_tick(&o, &times, now, on_changed, &s);
		assert_non_null(send_at(&o, 0, false, now, &s));
		sealing++;
		assert_int_equal(s.last[1].state, POST_STORED); /* states only go up */
	}
	store(&o, 1, sealing, now, &s);
	outbox_tick(&o, &times, now + RETENTION / 10 * 9, on_changed, &s);
	assert_int_equal(s.last[1].state, POST_FAILED);
	assert_int_equal(o.message_count, 0);
	assert_int_equal(o.record_count, 0);
	outbox_release(&o);
}

static void
what_never_shows_is_given_up_after_four_retentions(void **state)
{
	struct seen s = { 0 };
	struct outbox o;

	(void)state;
	outbox_init(&o);
	add(&o, 1, 2, false);
	add(&o, 2, 1, false);
	assert_non_null(send_at(&o, 0, false, 1000, &s));
	outbox_tick(&o, &times, 999 + 4 * RETENTION, on_changed, &s);
	assert_int_equal(o.message_count, 2);
	outbox_tick(&o, &times, 1000 + 4 * RETENTION, on_changed, &s);
	assert_int_equal(s.last[1].state, POST_FAILED);
	assert_int_equal(o.message_count, 1);
	/* the next one says that nothing before it is waited for */
	struct outbox_record *r = send_at(&o, 0, false, 5 * RETENTION, &s);
	assert_int_equal(r->number, 2);
	assert_int_equal(outbox_behind(&o, r), 0);
	outbox_release(&o);
}

static void
a_message_is_late_while_a_record_of_it_is(void **state)
{
	struct seen s = { 0 };
	struct outbox o;

	(void)state;
	outbox_init(&o);
	add(&o, 1, 3, true);
	assert_non_null(send_at(&o, 0, true, 1000, &s));
	store(&o, 1, 0, 2000, &s);
	/* a long file is not late because its first record left long ago */
	assert_non_null(send_at(&o, 0, true, 1000 + 3 * FORECAST, &s));
	outbox_tick(&o, &times, 1000 + 6 * FORECAST, on_changed, &s);
	assert_false(outbox_find(&o, 1)->info.late);
	outbox_tick(&o, &times, 1001 + 6 * FORECAST, on_changed, &s);
	assert_true(s.last[1].late);
	store(&o, 2, 0, 2000, &s);
	outbox_tick(&o, &times, 1002 + 6 * FORECAST, on_changed, &s);
	assert_false(s.last[1].late);
	outbox_release(&o);
}

static void
in_doubt_what_was_stored_is_sent_again(void **state)
{
	struct seen s = { 0 };
	struct outbox o;
	int64_t wait;

	(void)state;
	outbox_init(&o);
	add(&o, 1, 1, false);
	assert_non_null(send_one(&o, &s));
	store(&o, 1, 0, 5, &s);
	outbox_doubt(&o, &times, test_rng());
	wait = o.records[0].sealing.wait_ms;
	assert_true(wait >= 2 * FORECAST && wait <= 8 * FORECAST);
	assert_null(send_one(&o, &s));
	pass(&o, wait, &s);
	assert_non_null(send_one(&o, &s));
	assert_int_equal(outbox_find(&o, 1)->info.state, POST_STORED);
	outbox_release(&o);
}

/* ---- acknowledgements ---- */

static void
acknowledged_fragments_make_a_message_delivered(void **state)
{
	struct record_ack a = { .next_missing = 1, .map = { 1 } }; /* 2 came, 1 did not */
	struct seen s = { 0 };
	struct outbox o;

	(void)state;
	outbox_init(&o);
	add(&o, 1, 2, false);
	assert_non_null(send_one(&o, &s));
	assert_int_equal(outbox_find(&o, 1)->info.state, POST_QUEUED);
	assert_non_null(send_one(&o, &s));
	outbox_acknowledge(&o, &a, 2, on_changed, &s);
	assert_int_equal(s.last[1].done, 1);
	assert_int_equal(s.last[1].state, POST_SENT);
	assert_int_equal(o.record_count, 1);
	acknowledge(&o, 3, &s);
	assert_int_equal(s.last[1].done, 2);
	assert_int_equal(s.last[1].state, POST_DELIVERED);
	assert_null(outbox_find(&o, 1));
	s.calls = 0;
	acknowledge(&o, 3, &s); /* again: nothing moves */
	assert_int_equal(s.calls, 0);
	outbox_release(&o);
}

static void
acknowledgements_of_what_was_never_sent_are_passed_over(void **state)
{
	struct record_ack a = { .next_missing = 3, .highest_index = 1 };
	struct seen s = { 0 };
	struct outbox o;

	(void)state;
	outbox_init(&o);
	add(&o, 1, 1, false);
	assert_non_null(send_one(&o, &s));
	outbox_acknowledge(&o, &a, 1, on_changed, &s);
	assert_int_equal(o.record_count, 1);
	assert_int_equal(o.seen_index, 0);
	a.next_missing = UINT64_MAX;
	outbox_acknowledge(&o, &a, 1, on_changed, &s);
	a = (struct record_ack){ .next_missing = 2, .highest_index = 2 };
	outbox_acknowledge(&o, &a, 1, on_changed, &s);
	assert_int_equal(o.record_count, 1);
	a.highest_index = 1;
	outbox_acknowledge(&o, &a, 1, on_changed, &s);
	assert_int_equal(o.record_count, 0);
	assert_int_equal(o.seen_index, 1);
	a.highest_index = 0; /* an older one does not take anything back */
	outbox_acknowledge(&o, &a, 1, on_changed, &s);
	assert_int_equal(o.seen_index, 1);
	outbox_release(&o);
}

/* ---- cancelling ---- */

static void
only_what_has_not_been_sealed_is_cancelled(void **state)
{
	struct seen s = { 0 };
	struct outbox o;

	(void)state;
	outbox_init(&o);
	add(&o, 1, 2, false);
	add(&o, 2, 1, false);
	assert_non_null(send_one(&o, &s));
	assert_err(outbox_cancel(&o, 1), ERR_STATE);
	assert_err_ok(outbox_cancel(&o, 2));
	assert_err(outbox_cancel(&o, 2), ERR_NOT_FOUND);
	outbox_fail(&o, 1, on_changed, &s);
	assert_int_equal(s.last[1].state, POST_FAILED);
	assert_int_equal(o.record_count, 0);
	outbox_release(&o);
}

static void
the_queue_is_bounded(void **state)
{
	const struct post_message info = { .id = 5, .of = 1 };
	struct outbox_message *m;
	struct outbox o;

	(void)state;
	outbox_init(&o);
	for (unsigned i = 0; i < OUTBOX_MESSAGES_MAX; i++)
		assert_err_ok(outbox_add(&o, &m, &info, true));
	assert_err(outbox_add(&o, &m, &info, true), ERR_FULL);
	outbox_release(&o);
}

/* ---- save and load ---- */

static struct outbox
busy(struct seen *s)
{
	struct outbox o;

	outbox_init(&o);
	for (uint64_t id = 1; id < 20; id++)
		add(&o, id, 1 + rng_below(test_rng(), 4), rng_below(test_rng(), 3) == 0);
	for (unsigned i = 0; i < 25; i++) {
		struct outbox_record *r = send_one(&o, s);
		if (r != NULL && rng_below(test_rng(), 2) == 0)
			store(&o, r->number, 0, 77, s);
	}
	acknowledge(&o, 5, s);
	return o;
}

static void
what_is_saved_is_loaded(void **state)
{
	struct seen s = { 0 };

	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		struct outbox o = busy(&s), back;
		struct buf saved, again;
		struct reader r;
		buf_init(&saved);
		buf_init(&again);
		assert_err_ok(outbox_save(&o, &saved, SIZE_MAX));
		for (size_t n = 0; n < saved.len; n++) {
			reader_init(&r, saved.data, n);
			assert_int_not_equal(outbox_load(&back, &r, true), ERR_OK);
		}
		reader_init(&r, saved.data, saved.len);
		assert_err_ok(outbox_load(&back, &r, true));
		assert_err_ok(reader_end(&r));
		assert_int_equal(back.message_count, o.message_count);
		for (size_t k = 0; k < o.message_count; k++)
			assert_int_equal(back.messages[k]->info.state, o.messages[k]->info.state);
		assert_err_ok(outbox_save(&back, &again, SIZE_MAX));
		assert_int_equal(again.len, saved.len);
		assert_memory_equal(again.data, saved.data, saved.len);
		outbox_release(&o);
		outbox_release(&back);
		buf_release(&saved);
		buf_release(&again);
	}
}

/* Nobody knows whether the last sealing left before the crash: it is waited for. */
static void
after_a_crash_a_sealing_counts_as_sent(void **state)
{
	struct outbox o, back;
	struct outbox_pick p;
	struct outbox_record *r;
	struct outbox_message *m;
	uint8_t digest[BLOCK_DIGEST_BYTES] = { 1 };
	struct seen s = { 0 };
	struct buf saved;
	struct reader in;

	(void)state;
	outbox_init(&o);
	buf_init(&saved);
	add(&o, 1, 1, false);
	p = choose(&o, 0, false);
	assert_err_ok(outbox_begin(&o, &p, &r, &m, 7));
	outbox_sealing_made(&r->sealing, digest, &times, test_rng());
	assert_err_ok(outbox_save(&o, &saved, SIZE_MAX));
	reader_init(&in, saved.data, saved.len);
	assert_err_ok(outbox_load(&back, &in, true));
	assert_int_equal(outbox_find(&back, 1)->info.state, POST_SENT);
	assert_int_equal(choose(&back, 1, false).choice, OUTBOX_NOTHING);
	pass(&back, 8 * FORECAST, &s);
	assert_int_equal(choose(&back, 1, false).choice, OUTBOX_AGAIN);
	outbox_release(&o);
	outbox_release(&back);
	buf_release(&saved);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(texts_go_before_files_and_in_order),
	cmocka_unit_test(files_wait_for_their_slot_and_until_they_are_ready),
	cmocka_unit_test(the_window_closes_at_half_for_texts_and_200_earlier_for_files),
	cmocka_unit_test(at_the_limit_the_oldest_record_goes_once_per_epoch),
	cmocka_unit_test(at_the_limit_without_records_a_fresh_one_goes),
	cmocka_unit_test(numbers_stay_within_the_acknowledgements_map),
	cmocka_unit_test(waits_are_uniform_and_double_to_an_epoch),
	cmocka_unit_test(a_record_is_sealed_anew_when_its_time_has_passed),
	cmocka_unit_test(any_of_its_sealings_stores_a_record),
	cmocka_unit_test(a_sealing_that_failed_is_due_at_once),
	cmocka_unit_test(stored_records_are_sealed_anew_before_they_expire_and_given_up_after_four),
	cmocka_unit_test(what_never_shows_is_given_up_after_four_retentions),
	cmocka_unit_test(a_message_is_late_while_a_record_of_it_is),
	cmocka_unit_test(in_doubt_what_was_stored_is_sent_again),
	cmocka_unit_test(acknowledged_fragments_make_a_message_delivered),
	cmocka_unit_test(acknowledgements_of_what_was_never_sent_are_passed_over),
	cmocka_unit_test(only_what_has_not_been_sealed_is_cancelled),
	cmocka_unit_test(the_queue_is_bounded),
	cmocka_unit_test(what_is_saved_is_loaded),
	cmocka_unit_test(after_a_crash_a_sealing_counts_as_sent),
};

TEST_MAIN(tests)

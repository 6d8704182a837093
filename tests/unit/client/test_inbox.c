/*
 * The inbox: record numbers against a naive model, the order of texts, what a
 * hostile contact can reach, and when acknowledgements are due.
 */
#include "config.h"

#include "tests/lib/test.h"

#include <stdlib.h>
#include <string.h>

#include "client-lib/inbox.h"

#define CHUNK 608
#define HOUR 3600000
#define GIVEN_UP 1000000

/* The first record still lives, as far as a header can say it. */
static uint16_t
behind(uint64_t number)
{
	return (uint16_t)(number - 1 < RECORD_ACK_MAP_BITS ? number - 1 : RECORD_ACK_MAP_BITS);
}

static struct record_header
text(uint64_t number, uint64_t message, uint32_t fragment, uint32_t of)
{
	return (struct record_header){ .type = RECORD_TEXT,
		.number = number,
		.behind = behind(number),
		.message = message,
		.fragment = fragment,
		.of = of,
		.length = 10 };
}

static enum inbox_verdict
take_at(struct inbox *in, const struct record_header *h, int64_t now_ms)
{
	static const uint8_t content[CHUNK];
	enum inbox_verdict v;

	assert_err_ok(inbox_take(in, &v, h, content, CHUNK, now_ms));
	return v;
}

static enum inbox_verdict
take(struct inbox *in, struct record_header h)
{
	return take_at(in, &h, 0);
}

/* The number of the next text that is shown; 0: none. */
static uint64_t
show(struct inbox *in)
{
	const struct inbox_partial *m;
	uint64_t number;

	if (!inbox_ready(in, &m))
		return 0;
	number = m->number;
	inbox_shown(in, m);
	return number;
}

/* ---- record numbers ---- */

#define NUMBERS 6000

static void
acknowledgement_matches(const struct inbox *in, const bool *came)
{
	struct record_ack a;
	uint64_t least = 1;

	inbox_ack(in, &a);
	while (came[least])
		least++;
	assert_int_equal(a.next_missing, least);
	for (uint64_t i = 0; i < RECORD_ACK_MAP_BITS && least + 1 + i < NUMBERS; i++)
		assert_int_equal(a.map[i / 8] >> (i % 8) & 1, came[least + 1 + i]);
}

static void
numbers_are_as_in_a_naive_model(void **state)
{
	static bool came[NUMBERS + 2];
	struct inbox in;
	uint64_t low = 1;

	(void)state;
	memset(came, 0, sizeof(came));
	inbox_init(&in);
	for (unsigned i = 0; i < 20000; i++) {
		uint64_t n = low + rng_below(test_rng(), 1400);
		if (rng_below(test_rng(), 3) == 0)
			n = low;
		if (n >= NUMBERS)
			break;
		/* with all of the map behind it, a number settles what is out of its reach */
		for (uint64_t k = low; k + RECORD_ACK_MAP_BITS < n; k++)
			came[k] = true;
		assert_int_equal(take(&in, text(n, n, 0, 1)), came[n] ? INBOX_KNOWN : INBOX_NEW);
		came[n] = true;
		while (came[low])
			low++;
		while (show(&in) != 0)
			;
		if (i % 16 == 0)
			acknowledgement_matches(&in, came);
	}
	acknowledgement_matches(&in, came);
	assert_true(low > 1000);
	inbox_release(&in);
}

/* Whatever number a contact claims, it is within the map or moves it. */
static void
any_number_is_safe(void **state)
{
	struct inbox in;

	(void)state;
	inbox_init(&in);
	for (unsigned i = 0; i < 3000; i++) {
		struct record_header h = text(1 + (rng_u64(test_rng()) >> rng_below(test_rng(), 64)), 1, 0, 1);
		if (h.number > RECORD_NUMBER_MAX)
			h.number = RECORD_NUMBER_MAX;
		if (i == 1000) {
			inbox_release(&in);
			assert_int_equal(in.next_missing, 1);
		}
		h.behind = (uint16_t)rng_below(test_rng(), (uint32_t)behind(h.number) + 1);
		(void)take(&in, h);
		while (show(&in) != 0)
			;
	}
	inbox_release(&in);
	/* only a damaged state has the map so far below what a header settles */
	in.next_missing = 1;
	assert_int_equal(take(&in, text(RECORD_NUMBER_MAX, 1, 0, 1)), INBOX_NEW);
	assert_int_equal(in.next_missing, RECORD_NUMBER_MAX - RECORD_ACK_MAP_BITS);
	inbox_release(&in);
}

static void
settled_numbers_are_not_waited_for(void **state)
{
	struct record_header h;
	struct record_ack a;
	struct inbox in;

	(void)state;
	inbox_init(&in);
	assert_int_equal(take(&in, text(3, 2, 0, 1)), INBOX_NEW);
	assert_int_equal(take(&in, text(5, 3, 0, 1)), INBOX_NEW);
	h = text(7, 4, 0, 1);
	h.behind = 4; /* 1 and 2 are given up, 3 is acknowledged */
	assert_int_equal(take(&in, h), INBOX_NEW);
	inbox_ack(&in, &a);
	assert_int_equal(a.next_missing, 4);
	assert_int_equal(a.map[0], 1 | 4); /* 5 and 7 */
	h = text(8, 5, 0, 1);
	h.behind = 3; /* 5 is the first that lives: it is here, and so it goes on */
	assert_int_equal(take(&in, h), INBOX_NEW);
	inbox_ack(&in, &a);
	assert_int_equal(a.next_missing, 6);
	assert_int_equal(take(&in, text(4, 9, 0, 1)), INBOX_KNOWN);
	inbox_release(&in);
}

/* ---- order ---- */

static void
texts_come_in_the_senders_order(void **state)
{
	struct inbox in;

	(void)state;
	inbox_init(&in);
	assert_int_equal(take(&in, text(3, 3, 0, 1)), INBOX_NEW);
	assert_int_equal(take(&in, text(2, 2, 0, 1)), INBOX_NEW);
	assert_int_equal(show(&in), 0);
	assert_int_equal(take(&in, text(1, 1, 0, 1)), INBOX_NEW);
	assert_int_equal(show(&in), 1);
	assert_int_equal(show(&in), 2);
	assert_int_equal(show(&in), 3);
	assert_int_equal(show(&in), 0);
	inbox_release(&in);
}

static void
a_text_given_up_holds_up_nothing(void **state)
{
	const struct inbox_partial *m;
	struct record_header h;
	struct inbox in;

	(void)state;
	inbox_init(&in);
	assert_int_equal(take(&in, text(2, 1, 1, 2)), INBOX_NEW); /* half of text 1 */
	assert_int_equal(take(&in, text(3, 2, 0, 1)), INBOX_NEW);
	assert_int_equal(show(&in), 0);
	h = text(4, 3, 0, 1);
	h.behind = 1; /* 1 and 2 settled: nothing of text 1 comes any more */
	assert_int_equal(take(&in, h), INBOX_NEW);
	assert_false(inbox_dead(&in, &m, 0, GIVEN_UP));
	assert_int_equal(show(&in), 2);
	assert_int_equal(show(&in), 3);
	assert_true(inbox_dead(&in, &m, 0, GIVEN_UP));
	assert_int_equal(m->number, 1);
	inbox_drop(&in, m);
	assert_int_equal(in.partial_count, 0);
	inbox_release(&in);
}

static void
files_hold_up_no_texts(void **state)
{
	struct record_header file = { .type = RECORD_FILE, .number = 1, .message = 1, .of = 40,
		.fragment = 3, .length = 5 };
	struct inbox in;

	(void)state;
	inbox_init(&in);
	file.number = 5;
	assert_int_equal(take(&in, file), INBOX_NEW);
	assert_int_equal(take(&in, text(40, 1, 0, 1)), INBOX_NEW);
	assert_int_equal(show(&in), 1); /* the numbers below 40 are not here, but text 1 is next */
	assert_int_equal(take(&in, text(42, 3, 0, 1)), INBOX_NEW);
	assert_int_equal(show(&in), 0);
	assert_int_equal(take(&in, text(41, 2, 0, 1)), INBOX_NEW);
	assert_int_equal(show(&in), 2);
	assert_int_equal(show(&in), 3);
	inbox_release(&in);
}

/* As many texts as an honest sender can have under way wait behind a lost one. */
static void
a_full_map_of_texts_is_kept(void **state)
{
	struct inbox in;

	(void)state;
	inbox_init(&in);
	for (uint64_t n = 2; n <= 1 + RECORD_ACK_MAP_BITS; n++)
		assert_int_equal(take(&in, text(n, n, 0, 1)), INBOX_NEW);
	assert_int_equal(show(&in), 0);
	assert_int_equal(take(&in, text(1, 1, 0, 1)), INBOX_NEW);
	for (uint64_t n = 1; n <= 1 + RECORD_ACK_MAP_BITS; n++)
		assert_int_equal(show(&in), n);
	inbox_release(&in);
}

/* ---- what a hostile contact sends ---- */

static void
contradictions_are_refused(void **state)
{
	struct inbox in;

	(void)state;
	inbox_init(&in);
	assert_int_equal(take(&in, text(1, 1, 0, 3)), INBOX_NEW);
	assert_int_equal(take(&in, text(2, 1, 0, 3)), INBOX_REFUSED); /* again, other number */
	assert_int_equal(take(&in, text(3, 1, 1, 4)), INBOX_REFUSED); /* another count */
	assert_int_equal(take(&in, text(4, 1, 1, 3)), INBOX_NEW);
	assert_int_equal(in.next_missing, 5); /* what was refused is acknowledged */
	assert_int_equal(in.partial_count, 1);
	inbox_release(&in);
}

static void
texts_have_a_size(void **state)
{
	const uint32_t most = (POST_TEXT_MAX + CHUNK - 1) / CHUNK;
	struct record_header h;
	struct inbox in;

	(void)state;
	inbox_init(&in);
	assert_int_equal(take(&in, text(1, 1, 0, most + 1)), INBOX_REFUSED);
	assert_int_equal(take(&in, text(2, 1, 0, UINT32_MAX)), INBOX_REFUSED);
	for (uint32_t i = 0; i < most; i++) {
		h = text(3 + i, 1, i, most);
		h.length = CHUNK;
		assert_int_equal(take(&in, h),
		    (uint64_t)(i + 1) * CHUNK <= POST_TEXT_MAX ? INBOX_NEW : INBOX_REFUSED);
	}
	inbox_release(&in);
}

static void
the_number_of_messages_is_bounded(void **state)
{
	struct record_header file = { .type = RECORD_FILE, .of = 100, .fragment = 9, .length = 1 };
	struct inbox in;

	(void)state;
	inbox_init(&in);
	for (uint64_t n = 1; n <= INBOX_FILES_MAX + 10; n++) {
		file.number = n;
		file.message = n;
		assert_int_equal(take(&in, file), n <= INBOX_FILES_MAX ? INBOX_NEW : INBOX_REFUSED);
	}
	for (uint64_t n = 1; n <= INBOX_TEXTS_MAX + 10; n++)
		assert_int_equal(take(&in, text(INBOX_FILES_MAX + 10 + n, n, 0, 2)),
		    n <= INBOX_TEXTS_MAX ? INBOX_NEW : INBOX_REFUSED);
	assert_int_equal(in.partial_count, INBOX_FILES_MAX + INBOX_TEXTS_MAX);
	file.number = 5000;
	file.behind = 100;
	file.of = UINT32_MAX;
	file.message = 1000000;
	assert_int_equal(take(&in, file), INBOX_REFUSED);
	inbox_release(&in);
}

static void
silent_files_are_given_up(void **state)
{
	struct record_header file = { .type = RECORD_FILE, .number = 1, .message = 1, .of = 100,
		.fragment = 9, .length = 1 };
	const struct inbox_partial *m;
	struct inbox in;

	(void)state;
	inbox_init(&in);
	assert_int_equal(take_at(&in, &file, 500), INBOX_NEW);
	file.number = 2;
	file.fragment = 10;
	assert_int_equal(take_at(&in, &file, 900), INBOX_NEW);
	assert_false(inbox_dead(&in, &m, 899 + GIVEN_UP, GIVEN_UP));
	assert_true(inbox_dead(&in, &m, 900 + GIVEN_UP, GIVEN_UP));
	inbox_drop(&in, m);
	inbox_release(&in);
}

static void
what_was_deleted_here_is_thrown_away(void **state)
{
	struct record_header file = { .type = RECORD_FILE, .number = 1, .message = 1, .of = 2,
		.fragment = 1, .length = 1 };
	uint8_t manifest[INBOX_MANIFEST_MAX];
	struct inbox_manifest f = { .size = 1, .name = "x" };
	const struct inbox_partial *m;
	enum inbox_verdict v;
	struct inbox in;
	size_t n;

	(void)state;
	inbox_init(&in);
	assert_int_equal(take(&in, file), INBOX_NEW);
	in.partials[0].id = 12;
	assert_null(inbox_find_id(&in, 0));
	inbox_find_id(&in, 12)->unwanted = true;
	assert_false(inbox_dead(&in, &m, 0, GIVEN_UP));
	assert_err_ok(inbox_manifest_encode(manifest, &n, &f));
	file.number = 2;
	file.fragment = 0;
	file.length = (uint32_t)n;
	assert_err_ok(inbox_take(&in, &v, &file, manifest, CHUNK, 0));
	assert_int_equal(v, INBOX_REFUSED);
	assert_false(inbox_ready(&in, &m));
	assert_true(inbox_dead(&in, &m, 0, GIVEN_UP));
	inbox_release(&in);
}

/* ---- the manifest ---- */

static void
manifests_round_trip(void **state)
{
	struct inbox_manifest f = { .size = 204800, .hash = { 7 }, .name = "caf\xc3\xa9.pdf" }, back;
	uint8_t bytes[INBOX_MANIFEST_MAX];
	size_t n;

	(void)state;
	assert_err_ok(inbox_manifest_encode(bytes, &n, &f));
	assert_int_equal(n, 8 + 32 + 1 + 9);
	assert_err_ok(inbox_manifest_decode(&back, bytes, n));
	assert_int_equal(back.size, f.size);
	assert_memory_equal(back.hash, f.hash, 32);
	assert_string_equal(back.name, f.name);
	for (size_t i = 0; i < n; i++)
		assert_int_not_equal(inbox_manifest_decode(&back, bytes, i), ERR_OK);
	assert_err(inbox_manifest_decode(&back, bytes, n + 1), ERR_TRAILING);
	store_u64(bytes, POST_FILE_MAX + 1);
	assert_err(inbox_manifest_decode(&back, bytes, n), ERR_RANGE);
	f.name[0] = '\0';
	assert_err(inbox_manifest_encode(bytes, &n, &f), ERR_RANGE);
	memset(f.name, 'x', sizeof(f.name));
	assert_err(inbox_manifest_encode(bytes, &n, &f), ERR_RANGE);
}

static void
names_from_outside_are_made_plain(void **state)
{
	static const struct {
		const char *sent, *kept;
		size_t n;
	} names[] = {
		{ "../../etc/passwd", "_._.._etc_passwd", 16 },
		{ ".bashrc", "_bashrc", 7 },
		{ "a\\b", "a_b", 3 },
		{ "a\0b", "a?b", 3 },
		{ "\x1b[2J", "_[2J", 4 },
		{ "\x9b" "2J", "?2J", 3 },
		{ "x\xc2\x9b", "x__", 3 },
		{ "x\xc3", "x?", 2 },
		{ "\x7f", "_", 1 },
	};
	uint8_t bytes[INBOX_MANIFEST_MAX] = { 0 };
	struct inbox_manifest f;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		bytes[40] = (uint8_t)names[i].n;
		memcpy(bytes + 41, names[i].sent, names[i].n);
		assert_err_ok(inbox_manifest_decode(&f, bytes, 41 + names[i].n));
		assert_string_equal(f.name, names[i].kept);
	}
	bytes[40] = 0;
	assert_err(inbox_manifest_decode(&f, bytes, 41), ERR_RANGE);
	bytes[40] = POST_FILE_NAME_MAX;
	assert_err(inbox_manifest_decode(&f, bytes, sizeof(bytes)), ERR_RANGE);
}

/* ---- acknowledgements ---- */

static void
one_alone_waits_for_a_random_time_of_the_hour(void **state)
{
	int64_t least = INT64_MAX, most = 0;
	struct params p;
	struct inbox in;

	(void)state;
	params_default(&p);
	for (unsigned i = 0; i < 2000; i++) {
		inbox_init(&in);
		inbox_owe(&in, &p, test_rng(), 5000);
		assert_true(in.ack_due_ms >= 5000 && in.ack_due_ms <= 5000 + HOUR);
		assert_false(inbox_ack_due(&in, in.ack_due_ms - 1));
		assert_true(inbox_ack_due(&in, in.ack_due_ms));
		least = in.ack_due_ms < least ? in.ack_due_ms : least;
		most = in.ack_due_ms > most ? in.ack_due_ms : most;
	}
	assert_true(least < 5000 + HOUR / 20);
	assert_true(most > 5000 + HOUR - HOUR / 20);
}

static void
one_alone_goes_at_most_once_an_hour(void **state)
{
	struct params p;
	struct inbox in;
	int64_t first, due;

	(void)state;
	params_default(&p);
	inbox_init(&in);
	inbox_owe(&in, &p, test_rng(), 1000000);
	first = in.ack_due_ms;
	inbox_owe(&in, &p, test_rng(), 1000001);
	assert_int_equal(in.ack_due_ms, first); /* drawn once */
	inbox_ack_alone(&in, first);
	inbox_acked(&in, in.ack_serial);
	assert_false(in.ack_owed);
	inbox_owe(&in, &p, test_rng(), first + 1);
	due = in.ack_due_ms;
	assert_true(due >= first + HOUR && due <= first + 2 * HOUR);
	/* the clock is set back by a day: the time drawn is out of reach now */
	inbox_draw(&in, &p, test_rng(), first - 24 * HOUR);
	assert_true(in.ack_due_ms <= first - 23 * HOUR);
}

static void
what_came_meanwhile_stays_owed(void **state)
{
	struct params p;
	struct inbox in;
	uint32_t serial;

	(void)state;
	params_default(&p);
	inbox_init(&in);
	inbox_owe(&in, &p, test_rng(), 1000);
	serial = in.ack_serial; /* sealed here */
	inbox_owe(&in, &p, test_rng(), 2000);
	inbox_acked(&in, serial);
	assert_true(in.ack_owed);
	inbox_acked(&in, in.ack_serial);
	assert_false(in.ack_owed);
	assert_false(inbox_ack_due(&in, INT64_MAX));
}

/* ---- save and load ---- */

static struct inbox
filled(void)
{
	struct params p;
	struct inbox in;

	params_default(&p);
	inbox_init(&in);
	for (unsigned i = 0; i < 60; i++) {
		struct record_header h = text(1 + rng_below(test_rng(), 200), 1 + rng_below(test_rng(), 30),
		    rng_below(test_rng(), 5), 5);
		(void)take(&in, h);
	}
	inbox_owe(&in, &p, test_rng(), 77);
	return in;
}

static void
what_is_saved_is_loaded(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 50; i++) {
		struct inbox in = filled(), back;
		struct buf saved, again;
		struct reader r;
		buf_init(&saved);
		buf_init(&again);
		assert_err_ok(inbox_save(&in, &saved, SIZE_MAX));
		for (size_t n = 0; n < saved.len; n++) {
			reader_init(&r, saved.data, n);
			assert_err(inbox_load(&back, &r, true), ERR_TRUNCATED);
		}
		reader_init(&r, saved.data, saved.len);
		assert_err_ok(inbox_load(&back, &r, true));
		assert_err_ok(reader_end(&r));
		assert_true(back.ack_owed);
		assert_err_ok(inbox_save(&back, &again, SIZE_MAX));
		assert_int_equal(again.len, saved.len);
		assert_memory_equal(again.data, saved.data, saved.len);
		inbox_release(&in);
		inbox_release(&back);
		buf_release(&saved);
		buf_release(&again);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(numbers_are_as_in_a_naive_model),
	cmocka_unit_test(any_number_is_safe),
	cmocka_unit_test(settled_numbers_are_not_waited_for),
	cmocka_unit_test(texts_come_in_the_senders_order),
	cmocka_unit_test(a_text_given_up_holds_up_nothing),
	cmocka_unit_test(files_hold_up_no_texts),
	cmocka_unit_test(a_full_map_of_texts_is_kept),
	cmocka_unit_test(contradictions_are_refused),
	cmocka_unit_test(texts_have_a_size),
	cmocka_unit_test(the_number_of_messages_is_bounded),
	cmocka_unit_test(silent_files_are_given_up),
	cmocka_unit_test(what_was_deleted_here_is_thrown_away),
	cmocka_unit_test(manifests_round_trip),
	cmocka_unit_test(names_from_outside_are_made_plain),
	cmocka_unit_test(one_alone_waits_for_a_random_time_of_the_hour),
	cmocka_unit_test(one_alone_goes_at_most_once_an_hour),
	cmocka_unit_test(what_came_meanwhile_stays_owed),
	cmocka_unit_test(what_is_saved_is_loaded),
};

TEST_MAIN(tests)

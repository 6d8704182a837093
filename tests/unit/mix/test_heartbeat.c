/* A mix's heartbeats: when it stops, when it starts again, and what a restart changes. */
#include "config.h"

#include "mix/heartbeat.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/bytes.h"
#include "common/charter/timing.h"
#include "common/journal/notetest.h"
#include "mix/stops.h"
#include "tests/lib/test.h"
#include "tests/unit/mix/mix_test.h"

#define MINUTE INT64_C(60000)
#define EPOCH 70000

struct ward {
	struct stand s;
	struct params params;
	struct heartbeat *h;
	bool stopped, idle, cut_off;
	unsigned stops, starts;
	uint64_t notes;
	int64_t from_ms;
	struct log log;
	char *text;
	size_t len;
};

static void
changed(void *arg, bool stopped)
{
	struct ward *w = arg;

	assert_true(stopped != w->stopped);
	w->stopped = stopped;
	w->stops += stopped;
	w->starts += !stopped;
}

static bool
idle(void *arg)
{
	return ((struct ward *)arg)->idle;
}

static bool
cut_off(void *arg)
{
	return ((struct ward *)arg)->cut_off;
}

static int64_t
now_ms(const struct ward *w)
{
	return world_now_ms(w->s.world);
}

static enum err
open_heart(struct ward *w, struct diag *d)
{
	const struct heartbeat_config cfg = {
		.loop = world_loop(w->s.host),
		.disk = w->s.disk,
		.queue = w->s.queue,
		.params = &w->params,
		.rng = test_rng(),
		.log = &w->log,
		.changed = changed,
		.idle = idle,
		.cut_off = cut_off,
		.arg = w,
	};
	enum err e;

	w->log.clock = loop_clock(cfg.loop);
	e = heartbeat_open(&w->h, &cfg, d);
	if (e == ERR_OK)
		w->stopped = heartbeat_is_stopped(w->h);
	return e;
}

static void
ward_up(struct ward *w)
{
	memset(w, 0, sizeof(*w));
	params_default(&w->params);
	stand_up(&w->s, timing_epoch_start(&w->params, EPOCH));
	w->log.out = open_memstream(&w->text, &w->len);
	assert_non_null(w->log.out);
	w->log.threshold = LOG_INFO;
	w->from_ms = now_ms(w);
	assert_err_ok(open_heart(w, NULL));
}

static void
ward_down(struct ward *w)
{
	stand_crash(&w->s);
	heartbeat_free(w->h);
	stand_down(&w->s);
	(void)fclose(w->log.out);
	free(w->text);
}

static void
restart(struct ward *w, int64_t after_ms)
{
	stand_crash(&w->s);
	heartbeat_free(w->h);
	assert_err_ok(world_run_for(w->s.world, after_ms));
	stand_again(&w->s);
	assert_err_ok(open_heart(w, NULL));
	w->from_ms = now_ms(w);
}

static bool
logged(struct ward *w, const char *what)
{
	(void)fflush(w->log.out);
	return strstr(w->text, what) != NULL;
}

static struct heartbeat_status
status(const struct ward *w)
{
	struct heartbeat_status s;

	heartbeat_get_status(w->h, &s);
	return s;
}

static void
block_at(struct ward *w, int64_t start_ms, const uint8_t *digests, size_t n)
{
	struct block b;

	memset(&b, 0, sizeof(b));
	b.digests = digests;
	b.digest_count = n;
	heartbeat_block(w->h, &b, w->from_ms, start_ms, start_ms + w->params.round_ms);
}

static void
block(struct ward *w, const uint8_t *digests, size_t n)
{
	block_at(w, now_ms(w) - now_ms(w) % w->params.round_ms, digests, n);
}

#define SIX 6 /* notes in a round */

static void
send_six(struct ward *w, uint8_t notes[SIX][BLOCK_DIGEST_BYTES])
{
	for (size_t i = 0; i < SIX; i++) {
		w->notes++;
		for (size_t k = 0; k < BLOCK_DIGEST_BYTES; k++) /* ascending as byte strings */
			notes[i][k] = (uint8_t)(w->notes >> (8 * (7 - k)));
		heartbeat_sent(w->h, notes[i], &w->params);
	}
}

enum way { PASSES, LOSES };

/* Round after round: six notes, all of which are listed or none; or nothing at all is seen. */
static void
live(struct ward *w, int64_t ms, enum way way)
{
	for (int64_t t = 0; t < ms; t += w->params.round_ms) {
		uint8_t notes[SIX][BLOCK_DIGEST_BYTES];

		send_six(w, notes);
		block(w, notes[0], way == PASSES ? SIX : 0);
		assert_err_ok(world_run_for(w->s.world, w->params.round_ms));
	}
}

/* They leave, and nothing is seen. */
static void
send_blindly(struct ward *w, int64_t ms)
{
	for (int64_t t = 0; t < ms; t += w->params.round_ms) {
		uint8_t notes[SIX][BLOCK_DIGEST_BYTES];

		send_six(w, notes);
		assert_err_ok(world_run_for(w->s.world, w->params.round_ms));
	}
}

/* The longest that an attack stays unseen whose notes are judged, late or not. */
static int64_t
lost_within_ms(const struct ward *w)
{
	return notetest_term_ms(&w->params) + notetest_late_ms(&w->params) +
	    3 * w->params.round_ms;
}

static void
test_notes_that_come_back(void **state)
{
	struct ward w;

	(void)state;
	ward_up(&w);
	assert_int_equal(status(&w).state, HEARTBEAT_BEGINS);
	live(&w, 3 * 60 * MINUTE, PASSES);
	assert_int_equal(status(&w).state, HEARTBEAT_RUNS);
	assert_int_equal(w.stops, 0);
	assert_true(status(&w).judged > 1000);
	assert_true(status(&w).judged == status(&w).returned);
	assert_false(logged(&w, "alarm"));
	ward_down(&w);
}

/* Within one term and two rounds of notes; it stands until the ten minutes are full. */
static void
test_stops_and_starts_on_the_grid(void **state)
{
	int64_t since;
	struct ward w;

	(void)state;
	ward_up(&w);
	live(&w, 61 * MINUTE, PASSES);
	since = now_ms(&w);
	while (!w.stopped)
		live(&w, w.params.round_ms, LOSES);
	assert_true(now_ms(&w) - since <= notetest_term_ms(&w.params) + 3 * w.params.round_ms);
	assert_true(logged(&w, "alarm heartbeat-lost returned="));
	assert_int_equal(status(&w).state, HEARTBEAT_STOPPED);
	assert_int_equal(status(&w).until_ms % (10 * MINUTE), 0);
	assert_true(status(&w).until_ms - now_ms(&w) <= 10 * MINUTE);
	live(&w, status(&w).until_ms - now_ms(&w) - w.params.round_ms, LOSES);
	assert_true(w.stopped);
	live(&w, 2 * w.params.round_ms, PASSES);
	assert_false(w.stopped);
	assert_false(logged(&w, "heartbeat-lost-over"));
	live(&w, 8 * MINUTE, PASSES);
	assert_int_equal(status(&w).state, HEARTBEAT_RUNS);
	assert_true(logged(&w, "info heartbeat-lost-over"));
	assert_int_equal(w.stops, 1);
	ward_down(&w);
}

/* An attack without end: how much of the time a mix runs before it is noticed again. */
static void
test_an_attack_without_end(void **state)
{
	int64_t ran = 0, epoch;
	struct ward w;

	(void)state;
	ward_up(&w);
	epoch = w.params.epoch_ms;
	for (int64_t t = 0; t < epoch; t += w.params.round_ms) {
		live(&w, w.params.round_ms, LOSES);
		ran += w.stopped ? 0 : w.params.round_ms;
	}
	print_message("# %u stops in an epoch, %lld s of %lld s open\n", w.stops,
	    (long long)ran / 1000, (long long)epoch / 1000);
	assert_int_equal(w.stops, STOPS_PER_HOUR * STOPS_HOURS);
	assert_true(ran <= w.stops * (notetest_term_ms(&w.params) + 3 * w.params.round_ms));
	/* and then it begins anew */
	live(&w, 2 * w.params.round_ms, PASSES);
	assert_false(w.stopped);
	ward_down(&w);
}

static void
test_a_restart_does_not_end_a_stop(void **state)
{
	struct ward w;
	int64_t until;

	(void)state;
	ward_up(&w);
	while (!w.stopped)
		live(&w, w.params.round_ms, LOSES);
	live(&w, w.params.round_ms, LOSES); /* the file is written */
	until = status(&w).until_ms;
	for (int i = 0; i < 3; i++) {
		restart(&w, 1000);
		assert_true(w.stopped);
		assert_true(status(&w).until_ms == until);
	}
	live(&w, until - now_ms(&w) + w.params.round_ms, PASSES);
	assert_false(w.stopped);
	/* what came before is not forgotten: this is the second in the hour */
	restart(&w, 1000);
	while (!w.stopped)
		live(&w, w.params.round_ms, LOSES);
	assert_int_equal(status(&w).until_ms % (60 * MINUTE), 0);
	/* when it is down longer than that, it begins */
	restart(&w, 60 * MINUTE);
	assert_false(w.stopped);
	ward_down(&w);
}

static void
quiet(struct ward *w, int64_t ms)
{
	assert_err_ok(world_run_for(w->s.world, ms));
}

/* Nothing leaves, but sessions are there: blind within minutes, and it is a stop like others. */
static void
test_blind(void **state)
{
	int64_t patience;
	struct ward w;

	(void)state;
	ward_up(&w);
	patience = notetest_term_ms(&w.params) + notetest_late_ms(&w.params) + MINUTE;
	live(&w, 61 * MINUTE, PASSES);
	quiet(&w, patience - MINUTE);
	w.from_ms = now_ms(&w); /* what was sent before was seen */
	assert_false(w.stopped);
	quiet(&w, MINUTE + w.params.round_ms);
	assert_true(w.stopped);
	assert_int_equal(status(&w).state, HEARTBEAT_BLIND);
	assert_int_equal(status(&w).until_ms, 0);
	assert_true(logged(&w, "alarm heartbeat-blind"));
	/* neither time nor a restart nor an old block nor one of the future opens its eyes */
	quiet(&w, 60 * MINUTE);
	restart(&w, 1000);
	assert_int_equal(status(&w).state, HEARTBEAT_BLIND);
	block_at(&w, now_ms(&w) - 30 * MINUTE, NULL, 0);
	block_at(&w, now_ms(&w) + 30 * MINUTE, NULL, 0);
	quiet(&w, 20 * MINUTE);
	assert_true(w.stopped);
	block(&w, NULL, 0);
	assert_int_equal(status(&w).until_ms % (10 * MINUTE), 0);
	quiet(&w, status(&w).until_ms - now_ms(&w));
	assert_false(w.stopped);
	/* it is over when something was judged, not when it starts */
	assert_false(logged(&w, "heartbeat-blind-over"));
	live(&w, 8 * MINUTE, PASSES);
	assert_true(logged(&w, "info heartbeat-blind-over"));
	ward_down(&w);
}

/* Two in an hour, as of those that are stopped by loss: the next hour, whatever is seen. */
static void
test_blindness_is_a_stop_of_the_hour(void **state)
{
	struct ward w;

	(void)state;
	ward_up(&w);
	while (!w.stopped)
		quiet(&w, w.params.round_ms);
	block(&w, NULL, 0);
	quiet(&w, status(&w).until_ms - now_ms(&w));
	assert_false(w.stopped);
	while (!w.stopped)
		quiet(&w, w.params.round_ms);
	assert_int_equal(status(&w).state, HEARTBEAT_BLIND);
	block(&w, NULL, 0);
	assert_int_equal(status(&w).until_ms % (60 * MINUTE), 0);
	ward_down(&w);
}

/* Nothing is shown but, when it is blind, one empty block of the present; again and again. */
static void
test_blindness_without_end(void **state)
{
	int64_t ran = 0, epoch;
	struct ward w;

	(void)state;
	ward_up(&w);
	epoch = w.params.epoch_ms;
	for (int64_t t = 0; t < epoch; t += w.params.round_ms) {
		if (w.stopped)
			block(&w, NULL, 0);
		w.cut_off = true; /* which is borne once */
		send_blindly(&w, w.params.round_ms);
		ran += w.stopped ? 0 : w.params.round_ms;
	}
	print_message("# %u stops in an epoch, %lld s of %lld s open\n", w.stops,
	    (long long)ran / 1000, (long long)epoch / 1000);
	assert_true(w.stops <= STOPS_PER_HOUR * STOPS_HOURS);
	assert_true(ran <= w.stops * lost_within_ms(&w) + 16 * MINUTE +
	    notetest_term_ms(&w.params));
	ward_down(&w);
}

/* Blocks come, but nothing that we send leaves: as good as blind. */
static void
test_blocks_alone_are_no_eyes(void **state)
{
	struct ward w;

	(void)state;
	ward_up(&w);
	for (int i = 0; i < 150 && !w.stopped; i++) {
		block(&w, NULL, 0);
		quiet(&w, w.params.round_ms);
	}
	assert_int_equal(status(&w).state, HEARTBEAT_BLIND);
	ward_down(&w);
}

/*
 * The journal is withheld while everybody else's packets are held back. Then they are let
 * through, and blocks are shown that list them in rounds that are long over.
 */
static void
test_a_late_journal_is_no_good_one(void **state)
{
	enum { MINUTES = 15, ROUNDS_MAX = 200 };
	uint8_t notes[ROUNDS_MAX][SIX][BLOCK_DIGEST_BYTES];
	size_t rounds = 0;
	int64_t since;
	struct ward w;

	(void)state;
	ward_up(&w);
	live(&w, 61 * MINUTE, PASSES);
	since = now_ms(&w);
	while (!w.stopped && now_ms(&w) - since < MINUTES * MINUTE) {
		send_six(&w, notes[rounds++]);
		quiet(&w, w.params.round_ms);
	}
	print_message("# withheld: stops after %lld s\n", (long long)(now_ms(&w) - since) / 1000);
	assert_true(w.stopped && now_ms(&w) - since <= lost_within_ms(&w));
	for (size_t i = 0; i < rounds; i++)
		block_at(&w, since + (int64_t)i * w.params.round_ms, notes[i][0], SIX);
	assert_int_equal(status(&w).state, HEARTBEAT_STOPPED);
	ward_down(&w);
}

/* Rounds under the attack are not shown by anybody: sessions end, and new ones begin behind it. */
static void
test_what_is_skipped_is_lost(void **state)
{
	int64_t since;
	struct ward w;

	(void)state;
	ward_up(&w);
	live(&w, 61 * MINUTE, PASSES);
	since = now_ms(&w);
	send_blindly(&w, 5 * MINUTE);
	w.from_ms = now_ms(&w);
	while (!w.stopped && now_ms(&w) - since < 15 * MINUTE)
		live(&w, w.params.round_ms, PASSES);
	assert_int_equal(status(&w).state, HEARTBEAT_STOPPED);
	assert_true(now_ms(&w) - since <= lost_within_ms(&w));
	ward_down(&w);
}

/* A block of hours ahead neither ends the judging nor makes all that waits lost. */
static void
test_a_block_of_the_future_changes_nothing(void **state)
{
	struct heartbeat_status before;
	int64_t ahead, from;
	struct ward w;

	(void)state;
	ward_up(&w);
	live(&w, 61 * MINUTE, PASSES);
	before = status(&w);
	ahead = now_ms(&w) + 10 * 60 * MINUTE;
	from = w.from_ms;
	block_at(&w, ahead, NULL, 0);
	w.from_ms = ahead;
	block_at(&w, ahead, NULL, 0);
	w.from_ms = from;
	assert_true(status(&w).judged == before.judged);
	live(&w, 10 * MINUTE, PASSES);
	assert_true(status(&w).judged > before.judged + 300);
	assert_int_equal(w.stops, 0);
	/* a clock that is 30 s behind is none */
	before = status(&w);
	for (int i = 0; i < 60; i++) {
		uint8_t notes[SIX][BLOCK_DIGEST_BYTES];

		send_six(&w, notes);
		block_at(&w, now_ms(&w) - now_ms(&w) % w.params.round_ms + 20000, notes[0], SIX);
		quiet(&w, w.params.round_ms);
	}
	assert_true(status(&w).judged > before.judged + 300);
	assert_true(status(&w).judged == status(&w).returned);
	ward_down(&w);
}

/*
 * The gateway is restarted: all sessions end, what was just sent is lost, and they come
 * back minutes later, with the journal from where it was. Once in an epoch that is borne.
 */
static void
test_a_restart_of_the_gateway_is_borne_once(void **state)
{
	uint8_t notes[4][SIX][BLOCK_DIGEST_BYTES];
	struct ward w;

	(void)state;
	ward_up(&w);
	live(&w, 20 * MINUTE, PASSES);
	for (unsigned time = 0; time < 2; time++) {
		int64_t since = now_ms(&w);

		for (size_t i = 0; i < 4; i++) {
			send_six(&w, notes[i]);
			quiet(&w, w.params.round_ms);
		}
		w.cut_off = true;
		quiet(&w, 13 * MINUTE);
		if (time == 1) /* not again */
			break;
		assert_false(w.stopped);
		w.cut_off = false;
		for (size_t i = 0; i < 4; i++)
			block_at(&w, since + (int64_t)(i + 3) * w.params.round_ms, notes[i][0], 0);
		live(&w, 30 * MINUTE, PASSES);
		assert_int_equal(w.stops, 0);
		assert_int_equal(status(&w).state, HEARTBEAT_RUNS);
		restart(&w, 1000); /* which gives back nothing */
		live(&w, 10 * MINUTE, PASSES);
	}
	assert_true(w.stopped);
	ward_down(&w);
}

/*
 * After a start the sessions come one by one, the first perhaps a quarter of an hour later.
 * That is no cut-off: one is still borne in this epoch, and only one.
 */
static void
test_a_start_is_not_the_cut_off_of_the_epoch(void **state)
{
	struct ward w;

	(void)state;
	ward_up(&w);
	for (unsigned start = 0; start < 3; start++) {
		restart(&w, 1000);
		w.cut_off = true;
		quiet(&w, 14 * MINUTE);
		assert_false(w.stopped);
		w.cut_off = false;
		live(&w, 10 * MINUTE, PASSES);
		assert_int_equal(status(&w).state, HEARTBEAT_RUNS);
	}
	for (unsigned time = 0; time < 2; time++) {
		w.cut_off = true;
		quiet(&w, 14 * MINUTE);
		assert_true(w.stopped == (time == 1));
		w.cut_off = false;
		live(&w, 10 * MINUTE, PASSES);
	}
	ward_down(&w);
}

/* Who never lets a session come after a start has not more than the longest wait. */
static void
test_no_session_after_a_start(void **state)
{
	struct ward w;

	(void)state;
	ward_up(&w);
	w.cut_off = true;
	quiet(&w, 17 * MINUTE);
	assert_int_equal(status(&w).state, HEARTBEAT_BLIND);
	ward_down(&w);
}

/* What is borne is borne for so long, whatever becomes of the clock meanwhile. */
static void
test_a_set_clock_while_cut_off(void **state)
{
	static const int64_t by_ms[] = { -50 * MINUTE, 50 * MINUTE };

	(void)state;
	for (size_t i = 0; i < sizeof(by_ms) / sizeof(by_ms[0]); i++) {
		struct ward w;

		ward_up(&w);
		live(&w, 120 * MINUTE, PASSES);
		w.cut_off = true;
		quiet(&w, 5 * MINUTE);
		world_set_clock(w.s.host, by_ms[i]);
		heartbeat_jumped(w.h);
		quiet(&w, 10 * MINUTE);
		assert_false(w.stopped);
		quiet(&w, 2 * MINUTE);
		assert_int_equal(status(&w).state, HEARTBEAT_BLIND);
		ward_down(&w);
	}
}

static void
test_idle_is_no_failure(void **state)
{
	struct ward w;

	(void)state;
	ward_up(&w);
	live(&w, 3 * MINUTE, LOSES); /* not judged yet */
	w.idle = true;
	live(&w, 60 * MINUTE, LOSES);
	quiet(&w, 60 * MINUTE);
	w.from_ms = now_ms(&w);
	w.idle = false;
	live(&w, 60 * MINUTE, PASSES);
	assert_int_equal(w.stops, 0);
	ward_down(&w);
}

/* It stands, tries again each round, and says once that the disk refuses. */
static void
test_a_disk_that_refuses(void **state)
{
	const char *first;
	struct ward w;

	(void)state;
	ward_up(&w);
	w.s.plan = (struct disk_fault){ .at = 1, .err = ERR_FULL, .forever = true };
	while (!w.stopped)
		live(&w, w.params.round_ms, LOSES);
	live(&w, MINUTE, LOSES);
	assert_true(w.stopped);
	assert_true(logged(&w, "disk-failed"));
	first = strstr(w.text, "disk-failed");
	assert_null(strstr(first + 1, "disk-failed"));
	w.s.plan = (struct disk_fault){ .at = 0 };
	live(&w, 2 * w.params.round_ms, LOSES);
	assert_true(logged(&w, "disk-recovered"));
	ward_down(&w);
}

static void
test_a_damaged_file(void **state)
{
	struct diag d = { "" };
	struct ward w;
	struct buf b;

	(void)state;
	ward_up(&w);
	while (!w.stopped)
		live(&w, w.params.round_ms, LOSES);
	live(&w, w.params.round_ms, LOSES);
	stand_crash(&w.s);
	heartbeat_free(w.h);
	stand_again(&w.s);
	buf_init(&b);
	assert_err_ok(disk_read(w.s.disk, &b, "heartbeat", 1000));
	b.data[12] ^= 1;
	assert_err_ok(disk_replace(w.s.disk, "heartbeat", b.data, b.len));
	assert_err(open_heart(&w, &d), ERR_MALFORMED);
	assert_contains(d.text, "heartbeat: ");
	assert_err_ok(disk_replace(w.s.disk, "heartbeat", b.data, b.len - 1));
	assert_err(open_heart(&w, &d), ERR_MALFORMED);
	buf_release(&b);
	assert_err_ok(disk_remove(w.s.disk, "heartbeat"));
	assert_err_ok(open_heart(&w, &d));
	ward_down(&w);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_notes_that_come_back),
	cmocka_unit_test(test_stops_and_starts_on_the_grid),
	cmocka_unit_test(test_an_attack_without_end),
	cmocka_unit_test(test_a_restart_does_not_end_a_stop),
	cmocka_unit_test(test_blind),
	cmocka_unit_test(test_blindness_is_a_stop_of_the_hour),
	cmocka_unit_test(test_blindness_without_end),
	cmocka_unit_test(test_blocks_alone_are_no_eyes),
	cmocka_unit_test(test_a_late_journal_is_no_good_one),
	cmocka_unit_test(test_what_is_skipped_is_lost),
	cmocka_unit_test(test_a_block_of_the_future_changes_nothing),
	cmocka_unit_test(test_a_restart_of_the_gateway_is_borne_once),
	cmocka_unit_test(test_a_start_is_not_the_cut_off_of_the_epoch),
	cmocka_unit_test(test_no_session_after_a_start),
	cmocka_unit_test(test_a_set_clock_while_cut_off),
	cmocka_unit_test(test_idle_is_no_failure),
	cmocka_unit_test(test_a_disk_that_refuses),
	cmocka_unit_test(test_a_damaged_file),
};

TEST_MAIN(tests)

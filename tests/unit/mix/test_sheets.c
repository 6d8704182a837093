#include "config.h"

#include "tests/lib/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/charter/timing.h"
#include "mix/sheets.h"
#include "tests/lib/network.h"
#include "tests/unit/mix/mix_test.h"

#define EPOCH 70000u
#define OWN 2

struct book {
	struct stand s;
	struct network *net;
	struct epochkeys *keys;
	struct chain *chain;
	struct proofs *proofs;
	struct sheets *sheets;
	unsigned changes;
	size_t chain_bytes; /* saved state that was loaded */
};

static void
on_changed(void *arg, uint32_t epoch)
{
	(void)epoch;
	((struct book *)arg)->changes++;
}

static int64_t
start_of(const struct book *k, uint32_t epoch)
{
	return timing_epoch_start(&k->net->charter->params, epoch);
}

static enum err
open_sheets(struct book *k, struct diag *d)
{
	const struct sheets_config cfg = {
		.disk = k->s.disk,
		.queue = k->s.queue,
		.charters = k->net->charters,
		.keys = k->keys,
		.chain = k->chain,
		.proofs = k->proofs,
		.own = OWN,
		.identity_sk = k->net->keys[network_index(k->net, OWN)].identity_sk,
		.changed = on_changed,
		.arg = k,
	};
	struct buf state;
	enum err e;

	buf_init(&state);
	e = sheets_open(&k->sheets, &cfg, &state, d);
	k->chain_bytes = state.len;
	buf_release(&state);
	return e;
}

static void
open_book(struct book *k)
{
	const struct epochkeys_config cfg = {
		.disk = k->s.disk, .queue = k->s.queue, .params = &k->net->charter->params,
		.keys = rng_system()
	};
	const struct epochkeys_events none = { 0 };

	assert_err_ok(epochkeys_open(&k->keys, &cfg, &none, NULL, NULL));
	k->chain = chain_new(k->net->charter, NULL);
	assert_non_null(k->chain);
	assert_err_ok(proofs_open(&k->proofs, k->s.disk, k->s.queue, k->net->charter, NULL, NULL));
	assert_err_ok(open_sheets(k, NULL));
}

static void
close_book(struct book *k)
{
	stand_crash(&k->s);
	sheets_free(k->sheets);
	proofs_free(k->proofs);
	chain_free(k->chain);
	epochkeys_free(k->keys);
}

static void
book_up(struct book *k)
{
	const struct network_config cfg = { .seed = 3 };

	*k = (struct book){ .net = network_new(&cfg) };
	stand_up(&k->s, start_of(k, EPOCH));
	open_book(k);
	epochkeys_turn(k->keys, start_of(k, EPOCH + 1) - 1000); /* keys of both epochs */
	stand_run(&k->s, 1000);
}

static void
book_down(struct book *k)
{
	close_book(k);
	network_free(k->net);
	stand_down(&k->s);
}

static void
restart(struct book *k)
{
	close_book(k);
	stand_again(&k->s);
	open_book(k);
}

/* A sheet with fresh keys; with our true announcement in it, another one, or none. */
enum ours { OURS, NOT_OURS, WITHOUT_US };

static void
make_sheet(struct book *k, struct buf *out, uint32_t epoch, enum ours ours)
{
	struct network_epoch *e = network_epoch_new(k->net, epoch);
	size_t at = network_index(k->net, OWN);
	uint8_t a[ANNOUNCEMENT_BYTES];

	buf_init(out);
	if (ours == OURS) {
		assert_err_ok(sheets_announcement(k->sheets, a, epoch));
		assert_err_ok(announcement_decode(&e->sheet->nodes[at], a, k->net->charter));
	} else if (ours == WITHOUT_US) {
		e->sheet->count--;
		memmove(&e->sheet->nodes[at], &e->sheet->nodes[at + 1],
		    (e->sheet->count - at) * sizeof(e->sheet->nodes[0]));
	}
	network_show(out, k->net, e->sheet);
	network_epoch_free(e);
}

static void
offer(struct book *k, const struct buf *sheet, int64_t wall_ms)
{
	assert_err_ok(sheets_offer(k->sheets, sheet->data, sheet->len, wall_ms));
	stand_run(&k->s, 1000);
}

static void
test_accepted_and_kept(void **state)
{
	struct buf sheet;
	struct book k;

	(void)state;
	book_up(&k);
	make_sheet(&k, &sheet, EPOCH + 1, OURS);
	assert_err_ok(sheets_offer(k.sheets, sheet.data, sheet.len, start_of(&k, EPOCH)));
	assert_null(sheets_find(k.sheets, EPOCH + 1)); /* not before it is on disk */
	assert_true(sheets_seen(k.sheets, EPOCH + 1));
	stand_run(&k.s, 1000);
	assert_non_null(sheets_find(k.sheets, EPOCH + 1));
	assert_int_equal(k.changes, 1);
	assert_true(stand_has(&k.s, "chain"));
	offer(&k, &sheet, start_of(&k, EPOCH)); /* from another session */
	assert_int_equal(k.changes, 1);
	restart(&k);
	assert_non_null(sheets_find(k.sheets, EPOCH + 1));
	assert_true(k.chain_bytes > 0);
	assert_int_equal(sheets_find(k.sheets, EPOCH + 1)->epoch, EPOCH + 1);
	buf_release(&sheet);
	book_down(&k);
}

/* A late sheet of the running epoch, or the founding one. */
static void
test_running_epoch(void **state)
{
	struct buf sheet;
	struct book k;

	(void)state;
	book_up(&k);
	make_sheet(&k, &sheet, EPOCH, OURS);
	offer(&k, &sheet, start_of(&k, EPOCH) + 7200000);
	assert_non_null(sheets_find(k.sheets, EPOCH));
	buf_release(&sheet);
	book_down(&k);
}

static void
test_only_with_our_announcement(void **state)
{
	(void)state;
	for (enum ours ours = NOT_OURS; ours <= WITHOUT_US; ours++) {
		const struct network_config cfg = { .seed = 3, .mixes_per_layer = 2 };
		struct buf sheet;
		struct book k;

		book_up(&k);
		close_book(&k);
		network_free(k.net); /* two mixes in a layer, so that one may be missing */
		k.net = network_new(&cfg);
		stand_again(&k.s);
		open_book(&k);
		make_sheet(&k, &sheet, EPOCH, ours);
		offer(&k, &sheet, start_of(&k, EPOCH));
		assert_null(sheets_find(k.sheets, EPOCH));
		assert_true(sheets_seen(k.sheets, EPOCH));
		assert_int_equal(k.changes, 0);
		buf_release(&sheet);
		book_down(&k);
	}
}

static void
test_other_epochs_are_passed_over(void **state)
{
	static const int32_t away[] = { -2, -1, 2, 1000 };
	struct book k;

	(void)state;
	book_up(&k);
	for (size_t i = 0; i < 4; i++) {
		uint32_t epoch = EPOCH + (uint32_t)away[i];
		struct buf sheet;

		make_sheet(&k, &sheet, epoch, NOT_OURS);
		offer(&k, &sheet, start_of(&k, EPOCH));
		assert_false(sheets_seen(k.sheets, epoch));
		buf_release(&sheet);
	}
	book_down(&k);
}

static void
test_two_sheets(void **state)
{
	struct buf first, second, third;
	struct book k;

	(void)state;
	book_up(&k);
	make_sheet(&k, &first, EPOCH, OURS);
	make_sheet(&k, &second, EPOCH, OURS);
	make_sheet(&k, &third, EPOCH + 1, OURS);
	offer(&k, &first, start_of(&k, EPOCH));
	assert_non_null(sheets_find(k.sheets, EPOCH));
	offer(&k, &second, start_of(&k, EPOCH));
	assert_true(sheets_struck(k.sheets, EPOCH));
	assert_null(sheets_find(k.sheets, EPOCH));
	assert_int_equal(k.changes, 2);
	assert_true(stand_has(&k.s, "evidence-sheets-00011170"));
	restart(&k); /* it stays struck */
	assert_true(sheets_struck(k.sheets, EPOCH));
	offer(&k, &first, start_of(&k, EPOCH));
	offer(&k, &second, start_of(&k, EPOCH));
	assert_null(sheets_find(k.sheets, EPOCH));
	offer(&k, &third, start_of(&k, EPOCH)); /* the next epoch is another one */
	assert_non_null(sheets_find(k.sheets, EPOCH + 1));
	sheets_turn(k.sheets, start_of(&k, EPOCH + 1) + k.net->charter->params.grace_ms);
	stand_run(&k.s, 1000);
	assert_true(stand_has(&k.s, "evidence-sheets-00011170"));
	assert_false(stand_has(&k.s, "sheet-00011170"));
	buf_release(&first);
	buf_release(&second);
	buf_release(&third);
	book_down(&k);
}

/* The evidence proves the two sheets to whoever has the charter, and says no more. */
static void
test_evidence(void **state)
{
	struct buf first, second, file;
	struct evidence evidence;
	struct book k;

	(void)state;
	book_up(&k);
	make_sheet(&k, &first, EPOCH, OURS);
	make_sheet(&k, &second, EPOCH, NOT_OURS);
	offer(&k, &first, start_of(&k, EPOCH));
	k.s.plan = (struct disk_fault){ .at = 2, .err = ERR_FULL }; /* behind the sheet's own file */
	offer(&k, &second, start_of(&k, EPOCH));
	assert_true(sheets_struck(k.sheets, EPOCH)); /* at once, whatever the disk says */
	assert_false(stand_has(&k.s, "evidence-sheets-00011170"));
	proofs_turn(k.proofs);
	stand_run(&k.s, 1000);
	stand_read(&k.s, &file, "evidence-sheets-00011170");
	assert_err_ok(evidence_parse(&evidence, file.data, file.len, NULL));
	assert_err_ok(evidence_verify(&evidence, k.net->charter, NULL));
	assert_int_equal(evidence.said[0].kind, EVIDENCE_SHEET);
	assert_int_equal(evidence_epoch(&evidence, &k.net->charter->params), EPOCH);
	offer(&k, &second, start_of(&k, EPOCH));
	assert_int_equal(proofs_count(k.proofs), 1); /* once is enough */
	buf_release(&file);
	buf_release(&first);
	buf_release(&second);
	book_down(&k);
}

/* Its own file says so: also when the evidence could not be written, or was moved away. */
static void
test_struck_without_evidence(void **state)
{
	(void)state;
	for (int written = 0; written < 2; written++) {
		struct buf first, second;
		struct book k;

		book_up(&k);
		make_sheet(&k, &first, EPOCH, OURS);
		make_sheet(&k, &second, EPOCH, OURS);
		offer(&k, &first, start_of(&k, EPOCH));
		if (!written)
			k.s.plan = (struct disk_fault){ .at = 2, .err = ERR_FULL, .forever = true };
		offer(&k, &second, start_of(&k, EPOCH));
		assert_int_equal(stand_has(&k.s, "evidence-sheets-00011170"), written);
		close_book(&k);
		stand_again(&k.s);
		if (written)
			assert_err_ok(disk_remove(k.s.disk, "evidence-sheets-00011170"));
		open_book(&k);
		assert_true(sheets_struck(k.sheets, EPOCH));
		offer(&k, &first, start_of(&k, EPOCH));
		assert_null(sheets_find(k.sheets, EPOCH));
		restart(&k);
		assert_true(sheets_struck(k.sheets, EPOCH));
		sheets_turn(k.sheets, start_of(&k, EPOCH + 1) + k.net->charter->params.grace_ms);
		stand_run(&k.s, 1000);
		assert_false(stand_has(&k.s, "sheet-00011170"));
		buf_release(&first);
		buf_release(&second);
		book_down(&k);
	}
}

static void
make_evidence(struct book *k, struct evidence *out, uint32_t epoch)
{
	struct evidence_statement said[2];

	for (size_t i = 0; i < 2; i++) {
		struct sheet_shown shown;
		struct buf sheet;

		make_sheet(k, &sheet, epoch, NOT_OURS);
		assert_err_ok(sheet_show_check(&shown, sheet.data, sheet.len, k->net->charter));
		said[i] = (struct evidence_statement){ .kind = EVIDENCE_SHEET, .number = epoch };
		memcpy(said[i].hash, shown.hash, sizeof(said[i].hash));
		memcpy(said[i].signature, shown.signature, sizeof(said[i].signature));
		buf_release(&sheet);
	}
	assert_err_ok(evidence_make(out, k->net->charter, &said[0], &said[1]));
}

static size_t
times(const char *text, const char *what)
{
	size_t n = 0;

	for (const char *at = text; (at = strstr(at, what)) != NULL; at++)
		n++;
	return n;
}

/* When as many are kept as can be, one more is told once, not each time it is seen. */
static void
test_more_evidence_than_is_kept(void **state)
{
	struct log log = { .threshold = LOG_INFO };
	struct proofs *proofs;
	struct evidence e;
	char *text = NULL;
	size_t len = 0;
	struct book k;

	(void)state;
	book_up(&k);
	log.clock = loop_clock(k.s.loop);
	log.out = open_memstream(&text, &len);
	assert_non_null(log.out);
	assert_err_ok(proofs_open(&proofs, k.s.disk, k.s.queue, k.net->charter, &log, NULL));
	for (uint32_t i = 0; i <= PROOFS_MAX; i++) {
		make_evidence(&k, &e, EPOCH + i);
		for (int again = 0; again < 3; again++)
			proofs_add(proofs, &e);
	}
	stand_run(&k.s, 1000);
	(void)fflush(log.out);
	assert_int_equal(proofs_count(proofs), PROOFS_MAX);
	assert_int_equal(times(text, "gateway-lied "), PROOFS_MAX + 1);
	stand_crash(&k.s);
	proofs_free(proofs);
	stand_again(&k.s);
	book_down(&k);
	(void)fclose(log.out);
	free(text);
}

/* A sheet that the gateway did not sign is nobody's lie: it is refused, and strikes nothing. */
static void
test_unsigned(void **state)
{
	struct buf first, second;
	struct book k;

	(void)state;
	book_up(&k);
	make_sheet(&k, &first, EPOCH, OURS);
	make_sheet(&k, &second, EPOCH, OURS);
	offer(&k, &first, start_of(&k, EPOCH));
	second.data[second.len - 1] ^= 1;
	assert_err(sheets_offer(k.sheets, second.data, second.len, start_of(&k, EPOCH)),
	    ERR_SIGNATURE);
	assert_err(sheets_offer(k.sheets, first.data, first.len - SHEET_SIGNATURE_BYTES,
	    start_of(&k, EPOCH)), ERR_SIGNATURE);
	assert_false(sheets_struck(k.sheets, EPOCH));
	assert_non_null(sheets_find(k.sheets, EPOCH));
	buf_release(&first);
	buf_release(&second);
	book_down(&k);
}

/* A damaged file of evidence is told, and not taken for a lie. */
static void
test_damaged_evidence(void **state)
{
	struct proofs *proofs;
	struct diag d = { "" };
	struct book k;

	(void)state;
	book_up(&k);
	assert_err_ok(disk_replace(k.s.disk, "evidence-blocks-00011170", "restante-evidence 1\n", 20));
	assert_err(proofs_open(&proofs, k.s.disk, NULL, k.net->charter, NULL, &d), ERR_MALFORMED);
	assert_non_null(strstr(d.text, "evidence-blocks-00011170"));
	book_down(&k);
}

/* An unaccepted sheet and an accepted one are two sheets all the same. */
static void
test_first_without_us(void **state)
{
	struct buf first, second;
	struct book k;

	(void)state;
	book_up(&k);
	make_sheet(&k, &first, EPOCH, NOT_OURS);
	make_sheet(&k, &second, EPOCH, OURS);
	offer(&k, &first, start_of(&k, EPOCH));
	offer(&k, &second, start_of(&k, EPOCH));
	assert_true(sheets_struck(k.sheets, EPOCH));
	assert_null(sheets_find(k.sheets, EPOCH));
	buf_release(&first);
	buf_release(&second);
	book_down(&k);
}

/* Crash at every operation: a sheet that was in use is there afterwards. */
static void
test_crash_at_every_operation(void **state)
{
	(void)state;
	for (uint64_t at = 1; at < 6; at++) {
		for (int effect = DISK_FAULT_NOTHING; effect <= DISK_FAULT_DONE; effect++) {
			struct buf sheet;
			struct book k;
			bool used;

			book_up(&k);
			make_sheet(&k, &sheet, EPOCH, OURS);
			k.s.plan = (struct disk_fault){ .at = at, .err = ERR_IO, .forever = true,
				.effect = (enum disk_fault_effect)effect };
			offer(&k, &sheet, start_of(&k, EPOCH));
			used = sheets_find(k.sheets, EPOCH) != NULL;
			restart(&k);
			assert_true(!used || sheets_find(k.sheets, EPOCH) != NULL);
			offer(&k, &sheet, start_of(&k, EPOCH));
			assert_non_null(sheets_find(k.sheets, EPOCH));
			buf_release(&sheet);
			book_down(&k);
		}
	}
}

static void
test_stored_by_a_later_turn(void **state)
{
	struct buf sheet;
	struct book k;

	(void)state;
	book_up(&k);
	make_sheet(&k, &sheet, EPOCH, OURS);
	k.s.plan = (struct disk_fault){ .at = 1, .err = ERR_FULL };
	offer(&k, &sheet, start_of(&k, EPOCH));
	assert_null(sheets_find(k.sheets, EPOCH));
	sheets_turn(k.sheets, start_of(&k, EPOCH));
	stand_run(&k.s, 1000);
	assert_non_null(sheets_find(k.sheets, EPOCH));
	buf_release(&sheet);
	book_down(&k);
}

static void
test_malformed(void **state)
{
	struct buf sheet;
	struct book k;

	(void)state;
	book_up(&k);
	make_sheet(&k, &sheet, EPOCH, OURS);
	for (size_t i = 0; i < sheet.len; i += 7) {
		enum err e = sheets_offer(k.sheets, sheet.data, i, start_of(&k, EPOCH));

		assert_true(e != ERR_OK);
	}
	assert_false(sheets_seen(k.sheets, EPOCH));
	buf_release(&sheet);
	book_down(&k);
}

static void
test_damaged_file(void **state)
{
	struct buf sheet, file;
	struct book k;

	(void)state;
	book_up(&k);
	make_sheet(&k, &sheet, EPOCH, OURS);
	offer(&k, &sheet, start_of(&k, EPOCH));
	stand_read(&k.s, &file, "sheet-00011170");
	for (size_t i = 0; i < file.len + 40; i++) {
		size_t n = i < 40 ? i * 11 : file.len;
		struct sheets *before = k.sheets;
		struct diag d = { "" };

		file.data[i % file.len] ^= 0x08;
		stand_write(&k.s, "sheet-00011170", file.data, n);
		file.data[i % file.len] ^= 0x08;
		assert_true(open_sheets(&k, &d) != ERR_OK);
		assert_contains(d.text, "sheet-00011170");
		k.sheets = before;
	}
	buf_release(&sheet);
	buf_release(&file);
	book_down(&k);
}

/* The charter was replaced: its sheets are of no use, and make room. */
static void
test_another_charter(void **state)
{
	const struct network_config other = { .seed = 4 };
	struct buf sheet;
	struct book k;

	(void)state;
	book_up(&k);
	make_sheet(&k, &sheet, EPOCH, OURS);
	offer(&k, &sheet, start_of(&k, EPOCH));
	close_book(&k);
	network_free(k.net);
	k.net = network_new(&other);
	stand_again(&k.s);
	open_book(&k);
	assert_null(sheets_find(k.sheets, EPOCH));
	sheets_turn(k.sheets, start_of(&k, EPOCH));
	stand_run(&k.s, 1000);
	assert_false(stand_has(&k.s, "sheet-00011170"));
	buf_release(&sheet);
	make_sheet(&k, &sheet, EPOCH, OURS);
	offer(&k, &sheet, start_of(&k, EPOCH));
	assert_non_null(sheets_find(k.sheets, EPOCH));
	buf_release(&sheet);
	book_down(&k);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_accepted_and_kept),
	cmocka_unit_test(test_running_epoch),
	cmocka_unit_test(test_only_with_our_announcement),
	cmocka_unit_test(test_other_epochs_are_passed_over),
	cmocka_unit_test(test_two_sheets),
	cmocka_unit_test(test_evidence),
	cmocka_unit_test(test_struck_without_evidence),
	cmocka_unit_test(test_more_evidence_than_is_kept),
	cmocka_unit_test(test_unsigned),
	cmocka_unit_test(test_damaged_evidence),
	cmocka_unit_test(test_first_without_us),
	cmocka_unit_test(test_crash_at_every_operation),
	cmocka_unit_test(test_stored_by_a_later_turn),
	cmocka_unit_test(test_malformed),
	cmocka_unit_test(test_damaged_file),
	cmocka_unit_test(test_another_charter),
};

TEST_MAIN(tests)

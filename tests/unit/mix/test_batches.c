#include "config.h"

#include "tests/lib/test.h"

#include "mix/batches.h"
#include "tests/lib/network.h"
#include "tests/unit/mix/mix_test.h"

#define START_MS ((int64_t)1700000000000)
#define EPOCH 80000
#define NEXT 2
#define GATEWAY 4

struct book {
	struct stand s;
	struct network *net;
	struct batches *b;
};

static enum err
open_book(struct book *k, struct diag *d)
{
	uint16_t nodes[CHARTER_NODES_MAX];
	const struct charter *c = k->net->charter;
	enum err e = batches_open(&k->b, k->s.disk, k->s.queue, d);

	for (size_t i = 0; i < c->node_count; i++)
		nodes[i] = c->nodes[i].number;
	if (e == ERR_OK)
		batches_keep(k->b, nodes, c->node_count);
	return e;
}

static void
book_up(struct book *k)
{
	const struct network_config cfg = { .seed = 1 };

	stand_up(&k->s, START_MS);
	k->net = network_new(&cfg);
	assert_err_ok(open_book(k, NULL));
}

static void
book_down(struct book *k)
{
	stand_crash(&k->s);
	batches_free(k->b);
	network_free(k->net);
	stand_down(&k->s);
}

static void
restart(struct book *k)
{
	stand_crash(&k->s);
	batches_free(k->b);
	stand_again(&k->s);
	assert_err_ok(open_book(k, NULL));
}

static enum err
commit(struct book *k, uint16_t node)
{
	struct outcome o = { 0 };

	assert_err_ok(batches_commit(k->b, &node, 1, outcome_done, &o));
	assert_int_equal(o.calls, 0);
	stand_run(&k->s, 1000);
	assert_int_equal(o.calls, 1);
	return o.err;
}

static void
test_numbers_survive(void **state)
{
	struct book k;

	(void)state;
	book_up(&k);
	assert_int_equal(batches_sent(k.b, NEXT), 0);
	assert_err_ok(commit(&k, NEXT));
	assert_err_ok(commit(&k, NEXT));
	assert_err_ok(commit(&k, GATEWAY));
	batches_received(k.b, GATEWAY, 9);
	batches_received(k.b, GATEWAY, 7); /* an older one changes nothing */
	batches_received(k.b, 99, 7);	   /* nobody */
	assert_err_ok(commit(&k, NEXT));
	restart(&k);
	assert_int_equal(batches_sent(k.b, NEXT), 3);
	assert_int_equal(batches_sent(k.b, GATEWAY), 1);
	assert_int_equal(batches_had(k.b, GATEWAY), 9);
	assert_int_equal(batches_had(k.b, NEXT), 0);
	book_down(&k);
}

static void
test_no_number_without_the_disk(void **state)
{
	struct outcome o = { 0 };
	struct book k;
	uint16_t node = NEXT;

	(void)state;
	book_up(&k);
	assert_err_ok(commit(&k, NEXT));
	k.s.plan = (struct disk_fault){ .at = 1, .err = ERR_FULL, .forever = true };
	assert_err(commit(&k, NEXT), ERR_FULL);
	assert_int_equal(batches_sent(k.b, NEXT), 1);
	k.s.plan = (struct disk_fault){ 0 };
	assert_err_ok(batches_commit(k.b, &node, 1, outcome_done, &o));
	assert_int_equal(batches_sent(k.b, NEXT), 1); /* not before it is done */
	assert_err(batches_commit(k.b, &node, 1, outcome_done, &o), ERR_BUSY);
	stand_run(&k.s, 1000);
	assert_int_equal(batches_sent(k.b, NEXT), 2);
	book_down(&k);
}

/* Whatever the disk does, after a crash it knows at least what was given out. */
static void
test_durable_at_every_fault(void **state)
{
	(void)state;
	for (uint64_t at = 1; at < 10; at++) {
		for (int effect = DISK_FAULT_NOTHING; effect <= DISK_FAULT_DONE; effect++) {
			uint64_t given;
			struct book k;

			book_up(&k);
			k.s.plan = (struct disk_fault){ .at = at, .err = ERR_IO, .forever = true,
				.effect = (enum disk_fault_effect)effect };
			for (int i = 0; i < 6; i++)
				(void)commit(&k, NEXT);
			given = batches_sent(k.b, NEXT);
			restart(&k);
			assert_true(batches_sent(k.b, NEXT) >= given);
			assert_true(batches_sent(k.b, NEXT) <= given + 1);
			book_down(&k);
		}
	}
}

static void
test_roll_back(void **state)
{
	struct book k;

	(void)state;
	book_up(&k);
	assert_err_ok(commit(&k, NEXT));
	assert_false(batches_told(k.b, NEXT, 0, EPOCH));
	assert_false(batches_told(k.b, NEXT, 1, EPOCH));
	assert_false(batches_sits_out(k.b, EPOCH));
	assert_true(batches_told(k.b, NEXT, 5, EPOCH));
	assert_true(batches_sits_out(k.b, EPOCH));
	assert_true(batches_sits_out(k.b, EPOCH - 1));
	assert_false(batches_sits_out(k.b, EPOCH + 1));
	assert_false(batches_told(k.b, NEXT, 5, EPOCH)); /* once */
	stand_run(&k.s, 1000);
	restart(&k);
	assert_true(batches_sits_out(k.b, EPOCH));
	assert_int_equal(batches_sent(k.b, NEXT), 5);
	assert_err_ok(commit(&k, NEXT));
	assert_int_equal(batches_sent(k.b, NEXT), 6);
	book_down(&k);
}

/* Told while a number is on its way to the disk. */
static void
test_told_during_a_commit(void **state)
{
	struct outcome o = { 0 };
	uint16_t node = NEXT;
	struct book k;

	(void)state;
	book_up(&k);
	assert_err_ok(batches_commit(k.b, &node, 1, outcome_done, &o));
	assert_true(batches_told(k.b, NEXT, 8, EPOCH));
	stand_run(&k.s, 1000);
	assert_int_equal(batches_sent(k.b, NEXT), 8);
	restart(&k);
	assert_int_equal(batches_sent(k.b, NEXT), 8);
	assert_true(batches_sits_out(k.b, EPOCH));
	book_down(&k);
}

static void
test_absurd_figures(void **state)
{
	struct book k;

	(void)state;
	book_up(&k);
	assert_false(batches_told(k.b, NEXT, UINT64_MAX, EPOCH));
	assert_false(batches_told(k.b, NEXT, BATCHES_NUMBER_MAX + 1, EPOCH));
	assert_false(batches_told(k.b, 99, 5, EPOCH));
	assert_false(batches_sits_out(k.b, EPOCH));
	batches_received(k.b, NEXT, UINT64_MAX);
	assert_int_equal(batches_had(k.b, NEXT), 0);
	assert_true(batches_told(k.b, NEXT, BATCHES_NUMBER_MAX, EPOCH));
	assert_err_ok(commit(&k, NEXT)); /* no number is left */
	assert_int_equal(batches_sent(k.b, NEXT), BATCHES_NUMBER_MAX);
	restart(&k);
	assert_int_equal(batches_sent(k.b, NEXT), BATCHES_NUMBER_MAX);
	book_down(&k);
}

static void
test_damaged_file(void **state)
{
	struct buf file;
	struct book k;

	(void)state;
	book_up(&k);
	assert_err_ok(commit(&k, NEXT));
	stand_read(&k.s, &file, "batches");
	for (size_t i = 0; i < 2 * file.len; i++) {
		struct batches *before = k.b;
		struct diag d = { "" };

		file.data[i % file.len] ^= 0x04;
		stand_write(&k.s, "batches", file.data, i < file.len ? i : file.len);
		file.data[i % file.len] ^= 0x04;
		assert_true(open_book(&k, &d) != ERR_OK);
		assert_contains(d.text, "batches");
		k.b = before;
	}
	buf_release(&file);
	book_down(&k);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_numbers_survive),
	cmocka_unit_test(test_no_number_without_the_disk),
	cmocka_unit_test(test_durable_at_every_fault),
	cmocka_unit_test(test_roll_back),
	cmocka_unit_test(test_told_during_a_commit),
	cmocka_unit_test(test_absurd_figures),
	cmocka_unit_test(test_damaged_file),
};

TEST_MAIN(tests)

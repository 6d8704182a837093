#include "config.h"

#include "gateway/announcements.h"

#include <stdlib.h>
#include <string.h>

#include "common/charter/timing.h"
#include "tests/lib/network.h"
#include "tests/lib/test.h"

#define EPOCH 80000
#define MINUTE_MS INT64_C(60000)

struct desk {
	struct network *network;
	const struct charter *charter;
	const struct params *params;
	struct announcements *list;
	int64_t start_ms; /* of EPOCH */
	struct network_epoch *keys, *next_keys;
};

static int
set_up_with(void **state, bool registrar)
{
	struct desk *k = calloc(1, sizeof(*k));
	struct network_config cfg = { .seed = test_seed(), .mixes_per_layer = 2,
		.registrar = registrar };

	assert_non_null(k);
	k->network = network_new(&cfg);
	k->charter = k->network->charter;
	k->params = &k->charter->params;
	k->list = announcements_new(k->network->charters);
	assert_non_null(k->list);
	k->start_ms = timing_epoch_start(k->params, EPOCH);
	k->keys = network_epoch_new(k->network, EPOCH);
	k->next_keys = network_epoch_new(k->network, EPOCH + 1);
	*state = k;
	return 0;
}

static int
set_up(void **state)
{
	return set_up_with(state, false);
}

static int
set_up_registrar(void **state)
{
	return set_up_with(state, true);
}

static int
tear_down(void **state)
{
	struct desk *k = *state;

	announcements_free(k->list);
	network_epoch_free(k->keys);
	network_epoch_free(k->next_keys);
	network_free(k->network);
	free(k);
	return 0;
}

static enum err
take(struct desk *k, const struct network_epoch *keys, size_t node, int64_t now_ms)
{
	const struct announcement *a = &keys->sheet->nodes[node];
	uint8_t bytes[ANNOUNCEMENT_BYTES];

	announcement_encode(bytes, a);
	return announcements_take(k->list, a->node, bytes, now_ms);
}

static void
take_all(struct desk *k, const struct network_epoch *keys, int64_t now_ms)
{
	for (size_t i = 0; i < k->charter->node_count; i++)
		assert_err_ok(take(k, keys, i, now_ms));
}

static struct sheet *
sheet_of(struct desk *k, uint32_t epoch)
{
	struct sheet *s = NULL;
	struct buf bytes;

	buf_init(&bytes);
	assert_err_ok(announcements_sheet(k->list, &bytes, epoch, NULL));
	assert_err_ok(sheet_decode(&s, bytes.data, bytes.len, k->charter, NULL));
	buf_release(&bytes);
	assert_int_equal(s->epoch, epoch);
	return s;
}

static void
test_complete(void **state)
{
	struct desk *k = *state;
	int64_t now = k->start_ms - 50 * MINUTE_MS;
	struct sheet *s;

	for (size_t i = 0; i < k->charter->node_count; i++) {
		assert_false(announcements_ready(k->list, EPOCH, now));
		assert_int_equal(announcements_count(k->list, EPOCH), i);
		assert_err_ok(take(k, k->keys, i, now));
		assert_err_ok(take(k, k->keys, i, now)); /* again changes nothing */
	}
	assert_true(announcements_ready(k->list, EPOCH, now));
	s = sheet_of(k, EPOCH);
	assert_int_equal(s->count, k->charter->node_count);
	assert_memory_equal(s->hash, k->keys->sheet->hash, 32);
	sheet_free(s);
}

/* A registrar announces nothing: the sheet is complete without it. */
static void
test_complete_with_a_registrar(void **state)
{
	struct desk *k = *state;
	int64_t now = k->start_ms - 50 * MINUTE_MS;
	struct sheet *s;

	assert_int_equal(k->keys->sheet->count, k->charter->node_count - 1);
	for (size_t i = 0; i < k->keys->sheet->count; i++) {
		assert_false(announcements_ready(k->list, EPOCH, now));
		assert_err_ok(take(k, k->keys, i, now));
	}
	assert_true(announcements_ready(k->list, EPOCH, now));
	s = sheet_of(k, EPOCH);
	assert_int_equal(s->count, k->charter->node_count - 1);
	sheet_free(s);
}

/* 30 minutes before its epoch a sheet is made of what there is, if no layer is empty. */
static void
test_incomplete(void **state)
{
	struct desk *k = *state;
	size_t n = k->charter->node_count;
	struct sheet *s;

	for (size_t i = 0; i + 2 < n; i++) /* the last mix and the gateway are silent */
		assert_err_ok(take(k, k->keys, i, k->start_ms - 50 * MINUTE_MS));
	assert_false(announcements_ready(k->list, EPOCH, k->start_ms - MINUTE_MS));
	assert_err_ok(take(k, k->keys, n - 1, k->start_ms - MINUTE_MS * 40));
	assert_false(announcements_ready(k->list, EPOCH, k->start_ms - 30 * MINUTE_MS - 1));
	assert_true(announcements_ready(k->list, EPOCH, k->start_ms - 30 * MINUTE_MS));
	s = sheet_of(k, EPOCH);
	assert_int_equal(s->count, n - 1);
	assert_null(sheet_node(s, k->charter->nodes[n - 2].number));
	sheet_free(s);
}

/* A founding or late sheet: others have ten seconds from when no layer was empty. */
static void
test_within_the_epoch(void **state)
{
	struct desk *k = *state;
	int64_t now = k->start_ms + 7 * MINUTE_MS;

	for (size_t i = 1; i < k->charter->node_count; i++)
		assert_err_ok(take(k, k->keys, i, now));
	assert_false(announcements_ready(k->list, EPOCH, now));
	assert_false(announcements_ready(k->list, EPOCH, now + 9999));
	assert_true(announcements_ready(k->list, EPOCH, now + 10000));
	assert_err_ok(take(k, k->keys, 0, now));
	assert_true(announcements_ready(k->list, EPOCH, now));
}

static void
test_empty_layer(void **state)
{
	struct desk *k = *state;
	struct buf bytes;

	buf_init(&bytes);
	for (size_t i = 2; i < k->charter->node_count; i++)
		assert_err_ok(take(k, k->keys, i, k->start_ms));
	assert_false(announcements_ready(k->list, EPOCH, k->start_ms + 100 * MINUTE_MS));
	assert_err(announcements_sheet(k->list, &bytes, EPOCH, NULL), ERR_NOT_FOUND);
	assert_err(announcements_sheet(k->list, &bytes, EPOCH + 1, NULL), ERR_NOT_FOUND);
	assert_int_equal(bytes.len, 0);
}

static void
test_when(void **state)
{
	struct desk *k = *state;
	int64_t next = timing_epoch_start(k->params, EPOCH + 1);

	assert_err(take(k, k->keys, 0, k->start_ms - 60 * MINUTE_MS - 1), ERR_EPOCH);
	assert_err_ok(take(k, k->keys, 0, k->start_ms - 60 * MINUTE_MS));
	assert_err_ok(take(k, k->keys, 0, next - 1));
	assert_err(take(k, k->keys, 0, next), ERR_EPOCH); /* over */
	assert_err(take(k, k->next_keys, 0, next - 61 * MINUTE_MS), ERR_EPOCH);
	assert_err_ok(take(k, k->next_keys, 0, next - 59 * MINUTE_MS));
	assert_int_equal(announcements_count(k->list, EPOCH), 1);
	assert_int_equal(announcements_count(k->list, EPOCH + 1), 1);
}

static void
test_not_its_own(void **state)
{
	struct desk *k = *state;
	uint8_t bytes[ANNOUNCEMENT_BYTES];

	announcement_encode(bytes, &k->keys->sheet->nodes[0]);
	assert_err(announcements_take(k->list, k->charter->nodes[1].number, bytes, k->start_ms),
	    ERR_SIGNATURE);
	for (size_t i = 0; i < sizeof(bytes); i++) {
		bytes[i] ^= 1;
		assert_int_not_equal(announcements_take(k->list, k->charter->nodes[0].number, bytes,
		    k->start_ms), ERR_OK);
		bytes[i] ^= 1;
	}
	assert_int_equal(announcements_count(k->list, EPOCH), 0);
}

/* A node that lost its key announces another: the later one counts. */
static void
test_replaced(void **state)
{
	struct desk *k = *state;
	struct network_epoch *other = network_epoch_new(k->network, EPOCH);
	size_t node = 2;
	struct sheet *s;

	take_all(k, k->keys, k->start_ms);
	assert_err_ok(take(k, other, node, k->start_ms));
	s = sheet_of(k, EPOCH);
	assert_memory_equal(s->nodes[node].pk, other->sheet->nodes[node].pk, 32);
	assert_memory_equal(s->nodes[0].pk, k->keys->sheet->nodes[0].pk, 32);
	sheet_free(s);
	network_epoch_free(other);
}

/* The list of an epoch two back makes room. */
static void
test_epochs_pass(void **state)
{
	struct desk *k = *state;
	struct network_epoch *third = network_epoch_new(k->network, EPOCH + 2);

	take_all(k, k->keys, k->start_ms);
	take_all(k, k->next_keys, timing_epoch_start(k->params, EPOCH + 1));
	assert_int_equal(announcements_count(k->list, EPOCH), k->charter->node_count);
	assert_err_ok(take(k, third, 0, timing_epoch_start(k->params, EPOCH + 2)));
	assert_int_equal(announcements_count(k->list, EPOCH), 0);
	assert_int_equal(announcements_count(k->list, EPOCH + 2), 1);
	assert_false(announcements_ready(k->list, EPOCH + 2,
	    timing_epoch_start(k->params, EPOCH + 3) - 1));
	network_epoch_free(third);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(test_complete, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_complete_with_a_registrar, set_up_registrar, tear_down),
	cmocka_unit_test_setup_teardown(test_incomplete, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_within_the_epoch, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_empty_layer, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_when, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_not_its_own, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_replaced, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_epochs_pass, set_up, tear_down),
};

TEST_MAIN(tests)

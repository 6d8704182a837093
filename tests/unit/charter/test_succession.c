/* Charters one after the other: which one holds when, and their files. */
#include "config.h"

#include "common/charter/succession.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "common/base/disk.h"
#include "common/charter/charterfiles.h"
#include "common/charter/path.h"
#include "common/charter/sheet.h"
#include "common/charter/timing.h"
#include "tests/lib/network.h"
#include "tests/lib/test.h"

#define EPOCH 83000 /* the second version's first */

static struct network *network;
static const struct params *params;

static int
set_up(void **state)
{
	const struct network_config cfg = { .seed = test_seed() };

	(void)state;
	network = network_new(&cfg);
	params = &network->charter->params;
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	network_free(network);
	return 0;
}

static int64_t
start_of(uint32_t epoch)
{
	return timing_epoch_start(params, epoch);
}

static void
rename_it(struct charter *next, void *arg)
{
	(void)arg;
	(void)snprintf(next->name, sizeof(next->name), "Another name");
}

/* ---- which one holds ---- */

static void
test_in_force(void **state)
{
	const struct succession *s = network->charters;
	const struct charter *list[SUCCESSION_CURRENT_MAX], *second, *third;

	(void)state;
	second = network_succeed(network, NULL, EPOCH, rename_it, NULL);
	third = network_succeed(network, NULL, EPOCH + 2, NULL, NULL);
	assert_int_equal(succession_count(s), 3);
	assert_ptr_equal(succession_first(s), succession_at(s, EPOCH - 1));
	assert_ptr_equal(succession_at(s, 0), succession_first(s));
	assert_ptr_equal(succession_at(s, EPOCH), second);
	assert_ptr_equal(succession_at(s, EPOCH + 1), second);
	assert_ptr_equal(succession_at(s, EPOCH + 2), third);
	assert_ptr_equal(succession_at(s, UINT32_MAX), third);
	assert_ptr_equal(succession_next(s, EPOCH - 1), second);
	assert_ptr_equal(succession_next(s, EPOCH + 1), third);
	assert_null(succession_next(s, EPOCH + 2));
	assert_ptr_equal(succession_find(s, second->hash), second);
	assert_null(succession_find(s, network->keys[0].link_sk));
	/* those that count: the one in force, those to come, the one before for its grace */
	assert_int_equal(succession_current(s, list, start_of(EPOCH) - 1), 3);
	assert_ptr_equal(list[0], succession_first(s));
	assert_ptr_equal(list[2], third);
	assert_int_equal(succession_current(s, list, start_of(EPOCH)), 3);
	assert_ptr_equal(list[0], second);
	assert_ptr_equal(list[1], third);
	assert_ptr_equal(list[2], succession_first(s));
	assert_int_equal(succession_current(s, list, start_of(EPOCH) + params->grace_ms), 2);
	assert_true(succession_turn_ms(s, start_of(EPOCH) - 1) == start_of(EPOCH));
	assert_true(succession_turn_ms(s, start_of(EPOCH)) == start_of(EPOCH) + params->grace_ms);
	assert_true(succession_turn_ms(s, start_of(EPOCH) + params->grace_ms) ==
	    start_of(EPOCH + 2));
	assert_true(succession_turn_ms(s, start_of(EPOCH + 3)) == INT64_MAX);
}

/* A new node's first charter is still to come. */
static void
test_before_the_first(void **state)
{
	const struct charter *list[SUCCESSION_CURRENT_MAX], *second;
	struct succession *s;

	(void)state;
	second = network_succeed(network, NULL, EPOCH, NULL, NULL);
	assert_err_ok(succession_new(&s, second));
	assert_null(succession_at(s, EPOCH - 1));
	assert_ptr_equal(succession_near(s, EPOCH - 1), succession_first(s));
	assert_ptr_equal(succession_at(s, EPOCH), succession_first(s));
	assert_int_equal(succession_current(s, list, start_of(EPOCH) - 1), 1);
	assert_int_equal(succession_current(s, list, start_of(EPOCH)), 1);
	assert_err(succession_add(s, second, NULL), ERR_EXISTS);
	assert_err_ok(succession_add(s, network->charter, NULL)); /* in front */
	assert_int_equal(succession_first(s)->version, 1);
	assert_non_null(succession_at(s, EPOCH - 1));
	succession_free(s);
}

static void
test_offers(void **state)
{
	struct charter *others[3];
	struct succession *s;
	struct buf text[4];
	struct diag d;

	(void)state;
	for (size_t i = 0; i < 4; i++)
		buf_init(&text[i]);
	others[0] = network_next(network, EPOCH, rename_it, NULL); /* never published */
	(void)network_succeed(network, &text[0], EPOCH, NULL, NULL);
	(void)network_succeed(network, &text[1], EPOCH + 1, NULL, NULL);
	assert_err_ok(charter_print_signed(&text[2], others[0]));
	assert_err_ok(succession_new(&s, network->charter));
	assert_err(succession_offer(s, text[1].data, text[1].len, &d), ERR_STATE);
	assert_err_ok(succession_offer(s, text[0].data, text[0].len, &d));
	assert_err(succession_offer(s, text[0].data, text[0].len, &d), ERR_EXISTS);
	assert_err(succession_offer(s, network->text.data, network->text.len, &d), ERR_EXISTS);
	/* another second version, however well it is signed */
	assert_err(succession_offer(s, text[2].data, text[2].len, &d), ERR_CHAIN);
	for (size_t n = 0; n < text[1].len; n += 7)
		assert_int_not_equal(succession_offer(s, text[1].data, n, &d), ERR_OK);
	for (int i = 0; i < 300; i++) {
		size_t at = rng_below(test_rng(), (uint32_t)text[1].len);

		text[1].data[at] ^= 1;
		assert_int_not_equal(succession_offer(s, text[1].data, text[1].len, &d), ERR_OK);
		text[1].data[at] ^= 1;
	}
	assert_int_equal(succession_count(s), 2);
	assert_err_ok(succession_offer(s, text[1].data, text[1].len, &d));
	succession_free(s);
	charter_free(others[0]);
	for (size_t i = 0; i < 4; i++)
		buf_release(&text[i]);
}

/* ---- what must stay ---- */

struct breach {
	const char *param, *value, *said;
};

static void
set_param(struct charter *next, void *arg)
{
	const struct breach *b = arg;

	if (strcmp(b->param, "epoch") == 0) /* which retention and grace bind */
		next->params.grace_ms = 60000;
	assert_err_ok(params_set(&next->params, b->param, b->value, NULL));
}

static void
test_constants(void **state)
{
	static struct breach breaches[] = { { "record-size", "2048", "record-size" },
		{ "pieces", "3", "pieces" }, { "slot", "6s", "slot" }, { "round", "20s", "round" },
		{ "grace", "11min", "grace" }, { "retention", "15d", "retention" } };
	static struct breach free_ones[] = { { "people", "100", "" }, { "note-one-in", "4", "" },
		{ "stamps", "7", "" }, { "pool-max", "200000", "" },
		{ "strategy.0", "timed", "" } };
	struct charter *next;
	struct diag d;

	(void)state;
	for (size_t i = 0; i < sizeof(breaches) / sizeof(breaches[0]); i++) {
		next = network_next(network, EPOCH, set_param, &breaches[i]);
		assert_err(charter_follows(next, network->charter, &d), ERR_CHAIN);
		assert_contains(d.text, breaches[i].said);
		assert_contains(d.text, "fixed for a network's life");
		charter_free(next);
	}
	for (size_t i = 0; i < sizeof(free_ones) / sizeof(free_ones[0]); i++) {
		next = network_next(network, EPOCH, set_param, &free_ones[i]);
		assert_err_ok(charter_follows(next, network->charter, &d));
		charter_free(next);
	}
}

static void
move_to_other_layer(struct charter *next, void *arg)
{
	(void)arg;
	next->nodes[0].layer = 1;
	next->nodes[1].layer = 0;
}

static void
other_gateway(struct charter *next, void *arg)
{
	struct charter_node *fresh = arg;

	assert_err_ok(charter_remove_node(next, charter_gateway(next)->number));
	fresh->number = (uint16_t)(next->last_number + 1);
	assert_err_ok(charter_add_node(next, fresh));
}

static void
move_gateway(struct charter *next, void *arg)
{
	struct charter_node n = *charter_gateway(next);
	uint8_t sk[32] = { 9 };

	(void)arg;
	crypto_scalarmult_base(n.link, sk);
	(void)snprintf(n.address, sizeof(n.address), "192.0.2.1:9");
	assert_err_ok(charter_change_node(next, &n));
	n.identity[0] ^= 1;
	assert_err(charter_change_node(next, &n), ERR_NOT_FOUND);
}

static void
test_nodes_that_stay(void **state)
{
	struct network_keys keys;
	struct charter_node fresh;
	struct charter *next;
	struct diag d;

	(void)state;
	network_keys_new(&keys, &fresh, network, CHARTER_GATEWAY, 3, "127.0.0.1:1");
	(void)snprintf(fresh.entrance, sizeof(fresh.entrance), "127.0.0.1:2");
	next = network_next(network, EPOCH, move_to_other_layer, NULL);
	assert_err(charter_follows(next, network->charter, &d), ERR_CHAIN);
	assert_contains(d.text, "keeps its layer");
	charter_free(next);
	next = network_next(network, EPOCH, other_gateway, &fresh);
	assert_err(charter_follows(next, network->charter, &d), ERR_CHAIN);
	assert_contains(d.text, "the gateway keeps");
	charter_free(next);
	next = network_next(network, EPOCH, move_gateway, NULL);
	assert_err_ok(charter_follows(next, network->charter, &d));
	charter_free(next);
}

/* ---- the registrar ---- */

static void
add_registrar(struct charter *next, void *arg)
{
	struct charter_node n = *(const struct charter_node *)arg;

	n.number = (uint16_t)(next->last_number + 1);
	(void)snprintf(n.entrance, sizeof(n.entrance), "127.0.0.1:%u", n.number);
	assert_err_ok(charter_add_node(next, &n));
}

static void
replace_registrar(struct charter *next, void *arg)
{
	assert_err_ok(charter_remove_node(next, charter_registrar(next)->number));
	add_registrar(next, arg);
}

static void
remove_registrar(struct charter *next, void *arg)
{
	(void)arg;
	assert_err_ok(charter_remove_node(next, charter_registrar(next)->number));
}

/* The gateway's place as a registrar: its number had another role. */
static void
other_role(struct charter *next, void *arg)
{
	struct charter_node *r = &next->nodes[next->node_count - 1];

	(void)arg;
	assert_int_equal(r->role, CHARTER_REGISTRAR);
	r->role = CHARTER_MIX;
	r->layer = 0;
	(void)snprintf(r->address, sizeof(r->address), "127.0.0.1:9");
	memset(r->entrance, 0, sizeof(r->entrance));
}

/* It may come, be another one, and go; what it was, no number stays for another role. */
static void
test_registrar_comes_and_goes(void **state)
{
	const struct succession *s = network->charters;
	struct charter_node first, second;
	struct network_keys keys;
	struct charter *next;
	struct diag d;

	(void)state;
	network_keys_new(&keys, &first, network, CHARTER_REGISTRAR, 0, "");
	network_keys_new(&keys, &second, network, CHARTER_REGISTRAR, 0, "");
	(void)network_succeed(network, NULL, EPOCH, add_registrar, &first);
	next = network_next(network, EPOCH + 2, other_role, NULL);
	assert_err(charter_follows(next, succession_latest(s), &d), ERR_CHAIN);
	assert_contains(d.text, "keeps its layer");
	charter_free(next);
	(void)network_succeed(network, NULL, EPOCH + 2, replace_registrar, &second);
	(void)network_succeed(network, NULL, EPOCH + 4, remove_registrar, NULL);
	assert_null(charter_registrar(succession_at(s, EPOCH - 1)));
	assert_memory_equal(charter_registrar(succession_at(s, EPOCH))->identity, first.identity, 32);
	assert_memory_equal(charter_registrar(succession_at(s, EPOCH + 3))->identity,
	    second.identity, 32);
	assert_null(charter_registrar(succession_at(s, EPOCH + 4)));
}

/* ---- the gateway's door, and paths ---- */

static void
test_doors(void **state)
{
	const struct succession *s = network->charters;
	const struct charter *second = network_succeed(network, NULL, EPOCH, move_gateway, NULL);
	const struct charter_node *old = charter_gateway(network->charter);
	int64_t start = start_of(EPOCH);

	(void)state;
	assert_memory_equal(succession_gateway(s, start - 1, 0)->link, old->link, 32);
	assert_ptr_equal(succession_gateway(s, start - 1, 1), charter_gateway(second));
	assert_memory_equal(succession_gateway(s, start - 1, 2)->link, old->link, 32);
	assert_ptr_equal(succession_gateway(s, start, 0), charter_gateway(second));
	assert_memory_equal(succession_gateway(s, start, 1)->link, old->link, 32);
	assert_ptr_equal(succession_gateway(s, start + params->grace_ms, 1), charter_gateway(second));
}

static void
replace_first(struct charter *next, void *arg)
{
	struct charter_node *fresh = arg;

	assert_err_ok(charter_remove_node(next, 1));
	fresh->number = (uint16_t)(next->last_number + 1);
	assert_err_ok(charter_add_node(next, fresh));
}

static void
test_paths_are_mended(void **state)
{
	struct path none = { .hops = 0 }, path, same;
	const struct charter *second;
	struct charter_node fresh;
	struct network_keys keys;

	(void)state;
	network_keys_new(&keys, &fresh, network, CHARTER_MIX, 0, "127.0.0.1:1");
	second = network_succeed(network, NULL, EPOCH, replace_first, &fresh);
	path_draw(&path, network->charter, test_rng());
	same = path;
	assert_false(path_mend(&path, network->charter, test_rng()));
	assert_memory_equal(&path, &same, sizeof(path));
	assert_true(path_mend(&path, second, test_rng()));
	assert_int_equal(path.node[0], fresh.number);
	assert_memory_equal(path.node + 1, same.node + 1, sizeof(same.node) - sizeof(same.node[0]));
	assert_false(path_mend(&path, second, test_rng()));
	assert_false(path_mend(&none, second, test_rng()));
}

/* A sheet is read by the charter of its epoch, and waits for one that is not known. */
static void
test_sheets(void **state)
{
	struct network_epoch *old = network_epoch_new(network, EPOCH - 1);
	struct network_epoch *late = network_epoch_new(network, EPOCH);
	struct succession *first;
	struct sheet *s = NULL;
	struct buf text;

	(void)state;
	assert_err_ok(succession_new(&first, network->charter));
	(void)network_succeed(network, NULL, EPOCH, rename_it, NULL);
	buf_init(&text);
	assert_err_ok(sheet_encode(&text, old->sheet));
	assert_err_ok(sheet_read(&s, text.data, text.len, network->charters, NULL));
	sheet_free(s);
	assert_err(sheet_read(&s, text.data, 20, network->charters, NULL), ERR_TRUNCATED);
	text.len = 0;
	/* the founding charter's, for an epoch of the second */
	assert_err_ok(sheet_encode(&text, late->sheet));
	assert_err(sheet_read(&s, text.data, text.len, network->charters, NULL), ERR_MALFORMED);
	assert_err_ok(sheet_read(&s, text.data, text.len, first, NULL)); /* who knows no better */
	sheet_free(s);
	memcpy(late->sheet->charter_hash, succession_latest(network->charters)->hash, 32);
	text.len = 0;
	assert_err_ok(sheet_encode(&text, late->sheet));
	assert_err(sheet_read(&s, text.data, text.len, first, NULL), ERR_EPOCH);
	assert_err_ok(sheet_read(&s, text.data, text.len, network->charters, NULL));
	sheet_free(s);
	buf_release(&text);
	succession_free(first);
	network_epoch_free(old);
	network_epoch_free(late);
}

/* ---- files ---- */

static void
test_files(void **state)
{
	struct disk *k = disk_memory();
	const struct charter *second, *third;
	struct charter *other;
	struct succession *s;
	struct diag d;

	(void)state;
	other = network_next(network, EPOCH + 5, rename_it, NULL);
	second = network_succeed(network, NULL, EPOCH, NULL, NULL);
	third = network_succeed(network, NULL, EPOCH + 1, NULL, NULL);
	/* the first start keeps what was given */
	assert_err_ok(charterfiles_load(&s, k, network->charter, &d));
	assert_int_equal(succession_count(s), 1);
	succession_free(s);
	assert_err_ok(charterfiles_save(k, second));
	assert_err_ok(charterfiles_load(&s, k, network->charter, &d));
	assert_int_equal(succession_count(s), 2);
	succession_free(s);
	/* another file in the configuration: what was before is still known */
	assert_err_ok(charterfiles_load(&s, k, third, &d));
	assert_int_equal(succession_count(s), 3);
	assert_int_equal(succession_first(s)->version, 1);
	assert_err_ok(charterfiles_check_date(s, third->not_after_ms, &d));
	assert_err(charterfiles_check_date(s, third->not_after_ms + 1, &d), ERR_RANGE);
	succession_free(s);
	assert_err(charterfiles_load(&s, k, other, &d), ERR_CHAIN);
	assert_contains(d.text, "charter-00000002");
	assert_err_ok(disk_replace(k, "charter-00000003", "x", 1));
	assert_int_not_equal(charterfiles_load(&s, k, network->charter, &d), ERR_OK);
	assert_contains(d.text, "charter-00000003");
	/* a gap: what is beyond it is not known to follow */
	assert_err_ok(disk_remove(k, "charter-00000002"));
	assert_err_ok(charterfiles_load(&s, k, network->charter, &d));
	assert_int_equal(succession_count(s), 1);
	succession_free(s);
	charter_free(other);
	disk_free(k);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(test_in_force, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_before_the_first, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_offers, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_constants, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_nodes_that_stay, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_registrar_comes_and_goes, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_doors, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_paths_are_mended, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_sheets, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_files, set_up, tear_down),
};
TEST_MAIN(tests)

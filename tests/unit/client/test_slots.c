#include "config.h"

#include "client-lib/slots.h"

#include <string.h>

#include "client-lib/sheetbook.h"
#include "common/charter/timing.h"
#include "tests/lib/network.h"
#include "tests/lib/test.h"

#define EPOCH 90000

static struct network *network;
static struct network_epoch *keys;
static struct slots *slots;
static const struct params *params;
static uint8_t packet[ONION_PACKET_MAX], record[ONION_RECORD_MAX];
static struct session_packet out = { .packet = packet };
static struct slot_record real = { .record = record, .mailbox = 0 };

static int
set_up(void **state)
{
	const struct network_config cfg = { .seed = test_seed(), .mixes_per_layer = 2 };

	(void)state;
	network = network_new(&cfg);
	params = &network->charter->params;
	keys = network_epoch_new(network, EPOCH);
	slots = slots_new(network->charters, test_rng(), test_rng());
	assert_non_null(slots);
	path_draw(&real.path, network->charter, test_rng());
	rng_bytes(test_rng(), record, params->record_size);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	slots_free(slots);
	network_epoch_free(keys);
	network_free(network);
	return 0;
}

static int64_t
middle(void)
{
	return timing_epoch_start(params, EPOCH) + params->epoch_ms / 2;
}

/* Open a packet with every node's key; the path that it took. */
static void
unwrap(struct onion_command *c, struct path *p)
{
	struct onion_geometry g = params_geometry(params);
	struct onion_job job = { .packet = packet, .next_node = out.first_mix };

	assert_int_equal(out.epoch, EPOCH);
	p->hops = (uint8_t)(params->layers + 1);
	for (unsigned layer = 0; layer <= params->layers; layer++) {
		size_t i = network_index(network, job.next_node);
		struct onion_node_key key = { .epoch = EPOCH, .layer = (uint8_t)layer,
			.sk = keys->sk[i] };
		p->node[layer] = job.next_node;
		memcpy(key.pk, keys->pk[i], 32);
		memcpy(key.sheet_hash, keys->sheet->hash, 32);
		onion_derive(&job, 1, &g, &key);
		onion_open(&job, 1, &g, &key);
		assert_int_equal(job.verdict, ONION_OPENED);
		job.packet = job.inner;
	}
	assert_err_ok(onion_command_parse(c, &g, job.inner));
}

/* One slot in note-one-in is a note, whatever is queued; what is said is what is built. */
static void
shares(const struct slot_record *queued, unsigned count[4])
{
	struct onion_command c;
	struct path p;

	memset(count, 0, 4 * sizeof(count[0]));
	for (int i = 0; i < 2000; i++) {
		enum slot_kind kind = slots_build(slots, &out, keys->sheet, queued, middle());
		count[kind]++;
		if (i % 10 != 0)
			continue;
		unwrap(&c, &p);
		assert_int_equal(c.kind, kind == SLOT_NOTE ? ONION_NOTE
				: kind == SLOT_REAL ? ONION_DEPOSIT : ONION_DROP);
		if (kind != SLOT_REAL)
			continue;
		assert_memory_equal(c.body, record, params->record_size);
		assert_memory_equal(p.node, real.path.node, p.hops * sizeof(p.node[0]));
	}
}

static void
test_shares(void **state)
{
	unsigned idle[4], busy[4];

	(void)state;
	shares(NULL, idle);
	shares(&real, busy);
	assert_int_equal(idle[SLOT_SKIP] + idle[SLOT_REAL], 0);
	assert_int_equal(busy[SLOT_SKIP] + busy[SLOT_DROP], 0);
	/* 2000 / 8 = 250, six standard deviations are 89 */
	assert_in_range(idle[SLOT_NOTE], 161, 339);
	assert_in_range(busy[SLOT_NOTE], 161, 339);
}

/* Paths of cover are uniform, and so are those that a record was given. */
static void
test_first_mixes(void **state)
{
	unsigned first[2] = { 0, 0 };
	const struct charter_node *mixes[4];

	(void)state;
	assert_int_equal(charter_layer(network->charter, 0, mixes, 4), 2);
	for (int i = 0; i < 1000; i++) {
		assert_int_not_equal(slots_build(slots, &out, keys->sheet, NULL, middle()),
		    SLOT_SKIP);
		first[out.first_mix == mixes[1]->number]++;
	}
	assert_in_range(first[0], 400, 600);
}

/* Take a node's announcement out of the sheet. */
static struct sheet *
sheet_without(uint16_t node)
{
	static struct sheet s;
	size_t i = 0;

	s = *keys->sheet;
	while (s.nodes[i].node != node)
		i++;
	memmove(&s.nodes[i], &s.nodes[i + 1], (--s.count - i) * sizeof(s.nodes[0]));
	return &s;
}

/*
 * With one mix of two missing, half of the slots are skipped, with and without
 * something to send; a record whose path is missing waits.
 */
static void
test_missing_mix(void **state)
{
	const struct sheet *lacking = sheet_without(real.path.node[1]);
	struct slot_record other = real;
	const struct charter_node *mixes[4];
	unsigned count[3][4] = { { 0 } };

	(void)state;
	assert_int_equal(charter_layer(network->charter, 1, mixes, 4), 2);
	other.path.node[1] = mixes[mixes[0]->number == real.path.node[1]]->number;
	for (int i = 0; i < 1000; i++) {
		count[0][slots_build(slots, &out, lacking, NULL, middle())]++;
		count[1][slots_build(slots, &out, lacking, &real, middle())]++;
		count[2][slots_build(slots, &out, lacking, &other, middle())]++;
	}
	for (int i = 0; i < 3; i++)
		assert_in_range(count[i][SLOT_SKIP], 400, 600);
	assert_int_equal(count[1][SLOT_REAL], 0);
	assert_true(count[1][SLOT_DROP] > 300);
	assert_int_equal(count[2][SLOT_DROP], 0);
	assert_true(count[2][SLOT_REAL] > 300);
}

static void
test_times(void **state)
{
	int64_t start = timing_epoch_start(params, EPOCH), end = start + params->epoch_ms;
	int64_t margin = params_scaled(params, 120000);
	unsigned reals = 0;

	(void)state;
	assert_int_equal(slots_build(slots, &out, NULL, &real, middle()), SLOT_SKIP);
	assert_int_equal(slots_build(slots, &out, keys->sheet, &real, start - 1), SLOT_SKIP);
	assert_int_equal(slots_build(slots, &out, keys->sheet, &real, end), SLOT_SKIP);
	for (int i = 0; i < 100; i++) {
		enum slot_kind a = slots_build(slots, &out, keys->sheet, &real, start + margin - 1);
		enum slot_kind b = slots_build(slots, &out, keys->sheet, &real, end - margin);
		assert_true(a == SLOT_DROP || a == SLOT_NOTE);
		assert_true(b == SLOT_DROP || b == SLOT_NOTE);
		reals += slots_build(slots, &out, keys->sheet, &real, start + margin) == SLOT_REAL;
	}
	assert_true(reals > 50);
}

/* ---- the book of sheets ---- */

static struct buf
encoded(struct network_epoch *e)
{
	struct buf b;

	buf_init(&b);
	network_show(&b, network, e->sheet);
	return b;
}

static void
test_book_provisional_then_verified(void **state)
{
	struct sheetbook *k = sheetbook_new(network->charters);
	struct buf b = encoded(keys);
	bool verified = true;

	(void)state;
	assert_null(sheetbook_find(k, EPOCH, NULL));
	assert_err_ok(sheetbook_offer(k, b.data, b.len, false, middle()));
	assert_memory_equal(sheetbook_find(k, EPOCH, &verified)->hash, keys->sheet->hash, 32);
	assert_false(verified);
	assert_err_ok(sheetbook_offer(k, b.data, b.len, true, middle()));
	assert_err_ok(sheetbook_offer(k, b.data, b.len, false, middle()));
	assert_non_null(sheetbook_find(k, EPOCH, &verified));
	assert_true(verified);
	sheetbook_turn(k, middle());
	assert_non_null(sheetbook_find(k, EPOCH, NULL));
	sheetbook_turn(k, middle() + params->epoch_ms);
	assert_null(sheetbook_find(k, EPOCH, NULL));
	buf_release(&b);
	sheetbook_free(k);
}

static void
test_book_two_sheets(void **state)
{
	struct sheetbook *k = sheetbook_new(network->charters);
	struct network_epoch *other = network_epoch_new(network, EPOCH);
	struct buf a = encoded(keys), b = encoded(other);
	uint8_t saved[SHEETBOOK_BYTES];
	struct writer w;
	struct reader r;

	(void)state;
	assert_err_ok(sheetbook_offer(k, a.data, a.len, true, middle()));
	assert_err(sheetbook_offer(k, b.data, b.len, false, middle()), ERR_CHAIN);
	assert_null(sheetbook_find(k, EPOCH, NULL));
	assert_err_ok(sheetbook_offer(k, a.data, a.len, true, middle()));
	assert_null(sheetbook_find(k, EPOCH, NULL)); /* for good, */
	writer_init(&w, saved, sizeof(saved));
	sheetbook_put(&w, k);
	sheetbook_free(k);
	k = sheetbook_new(network->charters);
	reader_init(&r, saved, w.used);
	sheetbook_get(&r, k, true);
	assert_err_ok(reader_end(&r));
	assert_err_ok(sheetbook_offer(k, a.data, a.len, true, middle()));
	assert_null(sheetbook_find(k, EPOCH, NULL)); /* also after a restart */
	network_epoch_free(other);
	buf_release(&a);
	buf_release(&b);
	sheetbook_free(k);
}

/* What was verified before a restart is verified when the session shows it again. */
static void
test_book_remembers(void **state)
{
	struct sheetbook *k = sheetbook_new(network->charters);
	struct network_epoch *next = network_epoch_new(network, EPOCH + 1);
	struct buf a = encoded(keys), b = encoded(next);
	uint8_t saved[SHEETBOOK_BYTES];
	struct writer w;
	struct reader r;
	bool verified;

	(void)state;
	assert_err_ok(sheetbook_offer(k, a.data, a.len, true, middle()));
	assert_err_ok(sheetbook_offer(k, b.data, b.len, false, middle()));
	writer_init(&w, saved, sizeof(saved));
	sheetbook_put(&w, k);
	assert_err_ok(writer_end(&w));
	sheetbook_free(k);
	k = sheetbook_new(network->charters);
	reader_init(&r, saved, w.used);
	sheetbook_get(&r, k, true);
	assert_err_ok(reader_end(&r));
	assert_null(sheetbook_find(k, EPOCH, NULL)); /* a hash is no sheet */
	assert_err_ok(sheetbook_offer(k, a.data, a.len, false, middle()));
	assert_err_ok(sheetbook_offer(k, b.data, b.len, false, middle()));
	assert_non_null(sheetbook_find(k, EPOCH, &verified));
	assert_true(verified);
	assert_non_null(sheetbook_find(k, EPOCH + 1, &verified));
	assert_false(verified);
	for (size_t n = 0; n < w.used; n++) {
		struct sheetbook *cut = sheetbook_new(network->charters);
		reader_init(&r, saved, n);
		sheetbook_get(&r, cut, true);
		assert_false(reader_ok(&r));
		sheetbook_free(cut);
	}
	network_epoch_free(next);
	buf_release(&a);
	buf_release(&b);
	sheetbook_free(k);
}

static void
test_book_refuses(void **state)
{
	struct sheetbook *k = sheetbook_new(network->charters);
	struct buf b = encoded(keys);

	(void)state;
	/* other epochs' are nobody's business */
	assert_err_ok(sheetbook_offer(k, b.data, b.len, true, middle() + params->epoch_ms));
	assert_err_ok(sheetbook_offer(k, b.data, b.len, true, middle() - 2 * params->epoch_ms));
	assert_null(sheetbook_find(k, EPOCH, NULL));
	for (size_t n = 4; n < b.len; n += 7)
		assert_int_not_equal(sheetbook_offer(k, b.data, n, false, middle()), ERR_OK);
	b.data[b.len / 2] ^= 1;
	assert_int_not_equal(sheetbook_offer(k, b.data, b.len, false, middle()), ERR_OK);
	assert_null(sheetbook_find(k, EPOCH, NULL));
	b.data[b.len / 2] ^= 1;
	assert_err_ok(sheetbook_offer(k, b.data, b.len, false, middle()));
	assert_non_null(sheetbook_find(k, EPOCH, NULL));
	buf_release(&b);
	sheetbook_free(k);
}

#define FRESH(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
static const struct CMUnitTest tests[] = {
	FRESH(test_shares),
	FRESH(test_first_mixes),
	FRESH(test_missing_mix),
	FRESH(test_times),
	FRESH(test_book_provisional_then_verified),
	FRESH(test_book_two_sheets),
	FRESH(test_book_remembers),
	FRESH(test_book_refuses),
};

TEST_MAIN(tests)

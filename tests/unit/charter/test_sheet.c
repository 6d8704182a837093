#include "config.h"

#include "tests/lib/network.h"
#include "tests/lib/test.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define EPOCH 83124
#define HEAD_BYTES (4 + 32 + 2)

struct world {
	struct network *n;
	struct network_epoch *e;
	struct sheet *s; /* a copy to change */
};

static struct world
make(unsigned mixes)
{
	struct network_config cfg = { .seed = test_seed(), .mixes_per_layer = mixes };
	struct world w = { .n = network_new(&cfg) };

	w.e = network_epoch_new(w.n, EPOCH);
	w.s = malloc(sizeof(*w.s));
	assert_non_null(w.s);
	*w.s = *w.e->sheet;
	return w;
}

static void
unmake(struct world *w)
{
	free(w->s);
	network_epoch_free(w->e);
	network_free(w->n);
}

/* A registrar has no epoch key: a sheet is whole without one, and has none of it. */
static void
a_registrar_announces_nothing(void **state)
{
	struct network_config cfg = { .seed = test_seed(), .registrar = true };
	struct network *n = network_new(&cfg);
	const struct charter_node *r = charter_registrar(n->charter);
	struct network_epoch *e = network_epoch_new(n, EPOCH);
	struct announcement a = e->sheet->nodes[0];
	uint8_t bytes[ANNOUNCEMENT_BYTES];

	(void)state;
	assert_int_equal(e->sheet->count, charter_announcers(n->charter));
	assert_null(sheet_node(e->sheet, r->number));
	a.node = r->number;
	announcement_sign(&a, n->charter->network_id,
	    n->keys[network_index(n, r->number)].identity_sk);
	announcement_encode(bytes, &a);
	assert_err(announcement_decode(&a, bytes, n->charter), ERR_NOT_FOUND);
	network_epoch_free(e);
	network_free(n);
}

/* Sign the i-th announcement of the copy again. */
static void
resign(struct world *w, size_t i)
{
	size_t at = network_index(w->n, w->s->nodes[i].node);

	announcement_sign(&w->s->nodes[i], w->n->charter->network_id, w->n->keys[at].identity_sk);
}

/* Encode the copy and decode it. */
static enum err
pass(const struct world *w, struct diag *d)
{
	struct sheet *out;
	struct buf text;
	enum err e;

	buf_init(&text);
	assert_err_ok(sheet_encode(&text, w->s));
	e = sheet_decode(&out, text.data, text.len, w->n->charter, d);
	if (e == ERR_OK)
		sheet_free(out);
	buf_release(&text);
	return e;
}

/* ---- announcements ---- */

static void
an_announcement_has_the_documented_bytes(void **state)
{
	struct world w = make(1);
	struct announcement *a = &w.s->nodes[2], again;
	uint8_t bytes[ANNOUNCEMENT_BYTES], message[19 + 32 + 39];

	(void)state;
	announcement_encode(bytes, a);
	assert_memory_equal(bytes, "\x03\x00\xb4\x44\x01\x00\x01", 7); /* node 3, epoch, suite */
	assert_memory_equal(bytes + 7, w.e->pk[2], 32);
	memcpy(message, "restante/announce/1", 19);
	memcpy(message + 19, w.n->charter->network_id, 32);
	memcpy(message + 51, bytes, 39);
	assert_int_equal(crypto_sign_verify_detached(bytes + 39, message, sizeof(message),
	    w.n->charter->nodes[2].identity), 0);
	assert_err_ok(announcement_decode(&again, bytes, w.n->charter));
	assert_int_equal(again.node, 3);
	assert_int_equal(again.epoch, EPOCH);
	assert_memory_equal(again.pk, a->pk, 32);
	unmake(&w);
}

static void
every_flipped_bit_of_an_announcement_is_refused(void **state)
{
	struct world w = make(1);
	uint8_t bytes[ANNOUNCEMENT_BYTES];
	struct announcement a;

	(void)state;
	announcement_encode(bytes, &w.s->nodes[0]);
	for (size_t i = 0; i < 8 * sizeof(bytes); i++) {
		bytes[i / 8] ^= (uint8_t)(1u << i % 8);
		if (announcement_decode(&a, bytes, w.n->charter) == ERR_OK)
			fail_msg("accepted with bit %zu flipped", i);
		bytes[i / 8] ^= (uint8_t)(1u << i % 8);
	}
	assert_err_ok(announcement_decode(&a, bytes, w.n->charter));
	unmake(&w);
}

static void
announcements_of_strangers_and_with_bad_keys_are_refused(void **state)
{
	struct world w = make(1);
	struct announcement a = w.s->nodes[0], out;
	uint8_t bytes[ANNOUNCEMENT_BYTES];

	(void)state;
	a.node = 9;
	announcement_sign(&a, w.n->charter->network_id, w.n->keys[0].identity_sk);
	announcement_encode(bytes, &a);
	assert_err(announcement_decode(&out, bytes, w.n->charter), ERR_NOT_FOUND);
	a.node = 2; /* another node's number, own signature */
	announcement_sign(&a, w.n->charter->network_id, w.n->keys[0].identity_sk);
	announcement_encode(bytes, &a);
	assert_err(announcement_decode(&out, bytes, w.n->charter), ERR_SIGNATURE);
	a.node = 1;
	memset(a.pk, 0, sizeof(a.pk));
	announcement_sign(&a, w.n->charter->network_id, w.n->keys[0].identity_sk);
	announcement_encode(bytes, &a);
	assert_err(announcement_decode(&out, bytes, w.n->charter), ERR_MALFORMED);
	a = w.s->nodes[0];
	a.suite = 2;
	announcement_sign(&a, w.n->charter->network_id, w.n->keys[0].identity_sk);
	announcement_encode(bytes, &a);
	assert_err(announcement_decode(&out, bytes, w.n->charter), ERR_MALFORMED);
	unmake(&w);
}

static void
an_announcement_is_bound_to_its_network(void **state)
{
	struct world w = make(1);
	struct announcement a = w.s->nodes[0], out;
	uint8_t bytes[ANNOUNCEMENT_BYTES], other[32] = { 1 };

	(void)state;
	announcement_sign(&a, other, w.n->keys[0].identity_sk);
	announcement_encode(bytes, &a);
	assert_err(announcement_decode(&out, bytes, w.n->charter), ERR_SIGNATURE);
	unmake(&w);
}

/* ---- sheets ---- */

static void
a_sheet_has_the_documented_bytes(void **state)
{
	struct world w = make(1);
	struct buf text;
	uint8_t bytes[ANNOUNCEMENT_BYTES], hash[32];

	(void)state;
	buf_init(&text);
	assert_err_ok(buf_append(&text, "before", 6, 6)); /* appended to what is there */
	w.s->ticket_keys[5][0] = 0x77;
	w.s->stamp_key[31] = 0x99;
	assert_err_ok(sheet_encode(&text, w.s));
	assert_int_equal(text.len, 6 + HEAD_BYTES + 4 * ANNOUNCEMENT_BYTES + 6 * 32 + 32);
	assert_memory_equal(text.data + 6, "\xb4\x44\x01\x00", 4);
	assert_memory_equal(text.data + 10, w.n->charter->hash, 32);
	assert_memory_equal(text.data + 42, "\x04\x00", 2);
	announcement_encode(bytes, &w.s->nodes[3]);
	assert_memory_equal(text.data + 44 + 3 * ANNOUNCEMENT_BYTES, bytes, ANNOUNCEMENT_BYTES);
	assert_int_equal(text.data[44 + 4 * ANNOUNCEMENT_BYTES + 5 * 32], 0x77);
	assert_int_equal(text.data[text.len - 1], 0x99);
	crypto_generichash(hash, 32, text.data + 6, text.len - 6, NULL, 0);
	assert_memory_equal(w.s->hash, hash, 32);
	buf_release(&text);
	unmake(&w);
}

static void
a_sheet_decodes_to_what_was_encoded(void **state)
{
	struct world w = make(3);
	struct sheet *out;
	struct buf text;

	(void)state;
	buf_init(&text);
	rng_bytes(test_rng(), w.s->ticket_keys, sizeof(w.s->ticket_keys));
	rng_bytes(test_rng(), w.s->stamp_key, sizeof(w.s->stamp_key));
	assert_err_ok(sheet_encode(&text, w.s));
	assert_err_ok(sheet_decode(&out, text.data, text.len, w.n->charter, NULL));
	assert_int_equal(out->epoch, EPOCH);
	assert_int_equal(out->count, 10);
	assert_int_equal(out->ticket_key_count, 6);
	assert_memory_equal(out->ticket_keys, w.s->ticket_keys, 6 * 32);
	assert_memory_equal(out->stamp_key, w.s->stamp_key, 32);
	assert_memory_equal(out->hash, w.s->hash, 32);
	for (size_t i = 0; i < out->count; i++)
		assert_memory_equal(out->nodes[i].pk, w.e->pk[i], 32);
	assert_ptr_equal(sheet_node(out, 10), &out->nodes[9]);
	assert_null(sheet_node(out, 11));
	assert_null(sheet_node(out, 0));
	sheet_free(out);
	buf_release(&text);
	unmake(&w);
}

static void
other_lengths_are_refused(void **state)
{
	struct world w = make(1);
	struct sheet *out;
	struct buf text;
	struct diag d;

	(void)state;
	buf_init(&text);
	assert_err_ok(sheet_encode(&text, w.s));
	for (size_t len = 0; len < text.len; len++) {
		uint8_t *cut = malloc(len + 1);

		assert_non_null(cut);
		memcpy(cut + 1, text.data, len);
		assert_true(sheet_decode(&out, cut + 1, len, w.n->charter, &d) != ERR_OK);
		free(cut);
	}
	assert_err_ok(buf_append(&text, "", 1, text.len + 1));
	assert_err(sheet_decode(&out, text.data, text.len, w.n->charter, &d), ERR_TRAILING);
	assert_contains(d.text, "length is wrong");
	buf_release(&text);
	unmake(&w);
}

/* Ticket and stamp keys are not signed; all else is held by a check or a signature. */
static void
every_flipped_bit_before_the_issuer_keys_is_refused(void **state)
{
	struct world w = make(1);
	size_t end = HEAD_BYTES + 4 * ANNOUNCEMENT_BYTES;
	struct sheet *out;
	struct buf text;

	(void)state;
	buf_init(&text);
	assert_err_ok(sheet_encode(&text, w.s));
	for (size_t i = 0; i < 8 * end; i++) {
		text.data[i / 8] ^= (uint8_t)(1u << i % 8);
		if (sheet_decode(&out, text.data, text.len, w.n->charter, NULL) == ERR_OK)
			fail_msg("accepted with bit %zu flipped", i);
		text.data[i / 8] ^= (uint8_t)(1u << i % 8);
	}
	for (size_t i = 8 * end; i < 8 * text.len; i += 97) {
		text.data[i / 8] ^= (uint8_t)(1u << i % 8);
		assert_err_ok(sheet_decode(&out, text.data, text.len, w.n->charter, NULL));
		assert_memory_not_equal(out->hash, w.s->hash, 32); /* but they change the hash */
		sheet_free(out);
		text.data[i / 8] ^= (uint8_t)(1u << i % 8);
	}
	buf_release(&text);
	unmake(&w);
}

static void
wrong_sheets_are_refused_with_a_reason(void **state)
{
	struct world w = make(1);
	struct announcement swap;
	struct diag d;

	(void)state;
	assert_err_ok(pass(&w, &d));
	w.s->charter_hash[0] ^= 1;
	assert_err(pass(&w, &d), ERR_MALFORMED);
	assert_contains(d.text, "another charter");
	w.s->charter_hash[0] ^= 1;
	w.s->nodes[1].epoch++;
	resign(&w, 1);
	assert_err(pass(&w, &d), ERR_EPOCH);
	assert_contains(d.text, "announcement 2 is for epoch 83125, not 83124");
	w.s->nodes[1].epoch--;
	resign(&w, 1);
	swap = w.s->nodes[0];
	w.s->nodes[0] = w.s->nodes[1];
	w.s->nodes[1] = swap;
	assert_err(pass(&w, &d), ERR_MALFORMED);
	assert_contains(d.text, "not in order");
	w.s->nodes[0] = swap; /* one node twice */
	assert_err(pass(&w, &d), ERR_MALFORMED);
	unmake(&w);
}

/* Take the i-th announcement out of the copy. */
static void
leave_out(struct world *w, size_t i)
{
	w->s->count--;
	memmove(&w->s->nodes[i], &w->s->nodes[i + 1], (w->s->count - i) * sizeof(w->s->nodes[0]));
}

static void
an_empty_layer_is_refused_a_missing_mix_is_not(void **state)
{
	struct world w = make(2);
	struct diag d;

	(void)state;
	leave_out(&w, 2);
	assert_err_ok(pass(&w, &d));
	leave_out(&w, 2);
	assert_err(pass(&w, &d), ERR_NOT_FOUND);
	assert_contains(d.text, "no node in layer 1");
	*w.s = *w.e->sheet;
	leave_out(&w, 6); /* the gateway */
	assert_err(pass(&w, &d), ERR_NOT_FOUND);
	assert_contains(d.text, "no node in layer 3");
	w.s->count = 0;
	assert_err(pass(&w, &d), ERR_NOT_FOUND);
	unmake(&w);
}

static void
ticket_keys_follow_from_epoch_and_scale(void **state)
{
	struct params p;

	(void)state;
	params_default(&p);
	assert_int_equal(sheet_ticket_keys(&p), 6);
	p.epoch_ms = 256 * (int64_t)3600000;
	assert_int_equal(sheet_ticket_keys(&p), SHEET_TICKET_KEYS_MAX);
	p.time_scale = 60;
	p.epoch_ms = 360000;
	assert_int_equal(sheet_ticket_keys(&p), 6);
}

static void
sheets_too_large_to_encode_are_refused(void **state)
{
	struct world w = make(1);
	struct buf text;

	(void)state;
	buf_init(&text);
	w.s->count = CHARTER_NODES_MAX + 1;
	assert_err(sheet_encode(&text, w.s), ERR_RANGE);
	w.s->count = 4;
	w.s->ticket_key_count = SHEET_TICKET_KEYS_MAX + 1;
	assert_err(sheet_encode(&text, w.s), ERR_RANGE);
	assert_int_equal(text.len, 0);
	buf_release(&text);
	unmake(&w);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(an_announcement_has_the_documented_bytes),
	cmocka_unit_test(a_registrar_announces_nothing),
	cmocka_unit_test(every_flipped_bit_of_an_announcement_is_refused),
	cmocka_unit_test(announcements_of_strangers_and_with_bad_keys_are_refused),
	cmocka_unit_test(an_announcement_is_bound_to_its_network),
	cmocka_unit_test(a_sheet_has_the_documented_bytes),
	cmocka_unit_test(a_sheet_decodes_to_what_was_encoded),
	cmocka_unit_test(other_lengths_are_refused),
	cmocka_unit_test(every_flipped_bit_before_the_issuer_keys_is_refused),
	cmocka_unit_test(wrong_sheets_are_refused_with_a_reason),
	cmocka_unit_test(an_empty_layer_is_refused_a_missing_mix_is_not),
	cmocka_unit_test(ticket_keys_follow_from_epoch_and_scale),
	cmocka_unit_test(sheets_too_large_to_encode_are_refused),
};

TEST_MAIN(tests)

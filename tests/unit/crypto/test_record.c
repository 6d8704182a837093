/*
 * Records: every field in its place, every malformed plaintext refused, and
 * nothing opened after any bit was changed.
 */
#include "config.h"

#include "tests/lib/test.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/bytes.h"
#include "common/crypto/hash.h"
#include "common/crypto/record.h"

#define SIZE 1024
#define PLAIN (SIZE - RECORD_OVERHEAD)
#define CONTENT (PLAIN - RECORD_HEADER_BYTES)

/* Where the fields are, from docs/protocol.md. */
enum {
	AT_VERSION = 0,
	AT_TYPE = 1,
	AT_BEHIND = 2,
	AT_NUMBER = 4,
	AT_MESSAGE = 12,
	AT_FRAGMENT = 20,
	AT_OF = 24,
	AT_MISSING = 28,
	AT_INDEX = 36,
	AT_MAP = 44,
	AT_OWN_RENEWAL = 172,
	AT_FRESH = 204,
	AT_PEER_RENEWAL = 236,
	AT_ROUND = 244,
	AT_HASH = 252,
	AT_SIGNATURE = 284,
	AT_LENGTH = 348,
	AT_CONTENT = 352,
};

static struct record_header
random_header(enum record_type type)
{
	struct record_header h;

	memset(&h, 0, sizeof(h));
	h.type = type;
	rng_bytes(test_rng(), &h.ack, sizeof(h.ack));
	rng_bytes(test_rng(), h.own_renewal, sizeof(h.own_renewal));
	rng_bytes(test_rng(), h.fresh, sizeof(h.fresh));
	rng_bytes(test_rng(), h.peer_renewal_id, sizeof(h.peer_renewal_id));
	h.epoch_block.round = rng_u64(test_rng());
	rng_bytes(test_rng(), h.epoch_block.hash, sizeof(h.epoch_block.hash));
	rng_bytes(test_rng(), h.epoch_block.signature, sizeof(h.epoch_block.signature));
	if (type == RECORD_ACK)
		return h;
	h.behind = (uint16_t)rng_below(test_rng(), RECORD_ACK_MAP_BITS + 1);
	h.number = h.behind + 1 + rng_u64(test_rng()) % (RECORD_NUMBER_MAX - h.behind);
	h.message = 1 + rng_u64(test_rng()) % RECORD_NUMBER_MAX;
	h.of = 1 + rng_below(test_rng(), UINT32_MAX);
	h.fragment = rng_below(test_rng(), h.of);
	h.length = rng_below(test_rng(), CONTENT + 1);
	return h;
}

static void
assert_same(const struct record_header *a, const struct record_header *b)
{
	assert_int_equal(a->type, b->type);
	assert_int_equal(a->behind, b->behind);
	assert_int_equal(a->number, b->number);
	assert_int_equal(a->message, b->message);
	assert_int_equal(a->fragment, b->fragment);
	assert_int_equal(a->of, b->of);
	assert_int_equal(a->ack.next_missing, b->ack.next_missing);
	assert_int_equal(a->ack.highest_index, b->ack.highest_index);
	assert_memory_equal(a->ack.map, b->ack.map, sizeof(a->ack.map));
	assert_memory_equal(a->own_renewal, b->own_renewal, 32);
	assert_memory_equal(a->fresh, b->fresh, 32);
	assert_memory_equal(a->peer_renewal_id, b->peer_renewal_id, 8);
	assert_int_equal(a->epoch_block.round, b->epoch_block.round);
	assert_memory_equal(a->epoch_block.hash, b->epoch_block.hash, 32);
	assert_memory_equal(a->epoch_block.signature, b->epoch_block.signature, 64);
	assert_int_equal(a->length, b->length);
}

static void
what_is_encoded_is_decoded(void **state)
{
	uint8_t plain[PLAIN], content[CONTENT];

	(void)state;
	for (unsigned i = 0; i < 2000; i++) {
		struct record_header h = random_header((enum record_type)(i % 3)), back;
		const uint8_t *body;
		rng_bytes(test_rng(), content, sizeof(content));
		memset(plain, 0xee, sizeof(plain));
		assert_err_ok(record_encode(plain, SIZE, &h, content));
		assert_err_ok(record_decode(&back, &body, plain, SIZE));
		assert_same(&h, &back);
		assert_memory_equal(body, content, h.length);
		assert_true(sodium_is_zero(body + h.length, CONTENT - h.length));
	}
}

static void
fields_are_where_the_protocol_has_them(void **state)
{
	uint8_t plain[PLAIN], content[CONTENT];
	struct record_header h = random_header(RECORD_FILE);

	(void)state;
	rng_bytes(test_rng(), content, sizeof(content));
	h.length = 7;
	assert_err_ok(record_encode(plain, SIZE, &h, content));
	assert_int_equal(plain[AT_VERSION], 1);
	assert_int_equal(plain[AT_TYPE], 2);
	assert_int_equal(load_u16(plain + AT_BEHIND), h.behind);
	assert_int_equal(load_u64(plain + AT_NUMBER), h.number);
	assert_int_equal(load_u64(plain + AT_MESSAGE), h.message);
	assert_int_equal(load_u32(plain + AT_FRAGMENT), h.fragment);
	assert_int_equal(load_u32(plain + AT_OF), h.of);
	assert_int_equal(load_u64(plain + AT_MISSING), h.ack.next_missing);
	assert_int_equal(load_u64(plain + AT_INDEX), h.ack.highest_index);
	assert_memory_equal(plain + AT_MAP, h.ack.map, 128);
	assert_memory_equal(plain + AT_OWN_RENEWAL, h.own_renewal, 32);
	assert_memory_equal(plain + AT_FRESH, h.fresh, 32);
	assert_memory_equal(plain + AT_PEER_RENEWAL, h.peer_renewal_id, 8);
	assert_int_equal(load_u64(plain + AT_ROUND), h.epoch_block.round);
	assert_memory_equal(plain + AT_HASH, h.epoch_block.hash, 32);
	assert_memory_equal(plain + AT_SIGNATURE, h.epoch_block.signature, 64);
	assert_int_equal(load_u32(plain + AT_LENGTH), 7);
	assert_memory_equal(plain + AT_CONTENT, content, 7);
}

/* A valid plaintext of a text, to be spoilt. */
static void
valid_text(uint8_t plain[PLAIN])
{
	struct record_header h = random_header(RECORD_TEXT);

	h.behind = 3;
	h.number = 10;
	h.message = 5;
	h.fragment = 1;
	h.of = 2;
	h.length = 4;
	assert_err_ok(record_encode(plain, SIZE, &h, "text"));
}

static void
refused(const uint8_t *plain, enum err want)
{
	struct record_header h, before;
	const uint8_t *body = plain;

	memset(&h, 0x5a, sizeof(h));
	before = h;
	assert_err(record_decode(&h, &body, plain, SIZE), want);
	assert_memory_equal(&h, &before, sizeof(h)); /* no output is touched */
	assert_ptr_equal(body, plain);
}

static void
malformed_plaintexts_are_refused(void **state)
{
	uint8_t plain[PLAIN];

	(void)state;
	valid_text(plain);
	plain[AT_VERSION] = 2;
	refused(plain, ERR_VERSION);
	plain[AT_VERSION] = 0;
	refused(plain, ERR_VERSION);
	for (unsigned type = 3; type < 256; type++) {
		valid_text(plain);
		plain[AT_TYPE] = (uint8_t)type;
		refused(plain, ERR_MALFORMED);
	}
	valid_text(plain);
	store_u64(plain + AT_NUMBER, 0);
	refused(plain, ERR_MALFORMED);
	store_u64(plain + AT_NUMBER, RECORD_NUMBER_MAX + 1);
	refused(plain, ERR_MALFORMED);
	store_u64(plain + AT_NUMBER, 3); /* no more than behind */
	refused(plain, ERR_MALFORMED);
	valid_text(plain);
	store_u64(plain + AT_NUMBER, 5000);
	store_u16(plain + AT_BEHIND, RECORD_ACK_MAP_BITS + 1);
	refused(plain, ERR_MALFORMED);
	valid_text(plain);
	store_u64(plain + AT_MESSAGE, 0);
	refused(plain, ERR_MALFORMED);
	store_u64(plain + AT_MESSAGE, RECORD_NUMBER_MAX + 1);
	refused(plain, ERR_MALFORMED);
	valid_text(plain);
	store_u32(plain + AT_FRAGMENT, 2);
	refused(plain, ERR_MALFORMED);
	store_u32(plain + AT_FRAGMENT, 0);
	store_u32(plain + AT_OF, 0);
	refused(plain, ERR_MALFORMED);
}

static void
lengths_and_padding_are_exact(void **state)
{
	uint8_t plain[PLAIN];

	(void)state;
	valid_text(plain);
	store_u32(plain + AT_LENGTH, CONTENT + 1);
	refused(plain, ERR_MALFORMED);
	store_u32(plain + AT_LENGTH, UINT32_MAX);
	refused(plain, ERR_MALFORMED);
	store_u32(plain + AT_LENGTH, 3); /* the last letter is padding now */
	refused(plain, ERR_MALFORMED);
	for (size_t at = AT_CONTENT + 4; at < PLAIN; at++) {
		valid_text(plain);
		plain[at] = 1;
		refused(plain, ERR_MALFORMED);
	}
}

static void
an_acknowledgement_alone_has_nothing_else(void **state)
{
	static const size_t fields[] = { AT_BEHIND, AT_NUMBER, AT_MESSAGE, AT_FRAGMENT, AT_OF,
		AT_LENGTH };
	uint8_t plain[PLAIN];

	(void)state;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		struct record_header h = random_header(RECORD_ACK);
		assert_err_ok(record_encode(plain, SIZE, &h, NULL));
		plain[fields[i]] = 1;
		refused(plain, ERR_MALFORMED);
	}
}

static void
content_that_does_not_fit_is_refused(void **state)
{
	uint8_t plain[PLAIN], content[CONTENT + 1] = { 0 };
	struct record_header h = random_header(RECORD_TEXT);

	(void)state;
	assert_int_equal(record_content_max(4096), 3680);
	assert_int_equal(record_plaintext_bytes(4096), 4032);
	h.length = CONTENT;
	assert_err_ok(record_encode(plain, SIZE, &h, content));
	h.length = CONTENT + 1;
	assert_err(record_encode(plain, SIZE, &h, content), ERR_RANGE);
}

static void
no_changed_bit_opens(void **state)
{
	uint8_t record[SIZE], plain[PLAIN], back[PLAIN], tag[RECORD_TAG_BYTES], key[32];

	(void)state;
	rng_bytes(test_rng(), plain, sizeof(plain));
	rng_bytes(test_rng(), tag, sizeof(tag));
	rng_bytes(test_rng(), key, sizeof(key));
	assert_err_ok(record_seal(record, SIZE, tag, key, plain, test_rng()));
	assert_memory_equal(record_tag(record), tag, sizeof(tag));
	assert_err_ok(record_open(back, record, SIZE, key));
	assert_memory_equal(back, plain, sizeof(plain));
	for (size_t bit = 0; bit < 8 * SIZE; bit++) {
		record[bit / 8] = (uint8_t)(record[bit / 8] ^ 1u << bit % 8);
		/* the tag says whose it is; everything else is sealed, E by the nonce */
		bool in_tag = bit / 8 >= RECORD_E_BYTES &&
		    bit / 8 < RECORD_E_BYTES + RECORD_TAG_BYTES;
		assert_err(record_open(back, record, SIZE, key), in_tag ? ERR_OK : ERR_CRYPTO);
		record[bit / 8] = (uint8_t)(record[bit / 8] ^ 1u << bit % 8);
	}
	key[31] ^= 0x80;
	assert_err(record_open(back, record, SIZE, key), ERR_CRYPTO);
}

static void
each_sealing_is_another(void **state)
{
	uint8_t a[SIZE], b[SIZE], plain[PLAIN] = { 0 }, tag[RECORD_TAG_BYTES] = { 0 }, key[32] = { 0 };

	(void)state;
	assert_err_ok(record_seal(a, SIZE, tag, key, plain, test_rng()));
	assert_err_ok(record_seal(b, SIZE, tag, key, plain, test_rng()));
	assert_memory_not_equal(a, b, RECORD_E_BYTES);
	assert_memory_not_equal(a + 48, b + 48, SIZE - 48);
	assert_err_ok(record_seal_with(b, SIZE, a, tag, key, plain));
	assert_memory_equal(a, b, SIZE);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(what_is_encoded_is_decoded),
	cmocka_unit_test(fields_are_where_the_protocol_has_them),
	cmocka_unit_test(malformed_plaintexts_are_refused),
	cmocka_unit_test(lengths_and_padding_are_exact),
	cmocka_unit_test(an_acknowledgement_alone_has_nothing_else),
	cmocka_unit_test(content_that_does_not_fit_is_refused),
	cmocka_unit_test(no_changed_bit_opens),
	cmocka_unit_test(each_sealing_is_another),
};

TEST_MAIN(tests)

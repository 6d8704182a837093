#include "config.h"

#include "common/journal/block.h"

#include <stdlib.h>
#include <string.h>

#include "tests/lib/test.h"
#include "tests/unit/journal/blocks.h"

/* A block with some of everything. */
static void
make(struct buf *out, struct block *b)
{
	static const uint8_t digests[3][8] = { { 0, 1 }, { 0, 2 }, { 9 } };
	static const char sheet[] = "a sheet", notice[] = "";
	static uint8_t lines[2 * BLOCK_MAILBOX_BYTES];
	struct block_mailbox m = { .mailbox = 3, .count = 1, .hash = { 1, 2, 3 } };

	block_mailbox_put(lines, &m);
	m = (struct block_mailbox){ .mailbox = 700, .count = 65535, .hash = { 4 } };
	block_mailbox_put(lines + BLOCK_MAILBOX_BYTES, &m);
	*b = (struct block){
		.gateway = 4,
		.round = 0x0102030405060708,
		.previous = { 7 },
		.entry_count = 2,
		.entries = {
			{ BLOCK_SHEET, (const uint8_t *)sheet, sizeof(sheet) },
			{ BLOCK_ISSUER, (const uint8_t *)notice, 0 },
		},
		.mailbox_count = 2,
		.mailboxes = lines,
		.digest_count = 3,
		.digests = digests[0],
	};
	buf_init(out);
	assert_err_ok(block_encode(out, b));
}

static void
test_round_trip(void **state)
{
	struct block in, out;
	struct buf bytes;

	(void)state;
	make(&bytes, &in);
	assert_err_ok(block_decode(&out, bytes.data, bytes.len));
	assert_int_equal(out.gateway, 4);
	assert_true(out.round == in.round);
	assert_memory_equal(out.previous, in.previous, 32);
	assert_memory_equal(out.hash, in.hash, 32);
	assert_false(out.epoch_block);
	assert_int_equal(out.entry_count, 2);
	assert_string_equal((const char *)out.entries[0].data, "a sheet");
	assert_int_equal(out.mailbox_count, 2);
	assert_memory_equal(out.mailboxes, in.mailboxes, 2 * BLOCK_MAILBOX_BYTES);
	assert_memory_equal(out.digests, in.digests, 3 * BLOCK_DIGEST_BYTES);
	buf_release(&bytes);
}

/* The layout of docs/protocol.md, section 8, at its offsets. */
static void
test_layout(void **state)
{
	struct block b;
	struct buf bytes;

	(void)state;
	make(&bytes, &b);
	assert_int_equal(bytes.len, 75 + 2 + 5 + 8 + 5 + 2 + 72 + 2 + 24);
	assert_int_equal(bytes.data[0], BLOCK_VERSION);
	assert_int_equal(load_u16(bytes.data + 1), 4);
	assert_true(load_u64(bytes.data + 3) == b.round);
	assert_int_equal(bytes.data[11], 7);
	assert_int_equal(load_u16(bytes.data + 75), 2);
	assert_int_equal(bytes.data[77], BLOCK_SHEET);
	assert_int_equal(load_u32(bytes.data + 78), 8);
	assert_int_equal(load_u16(bytes.data + 95), 2);
	assert_int_equal(load_u16(bytes.data + 97), 3);
	assert_int_equal(load_u16(bytes.data + 99), 1);
	assert_int_equal(load_u16(bytes.data + 169), 3);
	buf_release(&bytes);
}

static void
test_truncated_and_trailing(void **state)
{
	struct block b;
	struct buf bytes;

	(void)state;
	make(&bytes, &b);
	for (size_t n = 0; n < bytes.len; n++) {
		uint8_t *cut = malloc(n + 1); /* so that a sanitizer sees an overrun */

		assert_non_null(cut);
		memcpy(cut, bytes.data, n);
		assert_err(block_decode(&b, cut, n), ERR_TRUNCATED);
		free(cut);
	}
	assert_err_ok(buf_append(&bytes, "", 1, SIZE_MAX));
	assert_err(block_decode(&b, bytes.data, bytes.len), ERR_TRAILING);
	buf_release(&bytes);
}

/* Whatever a flipped bit makes of it, it is refused or another block. */
static void
test_every_flipped_bit(void **state)
{
	uint8_t hash[32];
	struct block b;
	struct buf bytes;

	(void)state;
	make(&bytes, &b);
	memcpy(hash, b.hash, 32);
	for (size_t i = 0; i < 8 * bytes.len; i++) {
		bytes.data[i / 8] ^= (uint8_t)(1 << i % 8);
		if (block_decode(&b, bytes.data, bytes.len) == ERR_OK)
			assert_memory_not_equal(b.hash, hash, 32);
		bytes.data[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	buf_release(&bytes);
}

static void
refused(struct block *b, enum err want)
{
	struct buf bytes;

	buf_init(&bytes);
	assert_err(block_encode(&bytes, b), want);
	assert_int_equal(bytes.len, 0);
	buf_release(&bytes);
}

static void
test_order(void **state)
{
	uint8_t digests[2][8] = { { 2 }, { 1 } };
	uint8_t lines[2 * BLOCK_MAILBOX_BYTES] = {0};
	struct block b = { .previous = { 1 }, .digest_count = 2, .digests = digests[0] };

	(void)state;
	refused(&b, ERR_MALFORMED);
	digests[1][0] = 2;
	refused(&b, ERR_MALFORMED); /* twice */
	b = (struct block){ .previous = { 1 }, .mailbox_count = 2, .mailboxes = lines };
	store_u16(lines + 2, 1);
	store_u16(lines + BLOCK_MAILBOX_BYTES + 2, 1);
	refused(&b, ERR_MALFORMED); /* mailbox 0 twice */
	store_u16(lines + BLOCK_MAILBOX_BYTES, 1);
	store_u16(lines + BLOCK_MAILBOX_BYTES + 2, 0);
	refused(&b, ERR_MALFORMED); /* no record */
}

static void
test_epoch_blocks(void **state)
{
	static const uint8_t digest[8];
	struct block b = { .round = 1 };
	struct buf bytes;

	(void)state;
	buf_init(&bytes);
	assert_err_ok(block_encode(&bytes, &b));
	assert_true(b.epoch_block); /* the founding block */
	b.digests = digest;
	b.digest_count = 1;
	refused(&b, ERR_MALFORMED);
	b = (struct block){ .previous_epoch = { 1 } };
	refused(&b, ERR_MALFORMED); /* an epoch before, but no block */
	b = (struct block){ .previous = { 1 }, .previous_epoch = { 1 } };
	bytes.len = 0;
	assert_err_ok(block_encode(&bytes, &b));
	assert_true(b.epoch_block);
	assert_err_ok(block_decode(&b, bytes.data, bytes.len));
	assert_true(b.epoch_block);
	buf_release(&bytes);
}

static void
test_limits(void **state)
{
	struct block b = { .previous = { 1 }, .entry_count = BLOCK_ENTRIES_MAX + 1 };
	uint8_t *big = calloc(1, BLOCK_BYTES_MAX);
	struct buf bytes;

	(void)state;
	assert_non_null(big);
	refused(&b, ERR_RANGE);
	b = (struct block){ .previous = { 1 }, .digest_count = BLOCK_DIGESTS_MAX + 1 };
	refused(&b, ERR_RANGE);
	b = (struct block){ .previous = { 1 }, .entry_count = 1,
		.entries = { { BLOCK_CHARTER, big, BLOCK_BYTES_MAX } } };
	refused(&b, ERR_RANGE);
	free(big);
	make(&bytes, &b);
	bytes.data[0] = BLOCK_VERSION + 1;
	assert_err(block_decode(&b, bytes.data, bytes.len), ERR_VERSION);
	bytes.data[0] = 0;
	assert_err(block_decode(&b, bytes.data, bytes.len), ERR_MALFORMED);
	bytes.data[0] = BLOCK_VERSION;
	bytes.data[77] = 4; /* kind of an entry */
	assert_err(block_decode(&b, bytes.data, bytes.len), ERR_MALFORMED);
	bytes.data[77] = 0;
	assert_err(block_decode(&b, bytes.data, bytes.len), ERR_MALFORMED);
	buf_release(&bytes);
}

static void
test_look_up(void **state)
{
	static const uint8_t absent[8] = { 0, 1, 1 }, present[8] = { 9 };
	struct block_mailbox m;
	struct block b;
	struct buf bytes;

	(void)state;
	make(&bytes, &b);
	assert_true(block_mailbox_find(&m, &b, 700));
	assert_int_equal(m.count, 65535);
	assert_int_equal(m.hash[0], 4);
	assert_true(block_mailbox_find(&m, &b, 3));
	assert_false(block_mailbox_find(&m, &b, 0));
	assert_false(block_mailbox_find(&m, &b, 699));
	assert_false(block_mailbox_find(&m, &b, 701));
	for (size_t i = 0; i < b.digest_count; i++)
		assert_true(block_has_digest(&b, b.digests + 8 * i));
	assert_true(block_has_digest(&b, present));
	assert_false(block_has_digest(&b, absent));
	assert_ptr_equal(block_entry_find(&b, BLOCK_ISSUER), &b.entries[1]);
	assert_null(block_entry_find(&b, BLOCK_CHARTER));
	buf_release(&bytes);
}

static void
test_signature(void **state)
{
	struct network *n = blocks_network();
	struct blocks *j = blocks_new(n, 1000, 2, 2, 0);
	const struct charter_node *gateway = charter_gateway(n->charter);
	struct blocks_one *one = &j->at[1];
	uint8_t other[32] = { 1 };

	(void)state;
	assert_err_ok(block_verify(false, gateway->number, one->point.round, one->point.hash,
	    one->signature, n->charter->network_id, gateway->identity));
	assert_err(block_verify(false, gateway->number, one->point.round + 1, one->point.hash,
	    one->signature, n->charter->network_id, gateway->identity), ERR_SIGNATURE);
	assert_err(block_verify(false, 1, one->point.round, one->point.hash, one->signature,
	    n->charter->network_id, gateway->identity), ERR_SIGNATURE);
	assert_err(block_verify(false, gateway->number, one->point.round, other, one->signature,
	    n->charter->network_id, gateway->identity), ERR_SIGNATURE);
	assert_err(block_verify(false, gateway->number, one->point.round, one->point.hash,
	    one->signature, other, gateway->identity), ERR_SIGNATURE);
	/* no other block can be passed off for an epoch block, and the other way round */
	assert_err(block_verify(true, gateway->number, one->point.round, one->point.hash,
	    one->signature, n->charter->network_id, gateway->identity), ERR_SIGNATURE);
	assert_err_ok(block_verify(true, gateway->number, j->at[0].point.round, j->at[0].point.hash,
	    j->at[0].signature, n->charter->network_id, gateway->identity));
	assert_err(block_verify(false, gateway->number, j->at[0].point.round, j->at[0].point.hash,
	    j->at[0].signature, n->charter->network_id, gateway->identity), ERR_SIGNATURE);
	one->signature[5] ^= 1;
	assert_err(block_verify(false, gateway->number, one->point.round, one->point.hash,
	    one->signature, n->charter->network_id, gateway->identity), ERR_SIGNATURE);
	blocks_free(j);
	network_free(n);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_round_trip),
	cmocka_unit_test(test_layout),
	cmocka_unit_test(test_truncated_and_trailing),
	cmocka_unit_test(test_every_flipped_bit),
	cmocka_unit_test(test_order),
	cmocka_unit_test(test_epoch_blocks),
	cmocka_unit_test(test_limits),
	cmocka_unit_test(test_look_up),
	cmocka_unit_test(test_signature),
};

TEST_MAIN(tests)

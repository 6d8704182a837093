#include "config.h"

#include "common/net/frame.h"

#include <stdlib.h>
#include <string.h>

#include "tests/lib/test.h"

#define HEADER_BYTES 8
#define ROUNDS 200

static struct params params;
static size_t node_bytes, up_bytes, down_bytes;
static uint8_t *frame, *content, *again;

static int
set_up(void **state)
{
	size_t most;

	(void)state;
	params_default(&params);
	node_bytes = params_node_frame_bytes(&params, 1);
	up_bytes = params_up_frame_bytes(&params);
	down_bytes = params_down_frame_bytes(&params);
	most = up_bytes > down_bytes ? up_bytes : down_bytes;
	frame = malloc(most);
	content = malloc(most);
	again = malloc(most);
	rng_bytes(test_rng(), frame, most); /* encoders write every byte */
	rng_bytes(test_rng(), content, most);
	return frame == NULL || content == NULL || again == NULL;
}

static int
tear_down(void **state)
{
	(void)state;
	free(frame);
	free(content);
	free(again);
	return 0;
}

static uint32_t
random_u32(void)
{
	return (uint32_t)rng_u64(test_rng());
}

static void
assert_zeros(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		assert_int_equal(p[i], 0);
}

/* ---- known bytes ---- */

static void
test_sizes(void **state)
{
	(void)state;
	/* docs/protocol.md, section 5: 4380 bytes of packet at layer 0, 56 less at each next. */
	assert_int_equal(up_bytes, 8 + 4380);
	assert_int_equal(params_node_frame_bytes(&params, 0), 8 + 4380);
	assert_int_equal(node_bytes, 8 + 4324);
	assert_int_equal(params_node_frame_bytes(&params, 3), 8 + 4212);
	assert_int_equal(down_bytes, 8 + params.pieces * 4224);
}

static void
test_node_layout(void **state)
{
	static const uint8_t packet_header[] = {0, 0, 0, 0, 0x78, 0x56, 0x34, 0x12};
	static const uint8_t batch[] = {3, 0, 0, 0, 0, 0, 0, 0, 1, 8, 7, 6, 5, 4, 3, 2, 1};
	static const uint8_t seed_header[] = {4, 0, 0, 0, 0x78, 0x56, 0x34, 0x12};
	static const uint8_t announcement_header[] = {2, 0, 0, 0, 0, 0, 0, 0};
	struct frame_node f = {.type = FRAME_NODE_PACKET, .epoch = 0x12345678, .packet = content};

	(void)state;
	frame_node_encode(frame, &params, 1, &f);
	assert_memory_equal(frame, packet_header, HEADER_BYTES);
	assert_memory_equal(frame + HEADER_BYTES, content, node_bytes - HEADER_BYTES);
	f = (struct frame_node){.type = FRAME_NODE_BATCH,
	    .batch_kind = FRAME_BATCH_ENDS,
	    .batch = UINT64_C(0x0102030405060708)};
	frame_node_encode(frame, &params, 1, &f);
	assert_memory_equal(frame, batch, sizeof(batch));
	assert_zeros(frame + sizeof(batch), node_bytes - sizeof(batch));
	f = (struct frame_node){.type = FRAME_NODE_ANNOUNCEMENT, .announcement = content};
	frame_node_encode(frame, &params, 1, &f);
	assert_memory_equal(frame, announcement_header, HEADER_BYTES);
	assert_memory_equal(frame + HEADER_BYTES, content, ANNOUNCEMENT_BYTES);
	assert_zeros(frame + HEADER_BYTES + ANNOUNCEMENT_BYTES,
	    node_bytes - HEADER_BYTES - ANNOUNCEMENT_BYTES);
	f = (struct frame_node){.type = FRAME_NODE_SEED, .epoch = 0x12345678, .seed = content};
	frame_node_encode(frame, &params, 1, &f);
	assert_memory_equal(frame, seed_header, HEADER_BYTES);
	assert_memory_equal(frame + HEADER_BYTES, content, 32);
	assert_zeros(frame + HEADER_BYTES + 32, node_bytes - HEADER_BYTES - 32);
}

static void
test_open_layout(void **state)
{
	static const uint8_t head[] = {1, 0, 0x34, 0x12, 0, 0, 0, 0, 1, 0, 0, 0, 4, 3, 2, 1};
	static const uint8_t tail[] = {1, 0xdd, 0xcc, 0xbb, 0xaa};
	struct frame_up f = {
	    .type = FRAME_UP_OPEN,
	    .open = {.version = 1,
		.mailbox = 0x1234,
		.hour = 0x01020304,
		.read = FRAME_READ_DAY,
		.day = 0xaabbccdd},
	};

	(void)state;
	memset(f.open.ticket_nonce, 0x11, 32);
	memset(f.open.ticket_proof, 0x22, 32);
	frame_up_encode(frame, &params, &f);
	assert_memory_equal(frame, head, 16);
	assert_memory_equal(frame + 16, f.open.ticket_nonce, 32);
	assert_memory_equal(frame + 48, f.open.ticket_proof, 32);
	assert_memory_equal(frame + 80, tail, 5);
	assert_zeros(frame + 85, up_bytes - 85);
}

static void
test_down_layout(void **state)
{
	static const uint8_t stream[] = {0, 0, 3, 0, 0, 0, 0, 0, 'a', 'b', 'c'};
	static const uint8_t error[] = {1, 0, 2, 0, 0, 0, 0, 0, 7, 0};
	struct frame_down f = {
	    .type = FRAME_DOWN_STREAM, .fill = 3, .stream = (const uint8_t *)"abc"};

	(void)state;
	frame_down_encode(frame, &params, &f);
	assert_memory_equal(frame, stream, sizeof(stream));
	assert_zeros(frame + sizeof(stream), down_bytes - sizeof(stream));
	f = (struct frame_down){.type = FRAME_DOWN_ERROR, .error = FRAME_ERROR_MARK};
	frame_down_encode(frame, &params, &f);
	assert_memory_equal(frame, error, sizeof(error));
	assert_zeros(frame + sizeof(error), down_bytes - sizeof(error));
}

/* ---- random frames: decode gives back what encode was given, and no other bytes do ---- */

static struct frame_node
random_node(void)
{
	struct frame_node f = {.type = (enum frame_node_type)rng_below(test_rng(), 5)};

	switch (f.type) {
	case FRAME_NODE_PACKET:
		f.epoch = random_u32();
		f.packet = content;
		break;
	case FRAME_NODE_IDLE:
		break;
	case FRAME_NODE_ANNOUNCEMENT:
		f.announcement = content;
		break;
	case FRAME_NODE_BATCH:
		f.batch_kind = (enum frame_batch_kind)rng_below(test_rng(), 2);
		f.batch = rng_u64(test_rng());
		break;
	case FRAME_NODE_SEED:
		f.epoch = random_u32();
		f.seed = content;
		break;
	}
	return f;
}

static void
test_node_round_trip(void **state)
{
	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		unsigned layer = rng_below(test_rng(), 4);
		size_t n = params_node_frame_bytes(&params, layer);
		struct frame_node f = random_node(), got;

		frame_node_encode(frame, &params, layer, &f);
		assert_err_ok(frame_node_decode(&got, &params, layer, frame));
		assert_int_equal(got.type, f.type);
		assert_int_equal(got.epoch, f.epoch);
		assert_int_equal(got.batch_kind, f.batch_kind);
		assert_true(got.batch == f.batch);
		assert_ptr_equal(got.packet, f.packet != NULL ? frame + HEADER_BYTES : NULL);
		assert_ptr_equal(got.seed, f.seed != NULL ? frame + HEADER_BYTES : NULL);
		assert_ptr_equal(
		    got.announcement, f.announcement != NULL ? frame + HEADER_BYTES : NULL);
		frame_node_encode(again, &params, layer, &got);
		assert_memory_equal(again, frame, n);
	}
}

static struct frame_up
random_up(void)
{
	struct frame_up f = {.type = (enum frame_up_type)rng_below(test_rng(), 2)};

	if (f.type == FRAME_UP_PACKET) {
		f.first_mix = (uint16_t)random_u32();
		f.epoch = random_u32();
		f.packet = content;
		return f;
	}
	f.open.version = 1;
	f.open.mailbox = (uint16_t)random_u32();
	f.open.hour = random_u32();
	f.open.read = (enum frame_read)rng_below(test_rng(), 3);
	if (f.open.read == FRAME_READ_DAY)
		f.open.day = random_u32();
	rng_bytes(test_rng(), f.open.ticket_nonce, 32);
	rng_bytes(test_rng(), f.open.ticket_proof, 32);
	return f;
}

static void
test_up_round_trip(void **state)
{
	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		struct frame_up f = random_up(), got;

		frame_up_encode(frame, &params, &f);
		assert_err_ok(frame_up_decode(&got, &params, frame));
		assert_int_equal(got.type, f.type);
		assert_int_equal(got.first_mix, f.first_mix);
		assert_int_equal(got.epoch, f.epoch);
		assert_ptr_equal(got.packet, f.packet != NULL ? frame + HEADER_BYTES : NULL);
		assert_int_equal(got.open.version, f.open.version);
		assert_int_equal(got.open.mailbox, f.open.mailbox);
		assert_int_equal(got.open.hour, f.open.hour);
		assert_int_equal(got.open.read, f.open.read);
		assert_int_equal(got.open.day, f.open.day);
		assert_memory_equal(got.open.ticket_nonce, f.open.ticket_nonce, 32);
		assert_memory_equal(got.open.ticket_proof, f.open.ticket_proof, 32);
		frame_up_encode(again, &params, &got);
		assert_memory_equal(again, frame, up_bytes);
	}
}

static struct frame_down
random_down(void)
{
	struct frame_down f = {.type = (enum frame_down_type)rng_below(test_rng(), 2)};

	if (f.type == FRAME_DOWN_ERROR) {
		f.error = (enum frame_error)(1 + rng_below(test_rng(), FRAME_ERROR_COMPLETE));
		return f;
	}
	f.fill = (uint16_t)rng_below(test_rng(), (uint32_t)(down_bytes - HEADER_BYTES + 1));
	f.stream = content;
	return f;
}

static void
test_down_round_trip(void **state)
{
	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		struct frame_down f = random_down(), got;

		frame_down_encode(frame, &params, &f);
		assert_err_ok(frame_down_decode(&got, &params, frame));
		assert_int_equal(got.type, f.type);
		assert_int_equal(got.error, f.error);
		assert_int_equal(got.fill, f.fill);
		if (f.type == FRAME_DOWN_STREAM)
			assert_memory_equal(got.stream, content, f.fill);
		frame_down_encode(again, &params, &got);
		assert_memory_equal(again, frame, down_bytes);
	}
}

/* ---- flipped bits: refused, or another frame that encodes to just these bytes ---- */

enum direction { NODE, UP, DOWN };

/* Decode `frame` and encode what comes out into `again`. */
static enum err
recode(enum direction d)
{
	struct frame_node node;
	struct frame_up up;
	struct frame_down down;
	enum err e = ERR_USAGE;

	switch (d) {
	case NODE:
		e = frame_node_decode(&node, &params, 1, frame);
		if (e == ERR_OK)
			frame_node_encode(again, &params, 1, &node);
		break;
	case UP:
		e = frame_up_decode(&up, &params, frame);
		if (e == ERR_OK)
			frame_up_encode(again, &params, &up);
		break;
	case DOWN:
		e = frame_down_decode(&down, &params, frame);
		if (e == ERR_OK)
			frame_down_encode(again, &params, &down);
		break;
	}
	return e;
}

/* Every single bit of the first n bytes; the count of frames still taken. */
static unsigned
flip_bits(enum direction d, size_t bytes, size_t n)
{
	unsigned taken = 0;

	for (size_t bit = 0; bit < n * 8; bit++) {
		enum err e;

		frame[bit / 8] ^= (uint8_t)(1U << bit % 8);
		e = recode(d);
		if (e == ERR_OK) {
			assert_memory_equal(again, frame, bytes);
			taken++;
		} else if (e != ERR_VERSION) {
			assert_err(e, ERR_MALFORMED);
		}
		frame[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	return taken;
}

static void
test_node_flips(void **state)
{
	struct frame_node f = {.type = FRAME_NODE_IDLE};

	(void)state;
	frame_node_encode(frame, &params, 1, &f);
	/* Type bits 0 and 1 make an (all zero) packet, or batch 0. */
	assert_int_equal(flip_bits(NODE, node_bytes, node_bytes), 2);
	f = (struct frame_node){.type = FRAME_NODE_PACKET, .packet = content};
	frame_node_encode(frame, &params, 1, &f);
	assert_int_equal(flip_bits(NODE, node_bytes, HEADER_BYTES), 32); /* the epoch */
	f = (struct frame_node){.type = FRAME_NODE_BATCH, .batch = 1};
	frame_node_encode(frame, &params, 1, &f);
	/* 64 bits of number, one of kind; as an announcement it has zeros behind. */
	assert_int_equal(flip_bits(NODE, node_bytes, HEADER_BYTES + 9 + 16), 64 + 1 + 1);
	f = (struct frame_node){.type = FRAME_NODE_ANNOUNCEMENT, .announcement = content};
	content[ANNOUNCEMENT_BYTES - 1] |= 1;
	frame_node_encode(frame, &params, 1, &f);
	/* Bit 1 of the type makes it a packet. */
	assert_int_equal(flip_bits(NODE, node_bytes, HEADER_BYTES), 1);
}

static void
test_up_flips(void **state)
{
	struct frame_up f = {.type = FRAME_UP_PACKET, .packet = content};

	(void)state;
	frame_up_encode(frame, &params, &f);
	content[up_bytes - 20] |= 1;
	assert_int_equal(flip_bits(UP, up_bytes, HEADER_BYTES), 16 + 32);
	f = (struct frame_up){.type = FRAME_UP_OPEN, .open = {.version = 1, .hour = 5}};
	frame_up_encode(frame, &params, &f);
	/* mailbox, hour, ticket, read 1 and 2; and as a packet */
	assert_int_equal(flip_bits(UP, up_bytes, up_bytes), 16 + 32 + 512 + 2 + 1);
	f.open.read = FRAME_READ_DAY;
	f.open.day = 9;
	frame_up_encode(frame, &params, &f);
	/* The day now; `read` can only stay, as others have no day. */
	assert_int_equal(flip_bits(UP, up_bytes, up_bytes), 16 + 32 + 512 + 32 + 1);
}

static void
test_down_flips(void **state)
{
	struct frame_down f = {.type = FRAME_DOWN_STREAM, .fill = 1, .stream = content};
	unsigned fills = 0;

	(void)state;
	content[0] = 0xff;
	frame_down_encode(frame, &params, &f);
	for (unsigned bit = 1; bit < 16; bit++)
		fills += (1U << bit) + 1 <= down_bytes - HEADER_BYTES;
	assert_int_equal(flip_bits(DOWN, down_bytes, HEADER_BYTES), fills);
	f = (struct frame_down){.type = FRAME_DOWN_ERROR, .error = FRAME_ERROR_VERSION};
	frame_down_encode(frame, &params, &f);
	/* As a stream; codes 3, 5 and 9. */
	assert_int_equal(flip_bits(DOWN, down_bytes, down_bytes), 1 + 3);
}

/* ---- cases by name ---- */

static void
test_refused(void **state)
{
	struct frame_up up = {.type = FRAME_UP_OPEN, .open = {.version = 2}};
	struct frame_down down = {.type = FRAME_DOWN_STREAM, .stream = content};
	struct frame_up got = {.epoch = 77};

	(void)state;
	frame_up_encode(frame, &params, &up);
	assert_err(recode(UP), ERR_VERSION);
	assert_err(frame_up_decode(&got, &params, frame), ERR_VERSION);
	assert_int_equal(got.epoch, 77); /* not touched */
	up.open.version = 0;
	frame_up_encode(frame, &params, &up);
	assert_err(recode(UP), ERR_MALFORMED);
	down.fill = (uint16_t)(down_bytes - HEADER_BYTES);
	frame_down_encode(frame, &params, &down);
	assert_err_ok(recode(DOWN));
	frame[2]++; /* more stream than the frame has room for */
	assert_err(recode(DOWN), ERR_MALFORMED);
}

/* The packet may have been built in its place in the frame. */
static void
test_encode_in_place(void **state)
{
	struct frame_up f = {.type = FRAME_UP_PACKET, .epoch = 3, .packet = frame + HEADER_BYTES};

	(void)state;
	memcpy(frame + HEADER_BYTES, content, up_bytes - HEADER_BYTES);
	frame_up_encode(frame, &params, &f);
	assert_memory_equal(frame + HEADER_BYTES, content, up_bytes - HEADER_BYTES);
}

static void
test_error_texts(void **state)
{
	(void)state;
	for (int a = 0; a <= FRAME_ERROR_COMPLETE; a++) {
		assert_true(strlen(frame_error_text((enum frame_error)a)) > 0);
		for (int b = 0; b < a; b++)
			assert_string_not_equal(frame_error_text((enum frame_error)a),
			    frame_error_text((enum frame_error)b));
	}
}

#define FRAME_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

static const struct CMUnitTest tests[] = {
    FRAME_TEST(test_sizes),
    FRAME_TEST(test_node_layout),
    FRAME_TEST(test_open_layout),
    FRAME_TEST(test_down_layout),
    FRAME_TEST(test_node_round_trip),
    FRAME_TEST(test_up_round_trip),
    FRAME_TEST(test_down_round_trip),
    FRAME_TEST(test_node_flips),
    FRAME_TEST(test_up_flips),
    FRAME_TEST(test_down_flips),
    FRAME_TEST(test_refused),
    FRAME_TEST(test_encode_in_place),
    FRAME_TEST(test_error_texts),
};

TEST_MAIN(tests)

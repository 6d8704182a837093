#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/bytes.h"
#include "tests/lib/test.h"

static void
test_little_endian(void **state)
{
	static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 0x88};
	uint8_t back[8];

	(void)state;
	assert_int_equal(load_u16(bytes), 0x0201);
	assert_int_equal(load_u32(bytes), 0x04030201);
	assert_true(load_u64(bytes) == 0x8807060504030201);
	store_u64(back, 0x8807060504030201);
	assert_memory_equal(back, bytes, 8);
	store_u32(back, 0x04030201);
	store_u16(back + 4, 0x0605);
	assert_memory_equal(back, bytes, 6);
}

/* One drawn field: kind 0..3 an integer of 1, 2, 4, 8 bytes; 4 bytes; 5 zeros. */
struct field {
	unsigned kind;
	uint64_t value;
	uint8_t bytes[32];
	size_t n;
};

static void
draw(struct field *f)
{
	f->kind = rng_below(test_rng(), 6);
	f->value = rng_u64(test_rng());
	f->n = rng_below(test_rng(), sizeof(f->bytes) + 1);
	rng_bytes(test_rng(), f->bytes, f->n);
}

static void
write_field(struct writer *w, const struct field *f)
{
	switch (f->kind) {
	case 0:
		writer_u8(w, (uint8_t)f->value);
		break;
	case 1:
		writer_u16(w, (uint16_t)f->value);
		break;
	case 2:
		writer_u32(w, (uint32_t)f->value);
		break;
	case 3:
		writer_u64(w, f->value);
		break;
	case 4:
		writer_copy(w, f->bytes, f->n);
		break;
	default:
		writer_zeros(w, f->n);
	}
}

static void
read_field(struct reader *r, const struct field *f)
{
	uint8_t bytes[32];

	switch (f->kind) {
	case 0:
		assert_int_equal(reader_u8(r), (uint8_t)f->value);
		break;
	case 1:
		assert_int_equal(reader_u16(r), (uint16_t)f->value);
		break;
	case 2:
		assert_int_equal(reader_u32(r), (uint32_t)f->value);
		break;
	case 3:
		assert_true(reader_u64(r) == f->value);
		break;
	case 4:
		reader_copy(r, bytes, f->n);
		assert_memory_equal(bytes, f->bytes, f->n);
		break;
	default:
		reader_zeros(r, f->n);
	}
}

static void
skip_field(struct reader *r, const struct field *f)
{
	static const size_t sizes[] = {1, 2, 4, 8};

	(void)reader_view(r, f->kind < 4 ? sizes[f->kind] : f->n);
}

static void
test_round_trip(void **state)
{
	struct field f[20];
	uint8_t space[20 * 32];
	struct writer w;
	struct reader r;

	(void)state;
	for (int round = 0; round < 500; round++) {
		size_t n = rng_below(test_rng(), 21);

		writer_init(&w, space, sizeof(space));
		for (size_t i = 0; i < n; i++) {
			draw(&f[i]);
			write_field(&w, &f[i]);
		}
		assert_err_ok(writer_end(&w));
		reader_init(&r, space, w.used);
		for (size_t i = 0; i < n; i++)
			read_field(&r, &f[i]);
		assert_err_ok(reader_end(&r));
	}
}

/* Whatever the cut, reading on is harmless, yields zeros, and the end tells. */
static void
test_every_cut_is_noticed(void **state)
{
	struct field f[6];
	uint8_t space[6 * 32], *cut;
	struct writer w;
	struct reader r;

	(void)state;
	writer_init(&w, space, sizeof(space));
	for (size_t i = 0; i < 6; i++) {
		draw(&f[i]);
		write_field(&w, &f[i]);
	}
	for (size_t len = 0; len < w.used; len++) {
		cut = malloc(len + 1); /* heap, so that a sanitizer sees an overrun */
		assert_non_null(cut);
		memcpy(cut, space, len);
		reader_init(&r, cut, len);
		for (size_t i = 0; i < 6; i++)
			skip_field(&r, &f[i]);
		assert_err(reader_end(&r), ERR_TRUNCATED);
		assert_true(reader_u64(&r) == 0);
		free(cut);
	}
}

static void
test_reader_error_sticks(void **state)
{
	static const uint8_t in[4] = {1, 2, 3, 4};
	uint8_t out[4] = {9, 9, 9, 9};
	struct reader r;

	(void)state;
	reader_init(&r, in, 4);
	assert_int_equal(reader_u8(&r), 1);
	assert_int_equal(reader_u32(&r), 0);
	assert_false(reader_ok(&r));
	assert_int_equal(reader_u8(&r), 0);
	assert_null(reader_view(&r, 0));
	reader_copy(&r, out, 4);
	assert_int_equal(load_u32(out), 0);
	reader_fail(&r, ERR_RANGE);
	assert_err(reader_end(&r), ERR_TRUNCATED);
}

static void
test_reader_end_wants_all(void **state)
{
	static const uint8_t in[3] = {0, 0, 7};
	struct reader r;

	(void)state;
	reader_init(&r, in, 3);
	reader_zeros(&r, 2);
	assert_err(reader_end(&r), ERR_TRAILING);
	reader_zeros(&r, 1);
	assert_err(reader_end(&r), ERR_MALFORMED);
	reader_init(&r, in, 3);
	reader_fail(&r, ERR_RANGE);
	assert_err(reader_end(&r), ERR_RANGE);
	reader_init(&r, NULL, 0);
	assert_non_null(reader_view(&r, 0));
	assert_err_ok(reader_end(&r));
}

static void
test_writer_error_sticks(void **state)
{
	uint8_t space[4] = {7, 7, 7, 7};
	struct writer w;

	(void)state;
	writer_init(&w, space, 3);
	writer_u16(&w, 0);
	writer_u16(&w, 0xffff);
	assert_false(writer_ok(&w));
	writer_u8(&w, 0xff); /* would fit, but what is before it is missing */
	assert_null(writer_space(&w, 0));
	writer_pad(&w);
	assert_err(writer_end(&w), ERR_FULL);
	assert_int_equal(w.used, 2);
	assert_int_equal(space[2], 7);
}

static void
test_writer_pad_and_space(void **state)
{
	uint8_t space[6] = {7, 7, 7, 7, 7, 7}, *p;
	struct writer w;

	(void)state;
	writer_init(&w, space, 5);
	p = writer_space(&w, 2);
	assert_ptr_equal(p, space);
	p[0] = 1;
	p[1] = 2;
	writer_pad(&w);
	assert_err_ok(writer_end(&w));
	assert_memory_equal(space, "\1\2\0\0\0\7", 6);
	assert_int_equal(w.used, 5);
}

/* A buffer against a plain array. */
static void
test_buf_against_model(void **state)
{
	uint8_t model[1000], piece[200];
	size_t len = 0;
	struct buf b;

	(void)state;
	buf_init(&b);
	for (int step = 0; step < 2000; step++) {
		size_t n = rng_below(test_rng(), sizeof(piece) + 1);

		if (rng_below(test_rng(), 3) == 0) {
			size_t gone = n < len ? n : len;

			buf_consume(&b, n);
			memmove(model, model + gone, len - gone);
			len -= gone;
		} else {
			rng_bytes(test_rng(), piece, n);
			if (n > sizeof(model) - len) {
				assert_err(buf_append(&b, piece, n, sizeof(model)), ERR_FULL);
				continue;
			}
			assert_err_ok(buf_append(&b, piece, n, sizeof(model)));
			memcpy(model + len, piece, n);
			len += n;
		}
		assert_int_equal(b.len, len);
		if (len > 0)
			assert_memory_equal(b.data, model, len);
	}
	buf_release(&b);
	assert_null(b.data);
}

static void
test_buf_bounds(void **state)
{
	struct buf b;
	uint8_t *p;

	(void)state;
	buf_init(&b);
	assert_err_ok(buf_append(&b, "abc", 3, 4));
	assert_err(buf_append(&b, "de", 2, 4), ERR_FULL);
	assert_err(buf_reserve(&b, SIZE_MAX, SIZE_MAX, &p), ERR_FULL);
	assert_err(buf_append(&b, "", 0, 2), ERR_FULL);
	assert_int_equal(b.len, 3);
	assert_err_ok(buf_reserve(&b, 1, 4, &p));
	assert_ptr_equal(p, b.data + 3);
	assert_int_equal(b.len, 3);
	buf_release(&b);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_little_endian),
    cmocka_unit_test(test_round_trip),
    cmocka_unit_test(test_every_cut_is_noticed),
    cmocka_unit_test(test_reader_error_sticks),
    cmocka_unit_test(test_reader_end_wants_all),
    cmocka_unit_test(test_writer_error_sticks),
    cmocka_unit_test(test_writer_pad_and_space),
    cmocka_unit_test(test_buf_against_model),
    cmocka_unit_test(test_buf_bounds),
};
TEST_MAIN(tests)

#include "config.h"

#include "common/journal/item.h"

#include <stdlib.h>
#include <string.h>

#include "common/charter/sheet.h"
#include "common/token/notice.h"
#include "tests/lib/test.h"

struct seen {
	size_t count;
	struct {
		enum item_kind kind;
		size_t len;
		uint8_t first, last;
	} at[64];
	enum err answer;
};

static enum err
each(void *arg, enum item_kind kind, const uint8_t *p, size_t n)
{
	struct seen *s = arg;

	assert_non_null(p);
	assert_true(s->count < 64);
	s->at[s->count].kind = kind;
	s->at[s->count].len = n;
	s->at[s->count].first = n > 0 ? p[0] : 0;
	s->at[s->count].last = n > 0 ? p[n - 1] : 0;
	s->count++;
	return s->answer;
}

static void
append(struct buf *stream, enum item_kind kind, uint8_t fill, size_t n)
{
	uint8_t *p = malloc(n + 1);

	assert_non_null(p);
	memset(p, fill, n);
	assert_err_ok(item_append(stream, kind, p, n, SIZE_MAX));
	free(p);
}

/* However the stream is cut into frames, the same items come out. */
static void
test_any_cuts(void **state)
{
	struct buf stream;

	(void)state;
	buf_init(&stream);
	append(&stream, ITEM_SHEET, 1, 500);
	append(&stream, ITEM_BLOCK, 2, 1);
	append(&stream, ITEM_RECORDS, 3, 0);
	append(&stream, ITEM_RECORDS, 4, 70000);
	append(&stream, ITEM_BLOCK, 5, 139);
	for (size_t most = 1; most < 4 * stream.len; most = most * 3 / 2 + 1) {
		struct seen seen = {0};
		struct item_assembler *a = item_assembler_new(each, &seen);

		assert_non_null(a);
		for (size_t at = 0, n; at < stream.len; at += n) {
			n = 1 + rng_below(test_rng(), (uint32_t)most);
			if (n > stream.len - at)
				n = stream.len - at;
			assert_err_ok(item_feed(a, stream.data + at, n));
		}
		assert_int_equal(seen.count, 5);
		assert_int_equal(seen.at[0].len, 500);
		assert_int_equal(seen.at[1].first, 2);
		assert_int_equal(seen.at[2].len, 0);
		assert_int_equal(seen.at[2].kind, ITEM_RECORDS);
		assert_int_equal(seen.at[3].len, 70000);
		assert_int_equal(seen.at[3].last, 4);
		assert_int_equal(seen.at[4].kind, ITEM_BLOCK);
		item_assembler_free(a);
	}
	buf_release(&stream);
}

static void
header_refused(uint8_t kind, uint32_t len, enum err want)
{
	uint8_t header[ITEM_HEADER_BYTES + 1] = { kind };
	struct seen seen = {0};
	struct item_assembler *a = item_assembler_new(each, &seen);

	assert_non_null(a);
	store_u32(header + 1, len);
	assert_err(item_feed(a, header, sizeof(header)), want);
	assert_err(item_feed(a, header, sizeof(header)), want); /* it stays */
	assert_int_equal(seen.count, 0);
	item_assembler_free(a);
}

static void
test_bad_headers(void **state)
{
	(void)state;
	header_refused(0, 1, ERR_MALFORMED);
	header_refused(6, 1, ERR_MALFORMED);
	header_refused(255, 1, ERR_MALFORMED);
	header_refused(ITEM_SHEET, SHEET_SHOWN_MAX + 1, ERR_RANGE);
	header_refused(ITEM_BLOCK, (4u << 20) + 65, ERR_RANGE);
	header_refused(ITEM_RECORDS, ITEM_RECORDS_MAX + 1, ERR_RANGE);
	header_refused(ITEM_RECORDS, UINT32_MAX, ERR_RANGE);
	header_refused(ITEM_CHARTER, CHARTER_BYTES_MAX + 1, ERR_RANGE);
	header_refused(ITEM_NOTICE, NOTICE_BYTES_MAX + 1, ERR_RANGE);
}

/* A header that promises much takes no memory by itself. */
static void
test_promise_without_bytes(void **state)
{
	uint8_t header[ITEM_HEADER_BYTES + 1] = { ITEM_RECORDS };
	struct seen seen = {0};

	(void)state;
	store_u32(header + 1, ITEM_RECORDS_MAX);
	for (int i = 0; i < 1000; i++) {
		struct item_assembler *a = item_assembler_new(each, &seen);

		assert_non_null(a);
		assert_err_ok(item_feed(a, header, sizeof(header)));
		item_assembler_free(a);
	}
	assert_int_equal(seen.count, 0);
}

static void
test_callback_stops(void **state)
{
	struct seen seen = { .answer = ERR_CHAIN };
	struct item_assembler *a = item_assembler_new(each, &seen);
	struct buf stream;

	(void)state;
	assert_non_null(a);
	buf_init(&stream);
	append(&stream, ITEM_BLOCK, 1, 10);
	append(&stream, ITEM_BLOCK, 1, 10);
	assert_err(item_feed(a, stream.data, stream.len), ERR_CHAIN);
	assert_err(item_feed(a, stream.data, stream.len), ERR_CHAIN);
	assert_int_equal(seen.count, 1);
	item_assembler_free(a);
	buf_release(&stream);
}

static void
test_append_bounds(void **state)
{
	uint8_t p[SHEET_SHOWN_MAX + 1] = {0};
	struct buf stream;

	(void)state;
	buf_init(&stream);
	assert_err(item_append(&stream, ITEM_SHEET, p, sizeof(p), SIZE_MAX), ERR_RANGE);
	assert_err(item_append(&stream, ITEM_SHEET, p, 10, 14), ERR_FULL);
	assert_int_equal(stream.len, 0);
	assert_err_ok(item_append(&stream, ITEM_SHEET, p, 10, 15));
	assert_int_equal(stream.len, 15);
	buf_release(&stream);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_any_cuts),
	cmocka_unit_test(test_bad_headers),
	cmocka_unit_test(test_promise_without_bytes),
	cmocka_unit_test(test_callback_stops),
	cmocka_unit_test(test_append_bounds),
};

TEST_MAIN(tests)

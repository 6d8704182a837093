#include "config.h"

#include <math.h>
#include <string.h>

#include "common/base/json.h"
#include "tests/lib/test.h"

static void
check_text(struct buf *b, const char *want)
{
	assert_int_equal(b->len, strlen(want));
	assert_memory_equal(b->data, want, b->len);
	buf_release(b);
}

static void
test_everything(void **state)
{
	struct buf b;
	struct json j;

	(void)state;
	buf_init(&b);
	json_init(&j, &b, 1000);
	json_object(&j);
	json_key(&j, "a"), json_i64(&j, INT64_MIN);
	json_key(&j, "b"), json_u64(&j, UINT64_MAX);
	json_key(&j, "c"), json_array(&j);
	json_bool(&j, true), json_bool(&j, false), json_null(&j);
	json_object(&j), json_close(&j);
	json_array(&j), json_close(&j);
	json_string_n(&j, "xyz", 2);
	json_close(&j);
	json_key(&j, "d"), json_double(&j, 0.5);
	json_key(&j, "e"), json_double(&j, (double)INFINITY);
	json_close(&j);
	json_newline(&j);
	assert_err_ok(json_end(&j));
	check_text(&b, "{\"a\":-9223372036854775808,\"b\":18446744073709551615,"
		       "\"c\":[true,false,null,{},[],\"xy\"],\"d\":0.5,\"e\":null}\n");
}

static void
check_string(const char *s, const char *want)
{
	struct buf b;
	struct json j;

	buf_init(&b);
	json_init(&j, &b, 1000);
	json_string(&j, s);
	assert_err_ok(json_end(&j));
	check_text(&b, want);
}

#define BAD "\xef\xbf\xbd"

static void
test_strings(void **state)
{
	(void)state;
	check_string("", "\"\"");
	check_string("a\"b\\c/d", "\"a\\\"b\\\\c/d\"");
	check_string("\n\t\x1b[31m\x7f", "\"\\n\\u0009\\u001b[31m\\u007f\"");
	check_string("\xc2\x9b"
		     "2J",
	    "\"\\u009b2J\""); /* C1 moves a cursor, too */
	check_string("\xc3\xa9\xe2\x82\xac", "\"\xc3\xa9\xe2\x82\xac\"");
	check_string("\xf0\x9f\x93\xab", "\"\xf0\x9f\x93\xab\"");
	check_string("\xc0\xaf", "\"" BAD BAD "\"");                 /* overlong */
	check_string("\xe0\x80\xaf", "\"" BAD BAD BAD "\"");         /* overlong */
	check_string("\xed\xa0\x80", "\"" BAD BAD BAD "\"");         /* a surrogate */
	check_string("\xf4\x90\x80\x80", "\"" BAD BAD BAD BAD "\""); /* above U+10FFFF */
	check_string("\xe2\x82", "\"" BAD BAD "\"");                 /* cut off */
	check_string("\xff"
		     "a",
	    "\"" BAD "a\"");
}

/* Whatever bytes come, what goes out is a string of printable UTF-8. */
static void
test_any_bytes(void **state)
{
	char in[64];

	(void)state;
	for (int i = 0; i < 3000; i++) {
		size_t n = rng_below(test_rng(), sizeof(in) + 1);
		struct buf b, twice;
		struct json j;

		buf_init(&b);
		buf_init(&twice);
		rng_bytes(test_rng(), in, n);
		json_init(&j, &b, 1000);
		json_string_n(&j, in, n);
		assert_err_ok(json_end(&j));
		for (size_t at = 0; at < b.len; at++)
			assert_true(b.data[at] >= 0x20 && b.data[at] != 0x7f);
		/* valid UTF-8 passes through again, with the quotes escaped */
		json_init(&j, &twice, 1000);
		json_string_n(&j, (const char *)b.data, b.len);
		assert_err_ok(json_end(&j));
		assert_memory_equal(twice.data, "\"\\\"", 3);
		buf_release(&b);
		buf_release(&twice);
	}
}

static void
test_bound_sticks(void **state)
{
	struct buf b;
	struct json j;

	(void)state;
	buf_init(&b);
	json_init(&j, &b, 4);
	json_array(&j);
	json_string(&j, "too long");
	json_null(&j);
	json_close(&j);
	assert_err(json_end(&j), ERR_FULL);
	assert_true(b.len <= 4);
	buf_release(&b);
}

enum call { OBJECT, ARRAY, CLOSE, KEY, VALUE };

static enum err
run(const enum call *calls, size_t n)
{
	struct buf b;
	struct json j;

	buf_init(&b);
	json_init(&j, &b, 100000);
	for (size_t i = 0; i < n; i++)
		switch (calls[i]) {
		case OBJECT:
			json_object(&j);
			break;
		case ARRAY:
			json_array(&j);
			break;
		case CLOSE:
			json_close(&j);
			break;
		case KEY:
			json_key(&j, "k");
			break;
		case VALUE:
			json_null(&j);
			break;
		}
	buf_release(&b);
	return json_end(&j);
}

static void
test_misuse(void **state)
{
	enum call deep[2 * JSON_DEPTH_MAX + 2];

	(void)state;
	assert_err(run((enum call[]){OBJECT}, 1), ERR_STATE);
	assert_err(run((enum call[]){CLOSE}, 1), ERR_STATE);
	assert_err(run((enum call[]){OBJECT, VALUE, CLOSE}, 3), ERR_STATE);
	assert_err(run((enum call[]){OBJECT, KEY, CLOSE}, 3), ERR_STATE);
	assert_err(run((enum call[]){OBJECT, KEY, KEY}, 3), ERR_STATE);
	assert_err(run((enum call[]){ARRAY, KEY}, 2), ERR_STATE);
	assert_err(run((enum call[]){KEY}, 1), ERR_STATE);
	assert_err(run((enum call[]){VALUE, VALUE}, 2), ERR_STATE);
	assert_err_ok(run((enum call[]){OBJECT, KEY, ARRAY, VALUE, CLOSE, KEY, VALUE, CLOSE}, 8));
	for (size_t i = 0; i < JSON_DEPTH_MAX; i++) {
		deep[i] = ARRAY;
		deep[JSON_DEPTH_MAX + i] = CLOSE;
	}
	assert_err_ok(run(deep, (size_t)2 * JSON_DEPTH_MAX));
	deep[JSON_DEPTH_MAX] = ARRAY;
	assert_err(run(deep, JSON_DEPTH_MAX + 1), ERR_STATE);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_everything),
    cmocka_unit_test(test_strings),
    cmocka_unit_test(test_any_bytes),
    cmocka_unit_test(test_bound_sticks),
    cmocka_unit_test(test_misuse),
};
TEST_MAIN(tests)

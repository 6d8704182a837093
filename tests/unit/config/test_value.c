#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/config/value.h"
#include "tests/lib/test.h"

typedef enum err parser(int64_t *out, const char *s);

struct sample {
	const char *text;
	enum err want;
	int64_t value;
};

static void
check_all(parser *parse, const struct sample *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int64_t v = 4711;

		assert_err(parse(&v, s[i].text), s[i].want);
		assert_true(v == (s[i].want == ERR_OK ? s[i].value : 4711));
	}
}
#define CHECK_ALL(parse, samples) check_all(parse, samples, sizeof(samples) / sizeof(samples[0]))

static void
test_integer(void **state)
{
	static const struct sample samples[] = {
	    {"0", ERR_OK, 0},
	    {"-1", ERR_OK, -1},
	    {"9223372036854775807", ERR_OK, INT64_MAX},
	    {"9223372036854775808", ERR_RANGE, 0},
	    {"-9223372036854775807", ERR_OK, -INT64_MAX},
	    {"99999999999999999999999999", ERR_RANGE, 0},
	    {"99999999999999999999999999x", ERR_MALFORMED, 0},
	    {"", ERR_MALFORMED, 0},
	    {"-", ERR_MALFORMED, 0},
	    {"-0", ERR_MALFORMED, 0},
	    {"+1", ERR_MALFORMED, 0},
	    {"01", ERR_MALFORMED, 0},
	    {"00", ERR_MALFORMED, 0},
	    {"0x10", ERR_MALFORMED, 0},
	    {"1 ", ERR_MALFORMED, 0},
	    {" 1", ERR_MALFORMED, 0},
	    {"1.0", ERR_MALFORMED, 0},
	    {"--1", ERR_MALFORMED, 0},
	};

	(void)state;
	CHECK_ALL(config_integer, samples);
}

static void
test_duration(void **state)
{
	static const struct sample samples[] = {
	    {"0ms", ERR_OK, 0},
	    {"200ms", ERR_OK, 200},
	    {"5s", ERR_OK, 5000},
	    {"10min", ERR_OK, 600000},
	    {"6h", ERR_OK, 21600000},
	    {"14d", ERR_OK, 1209600000},
	    {"9223372036854775807ms", ERR_OK, INT64_MAX},
	    {"106751991167d", ERR_OK, 106751991167 * 86400000},
	    {"106751991168d", ERR_RANGE, 0},
	    {"9223372036854775808ms", ERR_RANGE, 0},
	    {"5", ERR_MALFORMED, 0},
	    {"s", ERR_MALFORMED, 0},
	    {"5 s", ERR_MALFORMED, 0},
	    {"5S", ERR_MALFORMED, 0},
	    {"5sec", ERR_MALFORMED, 0},
	    {"1h30min", ERR_MALFORMED, 0},
	    {"-5s", ERR_MALFORMED, 0},
	    {"05s", ERR_MALFORMED, 0},
	    {"99999999999999999999weeks", ERR_MALFORMED, 0},
	};

	(void)state;
	CHECK_ALL(config_duration, samples);
}

static void
test_size(void **state)
{
	static const struct sample samples[] = {
	    {"0", ERR_OK, 0},
	    {"4096", ERR_OK, 4096},
	    {"64KiB", ERR_OK, 65536},
	    {"3MiB", ERR_OK, 3145728},
	    {"2GiB", ERR_OK, 2147483648},
	    {"8589934592GiB", ERR_RANGE, 0},
	    {"64kB", ERR_MALFORMED, 0},
	    {"64K", ERR_MALFORMED, 0},
	    {"-1", ERR_MALFORMED, 0},
	    {"KiB", ERR_MALFORMED, 0},
	};

	(void)state;
	CHECK_ALL(config_size, samples);
}

static void
test_decimal(void **state)
{
	static const struct sample samples[] = {
	    {"0", ERR_OK, 0},
	    {"2", ERR_OK, 2000},
	    {"0.25", ERR_OK, 250},
	    {"12.5", ERR_OK, 12500},
	    {"1.001", ERR_OK, 1001},
	    {"9223372036854774", ERR_OK, 9223372036854774000},
	    {"9223372036854776", ERR_RANGE, 0},
	    {"99999999999999999999", ERR_RANGE, 0},
	    {"1.0001", ERR_MALFORMED, 0},
	    {"1.", ERR_MALFORMED, 0},
	    {".5", ERR_MALFORMED, 0},
	    {"-1", ERR_MALFORMED, 0},
	    {"1e3", ERR_MALFORMED, 0},
	    {"nan", ERR_MALFORMED, 0},
	    {"01", ERR_MALFORMED, 0},
	    {"1.5 ", ERR_MALFORMED, 0},
	    {"", ERR_MALFORMED, 0},
	};

	(void)state;
	CHECK_ALL(config_decimal, samples);
}

static void
test_texts_round_trip(void **state)
{
	char text[CONFIG_VALUE_BYTES];
	int64_t back;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		int64_t v = rng_between(test_rng(), 0, INT64_MAX) >> rng_below(test_rng(), 63);

		if (rng_below(test_rng(), 2) == 0)
			v = v / 86400000 * 86400000;
		config_duration_text(text, v);
		assert_err_ok(config_duration(&back, text));
		assert_true(back == v);
		config_size_text(text, v);
		assert_err_ok(config_size(&back, text));
		assert_true(back == v);
		config_decimal_text(text, v / 2);
		assert_err_ok(config_decimal(&back, text));
		assert_true(back == v / 2);
		(void)snprintf(text, sizeof(text), "%" PRId64, -v);
		assert_err_ok(config_integer(&back, v == 0 ? "0" : text));
		assert_true(back == -v);
	}
}

static void
check_duration_text(int64_t ms, const char *want)
{
	char text[CONFIG_VALUE_BYTES];

	config_duration_text(text, ms);
	assert_string_equal(text, want);
}

static void
test_texts_use_the_largest_unit(void **state)
{
	char text[CONFIG_VALUE_BYTES];

	(void)state;
	check_duration_text(0, "0ms");
	check_duration_text(1500, "1500ms");
	check_duration_text(90000, "90s");
	check_duration_text(600000, "10min");
	check_duration_text(1209600000, "14d");
	config_size_text(text, 0);
	assert_string_equal(text, "0");
	config_size_text(text, 1536);
	assert_string_equal(text, "1536");
	config_size_text(text, 65536);
	assert_string_equal(text, "64KiB");
}

static void
test_bool(void **state)
{
	static const char *const bad[] = {"", "Yes", "true", "1", "no ", "yess"};
	bool b = false;

	(void)state;
	assert_err_ok(config_bool(&b, "yes"));
	assert_true(b);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_err(config_bool(&b, bad[i]), ERR_MALFORMED);
	assert_true(b);
	assert_err_ok(config_bool(&b, "no"));
	assert_false(b);
}

static void
test_path(void **state)
{
	(void)state;
	assert_err_ok(config_path("/"));
	assert_err_ok(config_path("/var/lib/r\xc3\xa9stante with blanks"));
	assert_err(config_path(""), ERR_MALFORMED);
	assert_err(config_path("relative"), ERR_MALFORMED);
	assert_err(config_path("~/x"), ERR_MALFORMED);
	assert_err(config_path("/a\nb"), ERR_MALFORMED);
}

static void
test_address(void **state)
{
	static const struct {
		const char *text;
		enum err want;
	} cases[] = {
	    {"127.0.0.1:7000", ERR_OK},
	    {"mix-1.example.org:1", ERR_OK},
	    {"abcdefghijklmnop.onion:65535", ERR_OK},
	    {"xn--bcher-kva.example:80", ERR_OK},
	    {"[::1]:7000", ERR_OK},
	    {"[fe80::1:2]:80", ERR_OK},
	    {"unix:/run/x", ERR_OK},
	    {"host:0", ERR_RANGE},
	    {"host:65536", ERR_RANGE},
	    {"host:99999999999999999999", ERR_RANGE},
	    {"host:", ERR_MALFORMED},
	    {"host:-1", ERR_RANGE},
	    {"host:080", ERR_MALFORMED},
	    {"host", ERR_MALFORMED},
	    {":80", ERR_MALFORMED},
	    {"", ERR_MALFORMED},
	    {"ho st:80", ERR_MALFORMED},
	    {"-host:80", ERR_MALFORMED},
	    {"host-:80", ERR_MALFORMED},
	    {"host.:80", ERR_MALFORMED},
	    {"host:80:90", ERR_MALFORMED},
	    {"[]:80", ERR_MALFORMED},
	    {"[::1]80", ERR_MALFORMED},
	    {"[::1", ERR_MALFORMED},
	    {"[::1]", ERR_MALFORMED},
	    {"[host]:80", ERR_MALFORMED},
	    {"unix:", ERR_MALFORMED},
	    {"unix:run/x", ERR_MALFORMED},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_err(config_address(cases[i].text), cases[i].want);
}

static const char *
name_at(const void *arg, size_t i)
{
	return ((const char *const *)arg)[i];
}

static void
test_similar(void **state)
{
	static const char *const names[] = {"slot", "round", "epoch", "layers", "on"};
	const size_t n = sizeof(names) / sizeof(names[0]);

	(void)state;
	assert_string_equal(config_similar("slto", n, name_at, names), "slot");
	assert_string_equal(config_similar("rounds", n, name_at, names), "round");
	assert_string_equal(config_similar("layer", n, name_at, names), "layers");
	assert_string_equal(config_similar("epoch", n, name_at, names), "epoch");
	assert_null(config_similar("mailboxes", n, name_at, names));
	assert_null(config_similar("xy", n, name_at, names));
	assert_null(config_similar("", 1, name_at, names));
	assert_null(config_similar("slot", 0, name_at, names));
	assert_null(config_similar("slotslotslotslotslotslotslotslots", n, name_at, names));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_integer),
    cmocka_unit_test(test_duration),
    cmocka_unit_test(test_size),
    cmocka_unit_test(test_decimal),
    cmocka_unit_test(test_texts_round_trip),
    cmocka_unit_test(test_texts_use_the_largest_unit),
    cmocka_unit_test(test_bool),
    cmocka_unit_test(test_path),
    cmocka_unit_test(test_address),
    cmocka_unit_test(test_similar),
};
TEST_MAIN(tests)

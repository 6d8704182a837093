#include "config.h"

#include "common/net/socks.h"

#include <stdio.h>
#include <string.h>

#include "tests/lib/test.h"

#define ONION "aoqqpp7tzyil4hlq3umoos6atft6jvrqtosq2xy53sdgiesvgg4bqead.onion"
#define TARGET ONION ":443"

/* One conversation; what was sent last is in out. */
struct talk {
	struct socks s;
	uint8_t out[SOCKS_SEND_MAX];
	size_t len, used;
	enum err e;
};

static void
say(struct talk *t, const void *p, size_t n)
{
	t->len = 0;
	t->used = 0;
	t->e = socks_step(&t->s, t->out, &t->len, &t->used, p, n);
}

static void
start(struct talk *t, const char *target, bool ordinary)
{
	assert_err_ok(socks_init(&t->s, target, ordinary, test_rng()));
	say(t, NULL, 0);
	assert_err_ok(t->e);
	assert_int_equal(t->len, 3);
	assert_memory_equal(t->out, "\x05\x01\x02", 3);
}

/* Up to the request for the stream, which is then in out. */
static void
to_connect(struct talk *t, const char *target)
{
	start(t, target, false);
	say(t, "\x05\x02", 2);
	assert_err_ok(t->e);
	say(t, "\x01\x00", 2);
	assert_err_ok(t->e);
	assert_int_equal(t->s.stage, SOCKS_CONNECT);
}

static const uint8_t ok_ipv6[22] = {5, 0, 0, 4};

static void
test_onion(void **state)
{
	struct talk t;

	(void)state;
	start(&t, TARGET, false);
	say(&t, "\x05\x02", 2);
	assert_err_ok(t.e);
	assert_int_equal(t.len, 1 + 1 + 9 + 1 + 32);
	assert_memory_equal(t.out, "\x01\x09<torS0X>0\x20", 12);
	say(&t, "\x01\x00", 2);
	assert_err_ok(t.e);
	assert_int_equal(t.len, 4 + 1 + 62 + 2);
	assert_memory_equal(t.out, "\x05\x01\x00\x03\x3e" ONION "\x01\xbb", t.len);
	say(&t, ok_ipv6, sizeof(ok_ipv6));
	assert_err_ok(t.e);
	assert_int_equal(t.s.stage, SOCKS_DONE);
	assert_int_equal(t.len, 0);
	assert_int_equal(t.used, sizeof(ok_ipv6));
	say(&t, "x", 1);
	assert_err(t.e, ERR_STATE);
	socks_release(&t.s);
}

static void
test_addresses(void **state)
{
	struct talk t;

	(void)state;
	to_connect(&t, "127.0.0.1:7000");
	assert_int_equal(t.len, 10);
	assert_memory_equal(t.out, "\x05\x01\x00\x01\x7f\x00\x00\x01\x1b\x58", 10);
	to_connect(&t, "[::1]:1");
	assert_int_equal(t.len, 22);
	assert_memory_equal(t.out, "\x05\x01\x00\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\1", 22);
}

static void
test_targets(void **state)
{
	static const char *const bad[] = {
		"", ":", ":1", ONION, ONION ":", ONION ":0", ONION ":01", ONION ":65536", ONION ":1x",
		"example.org:80", "onion:80", ".onion:80", "a b.onion:80", "a/b.onion:1", "[::1:80",
		"[]:80", "[::g]:80", "::1:80", "1.2.3:4", "unix:/x", "a.onion.:1",
	};
	char long_name[SOCKS_HOST_MAX + 32];
	struct socks s;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (socks_init(&s, bad[i], false, test_rng()) != ERR_USAGE)
			fail_msg("taken: %s", bad[i]);
	}
	memset(long_name, 'a', sizeof(long_name));
	memcpy(long_name + SOCKS_HOST_MAX - 6, ".onion:1", 9);
	assert_err_ok(socks_init(&s, long_name, false, test_rng()));
	memcpy(long_name + SOCKS_HOST_MAX - 5, ".onion:1", 9);
	assert_err(socks_init(&s, long_name, false, test_rng()), ERR_USAGE);
	assert_err_ok(socks_init(&s, "WWW.X.Onion:1", false, test_rng()));
	assert_true(socks_is_onion(TARGET));
	assert_false(socks_is_onion("127.0.0.1:1"));
	assert_false(socks_is_onion(".onion:1"));
	assert_false(socks_is_onion("unix:/a.onion"));
}

/* Two connections never show the same password, nor the same ordinary name. */
static void
test_isolation(void **state)
{
	struct talk a, b;

	(void)state;
	start(&a, TARGET, false);
	start(&b, TARGET, false);
	say(&a, "\x05\x02", 2);
	say(&b, "\x05\x02", 2);
	assert_memory_equal(a.out, b.out, 12);
	assert_memory_not_equal(a.out + 12, b.out + 12, 32);
	start(&a, TARGET, true);
	start(&b, TARGET, true);
	say(&a, "\x05\x02", 2);
	say(&b, "\x05\x02", 2);
	assert_int_equal(a.out[1], 32);
	assert_null(memchr(a.out + 2, '<', 32));
	assert_memory_not_equal(a.out + 2, b.out + 2, 32);
	assert_memory_not_equal(a.out + 35, b.out + 35, 32);
}

static void
test_name_refused(void **state)
{
	struct talk t;

	(void)state;
	start(&t, TARGET, false);
	say(&t, "\x05\x02", 2);
	say(&t, "\x05\x01", 2); /* tor's form */
	assert_err(t.e, ERR_STATE);
	assert_true(t.s.name_refused);
	start(&t, TARGET, true);
	say(&t, "\x05\x02", 2);
	say(&t, "\x01\x01", 2);
	assert_err(t.e, ERR_STATE);
	assert_false(t.s.name_refused); /* there is no other name to try */
	start(&t, TARGET, false);
	say(&t, "\x05\xff", 2);
	assert_err(t.e, ERR_STATE);
	assert_false(t.s.name_refused);
}

static void
test_every_code(void **state)
{
	struct talk t;

	(void)state;
	for (unsigned code = 0; code < 256; code++) {
		uint8_t reply[22] = {5, (uint8_t)code, 0, 4};

		to_connect(&t, TARGET);
		say(&t, reply, sizeof(reply));
		assert_err(t.e, socks_err((uint8_t)code));
		assert_int_equal(t.s.code, code);
		assert_true((t.e == ERR_OK) == (code == 0));
		assert_int_equal(t.s.stage, code == 0 ? SOCKS_DONE : SOCKS_FAILED);
		assert_true(strlen(socks_reason((uint8_t)code)) > 5);
	}
	assert_err(socks_err(SOCKS_CODE_NO_AUTH), ERR_NO_KEY);
	assert_err(socks_err(SOCKS_CODE_WRONG_AUTH), ERR_DENIED);
	assert_contains(socks_reason(SOCKS_CODE_NO_AUTH), "missing");
	assert_contains(socks_reason(SOCKS_CODE_WRONG_AUTH), "wrong");
	assert_contains(socks_reason(SOCKS_CODE_DESC_NOT_FOUND), "not published");
}

/* A whole conversation of the proxy's, with each form of its last answer. */
struct script {
	const char *bytes;
	size_t len;
};
static const struct script scripts[] = {
	{ "\x05\x02\x01\x00\x05\x00\x00\x01\x7f\0\0\1\0\0", 14 },
	{ "\x05\x02\x01\x00\x05\x00\x00\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 26 },
	{ "\x05\x02\x01\x00\x05\x00\x00\x03\x00\0\0", 11 },
	{ "\x05\x02\x01\x00\x05\x00\x00\x03\x05hello\0\0", 16 },
};
#define SCRIPT_COUNT (sizeof(scripts) / sizeof(scripts[0]))

/* Say n bytes of it in pieces that do not cross an answer; stops at an error. */
static void
play(struct talk *t, const uint8_t *p, size_t n, size_t piece)
{
	size_t at = 0;

	start(t, TARGET, false);
	while (at < n && t->e == ERR_OK && t->s.stage != SOCKS_DONE) {
		size_t end = at < 2 ? 2 : at < 4 ? 4 : n;
		size_t take = end - at < piece ? end - at : piece;

		if (take > n - at)
			take = n - at;
		say(t, p + at, take);
		at += take;
	}
}

static void
test_any_pieces_and_no_byte_of_the_stream(void **state)
{
	(void)state;
	for (size_t i = 0; i < SCRIPT_COUNT; i++) {
		for (size_t piece = 1; piece < 40; piece++) {
			uint8_t bytes[64];
			struct talk t;

			memcpy(bytes, scripts[i].bytes, scripts[i].len);
			memset(bytes + scripts[i].len, 'x', 10);
			play(&t, bytes, scripts[i].len + 10, piece);
			assert_err_ok(t.e);
			assert_int_equal(t.s.stage, SOCKS_DONE);
			assert_true(t.used <= scripts[i].len - 4);
		}
	}
}

static void
test_truncated(void **state)
{
	(void)state;
	for (size_t i = 0; i < SCRIPT_COUNT; i++) {
		for (size_t n = 0; n < scripts[i].len; n++) {
			struct talk t;

			play(&t, (const uint8_t *)scripts[i].bytes, n, 64);
			assert_err_ok(t.e);
			assert_true(t.s.stage != SOCKS_DONE);
		}
	}
}

/* Only what stands where an address or a port is may change and be taken. */
static void
test_flipped(void **state)
{
	(void)state;
	for (size_t i = 0; i < SCRIPT_COUNT; i++) {
		for (size_t at = 0; at < scripts[i].len; at++) {
			for (unsigned bit = 0; bit < 8; bit++) {
				uint8_t bytes[64] = {0};
				struct talk t;

				memcpy(bytes, scripts[i].bytes, scripts[i].len);
				bytes[at] ^= (uint8_t)(1u << bit);
				play(&t, bytes, scripts[i].len, 64);
				if (at < 7 && !(at == 2 && bytes[at] == 5))
					assert_true(t.e != ERR_OK);
				else if (at > 8)
					assert_err_ok(t.e);
			}
		}
	}
}

/* The proxy's next answer cannot come before our next question. */
static void
test_out_of_turn(void **state)
{
	struct talk t;

	(void)state;
	start(&t, TARGET, false);
	say(&t, "\x05\x02\x01", 3);
	assert_err(t.e, ERR_MALFORMED);
	say(&t, "\x01", 1);
	assert_err(t.e, ERR_STATE);
	start(&t, TARGET, false);
	say(&t, "\x05\x02", 2);
	say(&t, "\x01\x00\x05", 3);
	assert_err(t.e, ERR_MALFORMED);
	assert_int_equal(t.len, 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_onion),
	cmocka_unit_test(test_addresses),
	cmocka_unit_test(test_targets),
	cmocka_unit_test(test_isolation),
	cmocka_unit_test(test_name_refused),
	cmocka_unit_test(test_every_code),
	cmocka_unit_test(test_any_pieces_and_no_byte_of_the_stream),
	cmocka_unit_test(test_truncated),
	cmocka_unit_test(test_flipped),
	cmocka_unit_test(test_out_of_turn),
};

TEST_MAIN(tests)

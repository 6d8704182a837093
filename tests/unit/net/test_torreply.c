#include "config.h"

#include "common/net/torreply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/bytes.h"
#include "tests/lib/test.h"

/* What a stream of replies says, written down line by line. */
struct notes {
	char text[8192];
	size_t len;
	unsigned replies;
	enum err e;
};

static void
note(struct notes *n, const char *p, size_t len)
{
	assert_true(n->len + len < sizeof(n->text));
	memcpy(n->text + n->len, p, len);
	n->len += len;
	n->text[n->len] = '\0';
}

static void
note_reply(struct notes *n, const struct control_reply *r)
{
	char head[32];

	n->replies++;
	note(n, head, (size_t)snprintf(head, sizeof(head), "%u:", r->code));
	for (size_t i = 0; i < r->count; i++) {
		note(n, "[", 1);
		note(n, r->lines[i].text, r->lines[i].len);
		if (r->lines[i].data != NULL) {
			note(n, "{", 1);
			note(n, r->lines[i].data, r->lines[i].data_len);
			note(n, "}", 1);
		}
		note(n, "]", 1);
	}
	note(n, ";", 1);
}

/* Feed in pieces of this size, up to the first error. */
static void
feed(struct notes *out, const void *bytes, size_t n, size_t piece)
{
	struct torreply *t = torreply_new();
	const uint8_t *p = bytes;
	size_t at = 0;

	*out = (struct notes){.len = 0};
	assert_non_null(t);
	while (at < n && out->e == ERR_OK) {
		const struct control_reply *reply;
		size_t take = n - at < piece ? n - at : piece, used = 0;
		uint8_t *copy = malloc(take); /* so that a read beyond shows */

		assert_non_null(copy);
		memcpy(copy, p + at, take);
		out->e = torreply_feed(t, &reply, &used, copy, take);
		free(copy);
		if (out->e != ERR_OK)
			break;
		assert_true(used > 0 && used <= take);
		at += used;
		if (reply != NULL)
			note_reply(out, reply);
		else
			assert_int_equal(used, take);
	}
	if (out->e != ERR_OK) {
		const struct control_reply *reply;
		size_t used;

		assert_err(torreply_feed(t, &reply, &used, (const uint8_t *)"250 OK\n", 7), out->e);
		torreply_reset(t);
		assert_err_ok(torreply_feed(t, &reply, &used, (const uint8_t *)"250 OK\n", 7));
		assert_non_null(reply);
	}
	torreply_free(t);
}

static const struct {
	const char *in, *out;
	enum err e;
} cases[] = {
	{ "250 OK\r\n", "250:[OK];", ERR_OK },
	{ "250 OK\n", "250:[OK];", ERR_OK },
	{ "250 \r\n", "250:[];", ERR_OK },
	{ "250-a=b\r\n250 OK\r\n", "250:[a=b][OK];", ERR_OK },
	{ "250-a\r\n552 x\r\n", "552:[a][x];", ERR_OK },
	{ "250+onions/current=\r\na\r\nb\r\n.\r\n250 OK\r\n", "250:[onions/current={a\nb\n}][OK];",
	    ERR_OK },
	{ "250+x=\r\n.\r\n250 OK\r\n", "250:[x={}][OK];", ERR_OK },
	{ "250+x=\r\n..\r\n...a\r\n.b\r\n\r\n.\r\n250 OK\r\n", "250:[x={.\n..a\nb\n\n}][OK];", ERR_OK },
	{ "250+x=\nfoo bar\n250 OK\n.\n250 OK\n", "250:[x={foo bar\n250 OK\n}][OK];", ERR_OK },
	{ "650 A\r\n250 OK\r\n650-B\r\n650+C\r\n650 D\r\n.\r\n650 E\r\n",
	    "650:[A];250:[OK];650:[B][C{650 D\n}][E];", ERR_OK },
	{ "515 Authentication failed: x\r\n", "515:[Authentication failed: x];", ERR_OK },
	{ "\r\n", "", ERR_MALFORMED },
	{ "250\r\n", "", ERR_MALFORMED },
	{ "150 x\r\n", "", ERR_MALFORMED },
	{ "750 x\r\n", "", ERR_MALFORMED },
	{ "2a0 x\r\n", "", ERR_MALFORMED },
	{ "25x x\r\n", "", ERR_MALFORMED },
	{ "250_x\r\n", "", ERR_MALFORMED },
	{ "250-x\r\n650 y\r\n", "", ERR_MALFORMED },
	{ "650-x\r\n250 y\r\n", "", ERR_MALFORMED },
	{ "250 OK\r\n.\r\n", "250:[OK];", ERR_MALFORMED },
	{ "SSH-2.0-OpenSSH\r\n", "", ERR_MALFORMED },
};
#define CASE_COUNT (sizeof(cases) / sizeof(cases[0]))

static void
test_replies_in_any_pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < CASE_COUNT; i++) {
		for (size_t piece = 1; piece <= strlen(cases[i].in); piece++) {
			struct notes n;

			feed(&n, cases[i].in, strlen(cases[i].in), piece);
			assert_string_equal(n.text, cases[i].out);
			assert_err(n.e, cases[i].e);
		}
	}
}

static void
test_truncated_is_not_whole(void **state)
{
	(void)state;
	for (size_t i = 0; i < CASE_COUNT; i++) {
		struct notes whole, n;

		if (cases[i].e != ERR_OK)
			continue;
		feed(&whole, cases[i].in, strlen(cases[i].in), 4096);
		for (size_t len = 0; len < strlen(cases[i].in); len++) {
			feed(&n, cases[i].in, len, 4096);
			assert_err_ok(n.e);
			assert_true(n.replies < whole.replies);
			assert_memory_equal(n.text, whole.text, n.len);
		}
	}
}

static void
test_nul_is_refused(void **state)
{
	struct notes n;

	(void)state;
	feed(&n, "250 a\0b\r\n", 9, 9);
	assert_err(n.e, ERR_MALFORMED);
	feed(&n, "250+a\r\na\0b\r\n.\r\n250 OK\r\n", 23, 23);
	assert_err(n.e, ERR_MALFORMED);
}

/* A unit over and over, `times` times, behind a beginning. */
static enum err
feed_many(const char *first, const char *unit, size_t times, const char *last)
{
	struct torreply *t = torreply_new();
	const struct control_reply *reply = NULL;
	size_t used;
	enum err e;

	assert_non_null(t);
	e = torreply_feed(t, &reply, &used, (const uint8_t *)first, strlen(first));
	for (size_t i = 0; i < times && e == ERR_OK; i++)
		e = torreply_feed(t, &reply, &used, (const uint8_t *)unit, strlen(unit));
	if (e == ERR_OK)
		e = torreply_feed(t, &reply, &used, (const uint8_t *)last, strlen(last));
	if (e == ERR_OK)
		assert_non_null(reply);
	torreply_free(t);
	return e;
}

static void
test_limits(void **state)
{
	const char *const kilobyte = "250-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n";

	(void)state;
	assert_err_ok(feed_many("", "250-\r\n", CONTROL_LINES_MAX - 1, "250 OK\r\n"));
	assert_err(feed_many("", "250-\r\n", CONTROL_LINES_MAX, "250 OK\r\n"), ERR_FULL);
	assert_err_ok(feed_many("250 ", "x", CONTROL_LINE_MAX - 6, "\r\n"));
	assert_err(feed_many("250 ", "x", CONTROL_LINE_MAX - 5, "\r\n"), ERR_FULL);
	assert_err_ok(feed_many("250+\r\n", "x\n", CONTROL_REPLY_MAX / 2 - 8, ".\r\n250 OK\r\n"));
	assert_err(feed_many("250+\r\n", "x\n", CONTROL_REPLY_MAX / 2, ".\r\n250 OK\r\n"), ERR_FULL);
	assert_err_ok(feed_many("", kilobyte, 4000, "250 OK\r\n"));
	assert_err(feed_many("250+\r\n", kilobyte, CONTROL_REPLY_MAX / 32, ""), ERR_FULL);
}

static void
test_random_bytes(void **state)
{
	static const char some[] = "2650-+ .\r\n\nOK=\"";

	(void)state;
	for (unsigned run = 0; run < 3000; run++) {
		uint8_t bytes[200];
		size_t n = rng_below(test_rng(), sizeof(bytes));
		struct notes a, b;

		for (size_t i = 0; i < n; i++)
			bytes[i] = (uint8_t)some[rng_below(test_rng(), sizeof(some) - 1)];
		feed(&a, bytes, n, 4096);
		feed(&b, bytes, n, 1 + rng_below(test_rng(), 7));
		assert_err(a.e, b.e);
		assert_string_equal(a.text, b.text);
	}
}

/* ---- words ---- */

static void
test_words(void **state)
{
	static const char line[] = "AUTH METHODS=COOKIE,SAFECOOKIE  COOKIEFILE=\"/a \\\"b\\\\\" X= =y";
	const char *at = line, *end = line + sizeof(line) - 1;
	struct torreply_word w;

	(void)state;
	assert_err_ok(torreply_word(&w, &at, end));
	assert_true(torreply_word_is(&w, "AUTH"));
	assert_false(torreply_word_is(&w, "AUT"));
	assert_null(w.value);
	assert_err_ok(torreply_word(&w, &at, end));
	assert_true(torreply_word_is(&w, "METHODS"));
	assert_int_equal(w.value_len, 17);
	assert_err_ok(torreply_word(&w, &at, end));
	assert_int_equal(w.value_len, 10);
	assert_err_ok(torreply_word(&w, &at, end));
	assert_true(torreply_word_is(&w, "X"));
	assert_int_equal(w.value_len, 0);
	assert_err_ok(torreply_word(&w, &at, end));
	assert_int_equal(w.key_len, 0);
	assert_err(torreply_word(&w, &at, end), ERR_NOT_FOUND);
	assert_err_ok(torreply_find(&w, line, sizeof(line) - 1, "COOKIEFILE"));
	assert_memory_equal(w.value, "\"/a ", 4);
	assert_err(torreply_find(&w, line, sizeof(line) - 1, "COOKIE"), ERR_NOT_FOUND);
	assert_err(torreply_find(&w, "A=\"x", 4, "B"), ERR_MALFORMED);
	assert_err(torreply_find(&w, "A=\"x\\", 5, "B"), ERR_MALFORMED);
	assert_err(torreply_find(&w, "A=\"x\\\"", 6, "B"), ERR_MALFORMED);
	assert_err(torreply_find(&w, "A=\"x\"y", 6, "A"), ERR_MALFORMED);
	assert_err(torreply_find(&w, "A=\"", 3, "A"), ERR_MALFORMED);
	assert_err(torreply_find(&w, "   ", 3, "A"), ERR_NOT_FOUND);
}

static void
test_unquote(void **state)
{
	static const struct {
		const char *in, *out;
		enum err e;
	} quotes[] = {
		{ "plain", "plain", ERR_OK },
		{ "", "", ERR_OK },
		{ "\"\"", "", ERR_OK },
		{ "\"/run/tor/x\"", "/run/tor/x", ERR_OK },
		{ "\"a\\\\b\\\"c\\'d\"", "a\\b\"c'd", ERR_OK },
		{ "\"\\101\\60x\\7711\"", NULL, ERR_MALFORMED }, /* \771 is no byte */
		{ "\"\\101\\60x\\1011\"", "A0xA1", ERR_OK },
		{ "\"\\n\"", NULL, ERR_MALFORMED },
		{ "\"\\0\"", NULL, ERR_MALFORMED },
		{ "\"\\x41\"", NULL, ERR_MALFORMED },
		{ "\"a", NULL, ERR_MALFORMED },
		{ "\"a\\\"", NULL, ERR_MALFORMED },
		{ "\"a\"b", NULL, ERR_MALFORMED },
		{ "\"a\"b\"", NULL, ERR_MALFORMED },
		{ "\"", NULL, ERR_MALFORMED },
		{ "123456789012345", "123456789012345", ERR_OK },
		{ "1234567890123456", NULL, ERR_FULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(quotes) / sizeof(quotes[0]); i++) {
		char out[16];

		assert_err(torreply_unquote(out, sizeof(out), quotes[i].in, strlen(quotes[i].in)),
		    quotes[i].e);
		if (quotes[i].e == ERR_OK)
			assert_string_equal(out, quotes[i].out);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_replies_in_any_pieces),
	cmocka_unit_test(test_truncated_is_not_whole),
	cmocka_unit_test(test_nul_is_refused),
	cmocka_unit_test(test_limits),
	cmocka_unit_test(test_random_bytes),
	cmocka_unit_test(test_words),
	cmocka_unit_test(test_unquote),
};

TEST_MAIN(tests)

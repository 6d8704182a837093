/*
 * Contacts: names, UTF-8 against a table of RFC 3629, saving in every state.
 */
#include "config.h"

#include "tests/lib/test.h"

#include <sodium.h>
#include <string.h>

#include "client-lib/contact.h"

static void
names_are_checked(void **state)
{
	static const char *const good[] = { "a", "Bob", "Zo\xc3\xab", "\xf0\x9f\x90\xa6", "a#1",
		"two words" };
	static const char *const bad[] = { "", "#1", "a\nb", "a\x7f", "\xc2\x85", "x\xc2\x9f", "\xff",
		"a\xc3", "\x1b[1m" };
	char name[POST_NAME_MAX + 1];
	struct diag d;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_err_ok(contact_name_check(good[i], &d));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_not_equal(contact_name_check(bad[i], &d), ERR_OK);
	memset(name, 'n', sizeof(name));
	name[POST_NAME_MAX] = '\0';
	assert_err(contact_name_check(name, &d), ERR_RANGE);
	name[POST_NAME_MAX - 1] = '\0';
	assert_err_ok(contact_name_check(name, &d));
}

/* Decode by the definition: bits, then what RFC 3629 excludes. 0 if there is no character. */
static size_t
model_character(const uint8_t *p, size_t n)
{
	static const uint32_t least[] = { 0, 1, 0x80, 0x800, 0x10000 };
	size_t len = p[0] < 0x80 ? 1 : (p[0] & 0xe0) == 0xc0 ? 2 : (p[0] & 0xf0) == 0xe0 ? 3
	    : (p[0] & 0xf8) == 0xf0 ? 4 : 0;
	uint32_t v = len <= 1 ? p[0] : p[0] & (0x7fu >> len);

	if (len == 0 || len > n)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		v = v << 6 | (p[i] & 0x3f);
	}
	return v >= least[len] && v <= 0x10ffff && (v < 0xd800 || v > 0xdfff) ? len : 0;
}

static bool
model_utf8(const uint8_t *p, size_t n)
{
	for (size_t len; n > 0; p += len, n -= len) {
		len = model_character(p, n);
		if (len == 0)
			return false;
	}
	return true;
}

/* Every sequence of two bytes, and of four from the edges of every range. */
static void
utf8_is_that_of_rfc_3629(void **state)
{
	static const uint8_t edges[] = { 0x00, 0x01, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0,
		0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5,
		0xff };
	const size_t n = sizeof(edges);
	uint8_t p[4];

	(void)state;
	for (unsigned i = 0; i < 65536; i++) {
		p[0] = (uint8_t)(i >> 8);
		p[1] = (uint8_t)i;
		assert_int_equal(contact_utf8(p, 2), model_utf8(p, 2));
	}
	for (size_t i = 0; i < n * n * n * n; i++) {
		p[0] = edges[i / n / n / n];
		p[1] = edges[i / n / n % n];
		p[2] = edges[i / n % n];
		p[3] = edges[i % n];
		assert_int_equal(contact_utf8(p, 4), model_utf8(p, 4));
		assert_int_equal(contact_utf8(p, 3), model_utf8(p, 3));
	}
	assert_true(contact_utf8("", 0));
}

static void
cleaned_text_is_utf8_and_the_rest_stays(void **state)
{
	char text[64], before[64];

	(void)state;
	for (unsigned i = 0; i < 5000; i++) {
		rng_bytes(test_rng(), text, sizeof(text));
		memcpy(before, text, sizeof(text));
		contact_utf8_clean(text, sizeof(text));
		assert_true(contact_utf8(text, sizeof(text)));
		for (size_t k = 0; k < sizeof(text); k++)
			assert_true(text[k] == before[k] || text[k] == '?');
	}
	(void)memcpy(text, "Zo\xc3\xab \xc3(\0z", 10);
	contact_utf8_clean(text, 9);
	assert_memory_equal(text, "Zo\xc3\xab ?(?z", 9);
}

/* ---- save and load ---- */

static struct contact *
contact_in(enum post_contact_state s)
{
	struct contact *c = contact_new(7, "Bob");
	struct invite_secrets secrets;

	assert_non_null(c);
	c->state = s;
	c->mailbox = 3;
	c->verified = true;
	rng_bytes(test_rng(), c->identity, 32);
	rng_bytes(test_rng(), &secrets, sizeof(secrets));
	if (s != POST_INVITED)
		assert_err_ok(contact_set_streams(c, &secrets, test_rng(), test_rng()));
	if (s != POST_ESTABLISHED) {
		rng_bytes(test_rng(), c->invite.psk, 32);
		rng_bytes(test_rng(), c->one_time_sk, 32);
		rng_bytes(test_rng(), c->f, 32);
		c->invite.expires_ms = 123456;
		c->attempt = 5;
	}
	if (s == POST_INVITED)
		invite_tags(&c->tags, c->invite.psk);
	return c;
}

static void
every_state_is_saved_and_loaded(void **state)
{
	(void)state;
	for (int s = POST_INVITED; s <= POST_ESTABLISHED; s++) {
		struct contact *c = contact_in((enum post_contact_state)s), *back;
		struct buf saved, again;
		struct reader r;
		buf_init(&saved);
		buf_init(&again);
		assert_err_ok(contact_save(c, &saved, SIZE_MAX));
		for (size_t n = 0; n < saved.len; n++) {
			reader_init(&r, saved.data, n);
			assert_int_not_equal(contact_load(&back, &r, 3, test_rng()), ERR_OK);
		}
		reader_init(&r, saved.data, saved.len);
		assert_err_ok(contact_load(&back, &r, 3, test_rng()));
		assert_err_ok(reader_end(&r));
		assert_string_equal(back->name, "Bob");
		assert_memory_equal(&back->tags, &c->tags, sizeof(c->tags));
		assert_err_ok(contact_save(back, &again, SIZE_MAX));
		assert_int_equal(again.len, saved.len);
		assert_memory_equal(again.data, saved.data, saved.len);
		saved.data[4 + POST_NAME_MAX] = POST_ESTABLISHED + 1;
		reader_init(&r, saved.data, saved.len);
		assert_err(contact_load(&back, &r, 3, test_rng()), ERR_MALFORMED);
		contact_free(back);
		contact_free(c);
		buf_release(&saved);
		buf_release(&again);
	}
}

static void
first_contact_leaves_no_secret_behind(void **state)
{
	struct contact *c = contact_in(POST_ANSWERING);

	(void)state;
	assert_false(contact_writable(c));
	c->answering.stored = true;
	assert_true(contact_writable(c));
	contact_establish(c);
	assert_true(contact_writable(c));
	assert_true(sodium_is_zero((const uint8_t *)&c->invite, sizeof(c->invite)));
	assert_true(sodium_is_zero(c->one_time_sk, sizeof(c->one_time_sk)));
	assert_true(sodium_is_zero((const uint8_t *)&c->tags, sizeof(c->tags)));
	assert_true(sodium_is_zero(c->f, sizeof(c->f)));
	contact_free(c);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(names_are_checked),
	cmocka_unit_test(utf8_is_that_of_rfc_3629),
	cmocka_unit_test(cleaned_text_is_utf8_and_the_rest_stays),
	cmocka_unit_test(every_state_is_saved_and_loaded),
	cmocka_unit_test(first_contact_leaves_no_secret_behind),
};

TEST_MAIN(tests)

#include "config.h"

#include "tests/lib/test.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/disk_fault.h"
#include "common/base/encode.h"
#include "gateway/members.h"

static void
random_key(uint8_t key[static 32])
{
	uint8_t sk[32];

	rng_bytes(test_rng(), sk, sizeof(sk));
	assert_int_equal(crypto_scalarmult_base(key, sk), 0);
}

/* The names' order is not the order in which they come. */
static struct members *
make(size_t n)
{
	struct members *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	for (size_t i = 0; i < n; i++) {
		char name[MEMBERS_NAME_MAX + 1];
		uint8_t key[32];

		random_key(key);
		(void)snprintf(name, sizeof(name), "g%zu", i * 211 % 331);
		assert_err_ok(members_check_name(name, NULL));
		assert_err_ok(members_add(m, name, key, NULL));
	}
	return m;
}

static void
test_text_there_and_back(void **state)
{
	struct members *back = calloc(1, sizeof(*back));

	(void)state;
	assert_non_null(back);
	for (size_t n = 0; n <= MEMBERS_MAX; n += n < 3 ? 1 : 109) {
		struct members *m = make(n);
		struct buf text;

		buf_init(&text);
		assert_err_ok(members_print(&text, m));
		assert_err_ok(members_parse(back, (const char *)text.data, text.len, NULL));
		assert_int_equal(back->count, n);
		assert_memory_equal(back->list, m->list, n * sizeof(m->list[0]));
		buf_release(&text);
		free(m);
	}
	free(back);
}

static void
test_changes(void **state)
{
	struct members *m = make(MEMBERS_MAX);
	struct diag d;
	uint8_t key[32];

	(void)state;
	random_key(key);
	assert_err(members_add(m, "one-more", key, &d), ERR_FULL);
	assert_contains(d.text, "330");
	assert_err_ok(members_remove(m, "g7", NULL));
	assert_err(members_remove(m, "g7", &d), ERR_NOT_FOUND);
	assert_contains(d.text, "no group");
	assert_err(members_add(m, "g8", key, &d), ERR_EXISTS);
	assert_contains(d.text, "g8");
	assert_err(members_add(m, "other", m->list[3].key, &d), ERR_EXISTS);
	assert_contains(d.text, m->list[3].name);
	assert_err_ok(members_add(m, "g7", key, NULL));
	assert_int_equal(m->count, MEMBERS_MAX);
	for (size_t i = 1; i < m->count; i++)
		assert_true(strcmp(m->list[i - 1].name, m->list[i].name) < 0);
	free(m);
}

static void
test_names_and_keys(void **state)
{
	static const char *const bad[] = { "", "-a", "A", "a b", "a.b", "a\n", "\xc3\xa4", "probe",
		"a12345678901234567890123456789012" };
	static const char *const good[] = { "a", "0", "a-", "agency-7", "probes",
		"a1234567890123456789012345678901" };
	char text[ENCODE_BASE32_SIZE(32)], upper[sizeof(text)];
	uint8_t key[32], got[32];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_err(members_check_name(bad[i], NULL), ERR_USAGE);
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_err_ok(members_check_name(good[i], NULL));
	random_key(key);
	encode_base32(text, key, sizeof(key));
	for (size_t i = 0; i < sizeof(text); i++)
		upper[i] = (char)(text[i] >= 'a' && text[i] <= 'z' ? text[i] - 32 : text[i]);
	assert_err_ok(members_parse_key(got, upper, NULL));
	assert_memory_equal(got, key, sizeof(key));
	assert_err_ok(members_parse_key(got, text, NULL));
	text[51] = '\0';
	assert_err(members_parse_key(got, text, NULL), ERR_USAGE);
	memset(key, 0, sizeof(key)); /* of small order */
	encode_base32(text, key, sizeof(key));
	assert_err(members_parse_key(got, text, NULL), ERR_USAGE);
	assert_err(members_parse_key(got, "", NULL), ERR_USAGE);
}

/* Of a file of two groups each edit is refused with the line that is wrong. */
static void
test_refusals(void **state)
{
	struct members *m = make(2), untouched = { .count = 77 };
	char good[2][128], text[512];
	const char *const a = good[0], *const b = good[1];
	struct diag d;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		char key[ENCODE_BASE32_SIZE(32)];

		encode_base32(key, m->list[i].key, 32);
		(void)snprintf(good[i], sizeof(good[i]), "%s %s", m->list[i].name, key);
	}
	struct {
		const char *before, *between, *after, *why;
	} bad[] = {
		{ "", "\n", "", "line 2: the line has no end" },
		{ "\n", "\n", "\n", "line 1: " },
		{ "", "\n\n", "\n", "line 2: " },
		{ "", "\n", "\n\n", "line 3: " },
		{ " ", "\n", "\n", "line 1: not the name" },
		{ "", "\r\n", "\n", "line 1: not a key" },
		{ "", "\n", " \n", "line 2: not a key" },
		{ "# groups\n", "\n", "\n", "line 1: not the name" },
		{ "", "\nprobe ", "\n", "line 2: not the name" },
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		(void)snprintf(text, sizeof(text), "%s%s%s%s%s", bad[i].before, a, bad[i].between,
		    b, bad[i].after);
		assert_err(members_parse(&untouched, text, strlen(text), &d), ERR_MALFORMED);
		assert_contains(d.text, bad[i].why);
		assert_contains(d.text, "members");
	}
	(void)snprintf(text, sizeof(text), "%s\n%s\n", b, a);
	assert_err(members_parse(&untouched, text, strlen(text), &d), ERR_MALFORMED);
	assert_contains(d.text, "line 2: the names do not ascend");
	(void)snprintf(text, sizeof(text), "%s\nz%s\n", a, strchr(a, ' '));
	assert_err(members_parse(&untouched, text, strlen(text), &d), ERR_EXISTS);
	assert_contains(d.text, "has this key already");
	assert_int_equal(untouched.count, 77);
	free(m);
}

static void
test_file(void **state)
{
	struct disk *under = disk_memory();
	struct disk_fault plan = { .at = 0 };
	struct disk *disk = disk_fault_new(under, &plan);
	struct members *m = make(3), *back = calloc(1, sizeof(*back));
	struct diag d;

	(void)state;
	assert_non_null(back);
	assert_err_ok(members_load(back, disk, NULL)); /* no file: nobody */
	assert_int_equal(back->count, 0);
	assert_err_ok(members_save(disk, m, NULL));
	assert_err_ok(members_load(back, disk, NULL));
	assert_memory_equal(back, m, sizeof(*m));
	plan = (struct disk_fault){ .at = 1, .err = ERR_FULL, .forever = true, .writes_only = true };
	assert_err_ok(members_remove(m, m->list[0].name, NULL));
	assert_err(members_save(disk, m, &d), ERR_FULL);
	assert_contains(d.text, "room");
	plan = (struct disk_fault){ .at = 0 };
	assert_err_ok(members_load(back, disk, NULL));
	assert_int_equal(back->count, 3);
	m->count = 0;
	assert_err_ok(members_save(disk, m, NULL));
	assert_err_ok(members_load(back, disk, NULL));
	assert_int_equal(back->count, 0);
	assert_err_ok(disk_replace(disk, MEMBERS_FILE, "x", 1));
	assert_err(members_load(back, disk, &d), ERR_MALFORMED);
	assert_contains(d.text, "members, line 1");
	free(m);
	free(back);
	disk_free(disk);
	disk_free(under);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_text_there_and_back),
	cmocka_unit_test(test_changes),
	cmocka_unit_test(test_names_and_keys),
	cmocka_unit_test(test_refusals),
	cmocka_unit_test(test_file),
};

TEST_MAIN(tests)

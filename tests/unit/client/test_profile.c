/*
 * The profile of a client directory.
 */
#include "config.h"

#include "tests/lib/test.h"

#include <string.h>

#include "client-lib/profile.h"

static void
what_is_saved_is_loaded(void **state)
{
	struct profile p = { .mailbox = 3, .entrance = "127.0.0.1:7500" }, back;
	struct disk *k = disk_memory();
	struct diag d;

	(void)state;
	assert_non_null(k);
	assert_err_ok(profile_save(&p, k));
	assert_err_ok(profile_load(&back, k, &d));
	assert_int_equal(back.mailbox, 3);
	assert_string_equal(back.entrance, "127.0.0.1:7500");
	p.entrance[0] = '\0';
	p.mailbox = 65535;
	assert_err_ok(profile_save(&p, k));
	assert_err_ok(profile_load(&back, k, &d));
	assert_int_equal(back.mailbox, 65535);
	assert_string_equal(back.entrance, "");
	disk_free(k);
}

static void
an_empty_file_has_the_defaults(void **state)
{
	struct disk *k = disk_memory();
	struct profile p;
	struct diag d;

	(void)state;
	assert_err_ok(disk_replace(k, PROFILE_FILE, "", 0));
	assert_err_ok(profile_load(&p, k, &d));
	assert_int_equal(p.mailbox, 0);
	assert_string_equal(p.entrance, "");
	disk_free(k);
}

static void
refused(const char *text, enum err want, const char *why)
{
	struct disk *k = disk_memory();
	struct diag d = { "" };
	struct profile p;

	if (text != NULL)
		assert_err_ok(disk_replace(k, PROFILE_FILE, text, strlen(text)));
	assert_err(profile_load(&p, k, &d), want);
	assert_contains(d.text, why);
	disk_free(k);
}

static void
mistakes_are_named(void **state)
{
	(void)state;
	refused(NULL, ERR_NOT_FOUND, "restante init");
	refused("mailbox = 65536\n", ERR_RANGE, "restante.conf");
	refused("mailbox = one\n", ERR_MALFORMED, "mailbox");
	refused("colour = red\n", ERR_NOT_FOUND, "colour");
	refused("mailbox = 1\nmailbox = 2\n", ERR_EXISTS, "mailbox");
	refused("entrance = here\n", ERR_MALFORMED, "entrance");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(what_is_saved_is_loaded),
	cmocka_unit_test(an_empty_file_has_the_defaults),
	cmocka_unit_test(mistakes_are_named),
};

TEST_MAIN(tests)

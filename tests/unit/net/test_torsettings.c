/*
 * Which way the entrance is reached, from the keys of a configuration.
 */
#include "config.h"

#include "tests/lib/test.h"

#include <string.h>

#include "common/net/torsettings.h"

#define ONION "aoqqpp7tzyil4hlq3umoos6atft6jvrqtosq2xy53sdgiesvgg4bqead.onion:80"

struct holder {
	int before;
	struct torsettings tor;
};
static const struct config_key keys[] = { TORSETTINGS_ROWS(struct holder, tor) };
static const struct config_schema schema = { keys, sizeof(keys) / sizeof(keys[0]),
	sizeof(struct holder) };

static enum err
decide(bool *through, const char *text, const char *entrance, struct diag *d)
{
	struct holder h;

	assert_err_ok(config_parse(&h, &schema, "test.conf", text, strlen(text), d));
	return torsettings_decide(through, &h.tor, entrance, d);
}

static void
decided(const char *text, const char *entrance, bool want)
{
	struct diag d = { "" };
	bool through = !want;

	assert_err_ok(decide(&through, text, entrance, &d));
	assert_int_equal(through, want);
}

static void
refused(const char *text, const char *entrance, const char *why)
{
	struct diag d = { "" };
	bool through;

	assert_err(decide(&through, text, entrance, &d), ERR_USAGE);
	assert_contains(d.text, why);
}

static void
the_entrance_decides(void **state)
{
	(void)state;
	decided("", ONION, true);
	decided("", "127.0.0.1:80", false);
	decided("", "unix:/run/x.onion", false);
	decided("transport = auto\n", ONION, true);
	decided("transport = tor\n", ONION, true);
	decided("transport = tor\n", "192.0.2.1:80", true);
	decided("transport = direct\n", "192.0.2.1:80", false);
	decided("tor = named\ntor-control = unix:/c\ntor-socks = 127.0.0.1:9050\n", ONION, true);
}

static void
what_does_not_fit_is_refused(void **state)
{
	(void)state;
	refused("transport = direct\n", ONION, "through tor only");
	refused("", "boqqpp7tzyil4hlq3umoos6atft6jvrqtosq2xy53sdgiesvgg4bqead.onion:80", "misspelt");
	refused("", "www.aoqqpp7tzyil4hlq3umoos6atft6jvrqtosq2xy53sdgiesvgg4bqead.onion:80", "misspelt");
	refused("tor = named\n", ONION, "needs tor-control and tor-socks");
	refused("tor = named\ntor-socks = 127.0.0.1:9050\n", ONION, "needs tor-control");
	refused("tor-control = 127.0.0.1:9051\n", ONION, "tor = named");
	refused("tor-socks = 127.0.0.1:9050\n", ONION, "tor = named");
	refused("tor-cookie = /c\n", ONION, "tor = named");
	refused("tor = named\ntor-control = unix:/c\ntor-socks = unix:/s\ntor-config = /x\n", ONION,
	    "tor-config");
}

static void
what_is_filled_in(void **state)
{
	struct tor_config own = { .directory = NULL }, named = { .directory = NULL };
	struct holder h;
	static const char text[] = "tor = named\ntor-control = unix:/c\ntor-socks = 127.0.0.1:9050\n";

	(void)state;
	config_defaults(&h, &schema);
	torsettings_fill(&own, &h.tor, "/d", "/s");
	assert_string_equal(own.directory, "/d");
	assert_string_equal(own.sockets, "/s");
	assert_string_equal(own.program, "tor");
	assert_null(own.extra);
	assert_null(own.control);
	assert_err_ok(config_parse(&h, &schema, "test.conf", text, strlen(text), NULL));
	torsettings_fill(&named, &h.tor, "/d", "/s");
	assert_null(named.directory);
	assert_string_equal(named.control, "unix:/c");
	assert_string_equal(named.socks, "127.0.0.1:9050");
	assert_null(named.cookie);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(the_entrance_decides),
	cmocka_unit_test(what_does_not_fit_is_refused),
	cmocka_unit_test(what_is_filled_in),
};

TEST_MAIN(tests)

#include "config.h"

#include "tests/lib/test.h"

#include <stdio.h>
#include <string.h>

#include "common/charter/nodeline.h"

#define HEX0 "00000000000000000000000000000000"
#define KEY_A "a1" HEX0 "000000000000000000000000000000"
#define KEY_B "b2" HEX0 "000000000000000000000000000000"
#define MIX "mix identity=" KEY_A " link=" KEY_B " address=127.0.0.1:7001"
#define GATEWAY                                                                                    \
	"gateway identity=" KEY_A " link=" KEY_B " address=[::1]:7004 entrance=unix:/run/rst/in"

#define REGISTRAR "registrar identity=" KEY_A " link=" KEY_B " entrance=127.0.0.1:7005"

#define ONION_NAME "aoqqpp7tzyil4hlq3umoos6atft6jvrqtosq2xy53sdgiesvgg4bqead"
#define ONION_GATEWAY(name)                                                                        \
	"restante-node 1 gateway identity=" KEY_A " link=" KEY_B                                   \
	" address=127.0.0.1:1 entrance=" name ".onion:80"

static void
a_mix_line_reads_as_it_prints(void **state)
{
	struct charter_node n;
	char text[NODELINE_BYTES];
	struct diag d;

	(void)state;
	assert_err_ok(nodeline_parse(&n, "restante-node 1 " MIX, &d));
	assert_int_equal(n.role, CHARTER_MIX);
	assert_int_equal(n.number, 0);
	assert_int_equal(n.identity[0], 0xa1);
	assert_int_equal(n.link[0], 0xb2);
	assert_string_equal(n.address, "127.0.0.1:7001");
	assert_string_equal(n.entrance, "");
	nodeline_print(text, &n);
	assert_string_equal(text, "restante-node 1 " MIX);
}

static void
a_gateway_line_reads_as_it_prints(void **state)
{
	struct charter_node n;
	char text[NODELINE_BYTES];
	struct diag d;

	(void)state;
	assert_err_ok(nodeline_parse(&n, "restante-node 1 " GATEWAY, &d));
	assert_int_equal(n.role, CHARTER_GATEWAY);
	assert_string_equal(n.address, "[::1]:7004");
	assert_string_equal(n.entrance, "unix:/run/rst/in");
	nodeline_print(text, &n);
	assert_string_equal(text, "restante-node 1 " GATEWAY);
}

static void
a_registrar_line_reads_as_it_prints(void **state)
{
	struct charter_node n;
	char text[NODELINE_BYTES];
	struct diag d;

	(void)state;
	assert_err_ok(nodeline_parse(&n, "restante-node 1 " REGISTRAR, &d));
	assert_int_equal(n.role, CHARTER_REGISTRAR);
	assert_string_equal(n.address, "");
	assert_string_equal(n.entrance, "127.0.0.1:7005");
	nodeline_print(text, &n);
	assert_string_equal(text, "restante-node 1 " REGISTRAR);
}

static void
the_longest_line_fits(void **state)
{
	struct charter_node n = { .role = CHARTER_GATEWAY }, again;
	char text[NODELINE_BYTES];

	(void)state;
	(void)snprintf(n.address, sizeof(n.address), "unix:/%0*d", CHARTER_ADDRESS_MAX - 7, 0);
	(void)snprintf(n.entrance, sizeof(n.entrance), "unix:/%0*d", CHARTER_ADDRESS_MAX - 7, 1);
	assert_int_equal(strlen(n.address), CHARTER_ADDRESS_MAX - 1);
	memset(n.identity, 0xff, 32);
	memset(n.link, 0xee, 32);
	nodeline_print(text, &n);
	assert_err_ok(nodeline_parse(&again, text, NULL));
	assert_memory_equal(again.identity, n.identity, 32);
	assert_memory_equal(again.link, n.link, 32);
	assert_string_equal(again.address, n.address);
	assert_string_equal(again.entrance, n.entrance);
}

static void
other_lines_are_refused_with_a_reason(void **state)
{
	static const struct {
		const char *line;
		enum err want;
		const char *why;
	} bad[] = {
		{ "", ERR_MALFORMED, "not a node's public line" },
		{ "restante-node", ERR_MALFORMED, "not a node's public line" },
		{ "restante-node 2 " MIX, ERR_VERSION, "restante-node 2: made by a newer version" },
		{ "restante-node 0 " MIX, ERR_MALFORMED, "version is not a number" },
		{ "restante-node x " MIX, ERR_MALFORMED, "version is not a number" },
		{ "restante-node 123456789 " MIX, ERR_MALFORMED, "version is not a number" },
		{ "restante-node 1", ERR_TRUNCATED, "ends after its version" },
		{ "restante-node 1 ", ERR_MALFORMED, "\"mix\", a \"gateway\"" },
		{ "restante-node 1  " MIX, ERR_MALFORMED, "\"mix\", a \"gateway\"" },
		{ "restante-node 1 hub identity=" KEY_A, ERR_MALFORMED,
		    "\"mix\", a \"gateway\"" },
		{ "restante-node 1 mix", ERR_MALFORMED, "\"mix\", a \"gateway\"" },
		{ "restante-node 1 mix identity=" KEY_A, ERR_MALFORMED, "link=" },
		{ "restante-node 1 mix identity=" KEY_A "0 link=" KEY_B, ERR_MALFORMED,
		    "identity=" },
		{ "restante-node 1 mix identity=A1" HEX0
		  "000000000000000000000000000000 link=" KEY_B,
		    ERR_MALFORMED, "identity=" },
		{ "restante-node 1 mix link=" KEY_B " identity=" KEY_A, ERR_MALFORMED,
		    "identity=" },
		{ "restante-node 1 mix identity=" KEY_A "  link=" KEY_B, ERR_MALFORMED, "link=" },
		{ "restante-node 1 mix identity=" KEY_A " link=" KEY_B " address=", ERR_MALFORMED,
		    "address=" },
		{ "restante-node 1 mix identity=" KEY_A " link=" KEY_B " address=nowhere",
		    ERR_MALFORMED, "address=" },
		{ "restante-node 1 " MIX " ", ERR_MALFORMED, "address=" },
		{ "restante-node 1 " MIX " entrance=127.0.0.1:1", ERR_TRAILING, "follows the end" },
		{ "restante-node 1 gateway identity=" KEY_A " link=" KEY_B " address=127.0.0.1:1",
		    ERR_MALFORMED, "entrance=" },
		{ "restante-node 1 " GATEWAY " x", ERR_TRAILING, "follows the end" },
		{ "restante-node 1 registrar identity=" KEY_A " link=" KEY_B, ERR_MALFORMED,
		    "a registrar's entrance=" },
		{ "restante-node 1 registrar identity=" KEY_A " link=" KEY_B " address=127.0.0.1:1"
		  " entrance=127.0.0.1:2", ERR_MALFORMED, "a registrar's entrance=" },
		{ "restante-node 1 registrars identity=" KEY_A, ERR_MALFORMED, "\"registrar\"" },
		{ ONION_GATEWAY("aoqqpp7tzyil4hlq3umoos6atft6jvrqtosq2xy53sdgiesvgg4bqeae"),
		    ERR_MALFORMED, "mistyped" },
		{ ONION_GATEWAY("boqqpp7tzyil4hlq3umoos6atft6jvrqtosq2xy53sdgiesvgg4bqead"),
		    ERR_MALFORMED, "mistyped" },
		{ ONION_GATEWAY("Aoqqpp7tzyil4hlq3umoos6atft6jvrqtosq2xy53sdgiesvgg4bqead"),
		    ERR_MALFORMED, "not in lower case" },
		{ ONION_GATEWAY("www." ONION_NAME), ERR_MALFORMED, "mistyped" },
		{ "restante-node 1 mix identity=" KEY_A " link=" KEY_B " address=" ONION_NAME
		  ".onion:80", ERR_MALFORMED, "cannot be an onion address" },
	};
	struct charter_node n = { .number = 77 };
	struct diag d;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		enum err got = nodeline_parse(&n, bad[i].line, &d);

		if (got != bad[i].want)
			fail_msg("case %zu: %s", i, err_text(got));
		assert_contains(d.text, bad[i].why);
		assert_int_equal(n.number, 77); /* untouched on failure */
	}
}

static void
an_entrance_may_be_an_onion_address(void **state)
{
	struct charter_node n;
	char line[NODELINE_BYTES];

	(void)state;
	assert_err_ok(nodeline_parse(&n, ONION_GATEWAY(ONION_NAME), NULL));
	assert_string_equal(n.entrance, ONION_NAME ".onion:80");
	nodeline_print(line, &n);
	assert_string_equal(line, ONION_GATEWAY(ONION_NAME));
}

static void
an_address_that_does_not_fit_is_refused(void **state)
{
	char line[NODELINE_BYTES + 200];
	struct charter_node n;

	(void)state;
	for (int more = 0; more < 150; more += 10) {
		(void)snprintf(line, sizeof(line),
		    "restante-node 1 mix identity=" KEY_A " link=" KEY_B " address=unix:/%0*d",
		    CHARTER_ADDRESS_MAX - 6 + more, 0);
		assert_err(nodeline_parse(&n, line, NULL), ERR_MALFORMED);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_mix_line_reads_as_it_prints),
	cmocka_unit_test(a_gateway_line_reads_as_it_prints),
	cmocka_unit_test(a_registrar_line_reads_as_it_prints),
	cmocka_unit_test(the_longest_line_fits),
	cmocka_unit_test(other_lines_are_refused_with_a_reason),
	cmocka_unit_test(an_entrance_may_be_an_onion_address),
	cmocka_unit_test(an_address_that_does_not_fit_is_refused),
};

TEST_MAIN(tests)

#include "config.h"

#include "gateway/toronion.h"

#include <stdio.h>
#include <string.h>

#include "tests/lib/test.h"

#define ID "aoqqpp7tzyil4hlq3umoos6atft6jvrqtosq2xy53sdgiesvgg4bqead"
#define OTHER "boqqpp7tzyil4hlq3umoos6atft6jvrqtosq2xy53sdgiesvgg4bqead"

static void
test_descriptors(void **state)
{
	static const struct {
		const char *text;
		enum toronion_event want;
	} cases[] = {
		{ "HS_DESC UPLOAD " ID " UNKNOWN $AA~r blinded HSDIR_INDEX=00", TORONION_UPLOAD },
		{ "HS_DESC UPLOADED " ID " UNKNOWN $AA~r", TORONION_UPLOADED },
		{ "HS_DESC FAILED " ID " UNKNOWN $AA~r REASON=UPLOAD_REJECTED", TORONION_FAILED },
		{ "HS_DESC FAILED " ID " NO_AUTH $AA~r d REASON=NOT_FOUND", TORONION_OTHER },
		{ "HS_DESC RECEIVED " ID " NO_AUTH $AA~r d", TORONION_RECEIVED },
		{ "HS_DESC CREATED " ID " UNKNOWN UNKNOWN blinded", TORONION_OTHER },
		{ "HS_DESC UPLOADED " OTHER " UNKNOWN $AA~r", TORONION_OTHER },
		{ "HS_DESC UPLOADED " ID "x UNKNOWN $AA~r", TORONION_OTHER },
		{ "HS_DESC UPLOADED", TORONION_OTHER },
		{ "HS_DESC_CONTENT UPLOADED " ID, TORONION_OTHER },
		{ "", TORONION_OTHER },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (toronion_hs_desc(cases[i].text, strlen(cases[i].text), ID) != cases[i].want)
			fail_msg("%s", cases[i].text);
}

static void
test_bootstrap(void **state)
{
	static const char *const bad[] = { "", "BOOTSTRAP", "PROGRESS=5 BOOTSTRAP", "BOOTSTRAP PROGRESS=",
		"BOOTSTRAP PROGRESS=101", "BOOTSTRAP PROGRESS=-1", "BOOTSTRAP PROGRESS=1x",
		"BOOTSTRAP PROGRESS=4294967297", "STATUS_CLIENT NOTICE CIRCUIT_ESTABLISHED" };
	static const char good[] = "STATUS_CLIENT NOTICE BOOTSTRAP PROGRESS=75 TAG=enough_dirinfo";
	unsigned percent = 42;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(toronion_bootstrap(&percent, bad[i], strlen(bad[i])));
	assert_int_equal(percent, 42);
	assert_true(toronion_bootstrap(&percent, good, strlen(good)));
	assert_int_equal(percent, 75);
}

static void
test_circuits(void **state)
{
	static const struct {
		const char *line;
		uint32_t circuit; /* 0: none of ours */
	} cases[] = {
		{ "77 BUILT $A~a PURPOSE=HS_SERVICE_REND HS_STATE=HSSR_JOINED REND_QUERY=" ID, 77 },
		{ "78 EXTENDED REND_QUERY=" ID " PURPOSE=HS_SERVICE_REND", 78 },
		{ "79 BUILT PURPOSE=HS_SERVICE_INTRO REND_QUERY=" ID, 0 },
		{ "80 BUILT PURPOSE=HS_CLIENT_REND REND_QUERY=" ID, 0 },
		{ "81 BUILT PURPOSE=HS_SERVICE_REND REND_QUERY=" OTHER, 0 },
		{ "82 BUILT PURPOSE=HS_SERVICE_REND", 0 },
		{ "x83 BUILT PURPOSE=HS_SERVICE_REND REND_QUERY=" ID, 0 },
		{ "99999999999 BUILT PURPOSE=HS_SERVICE_REND REND_QUERY=" ID, 0 },
		{ "", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint32_t circuit = 0;
		bool ours = toronion_rendezvous(&circuit, cases[i].line, strlen(cases[i].line), ID);

		if (circuit != cases[i].circuit || ours != (circuit != 0))
			fail_msg("%s", cases[i].line);
	}
}

static void
test_lines(void **state)
{
	static const char text[] = "one\n\nthree";
	const char *at = text, *end = text + strlen(text), *line;
	size_t len, lens[] = { 3, 0, 5 }, n = 0;

	(void)state;
	while ((line = toronion_line(&len, &at, end)) != NULL)
		assert_int_equal(len, lens[n++]);
	assert_int_equal(n, 3);
	at = NULL;
	assert_null(toronion_line(&len, &at, NULL));
}

static void
test_targets(void **state)
{
	(void)state;
	assert_true(toronion_target_ok("unix:/run/restante-gateway/onion.sock"));
	assert_true(toronion_target_ok("unix:/a_B+9"));
	assert_false(toronion_target_ok("unix:/"));
	assert_false(toronion_target_ok("unix:run"));
	assert_false(toronion_target_ok("unix:/run/a b"));
	assert_false(toronion_target_ok("unix:/run/\"a"));
	assert_false(toronion_target_ok("unix:/a,b"));
	assert_false(toronion_target_ok("127.0.0.1:80"));
}

/* Cut off anywhere, the command is refused and not shortened. */
static void
test_command_that_does_not_fit(void **state)
{
	struct onionkey key = { .id = ID };
	struct members members = { .count = 0 };
	uint8_t probe[32] = { 9 };
	const struct toronion_service s = { .key = &key, .members = &members, .probe_pk = probe,
		.port = 80, .target = "unix:/x", .streams = 4 };
	char whole[512], cut[512];
	size_t n;

	(void)state;
	assert_err_ok(toronion_add(whole, sizeof(whole), &s));
	n = strlen(whole);
	for (size_t i = 1; i <= n; i++)
		assert_err(toronion_add(cut, i, &s), ERR_FULL);
	assert_err_ok(toronion_add(cut, n + 1, &s));
	assert_string_equal(cut, whole);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_descriptors),
	cmocka_unit_test(test_bootstrap),
	cmocka_unit_test(test_circuits),
	cmocka_unit_test(test_lines),
	cmocka_unit_test(test_targets),
	cmocka_unit_test(test_command_that_does_not_fit),
};

TEST_MAIN(tests)

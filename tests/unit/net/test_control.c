#include "config.h"

#include "common/net/control.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/secret.h"
#include "tests/lib/test.h"
#include "tests/unit/net/fake_tor.h"

#define START_MS INT64_C(1900000000000)
#define ATTEMPT_MS 2000 /* an attempt that is not kept waiting is over long before */

struct scene {
	struct world *world;
	struct world_host *client, *server;
	struct fake_tor tor;
	struct control_config cfg;
	struct control *control;
	/* what the events told */
	unsigned ready, lost, events, replies, no_replies;
	enum err why;
	struct diag sentence;
	char version[64], last_event[128], last_reply[128];
	unsigned last_code;
	size_t last_count;
	bool free_in_reply, free_in_event, free_in_lost, free_in_ready;
};

static void
drop(struct scene *k)
{
	control_free(k->control);
	k->control = NULL;
}

static void
on_ready(void *arg, const char *version)
{
	struct scene *k = arg;

	k->ready++;
	snprintf(k->version, sizeof(k->version), "%s", version);
	if (k->free_in_ready)
		drop(k);
}

static void
on_event(void *arg, const struct control_reply *e)
{
	struct scene *k = arg;

	k->events++;
	snprintf(k->last_event, sizeof(k->last_event), "%.*s", (int)e->lines[0].len,
	    e->lines[0].text);
	if (k->free_in_event)
		drop(k);
}

static void
on_lost(void *arg, enum err e, const struct diag *why)
{
	struct scene *k = arg;

	k->lost++;
	k->why = e;
	k->sentence = *why;
	assert_true(e != ERR_OK);
	assert_true(why->text[0] != '\0');
	assert_false(k->control != NULL && control_is_ready(k->control));
	if (k->free_in_lost)
		drop(k);
}

static void
on_reply(void *arg, const struct control_reply *r, enum err why)
{
	struct scene *k = arg;

	if (r == NULL) {
		k->no_replies++;
		k->why = why;
		assert_true(why != ERR_OK);
		return;
	}
	k->replies++;
	k->last_code = r->code;
	k->last_count = r->count;
	snprintf(k->last_reply, sizeof(k->last_reply), "%.*s", (int)r->lines[0].len,
	    r->lines[0].text);
	if (k->free_in_reply) {
		drop(k);
		assert_true(r->lines[0].len < sizeof(k->last_reply)); /* still readable */
	}
}

static void
dial(struct scene *k)
{
	static const struct control_events events = {on_ready, on_event, on_lost};

	assert_err_ok(control_new(&k->control, &k->cfg, &events, k));
}

static void
set_up(struct scene *k)
{
	const struct world_config cfg = {.seed = test_seed(), .wall_ms = START_MS};

	*k = (struct scene){0};
	assert_err_ok(world_new(&k->world, &cfg));
	assert_err_ok(world_host_new(&k->client, k->world));
	assert_err_ok(world_host_new(&k->server, k->world));
	fake_tor_start(&k->tor, k->world, k->server);
	k->cfg = (struct control_config){
	    .loop = world_loop(k->client),
	    .address = FAKE_TOR_ADDRESS,
	    .rng = world_rng(k->world),
	    .keys = test_rng(),
	};
}

static void
tear_down(struct scene *k)
{
	control_free(k->control);
	fake_tor_stop(&k->tor);
	world_free(k->world);
}

static void
run_for(struct scene *k, int64_t ms)
{
	assert_err_ok(world_run_for(k->world, ms));
}

static void
set_up_ready(struct scene *k)
{
	set_up(k);
	dial(k);
	run_for(k, ATTEMPT_MS);
	assert_int_equal(k->ready, 1);
	assert_int_equal(k->lost, 0);
}

/* ---- the ordinary way ---- */

static void
test_authenticates_and_talks(void **state)
{
	struct scene k;

	(void)state;
	set_up_ready(&k);
	assert_string_equal(k.version, "0.4.9.11");
	assert_true(control_is_ready(k.control));
	assert_int_equal(k.tor.authenticated, 1);
	assert_int_equal(k.tor.owned, 0);
	assert_err_ok(control_command(k.control, "GETINFO version", on_reply, &k));
	assert_int_equal(k.replies, 0); /* never from inside the call */
	run_for(&k, ATTEMPT_MS);
	assert_int_equal(k.replies, 1);
	assert_int_equal(k.last_code, 250);
	assert_int_equal(k.last_count, 2);
	assert_string_equal(k.last_reply, "echo=GETINFO version");
	tear_down(&k);
}

static void
test_pipelined_commands_and_events_between(void **state)
{
	struct scene k;

	(void)state;
	set_up_ready(&k);
	k.tor.before = "650 HS_DESC UPLOADED x\r\n650-A b\r\n650+C\r\n250 no reply\r\n.\r\n650 OK\r\n";
	for (unsigned i = 0; i < 20; i++) {
		char line[32];

		snprintf(line, sizeof(line), "GETINFO %u", i);
		assert_err_ok(control_command(k.control, line, on_reply, &k));
	}
	run_for(&k, ATTEMPT_MS);
	assert_int_equal(k.replies, 20);
	assert_int_equal(k.events, 40);
	assert_string_equal(k.last_reply, "echo=GETINFO 19");
	tear_down(&k);
}

static void
test_takes_ownership(void **state)
{
	struct scene k;

	(void)state;
	set_up(&k);
	k.cfg.own = true;
	dial(&k);
	run_for(&k, ATTEMPT_MS);
	assert_int_equal(k.ready, 1);
	assert_int_equal(k.tor.owned, 1);
	tear_down(&k);
}

static void
test_commands_are_checked(void **state)
{
	static char long_line[CONTROL_COMMAND_MAX + 2];
	struct scene k;

	(void)state;
	set_up(&k);
	dial(&k);
	assert_err(control_command(k.control, "GETINFO version", on_reply, &k), ERR_STATE);
	run_for(&k, ATTEMPT_MS);
	memset(long_line, 'x', sizeof(long_line) - 1);
	assert_err(control_command(k.control, long_line, on_reply, &k), ERR_USAGE);
	assert_err(control_command(k.control, "", on_reply, &k), ERR_USAGE);
	assert_err(control_command(k.control, "A\r\nQUIT", on_reply, &k), ERR_USAGE);
	assert_err(control_command(k.control, "A\nQUIT", on_reply, &k), ERR_USAGE);
	k.tor.hang = FAKE_TOR_COMMANDS;
	for (unsigned i = 0; i < CONTROL_PENDING_MAX; i++)
		assert_err_ok(control_command(k.control, "GETINFO version", on_reply, &k));
	assert_err(control_command(k.control, "GETINFO version", on_reply, &k), ERR_FULL);
	tear_down(&k);
}

static void
test_data_block_is_the_value(void **state)
{
	static const struct control_line lines[] = {
	    {.text = "onions/current=", .len = 15, .data = "abc\n", .data_len = 4},
	    {.text = "onions/cur=x", .len = 12},
	    {.text = "OK", .len = 2},
	};
	const struct control_reply r = {.code = 250, .count = 3, .lines = lines};
	const char *p;
	size_t n;

	(void)state;
	assert_true(control_reply_value(&p, &n, &r, "onions/current"));
	assert_int_equal(n, 4);
	assert_memory_equal(p, "abc\n", 4);
	assert_true(control_reply_value(&p, &n, &r, "onions/cur"));
	assert_int_equal(n, 1);
	assert_false(control_reply_value(&p, &n, &r, "onions"));
	assert_false(control_reply_value(&p, &n, &r, "OK"));
}

static void
test_versions(void **state)
{
	(void)state;
	assert_false(control_version_is_old("0.4.9.11"));
	assert_false(control_version_is_old("0.4.9.12"));
	assert_false(control_version_is_old("0.5.0.1-alpha"));
	assert_false(control_version_is_old("1.0"));
	assert_true(control_version_is_old("0.4.9.9"));
	assert_true(control_version_is_old("0.4.9"));
	assert_true(control_version_is_old("0.4.8.99"));
	assert_true(control_version_is_old("tor"));
	assert_true(control_version_is_old(""));
}

/* ---- refusals, each with its sentence ---- */

/* Dial once and see it fail for this reason; then see that it goes on trying. */
static void
expect_refusal(struct scene *k, enum err why, const char *words)
{
	dial(k);
	while (k->lost == 0 && world_step(k->world))
		;
	assert_int_equal(k->ready, 0);
	assert_err(k->why, why);
	assert_contains(k->sentence.text, words);
	run_for(k, ATTEMPT_MS);
	assert_true(k->lost > 1);
}

static void
test_methods_without_safecookie(void **state)
{
	static const struct {
		const char *methods, *words;
	} cases[] = {
		{ "COOKIE COOKIEFILE=\"/x\"", "only COOKIE" },
		{ "NULL", "no authentication" },
		{ "HASHEDPASSWORD", "password" },
		{ "SAFECOOKIES,XSAFECOOKIE", "CookieAuthentication 1" },
		{ "", "CookieAuthentication 1" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct scene k;
		char info[256];

		set_up(&k);
		snprintf(info, sizeof(info), "250-PROTOCOLINFO 1\r\n250-AUTH METHODS=%s\r\n"
		    "250-VERSION Tor=\"0.4.9.11\"\r\n250 OK\r\n", cases[i].methods);
		k.tor.info = info;
		expect_refusal(&k, ERR_STATE, cases[i].words);
		assert_int_equal(k.tor.stage, FAKE_TOR_INFO);
		tear_down(&k);
	}
}

static void
test_strange_protocolinfo(void **state)
{
	static const char *const infos[] = {
		"250 OK\r\n",
		"510 what\r\n",
		"250-AUTH METHODS=SAFECOOKIE COOKIEFILE=\"/x\"\r\n250 OK\r\n",
		"250-AUTH METHODS=SAFECOOKIE COOKIEFILE=\"/x\"\r\n250-VERSION Tor=\"\"\r\n250 OK\r\n",
		"250-AUTH METHODS=SAFECOOKIE\r\n250-VERSION Tor=\"0.4\"\r\n250 OK\r\n",
		"250-AUTH METHODS=SAFECOOKIE COOKIEFILE=\"x\"\r\n250-VERSION Tor=\"0.4\"\r\n250 OK\r\n",
		"250-AUTH METHODS=SAFECOOKIE COOKIEFILE=\"/x\r\n250-VERSION Tor=\"0.4\"\r\n250 OK\r\n",
		"250-AUTH METHODS\r\n250-VERSION Tor=\"0.4\"\r\n250 OK\r\n",
		"250-AUTH METHODS=SAFECOOKIE COOKIEFILE=\"/\\377\"\r\n250-VERSION Tor=\"0.4\"\r\n"
		"250 OK\r\n",
		"250-AUTH METHODS=SAFECOOKIE COOKIEFILE=\"/x\"\r\n250-VERSION Tor=\"0.\\3774\"\r\n"
		"250 OK\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(infos) / sizeof(infos[0]); i++) {
		struct scene k;

		set_up(&k);
		k.tor.info = infos[i];
		expect_refusal(&k, ERR_MALFORMED, FAKE_TOR_ADDRESS);
		tear_down(&k);
	}
}

static void
test_wrong_server_hash(void **state)
{
	struct scene k;

	(void)state;
	set_up(&k);
	k.tor.lies = true;
	expect_refusal(&k, ERR_CRYPTO, "does not know the cookie");
	assert_int_equal(k.tor.stage, FAKE_TOR_CHALLENGE); /* no proof for a stranger */
	assert_err_ok(buf_append(&k.tor.heard, "", 1, SIZE_MAX));
	assert_null(strstr((const char *)k.tor.heard.data, "AUTHENTICATE"));
	tear_down(&k);
}

static void
test_cookie_files(void **state)
{
	static const uint8_t bytes[64] = {1, 2, 3};
	struct scene k;

	(void)state;
	for (size_t n = 0; n <= 33; n += n == 0 ? 31 : 2) {
		set_up(&k);
		fake_tor_write_cookie(&k.tor, bytes, n);
		expect_refusal(&k, ERR_MALFORMED, n > 32 ? "has more" : "has fewer");
		tear_down(&k);
	}
	set_up(&k);
	fake_tor_write_cookie(&k.tor, bytes, 32);
	expect_refusal(&k, ERR_CRYPTO, "does not know the cookie");
	tear_down(&k);
	set_up(&k);
	assert_int_equal(unlink(k.tor.cookie_path), 0);
	expect_refusal(&k, ERR_NOT_FOUND, k.tor.cookie_path);
	tear_down(&k);
	set_up(&k);
	assert_int_equal(unlink(k.tor.cookie_path), 0);
	assert_int_equal(mkfifo(k.tor.cookie_path, 0600), 0);
	expect_refusal(&k, ERR_MALFORMED, "regular file");
	tear_down(&k);
	set_up(&k);
	k.cfg.cookie_file = test_tmpdir();
	expect_refusal(&k, ERR_MALFORMED, "regular file");
	tear_down(&k);
}

static void
test_configured_cookie_file(void **state)
{
	struct scene k;
	char path[256];

	(void)state;
	set_up(&k);
	snprintf(path, sizeof(path), "%s/other", test_tmpdir());
	assert_int_equal(rename(k.tor.cookie_path, path), 0);
	k.cfg.cookie_file = path;
	dial(&k);
	run_for(&k, ATTEMPT_MS);
	assert_int_equal(k.ready, 1);
	tear_down(&k);
}

static void
test_refused_proof(void **state)
{
	struct scene k;

	(void)state;
	set_up(&k);
	k.tor.auth = "515 Authentication failed: Wrong length on authentication cookie.\r\n";
	expect_refusal(&k, ERR_DENIED, "refused the cookie");
	tear_down(&k);
}

static void
test_nobody_listens(void **state)
{
	struct scene k;

	(void)state;
	set_up(&k);
	listener_free(k.tor.listener);
	k.tor.listener = NULL;
	expect_refusal(&k, ERR_NOT_FOUND, "nobody listens at " FAKE_TOR_ADDRESS);
	tear_down(&k);
}

static void
test_arguments(void **state)
{
	struct scene k;

	(void)state;
	set_up(&k);
	k.cfg.address = "localhost:9051";
	assert_err(control_new(&k.control, &k.cfg, &(struct control_events){on_ready, NULL, on_lost},
	    &k), ERR_USAGE);
	control_free(NULL);
	tear_down(&k);
}

/* ---- back-off ---- */

/* However it fails, attempts become rare: at most so many in ten minutes. */
static void
expect_backoff(struct scene *k)
{
	unsigned in_first, in_last;

	dial(k);
	run_for(k, 600000);
	assert_in_range(k->lost, 5, 40);
	in_first = k->lost;
	run_for(k, 600000);
	in_last = k->lost - in_first;
	assert_in_range(in_last, 7, 21); /* every 30 to 60 s, and 20 s for a deadline */
}

static void
test_backoff_when_nobody_listens(void **state)
{
	struct scene k;

	(void)state;
	set_up(&k);
	listener_free(k.tor.listener);
	k.tor.listener = NULL;
	expect_backoff(&k);
	tear_down(&k);
}

static void
test_backoff_after_every_stage(void **state)
{
	struct scene k;

	(void)state;
	for (unsigned stage = FAKE_TOR_INFO; stage <= FAKE_TOR_AUTH; stage++) {
		set_up(&k);
		k.tor.close = (enum fake_tor_stage)stage;
		expect_backoff(&k);
		tear_down(&k);
		set_up(&k);
		k.tor.hang = (enum fake_tor_stage)stage;
		expect_backoff(&k);
		assert_err(k.why, ERR_TIMEOUT);
		tear_down(&k);
	}
	set_up(&k);
	k.tor.auth = "515 no\r\n";
	expect_backoff(&k);
	tear_down(&k);
}

/* One that accepts us and hangs up at once is no better than one that refuses. */
static void
test_backoff_when_ready_is_short(void **state)
{
	struct scene k;

	(void)state;
	set_up(&k);
	k.tor.auth = "250 OK\r\n250 nobody asked\r\n";
	dial(&k);
	run_for(&k, 600000);
	assert_in_range(k.ready, 5, 40);
	tear_down(&k);
}

static void
test_comes_back_with_a_new_cookie(void **state)
{
	struct scene k;

	(void)state;
	set_up_ready(&k);
	for (unsigned i = 2; i < 6; i++) {
		run_for(&k, 60000);
		assert_err_ok(control_command(k.control, "GETINFO x", on_reply, &k));
		fake_tor_stop(&k.tor);
		run_for(&k, 1000);
		assert_false(control_is_ready(k.control));
		assert_int_equal(k.no_replies, i - 1);
		fake_tor_start(&k.tor, k.world, k.server);
		run_for(&k, 5000);
		assert_int_equal(k.ready, i);
		assert_int_equal(k.tor.authenticated, 1);
	}
	tear_down(&k);
}

/* ---- deadlines ---- */

static void
test_a_tor_that_hangs(void **state)
{
	struct scene k;

	(void)state;
	set_up_ready(&k);
	world_hold(k.server, true);
	assert_err_ok(control_command(k.control, "GETINFO a", on_reply, &k));
	run_for(&k, 10000);
	assert_err_ok(control_command(k.control, "GETINFO b", on_reply, &k));
	run_for(&k, CONTROL_COMMAND_MS - 10000 - 1);
	assert_int_equal(k.lost, 0);
	run_for(&k, 2);
	assert_int_equal(k.lost, 1);
	assert_int_equal(k.no_replies, 2);
	assert_err(k.why, ERR_TIMEOUT);
	assert_contains(k.sentence.text, "has not answered");
	world_hold(k.server, false);
	run_for(&k, 60000);
	assert_int_equal(k.ready, 2);
	tear_down(&k);
}

/* Replies in time put the deadline off, to that of the next command. */
static void
test_deadline_is_each_commands(void **state)
{
	struct scene k;

	(void)state;
	set_up_ready(&k);
	for (unsigned i = 0; i < 10; i++) {
		assert_err_ok(control_command(k.control, "GETINFO a", on_reply, &k));
		run_for(&k, CONTROL_COMMAND_MS - 1000);
	}
	assert_int_equal(k.replies, 10);
	run_for(&k, 10 * CONTROL_COMMAND_MS); /* nothing is asked, nothing is missed */
	assert_int_equal(k.lost, 0);
	tear_down(&k);
}

/* ---- every byte ---- */

/* How many bytes tor says up to the answer of one command. */
static size_t
conversation_bytes(void)
{
	struct scene k;
	size_t n;

	set_up_ready(&k);
	assert_err_ok(control_command(k.control, "GETINFO version", on_reply, &k));
	run_for(&k, ATTEMPT_MS);
	n = k.tor.said;
	tear_down(&k);
	return n;
}

static void
test_cut_at_every_byte(void **state)
{
	size_t n = conversation_bytes();

	(void)state;
	for (size_t at = 0; at < n; at++) {
		struct scene k;

		set_up(&k);
		k.tor.cut_at = at;
		dial(&k);
		while (k.ready == 0 && k.lost == 0 && world_step(k.world))
			;
		if (k.ready > 0)
			assert_err_ok(control_command(k.control, "GETINFO version", on_reply, &k));
		while (k.lost == 0 && k.replies == 0 && world_step(k.world))
			;
		assert_int_equal(k.replies, 0);
		assert_int_equal(k.lost, 1);
		k.tor.cut_at = FAKE_TOR_NEVER;
		run_for(&k, ATTEMPT_MS);
		assert_true(control_is_ready(k.control));
		tear_down(&k);
	}
}

/*
 * A byte that is another: what matters is that nothing breaks, that we are told
 * of what is refused, and that the next, sound attempt succeeds.
 */
static void
test_every_byte_flipped(void **state)
{
	static const uint8_t flips[] = {0x01, 0x0d, 0x2a, 0x80, 0xff};
	size_t n = conversation_bytes();

	(void)state;
	for (size_t at = 0; at < n; at++) {
		struct scene k;

		set_up(&k);
		k.tor.flip_at = at;
		k.tor.flip = flips[rng_below(test_rng(), sizeof(flips))];
		dial(&k);
		run_for(&k, 200);
		if (control_is_ready(k.control))
			assert_err_ok(control_command(k.control, "GETINFO version", on_reply, &k));
		run_for(&k, 2 * CONTROL_COMMAND_MS);
		assert_true(k.lost + k.replies + k.no_replies > 0);
		k.tor.flip_at = FAKE_TOR_NEVER;
		run_for(&k, 3 * CONTROL_COMMAND_MS);
		assert_true(control_is_ready(k.control));
		assert_in_range(k.tor.dials, 1, 12);
		tear_down(&k);
	}
}

static void
test_replies_beyond_the_limits(void **state)
{
	static char text[2 * CONTROL_LINE_MAX];

	(void)state;
	for (unsigned what = 0; what < 3; what++) {
		struct scene k;

		set_up_ready(&k);
		memset(text, 'x', sizeof(text) - 1);
		text[sizeof(text) - 1] = '\0';
		if (what == 0)
			memcpy(text, "250 ", 4); /* a line that does not end */
		if (what == 1)
			for (size_t i = 0; i + 7 < sizeof(text); i += 6)
				memcpy(text + i, "250-\r\n", 6); /* a reply that does not end */
		if (what == 2)
			memcpy(text, "250+x\r\n", 7); /* a data line that does not end */
		assert_err_ok(control_command(k.control, "GETINFO x", on_reply, &k));
		k.tor.hang = FAKE_TOR_COMMANDS;
		run_for(&k, 100);
		fake_tor_say(&k.tor, text);
		run_for(&k, 100);
		assert_int_equal(k.lost, 1);
		assert_int_equal(k.no_replies, 1);
		assert_err(k.why, ERR_FULL);
		assert_contains(k.sentence.text, "breaks the rules");
		tear_down(&k);
	}
}

static void
test_unasked_replies(void **state)
{
	struct scene k;

	(void)state;
	set_up_ready(&k);
	fake_tor_say(&k.tor, "250 OK\r\n");
	run_for(&k, 100);
	assert_int_equal(k.lost, 1);
	assert_err(k.why, ERR_MALFORMED);
	tear_down(&k);
}

/* Events of one who has not proved himself are not believed. */
static void
test_events_before_authentication(void **state)
{
	struct scene k;

	(void)state;
	set_up(&k);
	k.tor.before = "650 HS_DESC UPLOADED x\r\n";
	dial(&k);
	run_for(&k, ATTEMPT_MS);
	assert_int_equal(k.ready, 1);
	assert_int_equal(k.events, 0);
	fake_tor_say(&k.tor, "650 HS_DESC UPLOADED y\r\n");
	run_for(&k, 100);
	assert_int_equal(k.events, 1);
	assert_string_equal(k.last_event, "HS_DESC UPLOADED y");
	tear_down(&k);
}

/* ---- freed from within ---- */

static void
test_freed_in_every_callback(void **state)
{
	(void)state;
	for (unsigned what = 0; what < 4; what++) {
		struct scene k;

		set_up(&k);
		k.free_in_ready = what == 0;
		k.free_in_reply = what == 1;
		k.free_in_event = what == 2;
		k.free_in_lost = what == 3;
		dial(&k);
		run_for(&k, ATTEMPT_MS);
		for (unsigned i = 0; i < 3 && k.control != NULL; i++)
			assert_err_ok(control_command(k.control, "GETINFO a", on_reply, &k));
		fake_tor_say(&k.tor, "650 X\r\n650 Y\r\n");
		run_for(&k, 100);
		fake_tor_hang_up(&k.tor);
		run_for(&k, ATTEMPT_MS);
		assert_null(k.control);
		assert_int_equal(k.ready, 1);
		tear_down(&k);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_authenticates_and_talks),
	cmocka_unit_test(test_pipelined_commands_and_events_between),
	cmocka_unit_test(test_takes_ownership),
	cmocka_unit_test(test_commands_are_checked),
	cmocka_unit_test(test_data_block_is_the_value),
	cmocka_unit_test(test_versions),
	cmocka_unit_test(test_methods_without_safecookie),
	cmocka_unit_test(test_strange_protocolinfo),
	cmocka_unit_test(test_wrong_server_hash),
	cmocka_unit_test(test_cookie_files),
	cmocka_unit_test(test_configured_cookie_file),
	cmocka_unit_test(test_refused_proof),
	cmocka_unit_test(test_nobody_listens),
	cmocka_unit_test(test_arguments),
	cmocka_unit_test(test_backoff_when_nobody_listens),
	cmocka_unit_test(test_backoff_after_every_stage),
	cmocka_unit_test(test_backoff_when_ready_is_short),
	cmocka_unit_test(test_comes_back_with_a_new_cookie),
	cmocka_unit_test(test_a_tor_that_hangs),
	cmocka_unit_test(test_deadline_is_each_commands),
	cmocka_unit_test(test_cut_at_every_byte),
	cmocka_unit_test(test_every_byte_flipped),
	cmocka_unit_test(test_replies_beyond_the_limits),
	cmocka_unit_test(test_unasked_replies),
	cmocka_unit_test(test_events_before_authentication),
	cmocka_unit_test(test_freed_in_every_callback),
};

TEST_MAIN(tests)

/*
 * A mix's way to the front door: its settings, the file with its key, and a tor
 * played by tor_double.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/net/loop_event.h"
#include "mix/front.h"
#include "tests/lib/test.h"

#define SERVICE "aoqqpp7tzyil4hlq3umoos6atft6jvrqtosq2xy53sdgiesvgg4bqead"
#define OTHER "25njqamcweflpvkl73j4szahhihoc4xt3ktcgjnpaingr5yhkenl5sid"
#define KEY ":descriptor:x25519:aaaqeayeaudaocajbifqydiob4ibceqtcqkrmfyydenbwha5dypq"

struct scene {
	struct torsettings settings;
	struct front_config cfg;
	struct loop *loop;
	struct front *front;
	char path[256], extra[256], *program;
	unsigned opens, closes;
};

static void
write_file(const char *path, const char *text, mode_t mode)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	(void)fputs(text, f);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static void
scene_make(struct scene *k, const char *entrance, const char *line, mode_t mode)
{
	memset(k, 0, sizeof(*k));
	k->cfg = (struct front_config){ .settings = &k->settings,
		.entrance = entrance,
		.state = test_tmpdir(),
		.authorization = k->path };
	if (line == NULL)
		return;
	(void)snprintf(k->path, sizeof(k->path), "%s/authorization", k->cfg.state);
	write_file(k->path, line, mode);
}

static void
checked(const char *entrance, const char *line, mode_t mode, enum err want, const char *why)
{
	struct diag d = { "" };
	struct scene k;

	scene_make(&k, entrance, line, mode);
	assert_err(front_check(&k.cfg, &d), want);
	assert_contains(d.text, why);
	assert_null(strstr(d.text, "aaaqeaye"));
}

static void
what_is_checked(void **state)
{
	struct diag d = { "" };
	struct scene k;

	(void)state;
	checked("127.0.0.1:80", NULL, 0, ERR_OK, "");
	checked(SERVICE ".onion:80", NULL, 0, ERR_OK, "");
	checked(SERVICE ".onion:80", SERVICE KEY "\n", 0600, ERR_OK, "");
	checked(SERVICE ".onion:80", SERVICE KEY "\n", 0640, ERR_USAGE, "chmod 600");
	checked(SERVICE ".onion:80", SERVICE KEY "\n", 0604, ERR_USAGE, "chmod 600");
	checked(SERVICE ".onion:80", "", 0600, ERR_MALFORMED, "authorization: a client authorization");
	checked(SERVICE ".onion:80", OTHER KEY, 0600, ERR_USAGE, "another onion service");
	checked("127.0.0.1:80", SERVICE KEY, 0600, ERR_USAGE, "no onion service");
	checked(OTHER "x.onion:80", NULL, 0, ERR_USAGE, "misspelt");
	scene_make(&k, SERVICE ".onion:80", NULL, 0);
	k.cfg.authorization = "/nowhere/key";
	assert_err(front_check(&k.cfg, &d), ERR_NOT_FOUND);
	assert_contains(d.text, "authorization: /nowhere/key cannot be read");
}

static void
on_open(void *arg, bool is)
{
	struct scene *k = arg;

	if (is)
		k->opens++;
	else
		k->closes++;
	loop_event_stop(k->loop);
}

static void
a_direct_way_is_open(void **state)
{
	struct scene k;

	(void)state;
	scene_make(&k, "127.0.0.1:80", NULL, 0);
	assert_err_ok(loop_event_new(&k.loop, NULL));
	k.cfg.loop = k.loop;
	assert_err_ok(front_new(&k.front, &k.cfg, on_open, &k, NULL));
	assert_true(front_is_open(k.front));
	assert_null(front_socks(k.front));
	front_free(k.front);
	loop_event_free(k.loop);
}

static void
a_way_through_tor_opens_and_closes(void **state)
{
	char socks[512], text[512];
	struct report r;
	struct buf out;
	struct scene k;

	(void)state;
	scene_make(&k, SERVICE ".onion:80", SERVICE KEY, 0600);
	k.program = realpath("tests/unit/net/tor_double", NULL);
	assert_non_null(k.program);
	assert_true(strlen(k.program) < sizeof(k.settings.program));
	memcpy(k.settings.program, k.program, strlen(k.program) + 1);
	free(k.program);
	assert_err_ok(loop_event_new(&k.loop, NULL));
	k.cfg.loop = k.loop;
	assert_err_ok(front_new(&k.front, &k.cfg, on_open, &k, NULL));
	assert_false(front_is_open(k.front));
	(void)snprintf(socks, sizeof(socks), "unix:%s/tor/socks", k.cfg.state);
	assert_string_equal(front_socks(k.front), socks);
	(void)alarm(60);
	loop_event_run(k.loop); /* until it is open */
	assert_int_equal(k.opens, 1);
	assert_true(front_is_open(k.front));
	buf_init(&out);
	report_begin(&r, &out, true);
	front_report(k.front, &r);
	assert_err_ok(report_end(&r));
	assert_err_ok(buf_append(&out, "", 1, REPORT_MAX));
	assert_contains((const char *)out.data, "\"tor\":{\"own\":true,\"state\":\"ready\"");
	assert_contains((const char *)out.data, "\"authorization\":\"given\"");
	buf_release(&out);
	/* killed: not open, and then open again */
	(void)snprintf(text, sizeof(text), "kill -9 $(cat '%s/tor/pid')", k.cfg.state);
	assert_int_equal(system(text), 0);
	loop_event_run(k.loop);
	assert_int_equal(k.closes, 1);
	assert_false(front_is_open(k.front));
	loop_event_run(k.loop);
	assert_int_equal(k.opens, 2);
	(void)alarm(0);
	front_free(k.front);
	loop_event_free(k.loop);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(what_is_checked),
	cmocka_unit_test(a_direct_way_is_open),
	cmocka_unit_test(a_way_through_tor_opens_and_closes),
};

TEST_MAIN(tests)

/*
 * A tor of our own and one of somebody else's, played by tor_double, a program
 * that does what it is told. The loop's clock can be moved on, so that no
 * back-off and no patience is waited for.
 */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/net/child.h"
#include "common/net/tor.h"
#include "tests/lib/test.h"
#include "tests/unit/net/net_test.h"

#define SERVICE "aoqqpp7tzyil4hlq3umoos6atft6jvrqtosq2xy53sdgiesvgg4bqead"
/* The private key 00 01 .. 1f in tor's base64. */
#define KEY_LINE "ONION_CLIENT_AUTH_ADD " SERVICE                                                  \
	" x25519:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\r\n"

struct scene {
	struct loop *loop;
	struct tor *tor;
	struct clientauth key;
	struct tor_status status;
	unsigned changes;
	char directory[256], sockets[256], extra[256], program[512];
	const char *test; /* everything is in this */
};

/* ---- time ---- */

static int64_t ahead_ms; /* of the system's clock, both of them */

static int64_t
wall_ms(void *ctx)
{
	(void)ctx;
	return clock_wall_ms(clock_system()) + ahead_ms;
}

static int64_t
boot_ms(void *ctx)
{
	(void)ctx;
	return clock_boot_ms(clock_system()) + ahead_ms;
}

static const struct clock moved = { wall_ms, boot_ms, NULL };
static const struct loop_event_time moved_time = { &moved, boot_ms, NULL };

/* ---- scenes ---- */

static void
write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	(void)fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

/* How the next start behaves. */
static void
behave(const struct scene *k, const char *mode)
{
	char text[64];

	(void)snprintf(text, sizeof(text), "Double %s", mode);
	write_file(k->extra, text);
}

static void
on_changed(void *arg)
{
	struct scene *k = arg;

	k->changes++;
	tor_get_status(k->tor, &k->status);
}

static void
scene_make(struct scene *k, const char *mode)
{
	char *program = realpath("tests/unit/net/tor_double", NULL);

	memset(k, 0, sizeof(*k));
	ahead_ms = 0;
	k->test = test_tmpdir();
	(void)snprintf(k->directory, sizeof(k->directory), "%s/own \"tor\"", k->test);
	(void)snprintf(k->sockets, sizeof(k->sockets), "%s/run", k->test);
	(void)snprintf(k->extra, sizeof(k->extra), "%s/extra", k->test);
	assert_non_null(program);
	(void)snprintf(k->program, sizeof(k->program), "%s", program);
	free(program);
	assert_err_ok(loop_event_new_timed(&k->loop, NULL, &moved_time));
	memcpy(k->key.service, SERVICE, sizeof(SERVICE));
	for (uint8_t i = 0; i < 32; i++)
		k->key.secret[i] = i;
	behave(k, mode);
}

static struct tor_config
config_of(struct scene *k)
{
	return (struct tor_config){ .loop = k->loop,
		.rng = test_rng(),
		.keys = test_rng(),
		.directory = k->directory,
		.sockets = k->sockets,
		.program = k->program,
		.extra = k->extra,
		.key = &k->key,
		.changed = on_changed,
		.arg = k };
}

static void
scene_start(struct scene *k, const char *mode)
{
	struct tor_config cfg;
	struct diag d = { "" };
	enum err e;

	scene_make(k, mode);
	cfg = config_of(k);
	e = tor_new(&k->tor, &cfg, &d);
	if (e != ERR_OK)
		print_error("%s\n", d.text);
	assert_err_ok(e);
	tor_get_status(k->tor, &k->status);
	assert_int_equal(k->status.state, TOR_DOWN);
}

static void
scene_free(struct scene *k)
{
	tor_free(k->tor);
	loop_event_free(k->loop);
}

/* Until the status is as it should be; time goes on by step_ms a turn. */
static void
wait_for_state(struct scene *k, enum tor_state want, uint32_t starts, int64_t step_ms)
{
	for (int i = 0; i < 20000 && (k->status.state != want || k->status.starts < starts); i++) {
		ahead_ms += step_ms;
		net_settle(k->loop, 1);
	}
	assert_int_equal(k->status.state, want);
	assert_true(k->status.starts >= starts);
}

static void
read_file(const struct scene *k, const char *name, char *out, size_t size)
{
	char path[512];
	FILE *f;
	size_t n;

	(void)snprintf(path, sizeof(path), "%s/%s", k->directory, name);
	f = fopen(path, "re");
	assert_non_null(f);
	n = fread(out, 1, size - 1, f);
	out[n] = '\0';
	(void)fclose(f);
}

/* Once it has said it. */
static pid_t
double_pid(const struct scene *k)
{
	char text[512];

	(void)snprintf(text, sizeof(text), "%s/pid", k->directory);
	for (int i = 0; i < 20000; i++) {
		struct stat st;

		if (stat(text, &st) == 0 && st.st_size > 0)
			break;
		net_settle(k->loop, 1);
	}
	read_file(k, "pid", text, sizeof(text));
	return (pid_t)strtol(text, NULL, 10);
}

static bool
is_there(pid_t pid)
{
	return kill(pid, 0) == 0 || errno != ESRCH;
}

/* ---- a good one ---- */

static void
it_becomes_ready_and_has_the_key(void **state)
{
	char heard[4096], address[512], path[512];
	struct scene k;
	struct stat st;
	pid_t pid;

	(void)state;
	scene_start(&k, "slow");
	assert_false(tor_is_ready(k.tor));
	wait_for_state(&k, TOR_READY, 1, 0);
	assert_true(tor_is_ready(k.tor));
	assert_true(k.status.own);
	assert_int_equal(k.status.key, TOR_KEY_GIVEN);
	assert_int_equal(k.status.bootstrap.progress, 100);
	assert_string_equal(k.status.version, "0.4.9.11");
	assert_string_equal(k.status.why.text, "");
	read_file(&k, "heard", heard, sizeof(heard));
	assert_contains(heard, "TAKEOWNERSHIP\r\n");
	assert_contains(heard, "SETEVENTS STATUS_CLIENT SIGNAL\r\n");
	assert_contains(heard, KEY_LINE);
	(void)snprintf(address, sizeof(address), "unix:%s/socks", k.sockets);
	assert_string_equal(tor_socks(k.tor), address);
	assert_int_equal(stat(k.directory, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(stat(k.sockets, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	(void)snprintf(path, sizeof(path), "%s/torrc", k.directory);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	pid = double_pid(&k);
	assert_true(is_there(pid));
	scene_free(&k);
	assert_false(is_there(pid));
}

/* A reload and a NEWNYM take the key away from tor: it is given again at once. */
static void
a_reloaded_one_has_the_key_again(void **state)
{
	char heard[8192], *first;
	struct scene k;

	(void)state;
	scene_start(&k, "reloaded");
	wait_for_state(&k, TOR_READY, 1, 0);
	for (first = NULL; first == NULL || strstr(first + 1, KEY_LINE) == NULL;) {
		net_settle(k.loop, 1);
		read_file(&k, "heard", heard, sizeof(heard));
		first = strstr(heard, KEY_LINE);
	}
	assert_true(tor_is_ready(k.tor));
	assert_int_equal(k.status.key, TOR_KEY_GIVEN);
	scene_free(&k);
}

static void
what_torrc_says(void **state)
{
	char torrc[4096], line[512];
	struct scene k;

	(void)state;
	scene_start(&k, "none");
	wait_for_state(&k, TOR_READY, 1, 0);
	read_file(&k, "torrc", torrc, sizeof(torrc));
	assert_int_equal(strncmp(torrc, "Double none\n", 12), 0); /* before ours, which then win */
	(void)snprintf(line, sizeof(line), "\nDataDirectory \"%s/own \\\"tor\\\"/data\"\n", k.test);
	assert_contains(torrc, line);
	(void)snprintf(line, sizeof(line), "\nSocksPort unix:\"%s/socks\" ExtendedErrors\n", k.sockets);
	assert_contains(torrc, line);
	(void)snprintf(line, sizeof(line), "\n__OwningControllerProcess %ld\n", (long)getpid());
	assert_contains(torrc, line);
	assert_contains(torrc, "\nClientOnly 1\n");
	assert_contains(torrc, "\nLog err file /dev/null\n");
	assert_null(strstr(torrc, "ORPort"));
	assert_null(strstr(torrc, "AAECAw"));
	scene_free(&k);
}

/* Whose groups are the same: the registrar's. */
static void
the_key_is_for_a_second_service_too(void **state)
{
	static const char also[] = "pg6mmjiyjmcrsslvykfwnntlaru7p5svn6y2ymmju6nubxndf4pscryd";
	char heard[4096], address[80], line[256];
	struct tor_config cfg;
	struct scene k;

	(void)state;
	(void)snprintf(address, sizeof(address), "%s.onion:80", also);
	(void)snprintf(line, sizeof(line), "ONION_CLIENT_AUTH_ADD %s x25519:AAECAw", also);
	scene_make(&k, "none");
	cfg = config_of(&k);
	cfg.also = address;
	assert_err_ok(tor_new(&k.tor, &cfg, NULL));
	wait_for_state(&k, TOR_READY, 1, 0);
	assert_int_equal(k.status.key, TOR_KEY_GIVEN);
	read_file(&k, "heard", heard, sizeof(heard));
	assert_contains(heard, line);
	assert_contains(heard, KEY_LINE);
	scene_free(&k);
}

static void
without_a_key_none_is_given(void **state)
{
	char heard[4096];
	struct tor_config cfg;
	struct scene k;

	(void)state;
	scene_make(&k, "none");
	cfg = config_of(&k);
	cfg.key = NULL;
	assert_err_ok(tor_new(&k.tor, &cfg, NULL));
	wait_for_state(&k, TOR_READY, 1, 0);
	assert_int_equal(k.status.key, TOR_KEY_NONE);
	read_file(&k, "heard", heard, sizeof(heard));
	assert_null(strstr(heard, "ONION_CLIENT_AUTH_ADD"));
	scene_free(&k);
}

/* ---- bad ones ---- */

static void
a_killed_one_is_started_again(void **state)
{
	char heard[8192], *first;
	struct scene k;
	pid_t pid;

	(void)state;
	scene_start(&k, "none");
	wait_for_state(&k, TOR_READY, 1, 0);
	for (uint32_t starts = 2; starts <= 4; starts++) {
		/* ready, so that it is the present one's */
		pid = double_pid(&k);
		assert_int_equal(kill(pid, SIGKILL), 0);
		wait_for_state(&k, TOR_DOWN, starts - 1, 0);
		assert_contains(k.status.why.text, "killed by signal 9");
		assert_int_equal(k.status.key, TOR_KEY_PENDING);
		assert_false(is_there(pid)); /* no zombie */
		wait_for_state(&k, TOR_READY, starts, 1000);
		assert_string_equal(k.status.why.text, "");
	}
	read_file(&k, "heard", heard, sizeof(heard));
	first = strstr(heard, KEY_LINE);
	assert_non_null(first);
	assert_contains(first + 1, KEY_LINE); /* given again */
	scene_free(&k);
}

/* No busy loop: in ten minutes it is tried some twenty times. */
static void
one_that_ends_at_once_is_tried_less_and_less(void **state)
{
	uint32_t early = 0;
	struct scene k;

	(void)state;
	scene_start(&k, "exit");
	for (int second = 0; second < 600; second += 2) {
		ahead_ms += 2000;
		net_settle(k.loop, 1);
		if (second == 60)
			early = k.status.starts;
	}
	assert_contains(k.status.why.text, "ended with status 1");
	assert_contains(k.status.why.text, "--verify-config");
	assert_in_range(early, 4, 11);
	assert_in_range(k.status.starts, 12, 35);
	/* once it is well, it is started soon after its end */
	behave(&k, "none");
	wait_for_state(&k, TOR_READY, 0, 1000);
	ahead_ms += TOR_STABLE_MS;
	assert_int_equal(kill(double_pid(&k), SIGKILL), 0);
	wait_for_state(&k, TOR_DOWN, 0, 0);
	ahead_ms += TOR_BACKOFF_MIN_MS;
	wait_for_state(&k, TOR_READY, 0, 0);
	scene_free(&k);
}

static void
one_that_hangs_is_ended(const char *mode)
{
	struct scene k;
	pid_t pid;

	scene_start(&k, mode);
	wait_for_state(&k, TOR_STARTING, 1, 0);
	pid = double_pid(&k);
	assert_int_equal(k.status.state, TOR_STARTING);
	behave(&k, "none");
	wait_for_state(&k, TOR_DOWN, 1, 1000);
	assert_contains(k.status.why.text, "does not answer at its control port");
	assert_false(is_there(pid));
	wait_for_state(&k, TOR_READY, 2, 1000);
	scene_free(&k);
}

static void
one_that_never_listens(void **state)
{
	(void)state;
	one_that_hangs_is_ended("hang");
}

static void
one_that_never_answers(void **state)
{
	(void)state;
	one_that_hangs_is_ended("mute");
}

/* The questions that are asked now and then find out. */
static void
one_that_falls_silent(void **state)
{
	struct scene k;
	pid_t pid;

	(void)state;
	scene_start(&k, "stale");
	wait_for_state(&k, TOR_READY, 1, 0);
	pid = double_pid(&k);
	behave(&k, "none");
	wait_for_state(&k, TOR_READY, 2, 1000);
	assert_false(is_there(pid));
	scene_free(&k);
}

static void
one_that_does_not_get_on(void **state)
{
	struct scene k;

	(void)state;
	scene_start(&k, "half");
	for (int i = 0; i < 20000 && !k.status.bootstrap.trouble; i++)
		net_settle(k.loop, 1);
	assert_int_equal(k.status.state, TOR_CLIMBING);
	assert_int_equal(k.status.bootstrap.progress, 50);
	assert_string_equal(k.status.bootstrap.tag, "conn");
	assert_contains(k.status.why.text, "does not get on at 50 %");
	assert_false(tor_is_ready(k.tor));
	scene_free(&k);
}

static void
one_that_takes_no_key(void **state)
{
	struct scene k;

	(void)state;
	scene_start(&k, "refuse");
	for (int i = 0; i < 20000 && k.status.key != TOR_KEY_REFUSED; i++)
		net_settle(k.loop, 1);
	net_settle(k.loop, 20);
	assert_int_equal(k.status.key, TOR_KEY_REFUSED);
	assert_int_equal(k.status.state, TOR_CLIMBING);
	assert_contains(k.status.why.text, "refuses the client authorization (512)");
	assert_null(strstr(k.status.why.text, "AAECAw"));
	scene_free(&k);
}

/* Freed at any moment, nothing is left of it. */
static void
it_can_be_freed_at_any_moment(void **state)
{
	static const char *const modes[] = { "none", "exit", "half", "mute" };

	(void)state;
	for (int i = 0; i < 40; i++) {
		struct scene k;

		scene_start(&k, modes[i % 4]);
		net_settle(k.loop, rng_between(test_rng(), 0, 30));
		scene_free(&k);
		assert_err(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD ? ERR_OK : ERR_BUSY, ERR_OK);
	}
}

/* ---- what is refused ---- */

static void
refused(const struct tor_config *cfg, enum err want, const char *why)
{
	struct diag d = { "" };
	struct tor *t = NULL;

	assert_err(tor_new(&t, cfg, &d), want);
	assert_contains(d.text, why);
	assert_null(t);
}

static void
mistakes_are_named(void **state)
{
	char wide[300];
	struct tor_config cfg;
	struct scene k;

	(void)state;
	scene_make(&k, "none");
	cfg = config_of(&k);
	cfg.program = "/nowhere/tor";
	refused(&cfg, ERR_NOT_FOUND, "install the package `tor`");
	cfg.program = "restante-no-such-tor";
	refused(&cfg, ERR_NOT_FOUND, "tor-program");
	cfg = config_of(&k);
	cfg.directory = "relative";
	refused(&cfg, ERR_USAGE, "absolute");
	cfg = config_of(&k);
	(void)snprintf(wide, sizeof(wide), "/tmp/%0200d", 1);
	cfg.sockets = wide;
	refused(&cfg, ERR_RANGE, "at most 107");
	cfg = config_of(&k);
	(void)snprintf(wide, sizeof(wide), "%s/open", k.test);
	assert_int_equal(mkdir(wide, 0700), 0);
	assert_int_equal(chmod(wide, 0755), 0);
	cfg.sockets = wide;
	refused(&cfg, ERR_USAGE, "chmod 700");
	cfg = config_of(&k);
	cfg.directory = NULL;
	refused(&cfg, ERR_USAGE, "tor-control and tor-socks");
	cfg.control = "localhost:9051";
	cfg.socks = "127.0.0.1:9050";
	refused(&cfg, ERR_USAGE, "numbers and ports");
	loop_event_free(k.loop);
}

/* What is not there any more later on is told, and mended by itself. */
static void
an_extra_file_that_is_gone(void **state)
{
	struct scene k;

	(void)state;
	scene_make(&k, "none");
	assert_int_equal(unlink(k.extra), 0);
	{
		const struct tor_config cfg = config_of(&k);

		assert_err_ok(tor_new(&k.tor, &cfg, NULL));
	}
	for (int i = 0; i < 20000 && k.changes == 0; i++)
		net_settle(k.loop, 1);
	assert_int_equal(k.status.state, TOR_DOWN);
	assert_contains(k.status.why.text, "tor-config: ");
	behave(&k, "none");
	wait_for_state(&k, TOR_READY, 1, 1000);
	scene_free(&k);
}

/* ---- somebody else's ---- */

static void
on_ended(void *arg, int status)
{
	(void)arg;
	(void)status;
}

/* A tor that nobody here owns, at a control port. */
static struct child *
start_theirs(const struct scene *k)
{
	char name[] = "tor", first[] = "--defaults-torrc", second[] = "-f", quiet[] = "--quiet";
	char torrc[512], defaults[512], text[2048];
	char *argv[] = { name, first, defaults, second, torrc, quiet, NULL };
	struct child *c = NULL;

	assert_int_equal(mkdir(k->directory, 0700), 0);
	(void)snprintf(defaults, sizeof(defaults), "%s/defaults", k->test);
	(void)snprintf(torrc, sizeof(torrc), "%s/theirs", k->test);
	(void)snprintf(text, sizeof(text), "ControlSocket %s/control\nCookieAuthFile %s/cookie\n"
	    "DataDirectory /x\n", k->test, k->test);
	write_file(defaults, "");
	write_file(torrc, text);
	assert_err_ok(child_start(&c, k->loop, k->program, argv, on_ended, NULL, NULL));
	return c;
}

/* Neither owned, nor started, nor ended; waited for as long as it is not there. */
static void
a_named_one(void **state)
{
	char control[300], heard[4096];
	struct tor_config cfg;
	struct child *theirs;
	struct scene k;

	(void)state;
	scene_make(&k, "none");
	(void)snprintf(control, sizeof(control), "unix:%s/control", k.test);
	cfg = config_of(&k);
	cfg.directory = NULL;
	cfg.control = control;
	cfg.socks = "127.0.0.1:9050";
	assert_err_ok(tor_new(&k.tor, &cfg, NULL));
	assert_string_equal(tor_socks(k.tor), "127.0.0.1:9050");
	for (int i = 0; i < 20000 && k.changes == 0; i++)
		net_settle(k.loop, 1);
	assert_int_equal(k.status.state, TOR_DOWN);
	assert_true(k.status.why.text[0] != '\0');
	theirs = start_theirs(&k);
	wait_for_state(&k, TOR_READY, 0, 1000);
	assert_false(k.status.own);
	assert_int_equal(k.status.starts, 0);
	assert_int_equal(k.status.key, TOR_KEY_GIVEN);
	assert_string_equal(k.status.why.text, "");
	tor_free(k.tor);
	k.tor = NULL;
	net_settle(k.loop, 20);
	assert_true(child_runs(theirs));
	(void)snprintf(k.directory, sizeof(k.directory), "%s", k.test);
	read_file(&k, "heard", heard, sizeof(heard));
	assert_contains(heard, KEY_LINE);
	assert_null(strstr(heard, "TAKEOWNERSHIP"));
	child_free(theirs);
	scene_free(&k);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(it_becomes_ready_and_has_the_key),
	cmocka_unit_test(a_reloaded_one_has_the_key_again),
	cmocka_unit_test(what_torrc_says),
	cmocka_unit_test(the_key_is_for_a_second_service_too),
	cmocka_unit_test(without_a_key_none_is_given),
	cmocka_unit_test(a_killed_one_is_started_again),
	cmocka_unit_test(one_that_ends_at_once_is_tried_less_and_less),
	cmocka_unit_test(one_that_never_listens),
	cmocka_unit_test(one_that_never_answers),
	cmocka_unit_test(one_that_falls_silent),
	cmocka_unit_test(one_that_does_not_get_on),
	cmocka_unit_test(one_that_takes_no_key),
	cmocka_unit_test(it_can_be_freed_at_any_moment),
	cmocka_unit_test(mistakes_are_named),
	cmocka_unit_test(an_extra_file_that_is_gone),
	cmocka_unit_test(a_named_one),
};

TEST_MAIN(tests)

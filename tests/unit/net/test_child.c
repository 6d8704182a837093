/*
 * Programs that run as our children: shell scripts that behave, and some that
 * do not.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/net/child.h"
#include "tests/lib/test.h"
#include "tests/unit/net/net_test.h"

struct seen {
	unsigned ends;
	int status;
};

static void
on_ended(void *arg, int status)
{
	struct seen *s = arg;

	s->ends++;
	s->status = status;
}

/* A file in the test's directory, valid until the next call but three. */
static char *
test_path(const char *name)
{
	static char paths[4][512];
	static const char *directory;
	static unsigned calls;
	char *path = paths[calls++ % 4];

	if (directory == NULL)
		directory = test_tmpdir();
	(void)snprintf(path, sizeof(paths[0]), "%s/%s", directory, name);
	return path;
}

/* A script, with a file as its first argument. */
static struct child *
shell(struct seen *s, struct loop *l, const char *text, char *path)
{
	char name[] = "sh", option[] = "-c", script[512];
	char *argv[] = { name, option, script, name, path, NULL };
	struct child *c = NULL;

	assert_true(strlen(text) < sizeof(script));
	memcpy(script, text, strlen(text) + 1);
	assert_err_ok(child_start(&c, l, "/bin/sh", argv, on_ended, s, NULL));
	return c;
}

static bool
is_there(pid_t pid)
{
	return kill(pid, 0) == 0 || errno != ESRCH;
}

static void
its_status_is_told(void **state)
{
	struct loop *l = net_loop_new();
	struct seen s = { 0, 0 };
	struct child *c = shell(&s, l, "exit 7", NULL);
	pid_t pid = child_pid(c);

	(void)state;
	net_wait(l, &s.ends, 1);
	assert_true(WIFEXITED(s.status));
	assert_int_equal(WEXITSTATUS(s.status), 7);
	assert_false(child_runs(c));
	assert_false(is_there(pid)); /* no zombie */
	child_signal(c, SIGKILL);    /* of nobody: the id may be another's now */
	child_free(c);

	c = shell(&s, l, "kill -9 $$", NULL);
	net_wait(l, &s.ends, 2);
	assert_true(WIFSIGNALED(s.status));
	assert_int_equal(WTERMSIG(s.status), SIGKILL);
	child_free(c);
	net_loop_free(l);
}

/* A line that the script has written, once it is there. */
static void
wait_for_file(struct loop *l, const char *path, char *text, size_t size)
{
	text[0] = '\0';
	for (int i = 0; i < 10000 && strchr(text, '\n') == NULL; i++) {
		FILE *f = fopen(path, "re");
		size_t n = f != NULL ? fread(text, 1, size - 1, f) : 0;

		text[n] = '\0';
		if (f != NULL)
			(void)fclose(f);
		net_settle(l, 1);
	}
	assert_non_null(strchr(text, '\n'));
}

/* Let the script write a line to its file, then free it: it must be gone. */
static void
free_ends_it(const char *script, char *path)
{
	struct loop *l = net_loop_new();
	struct seen s = { 0, 0 };
	struct child *c = shell(&s, l, script, path);
	pid_t pid = child_pid(c);
	char text[64];

	wait_for_file(l, path, text, sizeof(text));
	child_free(c);
	assert_false(is_there(pid));
	net_settle(l, 1);
	assert_int_equal(s.ends, 0);
	net_loop_free(l);
}

static void
a_polite_one_is_asked(void **state)
{
	(void)state;
	free_ends_it("echo up >$1; exec sleep 1000", test_path("polite"));
}

static void
a_deaf_one_is_asked_and_killed(void **state)
{
	struct stat st;

	(void)state;
	free_ends_it("trap 'echo asked >$1.asked' TERM; echo up >$1; while :; do sleep 0.01; done",
	    test_path("deaf"));
	assert_int_equal(stat(test_path("deaf.asked"), &st), 0);
}

static void
a_stopped_one_is_killed(void **state)
{
	(void)state;
	free_ends_it("echo up >$1; kill -STOP $$; exit 0", test_path("stopped"));
}

/* It has standard input, output and error, /dev/null, and nothing else of ours. */
static void
it_gets_no_file_of_ours(void **state)
{
	struct loop *l = net_loop_new();
	struct seen s = { 0, 0 };
	char *path = test_path("files"), text[512];
	int leak = open("/dev/zero", O_RDONLY); /* without O_CLOEXEC */
	struct child *c;

	(void)state;
	assert_true(leak >= 0);
	c = shell(&s, l, "a=$(readlink /proc/$$/fd/0 /proc/$$/fd/1 /proc/$$/fd/2); "
	    "b=$(ls -l /proc/$$/fd | grep -c zero); printf '%s\\n' \"$a\" $b >$1.new; mv $1.new $1", path);
	net_wait(l, &s.ends, 1);
	wait_for_file(l, path, text, sizeof(text));
	assert_string_equal(text, "/dev/null\n/dev/null\n/dev/null\n0\n");
	child_free(c);
	(void)close(leak);
	net_loop_free(l);
}

/* What we ignore or block is not ignored or blocked there. */
static void
it_gets_no_signal_setting_of_ours(void **state)
{
	struct loop *l = net_loop_new();
	struct seen s = { 0, 0 };
	char *path = test_path("signals"), text[512];
	sigset_t blocked, before;
	struct child *c;

	(void)state;
	(void)signal(SIGUSR1, SIG_IGN);
	(void)signal(SIGCHLD, SIG_IGN);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &blocked, &before);
	/* of the first 31: the C library keeps those behind them to itself */
	c = shell(&s, l, "for which in Blk Ign; do set_=$(sed -n \"s/^Sig$which:.*\\(.\\{8\\}\\)$/\\1/p\" "
	    "/proc/$$/status); echo $((0x$set_ & 0x7fffffff)); done >$1.new; mv $1.new $1", path);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	net_wait(l, &s.ends, 1);
	assert_int_equal(s.status, 0); /* and an ignored SIGCHLD did not take it away */
	wait_for_file(l, path, text, sizeof(text));
	assert_string_equal(text, "0\n0\n");
	child_free(c);
	(void)signal(SIGUSR1, SIG_DFL);
	net_loop_free(l);
}

static void
what_cannot_run_says_so(void **state)
{
	struct loop *l = net_loop_new();
	char *path = test_path("garbage"), name[] = "x";
	char *argv[] = { name, NULL };
	struct seen s = { 0, 0 };
	struct diag d = { "" };
	struct child *c = NULL;
	FILE *f;

	(void)state;
	assert_err(child_start(&c, l, "/nowhere/x", argv, on_ended, &s, &d), ERR_IO);
	assert_contains(d.text, "/nowhere/x: cannot be started: No such file");
	f = fopen(path, "we");
	assert_non_null(f);
	(void)fputs("\177garbage", f);
	(void)fclose(f);
	assert_int_equal(chmod(path, 0700), 0);
	assert_err(child_start(&c, l, path, argv, on_ended, &s, &d), ERR_IO);
	assert_contains(d.text, "garbage: cannot be started: Exec format error");
	assert_null(c);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nothing is left */
	net_settle(l, 1);
	assert_int_equal(s.ends, 0);
	net_loop_free(l);
}

/* An owner that is killed takes its child along, whatever that thinks of signals. */
static void
it_dies_with_its_owner(void **state)
{
	struct loop *l = net_loop_new();
	char *path = test_path("orphan"), text[64];
	pid_t owner, pid;
	bool gone = false;

	(void)state;
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0); /* its orphans come to us */
	owner = fork();
	if (owner == 0) {
		struct seen s = { 0, 0 };
		struct loop *own = NULL;

		if (loop_event_new(&own, NULL) == ERR_OK) {
			(void)shell(&s, own, "trap '' TERM HUP INT; echo $$ >$1; "
			    "while :; do sleep 0.01; done", path);
			loop_event_run(own);
		}
		_exit(1);
	}
	assert_true(owner > 0);
	wait_for_file(l, path, text, sizeof(text));
	pid = (pid_t)strtol(text, NULL, 10);
	assert_true(is_there(pid));
	assert_int_equal(kill(owner, SIGKILL), 0);
	assert_int_equal(waitpid(owner, NULL, 0), owner);
	for (int i = 0; i < 10000 && !gone; i++) {
		gone = waitpid(pid, NULL, WNOHANG) == pid;
		net_settle(l, 1);
	}
	assert_true(gone);
	while (waitpid(-1, NULL, 0) > 0) /* its sleep */
		;
	net_loop_free(l);
}

static void
make_program(const char *directory, const char *name, mode_t mode)
{
	char path[1024];
	FILE *f;

	(void)mkdir(directory, 0700);
	(void)snprintf(path, sizeof(path), "%s/%s", directory, name);
	f = fopen(path, "we");
	assert_non_null(f);
	(void)fclose(f);
	assert_int_equal(chmod(path, mode), 0);
}

static void
programs_are_sought_in_path(void **state)
{
	char out[CHILD_PATH_BYTES], *a = test_path("a"), *b = test_path("b");
	char path[2048], want[1024];

	(void)state;
	make_program(a, "restante-test-x", 0600); /* not to be run */
	make_program(b, "restante-test-x", 0700);
	(void)snprintf(path, sizeof(path), "relative:/nowhere:%s:%s", a, b);
	assert_int_equal(setenv("PATH", path, 1), 0);
	assert_err_ok(child_find(out, "restante-test-x"));
	(void)snprintf(want, sizeof(want), "%s/restante-test-x", b);
	assert_string_equal(out, want);
	assert_err_ok(child_find(out, want));
	assert_string_equal(out, want);
	assert_err(child_find(out, "restante-test-y"), ERR_NOT_FOUND);
	assert_err(child_find(out, b), ERR_NOT_FOUND); /* a directory */
	assert_err(child_find(out, "/nowhere/x"), ERR_NOT_FOUND);
	assert_int_equal(unsetenv("PATH"), 0);
	assert_err(child_find(out, "restante-test-x"), ERR_NOT_FOUND);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(its_status_is_told),
	cmocka_unit_test(a_polite_one_is_asked),
	cmocka_unit_test(a_deaf_one_is_asked_and_killed),
	cmocka_unit_test(a_stopped_one_is_killed),
	cmocka_unit_test(it_gets_no_file_of_ours),
	cmocka_unit_test(it_gets_no_signal_setting_of_ours),
	cmocka_unit_test(what_cannot_run_says_so),
	cmocka_unit_test(it_dies_with_its_owner),
	cmocka_unit_test(programs_are_sought_in_path),
};

TEST_MAIN(tests)

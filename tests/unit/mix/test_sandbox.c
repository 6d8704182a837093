#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/landlock.h"
#include "common/base/secret.h"
#include "mix/calls.h"
#include "mix/sandbox.h"
#include "tests/lib/test.h"

/* Each case is a process of its own: there is no way back out of a sandbox. */
static int
in_child(int (*run)(void))
{
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(run());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static bool
opens(const char *directory, const char *name, int flags)
{
	char path[1024];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = open(path, flags | O_CLOEXEC, 0600);
	if (fd >= 0)
		(void)close(fd);
	return fd >= 0;
}

static char state_path[900], other_path[900];

static void
make_directories(void)
{
	const char *directory = test_tmpdir();

	(void)snprintf(state_path, sizeof(state_path), "%s/state", directory);
	(void)snprintf(other_path, sizeof(other_path), "%s/other", directory);
	assert_int_equal(mkdir(state_path, 0700), 0);
	assert_int_equal(mkdir(other_path, 0700), 0);
	assert_true(opens(other_path, "file", O_WRONLY | O_CREAT));
	assert_true(opens(other_path, "read", O_WRONLY | O_CREAT));
}

/* ---- files ---- */

/* Bits of what did not go as wanted. */
static int
closed_files(void)
{
	struct sandbox s;
	struct diag d;
	char read[1024];
	int wrong = 0;

	sandbox_init(&s, false);
	(void)snprintf(read, sizeof(read), "%s/read", other_path);
	if (sandbox_allow(&s, SANDBOX_STATE, state_path) != ERR_OK ||
	    sandbox_allow(&s, SANDBOX_READ, read) != ERR_OK ||
	    sandbox_allow(&s, SANDBOX_READ, "/nowhere/at/all") != ERR_OK ||
	    sandbox_files(&s, &d) != ERR_OK)
		return 64;
	wrong |= opens(state_path, "file", O_WRONLY | O_CREAT) ? 0 : 1;
	wrong |= opens(other_path, "read", O_RDONLY) ? 0 : 2;
	wrong |= opens(other_path, "read", O_WRONLY) ? 4 : 0;
	wrong |= opens(other_path, "file", O_RDONLY) && !calls_sanitized() ? 8 : 0;
	wrong |= opens(other_path, "new", O_WRONLY | O_CREAT) ? 16 : 0;
	wrong |= prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : 32;
	return wrong;
}

static int
open_files(void)
{
	struct sandbox s;

	sandbox_init(&s, true);
	if (sandbox_files(&s, NULL) != ERR_OK)
		return 64;
	return opens(other_path, "file", O_RDONLY) && opens(other_path, "new", O_WRONLY | O_CREAT) ? 0 : 1;
}

static void
test_files(void **state)
{
	(void)state;
	make_directories();
	if (landlock_abi() == 0)
		skip();
	assert_int_equal(in_child(closed_files), 0);
	assert_int_equal(in_child(open_files), 0); /* the control: off */
}

/* A state directory that is not there is no reason to go on without rules. */
static int
no_state(void)
{
	struct sandbox s;
	struct diag d = { "" };

	sandbox_init(&s, false);
	if (sandbox_allow(&s, SANDBOX_STATE, "/nowhere/at/all") != ERR_OK)
		return 64;
	return sandbox_files(&s, &d) == ERR_IO && strstr(d.text, "/nowhere/at/all") != NULL ? 0 : 1;
}

static void
test_no_state(void **state)
{
	(void)state;
	if (landlock_abi() == 0)
		skip();
	assert_int_equal(in_child(no_state), 0);
}

static void
test_bounds(void **state)
{
	struct sandbox s;
	char path[SANDBOX_PATH_BYTES + 1];

	(void)state;
	sandbox_init(&s, false);
	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[SANDBOX_PATH_BYTES] = '\0';
	assert_err(sandbox_allow(&s, SANDBOX_READ, path), ERR_RANGE);
	for (size_t i = 0; i < SANDBOX_PATHS_MAX; i++)
		assert_err_ok(sandbox_allow(&s, SANDBOX_READ, "/"));
	assert_err(sandbox_allow(&s, SANDBOX_READ, "/"), ERR_FULL);
}

/* tor's socket may be a link: the cookie is beside one of the two. */
static void
test_cookie(void **state)
{
	struct sandbox s;
	char control[1100], link[1024];

	(void)state;
	make_directories();
	(void)snprintf(link, sizeof(link), "%s/link", state_path);
	(void)snprintf(control, sizeof(control), "%s/read", other_path);
	assert_int_equal(symlink(control, link), 0);
	(void)snprintf(control, sizeof(control), "unix:%s", link);
	sandbox_init(&s, false);
	assert_err_ok(sandbox_allow_cookie(&s, control, NULL));
	assert_int_equal(s.count, 4);
	assert_string_equal(s.paths[2].path, state_path);
	assert_string_equal(s.paths[3].path, other_path);
}

/* ---- system calls ---- */

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static void *
wait_and_fork(void *arg)
{
	pid_t pid;

	(void)pthread_mutex_lock(&gate);
	(void)pthread_mutex_unlock(&gate);
	pid = fork();
	if (pid == 0)
		_exit(0);
	*(int *)arg = pid < 0 ? errno : 0;
	return NULL;
}

static void *
nothing(void *arg)
{
	return arg;
}

/* A thread that was there before is filtered, too; new ones can be made, memory as well. */
static int
filtered_threads(void)
{
	struct diag d;
	pthread_t before, after;
	int got = 0, wrong = 0;

	(void)pthread_mutex_lock(&gate);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    pthread_create(&before, NULL, wait_and_fork, &got) != 0 ||
	    calls_filter(&d) != ERR_OK)
		return 64;
	(void)pthread_mutex_unlock(&gate);
	(void)pthread_join(before, NULL);
	wrong |= got == EPERM ? 0 : 1;
	wrong |= pthread_create(&after, NULL, nothing, NULL) == 0 && pthread_join(after, NULL) == 0 ? 0 : 2;
	wrong |= mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED ? 0 : 4;
	wrong |= mmap(NULL, 4096, PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? 0 : 8;
	wrong |= socket(AF_INET, SOCK_STREAM, 0) >= 0 ? 0 : 16;
	wrong |= socket(AF_INET, SOCK_DGRAM, 0) < 0 && errno == EPERM ? 0 : 32;
	return wrong;
}

static int
filtered_exec(void)
{
	char *const argv[] = { (char[]){ "true" }, NULL };
	struct diag d;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || calls_filter(&d) != ERR_OK)
		return 64;
	(void)execv("/bin/true", argv);
	return 1;
}

static int
free_exec(void)
{
	char *const argv[] = { (char[]){ "true" }, NULL };

	(void)execv("/bin/true", argv);
	return 1;
}

static void
test_calls(void **state)
{
	const char *why;

	(void)state;
	if (!calls_can_filter(&why))
		skip();
	assert_int_equal(in_child(filtered_threads), 0);
	assert_int_equal(in_child(filtered_exec), 128 + SIGSYS);
	assert_int_equal(in_child(free_exec), 0); /* the control */
}

/* ---- the account ---- */

static int
becomes_nobody(void)
{
	struct diag d;

	if (sandbox_become("nobody", &d) != ERR_OK)
		return 64;
	return geteuid() != 0 && getegid() != 0 && setuid(0) != 0 && prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 1
	    ? 0 : 1;
}

static void
test_become(void **state)
{
	struct diag d = { "" };
	const char *why;

	(void)state;
	assert_err_ok(sandbox_become("", &d));
	assert_err(sandbox_become("no-such-user-here", &d), ERR_NOT_FOUND);
	assert_non_null(strstr(d.text, "no-such-user-here"));
	assert_err(sandbox_become("root", &d), ERR_USAGE);
	if (geteuid() == 0 && calls_can_filter(&why)) /* sanitizers stay dumpable */
		assert_int_equal(in_child(becomes_nobody), 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_files),
	cmocka_unit_test(test_no_state),
	cmocka_unit_test(test_bounds),
	cmocka_unit_test(test_cookie),
	cmocka_unit_test(test_calls),
	cmocka_unit_test(test_become),
};
TEST_MAIN(tests)

#include "config.h"

#include "common/net/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define REPORT_FD 3
#define SAID_NOTHING 127

struct child {
	struct workq *waiter; /* one thread, that waits for the end */
	pid_t pid;
	bool reaped;
	bool freed;
	child_ended *ended;
	void *arg;
};

/* ---- finding it ---- */

static bool
is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* The first of the directories, separated by ':', that has the program. */
static bool
find_in(char out[static CHILD_PATH_BYTES], const char *directories, const char *program)
{
	while (*directories != '\0') {
		size_t n = strcspn(directories, ":");
		int len = snprintf(out, CHILD_PATH_BYTES, "%.*s/%s", (int)n, directories, program);

		if (directories[0] == '/' && len < CHILD_PATH_BYTES && is_program(out))
			return true;
		directories += n + (directories[n] == ':');
	}
	return false;
}

enum err
child_find(char out[static CHILD_PATH_BYTES], const char *program)
{
	const char *path = getenv("PATH");

	if (strchr(program, '/') != NULL) {
		if (strlen(program) >= CHILD_PATH_BYTES || !is_program(program))
			return ERR_NOT_FOUND;
		memcpy(out, program, strlen(program) + 1);
		return ERR_OK;
	}
	if (path != NULL && find_in(out, path, program))
		return ERR_OK;
	return find_in(out, "/usr/local/sbin:/usr/sbin:/sbin", program) ? ERR_OK : ERR_NOT_FOUND;
}

/* ---- its first steps: only what is safe between fork and exec ---- */

void
child_forget_signals(void)
{
	sigset_t none;

	for (int s = 1; s < NSIG; s++)
		(void)signal(s, SIG_DFL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Nothing of ours but the report, which closes by itself if the program starts. */
static int
forget_files(int report)
{
	int null = open("/dev/null", O_RDWR | O_NOCTTY);
	int safe = fcntl(report, F_DUPFD_CLOEXEC, REPORT_FD);

	if (null < 0 || safe < 0)
		return -1;
	for (int fd = 0; fd < REPORT_FD; fd++)
		if (dup2(null, fd) < 0)
			return -1;
	if (safe != REPORT_FD && dup3(safe, REPORT_FD, O_CLOEXEC) < 0)
		return -1;
	return close_range(REPORT_FD + 1, ~0u, 0);
}

_Noreturn static void
become(const char *path, char *const argv[], int report, pid_t parent)
{
	int why;
	bool ready;

	/* a parent that died before this line will not be noticed by the kernel */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
		_exit(SAID_NOTHING);
	child_forget_signals();
	(void)setsid(); /* the terminal's signals are for us to pass on */
	ready = forget_files(report) == 0;
	if (ready)
		(void)execv(path, argv);
	why = errno;
	if (ready)
		report = REPORT_FD;
	_exit(write(report, &why, sizeof(why)) < 0 ? SAID_NOTHING : 1);
}

/*
 * Fork with all signals blocked, so that no handler of ours runs in the child.
 * An ignored SIGCHLD, which exec inherits, would take its status from us.
 */
static pid_t
fork_into(const char *path, char *const argv[], int report)
{
	struct sigaction on_child;
	sigset_t all, before;
	pid_t parent = getpid(), pid;

	if (sigaction(SIGCHLD, NULL, &on_child) == 0 && on_child.sa_handler == SIG_IGN)
		(void)signal(SIGCHLD, SIG_DFL);
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	pid = fork();
	if (pid == 0)
		become(path, argv, report, parent);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return pid;
}

int
child_read_report(int fd)
{
	int why = 0;
	ssize_t n;

	do
		n = read(fd, &why, sizeof(why));
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)sizeof(why) ? why : 0;
}

static enum err
launch(pid_t *out, const char *path, char *const argv[], struct diag *d)
{
	int report[2], why;
	pid_t pid;

	if (pipe2(report, O_CLOEXEC) != 0)
		return diag_set(d, ERR_IO, "%s: cannot be started: %m", path);
	pid = fork_into(path, argv, report[1]);
	why = pid < 0 ? errno : 0;
	(void)close(report[1]);
	if (pid > 0)
		why = child_read_report(report[0]);
	(void)close(report[0]);
	if (why == 0) {
		*out = pid;
		return ERR_OK;
	}
	if (pid > 0)
		(void)waitpid(pid, NULL, 0);
	errno = why;
	return diag_set(d, ERR_IO, "%s: cannot be started: %m", path);
}

/* ---- its end ---- */

/* On the thread. The child stays a zombie until the loop reaps it: its id is not used again. */
static void
wait_for(void *arg)
{
	const struct child *c = arg;
	siginfo_t info;

	while (waitid(P_PID, (id_t)c->pid, &info, WEXITED | WNOWAIT) != 0 && errno == EINTR)
		;
}

static void
on_gone(void *arg)
{
	struct child *c = arg;
	int status = 0;

	while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
		;
	c->reaped = true;
	if (!c->freed)
		c->ended(c->arg, status);
}

/* SIGTERM, and SIGKILL if that is not enough. */
static void
make_end(const struct child *c)
{
	struct pollfd p = { .fd = pidfd_open(c->pid, 0), .events = POLLIN };
	int n = 0;

	child_signal(c, SIGTERM);
	if (p.fd >= 0) {
		do /* a second Ctrl-C begins the patience anew */
			n = poll(&p, 1, CHILD_PATIENCE_MS);
		while (n < 0 && errno == EINTR);
		(void)close(p.fd);
	}
	if (n <= 0)
		child_signal(c, SIGKILL);
}

/* ---- life ---- */

enum err
child_start(struct child **out, struct loop *l, const char *path, char *const argv[],
    child_ended *ended, void *arg, struct diag *d)
{
	struct child *c = calloc(1, sizeof(*c));
	enum err e = ERR_MEMORY;

	if (c == NULL)
		return ERR_MEMORY;
	c->reaped = true;
	c->ended = ended;
	c->arg = arg;
	c->waiter = workq_new(l, 1);
	if (c->waiter != NULL)
		e = launch(&c->pid, path, argv, d);
	if (e == ERR_OK) {
		c->reaped = false;
		e = workq_add(c->waiter, wait_for, on_gone, c);
	}
	if (e != ERR_OK) {
		child_free(c);
		return e;
	}
	*out = c;
	return ERR_OK;
}

pid_t
child_pid(const struct child *c)
{
	return c->pid;
}

bool
child_runs(const struct child *c)
{
	return !c->reaped;
}

void
child_signal(const struct child *c, int signal)
{
	if (!c->reaped)
		(void)kill(c->pid, signal);
}

void
child_free(struct child *c)
{
	if (c == NULL)
		return;
	c->freed = true;
	if (!c->reaped)
		make_end(c);
	if (c->waiter != NULL)
		workq_free(c->waiter);
	if (!c->reaped) /* nobody waited for it: there was no memory */
		on_gone(c);
	free(c);
}

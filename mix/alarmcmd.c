#include "config.h"

#include "mix/alarmcmd.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define LOOK_MS 50 /* whether it has ended */
#define NOT_STARTED 127
#define BY_SIGNAL 128

struct told {
	bool raised;
	const char *name;
	uint64_t number;
};

struct alarmcmd {
	struct loop *loop;
	struct log *log;
	char *path;
	struct timer *look;
	pid_t child; /* 0: none runs */
	int64_t until_ms;
	struct told waiting[ALARMCMD_WAITING_MAX];
	size_t count;
};

/* ---- the child ---- */

static int
set_files(posix_spawn_file_actions_t *files)
{
	int error = posix_spawn_file_actions_addopen(files, 0, "/dev/null", O_RDONLY, 0);

	for (int fd = 1; fd <= 2 && error == 0; fd++)
		error = posix_spawn_file_actions_addopen(files, fd, "/dev/null", O_WRONLY, 0);
	return error;
}

/* What we ignore or block is not the command's business. */
static int
set_signals(posix_spawnattr_t *attr)
{
	sigset_t none, all;
	int error;

	(void)sigemptyset(&none);
	(void)sigfillset(&all);
	(void)sigdelset(&all, SIGKILL);
	(void)sigdelset(&all, SIGSTOP);
	error = posix_spawnattr_setflags(attr,
	    POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	if (error == 0)
		error = posix_spawnattr_setpgroup(attr, 0);
	if (error == 0)
		error = posix_spawnattr_setsigmask(attr, &none);
	return error == 0 ? posix_spawnattr_setsigdefault(attr, &all) : error;
}

static int
spawn(pid_t *child, const char *path, char *const argv[])
{
	static char search[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	static char *const environment[] = { search, NULL };
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	int error = posix_spawn_file_actions_init(&files);

	if (error != 0)
		return error;
	error = posix_spawnattr_init(&attr);
	if (error == 0) {
		error = set_files(&files);
		if (error == 0)
			error = set_signals(&attr);
		if (error == 0)
			error = posix_spawn(child, path, &files, &attr, argv, environment);
		(void)posix_spawnattr_destroy(&attr);
	}
	(void)posix_spawn_file_actions_destroy(&files);
	return error;
}

/* ---- one after the other ---- */

static void
failed(struct alarmcmd *x, unsigned code)
{
	log_event(x->log, LOG_ALARM_COMMAND_FAILED, code, 0, 0);
}

static bool
start(struct alarmcmd *x, const struct told *t)
{
	char raised[] = "raised", cleared[] = "cleared", number[24], name[64];
	char *argv[] = { x->path, t->raised ? raised : cleared, name, number, NULL };
	pid_t child = 0;

	(void)snprintf(name, sizeof(name), "%s", t->name);
	(void)snprintf(number, sizeof(number), "%" PRIu64, t->number);
	if (spawn(&child, x->path, argv) != 0) {
		failed(x, NOT_STARTED);
		return false;
	}
	x->child = child;
	x->until_ms = loop_boot_ms(x->loop) + ALARMCMD_LIMIT_MS;
	timer_after(x->look, LOOK_MS);
	return true;
}

static void
start_next(struct alarmcmd *x)
{
	struct told t;

	while (x->child == 0 && x->count > 0) {
		t = x->waiting[0];
		x->count--;
		memmove(x->waiting, x->waiting + 1, x->count * sizeof(x->waiting[0]));
		(void)start(x, &t);
	}
}

static void
ended(struct alarmcmd *x, int status)
{
	x->child = 0;
	if (WIFSIGNALED(status))
		failed(x, BY_SIGNAL + (unsigned)WTERMSIG(status));
	else if (WEXITSTATUS(status) != 0)
		failed(x, (unsigned)WEXITSTATUS(status));
	start_next(x);
}

static void
on_look(void *arg)
{
	struct alarmcmd *x = arg;
	int status = 0;
	pid_t got;

	if (x->child == 0) {
		start_next(x);
		return;
	}
	got = waitpid(x->child, &status, WNOHANG);
	if (got == x->child || (got < 0 && errno != EINTR)) {
		ended(x, status);
		return;
	}
	if (loop_boot_ms(x->loop) >= x->until_ms)
		(void)kill(-x->child, SIGKILL);
	timer_after(x->look, LOOK_MS);
}

void
alarmcmd_tell(struct alarmcmd *x, bool raised, const char *name, uint64_t number)
{
	if (x->count == ALARMCMD_WAITING_MAX) {
		failed(x, NOT_STARTED);
		return;
	}
	x->waiting[x->count++] = (struct told){ raised, name, number };
	if (x->child == 0)
		timer_after(x->look, 0); /* not from inside what raised it */
}

/* ---- life ---- */

enum err
alarmcmd_new(struct alarmcmd **out, struct loop *l, struct log *log, const char *path)
{
	struct alarmcmd *x = calloc(1, sizeof(*x));

	if (x == NULL)
		return ERR_MEMORY;
	x->loop = l;
	x->log = log;
	x->path = strdup(path);
	x->look = timer_new(l, on_look, x);
	if (x->path == NULL || x->look == NULL) {
		alarmcmd_free(x);
		return ERR_MEMORY;
	}
	*out = x;
	return ERR_OK;
}

void
alarmcmd_free(struct alarmcmd *x)
{
	if (x == NULL)
		return;
	if (x->child != 0) {
		(void)kill(-x->child, SIGKILL);
		while (waitpid(x->child, NULL, 0) < 0 && errno == EINTR)
			;
	}
	timer_free(x->look);
	free(x->path);
	free(x);
}

#include "config.h"

#include "common/net/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/landlock.h"
#include "common/net/child.h"

#define LOOK_MS 20 /* while a program is to end */
#define HELPER_FD 3
#define REPORT_FD 4

enum op { OP_RUN, OP_LOOK, OP_SIGNAL, OP_END };

struct request {
	uint8_t op, program, words;
	int32_t signal;
	char word[HELPER_WORDS_MAX][HELPER_WORD_BYTES];
};

struct answer {
	int32_t err, why, status;
	bool runs;
};

struct helper {
	int fd;
	pid_t pid;
};

/* ---- the helper's side: one of the table ---- */

struct slot {
	struct helper_program program;
	pid_t child; /* 0: none */
	int status;
};

/* Lower-case letters, digits and '-': nothing that any program takes for more than a word. */
static bool
is_word(const char word[static HELPER_WORD_BYTES])
{
	size_t n = strnlen(word, HELPER_WORD_BYTES);

	if (n == 0 || n == HELPER_WORD_BYTES || word[0] == '-')
		return false;
	return strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

static bool
are_words(const struct slot *s, const struct request *q)
{
	if (q->words > s->program.words_max)
		return false;
	for (size_t i = 0; i < q->words; i++)
		if (!is_word(q->word[i]))
			return false;
	return true;
}

/* What it may write is what its directory has; a kernel without Landlock cannot hold that. */
static int
confine(const char *directory)
{
	struct landlock rules;
	enum err e = landlock_begin(&rules, LANDLOCK_WRITE | LANDLOCK_CHANGE | LANDLOCK_SOCKETS,
	    false, false);

	if (e == ERR_VERSION)
		return 0;
	if (e == ERR_OK)
		e = landlock_allow(&rules, directory, LANDLOCK_ALL);
	if (e == ERR_OK)
		e = landlock_allow(&rules, "/dev/null", LANDLOCK_WRITE);
	if (e == ERR_OK)
		e = landlock_enforce(&rules);
	return e == ERR_OK ? 0 : -1;
}

/* In the child: become the program, or say why not. */
_Noreturn static void
become(const struct slot *s, const struct request *q, int report, pid_t parent)
{
	static char search[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	static char *const environment[] = { search, NULL };
	char *argv[HELPER_ARGUMENTS_MAX + HELPER_WORDS_MAX + 1] = { NULL };
	size_t n = 0;
	int why, null = open("/dev/null", O_RDWR | O_NOCTTY);

	for (; s->program.argv[n] != NULL; n++)
		argv[n] = (char *)(uintptr_t)s->program.argv[n];
	for (size_t i = 0; i < q->words; i++)
		argv[n++] = (char *)(uintptr_t)q->word[i];
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
		_exit(HELPER_NOT_STARTED);
	(void)setpgid(0, 0);
	child_forget_signals();
	for (int fd = 0; fd <= 2; fd++)
		(void)dup2(null, fd);
	if (null >= 0 && dup3(report, REPORT_FD, O_CLOEXEC) >= 0 &&
	    close_range(REPORT_FD + 1, ~0u, 0) == 0 && close(HELPER_FD) == 0 &&
	    (s->program.writes == NULL || confine(s->program.writes) == 0))
		(void)execve(argv[0], argv, environment);
	why = errno;
	_exit(write(REPORT_FD, &why, sizeof(why)) < 0 ? HELPER_NOT_STARTED : 1);
}

static void
run(struct answer *a, struct slot *s, const struct request *q)
{
	int report[2] = { -1, -1 };
	pid_t pid, parent = getpid();

	a->err = ERR_IO;
	if (pipe2(report, O_CLOEXEC) != 0) {
		a->why = errno;
		return;
	}
	pid = fork();
	if (pid == 0)
		become(s, q, report[1], parent);
	a->why = pid < 0 ? errno : 0;
	(void)close(report[1]);
	if (pid > 0)
		a->why = child_read_report(report[0]);
	(void)close(report[0]);
	if (pid > 0 && a->why != 0)
		(void)waitpid(pid, NULL, 0);
	if (pid < 0 || a->why != 0)
		return;
	a->err = ERR_OK;
	s->child = pid;
}

static void
look(struct slot *s, int flags)
{
	int status = 0;
	pid_t got;

	if (s->child == 0)
		return;
	do
		got = waitpid(s->child, &status, flags);
	while (got < 0 && errno == EINTR);
	if (got == 0)
		return;
	s->status = got > 0 ? status : HELPER_NOT_STARTED << 8;
	s->child = 0;
}

static void
end_program(struct slot *s)
{
	if (s->child != 0)
		(void)kill(-s->child, SIGTERM);
	for (int ms = 0; s->child != 0 && ms < HELPER_PATIENCE_MS; ms += LOOK_MS) {
		(void)poll(NULL, 0, LOOK_MS);
		look(s, WNOHANG);
	}
	if (s->child == 0)
		return;
	(void)kill(-s->child, SIGKILL);
	look(s, 0);
}

static void
serve(struct answer *a, struct slot *s, const struct request *q)
{
	look(s, WNOHANG);
	switch ((enum op)q->op) {
	case OP_RUN:
		a->err = s->child != 0 ? ERR_BUSY : are_words(s, q) ? ERR_OK : ERR_USAGE;
		if (a->err == ERR_OK)
			run(a, s, q);
		break;
	case OP_SIGNAL:
		if (s->child != 0)
			(void)kill(-s->child, q->signal);
		break;
	case OP_END:
		end_program(s);
		break;
	case OP_LOOK:
		break;
	}
	a->runs = s->child != 0;
	a->status = s->status;
}

/* ---- the helper itself ---- */

/* Nothing of the daemon's but standard error, and the socket at HELPER_FD. */
static int
settle(int fd)
{
	int null = open("/dev/null", O_RDWR | O_NOCTTY), spare;

	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0)
		return -1;
	if (fd != HELPER_FD && dup2(fd, HELPER_FD) < 0)
		return -1;
	/* so that no pipe of ours gets the number that a child uses for its report */
	spare = dup2(null, REPORT_FD);
	if (spare < 0 || fcntl(HELPER_FD, F_SETFD, FD_CLOEXEC) != 0 ||
	    fcntl(REPORT_FD, F_SETFD, FD_CLOEXEC) != 0)
		return -1;
	return close_range(REPORT_FD + 1, ~0u, 0);
}

/* Only the end of the daemon ends it: a signal to the whole group, or unit, must not come first. */
static void
ignore_signals(void)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE };
	sigset_t none;

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		(void)signal(signals[i], SIG_IGN);
	(void)signal(SIGCHLD, SIG_DFL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

_Noreturn static void
help(int fd, const struct helper_program *programs, size_t count)
{
	struct slot slots[HELPER_PROGRAMS_MAX] = { { .child = 0 } };
	struct request q;
	ssize_t n;

	for (size_t i = 0; i < count; i++)
		slots[i].program = programs[i];
	ignore_signals();
	(void)prctl(PR_SET_NAME, "restante-helper");
	if (settle(fd) != 0)
		_exit(1);
	for (;;) {
		struct answer a = { .err = ERR_OK };

		n = recv(HELPER_FD, &q, sizeof(q), 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n != (ssize_t)sizeof(q) || q.program >= count)
			break;
		serve(&a, &slots[q.program], &q);
		if (send(HELPER_FD, &a, sizeof(a), MSG_NOSIGNAL) != (ssize_t)sizeof(a))
			break;
	}
	for (size_t i = 0; i < count; i++)
		end_program(&slots[i]);
	_exit(0);
}

/* ---- the daemon's side ---- */

enum err
helper_new(struct helper **out, const struct helper_program *programs, size_t count,
    struct diag *d)
{
	struct helper *h = malloc(sizeof(*h));
	int fds[2];

	if (h == NULL)
		return ERR_MEMORY;
	if (count > HELPER_PROGRAMS_MAX) {
		free(h);
		return ERR_USAGE;
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0) {
		free(h);
		return diag_set(d, ERR_IO, "the helper that runs programs cannot be made: %m");
	}
	h->fd = fds[0];
	h->pid = fork();
	if (h->pid == 0) {
		/* or the daemon's end would never be seen */
		(void)close(fds[0]);
		help(fds[1], programs, count);
	}
	(void)close(fds[1]);
	if (h->pid > 0) {
		*out = h;
		return ERR_OK;
	}
	(void)diag_set(d, ERR_IO, "the helper that runs programs cannot be started: %m");
	(void)close(h->fd);
	free(h);
	return ERR_IO;
}

void
helper_free(struct helper *h)
{
	if (h == NULL)
		return;
	(void)close(h->fd);
	while (waitpid(h->pid, NULL, 0) < 0 && errno == EINTR)
		;
	free(h);
}

static enum err
ask(struct helper *h, struct answer *a, const struct request *q)
{
	ssize_t n;

	do
		n = send(h->fd, q, sizeof(*q), MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(*q))
		return ERR_CLOSED;
	do
		n = recv(h->fd, a, sizeof(*a), 0);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)sizeof(*a) ? ERR_OK : ERR_CLOSED;
}

enum err
helper_run(struct helper *h, size_t program, const char *const words[], size_t n, int *why)
{
	struct request q = { .op = OP_RUN, .program = (uint8_t)program, .words = (uint8_t)n };
	struct answer a = { .err = ERR_OK };
	enum err e;

	*why = 0;
	if (n > HELPER_WORDS_MAX)
		return ERR_USAGE;
	for (size_t i = 0; i < n; i++) {
		if (strlen(words[i]) >= HELPER_WORD_BYTES)
			return ERR_USAGE;
		memcpy(q.word[i], words[i], strlen(words[i]) + 1);
	}
	e = ask(h, &a, &q);
	*why = a.why;
	return e == ERR_OK ? (enum err)a.err : e;
}

bool
helper_runs(struct helper *h, size_t program, int *status)
{
	const struct request q = { .op = OP_LOOK, .program = (uint8_t)program };
	struct answer a = { .err = ERR_OK };

	if (ask(h, &a, &q) != ERR_OK) {
		*status = HELPER_NOT_STARTED << 8;
		return false;
	}
	*status = a.status;
	return a.runs;
}

void
helper_signal(struct helper *h, size_t program, int signal)
{
	const struct request q = { .op = OP_SIGNAL, .program = (uint8_t)program, .signal = signal };
	struct answer a;

	(void)ask(h, &a, &q); /* a helper that is gone has taken its programs along */
}

void
helper_end(struct helper *h, size_t program)
{
	const struct request q = { .op = OP_END, .program = (uint8_t)program };
	struct answer a;

	(void)ask(h, &a, &q);
}

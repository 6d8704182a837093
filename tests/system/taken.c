/*
 * What makes a taken-over daemon of a gateway, a mix or a registrar, for sandbox.sh: the
 * shipped programs but for the parser of the first bytes that anybody sends on a connection,
 * which does what an attacker would that has found a hole in it. None of this is in what is
 * installed.
 *
 * RESTANTE_TAKEN names the attempts, with blanks between; RESTANTE_TAKEN_DIR a directory
 * that has a file `secret` and is not the daemon's; RESTANTE_TAKEN_PID a process, and
 * RESTANTE_TAKEN_PORT a listener of the machine. Each attempt is a line on standard error.
 */
#include "config.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/crypto/noise.h"

enum err __real_noise_read(struct noise *n, uint8_t *payload, const uint8_t *msg, size_t len);
enum err __wrap_noise_read(struct noise *n, uint8_t *payload, const uint8_t *msg, size_t len);

/* ---- attempts: 0 if it worked, or an errno ---- */

static const char *
from_environment(const char *name)
{
	const char *value = getenv(name);

	return value != NULL ? value : "";
}

static pid_t
victim(void)
{
	return (pid_t)atoi(from_environment("RESTANTE_TAKEN_PID"));
}

static int
result(long rc)
{
	return rc < 0 ? errno : 0;
}

static int
opened(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600), why = result(fd);

	if (fd >= 0)
		(void)close(fd);
	return why;
}

static void
in_directory(char out[static 1024], const char *name)
{
	(void)snprintf(out, 1024, "%s/%s", from_environment("RESTANTE_TAKEN_DIR"), name);
}

static int
read_system(void)
{
	return opened("/etc/passwd", O_RDONLY);
}

static int
read_secret(void)
{
	char path[1024];

	in_directory(path, "secret");
	return opened(path, O_RDONLY);
}

static int
write_outside(void)
{
	char path[1024];

	in_directory(path, "made");
	return opened(path, O_WRONLY | O_CREAT);
}

static int
remove_outside(void)
{
	char path[1024];

	in_directory(path, "victim");
	return result(unlink(path));
}

static int
list_root(void)
{
	DIR *d = opendir("/");
	int why = d == NULL ? errno : 0;

	if (d != NULL)
		(void)closedir(d);
	return why;
}

static int
open_memory(void)
{
	return opened("/proc/self/mem", O_RDWR);
}

static int
open_others_memory(void)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/mem", (int)victim());
	return opened(path, O_RDONLY);
}

static int
listen_tcp(void)
{
	const struct sockaddr_in any = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), why = result(fd);

	if (why == 0)
		why = result(bind(fd, (const struct sockaddr *)(const void *)&any, sizeof(any)));
	if (why == 0)
		why = result(listen(fd, 1));
	if (fd >= 0)
		(void)close(fd);
	return why;
}

static int
listen_unbound(void) /* the kernel chooses a port for a socket without one */
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), why = result(fd);

	if (why == 0)
		why = result(listen(fd, 1));
	if (fd >= 0)
		(void)close(fd);
	return why;
}

static int
open_socket(int family, int type)
{
	int fd = socket(family, type | SOCK_CLOEXEC, 0), why = result(fd);

	if (fd >= 0)
		(void)close(fd);
	return why;
}

static int
open_udp(void)
{
	return open_socket(AF_INET, SOCK_DGRAM);
}

static int
open_netlink(void)
{
	return open_socket(AF_NETLINK, SOCK_RAW);
}

static int
connect_tcp(void)
{
	const int port = atoi(from_environment("RESTANTE_TAKEN_PORT"));
	const struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), why = result(fd);

	if (why == 0)
		why = result(connect(fd, (const struct sockaddr *)(const void *)&to, sizeof(to)));
	if (fd >= 0)
		(void)close(fd);
	return why;
}

/* A listener of the test's, at an abstract name: not a file. */
static int
connect_abstract(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), why = result(fd);
	int n = snprintf(to.sun_path + 1, sizeof(to.sun_path) - 1, "restante-taken-%s",
	    from_environment("RESTANTE_TAKEN_PORT"));

	if (why == 0)
		why = result(connect(fd, (const struct sockaddr *)(const void *)&to,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n)));
	if (fd >= 0)
		(void)close(fd);
	return why;
}

static int
signal_other(void)
{
	return result(kill(victim(), 0));
}

static int
make_process(void)
{
	pid_t pid = fork();
	int why = result(pid);

	if (pid == 0)
		_exit(0);
	if (pid > 0)
		(void)waitpid(pid, NULL, 0);
	return why;
}

static int
run_memory(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
	    -1, 0);
	int why = p == MAP_FAILED ? errno : 0;

	if (p != MAP_FAILED)
		(void)munmap(p, 4096);
	return why;
}

static int
open_up_file(void)
{
	char path[1024];

	in_directory(path, "secret");
	return result(chmod(path, 0644));
}

static int
become_dumpable(void)
{
	return result(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
}

static int
raise_limit(void)
{
	struct rlimit limit = { 0, 0 };

	return result(setrlimit(RLIMIT_CORE, &limit));
}

static int
change_user(void)
{
	return result(setgid(getgid()));
}

static int
run_program(void)
{
	char *const argv[] = { (char[]){ "sh" }, (char[]){ "-c" },
		(char[]){ "echo taken exec got >&2" }, NULL };

	return result(execve("/bin/sh", argv, NULL));
}

static int
trace(void)
{
	long rc = ptrace(PTRACE_ATTACH, victim(), NULL, NULL);
	int why = result(rc);

	if (rc == 0 && waitpid(victim(), NULL, 0) == victim())
		(void)ptrace(PTRACE_DETACH, victim(), NULL, NULL);
	return why;
}

/* Of our own memory, by the call that could read another's. */
static int
read_memory(void)
{
	char from[8] = "x", to[8];
	const struct iovec here = { to, sizeof(to) }, there = { from, sizeof(from) };

	return result(process_vm_readv(getpid(), &here, 1, &there, 1, 0));
}

static const struct attempt {
	const char *name;
	int (*try)(void);
} attempts[] = {
	{ "read-system", read_system },
	{ "read-secret", read_secret },
	{ "write-outside", write_outside },
	{ "remove-outside", remove_outside },
	{ "list-root", list_root },
	{ "own-memory-file", open_memory },
	{ "others-memory-file", open_others_memory },
	{ "listen", listen_tcp },
	{ "listen-unbound", listen_unbound },
	{ "udp", open_udp },
	{ "netlink", open_netlink },
	{ "connect-abstract", connect_abstract },
	{ "connect-tcp", connect_tcp },
	{ "signal", signal_other },
	{ "fork", make_process },
	{ "run-memory", run_memory },
	{ "chmod", open_up_file },
	{ "dumpable", become_dumpable },
	{ "limits", raise_limit },
	{ "change-user", change_user },
	{ "exec", run_program },
	{ "ptrace", trace },
	{ "read-memory", read_memory },
};

/* ---- the parser ---- */

static bool
is_asked_for(const char *name)
{
	char list[1024], word[64];

	(void)snprintf(list, sizeof(list), " %s ", from_environment("RESTANTE_TAKEN"));
	(void)snprintf(word, sizeof(word), " %s ", name);
	return strstr(list, word) != NULL;
}

static void
attack(void)
{
	for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
		const struct attempt *a = &attempts[i];
		int why;

		if (!is_asked_for(a->name))
			continue;
		why = a->try();
		if (why == 0)
			(void)fprintf(stderr, "taken %s got\n", a->name);
		else
			(void)fprintf(stderr, "taken %s refused: %s\n", a->name, strerror(why));
	}
	(void)fprintf(stderr, "taken end\n");
}

enum err
__wrap_noise_read(struct noise *n, uint8_t *payload, const uint8_t *msg, size_t len)
{
	static bool done;

	if (!done) {
		done = true;
		attack();
	}
	return __real_noise_read(n, payload, msg, len);
}

/*
 * Sockets of the service manager. Each case runs in a child that was handed its
 * sockets as systemd does it: numbers from 3 on, not closed on exec.
 */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/net/inherit.h"
#include "tests/lib/test.h"
#include "tests/unit/net/net_test.h"

static void
set_number(const char *name, long v)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%ld", v);
	(void)setenv(name, text, 1);
}

/* In a child: fd becomes number 3, as the only one that is handed over. */
static void
hand_over(int fd)
{
	if (fd != INHERIT_FIRST)
		(void)dup2(fd, INHERIT_FIRST);
	(void)fcntl(INHERIT_FIRST, F_SETFD, 0);
	set_number("LISTEN_PID", (long)getpid());
	set_number("LISTEN_FDS", 1);
}

/* Run a case in a child; what fails there fails here. */
static void
in_child(void (*run)(const char *address, int fd), const char *address, int fd)
{
	int status = -1;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		run(address, fd);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* cmocka's assertions do not leave a forked child: this one does. */
#define must(x)                                                                                    \
	do {                                                                                       \
		if (!(x)) {                                                                        \
			(void)fprintf(stderr, "# %s:%d: %s\n", __FILE__, __LINE__, #x);            \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)

static void
serve(const char *address, int fd)
{
	struct net_end e = { .on_data = NET_STOP, .echo = true };
	struct listener *s = NULL, *again = NULL;
	struct loop *l = NULL;
	struct diag d = { "" };

	(void)address;
	hand_over(fd);
	must(loop_event_new(&l, NULL) == ERR_OK);
	e.loop = l;
	must(listener_open(&s, l, "fd:3", net_end_accept, &e, &d) == ERR_OK);
	must((fcntl(3, F_GETFD) & FD_CLOEXEC) != 0 && (fcntl(3, F_GETFL) & O_NONBLOCK) != 0);
	must(listener_open(&again, l, "fd:3", net_end_accept, &e, &d) == ERR_USAGE);
	must(strstr(d.text, "in use") != NULL);
	loop_event_run(l);
	must(e.got.len == 5);
	listener_free(s);
	net_end_release(&e);
	loop_event_free(l);
}

/* The socket's file belongs to the service manager: it stays. */
static void
test_serves(void **state)
{
	const char *address = net_unix_address();
	int fd = net_raw_listen(address), peer = net_raw_connect(address);
	struct stat st;

	(void)state;
	net_raw_write(peer, "hello", 5);
	in_child(serve, address, fd);
	assert_int_equal(lstat(address + strlen("unix:"), &st), 0);
	(void)close(peer);
	(void)close(fd);
}

static bool
refused(const char *address, const char *sentence)
{
	struct diag d = { "" };
	int fd = -1;

	if (inherit_take(&fd, address, &d) == ERR_USAGE && fd == -1 &&
	    strstr(d.text, sentence) != NULL)
		return true;
	(void)fprintf(stderr, "# %s: %s\n", address, d.text);
	return false;
}

static void
refuse_wrong(const char *address, int fd)
{
	static const char *const forms[] = { "fd:", "fd:2", "fd:0", "fd:-3", "fd:03", "fd:3 ",
		"fd:3x", "fd:99999999999999999999", "127.0.0.1:3" };
	int fresh = -1;

	(void)address;
	hand_over(fd);
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		must(refused(forms[i], "fd:3, fd:4"));
	must(refused("fd:4", "no such socket"));
	set_number("LISTEN_PID", (long)getppid());
	must(refused("fd:3", "no such socket"));
	must(unsetenv("LISTEN_PID") == 0 && refused("fd:3", "no such socket"));
	set_number("LISTEN_PID", (long)getpid());
	must(setenv("LISTEN_FDS", "many", 1) == 0 && refused("fd:3", "no such socket"));
	must(unsetenv("LISTEN_FDS") == 0 && refused("fd:3", "no such socket"));
	set_number("LISTEN_FDS", 1);
	must(inherit_take(&fresh, "fd:3", NULL) == ERR_OK && fresh == 3);
	must(refused("fd:3", "in use"));
	(void)close(3);
	must(refused("fd:3", "in use"));
}

static void
test_refuses(void **state)
{
	const char *address = net_unix_address();
	int fd = net_raw_listen(address);

	(void)state;
	in_child(refuse_wrong, address, fd);
	(void)close(fd);
}

static void
refuse_other(const char *address, int fd)
{
	(void)address;
	hand_over(fd);
	must(refused("fd:3", "not a listening stream socket"));
}

static void
test_other_files(void **state)
{
	int fds[] = { open("/dev/null", O_RDWR), socket(AF_UNIX, SOCK_STREAM, 0),
		socket(AF_UNIX, SOCK_DGRAM, 0) };

	(void)state;
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		assert_true(fds[i] >= 0);
		in_child(refuse_other, NULL, fds[i]);
		(void)close(fds[i]);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_serves),
	cmocka_unit_test(test_refuses),
	cmocka_unit_test(test_other_files),
};
TEST_MAIN(tests)

#include "config.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/notify.h"
#include "tests/lib/test.h"

/* A service manager's socket; the name's first character '@' makes it abstract. */
static int
manager(const char *name)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", name);
	if (name[0] == '@')
		a.sun_path[0] = '\0';
	assert_int_equal(bind(fd, (struct sockaddr *)&a,
			     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))),
	    0);
	assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
	return fd;
}

static void
check_told(const char *name)
{
	char got[128] = "";
	int fd = manager(name);

	assert_err_ok(notify_send("READY=1\nSTATUS=Ready"));
	assert_int_equal(recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT), 20);
	assert_string_equal(got, "READY=1\nSTATUS=Ready");
	(void)close(fd);
	assert_err(notify_send("READY=1"), ERR_IO); /* nobody is there any more */
}

static void
test_told(void **state)
{
	char name[108];

	(void)state;
	(void)snprintf(name, sizeof(name), "%s/notify", test_tmpdir());
	check_told(name);
	(void)snprintf(name, sizeof(name), "@restante-test-%ld", (long)getpid());
	check_told(name);
}

static void
test_names(void **state)
{
	char longer[200];

	(void)state;
	assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
	assert_err(notify_send("READY=1"), ERR_NOT_FOUND);
	memset(longer, 'x', sizeof(longer));
	longer[0] = '/';
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(setenv("NOTIFY_SOCKET", longer, 1), 0);
	assert_err(notify_send("READY=1"), ERR_USAGE);
	for (size_t i = 0; i < 4; i++) {
		static const char *const bad[] = { "", "/", "relative", "vsock:2:1" };
		assert_int_equal(setenv("NOTIFY_SOCKET", bad[i], 1), 0);
		assert_err(notify_send("READY=1"), ERR_USAGE);
	}
}

/* A manager that does not read must not stop the daemon. */
static void
test_never_blocks(void **state)
{
	char name[108];
	enum err e = ERR_OK;
	int fd;

	(void)state;
	(void)snprintf(name, sizeof(name), "%s/deaf", test_tmpdir());
	fd = manager(name);
	for (int i = 0; i < 100000 && e == ERR_OK; i++)
		e = notify_send("WATCHDOG=1");
	assert_err(e, ERR_IO);
	(void)close(fd);
}

static void
test_watchdog(void **state)
{
	char pid[32];
	static const struct {
		const char *usec;
		int64_t ms;
	} cases[] = { { "30000000", 30000 }, { "1", 1 }, { "0", 0 }, { "", 0 }, { "-5", 0 },
		{ "12x", 0 }, { "99999999999999999999", 0 } };

	(void)state;
	assert_int_equal(unsetenv("WATCHDOG_USEC"), 0);
	assert_int_equal(notify_watchdog_ms(), 0);
	assert_int_equal(unsetenv("WATCHDOG_PID"), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(setenv("WATCHDOG_USEC", cases[i].usec, 1), 0);
		assert_int_equal(notify_watchdog_ms(), cases[i].ms);
	}
	assert_int_equal(setenv("WATCHDOG_USEC", "2000000", 1), 0);
	(void)snprintf(pid, sizeof(pid), "%ld", (long)getpid());
	assert_int_equal(setenv("WATCHDOG_PID", pid, 1), 0);
	assert_int_equal(notify_watchdog_ms(), 2000);
	assert_int_equal(setenv("WATCHDOG_PID", "1", 1), 0);
	assert_int_equal(notify_watchdog_ms(), 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_told),
	cmocka_unit_test(test_names),
	cmocka_unit_test(test_never_blocks),
	cmocka_unit_test(test_watchdog),
};
TEST_MAIN(tests)

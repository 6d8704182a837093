#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/net/inherited.h"
#include "tests/lib/test.h"
#include "tests/unit/net/net_test.h"

/*
 * As if the process had been started with all descriptors from 3 to last. What
 * the test itself has open among them is no listener, and skipped.
 */
static void
hand_over(int last, long pid)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%d", last - 2);
	assert_int_equal(setenv("LISTEN_FDS", text, 1), 0);
	(void)snprintf(text, sizeof(text), "%ld", pid);
	assert_int_equal(setenv("LISTEN_PID", text, 1), 0);
}

static int
forget(void **state)
{
	(void)state;
	(void)unsetenv("LISTEN_FDS");
	(void)unsetenv("LISTEN_PID");
	return 0;
}

static int
find(const char *text)
{
	struct address a;

	assert_err_ok(address_parse(&a, text));
	return inherited_listener(&a);
}

static void
expect_found(const char *address)
{
	int fd = find(address);

	assert_true(fd > 2);
	assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
	close(fd);
}

/* ---- finding ---- */

static void
test_found_by_address(void **state)
{
	char local[128], other[128];
	int a, b;

	(void)state;
	(void)snprintf(local, sizeof(local), "%s", net_unix_address());
	(void)snprintf(other, sizeof(other), "%s", net_unix_address());
	a = net_raw_listen(local);
	(void)snprintf(other, sizeof(other), "%s", net_tcp_address());
	b = net_raw_listen(other);
	hand_over(a > b ? a : b, (long)getpid());
	expect_found(local);
	expect_found(other);
	expect_found(local); /* as often as one likes */
	assert_int_equal(find(net_unix_address()), -1);
	assert_int_equal(find(net_tcp_address()), -1);
	assert_int_equal(find("[::1]:7000"), -1);
	close(a);
	close(b);
}

static void
test_for_another_process(void **state)
{
	const char *address = net_unix_address();
	int fd = net_raw_listen(address);

	(void)state;
	hand_over(fd, (long)getpid() + 1);
	assert_int_equal(find(address), -1);
	close(fd);
}

static void
test_bad_environment(void **state)
{
	static const char *const bad[] = { "", "x", "-1", "1x", " 1", "99999999999999999999", "0" };
	const char *address = net_unix_address();
	int fd = net_raw_listen(address);

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		hand_over(fd, (long)getpid());
		assert_int_equal(setenv("LISTEN_FDS", bad[i], 1), 0);
		assert_int_equal(find(address), -1);
		hand_over(fd, (long)getpid());
		assert_int_equal(setenv("LISTEN_PID", bad[i], 1), 0);
		assert_int_equal(find(address), -1);
	}
	hand_over(fd, (long)getpid());
	assert_int_equal(unsetenv("LISTEN_PID"), 0);
	assert_int_equal(find(address), -1);
	close(fd);
}

/* A connection to the address has the address too, but does not listen. */
static void
test_only_listeners(void **state)
{
	const char *address = net_tcp_address();
	int listening = net_raw_listen(address), fd = net_raw_connect(address), accepted;

	(void)state;
	accepted = accept(listening, NULL, NULL);
	assert_true(accepted >= 0);
	close(listening);
	hand_over(fd > accepted ? fd : accepted, (long)getpid());
	assert_int_equal(find(address), -1);
	close(fd);
	close(accepted);
}

/* ---- a listener of the loop ---- */

static void
serve_one(struct loop *l, const char *address)
{
	struct net_end e = { .loop = l, .on_opened = NET_STOP };
	struct listener *s = net_listen(l, address, net_end_accept, &e);
	int fd = net_raw_connect(address);

	net_run(l);
	assert_int_equal(e.opened, 1);
	close(fd);
	net_end_release(&e);
	listener_free(s);
}

/* It serves, leaves the file to its owner, and can be opened again. */
static void
test_listener_takes_it(void **state)
{
	const char *address = net_unix_address();
	int fd = net_raw_listen(address);
	struct loop *l = net_loop_new();
	struct stat st;

	(void)state;
	hand_over(fd, (long)getpid());
	for (int i = 0; i < 2; i++) {
		serve_one(l, address);
		assert_int_equal(lstat(address + strlen("unix:"), &st), 0);
		assert_true(S_ISSOCK(st.st_mode));
	}
	net_loop_free(l);
	close(fd);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_teardown(test_found_by_address, forget),
	cmocka_unit_test_teardown(test_for_another_process, forget),
	cmocka_unit_test_teardown(test_bad_environment, forget),
	cmocka_unit_test_teardown(test_only_listeners, forget),
	cmocka_unit_test_teardown(test_listener_takes_it, forget),
};

TEST_MAIN(tests)

#include "config.h"

#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/test.h"
#include "tests/unit/net/net_test.h"

static const char *
path_of(const char *unix_address)
{
	return unix_address + strlen("unix:");
}

static void
accept_nothing(void *arg, struct conn *c)
{
	unsigned *count = arg;

	(void)c;
	if (count != NULL)
		(*count)++;
}

static void
refused(struct loop *l, const char *address, enum err want, const char *sentence)
{
	struct listener *s = NULL;
	struct diag d = {""};

	assert_err(listener_open(&s, l, address, accept_nothing, NULL, &d), want);
	assert_null(s);
	assert_contains(d.text, sentence);
	assert_err(listener_open(&s, l, address, accept_nothing, NULL, NULL), want);
}

/* ---- the socket ---- */

static void
test_unix_mode(void **state)
{
	const char *address = net_unix_address();
	struct loop *l = net_loop_new();
	mode_t before = umask(0);
	struct listener *s = net_listen(l, address, accept_nothing, NULL);
	struct stat st;

	(void)state;
	umask(before);
	assert_int_equal(lstat(path_of(address), &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0600);
	listener_free(s);
	assert_int_equal(lstat(path_of(address), &st), -1);
	net_loop_free(l);
}

static void
test_stale_is_replaced(void **state)
{
	const char *address = net_unix_address();
	struct loop *l = net_loop_new();
	struct net_end e = {.loop = l, .on_opened = NET_STOP};
	struct listener *s;
	int fd;

	(void)state;
	close(net_raw_listen(address)); /* the path stays, nobody answers */
	s = net_listen(l, address, net_end_accept, &e);
	fd = net_raw_connect(address);
	net_run(l);
	assert_int_equal(e.opened, 1);
	close(fd);
	net_end_release(&e);
	listener_free(s);
	net_loop_free(l);
}

static void
test_live_one_is_not_replaced(void **state)
{
	const char *address = net_unix_address();
	int listening = net_raw_listen(address);
	struct loop *l = net_loop_new();
	int fd;

	(void)state;
	refused(l, address, ERR_BUSY, "another process listens there");
	fd = net_raw_connect(address); /* and it still does */
	close(fd);
	close(listening);
	net_loop_free(l);
}

static void
test_other_files_are_not_replaced(void **state)
{
	const char *address = net_unix_address();
	struct loop *l = net_loop_new();
	int fd = open(path_of(address), O_CREAT | O_WRONLY, 0600);
	struct stat st;

	(void)state;
	assert_int_equal(write(fd, "precious", 8), 8);
	close(fd);
	refused(l, address, ERR_BUSY, "not a socket");
	assert_int_equal(lstat(path_of(address), &st), 0);
	assert_int_equal(st.st_size, 8);
	net_loop_free(l);
}

/* Removed when freed, but not if somebody else has taken the path over. */
static void
test_only_our_own_is_removed(void **state)
{
	const char *address = net_unix_address();
	struct loop *l = net_loop_new();
	struct listener *s = net_listen(l, address, accept_nothing, NULL);
	struct stat st;
	int other;

	(void)state;
	assert_int_equal(unlink(path_of(address)), 0);
	other = net_raw_listen(address);
	listener_free(s);
	assert_int_equal(lstat(path_of(address), &st), 0);
	close(other);
	net_loop_free(l);
}

static void
test_bad_addresses(void **state)
{
	struct loop *l = net_loop_new();

	(void)state;
	refused(l, "localhost:7000", ERR_USAGE, "malformed");
	refused(l, "unix:relative", ERR_USAGE, "malformed");
	refused(l, "unix:/nonexistent/socket", ERR_IO, "No such file");
	refused(l, "192.0.2.1:7000", ERR_IO, "cannot listen on 192.0.2.1:7000");
	listener_free(NULL);
	net_loop_free(l);
}

static void
test_tcp_in_use(void **state)
{
	const char *address = net_tcp_address();
	struct loop *l = net_loop_new();
	struct listener *s = net_listen(l, address, accept_nothing, NULL);

	(void)state;
	refused(l, address, ERR_BUSY, "in use");
	listener_free(s);
	/* At once again, whatever state the last connections are in. */
	s = net_listen(l, address, accept_nothing, NULL);
	listener_free(s);
	net_loop_free(l);
}

/* ---- accepting ---- */

/* A connection that nobody adopts is closed. */
static void
test_not_adopted(void **state)
{
	const char *address = net_unix_address();
	struct loop *l = net_loop_new();
	unsigned count = 0;
	struct listener *s = net_listen(l, address, accept_nothing, &count);
	int fd = net_raw_connect(address);
	char c;

	(void)state;
	net_wait(l, &count, 1);
	assert_int_equal(recv(fd, &c, 1, 0), 0);
	close(fd);
	listener_free(s);
	net_loop_free(l);
}

struct counter {
	struct loop *loop;
	struct listener *listener;
	int count, stop_at;
	bool free_listener;
};

static void
count_accepted(void *arg, struct conn *c)
{
	struct counter *n = arg;

	conn_free(c);
	n->count++;
	if (n->free_listener) {
		listener_free(n->listener);
		n->listener = NULL;
	}
	if (n->count == n->stop_at)
		loop_event_stop(n->loop);
}

static void
test_many_at_once(void **state)
{
	enum { MANY = 300 };
	const char *address = net_unix_address();
	struct counter n = {.loop = net_loop_new(), .stop_at = MANY};
	int fds[MANY];

	(void)state;
	n.listener = net_listen(n.loop, address, count_accepted, &n);
	for (int i = 0; i < MANY; i++)
		fds[i] = net_raw_connect(address);
	net_run(n.loop);
	assert_int_equal(n.count, MANY);
	for (int i = 0; i < MANY; i++)
		close(fds[i]);
	listener_free(n.listener);
	net_loop_free(n.loop);
}

static void
test_free_in_callback(void **state)
{
	const char *address = net_unix_address();
	struct counter n = {.loop = net_loop_new(), .free_listener = true, .stop_at = 1};
	int first, second;

	(void)state;
	n.listener = net_listen(n.loop, address, count_accepted, &n);
	first = net_raw_connect(address);
	second = net_raw_connect(address);
	net_run(n.loop);
	net_settle(n.loop, 5);
	assert_int_equal(n.count, 1);
	close(first);
	close(second);
	net_loop_free(n.loop);
}

/* ---- no descriptors left ---- */

/* Moves the clock past the pause, turn by turn. */
struct patience {
	struct test_clock clock;
	struct counter counter;
	struct timer *timer;
	struct rlimit before;
	const char *address;
	int turns, early, restored, again;
};

static int64_t
awake(void *ctx)
{
	return ((struct patience *)ctx)->clock.boot_ms;
}

static void
on_patience(void *arg)
{
	struct patience *p = arg;

	p->turns++;
	if (p->turns == 20) {
		p->early = p->counter.count;
		p->restored = setrlimit(RLIMIT_NOFILE, &p->before);
		/* Valgrind closes what came in when there was no descriptor. */
		p->again = net_raw_connect(p->address);
	}
	/* 20 turns of 20 ms do not end the pause of a second; 60 do. */
	test_clock_advance(&p->clock, 20);
	timer_after(p->timer, 0);
}

static void
test_no_descriptors(void **state)
{
	const char *address = net_unix_address();
	struct patience p = {.address = address};
	struct loop_event_time time = {.awake_ms = awake, .ctx = &p};
	struct rlimit none;
	int fd;

	(void)state;
	test_clock_init(&p.clock, INT64_C(1790000000000));
	time.clock = &p.clock.clock;
	assert_err_ok(loop_event_new_timed(&p.counter.loop, NULL, &time));
	p.counter.stop_at = 1;
	p.counter.listener = net_listen(p.counter.loop, address, count_accepted, &p.counter);
	p.timer = timer_new(p.counter.loop, on_patience, &p);
	timer_after(p.timer, 0);
	fd = net_raw_connect(address);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &p.before), 0);
	none = p.before;
	none.rlim_cur = (rlim_t)fd + 1;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	net_run(p.counter.loop);
	assert_int_equal(p.restored, 0);
	assert_int_equal(p.early, 0);
	assert_true(p.counter.count >= 1);
	assert_true(p.turns >= 50); /* it came back after its pause, not before */
	close(fd);
	close(p.again);
	timer_free(p.timer);
	listener_free(p.counter.listener);
	net_loop_free(p.counter.loop);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_unix_mode),
    cmocka_unit_test(test_stale_is_replaced),
    cmocka_unit_test(test_live_one_is_not_replaced),
    cmocka_unit_test(test_other_files_are_not_replaced),
    cmocka_unit_test(test_only_our_own_is_removed),
    cmocka_unit_test(test_bad_addresses),
    cmocka_unit_test(test_tcp_in_use),
    cmocka_unit_test(test_not_adopted),
    cmocka_unit_test(test_many_at_once),
    cmocka_unit_test(test_free_in_callback),
    cmocka_unit_test(test_no_descriptors),
};

TEST_MAIN(tests)

#include "config.h"

#include "common/net/address.h"

#include <netinet/in.h>
#include <string.h>

#include "tests/lib/test.h"

static void
test_ipv4(void **state)
{
	struct sockaddr_in sin;
	struct address a;

	(void)state;
	assert_err_ok(address_parse(&a, "127.0.0.1:7000"));
	memcpy(&sin, &a.to.storage, sizeof(sin));
	assert_int_equal(sin.sin_family, AF_INET);
	assert_int_equal(ntohs(sin.sin_port), 7000);
	assert_int_equal(ntohl(sin.sin_addr.s_addr), INADDR_LOOPBACK);
	assert_int_equal(a.len, sizeof(sin));
	assert_false(address_is_unix(&a));
}

static void
test_ipv6(void **state)
{
	struct sockaddr_in6 sin6;
	struct address a;

	(void)state;
	assert_err_ok(address_parse(&a, "[::1]:65535"));
	memcpy(&sin6, &a.to.storage, sizeof(sin6));
	assert_int_equal(sin6.sin6_family, AF_INET6);
	assert_int_equal(ntohs(sin6.sin6_port), 65535);
	assert_memory_equal(&sin6.sin6_addr, &in6addr_loopback, sizeof(sin6.sin6_addr));
	assert_int_equal(a.len, sizeof(sin6));
}

static void
test_unix(void **state)
{
	char longest[5 + 107 + 1] = "unix:/";
	char too_long[5 + 108 + 1] = "unix:/";
	struct address a;

	(void)state;
	assert_err_ok(address_parse(&a, "unix:/run/x y"));
	assert_true(address_is_unix(&a));
	assert_string_equal(a.to.local.sun_path, "/run/x y");
	memset(longest + 6, 'a', sizeof(longest) - 7);
	assert_err_ok(address_check(longest));
	memset(too_long + 6, 'a', sizeof(too_long) - 7);
	assert_err(address_check(too_long), ERR_USAGE);
}

static void
test_malformed(void **state)
{
	static const char *const bad[] = {
	    "",
	    ":",
	    "127.0.0.1",
	    "127.0.0.1:",
	    "127.0.0.1:0",
	    "127.0.0.1:00",
	    "127.0.0.1:07000",
	    "127.0.0.1:65536",
	    "127.0.0.1:99999999999999999999",
	    "127.0.0.1:7000 ",
	    "127.0.0.1:7000x",
	    "127.0.0.1:-1",
	    "127.0.0.1:+1",
	    " 127.0.0.1:7000",
	    "127.0.0.1 :7000",
	    "127.0.0:7000",
	    "127.0.0.256:7000",
	    "127.0.0.1:7000:1",
	    "localhost:7000",
	    "example.com:80",
	    "::1:7000",
	    "[::1]",
	    "[::1]:",
	    "[::1]:0",
	    "[::1:7000",
	    "[]:7000",
	    "[127.0.0.1]:7000",
	    "[::1]7000",
	    "[fe80::1%lo]:7000",
	    "[::1]]:7000",
	    "[1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb]:7000",
	    "unix:",
	    "unix:x",
	    "unix:./x",
	    "unix:/x\n",
	    "unix:/\x7f",
	    "unix:/\xc3\xa4",
	    "Unix:/x",
	    "unix/x",
	    "/x",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct address a;

		memset(&a, 0x5a, sizeof(a));
		assert_err(address_parse(&a, bad[i]), ERR_USAGE);
		/* No output is touched on failure. */
		assert_int_equal(a.len, 0x5a5a5a5a);
	}
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_ipv4),
    cmocka_unit_test(test_ipv6),
    cmocka_unit_test(test_unix),
    cmocka_unit_test(test_malformed),
};

TEST_MAIN(tests)

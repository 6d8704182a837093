#include "config.h"

#include "common/net/inherited.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIRST_FD 3
#define COUNT_MAX 1024

/* The decimal number of a variable of the environment, or -1. */
static long
number_of(const char *name)
{
	const char *text = getenv(name);
	char *end;
	long n;

	if (text == NULL || *text < '0' || *text > '9')
		return -1;
	n = strtol(text, &end, 10);
	return *end == '\0' ? n : -1;
}

static int
count(void)
{
	long n = number_of("LISTEN_FDS");

	if (number_of("LISTEN_PID") != (long)getpid() || n < 0 || n > COUNT_MAX)
		return 0;
	return (int)n;
}

static bool
same_address(const struct address *a, const struct address *b)
{
	const struct sockaddr_in *a4 = (const void *)&a->to, *b4 = (const void *)&b->to;
	const struct sockaddr_in6 *a6 = (const void *)&a->to, *b6 = (const void *)&b->to;

	if (a->to.any.sa_family != b->to.any.sa_family)
		return false;
	switch (a->to.any.sa_family) {
	case AF_UNIX:
		return strcmp(a->to.local.sun_path, b->to.local.sun_path) == 0;
	case AF_INET:
		return a4->sin_port == b4->sin_port && a4->sin_addr.s_addr == b4->sin_addr.s_addr;
	case AF_INET6:
		return a6->sin6_port == b6->sin6_port &&
		    memcmp(&a6->sin6_addr, &b6->sin6_addr, sizeof(a6->sin6_addr)) == 0; /* public */
	default:
		return false;
	}
}

/* Whether fd is a stream socket that listens. */
static bool
is_listening(int fd)
{
	int type = 0, listens = 0;
	socklen_t n = sizeof(int);

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) != 0 || type != SOCK_STREAM)
		return false;
	n = sizeof(int);
	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &n) == 0 && listens != 0;
}

static bool
listens_at(int fd, const struct address *a)
{
	/* Zeros behind what is filled in end the path of a unix socket. */
	struct address own = { .len = sizeof(own.to) };

	return is_listening(fd) && getsockname(fd, &own.to.any, &own.len) == 0 &&
	    same_address(&own, a);
}

/* A copy that does not block and is closed in children, like the original. */
static int
copy(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
		return -1;
	return fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FD);
}

int
inherited_listener(const struct address *a)
{
	int n = count();

	for (int fd = FIRST_FD; fd < FIRST_FD + n; fd++)
		if (listens_at(fd, a))
			return copy(fd);
	return -1;
}

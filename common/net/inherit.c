#include "config.h"

#include "common/net/inherit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PREFIX "fd:"
#define NUMBER_MAX 1000000000

bool
inherit_is(const char *address)
{
	return strncmp(address, PREFIX, sizeof(PREFIX) - 1) == 0;
}

/* A decimal number without leading zeros; -1 for anything else. */
static long
number_of(const char *s)
{
	long v = 0;

	if (s == NULL || *s < '1' || *s > '9')
		return -1;
	for (; *s != '\0'; s++) {
		if (*s < '0' || *s > '9' || v > NUMBER_MAX / 10)
			return -1;
		v = 10 * v + (*s - '0');
	}
	return v;
}

/* A listening stream socket that nobody has taken: those of ours close on exec. */
static bool
is_fresh(int fd)
{
	int type = 0, accepts = 0, flags = fcntl(fd, F_GETFD);
	socklen_t n = sizeof(type), m = sizeof(accepts);

	return flags >= 0 && (flags & FD_CLOEXEC) == 0 &&
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) == 0 && type == SOCK_STREAM &&
	    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &m) == 0 && accepts != 0;
}

enum err
inherit_take(int *out, const char *address, struct diag *d)
{
	long fd = inherit_is(address) ? number_of(address + sizeof(PREFIX) - 1) : -1;
	long count = number_of(getenv("LISTEN_FDS")), pid = number_of(getenv("LISTEN_PID"));
	int flags;

	if (fd < INHERIT_FIRST)
		return diag_set(d, ERR_USAGE, "%s: a socket of the service manager is fd:3, fd:4 "
		    "and so on", address);
	if (pid != (long)getpid() || fd >= INHERIT_FIRST + count)
		return diag_set(d, ERR_USAGE, "%s: the service manager handed no such socket over; "
		    "see the socket unit, and that it is the one that started us", address);
	if (!is_fresh((int)fd))
		return diag_set(d, ERR_USAGE, "%s: not a listening stream socket, or in use "
		    "already; see ListenStream= and Accept=no in the socket unit", address);
	flags = fcntl((int)fd, F_GETFL);
	if (flags < 0 || fcntl((int)fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
	    fcntl((int)fd, F_SETFD, FD_CLOEXEC) != 0)
		return diag_set(d, ERR_IO, "%s: cannot be set up", address);
	*out = (int)fd;
	return ERR_OK;
}

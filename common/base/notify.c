#include "config.h"

#include "common/base/notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* "/path", or '@' and the name of an abstract socket. */
static enum err
address_of(struct sockaddr_un *to, socklen_t *len, const char *name)
{
	size_t n = strlen(name);

	if ((name[0] != '/' && name[0] != '@') || n < 2 || n >= sizeof(to->sun_path))
		return ERR_USAGE;
	memset(to, 0, sizeof(*to));
	to->sun_family = AF_UNIX;
	memcpy(to->sun_path, name, n);
	if (name[0] == '@')
		to->sun_path[0] = '\0';
	*len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
	return ERR_OK;
}

enum err
notify_send(const char *lines)
{
	const char *name = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to;
	socklen_t len;
	size_t n = strlen(lines);
	ssize_t sent;
	int fd;

	if (name == NULL)
		return ERR_NOT_FOUND;
	if (address_of(&to, &len, name) != ERR_OK)
		return ERR_USAGE;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return ERR_IO;
	sent = sendto(fd, lines, n, MSG_NOSIGNAL, (const struct sockaddr *)(const void *)&to, len);
	(void)close(fd);
	return sent == (ssize_t)n ? ERR_OK : ERR_IO;
}

/* A whole number of at most 15 digits; -1 for anything else. */
static int64_t
number_of(const char *s)
{
	int64_t v = 0;
	size_t n = strlen(s);

	if (n == 0 || n > 15)
		return -1;
	for (; *s != '\0'; s++) {
		if (*s < '0' || *s > '9')
			return -1;
		v = 10 * v + (*s - '0');
	}
	return v;
}

int64_t
notify_watchdog_ms(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	int64_t us = usec != NULL ? number_of(usec) : -1;

	if (us <= 0 || (pid != NULL && number_of(pid) != (int64_t)getpid()))
		return 0;
	return us >= 1000 ? us / 1000 : 1;
}

#include "config.h"

#include "client-lib/command/remote.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define READ_BYTES 65536

enum err
remote_open(struct remote *r, const char *socket_address, struct diag *d)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	const char *path = socket_address + strlen("unix:");

	buf_init(&r->in);
	r->used = 0;
	if (strlen(path) >= sizeof(a.sun_path))
		return diag_set(d, ERR_RANGE, "the agent's socket path is too long");
	memcpy(a.sun_path, path, strlen(path) + 1);
	r->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (r->fd < 0)
		return diag_set(d, ERR_IO, "no socket could be made: %m");
	if (connect(r->fd, (const struct sockaddr *)&a, sizeof(a)) == 0)
		return ERR_OK;
	(void)close(r->fd);
	return diag_set(d, ERR_CLOSED,
	    "no agent is running for this directory; start it with `restante agent`");
}

void
remote_close(struct remote *r)
{
	(void)close(r->fd);
	buf_release(&r->in);
}

static enum err
send_all(int fd, const uint8_t *p, size_t n)
{
	while (n > 0) {
		ssize_t k = send(fd, p, n, MSG_NOSIGNAL);
		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return ERR_CLOSED;
		p += k;
		n -= (size_t)k;
	}
	return ERR_OK;
}

enum err
remote_ask(struct remote *r, const struct wire *q, struct diag *d)
{
	struct buf b;
	enum err e;

	buf_init(&b);
	e = wire_encode(&b, q);
	if (e == ERR_OK)
		e = send_all(r->fd, b.data, b.len);
	else
		(void)diag_set(d, e, "this is too long to send to the agent");
	if (e == ERR_CLOSED)
		(void)diag_set(d, e, "the agent has gone away");
	buf_release(&b);
	return e;
}

/* Wait for more bytes. */
static enum err
receive(struct remote *r)
{
	uint8_t *space;
	ssize_t n;
	enum err e = buf_reserve(&r->in, READ_BYTES, WIRE_MESSAGE_MAX + READ_BYTES, &space);

	if (e != ERR_OK)
		return e;
	do
		n = recv(r->fd, space, READ_BYTES, 0);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return ERR_CLOSED;
	r->in.len += (size_t)n;
	return ERR_OK;
}

enum err
remote_answer(struct remote *r, struct wire *out, struct diag *d)
{
	size_t len = 0;
	enum err e;

	buf_consume(&r->in, r->used);
	r->used = 0;
	for (;;) {
		e = wire_length(&len, r->in.data, r->in.len);
		if (e == ERR_OK && len > 0)
			e = wire_decode(out, r->in.data, len);
		if (e != ERR_OK)
			return diag_set(d, e,
			    "the agent answered nonsense; is it of another version?");
		if (len > 0) {
			r->used = len;
			return ERR_OK;
		}
		if (receive(r) != ERR_OK)
			return diag_set(d, ERR_CLOSED, "the agent has gone away");
	}
}

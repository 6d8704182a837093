/* The command line's side of the desk: blocking, with one deadline for everything. */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/net/address.h"
#include "mix/desk.h"

struct asking {
	const char *address; /* for sentences */
	int fd;
	int64_t until_ms; /* boot time */
	struct diag *d;
};

static enum err
failed(const struct asking *a, int error)
{
	return diag_set(a->d, ERR_IO, "cannot ask the daemon at %s: %s", a->address,
	    strerror(error));
}

/* Wait until the socket can be read, or written. */
static enum err
wait_for(const struct asking *a, short events)
{
	struct pollfd p = { .fd = a->fd, .events = events };
	int64_t left = a->until_ms - clock_boot_ms(clock_system());
	int n;

	if (left > 0) {
		n = poll(&p, 1, left < INT32_MAX ? (int)left : INT32_MAX);
		if (n > 0 || (n < 0 && errno == EINTR))
			return ERR_OK; /* after a signal: look again */
		if (n < 0)
			return failed(a, errno);
	}
	return diag_set(a->d, ERR_TIMEOUT, "the daemon at %s does not answer; it is very busy, or "
	    "it hangs: see its log", a->address);
}

static enum err
refused(const struct asking *a, int error)
{
	switch (error) {
	case ENOENT:
	case ECONNREFUSED:
		return diag_set(a->d, ERR_NOT_FOUND, "no daemon listens at %s; see that it runs, "
		    "and with this configuration", a->address);
	case EACCES:
	case EPERM:
		return diag_set(a->d, ERR_IO, "%s is not ours to ask at; be the user that the "
		    "daemon runs as", a->address);
	case EAGAIN:
		return diag_set(a->d, ERR_BUSY, "too many ask the daemon at %s at once; try "
		    "again", a->address);
	default:
		return failed(a, error);
	}
}

static enum err
dial(struct asking *a)
{
	struct address to;

	if (address_parse(&to, a->address) != ERR_OK || !address_is_unix(&to))
		return diag_set(a->d, ERR_USAGE, "%s is not the address of a desk; it looks like "
		    "unix:/run/restante/desk", a->address);
	a->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (a->fd < 0)
		return failed(a, errno);
	return connect(a->fd, &to.to.any, to.len) == 0 ? ERR_OK : refused(a, errno);
}

static enum err
send_all(const struct asking *a, const uint8_t *p, size_t n)
{
	while (n > 0) {
		ssize_t sent = send(a->fd, p, n, MSG_NOSIGNAL);
		enum err e = ERR_OK;

		if (sent >= 0) {
			p += sent;
			n -= (size_t)sent;
		} else if (errno == EPIPE || errno == ECONNRESET) {
			return ERR_OK; /* what it answered, if anything, says why */
		} else if (errno == EAGAIN) {
			e = wait_for(a, POLLOUT);
		} else if (errno != EINTR) {
			e = failed(a, errno);
		}
		if (e != ERR_OK)
			return e;
	}
	return ERR_OK;
}

static enum err
no_answer(const struct asking *a)
{
	return diag_set(a->d, ERR_CLOSED, "the daemon at %s closed the connection without an "
	    "answer; it is ending, or too many ask it at once: try again", a->address);
}

static enum err
receive_all(const struct asking *a, uint8_t *p, size_t n)
{
	while (n > 0) {
		ssize_t got = recv(a->fd, p, n, 0);
		enum err e = ERR_OK;

		if (got > 0) {
			p += got;
			n -= (size_t)got;
		} else if (got == 0 || errno == ECONNRESET) {
			return no_answer(a);
		} else if (errno == EAGAIN) {
			e = wait_for(a, POLLIN);
		} else if (errno != EINTR) {
			e = failed(a, errno);
		}
		if (e != ERR_OK)
			return e;
	}
	return ERR_OK;
}

/* The daemon's sentence, fit for a terminal. */
static enum err
its_error(const struct asking *a, enum err code, uint8_t *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (text[i] < 0x20 || text[i] == 0x7f)
			text[i] = ' ';
	return diag_set(a->d, code, "%.*s", (int)n, (const char *)text);
}

static enum err
take_answer(const struct asking *a, struct buf *out)
{
	uint8_t head[DESKWIRE_ANSWER_HEAD], *at;
	size_t n = 0;
	enum err code = ERR_OK, e = receive_all(a, head, sizeof(head));

	if (e != ERR_OK)
		return e;
	if (deskwire_head(&code, &n, head) != ERR_OK)
		return diag_set(a->d, ERR_MALFORMED, "what listens at %s is no daemon of ours",
		    a->address);
	e = buf_reserve(out, n, out->len + n, &at);
	if (e != ERR_OK)
		return diag_set(a->d, e, "out of memory");
	e = receive_all(a, at, n);
	if (e != ERR_OK)
		return e;
	if (code != ERR_OK)
		return its_error(a, code, at, n);
	out->len += n;
	return ERR_OK;
}

enum err
desk_ask(struct buf *out, const char *address, const char *verb, const void *payload, size_t n,
    int64_t timeout_ms, struct diag *d)
{
	struct asking a = { .address = address, .fd = -1,
		.until_ms = clock_boot_ms(clock_system()) + timeout_ms, .d = d };
	struct buf request;
	enum err e;

	buf_init(&request);
	e = deskwire_put_request(&request, verb, payload, n);
	if (e != ERR_OK)
		(void)diag_set(d, e, "the request is too long for the desk");
	if (e == ERR_OK)
		e = dial(&a);
	if (e == ERR_OK)
		e = send_all(&a, request.data, request.len);
	if (e == ERR_OK)
		e = take_answer(&a, out);
	if (a.fd >= 0)
		(void)close(a.fd);
	buf_release(&request);
	return e;
}

#include "config.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/net/address.h"
#include "common/net/loop_event_parts.h"

#define LAST_READS 64 /* reads at most, once sending has failed */

static struct conn_event *
conn_event_of(struct conn *c)
{
	return (struct conn_event *)(void *)c;
}

static struct loop_event *
loop_of(const struct conn_event *c)
{
	return loop_event_of(c->base.loop);
}

static enum err
err_of_errno(int e)
{
	switch (e) {
	case ECONNRESET:
	case ECONNABORTED:
	case EPIPE:
		return ERR_CLOSED;
	case ECONNREFUSED:
	case ENOENT:
		return ERR_NOT_FOUND;
	case ETIMEDOUT:
		return ERR_TIMEOUT;
	case ENOMEM:
	case ENOBUFS:
		return ERR_MEMORY;
	default:
		return ERR_IO;
	}
}

/* A connection that nothing would wake any more, for want of memory, ends at the next turn. */
static void
set_event(struct conn_event *c, struct event *e, bool *added, bool wanted)
{
	if (e == NULL || *added == wanted)
		return;
	if (wanted && event_add(e, NULL) != 0) {
		c->failed = ERR_MEMORY;
		conn_event_kick(&c->base);
		return;
	}
	if (!wanted)
		(void)event_del(e);
	*added = wanted;
}

/* Watch the socket for what the connection wants now. */
static void
watch(struct conn_event *c)
{
	bool ended = c->base.state == CONN_ENDED;
	bool discard = c->base.finishing && !c->eof && c->base.state == CONN_OPEN;

	set_event(c, c->read_event, &c->reading, !ended && (conn_wants(&c->base) > 0 || discard));
	if (ended)
		set_event(c, c->write_event, &c->writing, false);
}

/* From here on, what returns bool says whether c is still there, as in conn.h. */
static bool
over(struct conn_event *c, enum err why)
{
	if (!conn_over(&c->base, why))
		return false;
	watch(c);
	return true;
}

/* ---- reading ---- */

/*
 * Read once. *more says whether another read could bring something at once;
 * `why` is set when the stream is over.
 */
static bool
read_once(struct conn_event *c, bool *more, enum err *why)
{
	uint8_t *space = loop_of(c)->scratch + LOOP_EVENT_KEPT_BYTES;
	size_t want = conn_wants(&c->base);
	ssize_t n;

	*more = false;
	if (want == 0)
		return true;
	if (want > LOOP_EVENT_READ_BYTES)
		want = LOOP_EVENT_READ_BYTES;
	n = recv(c->fd, space, want, 0);
	if (n > 0) {
		*more = true;
		return conn_given_behind(&c->base, space, (size_t)n, LOOP_EVENT_KEPT_BYTES);
	}
	if (n == 0)
		*why = ERR_CLOSED;
	else if (errno != EAGAIN && errno != EINTR)
		*why = err_of_errno(errno);
	return true;
}

/* A finishing connection: throw away what comes, so that the peer is not reset. */
static void
discard_once(struct conn_event *c)
{
	ssize_t n = recv(c->fd, loop_of(c)->scratch, LOOP_EVENT_READ_BYTES, 0);

	if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return;
	if (n == 0 && conn_unsent(&c->base) > 0) {
		c->eof = true;
		watch(c);
		return;
	}
	(void)over(c, ERR_CLOSED);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct conn_event *c = arg;
	enum err why = ERR_OK;
	bool more;

	(void)fd;
	(void)what;
	if (c->base.finishing) {
		discard_once(c);
		return;
	}
	if (!read_once(c, &more, &why))
		return;
	if (why != ERR_OK)
		(void)over(c, why);
	else
		watch(c);
}

/* ---- writing ---- */

/*
 * Sending failed. What the peer said last may still lie in the socket (a reason
 * for the end, say): read it before `closed` comes.
 */
static bool
sending_failed(struct conn_event *c, enum err why)
{
	enum err ignored = ERR_OK;
	bool more = true;

	for (int i = 0; more && i < LAST_READS; i++) {
		if (!read_once(c, &more, &ignored))
			return false;
	}
	return over(c, why);
}

/* Everything is sent: a finishing connection ends its direction. */
static bool
all_sent(struct conn_event *c)
{
	set_event(c, c->write_event, &c->writing, false);
	if (!c->base.finishing || c->base.state != CONN_OPEN)
		return true;
	if (c->eof)
		return over(c, ERR_CLOSED);
	if (!c->shut) {
		c->shut = true;
		(void)shutdown(c->fd, SHUT_WR);
	}
	return true;
}

/* Send until nothing is left or the socket is full. */
static bool
send_out(struct conn_event *c)
{
	const uint8_t *p;
	size_t left;
	ssize_t n;

	for (p = conn_to_send(&c->base, &left); left > 0; p = conn_to_send(&c->base, &left)) {
		n = send(c->fd, p, left, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			set_event(c, c->write_event, &c->writing, true);
			return true;
		}
		if (n < 0)
			return sending_failed(c, err_of_errno(errno));
		if (!conn_sent(&c->base, (size_t)n))
			return false;
		/* What `drained` has written meanwhile goes at the next turn. */
		if ((size_t)n == left)
			return true;
	}
	return true;
}

static bool
flush(struct conn_event *c)
{
	if (c->base.state != CONN_OPEN)
		return true;
	if (!send_out(c))
		return false;
	return conn_unsent(&c->base) > 0 || all_sent(c);
}

static void
connected(struct conn_event *c)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		error = errno;
	if (error != 0) {
		(void)over(c, err_of_errno(error));
		return;
	}
	set_event(c, c->write_event, &c->writing, false);
	if (conn_up(&c->base))
		conn_event_kick(&c->base);
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct conn_event *c = arg;

	(void)fd;
	(void)what;
	if (c->base.state == CONN_OPENING)
		connected(c);
	else
		(void)flush(c);
}

/* ---- turns ---- */

void
conn_event_turn(struct conn_event *c)
{
	if (c->failed != ERR_OK)
		(void)over(c, c->failed);
	else if (conn_turn(&c->base) && flush(c))
		watch(c);
}

void
conn_event_kick(struct conn *base)
{
	struct conn_event *c = conn_event_of(base);
	struct loop_event *l = loop_of(c);

	if (c->kicked)
		return;
	c->kicked = true;
	c->turn = l->turn;
	if (TAILQ_EMPTY(&l->kicked) || l->in_turn)
		loop_event_wake(l);
	TAILQ_INSERT_TAIL(&l->kicked, c, kicks);
}

/* ---- life ---- */

void
conn_event_detach(struct conn *base)
{
	struct conn_event *c = conn_event_of(base);

	if (c->kicked)
		TAILQ_REMOVE(&loop_of(c)->kicked, c, kicks);
	c->kicked = false;
	if (c->read_event != NULL)
		event_free(c->read_event);
	if (c->write_event != NULL)
		event_free(c->write_event);
	c->read_event = NULL;
	c->write_event = NULL;
	if (c->fd >= 0)
		(void)close(c->fd);
	c->fd = -1;
}

void
conn_event_release(struct conn *base)
{
	free(conn_event_of(base));
}

/* A connection on a socket (-1: none); the socket is closed on failure. */
static enum err
make(struct conn_event **out, struct loop_event *l, int fd, enum conn_state state)
{
	struct conn_event *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		if (fd >= 0)
			(void)close(fd);
		return ERR_MEMORY;
	}
	conn_init(&c->base, &l->base, state);
	c->fd = fd;
	*out = c;
	if (fd < 0)
		return ERR_OK;
	c->read_event = event_new(l->events, fd, EV_READ | EV_PERSIST, on_readable, c);
	c->write_event = event_new(l->events, fd, EV_WRITE | EV_PERSIST, on_writable, c);
	if (c->read_event != NULL && c->write_event != NULL)
		return ERR_OK;
	conn_free(&c->base);
	return ERR_MEMORY;
}

static void
set_no_delay(int fd)
{
	int on = 1;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

enum err
conn_event_open(struct conn **out, struct loop *base, const char *text)
{
	struct address address;
	struct conn_event *c;
	enum err e = address_parse(&address, text);
	int fd, error = 0;

	if (e != ERR_OK)
		return e;
	fd = socket(address.to.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		error = errno;
	e = make(&c, loop_event_of(base), fd, CONN_OPENING);
	if (e != ERR_OK)
		return e;
	if (fd >= 0 && !address_is_unix(&address))
		set_no_delay(fd);
	if (fd >= 0 && connect(fd, &address.to.any, address.len) != 0 && errno != EINPROGRESS)
		error = errno;
	if (error != 0)
		c->failed = err_of_errno(error);
	else
		set_event(c, c->write_event, &c->writing, true);
	*out = &c->base;
	return ERR_OK;
}

enum err
conn_event_adopt(struct conn **out, struct loop_event *l, int fd)
{
	struct conn_event *c;
	enum err e;

	set_no_delay(fd);
	e = make(&c, l, fd, CONN_OPEN);
	if (e == ERR_OK)
		*out = &c->base;
	return e;
}

#include "config.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/net/address.h"
#include "common/net/inherited.h"
#include "common/net/loop_event_parts.h"

#define ACCEPTS_PER_TURN 64
#define BACKLOG 1024
#define PAUSE_MS 1000

struct listener_event {
	struct listener base;
	listener_cb *cb;
	void *arg;
	int fd;
	struct event *event;
	struct timer *resume; /* after accept failed for want of resources */
	struct stat node;     /* of a unix socket: to remove it only if it is ours */
	struct address address;
	bool accepting, freed; /* inside on_acceptable; freed meanwhile */
};

static struct listener_event *
listener_event_of(struct listener *s)
{
	return (struct listener_event *)(void *)s;
}

/* ---- accepting ---- */

static void
on_resume(void *arg)
{
	struct listener_event *s = arg;

	(void)event_add(s->event, NULL);
}

/* False to stop for this turn. */
static bool
accept_failed(struct listener_event *s, int error)
{
	switch (error) {
	case EINTR:
	case ECONNABORTED:
	case EPROTO:
		return true;
	case EAGAIN:
		return false;
	default:
		/* No descriptor or no memory: the socket stays readable, so wait. */
		(void)event_del(s->event);
		timer_after(s->resume, PAUSE_MS);
		return false;
	}
}

static bool
accept_one(struct listener_event *s)
{
	struct conn *c;
	int fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return accept_failed(s, errno);
	if (conn_event_adopt(&c, loop_event_of(s->base.loop), fd) == ERR_OK)
		(void)conn_accepted(c, s->cb, s->arg);
	return true;
}

static void
on_acceptable(evutil_socket_t fd, short what, void *arg)
{
	struct listener_event *s = arg;

	(void)fd;
	(void)what;
	s->accepting = true;
	for (int i = 0; i < ACCEPTS_PER_TURN && !s->freed; i++) {
		if (!accept_one(s))
			break;
	}
	s->accepting = false;
	if (s->freed)
		free(s);
}

/* ---- the socket ---- */

static enum err
refuse(struct diag *d, enum err e, const char *address, const char *what)
{
	return diag_set(d, e, "cannot listen on %s: %s", address, what);
}

/* Whether somebody answers at a unix socket; only a clear refusal means nobody. */
static bool
somebody_answers(const struct address *a)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool answers;

	if (fd < 0)
		return true;
	answers = connect(fd, &a->to.any, a->len) == 0 || errno != ECONNREFUSED;
	(void)close(fd);
	return answers;
}

/* Remove the socket that a process which is no more has left behind. */
static enum err
remove_stale(const struct address *a, const char *text, struct diag *d)
{
	const char *path = a->to.local.sun_path;
	struct stat st;

	if (lstat(path, &st) != 0)
		return errno == ENOENT ? ERR_OK : refuse(d, ERR_IO, text, strerror(errno));
	if (!S_ISSOCK(st.st_mode))
		return refuse(d, ERR_BUSY, text,
		    "a file that is not a socket is in the way; move it");
	if (somebody_answers(a))
		return refuse(d, ERR_BUSY, text,
		    "another process listens there; stop it or choose another address");
	if (unlink(path) != 0 && errno != ENOENT)
		return refuse(d, ERR_IO, text, strerror(errno));
	return ERR_OK;
}

static enum err
bind_error(int error, const char *text, struct diag *d)
{
	if (error == EADDRINUSE)
		return refuse(d, ERR_BUSY, text,
		    "the address is in use; stop the other process or choose another address");
	return refuse(d, ERR_IO, text, strerror(error));
}

static enum err
bind_unix(int fd, const struct address *a, const char *text, struct diag *d)
{
	enum err e;

	/* On Linux the mode of the socket goes over to the file at once. */
	if (fchmod(fd, 0600) != 0)
		return refuse(d, ERR_IO, text, strerror(errno));
	if (bind(fd, &a->to.any, a->len) == 0)
		return ERR_OK;
	if (errno != EADDRINUSE)
		return bind_error(errno, text, d);
	e = remove_stale(a, text, d);
	if (e != ERR_OK)
		return e;
	return bind(fd, &a->to.any, a->len) == 0 ? ERR_OK : bind_error(errno, text, d);
}

static enum err
bind_tcp(int fd, const struct address *a, const char *text, struct diag *d)
{
	int on = 1;

	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (a->to.any.sa_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	return bind(fd, &a->to.any, a->len) == 0 ? ERR_OK : bind_error(errno, text, d);
}

static enum err
bind_and_listen(struct listener_event *s, const char *text, struct diag *d)
{
	bool local = address_is_unix(&s->address);
	enum err e;

	e = local ? bind_unix(s->fd, &s->address, text, d) : bind_tcp(s->fd, &s->address, text, d);
	if (e != ERR_OK)
		return e;
	if (local && lstat(s->address.to.local.sun_path, &s->node) != 0)
		return refuse(d, ERR_IO, text, strerror(errno));
	return listen(s->fd, BACKLOG) == 0 ? ERR_OK : bind_error(errno, text, d);
}

/*
 * The socket that we were started with for this address, or one of our own. The
 * former's file belongs to who made it, and is not removed.
 */
static enum err
make_socket(struct listener_event *s, const char *text, struct diag *d)
{
	s->fd = inherited_listener(&s->address);
	if (s->fd >= 0)
		return ERR_OK;
	s->fd = socket(s->address.to.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	return s->fd >= 0 ? bind_and_listen(s, text, d) : refuse(d, ERR_IO, text, strerror(errno));
}

/* ---- life ---- */

static void
remove_node(const struct listener_event *s)
{
	const char *path = s->address.to.local.sun_path;
	struct stat st;

	if (s->node.st_ino == 0 || lstat(path, &st) != 0)
		return;
	if (st.st_dev == s->node.st_dev && st.st_ino == s->node.st_ino)
		(void)unlink(path);
}

void
listener_event_free(struct listener *base)
{
	struct listener_event *s = listener_event_of(base);

	if (s->event != NULL)
		event_free(s->event);
	timer_free(s->resume);
	remove_node(s);
	if (s->fd >= 0)
		(void)close(s->fd);
	s->freed = true;
	if (!s->accepting)
		free(s);
}

static enum err
watch_listener(struct listener_event *s)
{
	struct loop_event *l = loop_event_of(s->base.loop);

	s->resume = timer_new(s->base.loop, on_resume, s);
	s->event = event_new(l->events, s->fd, EV_READ | EV_PERSIST, on_acceptable, s);
	if (s->resume == NULL || s->event == NULL || event_add(s->event, NULL) != 0)
		return ERR_MEMORY;
	return ERR_OK;
}

enum err
listener_event_open(struct listener **out, struct loop *l, const char *text, listener_cb *cb,
    void *arg, struct diag *d)
{
	struct listener_event *s = calloc(1, sizeof(*s));
	enum err e;

	if (s == NULL)
		return ERR_MEMORY;
	*s = (struct listener_event){.base.loop = l, .cb = cb, .arg = arg, .fd = -1};
	e = address_parse(&s->address, text);
	if (e == ERR_OK)
		e = make_socket(s, text, d);
	if (e == ERR_OK)
		e = watch_listener(s);
	if (e != ERR_OK) {
		listener_event_free(&s->base);
		return e;
	}
	*out = &s->base;
	return ERR_OK;
}

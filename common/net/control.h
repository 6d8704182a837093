/*
 * A tor's control port: one connection that authenticates by SAFECOOKIE, stays
 * open, and dials again when it is lost (back-off with jitter). Commands are
 * answered in order, each within a deadline; events (650) come between answers.
 * tor's control-spec, and proposal "SAFECOOKIE" in it.
 *
 * Every length is bounded (CONTROL_*_MAX); a peer that breaks the format, is
 * silent for too long or does not know the cookie is hung up on.
 */
#ifndef COMMON_NET_CONTROL_H
#define COMMON_NET_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/rng.h"
#include "common/net/loop.h"

#define CONTROL_LINE_MAX 65536	   /* bytes of a line that is read */
#define CONTROL_REPLY_MAX 4194304  /* bytes of one whole reply: thousands of circuits fit */
#define CONTROL_LINES_MAX 4096	   /* lines of a reply */
#define CONTROL_PENDING_MAX 64	   /* commands that wait for an answer */
#define CONTROL_COMMAND_MAX 65536  /* bytes of a command */
#define CONTROL_COMMAND_MS 20000   /* deadline of a command */
/* Each wait is uniform in the upper half of one that doubles from MIN to MAX. */
#define CONTROL_BACKOFF_MIN_MS 250
#define CONTROL_BACKOFF_MAX_MS 60000

/* One line of a reply, valid during the callback; not NUL-terminated. */
struct control_line {
	const char *text; /* behind code and separator: "ServiceID=..." */
	size_t len;
	const char *data; /* a data block's bytes (dots undone, lines end in \n), or NULL */
	size_t data_len;
};

struct control_reply {
	unsigned code; /* 250, 512, ... of the last line */
	size_t count;
	const struct control_line *lines;
};

/*
 * The value behind "key=" of the line that starts with it (the data block if it
 * has one): false if there is none. Case matters, as in tor's replies.
 */
bool control_reply_value(const char **out, size_t *len, const struct control_reply *r,
    const char *key);

/* Older tors have known holes in what we use of them: warn, and go on. */
#define CONTROL_TOR_MIN "0.4.9.11"
/* Whether a tor's version ("0.4.9.11", "0.5.0.1-alpha") is older, or is none. */
bool control_version_is_old(const char *version);

struct control;

struct control_events {
	/* Authenticated, and owned if asked for; version is tor's, checked printable. */
	void (*ready)(void *arg, const char *version);
	/* An asynchronous event. May be NULL. */
	void (*event)(void *arg, const struct control_reply *event);
	/*
	 * The connection, or an attempt at one, ended: what is pending was answered
	 * with NULL, and it will be dialled again. why has a sentence that names
	 * cause and remedy (no cookie, wrong cookie, nobody listens, ...).
	 */
	void (*lost)(void *arg, enum err e, const struct diag *why);
};

struct control_config {
	struct loop *loop;
	const char *address; /* "unix:/run/tor/control" or "127.0.0.1:9051"; copied */
	/* The cookie's file; NULL: what PROTOCOLINFO names. Read anew each time; copied. */
	const char *cookie_file;
	bool own;	     /* TAKEOWNERSHIP: this tor ends when the connection does */
	const struct rng *rng, *keys; /* jitter; nonces */
};

/* Start to dial; everything comes by events. ERR_MEMORY, ERR_USAGE. */
RST_MUST_USE enum err control_new(struct control **out, const struct control_config *cfg,
    const struct control_events *events, void *arg);
/*
 * Close, wipe what may hold secrets, free; no callback follows, also none for
 * what is pending. May be called from every callback. NULL is a no-op.
 */
void control_free(struct control *c);
bool control_is_ready(const struct control *c);

/* reply is NULL when the connection was lost or the deadline passed (why says). */
typedef void control_reply_cb(void *arg, const struct control_reply *reply, enum err why);
/*
 * Send one command line (without its CRLF; no control character in it) and call
 * cb with the answer, never from inside the call. The bytes that are sent are
 * wiped after they left. ERR_STATE if not ready, ERR_FULL, ERR_USAGE, ERR_MEMORY.
 */
RST_MUST_USE enum err control_command(struct control *c, const char *line, control_reply_cb *cb,
    void *arg);

#endif

/*
 * The tor through which this process reaches the gateway. Either one of its own,
 * started as a child with unix sockets only and started again when it dies or
 * hangs, or one that somebody else runs. Its control port is used to see how far
 * it has come, and to give it the client authorization.
 *
 * Files of an own tor are in one directory: `torrc`, `defaults` (empty), `data`
 * (tor's own) and `cookie`. docs/protocol.md, "Files on disk".
 */
#ifndef COMMON_NET_TOR_H
#define COMMON_NET_TOR_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/rng.h"
#include "common/crypto/clientauth.h"
#include "common/net/bootstrap.h"
#include "common/net/helper.h"
#include "common/net/loop.h"

#define TOR_ADDRESS_SIZE 256
#define TOR_PATH_SIZE 4096
#define TOR_VERSION_SIZE 64
#define TOR_CONFIG_MAX 65536	  /* bytes of an extra configuration */
#define TOR_PATIENCE_MS 60000	  /* an own tor that cannot be talked to for so long is ended */
#define TOR_LOOK_MS 30000	  /* how often its progress is asked for, to see that it answers */
#define TOR_BACKOFF_MIN_MS 500	  /* before it is started again */
#define TOR_BACKOFF_MAX_MS 60000
#define TOR_STABLE_MS 60000	  /* ready for so long: the back-off begins anew */

struct tor;

enum tor_state {
	TOR_DOWN,     /* it is not there; why says what is wrong, and it is tried again */
	TOR_STARTING, /* its control port does not answer yet */
	TOR_CLIMBING, /* it is connecting to its network, or takes the key */
	TOR_READY,    /* it connects, and has the key if there is one */
};

enum tor_key {
	TOR_KEY_NONE,	 /* there is none to give */
	TOR_KEY_PENDING,
	TOR_KEY_GIVEN,
	TOR_KEY_REFUSED, /* why has the sentence */
};

struct tor_status {
	bool own;
	enum tor_state state;
	enum tor_key key;
	struct bootstrap bootstrap;
	uint32_t starts;		/* of an own one, by now */
	char version[TOR_VERSION_SIZE]; /* empty before it was talked to */
	struct diag why;		/* what is wrong; empty if nothing is */
};

struct tor_config {
	struct loop *loop;
	const struct rng *rng, *keys; /* jitter; nonces */
	/*
	 * An own tor: its directory (made if absent; absolute, borrowed by the
	 * strings below too: all are copied). NULL: somebody else's tor.
	 */
	const char *directory;
	const char *sockets; /* a directory for its two sockets; NULL: the same one */
	const char *program; /* a path, or a name that is sought; NULL: "tor" */
	const char *extra;   /* a file whose lines come first in torrc; NULL: none */
	/*
	 * Who starts it: this program of a helper, made by tor_helped; NULL: we do. Borrowed.
	 */
	struct helper *helper;
	size_t helper_program;
	/* Somebody else's: addresses, and the cookie's file (NULL: as it says itself). */
	const char *control, *socks, *cookie;
	const struct clientauth *key; /* NULL: none; copied */
	/*
	 * A second address that the key is for, of the form of socks.h (the registrar's, whose
	 * onion service admits the same groups); NULL, or no onion service: none. Copied.
	 */
	const char *also;
	/* The state, or what is in the status, has changed. Not a place to call tor_free. */
	void (*changed)(void *arg);
	void *arg;
};

/* The strings of a struct helper_program. */
struct tor_helped {
	char program[TOR_PATH_SIZE], directory[TOR_PATH_SIZE];
	char torrc[TOR_PATH_SIZE + 16], defaults[TOR_PATH_SIZE + 16];
};
/*
 * How a helper starts our own tor of this directory, absolute and already there: confined
 * to it for what it writes, and never to run a program itself (NoExec), for torrc is made
 * by who may have been taken over. The strings are in x. ERR_NOT_FOUND, ERR_RANGE with a
 * sentence.
 */
RST_MUST_USE enum err tor_helped(struct helper_program *out, struct tor_helped *x,
    const char *program, const char *directory, struct diag *d);

/*
 * Start, or begin to talk to the one that is there. What can be wrong with the
 * configuration is refused here, with a sentence (no program of that name, a path
 * that is too long for a socket); all else is in the status, and mends itself.
 * ERR_NOT_FOUND, ERR_RANGE, ERR_USAGE, ERR_IO, ERR_BUSY, ERR_MEMORY.
 */
RST_MUST_USE enum err tor_new(struct tor **out, const struct tor_config *cfg, struct diag *d);
/* An own one is ended and waited for (CHILD_PATIENCE_MS at most). NULL is a no-op. */
void tor_free(struct tor *t);
/* The address of its SOCKS port, for sessions. Does not change. */
const char *tor_socks(const struct tor *t);
bool tor_is_ready(const struct tor *t);
void tor_get_status(const struct tor *t, struct tor_status *out);
/* "starting", "connecting", ... */
const char *tor_state_text(enum tor_state s);
/* "none", "pending", ... */
const char *tor_key_text(enum tor_key k);

#endif

/*
 * The process of an own tor (tor.h): its files, its start, and its next start
 * when it has ended, with a back-off that doubles. Internal to tor.c.
 */
#ifndef COMMON_NET_TORPROCESS_H
#define COMMON_NET_TORPROCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/rng.h"
#include "common/net/helper.h"
#include "common/net/loop.h"

struct torprocess;

struct torprocess_config {
	struct loop *loop;
	const struct rng *rng;
	const char *directory, *sockets, *program, *extra; /* as in tor.h; copied */
	struct helper *helper; /* as in tor.h */
	size_t helper_program;
};

struct torprocess_events {
	void (*started)(void *arg);
	/* It has ended, or could not be started; it will be tried again. Not to free it in. */
	void (*ended)(void *arg, const struct diag *why);
};

/* Check what can be, and start at the next turn of the loop. Errors as of tor_new. */
RST_MUST_USE enum err torprocess_new(struct torprocess **out, const struct torprocess_config *cfg,
    const struct torprocess_events *events, void *arg, struct diag *d);
/* Ends it and waits for its end. NULL is a no-op. */
void torprocess_free(struct torprocess *p);
/* It works: when it ends after TOR_STABLE_MS of that, the back-off begins anew. */
void torprocess_well(struct torprocess *p);
/* It hangs: end it by force. `ended` follows, with this sentence. */
void torprocess_kill(struct torprocess *p, const char *why);

/* Where it listens: addresses; and the file of its cookie. */
const char *torprocess_control(const struct torprocess *p);
const char *torprocess_socks(const struct torprocess *p);
const char *torprocess_cookie(const struct torprocess *p);
uint32_t torprocess_starts(const struct torprocess *p);

#endif

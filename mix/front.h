/*
 * A mix's way to the gateway's front door, for its own sessions: direct, or
 * through a tor, its own or a named one (common/net/tor.h). The sessions are held
 * until it is there.
 */
#ifndef MIX_FRONT_H
#define MIX_FRONT_H

#include <stdbool.h>

#include "common/base/err.h"
#include "common/base/log.h"
#include "common/net/loop.h"
#include "common/net/torsettings.h"
#include "mix/report.h"
#include "mix/sandbox.h"

struct front;

struct front_config {
	struct loop *loop;
	struct log *log;
	const struct torsettings *settings;
	const char *entrance;
	const char *registrar;	   /* its entrance, for which the key is, too; NULL: there is none */
	const char *state;	   /* the state directory, absolute; an own tor is in `tor` in it */
	const char *authorization; /* a file with the client authorization; empty: none */
	struct helper *helper;	   /* that starts an own tor, as front_needs said; NULL: we do */
	size_t helper_program;
};

/* What run and --check-config demand before anything is opened. ERR_* with a sentence. */
RST_MUST_USE enum err front_check(const struct front_config *cfg, struct diag *d);
/*
 * What the sandbox has to allow; *own: whether a tor of our own is to be started, as
 * `program` says then, with its strings in x, and its directory made. ERR_* with a sentence.
 */
RST_MUST_USE enum err front_needs(const struct front_config *cfg, struct sandbox *s, bool *own,
    struct helper_program *program, struct tor_helped *x, struct diag *d);
/* open(arg, is): the way is there, or not any more; must not free f. */
RST_MUST_USE enum err front_new(struct front **out, const struct front_config *cfg,
    void (*open)(void *arg, bool is), void *arg, struct diag *d);
/* Ends an own tor. NULL is a no-op. */
void front_free(struct front *f);
/* The SOCKS port for the sessions; NULL: direct. */
const char *front_socks(const struct front *f);
/* Whether it is there; always, if direct. */
bool front_is_open(const struct front *f);
/* The section `tor` of a status; nothing if direct. */
void front_report(const struct front *f, struct report *r);

#endif

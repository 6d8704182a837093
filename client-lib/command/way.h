/*
 * The agent's way to the gateway: direct, or through a tor, which it starts and
 * ends, or uses, as restante.conf says. Sessions are held until it is there.
 */
#ifndef CLIENT_LIB_COMMAND_WAY_H
#define CLIENT_LIB_COMMAND_WAY_H

#include <stdbool.h>

#include "client-lib/include/restante/restante.h"
#include "common/base/err.h"
#include "common/net/loop.h"
#include "common/net/tor.h"

struct way;

/*
 * Before restante_start. changed is called when the status is another one; it
 * must not free the way. ERR_* with a sentence.
 */
RST_MUST_USE enum err way_open(struct way **out, struct restante *r, struct loop *l,
    const char *directory, void (*changed)(void *arg), void *arg, struct diag *d);
/* Ends the tor, if it is ours. NULL is a no-op. */
void way_free(struct way *w);
/* False if it is direct. */
bool way_status(const struct way *w, struct tor_status *out);

#endif

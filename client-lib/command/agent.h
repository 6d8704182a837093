/*
 * The agent: keeps the session and answers the other subcommands over its
 * unix socket (mode 0600). Everything it does goes through librestante.
 */
#ifndef CLIENT_LIB_COMMAND_AGENT_H
#define CLIENT_LIB_COMMAND_AGENT_H

#include "client-lib/include/restante/restante.h"
#include "common/base/err.h"

/*
 * Run until SIGTERM, SIGINT or a stop request. Prints "ready" on stdout once
 * the socket answers. ERR_BUSY with a sentence if an agent runs already.
 */
RST_MUST_USE enum err agent_run(const char *directory, const char *socket,
    const struct restante_unlock *unlock, struct diag *d);

#endif

/*
 * One request to the agent and what comes back: shared by the subcommands.
 */
#ifndef CLIENT_LIB_COMMAND_TALK_H
#define CLIENT_LIB_COMMAND_TALK_H

#include <stdbool.h>

#include "client-lib/command/remote.h"
#include "common/config/options.h"

/* Connect to the agent of the call's directory. */
RST_MUST_USE enum err talk_open(struct remote *r, const struct call *c, struct diag *d);
/*
 * Ask, hand every answer but the last to each (may be NULL), and return the
 * last: ERR_OK, or the agent's refusal with its sentence.
 */
typedef void talk_each(void *arg, const struct wire *answer);
RST_MUST_USE enum err talk_ask(struct remote *r, const struct wire *q, talk_each *each, void *arg,
    struct diag *d);
/* Open, ask once, close; print failures; returns the exit code. */
int talk_once(const struct call *c, const struct wire *q, talk_each *each, void *arg);
/* The library's or the agent's code as an error of ours, for the exit code. */
RST_MUST_USE enum err talk_code(int code);
bool talk_json(const struct call *c);
/* Fill a wire's name and text; ERR_RANGE with a sentence if the name is too long. */
RST_MUST_USE enum err talk_name(struct wire *q, const char *name, struct diag *d);

#endif

/*
 * The command's end of the agent's socket: blocking requests and answers.
 */
#ifndef CLIENT_LIB_COMMAND_REMOTE_H
#define CLIENT_LIB_COMMAND_REMOTE_H

#include "client-lib/command/wire.h"
#include "common/base/bytes.h"
#include "common/base/err.h"

struct remote {
	int fd;
	struct buf in;
	size_t used; /* bytes of `in` that the last answer took */
};

/* Connect; ERR_CLOSED with a sentence if no agent answers there. */
RST_MUST_USE enum err remote_open(struct remote *r, const char *socket, struct diag *d);
void remote_close(struct remote *r);
RST_MUST_USE enum err remote_ask(struct remote *r, const struct wire *q, struct diag *d);
/* The next answer; valid until the next call. ERR_CLOSED, ERR_MALFORMED. */
RST_MUST_USE enum err remote_answer(struct remote *r, struct wire *out, struct diag *d);

#endif

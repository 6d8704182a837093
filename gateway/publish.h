/*
 * `restante-gateway charter publish FILE`: the command's side, which hands the file's
 * bytes to the running daemon, and the daemon's, which judges them (gateway_publish) and
 * answers when the charter is durable.
 */
#ifndef GATEWAY_PUBLISH_H
#define GATEWAY_PUBLISH_H

#include "common/base/err.h"
#include "common/config/options.h"
#include "gateway/gateway.h"
#include "mix/desk.h"

/* In the daemon; lives as long as the desk. */
struct publish {
	struct gateway *gateway;
	struct desk_call *call; /* waits until the charter is durable; NULL: none */
};

/* Answer the verb "charter-publish". ERR_MEMORY. */
RST_MUST_USE enum err publish_serve(struct publish *p, struct desk *k, struct gateway *g);

/* The command; settings is room for what schema fills. Returns the exit code. */
extern const struct config_schema publish_schema;
int publish_run(const struct call *c, const struct config_schema *schema, void *settings);

#endif

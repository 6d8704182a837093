/*
 * One request to the registrar's entrance, and its answer: a Noise NK link of its own,
 * through tor a circuit of its own. docs/protocol.md, "Tickets and stamps".
 */
#ifndef COMMON_NET_FETCH_H
#define COMMON_NET_FETCH_H

#include <stdint.h>

#include "common/base/err.h"
#include "common/base/rng.h"
#include "common/net/loop.h"
#include "common/token/issuance.h"

struct fetch;

struct fetch_config {
	const uint8_t *network_id;   /* 32 bytes */
	const char *address;	     /* the registrar's entrance */
	const uint8_t *registrar_pk; /* its link key */
	const char *socks;	     /* as in link.h; NULL: directly */
	int64_t patience_ms;	     /* for the handshake, then for the answer */
	const struct rng *keys;
};

/* Comes once; a is NULL but with ERR_OK. fetch_free must follow, from within or later. */
typedef void fetch_cb(void *arg, enum err e, const struct issuance_answer *a);

/* ERR_USAGE, ERR_MEMORY; all else by cb. */
RST_MUST_USE enum err fetch_open(struct fetch **out, struct loop *l,
    const struct fetch_config *cfg, const struct issuance_request *q, fetch_cb *cb, void *arg);
/* Wipe and free; no callback follows. NULL is a no-op. */
void fetch_free(struct fetch *f);

#endif

/*
 * The probe: dial an onion address through tor's SOCKS port, make the handshake of
 * a client's link with the gateway that should be there, and hang up. Every probe
 * has a circuit of its own.
 */
#ifndef GATEWAY_PROBE_H
#define GATEWAY_PROBE_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/rng.h"
#include "common/charter/charter.h"
#include "common/net/loop.h"

#define PROBE_MS 60000	/* for all of it */
#define PROBE_SEEN 4096 /* links of the entry that are remembered while one is under way */
#define PROBE_HASH_BYTES 16 /* what is kept of a handshake hash */

struct probe;

/*
 * ERR_OK: the gateway that we are has answered. ERR_EXISTS: another one that has our
 * link key. ERR_NOT_FOUND: nobody listens at the SOCKS port. Others: not reached.
 */
typedef void probe_done_cb(void *arg, enum err e);

struct probe_config {
	struct loop *loop;
	const char *socks;	       /* copied */
	const char *target;	       /* "NAME.onion:port"; copied */
	const struct charter *charter; /* borrowed */
	const uint8_t *link_pk;	       /* the gateway's, or the registrar's; borrowed */
	size_t up_bytes, down_bytes;   /* frames of its visitors' links, without which it hangs up */
	const struct rng *keys;
};

RST_MUST_USE enum err probe_new(struct probe **out, const struct probe_config *cfg,
    probe_done_cb *done, void *arg);
void probe_free(struct probe *p);
/* Begin; done comes once, never from inside the call. ERR_STATE if one is under way. */
RST_MUST_USE enum err probe_start(struct probe *p);
/* Give up without a word. */
void probe_stop(struct probe *p);
/* A link with this handshake hash was made at our entry. */
void probe_saw(struct probe *p, const uint8_t hash[static 32]);

#endif

/*
 * The counter: the entrance at which members fetch. Links (Noise NK), one request after
 * the other on each, answered from the ledger's thread. docs/protocol.md, "Tickets and
 * stamps".
 *
 * Bounds: COUNTER_VISITORS connections or as configured, beyond which one that has not
 * shown a member's code, drawn at random, is closed, or else the new one; one connection
 * that has shown a member's code, the latest, for each member; COUNTER_REQUESTS requests
 * and COUNTER_VISIT_MS to a connection, one request at a time; COUNTER_PATIENCE_MS to say
 * something, handshake included; COUNTER_ASKED times its allotment that a member may ask in
 * an epoch's time; a connection whose first request has no member's code ends with the
 * answer.
 */
#ifndef REGISTRAR_COUNTER_H
#define REGISTRAR_COUNTER_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/log.h"
#include "common/base/rng.h"
#include "common/charter/succession.h"
#include "common/net/loop.h"
#include "common/token/issuance.h"
#include "registrar/ledger.h"
#include "registrar/roll.h"

#define COUNTER_VISITORS 256
#define COUNTER_REQUESTS 512
#define COUNTER_PATIENCE_MS 60000
#define COUNTER_HANDSHAKE_MS 20000
#define COUNTER_VISIT_MS 1800000
#define COUNTER_ASKED 8

struct counter;

struct counter_config {
	struct loop *loop;
	const struct succession *charters; /* borrowed, as all that follows */
	const uint8_t *link_sk;
	const char *listen;
	struct ledger *ledger;
	struct workq *queue; /* one thread, the ledger's; freed before the counter */
	const struct rng *rng, *keys;
	struct log *log;
	size_t visitors_max;
};

struct counter_events {
	/* Whose code it is, or NULL; valid until the next turn of the loop. */
	const struct roll_member *(*member)(void *arg, const uint8_t secret[static 32]);
	/*
	 * The keys of an epoch, or NULL if there are none; they stay until counter_idle says
	 * that nothing works with them.
	 */
	const struct issuer *(*issuer)(void *arg, uint32_t epoch);
	/* A link was made; its handshake hash, LINK_HASH_BYTES. May be NULL. */
	void (*linked)(void *arg, const uint8_t *hash);
};

struct counter_status {
	size_t visitors;	     /* now */
	uint64_t answered, refused;  /* requests, so far */
	uint64_t turned_away;	     /* connections, so far */
	bool failed;		     /* the ledger could not be written, last time */
};

/* ERR_BUSY, ERR_USAGE with a sentence (listening). */
RST_MUST_USE enum err counter_open(struct counter **out, const struct counter_config *cfg,
    const struct counter_events *events, void *arg, struct diag *d);
/* End every visit. */
void counter_close_visits(struct counter *k);
/* Accept no further visitors. */
void counter_stop_accepting(struct counter *k);
/* After the queue was freed. NULL is a no-op. */
void counter_free(struct counter *k);
/* Whether no job is under way: issuers that were dropped may be freed. */
bool counter_idle(const struct counter *k);
void counter_get_status(const struct counter *k, struct counter_status *out);

#endif

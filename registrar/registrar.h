/*
 * The registrar on its loop: seeds, which it makes and gives to the gateway; the roll;
 * the counter where members fetch. docs/protocol.md, "Tickets and stamps".
 *
 * One work queue of one thread has disk, ledger and evaluation: what is durable before
 * what rests on that order.
 */
#ifndef REGISTRAR_REGISTRAR_H
#define REGISTRAR_REGISTRAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/bytes.h"
#include "common/base/disk.h"
#include "common/base/err.h"
#include "common/base/log.h"
#include "common/base/rng.h"
#include "common/charter/succession.h"
#include "common/net/loop.h"
#include "mix/links.h"
#include "registrar/counter.h"
#include "registrar/roll.h"

#define REGISTRAR_TURN_MS 300000 /* seeds are sent again, and looked after */

struct registrar;

struct registrar_config {
	struct loop *loop;
	struct disk *disk;		   /* borrowed, as all that follows */
	const struct charter *charter;
	uint16_t own;
	const uint8_t *link_sk;
	const char *listen;		   /* the entrance */
	const char *ledger;		   /* path of its directory */
	const struct rng *rng, *keys;
	struct log *log;
	size_t visitors_max;
	void (*linked)(void *arg, const uint8_t *hash); /* as counter_events; may be NULL */
	void *linked_arg;
};

/* Load everything (blocks), dial, listen. Errors with a sentence. */
RST_MUST_USE enum err registrar_new(struct registrar **out, const struct registrar_config *cfg,
    struct diag *d);
/* Finishes what the ledger has begun. NULL is a no-op. */
void registrar_free(struct registrar *r);
/* Accept nobody any more, and end the visits. */
void registrar_stop(struct registrar *r);
void registrar_close_visits(struct registrar *r);
struct workq *registrar_queue(const struct registrar *r);

/*
 * Change the roll: done comes on the loop, never from inside the call, when it is durable
 * and in force, or with the error and a sentence. enrol: code is the member's, to be handed
 * over; it is wiped after the call. ERR_BUSY while a change is written.
 */
typedef void registrar_done_cb(void *arg, enum err e, const struct diag *d, const char *code);
RST_MUST_USE enum err registrar_enrol(struct registrar *r, const char *name,
    registrar_done_cb *done, void *arg, struct diag *d);
RST_MUST_USE enum err registrar_revoke(struct registrar *r, const char *name,
    registrar_done_cb *done, void *arg, struct diag *d);
const struct roll *registrar_roll(const struct registrar *r);

struct registrar_status {
	uint32_t epoch, charter, coming_charter, coming_epoch;
	bool serves, has_place;	  /* the charter in force has us; that, or another that counts */
	size_t members, seeds;	  /* seeds of this epoch and those to come */
	uint32_t given;		  /* the last epoch whose seed went to the gateway; 0: none */
	struct counter_status counter;
};
void registrar_get_status(const struct registrar *r, struct registrar_status *out);
/* As links_list. */
size_t registrar_links(const struct registrar *r, struct links_peer *out, size_t max);

#endif

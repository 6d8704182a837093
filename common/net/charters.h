/*
 * The charters that a node or a client acts by: a succession, each version of which
 * is also in the directory. What the journal brings is taken at once and saved in
 * the background; a write that fails is tried again, and without it the journal
 * brings the charter anew.
 */
#ifndef COMMON_NET_CHARTERS_H
#define COMMON_NET_CHARTERS_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/disk.h"
#include "common/base/err.h"
#include "common/base/log.h"
#include "common/charter/succession.h"
#include "common/net/loop.h"

struct charters;

/*
 * Load (blocks). The disk may be NULL: then nothing outlives the process. Errors as
 * charterfiles_load. log may be NULL.
 */
RST_MUST_USE enum err charters_open(struct charters **out, struct disk *k,
    const struct charter *given, struct log *log, struct diag *d);
/* From now on new ones are saved on this queue, which must be freed before the object. */
void charters_set_queue(struct charters *c, struct workq *queue);
void charters_free(struct charters *c);

/* For everybody who asks what is in force. Borrowed. */
const struct succession *charters_all(const struct charters *c);

/* What somebody shows; as succession_offer. What is refused is logged as an alarm. */
RST_MUST_USE enum err charters_offer(struct charters *c, const void *text, size_t n,
    struct diag *d);
/* Try again what could not be saved. */
void charters_turn(struct charters *c);

/*
 * Save first, then take: done comes on the loop, never from inside the call, with
 * ERR_OK when it is held and durable. The charter (copied) must follow the latest;
 * errors as succession_add, ERR_BUSY while another is being saved.
 */
typedef void charters_done_cb(void *arg, enum err e);
RST_MUST_USE enum err charters_store(struct charters *c, const struct charter *next,
    charters_done_cb *done, void *arg, struct diag *d);

#endif

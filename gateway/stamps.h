/*
 * Stamps at the exit: whether each deposit of a round is paid for. docs/protocol.md,
 * "Tickets and stamps".
 *
 * Stamps are checked on workers, then spent together, durably, and only then is a
 * deposit paid. A stamp of the epoch before its packet's is good as long as that
 * epoch's grace lasts.
 */
#ifndef GATEWAY_STAMPS_H
#define GATEWAY_STAMPS_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/rng.h"
#include "common/charter/succession.h"
#include "common/net/loop.h"
#include "gateway/issuers.h"
#include "gateway/spent.h"

struct stamps;

struct stamps_config {
	struct loop *loop;
	const struct succession *charters; /* borrowed, as all that follows */
	const struct issuers *issuers;
	struct spent *spent;
	const struct rng *keys;
	unsigned threads; /* that check, at least 1 */
};

enum stamp_verdict {
	STAMP_OPEN,    /* still to be checked */
	STAMP_GENUINE, /* still to be spent */
	STAMP_PAID,
	STAMP_FORGED,  /* of no key that is good for its packet */
	STAMP_SPENT,   /* it paid for another one */
};

/* One deposit. Kept from one try to the next, by which a failed write does no harm. */
struct stamp {
	uint32_t epoch; /* its packet's */
	const uint8_t *bytes, *record;
	enum stamp_verdict verdict;
	/* between the tries */
	uint32_t spent_epoch;
	struct spent_mark mark;
};

struct stamps_status {
	uint64_t paid, forged, spent;
};

RST_MUST_USE enum err stamps_new(struct stamps **out, const struct stamps_config *cfg);
/*
 * Ends the workers. What is under way is abandoned: its callback does not come. The
 * spent store must be freed before. NULL is a no-op.
 */
void stamps_free(struct stamps *k);

/* Whether deposits of packets of this epoch must be paid for. */
bool stamps_needed(const struct stamps *k, uint32_t epoch);
/* To begin with. */
void stamp_init(struct stamp *s, uint32_t epoch, const uint8_t *bytes, const uint8_t *record);

/*
 * Judge n stamps (n > 0), borrowed with what they point to: done comes on the loop, never
 * from inside the call, and unless it brings an error none is OPEN or GENUINE any more;
 * after an error the same may be tried again. One batch at a time: ERR_BUSY. ERR_MEMORY,
 * ERR_FULL: nothing was begun.
 */
typedef void stamps_done_cb(void *arg, enum err e);
RST_MUST_USE enum err stamps_judge(struct stamps *k, struct stamp *const *list, size_t n,
    stamps_done_cb *done, void *arg);

void stamps_get_status(const struct stamps *k, struct stamps_status *out);

#endif

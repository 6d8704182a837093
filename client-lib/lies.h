/*
 * The evidence of the gateway's lies that a client keeps in its state: one about
 * sheets and one about blocks for each epoch. Nothing of it says who quoted what, or
 * when it was learned. Pure.
 */
#ifndef CLIENT_LIB_LIES_H
#define CLIENT_LIB_LIES_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/bytes.h"
#include "common/base/err.h"
#include "common/charter/params.h"
#include "common/journal/evidence.h"

#define LIES_MAX 16 /* the first ones; more prove no more */

struct lies {
	size_t count;
	struct evidence at[LIES_MAX]; /* by epoch */
};

/* Keep it; false if there is no room, or if this is known already. */
bool lies_add(struct lies *k, const struct evidence *e, const struct params *p);

#define LIES_BYTES (1 + LIES_MAX * (2 + EVIDENCE_BYTES_MAX))
/* ERR_MEMORY. */
RST_MUST_USE enum err lies_put(struct writer *w, const struct lies *k);
/* Strict; the reader fails with ERR_MALFORMED otherwise. */
void lies_get(struct reader *r, struct lies *k);

#endif

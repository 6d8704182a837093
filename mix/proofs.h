/*
 * The evidence of the gateway's lies that a mix keeps (common/journal/evidence.h):
 * two sheets or issuer notices for one epoch, two blocks for one round or epoch. One of each kind for an
 * epoch is enough. Each is a file of its own, the very text that is exported, and
 * stays until the operator removes it.
 *
 * Runs on the loop's thread; files are written on the disk's queue, which must be
 * freed before this object: its last callbacks still come here.
 */
#ifndef MIX_PROOFS_H
#define MIX_PROOFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/disk.h"
#include "common/base/err.h"
#include "common/base/log.h"
#include "common/charter/charter.h"
#include "common/journal/evidence.h"
#include "common/net/loop.h"

#define PROOFS_MAX 64

struct proofs;

/*
 * Load what is on the disk (blocks). queue NULL: only to look. The charter is any
 * version of the network's, borrowed. ERR_MALFORMED, ERR_IO, ERR_FULL, ERR_MEMORY, with
 * a sentence.
 */
RST_MUST_USE enum err proofs_open(struct proofs **out, struct disk *disk, struct workq *queue,
    const struct charter *c, struct log *log, struct diag *d);
void proofs_free(struct proofs *k);
/*
 * Keep what was verified: it is logged, and written. What is known already is passed over.
 * With PROOFS_MAX kept it is only logged, once.
 */
void proofs_add(struct proofs *k, const struct evidence *e);
size_t proofs_count(const struct proofs *k);
/* The i-th, oldest epoch first. */
const struct evidence *proofs_at(const struct proofs *k, size_t i);
/* Whether there is evidence of two sheets for this epoch. */
bool proofs_has_sheets(const struct proofs *k, uint32_t epoch);
/* Try failed writes again. */
void proofs_turn(struct proofs *k);

#endif

/*
 * The charters in a directory: each version that a node or a client was given or
 * has taken from the journal, in a file "charter-VVVVVVVV", as it was signed.
 * docs/protocol.md, "Files on disk". All calls block.
 */
#ifndef COMMON_CHARTER_CHARTERFILES_H
#define COMMON_CHARTER_CHARTERFILES_H

#include "common/base/disk.h"
#include "common/base/err.h"
#include "common/charter/charter.h"
#include "common/charter/succession.h"

#define CHARTERFILES_NAME_BYTES 24

void charterfiles_name(char out[static CHARTERFILES_NAME_BYTES], uint32_t version);

/*
 * The given charter and those of the directory that precede and follow it without
 * a gap; the given one is saved if it is not there. ERR_CHAIN if a file has another
 * charter of a version or the next version does not follow, and whatever reading a
 * file gives, with a sentence.
 */
RST_MUST_USE enum err charterfiles_load(struct succession **out, struct disk *k,
    const struct charter *given, struct diag *d);
RST_MUST_USE enum err charterfiles_save(struct disk *k, const struct charter *c);

/* Whether not-after of the charter in force (or to come) has not passed: ERR_RANGE. */
RST_MUST_USE enum err charterfiles_check_date(const struct succession *s, int64_t wall_ms,
    struct diag *d);

#endif

/*
 * The charter of a node, from its file.
 */
#ifndef MIX_CHARTERFILE_H
#define MIX_CHARTERFILE_H

#include <stdint.h>

#include "common/base/err.h"
#include "common/charter/charter.h"

/*
 * Read, parse and check the charter at path, which must be in force at wall_ms.
 * Every error comes with a sentence that names the file; *out is for charter_free.
 */
RST_MUST_USE enum err charterfile_load(struct charter **out, const char *path, int64_t wall_ms,
    struct diag *d);

#endif

/*
 * The charter of a node, from its file.
 */
#ifndef MIX_CHARTERFILE_H
#define MIX_CHARTERFILE_H

#include "common/base/err.h"
#include "common/charter/charter.h"

/*
 * Read, parse and check the charter at path. Whether it is in date is asked of the one
 * in force, which may be another. Every error comes with a sentence that names the file; *out is for charter_free.
 */
RST_MUST_USE enum err charterfile_load(struct charter **out, const char *path, struct diag *d);

#endif

/*
 * Files of which there is one per epoch: "replay-0000002a". Their first 12 bytes
 * are the header of common/base/format.h and the epoch (u32).
 */
#ifndef MIX_EPOCHFILE_H
#define MIX_EPOCHFILE_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/bytes.h"
#include "common/base/disk.h"
#include "common/base/err.h"
#include "common/base/format.h"

#define EPOCHFILE_NAME_BYTES 32
#define EPOCHFILE_HEADER_BYTES (FORMAT_BYTES + 4)

/* One kind of file. */
struct epochfile {
	const char *stem; /* "replay", at most 20 characters */
	char magic[FORMAT_MAGIC_BYTES + 1];
	uint16_t later; /* versions after the first one, which is written; all are read */
};

void epochfile_name(char out[static EPOCHFILE_NAME_BYTES], const struct epochfile *f,
    uint32_t epoch);
/* The epochs that have a file, in no order; ERR_FULL if there are more than max. */
RST_MUST_USE enum err epochfile_list(uint32_t *out, size_t *count, size_t max,
    const struct epochfile *f, struct disk *disk, struct diag *d);
void epochfile_put(struct writer *w, const struct epochfile *f, uint32_t epoch);
/* Read a header; ERR_VERSION, ERR_MALFORMED, with a sentence that names the file. */
RST_MUST_USE enum err epochfile_check(struct reader *r, const struct epochfile *f, uint32_t epoch,
    struct diag *d);
/* A sentence for a file that cannot be used: what it means and what to do. */
enum err epochfile_damaged(struct diag *d, enum err e, const struct epochfile *f, uint32_t epoch,
    const char *remedy);

#endif

/* How much a state directory holds, and how much more its file system takes. */
#ifndef MIX_DISKROOM_H
#define MIX_DISKROOM_H

#include <stdint.h>

#include "common/base/err.h"

struct diskroom {
	uint64_t used_bytes; /* on the disk, of the directory and what is in it */
	uint64_t free_bytes; /* for us, not for root */
};

/* Measure; blocks. Files that vanish meanwhile do not count. ERR_IO. */
RST_MUST_USE enum err diskroom_measure(struct diskroom *out, const char *path);

#endif

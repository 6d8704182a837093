/*
 * The keys of the days: one small file each, whose destruction destroys the day.
 * Blocks; runs on the store's thread. docs/protocol.md, "Files on disk".
 */
#ifndef GATEWAY_DAYKEYS_H
#define GATEWAY_DAYKEYS_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/disk.h"
#include "common/base/err.h"
#include "gateway/daydb.h"

/* The numbers of the days that have a key, ascending. ERR_FULL beyond max. */
RST_MUST_USE enum err daykeys_list(uint32_t *out, size_t *count, size_t max, struct disk *disk);
/* key is secret memory. ERR_NOT_FOUND, ERR_MALFORMED, ERR_VERSION, ERR_IO. */
RST_MUST_USE enum err daykeys_load(uint8_t key[static DAYDB_KEY_BYTES], struct disk *disk,
    uint32_t day, struct diag *d);
RST_MUST_USE enum err daykeys_save(struct disk *disk, uint32_t day,
    const uint8_t key[static DAYDB_KEY_BYTES]);
RST_MUST_USE enum err daykeys_destroy(struct disk *disk, uint32_t day);

#endif

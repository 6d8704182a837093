/*
 * The LevelDB store without its thread: days opened when they are needed, the file
 * of epoch blocks, the state. Everything blocks; used by one thread at a time.
 */
#ifndef GATEWAY_DAYS_H
#define GATEWAY_DAYS_H

#include <stdint.h>

#include "common/base/bytes.h"
#include "common/base/disk.h"
#include "common/base/err.h"
#include "gateway/epochlog.h"
#include "gateway/store.h"

struct days;

struct days_day {
	uint32_t day, count;
};

/* What was found at the start. */
struct days_found {
	struct days_day days[STORE_DAYS_MAX]; /* ascending */
	size_t count;
	struct buf state;
	struct epochlog epochs;
};

/* As store_leveldb_open. found is empty before; its contents are then the caller's. */
RST_MUST_USE enum err days_open(struct days **out, struct days_found *found, const char *path,
    struct disk *disk, struct diag *d);
void days_close(struct days *k);

/*
 * As store_put. key: for the day, if it has none yet; nonces: daydb_nonces(r) of
 * them. *count is then the number of the day's blocks.
 */
RST_MUST_USE enum err days_put(struct days *k, uint32_t *count, const struct store_round *r,
    const uint8_t *key, const uint8_t *nonces);
/* A block and the records of a mailbox into two empty buffers. ERR_NOT_FOUND. */
RST_MUST_USE enum err days_get(struct days *k, struct buf *block, struct buf *records,
    uint64_t *round, uint32_t day, uint32_t index, uint16_t mailbox);
/* As store_find. */
RST_MUST_USE enum err days_find(struct days *k, uint32_t *index, uint32_t day, uint64_t round);
/* As store_expire; state (may be NULL) is kept in a file before the key goes. */
RST_MUST_USE enum err days_expire(struct days *k, uint32_t day, const struct buf *state);

#endif

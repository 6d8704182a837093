/*
 * The gateway's store: the rounds of the journal, kept by day, and the epoch
 * blocks, kept for ever. docs/protocol.md, "The gateway's store".
 *
 * One interface, two engines: LevelDB, one database per day (store_leveldb.h),
 * and memory for tests and simulations (store_memory.h). Everything is called
 * on the loop's thread; callbacks come on it, never from inside the call.
 */
#ifndef GATEWAY_STORE_H
#define GATEWAY_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/bytes.h"
#include "common/base/err.h"
#include "common/journal/block.h"
#include "common/journal/item.h"

#define STORE_DAYS_MAX 512 /* days kept at a time */
#define STORE_BLOCKS_MAX 1000000 /* of a day: rounds are 100 ms at least */
#define STORE_STATE_MAX (256u << 10)
/* a block, or the records of one mailbox in one round, sealed */
#define STORE_VALUE_MAX ((size_t)ITEM_RECORDS_MAX + (8u << 20))

struct store;

/* The records of one mailbox in a round, one after the other. */
struct store_records {
	uint16_t mailbox;
	const uint8_t *data;
	size_t len;
};

/* One round. All that it points to is borrowed until its `done`. */
struct store_round {
	uint32_t day;
	uint64_t round; /* higher than every round before */
	bool epoch_block;
	const uint8_t *block; /* the encoded block and its signature */
	size_t block_len;
	const struct store_records *mailboxes;
	size_t mailbox_count;
	/* What the journal must know to go on from here; replaces what was stored before. */
	const uint8_t *state;
	size_t state_len;
};

typedef void store_done_cb(void *arg, enum err e);
/*
 * Write a round as a whole, synced. After ERR_FULL, ERR_IO or ERR_MEMORY it may be
 * there or not: the same round is put again until it succeeds, and is there once.
 * A later day than any before is begun; ERR_RANGE for an earlier one. One put at a
 * time: ERR_BUSY (no done then), ERR_MEMORY.
 */
RST_MUST_USE enum err store_put(struct store *s, const struct store_round *r,
    store_done_cb *done, void *arg);

struct store_block {
	uint64_t round;
	const uint8_t *block; /* with its signature */
	size_t block_len;
	const uint8_t *records; /* of the mailbox that was asked for */
	size_t records_len;	/* 0: it has none in this round */
};
/* The blocks are valid during the call. */
typedef void store_read_cb(void *arg, enum err e, const struct store_block *blocks, size_t n);
/*
 * Blocks of a day from position `index` on, each with the records of a mailbox, as
 * many as fit max_bytes, but one at least. None past the end. ERR_NOT_FOUND for a
 * day that is not kept, ERR_IO, ERR_CRYPTO for a damaged value, ERR_MEMORY.
 */
RST_MUST_USE enum err store_read(struct store *s, uint32_t day, uint32_t index, uint16_t mailbox,
    size_t max_bytes, store_read_cb *done, void *arg);

typedef void store_find_cb(void *arg, enum err e, uint32_t index);
/* The position of the day's first block with this round or a later one, or the day's count. */
RST_MUST_USE enum err store_find(struct store *s, uint32_t day, uint64_t round,
    store_find_cb *done, void *arg);

/*
 * Destroy a day: its key first, then everything else. The journal's state outlives
 * the last day. done comes with ERR_OK also for a day that is not kept; after a
 * failure the day may be gone or not.
 */
RST_MUST_USE enum err store_expire(struct store *s, uint32_t day, store_done_cb *done,
    void *arg);

/* The days kept, ascending; returns how many there are, at most STORE_DAYS_MAX. */
size_t store_days(const struct store *s, uint32_t *out, size_t max);
/* The blocks of a day; 0 for one that is not kept. */
uint32_t store_count(const struct store *s, uint32_t day);
/* The state of the last round; empty if there is none. Borrowed until the next put. */
void store_state(const struct store *s, const uint8_t **out, size_t *len);

/* The epoch blocks from the founding on, each with its signature. Valid for the store's life. */
size_t store_epoch_count(const struct store *s);
void store_epoch(const struct store *s, size_t i, const uint8_t **out, size_t *len);

/* Waits for what is under way, whose callbacks still come, and frees. NULL is a no-op. */
void store_free(struct store *s);

/* ---- the engines' side ---- */

struct store_ops {
	enum err (*put)(struct store *s, const struct store_round *r, store_done_cb *done,
	    void *arg);
	enum err (*read)(struct store *s, uint32_t day, uint32_t index, uint16_t mailbox,
	    size_t max_bytes, store_read_cb *done, void *arg);
	enum err (*find)(struct store *s, uint32_t day, uint64_t round, store_find_cb *done,
	    void *arg);
	enum err (*expire)(struct store *s, uint32_t day, store_done_cb *done, void *arg);
	size_t (*days)(const struct store *s, uint32_t *out, size_t max);
	uint32_t (*count)(const struct store *s, uint32_t day);
	void (*state)(const struct store *s, const uint8_t **out, size_t *len);
	size_t (*epoch_count)(const struct store *s);
	void (*epoch)(const struct store *s, size_t i, const uint8_t **out, size_t *len);
	void (*free)(struct store *s);
};

/* First member of an engine's own struct. */
struct store {
	const struct store_ops *ops;
};

#endif

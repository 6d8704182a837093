/*
 * Stores for the tests of this area: either engine on a real loop, with calls that
 * wait for their callbacks, and rounds whose content follows from their number.
 */
#ifndef TESTS_UNIT_GATEWAY_STORES_H
#define TESTS_UNIT_GATEWAY_STORES_H

#include <stdbool.h>

#include "common/base/bytes.h"
#include "common/base/disk.h"
#include "common/base/rng.h"
#include "common/net/loop.h"
#include "gateway/store.h"
#include "gateway/store_memory.h"

enum engine { ENGINE_MEMORY, ENGINE_LEVELDB };

struct stores {
	enum engine engine;
	struct loop *loop;
	struct store *store; /* NULL while closed */
	struct memory_journal *journal;
	char path[4096]; /* of LevelDB's directory */
	struct disk *disk;
	struct rng_seeded keys;
};

/* In a fresh, empty directory, or in memory; opened. */
struct stores *stores_new(enum engine engine);
void stores_free(struct stores *s);
void stores_close(struct stores *s);
/* Open what is there. */
void stores_open(struct stores *s);
enum err stores_try_open(struct stores *s, struct diag *d);

/* Round `round` of a day: records for mailboxes 0 and 7 in all rounds that are even. */
enum err stores_put(struct stores *s, uint32_t day, uint64_t round, bool epoch_block);
enum err stores_expire(struct stores *s, uint32_t day);
enum err stores_find(struct stores *s, uint32_t *index, uint32_t day, uint64_t round);

/* What a read brought: copies. */
struct stores_read {
	enum err err;
	size_t count;
	struct {
		uint64_t round;
		struct buf block, records;
	} at[300];
};
struct stores_read *stores_read(struct stores *s, uint32_t day, uint32_t index,
    uint16_t mailbox, size_t max_bytes);
void stores_read_free(struct stores_read *r);
/* Fail unless the i-th block read is this round with these records. */
void stores_check(const struct stores_read *r, size_t i, uint64_t round, uint16_t mailbox);
/* The block (with signature), records and state that a round has. */
void stores_block(struct buf *out, uint64_t round);
void stores_records(struct buf *out, uint64_t round, uint16_t mailbox);

/* Whether any file below the store's directory holds these bytes. */
bool stores_holds(const struct stores *s, const void *p, size_t n);
/* The number of files below a directory of the store, "" for all. */
size_t stores_files(const struct stores *s, const char *below);

#endif

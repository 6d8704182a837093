/*
 * A gateway's journal for the tests of this area: blocks that follow each other,
 * signed by the gateway of a test network.
 */
#ifndef TESTS_UNIT_JOURNAL_BLOCKS_H
#define TESTS_UNIT_JOURNAL_BLOCKS_H

#include "common/journal/block.h"
#include "common/journal/chain.h"
#include "tests/lib/network.h"

struct blocks_one {
	struct buf bytes;
	uint8_t signature[BLOCK_SIGNATURE_BYTES];
	struct chain_point point;
	bool epoch_block;
};

struct blocks {
	struct network *network;
	struct blocks_one *at;
	size_t count;
};

/* A network whose epochs have eight rounds. */
struct network *blocks_network(void);
/*
 * n blocks, one in each round from the start of epoch `epoch`; the first is the
 * founding block. Two journals with different `salt` differ from block `fork` on.
 */
struct blocks *blocks_new(struct network *network, uint32_t epoch, size_t n, size_t fork,
    uint64_t salt);
void blocks_free(struct blocks *b);
/* Sign anew after a test changed the block's bytes. */
void blocks_sign(struct blocks_one *b, const struct network *network);

#endif

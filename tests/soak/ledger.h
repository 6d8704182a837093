/*
 * Reads all that the gateway's store holds, as it is written, and holds it against what
 * a journal must be: every block signed and linked to the one before, one block at the
 * first of an epoch that is an epoch block and no other, no digest listed twice, no
 * record there twice, records as their block says, and nothing changed that was once there.
 */
#ifndef TESTS_SOAK_LEDGER_H
#define TESTS_SOAK_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/journal/chain.h"
#include "gateway/store.h"
#include "tests/scenario/fixture.h"
#include "tests/scenario/seen.h"

struct ledger {
	struct fixture *fixture;
	struct world_host *host;
	struct store *store;
	struct chain *chain;
	struct chain_segment *segment;
	uint32_t day, index;	/* where to read on; day 0: nothing was there yet */
	bool reading, reads_again;
	struct seen digests, records;
	uint64_t blocks, epoch_blocks, record_count;
	/* a block that is read again: where, and its hash */
	uint32_t again_day, again_index;
	uint8_t again_hash[32];
	uint64_t again_count;
};

/* Failures end the test. */
void ledger_new(struct ledger *l, struct fixture *f);
void ledger_free(struct ledger *l);
/* Begin to read what is new; the answers come while the world runs. */
void ledger_look(struct ledger *l);

#endif

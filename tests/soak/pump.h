/*
 * A client that deposits a record in every slot and reads its mailbox, and remembers
 * nothing but sums: what went in and what came out, in memory that does not grow.
 */
#ifndef TESTS_SOAK_PUMP_H
#define TESTS_SOAK_PUMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/charter/sheet.h"
#include "common/net/attend.h"
#include "tests/scenario/fixture.h"

#define PUMP_SHEETS 2
#define PUMP_RUNS 2 /* sessions at a time, whose runs are numbered in turn */

/* Of records: how many, and the sum of their digests. */
struct pump_sum {
	uint64_t count, digests;
};

struct pump {
	struct fixture *fixture;
	struct world_host *host;
	struct attend *attend;
	struct rng_seeded rng, keys;
	struct sheet *sheets[PUMP_SHEETS]; /* by epoch */
	bool reads;		 /* counts what comes */
	bool stopped;		 /* deposits nothing any more */
	uint64_t last_round;	 /* of the last block */
	bool expect[PUMP_RUNS];	 /* by run: records of a block that was not counted yet */
	struct pump_sum in, out;
	uint64_t pending;	 /* digest of what leaves in this slot; 0: nothing */
	uint64_t lost;		 /* sessions that ended by a failure */
};

/* Failures end the test. */
void pump_new(struct pump *p, struct fixture *f, bool reads);
void pump_free(struct pump *p);

#endif

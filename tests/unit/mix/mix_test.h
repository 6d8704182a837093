/*
 * What the tests of mix share: a loop in the virtual world, a disk in memory that
 * fails on demand, and the disk's queue.
 */
#ifndef TESTS_UNIT_MIX_MIX_TEST_H
#define TESTS_UNIT_MIX_MIX_TEST_H

#include <stdint.h>

#include "common/base/disk_fault.h"
#include "common/net/loop.h"
#include "evaluation/world.h"

struct stand {
	struct world *world;
	struct world_host *host;
	struct loop *loop;
	struct disk *under, *disk; /* what survives; what the code sees */
	struct disk_fault plan;
	struct workq *queue;
};

/* At this time of the wall clock. */
void stand_up(struct stand *s, int64_t wall_ms);
void stand_down(struct stand *s);
/* Let virtual time pass. */
void stand_run(struct stand *s, int64_t ms);
/*
 * Two halves of a crash: end the queue, so that the code under test can be freed;
 * then make a new one, on a disk that works.
 */
void stand_crash(struct stand *s);
void stand_again(struct stand *s);

/* The content of a file of the surviving disk; fails the test if it is absent. */
void stand_read(struct stand *s, struct buf *out, const char *name);
void stand_write(struct stand *s, const char *name, const void *p, size_t n);
bool stand_has(struct stand *s, const char *name);

/* A done callback: arg is a struct outcome. */
struct outcome {
	unsigned calls;
	enum err err;
};
void outcome_done(void *arg, enum err e);

#endif

/*
 * A disk that fails on purpose: it passes every operation on to another disk
 * until the one that its plan names. For tests and simulations.
 *
 * To try a crash at every point of a piece of code: count its operations once,
 * then for each n run it with {.at = n, .err = ERR_IO, .forever = true}, drop
 * everything in memory, and start again on the disk underneath.
 */
#ifndef COMMON_BASE_DISK_FAULT_H
#define COMMON_BASE_DISK_FAULT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/disk.h"

/* What the first failing operation leaves behind. Later ones leave nothing. */
enum disk_fault_effect {
	DISK_FAULT_NOTHING, /* as if it had not been called */
	DISK_FAULT_TORN,    /* an append leaves its first `keep` bytes, others nothing */
	DISK_FAULT_DONE,    /* it took effect, and the answer was lost */
};

struct disk_fault {
	uint64_t at;      /* fail the at-th counted operation (from 1); 0: none */
	enum err err;     /* with this error */
	bool forever;     /* and every one after it, counted or not */
	bool writes_only; /* count only replace, append, truncate and remove */
	enum disk_fault_effect effect;
	size_t keep;
	/* kept by the disk */
	uint64_t count;  /* counted operations so far, failed ones included */
	uint64_t failed; /* operations that failed on purpose */
};

/*
 * A disk over `under` that obeys the plan, which may be changed at any time;
 * both are the caller's and must outlive it. NULL if there is no memory.
 */
struct disk *disk_fault_new(struct disk *under, struct disk_fault *plan);

#endif

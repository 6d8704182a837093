/*
 * Very many whole numbers that are not negative, as delays are: what is summed up of
 * them stays small. Counted in cells that are exact below 4096 and to 1/2048 of the
 * value above; n, mean, least and greatest are exact. Pure but for its memory.
 */
#ifndef EVALUATION_TALLY_H
#define EVALUATION_TALLY_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "evaluation/metrics.h"

#define TALLY_GROUPS 64

struct tally {
	uint64_t *cells;
	uint64_t count;
	int64_t least, greatest;
	double sum;
	/* sums of consecutive groups of the same size, for the interval of the mean */
	double groups[TALLY_GROUPS];
	uint64_t group_size;
};

/* ERR_MEMORY. */
RST_MUST_USE enum err tally_init(struct tally *t);
void tally_release(struct tally *t);
/* v >= 0 */
void tally_add(struct tally *t, int64_t v);
/* As summary_of does, but for the deviation, which is 0. ERR_RANGE of none. */
RST_MUST_USE enum err tally_summary(struct summary *out, const struct tally *t);
/* The value that a share (0 to 1) of those counted do not exceed; 0 of none. */
double tally_percentile(const struct tally *t, double share);

#endif

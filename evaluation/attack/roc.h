/*
 * How well scores tell true pairs from false ones: the curve of true against false positives,
 * and what is read off it. Pure.
 */
#ifndef EVALUATION_ATTACK_ROC_H
#define EVALUATION_ATTACK_ROC_H

#include <stddef.h>

#include "common/base/err.h"

struct roc {
	double *right, *wrong; /* scores, falling; owned */
	size_t rights, wrongs;
};

/* Copies and sorts. ERR_RANGE if there is none of either, or a score is not a number. */
RST_MUST_USE enum err roc_new(struct roc *out, const double *right, size_t rights,
    const double *wrong, size_t wrongs);
void roc_release(struct roc *r);

/* P(a true pair's score is above a false one's), ties for half. */
double roc_area(const struct roc *r);
/* Where as many true pairs are missed as false ones are taken. */
double roc_equal_error(const struct roc *r);
/*
 * How many true pairs are taken when at most this share of the false ones is; those at the
 * same score are taken together.
 */
size_t roc_taken(const struct roc *r, double false_positives);

#endif

/*
 * A line that repeats itself: packets that a node passed on are given to its next node
 * again, at once or minutes later, after restarts of that one. Who takes one twice
 * has forgotten its tag; the ledger sees that by a digest that is listed twice.
 *
 * One at a time. A program with it is linked with ECHO_WRAPS (soak.am).
 */
#ifndef TESTS_SOAK_ECHO_H
#define TESTS_SOAK_ECHO_H

#include <stdint.h>

#include "tests/scenario/fixture.h"

struct echo_counts {
	uint64_t passed, repeated;
};

/* one_in: of the packets, in the mean; f is borrowed. */
void echo_begin(uint64_t seed, const struct fixture *f, unsigned one_in);
/* 0: none is repeated. */
void echo_rate(unsigned one_in);
/* Forget everything. */
void echo_end(void);
struct echo_counts echo_counts(void);

#endif

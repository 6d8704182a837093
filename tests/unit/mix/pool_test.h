/*
 * What the tests of the pool share: strategies from their texts, and a pool that is
 * fed by a schedule in virtual time.
 */
#ifndef TESTS_UNIT_MIX_POOL_TEST_H
#define TESTS_UNIT_MIX_POOL_TEST_H

#include <stddef.h>
#include <stdint.h>

#include "mix/pool.h"

#define START_MS ((int64_t)1700000000123)

/* The default parameters with a strategy for all layers, as a charter would write it. */
struct params params_with(const char *strategy);
struct pool *pool_with(const struct params *p, unsigned layer);
/* n packets without delays of their own, numbered from `first`. */
void add_many(struct pool *k, uint32_t first, uint32_t n, int64_t now);

/* A draw of a Poisson distribution, in whole numbers of a test's own making. */
uint32_t poisson(double mean);

/* ---- a run of a pool ---- */

enum arriving {
	ARRIVE_EVENLY, /* one after the other at one distance, from a random phase */
	ARRIVE_POISSON,
};

struct feed {
	const char *strategy;
	uint32_t people; /* slots of 5 s, rounds of 10 s: two arrivals in a round from each */
	enum arriving arriving;
	size_t packets;	 /* counted, after the first tenth of them */
};

/* What came of it; entropies by the exact recursions over what arrived and left. */
struct yield {
	double pool;	   /* mean, before flushes at which some left */
	double kept;	   /* mean, after the same flushes */
	double delay_ms;   /* mean */
	int64_t delay_999; /* 99.9 % quantile */
	double entropy;	   /* bits, mean over messages */
};

struct yield run_feed(const struct feed *f);

#endif

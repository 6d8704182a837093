/*
 * Digests, each with how often it was seen.
 */
#ifndef TESTS_SCENARIO_SEEN_H
#define TESTS_SCENARIO_SEEN_H

#include <stddef.h>
#include <stdint.h>

/* Empty as zero. */
struct seen {
	uint64_t *digests;
	unsigned *counts;
	size_t used, size;
};

/* Fails the test without memory. Returns how often it was seen now. */
unsigned seen_add(struct seen *s, uint64_t digest);
unsigned seen_count(const struct seen *s, uint64_t digest);
void seen_release(struct seen *s);

#endif

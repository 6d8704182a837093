/*
 * What the gateway logs through a year of an agency, and who was who: the network of a
 * scenario under the people of people.h, in the simulation. docs/researcher.md, section 5.
 */
#ifndef EVALUATION_ATTACK_YEAR_H
#define EVALUATION_ATTACK_YEAR_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "evaluation/attack/people.h"
#include "evaluation/scenario.h"

struct year {
	struct people_config cfg;
	struct people *people; /* owned; their spans are what the sessions show */
	int64_t **came_ms;     /* of each person's messages, when it came out; -1: never */
	uint32_t *parts;       /* deposits of each PRESENCE_PARTS-th of a day; all of them */
	size_t part_count;
	uint64_t deposits, rounds;
};

struct year_options {
	void (*progress)(void *arg, double share); /* may be NULL */
	void *arg;
	double from, to; /* what it tells */
};

/* Run it. ERR_MEMORY, ERR_RANGE. */
RST_MUST_USE enum err year_run(struct year *out, const struct scenario *s,
    const struct people_config *cfg, const struct year_options *o);
void year_release(struct year *y);

#endif

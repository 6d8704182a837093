/*
 * When a mix that has stopped starts again: at the next multiple of ten minutes of the
 * wall clock, after its second stop in an hour at the next hour, after the third such
 * hour of an epoch at the next epoch. So all mixes that stop start together.
 * docs/protocol.md, section 7, "Heartbeats". Pure.
 */
#ifndef MIX_STOPS_H
#define MIX_STOPS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/bytes.h"
#include "common/base/err.h"
#include "common/charter/params.h"

#define STOPS_PER_HOUR 2
#define STOPS_HOURS 3
#define STOPS_BYTES (1 + 4 + 1 + 4 + 1 + 4 + 1 + 4)

struct stops {
	bool blind;	  /* and not before it has seen something */
	int64_t until_ms; /* it starts, or has started; a multiple of ten minutes, or 0 */
	uint32_t hour;	  /* of the last stop */
	uint8_t in_hour;  /* stops in that hour, at most STOPS_PER_HOUR */
	uint32_t epoch;
	uint8_t hours;	  /* hours with STOPS_PER_HOUR stops in that epoch */
	uint32_t borne;	  /* the epoch in which it last bore to be cut off; 0: never */
};

/* The next multiple of ten minutes after now. */
int64_t stops_next_ms(const struct params *p, int64_t now_ms);
/* One more stop now: sets until_ms, and that we are not blind. */
void stops_add(struct stops *s, const struct params *p, int64_t now_ms);

/* Whether being cut off now is to be borne: once in an epoch. */
bool stops_bear(struct stops *s, const struct params *p, int64_t now_ms);

/* The content of the mix's file. */
void stops_put(struct writer *w, const struct stops *s, const struct params *p);
/*
 * Strict. A time beyond the next epoch's start was never set by an honest clock, and is
 * taken for one that has passed.
 */
RST_MUST_USE enum err stops_get(struct reader *r, struct stops *s, const struct params *p,
    int64_t now_ms);

#endif

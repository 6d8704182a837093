/*
 * What of the journal is missing, and when a session of its own may fetch it.
 * docs/protocol.md, "Gaps". Pure.
 *
 * One such session at a time, at most two in an hour (two tickets are kept back
 * for the live session): the epoch blocks if they are needed, then the running
 * day up to where the live session begins, then whole earlier days in random
 * order, each at a uniform time of a half hour of its own.
 */
#ifndef CLIENT_LIB_GAPS_H
#define CLIENT_LIB_GAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client-lib/spans.h"
#include "common/base/rng.h"
#include "common/charter/params.h"

#define GAPS_DAYS_MAX 512
#define GAPS_PER_HOUR 2

struct gaps {
	const struct params *params;
	const struct rng *rng;
	int64_t not_before_ms; /* a wait after a start, a fetch or a failure */
	int64_t day_ms;	       /* the time drawn for an earlier day; 0: none */
	int64_t half_hour;     /* the one of the last earlier day, plus one */
	uint32_t hour;	       /* for which `opened` counts */
	unsigned opened;
};

/* What the journal's reader has and has not. */
struct gaps_view {
	const struct spans *spans;
	bool epochs_due;   /* the epoch blocks have to be read */
	bool live;	   /* a verified live run is there ... */
	int64_t live_ms;   /* ... that reads from here */
};

enum gap_kind { GAP_NOTHING, GAP_WAIT, GAP_EPOCHS, GAP_DAY };
struct gap {
	enum gap_kind kind;
	int64_t at_ms; /* GAP_WAIT: ask again at this time */
	uint32_t day, hour;
	int64_t from_ms, to_ms; /* GAP_DAY: what the day's blocks will cover */
};

/*
 * Where a live session of an hour begins to read, and a day's session ends: the
 * first is given the round that the hour's mark lies in, the latter is not.
 */
int64_t gaps_mark(const struct params *p, uint32_t hour);
/* Start with a short uniform wait, in which the live session may tie itself. */
void gaps_init(struct gaps *g, const struct params *p, const struct rng *r, int64_t now_ms);
/* The live session is up, after there was none: waits that were drawn before count no more. */
void gaps_live(struct gaps *g, int64_t now_ms);
/* Days with something missing, oldest first; at most max. */
size_t gaps_missing(uint32_t *days, size_t max, const struct gaps *g, const struct gaps_view *v,
    int64_t now_ms);
/* What to do at now_ms. */
void gaps_next(struct gap *out, struct gaps *g, const struct gaps_view *v, int64_t now_ms);
/* A session was opened for x: the gateway has seen its ticket. */
void gaps_opened(struct gaps *g, const struct gap *x);
/* It is over. */
void gaps_ended(struct gaps *g, bool success, int64_t now_ms);

#endif

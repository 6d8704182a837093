/*
 * Batching strategies of the mixes, as the charter names them: text, ranges, and
 * what follows for delay and memory at the expected traffic. docs/protocol.md,
 * sections 2 (Forecast) and 7 (Strategies). What they do is in mix/pool.h. Pure.
 */
#ifndef COMMON_CHARTER_STRATEGY_H
#define COMMON_CHARTER_STRATEGY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

#define STRATEGY_TEXT_BYTES 64 /* room for a strategy's text with its NUL */
#define STRATEGY_COUNT_MAX 1000000
/*
 * Stop-and-go mixes release packets at multiples of this time of the wall clock: a
 * release costs two synced writes, and more than ten of them in a second would wear
 * out a disk for nothing that an observer could not tell anyway.
 */
#define STRATEGY_TICK_MS 100
/* A packet's own delay is at most so many means; exp(-16) of all draws are above. */
#define STRATEGY_MEANS_MAX 16

/* By the names of the literature. */
enum strategy_kind {
	STRATEGY_THRESHOLD,
	STRATEGY_TIMED,
	STRATEGY_TIMED_POOL,
	STRATEGY_TIMED_DYNAMIC_POOL,
	STRATEGY_THRESHOLD_OR_TIMED,
	STRATEGY_THRESHOLD_AND_TIMED,
	STRATEGY_THRESHOLD_POOL,
	STRATEGY_BINOMIAL,
	STRATEGY_STOP_AND_GO,
};
#define STRATEGY_KINDS (STRATEGY_STOP_AND_GO + 1)

/* How many of a dynamic pool are sent. */
enum strategy_rule { STRATEGY_MIXMINION, STRATEGY_GMIX };

/* Fields that a strategy does not have are 0. */
struct strategy {
	enum strategy_kind kind;
	uint32_t threshold; /* threshold strategies: packets of a batch */
	uint32_t pool_min;  /* pools: packets kept back */
	uint32_t rate_ppm;  /* dynamic pool: share sent per round; binomial: of a full pool */
	uint32_t rule;	    /* dynamic pool: enum strategy_rule */
	uint32_t mean, deviation; /* binomial: of the pool's size */
	uint32_t mean_ms;   /* stop-and-go: mean of the packets' own delays */
};

/* ---- text ---- */

/* What a person is told about the i-th strategy; false past the last one. */
struct strategy_info {
	const char *form; /* "timed-pool min=N" */
	const char *help; /* what it does, half a sentence */
	char ranges[160]; /* of its parameters: "min 0 to 1000000" */
};
bool strategy_info(struct strategy_info *out, size_t i);

/* One strategy from text; ERR_MALFORMED, with a sentence that begins with key. */
RST_MUST_USE enum err strategy_parse(struct strategy *out, const char *text, const char *key,
    struct diag *d);
/* Its canonical text. */
void strategy_print(char out[static STRATEGY_TEXT_BYTES], const struct strategy *s);

/* ---- what follows ---- */

/*
 * The packets that a mix holds just before it sends some, and the time within which
 * 99.9 % of packets leave it, if `arrivals` come evenly in each round.
 */
double strategy_pool(const struct strategy *s, double arrivals, int64_t round_ms);
int64_t strategy_delay_ms(const struct strategy *s, double arrivals, int64_t round_ms);

/* Binomial: the chance of each of `held` packets to leave, in units of 1 / NORMAL_ONE. */
uint32_t strategy_chance(const struct strategy *s, size_t held);

/* The longest delay that a packet may bring; 0 for strategies that allow none. */
uint32_t strategy_delay_max_ms(const struct strategy *s);

#endif

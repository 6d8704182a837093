/*
 * What somebody who holds the entrance can do to single packets: drop, delay, replay and tag
 * them, with real onion packets through the daemons' own unwrapping, replay sets and
 * pools. A bench has one mix in each layer of a scenario and the gateway behind them; each
 * defence can be taken away, which is the control.
 */
#ifndef EVALUATION_ATTACK_ACTIVE_H
#define EVALUATION_ATTACK_ACTIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "evaluation/scenario.h"

/* What is missing in a control. */
enum active_weakness {
	ACTIVE_SOUND = 0,
	ACTIVE_OPENS_ALL = 1,  /* no hop checks whether a packet was changed */
	ACTIVE_FORGETS = 2,    /* nobody keeps replay tags */
	ACTIVE_NO_MIXING = 4,  /* packets leave as they come */
	ACTIVE_NUMBERS = 8,    /* no control: packets without bytes, for what bytes do not change */
};

/* A packet as it comes out of the last mix, and is opened by the gateway. */
struct active_exit {
	int64_t at_ms;
	uint32_t who;	  /* truth, for the score */
	bool deposit;	  /* not cover */
	bool marked;	  /* what the gateway finds in it no client makes */
	uint8_t digest[8]; /* of its record */
};

struct active;

/* ERR_MEMORY, ERR_RANGE, ERR_CRYPTO. */
RST_MUST_USE enum err active_new(struct active **out, const struct scenario *s,
    unsigned weakness, uint64_t seed);
void active_free(struct active *a);

int64_t active_now(const struct active *a);
/* A client's packet, held in hand by whoever holds the entrance; its number. */
RST_MUST_USE enum err active_build(uint32_t *packet, struct active *a, uint32_t who, bool deposit);
/* Change one bit of it: the one that a gateway would know again, or any. Not of numbers. */
void active_tag(struct active *a, uint32_t packet, bool any);
/* A second one, the same in every byte. */
RST_MUST_USE enum err active_copy(uint32_t *copy, struct active *a, uint32_t packet);
/* Let it go into the first mix now. */
RST_MUST_USE enum err active_send(struct active *a, uint32_t packet);
/* Time passes. */
RST_MUST_USE enum err active_run(struct active *a, int64_t until_ms);
/* All that came out so far. */
const struct active_exit *active_exits(const struct active *a, size_t *n);

#endif

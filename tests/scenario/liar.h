/*
 * A gateway that lies: an entrance with the gateway's own keys that passes sessions on
 * to the honest one, and from an epoch on shows some of them another sheet, another
 * journal, or both, all of it well formed and signed.
 */
#ifndef TESTS_SCENARIO_LIAR_H
#define TESTS_SCENARIO_LIAR_H

#include <stdint.h>

#include "common/base/rng.h"
#include "common/charter/charter.h"
#include "common/charter/succession.h"
#include "common/net/loop.h"

#define LIAR_ADDRESS "127.0.0.1:9999"

/*
 * LIAR_SHEETS, LIAR_JOURNAL: shows another one. LIAR_DROPS: packets that come up are gone.
 */
enum liar_lie { LIAR_SHEETS = 1, LIAR_JOURNAL = 2, LIAR_DROPS = 4 };

struct liar_config {
	struct loop *loop;
	const struct succession *charters; /* borrowed, as all that is pointed to */
	const uint8_t *identity_sk, *link_sk; /* the gateway's */
	const char *listen, *entrance;	/* its own entrance and the honest one */
	const struct rng *keys;
	unsigned lies, one_in;	/* it lies in every so many-th session */
	uint32_t from_epoch;	/* the first about which it lies */
};

struct liar;

struct liar *liar_new(const struct liar_config *cfg);
/* Other lies from now on, in sessions that are open as well. */
void liar_turn(struct liar *x, unsigned lies, uint32_t from_epoch);
void liar_free(struct liar *x);

#endif

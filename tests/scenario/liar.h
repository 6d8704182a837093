/*
 * A gateway that lies: an entrance with the gateway's own keys that passes sessions on
 * to the honest one, and from an epoch on shows some of them another sheet, another
 * journal, or both, all of it well formed and signed.
 */
#ifndef TESTS_SCENARIO_LIAR_H
#define TESTS_SCENARIO_LIAR_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/scenario/fixture.h"

#define LIAR_ADDRESS "127.0.0.1:9999"

enum liar_lie { LIAR_SHEETS = 1, LIAR_JOURNAL = 2 };

struct liar;

/* from_epoch: the first about which it lies. one_in: it lies in every so many-th session. */
struct liar *liar_new(struct fixture *f, unsigned lies, uint32_t from_epoch, unsigned one_in);
void liar_free(struct liar *x);

#endif

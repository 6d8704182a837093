/*
 * Real packets for a simulation: each token carries an onion packet that is built for
 * its path and delays with the daemons' own code, and unwrapped at each hop as the
 * daemon unwraps it, with a replay set of the node's own. Key material comes from a
 * source of its own, so that every draw of the simulation stays the same.
 */
#ifndef EVALUATION_SIMULATION_ONION_H
#define EVALUATION_SIMULATION_ONION_H

#include <stdint.h>

#include "common/base/err.h"
#include "common/charter/params.h"
#include "evaluation/simulation.h"

struct simulation_onion;

/* ERR_MEMORY; ERR_RANGE with a sentence if a charter cannot hold so many mixes. */
RST_MUST_USE enum err simulation_onion_new(struct simulation_onion **out, const struct params *p,
    uint64_t seed, struct diag *d);
/* Not before the simulation is freed. */
void simulation_onion_free(struct simulation_onion *o);
void simulation_onion_carrier(struct simulation_onion *o, struct simulation_carrier *out);

/* Packets built, and hops at which one was opened, and where one was dropped. */
struct simulation_onion_counts {
	uint64_t built, opened, dropped;
};
const struct simulation_onion_counts *simulation_onion_counts(const struct simulation_onion *o);

#endif

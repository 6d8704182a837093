/*
 * A run of a scenario: the network and its people in virtual time, the adversary who
 * watches, and what it makes of its targets. No output but the trace, if it is
 * wanted; evaluation/output.h writes the results.
 *
 * The measured time has equal parts, so short that what the adversary saw of one fits into
 * memory. Each gives as many targets as the others, drawn uniformly from those that
 * leave in it; what one lacks comes from those after it. Before its first candidate the
 * adversary has seen the network for the `lookback` of the scenario; of what went in
 * earlier it knows nothing, and a target of which more than RUN_LOST_MAX goes back that
 * far is refused. Where packets without a message are counted (cover = counted), only some
 * of each part is followed, for twice the lookback from a time that is drawn.
 */
#ifndef EVALUATION_RUN_H
#define EVALUATION_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/base/err.h"
#include "evaluation/recorder.h"
#include "evaluation/scenario.h"
#include "evaluation/score.h"

#define RUN_LOST_MAX 0.01

struct run;

struct run_options {
	FILE *trace, *truth; /* see recorder.h; borrowed, may be NULL */
	/* Told from time to time how much is done, 0 to 1. May be NULL. */
	void (*progress)(void *arg, double share);
	void *arg;
};

struct run_target {
	struct score score;
	int64_t sent_ms, exited_ms; /* since the run began */
	uint32_t person;
	uint8_t kind; /* enum token_content */
	bool traced;  /* every mix on its way was corrupt */
};

/* Run it from its beginning to its end. Errors with a sentence; options may be NULL. */
RST_MUST_USE enum err run_scenario(struct run **out, const struct scenario *s,
    const struct run_options *o, struct diag *d);
void run_free(struct run *r);

/* The targets in the order in which they left the network. */
const struct run_target *run_targets(const struct run *r, size_t *n);
/* Targets that the scenario asks for. */
size_t run_wanted(const struct run *r);
/* Targets that were drawn, and refused for RUN_LOST_MAX. */
size_t run_refused(const struct run *r);
/* NULL if there are targets; else why there is none, as "no target was observed: ...". */
const char *run_reason(const struct run *r);
/* Whether targets were wanted and could have been there, but none was. */
bool run_empty(const struct run *r);

const struct recorder_counts *run_counts(const struct run *r);
/* What the simulation did in all. */
const struct simulation_counts *run_simulated(const struct run *r);
/* Messages that were written and not sent at the end. */
uint64_t run_waiting(const struct run *r);
/* Equal parts of the measured time, each of which gives as many targets as the others. */
uint32_t run_parts(const struct run *r);
int64_t run_lookback_ms(const struct run *r);

#endif

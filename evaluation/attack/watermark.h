/*
 * A timing watermark: the attacker holds one suspect's packets back in the second half of
 * each period and the other's in the first, and lets go in between. Whose messages come
 * out of the network come in waves, as far as the mixes let waves through: a sinusoid of
 * frequency f survives L exponential delays of mean m with gain
 * (1 + (2 pi f m)^2)^(-L/2) (Danezis 2004, as a filter). A matched filter at the exit
 * says which of the two wrote.
 */
#ifndef EVALUATION_ATTACK_WATERMARK_H
#define EVALUATION_ATTACK_WATERMARK_H

#include <complex.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "evaluation/scenario.h"

#define WATERMARK_LOOKS 5

struct watermark_config {
	const struct scenario *scenario;
	int64_t period_ms;
	double per_hour; /* messages of the one who writes; others as in the scenario */
	uint32_t writer; /* 0 or 1: which of the two suspects, who are persons 0 and 1 */
	int64_t looks_ms[WATERMARK_LOOKS]; /* ascending: how long each look has gone on */
	int64_t delay_ms; /* the network's mean delay, which everybody can learn */
	uint64_t seed;
};

struct watermark_trial {
	double score[WATERMARK_LOOKS]; /* above 0: the first suspect, below: the second */
	uint64_t deposits, held;
};

/* ERR_MEMORY, ERR_RANGE. */
RST_MUST_USE enum err watermark_run(struct watermark_trial *out,
    const struct watermark_config *cfg);

/*
 * The share of a wave of this period that comes through the network of a scenario, measured
 * with packets of the attacker's own: one session writes at all times in the first half of
 * each period, for `periods` of them. ERR_RANGE if nothing came out.
 */
RST_MUST_USE enum err watermark_gain(double *gain, double *error, const struct scenario *s,
    int64_t period_ms, unsigned periods, uint64_t seed);

#endif

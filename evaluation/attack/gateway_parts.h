/* What the files of the gateway's year share: gateway.c watches, gateway_result.c tells. */
#ifndef EVALUATION_ATTACK_GATEWAY_PARTS_H
#define EVALUATION_ATTACK_GATEWAY_PARTS_H

#include "evaluation/attack/duel.h"
#include "evaluation/attack/presence.h"
#include "evaluation/attack/trace.h"
#include "evaluation/attack/year.h"

#define GATEWAY_SILENT_ONE_IN 5
#define GATEWAY_EARLY_DAY 10
#define GATEWAY_TIE 1e-9 /* likelihoods so near are the same */
#define GATEWAY_POINTS_MOST 16

enum question { CONTACT_TWO, CONTACT_NAMED, COUNTS_TWO, QUESTIONS };

/* What is found of the people of one habit until one day. */
struct findings {
	struct duel contact, counts;
	double named, named_squares; /* over sources: whether named, shared with those alike */
	size_t sources;
};

struct watcher {
	const struct attack_input *in;
	struct people_config cfg;
	struct presence_law laws[PEOPLE_HABITS];
	struct attack_delay delay;
	struct year year;
	double *might, *none, *like; /* by day's person, person, source and candidate */
	double *rates, *x;
	uint32_t *who;
	size_t *at; /* of each source: its next message */
	struct presence_rates *counts;
	uint32_t days[GATEWAY_POINTS_MOST];
	size_t points;
	struct findings found[PEOPLE_HABITS][GATEWAY_POINTS_MOST];
	size_t years, offset; /* of this year's people among all */
	double online_ms[PEOPLE_HABITS];
	size_t online_n[PEOPLE_HABITS];
};

/* Figures, curves and words of all that was watched. ERR_MEMORY, ERR_FULL. */
RST_MUST_USE enum err gateway_tell(struct attack_result *out, const struct watcher *w);

#endif

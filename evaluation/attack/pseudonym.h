/*
 * Pseudonyms: the deposits of one person to one contact, as that contact knows them, who has
 * read them and does not know whose they are. What somebody gets together whose contact is in
 * league with the gateway. Who the sender is, is for the score.
 */
#ifndef EVALUATION_ATTACK_PSEUDONYM_H
#define EVALUATION_ATTACK_PSEUDONYM_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "evaluation/attack/trace.h"

struct pseudonym {
	uint32_t sender; /* the truth */
	const int64_t *times; /* of its deposits, rising */
	size_t count;
};

struct pseudonyms {
	struct pseudonym *of;
	size_t count;
	int64_t *times;
};

/*
 * Of the measured time, those with at least `least` deposits; at most `most` of them, drawn by
 * the seed. ERR_RANGE with a sentence if there is none, ERR_MEMORY.
 */
RST_MUST_USE enum err pseudonyms_new(struct pseudonyms *out, const struct attack_trace *t,
    size_t least, size_t most, uint64_t seed, struct diag *d);
void pseudonyms_release(struct pseudonyms *p);
/* How many have at least so many deposits. */
size_t pseudonyms_with(const struct pseudonyms *p, size_t deposits);

/* 1, 2, 5, 10, 20, ... */
size_t pseudonym_step(size_t i);

/* The adversary's means: what it saw of people's links, and the network's delay. */
struct suspicion {
	struct attack_trace *trace;
	struct attack_flows *flows;
	struct attack_delay delay;
};
struct attack_input;
RST_MUST_USE enum err suspicion_new(struct suspicion *out, const struct attack_input *in,
    struct diag *d);
void suspicion_release(struct suspicion *s);
/*
 * scores[0 .. n - 1]: after each of the first n deposits, the log of how much likelier they
 * are if `person` sends them than if they came at any time (Danezis 2004, eqs. 23 to 28). One
 * in a hundred may have come from nowhere.
 */
void suspicion_scores(double *scores, const struct suspicion *s, const struct pseudonym *p,
    uint32_t person, size_t n);
/* Whether a packet of the person's can have come out at this time. */
int suspicion_may_be(const struct suspicion *s, uint32_t person, int64_t at_ms);

#endif

/*
 * Restante's sending law (docs/protocol.md, "Slots"): one packet in every slot, with a
 * phase that is drawn anew for every session hour. All draws follow from seed, person
 * and time, so that a slot can be counted without those before it, and comes out the
 * same whether it is followed or only counted. Pure.
 */
#ifndef EVALUATION_SLOTS_H
#define EVALUATION_SLOTS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/charter/params.h"
#include "evaluation/draws.h"

/* The slots of one person. */
struct slots {
	int64_t due_ms;	 /* the next one, wall clock */
	int64_t ends_ms; /* of the session's hour */
	uint64_t phases, carried; /* keys */
};

/* The first slot after now_ms. */
void slots_begin(struct slots *s, const struct params *p, uint64_t seed, uint32_t person,
    int64_t now_ms);
/* The first slot of the next session. */
void slots_renew(struct slots *s, const struct params *p);

/* Go on to the next slot. */
static inline void
slots_next(struct slots *s, const struct params *p)
{
	s->due_ms += p->slot_ms;
	if (s->due_ms >= s->ends_ms)
		slots_renew(s, p);
}

/* What the slot that is due draws: first slots_note, then the way. */
static inline struct draws
slots_draws(const struct slots *s)
{
	return draws_at(s->carried, (uint64_t)s->due_ms);
}

/* Whether it carries a note, whatever waits. */
static inline bool
slots_note(struct draws *d, const struct params *p)
{
	return p->note_one_in > 0 && draws_below(d, p->note_one_in) == 0;
}

/* The mix of a layer. */
static inline uint8_t
slots_mix(struct draws *d, const struct params *p, unsigned layer)
{
	return p->mixes[layer] > 1 ? (uint8_t)draws_below(d, p->mixes[layer]) : 0;
}

#endif

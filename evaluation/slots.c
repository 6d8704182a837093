#include "config.h"

#include "evaluation/slots.h"

#include "common/base/rng.h"
#include "common/charter/timing.h"

/* Uniform within a slot. */
static int64_t
phase_of(const struct slots *s, const struct params *p, uint32_t hour)
{
	struct draws d = draws_at(s->phases, hour);
	struct rng r = { draws_fill, &d };

	return rng_between(&r, 0, p->slot_ms - 1);
}

void
slots_begin(struct slots *s, const struct params *p, uint64_t seed, uint32_t person,
    int64_t now_ms)
{
	uint32_t hour = timing_hour(p, now_ms);

	s->phases = draws_of(seed, person, DRAWS_PHASES).key;
	s->carried = draws_of(seed, person, DRAWS_SLOTS).key;
	s->ends_ms = timing_hour_start(p, hour + 1);
	s->due_ms = now_ms + phase_of(s, p, hour);
	if (s->due_ms >= s->ends_ms)
		slots_renew(s, p);
}

void
slots_renew(struct slots *s, const struct params *p)
{
	uint32_t hour = timing_hour(p, s->due_ms);

	s->due_ms = timing_hour_start(p, hour) + phase_of(s, p, hour);
	s->ends_ms = timing_hour_start(p, hour + 1);
}

#include "config.h"

#include "mix/stops.h"

#include "common/charter/timing.h"

#define HOUR_MS (60 * INT64_C(60000))
#define STEPS 6 /* of an hour: multiples of ten minutes */

/* A sixth of an hour begins, from 0 to STEPS, at which the next hour does. */
static int64_t
step_start(const struct params *p, uint32_t hour, int64_t step)
{
	int64_t start = timing_hour_start(p, hour), length = params_scaled(p, HOUR_MS);

	return start + (length * step + STEPS - 1) / STEPS;
}

/* The sixth of its hour that a time is in. */
static int64_t
step_of(const struct params *p, int64_t wall_ms)
{
	int64_t since = wall_ms - timing_hour_start(p, timing_hour(p, wall_ms));

	return since * STEPS / params_scaled(p, HOUR_MS);
}

int64_t
stops_next_ms(const struct params *p, int64_t now_ms)
{
	return now_ms < 0 ? 0 : step_start(p, timing_hour(p, now_ms), step_of(p, now_ms) + 1);
}

void
stops_add(struct stops *s, const struct params *p, int64_t now_ms)
{
	uint32_t hour = timing_hour(p, now_ms), epoch = timing_epoch(p, now_ms);

	if (s->hour != hour)
		s->in_hour = 0;
	if (s->epoch != epoch)
		s->hours = 0;
	s->hour = hour;
	s->epoch = epoch;
	s->blind = false;
	s->in_hour++;
	if (s->in_hour < STOPS_PER_HOUR) {
		s->until_ms = stops_next_ms(p, now_ms);
		return;
	}
	s->in_hour = 0; /* whatever comes in this hour, it was one of those */
	s->hours++;
	s->until_ms = s->hours < STOPS_HOURS ? timing_hour_start(p, hour + 1)
					     : timing_epoch_start(p, epoch + 1);
}

bool
stops_bear(struct stops *s, const struct params *p, int64_t now_ms)
{
	uint32_t epoch = timing_epoch(p, now_ms);

	if (s->borne == epoch)
		return false;
	s->borne = epoch;
	return true;
}

/* No fine time is on a disk: until_ms begins a sixth of an hour, and is kept as that. */
void
stops_put(struct writer *w, const struct stops *s, const struct params *p)
{
	writer_u8(w, s->blind);
	writer_u32(w, timing_hour(p, s->until_ms));
	writer_u8(w, (uint8_t)step_of(p, s->until_ms));
	writer_u32(w, s->hour);
	writer_u8(w, s->in_hour);
	writer_u32(w, s->epoch);
	writer_u8(w, s->hours);
	writer_u32(w, s->borne);
}

enum err
stops_get(struct reader *r, struct stops *s, const struct params *p, int64_t now_ms)
{
	struct stops x = { .blind = false };
	uint8_t blind = reader_u8(r);
	uint32_t hour = reader_u32(r);
	uint8_t step = reader_u8(r);

	x.hour = reader_u32(r);
	x.in_hour = reader_u8(r);
	x.epoch = reader_u32(r);
	x.hours = reader_u8(r);
	x.borne = reader_u32(r);
	if (!reader_ok(r))
		return ERR_TRUNCATED;
	if (blind > 1 || step >= STEPS || x.in_hour >= STOPS_PER_HOUR)
		return ERR_MALFORMED;
	x.blind = blind == 1;
	x.until_ms = step_start(p, hour, step);
	if (x.until_ms > timing_epoch_start(p, timing_epoch(p, now_ms) + 1))
		x = (struct stops){ .blind = x.blind };
	*s = x;
	return ERR_OK;
}

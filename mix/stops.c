#include "config.h"

#include "mix/stops.h"

#include "common/charter/timing.h"

int64_t
stops_next_ms(const struct params *p, int64_t now_ms)
{
	int64_t step = params_scaled(p, STOPS_STEP_MS);

	return now_ms < 0 ? 0 : (now_ms / step + 1) * step;
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

void
stops_put(struct writer *w, const struct stops *s)
{
	writer_u8(w, s->blind);
	writer_u64(w, (uint64_t)s->until_ms);
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

	x.until_ms = (int64_t)reader_u64(r);
	x.hour = reader_u32(r);
	x.in_hour = reader_u8(r);
	x.epoch = reader_u32(r);
	x.hours = reader_u8(r);
	x.borne = reader_u32(r);
	if (!reader_ok(r))
		return ERR_TRUNCATED;
	if (blind > 1 || x.until_ms < 0 || x.in_hour >= STOPS_PER_HOUR)
		return ERR_MALFORMED;
	x.blind = blind == 1;
	if (x.until_ms > timing_epoch_start(p, timing_epoch(p, now_ms) + 1))
		x = (struct stops){ .blind = x.blind };
	*s = x;
	return ERR_OK;
}

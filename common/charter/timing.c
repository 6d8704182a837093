#include "config.h"

#include "common/charter/timing.h"

#define HOUR_MS ((int64_t)3600000)

/* Times before 1970 count as 1970: a clock so wrong is caught by its skew. */
static int64_t
periods(int64_t wall_ms, int64_t period_ms)
{
	return wall_ms < 0 ? 0 : wall_ms / period_ms;
}

static uint32_t
clamp_u32(int64_t v)
{
	return v > UINT32_MAX ? UINT32_MAX : (uint32_t)v;
}

static int64_t
start(uint64_t number, int64_t period_ms)
{
	if (number > (uint64_t)(INT64_MAX / period_ms))
		return INT64_MAX;
	return (int64_t)number * period_ms;
}

uint32_t
timing_epoch(const struct params *p, int64_t wall_ms)
{
	return clamp_u32(periods(wall_ms, p->epoch_ms));
}

int64_t
timing_epoch_start(const struct params *p, uint32_t epoch)
{
	return start(epoch, p->epoch_ms);
}

uint64_t
timing_round(const struct params *p, int64_t wall_ms)
{
	return (uint64_t)periods(wall_ms, p->round_ms);
}

int64_t
timing_round_start(const struct params *p, uint64_t round)
{
	return start(round, p->round_ms);
}

uint32_t
timing_day(const struct params *p, int64_t wall_ms)
{
	return clamp_u32(periods(wall_ms, params_scaled(p, TIMING_DAY_MS)));
}

int64_t
timing_day_start(const struct params *p, uint32_t day)
{
	return start(day, params_scaled(p, TIMING_DAY_MS));
}

uint32_t
timing_hour(const struct params *p, int64_t wall_ms)
{
	return clamp_u32(periods(wall_ms, params_scaled(p, HOUR_MS)));
}

int64_t
timing_hour_start(const struct params *p, uint32_t hour)
{
	return start(hour, params_scaled(p, HOUR_MS));
}

int64_t
timing_next_flush(const struct params *p, unsigned layer, int64_t wall_ms)
{
	int64_t offset = p->round_ms * (int64_t)layer / p->layers;
	int64_t next;

	if (wall_ms < offset)
		return offset;
	next = start((uint64_t)((wall_ms - offset) / p->round_ms) + 1, p->round_ms);
	return next > INT64_MAX - offset ? INT64_MAX : next + offset;
}

uint32_t
timing_first_change(const struct params *p, int64_t wall_ms)
{
	uint32_t epoch = timing_epoch(p, wall_ms + params_scaled(p, 2 * HOUR_MS));

	return epoch < UINT32_MAX ? epoch + 1 : epoch;
}

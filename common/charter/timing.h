/*
 * Time arithmetic of a network. All arguments are wall-clock milliseconds;
 * docs/protocol.md, "Time". Times before 1970 count as 1970, and what would
 * pass the end of a type stays at its greatest value.
 */
#ifndef COMMON_CHARTER_TIMING_H
#define COMMON_CHARTER_TIMING_H

#include <stdint.h>

#include "common/charter/params.h"

#define TIMING_DAY_MS ((int64_t)86400000)

uint32_t timing_epoch(const struct params *p, int64_t wall_ms);
int64_t timing_epoch_start(const struct params *p, uint32_t epoch);
uint64_t timing_round(const struct params *p, int64_t wall_ms);
int64_t timing_round_start(const struct params *p, uint64_t round);
/* UTC day number; a journal day database. A scaled network's days are shorter. */
uint32_t timing_day(const struct params *p, int64_t wall_ms);
int64_t timing_day_start(const struct params *p, uint32_t day);
/* The session hour (3600 s / time-scale). */
uint32_t timing_hour(const struct params *p, int64_t wall_ms);
int64_t timing_hour_start(const struct params *p, uint32_t hour);
/*
 * The next flush instant of a layer (0..layers-1), later than wall_ms: rounds
 * follow the wall clock, layer l flushes l/layers of a round after its start.
 */
int64_t timing_next_flush(const struct params *p, unsigned layer, int64_t wall_ms);

/*
 * The first epoch that a charter which is published at wall_ms may begin with: an
 * hour (scaled) later at the earliest announcements for it are taken.
 */
uint32_t timing_first_change(const struct params *p, int64_t wall_ms);

#endif

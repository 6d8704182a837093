/*
 * Days of a town in bad and good weather, with everything that must hold looked at after
 * each step. A life is a town of some days, from one seed; a soak is many lives.
 */
#ifndef TESTS_SOAK_SOAK_H
#define TESTS_SOAK_SOAK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "tests/soak/diary.h"
#include "tests/soak/town.h"
#include "tests/soak/weather.h"

#define SOAK_LIFE_HOURS 96

/* How a run stands, summed over lives. */
struct soak_figures {
	uint64_t hours, lives, steps, spells;
	uint64_t said, promised, heard;
	uint64_t blocks, records, rereads, passed, repeated;
	uint64_t starts, client_starts, charters, charters_late, stops, alarms;
	uint64_t struck[WEATHER_KINDS];
	int64_t calm_sum_ms, calm_most_ms; /* from the end of bad weather until all was well */
	size_t memory_most;		   /* bytes allocated */
};

struct soak {
	uint64_t seed; /* of this life */
	struct town town;
	struct weather weather;
	struct diary diary;
	uint64_t step, days; /* of this life */
	int64_t live_before;	 /* allocations before it */
	size_t files_before;	 /* descriptors */
	struct soak_figures sum; /* of the lives before */
	uint8_t digest[32];	 /* of every byte on every wire of the last life */
	void (*day_over)(const struct soak *s, void *arg); /* may be NULL */
	void *arg;
};

/*
 * One life of at least so many hours; failures end the test. A second one may follow in
 * the same struct.
 */
void soak_life(struct soak *s, uint64_t seed, unsigned hours);
/* sum, and what the present life has added. */
void soak_figures(const struct soak *s, struct soak_figures *out);

#endif

#include "config.h"

#include "tests/soak/soak.h"

#include <dirent.h>
#include <malloc.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "tests/faults/memory.h"
#include "tests/lib/test.h"
#include "tests/soak/echo.h"

#define CALM_MOST_MS (12 * HOUR_MS) /* from the end of bad weather until all is well */
#define QUIET_MS HOUR_MS	    /* then nothing may happen for so long */
#define SAY_ONE_IN 12		    /* steps */
#define MEMORY_MOST (64u << 20)     /* bytes of a town: four days' journal, 8 people, 16 nodes */
#define DAY_MS (24 * HOUR_MS)

/* ---- what the process holds ---- */

static size_t
open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t n = 0;

	if (dir == NULL)
		return 0;
	while (readdir(dir) != NULL)
		n++;
	(void)closedir(dir);
	return n;
}

static void
look_at_memory(struct soak *s)
{
	size_t now = mallinfo2().uordblks;

	if (now > s->sum.memory_most)
		s->sum.memory_most = now;
	assert_true(now <= MEMORY_MOST);
}

/* ---- every byte on every wire ---- */

static crypto_generichash_state wires;

static void
on_seen(void *arg, const struct world_seen *seen)
{
	const uint64_t head[] = {(uint64_t)seen->at_us, seen->conn, seen->n};

	(void)arg;
	(void)crypto_generichash_update(&wires, (const uint8_t *)head, sizeof(head));
	if (seen->n > 0)
		(void)crypto_generichash_update(&wires, seen->bytes, seen->n);
}

/* ---- steps ---- */

static void
step(struct soak *s, int64_t ms, unsigned say_one_in)
{
	s->step++;
	town_live(&s->town, say_one_in);
	fixture_run_for(&s->town.f, ms);
	town_check(&s->town);
	look_at_memory(s);
	if (town_now(&s->town) >= FIXTURE_START_MS + (int64_t)(s->days + 1) * DAY_MS) {
		s->days++;
		town_count(&s->town);
		if (s->day_over != NULL)
			s->day_over(s, s->arg);
	}
}

/* Bad weather: for hours something happens every so often. */
static void
spell(struct soak *s, int64_t end_ms)
{
	const struct rng *r = world_rng(s->town.f.world);
	int64_t until = town_now(&s->town) + rng_between(r, 2 * HOUR_MS, 10 * HOUR_MS);
	int64_t gap = rng_between(r, 2 * MINUTE_MS, 20 * MINUTE_MS);

	if (until > end_ms)
		until = end_ms;
	diary_note(&s->diary, town_now(&s->town), "bad weather begins");
	while (town_now(&s->town) < until) {
		weather_pass(&s->weather);
		weather_strike(&s->weather);
		step(s, rng_between(r, 1, gap), SAY_ONE_IN);
	}
	weather_calm(&s->weather);
	diary_note(&s->diary, town_now(&s->town), "calm");
	s->sum.spells++;
}

static void
until_well(struct soak *s)
{
	int64_t from = town_now(&s->town);
	const char *ill = NULL, *was = NULL;

	while ((ill = town_ill(&s->town)) != NULL && town_now(&s->town) < from + CALM_MOST_MS) {
		if (ill != was)
			diary_note(&s->diary, town_now(&s->town), "not well: %s", ill);
		was = ill;
		step(s, MINUTE_MS, 0);
	}
	assert_null(ill);
}

/* What was promised before and in bad weather is there when all is well again. */
static void
recover(struct soak *s)
{
	int64_t from = town_now(&s->town), took;

	until_well(s);
	town_check_heard(&s->town);
	took = town_now(&s->town) - from;
	s->sum.calm_sum_ms += took;
	if (took > s->sum.calm_most_ms)
		s->sum.calm_most_ms = took;
}

/* An hour in which nobody may stop, and nothing may be alarming. */
static void
quiet(struct soak *s)
{
	int64_t until = town_now(&s->town) + QUIET_MS;
	uint64_t alarms = s->town.alarms, stops;

	town_count(&s->town);
	stops = s->town.counts.stops;
	town_say(&s->town);
	while (town_now(&s->town) < until)
		step(s, 5 * MINUTE_MS, 0);
	town_count(&s->town);
	assert_int_equal(s->town.alarms, alarms);
	assert_int_equal(s->town.counts.stops, stops);
}

void
soak_figures(const struct soak *s, struct soak_figures *out)
{
	const struct town *t = &s->town;
	struct echo_counts echo = echo_counts();

	*out = s->sum;
	if (t->f.world == NULL)
		return; /* between lives */
	out->hours += (uint64_t)(town_now(t) - FIXTURE_START_MS) / HOUR_MS;
	out->steps += s->step;
	out->said += t->counts.said;
	out->promised += t->counts.promised;
	out->heard += t->counts.heard;
	out->blocks += t->ledger.blocks;
	out->records += t->ledger.record_count;
	out->rereads += t->ledger.again_count;
	out->passed += echo.passed;
	out->repeated += echo.repeated;
	out->charters += t->counts.charters;
	out->charters_late += t->counts.charters_late;
	out->stops += t->counts.stops;
	out->alarms += t->alarms;
	for (size_t i = 0; i < t->f.node_count; i++)
		out->starts += t->f.nodes[i].starts;
	for (size_t i = 0; i < t->pair_count; i++)
		out->client_starts +=
		    t->pairs[i].people[0].starts + t->pairs[i].people[1].starts;
	for (size_t i = 0; i < WEATHER_KINDS; i++)
		out->struck[i] += s->weather.struck[i];
}

/* All that a life made is gone with it. */
static void
check_gone(const struct soak *s)
{
	assert_int_equal(memory_live(), s->live_before);
	assert_int_equal(open_files(), s->files_before);
}

static void
begin(struct soak *s, uint64_t seed)
{
	s->seed = seed;
	s->step = s->days = 0;
	s->live_before = memory_live();
	s->files_before = open_files();
	s->diary = (struct diary){0};
	memset(&s->weather, 0, sizeof(s->weather));
	(void)crypto_generichash_init(&wires, NULL, 0, sizeof(s->digest));
	town_begin(&s->town, seed, &s->diary);
	world_set_tap(s->town.f.world, on_seen, NULL);
	echo_begin(seed, &s->town.f, 0);
	weather_begin(&s->weather, &s->town);
}

static void
end(struct soak *s)
{
	struct soak_figures sum;

	town_count(&s->town);
	soak_figures(s, &sum);
	weather_end(&s->weather);
	town_end(&s->town);
	echo_end();
	(void)crypto_generichash_final(&wires, s->digest, sizeof(s->digest));
	s->sum = sum;
	s->sum.lives++;
	memset(&s->town, 0, sizeof(s->town));
	memset(&s->weather, 0, sizeof(s->weather));
	s->step = s->days = 0;
	check_gone(s);
}

void
soak_life(struct soak *s, uint64_t seed, unsigned hours)
{
	int64_t end_ms = FIXTURE_START_MS + (int64_t)hours * HOUR_MS;

	begin(s, seed);
	until_well(s);
	while (town_now(&s->town) < end_ms) {
		spell(s, end_ms);
		recover(s);
		quiet(s);
	}
	until_well(s);
	town_check_heard(&s->town);
	end(s);
}

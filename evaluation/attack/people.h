/*
 * The people of an agency through a year: who is at work, whose client is online when,
 * and when each of them writes. Office hours that differ from person to person and day to
 * day, weekends, public holidays, weeks of leave, days of illness, lines that break. What
 * a person does follows from the seed and its number alone. Pure.
 *
 * The figures of the calendar are assumptions, in people.c: ten public holidays, 25 days
 * of leave, ten days of illness.
 */
#ifndef EVALUATION_ATTACK_PEOPLE_H
#define EVALUATION_ATTACK_PEOPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "evaluation/simulation.h"

#define PEOPLE_DAY_MS INT64_C(86400000)

/*
 * PEOPLE_STEADY: the client runs day and night, its line breaks once a month.
 * PEOPLE_STAYS: the same on a line that breaks once a day. PEOPLE_OFFICE: the client runs
 * while its owner is at work, on such a line. PEOPLE_TALKS: it is started to write
 * something, and stopped when nothing was written for five minutes.
 */
enum people_habit { PEOPLE_STEADY, PEOPLE_STAYS, PEOPLE_OFFICE, PEOPLE_TALKS, PEOPLE_HABITS };

struct people_config {
	uint32_t count;
	uint64_t seed;
	int64_t begins_ms; /* a Monday, 0:00 */
	uint32_t days;
	double messages_per_day; /* of a writer, the mean of a week without absence */
	uint8_t percent[PEOPLE_HABITS]; /* who has which habit; sum 100 */
	uint32_t silent_one_in; /* so many of each habit come and go as all, and write nothing */
};

struct people_span {
	int64_t from_ms, to_ms;
};

struct people_person {
	enum people_habit habit;
	bool silent;
	struct people_span *online; /* ascending, apart */
	size_t online_count, online_room;
	int64_t *written_ms; /* messages, ascending */
	size_t written_count, written_room;
};

struct people;

/* ERR_MEMORY, ERR_RANGE. */
RST_MUST_USE enum err people_new(struct people **out, const struct people_config *cfg);
void people_free(struct people *p);
const struct people_person *people_get(const struct people *p, uint32_t person);
/* Whether people who are not absent work on this day of the run, from 0. */
bool people_works(uint32_t day);
/* What a simulation asks: once, from the beginning on. Messages are numbered as below. */
void people_source(struct people *p, struct simulation_traffic *out);
uint64_t people_message(uint32_t person, size_t index);
uint32_t people_message_person(uint64_t message);
size_t people_message_index(uint64_t message);

/* How long within [from_ms, to_ms) one of these spans is. */
int64_t people_within(const struct people_span *spans, size_t n, int64_t from_ms, int64_t to_ms);
/* The first span that ends after at_ms; n if there is none. */
size_t people_span_after(const struct people_span *spans, size_t n, int64_t at_ms);
const char *people_habit_name(enum people_habit h);

#endif

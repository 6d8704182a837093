/*
 * A network that lives for days: nodes, and people in pairs that talk. People arrive,
 * mixes are replaced; what must always hold is looked at, and what must hold in the end.
 */
#ifndef TESTS_SOAK_TOWN_H
#define TESTS_SOAK_TOWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "tests/scenario/fixture.h"
#include "tests/scenario/person.h"
#include "tests/soak/diary.h"
#include "tests/soak/ledger.h"

#define TOWN_PAIRS 4	   /* at most */
#define TOWN_PAIRS_FIRST 2 /* from the beginning */
#define TOWN_PEOPLE (2 * TOWN_PAIRS)

enum pair_state {
	PAIR_ARRIVES, /* has not read the journal yet */
	PAIR_MEETS,   /* an invitation is under way */
	PAIR_TALKS,
};

struct pair {
	struct person people[2];
	struct person_reading readings[2]; /* of what the other one said */
	enum pair_state state;
	int64_t since_ms;
};

/* A charter on its way into force. */
struct coming {
	struct charter *charter; /* NULL: none is published now */
	struct buf text;
	struct fixture_node *fresh; /* joins with it; NULL: nobody */
	uint16_t retired;	    /* 0: nobody */
	uint32_t from_epoch;
};

struct town_counts {
	uint64_t said, promised, heard;
	uint64_t charters, charters_late; /* late: not published in time, and given up */
	uint64_t stops; /* of mixes, for want of notes */
};

struct town;

/* Hears a node's alarms. */
struct hearer {
	struct log log;
	struct town *town;
	size_t node;
};

struct town {
	struct fixture f;
	struct pair pairs[TOWN_PAIRS];
	size_t pair_count;
	struct ledger ledger;
	struct diary *diary;
	struct coming coming;
	bool retired[FIXTURE_NODES_MAX];
	int64_t retires_ms[FIXTURE_NODES_MAX]; /* 0: it stays */
	struct hearer hearers[FIXTURE_NODES_MAX];
	uint64_t alarms; /* that nodes logged */
	uint64_t stops_before[FIXTURE_NODES_MAX]; /* of runs that are over */
	uint64_t stops_now[FIXTURE_NODES_MAX];
	unsigned starts[FIXTURE_NODES_MAX];
	struct town_counts counts;
};

/* Failures end the test, here and below. */
void town_begin(struct town *t, uint64_t seed, struct diary *d);
void town_end(struct town *t);
int64_t town_now(const struct town *t);

/* One more pair; false if there are too many. */
bool town_arrive(struct town *t);
/*
 * The next version of the charter: one mix more, one replaced, or one less, by chance.
 * False if one is on its way, or no number is left.
 */
bool town_change_charter(struct town *t);
/* Let people do what is due: meet, and write with a chance of one in so many (0: nobody). */
void town_live(struct town *t, unsigned say_one_in);
/* This one says something, if it has met its contact. */
void town_say_now(struct town *t, struct person *p);
/* Everybody says one thing. */
void town_say(struct town *t);

/* What must hold at every moment. */
void town_check(struct town *t);
/* Whether all is well: everybody online, all that was promised shown, all mixes running. */
bool town_is_well(struct town *t);
/* The first thing that is not well, for the diary. */
const char *town_ill(struct town *t);
/* How everybody stands, for a failure. */
void town_tell(struct town *t, FILE *out);
/* All that was promised has been shown, once and in order. */
void town_check_heard(struct town *t);
/* Count again what has been said and heard so far. */
void town_count(struct town *t);

/* Somebody who must be spared now: a first contact that is not on both disks yet. */
bool town_is_fragile(const struct town *t, const struct person *p);

#endif

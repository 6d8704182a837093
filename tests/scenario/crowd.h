/*
 * A crowd whose gateway attacks: people with real clients, real mixes and the real
 * gateway, and between them what an attacker in the gateway's place would do. He tells
 * sessions apart, and for the whole of an attack knows which are one person's, which is
 * more than a real one does; if he likes he knows the mixes' own sessions, too.
 *
 * What the hooks are told of who made a thing is the attacker's to use in `packet` alone;
 * in `deposit` it is for the score.
 *
 * One crowd at a time. A program with it is linked with --wrap for CROWD_WRAPS (scenario.am).
 */
#ifndef TESTS_SCENARIO_CROWD_H
#define TESTS_SCENARIO_CROWD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/scenario/fixture.h"
#include "tests/scenario/person.h"

#define CROWD_MAX 16
#define CROWD_MIX UINT32_MAX /* who: one of the mixes, in a session of its own */

/* What a control lacks of the clients' rules. */
enum crowd_weakness {
	CROWD_SOUND = 0,
	CROWD_RESEALS_ON_TIME = 1, /* every two forecasts exactly */
	CROWD_ANSWERS_AT_ONCE = 2, /* an acknowledgement goes in the next slot */
	CROWD_WRITES_AT_TURNS = 4, /* real packets to the end of an epoch */
	CROWD_REPEATS = 8, /* the same bytes again: the attacker knows what came back */
};

enum crowd_verdict { CROWD_PASS, CROWD_DROP, CROWD_HOLD };
/* Garbled: its digest is listed, and other bytes are stored. */
enum crowd_fate { CROWD_WRITTEN, CROWD_WITHHELD, CROWD_GARBLED };

struct crowd_attack {
	/* A packet came up in a session of this person's, or CROWD_MIX. NULL: all pass. */
	enum crowd_verdict (*packet)(void *arg, unsigned who);
	/*
	 * A record came out, of this person's, in a packet of this epoch.
	 * record: the same for all sealings of one; only of clients that send the same bytes
	 * again may the attacker go by it.
	 */
	enum crowd_fate (*deposit)(void *arg, unsigned who, uint32_t epoch, uint64_t record);
	void *arg;
};

struct crowd {
	struct fixture f;
	unsigned count, weakness;
	struct person people[CROWD_MAX];
	bool stalled[CROWD_MAX]; /* nothing goes down to this person */
	struct crowd_attack attack;
};

/* People who are online and verified; params: NULL: those of the fixture. */
void crowd_begin(struct crowd *c, unsigned count, unsigned weakness, const struct params *params);
void crowd_end(struct crowd *c);
/* Each of the first half meets one of the other: 0 and count / 2, and so on. */
void crowd_pair(struct crowd *c);
/* Say a word to the one contact. */
void crowd_say(struct crowd *c, unsigned who);
/* Packets that were held go on to the mixes. */
void crowd_let_go(struct crowd *c);
/* How often mixes stopped so far because their notes did not come back; whether all run. */
uint64_t crowd_stops(const struct crowd *c);
bool crowd_mixes_run(void *crowd);
int64_t crowd_now(const struct crowd *c);

#endif

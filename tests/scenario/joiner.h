/*
 * A registrar and a gateway that put their logs together: whose session is it that begins?
 *
 * Candidates are those that were issued tickets for the session's hour. The gateway's part
 * is the linker (evaluation/linker.h), which is told of all earlier sessions whose they were. Beside it stands the registrar's log, all of it, what comes
 * after the session too: who fetched when, of which epoch, what failed. What each
 * candidate's fetches before and after are like has a weight of its own, fitted with the
 * linker's as given, so that the two are the same but for the registrar's log. Both learn
 * from months of their own.
 */
#ifndef TESTS_SCENARIO_JOINER_H
#define TESTS_SCENARIO_JOINER_H

#include <stdint.h>

#include "evaluation/linker.h"
#include "tests/scenario/month.h"

/* Live sessions of two kinds are taken out of the linker's situations. */
enum {
	JOINER_NEW = LINKER_SITUATIONS, /* a member's first one */
	JOINER_EMPTY,			/* its first one after it had no ticket */
	JOINER_SITUATIONS,
};
const char *joiner_situation_name(unsigned s);

struct joiner_score {
	unsigned sessions;
	double chance;	    /* expected, by chance */
	unsigned alone;	    /* right without the registrar's log; ties by lot */
	unsigned both;	    /* right with it */
	unsigned only_both; /* sessions that only the one with the log got right, */
	unsigned only_alone; /* and only the one without */
};

struct joiner;

/* Failures end the test. */
struct joiner *joiner_new(const struct params *p, unsigned members);
void joiner_free(struct joiner *j);
/* Sessions of the first days, in which everybody is new, are left out. */
void joiner_learn(struct joiner *j, const struct month *m);
void joiner_fit(struct joiner *j);
void joiner_judge(struct joiner_score out[static JOINER_SITUATIONS], struct joiner *j,
    const struct month *m);

#endif

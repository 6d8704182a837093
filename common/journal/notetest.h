/*
 * The note test: whether the notes that we sent come back in the journal, so that
 * nobody holds others' packets back to be alone with one. docs/protocol.md, section 7, "Heartbeats".
 *
 * A note is remembered when it has left. It has returned if a block of a round from its
 * sending to its term lists it, and came in time. The term is one forecast and one round
 * (what comes in the round of an epoch block is listed one later); in time is a minute
 * and two rounds more, by our own clock, for rounds are numbered by whom we test. It is
 * judged once the blocks of all those rounds are held, at the latest when that time is over.
 *
 * After each note that is judged the rule looks at the latest `window`: at least so many
 * must have returned, a number drawn anew from [least, most]. Notes that are still to come
 * count as returned. Pure.
 */
#ifndef COMMON_JOURNAL_NOTETEST_H
#define COMMON_JOURNAL_NOTETEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/rng.h"
#include "common/charter/params.h"
#include "common/journal/block.h"

#define NOTETEST_WINDOW_MAX 32
#define NOTETEST_OPEN_MAX 16384 /* notes that wait; beyond, the oldest is not judged */

struct notetest_rule {
	unsigned window, least, most;
};
/* A mix with all its sessions, and a client. */
extern const struct notetest_rule notetest_mix, notetest_client;

struct notetest;

struct notetest_status {
	bool passes;		   /* after the note judged last */
	uint64_t judged, returned; /* since it was made */
	uint64_t failures;	   /* judged notes after which the test did not pass */
	uint64_t unjudged;	   /* notes that were forgotten */
	size_t open;		   /* notes that wait */
	unsigned window_judged, window_returned; /* of the latest `window` */
};

/* NULL without memory. */
struct notetest *notetest_new(const struct notetest_rule *rule);
void notetest_free(struct notetest *t);
/* Begin anew, as after notetest_new; the counts go on. */
void notetest_clear(struct notetest *t);
/* The clock was set: notes that wait cannot be judged any more. */
void notetest_forget(struct notetest *t);
/* Notes sent at since_ms or later may have been lost on our own way to the gateway. */
void notetest_forget_since(struct notetest *t, int64_t since_ms);
/* Blocks cannot come: until then none is too late. */
void notetest_bear(struct notetest *t, int64_t until_ms);

/* From its sending to the end of its term. */
int64_t notetest_term_ms(const struct params *p);
/* How long after its term the block that lists it may come. */
int64_t notetest_late_ms(const struct params *p);
/* A note left. Without memory it is not judged. */
void notetest_sent(struct notetest *t, const uint8_t note[static BLOCK_DIGEST_BYTES],
    int64_t sent_ms, const struct params *p);
/*
 * A block whose round is [start_ms, end_ms), of a run that has shown every block of the
 * rounds from from_ms on; it comes now.
 */
void notetest_block(struct notetest *t, const struct block *b, int64_t from_ms,
    int64_t start_ms, int64_t end_ms, int64_t now_ms, const struct rng *rng);
/* Time has passed: judge what is late. */
void notetest_look(struct notetest *t, int64_t now_ms, const struct rng *rng);
void notetest_get_status(const struct notetest *t, struct notetest_status *out);

#endif

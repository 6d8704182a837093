/*
 * What the gateway as adversary sees of a run, in the form that attacks read: when each
 * person's link carried a packet, and when which mailbox got a record. From a simulation,
 * or from the trace.csv that a run has left; both give the same. The truth lies apart, for
 * scoring. All times are ms since the run began.
 *
 * Links carry people's names here. The gateway itself sees sessions only, which it cannot tie
 * to each other; who reads the links of the people, or could tie sessions, sees this.
 */
#ifndef EVALUATION_ATTACK_TRACE_H
#define EVALUATION_ATTACK_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "evaluation/scenario.h"

struct attack_send {
	int64_t at_ms;
	uint32_t person;
};

/* A person was there, in [from, to): packets followed each other, none is missing. */
struct attack_turn {
	int64_t from_ms, to_ms;
};

struct attack_deposit {
	int64_t at_ms;
	uint32_t mailbox;
};

/* Whose deposit it was. Of the same number. */
struct attack_truth {
	uint32_t sender, receiver;
	int64_t sent_ms;
};

/* The rows of one person; by growing number of person they follow each other. */
struct attack_trace {
	uint32_t persons, mailboxes;
	int64_t slot_ms, round_ms, from_ms, to_ms; /* measured: after the warm-up, to the end */
	bool counted;			 /* no sends: turns alone */
	bool waits;		/* messages of somebody who is offline go when it is back */
	bool office;		/* people write in office hours alone */
	int64_t begin_ms;	/* wall clock of time 0 */
	double message_share;	/* of packets that could carry a message: the others are notes */
	struct attack_send *sends;	 /* by time */
	size_t send_count, send_room;
	struct attack_turn *turns;	 /* by person, then time */
	size_t *turn_first;		 /* persons + 1 */
	struct attack_deposit *deposits; /* by time */
	struct attack_truth *truth;
	size_t deposit_count, deposit_room;
	uint64_t packets; /* that were seen on people's links */
};

/* The scenario of a run's directory, from its manifest. ERR_IO, ERR_MALFORMED, with a sentence. */
RST_MUST_USE enum err attack_trace_scenario(struct scenario *out, const char *directory,
    struct diag *d);
/*
 * Read or simulate. The deposits are those of messages, whatever the scenario's adversary
 * is when it is simulated. ERR_RANGE if the trace in the directory is not that of the gateway,
 * ERR_IO, ERR_MALFORMED, ERR_MEMORY, with a sentence.
 */
RST_MUST_USE enum err attack_trace_new(struct attack_trace **out, const struct scenario *s,
    const char *directory, void (*progress)(void *arg, double share), void *arg, struct diag *d);
void attack_trace_free(struct attack_trace *t);

/* The turns of a person. */
const struct attack_turn *attack_trace_turns(const struct attack_trace *t, uint32_t person,
    size_t *n);

/* ---- the delay of the network, which everybody can learn ---- */

#define ATTACK_DELAY_BINS 512

/* How long packets need, sent to out of the last mix; cdf[i]: in less than (i + 1) bins. */
struct attack_delay {
	double bin_ms;
	double cdf[ATTACK_DELAY_BINS];
	int64_t p999_ms, mean_ms;
};
/*
 * From a simulation of the same network with another seed, everybody online, and packets of
 * the adversary's own making, whose ways it knows.
 */
RST_MUST_USE enum err attack_delay_learn(struct attack_delay *out, const struct scenario *s,
    struct diag *d);
/* From delays. ERR_RANGE if there is none. */
RST_MUST_USE enum err attack_delay_of(struct attack_delay *out, const int64_t *delays_ms,
    size_t n);
/* P(delay < x), and its density per ms. */
double attack_delay_cdf(const struct attack_delay *a, double ms);
double attack_delay_density(const struct attack_delay *a, double ms);
/* No packet needs longer. */
int64_t attack_delay_most_ms(const struct attack_delay *a);

/*
 * The messages that are to be expected of each person: alike often over all time, or over
 * office hours if people write in them alone, as many as the deposits are on average. Who was offline has a backlog, which goes first, in every slot
 * but those of notes, when it is back; so its first packets count more. In a law without
 * waiting every packet counts alike. From sends, or from turns where there are none.
 */
struct attack_flows;
RST_MUST_USE enum err attack_flows_new(struct attack_flows **out, const struct attack_trace *t);
void attack_flows_free(struct attack_flows *f);
/* Of a person in all; and how many of them are expected to leave the network at at_ms, per ms. */
double attack_flows_messages(const struct attack_flows *f, uint32_t person);
double attack_flows_intensity(const struct attack_flows *f, const struct attack_delay *a,
    uint32_t person, int64_t at_ms);

#endif

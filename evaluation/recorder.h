/*
 * An observer of a simulation that keeps what becomes of the messages (delays, losses)
 * and, where a run wants it, writes the trace of what the scenario's adversary
 * sees and, apart from it, the truth. docs/evaluation-formats.md, "Trace", "Truth".
 */
#ifndef EVALUATION_RECORDER_H
#define EVALUATION_RECORDER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/base/err.h"
#include "evaluation/scenario.h"
#include "evaluation/simulation.h"
#include "evaluation/tally.h"
#include "evaluation/traffic.h"

struct recorder;

/*
 * What happened after the warm-up. Delays are those of what came through in this time,
 * whenever it was sent, so that those who were still on their way do not bias them.
 */
struct recorder_counts {
	struct tally network_ms; /* of packets with a message: sent to out of the last mix */
	struct tally message_ms; /* of messages: written to the end of the gateway's round */
	struct tally crowd;	 /* of messages: the people who share the receiver's mailbox */
	uint64_t sent, cover, notes, real; /* packets */
	uint64_t exited, lost, lost_real;
	uint64_t dropped; /* messages whose sender was offline and keeps none */
};

/*
 * trace and truth (both NULL, or none) are borrowed; their first lines are written at
 * once. ERR_MEMORY.
 */
RST_MUST_USE enum err recorder_new(struct recorder **out, const struct scenario *s,
    const struct traffic *t, FILE *trace, FILE *truth);
void recorder_free(struct recorder *r);
/* The observer to give to simulation_new, and the simulation, before it runs. */
void recorder_observer(struct recorder *r, struct simulation_observer *out);
void recorder_begin(struct recorder *r, struct simulation *s);

const struct recorder_counts *recorder_counts(const struct recorder *r);

/* The first lines of trace and truth. */
#define RECORDER_TRACE_HEADER "time_ms,node,peer,direction,count,packet,kind,mailbox"
#define RECORDER_TRACE_VERSION 2
#define RECORDER_TRUTH_HEADER \
	"exit,sender,receiver,kind,written_ms,sent_ms,exited_ms,path"

const char *recorder_kind(unsigned kind); /* "cover", "note", "message" */

#endif

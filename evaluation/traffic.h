/*
 * Who writes to whom and when, and who is online: the workload of a scenario.
 * What one person does depends on the seed and the person alone, not on how
 * packets are sent, so that two networks can be compared under the same messages.
 * Pure, but for reading a recording.
 */
#ifndef EVALUATION_TRAFFIC_H
#define EVALUATION_TRAFFIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "evaluation/simulation.h"

/*
 * TRAFFIC_POISSON: independent messages. TRAFFIC_ON_OFF: the same in exponential
 * times of activity, none between them. TRAFFIC_OFFICE: the same on weekdays from 8
 * to 18 h only. TRAFFIC_RECORDED: as a file says. The mean rate is that of all time.
 */
enum traffic_workload { TRAFFIC_POISSON, TRAFFIC_ON_OFF, TRAFFIC_OFFICE, TRAFFIC_RECORDED };
/*
 * CHURN_NONE: always online. CHURN_OFFICE: on weekdays from 8 to 18 h, an hour
 * earlier or later by person. CHURN_ON_OFF: exponential times online and offline.
 */
enum traffic_churn { CHURN_NONE, CHURN_OFFICE, CHURN_ON_OFF };

struct traffic_config {
	uint32_t persons;
	uint64_t seed;
	int64_t start_ms;
	int64_t ends_ms; /* none of the laws makes messages from then on; 0: no end */
	enum traffic_workload workload;
	int64_t interval_us; /* mean between a person's messages, over all its time; 0: none */
	int64_t on_ms, off_ms;	 /* means, TRAFFIC_ON_OFF */
	uint32_t contacts;	 /* of each person, at most persons - 1 */
	uint32_t zipf_milli; /* exponent of the contacts' shares, in thousandths; 0: all alike */
	enum traffic_churn churn;
	int64_t online_ms, offline_ms; /* means, CHURN_ON_OFF */
	/* Borrowed; where relative recordings begin, with its last '/'. NULL: here. */
	const char *directory;
};

struct traffic;

/* ERR_MEMORY, ERR_RANGE with a sentence. */
RST_MUST_USE enum err traffic_new(struct traffic **out, const struct traffic_config *cfg,
    struct diag *d);
void traffic_free(struct traffic *t);
/*
 * For TRAFFIC_RECORDED: a CSV of the lines "seconds,sender,receiver", with or
 * without a first line of names (no field of which begins as a number does), times since
 * the start that never fall, and nobody who writes to itself. ERR_MALFORMED, ERR_RANGE,
 * ERR_NOT_FOUND, ERR_IO (no regular file, too) with file, line and reason.
 */
RST_MUST_USE enum err traffic_read(struct traffic *t, const char *path, struct diag *d);
/* Where it is looked for. */
#define TRAFFIC_PATH_BYTES 2048
void traffic_path(char out[static TRAFFIC_PATH_BYTES], const struct traffic_config *cfg,
    const char *path);
/* The same of bytes; `name` names them in sentences. */
RST_MUST_USE enum err traffic_parse(struct traffic *t, const char *name, const void *text,
    size_t len, struct diag *d);

/* The functions that a simulation asks. */
void traffic_source(struct traffic *t, struct simulation_traffic *out);

/* What a message was: its sender's receiver and the time at which it was written. */
struct traffic_message {
	uint64_t number;
	int64_t written_ms;
	uint32_t receiver;
};
/*
 * The message of a person that was asked for last: as long as the next one has not
 * been asked for, so within an observer's `sent` it is that of the packet.
 */
const struct traffic_message *traffic_message(const struct traffic *t, uint32_t person);
/* How many messages were asked for so far. */
uint64_t traffic_count(const struct traffic *t);
/* Lines of the recording. */
size_t traffic_lines(const struct traffic *t);
/* Those of them that are later than wall_ms, so that a run until then leaves them out. */
size_t traffic_lines_after(const struct traffic *t, int64_t wall_ms);
/* Time at work, in which TRAFFIC_OFFICE writes, between 1970 and at_ms of the wall clock. */
int64_t traffic_work_before(int64_t at_ms);
/* Person's i-th contact, i < contacts. */
uint32_t traffic_contact(const struct traffic *t, uint32_t person, uint32_t i);

#endif

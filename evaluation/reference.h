/*
 * A network of mixes under laboratory conditions: messages from one stream of known
 * law, mixes that all have one strategy, an adversary who watches. What published
 * values were measured with, so that this tree's code can be held against them
 * (evaluation/verify.h).
 *
 * In integer milliseconds: rounds of REFERENCE_ROUND_MS and delays of mean
 * REFERENCE_DELAY_MS are so long that a rounded time, and the 100 ms tick of
 * stop-and-go mixes, change no value by more than some 1e-4 of itself.
 */
#ifndef EVALUATION_REFERENCE_H
#define EVALUATION_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "evaluation/metrics.h"
#include "evaluation/simulation.h"
#include "evaluation/watch.h"

#define REFERENCE_ROUND_MS 1000000
#define REFERENCE_DELAY_MS 3600000
#define REFERENCE_STOP_AND_GO "stop-and-go mean=1h" /* of REFERENCE_DELAY_MS */

/*
 * REFERENCE_EVEN: a message every interval_ms. REFERENCE_POISSON: independent ones at
 * that mean interval. REFERENCE_COUNTS: counts[i] of them in round i. REFERENCE_WAVE:
 * independent ones in the first half of every wave_ms, none in the second. These take
 * their senders in turn, so that each message has one of its own as long as there are
 * persons enough. REFERENCE_OWN: persons that send independently, all alike.
 * REFERENCE_LABELS: the same with cover and payload in one stream (Loopix): the first
 * `labels` persons have a payload every payload_ms, which waits for its sender's next
 * packet and is told from the sender's cover: it counts as sent by one of the last
 * `labels` persons, who send nothing else.
 */
enum reference_input {
	REFERENCE_EVEN,
	REFERENCE_POISSON,
	REFERENCE_COUNTS,
	REFERENCE_WAVE,
	REFERENCE_OWN,
	REFERENCE_LABELS,
};

struct reference_config {
	const char *strategy; /* of all mixes, as in a charter */
	unsigned layers, width;
	enum reference_input input;
	double interval_ms; /* between the messages of all together */
	int64_t wave_ms, payload_ms;
	const uint8_t *counts;
	size_t count_count;
	uint32_t persons, labels;
	const bool *corrupt; /* nodes of the adversary's; may be NULL */
	uint64_t seed;
	const struct simulation_observer *observer; /* one more; may be NULL */
};

struct reference;

/* ERR_MEMORY, ERR_RANGE; ERR_MALFORMED if the strategy is none. */
RST_MUST_USE enum err reference_new(struct reference **out, const struct reference_config *cfg);
void reference_free(struct reference *r);
/* Go on for so long. */
RST_MUST_USE enum err reference_run(struct reference *r, int64_t for_ms);
/* What the adversary keeps is forgotten; what is on its way goes on. */
void reference_forget(struct reference *r);

struct simulation *reference_simulation(struct reference *r);
const struct view *reference_view(const struct reference *r);
/* Since the last reference_forget. */
const struct watch_exit *reference_exits(const struct reference *r, size_t *n);

/*
 * The adversary's posterior over senders of n exits, by their places in
 * reference_exits(): what the metrics say of each. ERR_RANGE if more than a share of
 * 1e-5 of one goes back to before what is known: then the run was too short.
 */
RST_MUST_USE enum err reference_metrics(struct reference *r, struct metrics *out,
    const size_t *exits, size_t n);
/* The entropy alone, which takes less long. */
RST_MUST_USE enum err reference_entropy(struct reference *r, double *entropy,
    const size_t *exits, size_t n);
/* The posteriors themselves, n * persons, n at most VIEW_TARGETS. */
RST_MUST_USE enum err reference_posterior(struct reference *r, double *weights,
    const size_t *exits, size_t n);
/*
 * Forward: the entropy of what may have become of the packet that left at each of n
 * exits, over all exits. Only those that must have left by now. As above.
 */
RST_MUST_USE enum err reference_forward(struct reference *r, double *entropy,
    const size_t *exits, size_t n);

#endif

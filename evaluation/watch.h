/*
 * The adversary at a simulated network: keeps what it sees in a view
 * (evaluation/view.h), and which exit became of which packet, which it does not
 * see. An observer of a simulation.
 */
#ifndef EVALUATION_WATCH_H
#define EVALUATION_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "evaluation/simulation.h"
#include "evaluation/view.h"

struct watch;

/* One packet that left the network, with the truth about it. */
struct watch_exit {
	size_t position; /* in the view: of its first arrival at an honest mix, or its exit */
	int64_t sent_ms, exited_ms;
	uint64_t message;
	uint32_t exit, person; /* SIMULATION_NOBODY: counted before it was followed */
	uint8_t kind;
	bool traced; /* every mix on its way was corrupt */
};

/* corrupt: which nodes are the adversary's; copied, may be NULL. ERR_MEMORY. */
RST_MUST_USE enum err watch_new(struct watch **out, size_t nodes, size_t persons,
    const bool *corrupt);
void watch_free(struct watch *w);
/* The observer to give to simulation_new, and the simulation, before it runs. */
void watch_observer(struct watch *w, struct simulation_observer *out);
void watch_begin(struct watch *w, struct simulation *s);

const struct view *watch_view(const struct watch *w);
/* The exits since the last watch_forget, in their order. */
const struct watch_exit *watch_exits(const struct watch *w, size_t *n);
/* Forget the exits, but not what the adversary saw. */
void watch_forget_exits(struct watch *w);
/* Forget what was seen; packets on their way are still followed. */
void watch_forget(struct watch *w);
size_t watch_bytes(const struct watch *w);

#endif

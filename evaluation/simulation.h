/*
 * A network of mixes in virtual time, for evaluation: senders with their sending
 * law, layers of mixes with the daemons' own pools (mix/pool.h), links with a
 * delay, the gateway's rounds. Packets are tokens; with a carrier (struct
 * simulation_carrier) each token carries a real onion packet through the daemons'
 * own unwrapping and replay sets, and every draw and every time stays the same.
 *
 * Runs from a seed; no I/O, no clock. Who wants to know what happened observes.
 */
#ifndef EVALUATION_SIMULATION_H
#define EVALUATION_SIMULATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/rng.h"
#include "common/charter/params.h"

#define SIMULATION_WIDTH_MAX 64 /* mixes of a layer */
#define SIMULATION_NODES_MAX (SIMULATION_WIDTH_MAX * PARAMS_LAYERS_MAX)

/*
 * Streams of a run (evaluation/stream.h): what senders draw, node n's pool at NODES + n,
 * the ways of packets that are only counted, and one for who looks on.
 */
#define SIMULATION_STREAM_SENDERS 0
#define SIMULATION_STREAM_NODES 1
#define SIMULATION_STREAM_COUNTED (SIMULATION_STREAM_NODES + SIMULATION_NODES_MAX)
#define SIMULATION_STREAM_TARGETS (SIMULATION_STREAM_COUNTED + 1)

enum token_content { TOKEN_COVER, TOKEN_NOTE, TOKEN_REAL };
/* Whose a packet is that was counted before it was followed. */
#define SIMULATION_NOBODY UINT32_MAX

/* One packet. Handles are reused after the packet has ended. */
struct token {
	int64_t sent_ms;
	uint64_t message; /* of a real one: the sender's number for it */
	uint32_t person;
	uint32_t origin;  /* for the observers: whatever they keep of a packet */
	uint8_t kind;	  /* token_kind */
	uint8_t hop;
	uint8_t path[PARAMS_LAYERS_MAX]; /* which mix of each layer */
};

/*
 * How people send. SENDING_SLOTS: one packet in every slot, with a random phase
 * that is drawn anew every session hour: Restante's own law. SENDING_POISSON:
 * packets at exponential intervals of mean slot_ms, with what waits in them
 * (Loopix' payload and drop streams together). SENDING_AT_ONCE: a packet when
 * there is a message, and never else.
 */
enum sending_law { SENDING_SLOTS, SENDING_POISSON, SENDING_AT_ONCE };

struct simulation;

/* A message is asked for when the sender could send one. */
struct simulation_traffic {
	/*
	 * The next message of a person after at_ms (INT64_MAX: none): its time, and in
	 * *message its number. Called in the order of a person's own time.
	 */
	int64_t (*next)(void *arg, uint32_t person, int64_t at_ms, uint64_t *message);
	/* Whether a person is online: if not, no slot is sent. NULL: always. */
	bool (*online)(void *arg, uint32_t person, int64_t at_ms);
	void *arg;
};

/* Packets without a message, until at_ms: how many were sent as what, or left the network. */
struct simulation_counted {
	int64_t at_ms;
	uint64_t covers, notes, exited;
};

/* Any of these may be NULL. held: with the packet; before the departure. */
struct simulation_observer {
	void (*sent)(void *arg, int64_t at_ms, uint32_t handle);
	void (*arrived)(void *arg, int64_t at_ms, uint32_t node, uint32_t handle, size_t held);
	void (*left)(void *arg, int64_t at_ms, uint32_t node, const uint32_t *handles, size_t n,
	    size_t held);
	void (*exited)(void *arg, int64_t at_ms, uint32_t handle);
	void (*lost)(void *arg, int64_t at_ms, uint32_t node, uint32_t handle); /* pool full */
	/* A message was given up: its sender was offline, and sends at once or never. */
	void (*dropped)(void *arg, int64_t at_ms, uint32_t person);
	/* A round of the gateway ended. */
	void (*round)(void *arg, uint64_t round, const uint32_t *handles, size_t n);
	/*
	 * Within simulation_count: whether to be told of what happens to packets with a
	 * message (sent, exited, round), and of the others by their number.
	 */
	bool counts;
	void (*counted)(void *arg, const struct simulation_counted *c);
	void (*flushed)(void *arg, int64_t at_ms, uint32_t node, size_t left, size_t held);
	/* After it: this packet was on its way before, and is followed from now on. */
	void (*resumed)(void *arg, uint32_t handle);
	void *arg;
};

/* Real packets; see simulation_onion.h. */
struct simulation_carrier {
	enum err (*wrap)(void *arg, uint32_t handle, const struct token *t,
	    const uint32_t *delays_ms);
	/* false: the packet is dropped, as the daemon would. */
	bool (*unwrap)(void *arg, uint32_t handle, unsigned layer, uint32_t *delay_ms);
	void (*end)(void *arg, uint32_t handle);
	void *arg;
};

struct simulation_config {
	struct params params;  /* strategies, slot, round, layers, mixes[] (width of each) */
	uint32_t persons;
	enum sending_law law;
	int64_t start_ms;      /* wall clock */
	int64_t link_ms;       /* delay of every link */
	bool epochs;	       /* near a change of epochs only cover is sent (path_time) */
	uint64_t seed;
	struct simulation_traffic traffic;
	const struct simulation_carrier *carrier; /* NULL: tokens only */
	const struct simulation_observer *observers; /* in this order, borrowed */
	size_t observer_count;
};

/* ERR_MEMORY, ERR_RANGE. */
RST_MUST_USE enum err simulation_new(struct simulation **out,
    const struct simulation_config *cfg);
void simulation_free(struct simulation *s);
/* Everything before this time of the wall clock. ERR_MEMORY, or what an observer's fault is. */
RST_MUST_USE enum err simulation_run(struct simulation *s, int64_t until_ms);
/*
 * The same, but packets without a message are only counted: as many come to a mix, and as
 * many leave it, but which of them do is drawn for those with a message alone. For an
 * observer who does not tell them apart the law of all that happens is the same; what
 * people send, and when and how many packets come to and leave the first layer, is the
 * very same. ERR_FULL: a pool came to pool_max, where it matters which packet is lost.
 */
RST_MUST_USE enum err simulation_count(struct simulation *s, int64_t until_ms);
/* Slots, no carrier, and strategies that go by the round and by how many packets they hold. */
bool simulation_can_count(const struct simulation *s);
int64_t simulation_now(const struct simulation *s);
/* To stop the run from within an observer: it returns e. */
void simulation_fail(struct simulation *s, enum err e);

struct token *simulation_token(struct simulation *s, uint32_t handle);
uint32_t simulation_node(const struct simulation *s, unsigned layer, unsigned index);
unsigned simulation_layer(const struct simulation *s, uint32_t node);

struct simulation_counts {
	uint64_t events, sent, cover, notes, real, exited, lost, skipped;
	size_t held, held_most; /* tokens alive */
};
const struct simulation_counts *simulation_counts(const struct simulation *s);
/*
 * Messages that were written until now and not sent, once the run is over: it asks the
 * traffic for them.
 */
uint64_t simulation_waiting(struct simulation *s);
size_t simulation_bytes(const struct simulation *s);

#endif

/*
 * A world: hosts with event loops (common/net/loop.h), their clocks and the
 * network between them, in virtual time. The real modules of client, mix and
 * gateway run in it in one process; days pass in seconds, and a run repeats
 * exactly from its seed: the order of events is (time, sequence).
 *
 * Addresses are names: the texts of common/net/address.h, one name space for
 * the whole world. Nothing touches a real socket or clock.
 *
 * The world is driven from outside (world_run_until, world_step) by one thread.
 * Calls on hosts may be made between steps, and from world_at callbacks.
 */
#ifndef EVALUATION_WORLD_H
#define EVALUATION_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/rng.h"
#include "common/net/loop.h"

struct world;
struct world_host;

/* A host's access line, one direction of it. A way from a to b is a's out, then b's in. */
struct world_line {
	int64_t delay_us;      /* at least */
	int64_t spread_us;     /* mean of an exponential addition, cut at 20 times */
	uint64_t bytes_per_s;  /* 0: no limit */
};

struct world_config {
	uint64_t seed;
	int64_t wall_ms;	   /* wall clock at the beginning */
	struct world_line out, in; /* of hosts that are not told otherwise */
	int64_t work_us_max;	   /* a job of a work queue takes 0 to this long */
	/* Mean life of a connection, then both ends see it closed; 0: for ever. */
	int64_t conn_life_ms;
};

/* ERR_MEMORY. */
RST_MUST_USE enum err world_new(struct world **out, const struct world_config *cfg);
/*
 * All that was made on the hosts' loops must be freed before. Frees the hosts.
 * NULL is a no-op.
 */
void world_free(struct world *w);

/* ---- time ---- */

/* The world's own wall clock, which no host's setting changes. */
int64_t world_now_ms(const struct world *w);
/* Draws of the world; using it in a scenario keeps the run repeatable. */
const struct rng *world_rng(struct world *w);
/* Events that have happened. */
uint64_t world_event_count(const struct world *w);

/* One event; false if nothing is left to happen. */
bool world_step(struct world *w);
/*
 * Everything up to and at this time of the world's clock, which then stands
 * there. ERR_STATE if ten million events happen at one instant: something goes
 * round in circles.
 */
RST_MUST_USE enum err world_run_until(struct world *w, int64_t wall_ms);
RST_MUST_USE enum err world_run_for(struct world *w, int64_t ms);
/* Call cb at this time of the world's clock (at once if it has passed). ERR_MEMORY. */
RST_MUST_USE enum err world_at(struct world *w, int64_t wall_ms, void (*cb)(void *arg), void *arg);

/* ---- hosts ---- */

/* A host that runs. ERR_MEMORY. Lives as long as the world. */
RST_MUST_USE enum err world_host_new(struct world_host **out, struct world *w);
/* In the order in which they were made, from 0. */
unsigned world_host_number(const struct world_host *h);
/* The loop of its present run; NULL while it does not run. */
struct loop *world_loop(const struct world_host *h);
/* When it was started, or restarted, last. */
int64_t world_host_since_ms(const struct world_host *h);

/*
 * kill -9: the loop never calls anybody again, not even from within the event
 * that is going on. Peers see connections closed, listeners are gone, jobs that
 * had not begun never run. What the host's program made on the loop can still be
 * freed in the ordinary way, and must be before world_start; freed work queues
 * then run their jobs, without effect on the network. (Its disk should fail from
 * now on: common/base/disk_fault.h.)
 */
void world_kill(struct world_host *h);
/* The same, but as if the cable was cut: peers are not told. */
void world_unplug(struct world_host *h);
/* A new loop after world_kill. ERR_MEMORY. */
RST_MUST_USE enum err world_start(struct world_host *h);

/* Set the host's wall clock by so much. Its loop is told. */
void world_set_clock(struct world_host *h, int64_t delta_ms);
/* How far the host's wall clock is from the world's. */
int64_t world_clock_offset_ms(const struct world_host *h);
/* Sleep: nothing runs; then timers are due, and the loop is told how long it was. */
RST_MUST_USE enum err world_sleep(struct world_host *h, int64_t ms);
/* Stop the process (as SIGSTOP) and let it go on; no clock jumps. */
void world_hold(struct world_host *h, bool held);

/* ---- network ---- */

void world_set_lines(struct world_host *h, const struct world_line *out,
    const struct world_line *in);
/*
 * Cut two hosts off from each other, or join them again. While they are cut,
 * bytes wait, new connections time out, and after 15 minutes old ones as well.
 * ERR_MEMORY.
 */
RST_MUST_USE enum err world_cut(struct world_host *a, struct world_host *b);
void world_join(struct world_host *a, struct world_host *b);
/* Break every connection between two hosts now; b NULL: all of a's. */
void world_break(struct world_host *a, const struct world_host *b);
/* Refuse new connections to this host's listeners, or take them again. */
void world_refuse(struct world_host *h, bool refuse);

/* What an observer of every wire sees. */
enum world_seen_kind {
	WORLD_SEEN_OPEN,  /* a connection was made: from dialled to */
	WORLD_SEEN_BYTES, /* bytes left `from` */
	WORLD_SEEN_CLOSE, /* `from` ended its direction */
};
struct world_seen {
	enum world_seen_kind kind;
	int64_t at_us;		/* since 1970, by the world's clock */
	uint64_t conn;		/* both directions of a connection have one number */
	const struct world_host *from, *to;
	const uint8_t *bytes;	/* valid during the call */
	size_t n;
};
typedef void world_tap(void *arg, const struct world_seen *seen);
/* One observer; NULL: none. It must not call back into the world. */
void world_set_tap(struct world *w, world_tap *tap, void *arg);

#endif

/*
 * What the files of the virtual world share: world.c (time, hosts), world_net.c
 * (connections, listeners) and world_work.c (work queues). Internal.
 */
#ifndef EVALUATION_WORLD_PARTS_H
#define EVALUATION_WORLD_PARTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/base/rng.h"
#include "common/charter/charter.h"
#include "common/net/conn.h"
#include "common/net/timerheap.h"
#include "evaluation/eventheap.h"
#include "evaluation/world.h"

#define WORLD_WINDOW_BYTES ((size_t)256 * 1024) /* sent and not yet taken, per direction */

/* Bytes on their way, or the end of the stream. */
struct world_chunk {
	STAILQ_ENTRY(world_chunk) next;
	int64_t at_us; /* when they arrive */
	size_t len, head;
	bool end;
	uint8_t bytes[];
};

struct world_conn {
	struct conn base;
	struct world_loop *loop;
	LIST_ENTRY(world_conn) conns;
	struct world_conn *peer; /* NULL: none yet, or gone */
	uint64_t number;
	STAILQ_HEAD(, world_chunk) coming;
	struct world_chunk *last; /* the end of our direction: reserved, so that ending never fails */
	int64_t newest_us;  /* when the last of them arrives */
	size_t untaken;	    /* bytes of ours that the peer has not taken */
	struct event turn;  /* kicked; the first one of an accepted connection */
	struct event arrive; /* the first of `coming` */
	struct event fate;  /* it comes up, or fails with `fails` */
	struct event life;  /* it breaks */
	enum err fails;
	bool accept;  /* to be handed to the listener at the next turn */
	bool joined;  /* the events have their places */
	bool gone;    /* let go: nothing happens to it any more */
	bool stalled; /* `coming` waits until the hosts are joined again */
	bool hole;    /* the peer vanished without a word */
	bool eof;     /* the peer ended while we still send what is left */
	bool shut;    /* we ended our direction */
	char address[CHARTER_ADDRESS_MAX];
};

struct world_listener {
	struct listener base;
	struct world_loop *loop;
	LIST_ENTRY(world_listener) listeners;
	listener_cb *cb;
	void *arg;
	char address[CHARTER_ADDRESS_MAX];
};

struct world_queue;

/* One run of a host's program. */
struct world_loop {
	struct loop base;
	struct world_host *host;
	struct timerheap timers;
	struct event due; /* the earliest timer */
	LIST_HEAD(, world_conn) conns;
	LIST_HEAD(, world_listener) listeners;
	LIST_HEAD(, world_queue) queues;
	bool in_timers;
	bool dead;
	bool unplugged; /* dead, and nobody was told */
};

struct world_host {
	struct world *world;
	TAILQ_ENTRY(world_host) hosts;
	unsigned number;
	struct clock clock;
	struct world_loop *loop; /* also after its death, until the next start */
	int64_t since_ms, wall_offset_ms;
	struct world_line out, in;
	int64_t out_free_us; /* the line is busy until then */
	TAILQ_HEAD(, event) held;
	struct event wake;
	int64_t slept_ms;
	bool asleep, stopped, refusing;
};

struct world_split {
	const struct world_host *a, *b;
};

struct world {
	struct world_config cfg;
	struct eventheap heap;
	int64_t now_us; /* since the beginning */
	uint64_t events;
	struct rng_seeded rng;
	TAILQ_HEAD(, world_host) hosts;
	unsigned host_count;
	struct world_split *splits;
	size_t split_count;
	uint64_t conn_count;
	world_tap *tap;
	void *tap_arg;
	LIST_HEAD(, world_call) calls;
};

static inline struct world_loop *
world_loop_of(struct loop *l)
{
	return (struct world_loop *)(void *)l;
}

static inline struct world *
world_of(const struct world_loop *l)
{
	return l->host->world;
}

/* Schedule an event so many microseconds from now. */
void world_after(struct world *w, struct event *e, int64_t delay_us);
/* Cancel it, wherever it waits. */
void world_cancel(struct world *w, struct event *e);
/* Cancel it and give its place back. */
void world_leave(struct world *w, struct event *e);
bool world_is_cut(const struct world *w, const struct world_host *a, const struct world_host *b);

/* world_net.c */
enum err world_conn_open(struct conn **out, struct loop *l, const char *address);
void world_conn_kick(struct conn *c);
void world_conn_detach(struct conn *c);
void world_conn_release(struct conn *c);
enum err world_listener_open(struct listener **out, struct loop *l, const char *address,
    listener_cb *cb, void *arg, struct diag *d);
void world_listener_free(struct listener *s);
/* The program died: let go of every connection and listener. */
void world_net_die(struct world_loop *l);
/* Bytes that waited between two hosts go on. */
void world_net_resume(struct world_host *a, struct world_host *b);

/* world_work.c */
struct workq *world_workq_new(struct loop *l, unsigned threads);
enum err world_workq_add(struct workq *q, void (*run)(void *arg), void (*done)(void *arg),
    void *arg);
size_t world_workq_backlog(const struct workq *q);
void world_workq_free(struct workq *q);
void world_work_die(struct world_loop *l);

#endif

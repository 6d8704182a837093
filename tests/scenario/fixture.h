/*
 * A whole network in virtual time: one gateway and its mixes from their real
 * modules, each on a host of its own with a disk that outlives it.
 *
 * Everything follows from one seed. Failures end the test.
 */
#ifndef TESTS_SCENARIO_FIXTURE_H
#define TESTS_SCENARIO_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/disk_fault.h"
#include "common/base/rng.h"
#include "evaluation/world.h"
#include "gateway/gateway.h"
#include "mix/mix.h"
#include "tests/lib/network.h"

#define FIXTURE_NODES_MAX 16
#define MINUTE_MS INT64_C(60000)
#define HOUR_MS (60 * MINUTE_MS)
/* Where scenarios begin: midnight UTC of a day in 2030, the start of an epoch. */
#define FIXTURE_START_MS (INT64_C(21990) * 24 * HOUR_MS)

/* A disk under which the power fails: what it does at that moment, then nothing. */
struct fixture_disk {
	struct world *world;
	struct world_host *host;
	struct disk *medium;	 /* survives */
	struct disk_fault fault; /* of the present run */
	struct disk *faulty, *disk; /* of the present run; `disk` is to be used */
	void (*died)(void *arg); /* called at a later event */
	void *arg;
	bool dead, full;
};

void fixture_disk_init(struct fixture_disk *k, struct world *w, struct world_host *host,
    void (*died)(void *arg), void *arg);
void fixture_disk_release(struct fixture_disk *k);
/* A fresh run over what survived. */
void fixture_disk_start(struct fixture_disk *k);
/* The run is over: whoever used the disk is freed. */
void fixture_disk_stop(struct fixture_disk *k);
/*
 * Kill the host in its n-th write from now (from 1), which takes effect, or not,
 * or in part, by chance.
 */
void fixture_disk_kill_in(struct fixture_disk *k, uint64_t n, const struct rng *r);
/* For a host that is being killed now: what still waits to be written is lost, or not. */
void fixture_disk_crash(struct fixture_disk *k, const struct rng *r);
/* From now on every write fails as on a full disk, until it is emptied. */
void fixture_disk_fill(struct fixture_disk *k, bool full);

struct fixture;

struct fixture_node {
	struct fixture *fixture;
	const struct charter_node *charter;
	const struct network_keys *keys;
	const struct charter *given; /* what its configuration names: NULL: the founding one */
	const char *listen, *entrance; /* its configuration's; NULL: as the charter says */
	struct log *log;	     /* of its next run; NULL: none */
	struct charter_node own;     /* of a node that joins later */
	struct network_keys own_keys;
	struct world_host *host;
	struct fixture_disk disk;
	struct rng_seeded rng, key_rng;
	struct mix *mix;	 /* while it runs; one of the two */
	struct gateway *gateway;
	unsigned starts;
	int64_t down_ms; /* after a death: how long until it is started again; <0: it is not */
};

struct fixture {
	struct world *world;
	struct network *network;
	const struct params *params; /* of the charter */
	struct memory_journal *journal; /* the gateway's store */
	struct memory_spent *spent;	/* the same of spent tokens */
	size_t node_count;
	struct fixture_node nodes[FIXTURE_NODES_MAX]; /* as in the charter, then who joins later */
	uint64_t seed;
	bool unguarded;
	struct store *(*open_store)(void *arg, struct loop *l); /* NULL: in memory */
	void *store_arg;
};

struct fixture_config {
	uint64_t seed;
	const struct params *params; /* NULL: fixture_params */
	unsigned mixes_per_layer;    /* 0: one */
	bool idle;		     /* do not start the nodes yet */
	bool unguarded;		     /* mixes without heartbeats */
	/* The gateway's store, for each of its runs; NULL: in memory. */
	struct store *(*open_store)(void *arg, struct loop *l);
	void *store_arg;
};

/*
 * Small and quick: two layers of timed mixes, slots of 20 s, rounds of 10 s,
 * epochs of two hours, records of 1024 bytes, frames down of one piece.
 */
void fixture_params(struct params *p);

void fixture_new(struct fixture *f, const struct fixture_config *cfg);
void fixture_free(struct fixture *f);

struct fixture_node *fixture_gateway(struct fixture *f);
/* The mix of a layer, the i-th one. */
struct fixture_node *fixture_mix(struct fixture *f, unsigned layer, unsigned i);

/*
 * A mix that no charter has yet, with the next number; down until fixture_start, before
 * which `given` must be set.
 */
struct fixture_node *fixture_add(struct fixture *f, unsigned layer);
/* Publish a charter at the gateway, and run until it is durable. */
void fixture_publish(struct fixture *f, const struct buf *text);

void fixture_start(struct fixture_node *n);
/* kill -9; down_ms as in struct fixture_node. */
void fixture_kill(struct fixture_node *n, int64_t down_ms);
/* The same in its n-th write from now. */
void fixture_kill_in_write(struct fixture_node *n, uint64_t write, int64_t down_ms);
/* As if its cable was cut and it was switched off: its peers are not told. */
void fixture_unplug(struct fixture_node *n, int64_t down_ms);
bool fixture_runs(const struct fixture_node *n);
/* A copy of a node's disk as it is now, and a node that is down given that copy's content. */
struct disk *fixture_backup(const struct fixture_node *n);
void fixture_restore(struct fixture_node *n, struct disk *backup);

void fixture_run_for(struct fixture *f, int64_t ms);
void fixture_run_until(struct fixture *f, int64_t wall_ms);
/* Run until check says yes; fails after at most ms. */
void fixture_run_until_true(struct fixture *f, bool (*check)(void *arg), void *arg, int64_t ms);

/* How often a scenario with many seeds is to be run: RESTANTE_SCENARIO_SEEDS, or `usual`. */
unsigned fixture_seeds(unsigned usual);

#endif

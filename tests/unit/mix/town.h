/*
 * A town for tests: mix 1 of a network of three, whole, in virtual time. Around it a
 * gateway that is only links and a door that serves sheets, and mix 2 that opens what
 * comes. Every call fails the test if anything goes wrong.
 */
#ifndef TESTS_UNIT_MIX_TOWN_H
#define TESTS_UNIT_MIX_TOWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/disk_fault.h"
#include "common/crypto/onion.h"
#include "common/net/link.h"
#include "evaluation/world.h"
#include "mix/links.h"
#include "mix/mix.h"
#include "tests/lib/network.h"

#define TOWN_EPOCH 78703u
#define TOWN_MIX 1
#define TOWN_NEXT 2
#define TOWN_GATEWAY 4
#define TOWN_GUESTS 64
#define TOWN_SECOND 1000

struct town_guest {
	struct town *town;
	struct link *link;
	size_t read; /* of the stream */
	bool opened;
};

/* A node that has links only. */
struct town_stub {
	struct world_host *host;
	struct disk *disk;
	struct workq *queue;
	struct links *links;
};

struct town {
	struct world *world;
	struct network *net;
	struct world_host *host; /* the mix's */
	struct disk *under, *disk;
	struct disk_fault plan;
	struct mix *mix;
	struct town_stub gateway, next;
	/* the door */
	struct listener *door;
	struct town_guest guests[TOWN_GUESTS];
	size_t guest_count, notes;
	struct buf stream;
	/* what the gateway heard, and what mix 2 had */
	struct network_epoch *epoch;
	uint8_t announced[2][ANNOUNCEMENT_BYTES]; /* of TOWN_EPOCH and of the next */
	size_t announcements[2], arrived, wrong, batches;
	bool stopped;
	bool guarded; /* the mix heeds its heartbeats, which nobody lists here */
	const struct rng *pool_rng; /* of the mix, when it is started; NULL: the world's */
	/* Told of each packet that mix 2 has opened; may be NULL. */
	void (*saw)(void *arg, const struct onion_job *job);
	void *arg;
	struct log log;
	char *log_text;
	size_t log_bytes;
};

/* Everything but the mix, on lines like this. */
void town_found(struct town *t, const struct params *params, const struct world_line *line);
/* On lines of 5 ms and more, with the mix started. params NULL: the defaults. */
void town_up(struct town *t, const struct params *params);
void town_down(struct town *t);
RST_MUST_USE enum err town_open_mix(struct town *t, struct diag *d);
void town_start_mix(struct town *t);
/* kill -9: nothing more reaches the disk. */
void town_kill_mix(struct town *t);

void town_run(struct town *t, int64_t ms);
int64_t town_epoch_start(const struct town *t, uint32_t epoch);
/* Until the mix has the sheet of TOWN_EPOCH. */
void town_settle(struct town *t);

/* A sheet with the mix's announcement, which is then t->epoch. */
void town_make_sheet(struct town *t, struct buf *out, uint32_t epoch);
/* Put it into the journal stream as an item of its own, or in a signed block. */
void town_serve_sheet(struct town *t, uint32_t epoch);
void town_serve_block(struct town *t, uint32_t epoch, bool good);

/* A packet of nothing through the network, and to the mix as from the gateway. */
void town_build(struct town *t, uint8_t *packet);
void town_pass_on(struct town *t, const uint8_t *packet);
void town_send(struct town *t, size_t n);

struct mix_status town_status(const struct town *t);
/* Whether the mix's operator was told of it so far. */
bool town_logged(const struct town *t, const char *event);

#endif

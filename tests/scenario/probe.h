/*
 * A client without memory or secrets: attends the gateway as clients do, sends
 * what a scenario gives it, verifies and remembers what the journal shows.
 */
#ifndef TESTS_SCENARIO_PROBE_H
#define TESTS_SCENARIO_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/charter/path.h"
#include "common/crypto/hash.h"
#include "common/crypto/onion.h"
#include "common/journal/chain.h"
#include "common/net/attend.h"
#include "tests/scenario/fixture.h"
#include "tests/scenario/seen.h"

#define PROBE_SHEETS 4
#define PROBE_RUNS 4
#define PROBE_PACKETS_MAX 256

/* Something to send. */
struct probe_packet {
	enum onion_kind kind;
	uint16_t mailbox;
	uint8_t *body;	 /* record_size bytes; or, with raw, the whole packet */
	bool raw;
	uint16_t first_mix; /* raw */
	uint32_t epoch;	    /* raw */
};

/* One session's reading. */
struct probe_run {
	uint64_t run;
	struct chain_segment *segment;
	struct block_mailbox line; /* of the block whose records come next */
	bool expect_records;	   /* and were not read in another session */
};

struct probe {
	struct fixture *fixture;
	struct world_host *host;
	struct attend *attend;
	struct rng_seeded rng, keys;
	struct chain *chain;
	struct succession *charters; /* as the journal brings them */
	struct probe_run runs[PROBE_RUNS]; /* a ring */
	struct sheet *sheets[PROBE_SHEETS]; /* a ring by epoch */
	struct probe_packet queue[PROBE_PACKETS_MAX];
	size_t queued, sent;	  /* sent: the first so many of queue have gone */
	struct seen listed; /* digests and notes of blocks */
	struct seen records; /* digests of the mailbox's records themselves */
	struct seen own_notes; /* that went out */
	struct seen rounds;
	uint64_t first_round, last_round;
	unsigned blocks, epoch_blocks, sheet_changes, ended, failed;
	unsigned charters_seen; /* shown, apart or in blocks */
	unsigned slots, skipped, drops, notes;
	uint64_t pending_note; /* of this slot */
	enum onion_kind pending;
	bool pending_real;
	bool silent; /* skip every slot */
};

void probe_new(struct probe *p, struct fixture *f);
void probe_free(struct probe *p);

/* Queue a record, or a note of the scenario's own; returns its digest for probe_listed. */
uint64_t probe_deposit(struct probe *p, uint16_t mailbox, const uint8_t *record);
/* The same with a record of random bytes. */
uint64_t probe_deposit_any(struct probe *p);
/* Queue a packet as it is. */
void probe_raw(struct probe *p, const uint8_t *packet, uint16_t first_mix, uint32_t epoch);
/* Build a packet as the probe would now. *path as drawn. */
void probe_build(struct probe *p, uint8_t *out, struct path *path, const struct onion_command *c);
/* How often blocks listed it; how often it was among the records. */
unsigned probe_listed(const struct probe *p, uint64_t digest);
unsigned probe_received(const struct probe *p, uint64_t digest);
/* Whether everything that was queued went out. */
bool probe_idle(const struct probe *p);
/* Share of own notes of the past, sent until then, that were listed. */
double probe_notes_back(const struct probe *p);
/* The sheet of an epoch, or NULL. */
const struct sheet *probe_sheet(const struct probe *p, uint32_t epoch);
uint64_t probe_digest(const uint8_t *p, size_t n);

#endif

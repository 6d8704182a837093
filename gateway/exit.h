/*
 * The exit: packets of the last layer in, commands out. docs/protocol.md, "The
 * onion packet", "At a node".
 *
 * A round's packets are unwrapped, their replay tags made durable, the deposits' stamps
 * spent, and only then do deposits and notes enter the journal. A deposit that is not
 * paid for, where it must be, is dropped without a word.
 */
#ifndef GATEWAY_EXIT_H
#define GATEWAY_EXIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/rng.h"
#include "common/charter/succession.h"
#include "common/crypto/onion.h"
#include "common/net/loop.h"
#include "gateway/stamps.h"
#include "mix/epochkeys.h"
#include "mix/replay.h"
#include "mix/unwrap.h"

struct exit;

struct exit_config {
	struct loop *loop;
	const struct succession *charters; /* borrowed, as all that follows */
	const struct epochkeys *keys;
	struct replay *replay;
	struct stamps *stamps;
	unsigned threads; /* that unwrap */
	/* The hash of the sheet in force in an epoch; NULL: none, its packets are dropped. */
	const uint8_t *(*sheet_hash)(void *arg, uint32_t epoch);
	/* One command whose tag is durable; command.body is valid during the call. */
	void (*command)(void *arg, const struct onion_command *command);
	/* What became of the spending of a round's stamps. */
	void (*spent_answered)(void *arg, enum err e);
	void *arg;
};

struct exit_status {
	uint64_t received, dropped_epoch, dropped_full, malformed;
	uint64_t by_kind[3]; /* drop, deposit, note */
	uint64_t unpaid; /* of the deposits, dropped */
	uint64_t failed_commits;
};

RST_MUST_USE enum err exit_new(struct exit **out, const struct exit_config *cfg);
/* The disk's queue must be freed before. */
void exit_free(struct exit *x);

/* A packet of the gateway's layer, copied. */
void exit_take(struct exit *x, uint32_t epoch, const uint8_t *packet);

/*
 * Deal with everything that has come: unwrap, commit the tags, spend the stamps, hand
 * the commands over; then done, on the loop, never from inside the call. After a failure of the
 * disk done comes with it, and what was unwrapped is handed over by a later round; so
 * it is after a failure of the spent store, which is told by spent_answered alone.
 * ERR_BUSY while one is under way.
 */
typedef void exit_done_cb(void *arg, enum err e);
RST_MUST_USE enum err exit_round(struct exit *x, exit_done_cb *done, void *arg);
/* Whether replay sets are in use (replay_prune must wait). */
bool exit_busy(const struct exit *x);

void exit_get_status(const struct exit *x, struct exit_status *out);
const struct unwrap_counts *exit_unwrapped(const struct exit *x);

#endif

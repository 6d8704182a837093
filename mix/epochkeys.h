/*
 * A node's KEM key pairs, one per epoch: made ahead, stored before they are
 * announced, loaded at a restart, destroyed at the end of the epoch + grace.
 * docs/protocol.md, "Announcements and sheets", "Files on disk".
 *
 * Runs on the loop's thread; files are written on the disk's queue, which must be
 * freed before this object: its last callbacks still come here.
 */
#ifndef MIX_EPOCHKEYS_H
#define MIX_EPOCHKEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/disk.h"
#include "common/base/err.h"
#include "common/base/log.h"
#include "common/base/rng.h"
#include "common/charter/params.h"
#include "common/crypto/onion.h"
#include "common/net/loop.h"

/* Keys are made this long before their epoch begins (divided by time-scale). */
#define EPOCHKEYS_AHEAD_MS ((int64_t)60 * 60 * 1000)

struct epochkeys;

/* One key pair. Whoever hands it to a worker holds it meanwhile. */
struct epochkey {
	uint32_t epoch;
	uint8_t pk[ONION_KEY_BYTES];
	const uint8_t *sk; /* secret memory */
};

struct epochkeys_events {
	/* The key of this epoch is on disk: it may be announced. May be NULL. */
	void (*made)(void *arg, uint32_t epoch);
	/* The secret key is gone from memory and disk. May be NULL. */
	void (*destroyed)(void *arg, uint32_t epoch);
};

struct epochkeys_config {
	struct disk *disk;
	struct workq *queue;	     /* one thread, the disk's only user */
	const struct params *params; /* borrowed */
	const struct rng *keys;
	struct log *log;
};

/*
 * Load what is on the disk (blocks). ERR_MALFORMED for a damaged file,
 * ERR_VERSION, ERR_IO, ERR_MEMORY, with a sentence.
 */
RST_MUST_USE enum err epochkeys_open(struct epochkeys **out, const struct epochkeys_config *cfg,
    const struct epochkeys_events *events, void *arg, struct diag *d);
/* Wipe from memory; the files stay. */
void epochkeys_free(struct epochkeys *k);

/*
 * Do what is due: make the key of the running epoch, if there is none, and ahead
 * of time that of the next; destroy those that ended more than `grace` ago.
 * Failures of the disk are logged and tried again by a later call.
 */
void epochkeys_turn(struct epochkeys *k, int64_t wall_ms);
/* The wall-clock time at which something becomes due, later than wall_ms. */
int64_t epochkeys_next_ms(const struct epochkeys *k, int64_t wall_ms);

/* The stored key of an epoch, or NULL. Valid until the next call of epochkeys_turn. */
const struct epochkey *epochkeys_find(const struct epochkeys *k, uint32_t epoch);
/* Keep a key's memory until epochkeys_drop, whatever becomes of the epoch. */
const struct epochkey *epochkeys_hold(const struct epochkey *key);
void epochkeys_drop(const struct epochkey *key);
/* Whether anything of the secret key of an epoch is left, in memory or on disk. */
bool epochkeys_exists(const struct epochkeys *k, uint32_t epoch);

#endif

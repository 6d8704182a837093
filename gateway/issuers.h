/*
 * The issuer seeds that the registrar gave us, one per epoch, and what redeems with
 * them: durable before they are used, loaded at a restart, destroyed at the end of the
 * epoch + grace. docs/protocol.md, "Tickets and stamps", "Files on disk".
 *
 * The first seed of an epoch stays. Runs on the loop's thread; files are written on the
 * disk's queue, which must be freed before this object.
 */
#ifndef GATEWAY_ISSUERS_H
#define GATEWAY_ISSUERS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/disk.h"
#include "common/base/err.h"
#include "common/base/log.h"
#include "common/charter/succession.h"
#include "common/net/loop.h"
#include "common/token/issuer.h"

#define ISSUERS_MARK_KEY_BYTES 32

struct issuers;

/* An epoch's. Whoever hands it to a worker holds it meanwhile. */
struct redeemer {
	uint32_t epoch;
	const struct issuer *issuer;
	const uint8_t *mark_key; /* ISSUERS_MARK_KEY_BYTES: what spent nonces are hashed under */
};

struct issuers_config {
	struct disk *disk;
	struct workq *queue; /* one thread, the disk's only user */
	const struct succession *charters; /* borrowed */
	struct log *log;
	/* Whether keys may be those of their epoch: no others were published for it. */
	bool (*fits)(void *arg, const struct issuer_keys *keys);
	/* The seed of this epoch is on disk. */
	void (*made)(void *arg, uint32_t epoch);
	void *arg;
};

/*
 * Load what is on the disk (blocks). ERR_MALFORMED for a damaged file, ERR_VERSION,
 * ERR_IO, ERR_MEMORY, with a sentence.
 */
RST_MUST_USE enum err issuers_open(struct issuers **out, const struct issuers_config *cfg,
    struct diag *d);
/* Wipe from memory; the files stay. NULL is a no-op. */
void issuers_free(struct issuers *k);

/*
 * A seed from node `from`. ERR_OK also if it is known. ERR_NOT_FOUND: not from the
 * registrar of that epoch's charter; ERR_EPOCH: over, or more than ISSUER_AHEAD to come;
 * ERR_EXISTS: the epoch has another; ERR_FULL, ERR_MEMORY.
 */
RST_MUST_USE enum err issuers_take(struct issuers *k, uint16_t from, uint32_t epoch,
    const uint8_t seed[static ISSUER_SEED_BYTES], int64_t wall_ms);
/* Destroy what ended more than `grace` ago; try failed writes again. */
void issuers_turn(struct issuers *k, int64_t wall_ms);

/* Of a stored seed, or NULL. Valid until the next call of issuers_turn. */
const struct redeemer *issuers_find(const struct issuers *k, uint32_t epoch);
const struct redeemer *issuers_hold(const struct redeemer *r);
/* NULL is a no-op. */
void issuers_drop(const struct redeemer *r);
/* Whether anything of an epoch's seed is left, in memory or on disk. */
bool issuers_exists(const struct issuers *k, uint32_t epoch);
/* Stored seeds of epochs from this one on. */
unsigned issuers_count(const struct issuers *k, uint32_t from_epoch);

#endif

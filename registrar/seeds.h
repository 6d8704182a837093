/*
 * The issuer seeds of the current epoch and those to come: which there must be, and the
 * file "seeds" of the state directory. docs/protocol.md, "Tickets and stamps". Pure but
 * for load and save. Keep in secret memory.
 *
 * A seed that was published cannot be replaced: the gateway takes no other for its epoch.
 * So what is held outlives a clock that is wrong for a while, ahead or behind.
 */
#ifndef REGISTRAR_SEEDS_H
#define REGISTRAR_SEEDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/disk.h"
#include "common/base/err.h"
#include "common/base/rng.h"
#include "common/charter/succession.h"
#include "common/token/issuer.h"

/* The former epoch's, the current ones, and spare for what a wrong clock keeps or draws. */
#define SEEDS_MAX 24
#define SEEDS_FILE "seeds"

struct seed {
	uint32_t epoch;
	uint8_t bytes[ISSUER_SEED_BYTES];
};

struct seeds {
	size_t count;
	struct seed list[SEEDS_MAX]; /* ascending */
};

/* Whether the charter in force in an epoch has this registrar. */
bool seeds_wanted(const struct succession *charters, uint16_t own, uint32_t epoch);
/* Whether an epoch's seed is given and issued with at this epoch: it, or ISSUER_AHEAD after. */
bool seeds_current(uint32_t of, uint32_t epoch);
/*
 * What is to be held at an epoch: what s has, and fresh ones (from keys) where it lacks what
 * is wanted of this epoch and the ISSUER_AHEAD after it. Dropped is what no charter wants;
 * if the clock is sure, what is over by more than one epoch; and if there are no places, the
 * oldest of these, else the one farthest ahead. Returns whether next differs from s, so that
 * it must be saved before anything of it is used.
 */
bool seeds_next(struct seeds *next, const struct seeds *s, const struct succession *charters,
    uint16_t own, uint32_t epoch, bool sure, const struct rng *keys);
/* The seed of an epoch, or NULL. */
const struct seed *seeds_of(const struct seeds *s, uint32_t epoch);

/* No file: none. Errors with a sentence. */
RST_MUST_USE enum err seeds_load(struct seeds *s, struct disk *disk, struct diag *d);
RST_MUST_USE enum err seeds_save(struct disk *disk, const struct seeds *s);

#endif

/*
 * The issuer seeds of the current epoch and those to come: which there must be, and the
 * file "seeds" of the state directory. docs/protocol.md, "Tickets and stamps". Pure but
 * for load and save. Keep in secret memory.
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

#define SEEDS_MAX (ISSUER_AHEAD + 1)
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
/*
 * What is to be held at an epoch: what s has of it and the ISSUER_AHEAD after it, and
 * fresh ones (from keys) where it lacks what is wanted; the rest is dropped. Returns whether
 * next differs from s, so that it must be saved before anything of it is used.
 */
bool seeds_next(struct seeds *next, const struct seeds *s, const struct succession *charters,
    uint16_t own, uint32_t epoch, const struct rng *keys);
/* The seed of an epoch, or NULL. */
const struct seed *seeds_of(const struct seeds *s, uint32_t epoch);

/* No file: none. Errors with a sentence. */
RST_MUST_USE enum err seeds_load(struct seeds *s, struct disk *disk, struct diag *d);
RST_MUST_USE enum err seeds_save(struct disk *disk, const struct seeds *s);

#endif

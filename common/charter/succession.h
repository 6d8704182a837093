/*
 * The succession: the charters of one network, one version after the other, and
 * which of them is in force in an epoch. docs/protocol.md, "Charter". Pure.
 *
 * What a packet, a path, a sheet or an announcement of an epoch may be is said by
 * the charter in force in that epoch. Links are wider: they exist between the
 * nodes of all charters that count at a time, which are the one in force, those
 * that are to come, and, for `grace` after a change, the one before.
 *
 * A charter that is held stays held, at its address, as long as the object: what
 * points into one (parameters, addresses) stays valid.
 */
#ifndef COMMON_CHARTER_SUCCESSION_H
#define COMMON_CHARTER_SUCCESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/charter/charter.h"

#define SUCCESSION_COUNT_MAX 4096   /* versions that are held */
#define SUCCESSION_COMING_MAX 6	    /* of these not yet in force */
#define SUCCESSION_CURRENT_MAX (SUCCESSION_COMING_MAX + 2)

struct succession;

/* A succession of one charter (copied). */
RST_MUST_USE enum err succession_new(struct succession **out, const struct charter *first);
void succession_free(struct succession *s);

/*
 * Put a charter (copied) behind the latest or, to know what was before, in front
 * of the first. ERR_EXISTS if it is held, ERR_CHAIN with a sentence if it does not
 * follow (or is not followed by what is there), ERR_FULL, ERR_MEMORY.
 */
RST_MUST_USE enum err succession_add(struct succession *s, const struct charter *c,
    struct diag *d);

/*
 * A charter that somebody shows: ERR_OK, it follows the latest and is held now;
 * ERR_EXISTS, it is held, or older than all that are; ERR_STATE, it is newer than
 * the next, so that it cannot be judged; ERR_MEMORY, ERR_FULL. Everything else: it
 * is no successor, and whoever signed it for one is to be mistrusted.
 */
RST_MUST_USE enum err succession_offer(struct succession *s, const void *text, size_t n,
    struct diag *d);

size_t succession_count(const struct succession *s);
/* The i-th, oldest first. */
const struct charter *succession_get(const struct succession *s, size_t i);
const struct charter *succession_first(const struct succession *s);
const struct charter *succession_latest(const struct succession *s);
/* The one with this hash, or NULL. */
const struct charter *succession_find(const struct succession *s, const uint8_t hash[static 32]);

/* The charter in force in an epoch; NULL before the first that is known. */
const struct charter *succession_at(const struct succession *s, uint32_t epoch);
/* The one that is next to come into force after an epoch, or NULL. */
const struct charter *succession_next(const struct succession *s, uint32_t epoch);
/* The one in force in an epoch, else the first to come: for what needs one at any time. */
const struct charter *succession_near(const struct succession *s, uint32_t epoch);
/*
 * The charters that count at wall_ms: the one in force, those to come (earliest
 * first), the one before within its grace. At least one; returns how many.
 */
size_t succession_current(const struct succession *s,
    const struct charter *out[static SUCCESSION_CURRENT_MAX], int64_t wall_ms);
/* When that changes next, or INT64_MAX. */
int64_t succession_turn_ms(const struct succession *s, int64_t wall_ms);

/* A node as the newest charter that has it says; NULL if none has. */
const struct charter_node *succession_node(const struct succession *s, uint16_t number);
/*
 * The gateway, for a client at its attempt-th try (from 0): as the charter in force
 * says, and, while more than one address or link key of it is good, the others in
 * turn.
 */
const struct charter_node *succession_gateway(const struct succession *s, int64_t wall_ms,
    unsigned attempt);

#endif

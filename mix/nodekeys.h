/*
 * A node's own keys, for life: made by `init`, kept in the file "nodekeys" of the
 * state directory, never sent anywhere. docs/protocol.md, "Files on disk".
 */
#ifndef MIX_NODEKEYS_H
#define MIX_NODEKEYS_H

#include <stdint.h>

#include "common/base/disk.h"
#include "common/base/err.h"
#include "common/base/rng.h"
#include "common/charter/charter.h"

/* In secret memory. */
struct nodekeys {
	uint8_t identity_sk[64], identity_pk[32]; /* Ed25519 */
	uint8_t link_sk[32], link_pk[32];	  /* X25519 */
};

/* Make keys and store them. ERR_EXISTS if there are some; each error with a sentence. */
RST_MUST_USE enum err nodekeys_create(struct nodekeys **out, struct disk *disk,
    const struct rng *keys, struct diag *d);
/* ERR_NOT_FOUND if init was not run, ERR_MALFORMED, ERR_VERSION, ERR_IO. */
RST_MUST_USE enum err nodekeys_load(struct nodekeys **out, struct disk *disk, struct diag *d);
/* Wipe and free. */
void nodekeys_free(struct nodekeys *k);

/* The public half, for a node line: out->number and ->layer become 0. */
void nodekeys_public(struct charter_node *out, const struct nodekeys *k, enum charter_role role);
/* The node that the charter gives these keys to. ERR_NOT_FOUND with a sentence. */
RST_MUST_USE enum err nodekeys_find(const struct charter_node **out, const struct nodekeys *k,
    const struct charter *c, enum charter_role role, struct diag *d);

#endif

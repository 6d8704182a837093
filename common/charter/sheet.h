/*
 * Announcements and sheets: the epoch's keys of all nodes.
 * docs/protocol.md, "Epoch keys and sheets". Pure.
 */
#ifndef COMMON_CHARTER_SHEET_H
#define COMMON_CHARTER_SHEET_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/bytes.h"
#include "common/base/err.h"
#include "common/charter/charter.h"
#include "common/charter/succession.h"

#define ANNOUNCEMENT_BYTES (2 + 4 + 1 + 32 + 64)

struct announcement {
	uint16_t node;
	uint32_t epoch;
	uint8_t suite;
	uint8_t pk[32];
	uint8_t signature[64];
};

/* Sign node, epoch, suite and pk of a with the node's identity key. */
void announcement_sign(struct announcement *a, const uint8_t network_id[static 32],
    const uint8_t identity_sk[static 64]);
void announcement_encode(uint8_t out[static ANNOUNCEMENT_BYTES], const struct announcement *a);
/*
 * Parse and verify against the charter: ERR_MALFORMED (another suite, a public
 * key of low order), ERR_NOT_FOUND (node), ERR_SIGNATURE.
 */
RST_MUST_USE enum err announcement_decode(struct announcement *out,
    const uint8_t in[static ANNOUNCEMENT_BYTES], const struct charter *c);

#define SHEET_TICKET_KEYS_MAX 256
#define SHEET_BYTES_MAX (64 + CHARTER_NODES_MAX * ANNOUNCEMENT_BYTES + SHEET_TICKET_KEYS_MAX * 32)

struct sheet {
	uint32_t epoch;
	uint8_t charter_hash[32];
	size_t count;
	struct announcement nodes[CHARTER_NODES_MAX]; /* sorted by node */
	size_t ticket_key_count; /* one per session hour of the epoch */
	uint8_t ticket_keys[SHEET_TICKET_KEYS_MAX][32]; /* zero until tickets exist */
	uint8_t stamp_key[32];
	uint8_t hash[32]; /* BLAKE2b-256 of the encoding; set by encode and decode */
};

/* Ticket keys of a sheet: one per session hour of an epoch. */
size_t sheet_ticket_keys(const struct params *p);
/* Append the encoding; sets s->hash. */
RST_MUST_USE enum err sheet_encode(struct buf *out, struct sheet *s);
/*
 * Parse and verify: exact length, charter hash, nodes of the charter sorted and
 * unique, every signature, the sheet's epoch in all announcements, no empty
 * layer (the gateway's included). *out is heap memory for sheet_free.
 */
RST_MUST_USE enum err sheet_decode(struct sheet **out, const void *in, size_t len,
    const struct charter *c, struct diag *d);
/*
 * The same by the charter in force in the sheet's epoch. ERR_EPOCH if that is not
 * known: the epoch is before the first charter of the succession, or the sheet names
 * a charter that is not in it, which may still come.
 */
RST_MUST_USE enum err sheet_read(struct sheet **out, const void *in, size_t len,
    const struct succession *s, struct diag *d);
void sheet_free(struct sheet *s);
/* The announcement of a node, or NULL if the sheet lacks it. */
const struct announcement *sheet_node(const struct sheet *s, uint16_t node);

#endif

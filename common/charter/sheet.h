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
 * key of low order), ERR_NOT_FOUND (no node that has an epoch key), ERR_SIGNATURE.
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

/* ---- as the gateway shows it ---- */

#define SHEET_SIGNATURE_BYTES 64
#define SHEET_SHOWN_MAX (SHEET_BYTES_MAX + SHEET_SIGNATURE_BYTES)

/*
 * A sheet is shown with the gateway's signature behind it: with two of them for one
 * epoch anybody can prove that the gateway lied, whatever block or session had them.
 */
struct sheet_shown {
	uint32_t epoch;
	uint8_t hash[32];
	size_t len;		  /* of the sheet alone, which is in front */
	const uint8_t *signature; /* borrowed: the last bytes */
};

void sheet_sign(uint8_t signature[static SHEET_SIGNATURE_BYTES], const struct sheet *s,
    uint16_t gateway, const uint8_t network_id[static 32], const uint8_t identity_sk[static 64]);
/* ERR_SIGNATURE. Needs only gateway, epoch and hash, as evidence has them. */
RST_MUST_USE enum err sheet_verify(uint16_t gateway, uint32_t epoch, const uint8_t hash[static 32],
    const uint8_t signature[static SHEET_SIGNATURE_BYTES], const uint8_t network_id[static 32],
    const uint8_t identity_pk[static 32]);
/*
 * Check the signature of what was shown against any charter of the network: number
 * and identity of the gateway never change. The sheet itself is looked at by
 * sheet_read. ERR_TRUNCATED, ERR_SIGNATURE.
 */
RST_MUST_USE enum err sheet_show_check(struct sheet_shown *out, const uint8_t *in, size_t len,
    const struct charter *c);
/* The announcement of a node, or NULL if the sheet lacks it. */
const struct announcement *sheet_node(const struct sheet *s, uint16_t node);

#endif

/*
 * The charter: the root of trust, a short text file with the network's name,
 * version, parameters, nodes and authorities, and at least k of n detached
 * Ed25519 signatures. docs/protocol.md, "Charter". Pure (text in, text out).
 */
#ifndef COMMON_CHARTER_CHARTER_H
#define COMMON_CHARTER_CHARTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/bytes.h"
#include "common/base/err.h"
#include "common/charter/params.h"

#define CHARTER_BYTES_MAX 65536
#define CHARTER_NODES_MAX 256
#define CHARTER_AUTHORITIES_MAX 32
#define CHARTER_NAME_MAX 64
#define CHARTER_ADDRESS_MAX 128

enum charter_role { CHARTER_MIX, CHARTER_GATEWAY };

struct charter_node {
	uint16_t number;      /* unique, never reused in a network's life */
	enum charter_role role;
	uint8_t layer;	      /* mixes: 0..layers-1; gateway: layers */
	uint8_t identity[32]; /* Ed25519 */
	uint8_t link[32];     /* X25519 */
	/* where other nodes reach it, and (gateway) where clients do */
	char address[CHARTER_ADDRESS_MAX], entrance[CHARTER_ADDRESS_MAX];
};

struct charter {
	char name[CHARTER_NAME_MAX];
	uint32_t version;      /* 1 is the founding charter */
	int64_t not_after_ms;  /* wall clock */
	uint32_t from_epoch;   /* takes effect at; 0 for the founding charter */
	uint8_t network_id[32]; /* BLAKE2b-256 of the founding charter's signed bytes */
	uint8_t hash[32];      /* BLAKE2b-256 of this charter's signed bytes */
	struct params params;
	size_t node_count;
	struct charter_node nodes[CHARTER_NODES_MAX]; /* sorted by number */
	uint8_t threshold;
	size_t authority_count;
	uint8_t authorities[CHARTER_AUTHORITIES_MAX][32]; /* Ed25519 */
	size_t signature_count; /* valid signatures by distinct authorities */
};

/*
 * Parse and check a whole charter (signed bytes and signatures). Refused, with
 * line and reason: unknown, missing or repeated key, value out of range,
 * trailing bytes, a signature that does not verify, fewer valid signatures
 * than the threshold, rules between parameters, not exactly one gateway, an
 * empty layer. Whether not_after has passed is the caller's question
 * (charter_in_force). *out is heap memory for charter_free.
 */
RST_MUST_USE enum err charter_parse(struct charter **out, const void *text, size_t len,
    struct diag *d);
/* The same for a draft: any number of signatures, nodes may be missing. */
RST_MUST_USE enum err charter_parse_draft(struct charter **out, const void *text, size_t len,
    struct diag *d);
void charter_free(struct charter *c);

/* Append the signed bytes (canonical text without signatures) to out. */
RST_MUST_USE enum err charter_print(struct buf *out, const struct charter *c);

bool charter_in_force(const struct charter *c, int64_t wall_ms);
const struct charter_node *charter_node(const struct charter *c, uint16_t number);
const struct charter_node *charter_gateway(const struct charter *c);
/* The mixes of a layer: fills at most max pointers, returns how many there are. */
size_t charter_layer(const struct charter *c, unsigned layer, const struct charter_node **out,
    size_t max);

#endif

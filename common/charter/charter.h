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
#define CHARTER_SIGNATURES_MAX (2 * CHARTER_AUTHORITIES_MAX) /* own and former authorities */
#define CHARTER_NAME_MAX 64
#define CHARTER_ADDRESS_MAX 128

enum charter_role { CHARTER_MIX, CHARTER_GATEWAY, CHARTER_REGISTRAR };
/* The layer of a node that is on no path: greater than any, and than any and one. */
#define CHARTER_NO_LAYER UINT8_MAX

struct charter_node {
	uint16_t number;      /* unique, never reused in a network's life */
	enum charter_role role;
	uint8_t layer;	      /* mixes: 0..layers-1; gateway: layers; registrar: CHARTER_NO_LAYER */
	uint8_t identity[32]; /* Ed25519 */
	uint8_t link[32];     /* X25519 */
	/*
	 * Where other nodes reach it (not the registrar, which dials), and where clients
	 * do (gateway, registrar); otherwise empty.
	 */
	char address[CHARTER_ADDRESS_MAX], entrance[CHARTER_ADDRESS_MAX];
};

struct charter_signature {
	uint8_t authority[32], signature[64];
};

struct charter {
	char name[CHARTER_NAME_MAX];
	uint32_t version;      /* 1 is the founding charter */
	int64_t not_after_ms;  /* wall clock */
	uint32_t from_epoch;   /* takes effect at; 0 for the founding charter */
	uint8_t network_id[32]; /* BLAKE2b-256 of the founding charter's signed bytes */
	uint8_t hash[32];      /* BLAKE2b-256 of this charter's signed bytes */
	/*
	 * Version > 1: the hash of the version before, and its authorities, of which
	 * its threshold must sign this one too. Zero in the founding charter.
	 */
	uint8_t previous[32];
	uint8_t former_threshold;
	size_t former_count;
	uint8_t former[CHARTER_AUTHORITIES_MAX][32]; /* ascending */
	struct params params;
	uint16_t last_number;  /* the highest node number ever given out */
	size_t node_count;
	struct charter_node nodes[CHARTER_NODES_MAX]; /* sorted by number */
	uint8_t threshold;
	size_t authority_count;
	uint8_t authorities[CHARTER_AUTHORITIES_MAX][32]; /* Ed25519, ascending */
	size_t signature_count;	       /* distinct authorities that signed */
	size_t former_signature_count; /* distinct former authorities that signed */
	size_t held_count; /* signatures below, all valid, one per signer */
	struct charter_signature held[CHARTER_SIGNATURES_MAX];
};

/* ---- text: charter_text.c ---- */

/*
 * Parse and check a whole charter (signed bytes and signatures). Refused, with
 * line and reason: unknown, missing or repeated key, value out of range,
 * trailing bytes, text that is not canonical, a signature that does not verify
 * or whose signer is no authority, fewer valid signatures than the threshold,
 * and what charter_check refuses. ERR_VERSION for a newer format. Whether
 * not_after has passed is the caller's question (charter_in_force). *out is
 * heap memory for charter_free.
 */
RST_MUST_USE enum err charter_parse(struct charter **out, const void *text, size_t len,
    struct diag *d);
/* The same for a draft: any number of signatures; charter_check_draft holds. */
RST_MUST_USE enum err charter_parse_draft(struct charter **out, const void *text, size_t len,
    struct diag *d);
/*
 * What a text says of itself, unchecked: its version and the hash of what would be
 * its signed bytes, to tell quickly what is known already. ERR_MALFORMED.
 */
RST_MUST_USE enum err charter_peek(uint32_t *version, uint8_t hash[static 32], const void *text,
    size_t len);
/*
 * Append the signed bytes: the canonical text up to and with its last line,
 * "[signatures]".
 */
RST_MUST_USE enum err charter_print(struct buf *out, const struct charter *c);
/* Append the signed bytes and the signatures: a whole file. */
RST_MUST_USE enum err charter_print_signed(struct buf *out, const struct charter *c);

/* ---- the object ---- */

/* A draft of version 1 with default parameters and nothing else; NULL without memory. */
struct charter *charter_new(void);
void charter_free(struct charter *c);

bool charter_in_force(const struct charter *c, int64_t wall_ms);
const struct charter_node *charter_node(const struct charter *c, uint16_t number);
/* NULL in a draft without one; never in a parsed charter. */
const struct charter_node *charter_gateway(const struct charter *c);
/* NULL if the network has none: then nobody needs tickets and stamps. */
const struct charter_node *charter_registrar(const struct charter *c);
/* "mix", "gateway", "registrar". */
const char *charter_role_text(enum charter_role role);
/* Whether nodes reach a node of this role by its address; whether clients do by its entrance. */
bool charter_has_address(enum charter_role role);
bool charter_has_entrance(enum charter_role role);
/* Whether a node has an epoch key, which it announces; how many nodes do. */
bool charter_announces(const struct charter_node *n);
size_t charter_announcers(const struct charter *c);
/* The mixes of a layer: fills at most max pointers, returns how many there are. */
size_t charter_layer(const struct charter *c, unsigned layer, const struct charter_node **out,
    size_t max);

/* Whether X25519 with this public key gives anything but zero (it is not of low order). */
bool charter_key_usable(const uint8_t pk[static 32]);
/*
 * What must hold of every draft: parameters that agree, nodes with sane and
 * distinct keys and addresses, in layers that exist, one gateway and one registrar
 * at most.
 */
RST_MUST_USE enum err charter_check_draft(const struct charter *c, struct diag *d);
/* And of a whole charter: one gateway, no empty layer, enough authorities. */
RST_MUST_USE enum err charter_check(const struct charter *c, struct diag *d);
/* Whether as many have signed as the thresholds demand; ERR_SIGNATURE. */
RST_MUST_USE enum err charter_check_signatures(const struct charter *c, struct diag *d);
/*
 * Whether next may follow c: the same network, the next version, c's hash and
 * authorities, a later start; what fixes sizes and clocks unchanged; the same
 * gateway; no node number with another identity, role or layer, or below those
 * given out. ERR_CHAIN with a sentence. docs/protocol.md, "Succession".
 */
RST_MUST_USE enum err charter_follows(const struct charter *next, const struct charter *c,
    struct diag *d);

/* ---- changing a draft (restante-charter) ---- */

/* Fill in what follows from nodes and layers: the layer of what is no mix, params.mixes. */
void charter_derive(struct charter *c);
/* After any change: derive, drop the signatures, which no longer hold, and take the hash anew. */
RST_MUST_USE enum err charter_changed(struct charter *c);
/* Insert a node, keeping order; its number is above last_number. ERR_EXISTS, ERR_FULL. */
RST_MUST_USE enum err charter_add_node(struct charter *c, const struct charter_node *n);
/* Give the node with n's identity and role n's link key and addresses. ERR_NOT_FOUND. */
RST_MUST_USE enum err charter_change_node(struct charter *c, const struct charter_node *n);
RST_MUST_USE enum err charter_remove_node(struct charter *c, uint16_t number);
RST_MUST_USE enum err charter_add_authority(struct charter *c, const uint8_t pk[static 32]);
RST_MUST_USE enum err charter_remove_authority(struct charter *c, const uint8_t pk[static 32]);
/* Whether a key is one of this charter's, or of its predecessor's, authorities. */
bool charter_is_authority(const struct charter *c, const uint8_t pk[static 32]);
bool charter_is_former(const struct charter *c, const uint8_t pk[static 32]);
/*
 * Hold one more signature that was verified; one by a signer who is held
 * already counts once. ERR_NOT_FOUND if the signer is no authority.
 */
RST_MUST_USE enum err charter_hold(struct charter *c, const struct charter_signature *s);
/* Sign with an authority's key and hold it: ERR_NOT_FOUND, ERR_EXISTS. */
RST_MUST_USE enum err charter_sign(struct charter *c, const uint8_t sk[static 64]);
/* The draft of the version after c, with c's parameters, nodes and authorities. */
RST_MUST_USE enum err charter_successor(struct charter **out, const struct charter *c,
    uint32_t from_epoch);

#endif

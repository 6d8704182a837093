/*
 * The onion packet: docs/protocol.md, "The onion packet". Pure.
 *
 * All sizes come from one geometry: the record size and the number of layers
 * of the charter. `layer` is 0 at the first mix and hops-1 at the gateway.
 */
#ifndef COMMON_CRYPTO_ONION_H
#define COMMON_CRYPTO_ONION_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/rng.h"

#define ONION_SUITE_X25519 1
#define ONION_KEY_BYTES 32	/* public and secret keys of suite 1 */
#define ONION_CT_BYTES 32	/* KEM ciphertext */
#define ONION_AEAD_BYTES 16	/* Poly1305 tag */
#define ONION_ROUTE_BYTES 8	/* R_i */
#define ONION_REPLAY_TAG_BYTES 16
#define ONION_STAMP_BYTES 64
#define ONION_COMMAND_HEADER_BYTES 4 /* kind, 0, mailbox */
#define ONION_LAYERS_MAX 8	     /* mixes on a path */
#define ONION_HOPS_MAX (ONION_LAYERS_MAX + 1)
#define ONION_RECORD_MIN 1024
#define ONION_RECORD_MAX 16384
#define ONION_PACKET_MAX \
	(ONION_RECORD_MAX + 68 + ONION_HOPS_MAX * 48 + ONION_LAYERS_MAX * 8)

enum onion_kind {
	ONION_DROP = 0,
	ONION_DEPOSIT = 1,
	ONION_NOTE = 2,
};

/* What the gateway finds in the innermost layer. */
struct onion_command {
	enum onion_kind kind;
	uint16_t mailbox;
	uint8_t stamp[ONION_STAMP_BYTES];
	const uint8_t *body; /* record_size bytes; NULL when building a drop: zeros */
};

struct onion_geometry {
	uint16_t record_size;
	uint8_t layers; /* mixes on a path; hops = layers + 1 */
};

/* ERR_RANGE unless the sizes are within the limits above. */
RST_MUST_USE enum err onion_geometry_check(const struct onion_geometry *g);
/* Bytes of the packet as it arrives at a layer (0..layers). */
size_t onion_packet_bytes(const struct onion_geometry *g, unsigned layer);
/* Bytes of a command: 68 + record_size. */
size_t onion_command_bytes(const struct onion_geometry *g);

/* One hop as the builder sees it. */
struct onion_hop {
	uint16_t node;			/* number in the charter */
	uint32_t delay_ms;		/* stop-and-go mixing, else 0 */
	uint8_t pk[ONION_KEY_BYTES];	/* epoch key from the sheet */
};

/*
 * Build a packet for hops[0..layers] (the last is the gateway) into out
 * (onion_packet_bytes(g, 0) bytes). keys is the source of key material.
 * ERR_CRYPTO if a hop's key is degenerate, ERR_USAGE for a command that the
 * gateway would not parse or a deposit without a body, ERR_RANGE for a geometry
 * outside the limits.
 */
RST_MUST_USE enum err onion_build(uint8_t *out, const struct onion_geometry *g, uint32_t epoch,
    const uint8_t sheet_hash[static 32], const struct onion_hop *hops,
    const struct onion_command *command, const struct rng *keys);

/* A node's key for one epoch, as unwrap needs it. */
struct onion_node_key {
	uint32_t epoch;
	uint8_t layer;
	uint8_t pk[ONION_KEY_BYTES];
	uint8_t sheet_hash[32];
	const uint8_t *sk; /* ONION_KEY_BYTES in secret memory, borrowed */
};

/*
 * One packet on its way through a node. `packet` is borrowed and is decrypted
 * in place where possible; after ONION_OPENED, `inner` points to what remains:
 * the packet for the next layer, or the command at the gateway.
 */
enum onion_verdict {
	ONION_PENDING,	   /* tag is derived, the AEAD not yet opened */
	ONION_OPENED,
	ONION_BAD_POINT,   /* low order */
	ONION_BAD_AEAD,
	ONION_BAD_RESERVED, /* reserved bytes not zero */
	ONION_FORGOTTEN	    /* by onion_forget: a replay */
};

struct onion_job {
	uint8_t *packet; /* onion_packet_bytes(g, layer) bytes, modified */
	enum onion_verdict verdict;
	uint8_t tag[ONION_REPLAY_TAG_BYTES]; /* replay tag */
	uint8_t *inner;
	uint16_t next_node;  /* 0 at the gateway */
	uint32_t delay_ms;
	uint8_t key[32];     /* between the two steps; wiped by onion_open */
};

/*
 * Step 1 for a batch of n jobs under one key: KEM and KDF. Afterwards each job
 * is ONION_PENDING with its replay tag, or ONION_BAD_POINT. The caller looks
 * the tags up; replays need no step 2 (call onion_forget on them).
 */
void onion_derive(struct onion_job *jobs, size_t n, const struct onion_geometry *g,
    const struct onion_node_key *key);
/* Step 2: open the AEAD of every job that is ONION_PENDING; wipes its key. */
void onion_open(struct onion_job *jobs, size_t n, const struct onion_geometry *g,
    const struct onion_node_key *key);
/* Wipe the key of a job; if it was pending, onion_open leaves it alone from now on. */
void onion_forget(struct onion_job *job);

/*
 * Parse an opened gateway layer. ERR_MALFORMED if a reserved byte, the kind or
 * unused bytes are wrong (unused: mailbox and stamp of a drop and of a note, the
 * body of a drop, all of a note's body past its first 8 bytes). out->body borrows
 * from inner.
 */
RST_MUST_USE enum err onion_command_parse(struct onion_command *out,
    const struct onion_geometry *g, const uint8_t *inner);

#endif

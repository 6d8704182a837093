/*
 * A whole network in memory for tests: a signed charter, all secret keys, and
 * sheets with their epoch keys. The same seed gives the same network.
 */
#ifndef TESTS_LIB_NETWORK_H
#define TESTS_LIB_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/bytes.h"
#include "common/base/rng.h"
#include "common/charter/charter.h"
#include "common/charter/sheet.h"
#include "common/charter/succession.h"

#define NETWORK_AUTHORITIES 3
#define NETWORK_THRESHOLD 2

struct network_config {
	uint64_t seed;
	const struct params *params; /* NULL: the defaults */
	unsigned mixes_per_layer;    /* 0: one */
	bool registrar;		     /* one more node, behind the gateway */
	/*
	 * Node n listens at "unix:DIR/node-n" if unix_dir is given, else at
	 * 127.0.0.1, port base + n (base 0: 7000). The gateway's entrance is
	 * "unix:DIR/entrance", else the port base + 500; the registrar's "unix:DIR/tokens"
	 * or base + 501.
	 */
	const char *unix_dir;
	uint16_t port_base;
};

/* The secrets of the i-th node of the charter. */
struct network_keys {
	uint8_t identity_sk[64]; /* Ed25519 */
	uint8_t link_sk[32];	 /* X25519 */
};

struct network {
	struct charter *charter; /* signed by authorities 0 and 1; the founding one */
	struct succession *charters; /* it, and what network_succeed adds */
	struct buf text;	 /* its file */
	struct network_keys keys[CHARTER_NODES_MAX]; /* as charter->nodes */
	uint8_t authority_sk[NETWORK_AUTHORITIES][64];
	struct rng_seeded rng;	 /* where the keys came from; for further ones */
};

/* The epoch keys that belong to a sheet of network_sheet, as charter->nodes. */
struct network_epoch {
	struct sheet *sheet;
	uint8_t pk[CHARTER_NODES_MAX][32], sk[CHARTER_NODES_MAX][32];
};

/* Fails the test if anything goes wrong. Nodes: mixes from 1 on by layer, the gateway, the registrar. */
struct network *network_new(const struct network_config *cfg);
void network_free(struct network *n);
/* The keys of one more node and, but for its number, what a charter has of it. */
void network_keys_new(struct network_keys *k, struct charter_node *node, struct network *n,
    enum charter_role role, unsigned layer, const char *address);
/*
 * The next version from an epoch on, as `change` leaves it, signed and parsed;
 * charter_free. It is not yet in n->charters.
 */
struct charter *network_next(const struct network *n, uint32_t from_epoch,
    void (*change)(struct charter *next, void *arg), void *arg);
/* The same, added to n->charters; its file into text (may be NULL). */
const struct charter *network_succeed(struct network *n, struct buf *text, uint32_t from_epoch,
    void (*change)(struct charter *next, void *arg), void *arg);
/* The place of a node in charter->nodes and keys. */
size_t network_index(const struct network *n, uint16_t number);

/* Fresh epoch keys for all nodes and their sheet. */
struct network_epoch *network_epoch_new(struct network *n, uint32_t epoch);
void network_epoch_free(struct network_epoch *e);
/* Append a sheet as the gateway shows it, signed. */
void network_show(struct buf *out, const struct network *n, struct sheet *s);

#endif

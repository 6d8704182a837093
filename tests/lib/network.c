#include "config.h"

#include "tests/lib/network.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A test without its network is worth nothing: stop, loudly. */
static void
must(bool ok, const char *what, const struct diag *d)
{
	if (ok)
		return;
	(void)fprintf(stderr, "test network: %s: %s\n", what, d != NULL ? d->text : "failed");
	abort();
}

static void
make_address(char out[static CHARTER_ADDRESS_MAX], const struct network_config *cfg,
    uint16_t number)
{
	unsigned base = cfg->port_base != 0 ? cfg->port_base : 7000;
	int n;

	if (cfg->unix_dir != NULL)
		n = snprintf(out, CHARTER_ADDRESS_MAX, "unix:%s/node-%u", cfg->unix_dir, number);
	else
		n = snprintf(out, CHARTER_ADDRESS_MAX, "127.0.0.1:%u", base + number);
	must(n > 0 && n < CHARTER_ADDRESS_MAX, "address too long", NULL);
}

static void
make_entrance(char out[static CHARTER_ADDRESS_MAX], const struct network_config *cfg,
    enum charter_role role)
{
	unsigned base = cfg->port_base != 0 ? cfg->port_base : 7000;
	bool gateway = role == CHARTER_GATEWAY;
	int n;

	if (cfg->unix_dir != NULL)
		n = snprintf(out, CHARTER_ADDRESS_MAX, "unix:%s/%s", cfg->unix_dir,
		    gateway ? "entrance" : "tokens");
	else
		n = snprintf(out, CHARTER_ADDRESS_MAX, "127.0.0.1:%u", base + (gateway ? 500 : 501));
	must(n > 0 && n < CHARTER_ADDRESS_MAX, "address too long", NULL);
}

void
network_keys_new(struct network_keys *k, struct charter_node *node, struct network *n,
    enum charter_role role, unsigned layer, const char *address)
{
	uint8_t seed[32];

	*node = (struct charter_node){ .role = role, .layer = (uint8_t)layer };
	rng_bytes(&n->rng.rng, seed, sizeof(seed));
	crypto_sign_seed_keypair(node->identity, k->identity_sk, seed);
	rng_bytes(&n->rng.rng, k->link_sk, sizeof(k->link_sk));
	crypto_scalarmult_base(node->link, k->link_sk);
	(void)snprintf(node->address, sizeof(node->address), "%s", address);
}

static void
add_node(struct network *n, const struct network_config *cfg, enum charter_role role,
    unsigned layer)
{
	size_t i = n->charter->node_count;
	char address[CHARTER_ADDRESS_MAX];
	struct charter_node node;

	must(i < CHARTER_NODES_MAX, "too many nodes", NULL);
	make_address(address, cfg, (uint16_t)(i + 1));
	network_keys_new(&n->keys[i], &node, n, role, layer, address);
	node.number = (uint16_t)(i + 1);
	if (!charter_has_address(role))
		memset(node.address, 0, sizeof(node.address));
	if (charter_has_entrance(role))
		make_entrance(node.entrance, cfg, role);
	must(charter_add_node(n->charter, &node) == ERR_OK, "add a node", NULL);
}

static void
add_authorities(struct network *n)
{
	uint8_t seed[32], pk[32];

	for (size_t i = 0; i < NETWORK_AUTHORITIES; i++) {
		rng_bytes(&n->rng.rng, seed, sizeof(seed));
		crypto_sign_seed_keypair(pk, n->authority_sk[i], seed);
		must(charter_add_authority(n->charter, pk) == ERR_OK, "add an authority", NULL);
	}
	n->charter->threshold = NETWORK_THRESHOLD;
}

/* Sign, print, and parse again, so that what tests get went the whole way. Frees c. */
static struct charter *
seal(const struct network *n, struct buf *text, struct charter *c)
{
	struct charter *parsed;
	struct diag d;

	must(charter_changed(c) == ERR_OK, "take the hash", NULL);
	for (size_t i = 0; i < NETWORK_THRESHOLD; i++)
		must(charter_sign(c, n->authority_sk[i]) == ERR_OK, "sign", NULL);
	must(charter_print_signed(text, c) == ERR_OK, "print", NULL);
	must(charter_parse(&parsed, text->data, text->len, &d) == ERR_OK, "parse", &d);
	charter_free(c);
	return parsed;
}

struct charter *
network_next(const struct network *n, uint32_t from_epoch,
    void (*change)(struct charter *next, void *arg), void *arg)
{
	struct charter *next;
	struct buf text;

	must(charter_successor(&next, succession_latest(n->charters), from_epoch) == ERR_OK,
	    "succeed", NULL);
	if (change != NULL)
		change(next, arg);
	buf_init(&text);
	next = seal(n, &text, next);
	buf_release(&text);
	return next;
}

const struct charter *
network_succeed(struct network *n, struct buf *text, uint32_t from_epoch,
    void (*change)(struct charter *next, void *arg), void *arg)
{
	struct charter *next = network_next(n, from_epoch, change, arg);
	struct diag d;

	must(succession_add(n->charters, next, &d) == ERR_OK, "add a charter", &d);
	if (text != NULL)
		must(charter_print_signed(text, next) == ERR_OK, "print", NULL);
	charter_free(next);
	return succession_latest(n->charters);
}

struct network *
network_new(const struct network_config *cfg)
{
	struct network *n = calloc(1, sizeof(*n));
	unsigned mixes = cfg->mixes_per_layer != 0 ? cfg->mixes_per_layer : 1;
	struct charter *c = charter_new();

	must(n != NULL && c != NULL, "out of memory", NULL);
	n->charter = c;
	rng_seeded_init(&n->rng, cfg->seed);
	(void)snprintf(c->name, sizeof(c->name), "Test network");
	c->not_after_ms = (int64_t)4102444800000; /* the end of 2099 */
	if (cfg->params != NULL)
		c->params = *cfg->params;
	for (unsigned layer = 0; layer < c->params.layers; layer++)
		for (unsigned i = 0; i < mixes; i++)
			add_node(n, cfg, CHARTER_MIX, layer);
	add_node(n, cfg, CHARTER_GATEWAY, c->params.layers);
	if (cfg->registrar)
		add_node(n, cfg, CHARTER_REGISTRAR, CHARTER_NO_LAYER);
	add_authorities(n);
	buf_init(&n->text);
	n->charter = seal(n, &n->text, n->charter);
	must(succession_new(&n->charters, n->charter) == ERR_OK, "out of memory", NULL);
	return n;
}

void
network_free(struct network *n)
{
	if (n == NULL)
		return;
	succession_free(n->charters);
	charter_free(n->charter);
	buf_release(&n->text);
	free(n);
}

size_t
network_index(const struct network *n, uint16_t number)
{
	size_t i = 0;

	while (i < n->charter->node_count && n->charter->nodes[i].number != number)
		i++;
	must(i < n->charter->node_count, "no such node", NULL);
	return i;
}

struct network_epoch *
network_epoch_new(struct network *n, uint32_t epoch)
{
	const struct charter *c = n->charter;
	struct network_epoch *e = calloc(1, sizeof(*e));
	struct sheet *s = calloc(1, sizeof(*s));
	struct buf text;
	struct diag d;

	must(e != NULL && s != NULL, "out of memory", NULL);
	s->epoch = epoch;
	memcpy(s->charter_hash, c->hash, sizeof(s->charter_hash));
	s->ticket_key_count = sheet_ticket_keys(&c->params);
	for (size_t i = 0; i < c->node_count; i++) {
		struct announcement *a = &s->nodes[s->count];

		if (!charter_announces(&c->nodes[i]))
			continue;
		s->count++;
		rng_bytes(&n->rng.rng, e->sk[i], sizeof(e->sk[i]));
		crypto_scalarmult_base(e->pk[i], e->sk[i]);
		a->node = c->nodes[i].number;
		a->epoch = epoch;
		a->suite = c->params.suite;
		memcpy(a->pk, e->pk[i], sizeof(a->pk));
		announcement_sign(a, c->network_id, n->keys[i].identity_sk);
	}
	buf_init(&text);
	must(sheet_encode(&text, s) == ERR_OK, "encode a sheet", NULL);
	must(sheet_decode(&e->sheet, text.data, text.len, c, &d) == ERR_OK, "decode a sheet", &d);
	buf_release(&text);
	free(s);
	return e;
}

void
network_epoch_free(struct network_epoch *e)
{
	if (e == NULL)
		return;
	sheet_free(e->sheet);
	free(e);
}

void
network_show(struct buf *out, const struct network *n, struct sheet *s)
{
	const struct charter_node *gateway = charter_gateway(n->charter);
	uint8_t signature[SHEET_SIGNATURE_BYTES];

	must(sheet_encode(out, s) == ERR_OK, "encode a sheet", NULL);
	sheet_sign(signature, s, gateway->number, n->charter->network_id,
	    n->keys[network_index(n, gateway->number)].identity_sk);
	must(buf_append(out, signature, sizeof(signature), SIZE_MAX) == ERR_OK, "sign a sheet", NULL);
}

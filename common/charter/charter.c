#include "config.h"

#include "common/charter/charter.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/charter/timing.h"
#include "common/config/value.h"
#include "common/crypto/hash.h"
#include "common/crypto/hsid.h"

struct charter *
charter_new(void)
{
	struct charter *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->version = 1;
	params_default(&c->params);
	return c;
}

void
charter_free(struct charter *c)
{
	free(c);
}

/* ---- look-ups ---- */

bool
charter_in_force(const struct charter *c, int64_t wall_ms)
{
	return wall_ms <= c->not_after_ms &&
	    (c->version == 1 || timing_epoch(&c->params, wall_ms) >= c->from_epoch);
}

const struct charter_node *
charter_node(const struct charter *c, uint16_t number)
{
	for (size_t i = 0; i < c->node_count; i++)
		if (c->nodes[i].number == number)
			return &c->nodes[i];
	return NULL;
}

static const struct charter_node *
first_of(const struct charter *c, enum charter_role role)
{
	for (size_t i = 0; i < c->node_count; i++)
		if (c->nodes[i].role == role)
			return &c->nodes[i];
	return NULL;
}

const struct charter_node *
charter_gateway(const struct charter *c)
{
	return first_of(c, CHARTER_GATEWAY);
}

const struct charter_node *
charter_registrar(const struct charter *c)
{
	return first_of(c, CHARTER_REGISTRAR);
}

const char *
charter_role_text(enum charter_role role)
{
	static const char *const texts[] = { [CHARTER_MIX] = "mix", [CHARTER_GATEWAY] = "gateway",
		[CHARTER_REGISTRAR] = "registrar" };

	return texts[role];
}

bool
charter_has_address(enum charter_role role)
{
	return role != CHARTER_REGISTRAR;
}

bool
charter_has_entrance(enum charter_role role)
{
	return role != CHARTER_MIX;
}

bool
charter_announces(const struct charter_node *n)
{
	return n->role != CHARTER_REGISTRAR;
}

size_t
charter_announcers(const struct charter *c)
{
	size_t count = 0;

	for (size_t i = 0; i < c->node_count; i++)
		count += charter_announces(&c->nodes[i]) ? 1 : 0;
	return count;
}

size_t
charter_layer(const struct charter *c, unsigned layer, const struct charter_node **out, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < c->node_count; i++) {
		if (c->nodes[i].role != CHARTER_MIX || c->nodes[i].layer != layer)
			continue;
		if (n < max)
			out[n] = &c->nodes[i];
		n++;
	}
	return n;
}

/* The place of a key in a list of keys, or count. */
static size_t
key_index(const uint8_t (*keys)[32], size_t count, const uint8_t key[static 32])
{
	size_t i = 0;

	while (i < count && sodium_memcmp(keys[i], key, 32) != 0)
		i++;
	return i;
}

bool
charter_is_authority(const struct charter *c, const uint8_t pk[static 32])
{
	return key_index(c->authorities, c->authority_count, pk) < c->authority_count;
}

bool
charter_is_former(const struct charter *c, const uint8_t pk[static 32])
{
	return key_index(c->former, c->former_count, pk) < c->former_count;
}

/* ---- checks ---- */

static bool
name_ok(const char name[static CHARTER_NAME_MAX])
{
	size_t n = strnlen(name, CHARTER_NAME_MAX);

	if (n == 0 || n == CHARTER_NAME_MAX || name[0] == ' ' || name[n - 1] == ' ')
		return false;
	for (size_t i = 0; i < n; i++)
		if (name[i] < 0x20 || name[i] > 0x7e)
			return false;
	return true;
}

bool
charter_key_usable(const uint8_t pk[static 32])
{
	static const uint8_t scalar[32] = { 8 };
	uint8_t out[32];

	return crypto_scalarmult(out, scalar, pk) == 0;
}

static bool
address_ok(const char address[static CHARTER_ADDRESS_MAX])
{
	return memchr(address, '\0', CHARTER_ADDRESS_MAX) != NULL &&
	    config_address(address) == ERR_OK;
}

/* Nodes reach each other without tor; clients may come through it. */
static enum err
check_addresses(const struct charter_node *n, struct diag *d)
{
	bool address = charter_has_address(n->role), entrance = charter_has_entrance(n->role);

	if ((address && !address_ok(n->address)) || (entrance && !address_ok(n->entrance)))
		return diag_set(d, ERR_MALFORMED,
		    "node %u: an address is not host:port, [IPv6]:port or unix:/path", n->number);
	if (address && hsid_is_onion(n->address))
		return diag_set(d, ERR_MALFORMED,
		    "node %u: only an entrance can be an onion address", n->number);
	if (entrance && hsid_is_onion(n->entrance) && !hsid_is_address(n->entrance))
		return diag_set(d, ERR_MALFORMED, "node %u: the entrance's onion "
		    "address is mistyped, or not in lower case: copy it anew", n->number);
	return ERR_OK;
}

static enum err
check_node(const struct charter *c, const struct charter_node *n, struct diag *d)
{
	if (n->number == 0 || n->number > c->last_number)
		return diag_set(d, ERR_RANGE, "node %u: numbers go from 1 to last-number, %u",
		    n->number, c->last_number);
	if (n->role == CHARTER_MIX && n->layer >= c->params.layers)
		return diag_set(d, ERR_RANGE,
		    "node %u is in layer %u, but the layers go from 0 to %u: remove it, or set "
		    "layers",
		    n->number, n->layer, c->params.layers - 1u);
	if (n->role == CHARTER_GATEWAY && n->layer != c->params.layers)
		return diag_set(d, ERR_RANGE,
		    "node %u: a gateway's layer is the one after the mixes", n->number);
	if (n->role == CHARTER_REGISTRAR && n->layer != CHARTER_NO_LAYER)
		return diag_set(d, ERR_RANGE, "node %u: a registrar has no layer", n->number);
	if (crypto_core_ed25519_is_valid_point(n->identity) != 1)
		return diag_set(
		    d, ERR_CRYPTO, "node %u: its identity is not an Ed25519 key", n->number);
	if (!charter_key_usable(n->link))
		return diag_set(d, ERR_CRYPTO, "node %u: its link key is of low order", n->number);
	return check_addresses(n, d);
}

/* A node against those before it. */
static enum err
check_distinct(const struct charter *c, size_t i, struct diag *d)
{
	const struct charter_node *n = &c->nodes[i];

	for (size_t j = 0; j < i; j++) {
		const struct charter_node *o = &c->nodes[j];

		if (o->number >= n->number)
			return diag_set(
			    d, ERR_MALFORMED, "node %u: numbers must ascend", n->number);
		if (sodium_memcmp(o->identity, n->identity, 32) == 0 ||
		    sodium_memcmp(o->link, n->link, 32) == 0)
			return diag_set(d, ERR_MALFORMED,
			    "nodes %u and %u have the same key: every node makes its own",
			    o->number, n->number);
		if (o->role == n->role && n->role != CHARTER_MIX)
			return diag_set(d, ERR_RANGE, "nodes %u and %u are both %ss: a network has "
			    "%s one", o->number, n->number, charter_role_text(n->role),
			    n->role == CHARTER_GATEWAY ? "exactly" : "at most");
	}
	return ERR_OK;
}

/* Keys that ascend strictly are also distinct. */
static enum err
check_keys(const uint8_t (*keys)[32], size_t count, struct diag *d)
{
	for (size_t i = 0; i < count; i++) {
		if (crypto_core_ed25519_is_valid_point(keys[i]) != 1)
			return diag_set(
			    d, ERR_CRYPTO, "authority %zu is not an Ed25519 key", i + 1);
		if (i > 0 && memcmp(keys[i - 1], keys[i], 32) >= 0) /* public */
			return diag_set(d, ERR_MALFORMED,
			    "authority %zu is there twice, or not in ascending order", i + 1);
	}
	return ERR_OK;
}

static enum err
check_predecessor(const struct charter *c, struct diag *d)
{
	if (c->version == 0)
		return diag_set(d, ERR_RANGE, "the version must be at least 1");
	if (c->version == 1)
		return ERR_OK;
	if (c->from_epoch == 0)
		return diag_set(d, ERR_RANGE, "from-epoch must be at least 1");
	if (c->former_threshold == 0 || c->former_threshold > c->former_count)
		return diag_set(d, ERR_RANGE,
		    "the predecessor's threshold must be 1 to the number of its authorities, %zu",
		    c->former_count);
	return check_keys(c->former, c->former_count, d);
}

enum err
charter_check_draft(const struct charter *c, struct diag *d)
{
	enum err e;

	if (!name_ok(c->name))
		return diag_set(d, ERR_MALFORMED,
		    "the name must have 1 to %d printable ASCII characters, no space at either end",
		    CHARTER_NAME_MAX - 1);
	if (c->threshold == 0 || c->threshold > CHARTER_AUTHORITIES_MAX)
		return diag_set(
		    d, ERR_RANGE, "the threshold must be 1 to %d", CHARTER_AUTHORITIES_MAX);
	if ((e = check_predecessor(c, d)) != ERR_OK ||
	    (e = params_check(&c->params, d)) != ERR_OK ||
	    (e = check_keys(c->authorities, c->authority_count, d)) != ERR_OK)
		return e;
	for (size_t i = 0; i < c->node_count; i++)
		if ((e = check_node(c, &c->nodes[i], d)) != ERR_OK ||
		    (e = check_distinct(c, i, d)) != ERR_OK)
			return e;
	return ERR_OK;
}

enum err
charter_check(const struct charter *c, struct diag *d)
{
	enum err e = charter_check_draft(c, d);

	if (e != ERR_OK)
		return e;
	if (c->threshold > c->authority_count)
		return diag_set(d, ERR_RANGE,
		    "%u authorities must sign, but there are %zu: add authorities, or set "
		    "threshold",
		    c->threshold, c->authority_count);
	for (unsigned layer = 0; layer < c->params.layers; layer++)
		if (charter_layer(c, layer, NULL, 0) == 0)
			return diag_set(d, ERR_NOT_FOUND,
			    "layer %u has no mix: add one with add-node --layer %u", layer, layer);
	if (charter_gateway(c) == NULL)
		return diag_set(d, ERR_NOT_FOUND, "there is no gateway: add one with add-node");
	return ERR_OK;
}

enum err
charter_check_signatures(const struct charter *c, struct diag *d)
{
	if (c->signature_count < c->threshold)
		return diag_set(d, ERR_SIGNATURE,
		    "%zu of the authorities signed, but %u must: collect signatures with "
		    "restante-charter sign and combine", c->signature_count, c->threshold);
	if (c->former_signature_count < c->former_threshold)
		return diag_set(d, ERR_SIGNATURE,
		    "%zu of the predecessor's authorities signed, but %u must",
		    c->former_signature_count, c->former_threshold);
	return ERR_OK;
}

/* ---- succession ---- */

static bool
same_keys(const uint8_t (*a)[32], size_t a_count, const uint8_t (*b)[32], size_t b_count)
{
	return a_count == b_count && (a_count == 0 || sodium_memcmp(a, b, a_count * 32) == 0);
}

/* No number that was given out may come to mean another node. */
static enum err
check_numbers(const struct charter *next, const struct charter *c, struct diag *d)
{
	if (next->last_number < c->last_number)
		return diag_set(d, ERR_CHAIN, "last-number is below that of the version before");
	for (size_t i = 0; i < next->node_count; i++) {
		const struct charter_node *n = &next->nodes[i];
		const struct charter_node *o = charter_node(c, n->number);

		if (n->number > c->last_number)
			continue;
		if (o == NULL || sodium_memcmp(o->identity, n->identity, 32) != 0)
			return diag_set(d, ERR_CHAIN,
			    "node %u: its number belonged to another node: give a new one",
			    n->number);
		if (o->role != n->role || o->layer != n->layer)
			return diag_set(d, ERR_CHAIN,
			    "node %u: a number keeps its layer: give the node a new number",
			    n->number);
	}
	return ERR_OK;
}

/* What fixes the sizes on the wire and the clocks, which everybody shares for good. */
static const char *
changed_constant(const struct params *a, const struct params *b)
{
	const struct {
		const char *name;
		int64_t a, b;
	} constants[] = {
		{ "suite", a->suite, b->suite },
		{ "layers", a->layers, b->layers },
		{ "record-size", a->record_size, b->record_size },
		{ "pieces", a->pieces, b->pieces },
		{ "mailboxes", a->mailboxes, b->mailboxes },
		{ "slot", a->slot_ms, b->slot_ms },
		{ "round", a->round_ms, b->round_ms },
		{ "epoch", a->epoch_ms, b->epoch_ms },
		{ "grace", a->grace_ms, b->grace_ms },
		{ "retention", a->retention_ms, b->retention_ms },
		{ "time-scale", a->time_scale, b->time_scale },
	};

	for (size_t i = 0; i < sizeof(constants) / sizeof(constants[0]); i++)
		if (constants[i].a != constants[i].b)
			return constants[i].name;
	return NULL;
}

/* Every block is signed by the one gateway that the network began with. */
static enum err
check_gateway(const struct charter *next, const struct charter *c, struct diag *d)
{
	const struct charter_node *n = charter_gateway(next), *o = charter_gateway(c);

	if (n != NULL && o != NULL && n->number == o->number &&
	    sodium_memcmp(n->identity, o->identity, 32) == 0)
		return ERR_OK;
	return diag_set(d, ERR_CHAIN, "the gateway keeps its number and identity for a network's "
	    "life; its link key and addresses may change");
}

enum err
charter_follows(const struct charter *next, const struct charter *c, struct diag *d)
{
	const char *constant;
	enum err e;

	if (sodium_memcmp(next->network_id, c->network_id, 32) != 0)
		return diag_set(d, ERR_CHAIN, "the two charters belong to different networks");
	if (next->version != c->version + 1)
		return diag_set(d, ERR_CHAIN,
		    "version %" PRIu32 " does not follow version %" PRIu32, next->version,
		    c->version);
	if (sodium_memcmp(next->previous, c->hash, 32) != 0)
		return diag_set(d, ERR_CHAIN, "it names another charter as its predecessor");
	if (next->former_threshold != c->threshold ||
	    !same_keys(next->former, next->former_count, c->authorities, c->authority_count))
		return diag_set(
		    d, ERR_CHAIN, "it names other authorities than its predecessor has");
	if (next->from_epoch <= c->from_epoch)
		return diag_set(d, ERR_CHAIN, "from-epoch is not later than its predecessor's");
	constant = changed_constant(&next->params, &c->params);
	if (constant != NULL)
		return diag_set(d, ERR_CHAIN,
		    "%s is fixed for a network's life: found a new network instead", constant);
	e = check_gateway(next, c, d);
	return e == ERR_OK ? check_numbers(next, c, d) : e;
}

enum err
charter_successor(struct charter **out, const struct charter *c, uint32_t from_epoch)
{
	struct charter *next = malloc(sizeof(*next));
	enum err e;

	if (next == NULL)
		return ERR_MEMORY;
	*next = *c;
	next->version = c->version + 1;
	next->from_epoch = from_epoch;
	memcpy(next->previous, c->hash, sizeof(next->previous));
	next->former_threshold = c->threshold;
	next->former_count = c->authority_count;
	memcpy(next->former, c->authorities, sizeof(next->former));
	e = charter_changed(next);
	if (e != ERR_OK) {
		charter_free(next);
		return e;
	}
	*out = next;
	return ERR_OK;
}

/* ---- changing a draft ---- */

void
charter_derive(struct charter *c)
{
	memset(c->params.mixes, 0, sizeof(c->params.mixes));
	for (size_t i = 0; i < c->node_count; i++) {
		struct charter_node *n = &c->nodes[i];

		if (n->role == CHARTER_GATEWAY)
			n->layer = c->params.layers;
		else if (n->role == CHARTER_REGISTRAR)
			n->layer = CHARTER_NO_LAYER;
		else if (n->layer < PARAMS_LAYERS_MAX)
			c->params.mixes[n->layer]++;
	}
}

enum err
charter_changed(struct charter *c)
{
	struct buf text;
	enum err e;

	c->signature_count = c->former_signature_count = c->held_count = 0;
	memset(c->held, 0, sizeof(c->held));
	charter_derive(c);
	buf_init(&text);
	e = charter_print(&text, c);
	if (e == ERR_OK) {
		hash_256(c->hash, text.data, text.len);
		if (c->version == 1)
			memcpy(c->network_id, c->hash, sizeof(c->network_id));
	}
	buf_release(&text);
	return e;
}

enum err
charter_add_node(struct charter *c, const struct charter_node *n)
{
	if (n->number <= c->last_number)
		return ERR_EXISTS;
	if (c->node_count == CHARTER_NODES_MAX)
		return ERR_FULL;
	c->nodes[c->node_count++] = *n;
	c->last_number = n->number;
	return charter_changed(c);
}

enum err
charter_change_node(struct charter *c, const struct charter_node *n)
{
	for (size_t i = 0; i < c->node_count; i++) {
		struct charter_node *o = &c->nodes[i];

		if (o->role != n->role || sodium_memcmp(o->identity, n->identity, 32) != 0)
			continue;
		memcpy(o->link, n->link, sizeof(o->link));
		memcpy(o->address, n->address, sizeof(o->address));
		memcpy(o->entrance, n->entrance, sizeof(o->entrance));
		return charter_changed(c);
	}
	return ERR_NOT_FOUND;
}

enum err
charter_remove_node(struct charter *c, uint16_t number)
{
	size_t i = 0;

	while (i < c->node_count && c->nodes[i].number != number)
		i++;
	if (i == c->node_count)
		return ERR_NOT_FOUND;
	c->node_count--;
	memmove(&c->nodes[i], &c->nodes[i + 1], (c->node_count - i) * sizeof(c->nodes[0]));
	return charter_changed(c);
}

enum err
charter_add_authority(struct charter *c, const uint8_t pk[static 32])
{
	size_t i = 0;

	if (charter_is_authority(c, pk))
		return ERR_EXISTS;
	if (c->authority_count == CHARTER_AUTHORITIES_MAX)
		return ERR_FULL;
	while (i < c->authority_count && memcmp(c->authorities[i], pk, 32) < 0) /* public */
		i++;
	memmove(&c->authorities[i + 1], &c->authorities[i], (c->authority_count - i) * 32);
	memcpy(c->authorities[i], pk, 32);
	c->authority_count++;
	return charter_changed(c);
}

enum err
charter_remove_authority(struct charter *c, const uint8_t pk[static 32])
{
	size_t i = key_index(c->authorities, c->authority_count, pk);

	if (i == c->authority_count)
		return ERR_NOT_FOUND;
	c->authority_count--;
	memmove(&c->authorities[i], &c->authorities[i + 1], (c->authority_count - i) * 32);
	return charter_changed(c);
}

/* ---- signatures ---- */

enum err
charter_hold(struct charter *c, const struct charter_signature *s)
{
	bool own = charter_is_authority(c, s->authority);
	bool former = charter_is_former(c, s->authority);

	if (!own && !former)
		return ERR_NOT_FOUND;
	for (size_t i = 0; i < c->held_count; i++)
		if (sodium_memcmp(c->held[i].authority, s->authority, 32) == 0)
			return ERR_OK;
	if (c->held_count == CHARTER_SIGNATURES_MAX)
		return ERR_FULL;
	c->held[c->held_count++] = *s;
	c->signature_count += own ? 1 : 0;
	c->former_signature_count += former ? 1 : 0;
	return ERR_OK;
}

enum err
charter_sign(struct charter *c, const uint8_t sk[static 64])
{
	struct charter_signature s;
	size_t held = c->held_count;
	struct buf text;
	enum err e;

	crypto_sign_ed25519_sk_to_pk(s.authority, sk);
	if (!charter_is_authority(c, s.authority) && !charter_is_former(c, s.authority))
		return ERR_NOT_FOUND;
	buf_init(&text);
	e = charter_print(&text, c);
	if (e == ERR_OK) {
		crypto_sign_detached(s.signature, NULL, text.data, text.len, sk);
		e = charter_hold(c, &s);
	}
	buf_release(&text);
	if (e == ERR_OK && c->held_count == held)
		return ERR_EXISTS;
	return e;
}

#include "config.h"

#include "common/charter/sheet.h"

#include <assert.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/charter/timing.h"
#include "common/crypto/hash.h"

#define SIGN_LABEL "restante/announce/1"
#define SIGNED_BYTES (2 + 4 + 1 + 32) /* of an announcement: all but the signature */
#define MESSAGE_BYTES (sizeof(SIGN_LABEL) - 1 + 32 + SIGNED_BYTES)
#define SHOWN_LABEL "restante/sheet/1"
#define SHOWN_MESSAGE_BYTES (sizeof(SHOWN_LABEL) - 1 + 32 + 2 + 4 + 32)

static_assert(SHEET_TICKET_KEYS_MAX >= PARAMS_EPOCH_HOURS_MAX, "a ticket key for every hour");
static_assert(ANNOUNCEMENT_BYTES == SIGNED_BYTES + 64, "the signature ends an announcement");

/* ---- announcements ---- */

static void
write_signed(struct writer *w, const struct announcement *a)
{
	writer_u16(w, a->node);
	writer_u32(w, a->epoch);
	writer_u8(w, a->suite);
	writer_copy(w, a->pk, sizeof(a->pk));
}

/* What the node signs. */
static void
message(uint8_t out[static MESSAGE_BYTES], const struct announcement *a,
    const uint8_t network_id[static 32])
{
	struct writer w;

	writer_init(&w, out, MESSAGE_BYTES);
	writer_copy(&w, SIGN_LABEL, sizeof(SIGN_LABEL) - 1);
	writer_copy(&w, network_id, 32);
	write_signed(&w, a);
	assert(writer_ok(&w) && w.used == MESSAGE_BYTES);
}

void
announcement_sign(struct announcement *a, const uint8_t network_id[static 32],
    const uint8_t identity_sk[static 64])
{
	uint8_t m[MESSAGE_BYTES];

	message(m, a, network_id);
	crypto_sign_detached(a->signature, NULL, m, sizeof(m), identity_sk);
}

void
announcement_encode(uint8_t out[static ANNOUNCEMENT_BYTES], const struct announcement *a)
{
	struct writer w;

	writer_init(&w, out, ANNOUNCEMENT_BYTES);
	write_signed(&w, a);
	writer_copy(&w, a->signature, sizeof(a->signature));
	assert(writer_ok(&w) && w.used == ANNOUNCEMENT_BYTES);
}

enum err
announcement_decode(struct announcement *out, const uint8_t in[static ANNOUNCEMENT_BYTES],
    const struct charter *c)
{
	const struct charter_node *node;
	struct announcement a;
	uint8_t m[MESSAGE_BYTES];
	struct reader r;

	reader_init(&r, in, ANNOUNCEMENT_BYTES);
	a.node = reader_u16(&r);
	a.epoch = reader_u32(&r);
	a.suite = reader_u8(&r);
	reader_copy(&r, a.pk, sizeof(a.pk));
	reader_copy(&r, a.signature, sizeof(a.signature));
	if (reader_end(&r) != ERR_OK || a.suite != c->params.suite)
		return ERR_MALFORMED;
	node = charter_node(c, a.node);
	if (node == NULL || !charter_announces(node))
		return ERR_NOT_FOUND;
	message(m, &a, c->network_id);
	if (crypto_sign_verify_detached(a.signature, m, sizeof(m), node->identity) != 0)
		return ERR_SIGNATURE;
	if (!charter_key_usable(a.pk))
		return ERR_MALFORMED;
	*out = a;
	return ERR_OK;
}

/* ---- sheets ---- */

size_t
sheet_ticket_keys(const struct params *p)
{
	return (size_t)(p->epoch_ms / params_scaled(p, TIMING_DAY_MS / 24));
}

void
sheet_free(struct sheet *s)
{
	free(s);
}

const struct announcement *
sheet_node(const struct sheet *s, uint16_t node)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->nodes[i].node == node)
			return &s->nodes[i];
	return NULL;
}

enum err
sheet_encode(struct buf *out, struct sheet *s)
{
	size_t n = 4 + 32 + 2 + s->count * ANNOUNCEMENT_BYTES + s->ticket_key_count * 32 + 32;
	uint8_t *space;
	struct writer w;
	enum err e;

	if (s->count > CHARTER_NODES_MAX || s->ticket_key_count > SHEET_TICKET_KEYS_MAX)
		return ERR_RANGE;
	e = buf_reserve(out, n, out->len + SHEET_BYTES_MAX, &space);
	if (e != ERR_OK)
		return e;
	writer_init(&w, space, n);
	writer_u32(&w, s->epoch);
	writer_copy(&w, s->charter_hash, sizeof(s->charter_hash));
	writer_u16(&w, (uint16_t)s->count);
	for (size_t i = 0; i < s->count && writer_ok(&w); i++)
		announcement_encode(writer_space(&w, ANNOUNCEMENT_BYTES), &s->nodes[i]);
	writer_copy(&w, s->ticket_keys, s->ticket_key_count * 32);
	writer_copy(&w, s->stamp_key, sizeof(s->stamp_key));
	assert(writer_ok(&w) && w.used == n);
	hash_256(s->hash, space, n);
	out->len += n;
	return ERR_OK;
}

/* The i-th announcement, which must follow the one before it. */
static enum err
decode_node(struct sheet *s, size_t i, const uint8_t *in, const struct charter *c, struct diag *d)
{
	struct announcement *a = &s->nodes[i];
	enum err e = announcement_decode(a, in, c);

	if (e != ERR_OK)
		return diag_set(d, e, "the sheet's announcement %zu: %s", i + 1, err_text(e));
	if (a->epoch != s->epoch)
		return diag_set(d, ERR_EPOCH, "the sheet's announcement %zu is for epoch %" PRIu32
		    ", not %" PRIu32, i + 1, a->epoch, s->epoch);
	if (i > 0 && a->node <= s->nodes[i - 1].node)
		return diag_set(d, ERR_MALFORMED, "the sheet's announcements are not in order");
	return ERR_OK;
}

/* Every layer, the gateway's included, must have a node. */
static enum err
check_layers(const struct sheet *s, const struct charter *c, struct diag *d)
{
	bool seen[PARAMS_LAYERS_MAX + 1] = { false };

	for (size_t i = 0; i < s->count; i++) {
		const struct charter_node *node = charter_node(c, s->nodes[i].node);

		if (node != NULL)
			seen[node->layer] = true;
	}
	for (unsigned layer = 0; layer <= c->params.layers; layer++)
		if (!seen[layer])
			return diag_set(
			    d, ERR_NOT_FOUND, "the sheet has no node in layer %u", layer);
	return ERR_OK;
}

/* Everything but the nodes' layers and the hash. */
static enum err
decode(struct sheet *s, const void *in, size_t len, const struct charter *c, struct diag *d)
{
	struct reader r;
	enum err e;

	reader_init(&r, in, len);
	s->epoch = reader_u32(&r);
	reader_copy(&r, s->charter_hash, sizeof(s->charter_hash));
	s->count = reader_u16(&r);
	s->ticket_key_count = sheet_ticket_keys(&c->params);
	if (s->count > CHARTER_NODES_MAX || s->ticket_key_count > SHEET_TICKET_KEYS_MAX)
		return diag_set(
		    d, ERR_RANGE, "the sheet has more than %d nodes", CHARTER_NODES_MAX);
	if (reader_ok(&r) && sodium_memcmp(s->charter_hash, c->hash, 32) != 0)
		return diag_set(d, ERR_MALFORMED, "the sheet belongs to another charter");
	for (size_t i = 0; i < s->count && reader_ok(&r); i++) {
		const uint8_t *a = reader_view(&r, ANNOUNCEMENT_BYTES);

		if (a != NULL && (e = decode_node(s, i, a, c, d)) != ERR_OK)
			return e;
	}
	reader_copy(&r, s->ticket_keys, s->ticket_key_count * 32);
	reader_copy(&r, s->stamp_key, sizeof(s->stamp_key));
	e = reader_end(&r);
	return e == ERR_OK ? ERR_OK
			   : diag_set(d, e, "the sheet's length is wrong: %s", err_text(e));
}

enum err
sheet_decode(struct sheet **out, const void *in, size_t len, const struct charter *c,
    struct diag *d)
{
	struct sheet *s = calloc(1, sizeof(*s));
	enum err e;

	if (s == NULL)
		return diag_set(d, ERR_MEMORY, "out of memory");
	e = decode(s, in, len, c, d);
	if (e == ERR_OK)
		e = check_layers(s, c, d);
	if (e != ERR_OK) {
		sheet_free(s);
		return e;
	}
	hash_256(s->hash, in, len);
	*out = s;
	return ERR_OK;
}

enum err
sheet_read(struct sheet **out, const void *in, size_t len, const struct succession *s,
    struct diag *d)
{
	const struct charter *c;
	const uint8_t *hash;
	struct reader r;

	reader_init(&r, in, len);
	c = succession_at(s, reader_u32(&r));
	hash = reader_view(&r, 32);
	if (hash == NULL)
		return diag_set(d, ERR_TRUNCATED, "the sheet is cut off");
	if (c == NULL || succession_find(s, hash) == NULL)
		return diag_set(d, ERR_EPOCH, "the sheet belongs to a charter that is not known");
	return sheet_decode(out, in, len, c, d);
}

/* ---- as the gateway shows it ---- */

/* What the gateway signs. */
static void
shown_message(uint8_t out[static SHOWN_MESSAGE_BYTES], const uint8_t network_id[static 32],
    uint16_t gateway, uint32_t epoch, const uint8_t hash[static 32])
{
	struct writer w;

	writer_init(&w, out, SHOWN_MESSAGE_BYTES);
	writer_copy(&w, SHOWN_LABEL, sizeof(SHOWN_LABEL) - 1);
	writer_copy(&w, network_id, 32);
	writer_u16(&w, gateway);
	writer_u32(&w, epoch);
	writer_copy(&w, hash, 32);
	assert(writer_ok(&w) && w.used == SHOWN_MESSAGE_BYTES);
}

void
sheet_sign(uint8_t signature[static SHEET_SIGNATURE_BYTES], const struct sheet *s,
    uint16_t gateway, const uint8_t network_id[static 32], const uint8_t identity_sk[static 64])
{
	uint8_t m[SHOWN_MESSAGE_BYTES];

	shown_message(m, network_id, gateway, s->epoch, s->hash);
	crypto_sign_detached(signature, NULL, m, sizeof(m), identity_sk);
}

enum err
sheet_verify(uint16_t gateway, uint32_t epoch, const uint8_t hash[static 32],
    const uint8_t signature[static SHEET_SIGNATURE_BYTES], const uint8_t network_id[static 32],
    const uint8_t identity_pk[static 32])
{
	uint8_t m[SHOWN_MESSAGE_BYTES];

	shown_message(m, network_id, gateway, epoch, hash);
	if (crypto_sign_verify_detached(signature, m, sizeof(m), identity_pk) != 0)
		return ERR_SIGNATURE;
	return ERR_OK;
}

enum err
sheet_show_check(struct sheet_shown *out, const uint8_t *in, size_t len, const struct charter *c)
{
	const struct charter_node *gateway = charter_gateway(c);
	struct sheet_shown s;

	if (len < 4 + SHEET_SIGNATURE_BYTES)
		return ERR_TRUNCATED;
	if (gateway == NULL)
		return ERR_SIGNATURE;
	s.len = len - SHEET_SIGNATURE_BYTES;
	s.signature = in + s.len;
	s.epoch = load_u32(in);
	hash_256(s.hash, in, s.len);
	*out = s;
	return sheet_verify(gateway->number, s.epoch, s.hash, s.signature, c->network_id,
	    gateway->identity);
}

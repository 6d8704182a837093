#include "config.h"

#include "common/crypto/onion.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "common/base/bytes.h"
#include "common/crypto/x25519.h"

#define LABEL "restante/onion/1"
#define LABEL_BYTES (sizeof(LABEL) - 1)
#define SHEET_HASH_BYTES 32
/* What the KDF binds, in its order. */
#define INFO_BYTES (LABEL_BYTES + 1 + 4 + 1 + SHEET_HASH_BYTES + ONION_CT_BYTES + ONION_KEY_BYTES)
#define INFO_CT (INFO_BYTES - ONION_CT_BYTES - ONION_KEY_BYTES)
#define INFO_PK (INFO_BYTES - ONION_KEY_BYTES)

#define KDF_CONTEXT_AEAD "rst.aead"
#define KDF_CONTEXT_REPLAY "rst.rply"

#define COMMAND_FIXED_BYTES (ONION_COMMAND_HEADER_BYTES + ONION_STAMP_BYTES)
#define NOTE_BYTES 8

/* What a hop takes off the front of its packet and, behind it, a mix's route. */
#define HOP_BYTES (ONION_CT_BYTES + ONION_AEAD_BYTES)
#define STEP_BYTES (ONION_CT_BYTES + ONION_ROUTE_BYTES)

#define PACKET_BYTES(record, layers) \
	((record) + COMMAND_FIXED_BYTES + ((layers) + 1) * HOP_BYTES + (layers) * ONION_ROUTE_BYTES)

_Static_assert(PACKET_BYTES(4096, 3) == 4380, "the packet of the defaults");
_Static_assert(PACKET_BYTES(4096, 3) - PACKET_BYTES(4096, 2) == 56, "what each mix takes off");
_Static_assert(PACKET_BYTES(ONION_RECORD_MAX, ONION_LAYERS_MAX) == ONION_PACKET_MAX,
    "the largest packet");
_Static_assert(COMMAND_FIXED_BYTES == 68, "a command is 68 bytes and a record");
_Static_assert(ONION_ROUTE_BYTES == 2 + 2 + 4, "next node, reserved, delay");
_Static_assert(INFO_BYTES == 118, "the KDF's input fits one BLAKE2b block");
_Static_assert(ONION_KEY_BYTES == crypto_scalarmult_BYTES &&
	ONION_KEY_BYTES == crypto_scalarmult_SCALARBYTES && ONION_CT_BYTES == crypto_scalarmult_BYTES,
    "suite 1 is X25519");
_Static_assert(ONION_AEAD_BYTES == crypto_aead_chacha20poly1305_ietf_ABYTES, "Poly1305 tag");
_Static_assert(crypto_aead_chacha20poly1305_ietf_KEYBYTES == 32 && crypto_kdf_KEYBYTES == 32,
    "32-byte keys throughout");
_Static_assert(ONION_REPLAY_TAG_BYTES >= crypto_kdf_BYTES_MIN, "crypto_kdf can make the tag");
_Static_assert(sizeof(KDF_CONTEXT_AEAD) - 1 == crypto_kdf_CONTEXTBYTES &&
	sizeof(KDF_CONTEXT_REPLAY) - 1 == crypto_kdf_CONTEXTBYTES,
    "contexts of crypto_kdf");

/* Every key seals one message only, so that the nonce may stand still. */
static const uint8_t nonce_zero[crypto_aead_chacha20poly1305_ietf_NPUBBYTES] = { 0 };

enum err
onion_geometry_check(const struct onion_geometry *g)
{
	if (g->record_size < ONION_RECORD_MIN || g->record_size > ONION_RECORD_MAX ||
	    g->layers < 1 || g->layers > ONION_LAYERS_MAX)
		return ERR_RANGE;
	return ERR_OK;
}

size_t
onion_packet_bytes(const struct onion_geometry *g, unsigned layer)
{
	assert(layer <= g->layers);
	return PACKET_BYTES((size_t)g->record_size, (size_t)g->layers - layer);
}

size_t
onion_command_bytes(const struct onion_geometry *g)
{
	return COMMAND_FIXED_BYTES + (size_t)g->record_size;
}

/* ---- key derivation ---- */

static void
info_init(uint8_t info[static INFO_BYTES], uint32_t epoch, unsigned layer,
    const uint8_t sheet_hash[static SHEET_HASH_BYTES])
{
	struct writer w;

	writer_init(&w, info, INFO_CT);
	writer_copy(&w, LABEL, LABEL_BYTES);
	writer_u8(&w, ONION_SUITE_X25519);
	writer_u32(&w, epoch);
	writer_u8(&w, (uint8_t)layer);
	writer_copy(&w, sheet_hash, SHEET_HASH_BYTES);
	assert(writer_ok(&w) && w.used == INFO_CT);
}

/* From a shared secret and what it is bound to: the AEAD key and, if wanted, the replay tag. */
static void
derive_keys(uint8_t key[static 32], uint8_t *tag, const uint8_t shared[static 32],
    const uint8_t info[static INFO_BYTES])
{
	uint8_t m[crypto_kdf_KEYBYTES];

	(void)crypto_generichash_blake2b(m, sizeof(m), info, INFO_BYTES, shared, 32);
	(void)crypto_kdf_derive_from_key(key, 32, 1, KDF_CONTEXT_AEAD, m);
	if (tag != NULL)
		(void)crypto_kdf_derive_from_key(tag, ONION_REPLAY_TAG_BYTES, 2,
		    KDF_CONTEXT_REPLAY, m);
	sodium_memzero(m, sizeof(m));
}

/* ---- commands ---- */

/* Takes the same time wherever a byte is set, and little of it. */
static bool
all_zero(const uint8_t *p, size_t n)
{
	uint8_t seen = 0;

	for (size_t i = 0; i < n; i++)
		seen |= p[i];
	return seen == 0;
}

static bool
unused_is_zero(const struct onion_command *c, const struct onion_geometry *g)
{
	size_t used = 0;

	switch (c->kind) {
	case ONION_DEPOSIT:
		return true;
	case ONION_NOTE:
		used = NOTE_BYTES;
		break;
	case ONION_DROP:
		break;
	}
	return c->mailbox == 0 && all_zero(c->stamp, sizeof(c->stamp)) &&
	    (c->body == NULL || all_zero(c->body + used, g->record_size - used));
}

static bool
kind_known(unsigned kind)
{
	return kind == ONION_DROP || kind == ONION_DEPOSIT || kind == ONION_NOTE;
}

static void
command_write(uint8_t *out, const struct onion_geometry *g, const struct onion_command *c)
{
	struct writer w;

	writer_init(&w, out, onion_command_bytes(g));
	writer_u8(&w, (uint8_t)c->kind);
	writer_u8(&w, 0);
	writer_u16(&w, c->mailbox);
	writer_copy(&w, c->stamp, sizeof(c->stamp));
	if (c->body != NULL)
		writer_copy(&w, c->body, g->record_size);
	writer_pad(&w);
	assert(writer_ok(&w));
}

enum err
onion_command_parse(struct onion_command *out, const struct onion_geometry *g, const uint8_t *inner)
{
	struct onion_command c;
	struct reader r;
	unsigned kind;

	reader_init(&r, inner, onion_command_bytes(g));
	kind = reader_u8(&r);
	reader_zeros(&r, 1);
	c.mailbox = reader_u16(&r);
	reader_copy(&r, c.stamp, sizeof(c.stamp));
	c.body = reader_view(&r, g->record_size);
	if (reader_end(&r) != ERR_OK || !kind_known(kind))
		return ERR_MALFORMED;
	c.kind = (enum onion_kind)kind;
	if (!unused_is_zero(&c, g))
		return ERR_MALFORMED;
	*out = c;
	return ERR_OK;
}

/* ---- building ---- */

/* What the builder makes for each hop before it writes anything. */
struct seals {
	uint8_t ct[ONION_HOPS_MAX][ONION_CT_BYTES];
	uint8_t key[ONION_HOPS_MAX][32];
};

/* A fresh KEM ciphertext and key for each hop. */
static enum err
seals_make(struct seals *s, const struct onion_hop *hops, size_t n, uint32_t epoch,
    const uint8_t sheet_hash[static SHEET_HASH_BYTES], const struct rng *keys)
{
	uint8_t secret[ONION_HOPS_MAX][ONION_KEY_BYTES], shared[ONION_HOPS_MAX][32];
	const uint8_t *scalars[ONION_HOPS_MAX] = { NULL }, *points[ONION_HOPS_MAX] = { NULL };
	bool ok[ONION_HOPS_MAX];
	uint8_t info[INFO_BYTES];
	enum err e = ERR_OK;

	for (size_t i = 0; i < n; i++) {
		rng_bytes(keys, secret[i], sizeof(secret[i]));
		(void)crypto_scalarmult_base(s->ct[i], secret[i]);
		scalars[i] = secret[i];
		points[i] = hops[i].pk;
	}
	x25519_batch(shared, ok, scalars, points, n);
	for (size_t i = 0; i < n; i++) {
		if (!ok[i])
			e = ERR_CRYPTO;
		info_init(info, epoch, (unsigned)i, sheet_hash);
		memcpy(info + INFO_CT, s->ct[i], ONION_CT_BYTES);
		memcpy(info + INFO_PK, hops[i].pk, ONION_KEY_BYTES);
		derive_keys(s->key[i], NULL, shared[i], info);
	}
	sodium_memzero(secret, sizeof(secret));
	sodium_memzero(shared, sizeof(shared));
	return e;
}

static void
route_write(uint8_t out[static ONION_ROUTE_BYTES], uint16_t next_node, uint32_t delay_ms)
{
	store_u16(out, next_node);
	store_u16(out + 2, 0);
	store_u32(out + 4, delay_ms);
}

/* Put the layer of one hop around what lies at layer + ONION_CT_BYTES already. */
static void
seal_layer(uint8_t *layer, const struct onion_geometry *g, const struct seals *s, size_t i)
{
	size_t len = onion_packet_bytes(g, (unsigned)i) - HOP_BYTES;
	uint8_t *text = layer + ONION_CT_BYTES;

	memcpy(layer, s->ct[i], ONION_CT_BYTES);
	(void)crypto_aead_chacha20poly1305_ietf_encrypt_detached(text, text + len, NULL, text, len,
	    NULL, 0, NULL, nonce_zero, s->key[i]);
}

/*
 * Every layer begins STEP_BYTES after the one around it and ends ONION_AEAD_BYTES
 * before, so that the packet grows outwards from the command and nothing moves.
 */
enum err
onion_build(uint8_t *out, const struct onion_geometry *g, uint32_t epoch,
    const uint8_t sheet_hash[static 32], const struct onion_hop *hops,
    const struct onion_command *command, const struct rng *keys)
{
	struct seals s;
	size_t last = g->layers;
	enum err e = onion_geometry_check(g);

	if (e != ERR_OK)
		return e;
	if (!kind_known((unsigned)command->kind) || !unused_is_zero(command, g) ||
	    (command->kind == ONION_DEPOSIT && command->body == NULL))
		return ERR_USAGE;
	e = seals_make(&s, hops, last + 1, epoch, sheet_hash, keys);
	if (e == ERR_OK) {
		command_write(out + last * STEP_BYTES + ONION_CT_BYTES, g, command);
		seal_layer(out + last * STEP_BYTES, g, &s, last);
		for (size_t i = last; i-- > 0;) {
			route_write(out + i * STEP_BYTES + ONION_CT_BYTES, hops[i + 1].node,
			    hops[i].delay_ms);
			seal_layer(out + i * STEP_BYTES, g, &s, i);
		}
	}
	sodium_memzero(&s, sizeof(s));
	return e;
}

/* ---- unwrapping ---- */

/* Jobs whose curve operations are handed over together. */
#define DERIVE_CHUNK 32

static void
derive_chunk(struct onion_job *jobs, size_t n, uint8_t info[static INFO_BYTES],
    const struct onion_node_key *key)
{
	uint8_t shared[DERIVE_CHUNK][32];
	const uint8_t *scalars[DERIVE_CHUNK] = { NULL }, *points[DERIVE_CHUNK] = { NULL };
	bool ok[DERIVE_CHUNK];

	for (size_t i = 0; i < n; i++) {
		scalars[i] = key->sk;
		points[i] = jobs[i].packet;
	}
	x25519_batch(shared, ok, scalars, points, n);
	for (size_t i = 0; i < n; i++) {
		jobs[i].verdict = ok[i] ? ONION_PENDING : ONION_BAD_POINT;
		jobs[i].inner = NULL;
		jobs[i].next_node = 0;
		jobs[i].delay_ms = 0;
		if (!ok[i])
			continue;
		memcpy(info + INFO_CT, jobs[i].packet, ONION_CT_BYTES);
		derive_keys(jobs[i].key, jobs[i].tag, shared[i], info);
	}
	sodium_memzero(shared, sizeof(shared));
}

void
onion_derive(struct onion_job *jobs, size_t n, const struct onion_geometry *g,
    const struct onion_node_key *key)
{
	uint8_t info[INFO_BYTES];

	(void)g; /* the ciphertext stands first in every geometry */
	info_init(info, key->epoch, key->layer, key->sheet_hash);
	memcpy(info + INFO_PK, key->pk, ONION_KEY_BYTES);
	for (size_t i = 0; i < n; i += DERIVE_CHUNK) {
		size_t left = n - i;

		derive_chunk(jobs + i, left < DERIVE_CHUNK ? left : DERIVE_CHUNK, info, key);
	}
}

/* Take a mix's route off the front of an opened layer. */
static enum onion_verdict
read_route(struct onion_job *job, const uint8_t *text)
{
	if (load_u16(text + 2) != 0)
		return ONION_BAD_RESERVED;
	job->next_node = load_u16(text);
	job->delay_ms = load_u32(text + 4);
	return ONION_OPENED;
}

static void
open_one(struct onion_job *job, size_t packet_bytes, bool is_mix)
{
	uint8_t *text = job->packet + ONION_CT_BYTES;
	size_t len = packet_bytes - HOP_BYTES;
	int rc = crypto_aead_chacha20poly1305_ietf_decrypt_detached(text, NULL, text, len,
	    text + len, NULL, 0, nonce_zero, job->key);

	sodium_memzero(job->key, sizeof(job->key));
	job->verdict = rc != 0 ? ONION_BAD_AEAD : is_mix ? read_route(job, text) : ONION_OPENED;
	if (job->verdict == ONION_OPENED)
		job->inner = text + (is_mix ? ONION_ROUTE_BYTES : 0);
}

void
onion_open(struct onion_job *jobs, size_t n, const struct onion_geometry *g,
    const struct onion_node_key *key)
{
	size_t bytes = onion_packet_bytes(g, key->layer);

	for (size_t i = 0; i < n; i++)
		if (jobs[i].verdict == ONION_PENDING)
			open_one(&jobs[i], bytes, key->layer < g->layers);
}

void
onion_forget(struct onion_job *job)
{
	sodium_memzero(job->key, sizeof(job->key));
	if (job->verdict == ONION_PENDING)
		job->verdict = ONION_FORGOTTEN;
}

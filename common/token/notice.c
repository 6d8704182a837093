#include "config.h"

#include "common/token/notice.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "common/crypto/hash.h"
#include "common/token/allotment.h"

#define LABEL "restante/issuer/1"
#define MESSAGE_BYTES (sizeof(LABEL) - 1 + 32 + 2 + 4 + 32)

/* What the gateway signs. */
static void
message(uint8_t out[static MESSAGE_BYTES], const uint8_t network_id[static 32], uint16_t gateway,
    uint32_t epoch, const uint8_t hash[static 32])
{
	struct writer w;

	writer_init(&w, out, MESSAGE_BYTES);
	writer_copy(&w, LABEL, sizeof(LABEL) - 1);
	writer_copy(&w, network_id, 32);
	writer_u16(&w, gateway);
	writer_u32(&w, epoch);
	writer_copy(&w, hash, 32);
	assert(writer_ok(&w) && w.used == MESSAGE_BYTES);
}

static size_t
signed_bytes(size_t hours)
{
	return 4 + (hours + 1) * VOPRF_ELEMENT_BYTES;
}

size_t
notice_bytes(const struct params *p)
{
	return signed_bytes(allotment_hours(p)) + NOTICE_SIGNATURE_BYTES;
}

enum err
notice_encode(struct buf *out, struct notice *n, uint16_t gateway,
    const uint8_t network_id[static 32], const uint8_t identity_sk[static 64])
{
	const struct issuer_keys *k = &n->keys;
	size_t len = signed_bytes(k->hours);
	uint8_t m[MESSAGE_BYTES], *space;
	struct writer w;
	enum err e;

	if (k->hours > PARAMS_EPOCH_HOURS_MAX)
		return ERR_RANGE;
	e = buf_reserve(out, len + NOTICE_SIGNATURE_BYTES, out->len + NOTICE_BYTES_MAX, &space);
	if (e != ERR_OK)
		return e;
	writer_init(&w, space, len + NOTICE_SIGNATURE_BYTES);
	writer_u32(&w, k->epoch);
	writer_copy(&w, k->tickets, k->hours * VOPRF_ELEMENT_BYTES);
	writer_copy(&w, k->stamp, sizeof(k->stamp));
	hash_256(n->hash, space, len);
	message(m, network_id, gateway, k->epoch, n->hash);
	crypto_sign_detached(n->signature, NULL, m, sizeof(m), identity_sk);
	writer_copy(&w, n->signature, sizeof(n->signature));
	assert(writer_ok(&w));
	out->len += w.used;
	return ERR_OK;
}

enum err
notice_verify(uint16_t gateway, uint32_t epoch, const uint8_t hash[static 32],
    const uint8_t signature[static NOTICE_SIGNATURE_BYTES], const uint8_t network_id[static 32],
    const uint8_t identity_pk[static 32])
{
	uint8_t m[MESSAGE_BYTES];

	message(m, network_id, gateway, epoch, hash);
	return crypto_sign_verify_detached(signature, m, sizeof(m), identity_pk) == 0 ?
	    ERR_OK : ERR_SIGNATURE;
}

static bool
keys_valid(const struct issuer_keys *k)
{
	for (size_t i = 0; i < k->hours; i++)
		if (!voprf_element_valid(k->tickets[i]))
			return false;
	return voprf_element_valid(k->stamp);
}

enum err
notice_decode(struct notice *out, const uint8_t *in, size_t len, const struct charter *c)
{
	const struct charter_node *gateway = charter_gateway(c);
	struct notice n = { .keys.hours = allotment_hours(&c->params) };
	struct reader r;
	enum err e;

	if (gateway == NULL || n.keys.hours > PARAMS_EPOCH_HOURS_MAX)
		return ERR_SIGNATURE;
	reader_init(&r, in, len);
	n.keys.epoch = reader_u32(&r);
	reader_copy(&r, n.keys.tickets, n.keys.hours * VOPRF_ELEMENT_BYTES);
	reader_copy(&r, n.keys.stamp, sizeof(n.keys.stamp));
	reader_copy(&r, n.signature, sizeof(n.signature));
	e = reader_end(&r);
	if (e != ERR_OK)
		return e;
	hash_256(n.hash, in, signed_bytes(n.keys.hours));
	e = notice_verify(gateway->number, n.keys.epoch, n.hash, n.signature, c->network_id,
	    gateway->identity);
	if (e == ERR_OK && !keys_valid(&n.keys))
		e = ERR_MALFORMED;
	if (e == ERR_OK)
		*out = n;
	return e;
}

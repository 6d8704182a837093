#include "config.h"

#include "common/crypto/record.h"

#include <sodium.h>
#include <string.h>

#include "common/base/bytes.h"
#include "common/crypto/hash.h"

#define AEAD_BYTES crypto_aead_xchacha20poly1305_ietf_ABYTES
#define NONCE_BYTES crypto_aead_xchacha20poly1305_ietf_NPUBBYTES

_Static_assert(RECORD_OVERHEAD == RECORD_E_BYTES + RECORD_TAG_BYTES + AEAD_BYTES,
    "a record is E, tag and one AEAD");
_Static_assert(RECORD_HEADER_BYTES ==
	1 + 1 + 2 + 8 + 8 + 4 + 4 + (8 + 8 + RECORD_ACK_MAP_BYTES) + 32 + 32 + 8 +
	    (8 + 32 + 64) + 4,
    "the header has no padding");

size_t
record_plaintext_bytes(size_t record_size)
{
	return record_size - RECORD_OVERHEAD;
}

size_t
record_content_max(size_t record_size)
{
	return record_plaintext_bytes(record_size) - RECORD_HEADER_BYTES;
}

static void
put_ack(struct writer *w, const struct record_ack *a)
{
	writer_u64(w, a->next_missing);
	writer_u64(w, a->highest_index);
	writer_copy(w, a->map, sizeof(a->map));
}

static void
put_header(struct writer *w, const struct record_header *h)
{
	writer_u8(w, RECORD_VERSION);
	writer_u8(w, (uint8_t)h->type);
	writer_u16(w, h->behind);
	writer_u64(w, h->number);
	writer_u64(w, h->message);
	writer_u32(w, h->fragment);
	writer_u32(w, h->of);
	put_ack(w, &h->ack);
	writer_copy(w, h->own_renewal, sizeof(h->own_renewal));
	writer_copy(w, h->fresh, sizeof(h->fresh));
	writer_copy(w, h->peer_renewal_id, sizeof(h->peer_renewal_id));
	writer_u64(w, h->epoch_block.round);
	writer_copy(w, h->epoch_block.hash, sizeof(h->epoch_block.hash));
	writer_copy(w, h->epoch_block.signature, sizeof(h->epoch_block.signature));
	writer_u32(w, h->length);
}

enum err
record_encode(uint8_t *plaintext, size_t record_size, const struct record_header *h,
    const void *content)
{
	struct writer w;

	if (h->length > record_content_max(record_size))
		return ERR_RANGE;
	writer_init(&w, plaintext, record_plaintext_bytes(record_size));
	put_header(&w, h);
	if (h->length > 0)
		writer_copy(&w, content, h->length);
	writer_pad(&w);
	return writer_end(&w);
}

static void
get_header(struct reader *r, struct record_header *h)
{
	h->type = reader_u8(r);
	h->behind = reader_u16(r);
	h->number = reader_u64(r);
	h->message = reader_u64(r);
	h->fragment = reader_u32(r);
	h->of = reader_u32(r);
	h->ack.next_missing = reader_u64(r);
	h->ack.highest_index = reader_u64(r);
	reader_copy(r, h->ack.map, sizeof(h->ack.map));
	reader_copy(r, h->own_renewal, sizeof(h->own_renewal));
	reader_copy(r, h->fresh, sizeof(h->fresh));
	reader_copy(r, h->peer_renewal_id, sizeof(h->peer_renewal_id));
	h->epoch_block.round = reader_u64(r);
	reader_copy(r, h->epoch_block.hash, sizeof(h->epoch_block.hash));
	reader_copy(r, h->epoch_block.signature, sizeof(h->epoch_block.signature));
	h->length = reader_u32(r);
}

/* What each type promises about its numbers. */
static bool
numbers_fit(const struct record_header *h)
{
	switch (h->type) {
	case RECORD_ACK:
		return h->behind == 0 && h->number == 0 && h->message == 0 && h->fragment == 0 &&
		    h->of == 0 && h->length == 0;
	case RECORD_TEXT:
	case RECORD_FILE:
		return h->number > h->behind && h->number <= RECORD_NUMBER_MAX &&
		    h->behind <= RECORD_ACK_MAP_BITS && h->message > 0 &&
		    h->message <= RECORD_NUMBER_MAX && h->fragment < h->of;
	}
	return false;
}

static enum err
decode(struct record_header *h, const uint8_t **body, const uint8_t *plaintext, size_t record_size)
{
	struct reader r;

	reader_init(&r, plaintext, record_plaintext_bytes(record_size));
	if (reader_u8(&r) != RECORD_VERSION)
		return ERR_VERSION;
	get_header(&r, h);
	if (h->length > record_content_max(record_size) || !numbers_fit(h))
		return ERR_MALFORMED;
	*body = reader_view(&r, h->length);
	reader_zeros(&r, record_content_max(record_size) - h->length);
	return reader_end(&r);
}

enum err
record_decode(struct record_header *out, const uint8_t **content, const uint8_t *plaintext,
    size_t record_size)
{
	struct record_header h;
	const uint8_t *body;
	enum err e = decode(&h, &body, plaintext, record_size);

	if (e == ERR_OK) {
		*out = h;
		*content = body;
	}
	sodium_memzero(&h, sizeof(h));
	return e;
}

enum err
record_seal_with(uint8_t *record, size_t record_size, const uint8_t e[static RECORD_E_BYTES],
    const uint8_t tag[static RECORD_TAG_BYTES], const uint8_t key[static 32],
    const uint8_t *plaintext)
{
	uint8_t nonce[NONCE_BYTES];
	struct hash_part part = { e, RECORD_E_BYTES };

	hash_parts(nonce, sizeof(nonce), &part, 1);
	memcpy(record, e, RECORD_E_BYTES);
	memcpy(record + RECORD_E_BYTES, tag, RECORD_TAG_BYTES);
	if (crypto_aead_xchacha20poly1305_ietf_encrypt(record + RECORD_E_BYTES + RECORD_TAG_BYTES,
		NULL, plaintext, record_plaintext_bytes(record_size), NULL, 0, NULL, nonce,
		key) != 0)
		return ERR_CRYPTO;
	return ERR_OK;
}

enum err
record_seal(uint8_t *record, size_t record_size, const uint8_t tag[static RECORD_TAG_BYTES],
    const uint8_t key[static 32], const uint8_t *plaintext, const struct rng *keys)
{
	uint8_t sk[32], e[RECORD_E_BYTES];
	enum err rc = ERR_CRYPTO;

	rng_bytes(keys, sk, sizeof(sk));
	if (crypto_scalarmult_base(e, sk) == 0)
		rc = record_seal_with(record, record_size, e, tag, key, plaintext);
	sodium_memzero(sk, sizeof(sk));
	return rc;
}

enum err
record_open(uint8_t *plaintext, const uint8_t *record, size_t record_size,
    const uint8_t key[static 32])
{
	uint8_t nonce[NONCE_BYTES];
	struct hash_part part = { record, RECORD_E_BYTES };
	const uint8_t *box = record + RECORD_E_BYTES + RECORD_TAG_BYTES;

	hash_parts(nonce, sizeof(nonce), &part, 1);
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(plaintext, NULL, NULL, box,
		record_plaintext_bytes(record_size) + AEAD_BYTES, NULL, 0, nonce, key) != 0)
		return ERR_CRYPTO;
	return ERR_OK;
}

const uint8_t *
record_tag(const uint8_t *record)
{
	return record + RECORD_E_BYTES;
}

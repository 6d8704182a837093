#include "config.h"

#include "common/journal/block.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "common/crypto/hash.h"

#define SIGN_LABEL "restante/block/1"
#define EPOCH_LABEL "restante/epoch-block/1"
#define MESSAGE_BYTES_MAX (sizeof(EPOCH_LABEL) - 1 + 32 + 2 + 8 + 32)
#define ENTRY_HEADER_BYTES (1 + 4)

static_assert(BLOCK_SIGNATURE_BYTES == crypto_sign_BYTES, "blocks are signed with Ed25519");

static bool
is_zero(const uint8_t hash[static 32])
{
	return sodium_is_zero(hash, 32) == 1;
}

/* ---- order ---- */

static bool
digests_ascend(const uint8_t *digests, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (memcmp(digests + (i - 1) * BLOCK_DIGEST_BYTES, digests + i * BLOCK_DIGEST_BYTES,
			BLOCK_DIGEST_BYTES) >= 0) /* public */
			return false;
	return true;
}

static uint16_t
mailbox_number(const uint8_t *mailboxes, size_t i)
{
	return load_u16(mailboxes + i * BLOCK_MAILBOX_BYTES);
}

static bool
mailboxes_ascend(const uint8_t *mailboxes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (load_u16(mailboxes + i * BLOCK_MAILBOX_BYTES + 2) == 0)
			return false;
		if (i > 0 && mailbox_number(mailboxes, i - 1) >= mailbox_number(mailboxes, i))
			return false;
	}
	return true;
}

/* What holds of every block; sets b->epoch_block. */
static enum err
check(struct block *b)
{
	bool founding = is_zero(b->previous);

	if (founding && !is_zero(b->previous_epoch))
		return ERR_MALFORMED;
	b->epoch_block = founding || !is_zero(b->previous_epoch);
	if (b->epoch_block && (b->mailbox_count > 0 || b->digest_count > 0))
		return ERR_MALFORMED;
	if (!mailboxes_ascend(b->mailboxes, b->mailbox_count) ||
	    !digests_ascend(b->digests, b->digest_count))
		return ERR_MALFORMED;
	return ERR_OK;
}

/* ---- encoding ---- */

static size_t
encoded_bytes(const struct block *b)
{
	size_t n = BLOCK_EMPTY_BYTES + b->mailbox_count * BLOCK_MAILBOX_BYTES +
	    b->digest_count * BLOCK_DIGEST_BYTES;

	for (size_t i = 0; i < b->entry_count; i++)
		n += ENTRY_HEADER_BYTES + b->entries[i].len;
	return n;
}

static void
write_entries(struct writer *w, const struct block *b)
{
	writer_u16(w, (uint16_t)b->entry_count);
	for (size_t i = 0; i < b->entry_count; i++) {
		writer_u8(w, (uint8_t)b->entries[i].kind);
		writer_u32(w, b->entries[i].len);
		writer_copy(w, b->entries[i].data, b->entries[i].len);
	}
}

enum err
block_encode(struct buf *out, struct block *b)
{
	struct writer w;
	uint8_t *space;
	size_t n;
	enum err e;

	if (b->entry_count > BLOCK_ENTRIES_MAX || b->mailbox_count > UINT16_MAX ||
	    b->digest_count > BLOCK_DIGESTS_MAX)
		return ERR_RANGE;
	e = check(b);
	if (e != ERR_OK)
		return e;
	n = encoded_bytes(b);
	if (n > BLOCK_BYTES_MAX)
		return ERR_RANGE;
	e = buf_reserve(out, n, out->len + n, &space);
	if (e != ERR_OK)
		return e;
	writer_init(&w, space, n);
	writer_u8(&w, BLOCK_VERSION);
	writer_u16(&w, b->gateway);
	writer_u64(&w, b->round);
	writer_copy(&w, b->previous, sizeof(b->previous));
	writer_copy(&w, b->previous_epoch, sizeof(b->previous_epoch));
	write_entries(&w, b);
	writer_u16(&w, (uint16_t)b->mailbox_count);
	writer_copy(&w, b->mailboxes, b->mailbox_count * BLOCK_MAILBOX_BYTES);
	writer_u16(&w, (uint16_t)b->digest_count);
	writer_copy(&w, b->digests, b->digest_count * BLOCK_DIGEST_BYTES);
	assert(writer_ok(&w) && w.used == n);
	hash_256(b->hash, space, n);
	out->len += n;
	return ERR_OK;
}

/* ---- decoding ---- */

static void
read_entries(struct reader *r, struct block *b)
{
	b->entry_count = reader_u16(r);
	if (b->entry_count > BLOCK_ENTRIES_MAX) {
		reader_fail(r, ERR_RANGE);
		b->entry_count = 0;
	}
	for (size_t i = 0; i < b->entry_count; i++) {
		struct block_entry *entry = &b->entries[i];
		uint8_t kind = reader_u8(r);

		if (kind < BLOCK_SHEET || kind > BLOCK_ISSUER)
			reader_fail(r, ERR_MALFORMED);
		entry->kind = (enum block_entry_kind)kind;
		entry->len = reader_u32(r);
		entry->data = reader_view(r, entry->len);
	}
}

enum err
block_decode(struct block *out, const void *in, size_t len)
{
	struct block b = {0};
	struct reader r;
	uint8_t version;
	enum err e;

	if (len > BLOCK_BYTES_MAX)
		return ERR_RANGE;
	reader_init(&r, in, len);
	version = reader_u8(&r);
	if (reader_ok(&r) && version != BLOCK_VERSION)
		return version > BLOCK_VERSION ? ERR_VERSION : ERR_MALFORMED;
	b.gateway = reader_u16(&r);
	b.round = reader_u64(&r);
	reader_copy(&r, b.previous, sizeof(b.previous));
	reader_copy(&r, b.previous_epoch, sizeof(b.previous_epoch));
	read_entries(&r, &b);
	b.mailbox_count = reader_u16(&r);
	b.mailboxes = reader_view(&r, b.mailbox_count * BLOCK_MAILBOX_BYTES);
	b.digest_count = reader_u16(&r);
	b.digests = reader_view(&r, b.digest_count * BLOCK_DIGEST_BYTES);
	e = reader_end(&r);
	if (e == ERR_OK)
		e = check(&b);
	if (e != ERR_OK)
		return e;
	hash_256(b.hash, in, len);
	*out = b;
	return ERR_OK;
}

/* ---- looking things up ---- */

void
block_mailbox_put(uint8_t out[static BLOCK_MAILBOX_BYTES], const struct block_mailbox *m)
{
	store_u16(out, m->mailbox);
	store_u16(out + 2, m->count);
	memcpy(out + 4, m->hash, sizeof(m->hash));
}

void
block_mailbox_at(struct block_mailbox *out, const struct block *b, size_t i)
{
	const uint8_t *line = b->mailboxes + i * BLOCK_MAILBOX_BYTES;

	out->mailbox = load_u16(line);
	out->count = load_u16(line + 2);
	memcpy(out->hash, line + 4, sizeof(out->hash));
}

bool
block_mailbox_find(struct block_mailbox *out, const struct block *b, uint16_t mailbox)
{
	size_t low = 0, high = b->mailbox_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (mailbox_number(b->mailboxes, middle) < mailbox)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == b->mailbox_count || mailbox_number(b->mailboxes, low) != mailbox)
		return false;
	block_mailbox_at(out, b, low);
	return true;
}

bool
block_has_digest(const struct block *b, const uint8_t digest[static BLOCK_DIGEST_BYTES])
{
	size_t low = 0, high = b->digest_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = memcmp(b->digests + middle * BLOCK_DIGEST_BYTES, digest,
		    BLOCK_DIGEST_BYTES); /* public */

		if (order == 0)
			return true;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

const struct block_entry *
block_entry_find(const struct block *b, enum block_entry_kind kind)
{
	for (size_t i = 0; i < b->entry_count; i++)
		if (b->entries[i].kind == kind)
			return &b->entries[i];
	return NULL;
}

void
block_record_digest(uint8_t out[static BLOCK_DIGEST_BYTES], const uint8_t *record, size_t len)
{
	const struct hash_part part = { record, len };

	hash_parts(out, BLOCK_DIGEST_BYTES, &part, 1);
}

/* ---- signatures ---- */

/* What the gateway signs; returns its length. */
static size_t
message(uint8_t out[static MESSAGE_BYTES_MAX], bool epoch_block,
    const uint8_t network_id[static 32], uint16_t gateway, uint64_t round,
    const uint8_t hash[static 32])
{
	const char *label = epoch_block ? EPOCH_LABEL : SIGN_LABEL;
	struct writer w;

	writer_init(&w, out, MESSAGE_BYTES_MAX);
	writer_copy(&w, label, strlen(label));
	writer_copy(&w, network_id, 32);
	writer_u16(&w, gateway);
	writer_u64(&w, round);
	writer_copy(&w, hash, 32);
	assert(writer_ok(&w));
	return w.used;
}

void
block_sign(uint8_t signature[static BLOCK_SIGNATURE_BYTES], const struct block *b,
    const uint8_t network_id[static 32], const uint8_t identity_sk[static 64])
{
	uint8_t m[MESSAGE_BYTES_MAX];
	size_t n = message(m, b->epoch_block, network_id, b->gateway, b->round, b->hash);

	crypto_sign_detached(signature, NULL, m, n, identity_sk);
}

enum err
block_verify(bool epoch_block, uint16_t gateway, uint64_t round, const uint8_t hash[static 32],
    const uint8_t signature[static BLOCK_SIGNATURE_BYTES], const uint8_t network_id[static 32],
    const uint8_t identity_pk[static 32])
{
	uint8_t m[MESSAGE_BYTES_MAX];
	size_t n = message(m, epoch_block, network_id, gateway, round, hash);

	if (crypto_sign_verify_detached(signature, m, n, identity_pk) != 0)
		return ERR_SIGNATURE;
	return ERR_OK;
}

#include "config.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/rng.h"
#include "common/crypto/hash.h"
#include "common/journal/block.h"
#include "tests/vectors/vectors.h"

#define ENTRIES_MAX 3
#define ENTRY_BYTES_MAX 300
#define MAILBOXES_MAX 3
#define RECORDS_MAX 4 /* of a mailbox */
#define RECORD_BYTES 1024
#define NOTES_MAX 5
#define DIGESTS_MAX (MAILBOXES_MAX * RECORDS_MAX + NOTES_MAX)
#define BLOCK_MAX 4096

/* What becomes of a block, as tests/reference/block.py numbers it. */
enum outcome { GOOD, MALFORMED, BAD_SIGNATURE };

struct block_case {
	uint8_t network_id[32], seed[32]; /* of the gateway's identity key */
	uint16_t gateway;
	uint64_t round;
	uint8_t previous[32], previous_epoch[32];
	size_t entry_count, mailbox_count, note_count;
	struct {
		uint8_t kind, data[ENTRY_BYTES_MAX];
		size_t len;
	} entries[ENTRIES_MAX];
	struct {
		uint16_t number;
		uint8_t records[RECORDS_MAX * RECORD_BYTES];
		size_t count;
	} mailboxes[MAILBOXES_MAX];
	uint8_t notes[NOTES_MAX * BLOCK_DIGEST_BYTES];
	uint8_t bytes[BLOCK_MAX], hash[32], signature[BLOCK_SIGNATURE_BYTES];
	size_t len;
	enum outcome outcome;
};

/* ---- one case, from and to a file ---- */

static void
read_parts(struct vectors *v, struct block_case *c)
{
	c->entry_count = (size_t)vectors_u64(v, "entries", ENTRIES_MAX);
	for (size_t i = 0; i < c->entry_count; i++) {
		c->entries[i].kind = (uint8_t)vectors_u64(v, "kind", UINT8_MAX);
		c->entries[i].len =
		    vectors_string(v, c->entries[i].data, ENTRY_BYTES_MAX, "entry");
	}
	c->mailbox_count = (size_t)vectors_u64(v, "mailboxes", MAILBOXES_MAX);
	for (size_t i = 0; i < c->mailbox_count; i++) {
		size_t len;

		c->mailboxes[i].number = (uint16_t)vectors_u64(v, "mailbox", UINT16_MAX);
		len = vectors_string(v, c->mailboxes[i].records, sizeof(c->mailboxes[i].records),
		    "records");
		vectors_must(v, len % RECORD_BYTES == 0, "a record is not whole");
		c->mailboxes[i].count = len / RECORD_BYTES;
	}
	c->note_count = vectors_string(v, c->notes, sizeof(c->notes), "notes");
	vectors_must(v, c->note_count % BLOCK_DIGEST_BYTES == 0, "a note is not whole");
	c->note_count /= BLOCK_DIGEST_BYTES;
}

static void
read_case(struct vectors *v, struct block_case *c)
{
	memset(c, 0, sizeof(*c));
	vectors_bytes(v, c->network_id, sizeof(c->network_id), "network-id");
	vectors_bytes(v, c->seed, sizeof(c->seed), "identity-seed");
	c->gateway = (uint16_t)vectors_u64(v, "gateway", UINT16_MAX);
	c->round = vectors_u64(v, "round", UINT64_MAX);
	vectors_bytes(v, c->previous, sizeof(c->previous), "previous");
	vectors_bytes(v, c->previous_epoch, sizeof(c->previous_epoch), "previous-epoch");
	read_parts(v, c);
	c->len = vectors_string(v, c->bytes, sizeof(c->bytes), "block");
	vectors_bytes(v, c->hash, sizeof(c->hash), "hash");
	vectors_bytes(v, c->signature, sizeof(c->signature), "signature");
	c->outcome = (enum outcome)vectors_u64(v, "verdict", BAD_SIGNATURE);
}

static void
write_case(const char *text, const struct block_case *c)
{
	vectors_put_case(text);
	vectors_put_bytes("network-id", c->network_id, sizeof(c->network_id));
	vectors_put_bytes("identity-seed", c->seed, sizeof(c->seed));
	vectors_put_u64("gateway", c->gateway);
	vectors_put_u64("round", c->round);
	vectors_put_bytes("previous", c->previous, sizeof(c->previous));
	vectors_put_bytes("previous-epoch", c->previous_epoch, sizeof(c->previous_epoch));
	vectors_put_u64("entries", c->entry_count);
	for (size_t i = 0; i < c->entry_count; i++) {
		vectors_put_u64("kind", c->entries[i].kind);
		vectors_put_bytes("entry", c->entries[i].data, c->entries[i].len);
	}
	vectors_put_u64("mailboxes", c->mailbox_count);
	for (size_t i = 0; i < c->mailbox_count; i++) {
		vectors_put_u64("mailbox", c->mailboxes[i].number);
		vectors_put_bytes("records", c->mailboxes[i].records,
		    c->mailboxes[i].count * RECORD_BYTES);
	}
	vectors_put_bytes("notes", c->notes, c->note_count * BLOCK_DIGEST_BYTES);
	vectors_put_bytes("block", c->bytes, c->len);
	vectors_put_bytes("hash", c->hash, sizeof(c->hash));
	vectors_put_bytes("signature", c->signature, sizeof(c->signature));
	vectors_put_u64("verdict", c->outcome);
}

/* ---- encoding ---- */

static int
by_bytes(const void *a, const void *b)
{
	return memcmp(a, b, BLOCK_DIGEST_BYTES); /* public */
}

/* Digests of all records, and the notes, sorted. Returns how many. */
static size_t
list_digests(uint8_t out[static DIGESTS_MAX * BLOCK_DIGEST_BYTES], const struct block_case *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->mailbox_count; i++)
		for (size_t k = 0; k < c->mailboxes[i].count; k++)
			block_record_digest(out + BLOCK_DIGEST_BYTES * n++,
			    c->mailboxes[i].records + k * RECORD_BYTES, RECORD_BYTES);
	memcpy(out + BLOCK_DIGEST_BYTES * n, c->notes, c->note_count * BLOCK_DIGEST_BYTES);
	n += c->note_count;
	qsort(out, n, BLOCK_DIGEST_BYTES, by_bytes);
	return n;
}

static void
list_mailboxes(uint8_t out[static MAILBOXES_MAX * BLOCK_MAILBOX_BYTES], const struct block_case *c)
{
	for (size_t i = 0; i < c->mailbox_count; i++) {
		struct block_mailbox m = { .mailbox = c->mailboxes[i].number,
			.count = (uint16_t)c->mailboxes[i].count };

		hash_256(m.hash, c->mailboxes[i].records, c->mailboxes[i].count * RECORD_BYTES);
		block_mailbox_put(out + i * BLOCK_MAILBOX_BYTES, &m);
	}
}

/* Encode and sign what the case says; b keeps its hash. */
static enum err
encode(struct buf *out, uint8_t signature[static BLOCK_SIGNATURE_BYTES], struct block *b,
    const struct block_case *c)
{
	static uint8_t mailboxes[MAILBOXES_MAX * BLOCK_MAILBOX_BYTES];
	static uint8_t digests[DIGESTS_MAX * BLOCK_DIGEST_BYTES];
	uint8_t pk[32], sk[64];
	enum err e;

	*b = (struct block){ .gateway = c->gateway, .round = c->round,
		.entry_count = c->entry_count, .mailbox_count = c->mailbox_count,
		.mailboxes = mailboxes, .digests = digests };
	memcpy(b->previous, c->previous, sizeof(b->previous));
	memcpy(b->previous_epoch, c->previous_epoch, sizeof(b->previous_epoch));
	for (size_t i = 0; i < c->entry_count; i++) {
		b->entries[i].kind = (enum block_entry_kind)c->entries[i].kind;
		b->entries[i].data = c->entries[i].data;
		b->entries[i].len = (uint32_t)c->entries[i].len;
	}
	list_mailboxes(mailboxes, c);
	b->digest_count = list_digests(digests, c);
	e = block_encode(out, b);
	if (e != ERR_OK)
		return e;
	crypto_sign_seed_keypair(pk, sk, c->seed);
	block_sign(signature, b, c->network_id, sk);
	sodium_memzero(sk, sizeof(sk));
	return ERR_OK;
}

/* ---- checking ---- */

static enum outcome
judge(const struct block_case *c, struct block *b)
{
	uint8_t pk[32], sk[64];

	if (block_decode(b, c->bytes, c->len) != ERR_OK)
		return MALFORMED;
	crypto_sign_seed_keypair(pk, sk, c->seed);
	sodium_memzero(sk, sizeof(sk));
	if (block_verify(b->epoch_block, b->gateway, b->round, b->hash, c->signature, c->network_id, pk) != ERR_OK)
		return BAD_SIGNATURE;
	return GOOD;
}

/* What the case says, encoded and signed here, is what it has. */
static void
check_encoding(struct vectors *v, const struct block_case *c)
{
	uint8_t signature[BLOCK_SIGNATURE_BYTES];
	struct buf out;
	struct block b;

	buf_init(&out);
	vectors_must(v, encode(&out, signature, &b, c) == ERR_OK, "not encoded");
	vectors_must(v, out.len == c->len, "the length differs");
	vectors_same(v, out.data, c->bytes, c->len, "the block");
	vectors_same(v, b.hash, c->hash, sizeof(c->hash), "the hash");
	vectors_same(v, signature, c->signature, sizeof(signature), "the signature");
	buf_release(&out);
}

void
block_vectors_check(struct vectors *v)
{
	static struct block_case c;
	struct block b;
	size_t good = 0;

	while (vectors_more(v)) {
		read_case(v, &c);
		vectors_must(v, judge(&c, &b) == c.outcome, "the verdict differs");
		if (c.outcome != GOOD)
			continue;
		check_encoding(v, &c);
		good++;
	}
	vectors_must(v, good > 0, "no good block");
}

/* ---- making ---- */

static void
make_block(const char *text, const struct rng *r, struct block_case *c, bool epoch_block)
{
	struct buf out;
	struct block b;

	rng_bytes(r, c->network_id, sizeof(c->network_id));
	rng_bytes(r, c->seed, sizeof(c->seed));
	c->gateway = (uint16_t)rng_u64(r);
	c->round = rng_u64(r);
	rng_bytes(r, c->previous, sizeof(c->previous));
	if (epoch_block)
		rng_bytes(r, c->previous_epoch, sizeof(c->previous_epoch));
	for (size_t i = 0; i < c->entry_count; i++)
		rng_bytes(r, c->entries[i].data, c->entries[i].len);
	for (size_t i = 0; i < c->mailbox_count; i++)
		rng_bytes(r, c->mailboxes[i].records, c->mailboxes[i].count * RECORD_BYTES);
	rng_bytes(r, c->notes, c->note_count * BLOCK_DIGEST_BYTES);
	buf_init(&out);
	if (encode(&out, c->signature, &b, c) == ERR_OK && out.len <= sizeof(c->bytes)) {
		memcpy(c->bytes, out.data, out.len);
		c->len = out.len;
		memcpy(c->hash, b.hash, sizeof(c->hash));
		write_case(text, c);
	}
	buf_release(&out);
}

void
block_vectors_make(void)
{
	static struct block_case c;
	struct rng_seeded r;

	rng_seeded_init(&r, 36);
	make_block("a round in which nothing happened", &r.rng, &c, false);
	memset(&c, 0, sizeof(c));
	c.mailbox_count = 2;
	c.mailboxes[0].number = 0;
	c.mailboxes[0].count = 3;
	c.mailboxes[1].number = 259;
	c.mailboxes[1].count = 1;
	c.note_count = 5;
	make_block("records and notes", &r.rng, &c, false);
	memset(&c, 0, sizeof(c));
	c.entry_count = 3;
	c.entries[0].kind = BLOCK_SHEET;
	c.entries[0].len = 200;
	c.entries[1].kind = BLOCK_CHARTER;
	c.entries[1].len = ENTRY_BYTES_MAX;
	c.entries[2].kind = BLOCK_ISSUER;
	make_block("an epoch block", &r.rng, &c, true);
	c.outcome = BAD_SIGNATURE;
	c.signature[63] ^= 0x10;
	write_case("a signature of nobody", &c);
}

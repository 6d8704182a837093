#include "config.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/rng.h"
#include "common/crypto/record.h"
#include "common/crypto/stream.h"
#include "common/journal/block.h"
#include "tests/vectors/vectors.h"

#define SIZE_MAX_BYTES 16384
#define INDEX_MAX 100

/* What becomes of a record, as tests/reference/record.py numbers it. */
enum outcome { GOOD, MALFORMED, AEAD };

struct record_case {
	uint8_t secret[32]; /* C_0 */
	unsigned index;
	uint8_t ephemeral[32]; /* secret half of E */
	size_t record_size;
	struct record_header h;
	uint8_t content[SIZE_MAX_BYTES], record[SIZE_MAX_BYTES];
	uint8_t digest[BLOCK_DIGEST_BYTES];
	enum outcome outcome;
};

/* ---- one case, from and to a file ---- */

static void
read_header(struct vectors *v, struct record_header *h)
{
	h->type = (enum record_type)vectors_u64(v, "type", UINT8_MAX);
	h->behind = (uint16_t)vectors_u64(v, "behind", UINT16_MAX);
	h->number = vectors_u64(v, "number", UINT64_MAX);
	h->message = vectors_u64(v, "message", UINT64_MAX);
	h->fragment = (uint32_t)vectors_u64(v, "fragment", UINT32_MAX);
	h->of = (uint32_t)vectors_u64(v, "of", UINT32_MAX);
	h->ack.next_missing = vectors_u64(v, "next-missing", UINT64_MAX);
	h->ack.highest_index = vectors_u64(v, "highest-index", UINT64_MAX);
	vectors_bytes(v, h->ack.map, sizeof(h->ack.map), "map");
	vectors_bytes(v, h->own_renewal, sizeof(h->own_renewal), "own-renewal");
	vectors_bytes(v, h->fresh, sizeof(h->fresh), "fresh");
	vectors_bytes(v, h->peer_renewal_id, sizeof(h->peer_renewal_id), "peer-renewal-id");
	h->epoch_block.round = vectors_u64(v, "epoch-block-round", UINT64_MAX);
	vectors_bytes(v, h->epoch_block.hash, sizeof(h->epoch_block.hash), "epoch-block-hash");
	vectors_bytes(v, h->epoch_block.signature, sizeof(h->epoch_block.signature),
	    "epoch-block-signature");
}

static void
read_case(struct vectors *v, struct record_case *c)
{
	memset(c, 0, sizeof(*c));
	vectors_bytes(v, c->secret, sizeof(c->secret), "stream-secret");
	c->index = (unsigned)vectors_u64(v, "index", INDEX_MAX);
	vectors_bytes(v, c->ephemeral, sizeof(c->ephemeral), "ephemeral");
	c->record_size = (size_t)vectors_u64(v, "record-size", SIZE_MAX_BYTES);
	vectors_must(v, c->record_size >= 1024, "too small a record");
	read_header(v, &c->h);
	c->h.length = (uint32_t)vectors_string(v, c->content, record_content_max(c->record_size),
	    "content");
	vectors_bytes(v, c->record, c->record_size, "record");
	vectors_bytes(v, c->digest, sizeof(c->digest), "digest");
	c->outcome = (enum outcome)vectors_u64(v, "verdict", AEAD);
}

static void
write_case(const char *text, const struct record_case *c)
{
	const struct record_header *h = &c->h;

	vectors_put_case(text);
	vectors_put_bytes("stream-secret", c->secret, sizeof(c->secret));
	vectors_put_u64("index", c->index);
	vectors_put_bytes("ephemeral", c->ephemeral, sizeof(c->ephemeral));
	vectors_put_u64("record-size", c->record_size);
	vectors_put_u64("type", h->type);
	vectors_put_u64("behind", h->behind);
	vectors_put_u64("number", h->number);
	vectors_put_u64("message", h->message);
	vectors_put_u64("fragment", h->fragment);
	vectors_put_u64("of", h->of);
	vectors_put_u64("next-missing", h->ack.next_missing);
	vectors_put_u64("highest-index", h->ack.highest_index);
	vectors_put_bytes("map", h->ack.map, sizeof(h->ack.map));
	vectors_put_bytes("own-renewal", h->own_renewal, sizeof(h->own_renewal));
	vectors_put_bytes("fresh", h->fresh, sizeof(h->fresh));
	vectors_put_bytes("peer-renewal-id", h->peer_renewal_id, sizeof(h->peer_renewal_id));
	vectors_put_u64("epoch-block-round", h->epoch_block.round);
	vectors_put_bytes("epoch-block-hash", h->epoch_block.hash, sizeof(h->epoch_block.hash));
	vectors_put_bytes("epoch-block-signature", h->epoch_block.signature,
	    sizeof(h->epoch_block.signature));
	vectors_put_bytes("content", c->content, h->length);
	vectors_put_bytes("record", c->record, c->record_size);
	vectors_put_bytes("digest", c->digest, sizeof(c->digest));
	vectors_put_u64("verdict", c->outcome);
}

/* ---- sealing and opening ---- */

static void
fill_ephemeral(void *ctx, void *out, size_t n)
{
	const struct record_case *c = ctx;

	memset(out, 0, n);
	memcpy(out, c->ephemeral, n < sizeof(c->ephemeral) ? n : sizeof(c->ephemeral));
}

/* The record at its index of the stream; those before are sealed and thrown away. */
static bool
seal(uint8_t *record, struct record_case *c)
{
	static uint8_t plaintext[SIZE_MAX_BYTES];
	const struct rng keys = { .fill = fill_ephemeral, .ctx = c };
	struct stream_writer *w = stream_writer_new(c->secret);
	bool ok = w != NULL &&
	    record_encode(plaintext, c->record_size, &c->h, c->content) == ERR_OK;

	for (unsigned i = 0; ok && i <= c->index; i++)
		ok = stream_seal(w, record, c->record_size, plaintext, &keys) == ERR_OK;
	stream_writer_free(w);
	return ok;
}

static enum outcome
judge(struct vectors *v, const struct record_case *c)
{
	static uint8_t plaintext[SIZE_MAX_BYTES];
	struct stream_reader *r = stream_reader_new(c->secret, rng_system());
	struct record_header h;
	const uint8_t *content;
	uint64_t index;
	enum err e;

	vectors_must(v, r != NULL, "no memory");
	e = stream_open(r, plaintext, &index, c->record, c->record_size, 1);
	stream_reader_free(r);
	vectors_must(v, e == ERR_OK || e == ERR_CRYPTO, "the tag is not found");
	if (e != ERR_OK)
		return AEAD;
	vectors_must(v, index == c->index, "the index differs");
	if (record_decode(&h, &content, plaintext, c->record_size) != ERR_OK)
		return MALFORMED;
	vectors_must(v, h.length == c->h.length, "the length differs");
	vectors_same(v, content, c->content, h.length, "the content");
	return GOOD;
}

/* Every field of the header is in the sealed bytes: seal the case anew. */
static void
check_seal(struct vectors *v, struct record_case *c)
{
	static uint8_t record[SIZE_MAX_BYTES];

	vectors_must(v, seal(record, c), "not sealed");
	vectors_same(v, record, c->record, c->record_size, "the record");
}

void
record_vectors_check(struct vectors *v)
{
	static struct record_case c;
	uint8_t digest[BLOCK_DIGEST_BYTES];
	size_t good = 0;

	while (vectors_more(v)) {
		read_case(v, &c);
		block_record_digest(digest, c.record, c.record_size);
		vectors_same(v, digest, c.digest, sizeof(digest), "the digest");
		vectors_must(v, judge(v, &c) == c.outcome, "the verdict differs");
		if (c.outcome != GOOD)
			continue;
		check_seal(v, &c);
		good++;
	}
	vectors_must(v, good > 0, "no good record");
}

/* ---- making ---- */

static void
random_header(struct record_header *h, const struct rng *r)
{
	h->ack.next_missing = rng_u64(r);
	h->ack.highest_index = rng_u64(r);
	rng_bytes(r, h->ack.map, sizeof(h->ack.map));
	rng_bytes(r, h->own_renewal, sizeof(h->own_renewal));
	rng_bytes(r, h->fresh, sizeof(h->fresh));
	rng_bytes(r, h->peer_renewal_id, sizeof(h->peer_renewal_id));
	h->epoch_block.round = rng_u64(r);
	rng_bytes(r, h->epoch_block.hash, sizeof(h->epoch_block.hash));
	rng_bytes(r, h->epoch_block.signature, sizeof(h->epoch_block.signature));
	if (h->type == RECORD_ACK)
		return;
	h->behind = (uint16_t)rng_below(r, RECORD_ACK_MAP_BITS + 1);
	h->number = h->behind + (rng_u64(r) >> 3 | 1);
	h->message = rng_u64(r) >> 2 | 1;
	h->of = (uint32_t)rng_u64(r) | 1;
	h->fragment = rng_below(r, h->of);
}

static void
make_record(const char *text, const struct rng *r, enum record_type type, size_t record_size,
    unsigned index, uint32_t length)
{
	static struct record_case c;

	memset(&c, 0, sizeof(c));
	c.record_size = record_size;
	c.index = index;
	c.h.type = type;
	c.h.length = length;
	rng_bytes(r, c.secret, sizeof(c.secret));
	rng_bytes(r, c.ephemeral, sizeof(c.ephemeral));
	rng_bytes(r, c.content, length);
	random_header(&c.h, r);
	if (!seal(c.record, &c))
		return;
	block_record_digest(c.digest, c.record, record_size);
	write_case(text, &c);
}

void
record_vectors_make(void)
{
	struct rng_seeded r;

	rng_seeded_init(&r, 352);
	make_record("the first of a stream", &r.rng, RECORD_TEXT, 1024, 0, 5);
	make_record("an acknowledgement alone", &r.rng, RECORD_ACK, 1024, 1, 0);
	make_record("a text that fills its record", &r.rng, RECORD_TEXT, 4096, 7, 3680);
	make_record("a fragment of a file", &r.rng, RECORD_FILE, 4096, 100, 1000);
}

#include "config.h"

#include <sodium.h>
#include <string.h>

#include "common/base/rng.h"
#include "common/crypto/ratchet.h"
#include "common/crypto/record.h"
#include "common/crypto/stream.h"
#include "tests/vectors/vectors.h"

#define RENEWALS_MAX 4
#define RECORDS_MAX 20
#define SIZE 512

struct one_renewal {
	unsigned before;	      /* records of the generation that it ends */
	uint8_t fresh_secret[32], renewal_secret[32];
	uint8_t root[32], fresh[32], renewal[32], id[RATCHET_ID_BYTES], secret[32];
};

struct renewal_case {
	uint8_t secret[32]; /* of generation 0 */
	unsigned count;
	struct one_renewal renewals[RENEWALS_MAX];
	uint8_t ephemeral[32];
	uint8_t record[SIZE]; /* the first of the last generation */
};

/* ---- one case, from and to a file ---- */

static void
read_case(struct vectors *v, struct renewal_case *c)
{
	memset(c, 0, sizeof(*c));
	vectors_bytes(v, c->secret, sizeof(c->secret), "stream-secret");
	c->count = (unsigned)vectors_u64(v, "renewals", RENEWALS_MAX);
	for (unsigned i = 0; i < c->count; i++) {
		struct one_renewal *r = &c->renewals[i];

		r->before = (unsigned)vectors_u64(v, "records-before", RECORDS_MAX);
		vectors_bytes(v, r->fresh_secret, sizeof(r->fresh_secret), "fresh-secret");
		vectors_bytes(v, r->renewal_secret, sizeof(r->renewal_secret), "renewal-secret");
		vectors_bytes(v, r->root, sizeof(r->root), "root");
		vectors_bytes(v, r->fresh, sizeof(r->fresh), "fresh");
		vectors_bytes(v, r->renewal, sizeof(r->renewal), "renewal");
		vectors_bytes(v, r->id, sizeof(r->id), "id");
		vectors_bytes(v, r->secret, sizeof(r->secret), "secret");
	}
	vectors_bytes(v, c->ephemeral, sizeof(c->ephemeral), "ephemeral");
	vectors_bytes(v, c->record, sizeof(c->record), "record");
}

static void
write_case(const char *text, const struct renewal_case *c)
{
	vectors_put_case(text);
	vectors_put_bytes("stream-secret", c->secret, sizeof(c->secret));
	vectors_put_u64("renewals", c->count);
	for (unsigned i = 0; i < c->count; i++) {
		const struct one_renewal *r = &c->renewals[i];

		vectors_put_u64("records-before", r->before);
		vectors_put_bytes("fresh-secret", r->fresh_secret, sizeof(r->fresh_secret));
		vectors_put_bytes("renewal-secret", r->renewal_secret, sizeof(r->renewal_secret));
		vectors_put_bytes("root", r->root, sizeof(r->root));
		vectors_put_bytes("fresh", r->fresh, sizeof(r->fresh));
		vectors_put_bytes("renewal", r->renewal, sizeof(r->renewal));
		vectors_put_bytes("id", r->id, sizeof(r->id));
		vectors_put_bytes("secret", r->secret, sizeof(r->secret));
	}
	vectors_put_bytes("ephemeral", c->ephemeral, sizeof(c->ephemeral));
	vectors_put_bytes("record", c->record, sizeof(c->record));
}

/* ---- what comes of the secrets ---- */

static bool
derive(struct renewal_case *c)
{
	const uint8_t *s = c->secret;
	bool ok = true;

	for (unsigned i = 0; ok && i < c->count; i++) {
		struct one_renewal *r = &c->renewals[i];
		struct ratchet_renewal t = { .generation = i + 1 };
		uint8_t other[32];

		ratchet_root(r->root, s);
		ok = crypto_scalarmult_base(r->fresh, r->fresh_secret) == 0 &&
		    crypto_scalarmult_base(r->renewal, r->renewal_secret) == 0;
		ratchet_key_id(r->id, r->renewal);
		memcpy(t.fresh, r->fresh, 32);
		memcpy(t.renewal, r->renewal, 32);
		ok = ok &&
		    ratchet_renew(r->secret, r->root, r->fresh_secret, r->renewal, &t) == ERR_OK &&
		    ratchet_renew(other, r->root, r->renewal_secret, r->fresh, &t) == ERR_OK &&
		    memcmp(other, r->secret, 32) == 0; /* public */
		s = r->secret;
	}
	return ok;
}

/* ---- the same by the streams ---- */

static void
fill_32(void *ctx, void *out, size_t n)
{
	memset(out, 0, n);
	memcpy(out, ctx, n < 32 ? n : 32);
}

/* A record whose header tells the generation before. */
static bool
seal(uint8_t *record, struct stream_writer *w, struct renewal_case *c)
{
	struct record_header h = { .type = RECORD_ACK };
	const struct rng keys = { .fill = fill_32, .ctx = c->ephemeral };
	uint8_t plaintext[SIZE];

	store_u64(h.peer_renewal_id, stream_writer_before(w));
	return record_encode(plaintext, SIZE, &h, NULL) == ERR_OK &&
	    stream_seal(w, record, SIZE, plaintext, &keys) == ERR_OK;
}

/* All renewals on both sides; the reader gets every second record, and goes on. */
static bool
go_through(uint8_t *record, struct stream_writer *w, struct stream_reader *r,
    struct renewal_case *c)
{
	uint8_t plaintext[SIZE], fresh[32];
	bool ok = true;

	for (unsigned i = 0; ok && i < c->count; i++) {
		struct one_renewal *k = &c->renewals[i];
		const struct rng keys = { .fill = fill_32, .ctx = k->fresh_secret };

		for (unsigned j = 0; ok && j < k->before; j++)
			ok = seal(record, w, c) && (j % 2 != 0 ||
			    stream_open(r, plaintext, NULL, record, SIZE, 1) == ERR_OK);
		ok = ok && stream_writer_announce(w, fresh, k->renewal, &keys) == ERR_OK &&
		    memcmp(fresh, k->fresh, 32) == 0 && /* public */
		    stream_reader_follow(r, k->fresh, k->renewal_secret, k->renewal) == ERR_OK;
		stream_writer_renew(w);
	}
	return ok && seal(record, w, c) &&
	    stream_open(r, plaintext, NULL, record, SIZE, 1) == ERR_OK;
}

static bool
last_record(uint8_t *record, struct renewal_case *c)
{
	struct stream_writer *w = stream_writer_new(c->secret);
	struct stream_reader *r = stream_reader_new(c->secret, rng_system());
	bool ok = w != NULL && r != NULL && go_through(record, w, r, c);

	stream_writer_free(w);
	stream_reader_free(r);
	return ok;
}

void
renewal_vectors_check(struct vectors *v)
{
	static struct renewal_case c, ours;
	static uint8_t record[SIZE];
	size_t count = 0;

	while (vectors_more(v)) {
		read_case(v, &c);
		ours = c;
		vectors_must(v, derive(&ours), "not derived");
		vectors_same(v, ours.renewals, c.renewals, sizeof(c.renewals), "the secrets");
		vectors_must(v, last_record(record, &c), "not renewed");
		vectors_same(v, record, c.record, SIZE, "the record");
		count++;
	}
	vectors_must(v, count > 0, "no case");
}

/* ---- making ---- */

static void
make_case(const char *text, const struct rng *r, unsigned count, unsigned most)
{
	static struct renewal_case c;

	memset(&c, 0, sizeof(c));
	c.count = count;
	rng_bytes(r, c.secret, sizeof(c.secret));
	rng_bytes(r, c.ephemeral, sizeof(c.ephemeral));
	for (unsigned i = 0; i < count; i++) {
		/* a generation after the first is renewed when a record of it was seen */
		c.renewals[i].before = 1 + rng_below(r, most);
		rng_bytes(r, c.renewals[i].fresh_secret, 32);
		rng_bytes(r, c.renewals[i].renewal_secret, 32);
	}
	if (derive(&c) && last_record(c.record, &c))
		write_case(text, &c);
}

void
renewal_vectors_make(void)
{
	struct rng_seeded r;

	rng_seeded_init(&r, 88);
	make_case("the first renewal", &r.rng, 1, 1);
	make_case("two", &r.rng, 2, 5);
	make_case("four, of longer generations", &r.rng, 4, RECORDS_MAX);
}

#include "config.h"

#include <sodium.h>
#include <string.h>

#include "client-lib/founding.h"
#include "common/base/rng.h"
#include "tests/vectors/vectors.h"

#define SIZE 1024

struct founding_case {
	struct founding_parties founder, receiver;
	struct founding f;
	uint8_t ephemeral[32];
	uint8_t record[SIZE], stream[32];
};

static void
read_done(struct vectors *v, struct inbox_done *d, const char *top, const char *map)
{
	d->top = vectors_u64(v, top, UINT64_MAX);
	vectors_bytes(v, d->map, sizeof(d->map), map);
}

static void
read_case(struct vectors *v, struct founding_case *c)
{
	struct founding *f = &c->f;

	memset(c, 0, sizeof(*c));
	vectors_bytes(v, c->founder.restart, 32, "restart-secret");
	vectors_bytes(v, c->founder.own_sk, 32, "founder-secret");
	vectors_bytes(v, c->receiver.own_sk, 32, "receiver-secret");
	vectors_bytes(v, c->founder.network_id, 32, "network-id");
	vectors_bytes(v, c->founder.answers, 32, "answered-seed");
	vectors_bytes(v, c->ephemeral, 32, "ephemeral");
	f->flags = (uint8_t)vectors_u64(v, "flags", 3);
	f->generation = (uint32_t)vectors_u64(v, "generation", UINT32_MAX);
	f->attempt = (uint32_t)vectors_u64(v, "attempt", UINT32_MAX);
	vectors_bytes(v, f->seed, 32, "seed");
	vectors_bytes(v, f->renewal, 32, "renewal");
	f->ack.next_missing = vectors_u64(v, "next-missing", UINT64_MAX);
	f->ack.highest_index = vectors_u64(v, "highest-index", UINT64_MAX);
	vectors_bytes(v, f->ack.map, sizeof(f->ack.map), "map");
	f->floor = vectors_u64(v, "floor", UINT64_MAX);
	f->given_texts = vectors_u64(v, "given-texts", UINT64_MAX);
	f->given_files = vectors_u64(v, "given-files", UINT64_MAX);
	f->done_texts = vectors_u64(v, "done-texts", UINT64_MAX);
	f->done_files = vectors_u64(v, "done-files", UINT64_MAX);
	read_done(v, &f->texts, "texts-top", "texts-map");
	read_done(v, &f->files, "files-top", "files-map");
	vectors_bytes(v, c->record, sizeof(c->record), "record");
	vectors_bytes(v, c->stream, sizeof(c->stream), "stream-secret");
}

static void
write_case(const char *text, const struct founding_case *c)
{
	const struct founding *f = &c->f;

	vectors_put_case(text);
	vectors_put_bytes("restart-secret", c->founder.restart, 32);
	vectors_put_bytes("founder-secret", c->founder.own_sk, 32);
	vectors_put_bytes("receiver-secret", c->receiver.own_sk, 32);
	vectors_put_bytes("network-id", c->founder.network_id, 32);
	vectors_put_bytes("answered-seed", c->founder.answers, 32);
	vectors_put_bytes("ephemeral", c->ephemeral, 32);
	vectors_put_u64("flags", f->flags);
	vectors_put_u64("generation", f->generation);
	vectors_put_u64("attempt", f->attempt);
	vectors_put_bytes("seed", f->seed, 32);
	vectors_put_bytes("renewal", f->renewal, 32);
	vectors_put_u64("next-missing", f->ack.next_missing);
	vectors_put_u64("highest-index", f->ack.highest_index);
	vectors_put_bytes("map", f->ack.map, sizeof(f->ack.map));
	vectors_put_u64("floor", f->floor);
	vectors_put_u64("given-texts", f->given_texts);
	vectors_put_u64("given-files", f->given_files);
	vectors_put_u64("done-texts", f->done_texts);
	vectors_put_u64("done-files", f->done_files);
	vectors_put_u64("texts-top", f->texts.top);
	vectors_put_bytes("texts-map", f->texts.map, sizeof(f->texts.map));
	vectors_put_u64("files-top", f->files.top);
	vectors_put_bytes("files-map", f->files.map, sizeof(f->files.map));
	vectors_put_bytes("record", c->record, sizeof(c->record));
	vectors_put_bytes("stream-secret", c->stream, sizeof(c->stream));
}

/* Public keys, and the receiver's view. */
static bool
complete(struct founding_case *c)
{
	struct founding_parties *a = &c->founder, *b = &c->receiver;

	if (crypto_scalarmult_base(a->own_pk, a->own_sk) != 0 ||
	    crypto_scalarmult_base(b->own_pk, b->own_sk) != 0)
		return false;
	memcpy(a->peer_pk, b->own_pk, 32);
	memcpy(b->peer_pk, a->own_pk, 32);
	memcpy(b->restart, a->restart, 32);
	memcpy(b->network_id, a->network_id, 32);
	memcpy(b->answers, a->answers, 32);
	return true;
}

static bool
seal(uint8_t *record, uint8_t stream[static 32], const struct founding_case *c)
{
	return founding_seal_with(record, SIZE, &c->f, &c->founder, c->ephemeral) == ERR_OK &&
	    founding_stream(stream, &c->founder, true, c->f.seed, c->f.generation) == ERR_OK;
}

/* By the receiver; what it says is what was said. */
static bool
opens(const struct founding_case *c)
{
	uint8_t dh[32], stream[32];
	struct founding f;

	memset(&f, 0, sizeof(f));
	return founding_dh(dh, c->record, c->receiver.own_sk) == ERR_OK &&
	    founding_is_by(c->record, dh, c->receiver.restart, c->receiver.own_pk,
		c->receiver.peer_pk) &&
	    founding_open(&f, c->record, SIZE, dh, &c->receiver) == ERR_OK &&
	    founding_stream(stream, &c->receiver, false, f.seed, f.generation) == ERR_OK &&
	    memcmp(stream, c->stream, 32) == 0 && /* public */
	    f.flags == c->f.flags && f.answers == ((f.flags & FOUNDING_LOST) == 0) && f.generation == c->f.generation &&
	    f.attempt == c->f.attempt && f.floor == c->f.floor &&
	    f.ack.highest_index == c->f.ack.highest_index && f.done_files == c->f.done_files &&
	    f.files.top == c->f.files.top && memcmp(f.texts.map, c->f.texts.map, 128) == 0;
}

void
founding_vectors_check(struct vectors *v)
{
	static struct founding_case c;
	static uint8_t record[SIZE], stream[32];
	size_t count = 0;

	while (vectors_more(v)) {
		read_case(v, &c);
		vectors_must(v, complete(&c) && seal(record, stream, &c), "not sealed");
		vectors_same(v, record, c.record, SIZE, "the record");
		vectors_same(v, stream, c.stream, 32, "the stream secret");
		vectors_must(v, opens(&c), "not opened");
		count++;
	}
	vectors_must(v, count > 0, "no case");
}

static void
make_case(const char *text, const struct rng *r, uint8_t flags, uint64_t most)
{
	static struct founding_case c;
	struct founding *f = &c.f;

	memset(&c, 0, sizeof(c));
	rng_bytes(r, c.founder.restart, 32);
	rng_bytes(r, c.founder.own_sk, 32);
	rng_bytes(r, c.receiver.own_sk, 32);
	rng_bytes(r, c.founder.network_id, 32);
	if ((flags & FOUNDING_LOST) == 0)
		rng_bytes(r, c.founder.answers, 32);
	rng_bytes(r, c.ephemeral, 32);
	f->flags = flags;
	f->generation = 1 + rng_below(r, 1u << 29);
	f->attempt = (uint32_t)most;
	rng_bytes(r, f->seed, 32);
	rng_bytes(r, f->renewal, 32);
	f->ack.next_missing = 1 + most;
	f->ack.highest_index = most << 20;
	f->floor = 1 + most;
	f->given_texts = f->done_files = most;
	f->given_files = f->done_texts = most / 2;
	f->texts.top = f->files.top = most;
	if (most > 0) {
		rng_bytes(r, f->ack.map, sizeof(f->ack.map));
		rng_bytes(r, f->texts.map, sizeof(f->texts.map));
		rng_bytes(r, f->files.map, sizeof(f->files.map));
	}
	if (complete(&c) && seal(c.record, c.stream, &c))
		write_case(text, &c);
}

void
founding_vectors_make(void)
{
	struct rng_seeded r;

	rng_seeded_init(&r, 89);
	make_case("nothing was said before", &r.rng, 1, 0);
	make_case("a restored backup", &r.rng, 3, 1000);
	make_case("in turn", &r.rng, 0, 7);
}

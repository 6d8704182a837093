#include "config.h"

#include "tests/lib/test.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/bytes.h"
#include "common/base/encode.h"
#include "common/crypto/onion.h"
#include "tests/unit/crypto/low_order.h"

/* A path with all its keys, and a packet for it in a block of its own size. */
struct path {
	struct onion_geometry g;
	uint32_t epoch;
	uint8_t sheet_hash[32];
	struct onion_hop hops[ONION_HOPS_MAX];
	uint8_t sk[ONION_HOPS_MAX][ONION_KEY_BYTES];
	struct onion_command command;
	uint8_t *body, *packet;
};

static void
random_body(struct path *p)
{
	const struct rng *r = test_rng();

	p->body = calloc(1, p->g.record_size);
	assert_non_null(p->body);
	p->command.kind = (enum onion_kind)rng_below(r, 3);
	if (p->command.kind == ONION_DEPOSIT) {
		p->command.mailbox = (uint16_t)rng_u64(r);
		rng_bytes(r, p->command.stamp, sizeof(p->command.stamp));
		rng_bytes(r, p->body, p->g.record_size);
	} else if (p->command.kind == ONION_NOTE) {
		rng_bytes(r, p->body, 8);
	}
	p->command.body = p->body;
}

static void
path_random(struct path *p, uint16_t record_size, uint8_t layers)
{
	const struct rng *r = test_rng();

	memset(p, 0, sizeof(*p));
	p->g = (struct onion_geometry){ .record_size = record_size, .layers = layers };
	assert_err_ok(onion_geometry_check(&p->g));
	p->epoch = (uint32_t)rng_u64(r);
	rng_bytes(r, p->sheet_hash, sizeof(p->sheet_hash));
	for (size_t i = 0; i <= layers; i++) {
		p->hops[i].node = (uint16_t)rng_u64(r);
		p->hops[i].delay_ms = (uint32_t)rng_u64(r);
		rng_bytes(r, p->sk[i], sizeof(p->sk[i]));
		crypto_scalarmult_base(p->hops[i].pk, p->sk[i]);
	}
	random_body(p);
	p->packet = malloc(onion_packet_bytes(&p->g, 0));
	assert_non_null(p->packet);
}

static void
path_free(struct path *p)
{
	free(p->body);
	free(p->packet);
}

static enum err
build(struct path *p)
{
	return onion_build(p->packet, &p->g, p->epoch, p->sheet_hash, p->hops, &p->command,
	    test_rng());
}

static struct onion_node_key
key_of(const struct path *p, unsigned layer)
{
	struct onion_node_key k = { .epoch = p->epoch, .layer = (uint8_t)layer, .sk = p->sk[layer] };

	memcpy(k.pk, p->hops[layer].pk, sizeof(k.pk));
	memcpy(k.sheet_hash, p->sheet_hash, sizeof(k.sheet_hash));
	return k;
}

/* Both steps on one packet. */
static enum onion_verdict
unwrap_with(struct onion_job *job, uint8_t *packet, const struct onion_geometry *g,
    const struct onion_node_key *k)
{
	memset(job, 0, sizeof(*job));
	job->packet = packet;
	onion_derive(job, 1, g, k);
	onion_open(job, 1, g, k);
	assert_true(sodium_is_zero(job->key, sizeof(job->key)));
	return job->verdict;
}

static enum onion_verdict
unwrap(struct onion_job *job, uint8_t *packet, const struct path *p, unsigned layer)
{
	struct onion_node_key k = key_of(p, layer);

	return unwrap_with(job, packet, &p->g, &k);
}

/* Copy, so that a packet can be opened more than once; free it. */
static uint8_t *
copy_of(const uint8_t *packet, size_t len)
{
	uint8_t *c = malloc(len);

	assert_non_null(c);
	memcpy(c, packet, len);
	return c;
}

static void
assert_command(const struct path *p, const uint8_t *inner)
{
	struct onion_command got;

	assert_err_ok(onion_command_parse(&got, &p->g, inner));
	assert_int_equal(got.kind, p->command.kind);
	assert_int_equal(got.mailbox, p->command.mailbox);
	assert_memory_equal(got.stamp, p->command.stamp, sizeof(got.stamp));
	assert_memory_equal(got.body, p->body, p->g.record_size);
}

/* ---- sizes ---- */

static void
test_sizes(void **state)
{
	const struct onion_geometry g = { .record_size = 4096, .layers = 3 };
	const struct onion_geometry largest = { ONION_RECORD_MAX, ONION_LAYERS_MAX };

	(void)state;
	assert_int_equal(onion_packet_bytes(&g, 0), 4380);
	assert_int_equal(onion_packet_bytes(&g, 1), 4324);
	assert_int_equal(onion_packet_bytes(&g, 2), 4268);
	assert_int_equal(onion_packet_bytes(&g, 3), 4212);
	assert_int_equal(onion_command_bytes(&g), 4164);
	assert_int_equal(onion_packet_bytes(&largest, 0), ONION_PACKET_MAX);
}

static void
test_geometry_limits(void **state)
{
	struct path p;

	(void)state;
	for (unsigned layers = 0; layers <= 255; layers++) {
		struct onion_geometry g = { .record_size = 4096, .layers = (uint8_t)layers };

		assert_err(onion_geometry_check(&g),
		    layers >= 1 && layers <= ONION_LAYERS_MAX ? ERR_OK : ERR_RANGE);
	}
	for (unsigned size = 0; size <= 65535; size++) {
		struct onion_geometry g = { .record_size = (uint16_t)size, .layers = 3 };

		assert_err(onion_geometry_check(&g),
		    size >= ONION_RECORD_MIN && size <= ONION_RECORD_MAX ? ERR_OK : ERR_RANGE);
	}
	path_random(&p, 1024, 3);
	p.g.layers = ONION_LAYERS_MAX + 1;
	assert_err(build(&p), ERR_RANGE);
	path_free(&p);
}

/* ---- the whole way ---- */

static void
check_whole_way(uint16_t record_size, uint8_t layers)
{
	struct path p;
	struct onion_job job;
	uint8_t *at;

	path_random(&p, record_size, layers);
	assert_err_ok(build(&p));
	at = p.packet;
	for (unsigned i = 0; i < layers; i++) {
		assert_int_equal(unwrap(&job, at, &p, i), ONION_OPENED);
		assert_int_equal(job.next_node, p.hops[i + 1].node);
		assert_int_equal(job.delay_ms, p.hops[i].delay_ms);
		at = job.inner;
	}
	assert_int_equal(unwrap(&job, at, &p, layers), ONION_OPENED);
	assert_int_equal(job.next_node, 0);
	assert_command(&p, job.inner);
	path_free(&p);
}

static void
test_any_geometry(void **state)
{
	const struct rng *r = test_rng();

	(void)state;
	for (int i = 0; i < 200; i++)
		check_whole_way((uint16_t)rng_between(r, ONION_RECORD_MIN, ONION_RECORD_MAX),
		    (uint8_t)rng_between(r, 1, ONION_LAYERS_MAX));
	check_whole_way(4096, 3);
	check_whole_way(ONION_RECORD_MIN, 1);
	check_whole_way(ONION_RECORD_MAX, ONION_LAYERS_MAX);
}

/* Two packets of the same sender share no ciphertext and no byte that a watcher could use. */
static void
test_packets_are_fresh(void **state)
{
	struct path p;
	uint8_t *first;
	size_t len, same = 0;

	(void)state;
	path_random(&p, 4096, 3);
	len = onion_packet_bytes(&p.g, 0);
	assert_err_ok(build(&p));
	first = copy_of(p.packet, len);
	assert_err_ok(build(&p));
	assert_memory_not_equal(first, p.packet, ONION_CT_BYTES);
	for (size_t i = 0; i < len; i++)
		same += first[i] == p.packet[i];
	/* 4380 bytes, one in 256 equal: 17 expected, 80 is 15 standard deviations off */
	assert_true(same < 80);
	free(first);
	path_free(&p);
}

/* ---- batches and the two steps ---- */

#define BATCH 70 /* more than two chunks */

static void
test_batch(void **state)
{
	struct path p;
	struct onion_job jobs[BATCH];
	struct onion_node_key k;
	size_t len, bad_point = rng_below(test_rng(), 20), forged = 20 + rng_below(test_rng(), 20);
	size_t replay = 40 + rng_below(test_rng(), 30);

	(void)state;
	path_random(&p, 1024, 3);
	len = onion_packet_bytes(&p.g, 0);
	k = key_of(&p, 0);
	for (size_t i = 0; i < BATCH; i++) {
		assert_err_ok(build(&p));
		memset(&jobs[i], 0xa5, sizeof(jobs[i])); /* only .packet is read */
		jobs[i].packet = copy_of(p.packet, len);
	}
	memset(jobs[bad_point].packet, 0, ONION_CT_BYTES);
	jobs[forged].packet[ONION_CT_BYTES] ^= 1;
	onion_derive(jobs, BATCH, &p.g, &k);
	for (size_t i = 0; i < BATCH; i++) {
		assert_int_equal(jobs[i].verdict, i == bad_point ? ONION_BAD_POINT : ONION_PENDING);
		assert_null(jobs[i].inner);
	}
	/* replays are not opened */
	onion_forget(&jobs[replay]);
	onion_forget(&jobs[bad_point]);
	assert_true(sodium_is_zero(jobs[replay].key, sizeof(jobs[replay].key)));
	onion_open(jobs, BATCH, &p.g, &k);
	for (size_t i = 0; i < BATCH; i++) {
		enum onion_verdict want = i == bad_point ? ONION_BAD_POINT :
		    i == forged			 ? ONION_BAD_AEAD :
		    i == replay			 ? ONION_FORGOTTEN :
						   ONION_OPENED;

		assert_int_equal(jobs[i].verdict, want);
		if (want == ONION_OPENED) {
			assert_ptr_equal(jobs[i].inner,
			    jobs[i].packet + ONION_CT_BYTES + ONION_ROUTE_BYTES);
			assert_int_equal(jobs[i].next_node, p.hops[1].node);
			assert_true(sodium_is_zero(jobs[i].key, sizeof(jobs[i].key)));
		} else {
			assert_null(jobs[i].inner);
		}
		free(jobs[i].packet);
	}
	path_free(&p);
}

#define TAGS 200

/* The tag of a packet at its first hop; nothing of the packet changes. */
static void
tag_of(uint8_t tag[static ONION_REPLAY_TAG_BYTES], const struct path *p, const uint8_t *packet)
{
	struct onion_node_key k = key_of(p, 0);
	size_t len = onion_packet_bytes(&p->g, 0);
	uint8_t *copy = copy_of(packet, len);
	struct onion_job job = { .packet = copy };

	onion_derive(&job, 1, &p->g, &k);
	assert_int_equal(job.verdict, ONION_PENDING);
	assert_memory_equal(copy, packet, len);
	memcpy(tag, job.tag, sizeof(job.tag));
	onion_forget(&job);
	free(copy);
}

/* One tag per packet, the same each time, and no two packets share one. */
static void
test_replay_tags(void **state)
{
	static uint8_t tags[TAGS][ONION_REPLAY_TAG_BYTES];
	uint8_t again[ONION_REPLAY_TAG_BYTES];
	struct path p;

	(void)state;
	path_random(&p, 1024, 2);
	for (size_t i = 0; i < TAGS; i++) {
		assert_err_ok(build(&p));
		tag_of(tags[i], &p, p.packet);
		tag_of(again, &p, p.packet);
		assert_memory_equal(again, tags[i], sizeof(again));
		for (size_t j = 0; j < i; j++)
			assert_memory_not_equal(tags[j], tags[i], sizeof(again));
	}
	path_free(&p);
}

/* ---- what must fail ---- */

/*
 * Flip one bit of a byte of the packet as it arrives at a layer. In the
 * ciphertext of the KEM the tag is another one too, so that nobody can have a
 * packet's tag entered for a damaged copy; bit 255, which X25519 ignores, included.
 */
static void
check_flipped(struct path *p, const uint8_t *packet, unsigned layer, size_t byte, unsigned bit)
{
	size_t len = onion_packet_bytes(&p->g, layer);
	uint8_t *bad = copy_of(packet, len);
	struct onion_node_key k = key_of(p, layer);
	struct onion_job good = { .packet = copy_of(packet, len) }, job = { .packet = bad };

	bad[byte] ^= (uint8_t)(1u << bit);
	onion_derive(&good, 1, &p->g, &k);
	onion_derive(&job, 1, &p->g, &k);
	onion_forget(&good);
	free(good.packet);
	if (byte < ONION_CT_BYTES)
		assert_memory_not_equal(job.tag, good.tag, sizeof(job.tag));
	else
		assert_memory_equal(job.tag, good.tag, sizeof(job.tag));
	onion_open(&job, 1, &p->g, &k);
	assert_int_equal(job.verdict, ONION_BAD_AEAD);
	assert_null(job.inner);
	assert_true(sodium_is_zero(job.key, sizeof(job.key)));
	free(bad);
}

static void
test_flipped_bits(void **state)
{
	struct path p;
	struct onion_job job;
	uint8_t *at;

	(void)state;
	path_random(&p, ONION_RECORD_MIN, 3);
	assert_err_ok(build(&p));
	at = p.packet;
	for (unsigned layer = 0; layer <= p.g.layers; layer++) {
		for (size_t byte = 0; byte < onion_packet_bytes(&p.g, layer); byte++)
			check_flipped(&p, at, layer, byte, rng_below(test_rng(), 8));
		check_flipped(&p, at, layer, ONION_CT_BYTES - 1, 7);
		assert_int_equal(unwrap(&job, at, &p, layer), ONION_OPENED);
		at = job.inner;
	}
	path_free(&p);
}

/* A packet taken for shorter or longer than it is does not open, at any layer. */
static void
test_wrong_lengths(void **state)
{
	enum { MARGIN = 200 };
	struct path p;
	struct onion_job job;
	uint8_t *at, *room;

	(void)state;
	path_random(&p, ONION_RECORD_MIN + MARGIN, 2);
	assert_err_ok(build(&p));
	room = malloc(onion_packet_bytes(&p.g, 0) + MARGIN);
	assert_non_null(room);
	at = p.packet;
	for (unsigned layer = 0; layer <= p.g.layers; layer++) {
		struct onion_node_key k = key_of(&p, layer);

		for (int d = -MARGIN; d <= MARGIN; d++) {
			struct onion_geometry g = p.g;

			g.record_size = (uint16_t)(g.record_size + d);
			memset(room, 0, onion_packet_bytes(&p.g, 0) + MARGIN);
			memcpy(room, at, onion_packet_bytes(&p.g, layer));
			assert_int_equal(unwrap_with(&job, room, &g, &k),
			    d == 0 ? ONION_OPENED : ONION_BAD_AEAD);
		}
		assert_int_equal(unwrap(&job, at, &p, layer), ONION_OPENED);
		at = job.inner;
	}
	free(room);
	path_free(&p);
}

/* What the key derivation binds: any other sheet, epoch, layer, or node's key. */
static void
test_wrong_ground(void **state)
{
	struct path p;
	struct onion_job job;
	struct onion_node_key k;
	uint8_t *c;
	size_t len;

	(void)state;
	path_random(&p, 1024, 3);
	assert_err_ok(build(&p));
	len = onion_packet_bytes(&p.g, 0);
	for (unsigned what = 0; what < 5 + 32; what++) {
		struct onion_geometry g = p.g;
		struct onion_job good = { .packet = p.packet };

		k = key_of(&p, 0);
		onion_derive(&good, 1, &g, &k);
		onion_forget(&good);
		if (what == 0) {
			k.epoch += 1;
		} else if (what == 1) {
			k.epoch -= 1;
		} else if (what == 2) { /* the same bytes, one layer deeper on a longer path */
			k.layer = 1;
			g.layers++;
		} else if (what == 3) { /* the wrong half of the pair */
			k.pk[0] ^= 1;
		} else if (what == 4) { /* another node */
			k = key_of(&p, 1);
			k.layer = 0;
		} else {
			k.sheet_hash[what - 5] ^= (uint8_t)(1u << rng_below(test_rng(), 8));
		}
		c = copy_of(p.packet, len);
		assert_int_equal(unwrap_with(&job, c, &g, &k), ONION_BAD_AEAD);
		assert_memory_not_equal(job.tag, good.tag, sizeof(job.tag));
		free(c);
	}
	path_free(&p);
}

static void
low_order_point(uint8_t out[static 32], size_t i)
{
	assert_err_ok(encode_from_hex(out, 32, low_order_points[i], 64));
	out[31] |= (uint8_t)(rng_below(test_rng(), 2) << 7);
}

static void
test_low_order_points(void **state)
{
	struct path p;
	struct onion_job job;

	(void)state;
	for (size_t i = 0; i < LOW_ORDER_COUNT; i++) {
		uint8_t before[16] = { 1, 2, 3 };
		unsigned hop;

		path_random(&p, 1024, 3);
		assert_err_ok(build(&p));
		low_order_point(p.packet, i);
		assert_int_equal(unwrap(&job, p.packet, &p, 0), ONION_BAD_POINT);
		assert_null(job.inner);
		/* the sender refuses such a key, at every hop, and writes nothing */
		hop = rng_below(test_rng(), 4);
		low_order_point(p.hops[hop].pk, i);
		memcpy(p.packet, before, sizeof(before));
		assert_err(build(&p), ERR_CRYPTO);
		assert_memory_equal(p.packet, before, sizeof(before));
		path_free(&p);
	}
}

/*
 * Wrap a text under layer `layer` of a path, the way a sender does who does not
 * keep to the rules. len is that of the text.
 */
static void
wrap_by_hand(uint8_t *packet, const struct path *p, unsigned layer, const uint8_t *text, size_t len)
{
	static const uint8_t nonce[12] = { 0 };
	uint8_t sk[32], shared[32], m[32], k[32], info[118];
	struct writer w;

	rng_bytes(test_rng(), sk, sizeof(sk));
	crypto_scalarmult_base(packet, sk);
	assert_int_equal(crypto_scalarmult(shared, sk, p->hops[layer].pk), 0);
	writer_init(&w, info, sizeof(info));
	writer_copy(&w, "restante/onion/1", 16);
	writer_u8(&w, 1);
	writer_u32(&w, p->epoch);
	writer_u8(&w, (uint8_t)layer);
	writer_copy(&w, p->sheet_hash, 32);
	writer_copy(&w, packet, 32);
	writer_copy(&w, p->hops[layer].pk, 32);
	assert_err_ok(writer_end(&w));
	crypto_generichash(m, sizeof(m), info, sizeof(info), shared, sizeof(shared));
	crypto_kdf_derive_from_key(k, sizeof(k), 1, "rst.aead", m);
	crypto_aead_chacha20poly1305_ietf_encrypt(packet + 32, NULL, text, len, NULL, 0, NULL, nonce,
	    k);
}

static void
test_reserved_bytes_of_a_route(void **state)
{
	struct path p;
	struct onion_job job;
	size_t len;
	uint8_t *text;

	(void)state;
	path_random(&p, 1024, 2);
	len = onion_packet_bytes(&p.g, 0) - 48;
	text = calloc(1, len);
	assert_non_null(text);
	text[0] = 0x34;
	text[1] = 0x12;
	text[7] = 0x80;
	for (unsigned i = 0; i <= 16; i++) {
		if (i < 16)
			text[2 + i / 8] = (uint8_t)(1u << i % 8);
		wrap_by_hand(p.packet, &p, 0, text, len);
		assert_int_equal(unwrap(&job, p.packet, &p, 0),
		    i < 16 ? ONION_BAD_RESERVED : ONION_OPENED);
		if (i < 16)
			assert_null(job.inner);
		text[2] = text[3] = 0;
	}
	assert_int_equal(job.next_node, 0x1234);
	assert_int_equal(job.delay_ms, 0x80000000u);
	free(text);
	path_free(&p);
}

/* ---- commands ---- */

#define COMMAND_BYTES (68 + ONION_RECORD_MIN)

/* Where a command of a kind may have a byte that is not zero, by the protocol's table. */
static bool
may_be_set(enum onion_kind kind, size_t at)
{
	switch (kind) {
	case ONION_DROP:
		return false;
	case ONION_DEPOSIT:
		return at >= 2;
	case ONION_NOTE:
		return at >= 68 && at < 76;
	}
	return false;
}

static void
test_every_byte_of_a_command(void **state)
{
	const struct onion_geometry g = { .record_size = ONION_RECORD_MIN, .layers = 3 };
	uint8_t *inner = calloc(1, COMMAND_BYTES);

	(void)state;
	assert_non_null(inner);
	for (unsigned kind = ONION_DROP; kind <= ONION_NOTE; kind++) {
		struct onion_command c;

		inner[0] = (uint8_t)kind;
		assert_err_ok(onion_command_parse(&c, &g, inner));
		for (size_t at = 1; at < COMMAND_BYTES; at++) {
			inner[at] = (uint8_t)(1u << rng_below(test_rng(), 8));
			assert_err(onion_command_parse(&c, &g, inner),
			    may_be_set((enum onion_kind)kind, at) ? ERR_OK : ERR_MALFORMED);
			inner[at] = 0;
		}
	}
	free(inner);
}

static void
test_unknown_kinds(void **state)
{
	const struct onion_geometry g = { .record_size = ONION_RECORD_MIN, .layers = 3 };
	uint8_t *inner = calloc(1, COMMAND_BYTES);
	struct onion_command c = { .mailbox = 77 };

	(void)state;
	assert_non_null(inner);
	for (unsigned kind = 3; kind <= 255; kind++) {
		inner[0] = (uint8_t)kind;
		assert_err(onion_command_parse(&c, &g, inner), ERR_MALFORMED);
	}
	assert_int_equal(c.mailbox, 77);
	free(inner);
}

/* The builder makes nothing that the gateway would not parse. */
static void
test_bad_commands_are_not_built(void **state)
{
	struct path p;

	(void)state;
	path_random(&p, 1024, 3);
	p.command = (struct onion_command){ .kind = ONION_DROP };
	assert_err_ok(build(&p));
	p.command.mailbox = 1;
	assert_err(build(&p), ERR_USAGE);
	p.command = (struct onion_command){ .kind = ONION_NOTE };
	p.command.stamp[63] = 1;
	assert_err(build(&p), ERR_USAGE);
	memset(p.body, 0, p.g.record_size);
	p.body[8] = 1;
	p.command = (struct onion_command){ .kind = ONION_NOTE, .body = p.body };
	assert_err(build(&p), ERR_USAGE);
	p.command.kind = ONION_DROP;
	assert_err(build(&p), ERR_USAGE);
	p.command.kind = ONION_DEPOSIT;
	assert_err_ok(build(&p));
	p.command.body = NULL;
	assert_err(build(&p), ERR_USAGE);
	p.command.kind = (enum onion_kind)3;
	assert_err(build(&p), ERR_USAGE);
	path_free(&p);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_sizes),
	cmocka_unit_test(test_geometry_limits),
	cmocka_unit_test(test_any_geometry),
	cmocka_unit_test(test_packets_are_fresh),
	cmocka_unit_test(test_batch),
	cmocka_unit_test(test_replay_tags),
	cmocka_unit_test(test_flipped_bits),
	cmocka_unit_test(test_wrong_lengths),
	cmocka_unit_test(test_wrong_ground),
	cmocka_unit_test(test_low_order_points),
	cmocka_unit_test(test_reserved_bytes_of_a_route),
	cmocka_unit_test(test_every_byte_of_a_command),
	cmocka_unit_test(test_unknown_kinds),
	cmocka_unit_test(test_bad_commands_are_not_built),
};
TEST_MAIN(tests)

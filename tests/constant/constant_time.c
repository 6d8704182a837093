/*
 * Packet, stream, Noise and token code with secrets that memcheck watches. Run by
 * constant_time.sh under valgrind; TAP on stdout.
 */
#include "config.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <valgrind/valgrind.h>

#include "common/base/secret.h"
#include "common/crypto/noise.h"
#include "common/crypto/onion.h"
#include "common/crypto/ratchet.h"
#include "common/crypto/stream.h"
#include "common/token/enrolment.h"
#include "common/token/issuance.h"
#include "tests/constant/controls.h"
#include "tests/constant/marked.h"

#define RECORD 1024
#define WIRE "what goes over the wire: packets, records, handshake messages, frames"
#define PUBLIC_KEY "public keys: announced, in the charter or in a notice"

static void
must(enum err e, const char *what)
{
	if (e != ERR_OK) {
		fprintf(stderr, "constant_time: %s: %s\n", what, err_text(e));
		exit(1);
	}
}

/* A result that no secret went into would show that the marks were lost on the way. */
static void
must_be_secret(const void *p, size_t n, const char *what)
{
	if (!is_secret(p, n)) {
		fprintf(stderr, "constant_time: no secret came through to %s\n", what);
		exit(1);
	}
}

/* It leaves the program. */
static void
send_out(void *p, size_t n)
{
	must_be_secret(p, n, "what is sent");
	mark_public(p, n, WIRE);
}

static void
key_pair(uint8_t pk[static 32], uint8_t sk[static 32])
{
	rng_bytes(secret_rng(), sk, 32);
	(void)crypto_scalarmult_base(pk, sk);
	mark_public(pk, 32, PUBLIC_KEY);
}

/* ---- the packet ---- */

static const struct onion_geometry geometry = { .record_size = RECORD, .layers = 3 };

struct path_keys {
	struct onion_node_key node[4];
	struct onion_hop hop[4];
	uint8_t sk[4][32];
};

static void
path_keys_make(struct path_keys *p)
{
	memset(p, 0, sizeof(*p));
	for (unsigned i = 0; i < 4; i++) {
		key_pair(p->hop[i].pk, p->sk[i]);
		p->hop[i].node = (uint16_t)(i + 1);
		memcpy(p->node[i].pk, p->hop[i].pk, 32);
		p->node[i].sk = p->sk[i];
		p->node[i].layer = (uint8_t)i;
		p->node[i].epoch = 7;
	}
}

static void
packet_build(uint8_t *packet, struct path_keys *keys, enum onion_kind kind)
{
	static const uint8_t sheet[32];
	uint8_t body[RECORD] = { 0 };
	struct onion_command c = { .kind = kind, .body = kind == ONION_DROP ? NULL : body };

	if (kind == ONION_DEPOSIT) {
		rng_bytes(secret_rng(), body, sizeof(body));
		rng_bytes(secret_rng(), c.stamp, sizeof(c.stamp));
	} else {
		rng_bytes(secret_rng(), body, 8);
	}
	must(onion_build(packet, &geometry, 7, sheet, keys->hop, &c, secret_rng()), "onion_build");
	send_out(packet, onion_packet_bytes(&geometry, 0));
}

static void
packet_open(uint8_t *packet, const struct path_keys *keys)
{
	for (unsigned i = 0; i < 4; i++) {
		struct onion_job job = { .packet = packet };

		onion_derive(&job, 1, &geometry, &keys->node[i]);
		must_be_secret(job.tag, sizeof(job.tag), "a replay tag");
		must_be_secret(job.key, sizeof(job.key), "a packet key");
		onion_open(&job, 1, &geometry, &keys->node[i]);
		must(job.verdict == ONION_OPENED ? ERR_OK : ERR_CRYPTO, "onion_open");
		packet = job.inner;
		if (i < 3)
			send_out(packet, onion_packet_bytes(&geometry, i + 1));
	}
}

static void
test_packet(void)
{
	static const enum onion_kind kinds[] = { ONION_DROP, ONION_DEPOSIT, ONION_NOTE };
	static uint8_t packet[ONION_PACKET_MAX];
	struct path_keys keys;

	path_keys_make(&keys);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		packet_build(packet, &keys, kinds[i]);
		packet_open(packet, &keys);
	}
}

/* One that was changed under way: what is dropped is as constant. */
static void
test_packet_broken(void)
{
	static uint8_t packet[ONION_PACKET_MAX];
	struct path_keys keys;
	struct onion_job job = { .packet = packet };

	path_keys_make(&keys);
	packet_build(packet, &keys, ONION_NOTE);
	packet[100] ^= 1;
	onion_derive(&job, 1, &geometry, &keys.node[0]);
	onion_open(&job, 1, &geometry, &keys.node[0]);
	must(job.verdict == ONION_BAD_AEAD ? ERR_OK : ERR_CRYPTO, "a broken packet");
}

/* ---- streams ---- */

struct pair {
	struct stream_writer *w;
	struct stream_reader *r;
};

static void
seal(struct pair *s, uint8_t *record, uint64_t number)
{
	static uint8_t plaintext[RECORD], content[100];
	struct record_header h = { .type = RECORD_TEXT, .number = number, .message = number,
		.of = 1, .length = sizeof(content) };

	rng_bytes(secret_rng(), content, sizeof(content));
	h.peer_renewal_id[0] = (uint8_t)stream_writer_before(s->w);
	must(record_encode(plaintext, RECORD, &h, content), "record_encode");
	must(stream_seal(s->w, record, RECORD, plaintext, secret_rng()), "stream_seal");
	send_out(record, RECORD);
}

static void
take(struct pair *s, const uint8_t *record)
{
	static uint8_t plaintext[RECORD];
	struct record_header h;
	const uint8_t *content;

	must(stream_open(s->r, plaintext, NULL, record, RECORD, 1000), "stream_open");
	if (stream_generation(stream_writer_index(s->w)) == 0) /* else stream_open has looked at it */
		must_be_secret(plaintext, record_plaintext_bytes(RECORD), "a plaintext");
	must(record_decode(&h, &content, plaintext, RECORD), "record_decode");
}

static void
pair_begin(struct pair *s)
{
	static struct rng_seeded table;
	uint8_t secret[32];

	rng_seeded_init(&table, 1);
	rng_bytes(secret_rng(), secret, sizeof(secret));
	s->w = stream_writer_new(secret);
	s->r = stream_reader_new(secret, &table.rng);
	must(s->w != NULL && s->r != NULL ? ERR_OK : ERR_MEMORY, "a stream");
}

static void
pair_end(struct pair *s)
{
	stream_writer_free(s->w);
	stream_reader_free(s->r);
}

/* In order, out of order (skipped keys), and not genuine. */
static void
test_stream(void)
{
	static uint8_t records[4][RECORD], garbled[RECORD], plaintext[RECORD];
	static const unsigned order[] = { 0, 3, 1, 2 };
	struct pair s;

	pair_begin(&s);
	for (unsigned i = 0; i < 4; i++)
		seal(&s, records[i], i + 1);
	memcpy(garbled, records[0], RECORD);
	garbled[500] ^= 1;
	must(stream_open(s.r, plaintext, NULL, garbled, RECORD, 1000) == ERR_CRYPTO ? ERR_OK :
		ERR_CRYPTO, "a garbled record");
	for (unsigned i = 0; i < 4; i++)
		take(&s, records[order[i]]);
	pair_end(&s);
}

static void
test_renewal(void)
{
	static uint8_t record[RECORD];
	uint8_t sk[32], renewal[32], fresh[32];
	struct pair s;

	pair_begin(&s);
	key_pair(renewal, sk);
	seal(&s, record, 1);
	take(&s, record);
	must(stream_writer_announce(s.w, fresh, renewal, secret_rng()), "announce");
	send_out(fresh, sizeof(fresh));
	must(stream_reader_follow(s.r, fresh, sk, renewal), "follow");
	stream_writer_renew(s.w);
	seal(&s, record, 2);
	take(&s, record);
	pair_end(&s);
}

/* ---- Noise ---- */

struct ends {
	uint8_t sk[2][32], pk[2][32];
	struct noise *n[2];
	struct noise_cipher send[2], receive[2];
};

static void
handshake(struct ends *s)
{
	uint8_t message[NOISE_MESSAGE_MAX], payload[64];

	for (unsigned turn = 0; !noise_done(s->n[0]) || !noise_done(s->n[1]); turn ^= 1) {
		size_t len = noise_overhead(s->n[turn]) + sizeof(payload);

		memset(payload, 0, sizeof(payload));
		must(noise_write(s->n[turn], message, payload, sizeof(payload)), "noise_write");
		send_out(message, len);
		must(noise_read(s->n[turn ^ 1], payload, message, len), "noise_read");
	}
	for (unsigned i = 0; i < 2; i++) {
		must(noise_split(s->n[i], &s->send[i], &s->receive[i], NULL), "noise_split");
		must_be_secret(s->send[i].key, sizeof(s->send[i].key), "a transport key");
		noise_free(s->n[i]);
	}
}

static void
frames(struct ends *s)
{
	uint8_t frame[256 + NOISE_TAG_BYTES], text[256];

	for (unsigned i = 0; i < 2; i++) {
		rng_bytes(secret_rng(), text, sizeof(text));
		must(noise_encrypt(&s->send[i], frame, text, sizeof(text)), "noise_encrypt");
		send_out(frame, sizeof(frame));
		must(noise_decrypt(&s->receive[i ^ 1], text, frame, sizeof(text)), "noise_decrypt");
		frame[3] ^= 1;
		must(noise_decrypt(&s->receive[i ^ 1], text, frame, sizeof(text)) == ERR_CRYPTO ?
			ERR_OK : ERR_CRYPTO, "a broken frame");
	}
}

static void
noise_of(enum noise_pattern pattern)
{
	struct ends s;

	for (unsigned i = 0; i < 2; i++)
		key_pair(s.pk[i], s.sk[i]);
	for (unsigned i = 0; i < 2; i++) {
		bool own = pattern != NOISE_NK || i == 1;
		bool peer = pattern == NOISE_KK || (pattern == NOISE_NK && i == 0);
		const struct noise_config c = { .pattern = pattern, .initiator = i == 0,
			.prologue = "", .own_sk = own ? s.sk[i] : NULL, .own_pk = own ? s.pk[i] : NULL,
			.peer_pk = peer ? s.pk[i ^ 1] : NULL, .keys = secret_rng() };

		must(noise_new(&s.n[i], &c), "noise_new");
	}
	handshake(&s);
	frames(&s);
	sodium_memzero(&s, sizeof(s));
}

static void
test_noise(void)
{
	noise_of(NOISE_NK);
	noise_of(NOISE_KK);
	noise_of(NOISE_XX);
}

/* ---- tokens ---- */

static void
test_voprf(void)
{
	uint8_t seed[32], input[32], blind[32], wide[64], r[32];
	uint8_t blinded[1][32], evaluated[1][32], unblinded[1][32], proof[64], out[64], again[64];
	struct voprf_key k;
	const struct voprf_batch b = { .n = 1, .blinds = (const uint8_t(*)[32])&blind,
		.blinded = (const uint8_t(*)[32])blinded,
		.evaluated = (const uint8_t(*)[32])evaluated };

	rng_bytes(secret_rng(), seed, sizeof(seed));
	rng_bytes(secret_rng(), input, sizeof(input));
	must(voprf_derive_key(&k, seed, "test", 4), "voprf_derive_key");
	mark_public(k.pk, sizeof(k.pk), PUBLIC_KEY);
	rng_bytes(secret_rng(), wide, sizeof(wide));
	must(voprf_scalar(blind, wide), "voprf_scalar");
	must(voprf_blind(blinded[0], input, sizeof(input), blind), "voprf_blind");
	send_out(blinded, sizeof(blinded));
	rng_bytes(secret_rng(), wide, sizeof(wide));
	must(voprf_scalar(r, wide), "voprf_scalar");
	must(voprf_evaluate(evaluated, proof, &k, (const uint8_t(*)[32])blinded, 1, r),
	    "voprf_evaluate");
	send_out(evaluated, sizeof(evaluated));
	send_out(proof, sizeof(proof));
	must(voprf_unblind(unblinded, &b, k.pk, proof), "voprf_unblind");
	voprf_finalize(out, input, sizeof(input), unblinded[0]);
	must(voprf_output(again, &k, input, sizeof(input)), "voprf_output");
	must_be_secret(out, sizeof(out), "an output");
	must(sodium_memcmp(out, again, sizeof(out)) == 0 ? ERR_OK : ERR_CRYPTO, "the same output");
}

static void
test_multiply(void)
{
	uint8_t wide[64] = { 3 }, point[32], scalar[32], product[32];

	(void)crypto_core_ristretto255_from_hash(point, wide);
	rng_bytes(secret_rng(), wide, sizeof(wide));
	must(voprf_scalar(scalar, wide), "voprf_scalar");
	must(bare_multiply(product, scalar, point) == 0 ? ERR_OK : ERR_CRYPTO, "multiply");
	must_be_secret(product, sizeof(product), "a product");
}

static void
redeem(const struct issuer *issuer, struct issuance_batch *b, enum token_kind kind)
{
	uint8_t shown[TOKEN_SPENT_BYTES], public[RECORD] = { 1 };

	memcpy(shown, b->nonce[0], TOKEN_NONCE_BYTES);
	if (kind == TOKEN_STAMP)
		token_stamp_proof(shown + TOKEN_NONCE_BYTES, b->output[0], public, RECORD);
	else
		token_ticket_proof(shown + TOKEN_NONCE_BYTES, b->output[0], public);
	send_out(shown, sizeof(shown));
	must(kind == TOKEN_STAMP ? issuer_redeem_stamp(issuer, shown, public, RECORD) :
		issuer_redeem_ticket(issuer, 0, shown, shown + TOKEN_NONCE_BYTES, public), "redeem");
	shown[TOKEN_SPENT_BYTES - 1] ^= 1;
	must((kind == TOKEN_STAMP ? issuer_redeem_stamp(issuer, shown, public, RECORD) :
		issuer_redeem_ticket(issuer, 0, shown, shown + TOKEN_NONCE_BYTES, public)) ==
		ERR_DENIED ? ERR_OK : ERR_CRYPTO, "a forged token");
}

static void
issue(const struct issuer *issuer, const struct params *p, enum token_kind kind)
{
	static struct issuance_request q;
	static struct issuance_answer a;
	static struct issuance_batch batch;
	uint8_t wallet[32], code[ENROLMENT_SECRET_BYTES];

	rng_bytes(secret_rng(), wallet, sizeof(wallet));
	rng_bytes(secret_rng(), code, sizeof(code));
	q = (struct issuance_request){ .kind = kind, .epoch = 9 };
	must(issuance_ask(&q, p, code, wallet), "issuance_ask");
	send_out(q.blinded, sizeof(q.blinded));
	issuance_serve(&a, issuer, &q, p, secret_rng());
	must(a.status == ISSUANCE_OK ? ERR_OK : ERR_DENIED, "issuance_serve");
	send_out(a.evaluated, sizeof(a.evaluated));
	send_out(a.proofs, sizeof(a.proofs));
	must(issuance_take(&batch, &q, &a, issuer_keys(issuer), p, wallet), "issuance_take");
	redeem(issuer, &batch, kind);
}

static void
test_tokens(void)
{
	uint8_t seed[ISSUER_SEED_BYTES];
	struct issuer *issuer;
	struct params p;

	params_default(&p);
	p.stamps = 3;
	rng_bytes(secret_rng(), seed, sizeof(seed));
	must(issuer_new(&issuer, &p, 9, seed), "issuer_new");
	mark_public(issuer_keys(issuer), sizeof(struct issuer_keys), PUBLIC_KEY);
	issue(issuer, &p, TOKEN_TICKET);
	issue(issuer, &p, TOKEN_STAMP);
	issuer_free(issuer);
}

/* ---- all of them ---- */

static const struct {
	const char *name;
	void (*run)(void);
	bool control; /* must be found */
} cases[] = {
	{ "control: memcmp on a secret is found", control_compare, true },
	{ "control: an early exit is found", control_loop, true },
	{ "control: a table look-up by a secret is found", control_table, true },
	{ "control: a branch on a secret bit is found", control_branch, true },
	{ "control: a secret that went through the real code is found", control_early, true },
	{ "packet: built, and opened at each hop", test_packet, false },
	{ "packet: one that was changed", test_packet_broken, false },
	{ "stream: sealed and opened in any order, and garbled", test_stream, false },
	{ "stream: renewed", test_renewal, false },
	{ "noise: NK, KK and XX with frames", test_noise, false },
	{ "token: ristretto255 with a secret scalar, nothing suppressed", test_multiply, false },
	{ "token: blind, evaluate, prove, verify, unblind, output", test_voprf, false },
	{ "token: tickets and stamps asked for, issued, taken, redeemed", test_tokens, false },
};
#define CASES (sizeof(cases) / sizeof(*cases))

int
main(void)
{
	bool all = true;

	if (RUNNING_ON_VALGRIND == 0) {
		fprintf(stderr, "constant_time: run by constant_time.sh, under valgrind\n");
		return 1;
	}
	must(secret_setup(), "secret_setup");
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("1..%zu\n", CASES);
	for (size_t i = 0; i < CASES; i++) {
		unsigned long before = marked_errors(), found;
		bool good;

		cases[i].run();
		found = marked_errors() - before;
		good = cases[i].control ? found > 0 : found == 0;
		all = all && good;
		printf("%sok %zu - %s (%lu found)\n", good ? "" : "not ", i + 1, cases[i].name, found);
	}
	return all ? 0 : 1;
}

#include "config.h"

#include <sodium.h>
#include <string.h>

#include "client-lib/invite.h"
#include "common/base/rng.h"
#include "tests/vectors/vectors.h"

#define RECORD_MAX 16384
#define CASES 6

/* What both sides put in, and what comes out. */
struct contact_case {
	uint8_t inviter_sk[32], one_time_sk[32], acceptor_sk[32], ephemeral[32];
	struct invite invite;
	struct invite_answer answer;
	unsigned attempt;
	size_t record_size;
	char text[INVITE_TEXT_MAX], safety_number[72];
	uint8_t record[RECORD_MAX];
	struct invite_secrets secrets; /* the acceptor's */
};

static void
give_ephemeral(void *ctx, void *out, size_t n)
{
	const struct contact_case *c = ctx;

	memset(out, 0, n);
	if (n == sizeof(c->ephemeral))
		memcpy(out, c->ephemeral, n);
}

/* The public keys of the case's secret ones. */
static void
fill_keys(struct contact_case *c)
{
	(void)crypto_scalarmult_base(c->invite.identity, c->inviter_sk);
	(void)crypto_scalarmult_base(c->invite.one_time, c->one_time_sk);
	(void)crypto_scalarmult_base(c->answer.own_identity_pk, c->acceptor_sk);
	memcpy(c->answer.own_identity_sk, c->acceptor_sk, 32);
}

/* What our implementation makes of the inputs. */
static bool
compute(struct contact_case *c)
{
	const struct rng keys = { .fill = give_ephemeral, .ctx = c };

	invite_safety_number(c->safety_number, c->invite.identity, c->answer.own_identity_pk,
	    c->invite.network_id);
	return invite_encode(c->text, &c->invite) == ERR_OK &&
	    invite_answer_record(c->record, c->record_size, &c->invite, &c->answer, c->attempt,
		&keys) == ERR_OK &&
	    invite_answer_secrets(&c->secrets, &c->invite, &c->answer) == ERR_OK;
}

/* ---- checking ---- */

static void
read_inputs(struct vectors *v, struct contact_case *c)
{
	vectors_bytes(v, c->inviter_sk, 32, "inviter-secret");
	vectors_bytes(v, c->one_time_sk, 32, "one-time-secret");
	vectors_bytes(v, c->acceptor_sk, 32, "acceptor-secret");
	vectors_bytes(v, c->ephemeral, 32, "ephemeral");
	vectors_bytes(v, c->invite.network_id, 32, "network-id");
	c->invite.epoch_block.round = vectors_u64(v, "epoch-block-round", UINT64_MAX);
	vectors_bytes(v, c->invite.epoch_block.hash, 32, "epoch-block-hash");
	c->invite.gateway = (uint16_t)vectors_u64(v, "gateway", UINT16_MAX);
	c->invite.mailbox = (uint16_t)vectors_u64(v, "inviter-mailbox", UINT16_MAX);
	vectors_bytes(v, c->invite.psk, 32, "pre-shared-secret");
	c->invite.expires_ms = (int64_t)vectors_u64(v, "expiry", INT64_MAX);
	c->answer.own_mailbox = (uint16_t)vectors_u64(v, "acceptor-mailbox", UINT16_MAX);
	vectors_bytes(v, c->answer.f, 32, "f");
	c->attempt = (unsigned)vectors_u64(v, "attempt", INVITE_ATTEMPTS - 1);
	c->record_size = (size_t)vectors_u64(v, "record-size", RECORD_MAX);
	fill_keys(c);
}

/* Their text and record, read by us. */
static void
check_reading(struct vectors *v, const struct contact_case *c, const char *text,
    const uint8_t *record)
{
	struct invite_acceptor who;
	struct invite_secrets s;
	struct invite i;

	vectors_must(v, invite_decode(&i, text, NULL) == ERR_OK, "the text is not understood");
	vectors_same(v, i.one_time, c->invite.one_time, 32, "one-time key");
	vectors_must(v, invite_open(&who, &s, record, c->record_size, &i, c->inviter_sk,
	    c->one_time_sk) == ERR_OK, "the answer does not open");
	vectors_same(v, who.identity, c->answer.own_identity_pk, 32, "acceptor's identity");
	vectors_must(v, who.mailbox == c->answer.own_mailbox, "acceptor's mailbox");
	vectors_same(v, s.receive, c->secrets.send, 32, "secret of the stream to the inviter");
	vectors_same(v, s.send, c->secrets.receive, 32, "secret of the stream to the acceptor");
}

static void
check_case(struct vectors *v)
{
	static uint8_t record[RECORD_MAX];
	static struct contact_case c;
	char text[INVITE_TEXT_MAX] = "", number[72] = "";
	uint8_t to_inviter[32], to_acceptor[32];

	memset(&c, 0, sizeof(c));
	read_inputs(v, &c);
	vectors_must(v, c.record_size >= 1024 && compute(&c), "nothing comes of it");
	(void)vectors_string(v, text, sizeof(text) - 1, "text");
	vectors_bytes(v, record, c.record_size, "record");
	vectors_bytes(v, to_inviter, 32, "to-inviter");
	vectors_bytes(v, to_acceptor, 32, "to-acceptor");
	(void)vectors_string(v, number, sizeof(number) - 1, "safety-number");
	vectors_must(v, strcmp(text, c.text) == 0, "text");
	vectors_same(v, record, c.record, c.record_size, "record");
	vectors_same(v, to_inviter, c.secrets.send, 32, "to-inviter");
	vectors_same(v, to_acceptor, c.secrets.receive, 32, "to-acceptor");
	vectors_must(v, strcmp(number, c.safety_number) == 0, "safety number");
	check_reading(v, &c, text, record);
}

void
contact_vectors_check(struct vectors *v)
{
	bool any = false;

	for (; vectors_more(v); any = true)
		check_case(v);
	vectors_must(v, any, "no case");
}

/* ---- making ---- */

static void
random_inputs(struct contact_case *c, const struct rng *r, unsigned n)
{
	memset(c, 0, sizeof(*c));
	rng_bytes(r, c->inviter_sk, 32);
	rng_bytes(r, c->one_time_sk, 32);
	rng_bytes(r, c->acceptor_sk, 32);
	rng_bytes(r, c->ephemeral, 32);
	rng_bytes(r, c->invite.network_id, 32);
	c->invite.epoch_block.round = rng_u64(r);
	rng_bytes(r, c->invite.epoch_block.hash, 32);
	c->invite.gateway = (uint16_t)rng_u64(r);
	c->invite.mailbox = (uint16_t)rng_u64(r);
	rng_bytes(r, c->invite.psk, 32);
	c->invite.expires_ms = rng_between(r, 0, INT64_C(1) << 42);
	c->answer.own_mailbox = (uint16_t)rng_u64(r);
	rng_bytes(r, c->answer.f, 32);
	c->attempt = n * 3;
	c->record_size = n == 0 ? 4096 : 1024;
	fill_keys(c);
}

static void
put(const struct contact_case *c)
{
	vectors_put_bytes("inviter-secret", c->inviter_sk, 32);
	vectors_put_bytes("one-time-secret", c->one_time_sk, 32);
	vectors_put_bytes("acceptor-secret", c->acceptor_sk, 32);
	vectors_put_bytes("ephemeral", c->ephemeral, 32);
	vectors_put_bytes("network-id", c->invite.network_id, 32);
	vectors_put_u64("epoch-block-round", c->invite.epoch_block.round);
	vectors_put_bytes("epoch-block-hash", c->invite.epoch_block.hash, 32);
	vectors_put_u64("gateway", c->invite.gateway);
	vectors_put_u64("inviter-mailbox", c->invite.mailbox);
	vectors_put_bytes("pre-shared-secret", c->invite.psk, 32);
	vectors_put_u64("expiry", (uint64_t)c->invite.expires_ms);
	vectors_put_u64("acceptor-mailbox", c->answer.own_mailbox);
	vectors_put_bytes("f", c->answer.f, 32);
	vectors_put_u64("attempt", c->attempt);
	vectors_put_u64("record-size", c->record_size);
	vectors_put_bytes("text", c->text, strlen(c->text));
	vectors_put_bytes("record", c->record, c->record_size);
	vectors_put_bytes("to-inviter", c->secrets.send, 32);
	vectors_put_bytes("to-acceptor", c->secrets.receive, 32);
	vectors_put_bytes("safety-number", c->safety_number, strlen(c->safety_number));
}

void
contact_vectors_make(void)
{
	static struct contact_case c;
	struct rng_seeded seeded;

	rng_seeded_init(&seeded, 11);
	for (unsigned n = 0; n < CASES; n++) {
		random_inputs(&c, &seeded.rng, n);
		vectors_put_case(n == 0 ? "first attempt, with the default size of records"
					: "a later attempt, with small records");
		if (compute(&c))
			put(&c);
	}
}

/*
 * Invitations: the text and its refusals, all sixteen attempts at an answer,
 * the same secrets on both sides and on nobody else's, safety numbers.
 */
#include "config.h"

#include "tests/lib/test.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "client-lib/invite.h"
#include "common/base/encode.h"

#define SIZE 1024
#define BODY 181

struct party {
	uint8_t sk[32], pk[32];
};

struct contact_case {
	struct party inviter, one_time, acceptor;
	struct invite invite;
	struct invite_answer answer;
};

static struct party
party_new(void)
{
	struct party p;

	rng_bytes(test_rng(), p.sk, sizeof(p.sk));
	assert_int_equal(crypto_scalarmult_base(p.pk, p.sk), 0);
	return p;
}

static struct contact_case
case_new(void)
{
	struct contact_case c = { .inviter = party_new(), .one_time = party_new(),
		.acceptor = party_new() };

	rng_bytes(test_rng(), c.invite.network_id, 32);
	c.invite.epoch_block.round = rng_u64(test_rng());
	rng_bytes(test_rng(), c.invite.epoch_block.hash, 32);
	c.invite.gateway = 4;
	c.invite.mailbox = 513;
	memcpy(c.invite.identity, c.inviter.pk, 32);
	memcpy(c.invite.one_time, c.one_time.pk, 32);
	rng_bytes(test_rng(), c.invite.psk, 32);
	c.invite.expires_ms = 1800000000000;
	memcpy(c.answer.own_identity_sk, c.acceptor.sk, 32);
	memcpy(c.answer.own_identity_pk, c.acceptor.pk, 32);
	c.answer.own_mailbox = 77;
	rng_bytes(test_rng(), c.answer.f, 32);
	return c;
}

static void
assert_same(const struct invite *a, const struct invite *b)
{
	assert_memory_equal(a->network_id, b->network_id, 32);
	assert_int_equal(a->epoch_block.round, b->epoch_block.round);
	assert_memory_equal(a->epoch_block.hash, b->epoch_block.hash, 32);
	assert_int_equal(a->gateway, b->gateway);
	assert_int_equal(a->mailbox, b->mailbox);
	assert_memory_equal(a->identity, b->identity, 32);
	assert_memory_equal(a->one_time, b->one_time, 32);
	assert_memory_equal(a->psk, b->psk, 32);
	assert_int_equal(a->expires_ms, b->expires_ms);
}

/* ---- the text ---- */

static void
a_text_carries_the_invitation(void **state)
{
	char text[INVITE_TEXT_MAX];
	struct diag d;

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		struct contact_case c = case_new();
		struct invite back;
		assert_err_ok(invite_encode(text, &c.invite));
		assert_true(strlen(text) < 300);
		assert_int_equal(strspn(text + 9, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
						  "abcdefghijklmnopqrstuvwxyz0123456789-_"),
		    strlen(text) - 9);
		assert_err_ok(invite_decode(&back, text, &d));
		assert_same(&back, &c.invite);
	}
}

static void
line_breaks_are_skipped(void **state)
{
	struct contact_case c = case_new();
	char text[INVITE_TEXT_MAX], broken[2 * INVITE_TEXT_MAX];
	struct invite back;
	struct diag d;
	size_t n = 0;

	(void)state;
	assert_err_ok(invite_encode(text, &c.invite));
	broken[n++] = ' ';
	for (size_t i = 0; text[i] != '\0'; i++) {
		broken[n++] = text[i];
		if (i % 20 == 0)
			broken[n++] = "\r\n\t "[i / 20 % 4];
	}
	broken[n++] = '\n';
	broken[n] = '\0';
	assert_err_ok(invite_decode(&back, broken, &d));
	assert_same(&back, &c.invite);
}

static void
refused(const char *text, enum err want, const char *why)
{
	struct invite out, before;
	struct diag d = { "" };

	memset(&out, 0x33, sizeof(out));
	before = out;
	assert_err(invite_decode(&out, text, &d), want);
	assert_contains(d.text, why);
	assert_memory_equal(&out, &before, sizeof(out));
}

static void
other_texts_are_refused_with_a_reason(void **state)
{
	struct contact_case c = case_new();
	char text[INVITE_TEXT_MAX], longer[2 * INVITE_TEXT_MAX];

	(void)state;
	refused("", ERR_MALFORMED, "must begin with");
	refused("restante", ERR_MALFORMED, "must begin with");
	refused("Restante:AAAA", ERR_MALFORMED, "must begin with");
	refused("restante:", ERR_TRUNCATED, "incomplete");
	assert_err_ok(invite_encode(text, &c.invite));
	(void)snprintf(longer, sizeof(longer), "%sA", text);
	refused(longer, ERR_TRAILING, "something follows");
	memset(longer, 'A', sizeof(longer) - 1);
	memcpy(longer, "restante:", 9);
	longer[sizeof(longer) - 1] = '\0';
	refused(longer, ERR_TRAILING, "something follows");
	text[100] = '!';
	refused(text, ERR_MALFORMED, "does not belong");
	text[100] = (char)0x80; /* libsodium 1.0.18 would take it */
	refused(text, ERR_MALFORMED, "does not belong");
	text[100] = '=';
	refused(text, ERR_MALFORMED, "does not belong");
}

static void
every_truncation_is_refused(void **state)
{
	struct contact_case c = case_new();
	char text[INVITE_TEXT_MAX];
	struct invite out;
	struct diag d;

	(void)state;
	assert_err_ok(invite_encode(text, &c.invite));
	for (size_t n = strlen(text); n-- > 0;) {
		text[n] = '\0';
		assert_err(invite_decode(&out, text, &d), n < 9 ? ERR_MALFORMED : ERR_TRUNCATED);
	}
}

static void
every_mistyped_letter_is_told(void **state)
{
	struct contact_case c = case_new();
	char text[INVITE_TEXT_MAX], was;

	(void)state;
	assert_err_ok(invite_encode(text, &c.invite));
	for (size_t i = 9; text[i + 1] != '\0'; i++) {
		was = text[i];
		text[i] = was == 'x' ? 'y' : 'x';
		refused(text, ERR_MALFORMED, "mistyped");
		text[i] = was;
	}
}

/* A body with its check sum, as text. */
static void
craft(char *text, uint8_t *body, size_t n)
{
	uint8_t sum[32];

	assert_int_equal(crypto_generichash(sum, sizeof(sum), body, n, NULL, 0), 0);
	memcpy(body + n, sum, 4);
	memcpy(text, "restante:", 9);
	encode_base64(text + 9, body, n + 4);
}

static void
other_formats_are_told_apart(void **state)
{
	uint8_t body[300] = { 0 };
	char text[INVITE_TEXT_MAX];
	struct invite out;
	struct diag d;

	(void)state;
	body[0] = 1;
	craft(text, body, BODY);
	assert_err_ok(invite_decode(&out, text, &d));
	body[0] = 0;
	craft(text, body, BODY);
	refused(text, ERR_MALFORMED, "damaged");
	body[0] = 2;
	craft(text, body, BODY + 32); /* a later format has other lengths */
	refused(text, ERR_VERSION, "newer version (format 2");
	craft(text, body, 20);
	refused(text, ERR_VERSION, "upgrade");
}

/* ---- the answer ---- */

static enum err
open_record(struct contact_case *c, struct invite_acceptor *who, struct invite_secrets *secrets,
    const uint8_t *record)
{
	return invite_open(who, secrets, record, SIZE, &c->invite, c->inviter.sk, c->one_time.sk);
}

static void
every_attempt_opens_to_the_same_secrets(void **state)
{
	struct contact_case c = case_new();
	uint8_t record[SIZE], former[SIZE] = { 0 };
	struct invite_secrets ours, theirs;
	struct invite_acceptor who;
	struct invite_tags tags;

	(void)state;
	invite_tags(&tags, c.invite.psk);
	assert_err_ok(invite_answer_secrets(&ours, &c.invite, &c.answer));
	assert_memory_not_equal(ours.send, ours.receive, 32);
	for (unsigned n = 0; n < INVITE_ATTEMPTS; n++) {
		assert_err_ok(invite_answer_record(record, SIZE, &c.invite, &c.answer, n,
		    test_rng()));
		assert_memory_equal(record_tag(record), tags.tag[n], RECORD_TAG_BYTES);
		assert_true(invite_tags_have(&tags, record));
		assert_memory_not_equal(record, former, 32); /* each has its own E */
		memcpy(former, record, SIZE);
		assert_err_ok(open_record(&c, &who, &theirs, record));
		assert_memory_equal(who.identity, c.acceptor.pk, 32);
		assert_int_equal(who.mailbox, 77);
		assert_memory_equal(theirs.send, ours.receive, 32);
		assert_memory_equal(theirs.receive, ours.send, 32);
	}
	assert_err(invite_answer_record(record, SIZE, &c.invite, &c.answer, INVITE_ATTEMPTS,
	    test_rng()), ERR_USAGE);
}

static void
everything_is_bound_to_the_secrets(void **state)
{
	struct contact_case c = case_new();
	struct invite_secrets base, other;
	struct invite i;
	struct invite_answer a;

	(void)state;
	assert_err_ok(invite_answer_secrets(&base, &c.invite, &c.answer));
	for (unsigned field = 0; field < 8; field++) {
		i = c.invite;
		a = c.answer;
		switch (field) {
		case 0: i.psk[0] ^= 1; break;
		case 1: i.network_id[31] ^= 1; break;
		case 2: i.mailbox ^= 1; break;
		case 3: a.own_mailbox ^= 1; break;
		case 4: a.f[0] ^= 1; break;
		case 5: i.identity[5] ^= 1; break;
		case 6: i.one_time[5] ^= 1; break;
		default: a.own_identity_pk[5] ^= 1; break;
		}
		assert_err_ok(invite_answer_secrets(&other, &i, &a));
		assert_memory_not_equal(base.send, other.send, 32);
		assert_memory_not_equal(base.receive, other.receive, 32);
	}
}

static void
only_the_inviter_opens(void **state)
{
	struct contact_case c = case_new(), stranger = case_new();
	struct invite_secrets s;
	struct invite_acceptor who;
	uint8_t record[SIZE];

	(void)state;
	assert_err_ok(invite_answer_record(record, SIZE, &c.invite, &c.answer, 3, test_rng()));
	assert_err(open_record(&stranger, &who, &s, record), ERR_NOT_FOUND);
	assert_err(invite_open(&who, &s, record, SIZE, &c.invite, c.inviter.sk, stranger.one_time.sk),
	    ERR_CRYPTO);
	assert_err(invite_open(&who, &s, record, SIZE, &c.invite, stranger.inviter.sk, c.one_time.sk),
	    ERR_CRYPTO);
	/* the secret in the invitation alone does not open it either */
	stranger.invite = c.invite;
	assert_err(open_record(&stranger, &who, &s, record), ERR_CRYPTO);
	/* nor under another network's id */
	struct invite i = c.invite;
	i.network_id[0] ^= 1;
	assert_err(invite_open(&who, &s, record, SIZE, &i, c.inviter.sk, c.one_time.sk), ERR_CRYPTO);
	assert_err_ok(open_record(&c, &who, &s, record));
}

static void
no_changed_bit_opens(void **state)
{
	struct contact_case c = case_new();
	struct invite_secrets s;
	struct invite_acceptor who;
	uint8_t record[SIZE];

	(void)state;
	assert_err_ok(invite_answer_record(record, SIZE, &c.invite, &c.answer, 0, test_rng()));
	for (size_t i = 0; i < SIZE; i++) {
		uint8_t flip = (uint8_t)(1u << rng_below(test_rng(), 8));
		record[i] ^= flip;
		assert_int_not_equal(open_record(&c, &who, &s, record), ERR_OK);
		record[i] ^= flip;
	}
}

static void
degenerate_keys_are_refused(void **state)
{
	static const uint8_t zero[32], one[32] = { 1 };
	struct contact_case c = case_new();
	struct invite_secrets s;
	struct invite_acceptor who;
	uint8_t record[SIZE];

	(void)state;
	memcpy(c.invite.one_time, zero, 32);
	assert_err(invite_answer_record(record, SIZE, &c.invite, &c.answer, 0, test_rng()), ERR_CRYPTO);
	assert_err(invite_answer_secrets(&s, &c.invite, &c.answer), ERR_CRYPTO);
	c = case_new();
	memcpy(c.invite.identity, one, 32);
	assert_err(invite_answer_record(record, SIZE, &c.invite, &c.answer, 0, test_rng()), ERR_CRYPTO);
	/* an acceptor that names a point of low order as its identity */
	c = case_new();
	memcpy(c.answer.own_identity_pk, zero, 32);
	assert_err_ok(invite_answer_record(record, SIZE, &c.invite, &c.answer, 0, test_rng()));
	assert_err(open_record(&c, &who, &s, record), ERR_CRYPTO);
	/* and a record whose E is one */
	c = case_new();
	assert_err_ok(invite_answer_record(record, SIZE, &c.invite, &c.answer, 0, test_rng()));
	memcpy(record, zero, 32);
	assert_err(open_record(&c, &who, &s, record), ERR_CRYPTO);
}

/* ---- safety numbers ---- */

static void
safety_numbers_are_the_same_on_both_sides(void **state)
{
	struct party a = party_new(), b = party_new(), c = party_new();
	uint8_t network[32] = { 9 };
	char x[72], y[72];

	(void)state;
	invite_safety_number(x, a.pk, b.pk, network);
	invite_safety_number(y, b.pk, a.pk, network);
	assert_string_equal(x, y);
	assert_int_equal(strlen(x), 71);
	for (size_t i = 0; i < 71; i++)
		assert_true(i % 6 == 5 ? x[i] == ' ' : x[i] >= '0' && x[i] <= '9');
	invite_safety_number(y, a.pk, c.pk, network);
	assert_string_not_equal(x, y);
	network[0] ^= 1;
	invite_safety_number(y, a.pk, b.pk, network);
	assert_string_not_equal(x, y);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_text_carries_the_invitation),
	cmocka_unit_test(line_breaks_are_skipped),
	cmocka_unit_test(other_texts_are_refused_with_a_reason),
	cmocka_unit_test(every_truncation_is_refused),
	cmocka_unit_test(every_mistyped_letter_is_told),
	cmocka_unit_test(other_formats_are_told_apart),
	cmocka_unit_test(every_attempt_opens_to_the_same_secrets),
	cmocka_unit_test(everything_is_bound_to_the_secrets),
	cmocka_unit_test(only_the_inviter_opens),
	cmocka_unit_test(no_changed_bit_opens),
	cmocka_unit_test(degenerate_keys_are_refused),
	cmocka_unit_test(safety_numbers_are_the_same_on_both_sides),
};

TEST_MAIN(tests)

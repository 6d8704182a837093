#include "config.h"

#include "client-lib/invite.h"

#include <sodium.h>
#include <string.h>

#include "common/base/encode.h"
#include "common/base/secret.h"
#include "common/crypto/hash.h"

#define PREFIX "restante:"
#define FORMAT 1u
#define CHECK_BYTES 4
/* format, network, epoch block, gateway, mailbox, two keys, psk, expiry */
#define BODY_BYTES (1 + 32 + 8 + 32 + 2 + 2 + 32 + 32 + 32 + 8)
#define ANSWER_BYTES (32 + 2 + 32) /* identity, mailbox, F */

#define TEXT_CHARS (ENCODE_BASE64_SIZE(BODY_BYTES + CHECK_BYTES) - 1)

_Static_assert(sizeof(PREFIX) + TEXT_CHARS <= INVITE_TEXT_MAX, "an invitation fits its text");

/* ---- the text ---- */

static void
check_sum(uint8_t out[static CHECK_BYTES], const uint8_t *body)
{
	uint8_t sum[HASH_BYTES];

	hash_256(sum, body, BODY_BYTES);
	memcpy(out, sum, CHECK_BYTES);
}

enum err
invite_encode(char out[static INVITE_TEXT_MAX], const struct invite *i)
{
	uint8_t body[BODY_BYTES + CHECK_BYTES];
	struct writer w;
	enum err e;

	writer_init(&w, body, BODY_BYTES);
	writer_u8(&w, FORMAT);
	writer_copy(&w, i->network_id, 32);
	writer_u64(&w, i->epoch_block.round);
	writer_copy(&w, i->epoch_block.hash, 32);
	writer_u16(&w, i->gateway);
	writer_u16(&w, i->mailbox);
	writer_copy(&w, i->identity, 32);
	writer_copy(&w, i->one_time, 32);
	writer_copy(&w, i->psk, 32);
	writer_u64(&w, (uint64_t)i->expires_ms);
	e = writer_end(&w);
	if (e == ERR_OK) {
		check_sum(body + BODY_BYTES, body);
		memcpy(out, PREFIX, sizeof(PREFIX) - 1);
		encode_base64(out + sizeof(PREFIX) - 1, body, sizeof(body));
	}
	sodium_memzero(body, sizeof(body));
	return e;
}

static enum err
parse_body(struct invite *out, const uint8_t *body, struct diag *d)
{
	struct reader r;

	reader_init(&r, body, BODY_BYTES);
	if (reader_u8(&r) != FORMAT)
		return diag_set(d, ERR_MALFORMED, "invitation: damaged; ask for a new one");
	reader_copy(&r, out->network_id, 32);
	out->epoch_block.round = reader_u64(&r);
	reader_copy(&r, out->epoch_block.hash, 32);
	out->gateway = reader_u16(&r);
	out->mailbox = reader_u16(&r);
	reader_copy(&r, out->identity, 32);
	reader_copy(&r, out->one_time, 32);
	reader_copy(&r, out->psk, 32);
	out->expires_ms = (int64_t)reader_u64(&r);
	return reader_end(&r);
}

static enum err
parse_checked(struct invite *out, const uint8_t *body, struct diag *d)
{
	uint8_t sum[CHECK_BYTES];
	struct invite i;
	enum err e;

	check_sum(sum, body);
	if (sodium_memcmp(sum, body + BODY_BYTES, CHECK_BYTES) != 0)
		return diag_set(d, ERR_MALFORMED,
		    "invitation: mistyped (its check sum does not match); copy it again");
	e = parse_body(&i, body, d);
	if (e == ERR_OK)
		*out = i;
	sodium_memzero(&i, sizeof(i));
	return e;
}

/* Not as long as format 1: cut off, or of a format that this program does not know. */
static enum err
other_length(const char *text, size_t n, struct diag *d)
{
	uint8_t first[3];

	if (n >= 4 && encode_from_base64(first, sizeof(first), text, 4) == ERR_OK &&
	    first[0] > FORMAT)
		return diag_set(d, ERR_VERSION,
		    "invitation: made by a newer version (format %u, this program knows %u); "
		    "upgrade this program", first[0], FORMAT);
	if (n < TEXT_CHARS)
		return diag_set(d, ERR_TRUNCATED,
		    "invitation: incomplete; copy it again as a whole");
	return diag_set(d, ERR_TRAILING,
	    "invitation: something follows it; copy it again by itself");
}

static enum err
parse_text(struct invite *out, const char *text, size_t n, struct diag *d)
{
	uint8_t body[BODY_BYTES + CHECK_BYTES];
	enum err e;

	if (n < sizeof(PREFIX) - 1 || strncmp(text, PREFIX, sizeof(PREFIX) - 1) != 0)
		return diag_set(d, ERR_MALFORMED,
		    "this is not an invitation: it must begin with \"" PREFIX "\"");
	text += sizeof(PREFIX) - 1;
	n -= sizeof(PREFIX) - 1;
	if (n != TEXT_CHARS)
		return other_length(text, n, d);
	if (encode_from_base64(body, sizeof(body), text, n) != ERR_OK)
		return diag_set(d, ERR_MALFORMED,
		    "invitation: a character does not belong there; copy it again as a whole");
	e = parse_checked(out, body, d);
	sodium_memzero(body, sizeof(body));
	return e;
}

enum err
invite_decode(struct invite *out, const char *text, struct diag *d)
{
	char plain[INVITE_TEXT_MAX];
	size_t n = 0;
	enum err e;

	for (; *text != '\0' && n < sizeof(plain); text++)
		if (strchr(" \t\r\n", *text) == NULL)
			plain[n++] = *text;
	e = parse_text(out, plain, n, d);
	sodium_memzero(plain, sizeof(plain));
	return e;
}

/* ---- the answer ---- */

void
invite_tag(uint8_t out[static RECORD_TAG_BYTES], const uint8_t psk[static 32], unsigned attempt)
{
	static const char label[] = "restante/accept/tag";
	const uint8_t n = (uint8_t)attempt;
	const struct hash_part parts[] = { { label, sizeof(label) - 1 }, { &n, 1 } };

	hash_parts_keyed(out, RECORD_TAG_BYTES, psk, parts, 2);
}

/* k1 = KDF(psk, DH(E, one-time) || DH(E, identity)); E itself is bound too. */
static void
first_key(uint8_t k1[static 32], const struct invite *i, const uint8_t e[static 32],
    const uint8_t dh_one_time[static 32], const uint8_t dh_identity[static 32])
{
	uint8_t input[4 * 32];

	memcpy(input, dh_one_time, 32);
	memcpy(input + 32, dh_identity, 32);
	memcpy(input + 64, e, 32);
	memcpy(input + 96, i->network_id, 32);
	hash_derive(k1, i->psk, "restante/accept/k1", input, sizeof(input));
	sodium_memzero(input, sizeof(input));
}

/*
 * k2 = KDF(k_psk, DH(acceptor, one-time), F, both identities, one-time key,
 * network, both mailboxes); each direction's stream secret comes from it.
 */
static void
stream_secrets(uint8_t to_inviter[static 32], uint8_t to_acceptor[static 32],
    uint8_t restart[static 32], const struct invite *i, const uint8_t dh[static 32], const uint8_t f[static 32],
    const uint8_t acceptor[static 32], uint16_t acceptor_mailbox)
{
	uint8_t input[6 * 32 + 4], k2[32];
	struct writer w;

	writer_init(&w, input, sizeof(input));
	writer_copy(&w, dh, 32);
	writer_copy(&w, f, 32);
	writer_copy(&w, i->identity, 32);
	writer_copy(&w, acceptor, 32);
	writer_copy(&w, i->one_time, 32);
	writer_copy(&w, i->network_id, 32);
	writer_u16(&w, i->mailbox);
	writer_u16(&w, acceptor_mailbox);
	hash_derive(k2, i->psk, "restante/accept/k2", input, sizeof(input));
	hash_derive(to_inviter, k2, "restante/stream/to-inviter", NULL, 0);
	hash_derive(to_acceptor, k2, "restante/stream/to-acceptor", NULL, 0);
	hash_derive(restart, k2, "restante/restart", NULL, 0);
	sodium_memzero(input, sizeof(input));
	sodium_memzero(k2, sizeof(k2));
}

static enum err
answer_key(uint8_t k1[static 32], uint8_t e[static 32], const struct invite *i,
    const struct rng *keys)
{
	uint8_t sk[32], one[32], two[32];
	enum err rc = ERR_CRYPTO;

	rng_bytes(keys, sk, sizeof(sk));
	if (crypto_scalarmult_base(e, sk) == 0 &&
	    crypto_scalarmult(one, sk, i->one_time) == 0 &&
	    crypto_scalarmult(two, sk, i->identity) == 0) {
		first_key(k1, i, e, one, two);
		rc = ERR_OK;
	}
	sodium_memzero(sk, sizeof(sk));
	sodium_memzero(one, sizeof(one));
	sodium_memzero(two, sizeof(two));
	return rc;
}

static enum err
seal_answer(uint8_t *record, size_t record_size, const struct invite *i,
    const struct invite_answer *a, const uint8_t k1[static 32], const uint8_t e[static 32],
    unsigned attempt)
{
	size_t n = record_plaintext_bytes(record_size);
	uint8_t *plaintext = secret_new(n), tag[RECORD_TAG_BYTES];
	struct writer w;
	enum err rc;

	if (plaintext == NULL)
		return ERR_MEMORY;
	writer_init(&w, plaintext, n);
	writer_u8(&w, FORMAT);
	writer_copy(&w, a->own_identity_pk, 32);
	writer_u16(&w, a->own_mailbox);
	writer_copy(&w, a->f, 32);
	writer_pad(&w);
	rc = writer_end(&w);
	invite_tag(tag, i->psk, attempt);
	if (rc == ERR_OK)
		rc = record_seal_with(record, record_size, e, tag, k1, plaintext);
	secret_free(plaintext);
	return rc;
}

enum err
invite_answer_record(uint8_t *record, size_t record_size, const struct invite *i,
    const struct invite_answer *a, unsigned attempt, const struct rng *keys)
{
	uint8_t k1[32], e[32];
	enum err rc;

	if (attempt >= INVITE_ATTEMPTS)
		return ERR_USAGE;
	rc = answer_key(k1, e, i, keys);
	if (rc == ERR_OK)
		rc = seal_answer(record, record_size, i, a, k1, e, attempt);
	sodium_memzero(k1, sizeof(k1));
	return rc;
}

enum err
invite_answer_secrets(struct invite_secrets *out, const struct invite *i,
    const struct invite_answer *a)
{
	uint8_t dh[32];
	enum err rc = ERR_CRYPTO;

	if (crypto_scalarmult(dh, a->own_identity_sk, i->one_time) == 0) {
		stream_secrets(out->send, out->receive, out->restart, i, dh, a->f, a->own_identity_pk,
		    a->own_mailbox);
		rc = ERR_OK;
	}
	sodium_memzero(dh, sizeof(dh));
	return rc;
}

/* ---- the inviter ---- */

void
invite_tags(struct invite_tags *out, const uint8_t psk[static 32])
{
	for (unsigned n = 0; n < INVITE_ATTEMPTS; n++)
		invite_tag(out->tag[n], psk, n);
}

bool
invite_tags_have(const struct invite_tags *t, const uint8_t *record)
{
	for (unsigned n = 0; n < INVITE_ATTEMPTS; n++)
		if (sodium_memcmp(t->tag[n], record_tag(record), RECORD_TAG_BYTES) == 0)
			return true;
	return false;
}

static bool
is_tag_of(const uint8_t *record, const struct invite *i)
{
	struct invite_tags t;

	invite_tags(&t, i->psk);
	return invite_tags_have(&t, record);
}

static enum err
opened_key(uint8_t k1[static 32], const uint8_t *record, const struct invite *i,
    const uint8_t identity_sk[static 32], const uint8_t one_time_sk[static 32])
{
	uint8_t one[32], two[32];
	enum err rc = ERR_CRYPTO;

	if (crypto_scalarmult(one, one_time_sk, record) == 0 &&
	    crypto_scalarmult(two, identity_sk, record) == 0) {
		first_key(k1, i, record, one, two);
		rc = ERR_OK;
	}
	sodium_memzero(one, sizeof(one));
	sodium_memzero(two, sizeof(two));
	return rc;
}

static enum err
read_answer(struct invite_acceptor *out, uint8_t f[static 32], const uint8_t *plaintext, size_t n)
{
	struct reader r;
	struct invite_acceptor a;

	reader_init(&r, plaintext, n);
	if (reader_u8(&r) != FORMAT)
		return ERR_VERSION;
	reader_copy(&r, a.identity, 32);
	a.mailbox = reader_u16(&r);
	reader_copy(&r, f, 32);
	reader_zeros(&r, n - 1 - ANSWER_BYTES);
	if (reader_end(&r) != ERR_OK)
		return ERR_MALFORMED;
	*out = a;
	return ERR_OK;
}

static enum err
open_answer(struct invite_acceptor *out, struct invite_secrets *secrets, const uint8_t *plaintext,
    size_t n, const struct invite *i, const uint8_t one_time_sk[static 32])
{
	uint8_t f[32], dh[32];
	struct invite_acceptor a;
	enum err rc = read_answer(&a, f, plaintext, n);

	if (rc == ERR_OK && crypto_scalarmult(dh, one_time_sk, a.identity) != 0)
		rc = ERR_CRYPTO;
	if (rc == ERR_OK) {
		stream_secrets(secrets->receive, secrets->send, secrets->restart, i, dh, f, a.identity, a.mailbox);
		*out = a;
	}
	sodium_memzero(f, sizeof(f));
	sodium_memzero(dh, sizeof(dh));
	return rc;
}

enum err
invite_open(struct invite_acceptor *out, struct invite_secrets *secrets, const uint8_t *record,
    size_t record_size, const struct invite *i, const uint8_t identity_sk[static 32],
    const uint8_t one_time_sk[static 32])
{
	size_t n = record_plaintext_bytes(record_size);
	uint8_t k1[32], *plaintext;
	enum err rc;

	if (!is_tag_of(record, i))
		return ERR_NOT_FOUND;
	plaintext = secret_new(n);
	if (plaintext == NULL)
		return ERR_MEMORY;
	rc = opened_key(k1, record, i, identity_sk, one_time_sk);
	if (rc == ERR_OK)
		rc = record_open(plaintext, record, record_size, k1);
	if (rc == ERR_OK)
		rc = open_answer(out, secrets, plaintext, n, i, one_time_sk);
	sodium_memzero(k1, sizeof(k1));
	secret_free(plaintext);
	return rc;
}

/* ---- safety number ---- */

/* Five digits from five bytes; the bias of 2^40 mod 10^5 is below 10^-7. */
static void
five_digits(char out[static 5], const uint8_t in[static 5])
{
	uint64_t v = 0;

	for (unsigned i = 0; i < 5; i++)
		v = v << 8 | in[i];
	for (unsigned i = 5; i-- > 0; v /= 10)
		out[i] = (char)('0' + v % 10);
}

void
invite_safety_number(char out[static 72], const uint8_t a[static 32], const uint8_t b[static 32],
    const uint8_t network_id[static 32])
{
	static const char label[] = "restante/safety-number/1";
	bool a_first = sodium_compare(a, b, 32) <= 0;
	const struct hash_part parts[] = { { label, sizeof(label) - 1 }, { network_id, 32 },
		{ a_first ? a : b, 32 }, { a_first ? b : a, 32 } };
	uint8_t sum[64];

	hash_parts(sum, sizeof(sum), parts, 4);
	for (unsigned i = 0; i < 12; i++) {
		five_digits(out + 6 * i, sum + 5 * i);
		out[6 * i + 5] = i < 11 ? ' ' : '\0';
	}
}

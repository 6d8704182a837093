#include "config.h"

#include "common/token/issuer.h"

#include <sodium.h>
#include <string.h>

#include "common/base/bytes.h"
#include "common/base/secret.h"
#include "common/token/allotment.h"

#define LABEL_TICKET "restante/ticket/1"
#define LABEL_STAMP "restante/stamp/1"
#define INFO_MAX 32

struct issuer {
	struct issuer_keys keys;
	struct voprf_key tickets[PARAMS_EPOCH_HOURS_MAX], stamp;
};

/* ---- public halves ---- */

const uint8_t *
issuer_keys_for(const struct issuer_keys *k, enum token_kind kind, uint32_t batch, size_t i)
{
	return kind == TOKEN_STAMP ? k->stamp : k->tickets[allotment_hour(batch, i)];
}

void
issuer_keys_to_sheet(struct sheet *s, const struct issuer_keys *k)
{
	s->ticket_key_count = k->hours;
	memcpy(s->ticket_keys, k->tickets, k->hours * VOPRF_ELEMENT_BYTES);
	memcpy(s->stamp_key, k->stamp, sizeof(s->stamp_key));
}

bool
issuer_keys_in_sheet(const struct sheet *s, const struct issuer_keys *k)
{
	return s->epoch == k->epoch && s->ticket_key_count == k->hours &&
	    memcmp(s->ticket_keys, k->tickets, k->hours * VOPRF_ELEMENT_BYTES) == 0 && /* public */
	    memcmp(s->stamp_key, k->stamp, sizeof(s->stamp_key)) == 0; /* public */
}

bool
issuer_keys_none_in_sheet(const struct sheet *s)
{
	return sodium_is_zero(s->ticket_keys[0], s->ticket_key_count * VOPRF_ELEMENT_BYTES) &&
	    sodium_is_zero(s->stamp_key, sizeof(s->stamp_key));
}

/* ---- secret halves ---- */

static enum err
derive(struct voprf_key *k, uint8_t pk[static VOPRF_ELEMENT_BYTES],
    const uint8_t seed[static ISSUER_SEED_BYTES], const uint8_t *info, size_t n)
{
	enum err e = voprf_derive_key(k, seed, info, n);

	if (e == ERR_OK)
		memcpy(pk, k->pk, VOPRF_ELEMENT_BYTES);
	return e;
}

static enum err
derive_ticket(struct issuer *s, size_t hour, const uint8_t seed[static ISSUER_SEED_BYTES])
{
	size_t label = sizeof(LABEL_TICKET) - 1;
	uint8_t info[INFO_MAX];

	memcpy(info, LABEL_TICKET, label);
	store_u32(info + label, s->keys.epoch);
	store_u16(info + label + 4, (uint16_t)hour);
	return derive(&s->tickets[hour], s->keys.tickets[hour], seed, info, label + 6);
}

static enum err
derive_stamp(struct issuer *s, const uint8_t seed[static ISSUER_SEED_BYTES])
{
	size_t label = sizeof(LABEL_STAMP) - 1;
	uint8_t info[INFO_MAX];

	memcpy(info, LABEL_STAMP, label);
	store_u32(info + label, s->keys.epoch);
	return derive(&s->stamp, s->keys.stamp, seed, info, label + 4);
}

enum err
issuer_new(struct issuer **out, const struct params *p, uint32_t epoch,
    const uint8_t seed[static ISSUER_SEED_BYTES])
{
	struct issuer *s = secret_new(sizeof(*s));
	enum err e;

	if (s == NULL)
		return ERR_MEMORY;
	s->keys.epoch = epoch;
	s->keys.hours = allotment_hours(p);
	e = derive_stamp(s, seed);
	for (size_t hour = 0; e == ERR_OK && hour < s->keys.hours; hour++)
		e = derive_ticket(s, hour, seed);
	if (e != ERR_OK) {
		issuer_free(s);
		return e;
	}
	*out = s;
	return ERR_OK;
}

void
issuer_free(struct issuer *s)
{
	secret_free(s);
}

const struct issuer_keys *
issuer_keys(const struct issuer *s)
{
	return &s->keys;
}

const struct voprf_key *
issuer_ticket_key(const struct issuer *s, unsigned hour)
{
	return hour < s->keys.hours ? &s->tickets[hour] : NULL;
}

const struct voprf_key *
issuer_stamp_key(const struct issuer *s)
{
	return &s->stamp;
}

/* ---- redemption ---- */

static enum err
judge(const uint8_t shown[static TOKEN_PROOF_BYTES], const uint8_t wanted[static TOKEN_PROOF_BYTES])
{
	return sodium_memcmp(shown, wanted, TOKEN_PROOF_BYTES) == 0 ? ERR_OK : ERR_DENIED;
}

enum err
issuer_redeem_ticket(const struct issuer *s, unsigned hour,
    const uint8_t nonce[static TOKEN_NONCE_BYTES], const uint8_t proof[static TOKEN_PROOF_BYTES],
    const uint8_t handshake_hash[static TOKEN_HANDSHAKE_BYTES])
{
	const struct voprf_key *k = issuer_ticket_key(s, hour);
	uint8_t output[VOPRF_OUTPUT_BYTES], wanted[TOKEN_PROOF_BYTES];
	enum err e;

	if (k == NULL)
		return ERR_RANGE;
	if (voprf_output(output, k, nonce, TOKEN_NONCE_BYTES) != ERR_OK)
		return ERR_DENIED;
	token_ticket_proof(wanted, output, handshake_hash);
	e = judge(proof, wanted);
	sodium_memzero(output, sizeof(output));
	sodium_memzero(wanted, sizeof(wanted));
	return e;
}

enum err
issuer_redeem_stamp(const struct issuer *s, const uint8_t stamp[static TOKEN_SPENT_BYTES],
    const uint8_t *record, size_t record_size)
{
	uint8_t output[VOPRF_OUTPUT_BYTES], wanted[TOKEN_PROOF_BYTES];
	enum err e;

	if (voprf_output(output, &s->stamp, stamp, TOKEN_NONCE_BYTES) != ERR_OK)
		return ERR_DENIED;
	token_stamp_proof(wanted, output, record, record_size);
	e = judge(stamp + TOKEN_NONCE_BYTES, wanted);
	sodium_memzero(output, sizeof(output));
	sodium_memzero(wanted, sizeof(wanted));
	return e;
}

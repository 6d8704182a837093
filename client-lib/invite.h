/*
 * Invitations and the answer to one: docs/protocol.md, "First contact". Pure.
 *
 *   tag_n = KDF(psk, "accept" || n), n = attempt 0..15
 *   k1 = KDF(psk, DH(E, one-time) || DH(E, identity)) seals the acceptor's identity and mailbox
 *   k2 adds DH(acceptor, one-time) and hashes F (the same in all attempts), both identities,
 *   the one-time key, the network id and both mailboxes; both stream secrets and the restart
 *   secret come from k2.
 */
#ifndef CLIENT_LIB_INVITE_H
#define CLIENT_LIB_INVITE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/bytes.h"
#include "common/base/err.h"
#include "common/base/rng.h"
#include "common/crypto/record.h"
#include "common/journal/chain.h"

#define INVITE_ATTEMPTS 16
#define INVITE_TEXT_MAX 512 /* with the final NUL */

/* What the text (and the QR code) carries. Keep in secret memory: psk is one. */
struct invite {
	uint8_t network_id[32];
	struct chain_point epoch_block; /* anchor */
	uint16_t gateway, mailbox;
	uint8_t identity[32], one_time[32]; /* X25519 public keys of the inviter */
	uint8_t psk[32];
	int64_t expires_ms;
};

/* "restante:..." in one line; ERR_FULL. */
RST_MUST_USE enum err invite_encode(char out[static INVITE_TEXT_MAX], const struct invite *i);
/*
 * Strict but for blanks and line ends, which mail programs insert and readers
 * skip: prefix, alphabet, length, check sum (a mistyped letter is told), version.
 */
RST_MUST_USE enum err invite_decode(struct invite *out, const char *text, struct diag *d);

struct invite_secrets {
	uint8_t send[32], receive[32]; /* both directions' stream secrets */
	uint8_t restart[32];	       /* the contact's for life: founding.h */
};

/* The acceptor's side; keep in secret memory until the inviter has confirmed. */
struct invite_answer {
	uint8_t own_identity_sk[32], own_identity_pk[32];
	uint16_t own_mailbox;
	uint8_t f[32]; /* the same in all attempts */
};

/*
 * Write the record of one attempt. Each attempt has its own E. ERR_CRYPTO for
 * degenerate keys in the invitation.
 */
RST_MUST_USE enum err invite_answer_record(uint8_t *record, size_t record_size,
    const struct invite *i, const struct invite_answer *a, unsigned attempt,
    const struct rng *keys);
/* The acceptor's stream secrets. */
RST_MUST_USE enum err invite_answer_secrets(struct invite_secrets *out, const struct invite *i,
    const struct invite_answer *a);

/* The inviter's side. Tags of all attempts are looked for in every record: make them once. */
struct invite_tags {
	uint8_t tag[INVITE_ATTEMPTS][RECORD_TAG_BYTES];
};
void invite_tags(struct invite_tags *out, const uint8_t psk[static 32]);
/* Whether a record bears one of the tags. */
bool invite_tags_have(const struct invite_tags *t, const uint8_t *record);
void invite_tag(uint8_t out[static RECORD_TAG_BYTES], const uint8_t psk[static 32],
    unsigned attempt);
struct invite_acceptor {
	uint8_t identity[32];
	uint16_t mailbox;
};
/*
 * Try to open a record whose tag is one of the invitation's: ERR_NOT_FOUND (not
 * its tag), ERR_CRYPTO, ERR_MALFORMED, or the acceptor and the stream secrets.
 */
RST_MUST_USE enum err invite_open(struct invite_acceptor *out, struct invite_secrets *secrets,
    const uint8_t *record, size_t record_size, const struct invite *i,
    const uint8_t identity_sk[static 32], const uint8_t one_time_sk[static 32]);

/* 60 digits in groups of five, the same on both sides; out: 72 bytes with NUL. */
void invite_safety_number(char out[static 72], const uint8_t a[static 32],
    const uint8_t b[static 32], const uint8_t network_id[static 32]);

#endif

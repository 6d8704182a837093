#include "config.h"

#include "common/crypto/noise.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "common/base/bytes.h"
#include "common/base/secret.h"
#include "common/crypto/hash.h"

#define BLOCK_BYTES 128 /* BLAKE2b's, for HMAC */
#define NONCE_BYTES crypto_aead_chacha20poly1305_ietf_NPUBBYTES
#define MESSAGES_MAX 3
#define TOKENS_MAX 4

_Static_assert(NOISE_HASH_BYTES == crypto_generichash_blake2b_BYTES_MAX, "HASHLEN is 64");
_Static_assert(NOISE_HASH_BYTES <= BLOCK_BYTES, "an HMAC key is one block at most");
_Static_assert(NOISE_TAG_BYTES == crypto_aead_chacha20poly1305_ietf_ABYTES, "Poly1305 tag");
_Static_assert(NONCE_BYTES == 4 + 8, "a nonce is four zeros and the counter");
_Static_assert(NOISE_KEY_BYTES == crypto_scalarmult_BYTES &&
	NOISE_KEY_BYTES == crypto_aead_chacha20poly1305_ietf_KEYBYTES,
    "32-byte keys");

/* ---- patterns ---- */

enum token { TOKEN_END = 0, TOKEN_E, TOKEN_S, TOKEN_EE, TOKEN_ES, TOKEN_SE, TOKEN_SS };

struct pattern {
	char name[NOISE_HASH_BYTES]; /* the protocol's, zero padded: the first hash */
	bool initiator_known, responder_known; /* pre-messages "s" */
	bool initiator_static, responder_static; /* who has a static key at all */
	unsigned messages;
	uint8_t tokens[MESSAGES_MAX][TOKENS_MAX + 1];
};

/* Section 7.5 of the framework. */
static const struct pattern patterns[] = {
	[NOISE_NK] = {
		.name = "Noise_NK_25519_ChaChaPoly_BLAKE2b",
		.responder_known = true,
		.responder_static = true,
		.messages = 2,
		.tokens = { { TOKEN_E, TOKEN_ES }, { TOKEN_E, TOKEN_EE } },
	},
	[NOISE_KK] = {
		.name = "Noise_KK_25519_ChaChaPoly_BLAKE2b",
		.initiator_known = true,
		.responder_known = true,
		.initiator_static = true,
		.responder_static = true,
		.messages = 2,
		.tokens = { { TOKEN_E, TOKEN_ES, TOKEN_SS }, { TOKEN_E, TOKEN_EE, TOKEN_SE } },
	},
	[NOISE_XX] = {
		.name = "Noise_XX_25519_ChaChaPoly_BLAKE2b",
		.initiator_static = true,
		.responder_static = true,
		.messages = 3,
		.tokens = { { TOKEN_E }, { TOKEN_E, TOKEN_EE, TOKEN_S, TOKEN_ES },
		    { TOKEN_S, TOKEN_SE } },
	},
};

/* ---- state ---- */

struct symmetric {
	uint8_t ck[NOISE_HASH_BYTES], h[NOISE_HASH_BYTES];
	bool keyed;
	struct noise_cipher cipher;
};

struct noise {
	const struct pattern *pattern;
	const struct rng *keys;
	struct symmetric sym;
	bool initiator, failed, split;
	unsigned next; /* message of the pattern */
	uint8_t s_sk[NOISE_KEY_BYTES], s_pk[NOISE_KEY_BYTES];
	uint8_t e_sk[NOISE_KEY_BYTES], e_pk[NOISE_KEY_BYTES];
	uint8_t peer_s[NOISE_KEY_BYTES], peer_e[NOISE_KEY_BYTES];
};

/* ---- HMAC and HKDF, sections 4.3 and 5.1 ---- */

static void
hmac(uint8_t out[static NOISE_HASH_BYTES], const uint8_t key[static NOISE_HASH_BYTES],
    const struct hash_part *data)
{
	uint8_t inner[BLOCK_BYTES], outer[BLOCK_BYTES], hash[NOISE_HASH_BYTES];

	memset(inner, 0x36, sizeof(inner));
	memset(outer, 0x5c, sizeof(outer));
	for (size_t i = 0; i < NOISE_HASH_BYTES; i++) {
		inner[i] ^= key[i];
		outer[i] ^= key[i];
	}
	hash_parts(hash, sizeof(hash), (const struct hash_part[]){ { inner, sizeof(inner) }, *data },
	    2);
	hash_parts(out, NOISE_HASH_BYTES,
	    (const struct hash_part[]){ { outer, sizeof(outer) }, { hash, sizeof(hash) } }, 2);
	sodium_memzero(inner, sizeof(inner));
	sodium_memzero(outer, sizeof(outer));
	sodium_memzero(hash, sizeof(hash));
}

/* Two outputs; a may be the chaining key itself. */
static void
hkdf(uint8_t a[static NOISE_HASH_BYTES], uint8_t b[static NOISE_HASH_BYTES],
    const uint8_t ck[static NOISE_HASH_BYTES], const uint8_t *input, size_t len)
{
	uint8_t temp[NOISE_HASH_BYTES], second[NOISE_HASH_BYTES + 1];

	hmac(temp, ck, &(const struct hash_part){ input, len });
	hmac(a, temp, &(const struct hash_part){ "\x01", 1 });
	memcpy(second, a, NOISE_HASH_BYTES);
	second[NOISE_HASH_BYTES] = 2;
	hmac(b, temp, &(const struct hash_part){ second, sizeof(second) });
	sodium_memzero(temp, sizeof(temp));
	sodium_memzero(second, sizeof(second));
}

/* ---- the cipher, section 5.1 ---- */

static void
cipher_nonce(uint8_t nonce[static NONCE_BYTES], uint64_t counter)
{
	memset(nonce, 0, 4);
	store_u64(nonce + 4, counter);
}

static enum err
seal(struct noise_cipher *c, uint8_t *out, const void *in, size_t len, const uint8_t *ad,
    size_t ad_len)
{
	uint8_t nonce[NONCE_BYTES];

	if (c->counter == UINT64_MAX)
		return ERR_STATE;
	cipher_nonce(nonce, c->counter);
	(void)crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, in, len, ad, ad_len, NULL, nonce,
	    c->key);
	c->counter++;
	return ERR_OK;
}

/* len is that of the plaintext. A message that fails does not use up its number. */
static enum err
unseal(struct noise_cipher *c, uint8_t *out, const uint8_t *in, size_t len, const uint8_t *ad,
    size_t ad_len)
{
	uint8_t nonce[NONCE_BYTES];

	if (c->counter == UINT64_MAX)
		return ERR_STATE;
	cipher_nonce(nonce, c->counter);
	if (crypto_aead_chacha20poly1305_ietf_decrypt(out, NULL, NULL, in, len + NOISE_TAG_BYTES, ad,
		ad_len, nonce, c->key) != 0)
		return ERR_CRYPTO;
	c->counter++;
	return ERR_OK;
}

enum err
noise_encrypt(struct noise_cipher *c, uint8_t *out, const void *in, size_t len)
{
	if (len > NOISE_MESSAGE_MAX - NOISE_TAG_BYTES)
		return ERR_RANGE;
	return seal(c, out, in, len, NULL, 0);
}

enum err
noise_decrypt(struct noise_cipher *c, uint8_t *out, const uint8_t *in, size_t len)
{
	if (len > NOISE_MESSAGE_MAX - NOISE_TAG_BYTES)
		return ERR_RANGE;
	return unseal(c, out, in, len, NULL, 0);
}

/* ---- the symmetric state, section 5.2 ---- */

static void
mix_hash(struct symmetric *s, const void *data, size_t len)
{
	hash_parts(s->h, sizeof(s->h),
	    (const struct hash_part[]){ { s->h, sizeof(s->h) }, { data, len } }, 2);
}

static void
mix_key(struct symmetric *s, const uint8_t *input, size_t len)
{
	uint8_t key[NOISE_HASH_BYTES];

	hkdf(s->ck, key, s->ck, input, len);
	memcpy(s->cipher.key, key, sizeof(s->cipher.key));
	s->cipher.counter = 0;
	s->keyed = true;
	sodium_memzero(key, sizeof(key));
}

/* Write len bytes, sealed once there is a key, and move *at past them. */
static enum err
encrypt_and_hash(struct symmetric *s, uint8_t **at, const void *in, size_t len)
{
	size_t out_len = len + (s->keyed ? NOISE_TAG_BYTES : 0);
	enum err e = ERR_OK;

	if (s->keyed)
		e = seal(&s->cipher, *at, in, len, s->h, sizeof(s->h));
	else if (len > 0)
		memcpy(*at, in, len);
	mix_hash(s, *at, out_len);
	*at += out_len;
	return e;
}

/* Read what became of len bytes and move *at past it. */
static enum err
decrypt_and_hash(struct symmetric *s, uint8_t *out, const uint8_t **at, size_t len)
{
	size_t in_len = len + (s->keyed ? NOISE_TAG_BYTES : 0);
	uint8_t h[NOISE_HASH_BYTES];
	enum err e = ERR_OK;

	memcpy(h, s->h, sizeof(h)); /* out may be where *at is: hash before opening */
	mix_hash(s, *at, in_len);
	if (s->keyed)
		e = unseal(&s->cipher, out, *at, len, h, sizeof(h));
	else if (len > 0)
		memmove(out, *at, len);
	*at += in_len;
	return e;
}

/* ---- the handshake, section 5.3 ---- */

static enum err
config_check(const struct noise_config *c, const struct pattern *p)
{
	bool own = c->initiator ? p->initiator_static : p->responder_static;
	bool peer = c->initiator ? p->responder_known : p->initiator_known;

	if (own != (c->own_sk != NULL) || own != (c->own_pk != NULL) ||
	    peer != (c->peer_pk != NULL) || c->keys == NULL)
		return ERR_USAGE;
	return ERR_OK;
}

static void
hash_known_keys(struct noise *n)
{
	const uint8_t *initiator = n->initiator ? n->s_pk : n->peer_s;
	const uint8_t *responder = n->initiator ? n->peer_s : n->s_pk;

	if (n->pattern->initiator_known)
		mix_hash(&n->sym, initiator, NOISE_KEY_BYTES);
	if (n->pattern->responder_known)
		mix_hash(&n->sym, responder, NOISE_KEY_BYTES);
}

enum err
noise_new(struct noise **out, const struct noise_config *c)
{
	const struct pattern *p = &patterns[c->pattern];
	enum err e = config_check(c, p);
	struct noise *n;

	if (e != ERR_OK)
		return e;
	n = secret_new(sizeof(*n));
	if (n == NULL)
		return ERR_MEMORY;
	n->pattern = p;
	n->keys = c->keys;
	n->initiator = c->initiator;
	if (c->own_sk != NULL) {
		memcpy(n->s_sk, c->own_sk, NOISE_KEY_BYTES);
		memcpy(n->s_pk, c->own_pk, NOISE_KEY_BYTES);
	}
	if (c->peer_pk != NULL)
		memcpy(n->peer_s, c->peer_pk, NOISE_KEY_BYTES);
	memcpy(n->sym.h, p->name, sizeof(n->sym.h));
	memcpy(n->sym.ck, n->sym.h, sizeof(n->sym.ck));
	mix_hash(&n->sym, c->prologue, c->prologue_len);
	hash_known_keys(n);
	*out = n;
	return ERR_OK;
}

void
noise_free(struct noise *n)
{
	secret_free(n);
}

bool
noise_done(const struct noise *n)
{
	return !n->failed && n->next == n->pattern->messages;
}

/* The initiator writes messages 0, 2, ... */
static bool
own_turn(const struct noise *n)
{
	return (n->next % 2 == 0) == n->initiator;
}

bool
noise_to_write(const struct noise *n)
{
	return !n->failed && !noise_done(n) && own_turn(n);
}

static bool
to_read(const struct noise *n)
{
	return !n->failed && !noise_done(n) && !own_turn(n);
}

size_t
noise_overhead(const struct noise *n)
{
	bool keyed = n->sym.keyed;
	size_t bytes = 0;

	if (n->failed || noise_done(n))
		return 0;
	for (const uint8_t *t = n->pattern->tokens[n->next]; *t != TOKEN_END; t++) {
		if (*t == TOKEN_E)
			bytes += NOISE_KEY_BYTES;
		else if (*t == TOKEN_S)
			bytes += NOISE_KEY_BYTES + (keyed ? (size_t)NOISE_TAG_BYTES : 0);
		else
			keyed = true;
	}
	return bytes + (keyed ? (size_t)NOISE_TAG_BYTES : 0);
}

/* Mix the secret of one own key and one of the peer's into the keys. */
static enum err
mix_dh(struct noise *n, enum token t)
{
	/* The first letter is the initiator's key, the second the responder's. */
	bool own_ephemeral = t == TOKEN_EE || t == (n->initiator ? TOKEN_ES : TOKEN_SE);
	bool peer_ephemeral = t == TOKEN_EE || t == (n->initiator ? TOKEN_SE : TOKEN_ES);
	uint8_t shared[NOISE_KEY_BYTES];
	enum err e = ERR_CRYPTO;

	if (crypto_scalarmult(shared, own_ephemeral ? n->e_sk : n->s_sk,
		peer_ephemeral ? n->peer_e : n->peer_s) == 0) {
		mix_key(&n->sym, shared, sizeof(shared));
		e = ERR_OK;
	}
	sodium_memzero(shared, sizeof(shared));
	return e;
}

static void
write_ephemeral(struct noise *n, uint8_t **at)
{
	rng_bytes(n->keys, n->e_sk, sizeof(n->e_sk));
	(void)crypto_scalarmult_base(n->e_pk, n->e_sk);
	memcpy(*at, n->e_pk, NOISE_KEY_BYTES);
	mix_hash(&n->sym, n->e_pk, NOISE_KEY_BYTES);
	*at += NOISE_KEY_BYTES;
}

static enum err
write_token(struct noise *n, uint8_t **at, enum token t)
{
	switch (t) {
	case TOKEN_E:
		write_ephemeral(n, at);
		return ERR_OK;
	case TOKEN_S:
		return encrypt_and_hash(&n->sym, at, n->s_pk, NOISE_KEY_BYTES);
	case TOKEN_EE:
	case TOKEN_ES:
	case TOKEN_SE:
	case TOKEN_SS:
		return mix_dh(n, t);
	case TOKEN_END:
		break;
	}
	return ERR_STATE;
}

static enum err
read_token(struct noise *n, const uint8_t **at, enum token t)
{
	switch (t) {
	case TOKEN_E:
		memcpy(n->peer_e, *at, NOISE_KEY_BYTES);
		mix_hash(&n->sym, n->peer_e, NOISE_KEY_BYTES);
		*at += NOISE_KEY_BYTES;
		return ERR_OK;
	case TOKEN_S:
		return decrypt_and_hash(&n->sym, n->peer_s, at, NOISE_KEY_BYTES);
	case TOKEN_EE:
	case TOKEN_ES:
	case TOKEN_SE:
	case TOKEN_SS:
		return mix_dh(n, t);
	case TOKEN_END:
		break;
	}
	return ERR_STATE;
}

/* A handshake that failed is over, and what it held is gone. */
static enum err
finish_message(struct noise *n, enum err e)
{
	n->next++;
	if (e != ERR_OK) {
		n->failed = true;
		secret_wipe(&n->sym, sizeof(n->sym));
	}
	return e;
}

enum err
noise_write(struct noise *n, uint8_t *out, const void *payload, size_t len)
{
	uint8_t *at = out;
	enum err e = ERR_OK;

	if (!noise_to_write(n))
		return ERR_STATE;
	if (len > NOISE_MESSAGE_MAX - noise_overhead(n))
		return ERR_RANGE;
	for (const uint8_t *t = n->pattern->tokens[n->next]; e == ERR_OK && *t != TOKEN_END; t++)
		e = write_token(n, &at, (enum token)*t);
	if (e == ERR_OK)
		e = encrypt_and_hash(&n->sym, &at, payload, len);
	return finish_message(n, e);
}

enum err
noise_read(struct noise *n, uint8_t *payload, const uint8_t *msg, size_t len)
{
	const uint8_t *at = msg;
	size_t overhead = noise_overhead(n);
	enum err e = ERR_OK;

	if (!to_read(n))
		return ERR_STATE;
	if (len < overhead || len > NOISE_MESSAGE_MAX)
		return finish_message(n, ERR_CRYPTO);
	for (const uint8_t *t = n->pattern->tokens[n->next]; e == ERR_OK && *t != TOKEN_END; t++)
		e = read_token(n, &at, (enum token)*t);
	if (e == ERR_OK)
		e = decrypt_and_hash(&n->sym, payload, &at, len - overhead);
	return finish_message(n, e);
}

enum err
noise_split(struct noise *n, struct noise_cipher *send, struct noise_cipher *receive, uint8_t *hash)
{
	uint8_t first[NOISE_HASH_BYTES], second[NOISE_HASH_BYTES];
	struct noise_cipher *initiators = n->initiator ? send : receive;
	struct noise_cipher *responders = n->initiator ? receive : send;

	if (!noise_done(n) || n->split)
		return ERR_STATE;
	hkdf(first, second, n->sym.ck, (const uint8_t *)"", 0);
	memcpy(initiators->key, first, sizeof(initiators->key));
	memcpy(responders->key, second, sizeof(responders->key));
	initiators->counter = 0;
	responders->counter = 0;
	if (hash != NULL)
		memcpy(hash, n->sym.h, NOISE_HASH_BYTES);
	n->split = true;
	secret_wipe(&n->sym, sizeof(n->sym));
	sodium_memzero(first, sizeof(first));
	sodium_memzero(second, sizeof(second));
	return ERR_OK;
}

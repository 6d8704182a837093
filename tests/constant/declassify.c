/*
 * The seams at which our own code learns what is public of a secret computation:
 * calls between two files, that the linker sends through here (--wrap). Only answers
 * are made public, never keys; each line says why.
 */
#include "config.h"

#include <sodium.h>

#include "common/base/tagmap.h"
#include "common/crypto/record.h"
#include "tests/constant/marked.h"

#define ZERO_POINT "whether a Diffie-Hellman result is all zero: the peer chose its point so"
#define EQUAL "whether two strings compared in constant time are equal: the caller acts on it"
#define GENUINE "whether an AEAD's tag is right: the message is dropped, or not, for all to see"
#define ROUTE "an opened layer of a packet: the node acts on its next hop and delay"
#define ELEMENT "whether a ristretto255 operation succeeded: invalid elements are refused"
#define STREAM_TAG "a stream's tags: they stand in the clear in records; the reader's table hashes them"
#define HEADER "an opened record: the reader's own program acts on its type, numbers and length"

int __real_crypto_scalarmult(unsigned char *q, const unsigned char *n, const unsigned char *p);
int __wrap_crypto_scalarmult(unsigned char *q, const unsigned char *n, const unsigned char *p);
int __real_crypto_scalarmult_curve25519(
    unsigned char *q, const unsigned char *n, const unsigned char *p);
int __wrap_crypto_scalarmult_curve25519(
    unsigned char *q, const unsigned char *n, const unsigned char *p);
int __real_sodium_memcmp(const void *a, const void *b, size_t n);
int __wrap_sodium_memcmp(const void *a, const void *b, size_t n);
int __real_sodium_is_zero(const unsigned char *p, size_t n);
int __wrap_sodium_is_zero(const unsigned char *p, size_t n);
int __real_crypto_aead_chacha20poly1305_ietf_decrypt_detached(unsigned char *m,
    unsigned char *nsec, const unsigned char *c, unsigned long long n, const unsigned char *mac,
    const unsigned char *ad, unsigned long long ad_len, const unsigned char *npub,
    const unsigned char *k);
int __wrap_crypto_aead_chacha20poly1305_ietf_decrypt_detached(unsigned char *m,
    unsigned char *nsec, const unsigned char *c, unsigned long long n, const unsigned char *mac,
    const unsigned char *ad, unsigned long long ad_len, const unsigned char *npub,
    const unsigned char *k);
int __real_crypto_aead_chacha20poly1305_ietf_decrypt(unsigned char *m, unsigned long long *m_len,
    unsigned char *nsec, const unsigned char *c, unsigned long long n, const unsigned char *ad,
    unsigned long long ad_len, const unsigned char *npub, const unsigned char *k);
int __wrap_crypto_aead_chacha20poly1305_ietf_decrypt(unsigned char *m, unsigned long long *m_len,
    unsigned char *nsec, const unsigned char *c, unsigned long long n, const unsigned char *ad,
    unsigned long long ad_len, const unsigned char *npub, const unsigned char *k);
int __real_crypto_aead_xchacha20poly1305_ietf_decrypt(unsigned char *m,
    unsigned long long *m_len, unsigned char *nsec, const unsigned char *c, unsigned long long n,
    const unsigned char *ad, unsigned long long ad_len, const unsigned char *npub,
    const unsigned char *k);
int __wrap_crypto_aead_xchacha20poly1305_ietf_decrypt(unsigned char *m,
    unsigned long long *m_len, unsigned char *nsec, const unsigned char *c, unsigned long long n,
    const unsigned char *ad, unsigned long long ad_len, const unsigned char *npub,
    const unsigned char *k);
int __real_crypto_scalarmult_ristretto255(
    unsigned char *q, const unsigned char *n, const unsigned char *p);
int __wrap_crypto_scalarmult_ristretto255(
    unsigned char *q, const unsigned char *n, const unsigned char *p);
int __real_crypto_scalarmult_ristretto255_base(unsigned char *q, const unsigned char *n);
int __wrap_crypto_scalarmult_ristretto255_base(unsigned char *q, const unsigned char *n);
int __real_crypto_core_ristretto255_add(
    unsigned char *r, const unsigned char *p, const unsigned char *q);
int __wrap_crypto_core_ristretto255_add(
    unsigned char *r, const unsigned char *p, const unsigned char *q);
int __real_crypto_core_ristretto255_is_valid_point(const unsigned char *p);
int __wrap_crypto_core_ristretto255_is_valid_point(const unsigned char *p);
enum err __real_tagmap_insert(struct tagmap *m, bool *fresh, const uint8_t tag[static TAG_BYTES],
    uint64_t value);
enum err __wrap_tagmap_insert(struct tagmap *m, bool *fresh, const uint8_t tag[static TAG_BYTES],
    uint64_t value);
bool __real_tagmap_remove(struct tagmap *m, const uint8_t tag[static TAG_BYTES]);
bool __wrap_tagmap_remove(struct tagmap *m, const uint8_t tag[static TAG_BYTES]);
enum err __real_record_decode(struct record_header *h, const uint8_t **content,
    const uint8_t *plaintext, size_t record_size);
enum err __wrap_record_decode(struct record_header *h, const uint8_t **content,
    const uint8_t *plaintext, size_t record_size);

static int
answer(int rc, const char *why)
{
	mark_public(&rc, sizeof(rc), why);
	return rc;
}

/* ---- X25519 ---- */

int
__wrap_crypto_scalarmult(unsigned char *q, const unsigned char *n, const unsigned char *p)
{
	return answer(__real_crypto_scalarmult(q, n, p), ZERO_POINT);
}

int
__wrap_crypto_scalarmult_curve25519(unsigned char *q, const unsigned char *n, const unsigned char *p)
{
	return answer(__real_crypto_scalarmult_curve25519(q, n, p), ZERO_POINT);
}

/* ---- comparisons ---- */

int
__wrap_sodium_memcmp(const void *a, const void *b, size_t n)
{
	return answer(__real_sodium_memcmp(a, b, n), EQUAL);
}

int
__wrap_sodium_is_zero(const unsigned char *p, size_t n)
{
	return answer(__real_sodium_is_zero(p, n), EQUAL);
}

/* ---- AEADs ---- */

int
__wrap_crypto_aead_chacha20poly1305_ietf_decrypt_detached(unsigned char *m, unsigned char *nsec,
    const unsigned char *c, unsigned long long n, const unsigned char *mac,
    const unsigned char *ad, unsigned long long ad_len, const unsigned char *npub,
    const unsigned char *k)
{
	int rc = answer(__real_crypto_aead_chacha20poly1305_ietf_decrypt_detached(
			    m, nsec, c, n, mac, ad, ad_len, npub, k),
	    GENUINE);

	if (rc == 0)
		mark_public(m, 8, ROUTE);
	return rc;
}

int
__wrap_crypto_aead_chacha20poly1305_ietf_decrypt(unsigned char *m, unsigned long long *m_len,
    unsigned char *nsec, const unsigned char *c, unsigned long long n, const unsigned char *ad,
    unsigned long long ad_len, const unsigned char *npub, const unsigned char *k)
{
	return answer(__real_crypto_aead_chacha20poly1305_ietf_decrypt(
			  m, m_len, nsec, c, n, ad, ad_len, npub, k),
	    GENUINE);
}

int
__wrap_crypto_aead_xchacha20poly1305_ietf_decrypt(unsigned char *m, unsigned long long *m_len,
    unsigned char *nsec, const unsigned char *c, unsigned long long n, const unsigned char *ad,
    unsigned long long ad_len, const unsigned char *npub, const unsigned char *k)
{
	return answer(__real_crypto_aead_xchacha20poly1305_ietf_decrypt(
			  m, m_len, nsec, c, n, ad, ad_len, npub, k),
	    GENUINE);
}

/* ---- ristretto255 ---- */

int
__wrap_crypto_scalarmult_ristretto255(
    unsigned char *q, const unsigned char *n, const unsigned char *p)
{
	return answer(__real_crypto_scalarmult_ristretto255(q, n, p), ELEMENT);
}

int
bare_multiply(uint8_t out[static 32], const uint8_t scalar[static 32],
    const uint8_t point[static 32])
{
	return answer(__real_crypto_scalarmult_ristretto255(out, scalar, point), ELEMENT);
}

int
__wrap_crypto_scalarmult_ristretto255_base(unsigned char *q, const unsigned char *n)
{
	return answer(__real_crypto_scalarmult_ristretto255_base(q, n), ELEMENT);
}

int
__wrap_crypto_core_ristretto255_add(
    unsigned char *r, const unsigned char *p, const unsigned char *q)
{
	return answer(__real_crypto_core_ristretto255_add(r, p, q), ELEMENT);
}

int
__wrap_crypto_core_ristretto255_is_valid_point(const unsigned char *p)
{
	return answer(__real_crypto_core_ristretto255_is_valid_point(p), ELEMENT);
}

/* ---- the reader's table, and what it reads ---- */

enum err
__wrap_tagmap_insert(struct tagmap *m, bool *fresh, const uint8_t tag[static TAG_BYTES],
    uint64_t value)
{
	mark_public(tag, TAG_BYTES, STREAM_TAG);
	return __real_tagmap_insert(m, fresh, tag, value);
}

bool
__wrap_tagmap_remove(struct tagmap *m, const uint8_t tag[static TAG_BYTES])
{
	mark_public(tag, TAG_BYTES, STREAM_TAG);
	return __real_tagmap_remove(m, tag);
}

enum err
__wrap_record_decode(struct record_header *h, const uint8_t **content, const uint8_t *plaintext,
    size_t record_size)
{
	mark_public(plaintext, record_plaintext_bytes(record_size), HEADER);
	return __real_record_decode(h, content, plaintext, record_size);
}

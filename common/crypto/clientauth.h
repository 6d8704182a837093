/*
 * The key that lets a client's tor into an onion service with client
 * authorization, as the line in which people and tor hand it on:
 *
 *   <address without ".onion">:descriptor:x25519:<private key in base32>
 *
 * tor's rend-spec-v3, "Client side private key"; X25519. What is sent to the service's
 * operator is the public key alone, in base32.
 */
#ifndef COMMON_CRYPTO_CLIENTAUTH_H
#define COMMON_CRYPTO_CLIENTAUTH_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/rng.h"
#include "common/crypto/hsid.h"

#define CLIENTAUTH_KEY_CHARS 52
#define CLIENTAUTH_KEY_SIZE (CLIENTAUTH_KEY_CHARS + 1)
#define CLIENTAUTH_LINE_SIZE (HSID_CHARS + 19 + CLIENTAUTH_KEY_CHARS + 1) /* its NUL included */

/* A secret: keep it in secret_new memory, or wipe it. */
struct clientauth {
	char service[HSID_SIZE];
	uint8_t secret[32];
};

/*
 * Read one line of n characters; blanks and line ends around it do not matter,
 * nor do capitals. ERR_MALFORMED with a sentence, which repeats nothing of it.
 */
RST_MUST_USE enum err clientauth_parse(struct clientauth *out, const char *line, size_t n,
    struct diag *d);
/* The line, without a line end. */
void clientauth_print(char out[static CLIENTAUTH_LINE_SIZE], const struct clientauth *a);
/* A fresh key for a service. */
void clientauth_make(struct clientauth *out, const char service[static HSID_CHARS],
    const struct rng *keys);
/* What the service's operator may know. */
void clientauth_public(char out[static CLIENTAUTH_KEY_SIZE], const struct clientauth *a);

#endif

/*
 * The address of a v3 onion service: 56 characters of base32 that carry its
 * Ed25519 key and a checksum, before ".onion". tor's rend-spec-v3, section 6.
 */
#ifndef COMMON_CRYPTO_HSID_H
#define COMMON_CRYPTO_HSID_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"

#define HSID_CHARS 56
#define HSID_SIZE (HSID_CHARS + 1) /* its NUL included */

/* The address of a service with this key, without ".onion". */
void hsid_from_key(char out[static HSID_SIZE], const uint8_t pk[static 32]);
/*
 * Parse an address in lower case, exactly HSID_CHARS characters at text:
 * ERR_MALFORMED unless checksum, version and spelling are right. pk may be NULL.
 */
RST_MUST_USE enum err hsid_parse(uint8_t pk[32], const char *text);
/*
 * Whether text is "<56 characters>.onion:port", with a right checksum; the id is
 * then its first HSID_CHARS characters.
 */
bool hsid_is_address(const char *text);
/* Whether an address (config_address) has a host in .onion, right or wrong, in any case. */
bool hsid_is_onion(const char *address);
/*
 * The secret that tor's ADD_ONION takes: the expanded key of an Ed25519 seed,
 * clamped (SHA-512 of the seed). Wipe it after use.
 */
void hsid_expand(uint8_t out[static 64], const uint8_t seed[static 32]);

#endif

/*
 * Bytes as text: lower-case hexadecimal, base64url without padding (RFC 4648,
 * section 5), and base32 without padding (section 6), lower-case as in onion
 * addresses. One text for one byte string: every other text is refused.
 * Both directions are constant time in the bytes, as libsodium's are.
 */
#ifndef COMMON_BASE_ENCODE_H
#define COMMON_BASE_ENCODE_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

/* Characters of the text of n bytes, its NUL included. */
#define ENCODE_HEX_SIZE(n) (2 * (n) + 1)
#define ENCODE_BASE64_SIZE(n) ((4 * (n) + 2) / 3 + 1)
#define ENCODE_BASE32_SIZE(n) ((8 * (n) + 4) / 5 + 1)

/* Write the text of n bytes: ENCODE_HEX_SIZE(n) characters. */
void encode_hex(char *out, const void *p, size_t n);
/* Write the text of n bytes: ENCODE_BASE64_SIZE(n) characters. */
void encode_base64(char *out, const void *p, size_t n);
/* Write the text of n bytes: ENCODE_BASE32_SIZE(n) characters. */
void encode_base32(char *out, const void *p, size_t n);

/*
 * Read exactly n bytes from a text of len characters (no NUL needed).
 * ERR_TRUNCATED or ERR_TRAILING for another length, ERR_MALFORMED.
 */
RST_MUST_USE enum err encode_from_hex(uint8_t *out, size_t n, const char *text, size_t len);
RST_MUST_USE enum err encode_from_base64(uint8_t *out, size_t n, const char *text, size_t len);
RST_MUST_USE enum err encode_from_base32(uint8_t *out, size_t n, const char *text, size_t len);

/* How many bytes a base64url text of len characters holds; for texts of open length. */
size_t encode_base64_bytes(size_t len);

#endif

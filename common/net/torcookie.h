/*
 * The SAFECOOKIE proof of tor's control port (control-spec 3.24): both sides
 * show that they know the 32 bytes of a file, and neither shows the bytes.
 */
#ifndef COMMON_NET_TORCOOKIE_H
#define COMMON_NET_TORCOOKIE_H

#include <stdint.h>

#include "common/base/err.h"

#define TORCOOKIE_BYTES 32
#define TORCOOKIE_NONCE_BYTES 32
#define TORCOOKIE_HASH_BYTES 32

/*
 * Read the cookie: a regular file of exactly 32 bytes. ERR_NOT_FOUND, ERR_IO,
 * ERR_MALFORMED, with a sentence. The caller wipes it.
 */
RST_MUST_USE enum err torcookie_read(uint8_t cookie[static TORCOOKIE_BYTES], const char *path,
    struct diag *d);

/*
 * Check what the server proved and make our own proof. ERR_CRYPTO if the server
 * does not know the cookie; own is then untouched, for a proof shown to a
 * stranger would be one he could show.
 */
RST_MUST_USE enum err torcookie_prove(uint8_t own[static TORCOOKIE_HASH_BYTES],
    const uint8_t cookie[static TORCOOKIE_BYTES],
    const uint8_t client_nonce[static TORCOOKIE_NONCE_BYTES],
    const uint8_t server_nonce[static TORCOOKIE_NONCE_BYTES],
    const uint8_t server_hash[static TORCOOKIE_HASH_BYTES]);
/* The server's side, for tests that play it. */
void torcookie_server_hash(uint8_t out[static TORCOOKIE_HASH_BYTES],
    const uint8_t cookie[static TORCOOKIE_BYTES],
    const uint8_t client_nonce[static TORCOOKIE_NONCE_BYTES],
    const uint8_t server_nonce[static TORCOOKIE_NONCE_BYTES]);

#endif

/*
 * An authority's key. The secret is a file that never leaves its machine,
 *
 *   restante-authority-key 1
 *   64 hexadecimal digits: the Ed25519 seed
 *
 * and the public half is a line that goes into the charter:
 *
 *   restante-authority 1 HEX
 */
#ifndef COMMON_CHARTER_TOOL_KEYFILE_H
#define COMMON_CHARTER_TOOL_KEYFILE_H

#include <stdint.h>

#include "common/base/err.h"
#include "common/base/rng.h"

#define KEYFILE_PUBLIC_BYTES 128 /* room for a public line with its NUL */

/* Make a key and write its file, mode 0600; ERR_EXISTS if there is one. */
RST_MUST_USE enum err keyfile_create(uint8_t pk[static 32], const char *path,
    const struct rng *keys, struct diag *d);
/* Read a key file; *sk is 64 bytes of secret memory for secret_free. */
RST_MUST_USE enum err keyfile_read(uint8_t **sk, const char *path, struct diag *d);

void keyfile_print_public(char out[static KEYFILE_PUBLIC_BYTES], const uint8_t pk[static 32]);
/* ERR_MALFORMED, ERR_VERSION with a sentence. */
RST_MUST_USE enum err keyfile_parse_public(uint8_t pk[static 32], const char *line,
    struct diag *d);

#endif

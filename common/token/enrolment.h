/*
 * Enrolment codes: the text that a registrar's operator hands to a member, once, and
 * what the registrar keeps of it. docs/protocol.md, "Tickets and stamps". Pure.
 *
 *   restante-code:BASE64URL      of  version u8 (1) || first 8 bytes of the network id
 *                                    || secret 32 || check 4
 *   check = first 4 bytes of the BLAKE2b-256 of what is before it
 *
 * Who has the secret may fetch a member's tickets and stamps; keep it as one.
 */
#ifndef COMMON_TOKEN_ENROLMENT_H
#define COMMON_TOKEN_ENROLMENT_H

#include <stdint.h>

#include "common/base/err.h"

#define ENROLMENT_PREFIX "restante-code:"
#define ENROLMENT_SECRET_BYTES 32
#define ENROLMENT_ID_BYTES 32
#define ENROLMENT_TEXT_BYTES 80 /* room for any code with its NUL */

void enrolment_encode(char out[static ENROLMENT_TEXT_BYTES],
    const uint8_t secret[static ENROLMENT_SECRET_BYTES], const uint8_t network_id[static 32]);
/*
 * Strict but for blanks and line ends around and within. ERR_MALFORMED, ERR_TRUNCATED,
 * ERR_TRAILING (mistyped or cut), ERR_VERSION (newer), ERR_DENIED (another network's),
 * each with a sentence that does not repeat the code.
 */
RST_MUST_USE enum err enrolment_decode(uint8_t secret[static ENROLMENT_SECRET_BYTES],
    const char *text, const uint8_t network_id[static 32], struct diag *d);
/* What the registrar keeps: one way, and another in every network. */
void enrolment_id(uint8_t id[static ENROLMENT_ID_BYTES],
    const uint8_t secret[static ENROLMENT_SECRET_BYTES], const uint8_t network_id[static 32]);

#endif

#include "config.h"

#include "common/token/enrolment.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "common/base/encode.h"
#include "common/crypto/hash.h"

#define VERSION 1
#define NETWORK_BYTES 8
#define CHECK_BYTES 4
#define BODY_BYTES (1 + NETWORK_BYTES + ENROLMENT_SECRET_BYTES)
#define CODE_BYTES (BODY_BYTES + CHECK_BYTES)
#define LABEL "restante/enrolment/1"

static_assert(sizeof(ENROLMENT_PREFIX) - 1 + ENCODE_BASE64_SIZE(CODE_BYTES) <= ENROLMENT_TEXT_BYTES,
    "a code fits its text");

static void
check_of(uint8_t out[static CHECK_BYTES], const uint8_t body[static BODY_BYTES])
{
	uint8_t hash[HASH_BYTES];

	hash_256(hash, body, BODY_BYTES);
	memcpy(out, hash, CHECK_BYTES);
}

void
enrolment_encode(char out[static ENROLMENT_TEXT_BYTES],
    const uint8_t secret[static ENROLMENT_SECRET_BYTES], const uint8_t network_id[static 32])
{
	uint8_t code[CODE_BYTES] = { VERSION };

	memcpy(code + 1, network_id, NETWORK_BYTES);
	memcpy(code + 1 + NETWORK_BYTES, secret, ENROLMENT_SECRET_BYTES);
	check_of(code + BODY_BYTES, code);
	memcpy(out, ENROLMENT_PREFIX, sizeof(ENROLMENT_PREFIX) - 1);
	encode_base64(out + sizeof(ENROLMENT_PREFIX) - 1, code, sizeof(code));
	sodium_memzero(code, sizeof(code));
}

/* The text without blanks; 0 if it is too long for a code. */
static size_t
squeeze(char out[static ENROLMENT_TEXT_BYTES], const char *text)
{
	size_t n = 0;

	for (; *text != '\0'; text++) {
		if (strchr(" \t\r\n", *text) != NULL)
			continue;
		if (n == ENROLMENT_TEXT_BYTES - 1)
			return 0;
		out[n++] = *text;
	}
	out[n] = '\0';
	return n;
}

static enum err
read_code(uint8_t code[static CODE_BYTES], const char *text, struct diag *d)
{
	char bare[ENROLMENT_TEXT_BYTES];
	size_t n = squeeze(bare, text), prefix = sizeof(ENROLMENT_PREFIX) - 1;
	uint8_t check[CHECK_BYTES];
	enum err e = ERR_MALFORMED;

	if (n > prefix && strncmp(bare, ENROLMENT_PREFIX, prefix) == 0)
		e = encode_from_base64(code, CODE_BYTES, bare + prefix, n - prefix);
	sodium_memzero(bare, sizeof(bare));
	if (e == ERR_OK) {
		check_of(check, code);
		if (sodium_memcmp(check, code + BODY_BYTES, sizeof(check)) != 0)
			e = ERR_MALFORMED;
	}
	return e == ERR_OK ? ERR_OK :
	    diag_set(d, e, "the enrolment code is mistyped or cut off: it begins with " ENROLMENT_PREFIX
		" and has %zu characters; copy it anew",
		prefix + ENCODE_BASE64_SIZE(CODE_BYTES) - 1);
}

enum err
enrolment_decode(uint8_t secret[static ENROLMENT_SECRET_BYTES], const char *text,
    const uint8_t network_id[static 32], struct diag *d)
{
	uint8_t code[CODE_BYTES];
	enum err e = read_code(code, text, d);

	if (e == ERR_OK && code[0] != VERSION)
		e = diag_set(d, ERR_VERSION,
		    "the enrolment code was made by another version of restante: update this one");
	if (e == ERR_OK && sodium_memcmp(code + 1, network_id, NETWORK_BYTES) != 0)
		e = diag_set(d, ERR_DENIED, "the enrolment code belongs to another network: use the "
		    "one that this network's registrar gave you");
	if (e == ERR_OK)
		memcpy(secret, code + 1 + NETWORK_BYTES, ENROLMENT_SECRET_BYTES);
	sodium_memzero(code, sizeof(code));
	return e;
}

void
enrolment_id(uint8_t id[static ENROLMENT_ID_BYTES],
    const uint8_t secret[static ENROLMENT_SECRET_BYTES], const uint8_t network_id[static 32])
{
	const struct hash_part parts[] = { { LABEL, sizeof(LABEL) - 1 }, { network_id, 32 },
		{ secret, ENROLMENT_SECRET_BYTES } };

	hash_parts(id, ENROLMENT_ID_BYTES, parts, 3);
}

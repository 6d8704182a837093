#include "config.h"

#include "common/crypto/clientauth.h"

#include <sodium.h>
#include <stdbool.h>
#include <string.h>

#include "common/base/encode.h"

#define MIDDLE ":descriptor:x25519:"
#define MIDDLE_CHARS (sizeof(MIDDLE) - 1)
#define LINE_CHARS (CLIENTAUTH_LINE_SIZE - 1)

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* In time that does not depend on what is a secret here. */
static void
to_lower(char *out, const char *in, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned c = (unsigned char)in[i];
		unsigned capital = ((c - 'A') & 0xffffu) >> 8 | (('Z' - c) & 0xffffu) >> 8;

		out[i] = (char)(c | (capital == 0 ? 0x20u : 0));
	}
}

static enum err
parse_lower(struct clientauth *out, const char *line, struct diag *d)
{
	const char *key = line + HSID_CHARS + MIDDLE_CHARS;

	if (memcmp(line + HSID_CHARS, MIDDLE, MIDDLE_CHARS) != 0) /* public */
		return diag_set(d, ERR_MALFORMED, "this is no client authorization: it has no \"%s\" "
		    "behind the first %d characters", MIDDLE, HSID_CHARS);
	if (hsid_parse(NULL, line) != ERR_OK)
		return diag_set(d, ERR_MALFORMED, "the onion address in this client authorization "
		    "is misspelt; have the line sent again");
	if (encode_from_base32(out->secret, sizeof(out->secret), key, CLIENTAUTH_KEY_CHARS) != ERR_OK)
		return diag_set(d, ERR_MALFORMED, "the key in this client authorization is misspelt; "
		    "have the line sent again");
	memcpy(out->service, line, HSID_CHARS);
	out->service[HSID_CHARS] = '\0';
	return ERR_OK;
}

enum err
clientauth_parse(struct clientauth *out, const char *line, size_t n, struct diag *d)
{
	char lower[LINE_CHARS];
	struct clientauth a;
	enum err e;

	while (n > 0 && is_blank(line[n - 1]))
		n--;
	while (n > 0 && is_blank(*line)) {
		line++;
		n--;
	}
	if (n != LINE_CHARS)
		return diag_set(d, ERR_MALFORMED, "a client authorization is one line of %zu "
		    "characters, ADDRESS%sKEY, and this has %zu", (size_t)LINE_CHARS, MIDDLE, n);
	to_lower(lower, line, n);
	e = parse_lower(&a, lower, d);
	if (e == ERR_OK)
		*out = a;
	sodium_memzero(lower, sizeof(lower));
	sodium_memzero(&a, sizeof(a));
	return e;
}

void
clientauth_print(char out[static CLIENTAUTH_LINE_SIZE], const struct clientauth *a)
{
	memcpy(out, a->service, HSID_CHARS);
	memcpy(out + HSID_CHARS, MIDDLE, MIDDLE_CHARS);
	encode_base32(out + HSID_CHARS + MIDDLE_CHARS, a->secret, sizeof(a->secret));
}

void
clientauth_make(struct clientauth *out, const char service[static HSID_CHARS],
    const struct rng *keys)
{
	memcpy(out->service, service, HSID_CHARS);
	out->service[HSID_CHARS] = '\0';
	rng_bytes(keys, out->secret, sizeof(out->secret));
}

void
clientauth_public(char out[static CLIENTAUTH_KEY_SIZE], const struct clientauth *a)
{
	uint8_t pk[32];

	(void)crypto_scalarmult_base(pk, a->secret);
	encode_base32(out, pk, sizeof(pk));
}

#include "config.h"

#include "common/crypto/hsid.h"

#include <sodium.h>
#include <string.h>
#include <strings.h>

#include "common/base/encode.h"
#include "common/crypto/sha3.h"

#define LABEL ".onion checksum"
#define LABEL_BYTES (sizeof(LABEL) - 1)
#define VERSION_OF_ADDRESS 3
#define ADDRESS_BYTES 35 /* key 32 || checksum 2 || version */
#define SUFFIX ".onion:"

static void
checksum(uint8_t out[static 2], const uint8_t pk[static 32])
{
	uint8_t in[LABEL_BYTES + 32 + 1], hash[SHA3_256_BYTES];

	memcpy(in, LABEL, LABEL_BYTES);
	memcpy(in + LABEL_BYTES, pk, 32);
	in[LABEL_BYTES + 32] = VERSION_OF_ADDRESS;
	sha3_256(hash, in, sizeof(in));
	memcpy(out, hash, 2);
}

void
hsid_from_key(char out[static HSID_SIZE], const uint8_t pk[static 32])
{
	uint8_t bytes[ADDRESS_BYTES];

	memcpy(bytes, pk, 32);
	checksum(bytes + 32, pk);
	bytes[34] = VERSION_OF_ADDRESS;
	encode_base32(out, bytes, sizeof(bytes));
}

enum err
hsid_parse(uint8_t pk[32], const char *text)
{
	uint8_t bytes[ADDRESS_BYTES], sum[2];

	if (strnlen(text, HSID_CHARS) < HSID_CHARS ||
	    encode_from_base32(bytes, sizeof(bytes), text, HSID_CHARS) != ERR_OK)
		return ERR_MALFORMED;
	checksum(sum, bytes);
	if (bytes[34] != VERSION_OF_ADDRESS || sodium_memcmp(sum, bytes + 32, sizeof(sum)) != 0)
		return ERR_MALFORMED;
	if (pk != NULL)
		memcpy(pk, bytes, 32);
	return ERR_OK;
}

/* A decimal port up to the end of the text. */
static bool
is_port(const char *s)
{
	unsigned long port = 0;
	size_t n = strspn(s, "0123456789");

	if (n < 1 || n > 5 || s[n] != '\0' || s[0] == '0')
		return false;
	for (size_t i = 0; i < n; i++)
		port = port * 10 + (unsigned long)(s[i] - '0');
	return port <= 65535;
}

bool
hsid_is_address(const char *text)
{
	return hsid_parse(NULL, text) == ERR_OK &&
	    strncmp(text + HSID_CHARS, SUFFIX, strlen(SUFFIX)) == 0 &&
	    is_port(text + HSID_CHARS + strlen(SUFFIX));
}

bool
hsid_is_onion(const char *address)
{
	const char *port = strrchr(address, ':');
	size_t n = strlen(SUFFIX);

	return strncmp(address, "unix:", 5) != 0 && port != NULL &&
	    (size_t)(port - address) >= n - 1 && strncasecmp(port - (n - 1), SUFFIX, n) == 0;
}

void
hsid_expand(uint8_t out[static 64], const uint8_t seed[static 32])
{
	(void)crypto_hash_sha512(out, seed, 32);
	out[0] &= 248;
	out[31] &= 63;
	out[31] |= 64;
}

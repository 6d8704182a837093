#include "config.h"

#include "common/base/encode.h"

#include <sodium.h>
#include <string.h>

#define VARIANT sodium_base64_VARIANT_URLSAFE_NO_PADDING
/* Texts are decoded in steps through a scratch, so that a bad one touches no output. */
#define STEP_BYTES 48
#define STEP_CHARS 64

typedef int decoder(uint8_t *out, size_t n, const char *text, size_t len);

void
encode_hex(char *out, const void *p, size_t n)
{
	(void)sodium_bin2hex(out, ENCODE_HEX_SIZE(n), p, n);
}

void
encode_base64(char *out, const void *p, size_t n)
{
	(void)sodium_bin2base64(out, ENCODE_BASE64_SIZE(n), p, n, VARIANT);
}

/* 0..31 to a..z2..7, without a branch or an index on the value. */
static char
base32_char(unsigned v)
{
	unsigned is_digit = (25u - v) >> 8 & 1;

	return (char)('a' + v - is_digit * ('a' + 26u - '2'));
}

/* The inverse; 32 for every other character. */
static unsigned
base32_value(char c)
{
	unsigned u = (unsigned char)c;
	unsigned letter = ((u - 'a') | ('z' - u)) >> 8 & 1;	 /* 1: is none */
	unsigned digit = ((u - '2') | ('7' - u)) >> 8 & 1;   /* likewise */

	return ((letter - 1u) & (u - 'a')) | ((digit - 1u) & (u - '2' + 26u)) | (letter & digit) << 5;
}

void
encode_base32(char *out, const void *p, size_t n)
{
	const uint8_t *in = p;
	unsigned bits = 0, held = 0;

	for (size_t i = 0; i < n; i++) {
		bits = bits << 8 | in[i];
		for (held += 8; held >= 5; held -= 5)
			*out++ = base32_char(bits >> (held - 5) & 31);
	}
	if (held > 0)
		*out++ = base32_char(bits << (5 - held) & 31);
	*out = '\0';
}

/* All characters of len, each good, and no bit left over that is not zero. */
static enum err
check_base32(const char *text, size_t len)
{
	unsigned bad = 0, last = 0;

	for (size_t i = 0; i < len; i++) {
		last = base32_value(text[i]);
		bad |= last & 32;
	}
	bad |= last & ((1u << 5 * len % 8) - 1u);
	return bad == 0 ? ERR_OK : ERR_MALFORMED;
}

enum err
encode_from_base32(uint8_t *out, size_t n, const char *text, size_t len)
{
	unsigned bits = 0, held = 0;

	if (len != ENCODE_BASE32_SIZE(n) - 1)
		return len < ENCODE_BASE32_SIZE(n) - 1 ? ERR_TRUNCATED : ERR_TRAILING;
	if (check_base32(text, len) != ERR_OK)
		return ERR_MALFORMED;
	for (size_t i = 0; i < len; i++) {
		bits = bits << 5 | base32_value(text[i]);
		held += 5;
		if (held >= 8) {
			held -= 8;
			*out++ = (uint8_t)(bits >> held);
		}
	}
	return ERR_OK;
}

size_t
encode_base64_bytes(size_t len)
{
	return len / 4 * 3 + len % 4 * 3 / 4;
}

/*
 * What was read is written again and compared: libsodium takes upper-case
 * hexadecimal, and its base64 of 1.0.18 takes bytes from 0x80 for characters.
 */
static int
differs(char *back, const char *text, size_t len)
{
	int d = sodium_memcmp(back, text, len);

	sodium_memzero(back, len);
	return d;
}

static int
hex_step(uint8_t *out, size_t n, const char *text, size_t len)
{
	char back[ENCODE_HEX_SIZE(STEP_BYTES)];
	size_t got;

	if (sodium_hex2bin(out, n, text, len, NULL, &got, NULL) != 0 || got != n)
		return -1;
	encode_hex(back, out, n);
	return differs(back, text, len);
}

static int
base64_step(uint8_t *out, size_t n, const char *text, size_t len)
{
	char back[ENCODE_BASE64_SIZE(STEP_BYTES)];
	size_t got;

	if (sodium_base642bin(out, n, text, len, NULL, &got, NULL, VARIANT) != 0 || got != n)
		return -1;
	encode_base64(back, out, n);
	return differs(back, text, len);
}

/* Decode all steps; out may be NULL to check only. */
static enum err
steps(uint8_t *out, size_t n, const char *text, size_t len, size_t step_bytes, decoder *step)
{
	uint8_t scratch[STEP_BYTES];
	enum err e = ERR_OK;

	while (n > 0 && e == ERR_OK) {
		size_t bytes = n < step_bytes ? n : step_bytes;
		size_t chars = len < STEP_CHARS ? len : STEP_CHARS;

		if (step(scratch, bytes, text, chars) != 0)
			e = ERR_MALFORMED;
		else if (out != NULL)
			memcpy(out, scratch, bytes);
		if (out != NULL)
			out += bytes;
		n -= bytes;
		text += chars;
		len -= chars;
	}
	sodium_memzero(scratch, sizeof(scratch));
	return e;
}

static enum err
decode(uint8_t *out, size_t n, const char *text, size_t len, size_t want, size_t step_bytes,
    decoder *step)
{
	enum err e;

	if (len != want)
		return len < want ? ERR_TRUNCATED : ERR_TRAILING;
	e = steps(NULL, n, text, len, step_bytes, step);
	return e == ERR_OK ? steps(out, n, text, len, step_bytes, step) : e;
}

enum err
encode_from_hex(uint8_t *out, size_t n, const char *text, size_t len)
{
	return decode(out, n, text, len, ENCODE_HEX_SIZE(n) - 1, STEP_CHARS / 2, hex_step);
}

enum err
encode_from_base64(uint8_t *out, size_t n, const char *text, size_t len)
{
	return decode(out, n, text, len, ENCODE_BASE64_SIZE(n) - 1, STEP_BYTES, base64_step);
}

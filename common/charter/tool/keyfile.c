#include "config.h"

#include "common/charter/tool/keyfile.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "common/base/encode.h"
#include "common/base/secret.h"
#include "common/charter/tool/file.h"

#define SECRET_HEAD "restante-authority-key "
#define PUBLIC_HEAD "restante-authority "
#define FORMAT "1"
#define SEED_TEXT (2 * crypto_sign_SEEDBYTES)
#define SECRET_BYTES (sizeof(SECRET_HEAD FORMAT "\n") - 1 + SEED_TEXT + 1)

/* The file's text in secret memory, with a NUL. */
struct secret_text {
	char text[SECRET_BYTES + 1];
	uint8_t seed[crypto_sign_SEEDBYTES];
	uint8_t sk[crypto_sign_SECRETKEYBYTES];
};

enum err
keyfile_create(uint8_t pk[static 32], const char *path, const struct rng *keys, struct diag *d)
{
	struct secret_text *s = secret_new(sizeof(*s));
	size_t head = strlen(SECRET_HEAD FORMAT "\n");
	enum err e;

	if (s == NULL)
		return diag_set(d, ERR_MEMORY, "out of memory");
	rng_bytes(keys, s->seed, sizeof(s->seed));
	memcpy(s->text, SECRET_HEAD FORMAT "\n", head);
	encode_hex(s->text + head, s->seed, sizeof(s->seed));
	s->text[SECRET_BYTES - 1] = '\n';
	e = file_create(path, FILE_SECRET, s->text, SECRET_BYTES, d);
	if (e == ERR_OK)
		crypto_sign_seed_keypair(pk, s->sk, s->seed);
	secret_free(s);
	return e;
}

/* The version of a first line of ours; what follows it is at *rest. */
static enum err
check_version(const char **rest, const char *line, const char *head, const char *path,
    struct diag *d)
{
	size_t n = strlen(head), digits;

	if (strncmp(line, head, n) != 0)
		return diag_set(
		    d, ERR_MALFORMED, "%s: it must begin with \"%s" FORMAT "\"", path, head);
	digits = strspn(line + n, "0123456789");
	if (digits != strlen(FORMAT) || strncmp(line + n, FORMAT, digits) != 0)
		return diag_set(d, digits == 0 ? ERR_MALFORMED : ERR_VERSION,
		    "%s: %s%.*s: made by a newer version of restante; update this one", path, head,
		    digits < 9 ? (int)digits : 9, line + n);
	*rest = line + n + digits;
	return ERR_OK;
}

static enum err
parse_secret(struct secret_text *s, const char *path, struct diag *d)
{
	const char *rest;
	enum err e = check_version(&rest, s->text, SECRET_HEAD, path, d);

	if (e != ERR_OK)
		return e;
	if (rest[0] != '\n' || rest[SEED_TEXT + 1] != '\n' ||
	    encode_from_hex(s->seed, sizeof(s->seed), rest + 1, SEED_TEXT) != ERR_OK)
		return diag_set(d, ERR_MALFORMED, "%s: the key file is damaged: restore it", path);
	return ERR_OK;
}

enum err
keyfile_read(uint8_t **sk, const char *path, struct diag *d)
{
	struct secret_text *s = secret_new(sizeof(*s));
	uint8_t *key = secret_new(crypto_sign_SECRETKEYBYTES);
	uint8_t pk[crypto_sign_PUBLICKEYBYTES];
	enum err e;

	if (s == NULL || key == NULL) {
		e = diag_set(d, ERR_MEMORY, "out of memory");
		goto done;
	}
	e = file_read_secret(s->text, SECRET_BYTES, path, d);
	if (e != ERR_OK)
		goto done;
	e = parse_secret(s, path, d);
	if (e != ERR_OK)
		goto done;
	crypto_sign_seed_keypair(pk, key, s->seed);
	*sk = key;
	key = NULL;
done:
	secret_free(key);
	secret_free(s);
	return e;
}

void
keyfile_print_public(char out[static KEYFILE_PUBLIC_BYTES], const uint8_t pk[static 32])
{
	char hex[ENCODE_HEX_SIZE(32)];

	encode_hex(hex, pk, 32);
	(void)snprintf(out, KEYFILE_PUBLIC_BYTES, PUBLIC_HEAD FORMAT " %s", hex);
}

enum err
keyfile_parse_public(uint8_t pk[static 32], const char *line, struct diag *d)
{
	const char *rest;
	enum err e = check_version(&rest, line, PUBLIC_HEAD, "the authority's line", d);

	if (e != ERR_OK)
		return e;
	if (rest[0] != ' ' || encode_from_hex(pk, 32, rest + 1, strlen(rest + 1)) != ERR_OK ||
	    crypto_core_ed25519_is_valid_point(pk) != 1)
		return diag_set(d, ERR_MALFORMED,
		    "the authority's line has no valid key: copy it anew from restante-charter "
		    "keygen");
	return ERR_OK;
}

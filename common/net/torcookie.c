#include "config.h"

#include "common/net/torcookie.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/secret.h"

/* The keys are these texts, without their NUL; control-spec 3.24. */
#define SERVER_KEY "Tor safe cookie authentication server-to-controller hash"
#define CLIENT_KEY "Tor safe cookie authentication controller-to-server hash"

static enum err
open_failed(const char *path, int error, struct diag *d)
{
	if (error == ENOENT)
		return diag_set(d, ERR_NOT_FOUND,
		    "%s: there is no such cookie: is tor running, with CookieAuthentication 1?",
		    path);
	return diag_set(d, ERR_IO,
	    "%s: cannot read tor's cookie (%s): this user must be in the group of tor "
	    "(debian-tor), with CookieAuthFileGroupReadable 1",
	    path, strerror(error));
}

/*
 * Read from an open file into a buffer that has room for one byte more than a
 * cookie, so that a file that is too long shows.
 */
static enum err
read_open(uint8_t cookie[static TORCOOKIE_BYTES], int fd, const char *path, struct diag *d)
{
	uint8_t got[TORCOOKIE_BYTES + 1];
	struct stat st;
	enum err e = ERR_OK;
	ssize_t n;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		return diag_set(d, ERR_MALFORMED, "%s: tor's cookie must be a regular file", path);
	n = read(fd, got, sizeof(got));
	if (n < 0)
		e = open_failed(path, errno, d);
	else if (n != TORCOOKIE_BYTES)
		e = diag_set(d, ERR_MALFORMED,
		    "%s: tor's cookie has exactly %d bytes, this file has %s: name another one",
		    path, TORCOOKIE_BYTES, n > TORCOOKIE_BYTES ? "more" : "fewer");
	else
		memcpy(cookie, got, TORCOOKIE_BYTES);
	secret_wipe(got, sizeof(got));
	return e;
}

enum err
torcookie_read(uint8_t cookie[static TORCOOKIE_BYTES], const char *path, struct diag *d)
{
	/* Not blocking: it could be a pipe without a writer. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	enum err e;

	if (fd < 0)
		return open_failed(path, errno, d);
	e = read_open(cookie, fd, path, d);
	(void)close(fd);
	return e;
}

static void
hash(uint8_t out[static TORCOOKIE_HASH_BYTES], const char *key, const uint8_t *cookie,
    const uint8_t *client_nonce, const uint8_t *server_nonce)
{
	crypto_auth_hmacsha256_state st;

	/* The keys are longer than the 32 bytes that the one-call form takes. */
	(void)crypto_auth_hmacsha256_init(&st, (const unsigned char *)key, strlen(key));
	(void)crypto_auth_hmacsha256_update(&st, cookie, TORCOOKIE_BYTES);
	(void)crypto_auth_hmacsha256_update(&st, client_nonce, TORCOOKIE_NONCE_BYTES);
	(void)crypto_auth_hmacsha256_update(&st, server_nonce, TORCOOKIE_NONCE_BYTES);
	(void)crypto_auth_hmacsha256_final(&st, out);
	secret_wipe(&st, sizeof(st));
}

void
torcookie_server_hash(uint8_t out[static TORCOOKIE_HASH_BYTES],
    const uint8_t cookie[static TORCOOKIE_BYTES],
    const uint8_t client_nonce[static TORCOOKIE_NONCE_BYTES],
    const uint8_t server_nonce[static TORCOOKIE_NONCE_BYTES])
{
	hash(out, SERVER_KEY, cookie, client_nonce, server_nonce);
}

enum err
torcookie_prove(uint8_t own[static TORCOOKIE_HASH_BYTES],
    const uint8_t cookie[static TORCOOKIE_BYTES],
    const uint8_t client_nonce[static TORCOOKIE_NONCE_BYTES],
    const uint8_t server_nonce[static TORCOOKIE_NONCE_BYTES],
    const uint8_t server_hash[static TORCOOKIE_HASH_BYTES])
{
	uint8_t want[TORCOOKIE_HASH_BYTES];
	bool known;

	torcookie_server_hash(want, cookie, client_nonce, server_nonce);
	known = sodium_memcmp(want, server_hash, sizeof(want)) == 0;
	secret_wipe(want, sizeof(want));
	if (!known)
		return ERR_CRYPTO;
	hash(own, CLIENT_KEY, cookie, client_nonce, server_nonce);
	return ERR_OK;
}

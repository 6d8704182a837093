#include "config.h"

#include "client-lib/command/place.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "common/base/encode.h"
#include "common/base/secret.h"
#include "common/crypto/hash.h"

#define PASSPHRASE_MIN 8

static const struct config_key keys[] = {
	{ "dir", CONFIG_STRING, 0, 0, "", "PATH",
	    "the client directory (else $RESTANTE_DIR, else restante in the user's data directory)",
	    NULL, CONFIG_FIELD(struct place, directory), NULL, false, 'd' },
	{ "json", CONFIG_BOOL, 0, 0, "no", NULL, "print JSON, one value to a line", NULL,
	    CONFIG_FIELD(struct place, json), NULL, false, 'j' },
};

const struct config_schema place_schema = {
	.keys = keys,
	.count = sizeof(keys) / sizeof(keys[0]),
	.size = sizeof(struct place),
};

/* ---- directory and socket ---- */

static enum err
join(char out[static PLACE_PATH_MAX], const char *a, const char *b, struct diag *d)
{
	if (snprintf(out, PLACE_PATH_MAX, "%s%s", a, b) >= PLACE_PATH_MAX)
		return diag_set(d, ERR_RANGE, "the path of the client directory is too long");
	return ERR_OK;
}

static enum err
default_directory(char out[static PLACE_PATH_MAX], struct diag *d)
{
	const char *own = getenv("RESTANTE_DIR"), *data = getenv("XDG_DATA_HOME"),
		   *home = getenv("HOME");

	if (own != NULL && own[0] != '\0')
		return join(out, own, "", d);
	if (data != NULL && data[0] == '/')
		return join(out, data, "/restante", d);
	if (home != NULL && home[0] == '/')
		return join(out, home, "/.local/share/restante", d);
	return diag_set(d, ERR_USAGE, "no home directory is known; give --dir");
}

enum err
place_directory(char out[static PLACE_PATH_MAX], const struct place *p, struct diag *d)
{
	char path[PLACE_PATH_MAX], here[PLACE_PATH_MAX];
	enum err e = ERR_OK;

	if (p->directory[0] == '\0')
		e = default_directory(path, d);
	else
		e = join(path, p->directory, "", d);
	if (e != ERR_OK || path[0] == '/')
		return e == ERR_OK ? join(out, path, "", d) : e;
	if (getcwd(here, sizeof(here) - 1) == NULL)
		return diag_set(d, ERR_IO, "the working directory is gone: %m");
	here[strlen(here) + 1] = '\0';
	here[strlen(here)] = '/';
	return join(out, here, path, d);
}

/* A name for the directory, wherever it is seen from: "restante-" and 16 characters. */
static enum err
runtime_name(char name[static 32], char real[static PATH_MAX], const char *directory, struct diag *d)
{
	char hex[2 * 8 + 1];
	uint8_t hash[HASH_BYTES];

	if (realpath(directory, real) == NULL)
		return diag_set(d, ERR_NOT_FOUND,
		    "%s: %m; make a client directory with `restante init`", directory);
	hash_256(hash, real, strlen(real));
	encode_hex(hex, hash, 8);
	(void)snprintf(name, 32, "restante-%s", hex);
	return ERR_OK;
}

enum err
place_socket(char out[static PLACE_PATH_MAX], const char *directory, struct diag *d)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	char name[32], real[PATH_MAX];
	enum err e = runtime_name(name, real, directory, d);
	int n;

	if (e != ERR_OK)
		return e;
	if (runtime != NULL && runtime[0] == '/')
		n = snprintf(out, PLACE_PATH_MAX, "unix:%s/%s", runtime, name);
	else
		n = snprintf(out, PLACE_PATH_MAX, "unix:%s/agent", real);
	/* sun_path has 108 bytes */
	if (n - 5 >= 108)
		return diag_set(d, ERR_RANGE,
		    "the agent's socket path is too long; set XDG_RUNTIME_DIR to a short directory");
	return ERR_OK;
}

enum err
place_tor(char out[static PLACE_PATH_MAX], const char *directory, struct diag *d)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	char name[32], real[PATH_MAX];
	enum err e = runtime_name(name, real, directory, d);

	if (e != ERR_OK)
		return e;
	out[0] = '\0';
	if (runtime == NULL || runtime[0] != '/')
		return ERR_OK;
	if (snprintf(out, PLACE_PATH_MAX, "%s/%s-tor", runtime, name) >= PLACE_PATH_MAX)
		return diag_set(d, ERR_RANGE, "XDG_RUNTIME_DIR is too long a path");
	return ERR_OK;
}

enum err
place_parents(const char *directory, struct diag *d)
{
	char path[PLACE_PATH_MAX];

	for (const char *p = strchr(directory + 1, '/'); p != NULL; p = strchr(p + 1, '/')) {
		size_t n = (size_t)(p - directory);
		memcpy(path, directory, n);
		path[n] = '\0';
		if (mkdir(path, 0700) != 0 && errno != EEXIST)
			return diag_set(d, ERR_IO, "%s: cannot be made: %m", path);
	}
	return ERR_OK;
}

enum err
place_witness(char out[static PLACE_PATH_MAX], struct diag *d)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	enum err e = ERR_OK;

	out[0] = '\0';
	if (state != NULL && state[0] == '/')
		e = join(out, state, "/restante", d);
	else if (home != NULL && home[0] == '/')
		e = join(out, home, "/.local/state/restante", d);
	if (e != ERR_OK || out[0] == '\0')
		return e;
	e = place_parents(out, d);
	if (e == ERR_OK && mkdir(out, 0700) != 0 && errno != EEXIST)
		e = diag_set(d, ERR_IO, "%s: cannot be made: %m", out);
	return e;
}

/* ---- secrets ---- */

/* Up to PLACE_SECRET_MAX bytes of fd, which may be a pipe; -1 with errno. */
static ssize_t
read_all(int fd, uint8_t *p)
{
	size_t got = 0;

	while (got < PLACE_SECRET_MAX) {
		ssize_t n = read(fd, p + got, PLACE_SECRET_MAX - got);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		got += (size_t)n;
	}
	return (ssize_t)got;
}

/* Read a whole small file into secret memory. */
static enum err
read_secret(uint8_t **out, size_t *len, const char *path, struct diag *d)
{
	uint8_t *p = secret_new(PLACE_SECRET_MAX);
	ssize_t n = -1;
	int fd;

	if (p == NULL)
		return ERR_MEMORY;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		n = read_all(fd, p);
	if (n < 0)
		(void)diag_set(d, ERR_NOT_FOUND, "%s: cannot be read: %m", path);
	if (fd >= 0)
		(void)close(fd);
	if (n < 0) {
		secret_free(p);
		return ERR_NOT_FOUND;
	}
	*out = p;
	*len = (size_t)n;
	return ERR_OK;
}

enum err
place_read(uint8_t **out, size_t *len, const char *path, struct diag *d)
{
	uint8_t *p;
	size_t n;
	enum err e = read_secret(&p, &n, path, d);

	if (e == ERR_OK && n == PLACE_SECRET_MAX) {
		secret_free(p);
		e = diag_set(d, ERR_RANGE, "%s: has more than the %d bytes that it may", path,
		    PLACE_SECRET_MAX - 1);
	}
	if (e != ERR_OK)
		return e;
	*out = p;
	*len = n;
	return ERR_OK;
}

static enum err
from_key_file(struct restante_unlock *out, const char *path, struct diag *d)
{
	uint8_t *p;
	size_t n;
	enum err e = read_secret(&p, &n, path, d);

	if (e != ERR_OK)
		return e;
	if (n < 32 || n == PLACE_SECRET_MAX) {
		secret_free(p);
		return diag_set(d, ERR_RANGE, "%s: a key file has 32 to %d bytes", path,
		    PLACE_SECRET_MAX - 1);
	}
	*out = (struct restante_unlock){ p, n, 1 };
	return ERR_OK;
}

static enum err
from_passphrase_file(struct restante_unlock *out, const char *path, struct diag *d)
{
	uint8_t *p, *end;
	size_t n;
	enum err e = read_secret(&p, &n, path, d);

	if (e != ERR_OK)
		return e;
	end = memchr(p, '\n', n);
	if (end != NULL)
		n = (size_t)(end - p);
	if (n == 0) {
		secret_free(p);
		return diag_set(d, ERR_RANGE, "%s: its first line is empty", path);
	}
	*out = (struct restante_unlock){ p, n, 0 };
	return ERR_OK;
}

/* One line from the terminal, not shown. Returns its length, or -1. */
static ssize_t
ask(uint8_t *line, size_t size, const char *prompt)
{
	int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	struct termios old, quiet;
	ssize_t n = -1;

	if (fd < 0)
		return -1;
	if (tcgetattr(fd, &old) == 0) {
		quiet = old;
		quiet.c_lflag &= ~(tcflag_t)ECHO;
		(void)tcsetattr(fd, TCSAFLUSH, &quiet);
		if (write(fd, prompt, strlen(prompt)) >= 0)
			n = read(fd, line, size);
		(void)tcsetattr(fd, TCSAFLUSH, &old);
		if (write(fd, "\n", 1) < 0)
			n = -1;
	}
	(void)close(fd);
	if (n > 0 && line[n - 1] == '\n')
		n--;
	return n;
}

static enum err
ask_twice(uint8_t *line, size_t n, struct diag *d)
{
	uint8_t *again = secret_new(PLACE_SECRET_MAX);
	enum err e = ERR_OK;

	if (again == NULL)
		return ERR_MEMORY;
	if (n < PASSPHRASE_MIN)
		e = diag_set(d, ERR_RANGE, "a passphrase has at least %d characters",
		    PASSPHRASE_MIN);
	else if (ask(again, PLACE_SECRET_MAX, "The same again: ") != (ssize_t)n ||
	    sodium_memcmp(line, again, n) != 0)
		e = diag_set(d, ERR_MALFORMED, "the two passphrases differ; nothing was changed");
	secret_free(again);
	return e;
}

static enum err
from_terminal(struct restante_unlock *out, const char *prompt, bool fresh, struct diag *d)
{
	uint8_t *line = secret_new(PLACE_SECRET_MAX);
	ssize_t n;
	enum err e = ERR_OK;

	if (line == NULL)
		return ERR_MEMORY;
	n = ask(line, PLACE_SECRET_MAX, prompt);
	if (n <= 0)
		e = diag_set(d, ERR_USAGE,
		    "no terminal to ask for the passphrase; give --passphrase-file or --key-file");
	else if (fresh)
		e = ask_twice(line, (size_t)n, d);
	if (e != ERR_OK) {
		secret_free(line);
		return e;
	}
	*out = (struct restante_unlock){ line, (size_t)n, 0 };
	return ERR_OK;
}

enum err
place_unlock(struct restante_unlock *out, const struct place_keys *k, const char *prompt,
    bool fresh, struct diag *d)
{
	if (k->key_file[0] != '\0' && k->passphrase_file[0] != '\0')
		return diag_set(d, ERR_USAGE, "give either a passphrase file or a key file");
	if (k->key_file[0] != '\0')
		return from_key_file(out, k->key_file, d);
	if (k->passphrase_file[0] != '\0')
		return from_passphrase_file(out, k->passphrase_file, d);
	return from_terminal(out, prompt, fresh, d);
}

void
place_unlock_free(struct restante_unlock *u)
{
	secret_free((void *)(uintptr_t)u->secret);
	u->secret = NULL;
}

/*
 * Where things are: the client directory, the agent's socket, and how the
 * directory is unlocked.
 */
#ifndef CLIENT_LIB_COMMAND_PLACE_H
#define CLIENT_LIB_COMMAND_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client-lib/include/restante/restante.h"
#include "common/base/err.h"
#include "common/config/table.h"

#define PLACE_PATH_MAX 4096

/* The options that every command takes, before the command. */
struct place {
	char directory[PLACE_PATH_MAX]; /* --dir */
	bool json;			/* --json */
};
extern const struct config_schema place_schema;

/* The options of commands that unlock the directory. */
struct place_keys {
	char passphrase_file[PLACE_PATH_MAX]; /* its first line */
	char key_file[PLACE_PATH_MAX];
};
/* Their rows. */
#define PLACE_KEY_ROWS(type, member)                                                               \
	{ "passphrase-file", CONFIG_STRING, 0, 0, "", "PATH",                                      \
	    "take the passphrase from this file's first line", NULL,                               \
	    CONFIG_FIELD(type, member.passphrase_file), NULL, false, 0 },                          \
	{                                                                                          \
		"key-file", CONFIG_STRING, 0, 0, "", "PATH",                                       \
		    "a file of at least 32 random bytes instead of a passphrase", NULL,            \
		    CONFIG_FIELD(type, member.key_file), NULL, false, 0                            \
	}

/*
 * The directory as an absolute path: --dir, $RESTANTE_DIR, or restante under
 * $XDG_DATA_HOME (or ~/.local/share). ERR_USAGE without a home.
 */
RST_MUST_USE enum err place_directory(char out[static PLACE_PATH_MAX], const struct place *p,
    struct diag *d);
/*
 * The address of the agent's socket ("unix:..."), made from the directory's
 * path, under $XDG_RUNTIME_DIR or, without that, in the directory itself.
 */
RST_MUST_USE enum err place_socket(char out[static PLACE_PATH_MAX], const char *directory,
    struct diag *d);
/*
 * A directory for the sockets of the agent's own tor, likewise; empty without
 * $XDG_RUNTIME_DIR.
 */
RST_MUST_USE enum err place_tor(char out[static PLACE_PATH_MAX], const char *directory,
    struct diag *d);
/* The directories above the client's own, as mkdir -p makes them. */
RST_MUST_USE enum err place_parents(const char *directory, struct diag *d);
/*
 * The directory for witnesses of the state's age, made if need be: restante under
 * $XDG_STATE_HOME (or ~/.local/state); empty without a home.
 */
RST_MUST_USE enum err place_witness(char out[static PLACE_PATH_MAX], struct diag *d);
/*
 * Read a file of at most PLACE_SECRET_MAX - 1 bytes, which may be a pipe, into
 * secret memory (secret_free). ERR_NOT_FOUND, ERR_RANGE with a sentence.
 */
#define PLACE_SECRET_MAX 4096
RST_MUST_USE enum err place_read(uint8_t **out, size_t *len, const char *path, struct diag *d);
/*
 * What unlocks the directory: the key file, the passphrase file's first line,
 * or a passphrase asked for on the terminal (twice if `fresh`). Secret memory,
 * freed with place_unlock_free.
 */
RST_MUST_USE enum err place_unlock(struct restante_unlock *out, const struct place_keys *k,
    const char *prompt, bool fresh, struct diag *d);
void place_unlock_free(struct restante_unlock *u);

#endif

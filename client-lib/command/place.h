/*
 * Where things are: the client directory, the agent's socket, and how the
 * directory is unlocked.
 */
#ifndef CLIENT_LIB_COMMAND_PLACE_H
#define CLIENT_LIB_COMMAND_PLACE_H

#include <stdbool.h>
#include <stddef.h>

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
 * What unlocks the directory: the key file, the passphrase file's first line,
 * or a passphrase asked for on the terminal (twice if `fresh`). Secret memory,
 * freed with place_unlock_free.
 */
RST_MUST_USE enum err place_unlock(struct restante_unlock *out, const struct place_keys *k,
    const char *prompt, bool fresh, struct diag *d);
void place_unlock_free(struct restante_unlock *u);

#endif

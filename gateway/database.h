/*
 * What the LevelDB databases of gateway and registrar have in common: how they are opened, what their
 * errors mean, how they are removed. Blocks.
 */
#ifndef GATEWAY_DATABASE_H
#define GATEWAY_DATABASE_H

#include <leveldb/c.h>
#include <stddef.h>

#include "common/base/err.h"

/* Free LevelDB's sentence; it says what happened in no other way. ERR_FULL, ERR_MALFORMED, ERR_IO. */
enum err database_error(char *text);
/*
 * Make a database's directory, durably: one that a crash makes disappear would let what it
 * recorded happen again. It may be there already. ERR_FULL, ERR_IO.
 */
RST_MUST_USE enum err database_directory(const char *path);
/*
 * Open or create the database in the directory `path`: checks on, no compression, and
 * without LevelDB's own log. filter is borrowed for its life, and may be NULL.
 */
RST_MUST_USE enum err database_open(leveldb_t **out, const char *path, size_t write_buffer,
    leveldb_filterpolicy_t *filter);
/* Remove a closed database's directory and everything in it; none is success. */
RST_MUST_USE enum err database_remove(const char *path);

#endif

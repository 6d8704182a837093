/*
 * A witness of the state's age, kept apart from it: a small file outside of the
 * directory that counts how often the state was written. A state that counts less is
 * an old copy; so is one that knows another file in this one's place, for then both were
 * put back. docs/protocol.md, "Files on disk". Blocking.
 */
#ifndef CLIENT_LIB_WITNESS_H
#define CLIENT_LIB_WITNESS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"

/* *count is 0 if there is none, or if it was torn. ERR_IO. */
RST_MUST_USE enum err witness_read(uint64_t *count, const char *path);
/* The number of the file, which is written in place; 0 if there is none. */
uint64_t witness_inode(const char *path);
/* Not synced: one that is behind says nothing. ERR_IO. */
RST_MUST_USE enum err witness_write(const char *path, uint64_t count);

/* What a state says of itself, or what is found beside it; 0: unknown, or none. */
struct witness_place {
	uint64_t saves;	    /* of the state; as the witness has counted */
	uint64_t witness;   /* the file's inode */
	uint64_t directory; /* that of the client directory */
};
/*
 * Whether the state is an old copy, or one in another place of which nobody can say. Devices
 * are not compared: their numbers change from one start of the machine to the next.
 */
bool witness_says_old(const struct witness_place *state, const struct witness_place *found);

#endif

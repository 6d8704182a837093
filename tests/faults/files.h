/*
 * A file layer that fails: calls of every library of the program for regular files and
 * directories come through here (the program's own symbols stand before libc's), and the
 * n-th fails. LevelDB has no other seam in its C interface.
 */
#ifndef TESTS_FAULTS_FILES_H
#define TESTS_FAULTS_FILES_H

#include <stdbool.h>
#include <stdint.h>

enum files_call { FILES_OPEN, FILES_WRITE, FILES_SYNC, FILES_RENAME, FILES_UNLINK, FILES_MKDIR };
#define FILES_CALLS (FILES_MKDIR + 1)

/* From now on count; the at-th call fails (0: none) with this errno, and with `forever` all after it. */
void files_arm(uint64_t at, int error, bool forever);
uint64_t files_disarm(void);
/* Which kind the first failure was of; -1: none. */
int files_struck(void);

#endif

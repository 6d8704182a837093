/*
 * Landlock: what this thread, and what it starts from now on, may do with files, held by
 * the kernel (Documentation/userspace-api/landlock.rst). Raw system calls: glibc has none.
 *
 * Only threads made later inherit it: enforce before the first. Files that are open
 * already stay usable, and metadata (stat, chmod) is not guarded.
 */
#ifndef COMMON_BASE_LANDLOCK_H
#define COMMON_BASE_LANDLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"

/* What may be allowed beneath a directory, or of one file. */
#define LANDLOCK_READ 1u    /* open for reading */
#define LANDLOCK_LIST 2u    /* list directories */
#define LANDLOCK_WRITE 4u   /* open for writing, truncate */
#define LANDLOCK_CHANGE 8u  /* make, rename and remove files and directories */
#define LANDLOCK_SOCKETS 16u /* make and remove unix sockets */
#define LANDLOCK_RUN 32u    /* execute */
#define LANDLOCK_ALL 63u

struct landlock {
	int fd;
	int abi;	 /* of this kernel */
	uint64_t guarded; /* in the kernel's bits */
};

/* The version of the kernel's interface; 0: it has none, or it is off. */
int landlock_abi(void);

/*
 * Rules under which what is in `guarded` is forbidden, except as landlock_allow says.
 * alone: no signals to processes outside either, and lonely: no abstract unix sockets of
 * theirs (both where the ABI is 6 or more). ERR_VERSION: this kernel has no Landlock;
 * ERR_IO.
 */
RST_MUST_USE enum err landlock_begin(struct landlock *x, unsigned guarded, bool alone, bool lonely);
/* ERR_NOT_FOUND: nothing is there; ERR_IO. */
RST_MUST_USE enum err landlock_allow(const struct landlock *x, const char *path, unsigned rights);
/* From here on, for this thread; also sets no_new_privs. ERR_IO. */
RST_MUST_USE enum err landlock_enforce(const struct landlock *x);
/* Forget the rules; what is enforced stays. */
void landlock_end(struct landlock *x);

#endif

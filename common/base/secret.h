/*
 * Secret memory: guarded, locked where the system allows, wiped when freed.
 */
#ifndef COMMON_BASE_SECRET_H
#define COMMON_BASE_SECRET_H

#include <stddef.h>

#include "common/base/err.h"

/*
 * Must be called once by every program before anything else of this tree:
 * initialises libsodium, switches core dumps off (prctl, RLIMIT_CORE) and sets
 * umask 077. ERR_CRYPTO if libsodium cannot start.
 */
RST_MUST_USE enum err secret_setup(void);

/* No core dumps, and no tracing by others; again after a change of account. ERR_IO. */
RST_MUST_USE enum err secret_undumpable(void);

/* n zeroed bytes in libsodium's guarded heap; NULL if there is no memory. */
void *secret_new(size_t n);
/*
 * How often the system would not lock what secret_new gave (RLIMIT_MEMLOCK), which the
 * swap space may hold then; since the start.
 */
size_t secret_unlocked(void);
/* Wipe and free; NULL is a no-op. */
void secret_free(void *p);
/* Overwrite n bytes in a way the compiler keeps. */
void secret_wipe(void *p, size_t n);

#endif

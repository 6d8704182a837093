/*
 * The system calls that a daemon has left once it serves, as a seccomp filter (libseccomp).
 * docs/sandbox.md has the table with reasons.
 */
#ifndef MIX_CALLS_H
#define MIX_CALLS_H

#include <stdbool.h>

#include "common/base/err.h"

/*
 * Whether this build filters: not without libseccomp, and not with sanitizers, whose
 * run-time library traces and reads its own process. why: a sentence without a full
 * stop, if not.
 */
bool calls_can_filter(const char **why);

/*
 * Whether a sanitizer is built in: its leak checker reads /proc at the end, and its reports
 * read the program.
 */
bool calls_sanitized(void);

/*
 * Filter all threads of this process from here on. What is not allowed fails with EPERM
 * (clone3 with ENOSYS, so that the C library takes clone); running another program, and
 * reading or tracing another process, kills this one at once, for no fault of ours comes
 * near them. ERR_VERSION without calls_can_filter; ERR_IO with a sentence.
 */
RST_MUST_USE enum err calls_filter(struct diag *d);

#endif

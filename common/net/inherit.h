/*
 * Sockets that listen already when the program starts: the service manager opened
 * them and hands them over, by the protocol of sd_listen_fds(3). As an address such
 * a socket is "fd:N", N from 3 on, in the order in which the unit names them.
 */
#ifndef COMMON_NET_INHERIT_H
#define COMMON_NET_INHERIT_H

#include <stdbool.h>

#include "common/base/err.h"

#define INHERIT_FIRST 3

/* Whether an address has this form, right or wrong. */
bool inherit_is(const char *address);

/*
 * Take over the socket of an address of this form: the caller owns *fd, which is set
 * non-blocking and is not inherited further. Each can be taken once. ERR_USAGE with a
 * sentence: the form, not handed over to this process, no listening stream socket.
 */
RST_MUST_USE enum err inherit_take(int *fd, const char *address, struct diag *d);

#endif

/*
 * Listening sockets that the process was started with, as systemd hands them
 * over (sd_listen_fds(3)): LISTEN_PID is our process, LISTEN_FDS counts the
 * descriptors from 3 on.
 */
#ifndef COMMON_NET_INHERITED_H
#define COMMON_NET_INHERITED_H

#include "common/net/address.h"

/*
 * A new descriptor (to be closed by the caller) of the inherited socket that
 * listens at this address, or -1 if there is none. What was inherited stays
 * open, so that a listener can be closed and opened again. Only stream sockets
 * that listen are taken. Children do not inherit any of it.
 */
int inherited_listener(const struct address *a);

#endif

/*
 * Telling the service manager how a daemon stands, by the protocol of sd_notify(3):
 * a datagram of lines to the socket that NOTIFY_SOCKET names. Without that variable
 * nothing happens.
 */
#ifndef COMMON_BASE_NOTIFY_H
#define COMMON_BASE_NOTIFY_H

#include <stdint.h>

#include "common/base/err.h"

/*
 * Send lines such as "READY=1\nSTATUS=Ready". ERR_NOT_FOUND without NOTIFY_SOCKET,
 * ERR_USAGE if it names no socket, ERR_IO. Never blocks.
 */
RST_MUST_USE enum err notify_send(const char *lines);

/* How often at least "WATCHDOG=1" is awaited of this process; 0: not at all. */
int64_t notify_watchdog_ms(void);

#endif

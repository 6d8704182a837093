/*
 * Addresses of stream sockets, numbers only: "127.0.0.1:7000", "[::1]:7000",
 * "unix:/run/x". Names are never resolved.
 */
#ifndef COMMON_NET_ADDRESS_H
#define COMMON_NET_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/base/err.h"

struct address {
	union {
		struct sockaddr any;
		struct sockaddr_storage storage;
		struct sockaddr_un local;
	} to;
	socklen_t len;
};

/*
 * ERR_USAGE unless text is an address in one of the forms above: a port 1 to
 * 65535 without leading zeros; a path that is absolute, printable and fits
 * (107 bytes).
 */
RST_MUST_USE enum err address_parse(struct address *out, const char *text);
/* The same check without the result. */
RST_MUST_USE enum err address_check(const char *text);
bool address_is_unix(const struct address *a);

#endif

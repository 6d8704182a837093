/*
 * A SOCKS port as tor's for tests, on any loop: it connects everything that is
 * asked for to one address, and misbehaves as it is told.
 */
#ifndef TESTS_UNIT_NET_FAKE_SOCKS_H
#define TESTS_UNIT_NET_FAKE_SOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/net/loop.h"

#define FAKE_SOCKS_ADDRESS "unix:/tor/socks"
#define FAKE_SOCKS_PIPES_MAX 4096
#define FAKE_SOCKS_NEVER SIZE_MAX

struct fake_pipe;

struct fake_socks {
	struct loop *loop;
	struct listener *listener;
	const char *to; /* where every stream goes */
	uint8_t code;	/* answer of CONNECT */
	uint8_t type;	/* its address type: 1, 3 or 4 */
	bool no_isolation_names; /* refuses names like tor's */
	bool no_names;		 /* refuses every name */
	/* over the bytes of the negotiation of one connection: */
	size_t hang_at, cut_at, flip_at;
	uint8_t flip;

	struct fake_pipe *pipes[FAKE_SOCKS_PIPES_MAX];
	size_t dials, connected;
	char target[300]; /* that was asked for last */
	char user[256], pass[256];
};

void fake_socks_start(struct fake_socks *f, struct loop *l, const char *address, const char *to);
void fake_socks_stop(struct fake_socks *f);

#endif

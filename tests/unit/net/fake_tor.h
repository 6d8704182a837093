/*
 * A scripted control port for tests: on a host of a virtual world it
 * authenticates as tor does, and misbehaves as it is told.
 */
#ifndef TESTS_UNIT_NET_FAKE_TOR_H
#define TESTS_UNIT_NET_FAKE_TOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/bytes.h"
#include "common/net/torcookie.h"
#include "evaluation/world.h"

#define FAKE_TOR_ADDRESS "unix:/tor/control"
#define FAKE_TOR_NEVER SIZE_MAX

enum fake_tor_stage {
	FAKE_TOR_INFO, /* which command the client speaks next, or hangs at */
	FAKE_TOR_CHALLENGE,
	FAKE_TOR_AUTH,
	FAKE_TOR_OWN,
	FAKE_TOR_COMMANDS,
	FAKE_TOR_STAGES,
};

struct fake_tor {
	struct world *world;
	struct world_host *host;
	struct listener *listener;
	struct conn *conn;
	/* what it says; NULL: what tor says */
	const char *info, *auth;
	const char *answer; /* to every command after the authentication, %s is the command */
	/* Instead of that: answers one command by fake_tor_say. */
	void (*reply)(void *arg, const char *line);
	void *reply_arg;
	uint8_t cookie[TORCOOKIE_BYTES]; /* what it believes to be the cookie */
	char cookie_path[256];		 /* what it says to be the file */
	bool lies;	    /* proves a wrong SERVERHASH */
	const char *before; /* sent in front of every reply, such as an event */
	enum fake_tor_stage hang; /* says nothing from this stage on */
	enum fake_tor_stage close; /* hangs up at this stage */
	/* over the bytes of one connection: */
	size_t cut_at;	/* hangs up before this byte */
	size_t flip_at; /* inverts bits of this byte */
	uint8_t flip;

	/* what happened */
	unsigned dials, authenticated, owned, commands;
	size_t said; /* bytes of this connection */
	enum fake_tor_stage stage;
	uint8_t nonce[TORCOOKIE_NONCE_BYTES];
	struct buf heard; /* of this connection */
	struct buf line;
};

/* A tor with a new cookie in a file of the test's directory. Listens. */
void fake_tor_start(struct fake_tor *t, struct world *w, struct world_host *h);
void fake_tor_stop(struct fake_tor *t);
/* Write a file as the cookie; fake_tor_start does it with the right bytes. */
void fake_tor_write_cookie(const struct fake_tor *t, const void *p, size_t n);
void fake_tor_say(struct fake_tor *t, const char *text);
void fake_tor_hang_up(struct fake_tor *t);

#endif

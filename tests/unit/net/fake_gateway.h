/*
 * A scripted gateway for tests of sessions: real links on a host of a virtual
 * world, notes what comes up and says what it is told to.
 */
#ifndef TESTS_UNIT_NET_FAKE_GATEWAY_H
#define TESTS_UNIT_NET_FAKE_GATEWAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/net/frame.h"
#include "evaluation/world.h"
#include "tests/lib/network.h"

#define FAKE_SESSIONS_MAX 4096

struct fake_gateway;

/* What it saw of one session. */
struct fake_session {
	struct fake_gateway *gateway;
	struct link *link;	/* NULL once it ended */
	struct frame_open open;
	uint8_t hash[64]; /* of its handshake, that a ticket is for */
	bool opened;
	int64_t accepted_ms, first_ms, last_ms, ended_ms; /* by the world's clock */
	unsigned packets;
	unsigned off_beat;	/* frames that were no whole number of slots after the first */
	uint32_t last_epoch;
	uint16_t last_mix;
	uint8_t last_packet[32]; /* its beginning */
};

struct fake_gateway {
	struct world *world;
	struct world_host *host;
	const struct network *network;
	struct listener *listener;
	struct fake_session *sessions[FAKE_SESSIONS_MAX];
	size_t count;
	bool silent;		/* answer nothing */
	bool closes_at_mark;	/* end live sessions when their hour is over */
	bool refuses;		/* close every connection at once */
	enum frame_error error; /* answer `open` with it, unless FRAME_ERROR_NONE */
	const uint8_t *stream;	/* sent to every session, */
	size_t stream_len;
	size_t fill;		/* so many bytes in the answer to each frame */
	size_t given;		/* of the stream so far */
};

/* Listens at the entrance of the network's gateway, on this host. */
void fake_gateway_start(struct fake_gateway *g, struct world *w, struct world_host *h,
    const struct network *n);
void fake_gateway_stop(struct fake_gateway *g);
/* Say something to the i-th session now. */
void fake_gateway_say(struct fake_gateway *g, size_t i, const struct frame_down *f);
/* Sessions whose link is up now. */
size_t fake_gateway_live(const struct fake_gateway *g);

#endif

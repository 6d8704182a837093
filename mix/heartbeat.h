/*
 * A mix's heartbeats: it judges the notes of its own sessions (common/journal/notetest.h)
 * and stops when they do not come back, for then somebody holds others' packets back to be
 * alone with one. When it starts again follows from the wall clock (stops.h).
 * docs/protocol.md, section 7, "Heartbeats".
 *
 * A mix that sees nothing, because its sessions are cut off or nothing of its own leaves,
 * is blind, and stops as well; it does not start before a fresh block has come. When all
 * sessions end at once it waits for them to come back, once in an epoch: so a gateway
 * may be restarted, but not as often as somebody likes. After its own start it waits likewise.
 *
 * Why it stands and until when is on the disk (file "heartbeat"), so that a restart does
 * not end a stop. The queue must be freed before this object.
 */
#ifndef MIX_HEARTBEAT_H
#define MIX_HEARTBEAT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/disk.h"
#include "common/base/err.h"
#include "common/base/log.h"
#include "common/base/rng.h"
#include "common/charter/params.h"
#include "common/journal/block.h"
#include "common/net/loop.h"

struct heartbeat;

enum heartbeat_state {
	HEARTBEAT_BEGINS,  /* it runs; too few notes are judged to say more */
	HEARTBEAT_RUNS,
	HEARTBEAT_STOPPED, /* notes do not come back */
	HEARTBEAT_BLIND,   /* nothing is seen */
};

struct heartbeat_config {
	struct loop *loop;
	struct disk *disk;
	struct workq *queue; /* one thread, the disk's only user */
	const struct params *params; /* the constant ones */
	const struct rng *rng;
	struct log *log;
	/* It stops, or starts again: on the loop, never from inside heartbeat_open. */
	void (*changed)(void *arg, bool stopped);
	/* Whether it lets nothing pass anyhow, so that there is nothing to judge. */
	bool (*idle)(void *arg);
	/* Whether no session of the running hour is open. */
	bool (*cut_off)(void *arg);
	void *arg;
};

struct heartbeat_status {
	enum heartbeat_state state;
	int64_t until_ms;	/* STOPPED, and BLIND when it sees again: when it starts; else 0 */
	uint64_t stops;		/* since it was opened */
	uint64_t judged, returned; /* notes, the same */
};

/* Load the file (blocks). ERR_MALFORMED, ERR_VERSION, ERR_IO, ERR_MEMORY, with a sentence. */
RST_MUST_USE enum err heartbeat_open(struct heartbeat **out, const struct heartbeat_config *cfg,
    struct diag *d);
void heartbeat_free(struct heartbeat *h);
/* Whether the mix has to hold nothing and release nothing. */
bool heartbeat_is_stopped(const struct heartbeat *h);

/*
 * A packet of a current session left now, built by these params: a note with these bytes,
 * or a drop (NULL).
 */
void heartbeat_sent(struct heartbeat *h, const uint8_t *note, const struct params *p);
/* As notetest_block. */
void heartbeat_block(struct heartbeat *h, const struct block *b, int64_t from_ms,
    int64_t start_ms, int64_t end_ms);
/* The clock was set: notes that wait are forgotten, and what is borne goes on. */
void heartbeat_jumped(struct heartbeat *h);
void heartbeat_get_status(const struct heartbeat *h, struct heartbeat_status *out);
const char *heartbeat_state_name(enum heartbeat_state s);

#endif

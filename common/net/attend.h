/*
 * Attendance: keeps a live session going hour after hour without linking one
 * to the next (docs/protocol.md, "No read position may link two sessions").
 *
 * The session of hour h opens at a uniform time in [h-11, h-1] minutes and
 * reads from h-11 minutes, whenever it was opened. Until the mark (the start
 * of h) it is `coming`: its slots carry only notes and drops. At the mark it
 * becomes `current` and the gateway closes the former one. After a failure a
 * uniform wait up to 15 minutes. All times are divided by time-scale.
 * At the start, the session of the running hour is opened at once, or, by an owner
 * that others see start, as after a failure.
 */
#ifndef COMMON_NET_ATTEND_H
#define COMMON_NET_ATTEND_H

#include <stdbool.h>
#include <stdint.h>

#include "common/charter/succession.h"
#include "common/net/session.h"

/* To be scaled: a session of hour h reads from h minus this, and is opened until h minus that. */
#define ATTEND_MARK_BEFORE_MS INT64_C(660000)
#define ATTEND_OPEN_UNTIL_MS INT64_C(60000)

struct attend;

enum attend_phase { ATTEND_COMING, ATTEND_CURRENT };

struct attend_events {
	/* As in session.h; phase says what the slot may carry. */
	bool (*slot)(void *arg, enum attend_phase phase, struct session_packet *out);
	/* May be NULL: the packet of the last slot went out. */
	void (*sent)(void *arg, enum attend_phase phase);
	/*
	 * Items of one session come in order; `run` numbers the session, and a new
	 * run starts a new chain segment. An error ends that session.
	 */
	enum err (*item)(void *arg, uint64_t run, uint32_t hour, enum item_kind kind,
	    const uint8_t *p, size_t n);
	/* A session opened / ended (why: ERR_OK at its mark). For status. */
	void (*state)(void *arg, uint64_t run, uint32_t hour, bool open, enum err why,
	    enum frame_error error);
};

struct attend_config {
	const struct charter *charter; /* sizes and times, which no successor changes */
	/*
	 * Where the gateway is and by which key it is known, now and after a change;
	 * NULL: as the charter says, for good.
	 */
	const struct succession *charters;
	const char *address;	       /* NULL: as the charters say */
	const char *socks;	       /* as in link.h; NULL: directly */
	uint16_t mailbox;
	struct purse *purse; /* as in session.h; without a ticket it waits as after a failure */
	bool held; /* begin as after attend_hold(a, true) */
	/*
	 * Others see when the owner starts, or when it has a way to the gateway again: what
	 * is then due waits as after a failure, so as not to be told by that.
	 */
	bool unhurried;
	const struct rng *rng, *keys;
};

RST_MUST_USE enum err attend_new(struct attend **out, struct loop *l,
    const struct attend_config *cfg, const struct attend_events *events, void *arg);
void attend_free(struct attend *a);
/*
 * While held, no session is opened: for an owner who knows that the way to the
 * gateway is not there yet. Those that are open go on. What has come due by the
 * time it is released is then opened as at the start: the running hour's at once
 * (unhurried: after a wait), the coming one's within what is left of its window.
 */
void attend_hold(struct attend *a, bool held);
/* Open the running hour's session now, if it waits and we are not held. */
void attend_hurry(struct attend *a);
/* The wall-clock time from which the running hour's session reads: h-11 minutes. */
int64_t attend_mark_ms(const struct params *p, uint32_t hour);
/* The gateway as the next session would look for it. */
const struct charter_node *attend_gateway(const struct attend *a);
/* Whether the current hour's session is open. */
bool attend_live(const struct attend *a);

#endif
